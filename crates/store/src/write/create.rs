//! New roots.

use std::borrow::Cow;

use operation::{Check, Create, Fault, Guard, Scope, Target, Value};

use super::change::{Change, PartRows, Pointer, broken, check_row, count_parts, rules};
use super::{Database, Failure, Left, Place, Reply, Writing, draws_on_row, version_of};
use crate::lower::ill_formed;

impl<D: Database> Writing<'_, D> {
    pub(super) async fn create(&mut self, create: &mut Create) -> Result<Reply, Fault> {
        complete(create);
        let create = &*create;
        let mut found = Vec::new();
        let counted = self.counted(create, &mut found).await?;
        let is_drawn = counted.is_some();
        let create = counted.as_ref().unwrap_or(create);
        let is_one_statement = is_one_statement(create);
        let target = &*create.target;
        let mut changes = changes(create);
        for (part, rows) in target.parts.iter().zip(&create.parts) {
            count_parts(part, rows.len(), &mut found);
        }
        self.invisible(target, &changes, &create.binds, &mut found).await?;
        if !found.is_empty() {
            return Err(self.diagnose(target, &changes, found, "").await);
        }
        match self.apply(&mut changes).await {
            Ok(()) => {}
            Err(Failure::Fault(fault)) => return Err(fault),
            Err(Failure::Constraint(reason)) => {
                self.database.undo().await?;
                return Err(self.diagnose(target, &changes, found, &reason).await);
            }
        }
        if !is_one_statement {
            self.decide_late(create, &changes).await?;
        }
        let root = changes.into_iter().next().and_then(|root| root.new);
        let row = root.ok_or_else(|| ill_formed("no root"))?;
        let table = &*target.table;
        let is_as_asked = matches!(row, Cow::Borrowed(_)) && !is_drawn;
        if is_as_asked && (is_one_statement || draws_on_row(&create.answer, table)) {
            return Ok(Reply::Created);
        }
        let key = row.get(table.own_key()).cloned().unwrap_or_default();
        let version = version_of(table, &row);
        let row = Some((table, row.into_owned()));
        let answer = self.answer(&create.answer, create.binds.clone(), &key, None, row).await?;
        Ok(Reply::Left(Left {
            key,
            version,
            part_key: None,
            answer,
            replayed: false,
            wakes: false,
            published: 0,
        }))
    }

    /// What could not be decided before the row was stored: the guard, and checks that look into other tables.
    async fn decide_late(&mut self, create: &Create, changes: &[Change<'_>]) -> Result<(), Fault> {
        let target = &*create.target;
        if create.guard == Guard::Always && !checks_late(target) {
            return Ok(());
        }
        let Some(root) = changes.first().and_then(|root| root.new.as_deref()) else {
            return Err(ill_formed("no root"));
        };
        let parts: Vec<_> = target
            .parts
            .iter()
            .enumerate()
            .map(|(i, part)| {
                let rows = changes.iter().filter(|change| change.place.at == i + 1);
                let rows = rows.filter_map(|change| change.new.as_deref().map(<[Value]>::to_vec));
                (part.table.id, rows.collect::<Vec<_>>())
            })
            .collect();
        let parts: PartRows<'_> = parts.iter().map(|(id, rows)| (*id, rows.as_slice())).collect();
        if create.guard != Guard::Always
            && !self.allows(&create.guard, &target.table, root, &create.binds, &parts).await?
        {
            return Err(Fault::Forbidden(format!(
                "you may not create this {}",
                target.table.entity
            )));
        }
        let mut found = Vec::new();
        for change in changes {
            let Some(new) = &change.new else { continue };
            let checks = rules(target, change.place.at).checks;
            let mut later = Vec::new();
            let rows: &[&[Value]] = if change.place.at == 0 { &[new] } else { &[root, new] };
            let scope = Scope { rows, binds: &create.binds, parts: &parts, stored: None };
            check_row(checks, change.pointer, &scope, &mut found, &mut later)?;
            for check in later {
                if self.fails(change, &check.expression, &create.binds).await? {
                    found.push(broken(check, change.pointer));
                }
            }
        }
        if found.is_empty() { Ok(()) } else { Err(Fault::Invalid(found)) }
    }

    /// Whether a condition about the stored row is false.
    pub(super) async fn fails(
        &mut self,
        change: &Change<'_>,
        expression: &operation::Expression,
        binds: &[Value],
    ) -> Result<bool, Fault> {
        let table = change.place.table;
        let Some(new) = &change.new else { return Ok(false) };
        Ok(self.ask(table, expression, binds, new).await? == Some(Value::Bool(false)))
    }
}

/// Whether a check can be decided only by the database, of the stored row.
fn checks_late(target: &Target) -> bool {
    let asks = |checks: &[Check]| checks.iter().any(|check| !check.expression.is_local());
    asks(&target.checks) || target.parts.iter().any(|part| asks(&part.checks))
}

/// Whether one `INSERT` does it, and nothing can fail after that.
pub(crate) fn is_one_statement(create: &Create) -> bool {
    create.parts.iter().all(Vec::is_empty)
        && create.guard == Guard::Always
        && !checks_late(&create.target)
        && draws_on_row(&create.answer, &create.target.table)
}

/// Fills in the positions of parts, and the root's key where it is known before the write.
pub(super) fn complete(create: &mut Create) {
    let table = &create.target.table;
    let key = create.row.values.get(table.own_key()).filter(|key| !key.is_null());
    for (part, rows) in create.target.parts.iter().zip(&mut create.parts) {
        for (index, row) in rows.iter_mut().enumerate() {
            if part.positional
                && let Some(position) = row.values.get_mut(part.table.own_key())
            {
                *position = Value::Int(i64::try_from(index).unwrap_or(i64::MAX - 1) + 1);
            }
            if let (Some(key), Some(column)) = (key, part.table.root)
                && let Some(value) = row.values.get_mut(column)
            {
                value.clone_from(key);
            }
        }
    }
}

fn changes(create: &Create) -> Vec<Change<'_>> {
    let target: &Target = &create.target;
    let root = Place { target: target.id, at: 0, table: &target.table };
    let mut changes = Vec::with_capacity(1 + create.parts.iter().map(Vec::len).sum::<usize>());
    changes.push(Change {
        place: root,
        pointer: Pointer::Body,
        old: None,
        new: Some(Cow::Borrowed(&create.row.values)),
        named: Cow::Borrowed(&create.row.named),
    });
    for (i, (part, rows)) in target.parts.iter().zip(&create.parts).enumerate() {
        let place = Place { target: target.id, at: i + 1, table: &part.table };
        for (index, row) in rows.iter().enumerate() {
            changes.push(Change {
                place,
                pointer: Pointer::Row { part: &part.name, index },
                old: None,
                new: Some(Cow::Borrowed(&row.values)),
                named: Cow::Borrowed(&row.named),
            });
        }
    }
    changes
}
