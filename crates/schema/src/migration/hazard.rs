//! What is dangerous about changing a database that is in use.

use serde::{Deserialize, Serialize};

/// A danger of a step, known by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hazard {
    /// A lock that everybody waits for who comes after.
    LockQueue,
    /// A column that rows cannot be without.
    RequiredColumn,
    /// A default that is computed for each row.
    ColumnDefault,
    /// A new name for what the old version still uses.
    RenamedColumn,
    /// The same of a table.
    RenamedTable,
    /// Another place for a table that the old version still looks for in its own.
    MovedTable,
    /// A text becomes two.
    SplitColumn,
    /// Another type.
    RetypedColumn,
    /// Values that the old type cannot hold.
    NarrowedForOldVersion,
    /// NOT NULL.
    RequiredNow,
    /// A row without a value that the old version relies on.
    OptionalNow,
    /// An index.
    IndexBuild,
    /// A unique index over rows that may collide.
    UniqueOverRows,
    /// A foreign key over rows.
    ReferenceOverRows,
    /// A constraint that the old version does not keep.
    RuleForOldVersion,
    /// A column goes.
    DroppedColumn,
    /// A table goes.
    DroppedTable,
    /// An index goes.
    DroppedIndex,
    /// Labels that the old version does not know.
    NewLabel,
    /// Rows are written anew.
    RewrittenRows,
    /// Values are lost on the way to another type.
    LostValues,
}

/// All of them, in the order of the documentation.
pub const ALL: &[Hazard] = &[
    Hazard::LockQueue,
    Hazard::RequiredColumn,
    Hazard::ColumnDefault,
    Hazard::RenamedColumn,
    Hazard::RenamedTable,
    Hazard::MovedTable,
    Hazard::SplitColumn,
    Hazard::RetypedColumn,
    Hazard::NarrowedForOldVersion,
    Hazard::RequiredNow,
    Hazard::OptionalNow,
    Hazard::IndexBuild,
    Hazard::UniqueOverRows,
    Hazard::ReferenceOverRows,
    Hazard::RuleForOldVersion,
    Hazard::DroppedColumn,
    Hazard::DroppedTable,
    Hazard::DroppedIndex,
    Hazard::NewLabel,
    Hazard::RewrittenRows,
    Hazard::LostValues,
];

