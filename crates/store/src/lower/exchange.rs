//! What goes to a broker and what comes from one: rows that are kept beside those of events and tasks.

use std::sync::LazyLock;

use operation::{Column, Dialect, Ident, Scalar, Table, TableId};

use super::Statement;
use super::said::said;

/// The tables, and their indexes, for a database that has none.
pub(crate) const SQLITE: &str = "\
CREATE TABLE IF NOT EXISTS mimar_outgoing (event BLOB NOT NULL, number INTEGER PRIMARY KEY AUTOINCREMENT) STRICT; \
CREATE INDEX IF NOT EXISTS mimar_outgoing_event ON mimar_outgoing (event); \
CREATE TABLE IF NOT EXISTS mimar_received (source TEXT NOT NULL, id TEXT NOT NULL, made INTEGER NOT NULL, \
  PRIMARY KEY (source, id)) STRICT, WITHOUT ROWID; \
CREATE INDEX IF NOT EXISTS mimar_received_made ON mimar_received (made); \
CREATE TABLE IF NOT EXISTS mimar_position (name TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT; \
CREATE TABLE IF NOT EXISTS mimar_lease (name TEXT PRIMARY KEY, holder BLOB NOT NULL, until INTEGER NOT NULL) STRICT";

/// The table of what goes to the broker, as far as a command fills it.
pub(crate) fn outgoing(dialect: Dialect) -> &'static Table {
    static SQLITE: LazyLock<Table> = LazyLock::new(|| outgoing_as(Ident::fit("mimar_outgoing")));
    static POSTGRES: LazyLock<Table> =
        LazyLock::new(|| outgoing_as(Ident::within("mimar", "outgoing")));
    match dialect {
        Dialect::Sqlite => &SQLITE,
        Dialect::Postgres => &POSTGRES,
    }
}

fn outgoing_as(name: Ident) -> Table {
    Table {
        // No table of a model: those are counted from 0.
        id: TableId(u32::MAX - 1),
        rank: u32::MAX - 1,
        name,
        entity: "outgoing".into(),
        columns: vec![Column {
            name: Ident::fit("event"),
            field: "event".into(),
            scalar: Scalar::Uuid,
            nullable: false,
            native: None,
        }],
        key: vec![0],
        root: None,
        auto: None,
        version: None,
        uniques: Vec::new(),
        foreign_keys: Vec::new(),
        tracked: Vec::new(),
    }
}

/// Events that wait for the broker behind a number, in their order; binds: the number, the most. The number among those that
/// wait; of the event its identifier, name, key, moment and data, null if it is not kept any more.
pub(crate) fn waiting(dialect: Dialect) -> Statement {
    let text = "SELECT o.number, e.id, e.name, e.key, e.made, e.data FROM {outgoing} AS o \
                LEFT JOIN {event} AS e ON e.id = o.event WHERE o.number > {0} ORDER BY o.number LIMIT {1}";
    let (int, words) = (Scalar::Int, Scalar::Text);
    said(dialect, text, &[int; 2], vec![int, Scalar::Uuid, words, words, int, Scalar::Json])
}

/// How many events wait for the broker, and when the first of them was published.
pub(crate) fn backlog(dialect: Dialect) -> Statement {
    let text = "SELECT (SELECT count(*) FROM {outgoing}), (SELECT e.made FROM {outgoing} AS o \
                JOIN {event} AS e ON e.id = o.event ORDER BY o.number LIMIT 1)";
    said(dialect, text, &[], vec![Scalar::Int; 2])
}

/// `DELETE` of what the broker has acknowledged; bind: an array of numbers.
pub(crate) fn sent(dialect: Dialect) -> Statement {
    let text = match dialect {
        Dialect::Sqlite => {
            "DELETE FROM {outgoing} WHERE number IN (SELECT value FROM json_each({0}))"
        }
        Dialect::Postgres => {
            "DELETE FROM {outgoing} WHERE number = ANY (ARRAY(SELECT value::bigint FROM \
             json_array_elements_text({0}) AS value))"
        }
    };
    said(dialect, text, &[Scalar::Json], Vec::new())
}

