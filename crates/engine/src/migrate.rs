//! Changes the tables of a database that is in use, step by step; what was done is recorded in the database itself, with
//! the step, so that a process that dies leaves a record that another goes on from.
//!
//! ```text
//! apply ──► Expanding ──► Expanded ── apply --contract ──► Contracting ──► (done: only history and names stay)
//!               └── rollback ──┴──► Undoing ──► (undone)
//! ```

mod additions;
mod computed;
mod drift;
mod fault;
mod step;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use operation::{Dialect, Scalar, Table, Value};
use schema::{Facts, Migration, Names, Phase, Schema, Step, TableFacts, Work, migration};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::{Migrator, Store, StoreFault};

use crate::Loaded;

pub use additions::accept;
pub(crate) use additions::added;
use additions::{Additions, belonging};
use computed::note_no_more;
pub use computed::{
    Formulas, Pace, arrive, follow_formulas, has_new_formulas, note_formulas, plan_formulas,
    recompute, settle_formulas,
};
pub use drift::drift;
pub use fault::MigrateFault;
use step::{drop_index, stepwise};

/// How often what was computed in vain is computed once more.
const AGAIN: u32 = 3;

/// Under which keys the database keeps what is written down here.
mod note {
    /// The [`Record`](super::Record) of a change under way; empty where none is.
    pub(super) const RECORD: &str = "migration";
    /// How far a step has come that goes through a table: the block of a backfill, the key of the last root that was computed.
    pub(super) const BLOCK: &str = "migration block";
    /// [`Entry`](super::Entry)s, oldest first.
    pub(super) const HISTORY: &str = "history";
    /// [`Names`](schema::Names) that are not those of the model.
    pub(super) const NAMES: &str = "names";
    /// The fingerprint of the schema.
    pub(super) const SCHEMA: &str = "schema";
    /// The tables as they were when the fingerprint was noted.
    pub(super) const TABLES: &str = "tables";
    /// What others have put beside the tables, as far as it is known to belong there.
    pub(super) const ADDITIONS: &str = "additions";
    /// The [`Formulas`](super::Formulas) that stored values follow.
    pub(super) const FORMULAS: &str = "formulas";
}

/// A change that is under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When it began (RFC 3339).
    pub began: String,
    /// The fingerprint of the tables before; empty where it was not noted.
    pub from: String,
    /// That of the wanted ones.
    pub to: String,
    /// The fingerprint of the formulas before; empty where it is not known.
    #[serde(default)]
    pub from_formulas: String,
    /// That of the wanted ones.
    #[serde(default)]
    pub formulas: String,
    /// How far it is.
    pub state: State,
    /// Position of the next step.
    pub step: usize,
    /// Stored names that the new version uses now.
    pub names: Names,
    /// The plan.
    pub plan: Migration,
}

/// How far a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// What the new version needs comes into being; only the old one can be served.
    Expanding,
    /// Both versions can be served.
    Expanded,
    /// What only the old version needed goes; only the new one can be served.
    Contracting,
    /// What was begun is undone; only the old one can be served.
    Undoing,
}

/// A change that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it began (RFC 3339).
    pub began: String,
    /// When it ended.
    pub ended: String,
    /// The fingerprint of the tables before; empty where it was not noted.
    pub from: String,
    /// That of the tables after.
    pub to: String,
    /// Whether it was undone.
    #[serde(default)]
    pub undone: bool,
    /// What changed.
    pub summary: Vec<String>,
    /// The copy of the database that was made before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,
}

/// What is told while a change is carried out.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// A step begins: its position from 0, and how many there are in this half.
    Step(usize, usize, &'a Step),
    /// So many of so many are filled or computed: blocks or rows.
    Filled(u64, u64),
    /// So many rows have got other values of computed fields.
    Computed(u64),
    /// A lock is not to be had; it is tried again.
    Waiting(u32),
    /// Things keep the names they have: servers run that know them.
    NamesStay,
}

