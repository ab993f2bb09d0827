//! Reads that go together: what comes while one is on its way is the next one, as one statement for all.
//!
//! Nobody waits for company by the clock: a request that finds nothing on its way goes as soon as its thread has looked at what
//! else has arrived. Whoever comes meanwhile waits for its answer, and then one of them leads all of them. So there is no timer,
//! no task of its own, and the more there is to do, the less each costs.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use operation::{Cardinality, Fault, Read, Scalar, Value};
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_postgres::error::SqlState;

use super::fault::{gone, is_stale};
use super::link::{Group, Link, Prepared, Together, Trouble, bound, within};
use super::position::Least;
use super::read::{Behind, Columns as _, Page, Terms, limit, one};
use super::value::Bound;
use crate::Rows;
use crate::lower::{Seen, Source, ill_formed};

/// Requests for one row that one statement answers, at most.
const MOST: usize = 64;

/// The same of pages.
const MOST_PAGES: usize = 32;

/// How long a page may take, and how long pages together may. What takes longer costs the database far more than a statement does,
/// and whoever asks for the first of them would wait for the last.
const LONG: Duration = Duration::from_millis(50);

/// Requests that go alone after that.
const REST: u32 = 1_000;

/// Requests on one connection that may go together.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// How many requests go alone from now on. All do, as good as forever, once those that went together took longer than a
    /// statement may: each has that time for itself.
    alone: AtomicU32,
}

#[derive(Debug, Default)]
struct State {
    /// Whether somebody leads.
    is_led: bool,
    waiting: VecDeque<Waiting>,
}

/// A request that waits for another one's statement.
#[derive(Debug)]
struct Waiting {
    prepared: Arc<Prepared>,
    together: Arc<Together>,
    binds: Vec<Value>,
    /// Rows that it wants at most.
    limit: usize,
    /// What the answer must not be from before.
    least: Least,
    told: oneshot::Sender<Told>,
}

/// What becomes of a request that has waited.
#[derive(Debug)]
enum Told {
    /// It leads these.
    Leads(Lead),
    /// It is answered.
    Rows(Rows),
    /// It goes alone: the statement failed, perhaps by another's values.
    Alone,
}

/// The right to send the next statement, and the others that it is sent for. Whoever drops it hands the right on, so that no
/// request that is given up keeps others waiting.
#[derive(Debug)]
struct Lead {
    group: Arc<Group>,
    others: Vec<Waiting>,
}

impl Lead {
    /// Takes along who has come by now, as many as there is room for.
    fn take_along(&mut self, most: usize) {
        let mut state = self.group.queue.state.lock();
        while self.others.len() < most - 1
            && let Some(next) = state.waiting.pop_front()
        {
            if !next.told.is_closed() {
                self.others.push(next);
            }
        }
    }

    /// What it is sent for, the leader's own request first.
    fn requests<'l>(&'l self, own: Request<'l>) -> impl Iterator<Item = Request<'l>> {
        let others =
            self.others.iter().map(|Waiting { prepared, together, binds, limit, .. }| Request {
                prepared,
                together,
                binds,
                limit: *limit,
            });
        std::iter::once(own).chain(others)
    }

    /// On a replica, what is recent enough for the one who asks for most is so for all.
    fn least(&self, own: Least) -> Least {
        self.others.iter().map(|other| other.least).fold(own, Least::max)
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        // Others that were not answered see that nobody will, and go alone.
        let mut state = self.group.queue.state.lock();
        let next = loop {
            match state.waiting.pop_front() {
                Some(next) if next.told.is_closed() => {}
                next => break next,
            }
        };
        let Some(Waiting { told, .. }) = next else {
            state.is_led = false;
            return;
        };
        drop(state);
        // One that has just left drops what it is sent, and so hands it on in turn.
        let lead = Lead { group: self.group.clone(), others: Vec::new() };
        let _ = told.send(Told::Leads(lead));
    }
}

