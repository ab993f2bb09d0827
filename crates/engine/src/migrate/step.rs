//! One step of a change, carried out and recorded.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use model::EntityId;
use schema::{Names, Step, Work, migration};
use store::{Compute, Migrator, Renewal, StoreFault};

use super::computed::{Computing, Pace, name_of};
use super::{Formulas, MigrateFault, Progress, Record, State, note, rename, server_name, text};
use crate::Loaded;

/// How often a step that does not get its lock is tried, and the longest pause between.
const TRIES: u32 = 40;
const LONGEST: Duration = Duration::from_secs(3);

/// How long a batch shall take: whoever comes in it waits for a core for no longer. The pause after it is twice as long as it took.
pub(super) const BATCH: Duration = Duration::from_millis(2);

/// Blocks (of 8 kB) that a batch begins with, and has at least and at most.
const BLOCKS: u64 = 8;
const LEAST_BLOCKS: u64 = 2;
const MOST_BLOCKS: u64 = 4_096;

/// Carries the next step out and records it, with it where a transaction holds both.
pub(super) fn run(
    migrator: &Migrator,
    wanted: &Loaded,
    record: &mut Record,
    alone: bool,
    told: &mut dyn FnMut(Progress<'_>),
) -> Result<(), MigrateFault> {
    let step = record.plan.steps[record.step].clone();
    let mut next = record.clone();
    next.step += 1;
    if next.state == State::Expanding && next.step == next.plan.expanding() {
        next.state = State::Expanded;
    }
    let noted = text(&next);
    let notes = [(note::RECORD, noted.as_str()), (note::BLOCK, "")];
    match &step.work {
        Work::Transaction { statements } => {
            stepwise(migrator, &step, told, || {
                migrator.transaction(&step.locked, statements, &notes)
            })?;
        }
        Work::CreateIndex { name, statement } => {
            stepwise(migrator, &step, told, || {
                match migrator.index(name)? {
                    Some(true) => return Ok(()),
                    // Left behind by a build that did not end.
                    Some(false) => migrator.alone(&drop_index(name))?,
                    None => {}
                }
                let built = migrator.alone(statement);
                if built.is_err() && migrator.index(name)? == Some(false) {
                    migrator.alone(&drop_index(name))?;
                }
                built
            })?;
            migrator.note_down(&notes)?;
        }
        Work::DropIndex { statement } => {
            stepwise(migrator, &step, told, || migrator.alone(statement))?;
            migrator.note_down(&notes)?;
        }
        Work::Backfill { table, assignments, condition } => {
            fill(migrator, &step, (table, assignments, condition), told)?;
            migrator.note_down(&notes)?;
        }
        Work::Compute { table, columns, rows } => {
            let version = (wanted, &record.names);
            let from = migrator.note(note::BLOCK)?.filter(|key| !key.is_empty());
            if columns.is_empty() && from.is_none() {
                let kept = server_name(&record.to, &record.formulas);
                let kept = (!alone).then_some(kept.as_str());
                begin(migrator, (wanted, table), &record.began, kept)?;
            }
            let rows = compute(migrator, &step, version, (table, columns, *rows), from, told)?;
            told(Progress::Computed(rows));
            // Of new columns alone the old version knows nothing, and follows its own formulas.
            let followed = match root_of(wanted, table).filter(|_| columns.is_empty()) {
                Some(root) => {
                    let mut known = known(migrator)?;
                    let name = name_of(&wanted.model, root);
                    known.finish(&name, &Formulas::of(&wanted.model), &record.began);
                    Some(text(&known))
                }
                None => None,
            };
            let followed = followed.as_deref().map(|followed| (note::FORMULAS, followed));
            let notes: Vec<(&str, &str)> = notes.into_iter().chain(followed).collect();
            migrator.note_down(&notes)?;
        }
        Work::Rename { statements } => {
            let mut named = next.clone();
            named.names = Names::default();
            let noted = text(&named);
            let renamed = stepwise(migrator, &step, told, || {
                let tables = (step.locked.as_slice(), statements.as_slice());
                rename(migrator, alone, tables, &[(note::RECORD, &noted)])
            })?;
            if renamed {
                next = named;
            } else {
                told(Progress::NamesStay);
                migrator.note_down(&notes)?;
            }
        }
    }
    *record = next;
    Ok(())
}

pub(super) fn drop_index(name: &str) -> String {
    format!("DROP INDEX CONCURRENTLY IF EXISTS {}", migration::qualified(name))
}

/// The same with a step of a change under way.
pub(super) fn stepwise<T>(
    migrator: &Migrator,
    step: &Step,
    told: &mut dyn FnMut(Progress<'_>),
    attempt: impl FnMut() -> Result<T, StoreFault>,
) -> Result<T, MigrateFault> {
    patiently(&step.title, Some(&|| migrator.oldest()), told, attempt)
}

/// Tries again and again until a lock is to be had, with pauses that grow and differ.
pub(super) fn patiently<T>(
    title: &str,
    holder: Option<&dyn Fn() -> Option<String>>,
    told: &mut dyn FnMut(Progress<'_>),
    mut attempt: impl FnMut() -> Result<T, StoreFault>,
) -> Result<T, MigrateFault> {
    let mut tries = 0;
    loop {
        tries += 1;
        match attempt() {
            Err(StoreFault::Busy) if tries < TRIES => {
                told(Progress::Waiting(tries));
                let pause = Duration::from_millis(100) * 2_u32.pow(tries.min(6));
                // Two who wait for each other shall not do so in step.
                let jitter = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let jitter = jitter.subsec_nanos() % 100;
                std::thread::sleep(pause.min(LONGEST) + Duration::from_millis(jitter.into()));
            }
            Err(StoreFault::Busy) => {
                let holder = holder.and_then(|holder| holder());
                return Err(MigrateFault::Locked { step: title.to_owned(), tries, holder });
            }
            other => return Ok(other?),
        }
    }
}

/// How many the next batch takes after one of so many took so long.
pub(super) fn next(many: u64, took: Duration, most: u64) -> u64 {
    // Nothing took no time at all.
    let fitting = many as f64 * BATCH.as_secs_f64() / took.as_secs_f64().max(1e-6);
    (fitting as u64).clamp(many / 2, many * 2).clamp(1, most)
}

/// Leaves the traffic alone for twice as long as a batch took; what it waited for others in it is no work.
pub(super) fn rest(took: Duration) {
    std::thread::sleep((took * 2).min(BATCH * 50));
}

/// Fills rows that are there, some blocks at a time, as fast as leaves the traffic alone.
fn fill(
    migrator: &Migrator,
    step: &Step,
    (table, assignments, condition): (&str, &str, &str),
    told: &mut dyn FnMut(Progress<'_>),
) -> Result<(), MigrateFault> {
    // Rows that come or change from now on are filled by the trigger: what is behind the last block of now needs nothing.
    // Blocks that were done before a process died are looked at again, and hold nothing to do.
    let all = migrator.blocks(table)?;
    let table = migration::qualified(table);
    let (mut from, mut blocks) =
        (migrator.note(note::BLOCK)?.and_then(|at| at.parse().ok()).unwrap_or(0), BLOCKS);
    while from < all {
        let to = (from + blocks).min(all);
        let statement = format!(
            "UPDATE {table} SET {assignments} WHERE ctid >= '({from},0)'::tid AND ctid < '({to},0)'::tid AND ({condition})"
        );
        let position = to.to_string();
        let began = Instant::now();
        stepwise(migrator, step, told, || migrator.batch(&statement, &[(note::BLOCK, &position)]))?;
        let took = began.elapsed();
        from = to;
        told(Progress::Filled(from, all));
        blocks = next(blocks, took, MOST_BLOCKS).max(LEAST_BLOCKS);
        rest(took);
    }
    Ok(())
}

/// Notes that the values of an aggregate are being computed by this change, if nobody is there who is called otherwise than `kept`: they do not look
/// at the note once more, and may have gone when all is computed.
fn begin(
    migrator: &Migrator,
    (wanted, table): (&Loaded, &str),
    by: &str,
    kept: Option<&str>,
) -> Result<(), MigrateFault> {
    let Some(root) = root_of(wanted, table) else { return Ok(()) };
    let (name, mut known) = (name_of(&wanted.model, root), known(migrator)?);
    known.begin(&name, &Formulas::of(&wanted.model), by);
    migrator.note_down(&[(note::FORMULAS, &text(&known))])?;
    if let Some(kept) = kept
        && migrator.connected(Some(kept))? > 0
    {
        known.forget(&name);
        migrator.note_down(&[(note::FORMULAS, &text(&known))])?;
    }
    Ok(())
}

/// Computes values of an aggregate anew, from behind the root where it was left; rows written.
fn compute(
    migrator: &Migrator,
    step: &Step,
    (wanted, names): (&Loaded, &Names),
    (table, columns, all): (&str, &[(String, String)], u64),
    from: Option<String>,
    told: &mut dyn FnMut(Progress<'_>),
) -> Result<u64, MigrateFault> {
    let Some(root) = root_of(wanted, table) else { return Ok(0) };
    let is_written = |entity: EntityId, at: usize| {
        let table = wanted.schema.table(entity);
        let is = |(of, column): &(String, String)| {
            *of == table.name.to_string() && table.columns[at].name.as_str() == column
        };
        columns.iter().any(is)
    };
    let written: Option<&dyn Fn(EntityId, usize) -> bool> =
        if columns.is_empty() { None } else { Some(&is_written) };
    let schema = (*wanted.schema).clone().stored_under(names);
    let stored = Loaded::new(Arc::clone(&wanted.model), Arc::new(schema));
    let told = RefCell::new(told);
    let mut renew = |renewal: &Renewal<'_>, compute: &mut Compute<'_>| {
        let mut told = |progress: Progress<'_>| (told.borrow_mut())(progress);
        stepwise(migrator, step, &mut told, || migrator.renew(renewal, note::BLOCK, compute))
    };
    let mut seen = |seen: u64| (told.borrow_mut())(Progress::Filled(seen, all.max(seen)));
    let computing = Computing::new(&stored, root, written);
    computing.run(from.as_deref(), Pace::Gentle, &mut renew, &mut seen)
}

/// The root with a table. A plan was made for the tables of the model that it is carried out with: their fingerprint says so.
fn root_of(wanted: &Loaded, table: &str) -> Option<EntityId> {
    let is_root = |entity: &EntityId| wanted.schema.table(*entity).name.to_string() == table;
    wanted.model.entity_ids().find(is_root)
}

/// What values follow, as far as it is known.
fn known(migrator: &Migrator) -> Result<Formulas, MigrateFault> {
    let noted = migrator.note(note::FORMULAS)?;
    Ok(noted.and_then(|noted| serde_json::from_str(&noted).ok()).unwrap_or_default())
}
