//! Events in the form of [CloudEvents 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md).

use operation::{Published, Scalar, Value};

use crate::Contract;

/// An event in its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudEvent<'a> {
    /// The event's identifier, as text.
    pub id: String,
    /// Where it happened: `/shop/sales`.
    pub source: String,
    /// What kind of thing has happened: `shop.sales.OrderPlaced.v1`.
    pub kind: String,
    /// Its key, if it has one. A key with control characters is none that may stand here; the data has it.
    pub subject: Option<&'a str>,
    /// When it happened (RFC 3339).
    pub time: String,
    /// Where the schema of its data is, if that is known: an absolute address.
    pub data_schema: Option<String>,
    /// What it carries: a JSON object as text.
    pub data: &'a str,
}

impl<'a> CloudEvent<'a> {
    /// The media type of the structured form.
    pub const MEDIA_TYPE: &'static str = "application/cloudevents+json";

    /// The media type of several of them (JSON batch format 1.0): an array.
    pub const BATCH_TYPE: &'static str = "application/cloudevents-batch+json";

    /// The envelope of an event. `base` is the address under which the API is served, without a slash at its end: an event names
    /// the schema of its data only by an address that holds everywhere. An event that the model has no more is named after what
    /// the store knew it by.
    pub fn of(contract: &Contract, base: Option<&str>, event: &'a Published) -> Self {
        let known = contract.events.iter().find(|known| *known.stored == *event.name);
        let (kind, source) = match known {
            Some(known) => (known.kind.clone(), known.source.clone()),
            None => (event.name.clone().into_string(), "/".to_owned()),
        };
        let schema = known.zip(base).map(|(known, base)| format!("{base}/schemas/{}", known.name));
        let subject = match &event.key {
            Value::Text(key) if !key.is_empty() && !key.chars().any(char::is_control) => {
                Some(&**key)
            }
            _ => None,
        };
        let printed = |scalar: Scalar, value: &Value| {
            let mut text = Vec::new();
            scalar.print(value, &mut text);
            String::from_utf8_lossy(&text).into_owned()
        };
        Self {
            id: printed(Scalar::Uuid, &Value::Uuid(event.id)),
            source,
            kind,
            subject,
            time: printed(Scalar::Timestamp, &Value::Int(event.made)),
            data_schema: schema,
            data: &event.data,
        }
    }

    /// The structured form (JSON event format 1.0): one JSON object, on one line where the data is.
    pub fn structured(&self) -> String {
        let mut out = vec![b'{'];
        for (name, value) in self.attributes() {
            Scalar::Text.write_json_text(name, &mut out);
            out.push(b':');
            Scalar::Text.write_json_text(value, &mut out);
            out.push(b',');
        }
        out.extend_from_slice(b"\"datacontenttype\":\"application/json\",\"data\":");
        out.extend_from_slice(self.data.as_bytes());
        out.push(b'}');
        String::from_utf8_lossy(&out).into_owned()
    }

    /// The headers of the binary form (HTTP protocol binding 1.0.2, section 3.1); the body is the data as it is.
    pub fn headers(&self) -> Vec<(String, String)> {
        let content = ("content-type".to_owned(), "application/json".to_owned());
        let attributes = self.attributes();
        let attributes = attributes.map(|(name, value)| (format!("ce-{name}"), encoded(value)));
        [content].into_iter().chain(attributes).collect()
    }

    /// Its attributes by their names, those that it has: all but what tells the form of the data, which each form says in its own way.
    pub fn attributes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("specversion", Some("1.0")),
            ("id", Some(&*self.id)),
            ("source", Some(&*self.source)),
            ("type", Some(&*self.kind)),
            ("subject", self.subject),
            ("time", Some(&*self.time)),
            ("dataschema", self.data_schema.as_deref()),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }
}

/// A value as it stands in a header: what is not printable ASCII, and space, quotation mark and per cent, by their bytes.
fn encoded(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_graphic() && !matches!(byte, b'"' | b'%') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
