//! How far two shapes differ.

use std::fmt::Display;

use super::Report;
use crate::{Contract, Shape};

/// How a new shape differs from an old one.
#[derive(Default)]
pub(super) struct Difference {
    /// They have nothing to do with each other; both described.
    pub(super) other: Option<(String, String)>,
    /// What the new one takes no more.
    pub(super) narrower: Vec<String>,
    /// What only the new one takes.
    pub(super) wider: Vec<String>,
}

/// What differs between two shapes. Labels of enums and members of records are told once, where they are defined.
pub(super) fn compare(report: &Report<'_>, old: &Shape, new: &Shape) -> Difference {
    let mut found = Difference::default();
    walk(report, old, new, &mut found);
    found
}

fn walk(report: &Report<'_>, old: &Shape, new: &Shape, found: &mut Difference) {
    match (old, new) {
        (Shape::Integer { least: a, greatest: b }, Shape::Integer { least: c, greatest: d }) => {
            least(
                found,
                "",
                Some(*a).filter(|it| *it != i64::MIN),
                Some(*c).filter(|it| *it != i64::MIN),
            );
            greatest(
                found,
                "",
                Some(*b).filter(|it| *it != i64::MAX),
                Some(*d).filter(|it| *it != i64::MAX),
            );
        }
        (Shape::Number { least: a, greatest: b }, Shape::Number { least: c, greatest: d }) => {
            least(found, "", *a, *c);
            greatest(found, "", *b, *d);
        }
        (
            Shape::Decimal { whole: a, fraction: b, currency: old_currency },
            Shape::Decimal { whole: c, fraction: d, currency: new_currency },
        ) if old_currency == new_currency => {
            greatest(found, " digits before the point", Some(*a), Some(*c));
            greatest(found, " digits behind the point", Some(*b), Some(*d));
        }
        (
            Shape::Text { least: a, greatest: b, pattern: old_pattern },
            Shape::Text { least: c, greatest: d, pattern: new_pattern },
        ) => {
            least(
                found,
                " characters",
                Some(*a).filter(|it| *it > 0),
                Some(*c).filter(|it| *it > 0),
            );
            greatest(found, " characters", *b, *d);
            match (old_pattern, new_pattern) {
                (None, Some(new)) => found.narrower.push(format!("matches {new:?} now")),
                (Some(old), None) => found.wider.push(format!("need not match {old:?} any more")),
                (Some(old), Some(new)) if old != new => {
                    let said = format!("matches {new:?}, was {old:?}");
                    found.narrower.push(said.clone());
                    found.wider.push(said);
                }
                _ => {}
            }
        }
        (Shape::Json { greatest: a }, Shape::Json { greatest: b }) => {
            greatest(found, " bytes", *a, *b);
        }
        (Shape::Bytes { least: a, greatest: b }, Shape::Bytes { least: c, greatest: d }) => {
            least(found, " bytes", Some(*a).filter(|it| *it > 0), Some(*c).filter(|it| *it > 0));
            greatest(found, " bytes", *b, *d);
        }
        (Shape::Enum(a), Shape::Enum(b)) if report.identity.enums.contains(&(*a, *b)) => {}
        (Shape::Record(a), Shape::Record(b)) if report.identity.records.contains(&(*a, *b)) => {}
        (Shape::Reference { target: a, key: old }, Shape::Reference { target: b, key: new })
            if report.identity.entities.contains(&(*a, *b)) =>
        {
            walk(report, old, new, found);
        }
        (
            Shape::List { item: old, least: a, greatest: b },
            Shape::List { item: new, least: c, greatest: d },
        ) => {
            walk(report, old, new, found);
            least(found, " elements", Some(*a).filter(|it| *it > 0), Some(*c).filter(|it| *it > 0));
            greatest(found, " elements", *b, *d);
        }
        (Shape::Enum(_) | Shape::Record(_) | Shape::Reference { .. }, _) => {
            other(report, old, new, found);
        }
        (old_shape, new_shape) if old_shape == new_shape => {}
        _ => other(report, old, new, found),
    }
}

fn other(report: &Report<'_>, old: &Shape, new: &Shape, found: &mut Difference) {
    found.other = Some((describe(report.old.contract, old), describe(report.new.contract, new)));
}

pub(super) fn least<T: PartialOrd + Display>(
    found: &mut Difference,
    unit: &str,
    old: Option<T>,
    new: Option<T>,
) {
    bound(found, ("at least", unit), old, new, |old, new| new > old);
}

pub(super) fn greatest<T: PartialOrd + Display>(
    found: &mut Difference,
    unit: &str,
    old: Option<T>,
    new: Option<T>,
) {
    bound(found, ("at most", unit), old, new, |old, new| new < old);
}

fn bound<T: PartialOrd + Display>(
    found: &mut Difference,
    (side, unit): (&str, &str),
    old: Option<T>,
    new: Option<T>,
    is_narrower: fn(&T, &T) -> bool,
) {
    match (old, new) {
        (None, Some(new)) => {
            found.narrower.push(format!("{side} {new}{unit}, was without a bound"));
        }
        (Some(old), None) => found.wider.push(format!("without a bound, was {side} {old}{unit}")),
        (Some(old), Some(new)) if old != new => {
            let list = if is_narrower(&old, &new) { &mut found.narrower } else { &mut found.wider };
            list.push(format!("{side} {new}{unit}, was {old}"));
        }
        _ => {}
    }
}

/// A shape as people would say it, in the words of the language.
pub(super) fn describe(contract: &Contract, shape: &Shape) -> String {
    match shape {
        Shape::Boolean => "Bool".to_owned(),
        Shape::Integer { .. } => "Int".to_owned(),
        Shape::Number { .. } => "Float".to_owned(),
        Shape::Decimal { currency: Some(currency), .. } => format!("Money({currency})"),
        Shape::Decimal { whole, fraction, .. } => {
            format!("Decimal({}, {fraction})", whole + fraction)
        }
        Shape::Text { .. } => "String".to_owned(),
        Shape::Email => "Email".to_owned(),
        Shape::Url => "Url".to_owned(),
        Shape::Uuid => "Uuid".to_owned(),
        Shape::Date => "Date".to_owned(),
        Shape::Time => "Time".to_owned(),
        Shape::Timestamp => "Timestamp".to_owned(),
        Shape::Duration => "Duration".to_owned(),
        Shape::Json { .. } => "Json".to_owned(),
        Shape::Bytes { .. } => "Bytes".to_owned(),
        Shape::Enum(id) => contract.labels(*id).name.clone(),
        Shape::Record(id) => contract.record(*id).name.clone(),
        Shape::Reference { target, .. } => contract.resource(*target).name.clone(),
        Shape::List { item, .. } => format!("[{}]", describe(contract, item)),
    }
}
