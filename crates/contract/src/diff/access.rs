//! Who may do what, role by role.

use std::collections::BTreeSet;

use model::{Grantee, Model, Parameter, Policy, RoleId};

use super::{Kind, Report, condition};

/// One action of both models.
pub(super) struct Compared<'a> {
    pub(super) item: &'a str,
    /// As people say it: `read`, `call it`.
    pub(super) doing: &'a str,
    /// What is granted, and the parameters that its conditions speak of.
    pub(super) old: (&'a [Policy], &'a [Parameter]),
    pub(super) new: (&'a [Policy], &'a [Parameter]),
}

/// What one `allow` gives: of what, and when.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Term {
    /// Fields and parts by their old names; `None`: everything.
    fields: Option<BTreeSet<String>>,
    /// `None`: always.
    condition: Option<String>,
}

impl Term {
    /// Whether whoever has this has the other, as far as can be told without a proof.
    fn covers(&self, other: &Self) -> bool {
        let fields = match (&self.fields, &other.fields) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(mine), Some(theirs)) => mine.is_superset(theirs),
        };
        fields && (self.condition.is_none() || self.condition == other.condition)
    }
}

/// How access has changed for each role. A role has what `anyone` has, and its own.
pub(super) fn changes(report: &mut Report<'_>, it: &Compared<'_>) {
    let before = |who: Option<&str>| terms(report, it.old, who, false);
    let after = |who: Option<&str>| terms(report, it.new, who, true);
    let anyone = (before(None), after(None));
    let mut found = Vec::new();
    found.extend(judge(&anyone.0, &anyone.1).map(|verdict| ("anyone".to_owned(), verdict)));
    for role in roles(report) {
        let own = (before(Some(&role)), after(Some(&role)));
        // What has changed for everybody is told once.
        if own.0 == own.1 {
            continue;
        }
        let all = |own: Vec<Term>, anyone: &[Term]| [own, anyone.to_vec()].concat();
        let (from, to) = (all(own.0, &anyone.0), all(own.1, &anyone.1));
        found.extend(judge(&from, &to).map(|verdict| (role, verdict)));
    }
    for (role, (kind, said)) in found {
        report.found.add(kind, it.item, format!("`{role}` {}", said.replace("{}", it.doing)));
    }
}

/// Roles of either model that callers may have.
fn roles(report: &Report<'_>) -> BTreeSet<String> {
    let of = |model: &Model| {
        model.roles.iter().skip(1).map(|role| role.name.clone()).collect::<BTreeSet<_>>()
    };
    &of(report.old.model) | &of(report.new.model)
}

fn judge(old: &[Term], new: &[Term]) -> Option<(Kind, String)> {
    let kept = old.iter().all(|term| new.iter().any(|it| it.covers(term)));
    let held = new.iter().all(|term| old.iter().any(|it| it.covers(term)));
    let said = |verb: &str| {
        let (old, new) = (listed(old), listed(new));
        Some(format!("{verb} {{}} {new}, was {old}"))
    };
    match (kept, held) {
        (true, true) => None,
        _ if old.is_empty() => Some((Kind::AccessGranted, format!("may {{}} now{}", bracket(new)))),
        _ if new.is_empty() => {
            Some((Kind::AccessRevoked, format!("may not {{}} any more{}", bracket(old))))
        }
        (true, false) => said("may").map(|it| (Kind::AccessWidened, it)),
        (false, true) => said("may").map(|it| (Kind::AccessNarrowed, it)),
        (false, false) => said("may").map(|it| (Kind::AccessChanged, it)),
    }
}

fn bracket(terms: &[Term]) -> String {
    match listed(terms).as_str() {
        "everything" => String::new(),
        text => format!(": {text}"),
    }
}

fn listed(terms: &[Term]) -> String {
    let each = terms.iter().map(|term| {
        let fields = term.fields.as_ref().map_or("everything".to_owned(), |fields| {
            fields.iter().cloned().collect::<Vec<_>>().join(", ")
        });
        match &term.condition {
            Some(condition) => format!("{fields} when {condition}"),
            None => fields,
        }
    });
    each.collect::<Vec<_>>().join("; ")
}

/// What a role (or everybody) is given, by the names of the old model. Fields that only one model has are told as such.
fn terms(
    report: &Report<'_>,
    (policies, parameters): (&[Policy], &[Parameter]),
    who: Option<&str>,
    is_new: bool,
) -> Vec<Term> {
    let side = if is_new { report.new } else { report.old };
    let model = side.model;
    let is_meant = |grantee: &Grantee| match (grantee, who) {
        (Grantee::Anyone, None) => true,
        (Grantee::Role(role), Some(name)) => *role != RoleId::SYSTEM && model[*role].name == name,
        _ => false,
    };
    let meant = policies.iter().filter(|policy| policy.grantees.iter().any(is_meant));
    let mut found: Vec<Term> = meant
        .filter_map(|policy| {
            let fields = policy.fields.as_ref().map(|fields| {
                let names = fields.iter().filter_map(|field| match is_new {
                    true => (!report.identity.is_new_field(*field))
                        .then(|| report.identity.old_name(model, *field).to_owned()),
                    false => {
                        report.identity.new_field(*field).map(|_| model[*field].name.to_string())
                    }
                });
                let parts = policy.parts.iter().flatten().filter(|part| match is_new {
                    true => report.identity.old_entity(**part).is_some(),
                    false => report.identity.new_entity(**part).is_some(),
                });
                let parts = parts.filter_map(|part| model.part_of(*part).map(|it| it.name.clone()));
                names.chain(parts).collect::<BTreeSet<String>>()
            });
            let condition = policy.condition.as_ref().map(|it| match is_new {
                true => condition::new(report, parameters, it),
                false => condition::old(report, parameters, it),
            });
            (fields.as_ref().is_none_or(|fields| !fields.is_empty()))
                .then_some(Term { fields, condition })
        })
        .collect();
    found.sort();
    found.dedup();
    found
}
