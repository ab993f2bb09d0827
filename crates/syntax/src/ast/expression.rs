//! Expressions.

use super::{Literal, Name, Path, choice, views};
use crate::kind::TokenKind;
use crate::tree::Span;

choice! {
    /// An expression.
    Expr {
        /// `1`, `"a"`, `true`, `null`, `now`
        Literal(Literal),
        /// `.a.b`, `name.a`, `caller.x`; a lone name may be an enum value or an entity.
        Path(Path),
        /// `a and b`
        Binary(Binary),
        /// `not a`
        Unary(Unary),
        /// `sum(lines, .price)`
        Call(FunctionCall),
        /// `(a)`
        Paren(Paren),
        /// `[a, b]`, or `(a, b)` behind `in`.
        List(List),
        /// `if a then b else c`
        If(Conditional),
    }
}

views! {
    /// `left OPERATOR right`
    Binary = Binary {
        /// The left side.
        left: child Expr;
    }

    /// `not a` or `-a`
    Unary = Unary {
        /// What it is applied to.
        operand: child Expr;
    }

    /// `function(arguments)`
    FunctionCall = FunctionCall {
        /// The function.
        function: the used;
        /// What it is given.
        arguments: children Expr;
    }

    /// `(inner)`
    Paren = Paren {
        /// What stands inside.
        inner: child Expr;
    }

    /// `[a, b]`, or `(a, b)` behind `in`.
    List = List {
        /// Its elements.
        elements: children Expr;
    }

    /// `if condition then a else b`
    Conditional = Conditional {
        /// What decides.
        condition: child Expr;
    }
}

impl<'a> Expr<'a> {
    /// The expression without parentheses around it.
    #[must_use]
    pub fn without_parens(self) -> Self {
        let mut expr = self;
        while let Expr::Paren(paren) = expr {
            match paren.inner() {
                Some(inner) => expr = inner,
                None => break,
            }
        }
        expr
    }
}

impl<'a> Binary<'a> {
    /// The right side.
    #[must_use]
    pub fn right(self) -> Option<Expr<'a>> {
        super::children(self.node()).nth(1)
    }

    fn operator_token(self) -> Option<(BinaryOperator, u32)> {
        let parse = self.node().parse();
        self.node().own_tokens().find_map(|token| {
            BinaryOperator::of(parse.token_kind(token), parse.token_text(token))
                .map(|operator| (operator, token))
        })
    }

    /// The operator.
    #[must_use]
    pub fn operator(self) -> Option<BinaryOperator> {
        self.operator_token().map(|(operator, _)| operator)
    }

    /// Where the operator stands.
    #[must_use]
    pub fn operator_span(self) -> Option<Span> {
        self.operator_token().map(|(_, token)| self.node().parse().token_span(token))
    }
}

impl Unary<'_> {
    /// The operator.
    #[must_use]
    pub fn operator(self) -> UnaryOperator {
        match self.node().parse().token_kind(self.node().tokens().start) {
            TokenKind::Minus => UnaryOperator::Negate,
            _ => UnaryOperator::Not,
        }
    }
}

impl<'a> FunctionCall<'a> {
    /// The function's name; the parser makes no call without one.
    #[must_use]
    pub fn name(self) -> Option<Name<'a>> {
        self.function()
    }
}

impl<'a> Conditional<'a> {
    /// The value if it holds.
    #[must_use]
    pub fn then(self) -> Option<Expr<'a>> {
        super::children(self.node()).nth(1)
    }

    /// The value if it does not.
    #[must_use]
    pub fn otherwise(self) -> Option<Expr<'a>> {
        super::children(self.node()).nth(2)
    }
}

/// Operators of two sides, from the loosest to the tightest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOperator {
    /// `or`
    Or,
    /// `and`
    And,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `in`
    In,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
}

impl BinaryOperator {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Or,
        Self::And,
        Self::Equal,
        Self::NotEqual,
        Self::Less,
        Self::LessEqual,
        Self::Greater,
        Self::GreaterEqual,
        Self::In,
        Self::Add,
        Self::Subtract,
        Self::Multiply,
        Self::Divide,
    ];

    /// How it is written.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::In => "in",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
        }
    }

    /// How tightly it binds: 1 `or`, 2 `and`, 4 comparison, 5 sum, 6 product. 3 is `not`.
    #[must_use]
    pub const fn strength(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal
            | Self::NotEqual
            | Self::Less
            | Self::LessEqual
            | Self::Greater
            | Self::GreaterEqual
            | Self::In => 4,
            Self::Add | Self::Subtract => 5,
            Self::Multiply | Self::Divide => 6,
        }
    }

    /// Whether it compares: `a < b < c` is refused.
    #[must_use]
    pub const fn is_comparison(self) -> bool {
        self.strength() == 4
    }

    pub(crate) fn of(kind: TokenKind, text: &str) -> Option<Self> {
        Some(match kind {
            TokenKind::Word => match text {
                "or" => Self::Or,
                "and" => Self::And,
                "in" => Self::In,
                _ => return None,
            },
            TokenKind::EqualEqual => Self::Equal,
            TokenKind::BangEqual => Self::NotEqual,
            TokenKind::Less => Self::Less,
            TokenKind::LessEqual => Self::LessEqual,
            TokenKind::Greater => Self::Greater,
            TokenKind::GreaterEqual => Self::GreaterEqual,
            TokenKind::Plus => Self::Add,
            TokenKind::Minus => Self::Subtract,
            TokenKind::Star => Self::Multiply,
            TokenKind::Slash => Self::Divide,
            _ => return None,
        })
    }
}

/// Operators of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOperator {
    /// `not`
    Not,
    /// `-`
    Negate,
}
