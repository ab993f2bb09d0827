//! Types.

use super::{EnumValue, Field, Literal, Path, View, choice, views};
use crate::kind::{NodeKind, TokenKind};
use crate::tree::Node;

choice! {
    /// A type.
    TypeExpr {
        /// `String(1..200)`, `Customer`, `sales.Order`, `Order.status`
        Named(NamedType),
        /// `[T](a..b)`
        List(ListType),
        /// `enum { a, b }`
        Enum(EnumType),
        /// `{ a: T  b: T }`: the body or the answer of an external's operation.
        Record(RecordType),
    }
}

views! {
    /// `Name`, `Name(arguments)`, `a.b`, each with an optional `?`.
    NamedType = NamedType {
        /// The name: one word, or two with a dot between.
        path: child Path;
        /// What stands in parentheses: bounds, numbers, a currency.
        arguments: children TypeArgument;
        /// The bounds, where an argument is a range.
        bounds: child Range;
    }

    /// `[T](a..b)`, with an optional `?`.
    ListType = ListType {
        /// What it is a list of.
        element: child TypeExpr;
        /// How many elements.
        bounds: child Range;
    }

    /// `enum { a, b }`, with an optional `?`.
    EnumType = EnumType {
        /// Its values.
        values: children EnumValue;
    }

    /// `{ a: T }`, with an optional `?`.
    RecordType = RecordType {
        /// Its fields.
        fields: children Field;
    }

    /// `1..50`, `0..`, `..5`; both ends are included.
    Range = Range {}

    /// `EUR` in `Money(EUR)`.
    TypeWord = NameRef {}
}

choice! {
    /// An argument of a named type.
    TypeArgument {
        /// `1..200`
        Range(Range),
        /// `10`
        Number(Literal),
        /// `EUR`
        Word(TypeWord),
    }
}

impl<'a> TypeExpr<'a> {
    /// Whether `?` stands behind it.
    #[must_use]
    pub fn is_optional(self) -> bool {
        let node = self.node();
        // It is the last token, if not of something within.
        let last = node.tokens().end.checked_sub(1).map(|last| node.parse().token_kind(last));
        last == Some(TokenKind::Question) && node.token(TokenKind::Question).is_some()
    }
}

impl<'a> TypeWord<'a> {
    /// The word.
    #[must_use]
    pub fn text(self) -> &'a str {
        self.node().text()
    }
}

/// One end of a range: a number, maybe below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound<'a> {
    /// The number, without its sign.
    pub number: Literal<'a>,
    /// Whether `-` stands before it.
    pub is_negative: bool,
}

impl<'a> Range<'a> {
    fn bound(self, is_upper: bool) -> Option<Bound<'a>> {
        let node: Node<'a> = self.node();
        let parse = node.parse();
        let dots = node.token(TokenKind::DotDot);
        // `(20)` alone is both ends.
        let child =
            node.children().filter(|child| child.kind() == NodeKind::Literal).find(|child| {
                match dots {
                    Some(dots) => (child.tokens().start > dots) == is_upper,
                    None => true,
                }
            })?;
        let start = child.tokens().start;
        let is_negative = node
            .own_tokens()
            .filter(|token| *token < start && dots.is_none_or(|dots| !is_upper || *token > dots))
            .any(|token| parse.token_kind(token) == TokenKind::Minus);
        Literal::cast(child).map(|number| Bound { number, is_negative })
    }

    /// The least value, if there is one.
    #[must_use]
    pub fn lower(self) -> Option<Bound<'a>> {
        self.bound(false)
    }

    /// The greatest value, if there is one.
    #[must_use]
    pub fn upper(self) -> Option<Bound<'a>> {
        self.bound(true)
    }
}
