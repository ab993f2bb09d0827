//! One file of rows: which entity, which columns, one row after another.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::Loaded;
use model::{EntityId, FieldId, Model, Type};
use operation::{Scalar, Tree, Value, Violation, parse_json};
use rustc_hash::FxHashMap;

use store::others::{OthersRows, OthersTable, text_of};

use super::{DataFault, Reason, others};
use crate::project;

/// A file, or a table of one, and the entity whose rows it holds.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) shown: String,
    pub(crate) entity: EntityId,
    pub(crate) bytes: u64,
    kind: Kind,
}

/// What a source is.
#[derive(Debug, Clone)]
enum Kind {
    Csv,
    /// JSON Lines.
    Lines,
    /// A table of an SQLite file that others made.
    Table(OthersTable),
}

/// A row that was read.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) line: u64,
    /// A value for every column of the table.
    pub(crate) values: Vec<Value>,
    /// What the file says a computed column is, to be compared with what it comes to.
    pub(crate) claimed: Vec<(usize, String)>,
}

/// What a column of a file is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Target {
    Field(FieldId),
    Computed(FieldId),
    Root,
    Position,
}

/// The files of a folder, in the order of the model's entities.
pub(crate) fn sources(folder: &Path, model: &Model) -> Result<Vec<Source>, crate::Failure> {
    let failed = || crate::Failure::file("read", folder);
    let mut sources: Vec<Source> = Vec::new();
    let mut entries = std::fs::read_dir(folder)
        .map_err(failed())?
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed())?;
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        let kind = match path.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => Kind::Csv,
            Some("jsonl" | "ndjson") => Kind::Lines,
            _ => continue,
        };
        let shown = project::shown(&path);
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let entity = entity_named(model, stem).map_err(|text| DataFault::new(&shown, 0, text))?;
        if let Some(other) = sources.iter().find(|other| other.entity == entity) {
            let text = format!("{} holds rows of {stem} too; keep one of them", other.shown);
            return Err(DataFault::new(&shown, 0, text).into());
        }
        let bytes = entry.metadata().map_err(crate::Failure::file("read", &path))?.len();
        sources.push(Source { path, shown, entity, bytes, kind });
    }
    sources.sort_by_key(|source| source.entity);
    Ok(sources)
}

/// The tables of an SQLite file that others made, in the order of the model's entities; and what of it is of no entity and no field.
pub(crate) fn tables(
    path: &Path,
    loaded: &Loaded,
) -> Result<(Vec<Source>, Vec<String>), crate::Failure> {
    let others::Found { tables, left } = others::find(path, loaded)?;
    let file = path.metadata().map_err(crate::Failure::file("read", path))?.len();
    let rows: u64 = tables.iter().map(|(_, table)| table.rows).sum();
    let sources = tables.into_iter().map(|(entity, table)| Source {
        path: path.to_owned(),
        shown: format!("{}:{}", project::shown(path), table.name),
        entity,
        // How large a table is only the whole file tells.
        bytes: file / rows.max(1) * table.rows,
        kind: Kind::Table(table),
    });
    Ok((sources.collect(), left))
}

