//! A write that waits for its commit.

use operation::{Fault, Write};
use tokio::sync::oneshot;

use crate::Written;
use crate::write::{Ahead, Reply};

/// A write that has ended.
#[derive(Debug)]
pub(crate) struct Done {
    /// What was written.
    pub write: Box<Write>,
    /// What it had come to before its turn: of no more use, but whoever asked has to free it.
    pub ahead: Option<Box<Ahead>>,
    /// How it went.
    pub outcome: Result<Reply, Fault>,
}

/// A place in the writer's queue.
pub(crate) struct Ticket {
    pub reply: oneshot::Receiver<Done>,
}

impl Ticket {
    /// The outcome, after the commit.
    pub async fn wait(self) -> Result<Written, Fault> {
        self.reply.await.map_err(|_| closed()).and_then(written)
    }

    /// The same, blocking.
    pub fn wait_blocking(self) -> Result<Written, Fault> {
        self.reply.blocking_recv().map_err(|_| closed()).and_then(written)
    }
}

/// Writes the answer, on the thread of whoever asked.
fn written(done: Done) -> Result<Written, Fault> {
    let Done { write, ahead, outcome } = done;
    drop(ahead);
    outcome?.render(&write)
}

/// The store takes nothing in any more.
pub(crate) fn closed() -> Fault {
    Fault::Unavailable { reason: "the store is closed".to_owned(), retry_after: 1 }
}
