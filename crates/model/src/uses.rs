//! Where names are used, for who shows a model beside its text.

use syntax::Span;

use crate::{FieldId, Type};

/// Where each name is used, and what the names of a body stand for.
#[derive(Debug, Clone, Default)]
pub struct Uses {
    /// A use of a name and the place at which the name is declared, in the order of the uses. The short form `{ order }`
    /// uses two names at one place: the member, then the variable.
    pub names: Vec<(Span, Span)>,
    /// The names that `let` and `for` give.
    pub bindings: Vec<Binding>,
}

/// A name that a `let` or a `for` gives.
#[derive(Debug, Clone)]
pub struct Binding {
    /// Where the name stands.
    pub span: Span,
    /// What it is.
    pub value: Bound,
    /// Whether it may be absent.
    pub optional: bool,
}

/// What a name of a body stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    /// A value of this type.
    Value(Type),
    /// The answer of an external's operation, with these members.
    Answer(Vec<FieldId>),
}
