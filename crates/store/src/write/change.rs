//! Rows on their way into the database: what was, what shall be, and what stands in between.

use std::borrow::Cow;
use std::collections::BTreeSet;

use operation::{
    Check, Computed, EvaluationFault, Fault, FaultCode, Flow, Guard, PartTarget, ReferenceRule,
    Scope, Table, TableId, Target, Value, Violation, evaluate,
};

use super::{Database, Failure, Naming, Place, Writing, evaluation};
use crate::lower::ill_formed;

/// The change of one row.
#[derive(Debug)]
pub(crate) struct Change<'t> {
    /// The table.
    pub place: Place<'t>,
    /// Where the row stands in the request.
    pub pointer: Pointer<'t>,
    /// The row before; `None` for a new one.
    pub old: Option<Vec<Value>>,
    /// The row after; `None` for one that goes.
    pub new: Option<Cow<'t, [Value]>>,
    /// The columns that the caller named.
    pub named: Cow<'t, [usize]>,
}

/// Where a row stands in the request's body.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pointer<'t> {
    /// It is the body.
    Body,
    /// It is an element of an array.
    Row {
        /// The member that holds the array.
        part: &'t str,
        /// The position in it.
        index: usize,
    },
}

impl Pointer<'_> {
    /// The JSON pointer of a field of the row; of the row itself if `field` is empty.
    pub fn field(self, field: &str) -> String {
        match self {
            Self::Body if field.is_empty() => String::new(),
            Self::Body => {
                let mut pointer = String::new();
                Violation::push_pointer(&mut pointer, field);
                pointer
            }
            Self::Row { part, index } => Violation::part_pointer(part, index, field),
        }
    }
}

/// The rows of parts, by table.
pub(crate) type PartRows<'r> = Vec<(TableId, &'r [Vec<Value>])>;

/// The rules of the table at a place.
pub(crate) struct Rules<'t> {
    pub computed: &'t [Computed],
    pub checks: &'t [Check],
    pub flows: &'t [Flow],
    pub references: &'t [ReferenceRule],
}

/// The rules of a target's root (0) or of one of its parts (1 and up).
pub(crate) fn rules(target: &Target, at: usize) -> Rules<'_> {
    match at.checked_sub(1).and_then(|part| target.parts.get(part)) {
        Some(PartTarget { computed, checks, flows, references, .. }) => {
            Rules { computed, checks, flows, references }
        }
        None => Rules {
            computed: &target.computed,
            checks: &target.checks,
            flows: &target.flows,
            references: &target.references,
        },
    }
}

/// The name of a column for callers.
pub(crate) fn field_of(table: &Table, column: usize) -> &str {
    table.columns.get(column).map_or("", |column| &*column.field)
}

/// Computes the computed columns of a row, in their order. `around` stands around it.
pub(crate) fn compute(
    computed: &[Computed],
    row: &mut [Value],
    around: &[&[Value]],
    binds: &[Value],
    parts: &PartRows<'_>,
    name: impl Fn(usize) -> String,
) -> Result<(), Fault> {
    for Computed { column, expression } in computed {
        let mut rows = around.to_vec();
        rows.push(row);
        let value = evaluate(expression, &Scope { rows: &rows, binds, parts, stored: None })
            .map_err(|fault| evaluation(fault, &name(*column)))?;
        *row.get_mut(*column).ok_or_else(|| ill_formed("no such column"))? = value;
    }
    Ok(())
}

/// Illegal transitions of a row.
pub(crate) fn transitions(change: &Change<'_>, flows: &[Flow], found: &mut Vec<Violation>) {
    let (Some(old), Some(new)) = (&change.old, &change.new) else { return };
    for flow in flows {
        let (Some(Value::Text(from)), Some(to)) = (old.get(flow.column), new.get(flow.column))
        else {
            continue;
        };
        let Value::Text(to) = to else { continue };
        if from == to {
            continue;
        }
        let legal = flow.transitions.iter().find(|(state, _)| **state == **from);
        let legal = legal.map_or(&[][..], |(_, next)| next.as_slice());
        if legal.iter().any(|state| **state == **to) {
            continue;
        }
        let field = field_of(change.place.table, flow.column);
        let detail = if legal.is_empty() {
            format!("`{field}` is `{from}`, which is final; it cannot become `{to}`")
        } else {
            let legal: Vec<_> = legal.iter().map(|state| format!("`{state}`")).collect();
            let legal = legal.join(" or ");
            format!("`{field}` is `{from}` and cannot become `{to}`; it can become {legal}")
        };
        let pointer = change.pointer.field(field);
        found.push(Violation::at(FaultCode::IllegalTransition, pointer, detail));
    }
}

/// The violation of a check.
pub(crate) fn broken(check: &Check, pointer: Pointer<'_>) -> Violation {
    Violation::at(FaultCode::CheckFailed, pointer.field(&check.field), &*check.message)
}