/// Makes somebody the one that speaks with the broker; binds: who, until when, now. Answers who, if so.
pub(crate) fn hold(dialect: Dialect) -> Statement {
    let text = "INSERT INTO {lease} AS l (name, holder, until) VALUES ('broker', {0}, {1}) \
                ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until \
                WHERE l.holder = excluded.holder OR l.until < {2} RETURNING holder";
    said(dialect, text, &[Scalar::Uuid, Scalar::Int, Scalar::Int], vec![Scalar::Uuid])
}

/// Ends that; bind: who.
pub(crate) fn end_hold(dialect: Dialect) -> Statement {
    let text = "DELETE FROM {lease} WHERE name = 'broker' AND holder = {0}";
    said(dialect, text, &[Scalar::Uuid], Vec::new())
}

/// Whether somebody is still the one, and stays it until the transaction ends; bind: who.
pub(crate) fn held(dialect: Dialect) -> Statement {
    let text = match dialect {
        Dialect::Sqlite => "SELECT holder FROM {lease} WHERE name = 'broker' AND holder = {0}",
        Dialect::Postgres => {
            "SELECT holder FROM {lease} WHERE name = 'broker' AND holder = {0} FOR SHARE"
        }
    };
    said(dialect, text, &[Scalar::Uuid], vec![Scalar::Uuid])
}

/// Notes what has come; binds: an array of pairs of source and identifier, now. Answers those that had not come before.
pub(crate) fn receive(dialect: Dialect) -> Statement {
    let text = match dialect {
        Dialect::Sqlite => {
            "INSERT INTO {received} (source, id, made) SELECT value ->> 0, value ->> 1, {1} FROM json_each({0}) \
             WHERE true ON CONFLICT (source, id) DO NOTHING RETURNING source, id"
        }
        Dialect::Postgres => {
            "INSERT INTO {received} (source, id, made) SELECT value ->> 0, value ->> 1, CAST({1} AS bigint) \
             FROM json_array_elements({0}) AS value ON CONFLICT (source, id) DO NOTHING RETURNING source, id"
        }
    };
    said(dialect, text, &[Scalar::Json, Scalar::Int], vec![Scalar::Text; 2])
}

/// `DELETE` of a thousand notes of what came before a moment, which is the bind. Answers their identifiers.
pub(crate) fn forget(dialect: Dialect) -> Statement {
    let text = "DELETE FROM {received} WHERE (source, id) IN (SELECT source, id FROM {received} \
                WHERE made < {0} ORDER BY made LIMIT 1000) RETURNING id";
    said(dialect, text, &[Scalar::Int], vec![Scalar::Text])
}

/// `INSERT` of a parked task of what could not be read; binds: target, what came, now, why.
pub(crate) fn park(dialect: Dialect) -> Statement {
    let text = match dialect {
        Dialect::Sqlite => {
            "INSERT INTO {task} (target, arguments, priority, due, failures, parked, error) \
             VALUES ({0}, {1}, 0, {2}, 1, 1, {3})"
        }
        Dialect::Postgres => {
            "INSERT INTO {task} (target, arguments, priority, due, failures, parked, error) \
             VALUES ({0}, {1}, 0, {2}, 1, true, {3})"
        }
    };
    said(dialect, text, &[Scalar::Text, Scalar::Json, Scalar::Int, Scalar::Text], Vec::new())
}

/// `DELETE` of parked tasks of that kind, all but the thousand newest; bind: how their targets begin, as a pattern.
pub(crate) fn bound(dialect: Dialect) -> Statement {
    let text = "DELETE FROM {task} WHERE parked AND target LIKE {0} AND number <= (SELECT number FROM {task} \
                WHERE parked AND target LIKE {0} ORDER BY number DESC LIMIT 1 OFFSET 1000)";
    said(dialect, text, &[Scalar::Text], Vec::new())
}

/// Notes how far a place of the broker has been read; binds: its name, what is next.
pub(crate) fn advance(dialect: Dialect) -> Statement {
    let text = "INSERT INTO {position} (name, next) VALUES ({0}, {1}) \
                ON CONFLICT (name) DO UPDATE SET next = excluded.next";
    said(dialect, text, &[Scalar::Text, Scalar::Int], Vec::new())
}

/// How far places of the broker have been read: their names, and what is next.
pub(crate) fn positions(dialect: Dialect) -> Statement {
    said(dialect, "SELECT name, next FROM {position}", &[], vec![Scalar::Text, Scalar::Int])
}
