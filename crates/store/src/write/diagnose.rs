//! Why a constraint stands against a write: every reason at once.
//!
//! A database names one broken constraint, and a foreign key not even that. The write is undone first; then each
//! row that it would have left is held against what is stored, and against its neighbours of the same write.

use std::collections::HashSet;

use operation::{Fault, FaultCode, Table, Target, Unique, Value, Violation};

use super::change::{Change, field_of, rules, unknown_reference};
use super::{Database, Tables, Writing};

/// Whether a write would make a row of this key.
pub(super) type IsMade<'m> = dyn Fn(&Table, &Value) -> bool + 'm;

/// A constraint that is about none of the rows of a write: about what was worked out of others that lost something, or one that nobody here
/// knows, since the database is on its way to another version of the model, which has it.
pub(super) fn other_rule(reason: &str, tables: &Tables) -> Fault {
    if let Some((table, unique)) = tables.drawn_unique(reason) {
        let fields: Vec<&str> = unique.columns.iter().map(|at| field_of(&table, *at)).collect();
        let detail = format!(
            "{}: two would have the same {}, once they have lost what goes",
            table.entity,
            fields.join(" and ")
        );
        return Fault::Conflict(vec![Violation::at(FaultCode::NotUnique, "", detail)]);
    }
    let said = reason.to_ascii_lowercase();
    let code = match () {
        () if said.contains("unique constraint") => FaultCode::NotUnique,
        () if said.contains("foreign key constraint") => FaultCode::StillReferenced,
        () => return Fault::Internal(format!("a constraint without a rule: {reason}")),
    };
    let detail = "breaks a rule of the database that this version of the model does not know";
    Fault::Conflict(vec![Violation::at(code, "", detail)])
}

/// A conflict, where all that was found is about what is stored.
pub(super) fn kind(found: Vec<Violation>) -> Fault {
    let stored = |violation: &Violation| {
        matches!(violation.code, FaultCode::NotUnique | FaultCode::StillReferenced)
    };
    if found.iter().all(stored) { Fault::Conflict(found) } else { Fault::Invalid(found) }
}

impl<D: Database> Writing<'_, D> {
    /// All that stands against the changes, added to what was found before. `reason` is the database's word, for
    /// the log, should nothing be found.
    pub(super) async fn diagnose(
        &mut self,
        target: &Target,
        changes: &[Change<'_>],
        mut found: Vec<Violation>,
        reason: &str,
    ) -> Fault {
        let is_made = |table: &Table, key: &Value| {
            changes.iter().any(|change| {
                let new = change.new.as_deref().filter(|_| change.old.is_none());
                change.place.table.id == table.id
                    && new.and_then(|new| new.get(table.own_key())) == Some(key)
            })
        };
        for change in changes {
            let held = self.held_against(target, change, (changes, &is_made), &mut found);
            if let Err(fault) = held.await {
                return fault;
            }
        }
        if found.is_empty() { other_rule(reason, self.database.tables().0) } else { kind(found) }
    }

    /// What stands against one change, added to what was found before. `is_made`: whether a row of this key would be there, had all been done.
    pub(super) async fn held_against(
        &mut self,
        target: &Target,
        change: &Change<'_>,
        (changes, is_made): (&[Change<'_>], &IsMade<'_>),
        found: &mut Vec<Violation>,
    ) -> Result<(), Fault> {
        self.dangling(target, change, is_made, found).await?;
        self.taken(change, changes, found).await?;
        self.still_referenced(change, found).await
    }

    /// References that lead nowhere.
    async fn dangling(
        &mut self,
        target: &Target,
        change: &Change<'_>,
        is_made: &IsMade<'_>,
        found: &mut Vec<Violation>,
    ) -> Result<(), Fault> {
        let Some(new) = &change.new else { return Ok(()) };
        for rule in rules(target, change.place.at).references {
            let value = new.get(rule.column).unwrap_or(&Value::Null);
            let before = change.old.as_ref().and_then(|old| old.get(rule.column));
            if value.is_null() || before == Some(value) || is_made(&rule.target, value) {
                continue;
            }
            let violation = unknown_reference(change, rule.column, &rule.target);
            if !found.contains(&violation)
                && !self.exists(&rule.target, &[rule.target.own_key()], &[value]).await?
            {
                found.push(violation);
            }
        }
        Ok(())
    }

    /// Unique values that are taken.
    async fn taken(
        &mut self,
        change: &Change<'_>,
        changes: &[Change<'_>],
        found: &mut Vec<Violation>,
    ) -> Result<(), Fault> {
        let table = change.place.table;
        let Some(new) = &change.new else { return Ok(()) };
        let keys = Unique { name: table.name.clone(), columns: table.key.clone() };
        let own = |row: &[Value]| -> Vec<Value> {
            table.key.iter().filter_map(|at| row.get(*at).cloned()).collect()
        };
        // Rows that this write changes or removes do not stand in its way.
        let moving: HashSet<Vec<Value>> = changes
            .iter()
            .filter(|other| other.place.at == change.place.at)
            .filter_map(|other| other.old.as_deref().map(own))
            .collect();
        for unique in table.uniques.iter().chain([&keys]) {
            let columns = &unique.columns;
            let values: Vec<&Value> = columns.iter().filter_map(|at| new.get(*at)).collect();
            let stays = change
                .old
                .as_ref()
                .is_some_and(|old| columns.iter().all(|at| old.get(*at) == new.get(*at)));
            // The key of a root that is not there yet is null, and the same for all of its parts.
            let fresh = table.root.is_some_and(|at| new.get(at).is_none_or(Value::is_null));
            let empty = columns.iter().any(|at| {
                !(fresh && Some(*at) == table.root) && new.get(*at).is_none_or(Value::is_null)
            });
            if stays || empty {
                continue;
            }
            let beside = changes
                .iter()
                .take_while(|other| !std::ptr::eq(*other, change))
                .filter(|other| other.place.at == change.place.at)
                .filter_map(|other| other.new.as_ref())
                .any(|other| columns.iter().all(|at| other.get(*at) == new.get(*at)));
            // Compared with null, no row is found: a fresh root has no parts yet.
            let stored = self
                .rows_of(table, columns, &values)
                .await?
                .iter()
                .any(|row| !moving.contains(&own(row)));
            if !beside && !stored {
                continue;
            }
            let shown: Vec<usize> =
                columns.iter().copied().filter(|at| Some(*at) != table.root).collect();
            let names: Vec<String> =
                shown.iter().map(|at| format!("`{}`", field_of(table, *at))).collect();
            let field = shown.first().map_or("", |at| field_of(table, *at));
            let with = names.join(" and ");
            let detail = format!("another {} has this {with}; choose another", table.entity);
            let pointer = change.pointer.field(field);
            if !found.iter().any(|v| v.code == FaultCode::NotUnique && v.pointer == pointer) {
                found.push(Violation::at(FaultCode::NotUnique, pointer, detail));
            }
        }
        Ok(())
    }
}