/// How a change is carried out.
#[derive(Debug, Default)]
pub struct Terms {
    /// What may be destroyed, by name.
    pub allowed: Vec<String>,
    /// Whether the second half is carried out, too.
    pub contract: bool,
    /// Whether who calls is the only server there is: no other is looked for.
    pub alone: bool,
    /// Whether values of computed fields are left for who calls to compute ([`settle_formulas`]).
    pub leave_values: bool,
    /// Where a SQLite database is copied to before.
    pub backup: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The tables are the wanted ones already.
    Nothing,
    /// Both versions can be served; the second half waits.
    Expanded(Box<Record>),
    /// The tables are the wanted ones.
    Done(Entry),
}

/// How servers of a schema and of formulas call themselves to the database; what only the schema is said of begins every such name.
pub fn server_name(fingerprint: &str, formulas: &str) -> String {
    match formulas {
        "" => format!("mimar {fingerprint}"),
        formulas => format!("mimar {fingerprint} {formulas}"),
    }
}

fn read<T: DeserializeOwned>(store: &Store, key: &str) -> Result<Option<T>, MigrateFault> {
    match store.meta(key)?.as_deref() {
        None | Some("") => Ok(None),
        Some(text) => serde_json::from_str(text).map(Some).map_err(MigrateFault::Record),
    }
}

