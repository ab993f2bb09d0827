//! REL008

use syntax::ast::Item;

use crate::facts::{EffectKind, Facts};
use crate::{Findings, edit, number};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (at, dependency) in facts.dependencies.iter().enumerate() {
        let call = facts.effects.all().iter().find(
            |effect| matches!(effect.kind, EffectKind::Call(call) if call.external.index() == at),
        );
        let Some(call) = call else { continue };
        let missing = [
            (dependency.breaker.is_none(), "breaker", "breaker opens at 50% of 20 calls for 30s"),
            (dependency.bulkhead.is_none(), "bulkhead", "bulkhead 32"),
        ];
        let external = dependency.external;
        for (_, word, line) in missing.into_iter().filter(|(missing, ..)| *missing) {
            let message = format!("`{}` has no `{word}`", external.name);
            let mut finding = findings
                .at(external.span, message)
                .text("when it hangs, all that call it wait")
                .label(call.span, "called here");
            if let Some(longest) = dependency.longest() {
                finding = finding.note(format!(
                    "each call holds a worker for up to {}, and nothing stops the next one",
                    number::duration(longest)
                ));
            }
            if let Some(Item::External(view)) = facts.source.item(external.span)
                && let Some(edit) = edit::add_member(view.node(), line)
            {
                let title = format!("add `{line}`");
                finding = finding.fix_all(title, vec![edit], syntax::Applicability::Unsafe);
            }
            findings.add(format!("{}.{word}", external.name), finding);
        }
    }
}