/// The entity of a file's name: `Track`, or `sales.Order` where two services have an Order.
fn entity_named(model: &Model, stem: &str) -> Result<EntityId, String> {
    let (service, name) = match stem.split_once('.') {
        Some((service, name)) => (Some(service), name),
        None => (None, stem),
    };
    let mut found = model.entity_ids().filter(|id| {
        let entity = &model[*id];
        entity.name == name
            && service.is_none_or(|s| model.services[entity.service.index()].name == s)
    });
    match (found.next(), found.next()) {
        (Some(entity), None) => Ok(entity),
        (Some(_), Some(_)) => Err(format!(
            "several services have a {name}; put the service before it, as in `sales.{name}`"
        )),
        (None, _) => {
            let names = model.entities.iter().map(|entity| entity.name.as_str());
            let hint = syntax::nearest(name, names.clone()).map_or_else(
                || format!("its entities are {}", names.collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            Err(format!("the model has no entity `{name}`; {hint}"))
        }
    }
}

/// Reads one file's rows.
pub(crate) struct Reader<'a> {
    source: &'a Source,
    loaded: &'a Loaded,
    now: i64,
    input: Input,
    /// Rows of each root so far, where the place among them is the key.
    positions: FxHashMap<String, i64>,
}

enum Input {
    Csv { reader: csv::Reader<Counted>, columns: Vec<Target>, record: csv::StringRecord },
    Lines { reader: BufReader<Counted>, line: u64, text: Vec<u8> },
    Table { rows: OthersRows, columns: Vec<(Target, Scalar)>, line: u64, passed: Arc<AtomicU64> },
}

/// Counts the bytes that went by, for the progress bar.
pub(crate) struct Counted {
    file: File,
    passed: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.passed.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl<'a> Reader<'a> {
    /// Opens a file and reads its header.
    pub(crate) fn open(
        source: &'a Source,
        loaded: &'a Loaded,
        now: i64,
        passed: &Arc<AtomicU64>,
    ) -> Result<Self, DataFault> {
        let counted = || {
            let file = File::open(&source.path)
                .map_err(|error| DataFault::new(&source.shown, 0, error.to_string()))?;
            Ok(Counted { file, passed: Arc::clone(passed) })
        };
        let input = match &source.kind {
            Kind::Csv => {
                let mut reader =
                    csv::ReaderBuilder::new().buffer_capacity(1 << 16).from_reader(counted()?);
                let headers = reader.headers().map_err(|error| csv_fault(source, &error))?;
                let mut columns = Vec::with_capacity(headers.len());
                for name in headers {
                    let target = target(loaded, source, name)
                        .map_err(|text| DataFault::at(&source.shown, 1, name, text))?;
                    if columns.contains(&target) {
                        let text = "the column stands twice";
                        return Err(DataFault::at(&source.shown, 1, name, text));
                    }
                    columns.push(target);
                }
                Input::Csv { reader, columns, record: csv::StringRecord::new() }
            }
            Kind::Lines => Input::Lines {
                reader: BufReader::with_capacity(1 << 16, counted()?),
                line: 0,
                text: Vec::new(),
            },
            Kind::Table(there) => {
                let table = loaded.schema.table(source.entity);
                let failed = |text| DataFault::new(&source.shown, 0, text);
                let (mut names, mut columns) = (Vec::new(), Vec::new());
                for column in &there.columns {
                    // What is of no field was told before.
                    let Some(at) = others::at(loaded, source.entity, column) else { continue };
                    let target =
                        target(loaded, source, &table.columns[at].field).map_err(failed)?;
                    names.push(column.name.clone());
                    columns.push((target, table.columns[at].scalar));
                }
                let rows = OthersRows::of(source.path.clone(), &there.name, &names)
                    .map_err(|fault| failed(fault.to_string()))?;
                Input::Table { rows, columns, line: 0, passed: Arc::clone(passed) }
            }
        };
        Ok(Self { source, loaded, now, input, positions: FxHashMap::default() })
    }

    /// The next row; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Result<Row, DataFault>> {
        match &mut self.input {
            Input::Csv { reader, columns, record } => {
                match reader.read_record(record) {
                    Ok(false) => return None,
                    Err(error) => return Some(Err(csv_fault(self.source, &error))),
                    Ok(true) => {}
                }
                let line = record.position().map_or(0, csv::Position::line);
                let model = &self.loaded.model;
                let cells: Vec<(Target, Option<&str>)> = columns
                    .iter()
                    .zip(record.iter())
                    .map(|(target, text)| {
                        // CSV cannot tell an absent value from an empty text: it is absent where that may be.
                        let absent = text.is_empty()
                            && match target {
                                Target::Field(field) | Target::Computed(field) => {
                                    let field = &model[*field];
                                    field.optional || field.is_key || field.default.is_some()
                                }
                                Target::Root => false,
                                Target::Position => true,
                            };
                        (*target, (!absent).then_some(text))
                    })
                    .collect();
                Some(row(
                    self.source,
                    self.loaded,
                    self.now,
                    &mut self.positions,
                    line,
                    &cells,
                    true,
                ))
            }
            Input::Lines { reader, line, text } => loop {
                text.clear();
                *line += 1;
                match reader.read_until(b'\n', text) {
                    Ok(0) => return None,
                    Err(error) => {
                        return Some(Err(DataFault::new(
                            &self.source.shown,
                            *line,
                            error.to_string(),
                        )));
                    }
                    Ok(_) if text.trim_ascii().is_empty() => {}
                    Ok(_) => {
                        let cells = match members(self.loaded, self.source, *line, text) {
                            Ok(cells) => cells,
                            Err(fault) => return Some(Err(fault)),
                        };
                        let cells: Vec<(Target, Option<&str>)> =
                            cells.iter().map(|(target, text)| (*target, text.as_deref())).collect();
                        return Some(row(
                            self.source,
                            self.loaded,
                            self.now,
                            &mut self.positions,
                            *line,
                            &cells,
                            false,
                        ));
                    }
                }
            },
            Input::Table { rows, columns, line, passed } => {
                *line += 1;
                let values = match rows.next()? {
                    Ok(values) => values,
                    Err(fault) => {
                        let text = fault.to_string();
                        return Some(Err(DataFault::new(&self.source.shown, *line, text)));
                    }
                };
                if let Kind::Table(OthersTable { rows: all, .. }) = &self.source.kind {
                    passed.fetch_add(self.source.bytes / (*all).max(1), Ordering::Relaxed);
                }
                let texts: Vec<(Target, Option<String>)> = columns
                    .iter()
                    .zip(&values)
                    .map(|((target, scalar), value)| (*target, text_of(*scalar, value)))
                    .collect();
                let cells: Vec<(Target, Option<&str>)> =
                    texts.iter().map(|(target, text)| (*target, text.as_deref())).collect();
                let (source, positions) = (self.source, &mut self.positions);
                Some(row(source, self.loaded, self.now, positions, *line, &cells, false))
            }
        }
    }
}

fn csv_fault(source: &Source, error: &csv::Error) -> DataFault {
    let line = error.position().map_or(0, csv::Position::line);
    let text = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("the row has {len} cells, the header {expected_len}")
        }
        csv::ErrorKind::Utf8 { err, .. } => {
            return DataFault::new(
                &source.shown,
                line,
                format!("cell {} is not UTF-8 text", err.field() + 1),
            );
        }
        _ => error.to_string(),
    };
    DataFault::new(&source.shown, line, text)
}

