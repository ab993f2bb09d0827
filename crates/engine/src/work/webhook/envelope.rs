//! An event as it is sent: CloudEvents 1.0, structured, as JSON.
//!
//! The least that a receiver needs, for webhooks alone. The whole of CloudEvents, which other ways out of the house need as
//! well, takes the place of [`of`].

use bytes::Bytes;
use operation::{Scalar, Value};

use super::Delivery;
use crate::Loaded;

/// The body of a delivery; `None` if its event is not kept any more.
pub(super) fn of(loaded: &Loaded, delivery: &Delivery) -> Option<Bytes> {
    let (name, data) = (delivery.name.as_deref()?, delivery.data.as_deref()?);
    let app = loaded.model.app.as_ref().map_or("", |app| app.name.as_str());
    let mut json = br#"{"specversion":"1.0","id":"#.to_vec();
    let text = |text: &str, json: &mut Vec<u8>| Scalar::Text.write_json_text(text, json);
    text(&delivery.id, &mut json);
    json.extend_from_slice(br#","source":"#);
    text(&format!("/{app}"), &mut json);
    json.extend_from_slice(br#","type":"#);
    text(name, &mut json);
    if let Some(key) = &delivery.key {
        json.extend_from_slice(br#","subject":"#);
        text(key, &mut json);
    }
    json.extend_from_slice(br#","time":"#);
    Scalar::Timestamp.write_json(&Value::Int(delivery.happened?), &mut json);
    json.extend_from_slice(br#","datacontenttype":"application/json","data":"#);
    json.extend_from_slice(data.as_bytes());
    json.push(b'}');
    Some(json.into())
}
