//! Queries and commands: parameters, answers, errors.

use model::{ErrorId, FieldId, Parameter as Declared, ServiceId};

use super::resource::{bare, name};
use super::shape::{compare, describe};
use super::{Kind, Report, access, condition};
use crate::{Answer, CommandRoute, Contract, Parameter, QueryRoute, Shape};

pub(super) fn changes(report: &mut Report<'_>) {
    queries(report);
    commands(report);
    errors(report);
}

const GONE: [Kind; 3] =
    [Kind::OperationRemoved, Kind::OperationRemovedEarly, Kind::OperationRetired];

fn queries(report: &mut Report<'_>) {
    let (old, new) = (report.old, report.new);
    let key = |model: &model::Model, it: &QueryRoute| {
        let service: ServiceId = model[it.query].service;
        super::system::qualified(model, service, &it.name)
    };
    for before in old.contract.queries.iter().filter(|it| !it.grant.is_empty()) {
        let item = key(old.model, before);
        let after = new.contract.queries.iter().find(|it| key(new.model, it) == item);
        match after.filter(|it| !it.grant.is_empty()) {
            Some(after) => query(report, &item, before, after),
            None => {
                let (kind, told) = report.found.departure(before.farewell.as_ref(), GONE);
                report.found.add(kind, format!("GET {}", before.path), format!("is gone{told}"));
            }
        }
    }
    for after in new.contract.queries.iter().filter(|it| !it.grant.is_empty()) {
        let item = key(new.model, after);
        let before = old.contract.queries.iter().find(|it| key(old.model, it) == item);
        if before.is_none_or(|it| it.grant.is_empty()) {
            report.found.add(Kind::OperationAdded, format!("GET {}", after.path), "is new");
        }
    }
}

fn query(report: &mut Report<'_>, item: &str, before: &QueryRoute, after: &QueryRoute) {
    let (old, new) = (&report.old.model[before.query], &report.new.model[after.query]);
    if bare(report.old.contract, &before.path) != bare(report.new.contract, &after.path) {
        report.found.add(
            Kind::PathChanged,
            format!("GET {}", before.path),
            format!("is at {} now", after.path),
        );
    }
    parameters(report, item, &before.parameters, &after.parameters);
    if !report.identity.entities.contains(&(before.entity, after.entity)) {
        let (was, is) =
            (name(report.old.model, before.entity), name(report.new.model, after.entity));
        report.found.add(Kind::AnswerChanged, item, format!("answers rows of {is}, was {was}"));
    }
    let text = |found: Option<String>| found.map_or("all rows".to_owned(), |it| format!("`{it}`"));
    let was = text(old.filter.as_ref().map(|it| condition::old(report, &old.parameters, it)));
    let is = text(new.filter.as_ref().map(|it| condition::new(report, &new.parameters, it)));
    // A condition on what only one of them knows follows from its parameters.
    if was != is {
        report.found.add(Kind::RowsChanged, item, format!("answers {is}, was {was}"));
    }
    let order = |sort: &[model::SortKey], named: &dyn Fn(FieldId) -> String| {
        let keys = sort
            .iter()
            .map(|key| format!("{}{}", if key.descending { "-" } else { "" }, named(key.field)));
        let keys = keys.collect::<Vec<_>>().join(", ");
        if keys.is_empty() { "the key".to_owned() } else { keys }
    };
    let (old_model, new_model) = (report.old.model, report.new.model);
    let was = order(&old.sort, &|field| old_model[field].name.to_string());
    let is = order(&new.sort, &|field| report.identity.old_name(new_model, field).to_owned());
    if was != is {
        report.found.add(Kind::OrderChanged, item, format!("is sorted by {is}, was by {was}"));
    }
    if before.page != after.page {
        report.found.add(
            Kind::PageChanged,
            item,
            format!("a page has {} rows, was {}", after.page, before.page),
        );
    }
    if before.page_maximum != after.page_maximum {
        let narrower = after.page_maximum < before.page_maximum;
        let said =
            format!("a page has at most {} rows, was {}", after.page_maximum, before.page_maximum);
        report.found.add_either(narrower, (Kind::PageNarrowed, Kind::PageWidened), item, said);
    }
    report.found.farewell(item, before.farewell.as_ref(), after.farewell.as_ref());
    access::changes(
        report,
        &access::Compared {
            item,
            doing: "ask it for",
            old: (&old.policies, &old.parameters),
            new: (&new.policies, &new.parameters),
        },
    );
}

