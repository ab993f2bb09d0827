//! The end of roots.

use std::borrow::Cow;

use operation::{Delete, Fault, FaultCode, OnDelete, Table, Value, Violation};

use super::change::{Change, Pointer};
use super::connection::fault_of;
use super::edit::{expected, forbidden};
use super::session::{Answer, Failure, Left, Place, Session};
use crate::lower::ill_formed;

impl Session<'_> {
    pub fn delete_root(&mut self, delete: &Delete) -> Result<Left, Fault> {
        let target = &*delete.target;
        let place = Place { target: target.id, at: 0, table: &target.table };
        let old = self.seen(place, &target.visible, &delete.key, &delete.binds)?;
        if !self.allows(&delete.guard, place.table, &old, &delete.binds, &[])? {
            return Err(forbidden(place, "delete"));
        }
        let version = expected(place, &old, delete.expected.as_deref())?;
        let mut changes = Vec::new();
        for (at, part) in target.parts.iter().enumerate() {
            let place = Place { target: target.id, at: at + 1, table: &part.table };
            let root = part.table.root.ok_or_else(|| ill_formed("a part without a root"))?;
            for old in self.rows(place, &[root], &[&delete.key])? {
                changes.push(gone(place, old));
            }
        }
        changes.push(gone(place, old));
        let outcome =
            self.raise_cleared(place.table, &delete.key).and_then(|()| self.apply(&mut changes));
        match outcome {
            Ok(()) => {}
            Err(Failure::Fault(fault)) => return Err(fault),
            Err(Failure::Constraint(reason)) => {
                self.undo().map_err(|error| fault_of(&error))?;
                return Err(self.diagnose(target, &changes, Vec::new(), &reason));
            }
        }
        let key = delete.key.clone();
        Ok(Left { key, version, part_key: None, answer: Answer::Ready(None) })
    }

    /// Rows whose reference the database is about to clear change by that: their version says so, or that of their
    /// root.
    fn raise_cleared(&mut self, table: &Table, key: &Value) -> Result<(), Failure> {
        let references = self.references.to(table.name.as_str()).to_vec();
        for reference in references {
            if reference.on_delete != OnDelete::Clear {
                continue;
            }
            if reference.versioned {
                self.raise_versions(&reference.table, &reference.column, key)?;
            } else if let Some((part, root)) = self.shared.part_and_root(&reference.table) {
                self.raise_roots(&part, &root, &reference.column, key)?;
            }
        }
        Ok(())
    }

    /// Why a row cannot go: what still refers to it.
    pub fn still_referenced(
        &self,
        change: &Change<'_>,
        found: &mut Vec<Violation>,
    ) -> Result<(), Fault> {
        let table = change.place.table;
        let (Some(old), None) = (&change.old, &change.new) else { return Ok(()) };
        let key = old.get(table.own_key()).ok_or_else(|| ill_formed("no key"))?;
        for reference in self.references.to(table.name.as_str()) {
            if reference.on_delete == OnDelete::Restrict
                && self.refers(&reference.table, &reference.column, key)?
            {
                let tables = self.shared.tables.read();
                let known = tables.get(&reference.table);
                let entity = known.map_or(&*reference.table, |table| &*table.entity);
                found.push(Violation::at(
                    FaultCode::StillReferenced,
                    "",
                    format!(
                        "this {} is still referred to by `{}` of {entity}; delete or change those first",
                        table.entity, reference.column
                    ),
                ));
            }
        }
        Ok(())
    }
}

fn gone(place: Place<'_>, old: Vec<Value>) -> Change<'_> {
    Change { place, pointer: Pointer::Body, old: Some(old), new: None, named: Cow::default() }
}
