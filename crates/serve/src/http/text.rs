//! Percent-encoded text (RFC 3986), read strictly.

use std::borrow::Cow;

/// Decodes one path segment; `None` for a lone percent sign, for what is not UTF-8, and for NUL.
pub(crate) fn segment(text: &str) -> Option<Cow<'_, str>> {
    decode(text, false)
}

/// Decodes a name or value of a query string, where `+` is a space (WHATWG URL, `application/x-www-form-urlencoded`).
pub(crate) fn form(text: &str) -> Option<Cow<'_, str>> {
    decode(text, true)
}

fn decode(text: &str, plus: bool) -> Option<Cow<'_, str>> {
    // Without a branch, so that many bytes are looked at at once; nearly no text has any.
    let odd = |found: bool, b: u8| found | (b == b'%') | (plus & (b == b'+'));
    if !text.bytes().fold(false, odd) {
        return Some(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let high = hex(bytes.next()?)?;
                let low = hex(bytes.next()?)?;
                out.push(high << 4 | low);
            }
            b'+' if plus => out.push(b' '),
            byte => out.push(byte),
        }
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Encodes text as one path segment: everything that is not unreserved.
pub(crate) fn encode(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    // Nearly every key is a number or a UUID.
    if text.bytes().all(plain) {
        out.push_str(text);
        return;
    }
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_decoded_strictly() {
        for (text, wanted) in [
            ("abc", Some("abc")),
            ("a%20b", Some("a b")),
            ("a+b", Some("a+b")),
            ("%C3%A9", Some("é")),
            ("%2F", Some("/")),
            ("%", None),
            ("%2", None),
            ("%zz", None),
            ("%+1", None),
            ("%FF", None),
        ] {
            assert_eq!(segment(text).as_deref(), wanted, "{text}");
        }
        assert_eq!(form("a+b%2Bc").as_deref(), Some("a b+c"));
    }

    proptest::proptest! {
        #[test]
        fn what_is_encoded_comes_back(text in "\\PC{0,20}") {
            let mut encoded = String::new();
            encode(&text, &mut encoded);
            let decoded = segment(&encoded);
            proptest::prop_assert_eq!(decoded.as_deref(), Some(text.as_str()));
        }
    }
}
