//! The direct form of a program: rows that change by themselves, each by one statement that also holds every rule.
//!
//! A program has one if nothing that it does beside them depends on what stands in rows. What a step would look up in a row
//! that changes becomes an expression over that row as it was, so that the database can decide it while it changes the
//! row. A statement that finds its condition untrue ends the transaction; who ran it then runs the program as written, which
//! says what stood against it. So the condition may refuse too much, and must never refuse too little.

use std::cell::Cell;
use std::sync::Arc;

use super::{Bound, Creation, Fill, Form, Place, Program, Step};
use crate::{Arithmetic, Expression, Flow, NumberKind, Scalar, Table, Value};

/// The largest expression that a row's values and its condition may have, in nodes: what is looked up again and again is
/// written out each time.
const LARGEST: usize = 256;

/// The direct form of a program.
#[derive(Debug)]
pub struct Direct {
    /// The rows that change, in the order in which they are named.
    pub rows: Vec<DirectRow>,
    /// Which of them is answered; `None`: none, or one that is made.
    pub answered: Option<usize>,
    /// Which binds stand for what is worked out of a row.
    of_rows: Vec<bool>,
}

/// A row that changes, whatever else stands in it.
#[derive(Debug)]
pub struct DirectRow {
    /// Position in [`Program::targets`].
    pub target: usize,
    /// Its key: a bind or a constant.
    pub key: Expression,
    /// What its columns become, with the row as it was at depth 0.
    pub set: Vec<(usize, Expression)>,
    /// Must be true of the row as it was.
    pub condition: Expression,
}

impl Direct {
    /// The direct form of a program, if it has one.
    pub fn of(program: &Program) -> Option<Self> {
        if program.scans || program.coded {
            return None;
        }
        let mut forming = Forming::new(program);
        forming.name_rows(&program.body)?;
        forming.admit()?;
        let returned = forming.walk(&program.body)?;
        let answered = match (&program.answer, returned) {
            (Form::Nothing, _) | (_, Holds::Made) => None,
            (Form::Value(_), Holds::Given(_)) => None,
            (Form::Row(_), Holds::Given(Expression::Literal(Value::Null))) => None,
            (Form::Row(read), Holds::Given(key)) => Some(forming.row_of(&read.table, &key)?),
            (_, Holds::Of(..)) => return None,
        };
        let of_rows = forming.binds.iter().map(|held| matches!(held, Holds::Of(..))).collect();
        let rows: Option<Vec<DirectRow>> =
            (0..forming.rows.len()).map(|row| forming.finish(row)).collect();
        Some(Self { rows: rows?, answered, of_rows })
    }

    /// Whether a value is known before any row is; otherwise the statements work it out.
    pub fn knows(&self, expression: &Expression) -> bool {
        is_known(expression, &|bind| self.of_rows.get(bind) == Some(&true))
    }
}

/// Whether an expression looks at no row, and names no bind that stands for something of one.
fn is_known(expression: &Expression, is_of_row: &dyn Fn(usize) -> bool) -> bool {
    let mut known = true;
    expression.visit(&mut |e| {
        known &= match e {
            Expression::Column { .. }
            | Expression::Lookup { .. }
            | Expression::Aggregate { .. } => false,
            Expression::Bind(bind) => !is_of_row(*bind),
            _ => true,
        };
    });
    known
}

/// What a bind holds once the steps before have run.
#[derive(Debug, Clone)]
enum Holds {
    /// What is known: this bind or constant.
    Given(Expression),
    /// The key of a row that is made, or what is worked out of that.
    Made,
    /// What is worked out of the row at this position, as it was.
    Of(usize, Expression),
}

/// A row as the steps so far leave it.
struct Row {
    target: usize,
    table: Arc<Table>,
    key: Expression,
    /// Each column, with the row as it was at depth 0.
    values: Vec<Expression>,
    set: Vec<usize>,
    conditions: Vec<Expression>,
}

