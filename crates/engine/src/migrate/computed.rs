//! Computed columns of rows that are already stored, after their formulas have changed.

use std::collections::BTreeMap;
use std::time::Instant;

use model::{EntityId, Model};
use operation::{Computed, Dialect, Scope, Table, TableId, Value};
use rustc_hash::FxHashMap;
use schema::Migration;
use serde::{Deserialize, Serialize};
use store::{Compute, Renewal, Renewed, Store, StoreFault};
use uuid::Uuid;

use super::step::{next, patiently, rest};
use super::{MigrateFault, note, text};
use crate::Loaded;

/// How many roots a batch has at least and at most, where pauses are made between batches; over a network most of its time is spent on
/// the way.
const FEW: u64 = 20;
const MANY: u64 = 5_000;

/// How many it has where none are.
const BRISK: u64 = 500;

/// How fast rows are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Somebody waits for it: batches that hold their rows for some milliseconds, one behind the other.
    Brisk,
    /// Nobody does: short batches, and pauses that leave the traffic alone.
    Gentle,
}

/// Stands before the formulas of an aggregate whose values are being computed, and before what that computation is called.
const BEGUN: char = '~';
const BY: char = ' ';

/// The formulas that stored values follow: for each aggregate that computes something, by its root's name, a text that differs
/// whenever one of them does. While its values are computed it is marked, and whoever comes with other formulas takes the mark
/// away: what they write behind the computation would stay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Formulas(BTreeMap<String, String>);

impl Formulas {
    /// Those of a model.
    pub fn of(model: &Model) -> Self {
        let each = contract::formulas(model).into_iter();
        Self(each.map(|(root, formulas)| (root, schema::hash(formulas.bytes()))).collect())
    }

    /// One text for all; empty where nothing is computed, or not all of it by now.
    pub fn fingerprint(&self) -> String {
        let is_open = self.0.values().any(|noted| noted.starts_with(BEGUN));
        if self.0.is_empty() || is_open { String::new() } else { schema::hash(text(self).bytes()) }
    }

    /// Notes no more what the values of an aggregate follow.
    pub(super) fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Notes that the values of an aggregate are being computed as in `other`, by a computation of this name.
    pub(super) fn begin(&mut self, name: &str, other: &Self, by: &str) {
        if let Some(formulas) = other.0.get(name) {
            self.0.insert(name.to_owned(), format!("{BEGUN}{formulas}{BY}{by}"));
        }
    }

    /// Notes that the values of an aggregate, all computed now, follow what it does in `other`, unless somebody with other formulas
    /// has come since the computation of this name began.
    pub(super) fn finish(&mut self, name: &str, other: &Self, by: &str) {
        if self.begun(name, other) == Some(by) {
            self.take(name, other);
        }
    }

    /// By which computation the values of an aggregate are being computed as in `other`.
    fn begun(&self, name: &str, other: &Self) -> Option<&str> {
        let (formulas, by) = self.0.get(name)?.strip_prefix(BEGUN)?.split_once(BY)?;
        (other.0.get(name)? == formulas).then_some(by)
    }

    /// Notes no more what others are computing or have computed; whether anything was. What is computed nowhere in `other` may be an
    /// ordinary field there, with whatever values.
    fn keep(&mut self, other: &Self) -> bool {
        let kept = self.0.iter().filter(|(name, noted)| {
            other.0.get(*name) == Some(*noted) || self.begun(name, other).is_some()
        });
        let kept: BTreeMap<_, _> =
            kept.map(|(name, noted)| (name.clone(), noted.clone())).collect();
        let any = kept.len() < self.0.len();
        self.0 = kept;
        any
    }

    /// Notes that the values of an aggregate follow what it does in `other`.
    pub(super) fn take(&mut self, name: &str, other: &Self) {
        if let Some(formulas) = other.0.get(name) {
            self.0.insert(name.to_owned(), formulas.clone());
        }
    }

    /// Only what is the same in `other`.
    pub(super) fn same_as(mut self, other: &Self) -> Self {
        self.0.retain(|name, formulas| other.0.get(name) == Some(formulas));
        self
    }

    /// Those that the stored values follow, where that is known.
    pub(super) fn noted(store: &Store) -> Result<Option<Self>, StoreFault> {
        // A version of Mimar before noted something else: then it is not.
        Ok(store.meta(note::FORMULAS)?.and_then(|text| serde_json::from_str(&text).ok()))
    }
}

/// Whether the stored values follow other formulas than this model's, or it is not known of some what they follow.
///
/// # Errors
/// [`StoreFault::Database`].
pub fn has_new_formulas(store: &Store, model: &Model) -> Result<bool, StoreFault> {
    Ok(Formulas::noted(store)?.as_ref() != Some(&Formulas::of(model)))
}

