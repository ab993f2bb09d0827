//! Events and tasks: rows that are kept beside the model's tables.

use std::sync::LazyLock;

use operation::{ARRIVED, Column, Dialect, Fault, Ident, Scalar, Sql, Table, TableId};

use super::expression::Lowering;
use super::{Settings, Statement, Under, advisory};

/// The tables, and their indexes, for a database that has none.
pub(crate) const SQLITE: &str = "\
CREATE TABLE IF NOT EXISTS mimar_event (id BLOB NOT NULL UNIQUE, name TEXT NOT NULL, key TEXT, made INTEGER NOT NULL, data TEXT NOT NULL, \
  number INTEGER PRIMARY KEY AUTOINCREMENT) STRICT; \
CREATE TABLE IF NOT EXISTS mimar_task (number INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, arguments TEXT NOT NULL, event BLOB, \
  lane TEXT, priority INTEGER NOT NULL, due INTEGER NOT NULL, unique_key TEXT UNIQUE, failures INTEGER NOT NULL DEFAULT 0, \
  taken_until INTEGER, parked INTEGER NOT NULL DEFAULT 0, error TEXT) STRICT; \
CREATE INDEX IF NOT EXISTS mimar_task_due ON mimar_task (priority DESC, number, due) WHERE NOT parked; \
CREATE INDEX IF NOT EXISTS mimar_task_lane ON mimar_task (lane, number) WHERE lane IS NOT NULL";

/// The table of events, as far as a command fills it.
pub(crate) fn events(dialect: Dialect) -> &'static Table {
    static SQLITE: LazyLock<Table> = LazyLock::new(|| events_as(Ident::fit("mimar_event")));
    static POSTGRES: LazyLock<Table> = LazyLock::new(|| events_as(Ident::within("mimar", "event")));
    match dialect {
        Dialect::Sqlite => &SQLITE,
        Dialect::Postgres => &POSTGRES,
    }
}

fn events_as(name: Ident) -> Table {
    let column = |name: &str, scalar, nullable| Column {
        name: Ident::fit(name),
        field: name.into(),
        scalar,
        nullable,
        native: None,
    };
    Table {
        // No table of a model: those are counted from 0.
        id: TableId(u32::MAX),
        rank: u32::MAX,
        name,
        entity: "event".into(),
        columns: vec![
            column("id", Scalar::Uuid, false),
            column("name", Scalar::Text, false),
            column("key", Scalar::Text, true),
            column("made", Scalar::Int, false),
            column("data", Scalar::Json, false),
        ],
        key: vec![0],
        root: None,
        auto: None,
        version: None,
        uniques: Vec::new(),
        foreign_keys: Vec::new(),
        tracked: Vec::new(),
    }
}

/// What a command gives a task, in order.
const GIVEN: [Scalar; 7] = [
    Scalar::Text,
    Scalar::Json,
    Scalar::Uuid,
    Scalar::Text,
    Scalar::Int,
    Scalar::Int,
    Scalar::Text,
];

/// Where its lane stands among them.
const LANE: usize = 3;

fn tasks(sql: &mut Sql) -> &mut Sql {
    sql.push(match sql.dialect() {
        Dialect::Sqlite => "mimar_task",
        Dialect::Postgres => "mimar.task",
    })
}

