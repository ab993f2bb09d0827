//! Typed expressions over rows: conditions of policies and filters, computed values, checks.
//!
//! An expression has two readings that must agree: [`evaluate`](crate::evaluate()) in Rust, and the SQL that a
//! store lowers it to. Null is three-valued, as in SQL. Types were settled by the model: operands of one
//! operator have one scalar, decimals one scale.

use std::sync::Arc;

use crate::{Scalar, Table, Value};

/// An expression. Rows are addressed by depth: 0 is the innermost row in scope, 1 the one around it.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// A constant of the model.
    Literal(Value),
    /// A value of the request, by position in the operation's binds.
    Bind(usize),
    /// A column of a row in scope.
    Column {
        /// How many rows outwards.
        depth: usize,
        /// Position in that row's table.
        column: usize,
    },
    /// `value`, evaluated in the row of `table` whose own key equals `key`; null where there is none.
    /// Only a store can evaluate it.
    Lookup {
        /// The table looked into.
        table: Arc<Table>,
        /// The key, evaluated outside the looked-up row.
        key: Box<Expression>,
        /// Evaluated with the looked-up row at depth 0.
        value: Box<Expression>,
    },
    /// A fold over the parts of the row at `depth`.
    Aggregate {
        /// Which fold.
        aggregate: Aggregate,
        /// The part's table.
        table: Arc<Table>,
        /// How many rows outwards the root stands.
        depth: usize,
        /// Evaluated with the part's row at depth 0. For [`Aggregate::Count`]: rows for which it is true count.
        body: Box<Expression>,
        /// What [`Aggregate::Sum`] adds.
        kind: NumberKind,
    },
    /// Three-valued negation.
    Not(Box<Expression>),
    /// Whether the value is absent; never unknown.
    IsNull(Box<Expression>),
    /// Comparison of two values of one scalar; unknown if either is null. Text compares by code point.
    Compare(Comparison, Box<Expression>, Box<Expression>),
    /// True if all are; true when empty.
    And(Vec<Expression>),
    /// True if any is; false when empty.
    Or(Vec<Expression>),
    /// Whether the value equals one of the list; false for an empty list, even of null.
    In(Box<Expression>, Vec<Expression>),
    /// Checked arithmetic: overflow and division by zero are faults, never wrong numbers.
    Arithmetic {
        /// Which operation.
        operation: Arithmetic,
        /// On which numbers.
        kind: NumberKind,
        /// Left operand.
        left: Box<Expression>,
        /// Right operand.
        right: Box<Expression>,
    },
    /// Arithmetic negation.
    Negate(NumberKind, Box<Expression>),
    /// A decimal with another number of fraction digits, rounded half to even.
    Rescale {
        /// The decimal.
        value: Box<Expression>,
        /// Its fraction digits.
        from: u8,
        /// The wanted fraction digits.
        to: u8,
    },
    /// Division of decimals.
    DivideDecimal {
        /// Dividend.
        left: Box<Expression>,
        /// Fraction digits of the dividend.
        left_scale: u8,
        /// Divisor.
        right: Box<Expression>,
        /// Fraction digits of the divisor.
        right_scale: u8,
        /// Fraction digits of the quotient.
        scale: u8,
    },
    /// An exact number of `scale` fraction digits as binary floating point.
    ToFloat(Box<Expression>, u8),
    /// A function of values.
    Call(Function, Vec<Expression>),
    /// `then` where `condition` is true, otherwise (false or unknown) `otherwise`.
    If {
        /// The condition.
        condition: Box<Expression>,
        /// Where it is true.
        then: Box<Expression>,
        /// Where it is not.
        otherwise: Box<Expression>,
    },
    /// The first that is not null.
    Coalesce(Vec<Expression>),
    /// Which part of which root: no value, but the key of a [`Expression::Lookup`], in SQL only.
    Part {
        /// The root's key.
        root: Box<Expression>,
        /// The part's own.
        own: Box<Expression>,
    },
    /// A member of a JSON object; null where there is none. SQLite does not evaluate it.
    Member {
        /// The object, as text.
        object: Box<Expression>,
        /// The member's name.
        name: Box<str>,
        /// What it means.
        scalar: Scalar,
    },
}

/// Folds over parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    /// Sum of the body, nulls left out; 0 when empty.
    Sum,
    /// How many rows the body is true for.
    Count,
    /// The least, nulls left out; null when empty.
    Min,
    /// The greatest, nulls left out; null when empty.
    Max,
    /// Whether the body is true for some row; never unknown.
    Any,
    /// Whether the body is true for every row; never unknown.
    All,
}

/// Comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// The four operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`: towards zero on whole numbers.
    Divide,
}

/// Which numbers an operation works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberKind {
    /// 64-bit integers, which scaled decimals, dates and moments are too.
    Int,
    /// Binary floating point.
    Float,
}

/// Functions of values; null in gives null out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// Lower case of each character for itself, where that is one character: no database and no language may make a
    /// difference, so `ß` has no upper case.
    Lower,
    /// Upper case.
    Upper,
    /// Without white space at both ends.
    Trim,
    /// Number of characters (code points).
    Length,
    /// `starts_with(text, prefix)`
    StartsWith,
    /// `ends_with(text, suffix)`
    EndsWith,
    /// `contains(text, part)`
    Contains,
    /// Texts joined.
    Concat,
    /// The day (UTC) of a moment.
    DateOf,
    /// Midnight (UTC) of a day.
    TimestampOf,
    /// How many bytes some bytes are, or a text of JSON.
    Bytes,
    /// How many items a list has that stands as JSON.
    Items,
    /// Whether a text matches a pattern of PostgreSQL's own, which alone can tell.
    Matches,
}

impl Function {
    /// Every function that the language has, with the name that it knows it by. The others stand in bounds of what is worked out.
    pub const ALL: &'static [(Function, &'static str)] = &[
        (Function::Lower, "lower"),
        (Function::Upper, "upper"),
        (Function::Trim, "trim"),
        (Function::Length, "length"),
        (Function::StartsWith, "starts_with"),
        (Function::EndsWith, "ends_with"),
        (Function::Contains, "contains"),
        (Function::Concat, "concat"),
        (Function::DateOf, "date"),
        (Function::TimestampOf, "timestamp"),
    ];

    /// What its values are.
    pub fn scalar(self) -> Scalar {
        match self {
            Self::Lower | Self::Upper | Self::Trim | Self::Concat => Scalar::Text,
            Self::Length | Self::DateOf | Self::TimestampOf | Self::Bytes | Self::Items => {
                Scalar::Int
            }
            Self::StartsWith | Self::EndsWith | Self::Contains | Self::Matches => Scalar::Bool,
        }
    }

    /// The name that the language knows it by.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(f, _)| *f == self).map_or("", |(_, name)| name)
    }
}

impl Expression {
    /// The constant `true`.
    pub fn yes() -> Self {
        Self::Literal(Value::Bool(true))
    }

    /// The constant `false`.
    pub fn no() -> Self {
        Self::Literal(Value::Bool(false))
    }

    /// The column of the innermost row.
    pub fn column(column: usize) -> Self {
        Self::Column { depth: 0, column }
    }

    /// `left == right`.
    pub fn equal(left: Self, right: Self) -> Self {
        Self::Compare(Comparison::Equal, Box::new(left), Box::new(right))
    }

    /// All of them; a single one stays itself, nested conjunctions are flattened, `true` disappears.
    pub fn all(terms: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for term in terms {
            match term {
                Self::And(inner) => flat.extend(inner),
                Self::Literal(Value::Bool(true)) => {}
                other => flat.push(other),
            }
        }
        if flat.contains(&Self::no()) {
            return Self::no();
        }
        match flat.len() {
            0 => Self::yes(),
            1 => flat.swap_remove(0),
            _ => Self::And(flat),
        }
    }

    /// Any of them; simplified as [`Expression::all`] is.
    pub fn any(terms: impl IntoIterator<Item = Self>) -> Self {
        let mut flat: Vec<Self> = Vec::new();
        for term in terms {
            match term {
                Self::Or(inner) => flat.extend(inner),
                Self::Literal(Value::Bool(false)) => {}
                other if flat.contains(&other) => {}
                other => flat.push(other),
            }
        }
        if flat.contains(&Self::yes()) {
            return Self::yes();
        }
        match flat.len() {
            0 => Self::no(),
            1 => flat.swap_remove(0),
            _ => Self::Or(flat),
        }
    }

    /// Visits this expression and all inside it.
    pub fn visit(&self, each: &mut dyn FnMut(&Self)) {
        each(self);
        self.children(&mut |child| child.visit(each));
    }

    /// Whether [`evaluate`](crate::evaluate()) can decide it without a store.
    pub fn is_local(&self) -> bool {
        let mut local = true;
        self.visit(&mut |e| local &= !matches!(e, Self::Lookup { .. }));
        local
    }

