//! Computed columns of rows that are already stored, after their formulas have changed.

use std::ops::ControlFlow;

use model::EntityId;
use operation::{Dialect, Ident, Scalar, Scope, Sql, TableId, Value};
use rustc_hash::FxHashMap;
use store::{Store, StoreFault};

/// Where the formulas that the stored values follow are noted.
const NOTE: &str = "formulas";

/// Computes every computed column anew where it differs from what is stored, if a formula has changed since the last
/// time or `always`; rows changed.
pub(crate) fn recompute(
    store: &Store,
    loaded: &engine::Loaded,
    always: bool,
) -> Result<u64, StoreFault> {
    if !always && !has_new_formulas(store, loaded)? {
        return Ok(0);
    }
    let mut total = 0;
    for _ in 0..PASSES {
        let mut statements = Vec::new();
        // Parts first: a root may sum what is computed in its parts.
        let mut entities: Vec<EntityId> = loaded.model.entity_ids().collect();
        entities.sort_by_key(|entity| loaded.model.part_of(*entity).is_none());
        let mut renewed: FxHashMap<TableId, FxHashMap<Value, Vec<Vec<Value>>>> =
            FxHashMap::default();
        for entity in entities {
            one(store, loaded, entity, &mut renewed, &mut statements)?;
        }
        total += statements.len() as u64;
        match store.dialect() {
            Dialect::Sqlite if statements.is_empty() => {}
            Dialect::Sqlite => store.execute_schema(&statements)?,
            // Others write meanwhile: a few rows at a time, and each only if it is still what it was computed from.
            Dialect::Postgres => {
                for some in statements.chunks(TOGETHER) {
                    store.execute_schema(some)?;
                }
            }
        }
        if statements.is_empty() || store.dialect() == Dialect::Sqlite {
            note_formulas(store, loaded)?;
            break;
        }
    }
    // What was written again and again meanwhile is left to the next time: the note says so by not being there.
    Ok(total)
}

/// Rows that are computed anew in one transaction beside others who write.
const TOGETHER: usize = 100;

/// How often rows are looked at until none has changed meanwhile.
const PASSES: usize = 10;

/// Whether the stored values follow other formulas than this model's.
pub(crate) fn has_new_formulas(store: &Store, loaded: &engine::Loaded) -> Result<bool, StoreFault> {
    Ok(store.meta(NOTE)?.as_deref() != Some(&formulas(loaded)))
}

/// Notes that the stored values follow the formulas of this model.
pub(crate) fn note_formulas(store: &Store, loaded: &engine::Loaded) -> Result<(), StoreFault> {
    store.set_meta(NOTE, &formulas(loaded))
}

/// A text that differs whenever a formula does.
fn formulas(loaded: &engine::Loaded) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for entity in loaded.model.entity_ids() {
        for computed in loaded.plan.computed_of(entity) {
            let text = format!("{}:{}:{:?};", entity.0, computed.column, computed.expression);
            for byte in text.bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
    }
    format!("{hash:016x}")
}

