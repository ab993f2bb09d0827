//! Jobs: tasks that come again. What a job does for many rows it does in batches, each row in a transaction of its own, and
//! notes after each batch how far it has come: whoever goes on, goes on there.

use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use model::Schedule;
use operation::{Chore, Fault, Settled, Task, Tree};
use plan::{Job, Next};

use super::{Terms, again, random, settled};
use crate::run::microseconds_now;
use crate::{Engine, Loaded};

/// How many rows are worked on at once.
const AT_ONCE: usize = 16;

/// When a job is looked at that has no next time: in a year, in microseconds.
const FAR: i64 = 365 * 24 * 3_600 * 1_000_000;

/// How many failures of one run are told.
const TOLD: usize = 3;

/// How a run goes.
struct Run<'t> {
    task: &'t Task,
    terms: Terms,
    /// Until when it is ours.
    until: i64,
    step: usize,
    /// The key behind which the rows of this step are, as JSON.
    after: Option<String>,
    /// When the clock said that it is due.
    nominal: i64,
    /// What has failed.
    failures: Vec<String>,
    failed: usize,
}

impl Run<'_> {
    fn settled(&self) -> Settled {
        Settled { number: self.task.number, until: self.until }
    }

    /// Whether what failed may go through in a while. What has not after many tries is noted as any other failure: what comes
    /// behind it shall not wait for ever.
    fn may_pass(&self, fault: &Fault) -> bool {
        self.task.failures < i64::from(self.terms.tries) && fault.is_passing()
    }

    fn note(&mut self, loaded: &Loaded, fault: &Fault) {
        self.failed += 1;
        let told = loaded.told(fault);
        if self.failures.len() < TOLD && !self.failures.contains(&told) {
            self.failures.push(told);
        }
    }
}

/// Why a run stops before its end.
enum Stop {
    /// Somebody else has it.
    Lost,
    /// The database does not answer, or not in time.
    Trouble(Fault),
    /// The process ends.
    Later,
}

impl Engine {
    /// Sees to it that each job has its task.
    pub(super) async fn schedule(&self, loaded: &Loaded) -> Result<(), Fault> {
        for (target, schedule) in loaded.plan.jobs() {
            let now = microseconds_now();
            // One that never comes again is left alone: the model may say so (the 30th of February).
            let Some(due) = schedule.first(now) else { continue };
            let unless_before = match schedule {
                Schedule::Every(_) => due,
                Schedule::Calendar { .. } => now,
            };
            self.chore(Chore::Schedule { target, due, unless_before }).await?;
        }
        Ok(())
    }

    /// Runs a job.
    pub(super) async fn run_job(&self, loaded: &Loaded, task: &Task, terms: Terms) {
        let job = match loaded.plan.job(&task.target) {
            Ok(Some(job)) => job,
            Ok(None) => {
                // The model has it no more.
                let _ = self.chore(Chore::Drop(settled(task))).await;
                return;
            }
            Err(fault) => {
                let due = microseconds_now().saturating_add(terms.lease());
                self.fail(task, settled(task), (due, false), loaded.told(&fault)).await;
                return;
            }
        };
        let Position { step, after, nominal } = position(&task.arguments);
        let now = microseconds_now();
        if nominal.is_none() && job.catch_up.leaves_out(task.due, now) {
            let due = job.schedule.next(task.due, now).unwrap_or(now.saturating_add(FAR));
            let arguments = "{}".into();
            let _ =
                self.chore(Chore::Again { task: settled(task), due, arguments, error: None }).await;
            return;
        }
        if job.jitter > 0 && nominal.is_none() {
            // The clock goes on from when it was due, not from when it begins.
            let due = microseconds_now() + random(task.number, job.jitter);
            let arguments = format!("{{\"nominal\":{}}}", task.due).into();
            let again = Chore::Again { task: settled(task), due, arguments, error: None };
            let _ = self.chore(again).await;
            return;
        }
        let nominal = nominal.unwrap_or(task.due);
        let (failures, failed) = (Vec::new(), 0);
        let mut run =
            Run { task, terms, until: task.until, step, after, nominal, failures, failed };
        match self.go_on(loaded, &job, &mut run).await {
            Ok(()) => {
                let failed = u64::try_from(run.failed).unwrap_or(u64::MAX);
                self.counts.done.fetch_add(1, Ordering::Relaxed);
                self.counts.failed.fetch_add(failed, Ordering::Relaxed);
                let now = microseconds_now();
                let due = job.schedule.after(nominal, now, job.catch_up);
                let due = due.unwrap_or(now.saturating_add(FAR));
                let error = (run.failed > 0)
                    .then(|| format!("{} failed: {}", run.failed, run.failures.join("; ")));
                if let Some(reason) = &error
                    && let Some(more) = self.troubles.comes(&task.target)
                {
                    let target = &*task.target;
                    tracing::warn!(target, reason, more, "a job has run, and some of it failed");
                }
                let error = error.map(Into::into);
                let _ = self
                    .chore(Chore::Again { task: run.settled(), due, arguments: "{}".into(), error })
                    .await;
            }
            Err(Stop::Trouble(fault)) => {
                let due = again(task, microseconds_now(), terms);
                self.fail(task, run.settled(), (due, false), loaded.told(&fault)).await;
            }
            Err(Stop::Later) => {
                let _ = self.chore(Chore::GiveBack(run.settled())).await;
            }
            Err(Stop::Lost) => {}
        }
    }

