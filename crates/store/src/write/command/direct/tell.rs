//! Events and tasks that carry what stands in rows.

use std::collections::{BTreeMap, BTreeSet};

use operation::{BROKER, Carried, Direct, Expression, Fault, Finding, Published, Scalar, Value};

use super::super::super::outbox::{Asking, key_text};
use super::super::super::{Asked, Database, Failure, Key, Kind};
use super::super::{Running, ill_formed};
use super::Stating;
use crate::lower::{self, Settings, Under, told};

/// What is told at one place.
#[derive(Debug)]
pub(super) struct Telling {
    /// Position among [`Direct::told`].
    told: usize,
    /// What the binds held then.
    binds: Vec<Value>,
    /// The JSON around what is looked up.
    pieces: Vec<Value>,
    /// What each of the values looked up means.
    scalars: Vec<Scalar>,
}

/// What is told of rows, by the positions of events and tasks.
pub(super) struct Tellings {
    events: BTreeMap<usize, Telling>,
    tasks: BTreeMap<usize, Telling>,
    /// Events under keys that only the database knows, each with what stands for its key.
    under: Vec<(Value, Under, Value)>,
}

/// The statement that writes an event or a task of which something is told; `values`: what it is given, if that is known.
fn lower_of(
    direct: &Direct,
    told: usize,
    scalars: &[Scalar],
    kind: Kind,
    (binds, values): (usize, &[Value]),
) -> Result<lower::Statement, Fault> {
    let told = direct.told.get(told).ok_or_else(|| ill_formed("nothing is told there"))?;
    let looked_up: Vec<_> = told.values.iter().flatten().zip(scalars.iter().copied()).collect();
    let key = told.key.and_then(|bind| Under::of(direct, bind));
    let (settings, delay) = (Settings::of(direct), told.delay.as_ref());
    let telling = told::Telling { values: &looked_up, binds, settings, key, delay };
    if kind == Kind::TellEvent { told::event(telling, values) } else { told::task(telling, values) }
}

/// The keys under which something is told, as far as they are looked up.
pub(in super::super) fn found_keys(direct: &Direct) -> Vec<usize> {
    let texts = direct.found.iter().enumerate();
    let texts = texts.filter(|(_, found)| matches!(found.what, Finding::Text(_)));
    texts.map(|(at, _)| at).collect()
}

/// The statement that writes an event or a task of which something is told, of what is carried there, without any values.
pub(in super::super) fn lower_told(
    direct: &Direct,
    told: usize,
    carried: &[Carried],
    binds: usize,
    is_event: bool,
) -> Result<lower::Statement, Fault> {
    let looked_up = direct.told.get(told).map_or(&[][..], |told| &told.values);
    let of = carried.iter().zip(looked_up).filter(|(_, looked_up)| looked_up.is_some());
    let scalars: Vec<Scalar> = of.map(|(carried, _)| carried.scalar).collect();
    let kind = if is_event { Kind::TellEvent } else { Kind::TellTask };
    lower_of(direct, told, &scalars, kind, (binds, &[]))
}

impl<D: Database> Stating<'_, '_, D> {
    /// Writes down what is known of a JSON object.
    pub(super) async fn telling(
        &mut self,
        told: usize,
        members: &[Carried],
    ) -> Result<Telling, Fault> {
        let direct = self.direct;
        let looked_up = direct.told.get(told).ok_or_else(|| ill_formed("nothing is told there"))?;
        let (mut pieces, mut scalars, mut json) = (Vec::new(), Vec::new(), vec![b'{']);
        for (at, (member, looked_up)) in members.iter().zip(&looked_up.values).enumerate() {
            if at > 0 {
                json.push(b',');
            }
            Scalar::Text.write_json_text(&member.name, &mut json);
            json.push(b':');
            if looked_up.is_none() {
                let value = self.running.value(&member.value, None).await?;
                member.scalar.write_json(&value, &mut json);
            } else {
                pieces.push(piece(std::mem::take(&mut json))?);
                scalars.push(member.scalar);
            }
        }
        json.push(b'}');
        pieces.push(piece(json)?);
        Ok(Telling { told, binds: self.running.binds.clone(), pieces, scalars })
    }

    /// Publishes an event of which something is told.
    pub(super) async fn tell_event(
        &mut self,
        (event, key, members): (usize, Option<&(Expression, Scalar)>, &[Carried]),
        told: usize,
    ) -> Result<(), Fault> {
        let telling = self.telling(told, members).await?;
        let key = match (self.told_under(told), key) {
            // Another who publishes under it before can but have guessed it.
            (Some((bind, Under::Drawn(_))), _) => {
                (self.running.binds.get(bind).cloned().unwrap_or_default(), true)
            }
            (Some((_, Under::Found(_))), _) => (Value::Null, false),
            (None, Some((key, scalar))) => {
                let is_own = self.running.program.is_own_key(key);
                (key_text(*scalar, &self.running.value(key, None).await?), is_own)
            }
            (None, None) => (Value::Null, false),
        };
        self.events.push((self.running.published.len(), telling));
        let before = self.running.asking.len();
        self.running.publish(event, key, Box::default())?;
        // Who hears it is given what it carries.
        let hearing = self.running.asking.iter_mut().skip(before);
        hearing.for_each(|asking| asking.arguments = None);
        Ok(())
    }