fn one(
    store: &Store,
    loaded: &engine::Loaded,
    entity: EntityId,
    renewed: &mut FxHashMap<TableId, FxHashMap<Value, Vec<Vec<Value>>>>,
    statements: &mut Vec<String>,
) -> Result<(), StoreFault> {
    let table = loaded.schema.table(entity);
    let computed = loaded.plan.computed_of(entity);
    // Parts are kept for their root when it computes something over them.
    let wanted =
        loaded.model.part_of(entity).is_some_and(|of| !loaded.plan.aggregates(of.root).is_empty());
    if computed.is_empty() && !wanted {
        return Ok(());
    }
    let mut kept: FxHashMap<Value, Vec<Vec<Value>>> = FxHashMap::default();
    let mut fault = None;
    store.dump(table, |stored| {
        let mut row = stored.to_vec();
        let key = row.get(table.own_key()).cloned().unwrap_or_default();
        let parts: Vec<(TableId, &[Vec<Value>])> = loaded.model[entity]
            .parts
            .iter()
            .map(|part| {
                let id = loaded.schema.table(*part).id;
                let rows = renewed.get(&id).and_then(|rows| rows.get(&key));
                (id, rows.map_or(&[][..], Vec::as_slice))
            })
            .collect();
        for column in &computed {
            let scope = Scope { rows: &[&row], binds: &[], parts: &parts, stored: None };
            match operation::evaluate(&column.expression, &scope) {
                Ok(value) => row[column.column] = value,
                Err(error) => {
                    fault = Some(StoreFault::Database {
                        reason: format!(
                            "{}.{} of the row {}: {error}",
                            table.entity,
                            table.columns[column.column].field,
                            loaded.plan.key_text(entity, &key)
                        ),
                    });
                    return ControlFlow::Break(());
                }
            }
        }
        let changed: Vec<usize> = computed
            .iter()
            .map(|column| column.column)
            .filter(|at| row[*at] != stored[*at])
            .collect();
        if !changed.is_empty() {
            statements.push(update(store.dialect(), table, (stored, &row), &changed));
        }
        if wanted && let Some(root) = table.root {
            kept.entry(row[root].clone()).or_default().push(row);
        }
        ControlFlow::Continue(())
    })?;
    if let Some(fault) = fault {
        return Err(fault);
    }
    if wanted {
        renewed.insert(table.id, kept);
    }
    Ok(())
}

/// Gives a row its new values, if it is still the one that they were computed from.
fn update(
    dialect: Dialect,
    table: &operation::Table,
    (before, row): (&[Value], &[Value]),
    columns: &[usize],
) -> String {
    let mut sql = Sql::new(dialect);
    let value = |sql: &mut Sql, at: usize, value: &Value| match dialect {
        Dialect::Sqlite => literal(sql, value),
        Dialect::Postgres => typed_literal(sql, table.columns[at].scalar, value),
    };
    let equals = |sql: &mut Sql, at: usize| {
        sql.ident(&table.columns[at].name).push(" = ");
        value(sql, at, &row[at]);
    };
    sql.push("UPDATE ").ident(&table.name).push(" SET ");
    sql.list(", ", columns, |sql, at| equals(sql, *at));
    if let Some(version) = table.version {
        let version: &Ident = &table.columns[version].name;
        sql.push(", ").ident(version).push(" = ").ident(version).push(" + 1");
    }
    sql.push(" WHERE ");
    sql.list(" AND ", &table.key, |sql, at| equals(sql, *at));
    if dialect == Dialect::Postgres {
        // A root has a version, a part is what its columns hold.
        let seen: Vec<usize> = match table.version {
            Some(version) => vec![version],
            None => (0..table.columns.len()).filter(|at| !table.key.contains(at)).collect(),
        };
        for at in seen {
            let text = if table.columns[at].scalar == Scalar::Json { "::text" } else { "" };
            sql.push(" AND ").ident(&table.columns[at].name).push(text);
            sql.push(" IS NOT DISTINCT FROM ");
            value(&mut sql, at, &before[at]);
            sql.push(text);
        }
    }
    sql.finish()
}

/// A value as PostgreSQL reads it: its text, and what it is.
fn typed_literal(sql: &mut Sql, scalar: Scalar, value: &Value) {
    if value.is_null() {
        sql.push("NULL");
        return;
    }
    let mut text = Vec::new();
    scalar.print(value, &mut text);
    let text = String::from_utf8_lossy(&text);
    match scalar {
        Scalar::Bytes => sql.push("decode(").literal(&text).push(", 'base64')"),
        _ => sql.literal(&text).push("::").push(scalar.postgres()),
    };
}

fn literal(sql: &mut Sql, value: &Value) {
    let hexadecimal =
        |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match value {
        Value::Null => sql.push("NULL"),
        Value::Bool(b) => sql.integer(i64::from(*b)),
        Value::Int(n) => sql.integer(*n),
        Value::Float(f) => sql.push("CAST(").literal(&f.to_string()).push(" AS REAL)"),
        Value::Text(text) => sql.literal(text),
        Value::Uuid(bytes) => sql.push("unhex(").literal(&hexadecimal(bytes)).push(")"),
        Value::Bytes(bytes) => sql.push("unhex(").literal(&hexadecimal(bytes)).push(")"),
    };
}
