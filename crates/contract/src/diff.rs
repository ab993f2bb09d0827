//! What a change of the model changes for callers and consumers.

mod access;
mod condition;
mod document;
mod event;
mod field;
mod identity;
mod kind;
mod operation;
mod resource;
mod rule;
mod shape;
mod system;
mod vocabulary;

use model::{Model, Valid};

use crate::{Contract, Farewell};
use identity::Identity;

pub use document::{NoDocument, documents, is_document};
pub use kind::{Audience, Class, Kind};
pub use system::qualified;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What kind of change it is; its class, its audience, the reason and the way around follow from it.
    pub kind: Kind,
    /// What has changed: `sales.Product.name`, `GET /v1/products`.
    pub item: String,
    /// What is so now, and what was: a sentence without its full stop.
    pub message: String,
    /// Whether a new version of the interface announces it.
    pub announced: bool,
}

impl Change {
    /// The rule of the review that it breaks: none where the new version announces what is broken.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        self.kind.code().filter(|code| !self.announced || *code == "API008")
    }
}

/// Every change between two models for callers and consumers, the worst first, each once. What it means for stored rows is for
/// `schema` to say. `today` decides whether a sunset date has passed: days since 1970-01-01.
///
/// Things are the same by their name, or by the name that `was` says they had.
#[must_use]
pub fn diff(old: &Valid<Model>, new: &Valid<Model>, today: i64) -> Vec<Change> {
    let (before, after) = (crate::derive(old), crate::derive(new));
    let identity = Identity::of(old, new);
    let (old, new) =
        (Side { model: old, contract: &before }, Side { model: new, contract: &after });
    let mut report = Report { old, new, identity: &identity, found: Found::new(today) };
    system::changes(&mut report);
    vocabulary::changes(&mut report);
    resource::changes(&mut report);
    operation::changes(&mut report);
    event::changes(&mut report);
    let announced = after.version > before.version;
    report.found.sorted(announced)
}

/// Puts changes in the order in which they are shown: the worst first, then by whom they concern, then by item.
pub fn sort(changes: &mut Vec<Change>) {
    changes.sort_by(|a, b| {
        let order = |it: &Change| (it.kind.class(), it.kind.audience());
        order(a)
            .cmp(&order(b))
            .then_with(|| (&a.item, a.kind, &a.message).cmp(&(&b.item, b.kind, &b.message)))
    });
    changes.dedup();
}

/// One of the two models.
#[derive(Clone, Copy)]
struct Side<'a> {
    model: &'a Model,
    contract: &'a Contract,
}

/// Both models, what is the same in them, and what was found so far.
struct Report<'a> {
    old: Side<'a>,
    new: Side<'a>,
    identity: &'a Identity,
    found: Found,
}

/// What was found so far.
struct Found {
    /// Days since 1970-01-01.
    today: i64,
    changes: Vec<Change>,
}

impl Found {
    fn new(today: i64) -> Self {
        Self { today, changes: Vec::new() }
    }

    /// In the order in which they are shown; `announced` by a new version, or not.
    fn sorted(self, announced: bool) -> Vec<Change> {
        let mut changes = self.changes;
        for change in &mut changes {
            change.announced = announced && change.kind.class() == Class::Breaking;
        }
        sort(&mut changes);
        changes
    }

    fn add(&mut self, kind: Kind, item: impl Into<String>, message: impl Into<String>) {
        let (item, message) = (item.into(), message.into());
        self.changes.push(Change { kind, item, message, announced: false });
    }

    /// One of two kinds where something has come or gone.
    fn add_either(&mut self, first: bool, kinds: (Kind, Kind), item: &str, message: String) {
        self.add(if first { kinds.0 } else { kinds.1 }, item, message);
    }

    /// What a removal is, by what callers were told before.
    fn departure(&self, farewell: Option<&Farewell>, kinds: [Kind; 3]) -> (Kind, String) {
        let [unannounced, early, retired] = kinds;
        match farewell {
            None => (unannounced, String::new()),
            Some(Farewell { sunset: None, .. }) => {
                (early, ", deprecated without a sunset date".to_owned())
            }
            Some(Farewell { sunset: Some(sunset), .. }) => {
                let kind = if *sunset <= self.today { retired } else { early };
                (kind, format!(", whose sunset is {}", day(*sunset)))
            }
        }
    }

    /// What has become of a deprecation.
    fn farewell(&mut self, item: &str, old: Option<&Farewell>, new: Option<&Farewell>) {
        match (old, new) {
            (None, Some(new)) => {
                let until = new.sunset.map_or(String::new(), |it| format!(", until {}", day(it)));
                self.add(Kind::Deprecated, item, format!("is deprecated now{until}"));
            }
            (Some(_), None) => {
                self.add(Kind::DeprecationWithdrawn, item, "is not deprecated any more");
            }
            (Some(old), Some(new)) if old.sunset != new.sunset => {
                // Without a date it stays for ever.
                let earlier = new.sunset.unwrap_or(i64::MAX) < old.sunset.unwrap_or(i64::MAX);
                let said = |it: Option<i64>| it.map_or("without a date".to_owned(), day);
                let message =
                    format!("its sunset is {}, was {}", said(new.sunset), said(old.sunset));
                self.add_either(earlier, (Kind::SunsetEarlier, Kind::SunsetLater), item, message);
            }
            _ => {}
        }
    }
}

/// A day as it is written: days since 1970-01-01.
pub(crate) fn day(days: i64) -> String {
    let mut json = Vec::new();
    ::operation::Scalar::Date.write_json(&::operation::Value::Int(days), &mut json);
    String::from_utf8_lossy(&json).trim_matches('"').to_owned()
}
