//! Events as they are sent: CloudEvents 1.0, as everybody outside sees them.

use broker::{Message, Party};
use contract::CloudEvent;
use model::{kebab_case, snake_case};
use operation::{Published, Value};

use crate::Loaded;

/// What a model exchanges with a broker.
pub(super) fn party(loaded: &Loaded) -> Party {
    let events = loaded.contract().events.iter();
    let sends = events.filter(|event| event.from.is_none()).map(|event| event.kind.clone());
    let receives = loaded.plan.foreign().map(|foreign| foreign.address.into_string());
    Party { name: app(loaded), sends: sends.collect(), receives: receives.collect() }
}

/// An event, ready to be sent. One that the model has no more goes where the name leads that it is kept under.
pub(super) fn of(loaded: &Loaded, event: &Published) -> Message {
    let envelope = CloudEvent::of(loaded.contract(), None, event);
    let is_known = loaded.contract().events.iter().any(|known| *known.stored == *event.name);
    let app = app(loaded);
    let address = if is_known || app.is_empty() {
        envelope.kind.clone()
    } else {
        format!("{app}.{}", envelope.kind)
    };
    let key = if let Value::Text(key) = &event.key { Some(key.to_string()) } else { None };
    let attributes = envelope.attributes().map(|(name, value)| (name, value.to_owned()));
    Message {
        id: envelope.id.clone(),
        address,
        key,
        attributes: attributes.collect(),
        headers: envelope.headers(),
        data: event.data.as_bytes().to_vec().into(),
        structured: envelope.structured().into(),
    }
}

fn app(loaded: &Loaded) -> String {
    kebab_case(&snake_case(&loaded.contract().name))
}
