//! A table that stays: what happens to it under one lock, and what follows.

use operation::Ident;

use super::{Kept, Planner};
use crate::ddl;
use crate::diff::source_of;
use crate::existing::Existing;
use crate::migration::sync::{self, Filled, Halves, Pair, Rows};
use crate::migration::{Condition, Cost, Hazard, Lock, Phase, Step, Work, qualified, quoted, step};

/// Rows that a backfill writes in a second, its pauses included.
const WRITTEN: f64 = 10_000.0;

/// What happens to one table under one lock: the fewer there are, the fewer wait.
#[derive(Default)]
pub(super) struct Together {
    pub(super) what: Vec<String>,
    pub(super) statements: Vec<String>,
    pub(super) undo: Vec<String>,
    pub(super) hazards: Vec<Hazard>,
}

impl Together {
    pub(super) fn hazard(&mut self, hazards: &[Hazard]) {
        for hazard in hazards {
            if !self.hazards.contains(hazard) {
                self.hazards.push(*hazard);
            }
        }
    }

    /// What undoes it, the last first.
    fn undo(&self) -> Vec<String> {
        self.undo.iter().rev().cloned().collect()
    }
}

/// A reference to be.
pub(super) struct ToRefer {
    pub(super) phase: Phase,
    /// Position among the references of the table.
    pub(super) key: usize,
    /// Its stored column.
    pub(super) stored: String,
    /// The constraint that it takes the place of.
    pub(super) replaces: Option<String>,
    /// What makes that again.
    pub(super) restores: Option<String>,
}

/// What is collected for one table that stays.
#[derive(Default)]
pub(super) struct Changes {
    /// Of its definition, before rows are filled.
    pub(super) definition: Together,
    /// Columns that live in two for a while.
    pub(super) pairs: Vec<Pair>,
    /// Texts that live in two halves for a while.
    pub(super) splits: Vec<Halves>,
    /// Columns that must not be null whatever a version thinks; whether rows that are there get it, too.
    pub(super) filled: Vec<(Filled, bool)>,
    /// Columns that will have a value in every row, before and after the old version has gone.
    pub(super) demanded: (Vec<String>, Vec<String>),
    /// References to be.
    pub(super) references: Vec<ToRefer>,
    /// Of its definition, when the old version has gone.
    pub(super) ending: Together,
}

