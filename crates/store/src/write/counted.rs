//! Keys that the database counts, where rules draw on them: they are drawn before the rows are written.

use operation::{
    Check, Computed, Create, Expression, Fault, Scope, Table, Target, Value, Violation,
};

use super::change::{PartRows, Pointer, check_row, compute, field_of};
use super::create::complete;
use super::{Database, Failure, Writing};
use crate::lower::ill_formed;

impl<D: Database> Writing<'_, D> {
    /// A new root with the keys that its rules draw on, which the database would count otherwise, and all that is computed of them; `None`, where
    /// there are none. What stands against it is noted.
    pub(super) async fn counted(
        &mut self,
        create: &Create,
        found: &mut Vec<Violation>,
    ) -> Result<Option<Create>, Fault> {
        if !draws_on_counted(&create.target) {
            return Ok(None);
        }
        let (target, mut create) = (create.target.clone(), create.clone());
        self.count_keys(&target.table, [&mut create.row.values].into_iter()).await?;
        for (part, rows) in target.parts.iter().zip(&mut create.parts) {
            let rows = rows.iter_mut().map(|row| &mut row.values);
            self.count_keys(&part.table, rows).await?;
        }
        complete(&mut create);
        let (root, binds) = (&mut create.row.values, &create.binds);
        let none = Vec::new();
        for (part, rows) in target.parts.iter().zip(&mut create.parts) {
            for (index, row) in rows.iter_mut().enumerate() {
                let pointer = Pointer::Row { part: &part.name, index };
                let name = |column| pointer.field(field_of(&part.table, column));
                compute(&part.computed, &mut row.values, &[root], binds, &none, name)?;
            }
        }
        let parts = target.parts.iter().zip(&create.parts).map(|(part, rows)| {
            let rows = rows.iter().map(|row| row.values.clone());
            (part.table.id, rows.collect::<Vec<_>>())
        });
        let parts: Vec<_> = parts.collect();
        let parts: PartRows<'_> = parts.iter().map(|(id, rows)| (*id, rows.as_slice())).collect();
        let name = |column| Pointer::Body.field(field_of(&target.table, column));
        compute(&target.computed, root, &[], binds, &parts, name)?;
        // What only the database can say of the row is asked for later.
        let mut later = Vec::new();
        let mut check = |checks, pointer, rows: &[&[Value]]| {
            let scope = Scope { rows, binds, parts: &parts, stored: None };
            check_row(checks, pointer, &scope, found, &mut later)
        };
        check(&target.checks, Pointer::Body, &[root])?;
        for (part, rows) in target.parts.iter().zip(&create.parts) {
            for (index, row) in rows.iter().enumerate() {
                let pointer = Pointer::Row { part: &part.name, index };
                check(&part.checks, pointer, &[root, &row.values])?;
            }
        }
        Ok(Some(create))
    }

    /// Draws the keys of rows that have none.
    pub(super) async fn count_keys<'r>(
        &mut self,
        table: &Table,
        rows: impl Iterator<Item = &'r mut Vec<Value>>,
    ) -> Result<(), Fault> {
        let Some(column) = table.auto else { return Ok(()) };
        let keys = rows.filter_map(|row| row.get_mut(column).filter(|key| key.is_null()));
        let keys: Vec<&mut Value> = keys.collect();
        if keys.is_empty() {
            return Ok(());
        }
        let drawn = self.database.draw(table, column, 0, keys.len()).await;
        let drawn = drawn.map_err(Failure::into_fault)?;
        if drawn.len() != keys.len() {
            return Err(ill_formed("not enough numbers were drawn"));
        }
        for (key, number) in keys.into_iter().zip(drawn) {
            *key = Value::Int(number);
        }
        Ok(())
    }
}

/// The columns of a row that hold a key which the database counts: its own, and that of its root.
type Counted = [Option<usize>; 2];

/// Whether a rule of a root or its parts draws on such a key.
pub(super) fn draws_on_counted(target: &Target) -> bool {
    let root = target.table.auto;
    if root.is_none() && target.parts.iter().all(|part| part.table.auto.is_none()) {
        return false;
    }
    let of_part = |part: &Table| [part.auto, part.root.filter(|_| root.is_some())];
    let any = |computed: &[Computed], checks: &[Check], scope: &[Counted]| {
        let computed = computed.iter().map(|computed| &computed.expression);
        let mut rules = computed.chain(checks.iter().map(|check| &check.expression));
        rules.any(|rule| draws_on(rule, scope, &of_part))
    };
    any(&target.computed, &target.checks, &[[root, None]])
        || target
            .parts
            .iter()
            .any(|part| any(&part.computed, &part.checks, &[[root, None], of_part(&part.table)]))
}

/// `scope`: of each row in scope, the innermost last.
fn draws_on(rule: &Expression, scope: &[Counted], of_part: &dyn Fn(&Table) -> Counted) -> bool {
    let inside = |body: &Expression, counted: Counted| {
        draws_on(body, &[scope, &[counted]].concat(), of_part)
    };
    match rule {
        Expression::Column { depth, column } => {
            let counted = scope.iter().rev().nth(*depth);
            counted.is_some_and(|counted| counted.contains(&Some(*column)))
        }
        Expression::Lookup { key, value, .. } => {
            draws_on(key, scope, of_part) || inside(value, [None, None])
        }
        Expression::Aggregate { table, body, .. } => inside(body, of_part(table)),
        _ => {
            let mut draws = false;
            rule.children(&mut |child| draws |= draws_on(child, scope, of_part));
            draws
        }
    }
}
