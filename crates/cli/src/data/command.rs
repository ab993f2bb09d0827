//! `mimar data load` and `mimar data dump`

use std::sync::Arc;
use std::time::Instant;

use store::Store;

use super::{dump as write_files, load as read_files, note_formulas, recompute};
use crate::arguments::{DataDump, DataLoad, DataPlace};
use crate::command::serve::differs;
use crate::failure::Failure;
use crate::place::Place;
use crate::project::Project;
use crate::screen;

pub(crate) fn load(arguments: &DataLoad) -> Result<(), Failure> {
    let began = Instant::now();
    let (loaded, store, is_new) = open(&arguments.place, true)?;
    let outcome = read_files(&arguments.folder, &store, &loaded)?;
    if is_new {
        note_formulas(&store, &loaded)?;
    } else {
        recompute(&store, &loaded, false)?;
    }
    store.close();
    screen::note(&format!(
        "loaded {} from {} in {} ms",
        screen::count(outcome.rows, "row", "rows"),
        screen::count(outcome.files as u64, "file", "files"),
        began.elapsed().as_millis()
    ));
    Ok(())
}

pub(crate) fn dump(arguments: &DataDump) -> Result<(), Failure> {
    let (loaded, store, _) = open(&arguments.place, false)?;
    let rows = write_files(&arguments.folder, arguments.format, &store, &loaded)?;
    store.close();
    screen::note(&format!(
        "wrote {} to {}",
        screen::count(rows, "row", "rows"),
        arguments.folder.display()
    ));
    Ok(())
}

/// The model and its database; whether the database is new.
fn open(place: &DataPlace, create: bool) -> Result<(engine::Loaded, Store, bool), Failure> {
    let (project, model) = Project::read(&place.project)?.valid()?;
    let at = match (&place.database, &place.environment) {
        (None, None) => Place::of_development(&project, &model)?,
        (said, named) => Place::of_production(said.as_ref(), named.as_deref(), &project, &model)?,
    };
    if let Some(path) = at.file().filter(|path| !create && !path.exists()) {
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(Failure::File { doing: "read", path: path.to_owned(), source: missing });
    }
    let schema = Arc::new(schema::derive(&model));
    let loaded = engine::Loaded::new(Arc::new(model), schema);
    let store = at.open()?;
    store.know(&loaded.schema.tables);
    match engine::verify_schema(&store, &loaded.schema)? {
        None => Ok((loaded, store, false)),
        Some(mismatch) if mismatch.empty && create => {
            store.execute_schema(&mismatch.change.statements)?;
            Ok((loaded, store, true))
        }
        Some(mismatch) => Err(differs(&at, &mismatch)),
    }
}
