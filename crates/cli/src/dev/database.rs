//! The database of development: it follows the model as long as nothing is lost.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::time::UNIX_EPOCH;

use std::collections::BTreeMap;

use engine::migrate::{self, State, Terms};
use engine::{Cause, Loaded, Mismatch, Standing};
use operation::Dialect;
use schema::{Loss, Schema};
use store::Store;

use crate::command::serve::differs;
use crate::data;
use crate::failure::Failure;
use crate::place::Place;
use crate::project::Project;

/// Makes sure that nobody else develops in the project's own `folder`, for as long as what is answered lives.
pub(super) fn alone(folder: &Path) -> Result<File, Failure> {
    fs::create_dir_all(folder).map_err(Failure::file("create", folder))?;
    let path = folder.join("dev.lock");
    let open = File::options().create(true).truncate(false).write(true).open(&path);
    let lock = open.map_err(Failure::file("open", &path))?;
    match lock.try_lock() {
        Err(TryLockError::WouldBlock) => {
            let path = folder.parent().unwrap_or(folder).to_owned();
            Err(Failure::DevelopedMeanwhile { path })
        }
        // A file system that knows no locks keeps nobody out.
        _ => Ok(lock),
    }
}

/// Opens the database; `fresh` deletes it before. Nobody may serve it where rows are to go: `fresh`, or `accept_loss`.
pub(super) fn open(place: &Place, fresh: bool, accept_loss: bool) -> Result<Store, Failure> {
    let is_there = place.file().is_some_and(Path::exists);
    let _alone = if is_there && (fresh || accept_loss) {
        place.alone().map_err(|failure| match failure {
            Failure::BeingServed { path } => Failure::ServedMeanwhile { path },
            other => other,
        })?
    } else {
        None
    };
    if fresh {
        let path = place.file().ok_or_else(|| Failure::NotFresh { place: place.to_string() })?;
        Place::remove(path)?;
    }
    place.open()
}

/// Where it is noted whether the project's rows still have to be loaded.
const ROWS: &str = "rows";
/// Where it is noted when the files were saved that were loaded.
const ROWS_OF: &str = "rows_of";
const WAITING: &str = "waiting";
const DONE: &str = "done";

/// Gives the database the tables of the model; whether the project's rows are to be loaded into it.
pub(super) fn follow(
    store: &Store,
    loaded: &Loaded,
    place: &Place,
    accept_loss: bool,
) -> Result<bool, Failure> {
    store.know(&loaded.schema.tables, loaded.plan.redraws());
    let fresh = match engine::stand(store, &loaded.schema)? {
        Standing::Fits(names) if names.is_empty() => {
            migrate::settle_formulas(store, loaded, &[])?;
            // A load that failed leaves the tables behind: mended, it goes on.
            store.meta(ROWS)?.as_deref() == Some(WAITING)
        }
        Standing::Fits(names) if names.are_adopted() => {
            return Err(Failure::NotOurs { place: place.to_string() });
        }
        // Left behind by servers that ran here.
        Standing::Fits(_) => return Err(Failure::Renaming { place: place.to_string() }),
        Standing::Empty(statements) => {
            store.execute_schema(&statements)?;
            store.set_meta(ROWS, WAITING)?;
            migrate::note_formulas(store, &loaded.model)?;
            true
        }
        Standing::Differs(mismatch) => {
            can_follow(store, place, &mismatch)?;
            may_change(store, &mismatch.change.losses, None, accept_loss)?;
            change(store, loaded, &mismatch)?;
            for line in &mismatch.change.summary {
                crate::screen::note(line);
            }
            migrate::settle_formulas(store, loaded, &mismatch.change.recompute)?;
            false
        }
    };
    migrate::settle(store, &loaded.schema)?;
    Ok(fresh)
}

