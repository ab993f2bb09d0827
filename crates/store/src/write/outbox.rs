//! Events and tasks that a command leaves, and work on the queue of tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use bytes::Bytes;
use operation::{BROKER, Chore, Dialect, Direct, Fault, Published, ReadId, Scalar, Settled, Value};
use smallvec::smallvec;

use super::{
    Answer, Asked, Database, Each, Failure, Key, Kind, Left, Many, Picked, Place, Writing,
};
use crate::lower::{Settings, Under, direct, exchange, outbox, receipt};

/// What is done after a command.
#[derive(Debug)]
pub(super) struct Asking {
    pub target: Box<str>,
    /// A JSON object; `None`: what its event carries, which only the database knows.
    pub arguments: Option<Box<str>>,
    pub event: Value,
    pub lane: Value,
    pub priority: i64,
    pub due: i64,
    pub unique: Value,
}

impl Asking {
    /// That an event is heard: after those of the same key that were published before it.
    pub fn to_hear(event: &Published, target: &str, due: i64) -> Self {
        let lane = match &event.key {
            Value::Text(key) => Value::text(format!("{target}/{key}")),
            _ => Value::Null,
        };
        Self {
            target: target.into(),
            arguments: Some(event.data.clone()),
            event: Value::Uuid(event.id),
            lane,
            priority: 0,
            due,
            unique: Value::Null,
        }
    }
}

/// Which of the statements of the outbox.
fn asked(kind: Kind, place: usize) -> Asked {
    Asked::Kept(Key { target: target(), place, kind, columns: 0, binds: 0 })
}

fn target() -> ReadId {
    static TARGET: OnceLock<ReadId> = OnceLock::new();
    *TARGET.get_or_init(ReadId::fresh)
}