    /// Under which key something is told, and the bind that stands for it, if only the database knows it.
    fn told_under(&self, told: usize) -> Option<(usize, Under)> {
        let bind = self.direct.told.get(told)?.key?;
        Some((bind, Under::of(self.direct, bind)?))
    }

    /// The how manieth of those that the database counts is the key under which something is told, if it is one.
    pub(super) fn counted_under(&self, told: usize) -> Option<Value> {
        match self.told_under(told)? {
            (bind, Under::Drawn(_)) => self.running.binds.get(bind).cloned(),
            _ => None,
        }
    }

    /// Waits until nobody else publishes under the keys of these events.
    async fn lock_keys(&mut self, published: &[Published]) -> Result<(), Failure> {
        if published.is_empty() {
            return Ok(());
        }
        let keys = found_keys(self.direct).into_iter();
        let mut found: BTreeMap<usize, BTreeSet<&str>> =
            keys.map(|key| (key, BTreeSet::new())).collect();
        for (at, telling) in &self.events {
            if let (Some(event), Some((_, Under::Found(key)))) =
                (published.get(*at), self.told_under(telling.told))
            {
                found.entry(key).or_default().insert(&event.name);
            }
        }
        let (direct, target) = (self.direct, self.direct.id);
        let Running { writing, unlocked, .. } = &mut self.running;
        if found.is_empty() {
            return writing.lock_keys(published, unlocked).await;
        }
        writing.lock_found_keys((published, unlocked), &found, (target, direct)).await
    }

    /// Writes events and tasks, in the order in which they were asked for.
    pub(super) async fn tell(
        &mut self,
        published: &[Published],
        asking: &[Asking],
    ) -> Result<(), Failure> {
        self.lock_keys(published).await?;
        let mut tellings = self.tellings();
        for (at, event) in published.iter().enumerate() {
            self.tell_event_at(at, event, &mut tellings).await?;
        }
        self.running.writing.send_out(asking).await?;
        for (at, asking) in asking.iter().enumerate() {
            self.tell_task_at(at, asking, &mut tellings).await?;
        }
        Ok(())
    }

    /// What is told of rows.
    pub(super) fn tellings(&mut self) -> Tellings {
        let events = std::mem::take(&mut self.events).into_iter().collect();
        let tasks = std::mem::take(&mut self.tasks).into_iter().collect();
        Tellings { events, tasks, under: Vec::new() }
    }

    /// Writes the event at a position.
    pub(super) async fn tell_event_at(
        &mut self,
        at: usize,
        event: &Published,
        tellings: &mut Tellings,
    ) -> Result<(), Failure> {
        let Some(telling) = tellings.events.remove(&at) else {
            return self.running.writing.say(event).await;
        };
        if let Some((_, key)) = self.told_under(telling.told) {
            tellings.under.push((Value::Uuid(event.id), key, event.key.clone()));
        }
        let values = [
            Value::Uuid(event.id),
            Value::text(event.name.clone()),
            event.key.clone(),
            Value::Int(event.made),
        ];
        self.tell_one(Kind::TellEvent, telling, values).await
    }

    /// Writes the task at a position.
    pub(super) async fn tell_task_at(
        &mut self,
        at: usize,
        asking: &Asking,
        tellings: &mut Tellings,
    ) -> Result<(), Failure> {
        if let Some(telling) = tellings.tasks.remove(&at) {
            let values = [
                Value::text(asking.target.clone()),
                Value::Int(asking.priority),
                Value::Int(asking.due),
                asking.unique.clone(),
            ];
            return self.tell_one(Kind::TellTask, telling, values).await;
        }
        if *asking.target == *BROKER {
            return Ok(());
        }
        match tellings.under.iter().find(|(event, ..)| *event == asking.event) {
            Some((_, under, key)) => {
                let of = (self.direct.id, self.direct, *under);
                self.running.writing.ask_for_under(asking, of, key).await
            }
            None => self.running.writing.ask_for(asking).await,
        }
    }

    async fn tell_one(
        &mut self,
        kind: Kind,
        Telling { told, binds, pieces, scalars }: Telling,
        own: [Value; 4],
    ) -> Result<(), Failure> {
        let (direct, count) = (self.direct, binds.len());
        let values: Vec<Value> = binds.into_iter().chain(own).chain(pieces).collect();
        let target = self.direct.id;
        let key = Key { target, place: told, kind, columns: 0, binds: values.len() };
        let lower = || lower_of(direct, told, &scalars, kind, (count, &values));
        let database = &mut self.running.writing.database;
        database.run(Asked::Kept(key), lower, values.iter()).await.map(drop)
    }
}

fn piece(json: Vec<u8>) -> Result<Value, Fault> {
    String::from_utf8(json).map(Value::text).map_err(|e| Fault::Internal(e.to_string()))
}
