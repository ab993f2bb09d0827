//! What a row must keep: checks, unique fields, transitions; and what an entity promises.

use std::collections::BTreeSet;

use model::{EntityId, FieldId};

use super::{Kind, Report, condition};

pub(super) fn changes(report: &mut Report<'_>, item: &str, before: EntityId, after: EntityId) {
    let writes = |it: &crate::Resource| !it.create.is_empty() || !it.update.is_empty();
    let written =
        writes(report.old.contract.resource(before)) && writes(report.new.contract.resource(after));
    // Who only reads through commands meets rules as well: a command that breaks one is refused.
    let commands = !report.new.contract.commands.iter().all(|it| it.grant.is_empty());
    if written || commands {
        checks(report, item, before, after);
        uniques(report, item, before, after);
        transitions(report, item, before, after);
    }
    let (old, new) = (report.old.model[before].cache, report.new.model[after].cache);
    if old != new {
        let longer = new.unwrap_or(0) > old.unwrap_or(0);
        let said = format!("answers are kept for {}, was {}", span(new), span(old));
        report.found.add_either(longer, (Kind::CacheLengthened, Kind::CacheShortened), item, said);
    }
}

fn span(microseconds: Option<i64>) -> String {
    microseconds.map_or("no time".to_owned(), crate::condition::duration)
}

fn told(report: &mut Report<'_>, item: &str, old: &BTreeSet<String>, new: &BTreeSet<String>) {
    for rule in new.difference(old) {
        report.found.add(Kind::RuleAdded, item, format!("{rule} is demanded now"));
    }
    for rule in old.difference(new) {
        report.found.add(Kind::RuleRemoved, item, format!("{rule} is not demanded any more"));
    }
}

fn checks(report: &mut Report<'_>, item: &str, before: EntityId, after: EntityId) {
    let (old, new) = (&report.old.model[before].checks, &report.new.model[after].checks);
    let old = old.iter().map(|it| format!("`{}`", condition::old(report, &[], &it.condition)));
    let new = new.iter().map(|it| format!("`{}`", condition::new(report, &[], &it.condition)));
    let (old, new) = (old.collect(), new.collect());
    told(report, item, &old, &new);
}

/// A unique set whose fields are not in both models comes and goes with them.
fn uniques(report: &mut Report<'_>, item: &str, before: EntityId, after: EntityId) {
    let named = |names: Vec<String>| format!("that `{}` is unique", names.join(", "));
    let (old_model, new_model) = (report.old.model, report.new.model);
    let identity = report.identity;
    let old = old_model[before].uniques.iter().filter_map(|unique| {
        let stays = |field: &FieldId| identity.new_field(*field).is_some();
        let names = unique.fields.iter().map(|it| old_model[*it].name.to_string());
        unique.fields.iter().all(stays).then(|| named(names.collect()))
    });
    let new = new_model[after].uniques.iter().filter_map(|unique| {
        let stood = |field: &FieldId| !identity.is_new_field(*field);
        let names = unique.fields.iter().map(|it| identity.old_name(new_model, *it).to_owned());
        unique.fields.iter().all(stood).then(|| named(names.collect()))
    });
    let (old, new) = (old.collect(), new.collect());
    told(report, item, &old, &new);
}

fn transitions(report: &mut Report<'_>, item: &str, before: EntityId, after: EntityId) {
    let (old, new) = (report.old, report.new);
    let changes: Vec<(FieldId, FieldId)> = report
        .identity
        .fields
        .iter()
        .filter(|(field, now)| {
            old.model[before].fields.contains(field) && new.model[after].fields.contains(now)
        })
        .copied()
        .collect();
    for (field, now) in changes {
        let (Some(labels), Some(labels_now)) =
            (old.model[field].ty.as_enum(), new.model[now].ty.as_enum())
        else {
            continue;
        };
        let flow = old.model[before].flows.iter().find(|it| it.field == field);
        let flow_now = new.model[after].flows.iter().find(|it| it.field == now);
        let item = format!("{item}.{}", new.model[now].name);
        let (Some(flow), Some(flow_now)) = (flow, flow_now) else {
            // Without a flow every change is legal.
            if flow.is_none() && flow_now.is_some() {
                report.found.add(
                    Kind::TransitionRemoved,
                    item,
                    "only changes of its flow are legal now",
                );
            } else if flow.is_some() {
                report.found.add(Kind::TransitionAdded, item, "every change is legal now");
            }
            continue;
        };
        let was = |at: usize| {
            let value = &new.model[labels_now].values[at];
            let known = old.model[labels].position(&value.name).is_some();
            if known {
                value.name.to_string()
            } else {
                value.was.clone().unwrap_or_else(|| value.name.to_string())
            }
        };
        let label = |at: usize| old.model[labels].values[at].name.to_string();
        let before = pairs(flow, &label);
        let after = pairs(flow_now, &was);
        for (from, to) in before.difference(&after) {
            report.found.add(
                Kind::TransitionRemoved,
                &item,
                format!("`{from} -> {to}` is refused now"),
            );
        }
        for (from, to) in after.difference(&before) {
            report.found.add(
                Kind::TransitionAdded,
                &item,
                format!("`{from} -> {to}` is legal now"),
            );
        }
    }
}

fn pairs(flow: &model::Flow, label: &dyn Fn(usize) -> String) -> BTreeSet<(String, String)> {
    let each = flow.transitions.iter();
    each.flat_map(|(from, to)| to.iter().map(|to| (label(*from), label(*to)))).collect()
}
