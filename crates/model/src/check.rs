//! From parsed files to a model.

mod again;
mod app;
mod checked;
mod command;
mod context;
mod declare;
mod entity;
mod environment;
mod expression;
mod external;
pub(crate) mod function;
mod limit;
mod literal;
mod members;
mod modifier;
mod names;
mod path;
mod policy;
mod query;
mod scope;
mod statement;
mod surface;
pub(crate) mod type_expr;
mod workflow;
mod write;

use syntax::{Diagnostic, Parse};

use crate::Model;
pub use again::{Edited, Extent};
pub use checked::Checked;
use context::{Context, Notes, Part};

/// Resolves and checks files as one model. Faults of the syntax are in the parses and not repeated.
///
/// Arithmetic on exact numbers: `+` and `-` keep the larger scale, money only with the same currency; money times
/// or by a whole number or a decimal is money, rounded half to even; money by money is a decimal of six digits;
/// decimals multiply to the sum of their scales (at most 18) and divide to six digits or the larger scale.
/// Operands keep their own types: who compiles an expression brings both to one scale.
pub fn check(parses: &[&Parse]) -> (Model, Vec<Diagnostic>) {
    let mut cx = Context::new(parses, Notes::Nothing);
    run(&mut cx);
    let faults = checked::sorted_faults(cx.diagnostics, &cx.parts);
    (cx.model, faults.into_iter().map(|fault| fault.diagnostic).collect())
}

/// Runs all parts of the check.
pub(crate) fn run<'a>(cx: &mut Context<'a>) {
    let apps = declare::declare(cx);
    app::app(cx, &apps);
    members::members(cx);
    app::auth(cx);
    entity::entities(cx);
    query::queries(cx);
    command::signatures(cx);
    command::commands(cx);
    workflow::reactions(cx);
    cx.begin(Part::Rest);
    limit::limits(cx);
    external::externals(cx);
    environment::environments(cx);
    environment::decisions(cx);
    surface::collisions(cx);
}
