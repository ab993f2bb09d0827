//! What the loads say, by item.

use model::{Action, CommandId, EntityId, LoadEntry, Model, QueryId};
use rustc_hash::FxHashMap;
use syntax::Span;

use super::Source;

/// How often something happens, in a second, and where that is said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate {
    /// On an ordinary day.
    pub(crate) usual: f64,
    /// At the worst hour; the usual rate where nothing is said.
    pub(crate) peak: f64,
    /// Where it stands.
    pub(crate) span: Span,
}

/// Rows and rates of all loads; where two speak of one thing, the greater.
#[derive(Debug, Default)]
pub(crate) struct Loads {
    rows: FxHashMap<EntityId, (i64, Span)>,
    commands: FxHashMap<CommandId, Rate>,
    queries: FxHashMap<QueryId, Rate>,
    entities: FxHashMap<(EntityId, Action), Rate>,
    /// The greatest growth: percent in a month, and over how many months.
    growth: Option<(f64, i64)>,
}

impl Loads {
    pub(crate) fn of(model: &Model, source: &Source<'_>) -> Self {
        let mut all = Self::default();
        for load in &model.loads {
            let lines = source.load_lines(load.span);
            for (at, entry) in load.entries.iter().enumerate() {
                let span = lines.get(at).copied().unwrap_or(load.span);
                all.add(entry, span);
            }
        }
        all
    }

    fn add(&mut self, entry: &LoadEntry, span: Span) {
        match entry {
            LoadEntry::Rows(entity, rows) => {
                let known = self.rows.entry(*entity).or_insert((*rows, span));
                if *rows > known.0 {
                    *known = (*rows, span);
                }
            }
            LoadEntry::CommandRate(id, usual, peak) => {
                greater(self.commands.entry(*id), *usual, *peak, span);
            }
            LoadEntry::QueryRate(id, usual, peak) => {
                greater(self.queries.entry(*id), *usual, *peak, span);
            }
            LoadEntry::EntityRate(id, action, usual, peak) => {
                greater(self.entities.entry((*id, *action)), *usual, *peak, span);
            }
            LoadEntry::Growth(percent, months) => {
                let more = |known: &(f64, i64)| *percent > known.0;
                if self.growth.as_ref().is_none_or(more) {
                    self.growth = Some((*percent, *months));
                }
            }
        }
    }

    /// How many rows an entity has.
    pub(crate) fn rows(&self, entity: EntityId) -> Option<f64> {
        self.rows.get(&entity).map(|(rows, _)| *rows as f64)
    }

    /// Where that is said.
    pub(crate) fn rows_span(&self, entity: EntityId) -> Option<Span> {
        self.rows.get(&entity).map(|(_, span)| *span)
    }

    /// How often a command is run.
    pub(crate) fn command(&self, id: CommandId) -> Option<Rate> {
        self.commands.get(&id).copied()
    }

    /// How often a query is asked.
    pub(crate) fn query(&self, id: QueryId) -> Option<Rate> {
        self.queries.get(&id).copied()
    }

    /// How often rows of an entity are read, created, updated or deleted one by one.
    pub(crate) fn entity(&self, id: EntityId, action: Action) -> Option<Rate> {
        self.entities.get(&(id, action)).copied()
    }

    /// Percent in a month, and over how many months.
    pub(crate) fn growth(&self) -> Option<(f64, i64)> {
        self.growth
    }

    /// Whether no load says anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
            && self.commands.is_empty()
            && self.queries.is_empty()
            && self.entities.is_empty()
    }
}

fn greater<K>(
    entry: std::collections::hash_map::Entry<'_, K, Rate>,
    usual: f64,
    peak: Option<f64>,
    span: Span,
) {
    let rate = Rate { usual, peak: peak.unwrap_or(usual), span };
    let known = entry.or_insert(rate);
    if rate.peak > known.peak {
        *known = rate;
    }
}
