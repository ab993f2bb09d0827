//! JSON as callers send it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A JSON document (RFC 8259), borrowed from its text where it can be. An object keeps its members in order; a
/// name that appears twice is refused, because readers disagree on which one counts.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree<'a> {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A whole number that fits 64 bits.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A string.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Tree<'a>>),
    /// An object.
    Object(Vec<(Cow<'a, str>, Tree<'a>)>),
}

/// Reads a document.
///
/// # Errors
/// A sentence that says what is wrong and where (line and column).
pub fn parse_json(bytes: &[u8]) -> Result<Tree<'_>, String> {
    // Looked at once and whole, which costs less than each string by itself.
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // Says where, as for every other fault.
        Err(_) => return serde_json::from_slice(bytes).map_err(|error| told(bytes, &error)),
    };
    let mut reader = serde_json::Deserializer::from_str(text);
    let tree = reader.deserialize_any(TreeVisitor { members: MEMBERS });
    tree.and_then(|tree| reader.end().map(|()| tree)).map_err(|error| told(bytes, &error))
}

fn told(bytes: &[u8], error: &serde_json::Error) -> String {
    if bytes.trim_ascii().is_empty() {
        return "it is empty where a JSON document should be".to_owned();
    }
    if error.is_eof() {
        let (line, column) = (error.line(), error.column());
        return format!("the JSON ends before it is complete, at line {line} column {column}");
    }
    error.to_string()
}

/// Members that a document has room for from the start. What stands inside it begins with less: many small objects would
/// take many times what they were sent in.
const MEMBERS: usize = 12;

impl Tree<'_> {
    /// What the value is, for messages: "a string".
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Float(f) if f.fract() != 0.0 => "a number with a fraction",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    /// Writes the document compactly.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
            Self::Int(n) => out.extend_from_slice(itoa::Buffer::new().format(*n).as_bytes()),
            Self::Float(f) => {
                out.extend_from_slice(ryu::Buffer::new().format_finite(*f).as_bytes());
            }
            Self::Text(text) => crate::scalar::write_json_string(text, out),
            Self::List(items) => {
                out.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    item.write(out);
                }
                out.push(b']');
            }
            Self::Object(members) => {
                out.push(b'{');
                for (i, (name, value)) in members.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    crate::scalar::write_json_string(name, out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }
}

impl<'de> Deserialize<'de> for Tree<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor { members: 0 })
    }
}

struct TreeVisitor {
    /// Room for members of an object.
    members: usize,
}

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree<'de>, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Tree<'de>, E> {
        Ok(Tree::Bool(b))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Tree<'de>, E> {
        Ok(Tree::Int(n))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Tree<'de>, E> {
        Ok(i64::try_from(n).map_or(Tree::Float(n as f64), Tree::Int))
    }

    fn visit_f64<E>(self, f: f64) -> Result<Tree<'de>, E> {
        Ok(Tree::Float(f))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(Cow::Owned(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree<'de>, A::Error> {
        let mut members: Vec<(Cow<'de, str>, Tree<'de>)> = Vec::with_capacity(self.members);
        let mut seen = std::collections::HashSet::new();
        while let Some(name) = entries.next_key::<Name<'de>>()? {
            // A few members are compared, many are hashed: both stay linear in what is sent.
            let twice = if members.len() < 16 {
                members.iter().any(|(n, _)| *n == name.0)
            } else {
                if seen.is_empty() {
                    seen.extend(members.iter().map(|(n, _)| n.clone().into_owned()));
                }
                !seen.insert(name.0.clone().into_owned())
            };
            if twice {
                return Err(A::Error::custom(format_args!(
                    "the member `{}` appears twice",
                    name.0
                )));
            }
            members.push((name.0, entries.next_value()?));
        }
        Ok(Tree::Object(members))
    }
}

/// A member's name, borrowed where it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match TreeVisitor::deserialize_name(deserializer)? {
            Tree::Text(text) => Ok(Self(text)),
            _ => Err(D::Error::custom("a member's name is a string")),
        }
    }
}

impl TreeVisitor {
    fn deserialize_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tree<'de>, D::Error> {
        deserializer.deserialize_str(Self { members: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_come_back_as_they_were() {
        let text = r#"{"a":[1,-2.5,"x\ny",null,true],"b":{"c":""}}"#;
        let mut out = Vec::new();
        parse_json(text.as_bytes()).unwrap().write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }

    proptest::proptest! {
        /// Schemathesis sent 1819726226233875.0, and a quick reader made …875.25 of it.
        #[test]
        fn a_number_is_the_nearest_one_to_its_text(whole in 0_u64..(1 << 53), digits in 0_u32..1_000_000) {
            for text in [format!("{whole}.0"), format!("{whole}.{digits:06}"), format!("0.{whole}")] {
                let exact: f64 = text.parse().unwrap();
                proptest::prop_assert_eq!(parse_json(text.as_bytes()).unwrap(), Tree::Float(exact));
            }
        }
    }

    #[test]
    fn a_name_that_appears_twice_is_refused() {
        let fault = parse_json(br#"{"a":1,"b":{"x":1,"x":2}}"#).unwrap_err();
        assert!(fault.contains("`x` appears twice"), "{fault}");
        let many: String = (0..40).map(|i| format!("\"k{}\":0,", i % 39)).collect();
        assert!(parse_json(format!("{{{many}\"z\":1}}").as_bytes()).is_err());
    }

    #[test]
    fn depth_is_bounded() {
        assert!(parse_json("[".repeat(100_000).as_bytes()).is_err());
    }
}
