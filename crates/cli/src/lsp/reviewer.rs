//! Work beside the conversation, which nobody waits for: checks of large models, and reviews, which need tables and the
//! surface.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};

use ide::{Analysis, Reviewed};
use syntax::Parse;

use super::transport::Incoming;

/// What is to be looked at.
pub(super) struct Job {
    pub(super) task: Task,
    /// The number of its project.
    pub(super) project: u64,
    pub(super) parses: Vec<Arc<Parse>>,
    /// In days since 1970-01-01.
    pub(super) today: i64,
    /// Counts the project's changes.
    pub(super) newest: Arc<AtomicU64>,
    /// The change that this is about.
    pub(super) change: u64,
    /// Nobody needs it any more, and it takes its time to be dropped.
    pub(super) spent: Option<Arc<Analysis>>,
}

/// How it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// What the language says.
    Check,
    /// What the review says besides.
    Review,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) task: Task,
    pub(super) project: u64,
    pub(super) change: u64,
    /// `None` where it was overtaken by another change. A check has no findings.
    pub(super) reviewed: Option<Reviewed>,
}

/// Works until nobody gives jobs or listens. There is one job at a time.
pub(super) fn work(jobs: &Receiver<Job>, sender: &SyncSender<Incoming>) {
    for job in jobs {
        if sender.send(Incoming::Done(Box::new(run(job)))).is_err() {
            return;
        }
    }
}

/// Does one job.
pub(super) fn run(job: Job) -> Outcome {
    let Job { task, project, parses, today, newest, change, spent } = job;
    let goes_on = || newest.load(Ordering::Relaxed) == change;
    let reviewed = match task {
        Task::Check => {
            goes_on().then(|| Reviewed { analysis: ide::analyze(parses), findings: Vec::new() })
        }
        Task::Review => ide::review(parses, today, goes_on),
    };
    drop(spent);
    Outcome { task, project, change, reviewed }
}
