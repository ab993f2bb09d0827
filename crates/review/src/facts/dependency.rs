//! What externals say of waiting, trying again and giving up.

use model::{External, Model};
use syntax::Span;
use syntax::ast::{ExternalMember, ExternalOperation, Item, Literal, LiteralValue, Retry};

use super::Source;

/// An external with its settings.
pub(crate) struct Dependency<'a> {
    /// As the model has it.
    pub(crate) external: &'a External,
    /// The text of its `url`, where that is written out.
    pub(crate) url: Option<(String, Span)>,
    /// How long one call may take, in microseconds.
    pub(crate) timeout: Option<(i64, Span)>,
    /// How often a failed call is made again.
    pub(crate) retry: Option<Pauses>,
    /// Where `breaker` stands.
    pub(crate) breaker: Option<Span>,
    /// Where `bulkhead` stands.
    pub(crate) bulkhead: Option<Span>,
    /// What it promises: percent, and within how many microseconds.
    pub(crate) slo: Option<(Option<f64>, Option<i64>, Span)>,
    /// Its operations as written, in the model's order.
    pub(crate) operations: Vec<ExternalOperation<'a>>,
}

/// `retry 3 times from 100ms to 2s`
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pauses {
    /// How often.
    pub(crate) times: i64,
    /// Where that is said.
    pub(crate) times_span: Span,
    /// The first pause, in microseconds.
    pub(crate) from: i64,
    /// The longest.
    pub(crate) to: i64,
    /// Where it stands.
    pub(crate) span: Span,
}

impl Pauses {
    pub(crate) fn of(view: Retry<'_>) -> Option<Self> {
        let micros = |literal: Option<Literal<'_>>| {
            literal.and_then(|it| it.duration()).and_then(|it| it.microseconds()).unwrap_or(0)
        };
        let times = view.times()?;
        Some(Self {
            times: times.integer()?,
            times_span: times.span(),
            from: micros(view.from()),
            to: micros(view.to()),
            span: view.span(),
        })
    }

    /// How long all pauses together take, each twice the last.
    pub(crate) fn total(&self) -> i64 {
        let mut total = 0_i64;
        let mut pause = self.from;
        for _ in 0..self.times.clamp(0, 10_000) {
            total = total.saturating_add(pause.min(self.to.max(self.from)));
            pause = pause.saturating_mul(2);
        }
        total
    }
}

impl Dependency<'_> {
    /// The longest that one call may take with all its repetitions, in microseconds.
    pub(crate) fn longest(&self) -> Option<i64> {
        let (timeout, _) = self.timeout?;
        let Some(retry) = self.retry else { return Some(timeout) };
        Some(timeout.saturating_mul(retry.times.saturating_add(1)).saturating_add(retry.total()))
    }

    /// How often a call is made at most.
    pub(crate) fn attempts(&self) -> i64 {
        self.retry.map_or(1, |retry| retry.times.saturating_add(1))
    }
}

pub(crate) fn dependencies<'a>(model: &'a Model, source: &Source<'a>) -> Vec<Dependency<'a>> {
    model
        .externals
        .iter()
        .map(|external| {
            let mut found = Dependency {
                external,
                url: None,
                timeout: None,
                retry: None,
                breaker: None,
                bulkhead: None,
                slo: None,
                operations: Vec::new(),
            };
            if let Some(Item::External(view)) = source.item(external.span) {
                view.members().for_each(|member| read(&mut found, member));
            }
            found
        })
        .collect()
}

fn read<'a>(found: &mut Dependency<'a>, member: ExternalMember<'a>) {
    match member {
        ExternalMember::Url(url) => {
            let literal = url.value().and_then(|value| value.literal());
            found.url = literal.and_then(|it| Some((it.string()?.into_owned(), it.span())));
        }
        ExternalMember::Timeout(timeout) => {
            let literal = timeout.period();
            found.timeout =
                literal.and_then(|it| Some((it.duration()?.microseconds()?, timeout.span())));
        }
        ExternalMember::Retry(retry) => found.retry = Pauses::of(retry),
        ExternalMember::Breaker(breaker) => found.breaker = Some(breaker.span()),
        ExternalMember::Bulkhead(bulkhead) => found.bulkhead = Some(bulkhead.span()),
        ExternalMember::Slo(slo) => {
            let percent = match slo.objective().and_then(|it| it.value()) {
                Some(LiteralValue::Percent(it)) => {
                    Some(it.digits as f64 / 10_f64.powi(it.scale as i32))
                }
                _ => None,
            };
            let under = slo.under().and_then(|it| it.duration()).and_then(|it| it.microseconds());
            found.slo = Some((percent, under, slo.span()));
        }
        ExternalMember::Bearer(_) => {}
        ExternalMember::Operation(operation) => found.operations.push(operation),
    }
}
