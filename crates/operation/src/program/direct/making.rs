//! Rows that are made: what of them is known, and what only the database knows.

use std::sync::Arc;

use super::flat::{LARGEST, is_of, keeps};
use super::forming::{Forming, Holds, Row};
use super::obstacle::Reason;
use super::rule::{next, nodes, unless_false};
use super::{Finding, How, Layer, MadeRow, Total};
use crate::program::{Creation, Fill, Inputs, Place, Program, ProgramTarget, Step, any_step};
use crate::{
    Aggregate, Check, Comparison, Computed, Expression, NumberKind, Scalar, Table, TableId, Value,
};

/// As far as a statement is known by which columns hold keys that are counted.
const MOST_COLUMNS: usize = 128;

/// Columns that are looked up.
type Columns = Vec<(usize, Expression)>;

impl Forming<'_> {
    /// A root that is made, or a part of one, and whose rules look at nothing else. What is looked up for it takes part in no rule but
    /// the bounds of its own field, and in what a root draws on its parts.
    pub(super) fn create(&mut self, creation: &Creation) -> Result<How, Reason> {
        let program = self.program;
        let target = program.targets.get(creation.row.target).ok_or(Reason::NotInSql)?;
        let table = program.table(creation.row).ok_or(Reason::NotInSql)?;
        // Step by step one may take the place of another.
        let goes = |row: &Row| row.goes && row.table.id == table.id;
        if self.stepping.is_none() && self.rows.iter().any(goes) {
            return Err(Reason::Gone);
        }
        self.made_in.push(table.id);
        if target.computed.iter().chain(&target.checks).any(|inputs| inputs.others) {
            return Err(Reason::LooksElsewhere);
        }
        let (mut stored, mut own) = (None, None);
        let is_found_later = self.stepping.is_some() && creation.bind.is_some();
        let (mut columns, mut conditions, mut drawn) = (Vec::new(), Vec::new(), Vec::new());
        if let (Some(root), Some(part)) = (&creation.root, creation.row.part) {
            if self.stepping.is_some() {
                let at = self.adds_at_step(creation.row.target, part, root)?;
                let key = self.rows.get(at).ok_or(Reason::NotInSql)?.key.clone();
                stored = Some((at, key));
            } else if self.made_by(root).is_none() {
                let at = self.adds_to(creation.row.target, part, root)?;
                stored = Some((at, self.flat_key(root)?));
            }
            if let Some((_, key)) = &stored {
                conditions.extend(self.has_room(target, part, key)?);
            } else if self.looked_at_made {
                return Err(Reason::ToldBefore);
            }
        }
        for (at, fill) in creation.values.iter().enumerate() {
            match fill {
                Fill::Value(value) if self.knows(value) => {
                    if table.auto == Some(at) {
                        self.given.push(table.id);
                    }
                }
                Fill::Value(value) => {
                    let from_root = creation.row.part.is_none() && parts_draw_on(target, at);
                    if (table.key.contains(&at) && self.stepping.is_none()) || from_root {
                        return Err(Reason::Ruled);
                    }
                    let column = table.columns.get(at).ok_or(Reason::NotInSql)?;
                    // Many rows that refer to one which is counted are written together. Where anything is worked out of that, only
                    // the database can.
                    let drawn_by = self.drawn_by(value).filter(|_| {
                        let is_looked_at = creation.bounds.iter().any(|bound| bound.column == at)
                            || is_ruled(target, creation.row, at)
                            || creation.row.part.is_some_and(|part| root_draws_on(target, part));
                        !is_looked_at && column.scalar == Scalar::Int && column.native.is_none()
                    });
                    if let Some(bind) = drawn_by {
                        let of = self.drawn.iter().find(|(of, _)| *of == bind);
                        drawn.push((at, of.ok_or(Reason::NotInSql)?.1));
                        continue;
                    }
                    let mut value = self.copied(value, column.scalar)?;
                    if is_found_later && table.own_key() == at {
                        let kept = self.keep_now(value, column.scalar, Finding::Value)?;
                        (own, value) = (Some(kept), Expression::Bind(kept));
                    }
                    for bound in creation.bounds.iter().filter(|bound| bound.column == at) {
                        let rule = bound.rule.as_ref().ok_or(Reason::Bound)?;
                        let rule = with(rule, at, &value).ok_or(Reason::Bound)?;
                        conditions.extend(unless_false(rule));
                    }
                    if !column.nullable {
                        let nothing = Expression::IsNull(Box::new(value.clone()));
                        conditions.push(Expression::Not(Box::new(nothing)));
                    }
                    columns.push((at, value));
                }
                Fill::Position if stored.is_some() => {
                    let (_, root) = stored.as_ref().ok_or(Reason::NotInSql)?;
                    let last = of_parts(target, table, root, Aggregate::Max, at);
                    let none = Expression::Literal(Value::Int(0));
                    let mut next = next(Expression::Coalesce(vec![last, none]));
                    if is_found_later {
                        let kept = self.keep_now(next, Scalar::Int, Finding::Value)?;
                        (own, next) = (Some(kept), Expression::Bind(kept));
                    }
                    columns.push((at, next));
                }
                Fill::Uuid | Fill::Computed | Fill::Position => {}
                // Which root it is only the database knows.
                Fill::Root if self.root_is_found(&stored) => {
                    let (_, key) = stored.as_ref().ok_or(Reason::NotInSql)?;
                    columns.push((at, key.clone()));
                }
                Fill::Root => {
                    let root = creation.root.as_ref().and_then(|root| self.drawn_by(root));
                    if root.is_some() {
                        let is_ruled = is_ruled(target, creation.row, at)
                            || root_folds_over(target, table, at);
                        if is_ruled && self.stepping.is_none() {
                            return Err(Reason::Counted);
                        }
                        drawn.push((at, target.target.table.id));
                    }
                }
                Fill::Counted => {
                    // Step by step the database looks at all rules of it.
                    let is_part = creation.row.part.is_some();
                    let is_ruled = is_ruled(target, creation.row, at)
                        || (is_part && root_folds_over(target, table, at));
                    if (is_ruled && self.stepping.is_none()) || parts_draw_on(target, at) {
                        return Err(Reason::Counted);
                    }
                    if !self.counted.iter().any(|of| of.id == table.id) {
                        self.counted.push(table.clone());
                    }
                    drawn.push((at, table.id));
                }
            }
        }
        if creation.root.is_some() {
            self.look_at_folded(table, creation)?;
        }
        if self.stepping.is_some() && creation.root.is_none() {
            return self.make_at_step(creation, (columns, conditions, drawn), own);
        }
        if let (Some((root, _)), Some(bind), true) = (&stored, creation.bind, is_found_later) {
            if drawn.iter().any(|(at, _)| *at == table.own_key()) {
                self.drawn.push((bind, table.id));
            }
            let values = self.made_values(creation, &columns)?;
            self.name_part(creation, (*root, own), values)?;
        } else if let Some(bind) = creation.bind {
            // Over rows as they were a part that is made is nothing to look at.
            let made = match creation.root {
                None if drawn.iter().any(|(at, _)| *at == table.own_key()) => {
                    self.drawn.push((bind, table.id));
                    Holds::Drawn(bind)
                }
                None => Holds::Made(Some(bind)),
                Some(_) => Holds::Made(None),
            };
            self.hold(bind, made)?;
        }
        if columns.is_empty() && drawn.is_empty() && stored.is_none() {
            return Ok(How::Known);
        }
        if drawn.iter().any(|(at, _)| *at >= MOST_COLUMNS) {
            return Err(Reason::TooLarge);
        }
        let condition = Expression::all(conditions);
        if nodes(&condition) > LARGEST {
            return Err(Reason::TooLarge);
        }
        let looked_up = columns.iter().map(|(at, _)| *at).collect();
        // All rules of a part are looked at where its root is.
        let rules = (creation.row, stored.is_some());
        let (computed, checks) = rules_over(target, rules, table, looked_up)?;
        let total = match creation.row.part {
            Some(part) if !columns.is_empty() && stored.is_none() => {
                let root = creation.root.as_ref().and_then(|root| self.made_by(root));
                self.total(target, part, root.ok_or(Reason::NotInSql)?)?
            }
            _ => None,
        };
        let root = stored.map(|(at, _)| at);
        let ends = None;
        let anew = None;
        let made = MadeRow { columns, drawn, condition, computed, checks, root, total, ends, anew };
        self.made.push((table.clone(), made));
        Ok(How::Made(self.made.len() - 1))
    }

    /// The row of a root that was there, to which a part is added: it is locked, and changes when all of them are there.
    fn adds_to(&mut self, target: usize, part: usize, root: &Expression) -> Result<usize, Reason> {
        let table = &self.program.targets.get(target).ok_or(Reason::NotInSql)?.target.table;
        let at = self.row(table, root)?;
        if self.is_found(at) {
            return Err(Reason::FoundByRow);
        }
        self.touch(at);
        let row = self.rows.get_mut(at).ok_or(Reason::NotInSql)?;
        if !row.set.is_empty() || !row.folds.is_empty() {
            return Err(Reason::Parts);
        }
        row.target = Some(target);
        if !row.adds.contains(&part) {
            row.adds.push(part);
        }
        // What a turn looked at before it adds something the next one sees changed.
        let (turn, looked) = (row.turn, row.looked_at_in_turns.clone());
        if turn != self.turn && looked.iter().any(|column| self.is_stale(at, *column)) {
            return Err(Reason::Parts);
        }
        Ok(at)
    }

    /// What becomes of a root where a part is added to it at a step.
    fn adds_at_step(
        &mut self,
        target: usize,
        part: usize,
        root: &Expression,
    ) -> Result<usize, Reason> {
        let at = self.deed(target, root)?;
        self.rows.get_mut(at).ok_or(Reason::NotInSql)?.adds.push(part);
        Ok(at)
    }

    /// Whether the root to which a part is added is found by what stands in a row.
    fn root_is_found(&self, stored: &Option<(usize, Expression)>) -> bool {
        let row = stored.as_ref().and_then(|(at, _)| self.rows.get(*at));
        row.is_some_and(|row| row.site.is_some())
    }

    /// A root that is made at its step: it has no parts yet, and what must be true of it is looked at in the end, if it has a name.
    fn make_at_step(
        &mut self,
        creation: &Creation,
        (columns, conditions, drawn): (Columns, Vec<Expression>, Vec<(usize, TableId)>),
        own: Option<usize>,
    ) -> Result<How, Reason> {
        let program = self.program;
        let target = program.targets.get(creation.row.target).ok_or(Reason::NotInSql)?;
        let table = &target.target.table;
        let few = target.target.parts.iter().any(|part| part.minimum > 0);
        let ends = match (creation.bind, own) {
            // It is found by its key, and looked at where it stands.
            (Some(bind), Some(own)) => {
                self.hold(bind, Holds::Kept(own))?;
                let values = self.made_values(creation, &columns)?;
                self.note_made(table, Expression::Bind(own), values)?;
                match few {
                    true => self.end(creation.row.target, Expression::Bind(own))?,
                    false => None,
                }
            }
            (Some(bind), None) => {
                let counted = drawn.iter().any(|(at, _)| *at == table.own_key());
                if counted {
                    self.drawn.push((bind, table.id));
                    self.hold(bind, Holds::Drawn(bind))?;
                } else {
                    self.hold(bind, Holds::Given(Expression::Bind(bind)))?;
                }
                let values = self.made_values(creation, &columns)?;
                self.note_made(table, Expression::Bind(bind), values)?;
                self.end(creation.row.target, Expression::Bind(bind))?
            }
            (None, _) if few => return Err(Reason::NeverTrue),
            (None, _) => None,
        };
        let condition = Expression::all(conditions);
        if drawn.iter().any(|(at, _)| *at >= MOST_COLUMNS) || nodes(&condition) > LARGEST {
            return Err(Reason::TooLarge);
        }
        let looked_up = columns.iter().map(|(at, _)| *at).collect();
        let (computed, checks) = rules_over(target, (creation.row, true), table, looked_up)?;
        let is_ended = ends.is_some() || (creation.bind.is_some() && own.is_none());
        let checks = if is_ended { Expression::yes() } else { checks };
        let (root, total) = (None, None);
        let own = creation.values.get(table.own_key());
        let given = !matches!(own, Some(Fill::Uuid | Fill::Counted));
        let stepping = self.stepping.as_ref();
        let goes = stepping.is_some_and(|stepping| stepping.gone.contains(&table.id));
        let anew = (given && goes && table.version.is_some()).then_some(table.id);
        let made = MadeRow { columns, drawn, condition, computed, checks, root, total, ends, anew };
        self.made.push((table.clone(), made));
        Ok(How::Made(self.made.len() - 1))
    }

    /// What stands in the columns of a row that is made, as far as that is known.
    fn made_values(
        &mut self,
        creation: &Creation,
        columns: &Columns,
    ) -> Result<Vec<Option<Expression>>, Reason> {
        let mut values = Vec::with_capacity(creation.values.len());
        for (at, fill) in creation.values.iter().enumerate() {
            let looked_up = columns.iter().find(|(of, _)| *of == at);
            values.push(match (fill, looked_up) {
                (_, Some((_, value))) => Some(value.clone()),
                (Fill::Value(value), None) if self.knows(value) => Some(self.flat(value, &[])?),
                _ => None,
            });
        }
        Ok(values)
    }

    /// That one more part may be there.
    fn has_room(
        &self,
        target: &ProgramTarget,
        part: usize,
        root: &Expression,
    ) -> Result<impl Iterator<Item = Expression>, Reason> {
        let of = target.target.parts.get(part).ok_or(Reason::NotInSql)?;
        let count = of_parts(target, &of.table, root, Aggregate::Count, 0);
        let number = |number: u32| Expression::Literal(Value::Int(i64::from(number)));
        let is = |comparison, to: u32| {
            Expression::Compare(comparison, Box::new(count.clone()), Box::new(number(to)))
        };
        // Step by step that is looked at in the end.
        let few = self.stepping.is_none();
        let least = of.minimum.saturating_sub(1) * u32::from(few);
        let least = (least > 0).then(|| is(Comparison::GreaterOrEqual, least));
        let most = (of.maximum < u32::MAX).then(|| is(Comparison::Less, of.maximum));
        Ok(least.into_iter().chain(most))
    }

    /// Whether a column of a row draws on parts that were added to it.
    pub(super) fn is_stale(&self, row: usize, column: usize) -> bool {
        let Some(row) = self.rows.get(row).filter(|row| !row.adds.is_empty()) else { return false };
        let target = row.target.and_then(|target| self.program.targets.get(target));
        target.is_some_and(|target| {
            let computed = target.target.computed.iter().zip(&target.computed);
            let mut drawn: Vec<usize> = Vec::new();
            for (computed, inputs) in computed {
                if inputs.parts.iter().any(|part| row.adds.contains(part))
                    || inputs.columns.iter().any(|column| drawn.contains(column))
                {
                    drawn.push(computed.column);
                }
            }
            drawn.contains(&column) || row.table.version == Some(column)
        })
    }

    /// What a root draws on parts of which some fields are looked up: once they are all there, it is worked out again.
    fn total(
        &mut self,
        target: &ProgramTarget,
        part: usize,
        root: usize,
    ) -> Result<Option<usize>, Reason> {
        let table = &target.target.table;
        let draws = |inputs: &Inputs| inputs.parts.contains(&part);
        let mut set = Vec::new();
        for (computed, _) in
            target.target.computed.iter().zip(&target.computed).filter(|(_, inputs)| draws(inputs))
        {
            let column = table.columns.get(computed.column).ok_or(Reason::NotInSql)?;
            let timed = matches!(column.scalar, Scalar::Time | Scalar::Duration | Scalar::Json);
            // While fields are missing, a sum is another one; the least of nothing would be none.
            let mut sums = true;
            computed.expression.visit(&mut |e| {
                sums &= match e {
                    Expression::Aggregate { aggregate, .. } => {
                        matches!(aggregate, Aggregate::Sum | Aggregate::Count)
                    }
                    Expression::Bind(_) | Expression::Member { .. } => false,
                    _ => true,
                };
            });
            if timed || !sums {
                return Err(Reason::LooksElsewhere);
            }
            set.push((computed.column, computed.expression.clone()));
        }
        let again = |rule: &Expression| set.iter().any(|(column, _)| draws_on(rule, *column, 0));
        let rules = &target.target;
        if target.checks.iter().any(draws)
            || rules.checks.iter().any(|check| again(&check.expression))
            || rules.computed.iter().any(|computed| again(&computed.expression))
        {
            return Err(Reason::LooksElsewhere);
        }
        if set.is_empty() {
            return Ok(None);
        }
        let alike = |total: &Total| total.table.id == table.id && total.set == set;
        let at = self.totals.iter().position(alike).unwrap_or_else(|| {
            let key = Expression::Bind(self.program.filled.len());
            self.totals.push(Total { table: table.clone(), key, set, roots: Vec::new() });
            self.totals.len() - 1
        });
        if let Some(total) = self.totals.get_mut(at).filter(|total| !total.roots.contains(&root)) {
            total.roots.push(root);
        }
        Ok(Some(at))
    }
}

