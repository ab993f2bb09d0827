//! `mimar copy`: the rows of a project from one database into another.
//!
//! Tables come first, rows after them in the order of their keys, a transaction for each hundred thousand, and indexes and
//! references last. So a copy that was interrupted knows by counting where it has to go on.

use std::hash::{DefaultHasher, Hasher as _};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Instant;

use engine::{Standing, migrate};
use indicatif::{ProgressBar, ProgressStyle};
use operation::{Dialect, Table, Value};
use schema::{Names, Schema, ddl};
use store::{Promised, Store, StoreFault};

use crate::arguments::Copy;
use crate::command::serve::differs;
use crate::failure::Failure;
use crate::place::Place;
use crate::project::Project;
use crate::screen::{self, GREEN, styled};

/// Rows that one transaction carries.
const CHUNK: usize = 100_000;

/// Under which key the target notes that a copy is under way: the fingerprint of its tables.
const NOTE: &str = "copy";

/// What one table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sum {
    rows: u64,
    /// Of every value of every row, in the order of the key.
    checksum: u64,
}

pub(crate) fn run(arguments: &Copy) -> Result<(), Failure> {
    let began = Instant::now();
    let (_, model) = Project::read(&arguments.project)?.valid()?;
    let theirs = schema::derive(&model, arguments.from.dialect());
    let schema = Arc::new(schema::derive(&model, arguments.to.dialect()));
    if let Some(path) = arguments.from.file().filter(|path| !path.exists()) {
        return Err(Failure::NoDatabase { path: path.to_owned() });
    }
    // On PostgreSQL nobody can tell who is a server and who looks on.
    if let Err(Failure::BeingServed { path }) = arguments.from.alone() {
        screen::note(&format!(
            "{} is being served: what its server writes meanwhile may be missing in the copy; stop it first",
            path.display()
        ));
    }
    let source = arguments.from.open()?;
    let stored = match engine::stand(&source, &theirs)? {
        Standing::Fits(names) => theirs.stored_under(&names),
        Standing::Empty(_) => return Err(Failure::Empty { place: arguments.from.to_string() }),
        Standing::Differs(mismatch) => return Err(differs(&arguments.from, &mismatch)),
    };
    // Of neither a row is deleted.
    source.know(&stored.tables, Vec::new());
    if !arguments.leave_work {
        look_for_work(&source, &arguments.from)?;
    }
    let target = arguments.to.open()?;
    target.know(&schema.tables, Vec::new());
    begin(&target, &schema, &arguments.to)?;
    let bar = bar(&source, &stored)?;
    let copied = rows((&source, &stored), (&target, &schema), &bar)?;
    bar.finish_and_clear();
    let sums = verify((&source, &stored), (&target, &schema), arguments)?;
    for (from, to) in stored.tables.iter().zip(&schema.tables) {
        // Numbers that were given out stay given out, though their rows be gone.
        target.count_from(to, source.counted(from)?)?;
    }
    finish(&target, &schema)?;
    migrate::settle(&target, &schema)?;
    let sends = contract::derive(&model).webhooks.iter().any(|it| !it.events.is_empty());
    let loaded = engine::Loaded::new(Arc::new(model), Arc::clone(&schema));
    // Values are copied as they are: what they follow is known as far as it was.
    if !migrate::has_new_formulas(&source, &loaded.model)? {
        migrate::note_formulas(&target, &loaded.model)?;
    }
    source.close();
    target.close();
    let mut total = 0;
    for (table, sum) in schema.tables.iter().zip(&sums) {
        total += sum.rows;
        screen::out(&format!(
            "{:<24} {:>12}  {:016x}\n",
            table.entity,
            screen::count(sum.rows, "row", "rows"),
            sum.checksum
        ));
    }
    // An interrupted copy had brought some before.
    let before = match total.saturating_sub(copied) {
        0 => String::new(),
        rows => format!(", {} of them earlier", screen::count(rows, "row", "rows")),
    };
    screen::note(&format!(
        "{}: {} in {} ms{before}; count and checksum of each table are the same in both",
        styled(GREEN, "copied"),
        screen::count(total, "row", "rows"),
        began.elapsed().as_millis(),
    ));
    if sends {
        screen::note(
            "Endpoints of webhooks and published events stay where they were: `mimar webhook add` makes the endpoints anew",
        );
    }
    Ok(())
}

/// Refuses to leave promised work behind unasked: it is bound to the database that it was promised in.
fn look_for_work(source: &Store, place: &Place) -> Result<(), Failure> {
    let promised = crate::server::small_runtime()?.block_on(source.promised())?;
    if promised == Promised::default() {
        return Ok(());
    }
    let Promised { tasks, deliveries, events } = promised;
    let counted = [
        (tasks, "task", "tasks"),
        (deliveries, "delivery", "deliveries"),
        (events, "event for the broker", "events for the broker"),
    ];
    let told = counted.iter().filter(|(count, ..)| *count > 0);
    let told: Vec<String> =
        told.map(|(count, one, many)| screen::count(*count, one, many)).collect();
    Err(Failure::WorkWaits { place: place.to_string(), told: told.join(", ") })
}

