//! What draws on references that the database has emptied, and on parts that it has taken along.

use std::time::SystemTime;

use operation::{Dialect, Fault, Redraw, Rule, Value};

use super::change::{Pointer, broken};
use super::command::said_of;
use super::{Asked, Database, Failure, Writing, ill_formed};
use crate::lower::cleared::Cleared;
use crate::lower::{Statement, redraw};

impl<D: Database> Writing<'_, D> {
    /// Works out what is computed of rows that have lost something, and looks at their rules: when all else is done.
    ///
    /// # Errors
    /// [`Fault::Invalid`] where a rule does not hold any more.
    pub(super) async fn redraw(&mut self, noted: &[Cleared]) -> Result<(), Failure> {
        self.work_out(noted).await?;
        let rules = rules(noted);
        if !rules.is_empty() {
            let now = moment(&rules);
            let lower = || redraw::broken(D::DIALECT, &rules, &now);
            let answers = self.database.run(Asked::Once, lower, now.iter()).await?;
            let answers = answers.into_iter().next().ok_or_else(|| ill_formed("no answer"))?;
            let broken_ones = rules.iter().zip(answers).filter(|(_, is)| *is == Value::Bool(true));
            let mut found = Vec::new();
            for ((_, rule), _) in broken_ones {
                let said = said_of(&rule.table, vec![broken(&rule.check, Pointer::Body)]);
                found.extend(said.into_iter().filter(|it| !found.contains(it)).collect::<Vec<_>>());
            }
            if !found.is_empty() {
                return Err(Fault::Invalid(found).into());
            }
        }
        if D::DIALECT == Dialect::Sqlite && noted.iter().any(|it| !it.redraws.is_empty()) {
            let lower = || Ok(Statement::of(redraw::FORGET));
            self.database.run(Asked::Sent, lower, std::iter::empty()).await?;
        }
        Ok(())
    }

    /// The same, of which no answer is awaited: a rule that does not hold ends the transaction of PostgreSQL.
    pub(super) async fn redraw_surely(&mut self, noted: &[Cleared]) -> Result<(), Failure> {
        self.work_out(noted).await?;
        self.insist_on_redrawn(noted).await
    }

    /// Works out what is computed of rows that have lost something.
    pub(super) async fn work_out(&mut self, noted: &[Cleared]) -> Result<(), Failure> {
        for redraw in noted.iter().flat_map(|cleared| &cleared.redraws) {
            for stage in &redraw.stages {
                let lower = || redraw::work_out(D::DIALECT, redraw, stage);
                self.database.run(Asked::Sent, lower, std::iter::empty()).await?;
            }
        }
        Ok(())
    }

    /// Ends the transaction where a rule of rows that have lost something does not hold.
    pub(super) async fn insist_on_redrawn(&mut self, noted: &[Cleared]) -> Result<(), Failure> {
        let rules = rules(noted);
        if rules.is_empty() {
            return Ok(());
        }
        let now = moment(&rules);
        let lower = || redraw::insist(&rules, &now);
        self.database.run(Asked::Sent, lower, now.iter()).await.map(drop)
    }
}

/// All rules about rows that have lost something.
pub(super) fn rules(noted: &[Cleared]) -> Vec<(&Redraw, &Rule)> {
    let redraws = noted.iter().flat_map(|cleared| &cleared.redraws);
    redraws.flat_map(|redraw| redraw.rules.iter().map(|rule| (&**redraw, rule))).collect()
}

/// What the rules are given: the moment, where one asks for it.
pub(super) fn moment(rules: &[(&Redraw, &Rule)]) -> Vec<Value> {
    let asks = rules.iter().any(|(_, rule)| rule.asks_the_time());
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    asks.then_some(Value::Int(now)).into_iter().collect()
}