/// A fold over the parts of a root of this key as they are in the database.
fn of_parts(
    target: &ProgramTarget,
    part: &Arc<Table>,
    root: &Expression,
    aggregate: Aggregate,
    column: usize,
) -> Expression {
    let body = match aggregate {
        Aggregate::Count => Expression::yes(),
        _ => Expression::column(column),
    };
    let (table, kind, depth) = (part.clone(), NumberKind::Int, 0);
    let value = Expression::Aggregate { aggregate, table, depth, body: Box::new(body), kind };
    let (key, value) = (Box::new(root.clone()), Box::new(value));
    Expression::Lookup { table: target.target.table.clone(), key, value }
}

/// The rules of a new row: what is computed of it, and what must be true.
fn rules(target: &ProgramTarget, row: Place) -> Option<(&[Computed], &[Check])> {
    let target = &target.target;
    match row.part {
        None => Some((&target.computed, &target.checks)),
        Some(part) => target.parts.get(part).map(|part| (&*part.computed, &*part.checks)),
    }
}

/// Whether a rule of a new row draws on one of its columns, but for what a root draws on its parts.
fn is_ruled(target: &ProgramTarget, row: Place, column: usize) -> bool {
    let Some((computed, checks)) = rules(target, row) else { return true };
    let computed = computed.iter().map(|computed| &computed.expression);
    let mut rules = computed.chain(checks.iter().map(|check| &check.expression));
    rules.any(|rule| draws_on(rule, column, 0))
}

