//! Who calls a store, as far as it matters to it.

use std::sync::Arc;

use crate::sqlite::Queue;

/// The threads that call a store. Each says before it sleeps that it rests, and after it that it runs. A commit of SQLite waits
/// for company only while one of them runs: with nobody, the processors are free, and whoever waits would wait for nothing.
#[derive(Debug, Clone)]
pub struct Workers {
    /// None where commits do not wait.
    queue: Option<Arc<Queue>>,
}

impl Workers {
    pub(crate) fn none() -> Self {
        Self { queue: None }
    }

    pub(crate) fn of(queue: Arc<Queue>) -> Self {
        Self { queue: Some(queue) }
    }

    /// One of them has something to do.
    pub fn run(&self) {
        if let Some(queue) = &self.queue {
            queue.runs();
        }
    }

    /// One of them has nothing to do.
    pub fn rest(&self) {
        if let Some(queue) = &self.queue {
            queue.rests();
        }
    }

    /// Whether any of them has something to do; always so where nobody needs to know.
    #[must_use]
    pub fn any_runs(&self) -> bool {
        self.queue.as_ref().is_none_or(|queue| queue.any_runs())
    }
}