impl Hazard {
    /// All of them.
    pub fn all() -> &'static [Self] {
        ALL
    }

    /// Its name; why it is dangerous; how that is met.
    fn row(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::LockQueue => (
                "lock-queue",
                "a lock that waits for a long transaction makes everyone wait who comes after it",
                "the step gives up after 0.3 s (`lock_timeout`), lets the others through and is tried again",
            ),
            Self::RequiredColumn => (
                "required-column",
                "the old version creates rows without the new column, which must have a value",
                "the database fills in its default until the old version is gone; without one it is demanded only then",
            ),
            Self::ColumnDefault => (
                "column-default",
                "a default that differs from row to row rewrites the table under its heaviest lock",
                "the default is a constant (or the moment of the step), which PostgreSQL keeps in its catalog",
            ),
            Self::RenamedColumn => (
                "renamed-column",
                "the old version goes on using the old name, and would fail",
                "both columns exist for a while, and a trigger writes each into the other",
            ),
            Self::RenamedTable => (
                "renamed-table",
                "the old version goes on using the old name, and would fail",
                "both versions use the old name until no server runs that knows it",
            ),
            Self::MovedTable => (
                "moved-table",
                "the old version goes on looking for the table in its old schema, and would fail",
                "a view in the old place takes and shows what the table did until the old version is gone",
            ),
            Self::SplitColumn => (
                "split-column",
                "the old version goes on reading and writing the whole text, the new one its halves",
                "all three columns exist for a while; a trigger splits what the old version writes and joins what the new one does",
            ),
            Self::RetypedColumn => (
                "retyped-column",
                "ALTER COLUMN TYPE rewrites the table under a lock that blocks reads, and the old version cannot read \
                 the new type",
                "a second column has the new type, a trigger writes each into the other, and rows follow in batches",
            ),
            Self::NarrowedForOldVersion => (
                "narrowed-for-old-version",
                "values of the new type may not fit into the old one",
                "the old version sees the nearest value that it can read; the new one keeps its own",
            ),
            Self::RequiredNow => (
                "required-now",
                "SET NOT NULL reads the whole table under a lock that blocks reads and writes",
                "a check constraint is added NOT VALID and validated beside the traffic; SET NOT NULL believes it",
            ),
            Self::OptionalNow => (
                "optional-now",
                "the new version may store nothing where the old one expects a value",
                "deploy the new version everywhere before anything is stored without a value",
            ),
            Self::IndexBuild => (
                "index-build",
                "CREATE INDEX blocks writes for as long as it takes",
                "it is built CONCURRENTLY; one that was interrupted is dropped and built again",
            ),
            Self::UniqueOverRows => (
                "unique-over-rows",
                "rows that collide make the build fail, and from then on the old version is refused what breaks the rule",
                "rows that collide are looked for before anything is changed; a failed build leaves nothing",
            ),
            Self::ReferenceOverRows => (
                "reference-over-rows",
                "ADD FOREIGN KEY reads both tables while it blocks their writes",
                "it is added NOT VALID and validated beside the traffic",
            ),
            Self::RuleForOldVersion => (
                "rule-for-old-version",
                "the old version does not keep the new rule",
                "it is put in place when the old version is gone",
            ),
            Self::DroppedColumn => (
                "dropped-column",
                "its values are gone, and the old version would fail",
                "it waits for the old version to be gone and for --allow-drop",
            ),
            Self::DroppedTable => (
                "dropped-table",
                "its rows are gone, and the old version would fail",
                "it waits for the old version to be gone and for --allow-drop",
            ),
            Self::DroppedIndex => (
                "dropped-index",
                "queries of the old version may need it",
                "it waits for the old version to be gone, and is dropped CONCURRENTLY",
            ),
            Self::NewLabel => (
                "new-label",
                "the old version does not know the new labels, and shows them as they are",
                "deploy the new version everywhere before the labels are used",
            ),
            Self::RewrittenRows => (
                "rewritten-rows",
                "writing every row at once holds its locks for long, fills the log and leaves dead rows behind",
                "rows are written in batches of a few milliseconds each, with pauses twice as long between them",
            ),
            Self::LostValues => (
                "lost-values",
                "not every value has a counterpart in the new type",
                "it waits for --allow-drop, which says that this is meant",
            ),
        }
    }

    /// Its name, as in `lock-queue`.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// Why it is dangerous.
    pub fn reason(self) -> &'static str {
        self.row().1
    }

    /// How the plan meets it.
    pub fn way(self) -> &'static str {
        self.row().2
    }
}

/// Hazards as a database records them. Servers of other versions read the record when they start during the change: what one
/// does not know it passes over, and the first versions, which knew no other names, are not shown what came later.
pub(super) mod recorded {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::{ALL, Hazard};

    pub(crate) fn serialize<S: Serializer>(found: &[Hazard], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(found.iter().filter(|hazard| **hazard != Hazard::MovedTable))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Hazard>, D::Error> {
        let names = Vec::<String>::deserialize(from)?;
        let known = names.iter().filter_map(|name| ALL.iter().find(|known| known.name() == name));
        Ok(known.copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_by_other_versions() {
        let step = crate::Step {
            hazards: vec![Hazard::LockQueue, Hazard::MovedTable],
            ..crate::Step::named("move")
        };
        let written = serde_json::to_string(&step).unwrap();
        assert!(written.contains("lock-queue") && !written.contains("moved-table"), "{written}");
        let later = written.replace("\"lock-queue\"", "\"lock-queue\",\"of-tomorrow\"");
        let read: crate::Step = serde_json::from_str(&later).unwrap();
        assert_eq!(read.hazards, [Hazard::LockQueue]);
    }

    #[test]
    fn the_documentation_has_them_all() {
        let page = include_str!("../../../../docs/schema-changes.md");
        for hazard in Hazard::all() {
            let row =
                format!("| `{}` | {}. Here: {} |", hazard.name(), hazard.reason(), hazard.way());
            assert!(page.contains(&row), "docs/schema-changes.md lacks:\n{row}");
        }
    }
}
