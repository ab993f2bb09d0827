//! Commands whose rows change by themselves, on PostgreSQL: all that they do goes out with the commit, and nothing is awaited before.
//!
//! What is sent does what was asked or ends the transaction. No error from here is told to anybody: the command is then run
//! over a workset, which says what stood against it.

use std::cmp::Ordering;

use operation::{
    Bound, Command, Direct, Expression, Fault, Form, Named, Program, Receipt, Step, Value,
};

use super::super::{
    Answer, Asked, Database, Failure, Key, Kind, Left, Place, Writing, draws_on_row,
};
use super::{Flow, Running, ill_formed};
use crate::lower;

/// The direct form of a command, where that spares it a wait. `receipt`: by which it is known if it is asked for again.
pub(crate) fn of<'c>(command: &'c Command, receipt: Option<&Receipt>) -> Option<&'c Direct> {
    let direct = sparing(&command.program)?;
    let asked = command.settles.is_some() || receipt.is_some();
    // What is kept with a receipt must be known before the row is.
    let told_late = direct.answered.is_some() && receipt.is_some();
    ((asked || !direct.rows.is_empty()) && !told_late).then_some(direct)
}

/// The direct form of a program, if what it answers needs no statement of its own.
pub(super) fn sparing(program: &Program) -> Option<&Direct> {
    let direct = program.direct.as_ref()?;
    let at_hand = match &program.answer {
        Form::Row(read) => draws_on_row(read, &read.table),
        Form::Nothing | Form::Value(_) => true,
    };
    at_hand.then_some(direct)
}

/// The statement that changes a row of a direct form.
pub(super) fn statement(
    program: &Program,
    direct: &Direct,
    at: usize,
    binds: &[Value],
) -> Result<lower::Statement, Fault> {
    let row = direct.rows.get(at).ok_or_else(|| ill_formed("no such row"))?;
    let target = program.targets.get(row.target).ok_or_else(|| ill_formed("no such target"))?;
    let change = lower::direct::Change {
        table: &target.target.table,
        key: &row.key,
        set: &row.set,
        condition: &row.condition,
        answered: direct.answered == Some(at),
    };
    lower::direct::change(change, binds)
}

impl<D: Database> Writing<'_, D> {
    /// Sends a command in its direct form.
    pub(in super::super) async fn command_directly(
        &mut self,
        command: &Command,
        direct: &Direct,
    ) -> Result<Left, Fault> {
        let writing = Writing { database: &mut *self.database };
        let mut running = Running { direct: Some(direct), ..Running::of(writing, command) };
        if let Some(task) = command.settles {
            running.writing.settle_task_surely(task).await?;
        }
        let admission = &command.program.admission;
        if direct.knows(admission) && !running.holds(admission).await? {
            return Err(not_so());
        }
        let returned = match running.steps(&command.program.body).await? {
            Flow::Returned(value) => value,
            Flow::On => None,
        };
        running.change_rows(direct, &command.named).await?;
        running.flush().await?;
        let answer = match (&command.program.answer, direct.answered) {
            (Form::Row(read), Some(_)) => {
                let mut binds = running.binds.clone();
                binds.push(returned.unwrap_or_default());
                Answer::Returned { read: read.clone(), binds }
            }
            _ => running.answer(returned).await?,
        };
        Ok(running.left(answer))
    }
}

impl<'p, D: Database> Running<'_, 'p, D> {
    /// A step that a statement takes over, where it does: what is known of it is looked at now.
    pub(super) async fn step_of_row(
        &mut self,
        direct: &Direct,
        step: &Step,
    ) -> Result<Option<Flow>, Fault> {
        match step {
            Step::Let { value, .. } | Step::Require { condition: value, .. }
                if !direct.knows(value) =>
            {
                Ok(Some(Flow::On))
            }
            Step::Return(Some(value)) if !direct.knows(value) => Ok(Some(Flow::Returned(None))),
            Step::Update { row, set, bounds, .. } => {
                let table = self.table(*row)?;
                for (column, value) in set.iter().filter(|(_, value)| direct.knows(value)) {
                    let value = self.value(value, None).await?;
                    let nullable = table.columns.get(*column).is_some_and(|it| it.nullable);
                    let broken = |bound: &Bound| bound.column == *column && !(bound.holds)(&value);
                    let fits = if value.is_null() { nullable } else { !bounds.iter().any(broken) };
                    if !fits {
                        return Err(not_so());
                    }
                }
                Ok(Some(Flow::On))
            }
            _ => Ok(None),
        }
    }

    /// Sends the statements that change rows, in the order in which all commands lock rows.
    async fn change_rows(&mut self, direct: &Direct, named: &[Named]) -> Result<(), Fault> {
        let program = self.program;
        let mut rows = Vec::with_capacity(direct.rows.len());
        for (at, row) in direct.rows.iter().enumerate() {
            let target = program.targets.get(row.target);
            let table = &target.ok_or_else(|| ill_formed("no such target"))?.target.table;
            rows.push((table, self.key_of(&row.key)?, at));
        }
        let covered = |named: &Named| {
            let table = program.visible.get(named.visible).map(|visible| visible.table.id);
            rows.iter().any(|(of, key, _)| Some(of.id) == table && *key == named.key)
        };
        if !named.iter().all(covered) {
            return Err(not_so());
        }
        rows.sort_by(|(a, one, _), (b, other, _)| {
            a.id.cmp(&b.id).then(operation::order(one, other).unwrap_or(Ordering::Equal))
        });
        // Two names of one row: its changes follow each other, which no statement knows.
        if rows.windows(2).any(|two| two[0].0.id == two[1].0.id && two[0].1 == two[1].1) {
            return Err(not_so());
        }
        for (table, _, at) in rows {
            let kind = if direct.answered == Some(at) { Kind::Answered } else { Kind::Sure };
            let place = Place { target: program.id, at, table };
            let asked = Asked::Kept(Key::of(place, kind, &[], self.binds.len())?);
            let binds = &self.binds;
            let lower = || statement(program, direct, at, binds);
            let sent = self.writing.database.run(asked, lower, binds.iter()).await;
            sent.map_err(Failure::into_fault)?;
        }
        Ok(())
    }

    fn key_of(&self, key: &Expression) -> Result<Value, Fault> {
        match key {
            Expression::Literal(value) => Ok(value.clone()),
            Expression::Bind(at) => Ok(self.binds.get(*at).cloned().unwrap_or_default()),
            _ => Err(ill_formed("a key that is not known")),
        }
    }
}

/// That something stands against a command; what, the workset says.
fn not_so() -> Fault {
    Fault::Internal("a direct command was not run over a workset when it was refused".to_owned())
}
