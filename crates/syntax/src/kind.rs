//! The closed sets of what a text is made of: token kinds and node kinds.

/// What a token is.
///
/// Every keyword of the language is contextual, so words are all [`TokenKind::Word`]; the parser decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TokenKind {
    /// Spaces, tabs and line breaks in a row.
    Whitespace,
    /// `// …` up to the line break, which is not part of it.
    Comment,
    /// `/// …` up to the line break; belongs to what follows.
    DocComment,
    /// A name or a keyword.
    Word,
    /// `42`, `1_000`.
    Integer,
    /// `1.5`.
    Decimal,
    /// `"…"`, on one line.
    String,
    /// `200ms`, `10y`.
    Duration,
    /// `10MB`.
    Size,
    /// `40/s`.
    Rate,
    /// `99.9%`.
    Percent,
    /// `{`
    LeftBrace,
    /// `}`
    RightBrace,
    /// `(`
    LeftParen,
    /// `)`
    RightParen,
    /// `[`
    LeftBracket,
    /// `]`
    RightBracket,
    /// `,`
    Comma,
    /// `:`
    Colon,
    /// `:=`
    ColonEqual,
    /// `=`
    Equal,
    /// `==`
    EqualEqual,
    /// `!=`
    BangEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `->`
    Arrow,
    /// `*`
    Star,
    /// `/`
    Slash,
    /// `.`
    Dot,
    /// `..`
    DotDot,
    /// `?`
    Question,
    /// Bytes that begin no token; already reported by the lexer.
    Unknown,
    /// The end, empty: always the last token and nowhere else.
    End,
}

impl TokenKind {
    /// Whether the parser passes over it: white space and comments, documentation included.
    #[must_use]
    pub const fn is_trivia(self) -> bool {
        matches!(self, Self::Whitespace | Self::Comment | Self::DocComment)
    }

    /// Whether it is a literal that carries a number.
    #[must_use]
    pub const fn is_number(self) -> bool {
        matches!(
            self,
            Self::Integer
                | Self::Decimal
                | Self::Duration
                | Self::Size
                | Self::Rate
                | Self::Percent
        )
    }

    /// How a message names it.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Whitespace => "white space",
            Self::Comment => "a comment",
            Self::DocComment => "a doc comment",
            Self::Word => "a name",
            Self::Integer => "an integer",
            Self::Decimal => "a decimal number",
            Self::String => "a string",
            Self::Duration => "a duration",
            Self::Size => "a size",
            Self::Rate => "a rate",
            Self::Percent => "a percentage",
            Self::LeftBrace => "`{`",
            Self::RightBrace => "`}`",
            Self::LeftParen => "`(`",
            Self::RightParen => "`)`",
            Self::LeftBracket => "`[`",
            Self::RightBracket => "`]`",
            Self::Comma => "`,`",
            Self::Colon => "`:`",
            Self::ColonEqual => "`:=`",
            Self::Equal => "`=`",
            Self::EqualEqual => "`==`",
            Self::BangEqual => "`!=`",
            Self::Less => "`<`",
            Self::LessEqual => "`<=`",
            Self::Greater => "`>`",
            Self::GreaterEqual => "`>=`",
            Self::Plus => "`+`",
            Self::Minus => "`-`",
            Self::Arrow => "`->`",
            Self::Star => "`*`",
            Self::Slash => "`/`",
            Self::Dot => "`.`",
            Self::DotDot => "`..`",
            Self::Question => "`?`",
            Self::Unknown => "an unknown character",
            Self::End => "the end of the file",
        }
    }

    /// The text of a token that has only one spelling.
    #[must_use]
    pub const fn spelling(self) -> Option<&'static str> {
        Some(match self {
            Self::LeftBrace => "{",
            Self::RightBrace => "}",
            Self::LeftParen => "(",
            Self::RightParen => ")",
            Self::LeftBracket => "[",
            Self::RightBracket => "]",
            Self::Comma => ",",
            Self::Colon => ":",
            Self::ColonEqual => ":=",
            Self::Equal => "=",
            Self::EqualEqual => "==",
            Self::BangEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Arrow => "->",
            Self::Star => "*",
            Self::Slash => "/",
            Self::Dot => ".",
            Self::DotDot => "..",
            Self::Question => "?",
            _ => return None,
        })
    }
}

