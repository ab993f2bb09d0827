//! Events and tasks that carry what stands in rows.

use operation::{BROKER, Carried, Direct, Expression, Fault, Published, Scalar, TableId, Value};

use super::super::super::outbox::{Asking, key_text};
use super::super::super::{Asked, Database, Failure, Key, Kind};
use super::super::{Running, ill_formed};
use super::Stating;
use crate::lower::{self, told};

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

/// The key of an event which the database counts: the how manieth of which table.
type DrawnKey = Option<(TableId, i64)>;

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
    let key = direct.drawn.iter().find(|(bind, _)| Some(*bind) == told.key).map(|(_, of)| *of);
    let telling = told::Telling { values: &looked_up, binds, drawn: &direct.drawn, key };
    if kind == Kind::TellEvent { told::event(telling, values) } else { told::task(telling, values) }
}

/// The statement that answers a value which stands in rows.
pub(in super::super) fn lower_said(
    direct: &Direct,
    binds: &[Value],
) -> Result<lower::Statement, Fault> {
    let (value, scalar) = direct.said.as_ref().ok_or_else(|| ill_formed("nothing is said"))?;
    let (values, drawn) = ([(value, *scalar)], &*direct.drawn);
    let telling = told::Telling { values: &values, binds: binds.len(), drawn, key: None };
    told::value(telling, binds)
}

/// The same, of what is carried there, without any values.
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
        let drawn = self.direct.told.get(told).and_then(|told| told.key);
        let key = match (drawn, key) {
            // Another who publishes under it before can but have guessed it.
            (Some(bind), _) => (self.running.binds.get(bind).cloned().unwrap_or_default(), true),
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

    /// The key of an event that is told, if the database counts it.
    fn drawn_key(&self, told: usize, key: &Value) -> DrawnKey {
        let bind = self.direct.told.get(told)?.key?;
        let (_, table) = self.direct.drawn.iter().find(|(drawn, _)| *drawn == bind)?;
        Some((*table, key.as_int()?))
    }

    /// Writes events and tasks, in the order in which they were asked for.
    pub(super) async fn tell(
        &mut self,
        published: &[Published],
        asking: &[Asking],
    ) -> Result<(), Failure> {
        let Running { writing, unlocked, .. } = &mut self.running;
        writing.lock_keys(published, unlocked).await?;
        let mut events = std::mem::take(&mut self.events).into_iter().peekable();
        let mut drawn = Vec::new();
        for (at, event) in published.iter().enumerate() {
            match events.next_if(|(told, _)| *told == at) {
                Some((_, telling)) => {
                    if let Some(key) = self.drawn_key(telling.told, &event.key) {
                        drawn.push((Value::Uuid(event.id), key));
                    }
                    let values = [
                        Value::Uuid(event.id),
                        Value::text(event.name.clone()),
                        event.key.clone(),
                        Value::Int(event.made),
                    ];
                    self.tell_one(Kind::TellEvent, telling, values).await?;
                }
                None => self.running.writing.say(event).await?,
            }
        }
        self.running.writing.send_out(asking).await?;
        let mut tasks = std::mem::take(&mut self.tasks).into_iter().peekable();
        for (at, asking) in asking.iter().enumerate() {
            match tasks.next_if(|(told, _)| *told == at) {
                Some((_, telling)) => {
                    let values = [
                        Value::text(asking.target.clone()),
                        Value::Int(asking.priority),
                        Value::Int(asking.due),
                        asking.unique.clone(),
                    ];
                    self.tell_one(Kind::TellTask, telling, values).await?;
                }
                None if *asking.target == *BROKER => {}
                None => {
                    let drawn = drawn.iter().find(|(event, _)| *event == asking.event);
                    let drawn = drawn.map(|(_, (table, at))| {
                        let place = usize::try_from(table.0).unwrap_or(usize::MAX);
                        let kind = Kind::TellTask;
                        (
                            Key {
                                target: self.running.program.id,
                                place,
                                kind,
                                columns: 1,
                                binds: 7,
                            },
                            *table,
                            *at,
                        )
                    });
                    self.running.writing.ask_for_drawn(asking, drawn).await?;
                }
            }
        }
        Ok(())
    }

    /// Asks for the value that is answered.
    pub(super) async fn say_value(&mut self) -> Result<(), Failure> {
        let (direct, target) = (self.direct, self.running.program.id);
        let binds = self.running.binds.clone();
        let key =
            Key { target, place: 0, kind: Kind::Answered, columns: 1 << 63, binds: binds.len() };
        let lower = || lower_said(direct, &binds);
        let database = &mut self.running.writing.database;
        database.run(Asked::Kept(key), lower, binds.iter()).await.map(drop)
    }

    async fn tell_one(
        &mut self,
        kind: Kind,
        Telling { told, binds, pieces, scalars }: Telling,
        own: [Value; 4],
    ) -> Result<(), Failure> {
        let (direct, count) = (self.direct, binds.len());
        let values: Vec<Value> = binds.into_iter().chain(own).chain(pieces).collect();
        let target = self.running.program.id;
        let key = Key { target, place: told, kind, columns: 0, binds: values.len() };
        let lower = || lower_of(direct, told, &scalars, kind, (count, &values));
        let database = &mut self.running.writing.database;
        database.run(Asked::Kept(key), lower, values.iter()).await.map(drop)
    }
}

fn piece(json: Vec<u8>) -> Result<Value, Fault> {
    String::from_utf8(json).map(Value::text).map_err(|e| Fault::Internal(e.to_string()))
}
