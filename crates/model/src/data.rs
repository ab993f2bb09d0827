//! Entities and what they are made of.

use std::sync::Arc;

use smallvec::SmallVec;
use smol_str::SmolStr;
use syntax::Span;

use crate::{Deprecation, EntityId, EnumId, Expression, FieldId, RoleId, ServiceId, Type};

/// An aggregate root or a part.
#[derive(Debug, Clone)]
pub struct Entity {
    /// `UpperCamel` name.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where the name stands.
    pub span: Span,
    /// The service it belongs to.
    pub service: ServiceId,
    /// The name it had before (`was`).
    pub was: Option<String>,
    /// The name of its table, if it was given (`stored as`).
    pub stored_as: Option<String>,
    /// Root or part.
    pub kind: EntityKind,
    /// Fields in source order, keys included. A part without a declared key has the field `position` appended
    /// first (`Int(1..)`, [`Field::is_position`]).
    pub fields: Vec<FieldId>,
    /// The field that identifies a row: among all rows for a root, among its root's parts for a part.
    pub key: FieldId,
    /// Parts, in source order (empty for a part).
    pub parts: Vec<EntityId>,
    /// Indexes.
    pub indexes: Vec<Index>,
    /// Unique constraints, those of single fields included.
    pub uniques: Vec<Unique>,
    /// Rules over a row.
    pub checks: Vec<Check>,
    /// Legal transitions.
    pub flows: Vec<Flow>,
    /// Who may do what: closed where nothing is said. A part has none: its root's apply.
    pub policies: Vec<Policy>,
    /// `cache`, in microseconds.
    pub cache: Option<i64>,
    /// `audit`
    pub audit: bool,
    /// `privacy`
    pub privacy: Option<Privacy>,
    /// `deprecated`
    pub deprecation: Option<Deprecation>,
}

/// Whether an entity stands by itself.
#[derive(Debug, Clone, PartialEq)]
pub enum EntityKind {
    /// It does.
    Root,
    /// It lives and dies with its root.
    Part(PartOf),
}

/// How a part hangs on its root.
#[derive(Debug, Clone, PartialEq)]
pub struct PartOf {
    /// The root.
    pub root: EntityId,
    /// The member of the root that holds the parts: `lines`.
    pub name: String,
    /// Where that name stands.
    pub name_span: Span,
    /// The fewest.
    pub minimum: u32,
    /// The most. A part without a stated bound gets a warning and 1,000.
    pub maximum: u32,
}

/// A field.
#[derive(Debug, Clone)]
pub struct Field {
    /// `snake_case` name.
    pub name: SmolStr,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where the name stands.
    pub span: Span,
    /// Its type.
    pub ty: Type,
    /// Where the type stands.
    pub type_span: Span,
    /// Whether it may be absent.
    pub optional: bool,
    /// Whether it is (part of) the key.
    pub is_key: bool,
    /// Whether it is the hidden position of a part without a key.
    pub is_position: bool,
    /// What it is when a caller leaves it out.
    pub default: Option<Default>,
    /// What it always is; nobody writes it.
    pub computed: Option<Box<Expression>>,
    /// Whether no two rows share it.
    pub unique: bool,
    /// Whether it never changes after creation (keys never do).
    pub immutable: bool,
    /// Whether text search covers it.
    pub search: bool,
    /// Whether it is personal.
    pub pii: bool,
    /// Whether it is of a special category (GDPR article 9).
    pub sensitive: bool,
    /// Whether it is to be stored encrypted.
    pub encrypted: bool,
    /// Whether no one may ever read it back.
    pub secret: bool,
    /// A regular expression its text must match as a whole.
    pub pattern: Option<String>,
    /// The name it had before.
    pub was: Option<String>,
    /// Which half of that field's text it is, if it was split.
    pub half: Option<Box<Half>>,
    /// The name of its column, if it was given.
    pub stored_as: Option<String>,
    /// For a reference: what happens when the target is deleted.
    pub on_delete: OnDelete,
    /// `deprecated`
    pub deprecation: Option<Box<Deprecation>>,
}

/// A half of a text that was split at its first separator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Half {
    /// Whether it is what stands behind the separator; before it: the whole where there is none.
    pub after: bool,
    /// What stands between the halves, never empty.
    pub separator: String,
}

