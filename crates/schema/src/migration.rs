//! The way from one schema to another on a database that is in use: steps that keep the old and the new version of the
//! server right all the while.
//!
//! ```text
//! expand ── add, write both, backfill, validate ──► both versions serve ── contract ──► only the new one does
//! ```

pub(crate) mod hazard;
mod postgres;
mod sync;

use std::borrow::Cow;
use std::collections::BTreeMap;

use operation::{Dialect, Ident, Sql};
use serde::{Deserialize, Serialize};

use crate::{Change, Loss, LostRows, Names, Schema, diff};

pub use hazard::Hazard;
pub use postgres::postgres;

/// What a database is like that will be changed: what an estimate needs, and names that only it knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// The schema of the connection, where tables of no service stand; empty: `public`.
    pub schema: String,
    /// By stored name.
    pub tables: BTreeMap<String, TableFacts>,
    /// Requests per second that the model expects on a table, by the name the model gives it.
    pub load: BTreeMap<String, f64>,
}

impl Facts {
    fn schema(&self) -> &str {
        if self.schema.is_empty() { "public" } else { &self.schema }
    }
}

/// What one table is like.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableFacts {
    /// Rows, as the database guesses.
    pub rows: u64,
    /// Bytes of the rows, without indexes.
    pub bytes: u64,
    /// Names of the constraints that keep references, by the stored name of the column.
    pub references: BTreeMap<String, String>,
}

/// The way from one schema to another.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Migration {
    /// What changes, one short sentence each.
    pub summary: Vec<String>,
    /// In order: first all of [`Phase::Expand`], then all of [`Phase::Contract`].
    pub steps: Vec<Step>,
    /// Stored names that the new version has to use between the phases.
    pub names: Names,
    /// What is destroyed, by the name that `--allow-drop` takes.
    pub drops: Vec<Drop>,
    /// What must not be found in the rows.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// What stands in the way, a sentence each; nothing is carried out while there is one.
    pub obstacles: Vec<String>,
    /// What would be lost, and what stands in the way where the tables have rows.
    #[serde(skip)]
    pub losses: Vec<Loss>,
    /// Stored names of tables whose computed columns have to be computed anew.
    pub recompute: Vec<String>,
    /// Stored names of tables that are new.
    #[serde(default)]
    pub created: Vec<String>,
    /// Computed columns that are new in tables that stay: table, column.
    #[serde(default)]
    pub computed: Vec<(String, String)>,
}

/// Rows that a half of the change would fail on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// The half that needs it: before that begins it is asked again.
    pub phase: Phase,
    /// A query that finds such rows.
    pub sql: String,
    /// What they are, for people.
    pub sentence: String,
}

/// Something that the change destroys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drop {
    /// `table` or `table.column`.
    pub name: String,
    /// Why it is lost, and what to do if it should not be.
    pub reason: String,
}

/// A half of the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// What the new version needs comes into being; the old version goes on. Can be undone.
    Expand,
    /// What only the old version needed goes.
    Contract,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// In which half.
    pub phase: Phase,
    /// What it does, for people: "add column `product.sku`".
    pub title: String,
    /// What is executed.
    pub work: Work,
    /// What undoes it, in one transaction; empty where nothing has to be undone.
    pub undo: Vec<String>,
    /// The heaviest lock that it takes on a table that others use.
    pub lock: Lock,
    /// The stored tables that it takes this lock on, where it could make others wait behind it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locked: Vec<String>,
    /// For how long, as far as can be told.
    pub cost: Cost,
    /// Seconds that it will take, estimated from the size of the table.
    pub seconds: f64,
    /// Requests per second that the model expects on the table.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub load: f64,
    /// What is dangerous about it, and how that is met here.
    #[serde(with = "hazard::recorded")]
    pub hazards: Vec<Hazard>,
}

fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

/// What a step executes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    /// One transaction that gives up when a lock is not to be had soon, and is tried again.
    Transaction {
        /// In order.
        statements: Vec<String>,
    },
    /// `CREATE INDEX CONCURRENTLY`, which no transaction may hold.
    CreateIndex {
        /// The index.
        name: String,
        /// The statement.
        statement: String,
    },
    /// `DROP INDEX CONCURRENTLY`.
    DropIndex {
        /// The statement.
        statement: String,
    },
    /// Rows that are already there get their values, some at a time.
    Backfill {
        /// The stored table.
        table: String,
        /// What is set: `"a" = …, "b" = …`.
        assignments: String,
        /// Which rows need it.
        condition: String,
    },
    /// Values of computed fields follow the formulas of the new version, some rows at a time. It is worked out by Mimar and not
    /// by the database: there is no SQL to be seen before.
    Compute {
        /// The table of the roots, as the model calls it.
        table: String,
        /// Which columns, of the roots and their parts: table, column. Empty: all that are computed.
        columns: Vec<(String, String)>,
        /// About how many roots there are.
        rows: u64,
    },
    /// Things get their final names, where no server runs that knows the other ones.
    Rename {
        /// In order.
        statements: Vec<String>,
    },
}

