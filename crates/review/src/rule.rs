//! Every rule, listed once in the table of its group: codes, pages, levels and documentation derive from it.

use syntax::Code;

use crate::facts::Facts;
use crate::{Findings, Level};

mod api;
mod data;
mod events;
mod load;
mod operations;
mod privacy;
mod reliability;
mod security;

/// One rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its code, its title and its page.
    pub code: Code,
    /// What becomes of its findings where nothing else was said.
    pub level: Level,
    /// Whether it asks what a design as a whole lacks, and not what stands in it.
    pub of_whole: bool,
    /// Whether it needs to know what was before.
    pub compares: bool,
    /// Its module, which names it.
    module: &'static str,
    /// The check; what has none is found by the engine itself.
    pub(crate) check: Option<Check>,
}

/// What finds the faults of one kind.
pub(crate) type Check = fn(&Facts<'_>, &mut Findings);

/// Rules about one subject.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// What their codes begin with: `DAT`.
    pub prefix: &'static str,
    /// What they are about.
    pub title: &'static str,
    /// The rules, in the order of their codes.
    pub rules: &'static [Rule],
}

/// The subjects, in the order of the catalogue.
pub static GROUPS: &[Group] = &[
    Group { prefix: "DAT", title: "Data", rules: data::RULES },
    Group { prefix: "API", title: "The surface", rules: api::RULES },
    Group { prefix: "SEC", title: "Who may", rules: security::RULES },
    Group { prefix: "PRI", title: "People", rules: privacy::RULES },
    Group { prefix: "EVT", title: "Events", rules: events::RULES },
    Group { prefix: "REL", title: "When things fail", rules: reliability::RULES },
    Group { prefix: "CAP", title: "Load", rules: load::RULES },
    Group { prefix: "OPS", title: "Running it", rules: operations::RULES },
    Group { prefix: "REV", title: "The review itself", rules: REVIEW },
];

/// Codes of the catalogue that no rule has, and why: none of them is ever given to another fault.
pub(crate) static RESERVED: &[(&str, &str, &str)] = &[
    ("DAT009", "cross-service-join", "refused by the language (E0212)"),
    ("DAT022", "random-key-insert", "keys are ordered by time unless callers bring their own"),
    ("API009", "route-collision", "refused by the language (E0208)"),
    ("API010", "retry-hostile", "every `POST` takes an `Idempotency-Key`"),
    ("SEC004", "escalation-by-command", "a command is there to do what no policy grants"),
    ("SEC009", "weak-session", "the language says nothing of sessions"),
    ("SEC011", "request-forgery", "no address of user data is called"),
    ("PRI007", "erasure-blocked", "nothing is erased yet (N0112)"),
    ("PRI008", "abroad", "the language states no residence"),
    ("EVT004", "dual-write", "refused by the language (E0509)"),
    ("EVT009", "not-repeatable", "a task is done once, in the transaction that ends it"),
    ("REL001", "call-in-transaction", "refused by the language (E0509)"),
    ("REL003", "no-timeout", "refused by the language (E0603)"),
    ("REL009", "lock-order", "all commands lock in one order"),
    (
        "REL013",
        "stale-decision",
        "a read on a replica sees what was acknowledged before it, and what a write decides by is read on the primary",
    ),
    ("REL014", "stranded-workflow", "needs workflows that run (N0104)"),
    ("CAP003", "slow-promise", "needs the forecast"),
    ("CAP004", "disk-horizon", "needs the forecast"),
    ("CAP005", "over-budget", "needs the forecast"),
    ("CAP006", "idle-cache", "needs the forecast"),
    ("OPS006", "split-without-need", "services share no transaction (E0512)"),
];

/// What the engine finds by itself: comments to it that say nothing.
static REVIEW: &[Rule] = &[UNUSED, MALFORMED];

/// A comment that sets the level of nothing.
pub(crate) const UNUSED: Rule = Rule {
    code: Code {
        id: "REV001",
        title: "a comment to the review that nothing needs",
        docs: include_str!("rule/review/unused_comment.md"),
    },
    level: Level::Warn,
    of_whole: false,
    compares: false,
    module: "unused_comment",
    check: None,
};

/// A comment that is not understood.
pub(crate) const MALFORMED: Rule = Rule {
    code: Code {
        id: "REV002",
        title: "a comment to the review that says nothing",
        docs: include_str!("rule/review/malformed_comment.md"),
    },
    level: Level::Warn,
    of_whole: false,
    compares: false,
    module: "malformed_comment",
    check: None,
};

/// Every rule, in the order of the catalogue.
pub fn rules() -> impl Iterator<Item = &'static Rule> + Clone {
    GROUPS.iter().flat_map(|group| group.rules)
}

/// Looks a rule up by its code or its name, in any letter case.
#[must_use]
pub fn rule(text: &str) -> Option<&'static Rule> {
    let wanted = text.to_ascii_lowercase().replace('-', "_");
    rules().find(|rule| rule.code.id.eq_ignore_ascii_case(text) || rule.module == wanted)
}

impl Rule {
    /// Its name: `missing-index`.
    #[must_use]
    pub fn name(&self) -> String {
        self.module.replace('_', "-")
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.code.id == other.code.id
    }
}

impl Eq for Rule {}

/// The table of one group: code, module, level, `whole` where it asks for what a design as a whole lacks, and title.
macro_rules! table {
    ($folder:literal $($id:literal $module:ident $level:ident $($trait:ident)? $title:literal;)*) => {
        pub(super) static RULES: &[$crate::Rule] = &[$(
            $crate::Rule {
                code: syntax::Code {
                    id: $id,
                    title: $title,
                    docs: include_str!(concat!($folder, "/", stringify!($module), ".md")),
                },
                level: $crate::Level::$level,
                of_whole: $crate::rule::table!(@whole $($trait)?),
                compares: $crate::rule::table!(@compares $($trait)?),
                module: stringify!($module),
                check: Some($module::check),
            },
        )*];
    };
    (@whole whole) => { true };
    (@compares compares) => { true };
    (@$question:ident $($trait:ident)?) => { false };
}

use table;