/// The rules of a new row that draw on columns which are looked up, or all: computed columns, and what must be true with those.
fn rules_over(
    target: &ProgramTarget,
    (row, all): (Place, bool),
    table: &Table,
    mut looked_up: Vec<usize>,
) -> Result<(Vec<Layer>, Expression), Reason> {
    let (computed, checks) = rules(target, row).ok_or(Reason::NotInSql)?;
    let mut layers: Vec<Layer> = Vec::new();
    let is_first = all && row.part.is_none();
    let over = |rule: &Expression| {
        let over = of_row_alone(rule, is_first).ok_or(Reason::Ruled)?;
        if nodes(&over) <= LARGEST { Ok(over) } else { Err(Reason::TooLarge) }
    };
    for Computed { column, expression } in computed {
        if !all && !looked_up.iter().any(|at| draws_on(expression, *at, 0)) {
            continue;
        }
        let scalar = table.columns.get(*column).ok_or(Reason::NotInSql)?.scalar;
        let value = over(expression)?;
        if !stands_as(&value, table, scalar) {
            return Err(Reason::Timed);
        }
        add_to_layers(&mut layers, *column, value);
        looked_up.push(*column);
    }
    let mut conditions = Vec::new();
    for Check { expression, .. } in checks {
        if all || looked_up.iter().any(|at| draws_on(expression, *at, 0)) {
            conditions.extend(unless_false(over(expression)?));
        }
    }
    if !layers.is_empty() || !conditions.is_empty() {
        // What others store in other words is not what stands here.
        if table.columns.iter().any(|column| column.native.is_some()) {
            return Err(Reason::Ruled);
        }
    }
    Ok((layers, Expression::all(conditions)))
}