/// A lock of PostgreSQL on a table (its documentation, "Explicit Locking").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Lock {
    /// None on anything that others use.
    None,
    /// That of every write: on rows only.
    RowExclusive,
    /// That of VACUUM and of concurrent builds.
    ShareUpdateExclusive,
    /// That of triggers and references.
    ShareRowExclusive,
    /// That of most of `ALTER TABLE`.
    AccessExclusive,
    /// The one writer of SQLite.
    Database,
}

impl Lock {
    /// As PostgreSQL calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::RowExclusive => "ROW EXCLUSIVE",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
            Self::Database => "the database",
        }
    }

    /// What it keeps waiting.
    pub fn blocks(self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::RowExclusive => "writers of the same rows",
            Self::ShareUpdateExclusive => "other schema changes",
            Self::ShareRowExclusive | Self::Database => "writes",
            Self::AccessExclusive => "reads and writes",
        }
    }
}

/// How much of a table a step touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cost {
    /// Only the catalog: milliseconds.
    Catalog,
    /// Every row is read.
    Scan,
    /// Every row is written anew, some at a time.
    Rewrite,
}

impl Cost {
    /// For people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Catalog => "only the catalog",
            Self::Scan => "reads every row",
            Self::Rewrite => "writes every row, in batches",
        }
    }
}

impl Migration {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.obstacles.is_empty()
    }

    /// How many steps the first half has.
    pub fn expanding(&self) -> usize {
        self.steps.iter().filter(|step| step.phase == Phase::Expand).count()
    }
}

impl Migration {
    /// Lets the plan compute the values of an aggregate anew.
    ///
    /// What is new the new version reads from the switch on, so that it is computed before. All is computed when the old version
    /// is gone, which reads what was there, and writes what its own formulas say.
    pub fn compute(&mut self, formulas: &Formulas<'_>, dialect: Dialect) {
        let Formulas { table, columns, rows } = *formulas;
        let is_new = |at: &&(String, String)| self.computed.contains(at);
        let new: Vec<(String, String)> = columns.iter().filter(is_new).cloned().collect();
        let step = |phase, columns: Vec<(String, String)>, named: &[(String, String)]| Step {
            title: computing(table, named),
            work: Work::Compute { table: table.to_owned(), columns, rows },
            lock: match dialect {
                Dialect::Sqlite => Lock::Database,
                Dialect::Postgres => Lock::RowExclusive,
            },
            cost: Cost::Rewrite,
            seconds: rows as f64 / COMPUTED,
            hazards: vec![Hazard::RewrittenRows],
            ..step(phase)
        };
        if dialect == Dialect::Sqlite {
            self.steps
                .push(Step { hazards: Vec::new(), ..step(Phase::Expand, Vec::new(), columns) });
            return;
        }
        let expanding = self.expanding();
        let is_renaming = |it: &Step| matches!(it.work, Work::Rename { .. });
        let end = self.steps.len() - usize::from(self.steps.last().is_some_and(is_renaming));
        self.steps.insert(end, step(Phase::Contract, Vec::new(), columns));
        if !new.is_empty() {
            self.steps.insert(expanding, step(Phase::Expand, new.clone(), &new));
        }
    }

    /// Whether formulas are all that has changed.
    pub fn only_computes(&self) -> bool {
        !self.steps.is_empty()
            && self.steps.iter().all(|step| matches!(step.work, Work::Compute { .. }))
    }
}

/// What is computed in an aggregate.
#[derive(Debug, Clone, Copy)]
pub struct Formulas<'a> {
    /// The table of its roots.
    pub table: &'a str,
    /// Its computed columns: table, column.
    pub columns: &'a [(String, String)],
    /// About how many roots there are.
    pub rows: u64,
}

/// Roots whose values are computed in a second, with pauses that leave the traffic alone.
const COMPUTED: f64 = 5_000.0;

