//! A store's rows into files.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use model::{EntityId, Model};
use operation::{Scalar, Table, Value};
use store::Store;

use crate::arguments::FileKind;
use crate::failure::Failure;
use crate::screen;

/// Writes every entity's rows to a file of its own; rows written. Computed columns are left out: they are computed
/// again when the files are loaded. A file that is there already is left as it is, and nothing written.
pub(crate) fn dump(
    folder: &Path,
    kind: FileKind,
    store: &Store,
    loaded: &engine::Loaded,
) -> Result<u64, Failure> {
    fs::create_dir_all(folder).map_err(Failure::file("make", folder))?;
    let model: &Model = &loaded.model;
    let extension = match kind {
        FileKind::Csv => "csv",
        FileKind::Jsonl => "jsonl",
    };
    let files = model.entity_ids().map(|entity| {
        let name = format!("{}.{extension}", file_stem(model, entity));
        (entity, folder.join(name))
    });
    let files: Vec<_> = files.collect();
    // Before the first is written, so that none of two dumps stand beside each other.
    if let Some((_, path)) = files.iter().find(|(_, path)| path.exists()) {
        return Err(Failure::Exists { path: path.clone() });
    }
    let bar = bar(store, loaded)?;
    let mut rows = 0;
    for (entity, path) in files {
        let table = loaded.schema.table(entity);
        bar.set_message(table.entity.to_string());
        let file = File::create_new(&path).map_err(Failure::file("write", &path))?;
        let mut writer = Writer::new(kind, BufWriter::new(file), columns(loaded, entity));
        let mut outcome = writer.begin(table);
        store.dump(table, |values| {
            if outcome.is_ok() {
                outcome = writer.row(table, values);
                rows += 1;
                bar.inc(1);
            }
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        outcome.and_then(|()| writer.end()).map_err(Failure::file("write", &path))?;
    }
    bar.finish_and_clear();
    Ok(rows)
}

/// How far it is, on a terminal: rows written, of all that there are.
fn bar(store: &Store, loaded: &engine::Loaded) -> Result<ProgressBar, Failure> {
    if !screen::is_interactive() {
        return Ok(ProgressBar::hidden());
    }
    let mut all = 0;
    for entity in loaded.model.entity_ids() {
        all += store.count(loaded.schema.table(entity))?;
    }
    let style =
        ProgressStyle::with_template("{msg:>14} [{bar:32.cyan}] {human_pos}/{human_len} {eta}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸ ");
    Ok(ProgressBar::new(all).with_style(style))
}

/// `Order`, or `sales.Order` where two services have one.
fn file_stem(model: &Model, id: EntityId) -> String {
    let entity = &model[id];
    let service = &model.services[entity.service.index()].name;
    let shared = model.entities.iter().filter(|other| other.name == entity.name).count() > 1;
    if shared && !service.is_empty() {
        format!("{service}.{}", entity.name)
    } else {
        entity.name.clone()
    }
}

/// Positions of the columns that are written.
fn columns(loaded: &engine::Loaded, entity: EntityId) -> Vec<usize> {
    let computed: Vec<usize> = loaded.model[entity]
        .fields
        .iter()
        .filter(|field| loaded.model[**field].computed.is_some())
        .filter_map(|field| loaded.schema.column(entity, *field))
        .collect();
    let table = loaded.schema.table(entity);
    (0..table.columns.len())
        .filter(|at| !table.columns[*at].field.is_empty() && !computed.contains(at))
        .collect()
}

enum Writer {
    Csv(Box<csv::Writer<BufWriter<File>>>, Vec<usize>),
    Lines(BufWriter<File>, Vec<usize>),
}

impl Writer {
    fn new(kind: FileKind, file: BufWriter<File>, columns: Vec<usize>) -> Self {
        match kind {
            FileKind::Csv => Self::Csv(Box::new(csv::Writer::from_writer(file)), columns),
            FileKind::Jsonl => Self::Lines(file, columns),
        }
    }

    fn begin(&mut self, table: &Table) -> io::Result<()> {
        match self {
            Self::Csv(writer, columns) => {
                let names = columns.iter().map(|at| &*table.columns[*at].field);
                writer.write_record(names).map_err(io::Error::other)
            }
            Self::Lines(..) => Ok(()),
        }
    }

    fn row(&mut self, table: &Table, values: &[Value]) -> io::Result<()> {
        match self {
            Self::Csv(writer, columns) => {
                let mut cell = Vec::new();
                for at in columns {
                    let column = &table.columns[*at];
                    let value = &values[*at];
                    cell.clear();
                    if !value.is_null() {
                        column.scalar.print(value, &mut cell);
                        if cell.is_empty() && column.nullable {
                            return Err(ambiguous(table, &column.field));
                        }
                    }
                    writer.write_field(&cell).map_err(io::Error::other)?;
                }
                writer.write_record(None::<&[u8]>).map_err(io::Error::other)
            }
            Self::Lines(file, columns) => {
                let mut line = vec![b'{'];
                for at in columns {
                    let column = &table.columns[*at];
                    if line.len() > 1 {
                        line.push(b',');
                    }
                    Scalar::Text.write_json(&Value::text(&*column.field), &mut line);
                    line.push(b':');
                    if values[*at].is_null() {
                        line.extend_from_slice(b"null");
                    } else {
                        column.scalar.write_json(&values[*at], &mut line);
                    }
                }
                line.extend_from_slice(b"}\n");
                file.write_all(&line)
            }
        }
    }

    fn end(self) -> io::Result<()> {
        let file = match self {
            Self::Csv(writer, _) => {
                writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?
            }
            Self::Lines(file, _) => file,
        };
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

fn ambiguous(table: &Table, field: &str) -> io::Error {
    io::Error::other(format!(
        "{}.{field} is optional and holds an empty text, which CSV cannot tell from an absent value; use --format jsonl",
        table.entity
    ))
}
