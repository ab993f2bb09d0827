//! What must be true of rows.

use super::flat::{LARGEST, rows_of};
use super::forming::Forming;
use super::obstacle::Reason;
use super::rule::{either, nodes};
use super::{Course, How, Insist};
use crate::Expression;

impl Forming<'_> {
    /// A condition that must be true, or what is done ends.
    pub(super) fn require(&mut self, condition: &Expression) -> Result<Course, Reason> {
        if self.knows(condition) {
            return Ok(self.course(How::Known));
        }
        let flat = self.flat(condition, &[])?;
        match rows_of(&flat)[..] {
            [row] if self.stands_with(row) && self.stepping.is_none() => self.demand(row, flat)?,
            // What stands for something of a row turned out to be of none.
            [] if self.stepping.is_none() => return Err(Reason::DependsOnRow),
            // They are locked where the step is come to.
            _ => self.insist(flat, Vec::new())?,
        }
        Ok(self.course(How::Stated))
    }

    /// Whether a condition may stand in the statement about a row: the row is there, and of this turn of a loop.
    fn stands_with(&self, row: usize) -> bool {
        self.rows.get(row).is_some_and(|row| row.found.is_none() && row.turn == self.turn)
    }

    /// Notes what must be true of several rows, if what is walked over is come to.
    pub(super) fn insist(&mut self, condition: Expression, rows: Vec<usize>) -> Result<(), Reason> {
        let condition = self.looked_up(&self.on_path(condition)).ok_or(Reason::NotInSql)?;
        if nodes(&condition) > LARGEST {
            return Err(Reason::TooLarge);
        }
        let each_turn = self.turn.is_some() || self.stepping.is_some();
        if each_turn {
            self.turn_insists.push(self.insists.len());
        } else if let Some(last) =
            self.insists.iter_mut().rev().find(|last| {
                !last.each_turn && nodes(&last.condition) + nodes(&condition) <= LARGEST
            })
        {
            // One question is less work than two.
            let before = std::mem::replace(&mut last.condition, Expression::yes());
            last.condition = Expression::all([before, condition]);
            last.rows.extend(rows);
            return Ok(());
        }
        self.insists.push(Insist { condition, rows, each_turn });
        Ok(())
    }

    /// A condition that counts only where what is walked over is come to.
    pub(super) fn on_path(&self, condition: Expression) -> Expression {
        let yes = Expression::yes();
        self.path.iter().rev().fold(condition, |condition, (decides, so)| {
            let (then, otherwise) = if *so { (&condition, &yes) } else { (&yes, &condition) };
            either(decides, then, otherwise)
        })
    }

    /// Notes what must be true of a row, if what is walked over is come to.
    pub(super) fn demand(&mut self, row: usize, condition: Expression) -> Result<(), Reason> {
        let turn = self.turn;
        let condition = self.on_path(condition);
        let row = self.rows.get_mut(row).ok_or(Reason::NotInSql)?;
        if row.turn != turn {
            return Err(Reason::OutsideOfLoop);
        }
        row.conditions.push(condition);
        Ok(())
    }

    /// Sees to it that something is worked out, also where nobody asks for it.
    pub(super) fn evaluate(&mut self, flat: &Expression) -> Result<(), Reason> {
        let same = Expression::equal(flat.clone(), flat.clone());
        let is_worked_out = Expression::Coalesce(vec![same, Expression::yes()]);
        match rows_of(flat)[..] {
            [row] if self.stands_with(row) => self.demand(row, is_worked_out),
            _ => self.insist(is_worked_out, Vec::new()),
        }
    }
}
