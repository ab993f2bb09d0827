//! The kinds of changes: whom each concerns, how it is classified, why, and what to do instead. `docs/diff.md` is this table.

use std::fmt::Write as _;

/// How bad a change is, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Somebody who did everything right fails.
    Breaking,
    /// It depends on what others do whether somebody fails.
    Risky,
    /// Nobody notices who does not look for it.
    Safe,
}

impl Class {
    /// All of them, the worst first.
    pub const ALL: [Self; 3] = [Self::Breaking, Self::Risky, Self::Safe];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Breaking => "breaking",
            Self::Risky => "risky",
            Self::Safe => "safe",
        }
    }
}

/// Whom a change concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// Clients of the REST API.
    Caller,
    /// Readers of events, and partners behind webhooks.
    Consumer,
    /// The rows that are stored.
    Database,
}

impl Audience {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Caller, Self::Consumer, Self::Database];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Consumer => "consumer",
            Self::Database => "database",
        }
    }
}

/// What the table says of a kind.
struct Row {
    name: &'static str,
    audience: Audience,
    class: Class,
    reason: &'static str,
    way: &'static str,
}

macro_rules! kinds {
    ($($kind:ident $name:literal $audience:ident $class:ident $reason:literal $way:literal;)*) => {
        /// What has changed. Its name is stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $(#[doc = $reason] $kind,)*
        }

        impl Kind {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            fn row(self) -> Row {
                match self {
                    $(Self::$kind => Row {
                        name: $name,
                        audience: Audience::$audience,
                        class: Class::$class,
                        reason: $reason,
                        way: $way,
                    },)*
                }
            }
        }
    };
}