impl<D: Database> Writing<'_, D> {
    /// Writes what was published and what is to be done. `unlocked`: events under keys that nobody else can know.
    pub(super) async fn publish(
        &mut self,
        published: &[Published],
        unlocked: &[[u8; 16]],
        asking: &[Asking],
    ) -> Result<(), Failure> {
        let events = events_of(published);
        let locks = locks_of::<D>(published, unlocked);
        self.publish_behind(Vec::new(), &locks, &events, asking).await
    }

    /// The same behind rows that are written before. `events`: what is written of each of them.
    pub(super) async fn publish_behind<'v>(
        &mut self,
        mut written: Vec<Each<'v>>,
        locks: &[String],
        events: &'v [Event],
        asking: &'v [Asking],
    ) -> Result<(), Failure> {
        if !locks.is_empty() {
            self.database.all(std::mem::take(&mut written)).await?;
            self.lock(locks).await?;
        }
        written.extend(said::<D>(events)?);
        written.extend(sent_out::<D>(asking)?);
        self.database.all(written).await?;
        for asking in asking.iter().filter(|asking| *asking.target != *BROKER) {
            self.ask_for(asking).await?;
        }
        Ok(())
    }

    /// Waits until nobody else publishes under the keys of these events, but for some.
    pub(super) async fn lock_keys(
        &mut self,
        published: &[Published],
        unlocked: &[[u8; 16]],
    ) -> Result<(), Failure> {
        self.lock(&locks_of::<D>(published, unlocked)).await
    }

    /// The same, and of events whose keys were found or, of a command that is sent step by step, looked up ahead: each place once, with the
    /// names of the events.
    pub(super) async fn lock_found_keys<N: AsRef<str>>(
        &mut self,
        (published, unlocked): (&[Published], &[[u8; 16]]),
        found: &BTreeMap<usize, BTreeSet<N>>,
        (program, direct): (ReadId, &Direct),
    ) -> Result<(), Failure> {
        let mut values = vec![texts(locks_of::<D>(published, unlocked))];
        let slashed =
            |names: &BTreeSet<N>| texts(names.iter().map(|it| format!("{}/", it.as_ref())));
        values.extend(found.values().map(slashed));
        let columns = found.keys().fold(0, |columns, found| columns | 1 << found);
        let (kind, binds) = (Kind::Find, values.len());
        let key = Key { target: program, place: 0, kind, columns, binds };
        let lower =
            || outbox::lock_keys(Settings::of(direct), &found.keys().copied().collect::<Vec<_>>());
        self.database.run(Asked::Kept(key), lower, values.iter()).await.map(drop)
    }

    async fn lock(&mut self, locks: &[String]) -> Result<(), Failure> {
        for lock in locks {
            let value = Value::text(lock.as_str());
            let lower = || Ok(outbox::lock_key());
            self.database.run(asked(Kind::Update, 17), lower, [&value].into_iter()).await?;
        }
        Ok(())
    }

    /// Writes an event.
    pub(super) async fn say(&mut self, published: &Published) -> Result<(), Failure> {
        let events = [values_of(published)];
        let said = said::<D>(&events)?;
        self.database.all(said.into_iter().collect()).await
    }

    /// Notes which events go to the broker.
    pub(super) async fn send_out(&mut self, asking: &[Asking]) -> Result<(), Failure> {
        let sent = sent_out::<D>(asking)?;
        self.database.all(sent.into_iter().collect()).await
    }

    /// Writes a task.
    pub(super) async fn ask_for(&mut self, asking: &Asking) -> Result<(), Failure> {
        let values = values_of_task(asking, &asking.lane);
        let lower = || outbox::add(D::DIALECT, None);
        self.database.run(asked(Kind::Insert, 2), lower, values.iter()).await.map(drop)
    }

    /// The same where the lane is of a key that only the database knows. `key`: the how manieth it is, if it has counted that.
    pub(super) async fn ask_for_under(
        &mut self,
        asking: &Asking,
        (program, direct, under): (ReadId, &Direct, Under),
        key: &Value,
    ) -> Result<(), Failure> {
        let values = values_of_task(asking, key);
        let (place, columns) = match under {
            Under::Drawn(table) => (usize::try_from(table.0).unwrap_or(usize::MAX), 1),
            Under::Found(at) => (at, 2),
        };
        let lower = || outbox::add(D::DIALECT, Some((Settings::of(direct), under)));
        let (target, kind, binds) = (program, Kind::TellTask, values.len());
        let key = Key { target, place, kind, columns, binds };
        self.database.run(Asked::Kept(key), lower, values.iter()).await.map(drop)
    }

    /// Ends the task that is carried out. Somebody else may have it by now, who came when its time had run out: then
    /// nothing of this happens.
    pub(super) async fn settle_task(
        &mut self,
        Settled { number, until }: Settled,
    ) -> Result<(), Fault> {
        let values = [Value::Int(number), Value::Int(until)];
        let lower = || Ok(outbox::settle(D::DIALECT));
        let rows = self.database.run(asked(Kind::Select, 3), lower, values.iter()).await;
        let rows = rows.map_err(Failure::into_fault)?;
        if rows.is_empty() { Err(Fault::NotFound) } else { Ok(()) }
    }

    /// The same where nothing is awaited: the transaction ends where somebody else has the task.
    pub(super) async fn settle_task_surely(
        &mut self,
        Settled { number, until }: Settled,
    ) -> Result<(), Fault> {
        let values = [Value::Int(number), Value::Int(until)];
        let lower = || Ok(direct::surely(outbox::settle(D::DIALECT)));
        let sent = self.database.run(asked(Kind::Sure, 3), lower, values.iter()).await;
        sent.map(drop).map_err(Failure::into_fault)
    }

    pub(super) async fn chore(&mut self, chore: &Chore) -> Result<Left, Fault> {
        let json = self.work(chore).await.map_err(Failure::into_fault)?;
        let answer = Answer::Ready(Some(json));
        Ok(Left {
            key: Value::Null,
            version: 0,
            part_key: None,
            answer,
            replayed: false,
            wakes: false,
            published: 0,
        })
    }

    /// Takes tasks, in the order of their numbers.
    async fn take(&mut self, now: i64, until: i64, most: i64) -> Result<Vec<Vec<Value>>, Failure> {
        let values = |most: usize| {
            [
                Value::Int(now),
                Value::Int(until),
                Value::Int(i64::try_from(most).unwrap_or(i64::MAX)),
            ]
        };
        let most = usize::try_from(most).unwrap_or(0);
        let mut rows = Vec::new();
        // Half the room is kept for lanes, and of one place now and then all: neither kind waits for the other to have nothing.
        let kept = (most + usize::from(now % 2 == 0)) / 2;
        let is_apart = D::DIALECT == Dialect::Postgres;
        if is_apart {
            let lower = || Ok(outbox::take_loose(true));
            let values = values(most - kept);
            rows = self.database.run(asked(Kind::Select, 4), lower, values.iter()).await?;
            rows.retain(|row| row.first().is_some_and(|number| !number.is_null()));
        }
        let loose = rows.len();
        let lower = || Ok(outbox::take(D::DIALECT));
        let left = values(most - loose);
        rows.extend(self.database.run(asked(Kind::Select, 5), lower, left.iter()).await?);
        // What lanes have left of their half.
        if is_apart && loose == most - kept && rows.len() < most {
            let lower = || Ok(outbox::take_loose(false));
            let left = values(most - rows.len());
            rows.extend(self.database.run(asked(Kind::Select, 18), lower, left.iter()).await?);
        }
        rows.sort_by_key(|row| row.first().and_then(Value::as_int));
        Ok(rows)
    }

    async fn work(&mut self, chore: &Chore) -> Result<Bytes, Failure> {
        let mut json = Vec::new();
        match chore {
            Chore::Take { now, until, most } => {
                let rows = self.take(*now, *until, *most).await?;
                json.push(b'[');
                for (at, row) in rows.iter().enumerate() {
                    json.extend_from_slice(if at > 0 { b",{" } else { b"{" });
                    for (name, value, scalar) in [
                        ("number", row.first(), Scalar::Int),
                        ("target", row.get(1), Scalar::Text),
                        ("arguments", row.get(2), Scalar::Text),
                        ("failures", row.get(3), Scalar::Int),
                        ("lane", row.get(4), Scalar::Text),
                        ("due", row.get(5), Scalar::Int),
                        ("until", Some(&Value::Int(*until)), Scalar::Int),
                    ] {
                        json.extend_from_slice(if name == "number" { b"" } else { b"," });
                        Scalar::Text.write_json_text(name, &mut json);
                        json.push(b':');
                        scalar.write_json(value.unwrap_or(&Value::Null), &mut json);
                    }
                    json.push(b'}');
                }
                json.push(b']');
            }
            Chore::Fail { task, due, parked, error } => {
                let values = [
                    Value::Int(*due),
                    Value::Bool(*parked),
                    Value::text(error.clone()),
                    Value::Int(task.number),
                    Value::Int(task.until),
                ];
                let lower = || Ok(outbox::fail(D::DIALECT));
                self.database.run(asked(Kind::Update, 6), lower, values.iter()).await?;
            }
            Chore::Schedule { target, due, unless_before } => {
                let (target, before) = (Value::text(target.clone()), Value::Int(*unless_before));
                let values = [target, Value::Int(*due), before];
                let lower = || Ok(outbox::schedule(D::DIALECT));
                self.database.run(asked(Kind::Insert, 11), lower, values.iter()).await?;
            }
            Chore::Advance { task, arguments, until } => {
                let arguments = Value::text(arguments.clone());
                let (number, taken) = (Value::Int(task.number), Value::Int(task.until));
                let values = [arguments, Value::Int(*until), number, taken];
                let lower = || Ok(outbox::advance(D::DIALECT));
                let rows = self.database.run(asked(Kind::Select, 12), lower, values.iter()).await?;
                if rows.is_empty() {
                    return Err(Fault::NotFound.into());
                }
            }
            Chore::Again { task, due, arguments, error } => {
                let error = error.as_ref().map_or(Value::Null, |error| Value::text(error.clone()));
                let (number, taken) = (Value::Int(task.number), Value::Int(task.until));
                let arguments = Value::text(arguments.clone());
                let values = [Value::Int(*due), error, number, taken, arguments];
                let lower = || Ok(outbox::again(D::DIALECT));
                self.database.run(asked(Kind::Update, 13), lower, values.iter()).await?;
            }
            Chore::Drop(task) => {
                let values = [Value::Int(task.number), Value::Int(task.until)];
                let lower = || Ok(outbox::settle(D::DIALECT));
                self.database.run(asked(Kind::Select, 3), lower, values.iter()).await?;
            }
            Chore::GiveBack(task) => {
                let values = [Value::Int(task.number), Value::Int(task.until)];
                let lower = || Ok(outbox::give_back(D::DIALECT));
                self.database.run(asked(Kind::Update, 7), lower, values.iter()).await?;
            }
            Chore::Release => {
                let lower = || Ok(outbox::release(D::DIALECT));
                self.database.run(asked(Kind::Update, 10), lower, [].into_iter()).await?;
            }
            Chore::Revive { number, now } => {
                let values = [Value::Int(*now), number.map_or(Value::Null, Value::Int)];
                let lower = || Ok(outbox::revive(D::DIALECT));
                let rows = self.database.run(asked(Kind::Select, 8), lower, values.iter()).await?;
                json.extend_from_slice(rows.len().to_string().as_bytes());
            }
            Chore::Discard { number } => {
                let value = Value::Int(*number);
                let lower = || Ok(outbox::discard(D::DIALECT));
                let rows =
                    self.database.run(asked(Kind::Select, 14), lower, [&value].into_iter()).await?;
                json.extend_from_slice(rows.len().to_string().as_bytes());
            }
            Chore::Nothing => return Err(Fault::NotFound.into()),
            Chore::Replay { events, now, said } => {
                let asking = events.iter().flat_map(|(event, by)| {
                    by.iter().map(|target| Asking::to_hear(event, target, *now))
                });
                self.publish(&[], &[], &asking.collect::<Vec<_>>()).await?;
                json.extend_from_slice(said.as_bytes());
            }
            Chore::Receive { event, by } => {
                if D::DIALECT == Dialect::Postgres
                    && let Some(lock) = event.id.first_chunk().map(|id| i64::from_be_bytes(*id))
                {
                    // Who brings the same at the same time waits, and finds it then.
                    let value = Value::Int(lock);
                    let lower = || Ok(receipt::lock());
                    self.database.run(asked(Kind::Update, 0), lower, [&value].into_iter()).await?;
                }
                let id = Value::Uuid(event.id);
                let lower = || Ok(outbox::known(D::DIALECT));
                let known = self.database.run(asked(Kind::Select, 15), lower, [&id].into_iter());
                let fresh = known.await?.is_empty();
                if fresh {
                    let asking = by.iter().map(|target| Asking::to_hear(event, target, event.made));
                    let asking: Vec<Asking> = asking.collect();
                    self.publish(std::slice::from_ref(event), &[], &asking).await?;
                }
                json.extend_from_slice(if fresh { b"true" } else { b"false" });
            }
            Chore::Forget { before, after } => {
                let mut values = vec![Value::Int(*before), Value::Int(*after)];
                let lower = || Ok(outbox::old(D::DIALECT));
                let old = self.database.run(asked(Kind::Select, 16), lower, values.iter()).await?;
                let old = old.into_iter().next().unwrap_or_default();
                let number = |at: usize| old.get(at).and_then(Value::as_int);
                let (count, mut gone) = (number(0).unwrap_or(0), 0);
                if let Some(last) = number(1) {
                    values.push(Value::Int(last));
                    let lower = || Ok(outbox::forget(D::DIALECT));
                    let went = self.database.run(asked(Kind::Select, 9), lower, values.iter());
                    gone = went.await?.len();
                }
                // The last thousand are not followed by old ones, or by none at all.
                let next = number(1).filter(|_| count == 1_000).unwrap_or(0);
                json.extend_from_slice(format!("[{gone},{next}]").as_bytes());
            }
            Chore::Hook(hook) => json = self.hook(hook).await?,
            Chore::Exchange(exchange) => json = self.exchange(exchange).await?,
        }
        self.database.settle().await?;
        Ok(if json.is_empty() { Bytes::from_static(b"null") } else { json.into() })
    }
}

