//! What a command leaves behind: events, and tasks.

use operation::{Carried, Expression, Fault, Published, Scalar, Terms, Value};

use super::super::outbox::{self, Asking};
use super::{Database, Running, ill_formed};

impl<D: Database> Running<'_, '_, D> {
    /// Publishes an event, and asks those who hear it.
    pub(super) async fn emit(
        &mut self,
        event: usize,
        key: Option<&(Expression, Scalar)>,
        members: &[Carried],
    ) -> Result<(), Fault> {
        let data = self.carried(members).await?;
        let is_own = key.is_some_and(|(key, _)| self.program.is_own_key(key));
        let key = match key {
            Some((key, scalar)) => outbox::key_text(*scalar, &self.value(key, None).await?),
            None => Value::Null,
        };
        self.publish(event, (key, is_own), data)
    }

    /// The same under a key, of which it is said whether nobody else can know it, and of what it carries, as a JSON object.
    pub(super) fn publish(
        &mut self,
        event: usize,
        (key, is_own): (Value, bool),
        data: Box<str>,
    ) -> Result<(), Fault> {
        let heard = self.program.events.get(event).ok_or_else(|| ill_formed("no such event"))?;
        let id = uuid::Uuid::now_v7().into_bytes();
        let (name, made) = (heard.name.clone(), self.now);
        let event = Published { id, name, key, made, data };
        self.asking.extend(heard.by.iter().map(|target| Asking::to_hear(&event, target, self.now)));
        if is_own {
            self.unlocked.push(id);
        }
        self.published.push(event);
        Ok(())
    }

    /// Asks for a command after this one.
    pub(super) async fn later(
        &mut self,
        target: &str,
        arguments: &[Carried],
        terms: &Terms,
    ) -> Result<(), Fault> {
        let arguments = self.carried(arguments).await?;
        let asking = self.asking(target, Some(arguments), (terms, true, true)).await?;
        self.asking.push(asking);
        Ok(())
    }

    /// What asks for a command. `terms`: with whether its delay and its unique key are known.
    pub(super) async fn asking(
        &mut self,
        target: &str,
        arguments: Option<Box<str>>,
        (terms, delayed, keyed): (&Terms, bool, bool),
    ) -> Result<Asking, Fault> {
        let delay = match terms.delay.as_ref().filter(|_| delayed) {
            Some(delay) => self.value(delay, None).await?.as_int().unwrap_or(0),
            None => 0,
        };
        let unique = match terms.unique.as_ref().filter(|_| keyed) {
            Some((unique, scalar)) => {
                match outbox::key_text(*scalar, &self.value(unique, None).await?) {
                    Value::Text(text) => Value::text(format!("{target}/{text}")),
                    _ => Value::Null,
                }
            }
            None => Value::Null,
        };
        Ok(Asking {
            target: target.into(),
            arguments,
            event: Value::Null,
            lane: Value::Null,
            priority: terms.priority,
            due: self.now.saturating_add(delay.max(0)),
            unique,
        })
    }

    /// Values by their names, as a JSON object.
    async fn carried(&mut self, members: &[Carried]) -> Result<Box<str>, Fault> {
        // Room for numbers, keys and short texts.
        let mut json = Vec::with_capacity(2 + 64 * members.len());
        json.push(b'{');
        for Carried { name, value, scalar } in members {
            let value = self.value(value, None).await?;
            if json.len() > 1 {
                json.push(b',');
            }
            Scalar::Text.write_json_text(name, &mut json);
            json.push(b':');
            scalar.write_json(&value, &mut json);
        }
        json.push(b'}');
        String::from_utf8(json)
            .map(String::into_boxed_str)
            .map_err(|e| Fault::Internal(e.to_string()))
    }
}