/// Whether the tables may be changed at all: not while somebody else changes them.
pub(super) fn can_follow(store: &Store, place: &Place, mismatch: &Mismatch) -> Result<(), Failure> {
    if matches!(mismatch.cause, Cause::UnderWay(_)) {
        return Err(differs(place, mismatch));
    }
    if matches!(mismatch.cause, Cause::Foreign(_)) {
        return Err(Failure::NotOurs { place: place.to_string() });
    }
    let Cause::Drift(lines) = &mismatch.cause else { return Ok(()) };
    if mismatch.change.is_empty() {
        // The tables are right; what stands beside them is for the one who put it there to know.
        crate::screen::note("beside the model's tables there was put by hand:");
        lines.iter().for_each(|line| crate::screen::note(line));
        return Ok(());
    }
    if !lines.is_empty() && store.dialect() == Dialect::Postgres {
        return Err(differs(place, mismatch));
    }
    Ok(())
}

/// Makes the tables those of the model: nobody else is served meanwhile.
pub(super) fn change(store: &Store, loaded: &Loaded, mismatch: &Mismatch) -> Result<(), Failure> {
    if store.dialect() == Dialect::Sqlite {
        return Ok(store.execute_schema(&mismatch.change.statements)?);
    }
    let plan = migrate::plan(store, loaded, &BTreeMap::new())?;
    // What would be lost was asked before.
    let allowed = plan.drops.into_iter().map(|drop| drop.name).collect();
    // Values are computed when the tables are right: one that cannot be is told, and stands in nobody's way.
    let terms = Terms { allowed, contract: true, alone: true, leave_values: true, backup: None };
    let Err(fault) = migrate::apply(store, loaded, &BTreeMap::new(), &terms, &mut |_| {}) else {
        return Ok(());
    };
    // What was begun would keep the next edit out.
    if migrate::status(store)?.is_some_and(|record| record.state == State::Expanding) {
        migrate::rollback(store, true, &mut |_| {})?;
    }
    Err(fault.into())
}

/// Whether a change may happen: nothing is lost, or that was accepted.
pub(super) fn may_change(
    store: &Store,
    losses: &[Loss],
    before: Option<&Schema>,
    accept_loss: bool,
) -> Result<(), Failure> {
    let losses = engine::real_losses(store, losses, before)?;
    let sentences = |wanted: &dyn Fn(&&Loss) -> bool| {
        let lines: Vec<String> =
            losses.iter().filter(wanted).map(|loss| format!("  {}", loss.sentence)).collect();
        lines.join("\n")
    };
    if losses.iter().any(|loss| loss.blocks) {
        return Err(Failure::Blocked { losses: sentences(&|loss| loss.blocks) });
    }
    if !losses.is_empty() && !accept_loss {
        return Err(Failure::Lossy { losses: sentences(&|_| true) });
    }
    Ok(())
}

/// Loads the project's `data` folder into a new database, if there is one.
pub(super) fn fill(
    project: &Project,
    store: &Store,
    loaded: &Loaded,
) -> Result<Option<data::Loaded>, Failure> {
    let folder = project.root.join("data");
    // Asked before they are read: what is saved meanwhile counts as newer.
    let saved = last_save(&folder);
    let rows = if folder.is_dir() { Some(data::load(&folder, store, loaded)?) } else { None };
    if let Some(saved) = saved {
        store.set_meta(ROWS_OF, &saved.to_string())?;
    }
    store.set_meta(ROWS, DONE)?;
    Ok(rows)
}

/// Says so where the files of the `data` folder are others than those that were loaded: rows that somebody has written
/// there and does not find are looked for in vain.
pub(super) fn compare_rows(project: &Project, store: &Store) -> Result<(), Failure> {
    let loaded = store.meta(ROWS_OF)?.and_then(|text| text.parse::<u128>().ok());
    let saved = last_save(&project.root.join("data"));
    if let (Some(loaded), Some(saved)) = (loaded, saved)
        && saved > loaded
    {
        crate::screen::note(
            "files in `data` have changed since their rows were loaded; `mimar dev --fresh` begins with them as they are now",
        );
    }
    Ok(())
}

/// When a file of a folder was last saved, in milliseconds since 1970; `None` where there is none, or nothing to tell it by.
fn last_save(folder: &Path) -> Option<u128> {
    let files = fs::read_dir(folder).ok()?;
    let saves = files.filter_map(|file| file.ok()?.metadata().ok()?.modified().ok());
    let since = saves.filter_map(|save| save.duration_since(UNIX_EPOCH).ok());
    since.map(|since| since.as_millis()).max()
}