/// The locks of the keys of these events, but for some, in the order in which they are taken.
pub(super) fn locks_of<D: Database>(published: &[Published], unlocked: &[[u8; 16]]) -> Vec<String> {
    if D::DIALECT != Dialect::Postgres {
        return Vec::new();
    }
    // Numbers are given out in the order in which commits become visible, as far as one key is concerned: whoever
    // publishes under it next waits until this has ended.
    let others = published.iter().filter(|event| !unlocked.contains(&event.id));
    let mut locks: Vec<String> =
        others.filter_map(|event| lock_of(&event.name, &event.key)).collect();
    locks.sort_unstable();
    locks.dedup();
    locks
}

/// What is written of an event.
pub(super) type Event = [Value; 5];

/// What is written of events.
pub(super) fn events_of(published: &[Published]) -> Vec<Event> {
    published.iter().map(values_of).collect()
}

fn values_of(Published { id, name, key, made, data }: &Published) -> Event {
    let (name, data) = (Value::text(&**name), Value::text(&**data));
    [Value::Uuid(*id), name, key.clone(), Value::Int(*made), data]
}

/// What writes events.
fn said<'v, D: Database>(events: &'v [Event]) -> Result<Option<Each<'v>>, Fault> {
    if events.is_empty() {
        return Ok(None);
    }
    let table = outbox::events(D::DIALECT);
    let many = Many::insert(Place { target: target(), at: 1, table })?;
    Ok(Some(Each { many, rows: events.iter().map(|event| event.iter().collect()).collect() }))
}

