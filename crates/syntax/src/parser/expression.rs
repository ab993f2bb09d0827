//! Expressions, by precedence climbing.

use super::{DEEPEST, Parser};
use crate::ast::BinaryOperator;
use crate::diagnostic::Diagnostic;
use crate::kind::{NodeKind, TokenKind};

impl Parser<'_> {
    /// An expression; reports if there is none.
    pub(super) fn expression(&mut self) {
        self.climb(1);
    }

    /// Parses operators of at least that strength. Answers the height of the tree, 0 if there is none.
    fn climb(&mut self, minimum: u8) -> u32 {
        if self.depth >= DEEPEST {
            self.too_deep();
            return 0;
        }
        self.depth += 1;
        let height = self.climb_inside(minimum);
        self.depth -= 1;
        height
    }

    fn climb_inside(&mut self, minimum: u8) -> u32 {
        let start = self.nodes.len();
        let mut height = self.operand();
        if height == 0 {
            return 0;
        }
        let mut compared = false;
        while let Some(operator) = self.operator() {
            if operator.strength() < minimum {
                break;
            }
            if operator.is_comparison() && std::mem::replace(&mut compared, true) {
                let here = self.here();
                self.report(
                    Diagnostic::error("E0117", here, "comparisons do not chain")
                        .text("a second comparison")
                        .help("join two comparisons with `and`: `a < b and b < c`"),
                );
            }
            if height >= DEEPEST {
                self.too_deep();
                break;
            }
            let binary = self.wrap(start, NodeKind::Binary);
            self.bump();
            let right = if operator == BinaryOperator::In && self.at(TokenKind::LeftParen) {
                self.list(TokenKind::RightParen)
            } else {
                self.climb(operator.strength() + 1)
            };
            self.finish(binary);
            height = height.max(right) + 1;
        }
        height
    }

    /// The operator here; one that is spelt as in other languages is reported and understood.
    fn operator(&mut self) -> Option<BinaryOperator> {
        let kind = self.kind();
        let text = self.text_of(self.significant[self.position]);
        match (kind, text) {
            (TokenKind::Unknown, "&&") => Some(BinaryOperator::And),
            (TokenKind::Unknown, "||") => Some(BinaryOperator::Or),
            // `= value` behind a computed field would be a modifier, and on a line of its own it is one.
            (TokenKind::Equal, _) if !self.starts_line() => {
                let here = self.here();
                self.report(
                    Diagnostic::error("E0118", here, "a comparison is written `==`")
                        .text("`=` gives a default")
                        .fix("write `==`", here, "=="),
                );
                Some(BinaryOperator::Equal)
            }
            (TokenKind::Word, _) if self.at_boundary() => None,
            _ => BinaryOperator::of(kind, text),
        }
    }

    fn operand(&mut self) -> u32 {
        let start = self.position;
        match self.kind() {
            TokenKind::Integer
            | TokenKind::Decimal
            | TokenKind::String
            | TokenKind::Duration
            | TokenKind::Size
            | TokenKind::Rate
            | TokenKind::Percent => self.single(NodeKind::Literal),
            TokenKind::Minus => return self.unary(7),
            TokenKind::Unknown if self.text_of(self.significant[start]) == "!" => {
                return self.unary(7);
            }
            TokenKind::Dot => {
                let path = self.start(NodeKind::Path);
                self.path_rest();
                self.finish(path);
            }
            TokenKind::LeftParen => {
                let paren = self.start(NodeKind::Paren);
                self.bump();
                let height = self.climb(1);
                if !self.at(TokenKind::RightParen) {
                    self.skip_to_close(TokenKind::RightParen);
                }
                self.expect(TokenKind::RightParen);
                self.finish(paren);
                return height + 1;
            }
            TokenKind::LeftBracket => return self.list(TokenKind::RightBracket),
            TokenKind::Word if !self.at_boundary() => return self.word_operand(),
            _ => {
                self.missing("E0108", "an expression");
                return 0;
            }
        }
        1
    }

    fn unary(&mut self, strength: u8) -> u32 {
        let unary = self.start(NodeKind::Unary);
        self.bump();
        let height = self.climb(strength);
        self.finish(unary);
        height + 1
    }

    fn word_operand(&mut self) -> u32 {
        let next = self.nth(1);
        match self.word() {
            "not" => return self.unary(4),
            "if" => return self.conditional(),
            "true" | "false" | "null" | "now" if next.kind != TokenKind::Dot => {
                self.single(NodeKind::Literal);
            }
            "and" | "or" | "in" | "then" | "else" | "when" => {
                self.missing("E0108", "an expression");
                return 0;
            }
            _ if next.kind == TokenKind::LeftParen && !next.starts_line => {
                let call = self.start(NodeKind::FunctionCall);
                self.single(NodeKind::NameRef);
                let height = self.arguments_inside();
                self.finish(call);
                return height + 1;
            }
            _ => {
                self.path("an expression");
            }
        }
        1
    }

    /// `(a, b)` with the parenthesis here; answers the height of the tallest.
    fn arguments_inside(&mut self) -> u32 {
        self.bump();
        let mut height = 1;
        self.bracketed(TokenKind::RightParen, Self::is_operand, |parser| {
            height = parser.climb(1).max(height);
        });
        height
    }

    /// `(a, b)` of a `run` or a `call`.
    pub(super) fn arguments(&mut self) {
        let arguments = self.start(NodeKind::Arguments);
        if self.at(TokenKind::LeftParen) {
            self.arguments_inside();
        } else {
            let (behind, found) = (self.behind(), self.found());
            self.report(
                Diagnostic::error("E0105", behind, format!("expected `(`, found {found}"))
                    .text("arguments stand in parentheses, also where there are none"),
            );
            // What was meant as arguments is looked at, but its parenthesis is not asked for a second time.
            while self.is_operand() && !self.starts_line() && !self.at_word("later") {
                let before = self.position;
                self.climb(1);
                self.eat(TokenKind::Comma);
                if self.position == before {
                    break;
                }
            }
            self.eat(TokenKind::RightParen);
        }
        self.finish(arguments);
    }

    fn list(&mut self, close: TokenKind) -> u32 {
        let list = self.start(NodeKind::List);
        self.bump();
        let mut height = 1;
        self.bracketed(close, Self::is_operand, |parser| {
            height = parser.climb(1).max(height);
        });
        self.finish(list);
        height + 1
    }

    /// Whether an expression may start here.
    fn is_operand(&self) -> bool {
        match self.kind() {
            TokenKind::Word => !self.at_boundary(),
            TokenKind::String
            | TokenKind::Dot
            | TokenKind::LeftParen
            | TokenKind::LeftBracket
            | TokenKind::Minus => true,
            TokenKind::Unknown => true,
            kind => kind.is_number(),
        }
    }

    fn conditional(&mut self) -> u32 {
        let conditional = self.start(NodeKind::Conditional);
        self.bump();
        let mut height = self.climb(1);
        if self.expect_word("then") {
            height = self.climb(1).max(height);
        }
        if self.expect_word("else") {
            height = self.climb(1).max(height);
        }
        self.finish(conditional);
        height + 1
    }
}