/// `INSERT` of a task; binds: target, arguments, event, lane, priority, due, unique key. Where one with the same unique key
/// waits, nothing is done. On PostgreSQL a task without arguments is given what its event carries. `under`: what the event's key is, if
/// only the database knows it; if that has counted it, the lane is known by the how manieth it is.
pub(crate) fn add(
    dialect: Dialect,
    under: Option<(Settings<'_>, Under)>,
) -> Result<Statement, Fault> {
    let settings = under.map_or_else(Settings::default, |(settings, _)| settings);
    let lowering = Lowering::new(dialect, GIVEN.len(), &[]);
    let mut lowering = lowering.with(settings.of_other_binds());
    lowering.sql.push("INSERT INTO ");
    tasks(&mut lowering.sql);
    lowering.sql.push(" (target, arguments, event, lane, priority, due, unique_key) VALUES (");
    for (at, scalar) in GIVEN.into_iter().enumerate() {
        lowering.sql.push(if at > 0 { ", " } else { "" });
        let of_event = dialect == Dialect::Postgres && scalar == Scalar::Json;
        lowering.sql.push(if of_event { "coalesce(" } else { "" });
        match under.filter(|_| at == LANE) {
            Some((_, under)) => {
                lowering.bind(0, Scalar::Text);
                lowering.sql.push(" || '/' || ");
                lowering.told_under(under, at)?;
            }
            None => lowering.bind(at, scalar),
        }
        if of_event {
            lowering.sql.push(", (SELECT e.data FROM mimar.event AS e WHERE e.id = ");
            lowering.bind(at + 1, Scalar::Uuid);
            lowering.sql.push("))");
        }
    }
    lowering.sql.push(") ON CONFLICT (unique_key) DO NOTHING");
    Ok(lowering.finish(Vec::new()))
}

/// Waits on PostgreSQL until nobody else publishes under a key; bind: the event's name, a slash and the key. Two that share a number wait for
/// each other, and no more.
pub(crate) fn lock_key() -> Statement {
    let mut lowering = Lowering::new(Dialect::Postgres, 1, &[]);
    lowering.sql.push("SELECT pg_advisory_xact_lock(hashtextextended(");
    lowering.bind(0, Scalar::Text);
    lowering.sql.push(", 0))");
    lowering.finish(Vec::new())
}

/// The same of several, in the order in which all take them; binds: an array of such texts, and for each key that was
/// found at these positions, or looked up ahead, an array of the names of events, each with a slash.
pub(crate) fn lock_keys(settings: Settings<'_>, found: &[usize]) -> Result<Statement, Fault> {
    let lowering = Lowering::new(Dialect::Postgres, 1 + found.len(), &[]);
    let mut lowering = lowering.with(settings.of_other_binds());
    lowering.sql.push(
        "SELECT count(pg_advisory_xact_lock(hashtextextended(s.k, 0))) FROM (SELECT DISTINCT a.k COLLATE \"C\" AS k \
         FROM (SELECT json_array_elements_text(",
    );
    lowering.bind(0, Scalar::Json);
    lowering.sql.push(") AS k");
    for (at, found) in found.iter().enumerate() {
        lowering.sql.push(" UNION ALL SELECT n.v || u.k FROM json_array_elements_text(");
        lowering.bind(1 + at, Scalar::Json);
        lowering.sql.push(") AS n(v), unnest(");
        if settings.in_steps {
            settings.write_all_of(&mut lowering.sql, *found)?;
        } else {
            lowering.sql.push("ARRAY[");
            lowering.found(*found)?;
            lowering.sql.push("]");
        }
        lowering.sql.push(") AS u(k)");
    }
    lowering.sql.push(") AS a WHERE a.k IS NOT NULL ORDER BY 1) AS s");
    Ok(lowering.finish(vec![Scalar::Int]))
}

/// Takes tasks that are due; binds: now, until when, the most. Of one lane they are taken in their order, and only where
/// none before them is somebody else's or waits. By number, not by when they were due: what has failed is due later than
/// what stands behind it, and of a lane that is longer than what is taken at once the first must be among them. On PostgreSQL only of
/// those that have a lane, and by one process at a time (see [`take_loose`]).
pub(crate) fn take(dialect: Dialect) -> Statement {
    let mut lowering = Lowering::new(dialect, 3, &[]);
    let of_lanes = match dialect {
        Dialect::Sqlite => Of::All,
        Dialect::Postgres => Of::Lanes,
    };
    take_of(&mut lowering, of_lanes);
    lowering.finish(TAKEN.to_vec())
}

/// Takes tasks that are due and have no lane, on PostgreSQL; binds: now, until when, the most. What another takes or settles at the same time
/// is skipped. `turn`: waits behind that until nobody else takes of lanes, since who does must see what others have taken; a row of nothing
/// but nulls comes then where none was taken.
pub(crate) fn take_loose(turn: bool) -> Statement {
    let mut lowering = Lowering::new(Dialect::Postgres, 3, &[]);
    lowering.sql.push(if turn { "WITH taken AS (" } else { "" });
    take_of(&mut lowering, Of::Loose);
    if turn {
        lowering.sql.push(") SELECT t.* FROM (SELECT pg_advisory_xact_lock(");
        lowering.sql.integer(advisory::TASKS).push(")) AS turn LEFT JOIN taken AS t ON true");
    }
    lowering.finish(TAKEN.to_vec())
}

/// What is told of a task that was taken: number, target, arguments, failures, lane, when it was due.
const TAKEN: [Scalar; 6] =
    [Scalar::Int, Scalar::Text, Scalar::Json, Scalar::Int, Scalar::Text, Scalar::Int];

/// Which tasks are taken.
#[derive(Clone, Copy, PartialEq)]
enum Of {
    All,
    Lanes,
    /// Those without a lane.
    Loose,
}

fn take_of(lowering: &mut Lowering<'_>, of: Of) {
    lowering.sql.push("UPDATE ");
    tasks(&mut lowering.sql);
    lowering.sql.push(" SET taken_until = ");
    lowering.bind(1, Scalar::Int);
    lowering.sql.push(match lowering.sql.dialect() {
        Dialect::Sqlite => " WHERE number IN (",
        // Of an `IN` with a limit that it does not know it expects so many rows that it reads the whole queue.
        Dialect::Postgres => " WHERE number = ANY (ARRAY(",
    });
    lowering.sql.push("SELECT t.number FROM ");
    tasks(&mut lowering.sql);
    lowering.sql.push(" AS t WHERE NOT t.parked AND t.due <= ");
    lowering.bind(0, Scalar::Int);
    lowering.sql.push(" AND (t.taken_until IS NULL OR t.taken_until < ");
    lowering.bind(0, Scalar::Int);
    lowering.sql.push(match of {
        Of::All => ")",
        Of::Lanes => ") AND t.lane IS NOT NULL",
        Of::Loose => ") AND t.lane IS NULL",
    });
    if of != Of::Loose {
        lowering.sql.push(" AND NOT EXISTS (SELECT 1 FROM ");
        tasks(&mut lowering.sql);
        lowering.sql.push(
            " AS b WHERE b.lane = t.lane AND b.number < t.number AND NOT b.parked AND (b.due > ",
        );
        lowering.bind(0, Scalar::Int);
        lowering.sql.push(" OR b.taken_until >= ");
        lowering.bind(0, Scalar::Int);
        lowering.sql.push("))");
    }
    lowering.sql.push(" ORDER BY t.priority DESC, t.number LIMIT ");
    lowering.bind(2, Scalar::Int);
    lowering.sql.push(match of {
        Of::All => ")",
        // What is being settled although its time has run out is waited for: left out, the next of its lane would be taken.
        Of::Lanes => " FOR UPDATE))",
        Of::Loose => " FOR UPDATE SKIP LOCKED))",
    });
    lowering.sql.push(" RETURNING number, target, arguments, failures, lane, due");
}

/// Ends a task; binds: number, until when it was taken. Answers its number, if it was still so.
pub(crate) fn settle(dialect: Dialect) -> Statement {
    let mut lowering = Lowering::new(dialect, 2, &[]);
    lowering.sql.push("DELETE FROM ");
    tasks(&mut lowering.sql);
    of_taker(&mut lowering, 0);
    lowering.sql.push(" RETURNING number");
    lowering.finish(vec![Scalar::Int])
}

/// Gives a task back that has failed; binds: when it is due, whether it is parked, why, number, until when it was taken.
pub(crate) fn fail(dialect: Dialect) -> Statement {
    let mut lowering = Lowering::new(dialect, 5, &[]);
    lowering.sql.push("UPDATE ");
    tasks(&mut lowering.sql);
    lowering.sql.push(" SET failures = failures + 1, taken_until = NULL, due = ");
    lowering.bind(0, Scalar::Int);
    lowering.sql.push(", parked = ");
    lowering.bind(1, Scalar::Bool);
    lowering.sql.push(", error = ");
    lowering.bind(2, Scalar::Text);
    of_taker(&mut lowering, 3);
    lowering.finish(Vec::new())
}

/// Makes the task of a job, or lets it become due then if it is due after the third bind; binds: target, when it is due.
pub(crate) fn schedule(dialect: Dialect) -> Statement {
    let mut lowering = Lowering::new(dialect, 3, &[]);
    lowering.sql.push("INSERT INTO ");
    tasks(&mut lowering.sql);
    lowering.sql.push(" AS t (target, arguments, priority, due, unique_key) VALUES (");
    lowering.bind(0, Scalar::Text);
    lowering.sql.push(", '{}', 0, ");
    lowering.bind(1, Scalar::Int);
    lowering.sql.push(", ");
    lowering.bind(0, Scalar::Text);
    lowering.sql.push(") ON CONFLICT (unique_key) DO UPDATE SET due = excluded.due");
    lowering.sql.push(" WHERE t.taken_until IS NULL AND t.due > ");
    lowering.bind(2, Scalar::Int);
    lowering.finish(Vec::new())
}

/// Notes how far a task has come; binds: arguments, until when it is kept, number, until when it was taken. Answers its
/// number, if it was still so.
pub(crate) fn advance(dialect: Dialect) -> Statement {
    let mut lowering = Lowering::new(dialect, 4, &[]);
    lowering.sql.push("UPDATE ");
    tasks(&mut lowering.sql);
    lowering.sql.push(" SET arguments = ");
    lowering.bind(0, Scalar::Json);
    lowering.sql.push(", taken_until = ");
    lowering.bind(1, Scalar::Int);
    of_taker(&mut lowering, 2);
    lowering.sql.push(" RETURNING number");
    lowering.finish(vec![Scalar::Int])
}

/// Ends a task until it is due again; binds: when, what has failed, number, until when it was taken, arguments.
pub(crate) fn again(dialect: Dialect) -> Statement {
    let mut lowering = Lowering::new(dialect, 5, &[]);
    lowering.sql.push("UPDATE ");
    tasks(&mut lowering.sql);
    lowering.sql.push(" SET arguments = ");
    lowering.bind(4, Scalar::Json);
    lowering.sql.push(", failures = 0, taken_until = NULL, due = ");
    lowering.bind(0, Scalar::Int);
    lowering.sql.push(", error = ");
    lowering.bind(1, Scalar::Text);
    of_taker(&mut lowering, 2);
    lowering.finish(Vec::new())
}

/// Gives a task back that was not tried; binds: number, until when it was taken.
pub(crate) fn give_back(dialect: Dialect) -> Statement {
    let mut lowering = Lowering::new(dialect, 2, &[]);
    lowering.sql.push("UPDATE ");
    tasks(&mut lowering.sql);
    lowering.sql.push(" SET taken_until = NULL");
    of_taker(&mut lowering, 0);
    lowering.finish(Vec::new())
}

/// Gives all tasks back.
pub(crate) fn release(dialect: Dialect) -> Statement {
    let mut lowering = Lowering::new(dialect, 0, &[]);
    lowering.sql.push("UPDATE ");
    tasks(&mut lowering.sql);
    lowering.sql.push(" SET taken_until = NULL WHERE taken_until IS NOT NULL");
    lowering.finish(Vec::new())
}

/// Lets parked tasks be tried again, but for messages of which nothing can be read; binds: now, number (null: all).
pub(crate) fn revive(dialect: Dialect) -> Statement {
    let mut lowering = Lowering::new(dialect, 2, &[]);
    lowering.sql.push("UPDATE ");
    tasks(&mut lowering.sql);
    lowering.sql.push(" SET failures = 0, taken_until = NULL, error = NULL, parked = ");
    lowering.sql.push(if dialect == Dialect::Sqlite { "0" } else { "false" });
    lowering.sql.push(", due = ");
    lowering.bind(0, Scalar::Int);
    lowering.sql.push(" WHERE parked AND number = coalesce(");
    lowering.bind(1, Scalar::Int);
    lowering.sql.push(", number) AND (substr(target, 1, length('").push(ARRIVED);
    lowering.sql.push("')) <> '").push(ARRIVED);
    lowering.sql.push("' OR arguments ->> 'data' IS NOT NULL) RETURNING number");
    lowering.finish(vec![Scalar::Int])
}

/// Drops a parked task; bind: number. Answers it, if it was parked.
pub(crate) fn discard(dialect: Dialect) -> Statement {
    let mut lowering = Lowering::new(dialect, 1, &[]);
    lowering.sql.push("DELETE FROM ");
    tasks(&mut lowering.sql);
    lowering.sql.push(" WHERE parked AND number = ");
    lowering.bind(0, Scalar::Int);
    lowering.sql.push(" RETURNING number");
    lowering.finish(vec![Scalar::Int])
}

/// By what parked tasks are asked for.
pub(crate) struct AskedParked {
    /// How many names of events.
    pub names: usize,
    pub key: bool,
    pub since: bool,
    /// Only together with `since`.
    pub after: bool,
    pub number: bool,
}

/// Parked tasks, the first parked first; binds: names of their events, a key of these, since when they are parked, a number behind
/// which those of that moment are, their number, as far as they are asked for, and the most. Their number, target, arguments,
/// event, its name and key, lane, failures, since when, error. Where the event is not kept any more, or never came to be, the
/// target says its name, and the lane its key.
pub(crate) fn parked(dialect: Dialect, asked: &AskedParked) -> Statement {
    let AskedParked { names, key, since, after, number } = *asked;
    let binds = names + [key, since, after, number].map(usize::from).iter().sum::<usize>() + 1;
    let mut lowering = Lowering::new(dialect, binds, &[]);
    lowering.sql.push("SELECT t.number, t.target, t.arguments, t.event");
    for column in ["name", "key"] {
        lowering.sql.push(", (SELECT e.").push(column).push(" FROM ");
        lowering.sql.ident(&events(dialect).name).push(" AS e WHERE e.id = t.event)");
    }
    lowering.sql.push(", t.lane, t.failures, t.due, t.error FROM ");
    tasks(&mut lowering.sql);
    lowering.sql.push(" AS t WHERE t.parked");
    let mut at = 0;
    if names > 0 || key {
        lowering.sql.push(" AND (NOT EXISTS (SELECT 1 FROM ").ident(&events(dialect).name);
        lowering.sql.push(" AS e WHERE e.id = t.event)");
        for name in 0..names {
            lowering.sql.push(if name == 0 { " AND (" } else { " OR " });
            lowering.sql.push("t.target = '").push(ARRIVED).push("' || ");
            lowering.bind(name, Scalar::Text);
            lowering.sql.push(" OR substr(t.target, 1, length(");
            lowering.bind(name, Scalar::Text);
            lowering.sql.push(") + 4) = 'on ' || ");
            lowering.bind(name, Scalar::Text);
            lowering.sql.push(" || ' '");
        }
        lowering.sql.push(if names > 0 { ")" } else { "" });
        if key {
            lowering.sql.push(" AND t.lane = t.target || '/' || ");
            lowering.bind(names, Scalar::Text);
        }
        lowering.sql.push(" OR EXISTS (SELECT 1 FROM ").ident(&events(dialect).name);
        lowering.sql.push(" AS e WHERE e.id = t.event");
        for (count, condition, end) in
            [(names, " AND e.name IN (", ")"), (usize::from(key), " AND e.key = ", "")]
        {
            if count > 0 {
                lowering.sql.push(condition);
                at = listed(&mut lowering, at, count, Scalar::Text);
                lowering.sql.push(end);
            }
        }
        lowering.sql.push("))");
    }
    if since {
        lowering.sql.push(" AND t.due >= ");
        at = listed(&mut lowering, at, 1, Scalar::Int);
    }
    if after {
        lowering.sql.push(" AND (t.due > ");
        listed(&mut lowering, at - 1, 1, Scalar::Int);
        lowering.sql.push(" OR t.number > ");
        at = listed(&mut lowering, at, 1, Scalar::Int);
        lowering.sql.push(")");
    }
    if number {
        lowering.sql.push(" AND t.number = ");
        at = listed(&mut lowering, at, 1, Scalar::Int);
    }
    lowering.sql.push(" ORDER BY t.due, t.number LIMIT ");
    lowering.bind(at, Scalar::Int);
    let (int, text) = (Scalar::Int, Scalar::Text);
    lowering.finish(vec![int, text, Scalar::Json, Scalar::Uuid, text, text, text, int, int, text])
}

/// How many tasks wait, are taken, are parked, and since when the first of those that are due waits; bind: now.
pub(crate) fn queue(dialect: Dialect) -> Statement {
    let mut lowering = Lowering::new(dialect, 1, &[]);
    let taken = " NOT parked AND taken_until IS NOT NULL AND taken_until >= ";
    let free = " NOT parked AND (taken_until IS NULL OR taken_until < ";
    lowering.sql.push("SELECT count(*) FILTER (WHERE").push(free);
    lowering.bind(0, Scalar::Int);
    lowering.sql.push(")), count(*) FILTER (WHERE").push(taken);
    lowering.bind(0, Scalar::Int);
    lowering.sql.push("), count(*) FILTER (WHERE parked), min(due) FILTER (WHERE").push(free);
    lowering.bind(0, Scalar::Int);
    lowering.sql.push(") AND due <= ");
    lowering.bind(0, Scalar::Int);
    lowering.sql.push(")").push(match dialect {
        Dialect::Sqlite => {
            ", (SELECT count(*) FROM mimar_delivery WHERE state = 'waiting'), \
             (SELECT count(*) FROM mimar_endpoint WHERE NOT enabled), \
             count(*) FILTER (WHERE NOT parked AND failures > 0)"
        }
        Dialect::Postgres => {
            ", (SELECT count(*) FROM mimar.delivery WHERE state = 'waiting'), \
             (SELECT count(*) FROM mimar.endpoint WHERE NOT enabled), \
             count(*) FILTER (WHERE NOT parked AND failures > 0)"
        }
    });
    lowering.sql.push(" FROM ");
    tasks(&mut lowering.sql);
    lowering.finish(vec![Scalar::Int; 7])
}

/// How much is promised and not done: tasks that are of no job, deliveries, events for the broker.
pub(crate) fn promised(dialect: Dialect) -> Statement {
    let text = match dialect {
        Dialect::Sqlite => {
            "SELECT (SELECT count(*) FROM mimar_task WHERE target NOT LIKE 'job %'), \
             (SELECT count(*) FROM mimar_delivery WHERE state = 'waiting'), (SELECT count(*) FROM mimar_outgoing)"
        }
        Dialect::Postgres => {
            "SELECT (SELECT count(*) FROM mimar.task WHERE target NOT LIKE 'job %'), \
             (SELECT count(*) FROM mimar.delivery WHERE state = 'waiting'), (SELECT count(*) FROM mimar.outgoing)"
        }
    };
    let mut lowering = Lowering::new(dialect, 0, &[]);
    lowering.sql.push(text);
    lowering.finish(vec![Scalar::Int; 3])
}

/// Which events are asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// By how many names, which are the first binds; each of these takes the next.
    pub names: usize,
    /// Whether by their key.
    pub key: bool,
    /// Whether published at a moment or later.
    pub since: bool,
    /// Whether behind a number.
    pub after: bool,
    /// By how many identifiers.
    pub ids: usize,
    /// How many numbers are asked for besides those that are behind one; 0 unless there is one.
    pub numbers: usize,
    /// Whether the newest come first.
    pub newest: bool,
}

