//! Queries, commands and statements.

use super::Parser;
use crate::diagnostic::Diagnostic;
use crate::kind::{NodeKind, TokenKind};

const STATEMENTS: [&str; 11] =
    ["let", "require", "for", "if", "create", "update", "delete", "emit", "run", "call", "return"];

impl Parser<'_> {
    pub(super) fn query(&mut self) {
        let item = self.start(NodeKind::Query);
        self.bump();
        self.name("the name of the query");
        self.parameters();
        if self.expect(TokenKind::Arrow) || self.at(TokenKind::Word) {
            self.type_expr();
        }
        self.braces("a query", |parser| parser.query_member(parser.word()));
        self.finish(item);
    }

    pub(super) fn query_member(&mut self, word: &str) {
        match word {
            "where" => self.filter(),
            "sort" => {
                let member = self.start(NodeKind::Sort);
                self.bump();
                self.comma_list(|parser| {
                    let key = parser.start(NodeKind::SortKey);
                    parser.eat(TokenKind::Minus);
                    let is_there = parser.at(TokenKind::Dot);
                    if is_there {
                        let path = parser.start(NodeKind::Path);
                        parser.path_rest();
                        parser.finish(path);
                    } else if parser.at(TokenKind::Word) && !parser.at_boundary() {
                        let here = parser.here();
                        let word = parser.word();
                        parser.report(
                            Diagnostic::error(
                                "E0105",
                                here,
                                format!("a field of the row is written `.{word}`"),
                            )
                            .text("the dot is missing")
                            .fix("add the dot", here.before(), "."),
                        );
                        parser.path("a field");
                    } else {
                        parser.missing("E0108", "a field such as `.placed`");
                    }
                    parser.finish(key);
                    is_there
                });
                self.finish(member);
            }
            "page" => {
                let member = self.start(NodeKind::Page);
                self.bump();
                if self.at(TokenKind::Integer) && self.nth(1).kind == TokenKind::DotDot {
                    self.range();
                } else {
                    self.literal(TokenKind::Integer, "the size of a page");
                }
                self.finish(member);
            }
            "allow" => self.admit(),
            _ => {
                let words = ["where", "sort", "page", "allow"];
                if let Some(meant) = self.unknown_member("a query", &words) {
                    self.query_member(meant);
                }
            }
        }
    }

    fn filter(&mut self) {
        let member = self.start(NodeKind::Where);
        self.bump();
        self.expression();
        self.finish(member);
    }

    /// `allow ROLES when EXPR`
    pub(super) fn admit(&mut self) {
        let member = self.start(NodeKind::Admit);
        self.bump();
        self.roles();
        self.when();
        self.finish(member);
    }

    /// `(a: T, b: T)`
    pub(super) fn parameters(&mut self) {
        let parameters = self.start(NodeKind::Parameters);
        let is_open = self.expect(TokenKind::LeftParen);
        if !is_open && (!self.is_parameter() || self.starts_line()) {
            return self.finish(parameters);
        }
        self.bracketed(TokenKind::RightParen, Self::is_parameter, |parser| {
            let parameter = parser.start(NodeKind::Parameter);
            parser.name_in_parameters();
            parser.expect(TokenKind::Colon);
            parser.type_expr();
            parser.finish(parameter);
        });
        self.finish(parameters);
    }

    fn name_in_parameters(&mut self) {
        if self.at(TokenKind::Word) {
            self.single(NodeKind::Name);
        } else {
            self.missing("E0106", "the name of a parameter");
        }
    }

    fn is_parameter(&self) -> bool {
        match self.kind() {
            TokenKind::Colon => true,
            TokenKind::Word => self.nth(1).kind == TokenKind::Colon || !self.at_boundary(),
            _ => false,
        }
    }

    pub(super) fn command(&mut self) {
        let item = self.start(NodeKind::Command);
        self.bump();
        self.name("the name of the command");
        self.parameters();
        self.by_code();
        if self.eat(TokenKind::Arrow) {
            self.type_expr();
        }
        self.by_code();
        self.braces("a command", |parser| match parser.word() {
            "allow" => parser.admit(),
            "deprecated" => parser.deprecated(),
            word => parser.statement_or_report(word, "a command"),
        });
        self.finish(item);
    }

    fn by_code(&mut self) {
        if self.at_word("by") {
            self.bump();
            self.expect_word("code");
        }
    }

    /// `{ statements }`
    pub(super) fn block(&mut self, owner: &str) {
        let block = self.start(NodeKind::Block);
        self.braces(owner, |parser| parser.statement_or_report(parser.word(), owner));
        self.finish(block);
    }

    pub(super) fn statement_or_report(&mut self, word: &str, owner: &str) {
        if STATEMENTS.contains(&word) {
            return self.statement(word);
        }
        if let Some(meant) = self.unknown_member(owner, &STATEMENTS) {
            self.statement(meant);
        }
    }

    /// The statement that starts with `word`.
    pub(super) fn statement(&mut self, word: &str) {
        if self.depth >= super::DEEPEST {
            return self.too_deep();
        }
        self.depth += 1;
        match word {
            "let" => {
                let statement = self.start(NodeKind::Let);
                self.bump();
                self.name("a name");
                self.expect(TokenKind::Equal);
                self.value();
                self.finish(statement);
            }
            "require" => self.require(),
            "for" => self.for_each(),
            "if" => self.condition(),
            "return" => {
                let statement = self.start(NodeKind::Return);
                self.bump();
                if !self.at_end_of_return() {
                    self.value();
                }
                self.finish(statement);
            }
            _ => self.action(word),
        }
        self.depth -= 1;
    }

    /// Whether a `return` has no value: the body ends here, or the next line begins another statement.
    fn at_end_of_return(&self) -> bool {
        let word = self.word();
        match self.kind() {
            TokenKind::RightBrace | TokenKind::End => true,
            // A value may begin with `if`.
            _ => self.starts_line() && word != "if" && STATEMENTS.contains(&word),
        }
    }

    /// What a `let` may bind.
    fn value(&mut self) {
        let word = self.word();
        if matches!(word, "create" | "call" | "run")
            && !self.starts_line()
            && self.nth(1).kind == TokenKind::Word
            && !self.nth(1).starts_line
        {
            self.action(word);
        } else {
            self.expression();
        }
    }

    /// `create`, `update`, `delete`, `emit`, `run`, `call`
    fn action(&mut self, word: &str) {
        match word {
            "create" => self.with_initializers(NodeKind::Create, "an entity"),
            "update" => self.with_initializers(NodeKind::Update, "the row to update"),
            "emit" => self.with_initializers(NodeKind::Emit, "an event"),
            "delete" => {
                let statement = self.start(NodeKind::Delete);
                self.bump();
                self.path("the row to delete");
                self.finish(statement);
            }
            "run" => self.run(),
            _ => {
                let statement = self.start(NodeKind::Call);
                self.bump();
                self.path("an external's operation such as `payments.charge`");
                self.arguments();
                self.finish(statement);
            }
        }
    }

    /// `run command(arguments) later`
    pub(super) fn run(&mut self) {
        let statement = self.start(NodeKind::Run);
        self.bump();
        self.path("a command");
        self.arguments();
        if self.eat_word("later") {
            self.later_terms();
        }
        self.finish(statement);
    }

    /// `in 2h priority 5 unique EXPR`, each of them optional.
    fn later_terms(&mut self) {
        while !self.starts_line() {
            if self.at_word("in") {
                let term = self.start(NodeKind::LaterIn);
                self.bump();
                self.expression();
                self.finish(term);
            } else if self.at_word("priority") {
                let term = self.start(NodeKind::LaterPriority);
                self.bump();
                self.literal(TokenKind::Integer, "a whole number");
                self.finish(term);
            } else if self.at_word("unique") {
                let term = self.start(NodeKind::LaterUnique);
                self.bump();
                self.expression();
                self.finish(term);
            } else {
                break;
            }
        }
    }

    fn with_initializers(&mut self, kind: NodeKind, what: &str) {
        let statement = self.start(kind);
        self.bump();
        self.path(what);
        self.initializers();
        self.finish(statement);
    }

    /// `{ a: x, b }`
    fn initializers(&mut self) {
        if !self.at(TokenKind::LeftBrace) && !self.brace_on_this_line() {
            let (behind, found) = (self.behind(), self.found());
            self.report(
                Diagnostic::error("E0105", behind, format!("expected `{{`, found {found}"))
                    .text("the values stand here, in braces")
                    .suggest("add them", behind, " {}"),
            );
            return;
        }
        if self.open_brace("the values").is_none() {
            return;
        }
        self.bracketed(TokenKind::RightBrace, Self::is_initializer, |parser| {
            let initializer = parser.start(NodeKind::Initializer);
            if parser.at(TokenKind::Word) {
                parser.single(NodeKind::NameRef);
            } else {
                parser.missing("E0106", "the name of a field");
            }
            if parser.eat(TokenKind::Colon) {
                parser.expression();
            }
            parser.finish(initializer);
        });
    }

    fn is_initializer(&self) -> bool {
        match self.kind() {
            TokenKind::Colon => true,
            TokenKind::Word => self.nth(1).kind == TokenKind::Colon || !self.at_boundary(),
            _ => false,
        }
    }

    fn require(&mut self) {
        let statement = self.start(NodeKind::Require);
        self.bump();
        self.expression();
        if self.at_word("else") {
            self.bump();
            let raise = self.start(NodeKind::Raise);
            self.path("an error");
            // An error that carries nothing needs no braces.
            if self.at(TokenKind::LeftBrace) {
                self.initializers();
            }
            self.finish(raise);
        } else {
            let (behind, found) = (self.behind(), self.found());
            self.report(
                Diagnostic::error("E0105", behind, format!("expected `else`, found {found}"))
                    .text("what is answered if this does not hold?")
                    .help("name an error: `require … else OutOfStock { … }`"),
            );
        }
        self.finish(statement);
    }

    fn for_each(&mut self) {
        let statement = self.start(NodeKind::For);
        self.bump();
        if self.at(TokenKind::Word) && self.nth(1).kind == TokenKind::Dot {
            let behind = self.behind();
            self.report(
                Diagnostic::error("E0106", behind, "expected a name for the element")
                    .text("expected a name and `in` here")
                    .help("write `for line in order.lines { … }`")
                    .suggest("add a name", behind, " item in"),
            );
        } else {
            if self.at_word("in") && self.word_at(1) != "in" {
                self.missing("E0106", "a name for the element");
            } else {
                self.name("a name for the element");
            }
            self.expect_word("in");
        }
        self.expression();
        if self.at_word("where") {
            self.filter();
        }
        self.block("a for");
        self.finish(statement);
    }

    fn condition(&mut self) {
        let statement = self.start(NodeKind::If);
        self.bump();
        self.expression();
        self.block("an if");
        if self.at_word("else") {
            self.bump();
            if self.at_word("if") {
                // Bounded: through `statement`, which counts.
                self.statement("if");
            } else {
                self.block("an else");
            }
        }
        self.finish(statement);
    }
}
