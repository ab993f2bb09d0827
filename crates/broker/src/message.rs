//! Events on their way, in the form of [CloudEvents 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md).

use bytes::Bytes;
use serde_json::value::RawValue;

/// The longest identifier, source or type of an event that is read, in bytes.
const LONGEST: usize = 1_000;

/// An event that is sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Its identifier, the same whenever it is sent.
    pub id: String,
    /// Where it is sent: `shop.sales.OrderPaid.v1`.
    pub address: String,
    /// By what its order is kept among those of its address.
    pub key: Option<String>,
    /// The attributes of its envelope by their names, in the binary form.
    pub attributes: Vec<(&'static str, String)>,
    /// The same with the content type as headers of text (`ce-id`), percent-encoded as the HTTP binding says.
    pub headers: Vec<(String, String)>,
    /// What it carries: JSON.
    pub data: Bytes,
    /// The structured form: the event as one JSON object.
    pub structured: Bytes,
}

/// An event that has come.
#[derive(Debug)]
pub struct Arrived {
    /// What it says; or why it cannot be read.
    pub envelope: Result<Envelope, String>,
    /// It as it came, as far as it is text.
    pub text: String,
    /// How far its place has been read with it, where the broker does not keep that itself: the place's name, and what is next.
    pub next: Option<(Box<str>, i64)>,
    /// By what the broker knows this delivery: a subject, an entry, a number; nothing where a position is kept.
    pub(crate) token: String,
}

/// What an event says of itself, and what it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Where it happened.
    pub source: String,
    /// Its identifier there.
    pub id: String,
    /// What it carries: JSON, as text.
    pub data: String,
}

/// The structured form, as far as it is looked at.
#[derive(serde::Deserialize)]
struct Structured<'a> {
    specversion: String,
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    datacontenttype: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl Envelope {
    /// Reads an event that came with headers: in the binary form where `attribute` finds its attributes by their names, in the
    /// structured form otherwise.
    ///
    /// # Errors
    /// Why it cannot be read, as a sentence.
    pub fn read<'h>(
        content_type: Option<&str>,
        attribute: impl Fn(&str) -> Option<String> + 'h,
        body: &[u8],
    ) -> Result<Self, String> {
        let is_structured =
            content_type.is_some_and(|kind| kind.starts_with("application/cloudevents"));
        let version = attribute("specversion").filter(|_| !is_structured);
        let Some(version) = version else { return Self::of_structured(body) };
        let body = std::str::from_utf8(body).map_err(|_| "its data is no text in UTF-8")?;
        let wanted = |name: &str| attribute(name).ok_or_else(|| format!("it has no `{name}`"));
        let envelope = Self { id: wanted("id")?, source: wanted("source")?, data: body.to_owned() };
        envelope.checked(&version, &wanted("type")?, content_type)
    }

    /// Reads an event in the structured form.
    ///
    /// # Errors
    /// Why it cannot be read, as a sentence.
    pub fn of_structured(body: &[u8]) -> Result<Self, String> {
        let read: Structured<'_> = serde_json::from_slice(body)
            .map_err(|error| format!("it is no event in the form of CloudEvents 1.0: {error}"))?;
        let data = read.data.ok_or("it has no `data`; `data_base64` is not read")?;
        let envelope = Self { id: read.id, source: read.source, data: data.get().to_owned() };
        envelope.checked(&read.specversion, &read.kind, read.datacontenttype.as_deref())
    }

    fn checked(self, version: &str, kind: &str, content: Option<&str>) -> Result<Self, String> {
        if version != "1.0" {
            return Err(format!("its `specversion` is `{}`, not `1.0`", short(version)));
        }
        for (name, value) in [("id", &*self.id), ("source", &*self.source), ("type", kind)] {
            if value.is_empty() || value.len() > LONGEST || value.contains('\0') {
                return Err(format!("its `{name}` must have 1 to {LONGEST} bytes, none of them 0"));
            }
        }
        let media = content.map_or("application/json", |content| {
            content.split(';').next().unwrap_or_default().trim()
        });
        if media != "application/json" && media != "text/json" && !media.ends_with("+json") {
            return Err(format!("its data is `{}`, not JSON", short(media)));
        }
        Ok(self)
    }
}

fn short(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}

/// What came, as it is kept for people who look after what could not be read.
pub(crate) fn shown(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(
        attributes: &[(&str, &str)],
        content: Option<&str>,
        body: &[u8],
    ) -> Result<Envelope, String> {
        let find = |name: &str| {
            attributes
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        };
        Envelope::read(content, find, body)
    }

    const WHOLE: [(&str, &str); 4] =
        [("specversion", "1.0"), ("id", "7"), ("source", "/a"), ("type", "t")];

    #[test]
    fn both_forms_are_read() {
        let envelope = Envelope { source: "/a".into(), id: "7".into(), data: "{\"n\": 1}".into() };
        assert_eq!(
            binary(&WHOLE, Some("application/json; charset=utf-8"), b"{\"n\": 1}"),
            Ok(envelope.clone())
        );
        assert_eq!(binary(&WHOLE, None, b"{\"n\": 1}"), Ok(envelope.clone()));
        let structured = br#"{"specversion":"1.0","id":"7","source":"/a","type":"t","other":[1],"data":{"n": 1}}"#;
        assert_eq!(Envelope::of_structured(structured), Ok(envelope.clone()));
        // With headers that the transport has of its own, too.
        assert_eq!(
            binary(&WHOLE, Some("application/cloudevents+json"), structured),
            Ok(envelope.clone())
        );
        assert_eq!(binary(&[], Some("application/json"), structured), Ok(envelope));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let long = "x".repeat(1_001);
        for (attributes, content, body, said) in [
            (&WHOLE[..3], None, &b"{}"[..], "it has no `type`"),
            (&[("specversion", "0.3"), WHOLE[1], WHOLE[2], WHOLE[3]][..], None, b"{}", "not `1.0`"),
            (&[WHOLE[0], ("id", &long), WHOLE[2], WHOLE[3]][..], None, b"{}", "1 to 1000 bytes"),
            (&[WHOLE[0], ("id", ""), WHOLE[2], WHOLE[3]][..], None, b"{}", "1 to 1000 bytes"),
            (&WHOLE[..], Some("application/xml"), b"<a/>", "not JSON"),
            (&WHOLE[..], None, b"\xff", "no text in UTF-8"),
            (&[][..], None, b"hello", "no event in the form of CloudEvents 1.0"),
            (
                &[][..],
                None,
                br#"{"specversion":"1.0","id":"7","source":"/a","type":"t"}"#,
                "no `data`",
            ),
            (
                &[][..],
                None,
                br#"{"specversion":"1.0","id":7,"source":"/a","type":"t","data":1}"#,
                "expected a string",
            ),
        ] {
            let reason = binary(attributes, content, body).unwrap_err();
            assert!(reason.contains(said), "{reason}");
        }
    }
}
