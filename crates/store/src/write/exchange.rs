//! Work on what goes to a broker and what comes from one.

use std::collections::HashSet;
use std::sync::OnceLock;

use operation::{ARRIVED, Accept, Arrival, Dialect, Exchange, Fault, ReadId, Scalar, Value};

use super::outbox::Asking;
use super::{Asked, Database, Failure, Key, Kind, Writing};
use crate::lower::{Statement, exchange};

impl<D: Database> Writing<'_, D> {
    /// Carries it out; the answer is JSON.
    pub(super) async fn exchange(&mut self, exchange: &Exchange) -> Result<Vec<u8>, Failure> {
        match exchange {
            Exchange::Hold { holder, now, until } => {
                let values = [Value::Uuid(*holder), Value::Int(*until), Value::Int(*now)];
                let rows = self.answer_of(0, exchange::hold, &values).await?;
                Ok(if rows.is_empty() { b"false".to_vec() } else { b"true".to_vec() })
            }
            Exchange::Yield { holder } => {
                self.execute_kept(1, exchange::end_hold, &[Value::Uuid(*holder)]).await?;
                Ok(Vec::new())
            }
            Exchange::Sent { numbers } => {
                let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
                let numbers = Value::text(format!("[{}]", numbers.join(",")));
                self.execute_kept(2, exchange::sent, &[numbers]).await?;
                Ok(Vec::new())
            }
            Exchange::Accept(accept) => {
                self.accept(accept).await?;
                Ok(Vec::new())
            }
            Exchange::Forget { before } => {
                let rows = self.answer_of(3, exchange::forget, &[Value::Int(*before)]).await?;
                Ok(rows.len().to_string().into_bytes())
            }
        }
    }

    async fn accept(&mut self, accept: &Accept) -> Result<(), Failure> {
        let Accept { holder, settles, now, arrivals, unreadable, positions } = accept;
        if let Some(holder) = holder
            && self.answer_of(4, exchange::held, &[Value::Uuid(*holder)]).await?.is_empty()
        {
            return Err(Fault::NotFound.into());
        }
        if let Some(task) = settles {
            self.settle_task(*task).await?;
        }
        let fresh = self.fresh(arrivals, *now).await?;
        let events: Vec<_> = fresh.iter().map(|arrival| arrival.event.clone()).collect();
        let asking = fresh.iter().flat_map(|arrival| {
            arrival.by.iter().map(|target| Asking::to_hear(&arrival.event, target, *now))
        });
        self.publish(&events, &[], &asking.collect::<Vec<_>>()).await?;
        for unreadable in unreadable {
            let text = |text: &str| Value::text(text);
            let (target, content) = (text(&unreadable.target), text(&unreadable.content));
            let values = [target, content, Value::Int(*now), text(&unreadable.reason)];
            self.execute_kept(5, exchange::park, &values).await?;
        }
        if !unreadable.is_empty() {
            self.execute_kept(6, exchange::bound, &[Value::text(format!("{ARRIVED}%"))]).await?;
        }
        for (name, next) in positions {
            let values = [Value::text(name.clone()), Value::Int(*next)];
            self.execute_kept(7, exchange::advance, &values).await?;
        }
        Ok(())
    }

    /// Notes what has come, and answers what had not come before.
    async fn fresh<'a>(
        &mut self,
        arrivals: &'a [Arrival],
        now: i64,
    ) -> Result<Vec<&'a Arrival>, Failure> {
        if arrivals.is_empty() {
            return Ok(Vec::new());
        }
        let mut pairs = vec![b'['];
        for Arrival { source, id, .. } in arrivals {
            pairs.extend_from_slice(if pairs.len() > 1 { b",[" } else { b"[" });
            Scalar::Text.write_json_text(source, &mut pairs);
            pairs.push(b',');
            Scalar::Text.write_json_text(id, &mut pairs);
            pairs.push(b']');
        }
        pairs.push(b']');
        let values = [Value::text(String::from_utf8_lossy(&pairs)), Value::Int(now)];
        let rows = self.answer_of(8, exchange::receive, &values).await?;
        let mut fresh: HashSet<[Value; 2]> =
            rows.into_iter().filter_map(|row| row.try_into().ok()).collect();
        // Of what came twice at once the first is taken.
        let is_fresh = |arrival: &&Arrival| {
            fresh.remove(&[Value::text(arrival.source.clone()), Value::text(arrival.id.clone())])
        };
        Ok(arrivals.iter().filter(is_fresh).collect())
    }

    /// Executes one of the statements, each of which has a place of its own, and awaits its rows.
    async fn answer_of(
        &mut self,
        place: usize,
        lower: impl FnOnce(Dialect) -> Statement,
        values: &[Value],
    ) -> Result<Vec<Vec<Value>>, Failure> {
        let lower = || Ok(lower(D::DIALECT));
        self.database.run(asked(Kind::Select, place), lower, values.iter()).await
    }

    /// The same of one that answers nothing.
    async fn execute_kept(
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