/// "compute `total` and `weight` of `order` anew".
fn computing(table: &str, columns: &[(String, String)]) -> String {
    let mut names: Vec<String> = columns
        .iter()
        .map(|(of, column)| match of == table {
            true => format!("`{column}`"),
            false => format!("`{of}.{column}`"),
        })
        .collect();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    let last = names.pop().unwrap_or_default();
    let names = if names.is_empty() { last } else { format!("{} and {last}", names.join(", ")) };
    format!("compute {names} of `{table}`")
}

/// How many columns a title names.
const NAMED: usize = 4;

impl Migration {
    /// The whole as `psql` would carry it out, or `sqlite3`.
    pub fn script(&self) -> String {
        if self.steps.iter().any(|step| step.lock == Lock::Database) {
            let text = "-- Carried out by `mimar migrate apply`, after a backup, while nobody serves the file.\n";
            return self.steps.iter().fold(text.to_owned(), |text, step| {
                let script = step.script();
                // The linter knows PostgreSQL alone.
                let lines = script.lines().filter(|line| !line.starts_with("-- squawk-ignore"));
                format!("{text}\n{}\n", lines.collect::<Vec<_>>().join("\n"))
            });
        }
        let mut text = "-- A backfill is carried out in batches by `mimar migrate apply`; here it is one statement.\n\
                        SET lock_timeout = '300ms';\nSET statement_timeout = '1h';\n"
            .to_owned();
        let expanding = self.expanding();
        for (at, step) in self.steps.iter().enumerate() {
            if at == expanding {
                text.push_str("\n-- From here on: when no server of the old version runs.\n");
            }
            text.push('\n');
            text.push_str(&step.script());
        }
        text
    }
}

impl Step {
    /// One that does nothing, to be spoken of.
    pub fn named(title: &str) -> Self {
        Self { title: title.to_owned(), ..step(Phase::Contract) }
    }

    /// What `psql` would be given for it. A backfill is written as one statement; it is carried out in batches.
    pub fn script(&self) -> String {
        let mut script = format!("-- {}\n", self.title);
        let line = |statement: &String| match guarded(statement) {
            Some(rule) => format!("-- squawk-ignore {rule}\n{statement};\n"),
            None => format!("{statement};\n"),
        };
        let lines: String = self.statements().iter().map(line).collect();
        match &self.work {
            Work::Transaction { .. } | Work::Rename { .. } => {
                script.push_str(&format!("BEGIN;\n{lines}COMMIT;\n"));
            }
            Work::CreateIndex { .. } | Work::DropIndex { .. } | Work::Backfill { .. } => {
                script.push_str(&lines);
            }
            Work::Compute { .. } => {
                script.push_str("-- Worked out row by row by `mimar migrate apply`.\n");
            }
        }
        script
    }

    /// Its statements. A backfill is one here; it is carried out in batches.
    pub fn statements(&self) -> Cow<'_, [String]> {
        match &self.work {
            Work::Transaction { statements } | Work::Rename { statements } => {
                Cow::Borrowed(statements)
            }
            Work::CreateIndex { statement, .. } | Work::DropIndex { statement } => {
                Cow::Borrowed(std::slice::from_ref(statement))
            }
            Work::Backfill { table, assignments, condition } => {
                let table = qualified(table);
                Cow::Owned(vec![format!("UPDATE {table} SET {assignments} WHERE {condition}")])
            }
            Work::Compute { .. } => Cow::Borrowed(&[]),
        }
    }
}

/// The rule of the linter squawk that a statement breaks on purpose: what a change of this kind does is dangerous by itself,
/// and here it waits until the old version is gone, or is made up for by a trigger or a view.
fn guarded(statement: &str) -> Option<&'static str> {
    const RULES: &[(&str, &str)] = &[
        ("DROP FUNCTION ", "ban-drop-function"),
        ("DROP VIEW ", "ban-drop-view"),
        (" SET SCHEMA ", "ban-set-schema"),
        ("DROP TABLE ", "ban-drop-table"),
        (" DROP COLUMN ", "ban-drop-column"),
        (" DROP DEFAULT", "ban-drop-default"),
        (" DROP NOT NULL", "ban-drop-not-null"),
        (" DROP CONSTRAINT ", "ban-drop-constraint"),
        (" RENAME COLUMN ", "renaming-column"),
        ("ALTER INDEX ", "renaming-object"),
        ("ALTER TABLE ", "renaming-table"),
    ];
    let found = RULES.iter().find(|(words, _)| statement.contains(words));
    let (_, rule) =
        found.filter(|(_, rule)| *rule != "renaming-table" || statement.contains(" RENAME TO "))?;
    Some(rule)
}

