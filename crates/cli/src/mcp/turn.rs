//! How much works, waits and lasts at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

/// Turns at work that computes, on threads of their own.
pub(super) struct Turns {
    places: Arc<Semaphore>,
    queue: Semaphore,
    patience: Duration,
}

/// Why work has no result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Missed {
    /// Too much waits already.
    Full,
    /// It took too long, waiting included. A thread cannot be ended: it holds its place until it is done.
    Late,
    /// It panicked.
    Failed(String),
}

impl Turns {
    /// So many work at once, so many more may wait, and none longer than that.
    pub(super) fn new(at_once: usize, waiting: usize, patience: Duration) -> Self {
        let queue = Semaphore::new(at_once + waiting);
        Self { places: Arc::new(Semaphore::new(at_once)), queue, patience }
    }

    /// Does work when its turn comes.
    pub(super) async fn take<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Missed> {
        let Ok(_queued) = self.queue.try_acquire() else { return Err(Missed::Full) };
        let done = async {
            let place = self.places.clone().acquire_owned().await;
            let work = move || {
                let _place = place;
                work()
            };
            tokio::task::spawn_blocking(work).await
        };
        match tokio::time::timeout(self.patience, done).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(Missed::Failed(error.to_string())),
            Err(_) => Err(Missed::Late),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::{Missed, Turns};

    #[tokio::test]
    async fn what_hangs_is_given_up_and_keeps_its_place() {
        let turns = Turns::new(1, 8, Duration::from_millis(50));
        let (release, hang) = channel::<()>();
        assert_eq!(turns.take(move || hang.recv().is_ok()).await, Err(Missed::Late));
        // Nobody else has a place until it has ended.
        assert_eq!(turns.take(|| 1).await, Err(Missed::Late));
        release.send(()).unwrap();
        let patient = Turns { patience: Duration::from_secs(20), ..turns };
        assert_eq!(patient.take(|| 1).await, Ok(1));
    }

    #[tokio::test]
    async fn more_than_may_wait_is_refused_at_once() {
        let turns = Turns::new(1, 1, Duration::from_secs(20));
        let (release, hang) = channel::<()>();
        let all = async {
            tokio::join!(
                turns.take(move || hang.recv().is_ok()),
                turns.take(|| true),
                turns.take(|| true),
                async { release.send(()).unwrap() },
            )
        };
        let (first, second, third, ()) = all.await;
        assert_eq!((first, second, third), (Ok(true), Ok(true), Err(Missed::Full)));
    }

    #[tokio::test]
    async fn what_panics_is_told() {
        let turns = Turns::new(1, 1, Duration::from_secs(20));
        let failed = turns.take(|| assert_eq!(1, 2)).await;
        assert!(matches!(failed, Err(Missed::Failed(_))), "{failed:?}");
        assert_eq!(turns.take(|| 1).await, Ok(1));
    }
}
