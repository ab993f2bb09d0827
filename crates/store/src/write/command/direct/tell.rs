//! Events and tasks that carry what stands in rows.

use operation::{BROKER, Carried, Direct, Fault, Published, Scalar, Value};

use super::super::super::outbox::Asking;
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

/// The statement that writes an event or a task of which something is told; `values`: what it is given, if that is known.
fn lower_of(
    direct: &Direct,
    told: usize,
    scalars: &[Scalar],
    kind: Kind,
    (binds, values): (usize, &[Value]),
) -> Result<lower::Statement, Fault> {
    let told = direct.told.get(told).ok_or_else(|| ill_formed("nothing is told there"))?;
    let looked_up: Vec<_> = told.iter().flatten().zip(scalars.iter().copied()).collect();
    let telling = told::Telling { values: &looked_up, binds };
    if kind == Kind::TellEvent { told::event(telling, values) } else { told::task(telling, values) }
}

/// The same, of what is carried there, without any values.
pub(in super::super) fn lower_told(
    direct: &Direct,
    told: usize,
    carried: &[Carried],
    binds: usize,
    is_event: bool,
) -> Result<lower::Statement, Fault> {
    let looked_up = direct.told.get(told).map_or(&[][..], Vec::as_slice);
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
        for (at, (member, looked_up)) in members.iter().zip(looked_up).enumerate() {
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

    /// Writes events and tasks, in the order in which they were asked for.
    pub(super) async fn tell(
        &mut self,
        published: &[Published],
        asking: &[Asking],
    ) -> Result<(), Failure> {
        let Running { writing, unlocked, .. } = &mut self.running;
        writing.lock_keys(published, unlocked).await?;
        let mut events = std::mem::take(&mut self.events).into_iter().peekable();
        for (at, event) in published.iter().enumerate() {
            match events.next_if(|(told, _)| *told == at) {
                Some((_, telling)) => {
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
                None => self.running.writing.ask_for(asking).await?,
            }
        }
        Ok(())
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