/// A name as PostgreSQL takes it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The stored name of a table or an index as PostgreSQL takes it, its schema before it where one is said.
pub fn qualified(stored: &str) -> String {
    let mut sql = Sql::new(Dialect::Postgres);
    sql.ident(&Ident::read(stored));
    sql.finish()
}

/// The step that gives everything its final name, if something has another one: when nobody runs that knows it.
pub fn final_names(names: &Names) -> Option<Step> {
    let mut statements = Vec::new();
    let mut locked: Vec<String> = names.tables.values().cloned().collect();
    for (wanted, columns) in &names.columns {
        let stored = names.table(wanted);
        if !columns.is_empty() && !locked.iter().any(|table| table == stored) {
            locked.push(stored.to_owned());
        }
        let table = qualified(stored);
        for (from, to) in in_order(columns) {
            let (from, to) = (quoted(&from), quoted(&to));
            statements.push(format!("ALTER TABLE {table} RENAME COLUMN {from} TO {to}"));
        }
    }
    for (from, to) in in_order(&names.tables) {
        // Whoever comes to another schema is there by now.
        let to = Ident::read(&to);
        let (from, to) = (qualified(&from), quoted(to.as_str()));
        statements.push(format!("ALTER TABLE {from} RENAME TO {to}"));
    }
    let mut hazards = vec![Hazard::LockQueue];
    hazards.extend((!names.tables.is_empty()).then_some(Hazard::RenamedTable));
    (!statements.is_empty()).then(|| Step {
        title: "give everything its final name".to_owned(),
        work: Work::Rename { statements },
        lock: Lock::AccessExclusive,
        locked,
        hazards,
        ..step(Phase::Contract)
    })
}

/// Renames (from, to) of what is wanted (by the name it shall have: the name it has), so that no name is given that another still
/// has.
fn in_order(wanted: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let mut pending: Vec<(String, String)> =
        wanted.iter().map(|(to, from)| (from.clone(), to.clone())).collect();
    let mut ordered = Vec::new();
    while !pending.is_empty() {
        let free = pending.iter().position(|(_, to)| !pending.iter().any(|(from, _)| from == to));
        match free {
            Some(at) => ordered.push(pending.remove(at)),
            None => {
                // In a circle one gives way for a moment.
                let (from, to) = pending.remove(0);
                let place = Ident::read(&from);
                let aside = place.beside(&format!("mimar_{}", place.as_str())).to_string();
                ordered.push((from, aside.clone()));
                pending.push((aside, to));
            }
        }
    }
    ordered
}

/// The plan for SQLite: one transaction, after which the tables are the wanted ones.
pub fn sqlite(existing: &[(String, String)], wanted: &Schema) -> Migration {
    let Change { statements, losses, summary, recompute, created, computed, .. } =
        diff(existing, wanted);
    let steps = if statements.is_empty() {
        Vec::new()
    } else {
        vec![Step {
            title: "change the tables in one transaction, after a backup".to_owned(),
            work: Work::Transaction { statements },
            lock: Lock::Database,
            cost: Cost::Scan,
            ..step(Phase::Expand)
        }]
    };
    let drops = drops(&losses);
    let plan = Migration { summary, steps, drops, losses, ..Migration::default() };
    Migration { recompute, created, computed, ..plan }
}

/// What losses destroy, by name.
fn drops(losses: &[Loss]) -> Vec<Drop> {
    let destroying = losses.iter().filter(|loss| !loss.blocks);
    destroying
        .map(|loss| {
            let table = &loss.probe.name;
            let name = match (&loss.rows, loss.probe.columns.first()) {
                (LostRows::All, _) | (_, None) => table.to_string(),
                (_, Some(column)) => format!("{table}.{}", column.name),
            };
            Drop { name, reason: loss.sentence.clone() }
        })
        .collect()
}

/// A step that costs nothing.
fn step(phase: Phase) -> Step {
    Step {
        phase,
        title: String::new(),
        work: Work::Transaction { statements: Vec::new() },
        undo: Vec::new(),
        lock: Lock::None,
        locked: Vec::new(),
        cost: Cost::Catalog,
        seconds: 0.01,
        load: 0.0,
        hazards: Vec::new(),
    }
}
