//! Types and ranges.

use super::Parser;
use crate::diagnostic::Diagnostic;
use crate::kind::{NodeKind, TokenKind};

impl Parser<'_> {
    /// A type; reports if there is none.
    pub(super) fn type_expr(&mut self) {
        if self.depth >= super::DEEPEST {
            return self.too_deep();
        }
        self.depth += 1;
        self.type_inside();
        self.depth -= 1;
    }

    fn type_inside(&mut self) {
        match self.kind() {
            TokenKind::LeftBracket => {
                let list = self.start(NodeKind::ListType);
                self.bump();
                self.type_expr();
                if !self.at(TokenKind::RightBracket) {
                    self.skip_to_close(TokenKind::RightBracket);
                }
                self.expect(TokenKind::RightBracket);
                if self.at(TokenKind::LeftParen) && !self.starts_line() {
                    self.bounds();
                }
                self.eat(TokenKind::Question);
                self.finish(list);
            }
            // A name with a colon behind it is the next field: the type is missing.
            TokenKind::Word if self.nth(1).kind != TokenKind::Colon && !self.at_boundary() => {
                self.named_type();
            }
            _ => self.missing("E0107", "a type"),
        }
    }

    fn named_type(&mut self) {
        if self.at_word("enum") && self.nth(1).kind == TokenKind::LeftBrace {
            let node = self.start(NodeKind::EnumType);
            self.bump();
            self.bump();
            self.enum_values();
            self.eat(TokenKind::Question);
            return self.finish(node);
        }
        let node = self.start(NodeKind::NamedType);
        self.path("a type");
        if self.at(TokenKind::LeftParen) && !self.starts_line() {
            self.bump();
            self.bracketed(
                TokenKind::RightParen,
                |parser| {
                    parser.kind().is_number()
                        || matches!(parser.kind(), TokenKind::DotDot | TokenKind::Minus)
                        || (parser.at(TokenKind::Word)
                            && parser.nth(1).kind != TokenKind::Colon
                            && !parser.at_boundary())
                },
                Self::type_argument,
            );
        }
        self.eat(TokenKind::Question);
        self.finish(node);
    }

    fn type_argument(&mut self) {
        if self.at(TokenKind::Word) {
            return self.single(NodeKind::NameRef);
        }
        if self.kind().is_number() && self.nth(1).kind != TokenKind::DotDot {
            return self.single(NodeKind::Literal);
        }
        self.range();
    }

    /// `{ a: T }` in place of a type, for the answer of an external's operation.
    pub(super) fn record_type(&mut self) {
        let record = self.start(NodeKind::RecordType);
        self.fields("a body");
        self.eat(TokenKind::Question);
        self.finish(record);
    }

    /// `(1..50)`
    pub(super) fn bounds(&mut self) {
        self.bump();
        self.range();
        if !self.at(TokenKind::RightParen) {
            self.skip_to_close(TokenKind::RightParen);
        }
        self.expect(TokenKind::RightParen);
    }

    /// `1..50`, `0..`, `..5`, `-5..5`, or one number.
    pub(super) fn range(&mut self) {
        let range = self.start(NodeKind::Range);
        let has_lower = self.bound();
        if self.eat(TokenKind::DotDot) {
            let has_upper = self.bound();
            if !has_lower && !has_upper {
                let here = self.behind();
                self.report(
                    Diagnostic::error("E0109", here, "a range has at least one end")
                        .help("write `1..50`, `0..` or `..50`"),
                );
            }
        } else if !has_lower {
            self.missing("E0109", "a range such as `1..50`");
        }
        self.finish(range);
    }

    fn bound(&mut self) -> bool {
        let is_negative = self.at(TokenKind::Minus) && self.nth(1).kind.is_number();
        if is_negative {
            self.bump();
        }
        let is_there = self.kind().is_number();
        if is_there {
            self.single(NodeKind::Literal);
        }
        is_there
    }
}
