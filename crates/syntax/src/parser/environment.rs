//! Where it runs.

use super::Parser;
use crate::kind::{NodeKind, TokenKind};

impl Parser<'_> {
    pub(super) fn environment(&mut self) {
        let item = self.start(NodeKind::Environment);
        self.bump();
        self.name("the name of the environment");
        self.braces("an environment", |parser| parser.environment_member(parser.word()));
        self.finish(item);
    }

    pub(super) fn environment_member(&mut self, word: &str) {
        match word {
            "store" => {
                let member = self.start(NodeKind::EnvironmentStore);
                self.bump();
                self.reference("`sqlite` or `postgres`");
                self.setting("a file as a string, or `env NAME`");
                if self.at(TokenKind::LeftBrace) {
                    self.braces("a store", |parser| parser.store_option(parser.word()));
                }
                self.finish(member);
            }
            "cache" => self.with_address(NodeKind::EnvironmentCache, "`redis`"),
            "broker" => {
                self.with_address(NodeKind::EnvironmentBroker, "`nats`, `kafka` or `rabbitmq`");
            }
            "cloud" => {
                let member = self.start(NodeKind::EnvironmentCloud);
                self.bump();
                self.reference("a provider such as `aws`");
                self.region();
                self.finish(member);
            }
            "budget" => {
                let member = self.start(NodeKind::EnvironmentBudget);
                self.bump();
                let kind = match self.kind() {
                    TokenKind::Decimal => TokenKind::Decimal,
                    _ => TokenKind::Integer,
                };
                self.literal(kind, "an amount");
                self.reference("a currency such as `USD`");
                self.expect_word("per");
                self.time_word("`month`");
                self.finish(member);
            }
            "deploy" => {
                let member = self.start(NodeKind::EnvironmentDeploy);
                self.bump();
                self.comma_list(|parser| {
                    let target = parser.start(NodeKind::DeployTarget);
                    let is_there = parser.reference("a service");
                    if is_there && parser.expect_word("x") {
                        parser.range();
                    }
                    parser.finish(target);
                    is_there
                });
                self.finish(member);
            }
            _ => {
                let words = ["store", "cache", "broker", "cloud", "budget", "deploy"];
                if let Some(meant) = self.unknown_member("an environment", &words) {
                    self.environment_member(meant);
                }
            }
        }
    }

    fn with_address(&mut self, kind: NodeKind, what: &str) {
        let member = self.start(kind);
        self.bump();
        self.reference(what);
        self.setting("an address as a string, or `env NAME`");
        self.finish(member);
    }

    /// `eu-central-1`: words and numbers joined by `-`, without white space.
    fn region(&mut self) {
        if !self.at(TokenKind::Word) || self.at_boundary() || self.starts_line() {
            return self.missing("E0106", "a region such as `eu-central-1`");
        }
        let region = self.start(NodeKind::Region);
        self.bump();
        while self.touches_before()
            && matches!(self.kind(), TokenKind::Minus | TokenKind::Word | TokenKind::Integer)
        {
            self.bump();
        }
        self.finish(region);
    }

    pub(super) fn store_option(&mut self, word: &str) {
        match word {
            "replicas" => {
                let option = self.start(NodeKind::StoreReplicas);
                self.bump();
                self.literal(TokenKind::Integer, "how many replicas");
                self.finish(option);
            }
            "backup" => {
                let option = self.start(NodeKind::StoreBackup);
                self.bump();
                self.expect_word("every");
                self.literal(TokenKind::Duration, "a duration");
                self.expect_word("keep");
                self.literal(TokenKind::Duration, "a duration");
                self.finish(option);
            }
            "recover" => {
                let option = self.start(NodeKind::StoreRecover);
                self.bump();
                for word in ["to", "any", "point", "in"] {
                    self.expect_word(word);
                }
                self.literal(TokenKind::Duration, "a duration");
                self.finish(option);
            }
            _ => {
                let words = ["replicas", "backup", "recover"];
                if let Some(meant) = self.unknown_member("a store", &words) {
                    self.store_option(meant);
                }
            }
        }
    }
}
