//! Emptying the write-ahead log beside the writer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::Shared;
use super::connection::open_writing;
use crate::StoreFault;

/// Starts the thread; it ends when the sender is dropped. A message asks for a checkpoint.
pub(crate) fn start(shared: Arc<Shared>) -> Result<SyncSender<()>, StoreFault> {
    // One message waits at most: asking twice is asking once.
    let (sender, receiver) = sync_channel(1);
    std::thread::Builder::new()
        .name("mimar-checkpoint".to_owned())
        .spawn(move || run(&shared, &receiver))
        .map_err(|error| StoreFault::NoThread { reason: error.to_string() })?;
    Ok(sender)
}

fn run(shared: &Shared, receiver: &Receiver<()>) {
    let mut connection = None;
    while receiver.recv().is_ok() {
        if connection.is_none() {
            // Opened when first needed: a store that is only read starts without it.
            connection = open_writing(&shared.path, &shared.options).ok();
        }
        let Some(connection) = &connection else { continue };
        // PASSIVE waits for nobody and makes nobody wait. If it fails, the writer's own checkpoint follows.
        let outcome = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        if outcome.is_ok() {
            shared.counts.checkpoints.fetch_add(1, Ordering::Relaxed);
        }
    }
}