impl Planner<'_> {
    pub(super) fn alter(&mut self, kept: &Kept<'_>) {
        let Some(new) = Existing::parse(&ddl::table(self.wanted, kept.table, &kept.table.name))
        else {
            return;
        };
        if !kept.old.same_frame(&new) {
            self.plan.obstacles.push(format!(
                "the key of `{}` changes, and everything refers to rows by it: write a new entity, and move the rows into it",
                kept.table.entity
            ));
            return;
        }
        let mut changes = Changes::default();
        for at in 0..kept.table.columns.len() {
            let name = kept.table.columns[at].name.as_str();
            match kept.old.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
            {
                None => self.add(kept, at, &mut changes),
                Some(from) => self.column(kept, &new, at, from, &mut changes),
            }
        }
        for (from, column) in kept.old.columns.iter().enumerate() {
            if new.column(&column.name).is_none() {
                self.gone(kept, from, &mut changes);
            }
        }
        self.emit(kept, changes);
    }

    /// The steps of one table.
    pub(super) fn emit(&mut self, kept: &Kept<'_>, mut changes: Changes) {
        let name = kept.name.as_str();
        let fills: Vec<Filled> = changes.filled.iter().map(|(filled, _)| filled.clone()).collect();
        self.split(kept, &mut changes);
        let mut filled_function = None;
        if !(changes.pairs.is_empty() && changes.splits.is_empty() && fills.is_empty()) {
            let trigger =
                |rows| sync::trigger(&kept.stored, &changes.pairs, &changes.splits, &fills, rows);
            let (make, take) = trigger(Rows::BeingFilled);
            let (strictly, _) = trigger(Rows::Filled);
            if !(changes.pairs.is_empty() && changes.splits.is_empty()) {
                filled_function = strictly.into_iter().next();
            }
            let definition = &mut changes.definition;
            definition.statements.extend(make);
            definition.undo.extend(take.iter().rev().cloned());
            definition.what.push("keep it right for both versions".to_owned());
            // Nothing is written any more that old columns could demand.
            let ending = &mut changes.ending;
            ending.statements.splice(0..0, take);
        }
        let definition = std::mem::take(&mut changes.definition);
        if !definition.statements.is_empty() {
            let undo = definition.undo();
            let mut defining = self.locking(
                Phase::Expand,
                (name, &[&kept.stored]),
                Lock::AccessExclusive,
                definition.statements,
            );
            defining.title = format!("`{name}`: {}", definition.what.join(", "));
            defining.undo = undo;
            defining.hazards.extend(definition.hazards);
            self.expand.push(defining);
        }
        self.backfill(kept, &changes);
        if let Some(function) = filled_function {
            self.expand.push(Step {
                title: format!("`{name}`: from now on an empty new column is meant"),
                work: Work::Transaction { statements: vec![function] },
                ..step(Phase::Expand)
            });
        }
        for pair in &changes.pairs {
            let at =
                kept.table.columns.iter().position(|column| {
                    self.plan.names.column(name, column.name.as_str()) == pair.new
                });
            if at.is_some_and(|at| !kept.table.columns[at].nullable) {
                // A value that the old version need not give can be demanded when that has gone.
                let list =
                    if pair.whole { &mut changes.demanded.0 } else { &mut changes.demanded.1 };
                list.push(pair.new.clone());
            }
        }
        for (Filled { column, .. }, is_backfilled) in &changes.filled {
            if *is_backfilled {
                changes.demanded.0.push(column.clone());
            }
        }
        self.demand(Phase::Expand, kept, &changes.demanded.0);
        let (early, late): (Vec<_>, Vec<_>) =
            changes.references.into_iter().partition(|to| to.phase == Phase::Expand);
        for to in early {
            self.reference(kept.table, &kept.stored, &to);
        }
        self.demand(Phase::Contract, kept, &changes.demanded.1);
        for to in late {
            self.reference(kept.table, &kept.stored, &to);
        }
        let ending = changes.ending;
        if !ending.statements.is_empty() {
            let mut leaving = self.locking(
                Phase::Contract,
                (name, &[&kept.stored]),
                Lock::AccessExclusive,
                ending.statements,
            );
            leaving.title = if ending.what.is_empty() {
                format!("`{name}`: write for the new version only")
            } else {
                format!("`{name}`: {}", ending.what.join(", "))
            };
            leaving.hazards.extend(ending.hazards);
            self.contract.push(leaving);
        }
    }

    /// Finds the texts that are split into columns that were added.
    fn split(&mut self, kept: &Kept<'_>, changes: &mut Changes) {
        let name = kept.name.as_str();
        for (at, before) in kept.table.columns.iter().enumerate() {
            let Some((was, half)) = source_of(kept.origin, at, &kept.old) else { continue };
            let other = (0..kept.table.columns.len()).find(|other| {
                source_of(kept.origin, *other, &kept.old)
                    .is_some_and(|(from, other)| from == was && other.after)
            });
            let (false, Some(other)) = (half.after, other) else { continue };
            let after = &kept.table.columns[other];
            let from = kept.old.columns.iter().position(|column| column.name == was.as_str());
            let Some(from) = from else { continue };
            let stored = |column: &str| self.plan.names.column(name, column).to_owned();
            let source = &kept.original.columns[from].name;
            let required = (!before.nullable, !after.nullable);
            let halves = Halves {
                old: self.names.column(&kept.original.name, source).to_owned(),
                before: stored(before.name.as_str()),
                after: stored(after.name.as_str()),
                separator: half.separator.clone(),
                required,
                old_required: !kept.old.columns[from].nullable(),
            };
            let new = [(required.0, &halves.before), (required.1, &halves.after)];
            let demanded = new.iter().filter(|(required, _)| *required);
            changes.demanded.0.extend(demanded.map(|(_, stored)| (*stored).clone()));
            changes.splits.push(halves);
        }
    }

    /// Brings the rows along that are there.
    pub(super) fn backfill(&mut self, kept: &Kept<'_>, changes: &Changes) {
        let mut assignments = Vec::new();
        let mut conditions = Vec::new();
        for pair in &changes.pairs {
            let (old, new) = (quoted(&pair.old), quoted(&pair.new));
            assignments.push(format!("{new} = {}", sync::of_row(&pair.up, &pair.old)));
            let is_given =
                if pair.gives { String::new() } else { format!(" AND {old} IS NOT NULL") };
            conditions.push(format!("({new} IS NULL{is_given})"));
        }
        for split in &changes.splits {
            let [old, before, after] =
                [&split.old, &split.before, &split.after].map(|name| quoted(name));
            let (first, second) = split.split(&old);
            assignments.push(format!("{before} = {first}"));
            assignments.push(format!("{after} = {second}"));
            conditions.push(match split.required {
                (false, false) => format!("({before} IS NULL AND {old} IS NOT NULL)"),
                (true, _) => format!("{before} IS NULL"),
                (_, true) => format!("{after} IS NULL"),
            });
        }
        for (Filled { column, value }, _) in changes.filled.iter().filter(|(_, rows)| *rows) {
            let column = quoted(column);
            assignments.push(format!("{column} = coalesce({column}, {value})"));
            conditions.push(format!("{column} IS NULL"));
        }
        if assignments.is_empty() {
            return;
        }
        let size = self.size(&kept.stored);
        self.expand.push(Step {
            title: format!("`{}`: fill the rows that are there", kept.table.name),
            work: Work::Backfill {
                table: kept.stored.clone(),
                assignments: assignments.join(", "),
                condition: conditions.join(" OR "),
            },
            lock: Lock::RowExclusive,
            cost: Cost::Rewrite,
            seconds: size.rows as f64 / WRITTEN,
            hazards: vec![Hazard::RewrittenRows],
            ..step(Phase::Expand)
        });
    }

    /// NOT NULL for columns of a table with rows.
    pub(super) fn demand(&mut self, phase: Phase, kept: &Kept<'_>, columns: &[String]) {
        if columns.is_empty() {
            return;
        }
        let name = kept.name.as_str();
        let table = qualified(&kept.stored);
        let bare = Ident::read(&kept.stored);
        let each = |what: &dyn Fn(&str, &str) -> String| -> Vec<String> {
            let named = columns.iter().map(|column| {
                let constraint = Ident::fit(&format!("nn_{}_{column}", bare.as_str()));
                what(&quoted(constraint.as_str()), &quoted(column))
            });
            named.collect()
        };
        let shown = columns.join("`, `");
        let add = each(&|constraint, column| {
            format!(
                "ALTER TABLE {table} ADD CONSTRAINT {constraint} CHECK ({column} IS NOT NULL) NOT VALID"
            )
        });
        let stored = [kept.stored.as_str()];
        let locked = (name, stored.as_slice());
        let mut adding = self.locking(phase, locked, Lock::AccessExclusive, add);
        adding.title = format!("`{name}`: demand a value in `{shown}` of new rows");
        adding.undo = each(&|constraint, _| {
            format!("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {constraint}")
        });
        adding.hazards.push(Hazard::RequiredNow);
        if phase == Phase::Contract {
            adding.hazards.push(Hazard::RuleForOldVersion);
            for column in columns {
                let stored = self.names.column(&kept.original.name, column);
                let is_there = kept
                    .original
                    .columns
                    .iter()
                    .any(|there| there.name == *column || stored == there.name);
                let phase = if is_there { Phase::Expand } else { Phase::Contract };
                let asked = match phase {
                    Phase::Expand => self.before(&kept.stored),
                    Phase::Contract => &kept.stored,
                };
                let (asked, column_name) = (qualified(asked), quoted(column));
                let sql = format!("SELECT 1 FROM {asked} WHERE {column_name} IS NULL");
                let sentence = format!(
                    "`{name}.{column}` is to be required, and some rows have no value in it"
                );
                self.plan.conditions.push(Condition { phase, sql, sentence });
            }
        }
        let validate =
            each(&|constraint, _| format!("ALTER TABLE {table} VALIDATE CONSTRAINT {constraint}"));
        let mut validating = self.scanning(phase, &kept.stored, validate);
        validating.title = format!("`{name}`: validate that `{shown}` has a value in every row");
        let mut set =
            each(&|_, column| format!("ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL"));
        set.extend(each(&|constraint, _| {
            format!("ALTER TABLE {table} DROP CONSTRAINT {constraint}")
        }));
        let mut setting = self.locking(phase, locked, Lock::AccessExclusive, set);
        setting.title = format!("`{name}`: make `{shown}` required");
        setting.undo =
            each(&|_, column| format!("ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL"));
        let steps = [adding, validating, setting];
        match phase {
            Phase::Expand => self.expand.extend(steps),
            Phase::Contract => self.contract.extend(steps),
        }
    }
}