struct Forming<'p> {
    program: &'p Program,
    binds: Vec<Holds>,
    rows: Vec<Row>,
}

impl<'p> Forming<'p> {
    fn new(program: &'p Program) -> Self {
        let binds = (0..program.filled.len()).map(|bind| Holds::Given(Expression::Bind(bind)));
        Self { program, binds: binds.collect(), rows: Vec::new() }
    }

    /// Finds the rows that change, by the steps that change them.
    fn name_rows(&mut self, steps: &'p [Step]) -> Option<()> {
        for step in steps {
            match step {
                Step::Let { bind, value: Expression::Bind(of) } => {
                    let held = self.binds.get(*of)?.clone();
                    self.hold(*bind, held)?;
                }
                Step::Update { row, key, .. } => {
                    let key = self.key(key)?;
                    let table = self.program.table(*row)?;
                    if self.row_of(table, &key).is_none() {
                        let values = (0..table.columns.len()).map(Expression::column).collect();
                        let (set, conditions) = (Vec::new(), Vec::new());
                        let (target, table) = (row.target, table.clone());
                        self.rows.push(Row { target, table, key, values, set, conditions });
                    }
                }
                Step::Run { body, .. } => self.name_rows(body)?,
                _ => {}
            }
        }
        Some(())
    }

    /// What must be true of the rows before anything is done: who may see them, and who may run this.
    fn admit(&mut self) -> Option<()> {
        let program = self.program;
        for visible in &program.visible {
            for bind in visible.named.as_ref()? {
                let row = self.row_of(&visible.table, &Expression::Bind(*bind))?;
                let condition = self.of_row(row, &visible.condition)?;
                self.demand(row, condition)?;
            }
        }
        self.require(&program.admission)
    }

    fn require(&mut self, condition: &Expression) -> Option<()> {
        if self.knows(condition) {
            return Some(());
        }
        let (row, condition) = self.flat(condition, &[])?;
        self.demand(row?, condition)
    }

    fn demand(&mut self, row: usize, condition: Expression) -> Option<()> {
        self.rows.get_mut(row)?.conditions.push(condition);
        Some(())
    }

    /// What the steps return.
    fn walk(&mut self, steps: &'p [Step]) -> Option<Holds> {
        for step in steps {
            match step {
                Step::Let { bind, value } => {
                    let held = self.value(value, Some(*bind))?;
                    self.hold(*bind, held)?;
                }
                // Objects are read before the statements are sent.
                Step::Unpack { from, .. } => self.must_know(from)?,
                Step::Require { condition, .. } => self.require(condition)?,
                Step::Update { row, key, set, bounds } => self.update(*row, key, set, bounds)?,
                Step::Create(creation) => self.create(creation)?,
                Step::Emit { key, members, .. } => {
                    members.iter().try_for_each(|member| self.must_know(&member.value))?;
                    key.iter().try_for_each(|(key, _)| self.must_know(key))?;
                }
                Step::Later { arguments, terms, .. } => {
                    arguments.iter().try_for_each(|argument| self.must_know(&argument.value))?;
                    terms.delay.iter().try_for_each(|delay| self.must_know(delay))?;
                    terms.unique.iter().try_for_each(|(unique, _)| self.must_know(unique))?;
                }
                Step::Run { body, bind } => {
                    let returned = self.walk(body)?;
                    if let Some(bind) = bind {
                        let held = match returned {
                            Holds::Given(Expression::Bind(_) | Expression::Literal(_))
                            | Holds::Made
                            | Holds::Of(..) => returned,
                            // What is worked out is in the bind before it is asked for.
                            Holds::Given(_) => Holds::Given(Expression::Bind(*bind)),
                        };
                        self.hold(*bind, held)?;
                    }
                }
                Step::Return(Some(value)) => return self.value(value, None),
                Step::Return(None) => break,
                Step::For { .. }
                | Step::If { .. }
                | Step::Delete { .. }
                | Step::Code { .. }
                | Step::Collect { .. } => return None,
            }
        }
        Some(Holds::Given(Expression::Literal(Value::Null)))
    }

