//! An event as it is sent: CloudEvents 1.0, structured, as everybody outside sees it.

use bytes::Bytes;
use contract::CloudEvent;
use operation::{Published, Scalar, Value};

use super::Delivery;
use crate::Loaded;

/// The body of a delivery; `None` if its event is not kept any more.
pub(super) fn of(loaded: &Loaded, delivery: &Delivery) -> Option<Bytes> {
    let (name, data) = (delivery.name.as_deref()?, delivery.data.as_deref()?);
    let Ok(Value::Uuid(id)) = Scalar::Uuid.parse(&delivery.id) else { return None };
    let event = Published {
        id,
        name: name.into(),
        key: delivery.key.as_deref().map_or(Value::Null, Value::text),
        made: delivery.happened?,
        data: data.into(),
    };
    Some(CloudEvent::of(loaded.contract(), None, &event).structured().into())
}
