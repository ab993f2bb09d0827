//! What is known of values and rows before a program runs.

use operation::TableId;

use super::Times;

/// After how many loads a value is known before the steps run; `None`: only while they run.
pub(super) type Level = Option<usize>;

/// Rows that are looked for: of which table, by which of its columns, and by which way one comes to the value.
pub(super) type Wish = (TableId, usize, String);

/// A row in scope of an expression.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// The way to it.
    pub way: String,
    /// The way to its key.
    pub key: String,
    pub level: Level,
}

/// What is known of a bind.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub level: Level,
    /// The way to its value: two binds of one way hold one value.
    pub way: String,
    /// Of a part: the way to the key of its root.
    pub root: Option<String>,
}

/// After how many loads a row is foreseen: for sure, and where a branch or a loop that may have no turn asks for it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Foreseen {
    pub surely: Option<usize>,
    pub perhaps: Option<usize>,
}

impl Foreseen {
    /// What asks for it after so many loads, if anything: `Once` where nothing may have asked before.
    pub fn at(self, level: usize) -> Option<Times> {
        match self {
            Self { surely: Some(at), perhaps } if at == level => {
                let before = perhaps.is_some_and(|perhaps| perhaps < at);
                Some(if before { Times::AtMostOnce } else { Times::Once })
            }
            Self { surely, perhaps: Some(at) } if at == level => {
                surely.is_none_or(|surely| at < surely).then_some(Times::AtMostOnce)
            }
            _ => None,
        }
    }
}

/// What a walk does about rows that are looked for.
pub(super) enum Pace {
    /// Notes after how many loads they can be.
    Foresee,
    /// Loads those that are not here.
    Run,
}

pub(super) fn next(level: Level) -> Level {
    level.map(|level| level + 1)
}

pub(super) fn later(one: Level, other: Level) -> Level {
    one.zip(other).map(|(one, other)| one.max(other))
}