kinds! {
    VersionRaised "version-raised" Caller Breaking
        "every path begins with the new version, and the old one is not served beside it" "serve the old model too until its callers have moved";
    VersionLowered "version-lowered" Caller Breaking
        "every path begins with a version that callers have left" "raise the version instead";
    SurfaceRemoved "surface-removed" Caller Breaking
        "what is reached through that surface is out of reach" "keep the surface until nobody uses it";
    SurfaceAdded "surface-added" Caller Safe "a new way in takes nothing away" "";
    PathChanged "path-changed" Caller Breaking
        "who asks at the old path is answered 404" "keep the name, or add the new one beside the old and deprecate the old one";
    OperationRemoved "operation-removed" Caller Breaking
        "who asks for it is answered 404 or 405, and was never told" "mark it `deprecated` with a sunset date, and remove it after that date";
    OperationRemovedEarly "operation-removed-early" Caller Breaking
        "callers were promised that it stays until its sunset date" "keep it until that date; a deprecation without a sunset date needs one first";
    OperationRetired "operation-retired" Caller Safe "its sunset date has passed" "";
    OperationAdded "operation-added" Caller Safe "nobody asks for it yet" "";
    FieldRemoved "field-removed" Caller Breaking
        "readers miss it and writers are refused, and nobody was told" "mark it `deprecated` with a sunset date, and remove it after that date";
    FieldRemovedEarly "field-removed-early" Caller Breaking
        "callers were promised that it stays until its sunset date" "keep it until that date; a deprecation without a sunset date needs one first";
    FieldRetired "field-retired" Caller Safe "its sunset date has passed" "";
    FieldRenamed "field-renamed" Caller Breaking
        "for callers the old field is gone and a new one is there; only the database knows that they are one" "add the new field beside the old one, and deprecate the old one";
    FieldAdded "field-added" Caller Safe "readers pass over what they do not know, and writers may leave it out" "";
    RequiredFieldAdded "required-field-added" Caller Breaking
        "a body without it, which was whole, is refused" "make it optional, or give it a default";
    FieldRequired "field-required" Caller Breaking
        "a body without it, which was whole, is refused" "keep it optional, or give it a default";
    FieldNotRequired "field-not-required" Caller Safe "a body with it is whole as before" "";
    FieldOmitted "field-omitted" Caller Breaking
        "readers miss it where it always was" "keep it in every answer";
    FieldAlwaysAnswered "field-always-answered" Caller Safe "readers that do without it do so" "";
    NullRefused "null-refused" Caller Breaking "a body with null in it was taken and is refused" "keep it optional";
    NullAccepted "null-accepted" Caller Safe "a body without null is taken as before" "";
    NullAnswered "null-answered" Caller Breaking
        "readers meet null where there was always a value" "keep it required, or add an optional field beside it";
    NullNotAnswered "null-not-answered" Caller Safe "readers that expect null never meet it" "";
    TypeChanged "type-changed" Caller Breaking
        "the old form is neither taken nor answered" "add a field of the new type beside it, and deprecate this one";
    RequestNarrowed "request-narrowed" Caller Breaking "values that were taken are refused" "keep the wider bounds for callers that are there";
    RequestWidened "request-widened" Caller Safe "what was taken is taken" "";
    AnswerNarrowed "answer-narrowed" Caller Safe "what is answered was possible before" "";
    AnswerWidened "answer-widened" Caller Risky
        "readers that rely on the old bounds meet values beyond them" "tell readers before such values are stored";
    DefaultChanged "default-changed" Caller Risky "who leaves the field out gets another value than before" "tell callers that leave it out";
    FieldReadOnly "field-read-only" Caller Breaking
        "a body that sets it is refused" "keep it settable, or offer a command that sets it";
    FieldSettable "field-settable" Caller Safe "nobody is forced to set it" "";
    FieldImmutable "field-immutable" Caller Breaking "a change of it is refused" "offer a command for the changes that are still right";
    FieldChangeable "field-changeable" Caller Safe "nobody is forced to change it" "";
    FieldHidden "field-hidden" Caller Breaking "readers miss it" "deprecate it with a sunset date before it is hidden";
    FieldShown "field-shown" Caller Risky "readers see what was hidden from them" "make sure that it is meant for all who read the row";
    FilterRemoved "filter-removed" Caller Breaking "a list with this filter is refused" "keep the index that carries it";
    FilterAdded "filter-added" Caller Safe "nobody filters by it yet" "";
    SortRemoved "sort-removed" Caller Breaking "a list in this order is refused" "keep the index that carries it";
    SortAdded "sort-added" Caller Safe "nobody sorts by it yet" "";
    IncludeRemoved "include-removed" Caller Breaking "an include of this path is refused" "keep the reference readable";
    IncludeAdded "include-added" Caller Safe "nobody includes it yet" "";
    PageChanged "page-changed" Caller Risky "who does not say a limit gets another number of rows" "keep it; callers may say a `limit`";
    PageNarrowed "page-narrowed" Caller Breaking "a `limit` that was taken is refused" "keep the greater maximum";
    PageWidened "page-widened" Caller Safe "every `limit` that was taken is taken" "";
    ParameterRemoved "parameter-removed" Caller Breaking "a request with it is refused" "keep it optional until nobody sends it";
    ParameterAdded "parameter-added" Caller Safe "a request without it means what it meant" "";
    RequiredParameterAdded "required-parameter-added" Caller Breaking "a request without it is refused" "make it optional";
    ParameterRequired "parameter-required" Caller Breaking "a request without it is refused" "keep it optional";
    ParameterNotRequired "parameter-not-required" Caller Safe "a request with it means what it meant" "";
    RowsChanged "rows-changed" Caller Risky "the same question has other rows for an answer" "name a new query for the other rows";
    OrderChanged "order-changed" Caller Risky "who takes the first row gets another one" "name a new query for the other order";
    AnswerChanged "answer-changed" Caller Breaking "readers find another form" "name a new operation for the other answer";
    AnswerRemoved "answer-removed" Caller Breaking "readers find nothing" "keep the answer";
    AnswerAdded "answer-added" Caller Safe "readers that expect nothing pass over it" "";
    ErrorAdded "error-added" Caller Risky "callers meet a problem that they do not know" "tell callers, who should treat unknown problems by their status";
    ErrorRemoved "error-removed" Caller Safe "a problem that callers know does not come any more" "";
    ErrorStatusChanged "error-status-changed" Caller Breaking
        "callers that decide by the status do something else" "keep the status, or raise a new error beside it";
    ErrorMessageChanged "error-message-changed" Caller Safe "programs read the code; the message is for people" "";
    ErrorMemberRemoved "error-member-removed" Caller Breaking "callers that read it miss it" "keep the member";
    ErrorMemberAdded "error-member-added" Caller Safe "callers pass over what they do not know" "";
    ErrorMemberChanged "error-member-changed" Caller Breaking "callers read another form" "add a member beside it";
    LabelRemoved "label-removed" Caller Breaking "a body or filter with the label is refused" "keep the label; a check or a flow can keep new rows from it";
    LabelRenamed "label-renamed" Caller Breaking
        "who sends the old label is refused, who reads meets one that it does not know" "add the new label beside the old one";
    LabelNotAnswered "label-not-answered" Caller Safe "readers that know it never meet it" "";
    LabelAnswered "label-answered" Caller Risky
        "readers that know every label meet one that they do not know" "tell readers before the label is used";
    LabelAccepted "label-accepted" Caller Safe "what was taken is taken" "";
    AccessRevoked "access-revoked" Caller Breaking "callers of this role are refused (403) or find nothing (404)" "keep the grant until those callers have moved";
    AccessNarrowed "access-narrowed" Caller Breaking
        "callers of this role are refused some rows or fields" "keep the wider grant until those callers have moved";
    AccessChanged "access-changed" Caller Breaking
        "rows that callers of this role reached may be out of reach, and others within it" "grant the new condition beside the old one, and take that away later";
    AccessWidened "access-widened" Caller Risky "callers of this role reach more than before" "make sure that everything under the new grant is meant for them";
    AccessGranted "access-granted" Caller Risky "somebody reaches what was closed to them" "make sure that everything under the new grant is meant for them";
    RoleRemoved "role-removed" Caller Breaking "tokens with this role open nothing by it" "keep the role until no token carries it";
    RoleAdded "role-added" Caller Safe "no token carries it yet" "";
    TokenChanged "token-changed" Caller Breaking "tokens that were taken are refused" "issue tokens that satisfy both models first";
    RuleAdded "rule-added" Caller Breaking "a write that breaks the rule was taken and is refused" "let callers keep it first, then make it a rule";
    RuleRemoved "rule-removed" Caller Safe "what was taken is taken" "";
    TransitionRemoved "transition-removed" Caller Breaking "a change of state that was taken is refused" "keep the transition until nobody makes it";
    TransitionAdded "transition-added" Caller Safe "nobody is forced to make it" "";
    PartsNarrowed "parts-narrowed" Caller Breaking "a body with as many parts as before is refused" "keep the wider bounds";
    PartsWidened "parts-widened" Caller Risky "readers meet fewer or more parts than they reckon with" "tell readers";
    LimitTightened "limit-tightened" Caller Risky "callers that are within the old limit are answered 429" "tell callers before";
    LimitLoosened "limit-loosened" Caller Safe "whoever is within the old limit is within the new one" "";
    CacheLengthened "cache-lengthened" Caller Risky "answers may be older than before" "keep it short where callers rely on fresh rows";
    CacheShortened "cache-shortened" Caller Safe "answers are fresher than before" "";
    PromiseLowered "promise-lowered" Caller Risky "callers that rely on the promise wait longer or fail more often" "tell callers";
    PromiseRaised "promise-raised" Caller Safe "more is promised than before" "";
    Deprecated "deprecated" Caller Safe "it goes on as before, and callers are told" "";
    DeprecationWithdrawn "deprecation-withdrawn" Caller Safe "it stays" "";
    SunsetEarlier "sunset-earlier" Caller Risky "callers have less time to move than they were told" "keep the date";
    SunsetLater "sunset-later" Caller Safe "callers have more time to move" "";

    EventRemoved "event-removed" Consumer Breaking "whoever waits for it waits in vain" "publish it until nobody hears it";
    EventAdded "event-added" Consumer Safe "nobody hears it yet" "";
    EventTypeChanged "event-type-changed" Consumer Breaking
        "consumers choose by type, and pass over one that they do not know" "let consumers take both types before";
    EventSourceChanged "event-source-changed" Consumer Risky "consumers that choose by source pass over it" "let consumers take both sources before";
    EventOriginChanged "event-origin-changed" Consumer Risky
        "what comes in is taken from another place of the broker" "let the sender publish to both places for a while";
    EventKeyChanged "event-key-changed" Consumer Risky "the order of delivery is kept for another member" "make sure that no consumer needs the old order";
    MemberRemoved "member-removed" Consumer Breaking "consumers miss it" "publish a new event beside this one";
    MemberAdded "member-added" Consumer Safe "consumers pass over what they do not know" "";
    MemberTypeChanged "member-type-changed" Consumer Breaking "consumers read another form" "add a member beside it, or publish a new event";
    MemberOptional "member-optional" Consumer Breaking "consumers meet null where there was always a value" "keep it required";
    MemberNotOptional "member-not-optional" Consumer Safe "consumers that expect null never meet it" "";
    MemberWidened "member-widened" Consumer Risky "consumers that rely on the old bounds meet values beyond them" "tell consumers before such values are published";
    MemberNarrowed "member-narrowed" Consumer Safe "what is published was possible before" "";
    IncomingRequired "incoming-required" Consumer Breaking
        "what senders send without it, which was whole, is refused" "make the member optional";
    IncomingTypeChanged "incoming-type-changed" Consumer Breaking
        "what senders send in the old form is refused" "take a new event beside this one";
    IncomingNarrowed "incoming-narrowed" Consumer Breaking "what senders send beyond the new bounds is refused" "keep the wider bounds";
    IncomingWidened "incoming-widened" Consumer Safe "what was taken is taken" "";
    IncomingAdded "incoming-added" Consumer Safe "senders may leave it out" "";
    IncomingRemoved "incoming-removed" Consumer Safe "senders need not send it any more" "";
    EventLabelAdded "event-label-added" Consumer Risky "consumers that know every label meet one that they do not know" "tell consumers before the label is used";
    EventLabelRemoved "event-label-removed" Consumer Safe "consumers that know it never meet it" "";
    EventLabelRenamed "event-label-renamed" Consumer Breaking "consumers meet a label that they do not know" "add the new label beside the old one";
    ReadersNarrowed "readers-narrowed" Consumer Breaking "consumers of this role are refused" "keep the grant until they have moved";
    ReadersWidened "readers-widened" Consumer Risky "consumers of this role read what was closed to them" "make sure that it is meant for them";
    ReplayersNarrowed "replayers-narrowed" Caller Breaking "callers of this role are refused" "keep the grant until they have moved";
    ReplayersWidened "replayers-widened" Caller Risky "callers of this role have what was done for an event done again" "make sure that it is meant for them";
    WebhookRemoved "webhook-removed" Consumer Breaking "partners hear nothing, or send in vain" "keep it until no endpoint is registered";
    WebhookAdded "webhook-added" Consumer Safe "no partner hears it yet" "";
    WebhookEventRemoved "webhook-event-removed" Consumer Breaking "partners wait for it in vain" "send it until no partner needs it";
    WebhookEventAdded "webhook-event-added" Consumer Risky "partners are sent a type that they do not know" "tell partners before";
    WebhookTypeRemoved "webhook-type-removed" Consumer Breaking "a partner that sends this type is refused" "take it until nobody sends it";
    WebhookTypeAdded "webhook-type-added" Consumer Safe "nobody sends it yet" "";
    WebhookRetryShortened "webhook-retry-shortened" Consumer Risky "a partner that is down for longer loses events" "keep the longer time";
    WebhookRetryLengthened "webhook-retry-lengthened" Consumer Safe "a partner may be down for longer" "";

    ValuesLost "values-lost" Database Breaking
        "stored values have no place in the new tables" "keep the field, say `was` for a renamed one, or accept it with `mimar migrate apply --allow-drop`";
    RowsRefused "rows-refused" Database Breaking "rows that are there do not fit the new tables" "give the field a default, or make it optional";
    RowsBeyond "rows-beyond" Database Risky
        "rows that are there may hold what the model does not allow any more" "look for such rows first; they are served as they are, and what is written there has to fit";
    ChangeHazard "change-hazard" Database Risky "the change is dangerous while servers run" "let `mimar migrate` carry it out, which meets the danger";
    TablesChanged "tables-changed" Database Safe "the tables follow without harm to rows or servers" "";
}

