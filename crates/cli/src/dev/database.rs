//! The database of development: it follows the model as long as nothing is lost.

use std::fs;
use std::io;

use engine::{Loaded, Mismatch};
use schema::{Change, Loss, Schema};
use store::Store;

use crate::command::serve::summary;
use crate::data;
use crate::failure::Failure;
use crate::place::Place;
use crate::project::Project;

/// Opens the database; `fresh` deletes it before.
pub(super) fn open(place: &Place, fresh: bool) -> Result<Store, Failure> {
    if fresh {
        let path = place.file().ok_or_else(|| Failure::NotFresh { place: place.to_string() })?;
        for ending in ["", "-wal", "-shm"] {
            let mut file = path.as_os_str().to_owned();
            file.push(ending);
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Failure::file("delete", file)(error));
                }
                _ => {}
            }
        }
    }
    place.open()
}

/// Where it is noted whether the project's rows still have to be loaded.
const ROWS: &str = "rows";
const WAITING: &str = "waiting";
const DONE: &str = "done";

/// Gives the database the tables of the model; whether the project's rows are to be loaded into it.
pub(super) fn follow(
    store: &Store,
    loaded: &Loaded,
    place: &Place,
    accept_loss: bool,
) -> Result<bool, Failure> {
    store.know(&loaded.schema.tables);
    let Some(mismatch) = engine::verify_schema(store, &loaded.schema)? else {
        data::recompute(store, loaded, false)?;
        // A load that failed leaves the tables behind: mended, it goes on.
        return Ok(store.meta(ROWS)?.as_deref() == Some(WAITING));
    };
    if !mismatch.can_follow {
        return Err(stays(place, &mismatch));
    }
    may_change(store, &mismatch.change, None, accept_loss)?;
    store.execute_schema(&mismatch.change.statements)?;
    if mismatch.empty {
        store.set_meta(ROWS, WAITING)?;
        data::note_formulas(store, loaded)?;
    } else {
        for line in &mismatch.change.summary {
            crate::screen::note(line);
        }
        data::recompute(store, loaded, !mismatch.change.recompute.is_empty())?;
    }
    Ok(mismatch.empty)
}

/// The tables are others, and stay as they are.
pub(super) fn stays(place: &Place, mismatch: &Mismatch) -> Failure {
    Failure::Stays { place: place.to_string(), summary: summary(mismatch) }
}

/// Whether a change may happen: nothing is lost, or that was accepted.
pub(super) fn may_change(
    store: &Store,
    change: &Change,
    before: Option<&Schema>,
    accept_loss: bool,
) -> Result<(), Failure> {
    let losses = engine::real_losses(store, change, before)?;
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
    let rows = if folder.is_dir() { Some(data::load(&folder, store, loaded)?) } else { None };
    store.set_meta(ROWS, DONE)?;
    Ok(rows)
}
