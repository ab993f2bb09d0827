//! Literals and what they are worth.

use std::borrow::Cow;

use super::views;
use crate::kind::TokenKind;

views! {
    /// A number, a string, or one of the words `true`, `false`, `null`, `now`.
    Literal = Literal {}
}

/// What a literal is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiteralValue<'a> {
    /// `1_000`
    Integer(i64),
    /// `1.50`: 150 with scale 2.
    Decimal(DecimalValue),
    /// `"…"`, unescaped.
    String(Cow<'a, str>),
    /// `10m`
    Duration(DurationValue),
    /// `10MB`, in bytes; a KB is 1,000 bytes.
    Size(i64),
    /// `40/s`
    Rate(RateValue),
    /// `99.9%`: 999 with scale 1.
    Percent(DecimalValue),
    /// `true` or `false`
    Bool(bool),
    /// `null`
    Null,
    /// `now`: the instant of the transaction.
    Now,
}

/// A decimal number as written: `digits / 10^scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecimalValue {
    /// All digits as one number.
    pub digits: i64,
    /// How many of them stand behind the point.
    pub scale: u32,
}

/// A duration as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurationValue {
    /// How many units.
    pub count: i64,
    /// Of what.
    pub unit: DurationUnit,
}

impl DurationValue {
    /// In microseconds; `None` where they do not fit 64 bits.
    #[must_use]
    pub fn microseconds(self) -> Option<i64> {
        self.count.checked_mul(self.unit.microseconds())
    }
}

/// Units of durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DurationUnit {
    /// `ms`
    Millisecond,
    /// `s`
    Second,
    /// `m`
    Minute,
    /// `h`
    Hour,
    /// `d`: 24 hours.
    Day,
    /// `w`: 7 days.
    Week,
    /// `y`: 365 days.
    Year,
}

impl DurationUnit {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Millisecond,
        Self::Second,
        Self::Minute,
        Self::Hour,
        Self::Day,
        Self::Week,
        Self::Year,
    ];

    /// How it is written.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Millisecond => "ms",
            Self::Second => "s",
            Self::Minute => "m",
            Self::Hour => "h",
            Self::Day => "d",
            Self::Week => "w",
            Self::Year => "y",
        }
    }

    /// How long it is.
    #[must_use]
    pub const fn microseconds(self) -> i64 {
        match self {
            Self::Millisecond => 1_000,
            Self::Second => 1_000_000,
            Self::Minute => 60_000_000,
            Self::Hour => 3_600_000_000,
            Self::Day => 86_400_000_000,
            Self::Week => 7 * 86_400_000_000,
            Self::Year => 365 * 86_400_000_000,
        }
    }
}

/// A rate as written: so many in one unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateValue {
    /// How many.
    pub count: i64,
    /// In one of these.
    pub per: DurationUnit,
}

