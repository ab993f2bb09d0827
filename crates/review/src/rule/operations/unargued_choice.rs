//! OPS005

use model::Decision;

use crate::facts::Facts;
use crate::{Findings, number};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for decision in &facts.model.decisions {
        of_decision(findings, decision);
    }
    for place in facts.places.iter().filter(|place| place.is_production()) {
        let (Some((engine, _)), Some(span)) = (&place.environment.broker, place.broker) else {
            continue;
        };
        let argued = facts
            .model
            .decisions
            .iter()
            .any(|decision| decision.options.iter().any(|(option, _)| option == engine));
        if argued {
            continue;
        }
        let finding = findings
            .at(span, format!("nothing says why events travel over `{engine}`"))
            .text("no decision weighs it")
            .note("without a broker events travel through the database, which is there already")
            .help("write a `decision` with what else there was, or leave the broker out");
        findings.add(place.environment.name.clone(), finding);
    }
}

fn of_decision(findings: &mut Findings, decision: &Decision) {
    let Some(chosen) = &decision.chosen else { return };
    let path = format!("decision {}", decision.title);
    if decision.because.as_ref().is_none_or(|because| because.trim().is_empty()) {
        let finding = findings
            .at(decision.span, format!("nothing says why `{chosen}` was chosen"))
            .text("has no `because`")
            .note("the next one who asks gets no answer, and takes the other")
            .help("write `because \"…\"` behind it");
        findings.add(path.clone(), finding);
    }
    let scored: Vec<(&str, f64)> = decision
        .options
        .iter()
        .filter_map(|(name, marks)| {
            let weighed = decision.criteria.iter().zip(marks);
            let marks = weighed.map(|(criterion, mark)| Some(criterion.weight * (*mark)?));
            marks.sum::<Option<f64>>().map(|sum| (name.as_str(), sum))
        })
        .collect();
    let own = scored.iter().find(|(name, _)| *name == chosen.as_str());
    let best = scored.iter().max_by(|a, b| a.1.total_cmp(&b.1));
    let (Some((_, own)), Some((best, most))) = (own, best) else { return };
    if own >= most {
        return;
    }
    let message = format!("`{chosen}` is chosen, and its own marks favour `{best}`");
    let finding = findings
        .at(decision.span, message)
        .text(format!("`{best}` has {}, `{chosen}` {}", number::count(*most), number::count(*own)))
        .note("weights times marks, summed up")
        .help("mend the marks or the weights, or choose what they favour");
    findings.add(path, finding);
}