    /// What a value is, which `bind` will hold.
    fn value(&self, value: &Expression, bind: Option<usize>) -> Option<Holds> {
        if !self.knows(value) {
            let (row, flat) = self.flat(value, &[])?;
            // Evaluated as written, it would fail here, also where nobody asks for it later.
            return (!flat.can_fail()).then_some(Holds::Of(row?, flat));
        }
        if self.is_made(value) {
            return Some(Holds::Made);
        }
        Some(match (value, bind) {
            (Expression::Bind(of), _) => self.binds.get(*of)?.clone(),
            (Expression::Literal(_), _) | (_, None) => Holds::Given(value.clone()),
            (_, Some(bind)) => Holds::Given(Expression::Bind(bind)),
        })
    }

    fn hold(&mut self, bind: usize, held: Holds) -> Option<()> {
        *self.binds.get_mut(bind)? = held;
        Some(())
    }

    fn update(
        &mut self,
        place: Place,
        key: &Expression,
        set: &[(usize, Expression)],
        bounds: &[Bound],
    ) -> Option<()> {
        let program = self.program;
        let target = program.targets.get(place.target).filter(|_| place.part.is_none())?;
        let key = self.key(key)?;
        let table = &target.target.table;
        let at = self.row_of(table, &key)?;
        let mut values = Vec::with_capacity(set.len());
        let mut conditions = Vec::new();
        for (column, value) in set {
            let scalar = table.columns.get(*column)?.scalar;
            let again = self.rows.get(at)?.set.contains(column);
            if again || table.key.contains(column) || self.is_made(value) {
                return None;
            }
            let flat = self.of_row(at, value)?;
            if !can_be_assigned(&flat, scalar, table) {
                return None;
            }
            values.push((*column, flat));
        }
        for flow in &target.target.flows {
            if let Some((_, new)) = values.iter().find(|(column, _)| *column == flow.column) {
                let old = self.rows.get(at)?.values.get(flow.column)?;
                let nullable = table.columns.get(flow.column)?.nullable;
                conditions.extend(transition(flow, old, new, nullable));
            }
        }
        let mut changed: Vec<usize> = set.iter().map(|(column, _)| *column).collect();
        for (column, value) in values {
            self.set(at, column, value)?;
        }
        for (computed, inputs) in target.target.computed.iter().zip(&target.computed) {
            if inputs.columns.iter().any(|column| changed.contains(column)) {
                let value = self.of_row(at, &computed.expression)?;
                let scalar = table.columns.get(computed.column)?.scalar;
                if !can_be_assigned(&value, scalar, table) {
                    return None;
                }
                self.set(at, computed.column, value)?;
                changed.push(computed.column);
            }
        }
        // What is known is held to its bounds before the statement is sent.
        for (column, _) in set.iter().filter(|(_, value)| !self.knows(value)) {
            let mut rules = Vec::new();
            for bound in bounds.iter().filter(|bound| bound.column == *column) {
                rules.push(self.of_row(at, bound.rule.as_ref()?)?);
            }
            let rule = Expression::all(rules);
            if table.columns.get(*column)?.nullable {
                conditions.extend(unless_false(rule));
            } else if rule == Expression::yes() {
                let value = self.rows.get(at)?.values.get(*column)?.clone();
                conditions.push(Expression::Not(Box::new(Expression::IsNull(Box::new(value)))));
            } else {
                // Of nothing no bound is true.
                conditions.push(rule);
            }
        }
        conditions.into_iter().try_for_each(|condition| self.demand(at, condition))
    }

    fn set(&mut self, row: usize, column: usize, value: Expression) -> Option<()> {
        let row = self.rows.get_mut(row)?;
        *row.values.get_mut(column)? = value;
        if !row.set.contains(&column) {
            row.set.push(column);
        }
        Some(())
    }