/// Adds a computed column to the first layer behind all that it draws on.
pub(super) fn add_to_layers(layers: &mut Vec<Layer>, column: usize, value: Expression) {
    let draws = |layer: &Layer| layer.iter().any(|(of, _)| draws_on(&value, *of, 0));
    let at = layers.iter().rposition(draws).map_or(0, |last| last + 1);
    match layers.get_mut(at) {
        Some(layer) => layer.push((column, value)),
        None => layers.push(vec![(column, value)]),
    }
}

/// Whether the database can work out a value over the columns of a row as a column of this kind keeps it: it computes neither times of day nor
/// objects.
pub(super) fn stands_as(value: &Expression, table: &Table, scalar: Scalar) -> bool {
    let timed = matches!(scalar, Scalar::Time | Scalar::Json);
    match value {
        Expression::Literal(_) => true,
        Expression::Column { depth: 0, column } => {
            table.columns.get(*column).is_some_and(|column| keeps(column.scalar, scalar))
        }
        Expression::Aggregate { .. } if timed => is_of(value, &[], scalar),
        Expression::If { then, otherwise, .. } if timed => {
            stands_as(then, table, scalar) && stands_as(otherwise, table, scalar)
        }
        Expression::Coalesce(all) if timed => {
            all.iter().all(|value| stands_as(value, table, scalar))
        }
        _ => !timed,
    }
}

