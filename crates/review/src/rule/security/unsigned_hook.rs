//! SEC010

use syntax::ast::{Item, WebhookMember};

use crate::facts::Facts;
use crate::{Findings, edit};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    // What a webhook receives is verified in any case.
    for webhook in facts.model.webhooks.iter().filter(|webhook| webhook.receives.is_empty()) {
        let Some(Item::Webhook(view)) = facts.source.item(webhook.span) else { continue };
        if view.members().any(|member| matches!(member, WebhookMember::Sign(_))) {
            continue;
        }
        let message = format!("what `{}` sends is not signed", webhook.name);
        let mut finding = findings
            .at(webhook.span, message)
            .text("has no `sign`")
            .note("whoever knows the address of a partner can tell it the same");
        if let Some(edit) = edit::add_member(view.node(), "sign standard") {
            finding =
                finding.fix_all("add `sign standard`", vec![edit], syntax::Applicability::Safe);
        }
        findings.add(webhook.name.clone(), finding);
    }
    for dependency in &facts.dependencies {
        let Some((url, span)) = &dependency.url else { continue };
        let Some(rest) = url.strip_prefix("http://") else { continue };
        let name = &dependency.external.name;
        let finding = findings
            .at(*span, format!("`{name}` is called over plain HTTP"))
            .text("whoever stands between reads and changes it")
            .suggest("call it over `https://`", *span, format!("\"https://{rest}\""));
        findings.add(name.clone(), finding);
    }
}
