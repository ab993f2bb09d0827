//! Tokens to a tree: recursive descent that never stops at a fault.
//!
//! What keeps one fault from hiding another:
//! - members and items are recognised by their first words, so after a fault the parser goes on at the next one;
//! - a missing token is reported behind the token before it and parsing goes on as if it stood there;
//! - an item's keyword at the start of a line ends whatever is still open;
//! - what stands outside of its place is reported once, and still parsed for faults of its own;
//! - at one place, only the first fault is reported.

mod again;
mod command;
mod entity;
mod environment;
mod expression;
mod item;
mod operations;
mod recovery;
mod type_expr;
mod workflow;

use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::kind::{NodeKind, TokenKind};
use crate::lexer::{Lexed, Significant, lex};
use crate::tree::{FileId, NodeData, Parse, Span, Token};

pub use again::{Damage, Reparse, reparse};

/// How deep a source may nest: braces, parentheses, lists and operators together.
const DEEPEST: u32 = 96;

/// Parses one file. Whatever the text, the answer is a tree that covers all of it; faults are in its diagnostics.
#[must_use]
pub fn parse(file: FileId, text: impl Into<Arc<str>>) -> Parse {
    let text: Arc<str> = text.into();
    let Lexed { tokens, significant, diagnostics, open_braces } = lex(file, &text);
    let mut parser = Parser {
        file,
        text: &text,
        tokens: &tokens,
        significant: &significant,
        position: 0,
        nodes: Vec::with_capacity(significant.len()),
        diagnostics,
        depth: 0,
        last_fault: usize::MAX,
        is_unbalanced: open_braces > 0,
    };
    parser.root();
    let Parser { nodes, mut diagnostics, .. } = parser;
    diagnostics.sort_by_key(|diagnostic| diagnostic.primary.span.start);
    Parse { file, text, tokens, nodes, diagnostics, open_braces }
}

struct Parser<'t> {
    file: FileId,
    text: &'t str,
    tokens: &'t [Token],
    significant: &'t [Significant],
    /// Index into `significant`; never behind the end token.
    position: usize,
    nodes: Vec<NodeData>,
    diagnostics: Vec<Diagnostic>,
    depth: u32,
    /// The position of the last report: a second one at the same place would only repeat it.
    last_fault: usize,
    /// Whether some brace is never closed, so that indentation is worth a look.
    is_unbalanced: bool,
}

/// A node that has been started.
#[derive(Clone, Copy)]
struct Started(usize);

impl<'t> Parser<'t> {
    // Looking

    fn nth(&self, ahead: usize) -> Significant {
        let last = self.significant.len() - 1;
        self.significant[(self.position + ahead).min(last)]
    }

    fn kind(&self) -> TokenKind {
        self.significant[self.position].kind
    }

    fn at(&self, kind: TokenKind) -> bool {
        self.kind() == kind
    }

    fn starts_line(&self) -> bool {
        self.significant[self.position].starts_line
    }

