//! Events and tasks, looked at.

use operation::{ARRIVED, Fault, Published, Tree, Value};

use crate::Store;
use crate::lower::hook;
use crate::lower::outbox::{self, Asked};
use crate::lower::{Statement, exchange, ill_formed};

/// An event that was published, and its number.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Events of one key have their numbers in the order in which they were published.
    pub number: i64,
    /// The event.
    pub event: Published,
}

/// Which events are asked for: those that fulfil all that is said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventFilter {
    /// Of these names, as the model knows them: `sales.OrderPlaced`; all where there are none.
    pub names: Vec<String>,
    /// Of this key.
    pub key: Option<String>,
    /// Published then or later, in microseconds since 1970-01-01T00:00:00Z.
    pub since: Option<i64>,
    /// Of these identifiers; all where there are none.
    pub ids: Vec<[u8; 16]>,
    /// Behind this number.
    pub after: Option<i64>,
    /// Where there is such a number: of these as well.
    pub numbers: Vec<i64>,
    /// Whether the newest come first; otherwise they come in the order of their numbers.
    pub newest: bool,
    /// The most.
    pub limit: u32,
}

/// What is promised and not done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Promised {
    /// Tasks, those that are parked among them; not those of jobs, which come by themselves.
    pub tasks: u64,
    /// Deliveries to webhooks.
    pub deliveries: u64,
    /// Events that wait for the broker.
    pub events: u64,
}

/// Which parked tasks are asked for.
#[derive(Debug, Clone, Default)]
pub struct ParkedFilter {
    /// That hear events of these names, as the model knows them; all where there are none.
    pub names: Vec<String>,
    /// That hear events of this key.
    pub key: Option<String>,
    /// Parked then or later, in microseconds since 1970-01-01T00:00:00Z.
    pub since: Option<i64>,
    /// Of those that were parked at the moment of `since`, those with a greater number; nothing without `since`.
    pub after: Option<i64>,
    /// Of this number.
    pub number: Option<i64>,
    /// The most.
    pub limit: u32,
}

/// A task that has failed too often.
#[derive(Debug, Clone, PartialEq)]
pub struct Parked {
    /// Its number.
    pub number: i64,
    /// What was to be done.
    pub target: Box<str>,
    /// With what: a JSON object as text.
    pub arguments: Box<str>,
    /// The event that was to be heard, if it was one.
    pub event: Option<[u8; 16]>,
    /// Its name, as the model knows it.
    pub name: Option<Box<str>>,
    /// Its key, if it has one.
    pub key: Option<Box<str>>,
    /// How often it has failed.
    pub failures: i64,
    /// Since when it is parked, in microseconds since 1970-01-01T00:00:00Z.
    pub since: i64,
    /// How it failed last.
    pub error: Option<Box<str>>,
}

impl Parked {
    /// Whether it is a message of a broker of which nothing could be read: it cannot be read again, either.
    pub fn is_unreadable(&self) -> bool {
        let has_data = || match operation::parse_json(self.arguments.as_bytes()) {
            Ok(Tree::Object(members)) => {
                members.iter().any(|(name, value)| name == "data" && *value != Tree::Null)
            }
            _ => false,
        };
        self.target.starts_with(ARRIVED) && !has_data()
    }
}

/// The event that a target hears, if it says so.
fn event_of(target: &str) -> Option<&str> {
    let heard = || target.strip_prefix("on ")?.split(' ').next();
    target.strip_prefix(ARRIVED).or_else(heard)
}

/// How many tasks there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queue {
    /// That wait, those included whose time has not come.
    pub waiting: u64,
    /// That are carried out now.
    pub taken: u64,
    /// That have failed too often.
    pub parked: u64,
    /// Deliveries that wait for their endpoints.
    pub deliveries: u64,
    /// Endpoints that nothing is sent to.
    pub disabled: u64,
    /// That have failed, and are tried again.
    pub failing: u64,
    /// When the first was due of those that are and wait, in microseconds since 1970-01-01T00:00:00Z.
    pub oldest: Option<i64>,
}