/// What one statement answered to all: for each request in their order.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each statement, and it stays where it is"
)]
enum Answers {
    /// Its row.
    Rows(Found),
    /// Its page.
    Pages(Vec<Rows>),
}

/// The rows that one statement found for all.
struct Found {
    /// For each request which of the rows are its own; several may have asked for the same.
    of: SmallVec<[Option<usize>; 16]>,
    /// Rows that belong together: one, or as many as it has parts where those are joined to it.
    rows: Vec<Vec<tokio_postgres::Row>>,
}

impl Found {
    /// The rows of a request.
    fn of(&self, request: usize) -> Option<&[tokio_postgres::Row]> {
        self.rows.get((*self.of.get(request)?)?).map(Vec::as_slice)
    }
}

/// A request of those that one statement answers.
#[derive(Clone, Copy)]
struct Request<'l> {
    prepared: &'l Prepared,
    together: &'l Together,
    binds: &'l [Value],
    limit: usize,
}

/// How a request takes part.
enum Part {
    Leads(Lead),
    Waits(oneshot::Receiver<Told>),
}

impl Queue {
    /// Whether requests may go together.
    pub(super) fn is_open(&self) -> bool {
        let less = |alone: u32| alone.checked_sub(1);
        self.alone.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_err()
    }

    /// Notes how long a page took, or several together.
    pub(super) fn took(&self, time: Duration) {
        if time > LONG {
            self.alone.fetch_max(REST, Ordering::Relaxed);
        }
    }

    fn join(group: &Arc<Group>, waiting: impl FnOnce(oneshot::Sender<Told>) -> Waiting) -> Part {
        let mut state = group.queue.state.lock();
        if state.is_led {
            let (told, answer) = oneshot::channel();
            state.waiting.push_back(waiting(told));
            return Part::Waits(answer);
        }
        state.is_led = true;
        Part::Leads(Lead { group: group.clone(), others: Vec::new() })
    }
}

impl Link {
    /// Answers a read of one row or of a page, with others that come meanwhile.
    pub(super) async fn read_together(
        &self,
        prepared: &Arc<Prepared>,
        together: &Arc<Together>,
        terms: Terms,
        (read, binds): (&Read, &[Value]),
    ) -> Result<Rows, Trouble> {
        let limit = limit(read, binds);
        let part = Queue::join(&together.group, |told| {
            let (prepared, together) = (prepared.clone(), together.clone());
            Waiting { prepared, together, binds: binds.to_vec(), limit, least: terms.least, told }
        });
        let mut lead = match part {
            Part::Leads(lead) => lead,
            // Who leads has a limit of time, and what becomes of it is told.
            Part::Waits(told) => match told.await {
                Ok(Told::Rows(rows)) => return Ok(rows),
                Ok(Told::Leads(lead)) => lead,
                Ok(Told::Alone) | Err(_) => {
                    return Box::pin(self.read_alone(prepared, terms, read, binds)).await;
                }
            },
        };
        if terms.until.is_some_and(|until| until <= Instant::now()) {
            // It came to lead too late: the right goes on, and nothing is said of the connection.
            return Err(Trouble::Fault(gone("the database does not answer")));
        }
        // Whatever this thread has at hand runs first: what of it asks the same comes along.
        tokio::task::yield_now().await;
        let is_one = read.cardinality == Cardinality::One;
        lead.take_along(if is_one { MOST } else { MOST_PAGES });
        if lead.others.is_empty() {
            let rows = Box::pin(self.read_alone(prepared, terms, read, binds)).await;
            drop(lead);
            return rows;
        }
        // On the heap, so that those who wait for it are small.
        let own = Request { prepared, together, binds, limit };
        match Box::pin(self.lead(lead, terms, own, is_one)).await {
            Ok(rows) => Ok(rows),
            Err(Trouble::Silent) => Err(Trouble::Silent),
            Err(_) => Box::pin(self.read_alone(prepared, terms, read, binds)).await,
        }
    }

