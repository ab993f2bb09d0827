//! What a model says and the runtime does not carry out yet.
//!
//! Each kind of construct has one row in a table and is reported once, at the first place it stands in: a list of
//! every occurrence would hide the rest. When the runtime learns one, its row and its page go.

use syntax::{Diagnostic, Severity, Span};

use crate::{Model, Surface};

/// One kind of construct.
struct Deferred {
    code: &'static str,
    severity: Severity,
    /// What is not carried out, as the subject of a sentence.
    what: &'static str,
    /// What happens instead.
    instead: &'static str,
    /// Where it stands.
    places: fn(&Model) -> Vec<Span>,
}

/// All kinds, in the order of their codes.
static DEFERRED: &[Deferred] = &[
    Deferred {
        code: "N0104",
        severity: Severity::Note,
        what: "workflows are checked, but not run yet",
        instead: "no step of them is taken",
        places: |model| model.workflows.iter().map(|workflow| workflow.span).collect(),
    },
    Deferred {
        code: "N0106",
        severity: Severity::Note,
        what: "externals are checked, but not called yet",
        instead: "no request leaves for them",
        places: |model| model.externals.iter().map(|external| external.span).collect(),
    },
    Deferred {
        code: "N0107",
        severity: Severity::Note,
        what: "limits are checked, but not enforced yet",
        instead: "every request is let through",
        places: |model| {
            let auth = model.auth.limit.and(model.auth.span);
            model.limits.iter().map(|limit| limit.span).chain(auth).collect()
        },
    },
    Deferred {
        code: "N0108",
        severity: Severity::Note,
        what: "promises are checked, but not measured against yet",
        instead: "nobody is told when one is broken",
        places: |model| model.slos.iter().map(|slo| slo.span).collect(),
    },
    Deferred {
        code: "N0109",
        severity: Severity::Note,
        what: "`cache` is checked, but nothing is kept yet",
        instead: "every read asks the store",
        places: |model| entities(model, |entity| entity.cache.is_some()),
    },
    Deferred {
        code: "N0110",
        severity: Severity::Note,
        what: "`audit` is checked, but no trail is written yet",
        instead: "who changed what is not kept",
        places: |model| entities(model, |entity| entity.audit),
    },
    Deferred {
        code: "N0111",
        severity: Severity::Warning,
        what: "`encrypted` is NOT carried out yet: THE VALUE IS STORED IN CLEAR",
        instead: "whoever reads the file or a backup of it reads the value",
        places: |model| fields(model, |field| field.encrypted),
    },
    Deferred {
        code: "N0112",
        severity: Severity::Note,
        what: "`privacy` is checked, but nothing is erased yet",
        instead: "rows stay until somebody deletes them",
        places: |model| entities(model, |entity| entity.privacy.is_some()),
    },
    Deferred {
        code: "N0113",
        severity: Severity::Note,
        what: "`search` is checked, but there is no text search yet",
        instead: "the field is read and written like any other",
        places: |model| fields(model, |field| field.search),
    },
    Deferred {
        code: "N0114",
        severity: Severity::Note,
        what: "signing in is checked, but only tokens that are brought along are taken yet",
        instead: "`by`, `password` and `oidc` open no door: bring a token that the server's key verifies",
        places: |model| {
            let auth = &model.auth;
            let password = if auth.password { auth.span } else { None };
            // The roles of `users` are carried out; what somebody signs in by is not.
            let users = auth.users.iter().map(|user| user.span);
            auth.oidc.iter().map(|oidc| oidc.span).chain(users).chain(password).collect()
        },
    },
    Deferred {
        code: "N0115",
        severity: Severity::Note,
        what: "the surfaces `graphql` and `grpc` are not served yet",
        instead: "the model is reached by REST",
        places: |model| {
            let app = model.app.iter();
            app.filter(|app| app.surfaces.iter().any(|surface| *surface != Surface::Rest))
                .map(|app| app.span)
                .collect()
        },
    },
    Deferred {
        code: "N0116",
        severity: Severity::Note,
        what: "environments are checked, but only their stores, replicas and brokers are carried out yet",
        instead: "backups, caches, clouds, budgets and deployments are written down and no more",
        places: |model| {
            let other = |environment: &&crate::Environment| {
                environment.keeping
                    || environment.cache.is_some()
                    || environment.cloud.is_some()
                    || environment.budget.is_some()
                    || !environment.deployments.is_empty()
            };
            model.environments.iter().filter(other).map(|environment| environment.span).collect()
        },
    },
    Deferred {
        code: "N0117",
        severity: Severity::Note,
        what: "only the newest version of the interface is served yet",
        instead: "clients of the version before are answered by this one, or not at all",
        places: |model| {
            model.app.iter().filter(|app| app.version > 1).map(|app| app.span).collect()
        },
    },
    Deferred {
        code: "N0118",
        severity: Severity::Note,
        what: "commands by code are checked, but `mimar` has no code for them",
        instead: "`mimar serve` and `mimar dev` refuse the model: a program of its own registers what they do",
        places: |model| {
            let coded = model.commands.iter().filter(|command| command.by_code);
            coded.map(|command| command.span).collect()
        },
    },
];

/// What the model says and the runtime does not carry out yet, as notes at their places (one for each kind of
/// construct, the first place labelled): `check` and the start print them, so that nothing is ignored in silence.
pub fn deferred(model: &Model) -> Vec<Diagnostic> {
    let mut notes = Vec::new();
    for kind in DEFERRED {
        let mut places = (kind.places)(model);
        places.sort_unstable();
        let Some((first, others)) = places.split_first() else { continue };
        let mut note = Diagnostic::note_at(kind.code, *first, kind.what).note(kind.instead);
        note.severity = kind.severity;
        if !others.is_empty() {
            let times = if others.len() == 1 { "place" } else { "places" };
            note = note.note(format!("the same holds for {} more {times}", others.len()));
        }
        notes.push(note);
    }
    notes.sort_by_key(|note| note.primary.span);
    notes
}

fn entities(model: &Model, is: fn(&crate::Entity) -> bool) -> Vec<Span> {
    model.entities.iter().filter(|entity| is(entity)).map(|entity| entity.span).collect()
}

fn fields(model: &Model, is: fn(&crate::Field) -> bool) -> Vec<Span> {
    model.fields.iter().filter(|field| is(field)).map(|field| field.span).collect()
}