/// An event that waits for the broker.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// Its number among those that wait: of one key they have the order in which they were published.
    pub number: i64,
    /// The event; `None` if it is not kept any more.
    pub event: Option<Published>,
}

/// How many events wait for the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// So many.
    pub waiting: u64,
    /// When the first of them was published, in microseconds since 1970-01-01T00:00:00Z.
    pub oldest: Option<i64>,
}

impl Store {
    /// Events that wait for the broker behind a number, in their order, `most` at most.
    ///
    /// # Errors
    /// As [`Store::events`].
    pub async fn outgoing(&self, after: i64, most: u32) -> Result<Vec<Outgoing>, Fault> {
        let values = [Value::Int(after), Value::Int(i64::from(most))];
        let rows = self.ask(exchange::waiting(self.dialect()), &values).await?;
        let outgoing = rows.into_iter().map(|row| match row_of(row)? {
            [Value::Int(number), Value::Uuid(id), name, key, Value::Int(made), data] => {
                let (name, data) = (text(name)?, text(data)?);
                Ok(Outgoing { number, event: Some(Published { id, name, key, made, data }) })
            }
            [Value::Int(number), ..] => Ok(Outgoing { number, event: None }),
            _ => Err(ill_formed("no event that waits")),
        });
        outgoing.collect()
    }

    /// How many events wait for the broker; counts them one by one.
    ///
    /// # Errors
    /// As [`Store::events`].
    pub async fn backlog(&self) -> Result<Backlog, Fault> {
        let rows = self.ask(exchange::backlog(self.dialect()), &[]).await?;
        let row = rows.into_iter().next().unwrap_or_default();
        let figure = |at: usize| row.get(at).and_then(Value::as_int);
        let waiting = figure(0).and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
        Ok(Backlog { waiting, oldest: figure(1) })
    }

    /// How far places of the broker have been read, by their names.
    ///
    /// # Errors
    /// As [`Store::events`].
    pub async fn positions(&self) -> Result<Vec<(Box<str>, i64)>, Fault> {
        let rows = self.ask(exchange::positions(self.dialect()), &[]).await?;
        let positions = rows.into_iter().map(|row| match row_of(row)? {
            [name, Value::Int(next)] => Ok((text(name)?, next)),
            _ => Err(ill_formed("no position")),
        });
        positions.collect()
    }

    /// Events that were published and are still kept.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] or [`Fault::Internal`] with the reason.
    pub async fn events(&self, filter: &EventFilter) -> Result<Vec<Event>, Fault> {
        let EventFilter { names, key, since, ids, after, numbers, newest, limit } = filter;
        let asked = Asked {
            names: names.len(),
            key: key.is_some(),
            since: since.is_some(),
            after: after.is_some(),
            ids: ids.len(),
            numbers: after.map_or(0, |_| numbers.len()),
            newest: *newest,
        };
        let mut values: Vec<Value> =
            names.iter().chain(key).map(|text| Value::text(text.as_str())).collect();
        values.extend(since.map(Value::Int));
        values.extend(ids.iter().map(|id| Value::Uuid(*id)));
        if let Some(after) = after {
            values.push(Value::Int(*after));
            values.extend(numbers.iter().map(|number| Value::Int(*number)));
        }
        values.push(Value::Int(i64::from(*limit)));
        let rows = self.ask(outbox::published(self.dialect(), &asked), &values).await?;
        let events = rows.into_iter().map(|row| {
            let [Value::Int(number), Value::Uuid(id), name, key, Value::Int(made), data] =
                row_of(row)?
            else {
                return Err(ill_formed("no event"));
            };
            let (name, data) = (text(name)?, text(data)?);
            Ok(Event { number, event: Published { id, name, key, made, data } })
        });
        events.collect()
    }

    /// What is promised and not done; counts it one by one.
    ///
    /// # Errors
    /// As [`Store::events`].
    pub async fn promised(&self) -> Result<Promised, Fault> {
        let rows = self.ask(outbox::promised(self.dialect()), &[]).await?;
        let row = rows.into_iter().next().unwrap_or_default();
        let count = |at: usize| {
            row.get(at).and_then(Value::as_int).and_then(|count| u64::try_from(count).ok())
        };
        let [tasks, deliveries, events] = [0, 1, 2].map(|at| count(at).unwrap_or(0));
        Ok(Promised { tasks, deliveries, events })
    }