/// Says that somebody begins to write what the formulas of this model say: what others have computed, or are computing, may follow
/// them no longer. For every server, once it is seen by its connections and before it writes.
///
/// # Errors
/// [`StoreFault::Database`].
pub fn arrive(store: &Store, model: &Model) -> Result<(), StoreFault> {
    let mut known = Formulas::noted(store)?.unwrap_or_default();
    if known.keep(&Formulas::of(model)) {
        store.set_meta(note::FORMULAS, &text(&known))?;
    }
    Ok(())
}

/// Lets all stored values follow this model's formulas; rows changed, and whether they do for good: while servers of others run, which
/// do not call themselves `called`, they write what theirs say.
///
/// # Errors
/// As [`recompute`].
pub fn follow_formulas(
    store: &Store,
    loaded: &Loaded,
    called: &str,
    pace: Pace,
    go_on: &dyn Fn() -> bool,
) -> Result<(u64, bool), MigrateFault> {
    if !has_new_formulas(store, &loaded.model)? {
        return Ok((0, true));
    }
    let own = Uuid::new_v4().to_string();
    let begun = begin(store, loaded, &[], &own)?;
    // Who is there already does not look at the note once more, and may have gone when all is computed.
    let met = store.others(called)?;
    if met > 0 {
        withdraw(store, &own)?;
        if pace == Pace::Gentle {
            return Ok((0, false));
        }
    }
    let rows = compute_all(store, loaded, &begun, pace, go_on)?;
    if met + store.others(called)? > 0 {
        return Ok((rows, false));
    }
    let wanted = Formulas::of(&loaded.model);
    let mut known = Formulas::noted(store)?.unwrap_or_default();
    for Begun { name, by, .. } in &begun {
        known.finish(name, &wanted, by);
    }
    let follows = known.same_as(&wanted) == wanted;
    if follows {
        note_formulas(store, &loaded.model)?;
    }
    Ok((rows, follows))
}

/// Takes away what a computation of this name has begun.
fn withdraw(store: &Store, own: &str) -> Result<(), StoreFault> {
    let mut known = Formulas::noted(store)?.unwrap_or_default();
    known.0.retain(|_, noted| !noted.ends_with(own));
    store.set_meta(note::FORMULAS, &text(&known))
}

/// Notes no more what this model does not compute, where all that it computes follows it.
pub(super) fn note_no_more(store: &Store, model: &Model) -> Result<(), StoreFault> {
    let noted = Formulas::noted(store)?;
    let left = noted.clone().unwrap_or_default().same_as(&Formulas::of(model));
    if noted.as_ref() != Some(&left) {
        store.set_meta(note::FORMULAS, &text(&left))?;
    }
    Ok(())
}

/// Notes that the stored values follow the formulas of this model.
///
/// # Errors
/// [`StoreFault::Database`].
pub fn note_formulas(store: &Store, model: &Model) -> Result<(), StoreFault> {
    store.set_meta(note::FORMULAS, &text(&Formulas::of(model)))
}

/// Computes what does not follow this model's formulas, and what reads the tables `also`, and notes that all values follow them now;
/// rows changed. For where nobody else writes.
///
/// # Errors
/// As [`recompute`].
pub fn settle_formulas(
    store: &Store,
    loaded: &Loaded,
    also: &[String],
) -> Result<u64, MigrateFault> {
    let rows = recompute(store, loaded, also, Pace::Brisk, &|| true)?;
    if has_new_formulas(store, &loaded.model)? {
        note_formulas(store, &loaded.model)?;
    }
    Ok(rows)
}

/// Computes what does not follow this model's formulas, and what reads the tables `also`, anew where it differs from what is stored;
/// rows changed. From before the first row on it is noted of these that they are being computed: who writes beside it may follow other
/// formulas, and who dies in it leaves a half. An aggregate that cannot be computed keeps no other one from it. It ends
/// early when `go_on` says so.
///
/// # Errors
/// [`StoreFault::Formula`] where a formula has no value for a row; [`StoreFault::Closed`] where it ended early;
/// [`StoreFault::Database`].
pub fn recompute(
    store: &Store,
    loaded: &Loaded,
    also: &[String],
    pace: Pace,
    go_on: &dyn Fn() -> bool,
) -> Result<u64, MigrateFault> {
    let begun = begin(store, loaded, also, &Uuid::new_v4().to_string())?;
    compute_all(store, loaded, &begun, pace, go_on)
}

/// An aggregate whose values are being computed.
struct Begun {
    root: EntityId,
    /// What it is noted under.
    name: String,
    /// Which computation was the first to begin with it.
    by: String,
}

