//! Work on endpoints of webhooks and on deliveries to them.

use std::sync::OnceLock;

use operation::{Dialect, Failed, Fault, Hook, ReadId, Scalar, Settled, Value};

use super::outbox::lock_of;
use super::{Asked, Database, Failure, Key, Kind, Writing};
use crate::lower::{Statement, hook, ill_formed, outbox};

/// For how long it is not noted again that an endpoint answers, in microseconds.
const NOTED: i64 = 1_000_000;

impl<D: Database> Writing<'_, D> {
    /// Carries it out; the answer is JSON.
    pub(super) async fn hook(&mut self, hook: &Hook) -> Result<Vec<u8>, Failure> {
        match hook {
            Hook::Add { webhook, url, secret, now } => {
                let values = [text(webhook), text(url), Value::Int(*now)];
                let rows = self.answered(0, hook::add, &values).await?;
                let id = first(&rows).ok_or_else(|| ill_formed("an endpoint without a number"))?;
                self.done(1, hook::add_secret, &[Value::Int(id), text(secret)]).await?;
                Ok(id.to_string().into_bytes())
            }
            Hook::List => {
                let rows = self.answered(2, hook::list, &[]).await?;
                Ok(array(&rows, &hook::ENDPOINT))
            }
            Hook::Remove { endpoint } => {
                let endpoint = [Value::Int(*endpoint)];
                self.done(3, hook::drop_deliveries, &endpoint).await?;
                let [id] = endpoint.clone();
                self.done(4, hook::drop_secrets, &[id, Value::Null]).await?;
                let rows = self.answered(5, hook::remove, &endpoint).await?;
                found(&rows)
            }
            Hook::Enable { endpoint, now } => {
                self.alone().await?;
                let rows = self.answered(6, hook::enable, &[Value::Int(*endpoint)]).await?;
                self.done(7, hook::hasten, &[Value::Int(*endpoint), Value::Int(*now)]).await?;
                found(&rows)
            }
            Hook::Disable { endpoint, reason } => {
                let values = [Value::Int(*endpoint), text(reason)];
                found(&self.answered(8, hook::disable, &values).await?)
            }
            Hook::Rotate { endpoint, secret, now, until } => {
                let id = || Value::Int(*endpoint);
                found(&self.answered(9, hook::exists, &[id()]).await?)?;
                self.done(4, hook::drop_secrets, &[id(), Value::Int(*now)]).await?;
                self.done(10, hook::limit_secrets, &[id(), Value::Int(*until)]).await?;
                self.done(1, hook::add_secret, &[id(), text(secret)]).await?;
                Ok(Vec::new())
            }
            Hook::Deliveries { endpoint, most } => {
                let values = [endpoint.map_or(Value::Null, Value::Int), Value::Int(*most)];
                let rows = self.answered(11, hook::deliveries, &values).await?;
                Ok(array(&rows, &hook::DELIVERY))
            }
            Hook::Replay { endpoint, names, since, after, now, most } => {
                found(&self.answered(9, hook::exists, &[Value::Int(*endpoint)]).await?)?;
                self.alone().await?;
                let [endpoint, since, after, now, most] =
                    [*endpoint, *since, *after, *now, *most].map(Value::Int);
                let values = [endpoint.clone(), text(names), since.clone(), after.clone(), most];
                let rows = self.answered(12, hook::replayed, &values).await?;
                let count = first(&rows).unwrap_or(0);
                let last = rows.first().and_then(|row| row.get(1)).and_then(Value::as_int);
                if let Some(last) = last {
                    let values = [endpoint, text(names), since, after, Value::Int(last), now];
                    self.done(13, hook::replay, &values).await?;
                }
                let last = last.map_or_else(|| "null".to_owned(), |last| last.to_string());
                Ok(format!("[{count},{last}]").into_bytes())
            }
            Hook::Spread { task, webhook, now } => {
                self.spread(*task, webhook, *now).await?;
                Ok(Vec::new())
            }
            Hook::Take { now, until, each, most } => {
                self.hand_out(*now, *until, *each, *most).await
            }
            Hook::Arrived { delivery, status, now } => {
                let values = [delivery.number, delivery.until, *now, *status].map(Value::Int);
                let rows = self.answered(20, hook::arrived, &values).await?;
                let (endpoint, lane) = taken(&rows)?;
                let values = [*endpoint, *now, now.saturating_sub(NOTED)].map(Value::Int);
                self.next(*endpoint, lane, *now).await?;
                self.done(21, hook::succeeds, &values).await?;
                Ok(Vec::new())
            }
            Hook::Failed(failed) => {
                self.failed(failed).await?;
                Ok(Vec::new())
            }
            Hook::Release { now } => {
                self.done(24, hook::release, &[Value::Int(*now)]).await?;
                Ok(Vec::new())
            }
            Hook::Forget { before } => {
                self.done(25, hook::give_up, &[Value::Int(*before)]).await?;
                let rows = self.answered(26, hook::forget, &[Value::Int(*before)]).await?;
                Ok(rows.len().to_string().into_bytes())
            }
        }
    }

    async fn spread(&mut self, task: Settled, webhook: &str, now: i64) -> Result<(), Failure> {
        let values = [Value::Int(task.number), Value::Int(task.until)];
        let rows = self.answered(14, hook::event_of_task, &values).await?;
        // Without its event there is nothing to send, and the task ends all the same.
        if let Some([id, key]) = rows.first().map(Vec::as_slice) {
            self.lock_lane(key).await?;
            let values = [text(webhook), id.clone(), key.clone(), Value::Int(now)];
            self.done(15, hook::spread, &values).await?;
        }
        Ok(self.settle_task(task).await?)
    }

    async fn hand_out(
        &mut self,
        now: i64,
        until: i64,
        each: i64,
        most: i64,
    ) -> Result<Vec<u8>, Failure> {
        if D::DIALECT == Dialect::Postgres {
            let lower = |_| hook::takers();
            self.done(16, lower, &[]).await?;
        }
        let (mut json, mut room) = (vec![b'['], most);
        for row in self.answered(17, hook::busy, &[Value::Int(now)]).await? {
            let [Value::Int(endpoint), url, webhook, Value::Int(failing), Value::Int(under_way)] =
                &*row
            else {
                return Err(ill_formed("an endpoint of another form").into());
            };
            let each = if *failing > 0 { each.min(1) } else { each };
            let many = (each - under_way).min(room);
            if many <= 0 {
                continue;
            }
            let values = [*endpoint, now, until, many].map(Value::Int);
            let numbers = self.answered(18, hook::take, &values).await?;
            let values = [Value::Int(*endpoint), Value::Int(until)];
            let mut rows = self.answered(19, hook::taken, &values).await?;
            rows.retain(|row| numbers.iter().any(|number| number.first() == row.first()));
            room -= i64::try_from(rows.len()).unwrap_or(room);
            let values = [Value::Int(*endpoint), Value::Int(now)];
            let secrets = self.answered(27, hook::secrets, &values).await?;
            json.extend_from_slice(if json.len() > 1 { b",{" } else { b"{" });
            member("url", Scalar::Text, url, &mut json);
            member("webhook", Scalar::Text, webhook, &mut json);
            member("until", Scalar::Int, &Value::Int(until), &mut json);
            json.extend_from_slice(b"\"secrets\":[");
            for (at, secret) in secrets.iter().flatten().enumerate() {
                json.extend_from_slice(if at > 0 { b"," } else { b"" });
                Scalar::Text.write_json(secret, &mut json);
            }
            json.extend_from_slice(b"],\"deliveries\":[");
            for (at, row) in rows.iter().enumerate() {
                json.extend_from_slice(if at > 0 { b",{" } else { b"{" });
                for ((name, scalar), value) in hook::TAKEN.iter().zip(row) {
                    member(name, *scalar, value, &mut json);
                }
                // As text: what it is made of is another's to say.
                let data = row.get(hook::TAKEN.len()).unwrap_or(&Value::Null);
                member("data", Scalar::Text, data, &mut json);
                json.pop();
                json.push(b'}');
            }
            json.extend_from_slice(b"]}");
        }
        json.push(b']');
        Ok(json)
    }

    async fn failed(&mut self, failed: &Failed) -> Result<(), Failure> {
        let Failed { delivery, status, reason, now, due, resumes, gone } = failed;
        let values = [
            Value::Int(delivery.number),
            Value::Int(delivery.until),
            Value::Int(*now),
            status.map_or(Value::Null, Value::Int),
            text(reason),
            due.map_or(Value::Null, Value::Int),
        ];
        let rows = self.answered(22, hook::failed, &values).await?;
        let (endpoint, lane) = taken(&rows)?;
        if due.is_none() {
            // What is parked no longer stands in the way of its lane.
            self.next(*endpoint, lane, *now).await?;
        }
        let why = if *gone { text(reason) } else { Value::Null };
        let values = [Value::Int(*endpoint), Value::Int(*now), Value::Int(*resumes), why];
        self.done(23, hook::fails, &values).await?;
        Ok(())
    }

    /// The next of a lane is due.
    async fn next(&mut self, endpoint: i64, lane: &Value, now: i64) -> Result<(), Failure> {
        if lane.is_null() {
            return Ok(());
        }
        self.lock_lane(lane).await?;
        let values = [Value::Int(endpoint), lane.clone(), Value::Int(now)];
        self.done(28, hook::next, &values).await?;
        Ok(())
    }

    /// Waits, on PostgreSQL, until nobody else puts something into a lane or ends something there: otherwise the one that is
    /// put in behind another would not be seen by who ends the other, and would wait for ever.
    async fn lock_lane(&mut self, lane: &Value) -> Result<(), Failure> {
        if D::DIALECT == Dialect::Postgres
            && let Some(lock) = lock_of("delivery", lane)
        {
            self.done(29, |_| outbox::lock_key(), &[Value::text(lock)]).await?;
        }
        Ok(())
    }

    /// The same of all lanes.
    async fn alone(&mut self) -> Result<(), Failure> {
        if D::DIALECT == Dialect::Postgres {
            self.done(30, |_| hook::alone(), &[]).await?;
        }
        Ok(())
    }

    /// Executes one of the statements, each of which has a place of its own, and awaits its rows.
    async fn answered(
        &mut self,
        place: usize,
        lower: impl FnOnce(Dialect) -> Statement,
        values: &[Value],
    ) -> Result<Vec<Vec<Value>>, Failure> {
        let lower = || Ok(lower(D::DIALECT));
        self.database.run(asked(Kind::Select, place), lower, values.iter()).await
    }

    /// The same of one that answers nothing.
    async fn done(
        &mut self,
        place: usize,
        lower: impl FnOnce(Dialect) -> Statement,
        values: &[Value],
    ) -> Result<(), Failure> {
        let lower = || Ok(lower(D::DIALECT));
        self.database.run(asked(Kind::Update, place), lower, values.iter()).await.map(drop)
    }
}