/// What a column or member of that name is.
fn target(loaded: &Loaded, source: &Source, name: &str) -> Result<Target, String> {
    let model = &loaded.model;
    let entity = source.entity;
    let table = loaded.schema.table(entity);
    let root = table.root.map(|at| &*table.columns[at].field);
    if root == Some(name) {
        return Ok(Target::Root);
    }
    if let Some(field) = model.field_named(entity, name) {
        let item = &model[field];
        return Ok(if item.is_position {
            Target::Position
        } else if item.computed.is_some() {
            Target::Computed(field)
        } else {
            Target::Field(field)
        });
    }
    let known: Vec<&str> = root
        .into_iter()
        .chain(model[entity].fields.iter().map(|field| model[*field].name.as_str()))
        .collect();
    let hint = syntax::nearest(name, known.iter().copied()).map_or_else(
        || format!("its fields are {}", known.join(", ")),
        |near| format!("did you mean `{near}`?"),
    );
    Err(format!("{} has no field of this name; {hint}", model[entity].name))
}

/// The members of one line of JSON, as plain texts.
fn members(
    loaded: &Loaded,
    source: &Source,
    line: u64,
    text: &[u8],
) -> Result<Vec<(Target, Option<String>)>, DataFault> {
    let tree = parse_json(text.trim_ascii())
        .map_err(|error| DataFault::new(&source.shown, line, format!("not JSON: {error}")))?;
    let Tree::Object(members) = tree else {
        let text = format!("a line must be an object, not {}", tree.kind());
        return Err(DataFault::new(&source.shown, line, text));
    };
    let mut cells = Vec::with_capacity(members.len());
    for (name, tree) in &members {
        let target = target(loaded, source, name)
            .map_err(|text| DataFault::at(&source.shown, line, name, text))?;
        let is_document = match target {
            Target::Field(field) => {
                matches!(loaded.model[field].ty, Type::Json(_) | Type::List(..) | Type::Record(_))
            }
            _ => false,
        };
        let cell = match tree {
            Tree::Null => None,
            Tree::Text(text) if !is_document => Some(text.to_string()),
            other => {
                let mut text = Vec::new();
                other.write(&mut text);
                Some(String::from_utf8_lossy(&text).into_owned())
            }
        };
        cells.push((target, cell));
    }
    Ok(cells)
}

fn row(
    source: &Source,
    loaded: &Loaded,
    now: i64,
    positions: &mut FxHashMap<String, i64>,
    line: u64,
    cells: &[(Target, Option<&str>)],
    is_csv: bool,
) -> Result<Row, DataFault> {
    let model = &loaded.model;
    let entity = source.entity;
    let table = loaded.schema.table(entity);
    let mut fields = Vec::with_capacity(cells.len());
    let mut claimed = Vec::new();
    let mut root = None;
    let mut position = None;
    for (target, text) in cells {
        match (target, text) {
            (Target::Field(field), text) => {
                // An empty cell of a field with a default asks for the default.
                let left_out = is_csv && text.is_none() && !model[*field].optional;
                if !left_out {
                    fields.push((*field, *text));
                }
            }
            (Target::Computed(field), Some(text)) => {
                claimed.extend(
                    loaded.schema.column(entity, *field).map(|at| (at, (*text).to_owned())),
                );
            }
            (Target::Root, text) => root = *text,
            (Target::Position, Some(text)) => {
                position =
                    Some(text.parse::<i64>().ok().filter(|at| *at >= 1).ok_or_else(|| {
                        DataFault::at(&source.shown, line, "position", "must be a number from 1")
                    })?);
            }
            (Target::Computed(_) | Target::Position, None) => {}
        }
    }
    if let Some(at) = table.root {
        let column = &*table.columns[at].field;
        let Some(root) = root.filter(|root| !root.is_empty()) else {
            let text = "is required: it says which row this one is part of";
            return Err(DataFault::at(&source.shown, line, column, text));
        };
        if model[model[entity].key].is_position && position.is_none() {
            let next = positions.entry(root.to_owned()).or_insert(0);
            *next += 1;
            position = Some(*next);
        }
    }
    let values = loaded.plan.load_row(entity, &fields, root, position, now).map_err(|faults| {
        DataFault { file: source.shown.clone(), line, reasons: faults.iter().map(reason).collect() }
    })?;
    Ok(Row { line, values, claimed })
}

fn reason(violation: &Violation) -> Reason {
    let column = violation.pointer.trim_start_matches('/');
    Reason {
        column: (!column.is_empty()).then(|| column.replace("~1", "/").replace("~0", "~")),
        text: violation.detail.clone(),
    }
}