/// What a node is. The typed views of [`crate::ast`] say what each holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum NodeKind {
    /// The whole file.
    Root,
    /// Tokens that fit nowhere; already reported.
    Error,

    /// A name that is declared here.
    Name,
    /// A name that is declared elsewhere.
    NameRef,
    /// `.a.b` or `a.b`.
    Path,
    /// Role names after `allow`, `to` or `as`.
    Roles,
    /// `"text"`, `env NAME` or `secret NAME`.
    Setting,

    /// `app Name { … }`
    App,
    /// `version 1`
    AppVersion,
    /// `roles a, b`
    AppRoles,
    /// One role of `roles`.
    Role,
    /// `surface rest, graphql`
    AppSurface,

    /// `auth { … }`
    Auth,
    /// `users Entity by field as role`
    AuthUsers,
    /// `password`
    AuthPassword,
    /// `oidc name { … }`
    AuthOidc,
    /// `limit 10 per 1m by ip` in `auth`.
    AuthLimit,
    /// `token { … }`
    AuthToken,
    /// `issuer SETTING`
    ClaimIssuer,
    /// `client SETTING`
    ClaimClient,
    /// `audience SETTING`
    ClaimAudience,
    /// `roles claim "groups"`
    ClaimRoles,

    /// `service name { … }`
    Service,

    /// `entity Name { … }`
    Entity,
    /// `was old_name`
    Was,
    /// `before " "` or `after " "`, behind a former name
    Half,
    /// `stored as "name"`
    StoredAs,
    /// `part of Root as name (1..50)`
    PartOf,
    /// `key name: Type`
    Key,
    /// `name: Type modifiers`
    Field,
    /// `index (a, -b)`
    Index,
    /// One column of an index.
    IndexKey,
    /// `unique (a, b)`
    Unique,
    /// `check EXPR "message"`
    Check,
    /// `flow field { … }`
    Flow,
    /// `a -> b, c`
    FlowRule,
    /// `allow ACTIONS to ROLES when EXPR`
    Allow,
    /// One action of an `allow`, with its fields.
    AllowAction,
    /// `cache 60s`
    Cache,
    /// `audit`
    Audit,
    /// `privacy subject, retain 10y after PATH`
    Privacy,
    /// `subject`
    PrivacySubject,
    /// `retain 10y after last Order.placed`
    Retain,
    /// `deprecated "2026-01-01" sunset "2027-01-01" "use …"`
    Deprecated,

    /// `= EXPR`
    Default,
    /// `:= EXPR`
    Computed,
    /// `unique` after a type.
    UniqueModifier,
    /// `immutable`
    Immutable,
    /// `search`
    Search,
    /// `pii` or `pii sensitive`
    Pii,
    /// `encrypted`
    Encrypted,
    /// `secret`
    Secret,
    /// `pattern "…"`
    Pattern,
    /// `on delete cascade`
    OnDelete,

    /// `Name`, `service.Entity`, `Entity.field`, with arguments and `?`.
    NamedType,
    /// `[T](a..b)`
    ListType,
    /// `enum { a, b }` in place of a type.
    EnumType,
    /// `{ a: T }` in place of a type.
    RecordType,
    /// One value of an enumeration.
    EnumValue,
    /// `1..50`, `0..`, `..5`
    Range,

    /// `record Name { … }`
    Record,
    /// `enum Name { … }`
    Enum,
    /// `error Name 409 "message" { … }`
    Fault,

    /// `query name(…) -> Entity { … }`
    Query,
    /// `(a: T, b: T)`
    Parameters,
    /// `a: T`
    Parameter,
    /// `where EXPR`
    Where,
    /// `sort -.a, .b`
    Sort,
    /// One key of a `sort`.
    SortKey,
    /// `page 20` or `page 20..200`
    Page,
    /// `allow ROLES when EXPR` of a query or command.
    Admit,

    /// `command name(…) -> T { … }`
    Command,
    /// `{ statements }`
    Block,
    /// `let name = VALUE`
    Let,
    /// `require EXPR else Error { … }`
    Require,
    /// `Error { … }` after `else`.
    Raise,
    /// `for name in EXPR where EXPR { … }`
    For,
    /// `if EXPR { … } else { … }`
    If,
    /// `create Entity { … }`
    Create,
    /// `update PATH { … }`
    Update,
    /// `delete PATH`
    Delete,
    /// `emit Event { … }`
    Emit,
    /// `run command(…) later`
    Run,
    /// `in 2h` behind `later`
    LaterIn,
    /// `priority 5` behind `later`
    LaterPriority,
    /// `unique EXPR` behind `later`
    LaterUnique,
    /// `call external.operation(…)`
    Call,
    /// `return VALUE`
    Return,
    /// `name: EXPR` or `name`
    Initializer,
    /// `(a, b)` of a call.
    Arguments,

    /// `event Name by key { … }`
    Event,
    /// `on Event run command(…)`
    On,
    /// `webhook name { … }`
    Webhook,
    /// `sends A, B`
    WebhookSends,
    /// `receives A as "a.b", B`
    WebhookReceives,
    /// `A as "a.b"`
    WebhookReceived,
    /// `sign standard`
    WebhookSign,
    /// `retry for 3d`
    WebhookRetry,

    /// `workflow name(…) on Event { … }`
    Workflow,
    /// `step name { … }`
    Step,
    /// `undo STATEMENT`
    Undo,
    /// `retry 8 times from 200ms to 1m`
    Retry,
    /// `give up after 30m, then run …`
    GiveUp,
    /// `job name every 10m { … }`
    Job,
    /// `at "0 3 * * *" in "Europe/Berlin"`
    JobAt,
    /// `jitter 30s`
    JobJitter,
    /// `catch up all`
    JobCatchUp,

    /// `limit NAME 10 per 1m by caller`
    Limit,
    /// `slo NAME 99.9% under 200ms`
    Slo,

    /// `external name { … }`
    External,
    /// `url SETTING`
    ExternalUrl,
    /// `bearer SETTING`
    ExternalBearer,
    /// `timeout 2s`
    ExternalTimeout,
    /// `breaker opens at 50% of 20 calls for 30s`
    ExternalBreaker,
    /// `bulkhead 32`
    ExternalBulkhead,
    /// `post name "/path" { … } -> T`
    ExternalOperation,

    /// `load name { … }`
    Load,
    /// `grows 10% per month for 24 months`
    LoadGrows,
    /// `Entity 1_000 rows`
    LoadRows,
    /// `command 40/s peak 400/s`
    LoadRate,

    /// `environment name { … }`
    Environment,
    /// `store postgres env URL { … }`
    EnvironmentStore,
    /// `replicas 2`
    StoreReplicas,
    /// `backup every 1d keep 30d`
    StoreBackup,
    /// `recover to any point in 7d`
    StoreRecover,
    /// `cache redis env URL`
    EnvironmentCache,
    /// `broker nats env URL`
    EnvironmentBroker,
    /// `cloud aws eu-central-1`
    EnvironmentCloud,
    /// `eu-central-1`
    Region,
    /// `budget 900 USD per month`
    EnvironmentBudget,
    /// `deploy sales x 2..20, shipping x 1..5`
    EnvironmentDeploy,
    /// `sales x 2..20`
    DeployTarget,

    /// `decision "title" { … }`
    Decision,
    /// `criteria integrity 5, operations 4`
    Criteria,
    /// `integrity 5`, a criterion or a score.
    Weight,
    /// `option name { … }`
    Alternative,
    /// `chosen name because "…"`
    Chosen,

    /// A literal in an expression.
    Literal,
    /// `a + b`
    Binary,
    /// `not a`, `-a`
    Unary,
    /// `sum(lines, .price)`
    FunctionCall,
    /// `(a)`
    Paren,
    /// `[a, b]`, or `(a, b)` after `in`.
    List,
    /// `if a then b else c`
    Conditional,
}