/// Checks of a row that do not hold; those that only the database can decide go into `later`.
pub(crate) fn check_row<'t>(
    checks: &'t [Check],
    pointer: Pointer<'_>,
    scope: &Scope<'_>,
    found: &mut Vec<Violation>,
    later: &mut Vec<&'t Check>,
) -> Result<(), Fault> {
    for check in checks {
        match evaluate(&check.expression, scope) {
            Ok(Value::Bool(false)) => found.push(broken(check, pointer)),
            Ok(_) => {}
            Err(EvaluationFault::NotLocal) => later.push(check),
            Err(fault) => return Err(evaluation(fault, &pointer.field(&check.field))),
        }
    }
    Ok(())
}

/// Too few or too many parts.
pub(crate) fn count_parts(part: &PartTarget, count: usize, found: &mut Vec<Violation>) {
    let (minimum, maximum) = (part.minimum as usize, part.maximum as usize);
    if (minimum..=maximum).contains(&count) {
        return;
    }
    let mut pointer = String::new();
    Violation::push_pointer(&mut pointer, &part.name);
    let detail = if count < minimum {
        format!("`{}` needs at least {minimum}, this leaves {count}", part.name)
    } else {
        format!("`{}` holds at most {maximum}, this makes {count}", part.name)
    };
    // A rule over what is stored: the request alone could not know.
    found.push(Violation::at(FaultCode::CheckFailed, pointer, detail));
}

/// A reference that leads nowhere.
pub(crate) fn unknown_reference(change: &Change<'_>, column: usize, target: &Table) -> Violation {
    let field = field_of(change.place.table, column);
    Violation::at(
        FaultCode::UnknownReference,
        change.pointer.field(field),
        format!("`{field}` refers to no {} that you may see; name one that exists", target.entity),
    )
}

impl<D: Database> Writing<'_, D> {
    /// References that the caller named and may not name. What is visible to all is left to the foreign key.
    pub(super) async fn invisible(
        &mut self,
        target: &Target,
        changes: &[Change<'_>],
        binds: &[Value],
        found: &mut Vec<Violation>,
    ) -> Result<(), Fault> {
        for change in changes {
            let Some(new) = &change.new else { continue };
            for rule in rules(target, change.place.at).references {
                let value = new.get(rule.column).unwrap_or(&Value::Null);
                let before = change.old.as_ref().and_then(|old| old.get(rule.column));
                // What stays tells the caller nothing it does not know.
                let stays = before == Some(value);
                if value.is_null() || stays || !change.named.contains(&rule.column) {
                    continue;
                }
                let visible = match &rule.visible {
                    Guard::Always => true,
                    Guard::Never => false,
                    Guard::When(condition) => {
                        let place = change.place;
                        let naming = Naming { place, rule, condition, binds, key: value };
                        let visible = self.database.may_name(naming).await;
                        visible.map_err(Failure::into_fault)?
                    }
                };
                if !visible {
                    found.push(unknown_reference(change, rule.column, &rule.target));
                }
            }
        }
        Ok(())
    }

    /// Writes the changes: what goes, then what changes, then what is new.
    pub(super) async fn apply(&mut self, changes: &mut [Change<'_>]) -> Result<(), Failure> {
        // Rows of one root may swap unique values. Those that cannot be referred to are then taken out and put
        // back, so that no order of changes collides with itself.
        let mut put_back = BTreeSet::new();
        for (at, change) in changes.iter().enumerate() {
            if let (Some(old), Some(new)) = (&change.old, &change.new)
                && change.place.at > 0
                && self.database.tables().1.to(&change.place.table.name).is_empty()
                && change.place.table.uniques.iter().any(|unique| {
                    unique.columns.iter().any(|column| old.get(*column) != new.get(*column))
                })
            {
                put_back.insert(at);
            }
        }
        for (at, change) in changes.iter().enumerate() {
            if let Some(old) = &change.old
                && (change.new.is_none() || put_back.contains(&at))
            {
                self.delete(change.place, old).await?;
                self.touch(change.place.table, old);
                if change.new.is_none() {
                    self.touch_cascade(&change.place.table.name);
                }
            }
        }
        for (at, change) in changes.iter().enumerate() {
            if let (Some(old), Some(new)) = (&change.old, &change.new)
                && !put_back.contains(&at)
            {
                let columns: Vec<usize> =
                    (0..new.len()).filter(|column| old.get(*column) != new.get(*column)).collect();
                if !columns.is_empty() {
                    self.update(change.place, &columns, old, new).await?;
                    self.touch(change.place.table, old);
                    self.touch(change.place.table, new);
                }
            }
        }
        let mut root_key = None;
        for (at, change) in changes.iter_mut().enumerate() {
            let Some(new) = &mut change.new else { continue };
            if change.old.is_some() && !put_back.contains(&at) {
                continue;
            }
            let table = change.place.table;
            if let (Some(column), Some(key)) = (table.root, &root_key)
                && let Some(value) = new.to_mut().get_mut(column)
            {
                *value = Value::clone(key);
            }
            let number = self.database.insert(change.place, new).await?;
            if let Some(column) = table.auto
                && new.get(column).is_some_and(Value::is_null)
                && let Some(value) = new.to_mut().get_mut(column)
            {
                *value = Value::Int(number);
                if change.place.at == 0 {
                    root_key = Some(Value::Int(number));
                }
            }
            self.touch(table, new);
        }
        self.database.settle().await
    }
}