/// Events that were published; the last bind: the most. Their number, identifier, name, key, moment, data.
pub(crate) fn published(dialect: Dialect, asked: &Asked) -> Statement {
    let &Asked { names, key, since, after, ids, numbers, newest } = asked;
    let single = [key, since, after].into_iter().filter(|is| *is).count();
    let binds = names + single + ids + numbers + 1;
    let mut lowering = Lowering::new(dialect, binds, &[]);
    lowering
        .sql
        .push("SELECT number, id, name, key, made, data FROM ")
        .ident(&events(dialect).name);
    let mut at = 0;
    for (count, condition, end, scalar) in [
        (names, "name IN (", ")", Scalar::Text),
        (usize::from(key), "key = ", "", Scalar::Text),
        (usize::from(since), "made >= ", "", Scalar::Int),
        (ids, "id IN (", ")", Scalar::Uuid),
    ] {
        if count > 0 {
            lowering.sql.push(if at == 0 { " WHERE " } else { " AND " }).push(condition);
            at = listed(&mut lowering, at, count, scalar);
            lowering.sql.push(end);
        }
    }
    if after {
        lowering.sql.push(if at == 0 { " WHERE " } else { " AND " }).push("(number > ");
        lowering.bind(at, Scalar::Int);
        at += 1;
        if numbers > 0 {
            lowering.sql.push(" OR number IN (");
            at = listed(&mut lowering, at, numbers, Scalar::Int);
            lowering.sql.push(")");
        }
        lowering.sql.push(")");
    }
    lowering.sql.push(" ORDER BY number").push(if newest { " DESC" } else { "" }).push(" LIMIT ");
    lowering.bind(at, Scalar::Int);
    let (int, text) = (Scalar::Int, Scalar::Text);
    lowering.finish(vec![int, Scalar::Uuid, text, text, int, Scalar::Json])
}

