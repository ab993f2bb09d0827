//! Entities, records, enums, errors, and what stands in them.

use super::Parser;
use crate::diagnostic::Diagnostic;
use crate::kind::{NodeKind, TokenKind};
use crate::nearest::nearest;

const MEMBERS: [&str; 10] =
    ["key", "index", "unique", "check", "flow", "allow", "cache", "audit", "privacy", "deprecated"];

const MODIFIERS: [&str; 11] = [
    "unique",
    "immutable",
    "search",
    "pii",
    "encrypted",
    "secret",
    "pattern",
    "was",
    "stored",
    "on",
    "deprecated",
];

/// What is allowed of rows.
const ACTIONS: &[&str] = &["read", "create", "update", "delete"];

/// What is allowed of events, and what is taken for a slip there.
const EVENT_ACTIONS: &[&str] = &["read", "replay", "create", "update", "delete"];

impl Parser<'_> {
    pub(super) fn entity(&mut self) {
        let item = self.start(NodeKind::Entity);
        self.bump();
        self.name("the name of the entity");
        loop {
            match self.word() {
                "part" => self.part_of(),
                "was" => self.was(),
                "stored" => self.stored_as(),
                _ => break,
            }
        }
        self.braces("an entity", |parser| parser.entity_member(parser.word()));
        self.finish(item);
    }

    fn part_of(&mut self) {
        let clause = self.start(NodeKind::PartOf);
        self.bump();
        self.expect_word("of");
        if self.at_word("as") && self.word_at(1) != "as" {
            self.missing("E0106", "the entity it is a part of");
        } else {
            self.path("the entity it is a part of");
        }
        self.expect_word("as");
        self.name("the name of the parts");
        if self.at(TokenKind::LeftParen) {
            self.bounds();
        }
        self.finish(clause);
    }

    fn was(&mut self) {
        let clause = self.start(NodeKind::Was);
        self.bump();
        self.reference("the former name");
        self.finish(clause);
    }

    /// `was name`, or `was name before " "` where a text was split.
    fn field_was(&mut self) {
        let clause = self.start(NodeKind::Was);
        self.bump();
        self.reference("the former name");
        if matches!(self.word(), "before" | "after") && !self.starts_line() {
            let half = self.start(NodeKind::Half);
            self.reference("`before` or `after`");
            self.literal(TokenKind::String, "what stands between the halves, as a string");
            self.finish(half);
        }
        self.finish(clause);
    }

    fn stored_as(&mut self) {
        let clause = self.start(NodeKind::StoredAs);
        self.bump();
        self.expect_word("as");
        self.literal(TokenKind::String, "the stored name, as a string");
        self.finish(clause);
    }

    pub(super) fn entity_member(&mut self, word: &str) {
        let next = self.nth(1).kind;
        if next == TokenKind::Colon && self.at(TokenKind::Word) {
            self.field();
            return self.unwanted_comma();
        }
        match word {
            "key" => self.field(),
            "index" => {
                let member = self.start(NodeKind::Index);
                self.bump();
                if self.expect(TokenKind::LeftParen) || self.at(TokenKind::Word) {
                    self.bracketed(
                        TokenKind::RightParen,
                        |parser| {
                            matches!(parser.kind(), TokenKind::Word | TokenKind::Minus)
                                && !parser.at_boundary()
                        },
                        |parser| {
                            let key = parser.start(NodeKind::IndexKey);
                            parser.eat(TokenKind::Minus);
                            parser.reference("a field");
                            parser.finish(key);
                        },
                    );
                }
                self.finish(member);
            }
            "unique" => {
                let member = self.start(NodeKind::Unique);
                self.bump();
                if self.expect(TokenKind::LeftParen) || self.at(TokenKind::Word) {
                    self.bracketed(
                        TokenKind::RightParen,
                        |parser| parser.at(TokenKind::Word) && !parser.at_boundary(),
                        |parser| {
                            parser.reference("a field");
                        },
                    );
                }
                self.finish(member);
            }
            "check" => {
                let member = self.start(NodeKind::Check);
                self.bump();
                self.expression();
                if self.at(TokenKind::String) {
                    self.single(NodeKind::Literal);
                }
                self.finish(member);
            }
            "flow" => self.flow(),
            "allow" => self.allow(),
            "cache" => {
                let member = self.start(NodeKind::Cache);
                self.bump();
                self.literal(TokenKind::Duration, "a duration");
                self.finish(member);
            }
            "audit" => self.single(NodeKind::Audit),
            "privacy" => self.privacy(),
            "deprecated" => self.deprecated(),
            _ if self.is_field_without_colon() => self.field(),
            // `name was title: Type`, as an entity is renamed.
            _ if self.word_at(1) == "was" && self.nth(3).kind == TokenKind::Colon => {
                let (place, former) = (self.span_at(self.position), self.word_at(2));
                let help = format!("write it there: `{word}: Type was {former}`");
                self.report(
                    Diagnostic::error(
                        "E0111",
                        place,
                        "the former name of a field stands behind its type",
                    )
                    .text("a field begins with `name: Type`")
                    .help(help),
                );
                self.anything();
            }
            _ => {
                let words = MEMBERS;
                if let Some(meant) = self.unknown_member("an entity", &words) {
                    self.entity_member_forced(meant);
                }
            }
        }
    }

    /// As `entity_member`, for a misspelt word.
    fn entity_member_forced(&mut self, meant: &'static str) {
        if meant == "key" && self.nth(1).kind != TokenKind::Word {
            return self.anything();
        }
        self.entity_member(meant);
    }

    /// `name Type`: a word that is no keyword with something behind it that can only be a type.
    pub(super) fn is_field_without_colon(&self) -> bool {
        let next = self.nth(1);
        if !self.at(TokenKind::Word) || next.starts_line {
            return false;
        }
        let is_upper = |text: &str| text.starts_with(|first: char| first.is_ascii_uppercase());
        match next.kind {
            TokenKind::Word => is_upper(self.word_at(1)) && !is_upper(self.word()),
            TokenKind::LeftBracket => true,
            _ => false,
        }
    }

    /// The fields of a record, an error, an event, a body.
    pub(super) fn fields(&mut self, owner: &str) {
        self.braces(owner, |parser| parser.field_or_report(owner));
    }

    pub(super) fn field_or_report(&mut self, owner: &str) {
        if self.nth(1).kind == TokenKind::Colon && self.at(TokenKind::Word)
            || self.is_field_without_colon()
        {
            self.field();
            self.unwanted_comma();
            return;
        }
        let (here, found) = (self.here(), self.found());
        self.report(
            Diagnostic::error("E0111", here, format!("{found} does not belong in {owner}"))
                .text("expected a field")
                .help("a field is `name: Type`"),
        );
        self.anything();
    }

    /// `name: Type modifiers`, or with `key` before.
    pub(super) fn field(&mut self) {
        let is_key = self.at_word("key") && self.nth(1).kind != TokenKind::Colon;
        let field = self.start(if is_key { NodeKind::Key } else { NodeKind::Field });
        if is_key {
            self.bump();
        } else if self.nth(1).kind == TokenKind::Word
            && self.nth(2).kind == TokenKind::Colon
            && !self.starts_line()
        {
            // A misspelt `key`.
            self.bump();
        }
        if self.at(TokenKind::Word) && self.nth(1).kind == TokenKind::Colon {
            // A colon makes any word a name, also a keyword at the start of a line.
            self.single(NodeKind::Name);
        } else {
            self.name("the name of a field");
        }
        self.expect(TokenKind::Colon);
        self.type_expr();
        self.modifiers();
        self.finish(field);
    }

    fn modifiers(&mut self) {
        loop {
            match self.kind() {
                TokenKind::Equal => self.value_modifier(NodeKind::Default),
                TokenKind::ColonEqual => self.value_modifier(NodeKind::Computed),
                TokenKind::Word if self.nth(1).kind != TokenKind::Colon => {
                    if !self.modifier(self.word()) {
                        return;
                    }
                }
                _ => return,
            }
        }
    }

    fn value_modifier(&mut self, kind: NodeKind) {
        let modifier = self.start(kind);
        self.bump();
        self.expression();
        self.finish(modifier);
    }

    /// Takes one modifier; `false` if none stands here.
    fn modifier(&mut self, word: &str) -> bool {
        let next = self.nth(1);
        match word {
            "unique" if next.kind == TokenKind::LeftParen => return false,
            "unique" => self.single(NodeKind::UniqueModifier),
            "immutable" => self.single(NodeKind::Immutable),
            "search" => self.single(NodeKind::Search),
            "encrypted" => self.single(NodeKind::Encrypted),
            "secret" => self.single(NodeKind::Secret),
            "pii" => {
                let modifier = self.start(NodeKind::Pii);
                self.bump();
                if self.at_word("sensitive") && self.nth(1).kind != TokenKind::Colon {
                    self.bump();
                }
                self.finish(modifier);
            }
            "pattern" => {
                let modifier = self.start(NodeKind::Pattern);
                self.bump();
                self.literal(TokenKind::String, "a regular expression, as a string");
                self.finish(modifier);
            }
            "was" => self.field_was(),
            "stored" => self.stored_as(),
            "on" if self.word_at(1) == "delete" || !self.starts_line() => {
                let modifier = self.start(NodeKind::OnDelete);
                self.bump();
                self.expect_word("delete");
                self.reference("`cascade`, `restrict` or `clear`");
                self.finish(modifier);
            }
            "deprecated" if !self.starts_line() => self.deprecated(),
            _ if self.starts_line() || MEMBERS.contains(&word) => return false,
            _ => return self.unknown_modifier(word),
        }
        true
    }

    fn unknown_modifier(&mut self, word: &str) -> bool {
        let here = self.here();
        let meant = nearest(word, MODIFIERS);
        let list = MODIFIERS.map(|word| format!("`{word}`")).join(", ");
        let mut diagnostic =
            Diagnostic::error("E0111", here, format!("`{word}` says nothing about a field"))
                .text("not known here")
                .help(format!("behind a type may stand `= default`, `:= computed`, {list}"));
        if let Some(meant) = meant {
            diagnostic = diagnostic.suggest(format!("write `{meant}`"), here, meant);
        }
        self.report(diagnostic);
        match meant {
            Some(meant) => self.modifier(meant),
            None => {
                self.single(NodeKind::Error);
                true
            }
        }
    }

    pub(super) fn deprecated(&mut self) {
        let member = self.start(NodeKind::Deprecated);
        self.bump();
        self.literal(TokenKind::String, "since when, as a date in a string");
        if self.at_word("sunset") {
            self.bump();
            self.literal(TokenKind::String, "when it goes away, as a date in a string");
        }
        if self.at(TokenKind::String) {
            self.single(NodeKind::Literal);
        }
        self.finish(member);
    }

    fn flow(&mut self) {
        let member = self.start(NodeKind::Flow);
        self.bump();
        self.reference("the field whose values flow");
        self.braces("a flow", |parser| {
            if !parser.at(TokenKind::Word) {
                let (here, found) = (parser.here(), parser.found());
                parser.report(
                    Diagnostic::error("E0111", here, format!("{found} does not belong in a flow"))
                        .text("expected a state")
                        .help("a flow holds lines such as `pending -> paid, cancelled`"),
                );
                return parser.anything();
            }
            let rule = parser.start(NodeKind::FlowRule);
            parser.reference("a state");
            parser.expect(TokenKind::Arrow);
            loop {
                // `a -> b, c -> d`: the comma separates rules.
                parser.reference("a state");
                if !parser.at(TokenKind::Comma) || parser.nth(2).kind == TokenKind::Arrow {
                    break;
                }
                parser.bump();
            }
            parser.finish(rule);
            parser.unwanted_comma();
        });
        self.finish(member);
    }

    /// `allow read, update name, stock to clerk when EXPR`
    pub(super) fn allow(&mut self) {
        self.allow_of(ACTIONS);
    }

    /// The same of an event.
    pub(super) fn allow_event(&mut self) {
        self.allow_of(EVENT_ACTIONS);
    }

    fn allow_of(&mut self, actions: &[&str]) {
        let member = self.start(NodeKind::Allow);
        self.bump();
        loop {
            self.allow_action(actions);
            if !self.eat(TokenKind::Comma) {
                break;
            }
        }
        if self.eat_word("to") {
            self.roles();
        } else {
            self.missing("E0105", "`to` and the roles");
        }
        self.when();
        self.finish(member);
    }

    fn allow_action(&mut self, actions: &[&str]) {
        let word = self.word();
        let is_row = actions == ACTIONS;
        if word.is_empty() || self.at_boundary_of_list() {
            let wanted = if is_row {
                "`read`, `create`, `update` or `delete`"
            } else {
                "`read` or `replay`"
            };
            return self.missing("E0106", wanted);
        }
        let action = self.start(NodeKind::AllowAction);
        if !actions.contains(&word) {
            let here = self.here();
            let known = if is_row && word == "replay" {
                "rows are not replayed, events are: write it into the event"
            } else if is_row {
                "the actions are `read`, `create`, `update` and `delete`; fields stand behind `read` or `update`"
            } else {
                "of an event the actions are `read` and `replay`"
            };
            let mut diagnostic =
                Diagnostic::error("E0111", here, format!("`{word}` is no action")).help(known);
            if let Some(meant) = nearest(word, actions.iter().copied()) {
                diagnostic = diagnostic.suggest(format!("write `{meant}`"), here, meant);
            }
            self.report(diagnostic);
        }
        self.bump();
        // Even `to` may be a field: then another `to`, or a comma, follows.
        let next = self.nth(1).kind;
        let is_to = self.at_word("to") && self.word_at(1) != "to" && next != TokenKind::Comma;
        if self.at(TokenKind::Word) && !is_to && !self.at_boundary_of_list() {
            loop {
                self.reference("a field");
                let after_comma = self.word_at(1);
                if !self.at(TokenKind::Comma) || actions.contains(&after_comma) {
                    break;
                }
                self.bump();
            }
        }
        self.finish(action);
    }

    /// Whether the list of actions ends here: something new starts, and it is no action broken over lines.
    fn at_boundary_of_list(&self) -> bool {
        self.starts_line() && (self.nth(1).kind == TokenKind::Colon || self.at_boundary())
    }

    /// `when EXPR`, if it is there.
    pub(super) fn when(&mut self) {
        if self.at_word("when") {
            self.bump();
            self.expression();
        }
    }

    fn privacy(&mut self) {
        let member = self.start(NodeKind::Privacy);
        self.bump();
        self.comma_list(|parser| match parser.word() {
            "subject" => {
                parser.single(NodeKind::PrivacySubject);
                true
            }
            "retain" => {
                let rule = parser.start(NodeKind::Retain);
                parser.bump();
                parser.literal(TokenKind::Duration, "a duration");
                if parser.eat_word("after") {
                    if parser.at_word("last") && parser.nth(1).kind == TokenKind::Word {
                        parser.bump();
                    }
                    if parser.at(TokenKind::Dot) {
                        let path = parser.start(NodeKind::Path);
                        parser.path_rest();
                        parser.finish(path);
                    } else {
                        parser.path("a field");
                    }
                }
                parser.finish(rule);
                true
            }
            _ => {
                if parser.at(TokenKind::Word) && !parser.at_boundary() {
                    let (here, found) = (parser.here(), parser.found());
                    let mut diagnostic =
                        Diagnostic::error("E0111", here, format!("{found} is no rule of privacy"))
                            .help("the rules are `subject` and `retain DURATION after FIELD`");
                    if let Some(meant) = nearest(parser.word(), ["subject", "retain"]) {
                        diagnostic = diagnostic.suggest(format!("write `{meant}`"), here, meant);
                    }
                    parser.report(diagnostic);
                    parser.single(NodeKind::Error);
                } else {
                    parser.missing("E0105", "`subject` or `retain`");
                }
                false
            }
        });
        self.finish(member);
    }

    pub(super) fn record(&mut self) {
        let item = self.start(NodeKind::Record);
        self.bump();
        self.name("the name of the record");
        self.fields("a record");
        self.finish(item);
    }

    pub(super) fn enumeration(&mut self) {
        let item = self.start(NodeKind::Enum);
        self.bump();
        self.name("the name of the enum");
        if self.at_word("was") {
            self.was();
        }
        if self.open_brace("an enum").is_some() {
            self.enum_values();
        }
        self.finish(item);
    }

    /// `a, b was c }`: the opening brace is taken.
    pub(super) fn enum_values(&mut self) {
        self.bracketed(
            TokenKind::RightBrace,
            // A word alone on its line is a value, whatever it opens elsewhere.
            |parser| {
                parser.at(TokenKind::Word) && (parser.nth(1).starts_line || !parser.at_boundary())
            },
            |parser| {
                let value = parser.start(NodeKind::EnumValue);
                parser.single(NodeKind::Name);
                if parser.at_word("was") && parser.nth(1).kind == TokenKind::Word {
                    parser.was();
                }
                parser.finish(value);
            },
        );
    }

    pub(super) fn fault(&mut self) {
        let item = self.start(NodeKind::Fault);
        self.bump();
        self.name("the name of the error");
        self.literal(TokenKind::Integer, "an HTTP status such as 409");
        self.literal(TokenKind::String, "a message, as a string");
        // An error that carries nothing needs no braces.
        if self.at(TokenKind::LeftBrace) {
            self.fields("an error");
        }
        self.finish(item);
    }
}