/// Notes of what does not follow this model's formulas that it is being computed by a computation of this name. One that others of the
/// same formulas have begun is joined, so that they do not begin again and again for each other's sake.
fn begin(
    store: &Store,
    loaded: &Loaded,
    also: &[String],
    own: &str,
) -> Result<Vec<Begun>, MigrateFault> {
    let noted = Formulas::noted(store)?;
    let stale = stale(noted.as_ref(), loaded, also);
    let (before, wanted) = (noted.unwrap_or_default(), Formulas::of(&loaded.model));
    let (mut known, mut begun) = (before.clone(), Vec::new());
    for root in stale {
        let name = name_of(&loaded.model, root);
        let first = known.begun(&name, &wanted).map(str::to_owned);
        if first.is_none() {
            known.begin(&name, &wanted, own);
        }
        let by = first.unwrap_or_else(|| own.to_owned());
        begun.push(Begun { root, name, by });
    }
    if known != before {
        store.set_meta(note::FORMULAS, &text(&known))?;
    }
    Ok(begun)
}

fn compute_all(
    store: &Store,
    loaded: &Loaded,
    begun: &[Begun],
    pace: Pace,
    go_on: &dyn Fn() -> bool,
) -> Result<u64, MigrateFault> {
    let (mut total, mut failed) = (0, None);
    for Begun { root, .. } in begun {
        let mut renew = |renewal: &Renewal<'_>, compute: &mut Compute<'_>| {
            if !go_on() {
                return Err(StoreFault::Closed.into());
            }
            patiently("compute", None, &mut |_| {}, || store.renew(renewal, compute))
        };
        let computing = Computing::new(loaded, *root, None);
        match computing.run(None, pace, &mut renew, &mut |_| {}) {
            Ok(rows) => total += rows,
            Err(fault @ MigrateFault::Store(StoreFault::Formula { .. })) => {
                failed.get_or_insert(fault);
            }
            Err(fault) => return Err(fault),
        }
    }
    match failed {
        Some(fault) => Err(fault),
        None => Ok(total),
    }
}

/// Roots of aggregates whose stored values do not follow this model's formulas, or read what the tables `also` hold.
fn stale(noted: Option<&Formulas>, loaded: &Loaded, also: &[String]) -> Vec<EntityId> {
    let model = &loaded.model;
    let wanted = Formulas::of(model);
    let mut stale = Vec::new();
    for root in model.entity_ids().filter(|entity| model.part_of(*entity).is_none()) {
        let name = name_of(model, root);
        let Some(formulas) = wanted.0.get(&name) else { continue };
        let follows = noted.and_then(|noted| noted.0.get(&name)) == Some(formulas);
        let reads = |entity| also.contains(&loaded.schema.table(entity).name.to_string());
        if !follows || members(model, root).into_iter().any(reads) {
            stale.push(root);
        }
    }
    stale
}

/// Under which name the formulas of an aggregate are noted.
pub(super) fn name_of(model: &Model, root: EntityId) -> String {
    contract::qualified(model, model[root].service, &model[root].name)
}

/// An entity and its parts.
fn members(model: &Model, root: EntityId) -> Vec<EntityId> {
    let mut members = vec![root];
    members.extend(&model[root].parts);
    members
}

/// Lets a plan compute what will not follow the formulas of the new version any more. The values that are there follow `noted`, where
/// that is known; `rows` says about how many there are in a table of the new version that is there already.
pub fn plan_formulas(
    migration: &mut Migration,
    noted: Option<&Formulas>,
    wanted: &Loaded,
    dialect: Dialect,
    rows: &dyn Fn(&Table) -> u64,
) {
    for root in stale(noted, wanted, &migration.recompute) {
        let table = wanted.schema.table(root);
        let name = table.name.to_string();
        if migration.created.contains(&name) {
            continue;
        }
        migration.summary.push(format!("computed values of `{name}` follow its formulas of now"));
        let mut columns = Vec::new();
        for entity in members(&wanted.model, root) {
            let table = wanted.schema.table(entity);
            for computed in wanted.plan.computed_of(entity) {
                let column = &table.columns[computed.column].name;
                columns.push((table.name.to_string(), column.to_string()));
            }
        }
        let formulas = schema::Formulas { table: &name, columns: &columns, rows: rows(table) };
        migration.compute(&formulas, dialect);
    }
}

/// An aggregate whose values are computed.
pub(super) struct Computing<'a> {
    loaded: &'a Loaded,
    entities: Vec<EntityId>,
    tables: Vec<&'a Table>,
    /// What is computed in each, and of that what is written.
    computed: Vec<Vec<(Computed, bool)>>,
    /// Whether all is written: values that somebody has read are others then.
    is_all: bool,
}

