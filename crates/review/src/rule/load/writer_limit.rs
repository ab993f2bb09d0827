//! CAP001

use model::Action;
use syntax::Span;

use crate::facts::Facts;
use crate::{Findings, number};

/// Durable writes in a second, by engine: an order with three lines in one transaction on two cores (W2 of
/// `bench/RESULTS.md`), rounded down.
const MOST: &[(&str, f64)] = &[("sqlite", 9_000.0), ("postgres", 5_000.0)];

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    let (total, greatest) = peak(facts);
    let Some((rate, span, what)) = greatest else { return };
    for place in facts.places.iter().filter(|place| place.is_production()) {
        let most = MOST.iter().find(|(engine, _)| *engine == place.engine());
        let (Some((engine, most)), Some(store)) = (most, place.store) else { continue };
        if total <= *most {
            continue;
        }
        let message = format!(
            "{} writes a second at the peak are more than `{engine}` commits",
            number::count(total)
        );
        let finding = findings
            .at(store, message)
            .text(format!("commits about {} a second on two cores", number::count(*most)))
            .label(span, format!("`{what}` alone is {}/s", number::count(rate)))
            .note("the queue fills, and from then on requests are refused (503)")
            .help("write many rows in one command, write less often, or give the store more than two cores");
        findings.add(place.environment.name.clone(), finding);
    }
}

/// All writes of the worst hour together, and the greatest among them.
fn peak(facts: &Facts<'_>) -> (f64, Option<(f64, Span, String)>) {
    let (mut total, mut greatest) = (0.0, None::<(f64, Span, String)>);
    let mut add = |rate: f64, span: Span, name: &str| {
        total += rate;
        if greatest.as_ref().is_none_or(|(most, ..)| rate > *most) {
            greatest = Some((rate, span, name.to_owned()));
        }
    };
    for id in facts.command_ids() {
        let writes = facts.effects.of_command(id).iter().any(|effect| effect.writes().is_some());
        if let (true, Some(rate)) = (writes, facts.loads.command(id)) {
            add(rate.peak, rate.span, &facts.model.commands[id.index()].name);
        }
    }
    for (id, entity) in facts.entities() {
        for action in [Action::Create, Action::Update, Action::Delete] {
            if let Some(rate) = facts.loads.entity(id, action) {
                add(rate.peak, rate.span, &entity.name);
            }
        }
    }
    (total, greatest)
}