/// So many binds, separated by commas; where the next bind is.
fn listed(lowering: &mut Lowering<'_>, first: usize, count: usize, scalar: Scalar) -> usize {
    for at in first..first + count {
        lowering.sql.push(if at > first { ", " } else { "" });
        lowering.bind(at, scalar);
    }
    first + count
}

/// Whether an event is kept; bind: its identifier. Answers its number.
pub(crate) fn known(dialect: Dialect) -> Statement {
    let mut lowering = Lowering::new(dialect, 1, &[]);
    lowering.sql.push("SELECT number FROM ").ident(&events(dialect).name).push(" WHERE id = ");
    lowering.bind(0, Scalar::Uuid);
    lowering.finish(vec![Scalar::Int])
}

/// How many of the next thousand events are old, and the number of the last of them; binds: before when that is, a number behind which
/// they are. Of rows, not of numbers: some were never given to a row.
pub(crate) fn old(dialect: Dialect) -> Statement {
    let mut lowering = Lowering::new(dialect, 2, &[]);
    // The oldest have the least numbers: an index by the moment would cost each that is published.
    lowering.sql.push("SELECT count(*), max(number) FROM (SELECT number, made FROM ");
    lowering.sql.ident(&events(dialect).name).push(" WHERE number > ");
    lowering.bind(1, Scalar::Int);
    lowering.sql.push(" ORDER BY number LIMIT 1000) AS e WHERE made < ");
    lowering.bind(0, Scalar::Int);
    lowering.finish(vec![Scalar::Int, Scalar::Int])
}