/// Makes the tables, unless a copy of the same tables was interrupted here.
fn begin(target: &Store, schema: &Schema, place: &Place) -> Result<(), Failure> {
    let fingerprint = schema::fingerprint(schema);
    let note = target.meta(NOTE)?;
    if note.as_deref() == Some(&fingerprint) {
        return Ok(());
    }
    if !migrate::tables(target, &Names::default(), Some(schema))?.is_empty() {
        return Err(Failure::Occupied { place: place.to_string() });
    }
    let tables = match target.dialect() {
        Dialect::Sqlite => ddl::sqlite(schema),
        Dialect::Postgres => ddl::postgres_tables(schema),
    };
    target.migrate(&tables, &[(NOTE, &fingerprint)])?;
    Ok(())
}

/// Makes what stands around the rows, and notes that the copy is whole.
fn finish(target: &Store, schema: &Schema) -> Result<(), Failure> {
    let statements = match target.dialect() {
        Dialect::Sqlite => Vec::new(),
        Dialect::Postgres => ddl::postgres_around(schema),
    };
    target.migrate(&statements, &[(NOTE, "")])?;
    Ok(())
}

/// Copies what the target does not have yet; how many rows.
fn rows(
    (source, stored): (&Store, &Schema),
    (target, schema): (&Store, &Schema),
    bar: &ProgressBar,
) -> Result<u64, Failure> {
    let mut there = Vec::with_capacity(schema.tables.len());
    for table in &schema.tables {
        let count = target.count(table)?;
        bar.inc(count);
        there.push(count);
    }
    let (sender, receiver) = sync_channel::<(Arc<Table>, Vec<Value>)>(4_096);
    std::thread::scope(|scope| {
        // Owned here, so that it goes when the target fails, and with it the reason to send more.
        let receiver = receiver;
        let reading = scope.spawn(move || read((source, stored), schema, &there, &sender));
        let mut copied = 0;
        loop {
            let next = receiver.iter().inspect(|_| bar.inc(1)).map(Ok::<_, StoreFault>);
            // SQLite looks at references with each load, and they may point forwards: there it is one.
            let loaded = match target.dialect() {
                Dialect::Sqlite => target.load(next)?,
                Dialect::Postgres => target.load(next.take(CHUNK))?,
            };
            if loaded.rows == 0 {
                break;
            }
            copied += loaded.rows;
        }
        match reading.join() {
            Ok(outcome) => outcome.map(|()| copied),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Sends every row that is not there, in the order of its key.
fn read(
    (source, stored): (&Store, &Schema),
    schema: &Schema,
    there: &[u64],
    sender: &SyncSender<(Arc<Table>, Vec<Value>)>,
) -> Result<(), Failure> {
    for ((from, table), skip) in stored.tables.iter().zip(&schema.tables).zip(there) {
        let mut passed = 0;
        // Tables of others count no versions; here they begin to.
        let first = table.version.filter(|_| from.version.is_none()).map(|_| Value::Int(1));
        source.dump(from, |row| {
            passed += 1;
            let row = || row.iter().chain(&first).cloned().collect();
            // The receiver goes when the target fails, which is told there.
            if passed > *skip && sender.send((Arc::clone(table), row())).is_err() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(())
}

/// Whether both hold the same, table by table.
fn verify(
    (source, stored): (&Store, &Schema),
    (target, schema): (&Store, &Schema),
    arguments: &Copy,
) -> Result<Vec<Sum>, Failure> {
    let mut sums = Vec::with_capacity(schema.tables.len());
    for (from, table) in stored.tables.iter().zip(&schema.tables) {
        let width = from.columns.len();
        let (theirs, ours) = (sum(source, from, width)?, sum(target, table, width)?);
        if theirs != ours {
            return Err(Failure::Unequal {
                table: table.entity.to_string(),
                from: arguments.from.to_string(),
                to: arguments.to.to_string(),
                rows: (theirs.rows, ours.rows),
            });
        }
        sums.push(ours);
    }
    Ok(sums)
}

/// What the first columns of a table hold.
fn sum(store: &Store, table: &Table, width: usize) -> Result<Sum, StoreFault> {
    let (mut rows, mut hasher) = (0, DefaultHasher::new());
    let mut text = Vec::new();
    store.dump(table, |row| {
        rows += 1;
        for (column, value) in table.columns.iter().zip(row).take(width) {
            text.clear();
            column.scalar.print(value, &mut text);
            // Null and an empty text print alike.
            hasher.write_u8(u8::from(value.is_null()));
            hasher.write_usize(text.len());
            hasher.write(&text);
        }
        ControlFlow::Continue(())
    })?;
    Ok(Sum { rows, checksum: hasher.finish() })
}

fn bar(source: &Store, schema: &Schema) -> Result<ProgressBar, Failure> {
    if !screen::is_interactive() {
        return Ok(ProgressBar::hidden());
    }
    let mut total = 0;
    for table in &schema.tables {
        total += source.count(table)?;
    }
    let style = ProgressStyle::with_template(
        "{bar:40} {human_pos} of {human_len} rows  {per_sec}  {eta} left",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar());
    Ok(ProgressBar::new(total).with_style(style))
}