    /// A root that is made of what is known, and whose rules look at nothing else.
    fn create(&mut self, creation: &Creation) -> Option<()> {
        let target = self.program.targets.get(creation.row.target)?;
        let elsewhere = target.computed.iter().chain(&target.checks).any(|inputs| inputs.others);
        if creation.root.is_some() || creation.row.part.is_some() || elsewhere {
            return None;
        }
        for fill in &creation.values {
            match fill {
                Fill::Value(value) => self.must_know(value)?,
                Fill::Uuid | Fill::Computed => {}
                Fill::Counted | Fill::Position | Fill::Root => return None,
            }
        }
        creation.bind.map_or(Some(()), |bind| self.hold(bind, Holds::Made))
    }

    /// What becomes of a row.
    fn finish(&self, at: usize) -> Option<DirectRow> {
        let row = self.rows.get(at)?;
        let target = self.program.targets.get(row.target)?;
        if row.set.is_empty() {
            // It stands behind a `return`.
            return None;
        }
        let mut conditions = row.conditions.clone();
        for (check, inputs) in target.target.checks.iter().zip(&target.checks) {
            if inputs.others || inputs.columns.iter().any(|column| row.set.contains(column)) {
                conditions.extend(unless_false(self.of_row(at, &check.expression)?));
            }
        }
        let mut set = Vec::with_capacity(row.set.len() + 1);
        for column in &row.set {
            set.push((*column, row.values.get(*column)?.clone()));
        }
        if let Some(version) = row.table.version {
            set.push((version, next(Expression::column(version))));
        }
        let condition = Expression::all(conditions);
        // What is always refused is refused sooner where the row is loaded.
        let possible = condition != Expression::no();
        (possible && nodes(&condition) <= LARGEST).then(|| DirectRow {
            target: row.target,
            key: row.key.clone(),
            set,
            condition,
        })
    }

    fn knows(&self, expression: &Expression) -> bool {
        is_known(expression, &|bind| matches!(self.binds.get(bind), Some(Holds::Of(..))))
    }

    fn must_know(&self, expression: &Expression) -> Option<()> {
        self.knows(expression).then_some(())
    }

    /// Whether a value draws on a row that is made.
    fn is_made(&self, expression: &Expression) -> bool {
        let mut made = false;
        expression.visit(&mut |e| {
            if let Expression::Bind(bind) = e {
                made |= matches!(self.binds.get(*bind), Some(Holds::Made));
            }
        });
        made
    }

    /// The bind or constant that a key is.
    fn key(&self, key: &Expression) -> Option<Expression> {
        match key {
            Expression::Bind(bind) => match self.binds.get(*bind)? {
                Holds::Given(key) => Some(key.clone()),
                Holds::Made | Holds::Of(..) => None,
            },
            Expression::Literal(_) => Some(key.clone()),
            _ => None,
        }
    }

    fn row_of(&self, table: &Table, key: &Expression) -> Option<usize> {
        self.rows.iter().position(|row| row.table.id == table.id && row.key == *key)
    }

    /// An expression over a row as it is now, written over that row as it was.
    fn of_row(&self, row: usize, expression: &Expression) -> Option<Expression> {
        let (touched, flat) = self.flat(expression, &[row])?;
        touched.is_none_or(|touched| touched == row).then_some(flat)
    }

    /// An expression written over one row as it was, and which that is; none, where it looks at none. `scope`: the rows in scope,
    /// the innermost last.
    fn flat(
        &self,
        expression: &Expression,
        scope: &[usize],
    ) -> Option<(Option<usize>, Expression)> {
        let touched = Cell::new(None);
        let flat = self.flatten(expression, scope, &touched)?;
        (nodes(&flat) <= LARGEST).then(|| (touched.get(), flat))
    }