    fn text_of(&self, significant: Significant) -> &'t str {
        &self.text[significant.start as usize..significant.end as usize]
    }

    /// The word here, or nothing.
    fn word(&self) -> &'t str {
        self.word_at(0)
    }

    fn word_at(&self, ahead: usize) -> &'t str {
        let significant = self.nth(ahead);
        if significant.kind == TokenKind::Word { self.text_of(significant) } else { "" }
    }

    fn at_word(&self, word: &str) -> bool {
        self.word() == word
    }

    fn span_at(&self, position: usize) -> Span {
        let Significant { start, end, .. } = self.significant[position];
        Span::new(self.file, start, end)
    }

    fn here(&self) -> Span {
        self.span_at(self.position)
    }

    /// The empty place right behind the token before.
    fn behind(&self) -> Span {
        match self.position {
            0 => Span::new(self.file, 0, 0),
            position => self.span_at(position - 1).after(),
        }
    }

    /// How a message names the token here.
    fn found(&self) -> String {
        match self.kind() {
            TokenKind::End => "the end of the file".to_owned(),
            TokenKind::String => "a string".to_owned(),
            _ => format!("`{}`", self.text_of(self.significant[self.position])),
        }
    }

    // Moving and building

    fn bump(&mut self) {
        if self.kind() != TokenKind::End {
            self.position += 1;
        }
    }

    fn eat(&mut self, kind: TokenKind) -> bool {
        let is_there = self.at(kind);
        if is_there {
            self.bump();
        }
        is_there
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let is_there = self.at_word(word);
        if is_there {
            self.bump();
        }
        is_there
    }

    fn start(&mut self, kind: NodeKind) -> Started {
        let first_token = self.significant[self.position].token;
        self.nodes.push(NodeData { kind, first_token, end_token: first_token, end_node: 0 });
        Started(self.nodes.len() - 1)
    }

    /// Ends a node behind the last token taken; a node that took none is dropped.
    fn finish(&mut self, started: Started) {
        let end_node = self.nodes.len() as u32;
        let end_token = match self.position {
            0 => 0,
            position => self.significant[position - 1].token + 1,
        };
        let node = &mut self.nodes[started.0];
        if end_token <= node.first_token {
            self.nodes.truncate(started.0);
            return;
        }
        node.end_token = end_token;
        node.end_node = end_node;
    }

    /// Puts a node around all nodes since `index`, which must be siblings. Cost: the size of what is wrapped.
    fn wrap(&mut self, index: usize, kind: NodeKind) -> Started {
        let first_token = match self.nodes.get(index) {
            Some(node) => node.first_token,
            None => return self.start(kind),
        };
        self.nodes
            .insert(index, NodeData { kind, first_token, end_token: first_token, end_node: 0 });
        for node in &mut self.nodes[index + 1..] {
            node.end_node += 1;
        }
        Started(index)
    }

    /// One token as a node.
    fn single(&mut self, kind: NodeKind) {
        let started = self.start(kind);
        self.bump();
        self.finish(started);
    }

    // Reporting

    /// Reports, unless something was already reported at this very place.
    fn report(&mut self, diagnostic: Diagnostic) {
        if self.last_fault != self.position {
            self.last_fault = self.position;
            self.diagnostics.push(diagnostic);
        }
    }

    fn expect(&mut self, kind: TokenKind) -> bool {
        if self.eat(kind) {
            return true;
        }
        let behind = self.behind();
        let spelling = kind.spelling().unwrap_or("");
        let found = self.found();
        if let Some(length) = self.mistaken_for(kind) {
            let last = self.span_at(self.position + length - 1);
            let here = self.here().to(last);
            self.report(
                Diagnostic::error("E0105", here, format!("expected `{spelling}`, found {found}"))
                    .text(format!("expected `{spelling}`"))
                    .fix(format!("write `{spelling}`"), here, spelling),
            );
            self.position += length;
            return true;
        }
        let spaced = match kind {
            TokenKind::Arrow | TokenKind::Equal => format!(" {spelling}"),
            _ => spelling.to_owned(),
        };
        self.report(
            Diagnostic::error("E0105", behind, format!("expected `{spelling}`, found {found}"))
                .text(format!("expected `{spelling}` here"))
                .fix(format!("add `{spelling}`"), behind, spaced),
        );
        false
    }

    /// How many tokens here are what other languages write for `kind`.
    fn mistaken_for(&self, kind: TokenKind) -> Option<usize> {
        use TokenKind as T;
        let next = self.nth(1).kind;
        match (kind, self.kind()) {
            (T::Arrow, T::Equal | T::Minus) if next == T::Greater => Some(2),
            (T::Arrow, T::Greater | T::Minus | T::Equal)
            | (T::Colon, T::Equal | T::ColonEqual)
            | (T::Equal, T::ColonEqual | T::EqualEqual | T::Colon) => Some(1),
            _ => None,
        }
    }

    /// A keyword inside of a construct, as `of` in `part of`.
    fn expect_word(&mut self, word: &str) -> bool {
        if self.eat_word(word) {
            return true;
        }
        let found = self.found();
        if !self.at_boundary() && crate::nearest::nearest(self.word(), [word]).is_some() {
            let here = self.here();
            self.report(
                Diagnostic::error("E0105", here, format!("expected `{word}`, found {found}"))
                    .text(format!("expected `{word}`"))
                    .fix(format!("write `{word}`"), here, word),
            );
            self.bump();
            return true;
        }
        let behind = self.behind();
        self.report(
            Diagnostic::error("E0105", behind, format!("expected `{word}`, found {found}"))
                .text(format!("expected `{word}` here"))
                .suggest(format!("add `{word}`"), behind, format!(" {word}")),
        );
        false
    }

    /// A name that is declared here.
    fn name(&mut self, what: &str) -> bool {
        self.name_node(NodeKind::Name, what)
    }

    /// A name that is declared elsewhere.
    fn reference(&mut self, what: &str) -> bool {
        self.name_node(NodeKind::NameRef, what)
    }

    fn name_node(&mut self, kind: NodeKind, what: &str) -> bool {
        if self.at(TokenKind::Word) && !self.at_boundary() {
            self.single(kind);
            return true;
        }
        self.missing("E0106", what);
        false
    }

    fn missing(&mut self, code: &'static str, what: &str) {
        let (behind, found) = (self.behind(), self.found());
        self.report(
            Diagnostic::error(code, behind, format!("expected {what}, found {found}"))
                .text(format!("expected {what} here")),
        );
    }

    /// `a.b`: names with dots between, outside of expressions.
    fn path(&mut self, what: &str) -> bool {
        if !self.at(TokenKind::Word) || self.at_boundary() {
            self.missing("E0106", what);
            return false;
        }
        let started = self.start(NodeKind::Path);
        self.bump();
        if self.touches_before() {
            self.path_rest();
        }
        self.finish(started);
        true
    }

    fn path_rest(&mut self) {
        let start = self.position;
        // A dot behind white space starts a path of the row: `sum(lines, .price)` without its comma is a fault.
        while self.at(TokenKind::Dot) && (self.position == start || self.touches_before()) {
            self.bump();
            if self.at(TokenKind::Word) && !self.at_boundary() {
                self.bump();
            } else {
                self.missing("E0106", "a name behind the dot");
            }
        }
    }

    /// Whether no white space stands before the token here.
    fn touches_before(&self) -> bool {
        let here = self.significant[self.position].token;
        self.position > 0 && self.significant[self.position - 1].token + 1 == here
    }

    /// A literal of that kind.
    fn literal(&mut self, kind: TokenKind, what: &str) -> bool {
        if self.at(kind) {
            self.single(NodeKind::Literal);
            return true;
        }
        if kind == TokenKind::String
            && self.at(TokenKind::Word)
            && !self.starts_line()
            && self.nth(1).kind != TokenKind::Colon
        {
            let (here, found) = (self.here(), self.found());
            let quoted = format!("\"{}\"", self.word());
            self.report(
                Diagnostic::error("E0109", here, format!("expected {what}, found {found}"))
                    .text("expected a string")
                    .suggest("put it in quotes", here, quoted),
            );
            self.single(NodeKind::Error);
            return false;
        }
        // A number or a string of the wrong sort stands for the right one: take it, so that what follows fits.
        let is_wrong_sort =
            (self.kind().is_number() || self.at(TokenKind::String)) && !self.starts_line();
        if !is_wrong_sort {
            self.missing("E0109", what);
            return false;
        }
        let (here, found) = (self.here(), self.found());
        let mut diagnostic =
            Diagnostic::error("E0109", here, format!("expected {what}, found {found}"))
                .text(format!("expected {what}"));
        diagnostic = match (kind, self.kind()) {
            (TokenKind::Duration, TokenKind::Integer) => {
                diagnostic.help("add the unit: ms, s, m (minutes), h, d, w or y")
            }
            (TokenKind::Percent, TokenKind::Integer | TokenKind::Decimal) => {
                diagnostic.suggest("add `%`", here.after(), "%")
            }
            (TokenKind::Rate, TokenKind::Integer) => {
                diagnostic.help("say in what time: `40/s`, `100/m`")
            }
            _ => diagnostic,
        };
        self.report(diagnostic);
        self.single(NodeKind::Error);
        false
    }

    /// `"text"`, `env NAME` or `secret NAME`.
    fn setting(&mut self, what: &str) {
        let started = self.start(NodeKind::Setting);
        match self.word() {
            "env" | "secret" => {
                self.bump();
                self.reference("the name of a variable");
            }
            _ => {
                if !self.at(TokenKind::String) {
                    self.missing("E0109", what);
                    return self.finish(started);
                }
                self.single(NodeKind::Literal);
            }
        }
        self.finish(started);
    }

    /// Names separated by commas.
    fn references(&mut self, what: &str) {
        self.comma_list(|parser| parser.reference(what));
    }

    /// One or more elements with commas between and no bracket at the end.
    fn comma_list(&mut self, mut element: impl FnMut(&mut Self) -> bool) {
        loop {
            element(self);
            if !self.eat(TokenKind::Comma) {
                break;
            }
        }
    }

    /// Elements up to the closing bracket, which is taken; the opening one is already taken. Between two elements of
    /// one line a comma is due.
    fn bracketed(
        &mut self,
        close: TokenKind,
        is_element: impl Fn(&Self) -> bool,
        mut element: impl FnMut(&mut Self),
    ) {
        while !self.at(close) && is_element(self) {
            let before = self.position;
            element(self);
            if self.position == before {
                break;
            }
            if self.eat(TokenKind::Comma) || self.at(close) {
                continue;
            }
            if !is_element(self) {
                break;
            }
            if !self.starts_line() {
                self.missing_comma();
            }
        }
        if !self.at(close) {
            self.skip_to_close(close);
        }
        self.expect(close);
    }

    fn missing_comma(&mut self) {
        let behind = self.behind();
        let found = self.found();
        self.report(
            Diagnostic::error("E0116", behind, format!("expected `,` before {found}"))
                .text("a comma is missing")
                .fix("add a comma", behind, ","),
        );
    }

    /// `{ members }`. `member` takes one member or reports what stands there, and always takes a token.
    fn braces(&mut self, owner: &str, mut member: impl FnMut(&mut Self)) {
        let Some(open) = self.open_brace(owner) else { return };
        self.deeper(|parser| {
            loop {
                match parser.kind() {
                    TokenKind::RightBrace => break,
                    TokenKind::End => return parser.unclosed(open, owner),
                    _ if parser.at_item() => return parser.unclosed(open, owner),
                    _ => {}
                }
                let before = parser.position;
                member(parser);
                if parser.position == before {
                    // The member saw nothing it could take and has said so.
                    parser.anything();
                }
                if parser.position == before {
                    parser.single(NodeKind::Error);
                }
            }
            parser.bump();
        });
    }

    /// Takes `{`; its span, or the empty place where it is missing. `None` if there is no body to parse.
    fn open_brace(&mut self, owner: &str) -> Option<Span> {
        let here = self.here();
        if self.eat(TokenKind::LeftBrace) {
            return Some(here);
        }
        let (behind, found) = (self.behind(), self.found());
        if self.brace_on_this_line() {
            self.report(
                Diagnostic::error("E0110", here, format!("unexpected {found} before `{{`"))
                    .text(format!("this does not belong to the head of {owner}")),
            );
            let started = self.start(NodeKind::Error);
            while !self.at(TokenKind::LeftBrace) {
                self.bump();
            }
            self.finish(started);
            let here = self.here();
            self.bump();
            return Some(here);
        }
        self.report(
            Diagnostic::error("E0105", behind, format!("expected `{{`, found {found}"))
                .text(format!("the body of {owner} starts here"))
                .suggest("add `{`", behind, " {"),
        );
        if self.at(TokenKind::End) || self.at_item() || self.at(TokenKind::RightBrace) {
            // A lone `}` is the end of a body whose `{` is missing, unless it closes what stands around.
            return None;
        }
        Some(behind)
    }

    fn unclosed(&mut self, open: Span, owner: &str) {
        let (behind, found) = (self.behind(), self.found());
        self.report(
            Diagnostic::error("E0112", behind, format!("{owner} is not closed: {found} follows"))
                .text("expected `}` here")
                .label(open, "opened here")
                .suggest("add `}`", behind, "\n}"),
        );
    }

    /// Runs `inside` one level deeper; past the bound, reports and skips instead.
    fn deeper<R: Default>(&mut self, inside: impl FnOnce(&mut Self) -> R) -> R {
        if self.depth >= DEEPEST {
            self.too_deep();
            return R::default();
        }
        self.depth += 1;
        let result = inside(self);
        self.depth -= 1;
        result
    }

    fn too_deep(&mut self) {
        let here = self.here();
        self.report(
            Diagnostic::error("E0114", here, "this is nested too deeply")
                .text(format!("more than {DEEPEST} levels"))
                .help("name a part of it: a `let`, a computed field, a command of its own"),
        );
        self.skip_nested();
    }
}