/// The text of something that is noted. Nothing that is noted can fail to be written.
fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(0);
    let mut text = Vec::new();
    Scalar::Timestamp.print(&Value::Int(seconds * 1_000_000), &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The change that is under way, if one is.
///
/// # Errors
/// [`MigrateFault::Store`], [`MigrateFault::Record`].
pub fn status(store: &Store) -> Result<Option<Record>, MigrateFault> {
    let record: Option<Record> = read(store, note::RECORD)?;
    // What somebody has written there by hand may be well-formed, and still point behind its own plan.
    let is_sound = record.as_ref().is_none_or(|record| {
        let (steps, expanding) = (record.plan.steps.len(), record.plan.expanding());
        record.step <= steps && (record.state != State::Expanding || record.step < expanding)
    });
    if is_sound { Ok(record) } else { Err(MigrateFault::Position) }
}

/// The changes that have ended, oldest first.
///
/// # Errors
/// [`MigrateFault::Store`], [`MigrateFault::Record`].
pub fn history(store: &Store) -> Result<Vec<Entry>, MigrateFault> {
    Ok(read(store, note::HISTORY)?.unwrap_or_default())
}

/// What the database calls otherwise than the model that its tables are of.
///
/// # Errors
/// [`MigrateFault::Store`], [`MigrateFault::Record`].
pub fn names(store: &Store) -> Result<Names, MigrateFault> {
    Ok(read(store, note::NAMES)?.unwrap_or_default())
}

/// The fingerprint of the tables, where it is noted.
///
/// # Errors
/// [`MigrateFault::Store`].
pub fn noted_schema(store: &Store) -> Result<Option<String>, MigrateFault> {
    Ok(store.meta(note::SCHEMA)?)
}

/// The tables in the words of the model that they are of, where the tables of `wanted` stand or those of a service.
///
/// # Errors
/// [`MigrateFault::Store`], [`MigrateFault::Record`].
pub fn tables(
    store: &Store,
    names: &Names,
    wanted: Option<&Schema>,
) -> Result<Vec<(String, String)>, MigrateFault> {
    let schemas: Vec<&str> =
        wanted.map_or_else(Vec::new, |wanted| wanted.services().into_iter().collect());
    let called = |table: &str, column: Option<&str>| match column {
        None => names.table_of(table).to_owned(),
        Some(column) => names.column_of(table, column).to_owned(),
    };
    Ok(store.tables(&schemas, &called)?)
}

/// The tables of a database that others made, as they must be known to be served as they are.
///
/// # Errors
/// [`MigrateFault::Store`].
pub(crate) fn others_tables(
    store: &Store,
    wanted: &Schema,
) -> Result<Vec<(String, String)>, MigrateFault> {
    let services: Vec<&str> = wanted.services().into_iter().collect();
    let as_it_is = |table: &str, column: Option<&str>| column.unwrap_or(table).to_owned();
    Ok(store.others_tables(&services, &as_it_is)?)
}

/// Whether others made the tables, so that they are served as they are, if at all, and changed by nobody here.
///
/// # Errors
/// [`MigrateFault::Store`].
pub fn belongs_to_others(store: &Store, wanted: &Schema) -> Result<bool, MigrateFault> {
    Ok(noted_schema(store)?.is_none()
        && schema::are_foreign(&tables(store, &Names::default(), Some(wanted))?))
}

/// Notes that the tables are those of a schema, so that a change by hand is seen later; costs nothing where that is noted.
/// While a change is under way it is not for anybody else to say.
///
/// # Errors
/// [`MigrateFault::Store`], [`MigrateFault::Record`].
pub fn settle(store: &Store, schema: &Schema) -> Result<(), MigrateFault> {
    if status(store)?.is_some() {
        return Ok(());
    }
    // Tables of others stay theirs.
    if belongs_to_others(store, schema)? {
        return Ok(());
    }
    let fingerprint = schema::fingerprint(schema);
    let noted: Option<Noted> = read(store, note::TABLES)?;
    let known: Option<Additions> = read(store, note::ADDITIONS)?;
    let is_noted = noted.is_some_and(|noted| noted.schema == fingerprint);
    if is_noted && known.is_some() {
        return Ok(());
    }
    let tables = tables(store, &names(store)?, Some(schema))?;
    let additions = text(&belonging(known, store.additions()?, &tables));
    if is_noted {
        return Ok(store.migrate(&[], &[(note::ADDITIONS, &additions)])?);
    }
    let noted = text(&Noted { schema: fingerprint.clone(), tables });
    let notes =
        [(note::SCHEMA, &*fingerprint), (note::TABLES, &noted), (note::ADDITIONS, &additions)];
    Ok(store.migrate(&[], &notes)?)
}

/// The tables as they were noted.
#[derive(Serialize, Deserialize)]
struct Noted {
    schema: String,
    tables: Vec<(String, String)>,
}

/// The plan from what the database holds to a model; `load` says how many requests per second the model expects on a table.
///
/// # Errors
/// [`MigrateFault::Store`], [`MigrateFault::Record`].
pub fn plan(
    store: &Store,
    wanted: &Loaded,
    load: &BTreeMap<String, f64>,
) -> Result<Migration, MigrateFault> {
    let schema = &wanted.schema;
    crate::start::are_apart(store, schema)?;
    let names = names(store)?;
    let existing = tables(store, &names, Some(schema))?;
    if noted_schema(store)?.is_none() && schema::are_foreign(&existing) {
        let obstacle = "others made these tables, and they are served as they are: change them with what made them, and the model \
                        after them";
        return Ok(Migration { obstacles: vec![obstacle.to_owned()], ..Migration::default() });
    }
    let noted = Formulas::noted(store)?;
    if store.dialect() == Dialect::Sqlite {
        let mut plan = migration::sqlite(&existing, schema);
        let is_there =
            |table: &Table| existing.iter().any(|(name, _)| *name == table.name.to_string());
        let rows =
            |table: &Table| if is_there(table) { store.count(table).unwrap_or(0) } else { 0 };
        plan_formulas(&mut plan, noted.as_ref(), wanted, Dialect::Sqlite, &rows);
        return Ok(plan);
    }
    let (space, load) = (store.schema()?, load.clone());
    let mut facts = Facts { schema: space, load, ..Facts::default() };
    for size in store.sizes()? {
        let references = size.references.into_iter().collect();
        let table = TableFacts { rows: size.rows, bytes: size.bytes, references };
        facts.tables.insert(size.table, table);
    }
    let mut plan = migration::postgres(&existing, &names, schema, &facts);
    if plan.obstacles.is_empty() {
        let stored = plan.names.clone();
        let rows = |table: &Table| {
            let known = facts.tables.get(stored.table(&table.name.to_string()));
            known.map_or(0, |facts| facts.rows)
        };
        plan_formulas(&mut plan, noted.as_ref(), wanted, Dialect::Postgres, &rows);
    }
    Ok(plan)
}

/// Whether a plan may be carried out.
///
/// # Errors
/// [`MigrateFault::Obstacles`], [`MigrateFault::NotAllowed`], [`MigrateFault::AllowedInVain`], [`MigrateFault::Store`].
pub fn may(store: &Store, plan: &Migration, allowed: &[String]) -> Result<(), MigrateFault> {
    let mut obstacles = plan.obstacles.clone();
    let blocking: Vec<_> = plan.losses.iter().filter(|loss| loss.blocks).cloned().collect();
    obstacles.extend(crate::real_losses(store, &blocking, None)?.into_iter().map(|l| l.sentence));
    if !obstacles.is_empty() {
        return Err(MigrateFault::Obstacles(obstacles));
    }
    let allows = |said: &str, name: &str| allows(store.dialect(), said, name);
    let is_missing = |drop: &&migration::Drop| !allowed.iter().any(|said| allows(said, &drop.name));
    let missing: Vec<migration::Drop> = plan.drops.iter().filter(is_missing).cloned().collect();
    let strange = allowed_in_vain(store.dialect(), plan, allowed);
    if !missing.is_empty() {
        return Err(MigrateFault::NotAllowed(missing, strange));
    }
    if strange.is_empty() { Ok(()) } else { Err(MigrateFault::AllowedInVain(strange)) }
}

/// What was allowed that a plan does not do.
fn allowed_in_vain(dialect: Dialect, plan: &Migration, allowed: &[String]) -> Vec<String> {
    let is_strange =
        |said: &&String| !plan.drops.iter().any(|drop| allows(dialect, said, &drop.name));
    allowed.iter().filter(is_strange).cloned().collect()
}

/// Whether what was said allows what is called so. On SQLite, where a service is no part of a name, a column may be said with it, as
/// PostgreSQL calls it, so that one command serves both: `sales.customer.phone`. A table may not: `customer.phone` is a column, and
/// must never allow that a table `phone` goes.
fn allows(dialect: Dialect, said: &str, name: &str) -> bool {
    if said == name {
        return true;
    }
    let is_column_of_service =
        said.split_once('.').is_some_and(|(_, rest)| rest == name && name.contains('.'));
    dialect == Dialect::Sqlite && is_column_of_service
}

/// Brings the database to a model, or goes on with that.
///
/// # Errors
/// [`MigrateFault`]; what was done stays, and the same call goes on from there.
pub fn apply(
    store: &Store,
    wanted: &Loaded,
    load: &BTreeMap<String, f64>,
    terms: &Terms,
    told: &mut dyn FnMut(Progress<'_>),
) -> Result<Outcome, MigrateFault> {
    apply_up_to(AGAIN, store, wanted, load, terms, told)
}

fn apply_up_to(
    again: u32,
    store: &Store,
    wanted: &Loaded,
    load: &BTreeMap<String, f64>,
    terms: &Terms,
    told: &mut dyn FnMut(Progress<'_>),
) -> Result<Outcome, MigrateFault> {
    let Some(migrator) = store.migrator()? else { return at_once(store, wanted, terms, told) };
    let (schema, to) = (&*wanted.schema, schema::fingerprint(&wanted.schema));
    let formulas = Formulas::of(&wanted.model).fingerprint();
    let mut record = match status(store)? {
        Some(record) if record.to != to || record.state == State::Undoing => {
            let Record { to, state, began, .. } = record;
            return Err(MigrateFault::UnderWay { to, state, began });
        }
        Some(record) => {
            let strange = allowed_in_vain(store.dialect(), &record.plan, &terms.allowed);
            if !strange.is_empty() {
                return Err(MigrateFault::AllowedInVain(strange));
            }
            record
        }
        None => {
            let mut plan = plan(store, wanted, load)?;
            if terms.leave_values {
                plan.steps.retain(|step| !matches!(step.work, Work::Compute { .. }));
            }
            if plan.is_empty() {
                final_names(store, &migrator, terms.alone, told)?;
                settle(store, schema)?;
                if !terms.leave_values {
                    note_no_more(store, &wanted.model)?;
                }
                return Ok(Outcome::Nothing);
            }
            may(store, &plan, &terms.allowed)?;
            hold(&migrator, &plan, Phase::Expand)?;
            if plan.only_computes() && !terms.alone {
                only_ours(&migrator, &server_name(&to, &formulas))?;
            }
            begin(store, &migrator, plan, (to, formulas.clone()))?
        }
    };
    if record.formulas != formulas {
        // Corrected since it began: what was computed by others is computed once more, also in tables that came with it.
        record.formulas = formulas;
        record.plan.created.clear();
        let noted = text(&record);
        let mut notes = vec![(note::RECORD, noted.as_str())];
        let begun = record.plan.steps.get(record.step);
        let computes = begun.is_some_and(|step| matches!(step.work, Work::Compute { .. }));
        notes.extend(computes.then_some((note::BLOCK, "")));
        migrator.note_down(&notes)?;
    }
    let expanding = record.plan.expanding();
    while record.state == State::Expanding {
        told(Progress::Step(record.step, expanding, &record.plan.steps[record.step]));
        step::run(&migrator, wanted, &mut record, terms.alone, told)?;
    }
    if record.state == State::Expanded {
        // Where only formulas have changed both versions could be served all along.
        if !terms.contract && !record.plan.only_computes() {
            return Ok(Outcome::Expanded(Box::new(record)));
        }
        hold(&migrator, &record.plan, Phase::Contract)?;
        record.state = State::Contracting;
        turn(&migrator, &record, "new", terms.alone)?;
    }
    let contracting = record.plan.steps.len() - expanding;
    while record.step < record.plan.steps.len() {
        let at = record.step - expanding;
        told(Progress::Step(at, contracting, &record.plan.steps[record.step]));
        step::run(&migrator, wanted, &mut record, terms.alone, told)?;
    }
    let others = match terms.alone {
        true => 0,
        false => migrator.connected(Some(&server_name(&record.to, &record.formulas)))?,
    };
    let entry = end(store, &migrator, &record, Some((wanted, others > 0)))?;
    settle(store, schema)?;
    let is_open = || has_new_formulas(store, &wanted.model);
    if again > 0 && others == 0 && !terms.leave_values && is_open()? {
        // Formulas have changed while it was under way, servers of other ones have come and gone, or it was begun by a version that
        // did not plan for them. Where such servers come again and again, it is left to those that stay.
        drop(migrator);
        let terms = Terms { alone: terms.alone, ..Terms::default() };
        apply_up_to(again - 1, store, wanted, load, &terms, told)?;
    }
    Ok(Outcome::Done(entry))
}

/// Records that a change begins.
fn begin(
    store: &Store,
    migrator: &Migrator,
    plan: Migration,
    (to, formulas): (String, String),
) -> Result<Record, MigrateFault> {
    let from = noted_schema(store)?.unwrap_or_default();
    let state = if plan.expanding() == 0 { State::Expanded } else { State::Expanding };
    let names = plan.names.clone();
    let from_formulas = Formulas::noted(store)?.map(|it| it.fingerprint()).unwrap_or_default();
    let began = now();
    let record = Record { began, from, to, from_formulas, formulas, state, step: 0, names, plan };
    migrator.note_down(&[(note::RECORD, &text(&record)), (note::BLOCK, "")])?;
    Ok(record)
}

/// Records that a change has ended: in which model, and whether servers of other formulas run; nothing of that if it was undone.
fn end(
    store: &Store,
    migrator: &Migrator,
    record: &Record,
    done: Option<(&Loaded, bool)>,
) -> Result<Entry, MigrateFault> {
    let undone = done.is_none();
    let entry = Entry {
        began: record.began.clone(),
        ended: now(),
        from: record.from.clone(),
        to: record.to.clone(),
        undone,
        summary: record.plan.summary.clone(),
        backup: None,
    };
    let mut history = history(store)?;
    history.push(entry.clone());
    let (history, names) = (text(&history), text(&record.names));
    let mut notes = vec![(note::RECORD, ""), (note::HISTORY, history.as_str())];
    let followed = text(&followed(store, record, done)?);
    notes.push((note::FORMULAS, followed.as_str()));
    if !undone {
        notes.extend([(note::NAMES, names.as_str()), (note::SCHEMA, record.to.as_str())]);
    }
    migrator.note_down(&notes)?;
    Ok(entry)
}

/// What values follow at the end of a change, as far as it is known: whoever finds something unknown computes it.
fn followed(
    store: &Store,
    record: &Record,
    done: Option<(&Loaded, bool)>,
) -> Result<Formulas, MigrateFault> {
    // Undone, rows that the new version wrote follow its formulas; and others write what theirs say.
    let Some((wanted, false)) = done else { return Ok(Formulas::default()) };
    let mut known = Formulas::noted(store)?.unwrap_or_default();
    let (model, formulas) = (&wanted.model, Formulas::of(&wanted.model));
    for root in model.entity_ids().filter(|entity| model.part_of(*entity).is_none()) {
        if record.plan.created.contains(&wanted.schema.table(root).name.to_string()) {
            known.take(&computed::name_of(model, root), &formulas);
        }
    }
    Ok(known.same_as(&formulas))
}

/// Records that only one version may be served from now on, if no other is.
fn turn(
    migrator: &Migrator,
    record: &Record,
    version: &'static str,
    alone: bool,
) -> Result<(), MigrateFault> {
    let noted = text(record);
    let notes = [(note::RECORD, noted.as_str())];
    let step = Step::named("see that no other version is served");
    if alone {
        return stepwise(migrator, &step, &mut |_| {}, || migrator.note_down(&notes));
    }
    let kept = match version {
        "new" => Some(server_name(&record.to, &record.formulas)),
        // Of nothing there was no version before.
        _ if record.from.is_empty() => None,
        // Where only formulas differ, they alone say which version it is.
        _ if record.from == record.to => Some(server_name(&record.from, &record.from_formulas)),
        _ => Some(server_name(&record.from, "")),
    };
    let turned = stepwise(migrator, &step, &mut |_| {}, || {
        migrator.unless_served(kept.as_deref(), (&[], &[]), &notes)
    })?;
    if turned {
        return Ok(());
    }
    let connections = migrator.connected(kept.as_deref())?;
    Err(if record.plan.only_computes() {
        MigrateFault::OtherFormulas { connections }
    } else {
        MigrateFault::Served { connections, version }
    })
}

/// Whether only servers of our formulas run.
fn only_ours(migrator: &Migrator, kept: &str) -> Result<(), MigrateFault> {
    match migrator.connected(Some(kept))? {
        0 => Ok(()),
        connections => Err(MigrateFault::OtherFormulas { connections }),
    }
}

/// Renames if nobody runs who knows the names as they are; whether it did.
fn rename(
    migrator: &Migrator,
    alone: bool,
    (locked, statements): (&[String], &[String]),
    notes: &[(&str, &str)],
) -> Result<bool, StoreFault> {
    if alone {
        return migrator.transaction(locked, statements, notes).map(|()| true);
    }
    migrator.unless_served(None, (locked, statements), notes)
}

/// Whether the rows are such that a half of the change can be carried out.
fn hold(migrator: &Migrator, plan: &Migration, phase: Phase) -> Result<(), MigrateFault> {
    let mut obstacles = Vec::new();
    // What can be asked before the first half is asked before the second again: the old version has written since.
    let asked = plan
        .conditions
        .iter()
        .filter(|condition| phase == Phase::Contract || condition.phase == Phase::Expand);
    for condition in asked {
        if migrator.finds(&condition.sql)? {
            obstacles.push(condition.sentence.clone());
        }
    }
    if obstacles.is_empty() { Ok(()) } else { Err(MigrateFault::Obstacles(obstacles)) }
}

/// Takes back a change that has not been completed.
///
/// # Errors
/// [`MigrateFault`]; the same call goes on from there.
pub fn rollback(
    store: &Store,
    alone: bool,
    told: &mut dyn FnMut(Progress<'_>),
) -> Result<Entry, MigrateFault> {
    let Some(migrator) = store.migrator()? else {
        return Err(MigrateFault::NothingToUndo(
            "on SQLite a change happens whole or not at all, so that there is never one to take back. To go back to the \
             model before, write it and `mimar migrate apply`; `mimar migrate history` names the backups",
        ));
    };
    let Some(mut record) = status(store)? else {
        return Err(MigrateFault::NothingToUndo(
            "no change is under way. To go back to the model before, write it and `mimar migrate apply`",
        ));
    };
    if record.state == State::Contracting && !record.plan.only_computes() {
        return Err(MigrateFault::NothingToUndo(
            "what only the old version needed is going already: complete the change with `mimar migrate apply`. To go back \
             to the model before, write it and apply that",
        ));
    }
    if record.state != State::Undoing {
        // A build that did not end may have left an index behind.
        let begun = record.plan.steps.get(record.step);
        if begun.is_some_and(|step| matches!(step.work, Work::CreateIndex { .. })) {
            record.step += 1;
        }
        record.state = State::Undoing;
        turn(&migrator, &record, "old", alone)?;
    }
    let all = record.step;
    while record.step > 0 {
        let step = record.plan.steps[record.step - 1].clone();
        let mut next = record.clone();
        next.step -= 1;
        let noted = text(&next);
        let notes = [(note::RECORD, noted.as_str())];
        told(Progress::Step(all - record.step, all, &step));
        match &step.work {
            Work::CreateIndex { name, .. } => {
                stepwise(&migrator, &step, told, || migrator.alone(&drop_index(name)))?;
                migrator.note_down(&notes)?;
            }
            _ => stepwise(&migrator, &step, told, || {
                migrator.transaction(&step.locked, &step.undo, &notes)
            })?,
        }
        record = next;
    }
    end(store, &migrator, &record, None)
}

/// Gives things their final names that still have others, if nobody runs who knows those.
fn final_names(
    store: &Store,
    migrator: &Migrator,
    alone: bool,
    told: &mut dyn FnMut(Progress<'_>),
) -> Result<(), MigrateFault> {
    let Some(step) = migration::final_names(&names(store)?) else { return Ok(()) };
    let Work::Rename { statements } = &step.work else { return Ok(()) };
    let renamed = stepwise(migrator, &step, told, || {
        rename(migrator, alone, (&step.locked, statements), &[(note::NAMES, "")])
    })?;
    if !renamed {
        told(Progress::NamesStay);
    }
    Ok(())
}

/// The whole change in one transaction, as SQLite can.
fn at_once(
    store: &Store,
    wanted: &Loaded,
    terms: &Terms,
    told: &mut dyn FnMut(Progress<'_>),
) -> Result<Outcome, MigrateFault> {
    let plan = plan(store, wanted, &BTreeMap::new())?;
    if plan.is_empty() {
        settle(store, &wanted.schema)?;
        note_no_more(store, &wanted.model)?;
        return Ok(Outcome::Nothing);
    }
    may(store, &plan, &terms.allowed)?;
    if let Some(path) = &terms.backup {
        store.back_up(path)?;
    }
    let entry = Entry {
        began: now(),
        ended: now(),
        from: noted_schema(store)?.unwrap_or_default(),
        to: schema::fingerprint(&wanted.schema),
        undone: false,
        summary: plan.summary.clone(),
        backup: terms.backup.as_ref().map(|path| path.display().to_string()),
    };
    let mut history = history(store)?;
    history.push(entry.clone());
    let is_change = |step: &&Step| matches!(step.work, Work::Transaction { .. });
    let statements: Vec<String> = plan
        .steps
        .iter()
        .filter(is_change)
        .flat_map(|step| step.statements().into_owned())
        .collect();
    // Until they are computed, it is not known what the values follow: who dies here leaves that to whoever comes next.
    let computes = plan.steps.iter().any(|step| matches!(step.work, Work::Compute { .. }));
    let history = text(&history);
    let mut notes = vec![(note::HISTORY, history.as_str())];
    notes.extend(computes.then_some((note::FORMULAS, "")));
    store.migrate(&statements, &notes)?;
    settle(store, &wanted.schema)?;
    let rows = settle_formulas(store, wanted, &[])?;
    if rows > 0 {
        told(Progress::Computed(rows));
    }
    Ok(Outcome::Done(entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consent_to_a_column_is_none_to_a_table() {
        for (said, name, on_sqlite, on_postgres) in [
            ("customer.phone", "customer.phone", true, true),
            ("sales.customer.phone", "customer.phone", true, false),
            ("customer.phone", "phone", false, false),
            ("sales.phone", "phone", false, false),
            ("xcustomer.phone", "customer.phone", false, false),
            ("phone", "customer.phone", false, false),
        ] {
            assert_eq!(allows(Dialect::Sqlite, said, name), on_sqlite, "{said} {name}");
            assert_eq!(allows(Dialect::Postgres, said, name), on_postgres, "{said} {name}");
        }
    }
}
