//! How much a finding counts.

use syntax::Severity;

/// What becomes of the findings of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// They are left out.
    Allow,
    /// They are shown, and count for nothing.
    Note,
    /// They are shown; under `--strict` they fail.
    Warn,
    /// They fail.
    Deny,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Allow, Self::Note, Self::Warn, Self::Deny];

    /// Its word: `allow`, `note`, `warn`, `deny`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Note => "note",
            Self::Warn => "warn",
            Self::Deny => "deny",
        }
    }

    /// The level of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.word() == word)
    }

    /// How a finding of this level is drawn; `None` where it is left out.
    #[must_use]
    pub const fn severity(self) -> Option<Severity> {
        match self {
            Self::Allow => None,
            Self::Note => Some(Severity::Note),
            Self::Warn => Some(Severity::Warning),
            Self::Deny => Some(Severity::Error),
        }
    }
}

/// The levels that were set for a whole review, the later over the earlier.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Levels {
    set: Vec<(Selector, Level)>,
    /// Whether warnings fail, those of the language among them.
    pub strict: bool,
}

/// Which rules are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// All.
    All,
    /// Those whose code begins so: `DAT`.
    Group(&'static str),
    /// One, by its code.
    Code(&'static str),
}

impl Selector {
    /// Reads `all`, a group (`DAT`), a code (`DAT001`) or a name (`missing-index`), in any letter case.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("all") {
            return Some(Self::All);
        }
        if let Some(group) = crate::GROUPS.iter().find(|it| it.prefix.eq_ignore_ascii_case(text)) {
            return Some(Self::Group(group.prefix));
        }
        crate::rule(text).map(|rule| Self::Code(rule.code.id))
    }

    /// As it is written: `DAT001`, `DAT`, `all`.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Group(text) | Self::Code(text) => text,
        }
    }

    /// Whether it means one rule, and that needs to know what was before.
    pub(crate) fn compares(&self) -> bool {
        matches!(self, Self::Code(id) if crate::rule(id).is_some_and(|rule| rule.compares))
    }

    /// Whether a rule is meant, by its code.
    #[must_use]
    pub fn selects(&self, code: &str) -> bool {
        match self {
            Self::All => true,
            Self::Group(prefix) => code.starts_with(prefix),
            Self::Code(id) => code == *id,
        }
    }
}

impl Levels {
    /// Sets the level of some rules, over what was set before.
    pub fn set(&mut self, selector: Selector, level: Level) {
        self.set.push((selector, level));
    }

    /// The level of a rule, `default` where nothing was set.
    #[must_use]
    pub fn of(&self, code: &str, default: Level) -> Level {
        let last = self.set.iter().rev().find(|(selector, _)| selector.selects(code));
        last.map_or(default, |(_, level)| *level)
    }
}
