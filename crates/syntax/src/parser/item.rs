//! The file and its items; app, auth, service, decision.

use super::Parser;
use crate::diagnostic::Diagnostic;
use crate::keyword::ITEMS;
use crate::kind::{NodeKind, TokenKind};
use crate::nearest::nearest;

/// What ends a service.
enum Closed {
    ByBrace,
    ByNothing,
}

impl Parser<'_> {
    pub(super) fn root(&mut self) {
        let root = self.start(NodeKind::Root);
        self.nodes[root.0].first_token = 0;
        while !self.at(TokenKind::End) {
            self.root_item();
        }
        let end_node = self.nodes.len() as u32;
        let node = &mut self.nodes[root.0];
        node.end_token = self.tokens.len() as u32;
        node.end_node = end_node;
    }

    fn root_item(&mut self) {
        if self.at(TokenKind::RightBrace) {
            self.stray_brace();
        } else {
            self.item_or_report();
        }
    }

    /// Parses items up to the token at `end`; `service` is the column of the service they stand in. False where the list
    /// that holds them ends before that, or one of them goes on behind it.
    pub(super) fn items_up_to(&mut self, end: usize, service: Option<usize>) -> bool {
        while self.position < end {
            match service {
                None => self.root_item(),
                Some(column) => {
                    if self.service_item(column).is_some() {
                        return false;
                    }
                }
            }
        }
        self.position == end
    }

    fn stray_brace(&mut self) {
        let here = self.here();
        self.report(
            Diagnostic::error("E0113", here, "this `}` closes nothing")
                .text("no `{` is open here")
                .help("look for a `{` that is missing, or a `}` too many, above")
                .suggest("remove it", here, ""),
        );
        self.single(NodeKind::Error);
    }

    fn item_or_report(&mut self) {
        let word = self.word();
        if self.is_item_head() || (ITEMS.contains(&word) && self.is_broken_head()) {
            return self.item(word);
        }
        // A word of its own line with a name and a brace behind is an item that is misspelt.
        let next = self.nth(1);
        if next.kind == TokenKind::Word
            && !next.starts_line
            && self.nth(2).kind != TokenKind::Colon
            && !self.is_member_head()
            && let Some(meant) = nearest(word, ITEMS)
        {
            let here = self.here();
            self.report(
                Diagnostic::error("E0110", here, format!("there is no item `{word}`"))
                    .text("expected an item")
                    .suggest(format!("write `{meant}`"), here, meant),
            );
            return self.item(meant);
        }
        let (here, found) = (self.here(), self.found());
        let mut diagnostic =
            Diagnostic::error("E0110", here, format!("expected an item, found {found}"))
                .text("no item starts like this");
        diagnostic = if self.is_member_head() {
            diagnostic.help("this belongs into a body; look for a `}` too many above")
        } else {
            let items = ITEMS.map(|item| format!("`{item}`")).join(", ");
            diagnostic.help(format!("items start with {items}"))
        };
        // Members of one body that was closed too early are one mistake.
        if !self.is_run_of_errors() {
            self.report(diagnostic);
        }
        self.anything();
    }

    /// Whether the node before is an error right before this: its neighbour has been reported.
    fn is_run_of_errors(&self) -> bool {
        let before = match self.position {
            0 => return false,
            position => self.significant[position - 1].token + 1,
        };
        // The error node stands before the nodes inside of it; far back it belongs to something long.
        let mut last = self.nodes.iter().rev().take(64);
        self.is_member_head()
            && last.any(|node| node.kind == NodeKind::Error && node.end_token == before)
    }

    /// Whether a member or a statement starts here.
    fn is_member_head(&self) -> bool {
        let next = self.nth(1).kind;
        next == TokenKind::Colon || self.at_boundary()
    }

    /// Whether the item keyword here is meant as one though its name is missing: it opens a line, and is no field.
    fn is_broken_head(&self) -> bool {
        !matches!(self.nth(1).kind, TokenKind::Colon | TokenKind::Dot | TokenKind::Equal)
    }

    /// Parses the item whose keyword is `word`; the token here may be a misspelling of it.
    pub(super) fn item(&mut self, word: &str) {
        match word {
            "app" => self.app(),
            "auth" => self.auth(),
            "service" => self.service(),
            "entity" => self.entity(),
            "record" => self.record(),
            "enum" => self.enumeration(),
            "error" => self.fault(),
            "query" => self.query(),
            "command" => self.command(),
            "event" => self.event(),
            "on" => self.on(),
            "webhook" => self.webhook(),
            "workflow" => self.workflow(),
            "job" => self.job(),
            "limit" => self.limit(),
            "slo" => self.slo(true),
            "external" => self.external(),
            "load" => self.load(),
            "environment" => self.environment(),
            _ => self.decision(),
        }
    }

    fn app(&mut self) {
        let item = self.start(NodeKind::App);
        self.bump();
        self.name("the name of the app");
        self.braces("an app", |parser| parser.app_member(parser.word()));
        self.finish(item);
    }

    pub(super) fn app_member(&mut self, word: &str) {
        match word {
            "version" => {
                let member = self.start(NodeKind::AppVersion);
                self.bump();
                self.literal(TokenKind::Integer, "a whole number");
                self.finish(member);
            }
            "roles" => {
                let member = self.start(NodeKind::AppRoles);
                self.bump();
                self.comma_list(|parser| {
                    let role = parser.start(NodeKind::Role);
                    let is_there = parser.name("a role");
                    parser.finish(role);
                    is_there
                });
                self.finish(member);
            }
            "surface" => {
                let member = self.start(NodeKind::AppSurface);
                self.bump();
                self.references("a surface: rest, graphql or grpc");
                self.finish(member);
            }
            _ => {
                if let Some(meant) = self.unknown_member("an app", &["version", "roles", "surface"])
                {
                    self.app_member(meant);
                }
            }
        }
    }

    fn auth(&mut self) {
        let item = self.start(NodeKind::Auth);
        self.bump();
        self.braces("auth", |parser| parser.auth_member(parser.word()));
        self.finish(item);
    }

    pub(super) fn auth_member(&mut self, word: &str) {
        match word {
            "users" => {
                let member = self.start(NodeKind::AuthUsers);
                self.bump();
                self.path("an entity");
                self.expect_word("by");
                self.reference("the field that users sign in by");
                self.expect_word("as");
                self.roles();
                self.finish(member);
            }
            "password" => self.single(NodeKind::AuthPassword),
            "oidc" => {
                let member = self.start(NodeKind::AuthOidc);
                self.bump();
                self.name("the name of the provider");
                self.braces("an OpenID provider", |parser| parser.claim(parser.word()));
                self.finish(member);
            }
            "token" => {
                let member = self.start(NodeKind::AuthToken);
                self.bump();
                self.braces("a token", |parser| parser.claim(parser.word()));
                self.finish(member);
            }
            "limit" => {
                let member = self.start(NodeKind::AuthLimit);
                self.bump();
                self.limit_rest();
                self.finish(member);
            }
            _ => {
                let words = ["users", "password", "oidc", "token", "limit"];
                if let Some(meant) = self.unknown_member("auth", &words) {
                    self.auth_member(meant);
                }
            }
        }
    }

    pub(super) fn claim(&mut self, word: &str) {
        let kind = match word {
            "issuer" => NodeKind::ClaimIssuer,
            "client" => NodeKind::ClaimClient,
            "audience" => NodeKind::ClaimAudience,
            "roles" => {
                let claim = self.start(NodeKind::ClaimRoles);
                self.bump();
                self.expect_word("claim");
                self.literal(TokenKind::String, "the name of the claim, as a string");
                return self.finish(claim);
            }
            _ => {
                let words = ["issuer", "client", "audience", "roles"];
                if let Some(meant) = self.unknown_member("a provider", &words) {
                    self.claim(meant);
                }
                return;
            }
        };
        let claim = self.start(kind);
        self.bump();
        self.setting("a string, or `env NAME`");
        self.finish(claim);
    }

    /// Roles separated by commas.
    pub(super) fn roles(&mut self) {
        let roles = self.start(NodeKind::Roles);
        self.references("a role");
        self.finish(roles);
    }

    fn service(&mut self) {
        let column = self.column();
        let item = self.start(NodeKind::Service);
        self.bump();
        self.name("the name of the service");
        self.service_body(column);
        self.finish(item);
    }

    fn service_body(&mut self, column: usize) {
        let open = self.here();
        if !self.eat(TokenKind::LeftBrace) {
            if self.brace_on_this_line() {
                self.open_brace("a service");
            } else {
                let (behind, found) = (self.behind(), self.found());
                self.report(
                    Diagnostic::error("E0105", behind, format!("expected `{{`, found {found}"))
                        .text("the body of a service starts here")
                        .fix("add `{`", behind, " {"),
                );
            }
        }
        self.deeper(|parser| {
            loop {
                match parser.service_item(column) {
                    None => {}
                    Some(Closed::ByBrace) => return parser.bump(),
                    Some(Closed::ByNothing) => return parser.unclosed(open, "a service"),
                }
            }
        });
    }

    /// Parses one item of a service that stands in this column, unless the service ends here.
    fn service_item(&mut self, column: usize) -> Option<Closed> {
        match self.kind() {
            TokenKind::RightBrace => return Some(Closed::ByBrace),
            TokenKind::End => return Some(Closed::ByNothing),
            _ if self.at_item() => {
                let is_outside = self.is_unbalanced && self.column() <= column;
                if is_outside || self.at_word("service") {
                    return Some(Closed::ByNothing);
                }
                self.item(self.word());
            }
            _ => self.item_or_report(),
        }
        None
    }

    /// How far the token here stands from the start of its line, in bytes.
    fn column(&self) -> usize {
        let start = self.here().start as usize;
        start - self.text[..start].rfind('\n').map_or(0, |at| at + 1)
    }

    fn decision(&mut self) {
        let item = self.start(NodeKind::Decision);
        self.bump();
        self.literal(TokenKind::String, "the title of the decision, as a string");
        self.braces("a decision", |parser| parser.decision_member(parser.word()));
        self.finish(item);
    }

    pub(super) fn decision_member(&mut self, word: &str) {
        match word {
            "criteria" => {
                let member = self.start(NodeKind::Criteria);
                self.bump();
                self.comma_list(|parser| parser.weight("a criterion"));
                self.finish(member);
            }
            "option" => {
                let member = self.start(NodeKind::Alternative);
                self.bump();
                self.name("the name of the option");
                self.braces("an option", |parser| {
                    if !parser.weight("a criterion") {
                        parser.anything();
                    }
                    parser.unwanted_comma();
                });
                self.finish(member);
            }
            "chosen" => {
                let member = self.start(NodeKind::Chosen);
                self.bump();
                self.reference("the option that was chosen");
                self.expect_word("because");
                self.literal(TokenKind::String, "the reason, as a string");
                self.finish(member);
            }
            _ => {
                let words = ["criteria", "option", "chosen"];
                if let Some(meant) = self.unknown_member("a decision", &words) {
                    self.decision_member(meant);
                }
            }
        }
    }

    /// `integrity 5`
    fn weight(&mut self, what: &str) -> bool {
        let weight = self.start(NodeKind::Weight);
        let is_there = self.name(what);
        if is_there {
            self.literal(TokenKind::Integer, "a whole number");
        }
        self.finish(weight);
        is_there
    }

    /// Members need no comma between them.
    pub(super) fn unwanted_comma(&mut self) {
        if !self.at(TokenKind::Comma) {
            return;
        }
        let here = self.here();
        self.report(
            Diagnostic::error("E0116", here, "there is no comma between members")
                .text("not needed")
                .note("commas stand in lists; members stand side by side, or on lines of their own")
                .fix("remove the comma", here, ""),
        );
        self.single(NodeKind::Error);
    }
}
