//! Where the log of a database stands, and that no answer is from before a position of it.
//!
//! A read may go to a replica that has replayed whatever was acknowledged before the read came. How far that is only the primary
//! knows, whoever wrote: so it is asked once the read is there, as Raft asks for its read index.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio_postgres::types::PgLsn;
use tokio_postgres::{Error, Row};

use super::fault::gone;
use super::link::{Link, Trouble};

/// A commit is inserted into the log before it is acknowledged, and written and flushed before it only where `synchronous_commit`
/// says so: of the three positions of a log that of insertion alone is behind every acknowledged commit.
const STANDING: &str = "SELECT pg_current_wal_flush_lsn(), pg_current_wal_insert_lsn(), \
     pg_walfile_name(pg_current_wal_insert_lsn()), current_setting('wal_block_size')::int";

/// Nothing where the server is no replica, or no longer one.
const REPLAYED: &str = "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() END";

/// The largest header of a page of the log in bytes; a record that commits does not fit into as many.
const HEADER: u64 = 40;

/// What an answer must not be from before, and how long a replica has to say whether it would be; nothing on a primary. The
/// greater of two asks for more of the log.
pub(super) type Least = Option<(Lsn, Duration)>;

/// A place in the log of a database: bytes since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Lsn(pub u64);

/// Where the log of a primary stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// Counts the promotions that made this log; places of different timelines do not compare.
    pub timeline: u32,
    pub lsn: Lsn,
}

impl Position {
    fn of(row: &Row) -> Result<Self, Trouble> {
        let (flushed, inserted): (PgLsn, PgLsn) = (row.try_get(0)?, row.try_get(1)?);
        let (file, page): (&str, i32) = (row.try_get(2)?, row.try_get(3)?);
        // The name of a file of the log begins with its timeline.
        let timeline = file.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let timeline = timeline.ok_or_else(|| gone("its log has no timeline"))?;
        let page = u64::try_from(page).unwrap_or(0);
        Ok(Self { timeline, lsn: end(flushed.into(), inserted.into(), page) })
    }
}

/// The end of the last record. Where it is the end of a page, the place where the next one will be inserted is behind the header
/// of the next page, and a replica would not come there before something more is written.
fn end(flushed: u64, inserted: u64, page: u64) -> Lsn {
    let is_whole = flushed.checked_rem(page) == Some(0);
    let is_header = inserted.checked_sub(flushed).is_some_and(|gap| gap <= HEADER);
    Lsn(if is_whole && is_header { flushed } else { inserted })
}

impl Link {
    /// Where the log of a primary stands.
    pub(super) async fn standing(&self) -> Result<Position, Trouble> {
        Position::of(&self.ask_always(STANDING).await?)
    }

    /// How far a replica has replayed its log; what is asked next sees all of it.
    pub(super) async fn replayed(&self) -> Result<Lsn, Trouble> {
        let row = self.ask_always(REPLAYED).await?;
        let replayed: Option<PgLsn> = row.try_get(0)?;
        let replayed = replayed.ok_or_else(|| gone("it is no replica any more"))?;
        Ok(Lsn(replayed.into()))
    }

    /// Asks so that the answer is from no earlier than a position: [`Trouble::Behind`] where it would be. Without a position it
    /// is just asked.
    ///
    /// The position is asked for right before, on the same connection, in a transaction of its own: so the snapshot of what is
    /// asked is taken after it.
    pub(super) async fn not_before<T>(
        &self,
        least: Least,
        asking: Pin<&mut impl Future<Output = Result<T, Error>>>,
    ) -> Result<T, Trouble> {
        let Some((least, patience)) = least else { return Ok(asking.await?) };
        let check = Box::pin(async {
            match tokio::time::timeout(patience, self.replayed()).await {
                Ok(Ok(replayed)) if replayed >= least => Ok(()),
                Ok(Ok(_)) => Err(Trouble::Behind),
                Ok(Err(trouble)) => Err(trouble),
                Err(_) => Err(Trouble::Fault(gone("the replica does not answer"))),
            }
        });
        // Polled in this order, which is what sends them.
        let ((), answer) = try_join(check, async { Ok(asking.await?) }).await?;
        Ok(answer)
    }
}

/// A question whose answer serves all who asked before it was sent. One is on its way at most; who comes meanwhile waits for the
/// next.
#[derive(Debug)]
pub(super) struct Question<T>(Arc<Mutex<State<T>>>);

