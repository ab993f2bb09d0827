//! `mimar data load` and `mimar data dump`

use std::sync::Arc;
use std::time::Instant;

use engine::migrate::Pace;
use engine::{Standing, migrate};
use model::{Model, Valid};
use operation::Dialect;
use schema::Names;
use store::Store;

use super::{dump as write_files, load as read_files};
use crate::arguments::{DataDump, DataLoad, DataPlace};
use crate::command::serve::differs;
use crate::failure::Failure;
use crate::place::Place;
use crate::project::Project;
use crate::screen;

pub(crate) fn load(arguments: &DataLoad) -> Result<(), Failure> {
    let began = Instant::now();
    let (model, at) = placed(&arguments.place)?;
    let is_file_new = at.file().is_some_and(|path| !path.exists());
    let (loaded, store, is_new) = opened(model, &at, true)?;
    if !is_new {
        // Rows come with what our formulas say.
        migrate::arrive(&store, &loaded.model)?;
    }
    let outcome = read_files(&arguments.from, &store, &loaded).inspect_err(|_| {
        // A file that this load has made goes with it.
        if let Some(path) = at.file().filter(|_| is_file_new) {
            store.close();
            if let Err(failure) = Place::remove(path) {
                screen::complain(&failure);
            }
        }
    })?;
    if is_new {
        migrate::note_formulas(&store, &loaded.model)?;
    } else {
        follow(&store, &loaded)?;
    }
    store.close();
    if !outcome.left.is_empty() {
        screen::note(&format!(
            "note: the model has no entity or field for {}: that stays behind",
            outcome.left.join(", ")
        ));
    }
    let (one, many) = if arguments.from.is_dir() { ("file", "files") } else { ("table", "tables") };
    screen::note(&format!(
        "loaded {} from {} in {} ms",
        screen::count(outcome.rows, "row", "rows"),
        screen::count(outcome.files as u64, one, many),
        began.elapsed().as_millis()
    ));
    Ok(())
}

/// Lets values that were there follow the formulas of this model. Servers may write meanwhile what theirs say: the next one of this
/// model that looks says that it is done.
fn follow(store: &Store, loaded: &engine::Loaded) -> Result<(), Failure> {
    match store.dialect() {
        Dialect::Sqlite => migrate::settle_formulas(store, loaded, &[])?,
        Dialect::Postgres => migrate::recompute(store, loaded, &[], Pace::Brisk, &|| true)?,
    };
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
pub(crate) fn open(
    place: &DataPlace,
    create: bool,
) -> Result<(engine::Loaded, Store, bool), Failure> {
    let (model, at) = placed(place)?;
    opened(model, &at, create)
}

/// The model, and where its rows are.
fn placed(place: &DataPlace) -> Result<(Valid<Model>, Place), Failure> {
    let (project, model) = Project::read(&place.project)?.valid()?;
    let at = match (&place.database, &place.environment) {
        (None, None) => Place::of_development(&project, &model)?,
        (said, named) => Place::of_production(said.as_ref(), named.as_deref(), &project, &model)?,
    };
    Ok((model, at))
}

fn opened(
    model: Valid<Model>,
    at: &Place,
    create: bool,
) -> Result<(engine::Loaded, Store, bool), Failure> {
    if let Some(path) = at.file().filter(|path| !create && !path.exists()) {
        return Err(Failure::NoDatabase { path: path.to_owned() });
    }
    let schema = schema::derive(&model, at.dialect());
    let store = at.open()?;
    let (names, is_new) = match engine::stand(&store, &schema)? {
        Standing::Fits(names) => (names, false),
        Standing::Empty(statements) if create => {
            store.execute_schema(&statements)?;
            (Names::default(), true)
        }
        Standing::Empty(_) => return Err(Failure::Empty { place: at.to_string() }),
        Standing::Differs(mismatch) => return Err(differs(at, &mismatch)),
    };
    migrate::settle(&store, &schema)?;
    let loaded = engine::Loaded::new(Arc::new(model), Arc::new(schema.stored_under(&names)));
    store.know(&loaded.schema.tables, loaded.plan.redraws());
    Ok((loaded, store, is_new))
}
