//! Rows of an SQLite file that others made, in the forms in which files of rows have them.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use engine::Loaded;
use model::EntityId;
use store::others::{self, OthersColumn, OthersTable};

use crate::failure::Failure;

/// Whether a path leads to an SQLite file.
pub(crate) fn is_database(path: &Path) -> bool {
    let mut start = [0; 16];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == *b"SQLite format 3\0"
}

/// What an SQLite file holds for a model.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Tables with rows of entities, which have them under their stored names.
    pub(crate) tables: Vec<(EntityId, OthersTable)>,
    /// What is of no entity and no field: tables, and columns as `table.column`.
    pub(crate) left: Vec<String>,
}

/// Looks a file through for what a model wants of it.
pub(crate) fn find(path: &Path, loaded: &Loaded) -> Result<Found, Failure> {
    let Found { mut tables, mut left } = Found::default();
    let all = others::tables(path)?;
    // What a server of ours keeps beside the rows is of no entity, and nobody's loss.
    let is_ours = all.iter().any(|table| table.name == "mimar_meta");
    for there in all {
        if is_ours && there.name.starts_with("mimar_") {
            continue;
        }
        let entity = loaded
            .model
            .entity_ids()
            .find(|id| loaded.schema.table(*id).name.as_str().eq_ignore_ascii_case(&there.name));
        let Some(entity) = entity else {
            left.push(there.name);
            continue;
        };
        let table = loaded.schema.table(entity);
        let version = table.version.and_then(|at| table.columns.get(at));
        let strange = there.columns.iter().filter(|column| {
            at(loaded, entity, column).is_none()
                && !(is_ours && version.is_some_and(|version| version.name.as_str() == column.name))
        });
        left.extend(strange.map(|column| format!("{}.{}", there.name, column.name)));
        tables.push((entity, there));
    }
    tables.sort_by_key(|(entity, _)| *entity);
    Ok(Found { tables, left })
}

/// The position of the column in an entity's table that a column of the file is: the one that is stored under its name, or the way to
/// the root, which has the root's name here and any there.
pub(crate) fn at(loaded: &Loaded, entity: EntityId, column: &OthersColumn) -> Option<usize> {
    let table = loaded.schema.table(entity);
    let named = |name: &str| {
        table.columns.iter().position(|known| known.name.as_str().eq_ignore_ascii_case(name))
    };
    named(&column.name).filter(|at| table.version != Some(*at)).or_else(|| {
        let (way, to) = (table.root?, column.refers_to.as_deref()?);
        let root = loaded.model.part_of(entity)?.root;
        loaded.schema.table(root).name.as_str().eq_ignore_ascii_case(to).then_some(way)
    })
}