impl<'a> Computing<'a> {
    /// Of `columns` only these are written, by their names in the model's own tables; `None`: all.
    pub(super) fn new(
        loaded: &'a Loaded,
        root: EntityId,
        columns: Option<&dyn Fn(EntityId, usize) -> bool>,
    ) -> Self {
        let entities = members(&loaded.model, root);
        let tables = entities.iter().map(|entity| &**loaded.schema.table(*entity)).collect();
        let computed = |entity: &EntityId| {
            let computed = loaded.plan.computed_of(*entity).into_iter();
            let is_written = |at| columns.is_none_or(|is_written| is_written(*entity, at));
            computed.map(|it| (is_written(it.column), it)).map(|(w, it)| (it, w)).collect()
        };
        let computed = entities.iter().map(computed).collect();
        Self { loaded, entities, tables, computed, is_all: columns.is_none() }
    }

    /// Computes all, from behind a root's key on, a batch at a time; rows written. `seen` is told how many roots were looked at.
    pub(super) fn run(
        &self,
        from: Option<&str>,
        pace: Pace,
        renew: &mut dyn FnMut(&Renewal<'_>, &mut Compute<'_>) -> Result<Renewed, MigrateFault>,
        seen: &mut dyn FnMut(u64),
    ) -> Result<u64, MigrateFault> {
        let (mut most, mut roots, mut rows) =
            (if pace == Pace::Gentle { FEW } else { BRISK }, 0, 0);
        let mut after = from.and_then(|key| self.key(key));
        loop {
            let began = Instant::now();
            let renewal = Renewal { tables: &self.tables, after, most, is_version: self.is_all };
            let renewed = renew(&renewal, &mut |rows| self.compute(rows))?;
            let took = began.elapsed();
            rows += renewed.rows;
            roots += renewed.seen;
            seen(roots);
            if renewed.last.is_none() {
                return Ok(rows);
            }
            after = renewed.last;
            if pace == Pace::Gentle {
                most = next(most, took, MANY).max(FEW);
                rest(took);
            }
        }
    }

    /// A root's key as it was noted.
    fn key(&self, text: &str) -> Option<Value> {
        let table = self.tables.first()?;
        table.columns.get(*table.key.first()?)?.scalar.parse(text).ok()
    }

    /// Computes rows: those of the root, then those of each part.
    fn compute(&self, rows: &mut [Vec<Vec<Value>>]) -> Result<(), StoreFault> {
        let [roots, parts @ ..] = rows else { return Ok(()) };
        // Parts first: a root may sum what is computed in its parts.
        let mut held: Vec<FxHashMap<Value, Vec<Vec<Value>>>> = Vec::new();
        for (at, rows) in (1..).zip(parts) {
            let mut of_root: FxHashMap<Value, Vec<Vec<Value>>> = FxHashMap::default();
            for row in rows {
                let whole = self.row(at, row, &[])?;
                let root = self.tables[at].root.and_then(|root| row.get(root));
                of_root.entry(root.cloned().unwrap_or_default()).or_default().push(whole);
            }
            held.push(of_root);
        }
        let own = self.tables[0].own_key();
        for row in roots {
            let key = row.get(own).cloned().unwrap_or_default();
            let parts: Vec<(TableId, &[Vec<Value>])> = self.tables[1..]
                .iter()
                .zip(&held)
                .map(|(table, held)| (table.id, held.get(&key).map_or(&[][..], Vec::as_slice)))
                .collect();
            self.row(0, row, &parts)?;
        }
        Ok(())
    }

    /// Computes a row and writes what is to be written into it; the row with all that is computed.
    fn row(
        &self,
        at: usize,
        row: &mut [Value],
        parts: &[(TableId, &[Vec<Value>])],
    ) -> Result<Vec<Value>, StoreFault> {
        let mut whole = row.to_vec();
        for (computed, is_written) in &self.computed[at] {
            let scope = Scope { rows: &[&whole], binds: &[], parts, stored: None };
            let value = operation::evaluate(&computed.expression, &scope).map_err(|error| {
                let (table, entity) = (self.tables[at], self.entities[at]);
                let key = self.loaded.plan.key_text(entity, &row[table.own_key()]);
                let field = &table.columns[computed.column].field;
                let reason = format!("{}.{field} of the row {key}: {error}", table.entity);
                StoreFault::Formula { reason }
            })?;
            if *is_written {
                row[computed.column] = value.clone();
            }
            whole[computed.column] = value;
        }
        Ok(whole)
    }
}
