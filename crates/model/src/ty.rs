//! Types.

use operation::Scalar;

use crate::{EntityId, EnumId, RecordId};

/// The type of a field, a parameter or an expression; whether a value may be absent is said beside it.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// Poison: a fault was reported, every later check accepts it in silence.
    Unknown,
    /// `true`, `false`
    Bool,
    /// Whole number of 64 bits.
    Int(Bounds<i64>),
    /// Binary floating point.
    Float(Bounds<f64>),
    /// Exact decimal.
    Decimal {
        /// Digits in all, 1 to 18.
        precision: u8,
        /// Digits after the point, at most `precision`.
        scale: u8,
    },
    /// An amount of one currency, exact to its minor unit.
    Money(Currency),
    /// Text; the bounds count characters (code points).
    String(Bounds<u32>),
    /// An email address.
    Email,
    /// An absolute URL (http or https).
    Url,
    /// A UUID.
    Uuid,
    /// A calendar day.
    Date,
    /// A time of day.
    Time,
    /// A moment.
    Timestamp,
    /// A span of time.
    Duration,
    /// Any JSON; the bound counts bytes.
    Json(Bounds<u32>),
    /// Raw bytes; the bounds count bytes.
    Bytes(Bounds<u32>),
    /// One of a closed set.
    Enum(EnumId),
    /// A value object.
    Record(RecordId),
    /// A reference to an entity, by its key.
    Entity(EntityId),
    /// Several, in order; the bounds count them.
    List(Box<Type>, Bounds<u32>),
}

/// Inclusive bounds; an open end is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bounds<T> {
    /// The least.
    pub least: Option<T>,
    /// The greatest.
    pub greatest: Option<T>,
}

impl<T: PartialOrd + Copy> Bounds<T> {
    /// No bounds.
    pub const OPEN: Self = Self { least: None, greatest: None };

    /// Whether `value` lies inside.
    pub fn contains(&self, value: T) -> bool {
        self.least.is_none_or(|least| value >= least)
            && self.greatest.is_none_or(|greatest| value <= greatest)
    }
}

/// A currency of ISO 4217.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency {
    /// Its three letters.
    pub code: [u8; 3],
    /// Digits of its minor unit: 2 for EUR, 0 for JPY.
    pub digits: u8,
}

impl Currency {
    /// Its three letters as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.code).unwrap_or("???")
    }
}

impl Type {
    /// How a value is stored. `None` for [`Type::Unknown`], and for [`Type::Entity`], which is stored as its key
    /// is: ask [`Model::scalar`](crate::Model::scalar).
    pub fn scalar(&self) -> Option<Scalar> {
        Some(match self {
            Self::Unknown | Self::Entity(_) => return None,
            Self::Bool => Scalar::Bool,
            Self::Int(_) => Scalar::Int,
            Self::Float(_) => Scalar::Float,
            Self::Decimal { scale, .. } => Scalar::Decimal { scale: *scale },
            Self::Money(currency) => Scalar::Decimal { scale: currency.digits },
            Self::String(_) | Self::Email | Self::Url | Self::Enum(_) => Scalar::Text,
            Self::Uuid => Scalar::Uuid,
            Self::Date => Scalar::Date,
            Self::Time => Scalar::Time,
            Self::Timestamp => Scalar::Timestamp,
            Self::Duration => Scalar::Duration,
            Self::Json(_) | Self::Record(_) | Self::List(..) => Scalar::Json,
            Self::Bytes(_) => Scalar::Bytes,
        })
    }
}
