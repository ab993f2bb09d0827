//! SEC008

use syntax::ast::{AuthMember, Item};

use crate::facts::Facts;
use crate::{Findings, edit};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let auth = &facts.model.auth;
    if !auth.password || auth.limit.is_some() {
        return;
    }
    let view = facts.source.nameless().iter().find_map(|item| match item {
        Item::Auth(auth) => Some(auth),
        _ => None,
    });
    let Some(view) = view else { return };
    let password = view.members().find_map(|member| match member {
        AuthMember::Password(password) => Some(password.span()),
        _ => None,
    });
    let span = password.or(auth.span).unwrap_or(view.span());
    let mut finding = findings
        .at(span, "passwords may be tried as often as somebody likes")
        .text("no `limit` counts the attempts")
        .note("a list of leaked passwords is tried in an afternoon, and each attempt costs a slow hash");
    if let Some(edit) = edit::add_member(view.node(), "limit 10 per 1m by ip") {
        let title = "add `limit 10 per 1m by ip`";
        finding = finding.fix_all(title, vec![edit], syntax::Applicability::Safe);
    }
    findings.add("auth", finding);
}