/// A rule about a new row; `None` where it looks at anything but that row. `is_first`: it has no parts yet.
fn of_row_alone(rule: &Expression, is_first: bool) -> Option<Expression> {
    match rule {
        Expression::Column { depth: 0, .. } => Some(rule.clone()),
        Expression::Column { .. } | Expression::Lookup { .. } | Expression::Member { .. } => None,
        Expression::Aggregate { aggregate, kind, depth: 0, .. } if is_first => {
            Some(Expression::Literal(of_none(*aggregate, *kind)))
        }
        Expression::Aggregate { .. } => None,
        _ => rule.with_children(&mut |child| of_row_alone(child, is_first)),
    }
}

/// A rule about a row and its parts; `None` where it looks at anything else, or is too large by itself.
pub(super) fn of_row_and_parts(rule: &Expression) -> Option<Expression> {
    fn is_own(rule: &Expression, rows: usize) -> bool {
        match rule {
            Expression::Column { depth, .. } => *depth < rows,
            Expression::Lookup { .. } | Expression::Member { .. } => false,
            Expression::Aggregate { depth, body, .. } => *depth < rows && is_own(body, rows + 1),
            _ => {
                let mut own = true;
                rule.children(&mut |child| own &= is_own(child, rows));
                own
            }
        }
    }
    (is_own(rule, 1) && nodes(rule) <= LARGEST).then(|| rule.clone())
}

