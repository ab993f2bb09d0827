//! What must hold before anything is served.

use std::ops::ControlFlow;

use operation::Dialect;
use schema::{Change, Loss, LostRows, Schema};
use store::{Store, StoreFault};

/// The tables are not those of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch {
    /// Whether the database has none of its tables: it is new.
    pub empty: bool,
    /// Whether the statements of `change` can be carried out: on PostgreSQL only those for an empty database.
    pub can_follow: bool,
    /// What would make them so.
    pub change: Change,
}

/// Whether the database holds the tables of a schema: `None` if it does.
///
/// # Errors
/// [`StoreFault`] if the database does not answer.
pub fn verify_schema(store: &Store, schema: &Schema) -> Result<Option<Mismatch>, StoreFault> {
    let existing = store.tables()?;
    let mut change = schema::diff(&existing, schema);
    if change.is_empty() {
        return Ok(None);
    }
    let empty = existing.is_empty();
    let can_follow = match store.dialect() {
        Dialect::Sqlite => true,
        Dialect::Postgres => empty,
    };
    if store.dialect() == Dialect::Postgres {
        change.statements = schema::ddl::postgres(schema);
    }
    Ok(Some(Mismatch { empty, can_follow, change }))
}

/// Of what a change would lose, that which the database really holds. `before` is the schema that made the tables,
/// where it is known: what followed from that is no loss.
///
/// # Errors
/// [`StoreFault`] if the database does not answer.
pub fn real_losses(
    store: &Store,
    change: &Change,
    before: Option<&Schema>,
) -> Result<Vec<Loss>, StoreFault> {
    let mut real = Vec::new();
    for loss in &change.losses {
        let mut found = false;
        store.dump(&loss.probe, |row| {
            found = row.first().is_some_and(|value| {
                let table = loss.probe.name.as_str();
                let implied = loss.rows == LostRows::Filled
                    && before.zip(loss.probe.columns.first()).is_some_and(|(before, column)| {
                        before.is_implied(table, column.name.as_str(), value)
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
