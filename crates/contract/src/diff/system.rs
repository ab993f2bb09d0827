//! What holds for the whole app: version, surfaces, roles, tokens, limits, promises.

use std::collections::BTreeMap;

use model::{Model, ServiceId, Surface};

use super::{Kind, Report};
use crate::condition::duration;

pub(super) fn changes(report: &mut Report<'_>) {
    let (old, new) = (report.old, report.new);
    let (before, after) = (old.contract.version, new.contract.version);
    if before != after {
        let message = format!("the version is {after}, was {before}");
        let raised = after > before;
        report.found.add_either(
            raised,
            (Kind::VersionRaised, Kind::VersionLowered),
            &new.contract.name,
            message,
        );
    }
    surfaces(report);
    roles(report);
    token(report);
    limits(report);
    promises(report);
}

/// A name with its service's before it.
pub fn qualified(model: &Model, service: ServiceId, name: &str) -> String {
    match model.services[service.index()].name.as_str() {
        "" => name.to_owned(),
        service => format!("{service}.{name}"),
    }
}

fn surfaces(report: &mut Report<'_>) {
    let of = |model: &Model| model.app.as_ref().map_or(Vec::new(), |app| app.surfaces.clone());
    let (old, new) = (of(report.old.model), of(report.new.model));
    for (surface, name) in
        [(Surface::Rest, "rest"), (Surface::Graphql, "graphql"), (Surface::Grpc, "grpc")]
    {
        match (old.contains(&surface), new.contains(&surface)) {
            (true, false) => report.found.add(Kind::SurfaceRemoved, name, "is no surface any more"),
            (false, true) => report.found.add(Kind::SurfaceAdded, name, "is a surface now"),
            _ => {}
        }
    }
}

fn roles(report: &mut Report<'_>) {
    let (old, new) = (report.old.model, report.new.model);
    for role in &old.roles {
        let item = format!("role {}", role.name);
        let Some(now) = new.roles.iter().find(|it| it.name == role.name) else {
            report.found.add(Kind::RoleRemoved, item, "is gone");
            continue;
        };
        let subject = |model: &Model, entity: Option<model::EntityId>| {
            entity.map_or("nobody's row".to_owned(), |it| format!("a row of {}", model[it].name))
        };
        let same = match (role.entity, now.entity) {
            (Some(a), Some(b)) => report.identity.entities.contains(&(a, b)),
            (a, b) => a.is_none() && b.is_none(),
        };
        if !same {
            let (before, after) = (subject(old, role.entity), subject(new, now.entity));
            report.found.add(
                Kind::TokenChanged,
                item,
                format!("its callers are {after}, were {before}"),
            );
        }
    }
    for role in &new.roles {
        if !old.roles.iter().any(|it| it.name == role.name) {
            report.found.add(Kind::RoleAdded, format!("role {}", role.name), "is new");
        }
    }
}

fn token(report: &mut Report<'_>) {
    let (old, new) = (&report.old.model.auth.token, &report.new.model.auth.token);
    let claims = [
        ("the issuer of tokens", &old.issuer, &new.issuer),
        ("the audience of tokens", &old.audience, &new.audience),
        ("the claim with the roles", &old.roles_claim, &new.roles_claim),
    ];
    let said = |it: &Option<String>| it.clone().map_or("unsaid".to_owned(), |it| format!("`{it}`"));
    for (what, before, after) in claims {
        if before != after {
            report.found.add(
                Kind::TokenChanged,
                "auth",
                format!("{what} is {}, was {}", said(after), said(before)),
            );
        }
    }
}

fn limits(report: &mut Report<'_>) {
    let of = |model: &Model| -> BTreeMap<String, (i64, i64)> {
        let limits = model.limits.iter();
        limits.map(|it| (it.name.clone(), (it.count, it.period))).collect()
    };
    let (old, new) = (of(report.old.model), of(report.new.model));
    let said = |it: Option<&(i64, i64)>| {
        it.map_or("without a limit".to_owned(), |(count, period)| {
            format!("{count} per {}", duration(*period))
        })
    };
    for name in old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))) {
        let (before, after) = (old.get(name), new.get(name));
        if before == after {
            continue;
        }
        // A burst or a rate that is smaller is tighter.
        let tighter = match (before, after) {
            (Some((count, period)), Some((count_now, period_now))) => {
                count_now < count
                    || i128::from(*count_now) * i128::from(*period)
                        < i128::from(*count) * i128::from(*period_now)
            }
            (None, _) => true,
            (_, None) => false,
        };
        let message = format!("{}, was {}", said(after), said(before));
        report.found.add_either(
            tighter,
            (Kind::LimitTightened, Kind::LimitLoosened),
            &format!("limit {name}"),
            message,
        );
    }
}

fn promises(report: &mut Report<'_>) {
    let of = |model: &Model| -> BTreeMap<String, (f64, Option<i64>)> {
        model.slos.iter().map(|it| (it.name.clone(), (it.percent, it.under))).collect()
    };
    let (old, new) = (of(report.old.model), of(report.new.model));
    let said = |it: Option<&(f64, Option<i64>)>| match it {
        None => "no promise".to_owned(),
        Some((percent, None)) => format!("{percent}%"),
        Some((percent, Some(under))) => format!("{percent}% under {}", duration(*under)),
    };
    for name in old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))) {
        let (before, after) = (old.get(name), new.get(name));
        if before == after {
            continue;
        }
        let lower = match (before, after) {
            (Some((percent, under)), Some((percent_now, under_now))) => {
                percent_now < percent || under_now.unwrap_or(i64::MAX) > under.unwrap_or(i64::MAX)
            }
            (Some(_), None) => true,
            (None, _) => false,
        };
        let message = format!("{}, was {}", said(after), said(before));
        report.found.add_either(
            lower,
            (Kind::PromiseLowered, Kind::PromiseRaised),
            &format!("slo {name}"),
            message,
        );
    }
}
