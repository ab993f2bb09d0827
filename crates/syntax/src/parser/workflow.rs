//! Events, reactions, webhooks, workflows, jobs.

use super::Parser;
use crate::kind::{NodeKind, TokenKind};

impl Parser<'_> {
    pub(super) fn event(&mut self) {
        let item = self.start(NodeKind::Event);
        self.bump();
        self.name("the name of the event");
        if self.at_word("from") {
            self.bump();
            self.literal(TokenKind::String, "where it comes from, as a string");
        }
        if self.at_word("by") {
            self.bump();
            self.reference("the field that keeps events in order");
        }
        self.braces("an event", |parser| {
            // A colon makes any word a name.
            if parser.at_word("allow") && parser.nth(1).kind == TokenKind::Word {
                parser.allow_event();
            } else {
                parser.field_or_report("an event");
            }
        });
        self.finish(item);
    }

    pub(super) fn on(&mut self) {
        let item = self.start(NodeKind::On);
        self.bump();
        self.path("an event");
        self.run_clause();
        self.finish(item);
    }

    /// `run command(…)`
    fn run_clause(&mut self) {
        if self.at_word("run") {
            self.run();
        } else if self.at(TokenKind::Word) && !self.at_boundary() && !self.starts_line() {
            self.expect_word("run");
            if self.at(TokenKind::Word) && !self.starts_line() {
                let run = self.start(NodeKind::Run);
                self.path("a command");
                self.arguments();
                self.finish(run);
            }
        } else {
            self.missing("E0105", "`run` and a command");
        }
    }

    pub(super) fn webhook(&mut self) {
        let item = self.start(NodeKind::Webhook);
        self.bump();
        self.name("the name of the webhook");
        self.braces("a webhook", |parser| parser.webhook_member(parser.word()));
        self.finish(item);
    }

    pub(super) fn webhook_member(&mut self, word: &str) {
        match word {
            "sends" => {
                let member = self.start(NodeKind::WebhookSends);
                self.bump();
                self.comma_list(|parser| parser.path("an event"));
                self.finish(member);
            }
            "receives" => {
                let member = self.start(NodeKind::WebhookReceives);
                self.bump();
                self.comma_list(|parser| {
                    let received = parser.start(NodeKind::WebhookReceived);
                    let found = parser.path("an event");
                    if parser.eat_word("as") {
                        parser.literal(TokenKind::String, "the type that its sender gives it");
                    }
                    parser.finish(received);
                    found
                });
                self.finish(member);
            }
            "sign" => {
                let member = self.start(NodeKind::WebhookSign);
                self.bump();
                self.reference("`standard`");
                self.finish(member);
            }
            "retry" => {
                let member = self.start(NodeKind::WebhookRetry);
                self.bump();
                self.expect_word("for");
                self.literal(TokenKind::Duration, "a duration");
                self.finish(member);
            }
            _ => {
                let words = ["sends", "receives", "sign", "retry"];
                if let Some(meant) = self.unknown_member("a webhook", &words) {
                    self.webhook_member(meant);
                }
            }
        }
    }

    pub(super) fn workflow(&mut self) {
        let item = self.start(NodeKind::Workflow);
        self.bump();
        self.name("the name of the workflow");
        self.parameters();
        // At the start of a line it may be an item of its own: `on Event run …`.
        if self.at_word("on") && (!self.starts_line() || self.nth(2).kind == TokenKind::LeftBrace) {
            self.bump();
            self.path("an event");
        }
        self.braces("a workflow", |parser| parser.workflow_member(parser.word()));
        self.finish(item);
    }

    pub(super) fn workflow_member(&mut self, word: &str) {
        match word {
            "step" => {
                let member = self.start(NodeKind::Step);
                self.bump();
                self.name("the name of the step");
                self.braces("a step", |parser| match parser.word() {
                    "undo" => parser.undo(),
                    word => parser.statement_or_report(word, "a step"),
                });
                self.finish(member);
            }
            "retry" => self.retry(),
            "give" => {
                let member = self.start(NodeKind::GiveUp);
                self.bump();
                self.expect_word("up");
                self.expect_word("after");
                self.literal(TokenKind::Duration, "a duration");
                if self.eat(TokenKind::Comma) || self.at_word("then") {
                    self.expect_word("then");
                    self.run_clause();
                }
                self.finish(member);
            }
            _ => {
                let words = ["step", "retry", "give"];
                if let Some(meant) = self.unknown_member("a workflow", &words) {
                    self.workflow_member(meant);
                }
            }
        }
    }

    pub(super) fn undo(&mut self) {
        let undo = self.start(NodeKind::Undo);
        self.bump();
        if self.at(TokenKind::LeftBrace) {
            self.block("an undo");
        } else {
            self.statement_or_report(self.word(), "an undo");
        }
        self.finish(undo);
    }

    /// `retry 8 times from 200ms to 1m`
    pub(super) fn retry(&mut self) {
        let member = self.start(NodeKind::Retry);
        self.bump();
        self.literal(TokenKind::Integer, "how many times");
        self.expect_word("times");
        self.expect_word("from");
        self.literal(TokenKind::Duration, "the first pause, a duration");
        self.expect_word("to");
        self.literal(TokenKind::Duration, "the longest pause, a duration");
        self.finish(member);
    }

    pub(super) fn job(&mut self) {
        let item = self.start(NodeKind::Job);
        self.bump();
        self.name("the name of the job");
        if self.at_word("at") {
            let at = self.start(NodeKind::JobAt);
            self.bump();
            self.literal(TokenKind::String, "a calendar such as \"0 3 * * *\"");
            if self.eat_word("in") {
                self.literal(TokenKind::String, "a time zone such as \"Europe/Berlin\"");
            }
            self.finish(at);
        } else {
            self.expect_word("every");
            self.literal(TokenKind::Duration, "a duration");
        }
        if self.at_word("jitter") {
            let jitter = self.start(NodeKind::JobJitter);
            self.bump();
            self.literal(TokenKind::Duration, "a duration");
            self.finish(jitter);
        }
        if self.at_word("catch") {
            let catch_up = self.start(NodeKind::JobCatchUp);
            self.bump();
            self.expect_word("up");
            self.reference("`once`, `all` or `none`");
            self.finish(catch_up);
        }
        self.braces("a job", |parser| parser.statement_or_report(parser.word(), "a job"));
        self.finish(item);
    }
}
