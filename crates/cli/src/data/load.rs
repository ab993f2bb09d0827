//! Files into a store, all or nothing.

use std::collections::hash_map::Entry;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use indicatif::{ProgressBar, ProgressStyle};
use model::EntityId;
use operation::{Computed, Scope, Table, TableId, Value};
use rustc_hash::FxHashMap;
use store::{Store, StoreFault};

use super::DataFault;
use super::file::{Reader, Row, Source, sources, tables};
use super::others;
use crate::failure::Failure;
use crate::screen;

/// What a load brought in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Loaded {
    /// Files, or tables of one.
    pub(crate) files: usize,
    pub(crate) rows: u64,
    /// What of an SQLite file is of no entity and no field.
    pub(crate) left: Vec<String>,
}

/// The parts that a load brings, by their root's key.
type Parts = FxHashMap<Value, PartsOfRoot>;

/// A row and the table it goes to.
type Placed = (Arc<Table>, Vec<Value>);

/// The parts of one root.
#[derive(Debug, Default)]
struct PartsOfRoot {
    /// Line of the first.
    line: u64,
    count: u64,
    /// Their rows, where a computed field of the root looks at them.
    rows: Vec<Vec<Value>>,
}

/// Loads every file of a folder, or every table of an SQLite file that others made, in one transaction.
pub(crate) fn load(from: &Path, store: &Store, loaded: &engine::Loaded) -> Result<Loaded, Failure> {
    let (sources, left) = if others::is_database(from) {
        tables(from, loaded)?
    } else {
        (sources(from, &loaded.model)?, Vec::new())
    };
    let now = microseconds_now();
    let passed = Arc::new(AtomicU64::new(0));
    let bar = bar(&sources);
    let parts = parts(&sources, loaded, now, &passed)?;
    let mut stream = Stream {
        loaded,
        sources: &sources,
        next: 0,
        reader: None,
        now,
        passed: Arc::clone(&passed),
        parts,
        aggregates: Vec::new(),
        lines: Vec::new(),
        starts: Vec::new(),
        fault: None,
        bar: bar.clone(),
    };
    let outcome = store.load(&mut stream);
    bar.finish_and_clear();
    match outcome {
        Ok(done) => Ok(Loaded { files: sources.len(), rows: done.rows, left }),
        Err(error) => Err(match stream.fault.take() {
            Some(fault) => fault.into(),
            None => stream.place(error),
        }),
    }
}

fn bar(sources: &[Source]) -> ProgressBar {
    if !screen::is_interactive() {
        return ProgressBar::hidden();
    }
    // Files of parts are read twice: once with their roots, once to be stored.
    let bytes = sources.iter().map(|source| source.bytes).sum();
    let style = ProgressStyle::with_template(
        "{msg:>14} [{bar:32.cyan}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar())
    .progress_chars("━╸ ");
    ProgressBar::new(bytes).with_style(style)
}

/// Reads the files of parts, so that their roots can be judged and computed when they come by.
fn parts(
    sources: &[Source],
    loaded: &engine::Loaded,
    now: i64,
    passed: &Arc<AtomicU64>,
) -> Result<FxHashMap<TableId, Parts>, DataFault> {
    let mut all = FxHashMap::default();
    for source in sources {
        let Some(of) = loaded.model.part_of(source.entity) else { continue };
        let root_name = &loaded.model[of.root].name;
        if !sources.iter().any(|other| other.entity == of.root) {
            let text = format!(
                "parts come together with their roots, and there is no file with rows of {root_name}"
            );
            return Err(DataFault::new(&source.shown, 0, text));
        }
        let table = loaded.schema.table(source.entity);
        let wanted = !loaded.plan.aggregates(of.root).is_empty();
        let mut parts = Parts::default();
        let mut reader = Reader::open(source, loaded, now, passed)?;
        while let Some(row) = reader.next() {
            let row = row?;
            let root = table.root.and_then(|at| row.values.get(at)).cloned().unwrap_or_default();
            let entry = match parts.entry(root) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    entry.insert(PartsOfRoot { line: row.line, ..PartsOfRoot::default() })
                }
            };
            entry.count += 1;
            if wanted {
                entry.rows.push(row.values);
            }
        }
        all.insert(table.id, parts);
    }
    passed.store(0, Ordering::Relaxed);
    Ok(all)
}

/// All rows of all files, one after another.
struct Stream<'a> {
    loaded: &'a engine::Loaded,
    sources: &'a [Source],
    /// The source that is opened next.
    next: usize,
    reader: Option<Reader<'a>>,
    now: i64,
    passed: Arc<AtomicU64>,
    parts: FxHashMap<TableId, Parts>,
    /// Computed columns of the current entity that look at its parts.
    aggregates: Vec<Computed>,
    /// The line of each row given so far.
    lines: Vec<u32>,
    /// Where each source's rows begin among all.
    starts: Vec<usize>,
    fault: Option<DataFault>,
    bar: ProgressBar,
}

impl Iterator for &mut Stream<'_> {
    type Item = Result<Placed, DataFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.advance().transpose()?;
        if let Err(fault) = &row {
            self.fault = Some(fault.clone());
        }
        Some(row)
    }
}

