//! Rows that go.

use super::forming::{Forming, Row};
use super::obstacle::Reason;
use crate::Expression;
use crate::program::{Place, ProgramTarget, Step, any_step};

impl Forming<'_> {
    /// A root that goes; the database takes its parts along, and does what is to be done about what else refers to it.
    pub(super) fn delete(&mut self, place: Place, key: &Expression) -> Result<usize, Reason> {
        let program = self.program;
        if place.part.is_some() {
            return Err(Reason::Parts);
        }
        let target = program.targets.get(place.target).ok_or(Reason::NotInSql)?;
        let table = &target.target.table;
        if self.made_in.contains(&table.id) {
            return Err(Reason::Deletes);
        }
        let at = self.row(table, key)?;
        // What refers to it is looked for by its key.
        if self.is_found(at) {
            return Err(Reason::FoundByRow);
        }
        let row = self.rows.get_mut(at).ok_or(Reason::NotInSql)?;
        if row.turn != self.turn {
            return Err(Reason::OutsideOfLoop);
        }
        // In another branch, it may be, as well.
        if row.target.is_some() {
            return Err(Reason::Deletes);
        }
        row.goes = true;
        self.reached.extend(target.reached.iter().map(|table| (at, *table)));
        Ok(at)
    }

    /// A root that goes at its step.
    pub(super) fn delete_at_step(
        &mut self,
        place: Place,
        key: &Expression,
    ) -> Result<usize, Reason> {
        if place.part.is_some() {
            return self.delete_part(place, key);
        }
        let target = self.program.targets.get(place.target).ok_or(Reason::NotInSql)?;
        let table = target.target.table.clone();
        let row = self.row(&table, key)?;
        self.goes(target)?;
        self.touch(row);
        let Row { key, site, made, .. } = self.rows.get(row).ok_or(Reason::NotInSql)?;
        let (key, site, made) = (key.clone(), *site, *made);
        let at = self.add_deed(&table, key, made);
        (self.rows[at].site, self.rows[at].goes) = (site, true);
        Ok(at)
    }

    /// Notes that rows of a table go from now on.
    fn goes(&mut self, target: &ProgramTarget) -> Result<(), Reason> {
        let stepping = self.stepping.as_mut().ok_or(Reason::NotInSql)?;
        stepping.gone.push(target.target.table.id);
        stepping.along.extend(target.along.iter().map(|table| table.id));
        Ok(())
    }

    /// The same of all that go in a loop, since another turn comes after.
    pub(super) fn goes_in_turns(&mut self, body: &[Step]) -> Result<(), Reason> {
        let mut gone = Vec::new();
        any_step(body, &mut |step| {
            if let Step::Delete { row, .. } = step {
                gone.push(row.target);
            }
            false
        });
        gone.into_iter().try_for_each(|target| {
            self.goes(self.program.targets.get(target).ok_or(Reason::NotInSql)?)
        })
    }

    /// Over rows as they were, what the database does to others when one goes is not known here: nothing else may be done to those, and they must not be
    /// looked at, which may come before or after.
    pub(super) fn look_at_reached(&mut self) -> Result<(), Reason> {
        for (goes, table) in &self.reached {
            let turns = self.rows.get(*goes).is_some_and(|row| row.turn.is_some());
            let stands_against = |(at, row): (usize, &Row)| {
                row.table.id == *table && (at != *goes || turns) || row.folds.contains(table)
            };
            if self.made_in.contains(table) || self.rows.iter().enumerate().any(stands_against) {
                self.step =
                    self.rows.get(*goes).map(|row| format!("delete {}", row.table.entity).into());
                return Err(Reason::Deletes);
            }
        }
        Ok(())
    }
}
