//! Why a program has no direct form.

use std::fmt;

/// What keeps a program from being run without its rows: the first that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// The step that it stands in, as the language writes it; `None`: in no step.
    pub step: Option<Box<str>>,
    /// What it is.
    pub reason: Reason,
}

/// What a row must be loaded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Nobody has looked for a direct form.
    Unformed,
    /// Rows are looked for by a condition.
    Scans,
    /// Code does it.
    ByCode,
    /// Parts are made or looked at beside what is worked out of their root.
    Parts,
    /// What a deletion does to other rows, or what is made in the place of one that goes, is known where rows are loaded only.
    Deletes,
    /// A row that was deleted is looked at.
    Gone,
    /// A loop over rows.
    OverRows,
    /// A `return` where steps may come after it.
    ReturnsWithin,
    /// A row that is named by what stands in another, or that is made.
    FoundByRow,
    /// A branch, a key or a delay that depends on a row.
    DependsOnRow,
    /// A condition or a value of one row that looks at another one.
    SeveralRows,
    /// A rule in a loop about a row outside of it.
    OutsideOfLoop,
    /// A fold inside a fold or over what is worked out.
    NotInSql,
    /// A key that is set.
    SetsKey,
    /// A time of day or a value object that is worked out.
    Timed,
    /// A bound that only Rust can hold a value to.
    Bound,
    /// A key that the database counts, and that something is worked out of or found by.
    Counted,
    /// A computed field or a check that looks at parts or other rows.
    LooksElsewhere,
    /// A key, a check or a computed field of a new row that draws on a row.
    Ruled,
    /// A part that is made after something was told of its root.
    ToldBefore,
    /// More than one statement should say.
    TooLarge,
    /// A rule that is never true.
    NeverTrue,
    /// An answer that is worked out of a row.
    AnswersOfRow,
}

impl Obstacle {
    /// That nobody has looked for a direct form.
    pub const UNFORMED: Self = Self { step: None, reason: Reason::Unformed };
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.step {
            Some(step) => write!(f, "`{step}`: {}", self.reason),
            None => self.reason.fmt(f),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unformed => "nobody has looked whether it could do without",
            Self::Scans => "it looks for rows by a condition",
            Self::ByCode => "code does it",
            Self::Parts => "parts are known with their root only",
            Self::Deletes => {
                "something else is done to a row that goes, or to one that may go or change with it, or depends on that"
            }
            Self::Gone => "it is about a row that may have been deleted before",
            Self::OverRows => "which turns the loop takes stands in rows",
            Self::ReturnsWithin => {
                "a `return` in a loop, or one of several that answer rows, ends what comes after it"
            }
            Self::FoundByRow => "which row it is about stands in another row, or it is made here",
            Self::DependsOnRow => "what is done depends on what stands in a row",
            Self::SeveralRows => "it looks at two rows at once",
            Self::OutsideOfLoop => "in a loop it is about a row that is not of the loop's element",
            Self::NotInSql => "it folds over parts as only loaded rows can",
            Self::SetsKey => "a key is set",
            Self::Timed => "a time of day or a value object is worked out of a row",
            Self::Bound => "a bound of a field that is worked out has no words in SQL",
            Self::Counted => "something depends on a key that the database counts",
            Self::LooksElsewhere => "a computed field or a check looks at parts or other rows",
            Self::Ruled => "its key, a check or a computed field draws on what stands in a row",
            Self::ToldBefore => "something was told before of a root that is made here",
            Self::TooLarge => "what is looked up is too large for one statement",
            Self::NeverTrue => "it is always refused",
            Self::AnswersOfRow => "what is answered is worked out of a row",
        })
    }
}
