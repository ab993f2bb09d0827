//! What an expression may see where it stands.

use syntax::ast::Name;
use syntax::{Diagnostic, Span};

use super::context::Context;
use crate::{EntityId, FieldId, Grantee, Parameter, RoleId, ServiceId, Type};

/// What an expression stands in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// `check` of an entity.
    Check,
    /// `:=`
    Computed,
    /// `=`
    Default,
    /// `when` of an entity's `allow`.
    Policy,
    /// `where` of a query.
    Filter,
    /// `when` of a query's or command's `allow`.
    Admission,
    /// A statement.
    Body,
}

impl Place {
    /// As a message names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Check => "a check",
            Self::Computed => "a computed field",
            Self::Default => "a default",
            Self::Policy => "a policy",
            Self::Filter => "a `where`",
            Self::Admission => "the `when` of an `allow` without a row",
            Self::Body => "a statement",
        }
    }

    /// Whether it may ask for the moment.
    pub(crate) fn has_now(self) -> bool {
        self != Self::Computed
    }

    /// Whether it may follow references to other rows.
    pub(crate) fn follows_references(self) -> bool {
        !matches!(self, Self::Check | Self::Computed)
    }

    /// Whether it is worked out in Rust, beside the transaction, and may look into records and lists.
    pub(crate) fn is_body(self) -> bool {
        self == Self::Body
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// A row of this entity.
    Row(EntityId),
    /// Somebody known by the subject of a token only.
    Subject,
    /// Nobody, and why.
    Nobody(&'static str),
    /// A fault was reported about who asks.
    Unknown,
    /// Rows of different entities: `customer is a Customer, agent is an Employee`.
    Mixed(String),
}

/// What a local stands for.
#[derive(Clone, Debug)]
pub(crate) enum LocalType {
    Value(Type),
    /// The answer of an external's operation.
    Answer(Vec<FieldId>),
}

/// A `let` or loop variable.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) ty: LocalType,
    pub(crate) optional: bool,
    pub(crate) number: usize,
}

/// What is in scope.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) place: Place,
    pub(crate) service: ServiceId,
    /// Rows, the innermost last.
    pub(crate) rows: smallvec::SmallVec<[EntityId; 4]>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) locals: Vec<Local>,
    /// How many locals the body had so far.
    pub(crate) counted: usize,
    pub(crate) caller: Caller,
    /// Inside how many comparisons, in a `where`.
    pub(crate) comparisons: usize,
}

impl Scope {
    pub(crate) fn new(place: Place, service: ServiceId, caller: Caller) -> Self {
        Self {
            place,
            service,
            rows: smallvec::SmallVec::new(),
            parameters: Vec::new(),
            locals: Vec::new(),
            counted: 0,
            caller,
            comparisons: 0,
        }
    }

    /// The same with one row.
    pub(crate) fn over(mut self, row: EntityId) -> Self {
        self.rows.push(row);
        self
    }

    /// The innermost local of that name.
    pub(crate) fn local(&self, name: &str) -> Option<&Local> {
        self.locals.iter().rev().find(|local| local.name == name)
    }

    /// The position of a parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<usize> {
        self.parameters.iter().position(|parameter| parameter.name == name)
    }

    /// Adds a local; answers its number.
    pub(crate) fn add(&mut self, name: String, span: Span, ty: LocalType, optional: bool) -> usize {
        let number = self.counted;
        self.counted += 1;
        self.locals.push(Local { name, span, ty, optional, number });
        number
    }
}

/// Says where an expression would take a name for something else than the value that is declared under it.
pub(crate) fn can_be_asked_for(cx: &mut Context<'_>, name: Name<'_>) {
    let word = name.text();
    let message = match word {
        "caller" => "`caller` is the one who asks, in every expression".to_owned(),
        "true" | "false" | "null" | "now" => {
            format!("`{word}` is a value of its own, in every expression")
        }
        "and" | "or" | "not" | "in" | "if" | "then" | "else" | "when" => {
            format!(
                "`{word}` is a word of expressions: nothing in them can ask for what is called so"
            )
        }
        _ => return,
    };
    cx.report(Diagnostic::error("E0207", name.span(), message).help("call it something else"));
}

/// Who asks where these are admitted.
pub(crate) fn caller_of(cx: &Context<'_>, grantees: &[Grantee]) -> Caller {
    let mut first: Option<Option<EntityId>> = None;
    let mut is_one = true;
    for grantee in grantees {
        let entity = match grantee {
            Grantee::Anyone => {
                return Caller::Nobody("`anyone` includes those who come without a token");
            }
            Grantee::Role(RoleId::SYSTEM) => {
                return Caller::Nobody("`system` is the system itself, not somebody who asks");
            }
            Grantee::Role(role) => cx.model[*role].entity,
        };
        is_one &= *first.get_or_insert(entity) == entity;
    }
    let Some(first) = first else { return Caller::Nobody("nobody is admitted here") };
    if is_one {
        return first.map_or(Caller::Subject, Caller::Row);
    }
    let each: Vec<String> = grantees
        .iter()
        .filter_map(|grantee| match grantee {
            Grantee::Role(role) => Some(&cx.model[*role]),
            Grantee::Anyone => None,
        })
        .map(|role| match role.entity {
            Some(entity) => format!("`{}` is a row of {}", role.name, cx.model[entity].name),
            None => format!("`{}` is no row at all", role.name),
        })
        .collect();
    Caller::Mixed(each.join(", "))
}