fn asked(kind: Kind, place: usize) -> Asked {
    static TARGET: OnceLock<ReadId> = OnceLock::new();
    let target = *TARGET.get_or_init(ReadId::fresh);
    Asked::Kept(Key { target, place, kind, columns: 0, binds: 0 })
}

fn text(text: &str) -> Value {
    Value::text(text)
}

fn first(rows: &[Vec<Value>]) -> Option<i64> {
    rows.first().and_then(|row| row.first()).and_then(Value::as_int)
}

/// Nothing, of what is there.
fn found(rows: &[Vec<Value>]) -> Result<Vec<u8>, Failure> {
    if rows.is_empty() { Err(Fault::NotFound.into()) } else { Ok(Vec::new()) }
}

/// Endpoint and lane of a delivery, which somebody else may have by now.
fn taken(rows: &[Vec<Value>]) -> Result<(&i64, &Value), Failure> {
    match rows.first().map(Vec::as_slice) {
        Some([Value::Int(endpoint), lane]) => Ok((endpoint, lane)),
        _ => Err(Fault::NotFound.into()),
    }
}

fn member(name: &str, scalar: Scalar, value: &Value, json: &mut Vec<u8>) {
    Scalar::Text.write_json_text(name, json);
    json.push(b':');
    scalar.write_json(value, json);
    json.push(b',');
}

/// Rows as objects.
fn array(rows: &[Vec<Value>], columns: &[(&str, Scalar)]) -> Vec<u8> {
    let mut json = vec![b'['];
    for (at, row) in rows.iter().enumerate() {
        json.extend_from_slice(if at > 0 { b",{" } else { b"{" });
        for ((name, scalar), value) in columns.iter().zip(row) {
            member(name, *scalar, value, &mut json);
        }
        json.pop();
        json.push(b'}');
    }
    json.push(b']');
    json
}