impl Kind {
    /// Its name, as in `field-removed`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Whom it concerns.
    #[must_use]
    pub fn audience(self) -> Audience {
        self.row().audience
    }

    /// How it is classified.
    #[must_use]
    pub fn class(self) -> Class {
        self.row().class
    }

    /// Why.
    #[must_use]
    pub fn reason(self) -> &'static str {
        self.row().reason
    }

    /// What to do instead; empty for what is safe.
    #[must_use]
    pub fn way(self) -> &'static str {
        self.row().way
    }

    /// The rule of the review that names it: API007 and API008 for callers, EVT007 for consumers.
    #[must_use]
    pub fn code(self) -> Option<&'static str> {
        match (self, self.class(), self.audience()) {
            (Self::OperationRemovedEarly | Self::FieldRemovedEarly, ..) => Some("API008"),
            (_, Class::Breaking, Audience::Caller) => Some("API007"),
            (_, Class::Breaking, Audience::Consumer) => Some("EVT007"),
            _ => None,
        }
    }

    /// The table as Markdown.
    #[must_use]
    pub fn table() -> String {
        let mut page = String::new();
        for audience in Audience::ALL {
            let _ = write!(
                page,
                "\n### For the {}\n\n| kind | class | why | instead |\n|---|---|---|---|\n",
                audience.name()
            );
            for class in Class::ALL {
                let kinds =
                    Self::ALL.iter().filter(|it| (it.audience(), it.class()) == (audience, class));
                for kind in kinds {
                    let Row { name, reason, way, .. } = kind.row();
                    let _ = writeln!(page, "| `{name}` | {} | {reason} | {way} |", class.name());
                }
            }
        }
        page
    }
}
