//! What a caller asks, in the words of the model. Every front door produces it; none of it is trusted.

use model::{CommandId, EntityId, QueryId};
use operation::Tree;

/// One request.
#[derive(Debug, Clone)]
pub enum Intent<'a> {
    /// One row of a root by its key.
    Read {
        /// The root.
        entity: EntityId,
        /// Its key as text.
        key: &'a str,
        /// What of it.
        shape: Shape<'a>,
    },
    /// One part by its root's key and its own.
    ReadPart {
        /// The part.
        part: EntityId,
        /// The root's key as text.
        root: &'a str,
        /// The part's own key as text.
        key: &'a str,
        /// What of it.
        shape: Shape<'a>,
    },
    /// A page of rows.
    List(List<'a>),
    /// A new root with its parts.
    Create {
        /// The root.
        entity: EntityId,
        /// Its members.
        body: Tree<'a>,
        /// What of it is answered.
        shape: Shape<'a>,
    },
    /// A root changed by a merge patch (RFC 7396).
    Patch {
        /// The root.
        entity: EntityId,
        /// Its key as text.
        key: &'a str,
        /// The patch.
        body: Tree<'a>,
        /// The versions of `If-Match`, if it was sent and is not `*`.
        expected: Option<Vec<i64>>,
        /// What of it is answered.
        shape: Shape<'a>,
    },
    /// A root replaced, its parts included.
    Replace {
        /// The root.
        entity: EntityId,
        /// Its key as text.
        key: &'a str,
        /// Its members.
        body: Tree<'a>,
        /// The versions of `If-Match`.
        expected: Option<Vec<i64>>,
        /// What of it is answered.
        shape: Shape<'a>,
    },
    /// A root and its parts deleted.
    Delete {
        /// The root.
        entity: EntityId,
        /// Its key as text.
        key: &'a str,
        /// The versions of `If-Match`.
        expected: Option<Vec<i64>>,
    },
    /// A part added.
    CreatePart {
        /// The part.
        part: EntityId,
        /// The root's key as text.
        root: &'a str,
        /// Its members.
        body: Tree<'a>,
        /// The versions of `If-Match`, of the root.
        expected: Option<Vec<i64>>,
        /// What of it is answered.
        shape: Shape<'a>,
    },
    /// A part changed by a merge patch.
    PatchPart {
        /// The part.
        part: EntityId,
        /// The root's key as text.
        root: &'a str,
        /// The part's own key as text.
        key: &'a str,
        /// The patch.
        body: Tree<'a>,
        /// The versions of `If-Match`, of the root.
        expected: Option<Vec<i64>>,
        /// What of it is answered.
        shape: Shape<'a>,
    },
    /// A part replaced.
    ReplacePart {
        /// The part.
        part: EntityId,
        /// The root's key as text.
        root: &'a str,
        /// The part's own key as text.
        key: &'a str,
        /// Its members.
        body: Tree<'a>,
        /// The versions of `If-Match`, of the root.
        expected: Option<Vec<i64>>,
        /// What of it is answered.
        shape: Shape<'a>,
    },
    /// A part removed.
    DeletePart {
        /// The part.
        part: EntityId,
        /// The root's key as text.
        root: &'a str,
        /// The part's own key as text.
        key: &'a str,
        /// The versions of `If-Match`, of the root.
        expected: Option<Vec<i64>>,
    },
    /// A command of the model, run.
    Command {
        /// Which.
        command: CommandId,
        /// Where its first parameter is a row that the address names: its key as text.
        key: Option<&'a str>,
        /// Its other arguments by name; `None` where nothing was sent.
        body: Option<Tree<'a>>,
    },
}

/// A page of rows.
#[derive(Debug, Clone)]
pub struct List<'a> {
    /// Of what.
    pub source: Source<'a>,
    /// Conditions besides; all must hold.
    pub filters: Vec<Filter<'a>>,
    /// `-placed,id`, if it was said.
    pub sort: Option<&'a str>,
    /// Rows wanted, as text.
    pub limit: Option<&'a str>,
    /// The cursor that a page before gave out.
    pub after: Option<&'a str>,
    /// What of each row.
    pub shape: Shape<'a>,
}

/// What a page is of.
#[derive(Debug, Clone)]
pub enum Source<'a> {
    /// A root.
    Entity(EntityId),
    /// The parts of one root.
    Parts {
        /// The part.
        part: EntityId,
        /// The root's key as text.
        root: &'a str,
    },
    /// A query of the model.
    Query {
        /// Which.
        query: QueryId,
        /// Its arguments by name, as text; unknown names are refused.
        arguments: Vec<(&'a str, &'a str)>,
    },
}

/// One condition on a field.
#[derive(Debug, Clone, Copy)]
pub struct Filter<'a> {
    /// The field's name.
    pub field: &'a str,
    /// How it is compared.
    pub operator: FilterOperator,
    /// With what, as text; for [`FilterOperator::In`] a list with commas.
    pub value: &'a str,
}

/// How a filter compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FilterOperator {
    /// `status=paid`; `status=` (empty) on an optional field that is not text asks for absence.
    Equal,
    /// `status[ne]=paid`
    NotEqual,
    /// `total[lt]=10`
    Less,
    /// `total[lte]=10`
    LessOrEqual,
    /// `total[gt]=10`
    Greater,
    /// `total[gte]=10`
    GreaterOrEqual,
    /// `status[in]=paid,shipped`
    In,
    /// `album[null]=true`, on optional fields.
    Null,
}

impl FilterOperator {
    /// Every operator with the word that stands in brackets.
    pub const ALL: &'static [(FilterOperator, &'static str)] = &[
        (FilterOperator::Equal, "eq"),
        (FilterOperator::NotEqual, "ne"),
        (FilterOperator::Less, "lt"),
        (FilterOperator::LessOrEqual, "lte"),
        (FilterOperator::Greater, "gt"),
        (FilterOperator::GreaterOrEqual, "gte"),
        (FilterOperator::In, "in"),
        (FilterOperator::Null, "null"),
    ];

    /// The operator of a word in brackets.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, w)| *w == word).map(|(operator, _)| *operator)
    }

    /// The word that stands in brackets.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(o, _)| *o == self).map_or("", |(_, word)| word)
    }
}

/// What of a row is answered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shape<'a> {
    /// `lines.product,customer`: paths through references and parts, at most three steps deep.
    pub include: Option<&'a str>,
    /// `id,status`: members of the row itself; `lines.quantity` members of what is included.
    pub fields: Option<&'a str>,
}
