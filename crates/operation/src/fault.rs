//! What can go wrong, as data.

use std::fmt::Write as _;

/// Why an operation did not happen. A door turns it into its own kind of answer; a store never knows of HTTP.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    /// No such row, or none that the caller may see: the two are one answer on purpose.
    #[error("not found")]
    NotFound,
    /// The caller is known and may not do this. The text names what, and only things the caller may see.
    #[error("forbidden: {0}")]
    Forbidden(String),
    /// The caller is not known: no token, or one that does not hold.
    #[error("unauthenticated: {0}")]
    Unauthenticated(String),
    /// The row's version is not the one the caller expected.
    #[error("the row has changed; it is now version {current}")]
    VersionMismatch {
        /// The version that is stored now.
        current: i64,
    },
    /// The request is at fault: everything that is wrong with it, at once. Never empty.
    #[error("{} fault(s)", .0.len())]
    Invalid(Vec<Violation>),
    /// The request is fine, the stored data stands against it (a unique value taken, a row still referred to).
    #[error("{} conflict(s)", .0.len())]
    Conflict(Vec<Violation>),
    /// A command of the model refused, by an error of the model.
    #[error("error {error} of the model was raised")]
    Raised {
        /// Which: position among the model's errors.
        error: usize,
        /// What it carries: a value for each of its fields.
        members: Vec<crate::Value>,
    },
    /// The key of a [`Receipt`](crate::Receipt) names a request that is still being carried out.
    #[error("a request under this key is being carried out")]
    InFlight,
    /// The key of a [`Receipt`](crate::Receipt) names another request.
    #[error("the key was used for another request")]
    KeyReused,
    /// A queue is full; try again after this many seconds.
    #[error("overloaded, retry after {retry_after} s")]
    Overloaded {
        /// Seconds to wait.
        retry_after: u32,
    },
    /// The store cannot be reached or is shutting down; try again after this many seconds.
    #[error("unavailable: {reason}")]
    Unavailable {
        /// For the log, never for the caller.
        reason: String,
        /// Seconds to wait.
        retry_after: u32,
    },
    /// The store was lost while it committed: whether the write stands, nobody knows. Asked again under the key of its
    /// [`Receipt`](crate::Receipt), it is done once.
    #[error("the outcome is unknown: {reason}")]
    OutcomeUnknown {
        /// For the log, never for the caller.
        reason: String,
        /// Seconds to wait.
        retry_after: u32,
    },
    /// Our fault. The text is for the log, never for the caller.
    #[error("internal: {0}")]
    Internal(String),
}

impl Fault {
    /// Whether it may be gone when the same is asked again in a while: it is about the state of the store, not about what was
    /// asked.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Overloaded { .. } | Self::Unavailable { .. } | Self::OutcomeUnknown { .. }
        )
    }
}

/// One thing wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What kind of fault, stable for programs.
    pub code: FaultCode,
    /// Where: a JSON pointer (RFC 6901) into the body, or empty when `parameter` says where.
    pub pointer: String,
    /// The query or path parameter at fault, if it is one.
    pub parameter: Option<String>,
    /// A sentence for people: what is wrong and what would be right.
    pub detail: String,
}

impl Violation {
    /// A fault at a place of the body.
    pub fn at(code: FaultCode, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { code, pointer: pointer.into(), parameter: None, detail: detail.into() }
    }

    /// A fault of a query or path parameter.
    pub fn parameter(code: FaultCode, name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { code, pointer: String::new(), parameter: Some(name.into()), detail: detail.into() }
    }

    /// Appends one token to a JSON pointer, escaped as RFC 6901 §3 asks.
    pub fn push_pointer(pointer: &mut String, token: &str) {
        pointer.push('/');
        if !token.bytes().any(|byte| matches!(byte, b'~' | b'/')) {
            pointer.push_str(token);
            return;
        }
        for c in token.chars() {
            match c {
                '~' => pointer.push_str("~0"),
                '/' => pointer.push_str("~1"),
                c => pointer.push(c),
            }
        }
    }

    /// The pointer `/part/row/field`, for a fault inside a part's row.
    pub fn part_pointer(part: &str, row: usize, field: &str) -> String {
        let mut pointer = String::new();
        Self::push_pointer(&mut pointer, part);
        let _ = write!(pointer, "/{row}");
        if !field.is_empty() {
            Self::push_pointer(&mut pointer, field);
        }
        pointer
    }
}

macro_rules! fault_codes {
    ($($(#[$doc:meta])* $variant:ident $code:literal $title:literal;)*) => {
        /// The closed set of violation codes: one table, from which names, titles and documentation derive.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FaultCode { $($(#[$doc])* $variant,)* }

        impl FaultCode {
            /// Every code, in order.
            pub const ALL: &'static [FaultCode] = &[$(FaultCode::$variant,)*];

            /// The stable name that programs match on.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What it means, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

fault_codes! {
    /// The body is not JSON (RFC 8259), or not UTF-8.
    MalformedBody "malformed_body" "The body is not valid JSON";
    /// A member appears twice in one object.
    DuplicateMember "duplicate_member" "A member appears twice";
    /// The field does not exist, or the caller may not know of it.
    UnknownField "unknown_field" "Unknown field";
    /// The query parameter does not exist here.
    UnknownParameter "unknown_parameter" "Unknown parameter";
    /// A required field or parameter is missing.
    Required "required" "A required value is missing";
    /// The value has another type.
    WrongType "wrong_type" "The value has the wrong type";
    /// The value is outside its bounds (number, length, count).
    OutOfBounds "out_of_bounds" "The value is out of bounds";
    /// The text is not of its format (email, pattern, time, enum label …).
    WrongFormat "wrong_format" "The value is not of its format";
    /// The field is computed, or set by the server.
    ReadOnly "read_only" "The field is read-only";
    /// The field was set at creation and cannot change.
    Immutable "immutable" "The field cannot change";
    /// The caller may not write this field.
    FieldForbidden "field_forbidden" "The field may not be written";
    /// The reference leads to no row that the caller may see.
    UnknownReference "unknown_reference" "The reference leads nowhere";
    /// A `check` of the entity does not hold.
    CheckFailed "check_failed" "A rule of the entity does not hold";
    /// The `flow` of the field has no such transition.
    IllegalTransition "illegal_transition" "The transition is not allowed";
    /// A computed value does not fit its type.
    Overflow "overflow" "A computed value is too large";
    /// An expression divides by zero.
    DivisionByZero "division_by_zero" "A computed value divides by zero";
    /// The value is taken.
    NotUnique "not_unique" "The value is taken";
    /// Other rows still refer to this one.
    StillReferenced "still_referenced" "Other rows refer to this one";
    /// The field cannot be filtered by.
    NotFilterable "not_filterable" "The field cannot be filtered by";
    /// The field cannot be sorted by.
    NotSortable "not_sortable" "The field cannot be sorted by";
    /// The path cannot be included.
    NotIncludable "not_includable" "The path cannot be included";
    /// The cursor was not given out for this list.
    InvalidCursor "invalid_cursor" "The cursor does not belong to this list";
}
