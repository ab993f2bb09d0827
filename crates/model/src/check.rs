//! From parsed files to a model.

mod app;
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

use crate::{Model, Uses};
use context::Context;

/// Resolves and checks files as one model. Faults of the syntax are in the parses and not repeated.
///
/// Arithmetic on exact numbers: `+` and `-` keep the larger scale, money only with the same currency; money times
/// or by a whole number or a decimal is money, rounded half to even; money by money is a decimal of six digits;
/// decimals multiply to the sum of their scales (at most 18) and divide to six digits or the larger scale.
/// Operands keep their own types: who compiles an expression brings both to one scale.
pub fn check(parses: &[&Parse]) -> (Model, Vec<Diagnostic>) {
    let (model, diagnostics, _) = resolve(parses);
    (model, diagnostics)
}

/// The same as [`check`], with where each name is used.
pub fn resolve(parses: &[&Parse]) -> (Model, Vec<Diagnostic>, Uses) {
    let mut cx = Context::new(parses);
    let apps = declare::declare(&mut cx);
    app::app(&mut cx, &apps);
    members::members(&mut cx);
    app::auth(&mut cx);
    entity::entities(&mut cx);
    query::queries(&mut cx);
    command::signatures(&mut cx);
    command::commands(&mut cx);
    workflow::reactions(&mut cx);
    limit::limits(&mut cx);
    external::externals(&mut cx);
    environment::environments(&mut cx);
    environment::decisions(&mut cx);
    surface::collisions(&mut cx);
    let mut diagnostics = cx.diagnostics;
    // In the order of the text; what stands at one place keeps the order of the passes.
    diagnostics.sort_by_key(|diagnostic| diagnostic.primary.span);
    let mut uses = cx.uses;
    // What is typed twice is used once; the sort is stable, so that what a short form uses keeps its order.
    uses.names.sort_by_key(|(used, _)| *used);
    uses.names.dedup();
    (cx.model, diagnostics, uses)
}