    /// Tasks that have failed too often, those first that are parked longest.
    ///
    /// # Errors
    /// As [`Store::events`].
    pub async fn parked(&self, filter: &ParkedFilter) -> Result<Vec<Parked>, Fault> {
        let ParkedFilter { names, key, since, after, number, limit } = filter;
        let after = since.and(*after);
        let mut values: Vec<Value> =
            names.iter().chain(key).map(|text| Value::text(text.as_str())).collect();
        values.extend(since.iter().chain(&after).chain(number).copied().map(Value::Int));
        values.push(Value::Int(i64::from(*limit)));
        let asked = outbox::AskedParked {
            names: names.len(),
            key: key.is_some(),
            since: since.is_some(),
            after: after.is_some(),
            number: number.is_some(),
        };
        let statement = outbox::parked(self.dialect(), &asked);
        let rows = self.ask(statement, &values).await?;
        let parked = rows.into_iter().map(|row| {
            let [
                Value::Int(number),
                target,
                arguments,
                event,
                name,
                key,
                lane,
                failures,
                since,
                error,
            ] = row_of(row)?
            else {
                return Err(ill_formed("no task"));
            };
            let target = text(target)?;
            let name = given(&name).or_else(|| event_of(&target).map(Into::into));
            let key = given(&key).or_else(|| {
                let lane = given(&lane)?;
                lane.strip_prefix(&*target)?.strip_prefix('/').map(Into::into)
            });
            Ok(Parked {
                number,
                target,
                arguments: text(arguments)?,
                event: if let Value::Uuid(id) = event { Some(id) } else { None },
                name,
                key,
                failures: failures.as_int().unwrap_or(0),
                since: since.as_int().unwrap_or(0),
                error: given(&error),
            })
        });
        parked.collect()
    }

    /// How many tasks there are; looks at each of them.
    ///
    /// # Errors
    /// As [`Store::events`].
    pub async fn queue(&self, now: i64) -> Result<Queue, Fault> {
        let rows = self.ask(outbox::queue(self.dialect()), &[Value::Int(now)]).await?;
        let row = rows.into_iter().next().unwrap_or_default();
        let figure = |at: usize| row.get(at).and_then(Value::as_int);
        let count = |at| figure(at).and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
        Ok(Queue {
            waiting: count(0),
            taken: count(1),
            parked: count(2),
            oldest: figure(3),
            deliveries: count(4),
            failing: count(6),
            disabled: count(5),
        })
    }

    /// The secrets with which those sign whom a webhook listens to.
    ///
    /// # Errors
    /// As [`Store::events`].
    pub async fn secrets_of(&self, webhook: &str, now: i64) -> Result<Vec<Box<str>>, Fault> {
        let values = [Value::text(webhook), Value::Int(now)];
        let rows = self.ask(hook::secrets_of(self.dialect()), &values).await?;
        rows.into_iter().flatten().map(text).collect()
    }

    async fn ask(&self, statement: Statement, values: &[Value]) -> Result<Vec<Vec<Value>>, Fault> {
        match self {
            Self::Sqlite(sqlite) => sqlite.ask(&statement, values),
            Self::Postgres(postgres) => postgres.ask(statement, values).await,
        }
    }
}

fn row_of<const COLUMNS: usize>(row: Vec<Value>) -> Result<[Value; COLUMNS], Fault> {
    row.try_into().map_err(|_| ill_formed("another number of columns"))
}

/// A text, where there is one.
fn given(value: &Value) -> Option<Box<str>> {
    if let Value::Text(text) = value { Some(text.as_str().into()) } else { None }
}

fn text(value: Value) -> Result<Box<str>, Fault> {
    match value {
        Value::Text(text) => Ok(text.as_str().into()),
        _ => Err(ill_formed("no text")),
    }
}
