//! The end of roots.

use std::borrow::Cow;

use operation::{Delete, Fault, FaultCode, OnDelete, Scalar, Table, Value, Violation};

use super::change::{Change, Pointer};
use super::edit::{expected, forbidden};
use super::{Answer, Database, Failure, Left, Place, Writing};
use crate::lower::ill_formed;

impl<D: Database> Writing<'_, D> {
    pub(super) async fn delete_root(&mut self, delete: &Delete) -> Result<Left, Fault> {
        let target = &*delete.target;
        let place = Place { target: target.id, at: 0, table: &target.table };
        let old = self.seen(place, &target.visible, &delete.key, &delete.binds).await?;
        if !self.allows(&delete.guard, place.table, &old, &delete.binds, &[]).await? {
            return Err(forbidden(place, "delete"));
        }
        let version = expected(place, &old, delete.expected.as_deref())?;
        let mut changes = Vec::new();
        for (at, part) in target.parts.iter().enumerate() {
            let place = Place { target: target.id, at: at + 1, table: &part.table };
            let root = part.table.root.ok_or_else(|| ill_formed("a part without a root"))?;
            for old in self.rows(place, &[root], &[&delete.key]).await? {
                changes.push(gone(place, old));
            }
        }
        changes.push(gone(place, old));
        let outcome = match self.raise_cleared(place.table, &delete.key).await {
            Ok(()) => self.apply(&mut changes).await,
            Err(failure) => Err(failure),
        };
        match outcome {
            Ok(()) => {}
            Err(Failure::Fault(fault)) => return Err(fault),
            Err(Failure::Constraint(reason)) => {
                self.database.undo().await?;
                return Err(self.diagnose(target, &changes, Vec::new(), &reason).await);
            }
        }
        let key = delete.key.clone();
        Ok(Left {
            key,
            version,
            part_key: None,
            answer: Answer::Ready(None),
            replayed: false,
            wakes: false,
            published: 0,
        })
    }

    /// Rows whose reference the database is about to clear change by that: their version says so, or that of their
    /// root.
    pub(super) async fn raise_cleared(
        &mut self,
        table: &Table,
        key: &Value,
    ) -> Result<(), Failure> {
        let scalar = key_scalar(table);
        let (_, references) = self.database.tables();
        for reference in references.to(&table.name).to_vec() {
            if reference.on_delete != OnDelete::Clear {
                continue;
            }
            if reference.versioned {
                self.raise_versions(&reference, scalar, key).await?;
                continue;
            }
            let (tables, _) = self.database.tables();
            if let Some((part, root)) = tables.part_and_root(&reference.table) {
                self.raise_roots(&part, &root, &reference, scalar, key).await?;
            }
        }
        Ok(())
    }

    /// Why a row cannot go: what still refers to it.
    pub(super) async fn still_referenced(
        &mut self,
        change: &Change<'_>,
        found: &mut Vec<Violation>,
    ) -> Result<(), Fault> {
        let table = change.place.table;
        let (Some(old), None) = (&change.old, &change.new) else { return Ok(()) };
        let key = old.get(table.own_key()).ok_or_else(|| ill_formed("no key"))?;
        let (_, references) = self.database.tables();
        for reference in references.to(&table.name).to_vec() {
            if reference.on_delete == OnDelete::Restrict
                && self.refers(&reference, key_scalar(table), key).await?
            {
                let entity = self.database.tables().0.entity(&reference.table);
                found.push(still_referenced(&table.entity, reference.column.as_str(), &entity));
            }
        }
        Ok(())
    }
}

/// That a row cannot go, since a column of another refers to it.
pub(super) fn still_referenced(entity: &str, column: &str, by: &str) -> Violation {
    let detail = format!(
        "this {entity} is still referred to by `{column}` of {by}; delete or change those first"
    );
    Violation::at(FaultCode::StillReferenced, "", detail)
}

fn key_scalar(table: &Table) -> Scalar {
    table.columns.get(table.own_key()).map_or(Scalar::Int, |column| column.scalar)
}

fn gone(place: Place<'_>, old: Vec<Value>) -> Change<'_> {
    Change { place, pointer: Pointer::Body, old: Some(old), new: None, named: Cow::default() }
}