/// Units of sizes: suffix and bytes.
pub(crate) const SIZES: [(&str, i64); 5] =
    [("B", 1), ("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000)];

impl<'a> Literal<'a> {
    /// Its text as written.
    #[must_use]
    pub fn text(self) -> &'a str {
        self.node().text()
    }

    /// What kind of token it is; words are [`TokenKind::Word`].
    #[must_use]
    pub fn kind(self) -> TokenKind {
        self.node().parse().token_kind(self.node().tokens().start)
    }

    /// What it is worth; `None` where the lexer has already reported that it is malformed or too large.
    #[must_use]
    pub fn value(self) -> Option<LiteralValue<'a>> {
        let text = self.text();
        let kind = self.kind();
        Some(match kind {
            TokenKind::Integer => LiteralValue::Integer(integer(text)?),
            TokenKind::Decimal => LiteralValue::Decimal(decimal(text)?),
            TokenKind::String => LiteralValue::String(unescape(text)),
            TokenKind::Percent => LiteralValue::Percent(decimal(text.strip_suffix('%')?)?),
            TokenKind::Duration => {
                let (count, suffix) = split_number(text);
                let unit = duration_unit(suffix)?;
                LiteralValue::Duration(DurationValue { count: integer(count)?, unit })
            }
            TokenKind::Size => {
                let (count, suffix) = split_number(text);
                let (_, bytes) = SIZES.into_iter().find(|(name, _)| *name == suffix)?;
                LiteralValue::Size(integer(count)?.checked_mul(bytes)?)
            }
            TokenKind::Rate => {
                let (count, suffix) = text.split_once('/')?;
                let per = duration_unit(suffix)?;
                LiteralValue::Rate(RateValue { count: integer(count)?, per })
            }
            TokenKind::Word => match text {
                "true" => LiteralValue::Bool(true),
                "false" => LiteralValue::Bool(false),
                "null" => LiteralValue::Null,
                "now" => LiteralValue::Now,
                _ => return None,
            },
            _ => return None,
        })
    }

    /// Its integer, if it is one.
    #[must_use]
    pub fn integer(self) -> Option<i64> {
        match self.value()? {
            LiteralValue::Integer(number) => Some(number),
            _ => None,
        }
    }

    /// Its string without quotes and escapes, if it is one.
    #[must_use]
    pub fn string(self) -> Option<Cow<'a, str>> {
        match self.value()? {
            LiteralValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// Its duration, if it is one.
    #[must_use]
    pub fn duration(self) -> Option<DurationValue> {
        match self.value()? {
            LiteralValue::Duration(duration) => Some(duration),
            _ => None,
        }
    }
}

/// The unit with that suffix.
pub(crate) fn duration_unit(suffix: &str) -> Option<DurationUnit> {
    DurationUnit::ALL.into_iter().find(|unit| unit.suffix() == suffix)
}

/// Splits `10MB` into `10` and `MB`.
pub(crate) fn split_number(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'_').count();
    text.split_at(digits)
}

/// Reads digits with underscores; `None` where they do not fit 64 bits.
pub(crate) fn integer(text: &str) -> Option<i64> {
    let mut number: i64 = 0;
    for byte in text.bytes().filter(|byte| *byte != b'_') {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number = number.checked_mul(10)?.checked_add(i64::from(digit))?;
    }
    Some(number)
}

/// Reads `1.50`; `None` where the digits do not fit 64 bits.
pub(crate) fn decimal(text: &str) -> Option<DecimalValue> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let scale = fraction.bytes().filter(u8::is_ascii_digit).count() as u32;
    let digits =
        integer(fraction)?.checked_add(integer(whole)?.checked_mul(10_i64.checked_pow(scale)?)?)?;
    Some(DecimalValue { digits, scale })
}

/// Takes the quotes off and resolves the escapes; what the lexer has reported stays as written.
fn unescape(text: &str) -> Cow<'_, str> {
    let inner = text.strip_prefix('"').unwrap_or(text);
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        match escape(&rest[at..]) {
            Ok((character, length)) => {
                out.push(character);
                rest = &rest[at + length..];
            }
            Err(length) => {
                out.push_str(&rest[at..at + length]);
                rest = &rest[at + length..];
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Reads one escape at the start of `text`: the character and the bytes it took, or how many bytes are no escape.
pub(crate) fn escape(text: &str) -> Result<(char, usize), usize> {
    let mut characters = text.chars();
    characters.next();
    match characters.next() {
        Some('"') => Ok(('"', 2)),
        Some('\\') => Ok(('\\', 2)),
        Some('n') => Ok(('\n', 2)),
        Some('t') => Ok(('\t', 2)),
        Some('u') if text[2..].starts_with('{') => {
            let close = text.find('}').unwrap_or(text.len());
            let digits = text.get(3..close).unwrap_or("");
            let character = (1..=6)
                .contains(&digits.len())
                .then(|| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32))
                .flatten()
                .filter(|_| text[close..].starts_with('}'));
            character.map(|character| (character, close + 1)).ok_or(2)
        }
        Some(other) => Err(1 + other.len_utf8()),
        None => Err(1),
    }
}