fn commands(report: &mut Report<'_>) {
    let (old, new) = (report.old, report.new);
    let key = |model: &model::Model, it: &CommandRoute| {
        super::system::qualified(model, model.commands[it.command.index()].service, &it.name)
    };
    for before in old.contract.commands.iter().filter(|it| !it.grant.is_empty()) {
        let item = key(old.model, before);
        let after = new.contract.commands.iter().find(|it| key(new.model, it) == item);
        match after.filter(|it| !it.grant.is_empty()) {
            Some(after) => command(report, &item, before, after),
            None => {
                let (kind, told) = report.found.departure(before.farewell.as_ref(), GONE);
                report.found.add(kind, format!("POST {}", before.path), format!("is gone{told}"));
            }
        }
    }
    for after in new.contract.commands.iter().filter(|it| !it.grant.is_empty()) {
        let item = key(new.model, after);
        let before = old.contract.commands.iter().find(|it| key(old.model, it) == item);
        if before.is_none_or(|it| it.grant.is_empty()) {
            report.found.add(Kind::OperationAdded, format!("POST {}", after.path), "is new");
        }
    }
}

fn command(report: &mut Report<'_>, item: &str, before: &CommandRoute, after: &CommandRoute) {
    let old = &report.old.model.commands[before.command.index()];
    let new = &report.new.model.commands[after.command.index()];
    let path = |contract: &Contract, path: &str| {
        let bare = bare(contract, path).split('/');
        bare.map(|it| if it.starts_with('{') { "{}" } else { it }).collect::<Vec<_>>().join("/")
    };
    if path(report.old.contract, &before.path) != path(report.new.contract, &after.path) {
        report.found.add(
            Kind::PathChanged,
            format!("POST {}", before.path),
            format!("is at {} now", after.path),
        );
    }
    parameters(report, item, &before.parameters, &after.parameters);
    answer(report, item, before.answer.as_ref(), after.answer.as_ref());
    let named = |contract: &Contract, id: ErrorId| {
        let error = contract.error(id);
        format!("{} ({})", error.code, error.status)
    };
    for error in &before.raises {
        let now = report.identity.new_error(*error);
        if now.is_none_or(|now| !after.raises.contains(&now)) {
            let named = named(report.old.contract, *error);
            report.found.add(Kind::ErrorRemoved, item, format!("does not raise {named} any more"));
        }
    }
    let was: Vec<ErrorId> =
        before.raises.iter().filter_map(|it| report.identity.new_error(*it)).collect();
    for error in after.raises.iter().filter(|it| !was.contains(it)) {
        let named = named(report.new.contract, *error);
        report.found.add(Kind::ErrorAdded, item, format!("may raise {named} now"));
    }
    report.found.farewell(item, before.farewell.as_ref(), after.farewell.as_ref());
    access::changes(
        report,
        &access::Compared {
            item,
            doing: "call it for",
            old: (&old.policies, &old.parameters as &[Declared]),
            new: (&new.policies, &new.parameters),
        },
    );
}

fn parameters(report: &mut Report<'_>, item: &str, old: &[Parameter], new: &[Parameter]) {
    for before in old {
        let item = format!("{item}({})", before.name);
        let Some(after) = new.iter().find(|it| it.name == before.name) else {
            report.found.add(Kind::ParameterRemoved, item, "is gone");
            continue;
        };
        if before.required != after.required {
            let said = if after.required { "must be there now" } else { "may be left out now" };
            let kinds = (Kind::ParameterRequired, Kind::ParameterNotRequired);
            report.found.add_either(after.required, kinds, &item, said.to_owned());
        }
        let difference = compare(report, &before.shape, &after.shape);
        if let Some((was, is)) = difference.other {
            report.found.add(Kind::TypeChanged, &item, format!("is {is}, was {was}"));
        }
        for said in difference.narrower {
            report.found.add(Kind::RequestNarrowed, &item, said);
        }
        for said in difference.wider {
            report.found.add(Kind::RequestWidened, &item, said);
        }
    }
    for after in new.iter().filter(|it| !old.iter().any(|before| before.name == it.name)) {
        let item = format!("{item}({})", after.name);
        let kinds = (Kind::RequiredParameterAdded, Kind::ParameterAdded);
        let said = if after.required { "is new, and must be there" } else { "is new" };
        report.found.add_either(after.required, kinds, &item, said.to_owned());
    }
}