/// `DELETE` of old events that neither a delivery nor the broker waits for; binds: before when they were published, a number behind which
/// they are, the number of the last. Answers their numbers.
pub(crate) fn forget(dialect: Dialect) -> Statement {
    let mut lowering = Lowering::new(dialect, 3, &[]);
    let name = &events(dialect).name;
    lowering.sql.push("DELETE FROM ").ident(name).push(" WHERE made < ");
    lowering.bind(0, Scalar::Int);
    lowering.sql.push(" AND number > ");
    lowering.bind(1, Scalar::Int);
    lowering.sql.push(" AND number <= ");
    lowering.bind(2, Scalar::Int);
    lowering.sql.push(" AND NOT EXISTS (SELECT 1 FROM ");
    lowering.sql.push(match dialect {
        Dialect::Sqlite => "mimar_delivery AS d WHERE d.event = mimar_event.id",
        Dialect::Postgres => "mimar.delivery AS d WHERE d.event = mimar.event.id",
    });
    lowering.sql.push(" AND d.state = 'waiting') AND NOT EXISTS (SELECT 1 FROM ");
    lowering.sql.push(match dialect {
        Dialect::Sqlite => "mimar_outgoing AS o WHERE o.event = mimar_event.id",
        Dialect::Postgres => "mimar.outgoing AS o WHERE o.event = mimar.event.id",
    });
    lowering.sql.push(") RETURNING number");
    lowering.finish(vec![Scalar::Int])
}

fn of_taker(lowering: &mut Lowering<'_>, first: usize) {
    lowering.sql.push(" WHERE number = ");
    lowering.bind(first, Scalar::Int);
    lowering.sql.push(" AND taken_until = ");
    lowering.bind(first + 1, Scalar::Int);
}
