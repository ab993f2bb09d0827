//! Commands of one kind in one transaction, one after another.
//!
//! ```text
//! all: foresee ─► load (and lock, in one order) ─► each: steps, rules, over what those before have made ─► all: statements
//! ```
//!
//! What a transaction costs is shared by all of them, and each statement is one for all. A command that is refused has changed
//! nothing but its own rows in memory; the others go on without it.

use operation::{Command, Dialect, Fault, Form, Program, TableId, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use super::super::workset::{Values, Wanted};
use super::ahead::work_ahead;
use super::flush::Aggregate;
use super::{Database, Failure, Left, Load, Running, Writing, ill_formed, lock_of};
use crate::write::{AtHand, Only, References, Tables, draws_on_row};

/// The most rows that commands look at together.
const MOST: usize = 512;

/// Whether a command is one that may go with others of its kind, in its direct form or not: where many wait, sharing a transaction spares
/// more than a wait does.
pub(crate) fn goes_with_others(command: &Command) -> bool {
    may_share(&command.program) && command.settles.is_none()
}

/// Whether commands of a program may.
pub(super) fn may_share(program: &Program) -> bool {
    let at_hand = match &program.answer {
        Form::Row(read) => draws_on_row(read, &read.table),
        Form::Nothing | Form::Value(_) => true,
    };
    program.together && at_hand
}

/// Runs commands of one program and writes what they come to. What is answered holds once the transaction is committed.
///
/// # Errors
/// Where they cannot go together, or something stands against what they have written: each is then to be run by itself.
pub(crate) async fn execute_together<D: Database>(
    database: &mut D,
    commands: &[&Command],
) -> Result<Vec<Result<Left, Fault>>, Fault> {
    let Some(first) = commands.first() else { return Ok(Vec::new()) };
    let loads = loads_of(database, commands)?;
    let found = database.load(&loads).await.map_err(Failure::into_fault)?;
    let mut known = Only(Known::default());
    for (Load { table, column, values, .. }, rows) in loads.into_iter().zip(found) {
        known.0.rows.extend(values.into_iter().map(|key| ((table.id, key), None)));
        for row in rows {
            let key = row.get(column).cloned().unwrap_or_default();
            known.0.rows.insert((table.id, key), Some(row.into()));
        }
    }
    let mut outcomes = Vec::with_capacity(commands.len());
    let mut decided: Vec<Aggregate> = Vec::new();
    let (mut published, mut unlocked, mut asking) = (Vec::new(), Vec::new(), Vec::new());
    for command in commands {
        let ahead = match work_ahead(&mut known, command, |_| Vec::new()).await {
            Ok(ahead) => ahead,
            Err(fault @ Fault::Internal(_)) => return Err(fault),
            Err(fault) => {
                outcomes.push(Err(fault));
                continue;
            }
        };
        let parts = ahead.into_parts();
        let answer = parts.answer.ok_or_else(|| ill_formed("an answer that has to be read"))?;
        let (wakes, count) = (!parts.asking.is_empty(), parts.published.len());
        let (key, part_key, replayed) = (Value::Null, None, false);
        let left = Left { key, version: 0, part_key, answer, replayed, wakes, published: count };
        outcomes.push(Ok(left));
        for aggregate in parts.decided {
            known.0.take_note(&command.program, &aggregate)?;
            if let Some(aggregate) = aggregate.behind(&mut decided, &command.program)? {
                decided.push(aggregate);
            }
        }
        published.extend(parts.published);
        unlocked.extend(parts.unlocked);
        asking.extend(parts.asking);
    }
    let running = Running::with(Writing { database }, first, Vec::new());
    let mut running = Running { published, unlocked, asking, ..running };
    running.write_decided(&decided).await?;
    Ok(outcomes)
}

/// What they will look at, each row once, in the order in which all commands lock rows.
fn loads_of<D: Database>(database: &mut D, commands: &[&Command]) -> Result<Vec<Load>, Fault> {
    let mut loads: Vec<Load> = Vec::new();
    let mut seen: FxHashSet<(TableId, Value)> = FxHashSet::default();
    for command in commands {
        let mut running = Running::of(Writing { database: &mut *database }, command);
        running.foresee_all(&command.named);
        for wanted in running.rows.take_wanted() {
            let Wanted::Row(table, key) = wanted else {
                return Err(ill_formed("parts of a root that is stored"));
            };
            if !seen.insert((table.id, key.clone())) {
                continue;
            }
            if seen.len() > MOST {
                return Err(ill_formed("more rows than commands may look at together"));
            }
            match loads.iter_mut().find(|load| load.table.id == table.id) {
                Some(load) => load.values.push(key),
                None => {
                    let lock = lock_of(&command.program, &table, true);
                    let (target, column) = (command.program.id, table.own_key());
                    loads.push(Load {
                        target,
                        table,
                        column,
                        values: vec![key],
                        lock,
                        held: false,
                    });
                }
            }
        }
    }
    loads.sort_by_key(|load| load.table.rank);
    Ok(loads)
}

/// Rows that were loaded for all, as those before have left them.
#[derive(Default)]
struct Known {
    rows: FxHashMap<(TableId, Value), Option<Values>>,
    tables: Tables,
    references: References,
}

impl Known {
    /// Takes note of what a command makes of a root.
    fn take_note(&mut self, program: &Program, aggregate: &Aggregate) -> Result<(), Fault> {
        let (table, row) = aggregate.root(program)?;
        let key = row.and_then(|row| row.get(table.own_key())).cloned();
        let key = key.ok_or_else(|| ill_formed("a root without a key"))?;
        self.rows.insert((table.id, key), row.cloned());
        Ok(())
    }
}

impl AtHand for Known {
    const DIALECT: Dialect = Dialect::Postgres;

    fn rows(&mut self, load: &Load) -> Option<Vec<Vec<Value>>> {
        let mut found = Vec::with_capacity(load.values.len());
        for key in &load.values {
            let known = self.rows.get(&(load.table.id, key.clone()))?;
            found.extend(known.as_deref().map(<[Value]>::to_vec));
        }
        Some(found)
    }

    fn tables(&self) -> (&Tables, &References) {
        (&self.tables, &self.references)
    }
}