    async fn go_on(&self, loaded: &Loaded, job: &Job, run: &mut Run<'_>) -> Result<(), Stop> {
        while run.step < job.steps() {
            if self.closing.load(Ordering::Acquire) {
                return Err(Stop::Later);
            }
            let now = microseconds_now();
            let after = run.after.clone();
            let tree = after.as_deref().map(|after| operation::parse_json(after.as_bytes()));
            let tree = tree.transpose().map_err(|_| Stop::Lost)?;
            let next = job.next(run.step, tree.as_ref(), now).map_err(|_| Stop::Lost)?;
            match next {
                Next::Once(write) => {
                    match self.write(loaded, write).await {
                        Ok(_) => {}
                        Err(fault) if run.may_pass(&fault) => return Err(Stop::Trouble(fault)),
                        Err(fault) => run.note(loaded, &fault),
                    }
                    run.step += 1;
                    run.after = None;
                }
                Next::Find(write) => {
                    let found = match self.write(loaded, write).await {
                        Ok(written) => written.json.unwrap_or_default(),
                        Err(fault) if run.may_pass(&fault) => return Err(Stop::Trouble(fault)),
                        Err(fault) => {
                            run.note(loaded, &fault);
                            bytes::Bytes::from_static(b"[]")
                        }
                    };
                    let tree = operation::parse_json(&found).map_err(|_| Stop::Lost)?;
                    let Tree::List(keys) = tree else { return Err(Stop::Lost) };
                    self.each(loaded, job, run, &keys).await?;
                    match keys.last() {
                        Some(last) => {
                            let mut text = Vec::new();
                            last.write(&mut text);
                            run.after = String::from_utf8(text).ok();
                        }
                        None => {
                            run.step += 1;
                            run.after = None;
                        }
                    }
                }
            }
            self.advance(run).await?;
        }
        Ok(())
    }

    /// What is done for each of these rows.
    async fn each(
        &self,
        loaded: &Loaded,
        job: &Job,
        run: &mut Run<'_>,
        keys: &[Tree<'_>],
    ) -> Result<(), Stop> {
        for some in keys.chunks(AT_ONCE) {
            let now = microseconds_now();
            let writes = some.iter().filter_map(|key| job.one(run.step, key, now).ok());
            let outcomes = join_all(writes.map(|write| self.write(loaded, write))).await;
            for outcome in outcomes {
                match outcome {
                    Ok(_) => {}
                    Err(fault) if run.may_pass(&fault) => return Err(Stop::Trouble(fault)),
                    Err(fault) => run.note(loaded, &fault),
                }
            }
            if microseconds_now() > run.until - run.terms.lease() / 2 {
                // The place stays where the batch began: what of it is done is not found again, or does no harm twice.
                self.advance(run).await?;
            }
        }
        Ok(())
    }

    /// Notes how far the run has come, and that it goes on.
    async fn advance(&self, run: &mut Run<'_>) -> Result<(), Stop> {
        let until = microseconds_now().saturating_add(run.terms.lease());
        let after = run.after.as_deref().unwrap_or("null");
        let (step, nominal) = (run.step, run.nominal);
        let arguments =
            format!("{{\"step\":{step},\"after\":{after},\"nominal\":{nominal}}}").into();
        match self.chore(Chore::Advance { task: run.settled(), arguments, until }).await {
            Ok(_) => {
                run.until = until;
                Ok(())
            }
            Err(Fault::NotFound) => Err(Stop::Lost),
            Err(fault) => Err(Stop::Trouble(fault)),
        }
    }
}

/// Where a run goes on.
#[derive(Debug, Default, PartialEq)]
struct Position {
    step: usize,
    /// The key behind which its rows are, as JSON.
    after: Option<String>,
    /// When the clock said that it is due, if it is on its way.
    nominal: Option<i64>,
}

fn position(arguments: &str) -> Position {
    let Ok(Tree::Object(members)) = operation::parse_json(arguments.as_bytes()) else {
        return Position::default();
    };
    let member = |name: &str| members.iter().find(|(known, _)| known == name).map(|(_, tree)| tree);
    let int = |name| match member(name) {
        Some(Tree::Int(number)) => Some(*number),
        _ => None,
    };
    let after = member("after").filter(|after| **after != Tree::Null).and_then(|after| {
        let mut text = Vec::new();
        after.write(&mut text);
        String::from_utf8(text).ok()
    });
    let step = int("step").and_then(|step| usize::try_from(step).ok()).unwrap_or(0);
    Position { step, after, nominal: int("nominal") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_on_where_it_was() {
        assert_eq!(position("{}"), Position::default());
        let after = Some(r#""a\"b""#.to_owned());
        assert_eq!(
            position(r#"{"step":2,"after":"a\"b","nominal":7}"#),
            Position { step: 2, after, nominal: Some(7) }
        );
        assert_eq!(position(r#"{"nominal":1,"after":null}"#).nominal, Some(1));
    }
}
