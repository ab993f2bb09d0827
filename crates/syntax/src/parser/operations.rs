//! limit, slo, external, load.

use super::Parser;
use crate::kind::{NodeKind, TokenKind};

impl Parser<'_> {
    pub(super) fn limit(&mut self) {
        let item = self.start(NodeKind::Limit);
        self.bump();
        self.path("a command, a query or an entity");
        self.limit_rest();
        self.finish(item);
    }

    /// `10 per 1m by caller`
    pub(super) fn limit_rest(&mut self) {
        self.literal(TokenKind::Integer, "how many");
        self.expect_word("per");
        self.literal(TokenKind::Duration, "a duration");
        self.expect_word("by");
        self.reference("`caller` or `ip`");
    }

    /// `slo target 99.9% under 200ms`
    pub(super) fn slo(&mut self, has_target: bool) {
        let item = self.start(NodeKind::Slo);
        self.bump();
        if has_target {
            self.path("a command, a query or an entity");
        }
        self.literal(TokenKind::Percent, "a percentage");
        if self.at_word("under") {
            self.bump();
            self.literal(TokenKind::Duration, "a duration");
        }
        self.finish(item);
    }

    pub(super) fn external(&mut self) {
        let item = self.start(NodeKind::External);
        self.bump();
        self.name("the name of the external");
        self.braces("an external", |parser| parser.external_member(parser.word()));
        self.finish(item);
    }

    pub(super) fn external_member(&mut self, word: &str) {
        let started = match word {
            "url" => NodeKind::ExternalUrl,
            "bearer" => NodeKind::ExternalBearer,
            "timeout" => NodeKind::ExternalTimeout,
            "breaker" => NodeKind::ExternalBreaker,
            "bulkhead" => NodeKind::ExternalBulkhead,
            "retry" => return self.retry(),
            "slo" => return self.slo(false),
            "get" | "post" | "put" | "patch" | "delete" => return self.external_operation(),
            _ => {
                let words = [
                    "url", "bearer", "timeout", "retry", "breaker", "bulkhead", "slo", "get",
                    "post", "put", "patch", "delete",
                ];
                if let Some(meant) = self.unknown_member("an external", &words) {
                    self.external_member(meant);
                }
                return;
            }
        };
        let member = self.start(started);
        self.bump();
        match started {
            NodeKind::ExternalUrl => self.setting("a URL, or `env NAME`"),
            NodeKind::ExternalBearer => self.setting("`secret NAME`"),
            NodeKind::ExternalTimeout => {
                self.literal(TokenKind::Duration, "a duration");
            }
            NodeKind::ExternalBulkhead => {
                self.literal(TokenKind::Integer, "how many calls at once");
            }
            _ => {
                self.expect_word("opens");
                self.expect_word("at");
                self.literal(TokenKind::Percent, "a percentage");
                self.expect_word("of");
                self.literal(TokenKind::Integer, "how many calls");
                self.expect_word("calls");
                self.expect_word("for");
                self.literal(TokenKind::Duration, "a duration");
            }
        }
        self.finish(member);
    }

    /// `post name "/path" { fields } -> Type`
    pub(super) fn external_operation(&mut self) {
        let member = self.start(NodeKind::ExternalOperation);
        self.bump();
        self.name("the name of the operation");
        self.literal(TokenKind::String, "a path, as a string");
        if self.at(TokenKind::LeftBrace) {
            self.record_type();
        }
        if self.eat(TokenKind::Arrow) {
            if self.at(TokenKind::LeftBrace) {
                self.record_type();
            } else {
                self.type_expr();
            }
        }
        self.finish(member);
    }

    pub(super) fn load(&mut self) {
        let item = self.start(NodeKind::Load);
        self.bump();
        self.name("the name of the load");
        self.braces("a load", Self::load_member);
        self.finish(item);
    }

    pub(super) fn load_member(&mut self) {
        if self.at_word("grows")
            && !matches!(self.nth(1).kind, TokenKind::Rate | TokenKind::Integer)
        {
            let member = self.start(NodeKind::LoadGrows);
            self.bump();
            self.literal(TokenKind::Percent, "a percentage");
            self.expect_word("per");
            self.time_word("`month`");
            self.expect_word("for");
            self.literal(TokenKind::Integer, "how many");
            self.time_word("`months`");
            return self.finish(member);
        }
        let next = self.nth(1).kind;
        if !self.at(TokenKind::Word)
            || !(next.is_number() || matches!(next, TokenKind::Dot) || self.nth(1).starts_line)
                && self.word_at(1) != "rows"
        {
            self.unknown_member("a load", &["grows"]);
            return;
        }
        let started = self.start(NodeKind::LoadRate);
        self.path("an entity, a command or a query");
        if self.at(TokenKind::Integer) || self.at_word("rows") {
            self.nodes[started.0].kind = NodeKind::LoadRows;
            self.literal(TokenKind::Integer, "how many rows");
            self.expect_word("rows");
        } else {
            self.literal(TokenKind::Rate, "a rate such as `40/s`, or a number of rows");
            if self.at_word("peak") {
                self.bump();
                self.literal(TokenKind::Rate, "a rate such as `400/s`");
            }
        }
        self.finish(started);
    }

    /// A unit of time as a word. It is no name, so it makes no node; the typed view finds it by its place.
    pub(super) fn time_word(&mut self, what: &str) {
        if self.at(TokenKind::Word) && !self.at_boundary() {
            self.bump();
        } else {
            self.missing("E0105", what);
        }
    }
}