#[derive(Debug)]
struct State<T> {
    is_asked: bool,
    waiting: Vec<oneshot::Sender<T>>,
}

impl<T> Default for Question<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State { is_asked: false, waiting: Vec::new() })))
    }
}

impl<T: Copy + Send + 'static> Question<T> {
    /// An answer to what is sent from now on; `None` where there is none. `ask` has a bound.
    pub async fn ask<A>(&self, ask: impl Fn() -> A + Send + 'static) -> Option<T>
    where
        A: Future<Output = Option<T>> + Send + 'static,
    {
        let (told, answer) = oneshot::channel();
        let is_asked = {
            let mut state = self.0.lock();
            state.waiting.push(told);
            std::mem::replace(&mut state.is_asked, true)
        };
        if !is_asked {
            // A task of its own: who asked first may leave, and others wait.
            let mut asker = Asker { state: self.0.clone(), is_done: false };
            tokio::spawn(async move {
                while let Some(waiting) = asker.next() {
                    let Some(answer) = ask().await else { continue };
                    for told in waiting {
                        // Who has gone needs no answer.
                        let _ = told.send(answer);
                    }
                }
            });
        }
        answer.await.ok()
    }
}

/// The one who asks. Whoever ends it in the middle leaves nobody waiting.
struct Asker<T> {
    state: Arc<Mutex<State<T>>>,
    is_done: bool,
}

impl<T> Asker<T> {
    /// Who is served by what is sent now; `None`, and the end, where nobody waits.
    fn next(&mut self) -> Option<Vec<oneshot::Sender<T>>> {
        let mut state = self.state.lock();
        state.is_asked = !state.waiting.is_empty();
        self.is_done = !state.is_asked;
        state.is_asked.then(|| std::mem::take(&mut state.waiting))
    }
}

impl<T> Drop for Asker<T> {
    fn drop(&mut self) {
        if self.is_done {
            // Another may ask already.
            return;
        }
        let mut state = self.state.lock();
        state.is_asked = false;
        state.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn the_end_of_a_page_is_the_end_of_its_last_record() {
        let page = 8_192;
        for (flushed, inserted, expected) in [
            (page * 3 + 80, page * 3 + 120, page * 3 + 120),
            (page * 3, page * 3 + 24, page * 3),
            (page * 2_048, page * 2_048 + 40, page * 2_048),
            // A record of its own stands behind the header.
            (page * 3, page * 3 + 64, page * 3 + 64),
            // In the middle of a page 40 bytes are a commit.
            (page * 3 + 24, page * 3 + 64, page * 3 + 64),
        ] {
            assert_eq!(end(flushed, inserted, page), Lsn(expected));
        }
        assert_eq!(end(0, 24, 0), Lsn(24));
    }

    #[tokio::test]
    async fn one_answer_serves_all_who_asked_before_it_was_sent() {
        let (question, sent) = (Question::default(), Arc::new(AtomicU32::new(0)));
        let (release, released) = tokio::sync::watch::channel(0);
        let ask = || {
            let (sent, released) = (sent.clone(), released.clone());
            question.ask(move || {
                let number = sent.fetch_add(1, Ordering::SeqCst) + 1;
                let mut released = released.clone();
                async move {
                    released.wait_for(|until| *until >= number).await.is_ok().then_some(number)
                }
            })
        };
        let first = futures_util::future::join(ask(), ask());
        let later = async {
            while sent.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
            // It is on its way: whoever comes now has the next one.
            let later = futures_util::future::join(ask(), ask());
            let release = async {
                tokio::task::yield_now().await;
                assert_eq!(sent.load(Ordering::SeqCst), 1);
                release.send(2).unwrap();
            };
            futures_util::future::join(later, release).await.0
        };
        let answers = futures_util::future::join(first, later).await;
        assert_eq!(answers, ((Some(1), Some(1)), (Some(2), Some(2))));
    }

    #[tokio::test]
    async fn an_asker_that_is_ended_keeps_nobody_waiting() {
        let question = Arc::new(Question::<u32>::default());
        let asked = question.clone();
        // A runtime that ends in the middle of it.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let asking = asked.ask(std::future::pending);
            let soon = Duration::from_millis(20);
            runtime.unwrap().block_on(async { tokio::time::timeout(soon, asking).await }).ok()
        })
        .join()
        .unwrap();
        assert_eq!(question.ask(|| async { Some(7) }).await, Some(7));
        assert_eq!(question.ask(|| async { None }).await, None);
    }
}