/// A fold over nothing.
fn of_none(aggregate: Aggregate, kind: NumberKind) -> Value {
    match (aggregate, kind) {
        (Aggregate::Count, _) | (Aggregate::Sum, NumberKind::Int) => Value::Int(0),
        (Aggregate::Sum, NumberKind::Float) => Value::Float(0.0),
        (Aggregate::Min | Aggregate::Max, _) => Value::Null,
        (Aggregate::Any, _) => Value::Bool(false),
        (Aggregate::All, _) => Value::Bool(true),
    }
}

/// What becomes of a root that was there once parts are added to it.
#[derive(Default)]
pub(super) struct DrawnOnParts {
    /// Columns that are computed, over the row as it was.
    pub set: Vec<(usize, Expression)>,
    /// What must be true of it, likewise.
    pub checks: Vec<Expression>,
    /// Columns that are computed over the row with those.
    pub layers: Vec<Layer>,
    /// What must be true of it with those.
    pub rules: Vec<Expression>,
}

/// What a root that was there draws on parts which are added to it: its computed columns, and what must be true of it. `in_layers`: what would be
/// too large over the row as it was is computed once the others are set.
pub(super) fn drawn_on_parts(
    target: Option<&ProgramTarget>,
    adds: &[usize],
    in_layers: bool,
) -> Result<DrawnOnParts, Reason> {
    let mut becomes = DrawnOnParts::default();
    let Some(target) = target.filter(|_| !adds.is_empty()) else { return Ok(becomes) };
    let is_plain = target.target.table.columns.iter().all(|column| column.native.is_none());
    let in_layers = in_layers && is_plain;
    // Over the row as it was, if that can be.
    let over = |rule: &Expression, of: &DrawnOnParts| {
        let later = |(column, _): &(usize, Expression)| draws_on(rule, *column, 0);
        if of.layers.iter().flatten().any(later) {
            return Ok(None);
        }
        let over = over_drawn(rule, &of.set).ok_or(Reason::LooksElsewhere);
        match over {
            Ok(over) if nodes(&over) <= LARGEST => Ok(Some(over)),
            _ if in_layers => Ok(None),
            Ok(_) => Err(Reason::TooLarge),
            Err(reason) => Err(reason),
        }
    };
    let later = |rule: &Expression| of_row_and_parts(rule).ok_or(Reason::LooksElsewhere);
    let draws = |inputs: &Inputs, changed: &[usize]| {
        inputs.others
            || inputs.parts.iter().any(|part| adds.contains(part))
            || inputs.columns.iter().any(|column| changed.contains(column))
    };
    let mut changed: Vec<usize> = Vec::new();
    for (computed, inputs) in target.target.computed.iter().zip(&target.computed) {
        if draws(inputs, &changed) {
            let table = &target.target.table;
            let scalar = table.columns.get(computed.column).ok_or(Reason::NotInSql)?.scalar;
            let now = over(&computed.expression, &becomes)?;
            let value = match &now {
                Some(value) => value.clone(),
                None => later(&computed.expression)?,
            };
            if !stands_as(&value, table, scalar) {
                return Err(Reason::Timed);
            }
            match now {
                Some(_) => becomes.set.push((computed.column, value)),
                None => add_to_layers(&mut becomes.layers, computed.column, value),
            }
            changed.push(computed.column);
        }
    }
    for (check, inputs) in target.target.checks.iter().zip(&target.checks) {
        if draws(inputs, &changed) {
            match over(&check.expression, &becomes)? {
                Some(check) => becomes.checks.extend(unless_false(check)),
                None => becomes.rules.extend(unless_false(later(&check.expression)?)),
            }
        }
    }
    Ok(becomes)
}