fn answer(report: &mut Report<'_>, item: &str, old: Option<&Answer>, new: Option<&Answer>) {
    let said = |contract: &Contract, shape: &Shape| describe(contract, shape);
    match (old, new) {
        (None, None) => {}
        (None, Some(new)) => {
            let is = said(report.new.contract, &new.shape);
            report.found.add(Kind::AnswerAdded, item, format!("answers {is} now"));
        }
        (Some(old), None) => {
            let was = said(report.old.contract, &old.shape);
            report.found.add(Kind::AnswerRemoved, item, format!("answers nothing, was {was}"));
        }
        (Some(old), Some(new)) => {
            if old.nullable != new.nullable {
                let said =
                    if new.nullable { "may answer null now" } else { "never answers null now" };
                let kinds = (Kind::NullAnswered, Kind::NullNotAnswered);
                report.found.add_either(new.nullable, kinds, item, said.to_owned());
            }
            let difference = compare(report, &old.shape, &new.shape);
            if let Some((was, is)) = difference.other {
                report.found.add(Kind::AnswerChanged, item, format!("answers {is}, was {was}"));
            }
            for said in difference.narrower {
                report.found.add(Kind::AnswerNarrowed, item, format!("answers what is {said}"));
            }
            for said in difference.wider {
                report.found.add(Kind::AnswerWidened, item, format!("answers what is {said}"));
            }
        }
    }
}

/// Errors that some command raises for those outside, in both models.
fn errors(report: &mut Report<'_>) {
    let (old, new) = (report.old, report.new);
    let raised = |contract: &Contract, id: ErrorId| {
        contract.commands.iter().any(|it| !it.grant.is_empty() && it.raises.contains(&id))
    };
    for (before, after) in &report.identity.errors {
        if !raised(old.contract, *before) || !raised(new.contract, *after) {
            continue;
        }
        let (was, is) = (old.contract.error(*before), new.contract.error(*after));
        let item = format!("error {}", is.name);
        if was.status != is.status {
            report.found.add(
                Kind::ErrorStatusChanged,
                &item,
                format!("its status is {}, was {}", is.status, was.status),
            );
        }
        if was.message != is.message {
            report.found.add(
                Kind::ErrorMessageChanged,
                &item,
                format!("says {:?}, was {:?}", is.message, was.message),
            );
        }
        for member in &was.members {
            let item = format!("{item}.{}", member.name);
            let Some(now) = is.members.iter().find(|it| it.name == member.name) else {
                report.found.add(Kind::ErrorMemberRemoved, item, "is gone");
                continue;
            };
            let difference = compare(report, &member.shape, &now.shape);
            if let Some((was, is)) = difference.other {
                report.found.add(Kind::ErrorMemberChanged, &item, format!("is {is}, was {was}"));
            }
            if member.nullable != now.nullable {
                let said = if now.nullable { "may be null now" } else { "is never null now" };
                let kinds = (Kind::NullAnswered, Kind::NullNotAnswered);
                report.found.add_either(now.nullable, kinds, &item, said.to_owned());
            }
            for said in difference.narrower {
                report.found.add(Kind::AnswerNarrowed, &item, said);
            }
            for said in difference.wider {
                report.found.add(Kind::AnswerWidened, &item, said);
            }
        }
        for member in
            is.members.iter().filter(|it| !was.members.iter().any(|old| old.name == it.name))
        {
            report.found.add(Kind::ErrorMemberAdded, format!("{item}.{}", member.name), "is new");
        }
    }
}