impl Stream<'_> {
    fn advance(&mut self) -> Result<Option<Placed>, DataFault> {
        loop {
            if let Some(reader) = &mut self.reader {
                if let Some(row) = reader.next() {
                    let row = row?;
                    self.lines.push(u32::try_from(row.line).unwrap_or(u32::MAX));
                    if self.lines.len().is_multiple_of(256) {
                        self.bar.set_position(self.passed.load(Ordering::Relaxed));
                    }
                    return self.settle(row).map(Some);
                }
                self.reader = None;
                self.orphans()?;
            }
            let sources = self.sources;
            let Some(source) = sources.get(self.next) else { return Ok(None) };
            self.next += 1;
            self.starts.push(self.lines.len());
            self.bar.set_message(self.loaded.model[source.entity].name.clone());
            self.aggregates = self.loaded.plan.aggregates(source.entity);
            self.reader = Some(Reader::open(source, self.loaded, self.now, &self.passed)?);
        }
    }

    fn source(&self) -> &Source {
        &self.sources[self.next - 1]
    }

    /// Completes a row: its parts are counted, what is computed over them is computed, and what the file claims to
    /// be computed is compared.
    fn settle(&mut self, mut row: Row) -> Result<Placed, DataFault> {
        let entity = self.source().entity;
        let table = Arc::clone(self.loaded.schema.table(entity));
        let key = row.values.get(table.own_key()).cloned().unwrap_or_default();
        let mut own: Vec<(TableId, Vec<Vec<Value>>)> = Vec::new();
        for part in &self.loaded.model[entity].parts {
            own.push(self.parts_of(*part, &key, row.line)?);
        }
        let parts: Vec<(TableId, &[Vec<Value>])> =
            own.iter().map(|(table, rows)| (*table, rows.as_slice())).collect();
        for computed in &self.aggregates {
            let scope = Scope { rows: &[&row.values], binds: &[], parts: &parts, stored: None };
            let value = operation::evaluate(&computed.expression, &scope);
            let column = &table.columns[computed.column];
            let value = value.map_err(|fault| {
                DataFault::at(&self.source().shown, row.line, &column.field, fault.to_string())
            })?;
            if let Some(slot) = row.values.get_mut(computed.column) {
                *slot = value;
            }
        }
        for (at, claimed) in &row.claimed {
            let column = &table.columns[*at];
            if column.scalar.parse(claimed).as_ref() != Ok(&row.values[*at]) {
                let mut text = Vec::new();
                column.scalar.print(&row.values[*at], &mut text);
                let text = format!(
                    "the file says {claimed}, and it comes to {}; leave computed columns out or mend the row",
                    String::from_utf8_lossy(&text)
                );
                return Err(DataFault::at(&self.source().shown, row.line, &column.field, text));
            }
        }
        Ok((table, row.values))
    }

    /// The parts of one root, taken out of those that wait for theirs.
    fn parts_of(
        &mut self,
        part: EntityId,
        key: &Value,
        line: u64,
    ) -> Result<(TableId, Vec<Vec<Value>>), DataFault> {
        let loaded = self.loaded;
        let table = loaded.schema.table(part).id;
        let found = self.parts.get_mut(&table).and_then(|parts| parts.remove(key));
        let found = found.unwrap_or_default();
        if let Some(of) = loaded.model.part_of(part)
            && !(u64::from(of.minimum)..=u64::from(of.maximum)).contains(&found.count)
        {
            let text = format!(
                "it has {} here, and must have {} to {} ({})",
                screen::count(found.count, "row", "rows"),
                of.minimum,
                of.maximum,
                loaded.model[part].name
            );
            return Err(DataFault::at(&self.source().shown, line, &of.name, text));
        }
        Ok((table, found.rows))
    }

    /// After the roots: parts that are still there belong to none of them.
    fn orphans(&self) -> Result<(), DataFault> {
        let root = self.source().entity;
        for part in &self.loaded.model[root].parts {
            let table = self.loaded.schema.table(*part);
            let Some(parts) = self.parts.get(&table.id) else { continue };
            let Some((key, orphan)) = parts.iter().min_by_key(|(_, orphan)| orphan.line) else {
                continue;
            };
            let shown = self.sources.iter().find(|source| source.entity == *part);
            let column = table.root.map_or("", |at| &*table.columns[at].field);
            let text = format!(
                "there is no {} {} in {}",
                self.loaded.model[root].name,
                self.loaded.plan.key_text(root, key),
                self.source().shown
            );
            let shown = shown.map_or("", |source| source.shown.as_str());
            return Err(DataFault::at(shown, orphan.line, column, text));
        }
        Ok(())
    }

    /// A fault of the store with the place of the row it means.
    fn place(&self, error: StoreFault) -> Failure {
        let (index, column, text) = match &error {
            StoreFault::Row { index, reason, .. } => (*index, None, reason.clone()),
            StoreFault::Dangling { index: Some(index), column, target, row, .. } => {
                let text = format!("the reference leads to no row of {target} ({row})");
                (*index, Some(column.clone()), text)
            }
            _ => return error.into(),
        };
        let Ok(index) = usize::try_from(index) else { return error.into() };
        let source = self.starts.partition_point(|start| *start <= index).checked_sub(1);
        let (Some(source), Some(line)) =
            (source.and_then(|at| self.sources.get(at)), self.lines.get(index))
        else {
            return error.into();
        };
        let reason = super::Reason { column, text };
        DataFault { file: source.shown.clone(), line: u64::from(*line), reasons: vec![reason] }
            .into()
    }
}

fn microseconds_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