    /// Visits what stands directly inside this expression.
    pub fn children(&self, each: &mut dyn FnMut(&Self)) {
        match self {
            Self::Literal(_) | Self::Bind(_) | Self::Column { .. } => {}
            Self::Lookup { key, value, .. } => {
                each(key);
                each(value);
            }
            Self::Aggregate { body, .. } => each(body),
            Self::Not(a) | Self::IsNull(a) | Self::Negate(_, a) | Self::ToFloat(a, _) => each(a),
            Self::Rescale { value, .. } | Self::Member { object: value, .. } => each(value),
            Self::Compare(_, a, b)
            | Self::Arithmetic { left: a, right: b, .. }
            | Self::DivideDecimal { left: a, right: b, .. }
            | Self::Part { root: a, own: b } => {
                each(a);
                each(b);
            }
            Self::And(list) | Self::Or(list) | Self::Call(_, list) | Self::Coalesce(list) => {
                list.iter().for_each(each);
            }
            Self::In(a, list) => {
                each(a);
                list.iter().for_each(each);
            }
            Self::If { condition, then, otherwise } => {
                each(condition);
                each(then);
                each(otherwise);
            }
        }
    }

    /// The same with each expression that stands directly inside it replaced; `None` where one has no replacement.
    pub fn with_children(&self, each: &mut dyn FnMut(&Self) -> Option<Self>) -> Option<Self> {
        let mut one = |child: &Self| each(child).map(Box::new);
        Some(match self {
            Self::Literal(_) | Self::Bind(_) | Self::Column { .. } => self.clone(),
            Self::Lookup { table, key, value } => {
                Self::Lookup { table: table.clone(), key: one(key)?, value: one(value)? }
            }
            Self::Aggregate { aggregate, table, depth, body, kind } => Self::Aggregate {
                aggregate: *aggregate,
                table: table.clone(),
                depth: *depth,
                body: one(body)?,
                kind: *kind,
            },
            Self::Not(a) => Self::Not(one(a)?),
            Self::IsNull(a) => Self::IsNull(one(a)?),
            Self::Negate(kind, a) => Self::Negate(*kind, one(a)?),
            Self::ToFloat(a, scale) => Self::ToFloat(one(a)?, *scale),
            Self::Part { root, own } => Self::Part { root: one(root)?, own: one(own)? },
            Self::Rescale { value, from, to } => {
                Self::Rescale { value: one(value)?, from: *from, to: *to }
            }
            Self::Member { object, name, scalar } => {
                Self::Member { object: one(object)?, name: name.clone(), scalar: *scalar }
            }
            Self::Compare(comparison, a, b) => Self::Compare(*comparison, one(a)?, one(b)?),
            Self::Arithmetic { operation, kind, left, right } => Self::Arithmetic {
                operation: *operation,
                kind: *kind,
                left: one(left)?,
                right: one(right)?,
            },
            Self::DivideDecimal { left, left_scale, right, right_scale, scale } => {
                Self::DivideDecimal {
                    left: one(left)?,
                    left_scale: *left_scale,
                    right: one(right)?,
                    right_scale: *right_scale,
                    scale: *scale,
                }
            }
            Self::And(list) => Self::And(list.iter().map(each).collect::<Option<_>>()?),
            Self::Or(list) => Self::Or(list.iter().map(each).collect::<Option<_>>()?),
            Self::Coalesce(list) => Self::Coalesce(list.iter().map(each).collect::<Option<_>>()?),
            Self::Call(function, list) => {
                Self::Call(*function, list.iter().map(each).collect::<Option<_>>()?)
            }
            Self::In(a, list) => {
                let a = one(a)?;
                Self::In(a, list.iter().map(each).collect::<Option<_>>()?)
            }
            Self::If { condition, then, otherwise } => Self::If {
                condition: one(condition)?,
                then: one(then)?,
                otherwise: one(otherwise)?,
            },
        })
    }

    /// Whether evaluating it can fail on some row.
    pub fn can_fail(&self) -> bool {
        let mut can = false;
        self.visit(&mut |e| {
            can |= matches!(
                e,
                Self::Arithmetic { .. }
                    | Self::Negate(NumberKind::Int, _)
                    | Self::Rescale { .. }
                    | Self::DivideDecimal { .. }
                    | Self::Call(Function::TimestampOf, _)
                    | Self::Aggregate { aggregate: Aggregate::Sum, .. }
            );
        });
        can
    }
}
