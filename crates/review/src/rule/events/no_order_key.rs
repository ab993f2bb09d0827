//! EVT006

use model::EventId;
use syntax::{Applicability, Edit};

use crate::Findings;
use crate::facts::Facts;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (at, event) in facts.model.events.iter().enumerate() {
        if event.by.is_some() || !facts.is_heard(EventId(at as u32)) {
            continue;
        }
        let rows: Vec<_> = event
            .fields
            .iter()
            .map(|field| &facts.model[*field])
            .filter(|field| field.ty.as_entity().is_some() && !field.optional)
            .collect();
        let Some(first) = rows.first() else { continue };
        let message = format!("two `{}` of one `{}` have no order", event.name, first.name);
        let mut finding = findings
            .at(event.span, message)
            .text("has no `by`")
            .label(first.span, "the row it speaks of");
        if let Some(span) = facts.hearing(EventId(at as u32)) {
            finding = finding.label(span, "hears them side by side");
        }
        finding = finding.note("the later one may be carried out first");
        // With several rows a person must say whose order counts.
        let applicability =
            if rows.len() == 1 { Applicability::Safe } else { Applicability::Unsafe };
        let replacement = format!(" by {}", first.name);
        let edits = vec![Edit { span: event.span.after(), replacement }];
        let finding = finding.fix_all(format!("write `by {}`", first.name), edits, applicability);
        findings.add(facts.path(event.service, &event.name), finding);
    }
}
