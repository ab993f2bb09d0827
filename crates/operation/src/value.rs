//! Stored values.

use std::hash::{Hash, Hasher};

use smol_str::SmolStr;

/// One value as a store keeps it. What it means (an `Int` may be money, a date or a moment) is said by the
/// [`Scalar`](crate::Scalar) of the column that holds it.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// Absent.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// Integer; scaled decimal; days; microseconds.
    Int(i64),
    /// Binary floating point; never NaN or infinite.
    Float(f64),
    /// UTF-8 text; JSON text. Short ones need no memory of their own, and long ones are shared by those who copy them.
    Text(SmolStr),
    /// A UUID's 16 bytes, most significant first.
    Uuid([u8; 16]),
    /// Raw bytes.
    Bytes(Box<[u8]>),
}

// Rows are copied often: a value is three words.
const _: () = assert!(size_of::<Value>() == 24);

impl Value {
    /// Text from anything that can be borrowed as text.
    pub fn text(text: impl Into<SmolStr>) -> Self {
        Self::Text(text.into())
    }

    /// Whether the value is absent.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The integer inside, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(*n),
            _ => None,
        }
    }
}

// Identity of bits, so that values can key a cache: floats here are never NaN, and 0.0 differs from -0.0.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Uuid(a), Self::Uuid(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Null => {}
            Self::Bool(b) => b.hash(state),
            Self::Int(n) => n.hash(state),
            Self::Float(f) => f.to_bits().hash(state),
            Self::Text(t) => t.hash(state),
            Self::Uuid(u) => u.hash(state),
            Self::Bytes(b) => b.hash(state),
        }
    }
}
