//! Reviews beside the conversation: what needs tables and the surface waits until typing pauses, and nobody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};

use ide::Reviewed;
use syntax::Parse;

use super::transport::Incoming;

/// What is to be reviewed.
pub(super) struct Job {
    /// The number of its project.
    pub(super) project: u64,
    pub(super) parses: Vec<Arc<Parse>>,
    /// In days since 1970-01-01.
    pub(super) today: i64,
    /// Counts the project's changes.
    pub(super) newest: Arc<AtomicU64>,
    /// The change that this is a review of.
    pub(super) change: u64,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) project: u64,
    pub(super) change: u64,
    /// `None` where it was overtaken by another change.
    pub(super) reviewed: Option<Reviewed>,
}

/// Works until nobody gives jobs or listens. There is one job at a time.
pub(super) fn work(jobs: &Receiver<Job>, sender: &SyncSender<Incoming>) {
    for job in jobs {
        if sender.send(Incoming::Reviewed(Box::new(run(job)))).is_err() {
            return;
        }
    }
}

/// Does one job.
pub(super) fn run(job: Job) -> Outcome {
    let Job { project, parses, today, newest, change } = job;
    let goes_on = || newest.load(Ordering::Relaxed) == change;
    let reviewed = ide::review(parses, today, goes_on);
    Outcome { project, change, reviewed }
}