    /// Answers all that a request leads, and it.
    async fn lead(
        &self,
        mut lead: Lead,
        terms: Terms,
        own: Request<'_>,
        is_one: bool,
    ) -> Result<Rows, Trouble> {
        let group = lead.group.clone();
        let answers = {
            let asking = pin!(async {
                Ok(if is_one {
                    Answers::Rows(self.ask_for_all(&lead, terms.least, own).await?)
                } else {
                    Answers::Pages(self.ask_for_pages(&lead, terms, own).await?)
                })
            });
            within(terms.until, asking).await
        };
        let others = std::mem::take(&mut lead.others);
        // The next statement is sent before these answers are written.
        drop(lead);
        let answers = match answers {
            Ok(answers) => answers,
            Err(trouble) => {
                match &trouble {
                    Trouble::Database(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => {
                        group.queue.alone.store(u32::MAX, Ordering::Relaxed);
                    }
                    // Who then goes alone may have a statement that fits, and would never tell.
                    Trouble::Database(error) if is_stale(error) => self.forget(),
                    _ => {}
                }
                for other in others {
                    // Where no answer came in time, each has a time of its own left, or none.
                    let _ = other.told.send(Told::Alone);
                }
                return Err(trouble);
            }
        };
        self.gathered.fetch_add(others.len() as u64, Ordering::Relaxed);
        let found = match answers {
            Answers::Rows(found) => found,
            Answers::Pages(pages) => {
                let mut pages = pages.into_iter();
                let first = pages.next();
                for other in others {
                    let told = pages.next().map_or(Told::Alone, Told::Rows);
                    // Who has gone needs no answer.
                    let _ = other.told.send(told);
                }
                return first.ok_or_else(|| ill_formed("no page").into());
            }
        };
        let write = |together: &Together, rows: Option<&[tokio_postgres::Row]>| {
            let row = rows.map(|rows| one(&together.nested, rows)).transpose()?;
            Ok::<_, Trouble>(Rows::One(row))
        };
        let first = write(own.together, found.of(0));
        for (at, other) in (1..).zip(others) {
            let told = write(&other.together, found.of(at)).map_or(Told::Alone, Told::Rows);
            let _ = other.told.send(told);
        }
        first
    }

    /// One statement for all pages, each written as its rows come.
    async fn ask_for_pages(
        &self,
        lead: &Lead,
        terms: Terms,
        own: Request<'_>,
    ) -> Result<Vec<Rows>, Trouble> {
        // What is prepared once is no time that a page takes.
        self.prepared_together(&lead.group).await?;
        let begun = Instant::now();
        let mut pages: Vec<Page<'_>> = lead
            .requests(own)
            .map(|Request { prepared, together, limit, .. }| {
                Page::new(&together.nested, limit, prepared.size.load(Ordering::Relaxed))
            })
            .collect();
        let rows = self.ask_numbered(lead, terms.least, own).await?;
        let mut rows = pin!(rows);
        while let Some(row) = rows.try_next().await? {
            pages.get_mut(number(&row)?).ok_or_else(unasked)?.add(&row)?;
        }
        lead.group.queue.took(begun.elapsed());
        let pages: Vec<Rows> = pages.into_iter().map(Page::end).collect();
        for (request, page) in lead.requests(own).zip(&pages) {
            request.prepared.note_size(page);
        }
        Ok(pages)
    }

    /// Asks for all; each row says in its last column whose it is.
    async fn ask_numbered(
        &self,
        lead: &Lead,
        least: Least,
        own: Request<'_>,
    ) -> Result<tokio_postgres::RowStream, Trouble> {
        // The same words have the same parameters; where each finds its own among its binds is another matter.
        let count = lead.others.len() + 1;
        let arrays = own.together.nested.statement.parameters.len();
        let mut parameters: Vec<Vec<Bound<&Value>>> =
            (0..arrays).map(|_| Vec::with_capacity(count)).collect();
        for Request { together, binds, .. } in lead.requests(own) {
            let given = &together.nested.statement;
            let values = bound(&given.parameters, &given.constants, |at| binds.get(at))?;
            for (array, value) in parameters.iter_mut().zip(values) {
                array.push(value);
            }
        }
        let numbers: Vec<Value> = (1..).map(Value::Int).take(count).collect();
        parameters.push(numbers.iter().map(|value| Bound { value, form: Scalar::Int }).collect());
        let asking = pin!(self.ask_together(&lead.group, parameters));
        self.not_before(lead.least(least), asking).await
    }

    /// One statement for all; the rows by request, the leader is the first.
    async fn ask_for_all(
        &self,
        lead: &Lead,
        least: Least,
        own: Request<'_>,
    ) -> Result<Found, Trouble> {
        if let Some(by_key) = &own.together.nested.by_key {
            return self.ask_by_key(lead, by_key.key, least, own).await;
        }
        let rows = self.ask_numbered(lead, least, own).await?;
        let mut rows = pin!(rows);
        let mut answers: Vec<Vec<tokio_postgres::Row>> = Vec::new();
        answers.resize_with(lead.others.len() + 1, Vec::new);
        while let Some(row) = rows.try_next().await? {
            answers.get_mut(number(&row)?).ok_or_else(unasked)?.push(row);
        }
        let of = answers.iter().enumerate().map(|(at, rows)| (!rows.is_empty()).then_some(at));
        Ok(Found { of: of.collect(), rows: answers })
    }

    /// The same where the keys are all that is asked for: each row is given to those who ask for its key and may see it.
    async fn ask_by_key(
        &self,
        lead: &Lead,
        key: Source,
        least: Least,
        own: Request<'_>,
    ) -> Result<Found, Trouble> {
        // For each request its key, what must hold of its row, and by which binds.
        let mut requests: SmallVec<[(&Value, &Seen, &[Value]); 16]> = SmallVec::new();
        for Request { together, binds, .. } in lead.requests(own) {
            let by_key = together.nested.by_key.as_ref().ok_or_else(|| ill_formed("no key"))?;
            let value = binds.get(by_key.bind).ok_or_else(|| ill_formed("no such bind"))?;
            requests.push((value, &by_key.seen, binds));
        }
        let keys = requests.iter().map(|(value, ..)| Bound { value: *value, form: key.scalar });
        let asking = pin!(self.ask_together(&lead.group, vec![keys.collect()]));
        let rows = self.not_before(lead.least(least), asking).await?;
        let mut rows = pin!(rows);
        let mut found = Found { of: SmallVec::from_elem(None, requests.len()), rows: Vec::new() };
        let mut known: Vec<Vec<u8>> = Vec::with_capacity(requests.len());
        while let Some(row) = rows.try_next().await? {
            let cells = Behind(&row, 0);
            let bytes = cells.cell(key.at).unwrap_or_default();
            // Parts are joined to their row, which then comes several times, and as a rule one after another.
            let at = match known.iter().rposition(|known| known == bytes) {
                Some(at) => at,
                None => {
                    let value = cells.value(key)?;
                    for (of, (asked, seen, binds)) in found.of.iter_mut().zip(&requests) {
                        if **asked == value && seen.is_seen(binds, |source| cells.value(source))? {
                            *of = Some(known.len());
                        }
                    }
                    known.push(bytes.to_vec());
                    found.rows.push(Vec::new());
                    known.len() - 1
                }
            };
            if let Some(rows) = found.rows.get_mut(at) {
                rows.push(row);
            }
        }
        Ok(found)
    }
}

/// Whose a row is that says it in its last column: a position among the requests.
fn number(row: &tokio_postgres::Row) -> Result<usize, Trouble> {
    let number: i64 = row.try_get(row.len().saturating_sub(1))?;
    usize::try_from(number - 1).map_err(|_| unasked())
}

fn unasked() -> Trouble {
    Fault::Internal("the database answered a request that was not made".to_owned()).into()
}
