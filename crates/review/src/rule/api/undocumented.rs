//! API004

use model::QueryId;
use syntax::Span;

use crate::Findings;
use crate::facts::Facts;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let model = facts.model;
    let mut items: Vec<(&str, &str, Span, String)> = Vec::new();
    if let Some(app) = model.app.as_ref().filter(|app| app.docs.is_none()) {
        items.push(("app", &app.name, app.span, app.name.clone()));
    }
    for service in model.services.iter().filter(|it| it.docs.is_none() && !it.name.is_empty()) {
        items.push(("service", &service.name, service.span, service.name.clone()));
    }
    for (id, entity) in facts.entities().filter(|(_, entity)| entity.docs.is_none()) {
        if !facts.contract.resource(id).is_hidden() {
            items.push(("entity", &entity.name, entity.span, facts.entity_path(id)));
        }
    }
    for (at, query) in model.queries.iter().enumerate().filter(|(_, it)| it.docs.is_none()) {
        items.push(("query", &query.name, query.span, facts.query_path(QueryId(at as u32))));
    }
    for id in facts.public_command_ids() {
        let command = &model.commands[id.index()];
        if command.docs.is_none() {
            items.push(("command", &command.name, command.span, facts.command_path(id)));
        }
    }
    for event in model.events.iter().filter(|it| it.docs.is_none()) {
        items.push(("event", &event.name, event.span, facts.path(event.service, &event.name)));
    }
    for error in model.errors.iter().filter(|it| it.docs.is_none()) {
        items.push(("error", &error.name, error.span, facts.path(error.service, &error.name)));
    }
    for webhook in model.webhooks.iter().filter(|it| it.docs.is_none()) {
        items.push(("webhook", &webhook.name, webhook.span, webhook.name.clone()));
    }
    for external in model.externals.iter().filter(|it| it.docs.is_none()) {
        items.push(("external", &external.name, external.span, external.name.clone()));
    }
    for (what, name, span, path) in items {
        let finding = findings
            .at(span, format!("the {what} `{name}` is not documented"))
            .text("others see only its name")
            .help("write a sentence before it: `/// What it is for.`");
        findings.add(path, finding);
    }
}
