//! API006

use model::QueryId;

use crate::Findings;
use crate::facts::{Facts, parameter_fields};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (at, query) in facts.model.queries.iter().enumerate() {
        let Some(filter) = &query.filter else { continue };
        for (field_id, position) in parameter_fields(filter) {
            let field = &facts.model[field_id];
            if !(field.pii || field.secret) {
                continue;
            }
            let Some(parameter) = query.parameters.get(position) else { continue };
            let kind = if field.secret { "secret" } else { "personal" };
            let path = facts.contract.queries.get(at).map_or("", |it| it.path.as_str());
            let message = format!("`{}` puts {kind} data into the address", query.name);
            let finding = findings
                .at(parameter.span, message)
                .text(format!("stands in `{path}?{}=…`", parameter.name))
                .label(field.span, format!("is {kind}"))
                .note("addresses are kept in access logs, proxies and browser histories, where nothing is erased")
                .help("make it a command, whose arguments stand in the body");
            let path = format!("{}.{}", facts.query_path(QueryId(at as u32)), parameter.name);
            findings.add(path, finding);
        }
    }
    for (id, entity) in facts.entities() {
        let key = &facts.model[entity.key];
        // A key that is personal in its own right is a matter of DAT006, whatever the path.
        if !key.secret || key.is_position {
            continue;
        }
        let resource = facts.contract.resource(id);
        let finding = findings
            .at(key.span, format!("the path of one `{}` holds a secret", entity.name))
            .text(format!("stands in `{}`", resource.item_path))
            .note("addresses are kept in access logs, proxies and browser histories")
            .help("use a `Uuid` as the key");
        findings.add(facts.field_path(id, entity.key), finding);
    }
}
