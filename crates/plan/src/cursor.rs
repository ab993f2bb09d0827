//! Cursors: where a page ended, in the order it was read in.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use operation::{Fault, FaultCode, Scalar, Value, Violation};

/// Which list a cursor belongs to, and what its values are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorKey {
    /// A hash of the list and its order: a cursor of another list is refused.
    pub(crate) list: u32,
    /// The scalars of its order.
    pub(crate) scalars: Vec<Scalar>,
}

/// The longest cursor taken, in characters.
const LONGEST: usize = 4_096;

impl CursorKey {
    /// The cursor behind a row with these order values.
    pub(crate) fn encode(&self, values: &[Value]) -> String {
        let mut bytes = Vec::with_capacity(4 + values.len() * 48);
        bytes.extend_from_slice(&self.list.to_be_bytes());
        for (value, scalar) in values.iter().zip(&self.scalars) {
            bytes.push(u8::from(!value.is_null()));
            let (length_at, start) = (bytes.len(), bytes.len() + 4);
            bytes.extend_from_slice(&[0; 4]);
            scalar.print(value, &mut bytes);
            let length = u32::try_from(bytes.len() - start).unwrap_or(u32::MAX);
            if let Some(place) = bytes.get_mut(length_at..start) {
                place.copy_from_slice(&length.to_be_bytes());
            }
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The order values in a cursor.
    pub(crate) fn decode(&self, text: &str) -> Result<Vec<Value>, Fault> {
        self.read(text).ok_or_else(|| {
            Fault::Invalid(vec![Violation::parameter(
                FaultCode::InvalidCursor,
                "after",
                "the cursor was not given out for this list in this order; take `next` of the page before, with \
                 the same sort",
            )])
        })
    }

    fn read(&self, text: &str) -> Option<Vec<Value>> {
        if text.len() > LONGEST {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (list, mut rest) = bytes.split_first_chunk::<4>()?;
        if u32::from_be_bytes(*list) != self.list {
            return None;
        }
        let mut values = Vec::with_capacity(self.scalars.len());
        for scalar in &self.scalars {
            let (present, after) = rest.split_first()?;
            let (length, after) = after.split_first_chunk::<4>()?;
            let (text, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            rest = after;
            values.push(match present {
                0 if text.is_empty() => Value::Null,
                1 => scalar.parse(std::str::from_utf8(text).ok()?).ok()?,
                _ => return None,
            });
        }
        rest.is_empty().then_some(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_and_strangers_do_not() {
        let key = CursorKey { list: 7, scalars: vec![Scalar::Timestamp, Scalar::Text] };
        let values = vec![Value::Null, Value::text("é")];
        let text = key.encode(&values);
        assert_eq!(key.decode(&text), Ok(values));
        assert!(CursorKey { list: 8, ..key.clone() }.decode(&text).is_err());
        for odd in ["", "!", "AAAABw", &text[..text.len() - 2], &"A".repeat(9_999)] {
            assert!(key.decode(odd).is_err(), "{odd}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "\\PC{0,80}") {
            let key = CursorKey { list: 0, scalars: vec![Scalar::Int] };
            let _ = key.decode(&text);
        }
    }
}
