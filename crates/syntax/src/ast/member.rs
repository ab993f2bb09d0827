//! What stands in an entity: fields and their modifiers, indexes, flows, policies.

use super::{Expr, Literal, Modifier, Name, Path, Roles, StoredAs, TypeExpr, Was, choice, views};
use crate::kind::{NodeKind, TokenKind};

choice! {
    /// What may stand in an entity.
    Member {
        /// `key name: Type`, or a plain field; [`Field::is_key`] tells.
        Field(Field),
        /// `index (a, -b)`
        Index(Index),
        /// `unique (a, b)`
        Unique(Unique),
        /// `check EXPR "message"`
        Check(Check),
        /// `flow field { a -> b }`
        Flow(Flow),
        /// `allow ACTIONS to ROLES when EXPR`
        Allow(Allow),
        /// `cache 60s`
        Cache(Cache),
        /// `audit`
        Audit(Audit),
        /// `privacy …`
        Privacy(Privacy),
        /// `deprecated …`
        Deprecated(Deprecated),
    }
}

views! {
    /// `name: Type modifiers`, or `key name: Type modifiers`.
    Field = Field | Key {
        /// Its name.
        name: the declared;
        /// Its type.
        type_expr: child TypeExpr;
        /// Everything behind the type.
        modifiers: children Modifier;
        /// `= EXPR`
        default: child Default;
        /// `:= EXPR`
        computed: child Computed;
        /// `was old_name`
        was: child Was;
        /// `stored as "column"`
        stored_as: child StoredAs;
    }

    /// `= EXPR`
    Default = Default {
        /// The value; the name `auto` for a counted key.
        value: child Expr;
    }

    /// `:= EXPR`
    Computed = Computed {
        /// The expression over the row and its parts.
        value: child Expr;
    }

    /// `unique` behind a type.
    UniqueModifier = UniqueModifier {}

    /// `immutable`
    Immutable = Immutable {}

    /// `search`
    Search = Search {}

    /// `pii` or `pii sensitive`
    Pii = Pii {
        /// Whether it is of a special category.
        is_sensitive: word "sensitive";
    }

    /// `encrypted`
    Encrypted = Encrypted {}

    /// `secret`
    Secret = Secret {}

    /// `pattern "regex"`
    Pattern = Pattern {
        /// The regular expression, a string.
        regex: child Literal;
    }

    /// `on delete cascade`, `restrict` or `clear`
    OnDelete = OnDelete {
        /// Which.
        action: the used;
    }

    /// `index (a, -b)`
    Index = Index {
        /// Its columns in order.
        keys: children IndexKey;
    }

    /// One column of an index: `a`, or `-a` for descending.
    IndexKey = IndexKey {
        /// The field.
        field: the used;
    }

    /// `unique (a, b)`
    Unique = Unique {
        /// The fields that are unique together.
        fields: each name;
    }

    /// `check EXPR "message"`
    Check = Check {
        /// What must not be false.
        condition: child Expr;
    }

    /// `flow field { a -> b, c }`
    Flow = Flow {
        /// The field whose values flow.
        field: the used;
        /// The legal transitions.
        rules: children FlowRule;
    }

    /// `a -> b, c`
    FlowRule = FlowRule {}

    /// `allow read, update name, stock to clerk when EXPR`
    Allow = Allow {
        /// What is allowed.
        actions: children AllowAction;
        /// To whom.
        roles: child Roles;
        /// Under what condition.
        condition: child Expr;
    }

    /// `read`, or `update name, stock`.
    AllowAction = AllowAction {
        /// The fields it is restricted to; none for the whole row.
        fields: each name;
    }

    /// `cache 60s`
    Cache = Cache {
        /// How long, a duration.
        period: child Literal;
    }

    /// `audit`
    Audit = Audit {}

    /// `privacy subject, retain 10y after last Order.placed`
    Privacy = Privacy {
        /// What it says.
        rules: children PrivacyRule;
    }

    /// `subject`: the row is a person.
    PrivacySubject = PrivacySubject {}

    /// `retain 10y after last Order.placed`
    Retain = Retain {
        /// How long, a duration.
        period: child Literal;
        /// From when; none means from the row's creation.
        after: child Path;
        /// Whether the latest of the rows that `after` names counts.
        is_last: word "last";
    }

    /// `deprecated "2026-01-01" sunset "2027-01-01" "use …"`
    Deprecated = Deprecated {}
}

choice! {
    /// What `privacy` may say.
    PrivacyRule {
        /// `subject`
        Subject(PrivacySubject),
        /// `retain …`
        Retain(Retain),
    }
}

impl Field<'_> {
    /// Whether `key` stands before it.
    #[must_use]
    pub fn is_key(self) -> bool {
        self.node().kind() == NodeKind::Key
    }
}

impl IndexKey<'_> {
    /// Whether it is sorted downwards.
    #[must_use]
    pub fn is_descending(self) -> bool {
        self.node().token(TokenKind::Minus).is_some()
    }
}

impl<'a> Check<'a> {
    /// What is said when it fails, a string.
    #[must_use]
    pub fn message(self) -> Option<Literal<'a>> {
        let parse = self.node().parse();
        // A check of a bare string would be a fault anyway: the message is the string behind the condition.
        super::children::<Literal<'a>>(self.node())
            .skip(usize::from(matches!(self.condition(), Some(Expr::Literal(_)))))
            .find(|literal| parse.token_kind(literal.node().tokens().start) == TokenKind::String)
    }
}

impl<'a> FlowRule<'a> {
    /// The state it leaves.
    #[must_use]
    pub fn from(self) -> Option<Name<'a>> {
        super::children(self.node()).next()
    }

    /// The states it may enter.
    #[must_use]
    pub fn to(self) -> super::Views<'a, Name<'a>> {
        let mut names = super::children(self.node());
        names.next();
        names
    }
}

/// What a policy allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// See a row.
    Read,
    /// Add a row.
    Create,
    /// Change a row.
    Update,
    /// Remove a row.
    Delete,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Read, Self::Create, Self::Update, Self::Delete];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

impl<'a> AllowAction<'a> {
    /// Which action; none where it is another word, of which the parser accepts `replay` alone.
    #[must_use]
    pub fn action(self) -> Option<Action> {
        Action::ALL.into_iter().find(|action| action.word() == self.word())
    }

    /// Whether it lets events be heard once more.
    #[must_use]
    pub fn is_replay(self) -> bool {
        self.word() == "replay"
    }

    fn word(self) -> &'a str {
        self.node().parse().token_text(self.node().tokens().start)
    }
}

impl<'a> Deprecated<'a> {
    fn string_after(self, word: Option<&str>) -> Option<Literal<'a>> {
        let parse = self.node().parse();
        super::children::<Literal<'a>>(self.node()).find(|literal| {
            let mut before = literal.node().tokens().start;
            while before > 0 && parse.token_kind(before - 1).is_trivia() {
                before -= 1;
            }
            let previous = parse.token_text(before.saturating_sub(1));
            match word {
                Some(word) => previous == word,
                None => !matches!(previous, "deprecated" | "sunset"),
            }
        })
    }

    /// Since when, a string that holds a date.
    #[must_use]
    pub fn since(self) -> Option<Literal<'a>> {
        self.string_after(Some("deprecated"))
    }

    /// When it goes away, a string that holds a date.
    #[must_use]
    pub fn sunset(self) -> Option<Literal<'a>> {
        self.string_after(Some("sunset"))
    }

    /// What to use instead, a string.
    #[must_use]
    pub fn advice(self) -> Option<Literal<'a>> {
        self.string_after(None)
    }
}
