//! Enums and records, each told once, by the directions in which they travel.

use std::collections::HashMap;

use model::{EnumId, RecordId};

use super::field::{self, Both, Travel};
use super::{Kind, Report, event};
use crate::{Contract, Member, Shape};

/// Where a word is used.
#[derive(Clone, Copy, Default)]
struct Reach {
    request: bool,
    answer: bool,
    event: bool,
}

impl Reach {
    fn or(self, other: Self) -> Self {
        Self {
            request: self.request || other.request,
            answer: self.answer || other.answer,
            event: self.event || other.event,
        }
    }

    fn is_within(self, other: Self) -> bool {
        (!self.request || other.request)
            && (!self.answer || other.answer)
            && (!self.event || other.event)
    }
}

/// The directions of every enum and record of a contract.
#[derive(Default)]
struct Usage {
    enums: HashMap<EnumId, Reach>,
    records: HashMap<RecordId, Reach>,
}

impl Usage {
    fn of(contract: &Contract) -> Self {
        let mut usage = Self::default();
        for resource in &contract.resources {
            for member in &resource.members {
                let reach = Reach {
                    request: member.creatable && !resource.create.is_empty()
                        || member.updatable && !resource.update.is_empty(),
                    answer: member.readable && !resource.read.is_empty(),
                    event: false,
                };
                usage.walk(contract, &member.shape, reach);
            }
            if !resource.read.is_empty() {
                for filter in &resource.filters {
                    usage.walk(
                        contract,
                        &filter.shape,
                        Reach { request: true, ..Reach::default() },
                    );
                }
            }
        }
        for query in contract.queries.iter().filter(|it| !it.grant.is_empty()) {
            for parameter in &query.parameters {
                usage.walk(contract, &parameter.shape, Reach { request: true, ..Reach::default() });
            }
        }
        for command in contract.commands.iter().filter(|it| !it.grant.is_empty()) {
            for parameter in &command.parameters {
                usage.walk(contract, &parameter.shape, Reach { request: true, ..Reach::default() });
            }
            let answer = Reach { answer: true, ..Reach::default() };
            if let Some(found) = &command.answer {
                usage.walk(contract, &found.shape, answer);
            }
            for error in &command.raises {
                for member in &contract.error(*error).members {
                    usage.walk(contract, &member.shape, answer);
                }
            }
        }
        for event in &contract.events {
            for member in &event.members {
                usage.walk(contract, &member.shape, Reach { event: true, ..Reach::default() });
            }
        }
        usage
    }

    fn walk(&mut self, contract: &Contract, shape: &Shape, reach: Reach) {
        match shape {
            Shape::Enum(id) => {
                let known = self.enums.entry(*id).or_default();
                *known = known.or(reach);
            }
            Shape::Record(id) => {
                let known = self.records.entry(*id).or_default();
                // A record that leads to itself ends here.
                let all = known.or(reach);
                let done = all.is_within(*known) && known.is_within(all);
                *known = all;
                if !done {
                    for member in &contract.record(*id).members {
                        self.walk(contract, &member.shape, all);
                    }
                }
            }
            Shape::List { item, .. } => self.walk(contract, item, reach),
            Shape::Reference { key, .. } => self.walk(contract, key, reach),
            _ => {}
        }
    }
}

pub(super) fn changes(report: &mut Report<'_>) {
    let before = Usage::of(report.old.contract);
    let after = Usage::of(report.new.contract);
    // What is used in one model only comes and goes with what uses it.
    let both = |a: Option<&Reach>, b: Option<&Reach>| {
        let (a, b) = (a.copied().unwrap_or_default(), b.copied().unwrap_or_default());
        Reach {
            request: a.request && b.request,
            answer: a.answer && b.answer,
            event: a.event && b.event,
        }
    };
    for (old, new) in &report.identity.enums {
        labels(report, (*old, *new), both(before.enums.get(old), after.enums.get(new)));
    }
    for (old, new) in &report.identity.records {
        record(report, (*old, *new), both(before.records.get(old), after.records.get(new)));
    }
}

fn labels(report: &mut Report<'_>, (old, new): (EnumId, EnumId), reach: Reach) {
    let (before, after) =
        (&report.old.model.enums[old.index()], &report.new.model.enums[new.index()]);
    let item = format!("enum {}", after.name);
    let mut renamed = Vec::new();
    for value in &before.values {
        if after.position(&value.name).is_some() {
            continue;
        }
        let is_it = |it: &&model::EnumValue| it.was.as_deref() == Some(value.name.as_str());
        if let Some(now) = after.values.iter().find(is_it) {
            renamed.push(now.name.clone());
            let said = format!("`{}` is called `{}` now", value.name, now.name);
            if reach.request || reach.answer {
                report.found.add(Kind::LabelRenamed, &item, said.clone());
            }
            if reach.event {
                report.found.add(Kind::EventLabelRenamed, &item, said);
            }
            continue;
        }
        let said = format!("`{}` is gone", value.name);
        if reach.request {
            report.found.add(Kind::LabelRemoved, &item, said.clone());
        } else if reach.answer {
            report.found.add(Kind::LabelNotAnswered, &item, said.clone());
        }
        if reach.event {
            report.found.add(Kind::EventLabelRemoved, &item, said);
        }
    }
    for value in &after.values {
        if before.position(&value.name).is_some() || renamed.contains(&value.name) {
            continue;
        }
        let said = format!("`{}` is new", value.name);
        if reach.request {
            report.found.add(Kind::LabelAccepted, &item, said.clone());
        }
        if reach.answer {
            report.found.add(Kind::LabelAnswered, &item, said.clone());
        }
        if reach.event {
            report.found.add(Kind::EventLabelAdded, &item, said);
        }
    }
}

fn record(report: &mut Report<'_>, (old, new): (RecordId, RecordId), reach: Reach) {
    let (old_contract, new_contract) = (report.old.contract, report.new.contract);
    let (before, after) = (old_contract.record(old), new_contract.record(new));
    let item = format!("record {}", after.name);
    if reach.event {
        event::members(report, &item, &before.members, &after.members);
    }
    let travel = |member: &Member| Travel {
        answer: reach.answer && member.readable,
        create: reach.request,
        update: false,
    };
    if !reach.answer && !reach.request {
        return;
    }
    for (at, member) in before.members.iter().enumerate() {
        let item = format!("{item}.{}", member.name);
        let Some(place) = after.members.iter().position(|it| it.name == member.name) else {
            field::gone(report, &item, member, travel(member));
            continue;
        };
        let now = &after.members[place];
        let ids = (report.old.model[old].fields[at], report.new.model[new].fields[place]);
        field::both(
            report,
            &Both {
                item: &item,
                old: (member, travel(member)),
                new: (now, travel(now)),
                changeable: false,
                ids,
            },
        );
    }
    for member in
        after.members.iter().filter(|it| !before.members.iter().any(|old| old.name == it.name))
    {
        field::fresh(report, &format!("{item}.{}", member.name), member, travel(member));
    }
}
