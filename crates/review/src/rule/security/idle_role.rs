//! SEC013

use model::RoleId;

use crate::Findings;
use crate::facts::Facts;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (at, role) in facts.model.roles.iter().enumerate() {
        let id = RoleId(at as u32);
        if id == RoleId::SYSTEM || facts.who.is_granted(id) {
            continue;
        }
        let finding = findings
            .at(role.span, format!("the role `{}` may do nothing", role.name))
            .text("no `allow` names it")
            .note("a token may carry it, and gets nowhere")
            .help("grant it something, or remove it");
        findings.add(format!("roles.{}", role.name), finding);
    }
}
