//! What a value looks like in JSON.

use model::{EntityId, EnumId, Model, RecordId, Type};

/// A value's form on the wire. Bounds are inclusive.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// `true` or `false`.
    Boolean,
    /// A whole number of 64 bits.
    Integer {
        /// The least.
        least: i64,
        /// The greatest.
        greatest: i64,
    },
    /// A finite number.
    Number {
        /// The least.
        least: Option<f64>,
        /// The greatest.
        greatest: Option<f64>,
    },
    /// An exact decimal, as a string.
    Decimal {
        /// Digits before the point, at most.
        whole: u8,
        /// Digits after the point: at most so many are taken, exactly so many are given.
        fraction: u8,
        /// The currency (ISO 4217), if it is money.
        currency: Option<String>,
    },
    /// Text without NUL; lengths count code points.
    Text {
        /// The least length.
        least: u32,
        /// The greatest length.
        greatest: Option<u32>,
        /// What the whole text must match.
        pattern: Option<String>,
    },
    /// An email address.
    Email,
    /// An absolute URL, http or https.
    Url,
    /// A UUID in its hyphenated form (RFC 9562).
    Uuid,
    /// A day (RFC 3339 full-date).
    Date,
    /// A time of day.
    Time,
    /// A moment (RFC 3339 date-time).
    Timestamp,
    /// A span of time (ISO 8601, weeks to seconds).
    Duration,
    /// Any JSON.
    Json {
        /// The most bytes.
        greatest: Option<u32>,
    },
    /// Base64 with padding (RFC 4648 §4); the bounds count bytes.
    Bytes {
        /// The fewest.
        least: u32,
        /// The most.
        greatest: Option<u32>,
    },
    /// One of a closed set of labels.
    Enum(EnumId),
    /// A value object.
    Record(RecordId),
    /// Another row, by its key.
    Reference {
        /// Whose.
        target: EntityId,
        /// What its key looks like.
        key: Box<Shape>,
    },
    /// Several, in order.
    List {
        /// Each of them.
        item: Box<Shape>,
        /// The fewest.
        least: u32,
        /// The most.
        greatest: Option<u32>,
    },
}

impl Shape {
    /// The form of a type; `pattern` is the field's, if it has one.
    pub(crate) fn of(model: &Model, ty: &Type, pattern: Option<&str>) -> Self {
        match ty {
            // A valid model holds no poison; any JSON is the reading that promises least.
            Type::Unknown => Self::Json { greatest: None },
            Type::Bool => Self::Boolean,
            Type::Int(bounds) => Self::Integer {
                least: bounds.least.unwrap_or(i64::MIN),
                greatest: bounds.greatest.unwrap_or(i64::MAX),
            },
            Type::Float(bounds) => Self::Number { least: bounds.least, greatest: bounds.greatest },
            Type::Decimal { precision, scale } => Self::Decimal {
                whole: precision.saturating_sub(*scale),
                fraction: *scale,
                currency: None,
            },
            Type::Money(currency) => Self::Decimal {
                whole: 18_u8.saturating_sub(currency.digits),
                fraction: currency.digits,
                currency: Some(currency.as_str().to_owned()),
            },
            Type::String(bounds) => Self::Text {
                least: bounds.least.unwrap_or(0),
                greatest: bounds.greatest,
                pattern: pattern.map(str::to_owned),
            },
            Type::Email => Self::Email,
            Type::Url => Self::Url,
            Type::Uuid => Self::Uuid,
            Type::Date => Self::Date,
            Type::Time => Self::Time,
            Type::Timestamp => Self::Timestamp,
            Type::Duration => Self::Duration,
            Type::Json(bounds) => Self::Json { greatest: bounds.greatest },
            Type::Bytes(bounds) => {
                Self::Bytes { least: bounds.least.unwrap_or(0), greatest: bounds.greatest }
            }
            Type::Enum(id) => Self::Enum(*id),
            Type::Record(id) => Self::Record(*id),
            Type::Entity(target) => {
                let key = &model[model[*target].key];
                // A key that is a reference is as the key it leads to; a model never closes that circle.
                let shape = match &key.ty {
                    Type::Entity(next) if next == target => Self::Json { greatest: None },
                    // Whatever does not match the key's pattern is only nobody's key.
                    ty => Self::of(model, ty, None),
                };
                Self::Reference { target: *target, key: Box::new(shape.bare().clone()) }
            }
            Type::List(item, bounds) => Self::List {
                item: Box::new(Self::of(model, item, None)),
                least: bounds.least.unwrap_or(0),
                greatest: bounds.greatest,
            },
        }
    }

    /// The form itself, references taken for the key that stands for them.
    #[must_use]
    pub fn bare(&self) -> &Self {
        match self {
            Self::Reference { key, .. } => key.bare(),
            other => other,
        }
    }

    /// Whether it is a JSON string.
    #[must_use]
    pub fn is_text(&self) -> bool {
        !matches!(
            self.bare(),
            Self::Boolean
                | Self::Integer { .. }
                | Self::Number { .. }
                | Self::Json { .. }
                | Self::Record(_)
                | Self::List { .. }
        )
    }
}
