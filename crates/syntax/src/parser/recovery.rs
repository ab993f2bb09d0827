//! Where to go on after a fault.

use super::Parser;
use crate::diagnostic::Diagnostic;
use crate::keyword::MEMBERS;
use crate::kind::{NodeKind, TokenKind};
use crate::nearest::nearest;

impl Parser<'_> {
    /// Whether an item starts here: its keyword opens a line and what follows fits it.
    pub(super) fn at_item(&self) -> bool {
        self.nth(0).opens.item() && self.is_item_head()
    }

    /// Whether the words here are the head of an item.
    pub(super) fn is_item_head(&self) -> bool {
        let next = self.nth(1);
        let is_named = next.kind == TokenKind::Word && !next.starts_line;
        match self.word() {
            "app" | "service" | "entity" | "record" | "enum" | "error" | "query" | "command"
            | "event" | "webhook" | "workflow" | "job" | "limit" | "slo" | "external" | "load"
            | "environment" => is_named,
            "on" => is_named && self.word_at(1) != "delete",
            "auth" => next.kind == TokenKind::LeftBrace,
            "decision" => next.kind == TokenKind::String,
            _ => false,
        }
    }

    /// Whether something new clearly starts here, so that nothing before it may take it as its own.
    pub(super) fn at_boundary(&self) -> bool {
        if !self.starts_line() || !self.at(TokenKind::Word) {
            return false;
        }
        if self.at_item() {
            return true;
        }
        let next = self.nth(1);
        if next.kind == TokenKind::Colon {
            return true;
        }
        self.nth(0).opens.member()
            && ((next.starts_line
                && !matches!(
                    next.kind,
                    TokenKind::RightParen | TokenKind::RightBracket | TokenKind::Comma
                ))
                || matches!(
                    next.kind,
                    TokenKind::Word
                        | TokenKind::LeftParen
                        | TokenKind::LeftBrace
                        | TokenKind::String
                        | TokenKind::Dot
                        | TokenKind::Integer
                        | TokenKind::Duration
                        | TokenKind::Percent
                ))
    }

    /// Skips to a closing bracket of this line, if there is one.
    pub(super) fn skip_to_close(&mut self, close: TokenKind) {
        let mut ahead = 0;
        loop {
            let token = self.nth(ahead);
            if token.kind == close {
                break;
            }
            let is_end = matches!(
                token.kind,
                TokenKind::End | TokenKind::RightBrace | TokenKind::LeftBrace | TokenKind::Colon
            );
            if is_end || token.starts_line {
                return;
            }
            ahead += 1;
        }
        if ahead == 0 {
            return;
        }
        let (here, found) = (self.here(), self.found());
        self.report(
            Diagnostic::error("E0110", here, format!("unexpected {found}"))
                .text("this does not fit here"),
        );
        let started = self.start(NodeKind::Error);
        self.position += ahead;
        self.finish(started);
    }

    pub(super) fn brace_on_this_line(&self) -> bool {
        let mut ahead = 0;
        loop {
            let token = self.nth(ahead);
            match token.kind {
                _ if token.starts_line => return false,
                TokenKind::LeftBrace => return true,
                TokenKind::End | TokenKind::RightBrace => return false,
                _ => ahead += 1,
            }
        }
    }

    /// Skips to the end of the bracket around, without recursion, however deep it nests.
    pub(super) fn skip_nested(&mut self) {
        let started = self.start(NodeKind::Error);
        let first = self.position;
        let mut open = 0_u32;
        loop {
            match self.kind() {
                TokenKind::End => break,
                TokenKind::LeftBrace | TokenKind::LeftParen | TokenKind::LeftBracket => open += 1,
                TokenKind::RightBrace | TokenKind::RightParen | TokenKind::RightBracket => {
                    if open == 0 {
                        break;
                    }
                    open -= 1;
                }
                _ if self.at_item() => break,
                _ if open == 0 && self.starts_line() && self.position > first => break,
                _ => {}
            }
            self.bump();
        }
        self.finish(started);
    }

    /// Reports a word that opens nothing here. Answers the word that was probably meant.
    pub(super) fn unknown_member(
        &mut self,
        owner: &str,
        words: &[&'static str],
    ) -> Option<&'static str> {
        let (here, found) = (self.here(), self.found());
        let list: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        let list = list.join(", ");
        let mut diagnostic =
            Diagnostic::error("E0111", here, format!("{found} does not belong in {owner}"))
                .text("not known here")
                .help(format!("{owner} may hold {list}"));
        let meant = match self.word() {
            "" => None,
            word => nearest(word, words.iter().copied())
                .and_then(|near| words.iter().copied().find(|candidate| *candidate == near)),
        };
        if let Some(meant) = meant {
            diagnostic = diagnostic.suggest(format!("write `{meant}`"), here, meant);
        }
        self.report(diagnostic);
        if meant.is_none() {
            self.anything();
        }
        meant
    }

    /// Parses whatever stands here, by its first words, in an error node: it is in the wrong place, which has been
    /// reported, but its own faults count. Takes at least one token, unless at a closing brace or the end.
    pub(super) fn anything(&mut self) {
        if self.depth >= super::DEEPEST {
            return self.too_deep();
        }
        self.depth += 1;
        let started = self.start(NodeKind::Error);
        let before = self.position;
        self.known_thing();
        if self.position == before {
            self.unknown_thing();
        }
        self.finish(started);
        self.depth -= 1;
    }

    fn known_thing(&mut self) {
        let word = self.word();
        let next = self.nth(1).kind;
        match word {
            "" => {}
            _ if next == TokenKind::Colon => self.field(),
            _ if self.is_item_head() => self.item(word),
            "allow" if matches!(self.word_at(1), "read" | "create" | "update" | "delete") => {
                self.allow();
            }
            "allow" if self.word_at(1) == "replay" => self.allow_event(),
            "allow" => self.admit(),
            "delete" | "update" if next == TokenKind::String => self.external_operation(),
            "key" | "index" | "unique" | "check" | "flow" | "audit" | "privacy" | "deprecated" => {
                self.entity_member(word);
            }
            "cache" if next == TokenKind::Duration => self.entity_member(word),
            "let" | "require" | "for" | "if" | "create" | "update" | "delete" | "emit" | "run"
            | "call" | "return" => self.statement(word),
            "where" | "sort" | "page" => self.query_member(word),
            "step" | "give" | "retry" => self.workflow_member(word),
            "undo" => self.undo(),
            "sends" | "sign" => self.webhook_member(word),
            "url" | "bearer" | "timeout" | "breaker" | "bulkhead" | "slo" | "get" | "post"
            | "put" | "patch" => self.external_member(word),
            "store" | "cache" | "broker" | "cloud" | "budget" | "deploy" => {
                self.environment_member(word);
            }
            "replicas" | "backup" | "recover" => self.store_option(word),
            "criteria" | "option" | "chosen" => self.decision_member(word),
            "version" | "roles" | "surface" => self.app_member(word),
            "users" | "password" | "oidc" | "token" | "limit" => self.auth_member(word),
            "issuer" | "client" | "audience" => self.claim(word),
            "grows" => self.load_member(),
            _ if matches!(next, TokenKind::Rate | TokenKind::Integer) => self.load_member(),
            _ if self.is_field_without_colon() => self.field(),
            _ => {}
        }
    }

    /// Whether this opens a line or a body.
    fn is_first_word(&self) -> bool {
        self.starts_line()
            || (self.position > 0
                && self.significant[self.position - 1].kind == TokenKind::LeftBrace)
    }

    /// Skips the rest of the line, or up to the next thing that is known; looks into braces.
    fn unknown_thing(&mut self) {
        if self.at(TokenKind::Word) && self.is_first_word() {
            let (here, word) = (self.here(), self.word());
            let mut diagnostic =
                Diagnostic::error("E0111", here, format!("`{word}` is not known here"))
                    .text("not known here");
            if let Some(meant) = nearest(word, MEMBERS) {
                diagnostic = diagnostic.suggest(format!("write `{meant}`"), here, meant);
            }
            self.report(diagnostic);
        }
        let mut is_first = true;
        loop {
            match self.kind() {
                TokenKind::End | TokenKind::RightBrace => break,
                _ if !is_first && self.starts_line() => break,
                TokenKind::LeftBrace => {
                    self.bump();
                    self.anything_in_braces();
                }
                _ => self.bump(),
            }
            is_first = false;
        }
    }

    /// What stands up to the closing brace, which is taken.
    fn anything_in_braces(&mut self) {
        loop {
            match self.kind() {
                TokenKind::End => return,
                TokenKind::RightBrace => return self.bump(),
                _ if self.at_item() => return,
                _ => {
                    let before = self.position;
                    self.anything();
                    if self.position == before {
                        return;
                    }
                }
            }
        }
    }
}