/// A rule about a root with what it draws on its parts written out; `None` where it looks at anything else, or a fold at that.
fn over_drawn(rule: &Expression, drawn: &[(usize, Expression)]) -> Option<Expression> {
    match rule {
        Expression::Column { depth: 0, column } => {
            let known = drawn.iter().find(|(at, _)| at == column);
            Some(known.map_or_else(|| rule.clone(), |(_, value)| value.clone()))
        }
        Expression::Aggregate { .. } => {
            let looks = drawn.iter().any(|(column, _)| draws_on(rule, *column, 0));
            (!looks).then(|| rule.clone())
        }
        Expression::Column { .. } | Expression::Lookup { .. } | Expression::Member { .. } => None,
        _ => rule.with_children(&mut |child| over_drawn(child, drawn)),
    }
}

/// Whether a rule of a root draws on parts of a kind.
fn root_draws_on(target: &ProgramTarget, part: usize) -> bool {
    target.computed.iter().chain(&target.checks).any(|inputs| inputs.parts.contains(&part))
}

/// Whether a rule of a root draws on a column of its parts.
fn root_folds_over(target: &ProgramTarget, part: &Table, column: usize) -> bool {
    let computed = target.target.computed.iter().map(|computed| &computed.expression);
    let mut rules = computed.chain(target.target.checks.iter().map(|check| &check.expression));
    rules.any(|rule| {
        let mut draws = false;
        rule.visit(&mut |e| {
            if let Expression::Aggregate { table, body, .. } = e {
                draws |= table.id == part.id && draws_on(body, column, 0);
            }
        });
        draws
    })
}

/// Whether a rule of a part draws on a column of its root.
fn parts_draw_on(target: &ProgramTarget, column: usize) -> bool {
    target.target.parts.iter().any(|part| {
        let computed = part.computed.iter().map(|computed| &computed.expression);
        let mut rules = computed.chain(part.checks.iter().map(|check| &check.expression));
        rules.any(|rule| draws_on(rule, column, 1))
    })
}

/// Whether a rule draws on a column of the row that is so many rows outwards.
pub(super) fn draws_on(rule: &Expression, column: usize, outwards: usize) -> bool {
    match rule {
        Expression::Column { depth, column: of } => *depth == outwards && *of == column,
        Expression::Lookup { .. } => true,
        _ => {
            let inner = outwards + usize::from(matches!(rule, Expression::Aggregate { .. }));
            let mut draws = false;
            rule.children(&mut |child| draws |= draws_on(child, column, inner));
            draws
        }
    }
}

/// A rule about a row of which one column is this; `None` where it looks at another one.
fn with(rule: &Expression, column: usize, value: &Expression) -> Option<Expression> {
    match rule {
        Expression::Column { depth: 0, column: of } if *of == column => Some(value.clone()),
        Expression::Column { .. } | Expression::Lookup { .. } | Expression::Aggregate { .. } => {
            None
        }
        _ => rule.with_children(&mut |child| with(child, column, value)),
    }
}

/// The tables of roots that a program makes under a key which is given.
pub(super) fn made_under_given(program: &Program) -> Vec<TableId> {
    let mut all = Vec::new();
    any_step(&program.body, &mut |step| {
        if let Step::Create(creation) = step
            && let (None, Some(table)) = (&creation.root, program.table(creation.row))
            && matches!(creation.values.get(table.own_key()), Some(Fill::Value(_)))
        {
            all.push(table.id);
        }
        false
    });
    all
}
