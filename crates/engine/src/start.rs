//! What must hold before anything is served.

use std::ops::ControlFlow;

use operation::Dialect;
use schema::{Change, Loss, LostRows, Names, Schema};
use store::{Store, StoreFault};

use crate::migrate::{self, MigrateFault, Record, State};

/// How a database stands to a model.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// It can be served, under these stored names.
    Fits(Names),
    /// It has none of its tables: it is new. These statements make them.
    Empty(Vec<String>),
    /// It cannot be served.
    Differs(Box<Mismatch>),
}

/// The tables are not those of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch {
    /// Why.
    pub cause: Cause,
    /// What would make them so on SQLite; its summary holds for both.
    pub change: Change,
}

/// Why a database is not that of a model.
#[derive(Debug, Clone, PartialEq)]
pub enum Cause {
    /// A change is under way that does not let this model be served now.
    UnderWay(Box<Record>),
    /// It was changed by hand: what went with `-`, what came with `+`.
    Drift(Vec<String>),
    /// Others made its tables, and they cannot be served as they are: why not.
    Foreign(Vec<String>),
    /// It has moved on from this model.
    Ahead,
    /// It has not been brought to this model.
    Behind,
}

/// Whether a database can be served with the tables of a schema.
///
/// # Errors
/// [`MigrateFault`] if the database does not answer, or has recorded what cannot be read.
pub fn stand(store: &Store, schema: &Schema) -> Result<Standing, MigrateFault> {
    are_apart(store, schema)?;
    let fingerprint = schema::fingerprint(schema);
    if let Some(record) = migrate::status(store)? {
        let (is_old, is_new) = (record.from == fingerprint, record.to == fingerprint);
        return Ok(match record.state {
            State::Expanding | State::Expanded | State::Undoing if is_old => {
                Standing::Fits(migrate::names(store)?)
            }
            State::Expanded | State::Contracting if is_new => Standing::Fits(record.names),
            _ => Standing::Differs(Box::new(Mismatch {
                change: Change { summary: record.plan.summary.clone(), ..Change::default() },
                cause: Cause::UnderWay(Box::new(record)),
            })),
        });
    }
    let names = migrate::names(store)?;
    let existing = migrate::tables(store, &names, Some(schema))?;
    let mut change = schema::diff(&existing, schema);
    if store.dialect() == Dialect::Postgres {
        change.summary = change.summary_in_place();
    }
    // Tables of others are served as they are, where they can be, with all that stands beside them.
    let is_noted = migrate::noted_schema(store)?;
    if change.is_empty() {
        let added = if is_noted.is_some() { migrate::added(store)? } else { Vec::new() };
        return Ok(if added.is_empty() {
            Standing::Fits(names)
        } else {
            Standing::Differs(Box::new(Mismatch { cause: Cause::Drift(added), change }))
        });
    }
    if is_noted.is_none() && schema::are_foreign(&existing) {
        let existing = migrate::others_tables(store, schema)?;
        return Ok(match schema::adopt(&existing, schema) {
            Ok(names) => Standing::Fits(names),
            Err(reasons) => {
                Standing::Differs(Box::new(Mismatch { cause: Cause::Foreign(reasons), change }))
            }
        });
    }
    if existing.is_empty() {
        return Ok(Standing::Empty(match store.dialect() {
            Dialect::Sqlite => change.statements,
            Dialect::Postgres => schema::ddl::postgres(schema),
        }));
    }
    let is_noted = is_noted.as_ref() == Some(&fingerprint);
    let was = |entry: &migrate::Entry| !entry.undone && entry.from == fingerprint;
    let cause = if is_noted {
        Cause::Drift(migrate::drift(store)?)
    } else if migrate::history(store)?.iter().any(was) {
        Cause::Ahead
    } else {
        Cause::Behind
    };
    Ok(Standing::Differs(Box::new(Mismatch { cause, change })))
}

/// Whether the schemas of services are others than the one where tables of no service stand.
///
/// # Errors
/// [`MigrateFault::Together`], [`MigrateFault::Store`].
pub(crate) fn are_apart(store: &Store, schema: &Schema) -> Result<(), MigrateFault> {
    let services = schema.services();
    if services.is_empty() {
        return Ok(());
    }
    let own = store.schema()?;
    if services.contains(&*own) { Err(MigrateFault::Together(own)) } else { Ok(()) }
}

/// Of what a change would lose, that which the database really holds. `before` is the schema that made the tables,
/// where it is known: what followed from that is no loss.
///
/// # Errors
/// [`StoreFault`] if the database does not answer.
pub fn real_losses(
    store: &Store,
    losses: &[Loss],
    before: Option<&Schema>,
) -> Result<Vec<Loss>, StoreFault> {
    let mut real = Vec::new();
    for loss in losses {
        let mut found = false;
        store.dump(&loss.probe, |row| {
            found = row.first().is_some_and(|value| {
                let implied = loss.rows == LostRows::Filled
                    && before.zip(loss.probe.columns.first()).is_some_and(|(before, column)| {
                        before.is_implied(&loss.probe.name, column.name.as_str(), value)
                    });
                loss.rows.counts(value) && !implied
            });
            if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if found {
            real.push(loss.clone());
        }
    }
    Ok(real)
}