/// What a field is when it is left out.
#[derive(Debug, Clone)]
pub enum Default {
    /// The database counts (`= auto`).
    Auto,
    /// A fresh time-ordered UUID (a `Uuid` key without a default).
    Uuid,
    /// An expression without a row: a constant, `now`, `caller`, `caller.id`.
    Expression(Box<Expression>),
}

/// The fate of a reference whose target is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// The deletion is refused.
    Restrict,
    /// This row is deleted too.
    Cascade,
    /// The reference becomes null.
    Clear,
}

/// An index.
#[derive(Debug, Clone)]
pub struct Index {
    /// Its fields; true where it descends.
    pub keys: Vec<(FieldId, bool)>,
    /// Where it stands.
    pub span: Span,
}

/// A unique constraint.
#[derive(Debug, Clone)]
pub struct Unique {
    /// Its fields.
    pub fields: Vec<FieldId>,
    /// Where it stands.
    pub span: Span,
}

/// A rule over a row: it must not be false.
#[derive(Debug, Clone)]
pub struct Check {
    /// The rule.
    pub condition: Expression,
    /// What a caller is told when it does not hold.
    pub message: String,
    /// Where it stands.
    pub span: Span,
}

/// The legal transitions of an enum field.
#[derive(Debug, Clone)]
pub struct Flow {
    /// The field.
    pub field: FieldId,
    /// From which value (position in the enum) to which.
    pub transitions: Vec<(usize, Vec<usize>)>,
    /// Where it stands.
    pub span: Span,
}

/// What a policy allows.
pub use syntax::ast::Action;

/// To whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grantee {
    /// Everybody, with or without a token.
    Anyone,
    /// Callers of this role.
    Role(RoleId),
}

/// Those who may; most rules name one or two roles.
pub type Grantees = SmallVec<[Grantee; 2]>;

/// One `allow`, of one action: `allow read, create to a, b` makes two.
#[derive(Debug, Clone)]
pub struct Policy {
    /// What.
    pub action: Action,
    /// Which fields only; `None`: the whole row.
    pub fields: Option<Vec<FieldId>>,
    /// Which parts only, where `fields` names some.
    pub parts: Option<Vec<EntityId>>,
    /// To whom.
    pub grantees: Grantees,
    /// Under which condition on the row and the caller; all actions of one `allow` share it.
    pub condition: Option<Arc<Expression>>,
    /// Where it stands.
    pub span: Span,
}

/// `privacy`
#[derive(Debug, Clone)]
pub struct Privacy {
    /// Whether the row is a person.
    pub subject: bool,
    /// How long it is kept, in microseconds.
    pub retain: Option<i64>,
    /// From when it counts, as written; checked to be a moment or a day.
    pub after: Option<Span>,
}

/// A closed set of values.
#[derive(Debug, Clone)]
pub struct EnumType {
    /// `UpperCamel` name; an inline enum is called after its field (`OrderStatus`).
    pub name: String,
    /// Whether it stands inline.
    pub inline: bool,
    /// The name it had before (`was`).
    pub was: Option<String>,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where it stands.
    pub span: Span,
    /// Its values, in source order.
    pub values: Vec<EnumValue>,
}

/// One value of an enum.
#[derive(Debug, Clone)]
pub struct EnumValue {
    /// Its label: what is stored and sent.
    pub name: SmolStr,
    /// Its documentation.
    pub docs: Option<String>,
    /// The label it had before.
    pub was: Option<String>,
    /// Where it stands.
    pub span: Span,
}

/// A value object.
#[derive(Debug, Clone)]
pub struct RecordType {
    /// `UpperCamel` name.
    pub name: String,
    /// Its documentation.
    pub docs: Option<String>,
    /// Where the name stands.
    pub span: Span,
    /// The service it belongs to.
    pub service: ServiceId,
    /// Its fields.
    pub fields: Vec<FieldId>,
}

impl EnumType {
    /// The position of a label.
    pub fn position(&self, label: &str) -> Option<usize> {
        self.values.iter().position(|value| value.name == label)
    }
}

/// The enum of a type, if it is one.
impl Type {
    /// The enum it is.
    pub fn as_enum(&self) -> Option<EnumId> {
        match self {
            Self::Enum(id) => Some(*id),
            _ => None,
        }
    }

    /// The entity it refers to.
    pub fn as_entity(&self) -> Option<EntityId> {
        match self {
            Self::Entity(id) => Some(*id),
            _ => None,
        }
    }
}
