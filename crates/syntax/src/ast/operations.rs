//! Promises, pressure and dependencies: limit, slo, load, external.

use super::{
    Field, Literal, Name, Path, RecordType, Retry, Setting, TypeExpr, View, choice, views,
};
use crate::kind::NodeKind;

views! {
    /// `limit target 10 per 1m by caller`
    Limit = Limit {
        /// What is limited: a command, a query, an entity.
        target: child Path;
        /// How many, an integer.
        count: literal 0;
        /// In how long, a duration.
        period: literal 1;
        /// What is counted: `caller`, `ip`.
        by: the used;
    }

    /// `slo target 99.9% under 200ms`; inside `external` without a target.
    Slo = Slo {
        /// What promises it.
        target: child Path;
        /// How often it holds, a percentage.
        objective: literal 0;
        /// How fast, a duration; without it only availability is promised.
        under: literal 1;
    }

    /// `external name { … }`: a system that we call.
    External = External {
        /// Its name.
        name: the declared;
        /// What stands inside.
        members: children ExternalMember;
    }

    /// `url SETTING`
    ExternalUrl = ExternalUrl {
        /// Where it is.
        value: child Setting;
    }

    /// `bearer SETTING`
    ExternalBearer = ExternalBearer {
        /// The token it wants.
        value: child Setting;
    }

    /// `timeout 2s`
    ExternalTimeout = ExternalTimeout {
        /// How long we wait, a duration.
        period: child Literal;
    }

    /// `breaker opens at 50% of 20 calls for 30s`
    ExternalBreaker = ExternalBreaker {
        /// The share of failures, a percentage.
        share: literal 0;
        /// Of how many calls, an integer.
        calls: literal 1;
        /// How long it stays open, a duration.
        period: literal 2;
    }

    /// `bulkhead 32`
    ExternalBulkhead = ExternalBulkhead {
        /// How many calls at once, an integer.
        calls: child Literal;
    }

    /// `post name "/path/{x}" { fields } -> Type`; fields and answer are optional.
    ExternalOperation = ExternalOperation {
        /// Its name.
        name: the declared;
        /// Its path, a string; `{field}` stands for the field's value.
        path: child Literal;
    }

    /// `load name { … }`
    Load = Load {
        /// Its name.
        name: the declared;
        /// What stands inside.
        members: children LoadMember;
    }

    /// `grows 10% per month for 24 months`
    LoadGrows = LoadGrows {
        /// How much, a percentage.
        rate: literal 0;
        /// For how many, an integer.
        count: literal 1;
    }

    /// `Entity 1_000 rows`
    LoadRows = LoadRows {
        /// The entity.
        target: child Path;
        /// How many rows, an integer.
        rows: child Literal;
    }

    /// `target 40/s peak 400/s`; the peak is optional.
    LoadRate = LoadRate {
        /// A command, a query, or an entity's action as in `Product.read`.
        target: child Path;
        /// On an ordinary day, a rate.
        rate: literal 0;
        /// At the worst hour, a rate.
        peak: literal 1;
    }
}

choice! {
    /// What may stand in `external`.
    ExternalMember {
        /// `url`
        Url(ExternalUrl),
        /// `bearer`
        Bearer(ExternalBearer),
        /// `timeout`
        Timeout(ExternalTimeout),
        /// `retry`
        Retry(Retry),
        /// `breaker`
        Breaker(ExternalBreaker),
        /// `bulkhead`
        Bulkhead(ExternalBulkhead),
        /// `slo`
        Slo(Slo),
        /// `get`, `post`, `put`, `patch`, `delete`
        Operation(ExternalOperation),
    }
}

choice! {
    /// What may stand in `load`.
    LoadMember {
        /// `grows`
        Grows(LoadGrows),
        /// `Entity N rows`
        Rows(LoadRows),
        /// `target RATE`
        Rate(LoadRate),
    }
}

impl<'a> ExternalOperation<'a> {
    /// The HTTP method's word in lower case: `get`, `post`, `put`, `patch`, `delete`.
    #[must_use]
    pub fn method(self) -> Name<'a> {
        Name::new(self.node().parse(), self.node().tokens().start)
    }

    /// What is sent.
    pub fn fields(self) -> impl Iterator<Item = Field<'a>> {
        self.body().into_iter().flat_map(RecordType::fields)
    }

    fn body(self) -> Option<RecordType<'a>> {
        let parse = self.node().parse();
        let arrow =
            self.node().token(crate::kind::TokenKind::Arrow).unwrap_or(parse.tokens.len() as u32);
        self.node()
            .children()
            .find(|child| child.kind() == NodeKind::RecordType && child.tokens().start < arrow)
            .and_then(RecordType::cast)
    }

    /// What is answered.
    #[must_use]
    pub fn result(self) -> Option<TypeExpr<'a>> {
        let arrow = self.node().token(crate::kind::TokenKind::Arrow)?;
        self.node().children().filter(|child| child.tokens().start > arrow).find_map(TypeExpr::cast)
    }
}

impl<'a> LoadGrows<'a> {
    fn word_after(self, keyword: &str) -> Option<Name<'a>> {
        let parse = self.node().parse();
        self.node()
            .own_tokens()
            .skip_while(|token| parse.token_text(*token) != keyword)
            .nth(1)
            .map(|token| Name::new(parse, token))
    }

    /// The word behind `per`: `day`, `week`, `month`, `quarter` or `year`.
    #[must_use]
    pub fn per(self) -> Option<Name<'a>> {
        self.word_after("per")
    }

    /// The last word: the unit of the count, `months`.
    #[must_use]
    pub fn unit(self) -> Option<Name<'a>> {
        self.word_after("for")
    }
}