/// What notes which events go to the broker.
fn sent_out<'v, D: Database>(asking: &'v [Asking]) -> Result<Option<Each<'v>>, Fault> {
    let sent = asking.iter().filter(|asking| *asking.target == *BROKER);
    let rows: Vec<Picked<'_>> = sent.map(|asking| smallvec![&asking.event]).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let table = exchange::outgoing(D::DIALECT);
    let many = Many::insert(Place { target: target(), at: 15, table })?;
    Ok(Some(Each { many, rows }))
}

/// A JSON array of texts.
fn texts(texts: impl IntoIterator<Item = String>) -> Value {
    let mut json = vec![b'['];
    for text in texts {
        json.extend_from_slice(if json.len() > 1 { b"," } else { b"" });
        Scalar::Text.write_json_text(&text, &mut json);
    }
    json.push(b']');
    Value::text(String::from_utf8_lossy(&json))
}

/// By what an event's key is locked, if it has one: no name has a slash.
pub(super) fn lock_of(name: &str, key: &Value) -> Option<String> {
    let Value::Text(key) = key else { return None };
    Some(format!("{name}/{key}"))
}

/// What is written of a task.
fn values_of_task(asking: &Asking, lane: &Value) -> [Value; 7] {
    let Asking { target, arguments, event, priority, due, unique, .. } = asking;
    [
        Value::text(&**target),
        arguments.as_deref().map_or(Value::Null, Value::text),
        event.clone(),
        lane.clone(),
        Value::Int(*priority),
        Value::Int(*due),
        unique.clone(),
    ]
}

/// The text of a key, null where there is none.
pub(super) fn key_text(scalar: Scalar, key: &Value) -> Value {
    if key.is_null() {
        return Value::Null;
    }
    let mut text = Vec::new();
    scalar.print(key, &mut text);
    Value::text(String::from_utf8_lossy(&text))
}
