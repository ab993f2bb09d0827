//! DAT011

use std::mem::discriminant;

use crate::facts::{EffectKind, Facts};
use crate::{Findings, edit};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (id, field_id, field) in facts.fields() {
        if field.immutable || field.is_key || field.computed.is_some() {
            continue;
        }
        let source = facts.model[id].fields.iter().find_map(|reference| {
            let reference_field = &facts.model[*reference];
            let target = reference_field.ty.as_entity()?;
            let rest = field.name.strip_prefix(reference_field.name.as_str())?.strip_prefix('_')?;
            let copied = facts.model.field_named(target, rest)?;
            let alike = discriminant(&facts.model[copied].ty) == discriminant(&field.ty);
            alike.then_some((reference_field, copied))
        });
        let Some((reference, copied)) = source else { continue };
        let message = format!(
            "`{}` repeats what `{}` leads to, and nothing keeps the two alike",
            field.name, reference.name
        );
        let mut finding = findings
            .at(field.span, message)
            .text("can change by itself")
            .label(reference.span, "leads to the same")
            .label(facts.model[copied].span, "the other one");
        finding = finding
            .note("one day they differ, and nobody knows which is right")
            .help(format!("read it through the reference: `include={}`", reference.name));
        let changes = facts.effects.all().iter().any(|effect| match effect.kind {
            EffectKind::Update { fields, .. } => fields.iter().any(|(it, _)| *it == field_id),
            _ => false,
        });
        let named = facts.model[id].policies.iter().any(|policy| {
            policy.action == model::Action::Update
                && policy.fields.as_ref().is_some_and(|fields| fields.contains(&field_id))
        });
        let view = facts.source.field(facts.model[id].span, field.span);
        if let (false, false, Some(view)) = (changes, named, view) {
            let edits = vec![edit::append(view.node(), " immutable")];
            let title = "keep it as it was when the row was created";
            finding = finding.fix_all(title, edits, syntax::Applicability::Unsafe);
        }
        findings.add(facts.field_path(id, field_id), finding);
    }
}
