//! The end of roots.

use std::borrow::Cow;
use std::sync::Arc;

use operation::{
    Delete, Dialect, Fault, FaultCode, Ident, OnDelete, ReadId, Scalar, Table, Value, Violation,
};

use super::change::{Change, Pointer};
use super::edit::{expected, forbidden};
use super::many::Gone;
use super::{Answer, Asked, Database, Failure, Left, Load, Place, Writing};
use crate::cache::unseen_slot;
use crate::lower::cleared::{self, Cleared, Keys, Way};
use crate::lower::{Lock, Settings, ill_formed, redraw};

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
        let gone = async {
            self.hold_going(target.id, [(&target.table, &delete.key)]).await?;
            let noted = self.raise_cleared(&[(place.table, &delete.key)], &[]).await?;
            self.apply(&mut changes).await?;
            self.raise_noted(&noted).await?;
            self.redraw(&noted).await
        };
        match gone.await {
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

    /// Locks rows that go, and what goes along with them or loses something, where that is so of any.
    pub(super) async fn hold_going<'g>(
        &mut self,
        target: ReadId,
        rows: impl IntoIterator<Item = (&'g Arc<Table>, &'g Value)>,
    ) -> Result<(), Failure> {
        if D::DIALECT == Dialect::Sqlite {
            // Nobody else writes.
            return Ok(());
        }
        let rows = rows.into_iter().map(|(table, key)| (table.clone(), key.clone()));
        let gone = Gone::of(rows);
        let (tables, references) = self.database.tables();
        if tables.in_order(references, [], gone.iter().map(|gone| &gone.table)).is_empty() {
            return Ok(());
        }
        let load = |Gone { table, keys, .. }: &Gone| {
            let (table, column, values) = (table.clone(), table.own_key(), keys.clone());
            (Load { target, table, column, values, lock: Lock::Going, held: false }, Vec::new())
        };
        let loads = gone.iter().map(load).collect();
        self.hold_in_order(loads, &gone, (target, Settings::default(), false)).await
    }

    /// Rows whose reference the database is about to clear change by that: their version says so, or that of their
    /// root, once. `gone`: the rows that go, each with its table; `but`: those whose versions say so already. What is answered is to be
    /// [raised](Self::raise_noted) and [drawn anew](Self::redraw) when the rows have gone.
    pub(super) async fn raise_cleared(
        &mut self,
        gone: &[(&Table, &Value)],
        but: &[(&Table, &Value)],
    ) -> Result<Vec<Cleared>, Failure> {
        let mut of: Vec<(&Table, Vec<&Value>)> = Vec::new();
        for (table, key) in gone {
            match of.iter_mut().find(|(known, _)| known.id == table.id) {
                Some((_, keys)) => keys.push(key),
                None => of.push((table, vec![key])),
            }
        }
        for (_, keys) in &mut of {
            // So that statements of few lengths are kept.
            let more = keys.len().next_power_of_two() - keys.len();
            keys.extend(keys.last().copied().into_iter().cycle().take(more));
        }
        let names: Vec<Ident> = of.iter().map(|(table, _)| table.name.clone()).collect();
        let (tables, references) = self.database.tables();
        let mut noted = Vec::new();
        for cleared in tables.cleared(references, &names) {
            for redraw in &cleared.redraws {
                let (cleared, named) = cleared.of_redraw(redraw).of_named();
                let (keys, values) = named_keys(&of, &named);
                let keys = Keys { gone: &keys, but: None };
                let lower = || redraw::keep(D::DIALECT, (&cleared, redraw), keys);
                self.database.run(Asked::Sent, lower, values.into_iter()).await?;
            }
            // Statements are known by their text: of keys that it does not name it is given none.
            let (cleared, named) = cleared.of_named();
            let (keys, values) = named_keys(&of, &named);
            let but: Vec<(&Table, &Value)> =
                but.iter().filter(|(table, _)| table.name == cleared.table).copied().collect();
            let all = values.into_iter().chain(but.iter().map(|(_, key)| *key));
            let keys = Keys { gone: &keys, but: but.first().map(|(table, _)| (*table, but.len())) };
            let is_noted = D::DIALECT == Dialect::Postgres && cleared.own.is_some();
            let lower = || match is_noted {
                true => cleared::note(&cleared, noted.len(), keys),
                false => cleared::raise(D::DIALECT, &cleared, keys),
            };
            self.database.run(Asked::Sent, lower, all).await?;
            let is_indirect = |way: &Way| way.part.is_some() || !way.through.is_empty();
            if !cleared.redraws.is_empty() || cleared.ways.iter().any(is_indirect) {
                if let Some(touched) = self.database.touched() {
                    touched.push(unseen_slot(cleared.table.as_str()));
                }
                self.database.forget_all();
            }
            noted.extend((is_noted || !cleared.redraws.is_empty()).then_some(cleared));
        }
        Ok(noted)
    }

    /// Raises the versions of rows that were changed by the database when others have gone.
    pub(super) async fn raise_noted(&mut self, noted: &[Cleared]) -> Result<(), Failure> {
        if D::DIALECT == Dialect::Sqlite {
            return Ok(());
        }
        for (at, cleared) in noted.iter().enumerate() {
            let lower = || cleared::raise_noted(cleared, at);
            self.database.run(Asked::Sent, lower, std::iter::empty()).await?;
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

/// Keys of some of the tables of which rows go: of how many of which kind, and all of them.
fn named_keys<'v>(
    of: &[(&Table, Vec<&'v Value>)],
    named: &[usize],
) -> (Vec<(Scalar, usize)>, Vec<&'v Value>) {
    let of: Vec<&(&Table, Vec<&Value>)> = named.iter().filter_map(|gone| of.get(*gone)).collect();
    let keys = of.iter().map(|(table, keys)| (key_scalar(table), keys.len())).collect();
    (keys, of.iter().flat_map(|(_, keys)| keys.iter().copied()).collect())
}

fn key_scalar(table: &Table) -> Scalar {
    table.columns.get(table.own_key()).map_or(Scalar::Int, |column| column.scalar)
}

fn gone(place: Place<'_>, old: Vec<Value>) -> Change<'_> {
    Change { place, pointer: Pointer::Body, old: Some(old), new: None, named: Cow::default() }
}
