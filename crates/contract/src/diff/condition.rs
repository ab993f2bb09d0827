//! Conditions as text, so that those of two models can be compared, whatever their layout.

use model::{Expression, Parameter};

use super::Report;
use crate::condition::Words;

/// A condition of the old model.
pub(super) fn old(report: &Report<'_>, parameters: &[Parameter], it: &Expression) -> String {
    let model = report.old.model;
    Words { model, name: &|field| &model[field].name, parameters }.text(it)
}

/// A condition of the new model.
pub(super) fn new(report: &Report<'_>, parameters: &[Parameter], it: &Expression) -> String {
    let model = report.new.model;
    Words { model, name: &|field| report.identity.old_name(model, field), parameters }.text(it)
}
