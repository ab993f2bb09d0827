//! Events that come in through a webhook.

use model::{EventId, Received, Webhook};
use operation::{Fault, FaultCode, Published, Scalar, Tree, Value, Violation};

use super::task::heard;
use crate::body::{At, Decoder};
use crate::plan::{Plan, Request};

impl Plan {
    /// What has come in, as an event that may be published, and the targets of those who hear it. `kind` is its type, where that
    /// was said beside the body; otherwise a body with a text `type` and an object `data` says so itself. Members that the model
    /// does not name are left out: a sender may add some at any time.
    ///
    /// # Errors
    /// [`Fault::Invalid`] with all that is wrong; [`Fault::NotFound`] where the model has no such webhook.
    pub fn received(
        &self,
        webhook: &str,
        kind: Option<&str>,
        body: &Tree<'_>,
        id: [u8; 16],
        now: i64,
    ) -> Result<(Published, Vec<Box<str>>), Fault> {
        let mut webhooks = self.model.webhooks.iter();
        let webhook = webhooks.find(|known| known.name == webhook && !known.receives.is_empty());
        let webhook = webhook.ok_or(Fault::NotFound)?;
        let (event, data, inside) = self.meant(webhook, kind, body)?;
        let around = At::BODY;
        let place = if inside { around.member("data") } else { around };
        let mut decoder = Decoder {
            plan: self,
            request: Request { now, ..Request::default() },
            faults: Vec::new(),
        };
        let Tree::Object(members) = data else {
            let detail = format!("must be an object, not {}", data.kind());
            decoder.fault(FaultCode::WrongType, &place, detail);
            return Err(Fault::Invalid(decoder.faults));
        };
        let item = &self.model.events[event.index()];
        let (mut json, mut key) = (vec![b'{'], Value::Null);
        for field in &item.fields {
            let row = &self.model[*field];
            let at = place.member(&row.name);
            let value = match members.iter().find(|(name, _)| **name == row.name) {
                None | Some((_, Tree::Null)) if row.optional => Value::Null,
                None | Some((_, Tree::Null)) => {
                    let detail = format!("`{}` is required", row.name);
                    decoder.fault(FaultCode::Required, &at, detail);
                    continue;
                }
                Some((_, tree)) => match decoder.value(&row.ty, tree, &at) {
                    Some(value) => value,
                    None => continue,
                },
            };
            let scalar = self.model.scalar(&row.ty).unwrap_or(Scalar::Json);
            if json.len() > 1 {
                json.push(b',');
            }
            Scalar::Text.write_json_text(&row.name, &mut json);
            json.push(b':');
            scalar.write_json(&value, &mut json);
            if item.by == Some(*field) {
                let mut text = Vec::new();
                scalar.print(&value, &mut text);
                key = Value::text(String::from_utf8_lossy(&text));
            }
        }
        if !decoder.faults.is_empty() {
            return Err(Fault::Invalid(decoder.faults));
        }
        json.push(b'}');
        let data = String::from_utf8_lossy(&json).into();
        let heard = heard(&self.model, event.index(), self.to_broker);
        Ok((Published { id, name: heard.name, key, made: now, data }, heard.by))
    }

    /// Which event is meant, what it carries, and whether that stands in `data`.
    fn meant<'t, 'b>(
        &self,
        webhook: &Webhook,
        kind: Option<&str>,
        body: &'t Tree<'b>,
    ) -> Result<(EventId, &'t Tree<'b>, bool), Fault> {
        let said = |received: &Received| {
            let name = &self.model.events[received.event.index()].name;
            received.kind.clone().unwrap_or_else(|| name.clone())
        };
        let find = |kind: &str| {
            let found = webhook.receives.iter().find(|received| said(received) == kind);
            found.map(|received| received.event).ok_or_else(|| {
                let known: Vec<String> = webhook.receives.iter().map(&said).collect();
                let detail =
                    format!("nothing here is of type `{kind}`; there are: {}", known.join(", "));
                Fault::Invalid(vec![Violation::at(FaultCode::WrongFormat, "/type", detail)])
            })
        };
        if let Some(kind) = kind {
            return Ok((find(kind)?, body, false));
        }
        let member = |name: &str| match body {
            Tree::Object(members) => {
                members.iter().find(|(known, _)| **known == *name).map(|(_, tree)| tree)
            }
            _ => None,
        };
        let alone = match webhook.receives.as_slice() {
            [one] => Some(one.event),
            _ => None,
        };
        // An event may have members of these names itself.
        let has_both = alone.is_some_and(|event| {
            let fields = &self.model.events[event.index()].fields;
            let has = |name: &str| fields.iter().any(|field| self.model[*field].name == name);
            has("type") && has("data")
        });
        match (member("type"), member("data")) {
            (Some(Tree::Text(kind)), Some(data @ Tree::Object(_))) if !has_both => {
                Ok((find(kind)?, data, true))
            }
            _ => match alone {
                Some(event) => Ok((event, body, false)),
                None => {
                    let known: Vec<String> = webhook.receives.iter().map(&said).collect();
                    let detail = format!(
                        "must have a `type`, one of {}, and its members in `data`",
                        known.join(", ")
                    );
                    Err(Fault::Invalid(vec![Violation::at(FaultCode::Required, "/type", detail)]))
                }
            },
        }
    }
}
