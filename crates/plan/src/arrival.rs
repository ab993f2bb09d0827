//! Events of other systems: what is known of them, and what they carry, read against the model.

use model::{EventId, Field};
use operation::{FaultCode, Scalar, Tree, Value, Violation};

use crate::body::{At, Decoder};
use crate::command::named;
use crate::plan::{Plan, Request};

/// An event that another system publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Which.
    pub event: EventId,
    /// The name under which it is kept here: `sales.PaymentArrived`.
    pub name: Box<str>,
    /// Where it comes from: a subject, stream, queue or topic of the broker.
    pub address: Box<str>,
}

impl Plan {
    /// The events that other systems publish.
    pub fn foreign(&self) -> impl Iterator<Item = Foreign> {
        let events = self.model.events.iter().enumerate();
        events.filter_map(|(at, event)| {
            let address = event.from.as_deref()?.into();
            let name = named(&self.model, event.service, &event.name).into();
            Some(Foreign { event: EventId(u32::try_from(at).ok()?), name, address })
        })
    }

    /// What an event of another system carries, as it is kept, and its key: null where it has none. Members that the model does not
    /// know are left out: whoever publishes may add some without asking those who hear.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its JSON pointer (RFC 6901).
    pub fn arrived(
        &self,
        event: EventId,
        data: &Tree<'_>,
        now: i64,
    ) -> Result<(Box<str>, Value), Vec<Violation>> {
        let item = &self.model.events[event.index()];
        let request = Request { now, ..Request::default() };
        let mut decoder = Decoder { plan: self, request, faults: Vec::new() };
        let Tree::Object(members) = data else {
            let detail = format!("must be an object, not {}", data.kind());
            decoder.fault(FaultCode::WrongType, &At::BODY, detail);
            return Err(decoder.faults);
        };
        let (mut json, mut key) = (vec![b'{'], Value::Null);
        for id in &item.fields {
            let field = &self.model[*id];
            let at = At::BODY.member(&field.name);
            let value = match members.iter().find(|(name, _)| **name == field.name) {
                Some((_, tree)) => decoder.field_value(*id, tree, &at),
                None => {
                    let default = decoder.default(*id);
                    if default.is_none() {
                        let detail = format!("`{}` is required", field.name);
                        decoder.fault(FaultCode::Required, &at, detail);
                    }
                    default
                }
            };
            let Some(value) = value else { continue };
            json.extend_from_slice(if json.len() > 1 { b"," } else { b"" });
            Scalar::Text.write_json_text(&field.name, &mut json);
            json.push(b':');
            let scalar = self.scalar_of(field);
            scalar.write_json(&value, &mut json);
            if item.by == Some(*id) && !value.is_null() {
                let mut text = Vec::new();
                scalar.print(&value, &mut text);
                key = Value::text(String::from_utf8_lossy(&text));
            }
        }
        json.push(b'}');
        if decoder.faults.is_empty() {
            Ok((String::from_utf8_lossy(&json).into(), key))
        } else {
            Err(decoder.faults)
        }
    }

    fn scalar_of(&self, field: &Field) -> Scalar {
        self.model.scalar(&field.ty).unwrap_or(Scalar::Json)
    }
}
