//! What a command answers.

use std::sync::Arc;

use super::forming::{Forming, Holds};
use super::obstacle::Reason;
use crate::program::{Form, Step, any_step};
use crate::{Expression, Read, Scalar, Table, Value};

/// The rows of which one is answered, and a value that stands in rows.
type Answered = (Vec<usize>, Vec<(Expression, Scalar)>);

impl Forming<'_> {
    /// What is answered, where this is returned.
    pub(super) fn answer(&mut self, returned: Holds) -> Result<Answered, Reason> {
        let program = self.program;
        let mut said = Vec::new();
        self.answers_one = !matches!(returned, Holds::Given(Expression::If { .. }));
        let answered = match (&program.answer, returned) {
            // Of a row that is made so only the database knows all.
            (Form::Row(read), Holds::Made(bind)) if self.is_looked_up(&read.table) => {
                vec![self.answer_made(read, bind.ok_or(Reason::AnswersOfRow)?)?]
            }
            (Form::Value(scalar), Holds::Of(value)) => {
                let value = self.copied_flat(value, *scalar)?;
                said.push((value, *scalar));
                Vec::new()
            }
            (Form::Value(scalar), Holds::Drawn(bind)) => {
                said.push((Expression::Bind(bind), *scalar));
                Vec::new()
            }
            (Form::Row(read), Holds::Drawn(bind)) => vec![self.answer_made(read, bind)?],
            // Step by step it is said where it is returned.
            (Form::Nothing, _)
            | (_, Holds::Made(_) | Holds::Kept(_) | Holds::Part(_))
            | (Form::Value(_), Holds::Given(_)) => Vec::new(),
            (Form::Row(read), Holds::Given(key)) => self.answer_one_of(&read.table, &key)?,
            (Form::Row(read), Holds::Of(flat)) => vec![self.row_of(&read.table, flat)?],
        };
        Ok((answered, said))
    }

    /// The rows of which one is answered, as it is decided by what was asked.
    fn answer_one_of(
        &mut self,
        table: &Arc<Table>,
        key: &Expression,
    ) -> Result<Vec<usize>, Reason> {
        match key {
            Expression::Literal(Value::Null) => Ok(Vec::new()),
            Expression::If { then, otherwise, .. } => {
                let mut rows = self.answer_one_of(table, then)?;
                for row in self.answer_one_of(table, otherwise)? {
                    if !rows.contains(&row) {
                        rows.push(row);
                    }
                }
                Ok(rows)
            }
            Expression::Bind(_) | Expression::Literal(_) => Ok(vec![self.row(table, key)?]),
            _ => Err(Reason::AnswersOfRow),
        }
    }

    /// The row that is made and answered.
    fn answer_made(&mut self, read: &Read, bind: usize) -> Result<usize, Reason> {
        let row = self.add_row(&read.table, Expression::Bind(bind), None)?;
        self.rows[row].made = true;
        Ok(row)
    }

    /// Whether new rows of a table are made of what stands in rows, or draw on such.
    fn is_looked_up(&self, table: &Table) -> bool {
        let made = self.made.iter().map(|(table, _)| table);
        made.chain(self.totals.iter().map(|total| &total.table)).any(|of| of.id == table.id)
    }

    /// Whether the body of another command returns at several places, and something that is not known.
    pub(super) fn returns_of_rows(&self, body: &[Step]) -> bool {
        let mut all = Vec::new();
        returned_by(body, &mut all);
        all.len() > 1 && !all.into_iter().all(|value| self.is_surely_known(value, body))
    }

    /// Whether a value in a body is known wherever that comes to it, as far as can be told before the body is walked over: each name that it
    /// draws on, however far, is looked at once.
    fn is_surely_known(&self, value: &Expression, body: &[Step]) -> bool {
        let (mut waiting, mut seen) = (vec![value.clone()], Vec::new());
        while let Some(value) = waiting.pop() {
            if !self.knows(&value) {
                return false;
            }
            let from = seen.len();
            value.visit(&mut |e| match e {
                Expression::Bind(bind) if !seen.contains(bind) => seen.push(*bind),
                _ => {}
            });
            let fresh = seen.get(from..).unwrap_or_default();
            let stands_in_row = any_step(body, &mut |step| match step {
                Step::Let { bind, value } => {
                    waiting.extend(fresh.contains(bind).then(|| value.clone()));
                    false
                }
                Step::Run { bind: Some(bind), .. } => fresh.contains(bind),
                // Which row was made, and is found by that, only the place tells.
                Step::Create(creation) => creation.bind.is_some_and(|bind| fresh.contains(&bind)),
                _ => false,
            });
            if stands_in_row {
                return false;
            }
        }
        true
    }
}

/// What a body returns, at each place, that of another command's body not counted.
fn returned_by<'s>(steps: &'s [Step], all: &mut Vec<&'s Expression>) {
    for step in steps {
        match step {
            Step::Return(value) => all.extend(value),
            Step::If { then, otherwise, .. } => {
                returned_by(then, all);
                returned_by(otherwise, all);
            }
            Step::For { body, .. } => returned_by(body, all),
            _ => {}
        }
    }
}