    fn flatten(
        &self,
        expression: &Expression,
        scope: &[usize],
        touched: &Cell<Option<usize>>,
    ) -> Option<Expression> {
        let touch = |row: usize| {
            let first = touched.get().is_none_or(|known| known == row);
            touched.set(Some(row));
            first.then_some(())
        };
        match expression {
            Expression::Literal(_) => Some(expression.clone()),
            Expression::Bind(bind) => match self.binds.get(*bind)? {
                Holds::Given(value) => Some(value.clone()),
                Holds::Made => None,
                Holds::Of(row, value) => {
                    touch(*row)?;
                    Some(value.clone())
                }
            },
            Expression::Column { depth, column } => {
                let row = *scope.iter().rev().nth(*depth)?;
                touch(row)?;
                self.rows.get(row)?.values.get(*column).cloned()
            }
            Expression::Lookup { table, key, value } => {
                let row = self.row_of(table, &self.key(key)?)?;
                let mut inside = scope.to_vec();
                inside.push(row);
                touch(row)?;
                self.flatten(value, &inside, touched)
            }
            // Rows of others are not locked while the statement looks at them, and only Rust reads JSON.
            Expression::Aggregate { .. } | Expression::Member { .. } => None,
            _ => expression.with_children(&mut |child| self.flatten(child, scope, touched)),
        }
    }
}

/// True, all of them, where a rule is not false, as in SQL.
fn unless_false(rule: Expression) -> Vec<Expression> {
    let terms = match rule {
        Expression::And(terms) => terms,
        Expression::Literal(Value::Bool(true)) => Vec::new(),
        rule => vec![rule],
    };
    let each = terms.into_iter().map(|term| Expression::Coalesce(vec![term, Expression::yes()]));
    each.collect()
}

/// What must be true where a state goes from `old` to `new`: a flow has that, and what is set already is refused. Nothing, where
/// it is no state.
fn transition(
    flow: &Flow,
    old: &Expression,
    new: &Expression,
    nullable: bool,
) -> Option<Expression> {
    let state = |state: &str| Expression::Literal(Value::text(state));
    let legal = match new {
        Expression::Literal(Value::Text(to)) => {
            let from = flow.transitions.iter().filter(|(_, next)| next.iter().any(|n| **n == **to));
            let from: Vec<Expression> = from.map(|(from, _)| state(from)).collect();
            if from.is_empty() {
                Expression::no()
            } else {
                Expression::In(Box::new(old.clone()), from)
            }
        }
        Expression::Literal(_) => return None,
        _ => Expression::any(flow.transitions.iter().map(|(from, next)| {
            let next = next.iter().map(|next| state(next)).collect();
            Expression::all([
                Expression::equal(old.clone(), state(from)),
                Expression::In(Box::new(new.clone()), next),
            ])
        })),
    };
    let nothing = |value: &Expression| match value {
        Expression::Literal(value) => Expression::Literal(Value::Bool(value.is_null())),
        _ if nullable => Expression::IsNull(Box::new(value.clone())),
        _ => Expression::no(),
    };
    Some(Expression::any([legal, nothing(old), nothing(new)]))
}

/// Whether the database can work out a value as a column of this kind keeps it. Of days and moments it computes with whole numbers,
/// which are not what such a column keeps.
fn can_be_assigned(value: &Expression, scalar: Scalar, table: &Table) -> bool {
    let timed = matches!(
        scalar,
        Scalar::Date | Scalar::Time | Scalar::Timestamp | Scalar::Duration | Scalar::Json
    );
    match value {
        Expression::Literal(_) | Expression::Bind(_) => true,
        Expression::Column { column, .. } => {
            table.columns.get(*column).is_some_and(|column| column.scalar == scalar)
        }
        _ => !timed,
    }
}

/// One more.
fn next(number: Expression) -> Expression {
    Expression::Arithmetic {
        operation: Arithmetic::Add,
        kind: NumberKind::Int,
        left: Box::new(number),
        right: Box::new(Expression::Literal(Value::Int(1))),
    }
}

fn nodes(expression: &Expression) -> usize {
    let mut count = 0;
    expression.visit(&mut |_| count += 1);
    count
}
