//! The schema: what is stored, how it changes, which tables refer to which.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;

use operation::{Ident, OnDelete};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error};

use super::Postgres;
use crate::lower::advisory;
use crate::write::{Reference, References, Tables};
use crate::{Called, StoreFault};

/// Functions that lowered expressions call, the two of cases left out.
const FUNCTIONS: &str = include_str!("functions.sql");

/// Under which key of the notes the version of the functions stands.
const VERSION: &str = "functions";

/// What a table or an index is called whose row of `pg_class` has this alias: `name` in the connection's schema, elsewhere
/// `schema.name`.
macro_rules! called {
    ($class:literal) => {
        concat!(
            "(SELECT CASE WHEN n.nspname = current_schema() THEN '' ELSE n.nspname || '.' END FROM pg_namespace n WHERE n.oid = ",
            $class,
            ".relnamespace) || ",
            $class,
            ".relname"
        )
    };
}
pub(super) use called;

/// Reads the foreign keys of a database whose columns refer one to one. Where a table has moved and `tables` are those of the
/// version before, it is called what that calls it.
pub(crate) async fn references(client: &Client, tables: &Tables) -> Result<References, Error> {
    const TEXT: &str = concat!(
        "SELECT ",
        called!("target"),
        ", ",
        called!("source"),
        ", a.attname, c.confdeltype::text, \
         EXISTS (SELECT 1 FROM pg_attribute v WHERE v.attrelid = source.oid \
           AND v.attname = 'row_version' AND NOT v.attisdropped) \
         FROM pg_constraint c \
         JOIN pg_class source ON source.oid = c.conrelid \
         JOIN pg_class target ON target.oid = c.confrelid \
         JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] \
         WHERE c.contype = 'f' AND cardinality(c.conkey) = 1"
    );
    let former = former_places(client).await?;
    let known = |name: Ident| match former.get(&name) {
        Some(former) if !tables.has(&name) && tables.has(former) => former.clone(),
        _ => name,
    };
    let rows = client.query_typed(TEXT, &[]).await?;
    let mut found: HashMap<Ident, Vec<Reference>> = HashMap::new();
    for row in rows {
        let (target, table, column): (String, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let (target, table) = (known(Ident::read(&target)), known(Ident::read(&table)));
        let Some(column) = Ident::new(&column) else { continue };
        let on_delete = match row.try_get::<_, &str>(3)? {
            "c" => OnDelete::Cascade,
            "n" | "d" => OnDelete::Clear,
            _ => OnDelete::Restrict,
        };
        let reference = Reference { table, column, on_delete, versioned: row.try_get(4)? };
        found.entry(target).or_default().push(reference);
    }
    Ok(References(found))
}

/// The views that stand where tables stood, by what these are called now.
async fn former_places(client: &Client) -> Result<HashMap<Ident, Ident>, Error> {
    const TEXT: &str = concat!(
        "SELECT DISTINCT ",
        called!("t"),
        ", ",
        called!("v"),
        " FROM pg_class v JOIN pg_rewrite r ON r.ev_class = v.oid \
         JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass \
         JOIN pg_class t ON t.oid = d.refobjid AND t.oid <> v.oid \
         WHERE v.relkind = 'v' AND obj_description(v.oid, 'pg_class') = $1"
    );
    let binds = [(&operation::FORMER_PLACE as &(dyn ToSql + Sync), Type::TEXT)];
    let rows = client.query_typed(TEXT, &binds).await?;
    let each = rows.iter().map(|row| {
        Ok((Ident::read(row.try_get::<_, &str>(0)?), Ident::read(row.try_get::<_, &str>(1)?)))
    });
    each.collect()
}

/// Makes the schema `mimar` what this version needs, where it is not.
pub(crate) async fn prepare(client: &Client) -> Result<(), Error> {
    static SCRIPT: LazyLock<(String, String)> = LazyLock::new(|| {
        let script = script();
        let version = version(&script);
        (script, version)
    });
    let (wanted, version) = &*SCRIPT;
    if note(client, VERSION).await?.as_ref() == Some(version) {
        return Ok(());
    }
    client.batch_execute("BEGIN").await?;
    client
        .query_typed("SELECT pg_advisory_xact_lock($1)", &[(&advisory::DEFINITIONS, Type::INT8)])
        .await?;
    client.batch_execute(wanted).await?;
    set_note(client, VERSION, version).await?;
    client.batch_execute("COMMIT").await
}

/// The functions, those of cases with every character that has another case.
fn script() -> String {
    let mut script = FUNCTIONS.to_owned();
    for name in ["lower", "upper"] {
        let change = if name == "lower" { operation::lower } else { operation::upper };
        let changed = || ('\u{80}'..=char::MAX).filter(|c| change(*c) != *c);
        let (from, to): (String, String) = (changed().collect(), changed().map(change).collect());
        // Plain ASCII, which most texts are, goes the short way.
        script.push_str(&format!(
            "CREATE OR REPLACE FUNCTION mimar.{name}(t text) RETURNS text \
             LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ \
             SELECT CASE WHEN octet_length(t) = char_length(t) THEN pg_catalog.{name}(t COLLATE \"C\") \
             ELSE translate(pg_catalog.{name}(t COLLATE \"C\"), '{from}', '{to}') END $$;\n"
        ));
    }
    script
}

/// FNV-1a of the script: nobody gains by a collision.
fn version(script: &str) -> String {
    let hash = script.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

pub(super) async fn note(client: &Client, key: &str) -> Result<Option<String>, Error> {
    let there = client.query_typed_one("SELECT to_regclass('mimar.meta') IS NOT NULL", &[]).await?;
    if !there.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let text = "SELECT value FROM mimar.meta WHERE key = $1";
    let row = client.query_typed_opt(text, &[(&key, Type::TEXT)]).await?;
    row.map(|row| row.try_get(0)).transpose()
}

pub(super) async fn set_note(client: &Client, key: &str, value: &str) -> Result<(), Error> {
    let text = "INSERT INTO mimar.meta (key, value) VALUES ($1, $2) \
                ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    client.execute_typed(text, &[(&key, Type::TEXT), (&value, Type::TEXT)]).await.map(drop)
}

impl Postgres {
    pub(crate) fn migrate(
        &self,
        statements: &[String],
        notes: &[(&str, &str)],
    ) -> Result<(), StoreFault> {
        self.blocking(async |client| {
            client.batch_execute("BEGIN").await?;
            for (index, statement) in statements.iter().enumerate() {
                client.batch_execute(statement).await.map_err(|error| StoreFault::Schema {
                    index,
                    statement: statement.clone(),
                    reason: super::fault::told(&error),
                })?;
            }
            for (key, value) in notes {
                set_note(client, key, value).await?;
            }
            client.batch_execute("COMMIT").await?;
            if !statements.is_empty() {
                self.shared.generation.fetch_add(1, Ordering::AcqRel);
            }
            Ok(())
        })
    }

    pub(crate) fn meta(&self, key: &str) -> Result<Option<String>, StoreFault> {
        self.blocking(async |client| Ok(note(client, key).await?))
    }

    pub(crate) fn schema(&self) -> Result<String, StoreFault> {
        self.blocking(async |client| {
            let row = client.query_typed_one("SELECT current_schema()::text", &[]).await?;
            Ok(row.try_get::<_, Option<String>>(0)?.unwrap_or_default())
        })
    }

    /// The tables and indexes of the connection's schema, of services' and of `schemas`, written as
    /// [`operation::Dialect::Sqlite`] defines them: the one form that the difference between two schemas is computed in.
    pub(crate) fn tables(
        &self,
        schemas: &[&str],
        called: Called<'_>,
    ) -> Result<Vec<(String, String)>, StoreFault> {
        self.blocking(async |client| {
            let binds: [(&(dyn ToSql + Sync), Type); 2] =
                [(&schemas, Type::TEXT_ARRAY), (&operation::SERVICE_SCHEMA, Type::TEXT)];
            let mut found = Vec::new();
            for row in client.query_typed(TABLES, &binds).await? {
                let (name, oid): (String, u32) = (row.try_get(0)?, row.try_get(1)?);
                found.push((called(&name, None), definition(client, &name, oid, called).await?));
            }
            for row in client.query_typed(INDEXES, &binds).await? {
                let (name, table): (String, String) = (row.try_get(0)?, row.try_get(1)?);
                let (columns, descending): (Vec<String>, Vec<bool>) =
                    (row.try_get(3)?, row.try_get(4)?);
                let columns = columns.iter().zip(descending).map(|(column, descending)| {
                    let column = quote(&called(&table, Some(column)));
                    if descending { format!("{column} DESC") } else { column }
                });
                let columns: Vec<String> = columns.collect();
                let unique = if row.try_get(2)? { "UNIQUE " } else { "" };
                let on = quote(&called(&table, None));
                let sql = format!(
                    "CREATE {unique}INDEX {} ON {on} ({})",
                    quote(&name),
                    columns.join(", ")
                );
                found.push((name, sql));
            }
            Ok(found)
        })
    }

    pub(crate) fn additions(&self) -> Result<Vec<(String, String)>, StoreFault> {
        self.blocking(async |client| {
            let services: &[&str] = &[];
            let binds: [(&(dyn ToSql + Sync), Type); 2] =
                [(&services, Type::TEXT_ARRAY), (&operation::SERVICE_SCHEMA, Type::TEXT)];
            let rows = client.query_typed(ADDITIONS, &binds).await?;
            rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
        })
    }
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The namespaces looked at: the connection's, the given ones, and those that are services'. A name with a dot is none of ours,
/// and would be taken for one in a schema.
macro_rules! ours {
    ($class:literal) => {
        concat!(
            "strpos(",
            $class,
            ".relname, '.') = 0 AND EXISTS (SELECT 1 FROM pg_namespace n WHERE n.oid = ",
            $class,
            ".relnamespace AND (n.nspname = current_schema() OR strpos(n.nspname, '.') = 0 AND (n.nspname = ANY ($1) \
             OR obj_description(n.oid, 'pg_namespace') = $2)))"
        )
    };
}

const TABLES: &str = concat!(
    "SELECT ",
    called!("c"),
    ", c.oid FROM pg_class c WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND ",
    ours!("c"),
    " ORDER BY c.oid"
);

/// Indexes that no constraint made: name, table, whether unique, columns, which of them descend. Those over expressions,
/// or partial ones, were not made here and are left alone.
const INDEXES: &str = concat!(
    "SELECT ",
    called!("i"),
    ", ",
    called!("t"),
    ", x.indisunique, \
     ARRAY(SELECT a.attname::text FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k (attnum, n) \
       JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum ORDER BY k.n), \
     ARRAY(SELECT o & 1 = 1 FROM unnest(x.indoption::int2[]) WITH ORDINALITY AS o (o, n) ORDER BY n) \
     FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid \
     WHERE NOT x.indisprimary AND x.indexprs IS NULL AND x.indpred IS NULL AND x.indisvalid \
     AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.oid AND k.contype <> 'f') AND ",
    ours!("t"),
    " ORDER BY i.oid"
);

/// What stands at these tables and was made by nobody here. A unique constraint is none of ours either: what is unique has an
/// index of its own.
const ADDITIONS: &str = concat!(
    "SELECT a.kind || ' ' || a.name || ' on ' || a.place, a.definition FROM (\
     SELECT 'constraint' AS kind, k.conname::text AS name, ",
    called!("c"),
    " AS place, pg_get_constraintdef(k.oid) AS definition \
     FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid \
     WHERE c.relkind IN ('r', 'p') AND (k.contype IN ('c', 'u', 'x') OR k.contype = 'f' AND cardinality(k.conkey) > 1) AND ",
    ours!("c"),
    " UNION ALL SELECT 'trigger', t.tgname::text, ",
    called!("c"),
    ", pg_get_triggerdef(t.oid) || CASE t.tgenabled WHEN 'D' THEN ' (disabled)' ELSE '' END \
     FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal AND ",
    ours!("c"),
    " UNION ALL SELECT 'index', i.relname::text, ",
    called!("c"),
    ", pg_get_indexdef(x.indexrelid) \
     FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid \
     WHERE (x.indexprs IS NOT NULL OR x.indpred IS NOT NULL) \
     AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.oid) AND ",
    ours!("c"),
    " UNION ALL SELECT 'rule', r.rulename::text, ",
    called!("c"),
    ", pg_get_ruledef(r.oid) \
     FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class WHERE c.relkind IN ('r', 'p') AND ",
    ours!("c"),
    " UNION ALL SELECT 'policy', p.polname::text, ",
    called!("c"),
    ", 'FOR ' || p.polcmd::text || ' USING (' || coalesce(pg_get_expr(p.polqual, p.polrelid), '') || ') WITH CHECK (' \
     || coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '') || ')' \
     FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE ",
    ours!("c"),
    " UNION ALL SELECT 'row level', 'security', ",
    called!("c"),
    ", CASE WHEN c.relforcerowsecurity THEN 'FORCED' ELSE 'ENABLED' END FROM pg_class c \
     WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity AND ",
    ours!("c"),
    ") a ORDER BY 1, 2"
);

/// The columns of a table; of one of a domain, what its domain is over, and whether that lets it be absent.
const COLUMNS: &str = concat!(
    "SELECT a.attname, format_type(y.oid, y.modifier), a.attnotnull OR y.required, a.attidentity <> '', \
     coalesce(pg_get_expr(d.adbin, d.adrelid), ''), coalesce(col_description(c.oid, a.attnum), ''), \
     f.confdeltype::text, ",
    called!("t"),
    ", k.attname, s.nspname, y.typname, \
     ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = y.oid ORDER BY e.enumsortorder) \
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
     CROSS JOIN LATERAL (WITH RECURSIVE under (oid, typname, typnamespace, base, modifier, below, required) AS (\
       SELECT oid, typname, typnamespace, typbasetype, a.atttypmod, typtypmod, typtype = 'd' AND typnotnull \
       FROM pg_type WHERE oid = a.atttypid \
       UNION ALL SELECT t.oid, t.typname, t.typnamespace, t.typbasetype, u.below, t.typtypmod, u.required OR t.typtype = 'd' AND t.typnotnull \
       FROM under u JOIN pg_type t ON t.oid = u.base) SELECT * FROM under WHERE base = 0) y \
     JOIN pg_namespace s ON s.oid = y.typnamespace \
     LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum \
     LEFT JOIN pg_constraint f ON f.conrelid = c.oid AND f.contype = 'f' AND f.conkey = ARRAY[a.attnum] \
     LEFT JOIN pg_class t ON t.oid = f.confrelid \
     LEFT JOIN pg_attribute k ON k.attrelid = f.confrelid AND k.attnum = f.confkey[1] \
     WHERE c.oid = $1 ORDER BY a.attnum"
);

const KEY: &str = "SELECT a.attname FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid \
     CROSS JOIN unnest(x.indkey::int2[]) WITH ORDINALITY AS k (attnum, n) \
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum \
     WHERE x.indisprimary AND c.oid = $1 ORDER BY k.n";

/// How a column is counted whose numbers are never given out twice; the comment on it says so.
pub(crate) const NEVER_AGAIN: &str = "never again";

async fn definition(
    client: &Client,
    table: &str,
    oid: u32,
    called: Called<'_>,
) -> Result<String, Error> {
    let mut lines = Vec::new();
    let mut counted = false;
    for row in client.query_typed(COLUMNS, &[(&oid, Type::OID)]).await? {
        let name: String = row.try_get(0)?;
        let kind: String = row.try_get(1)?;
        let (required, identity): (bool, bool) = (row.try_get(2)?, row.try_get(3)?);
        let (default, comment): (String, String) = (row.try_get(4)?, row.try_get(5)?);
        let (space, own): (String, String) = (row.try_get(9)?, row.try_get(10)?);
        let labels: Vec<String> = row.try_get(11)?;
        let (meaning, stored) = match enumeration(&space, &own, &labels) {
            Some(meaning) => (meaning, "TEXT"),
            None => meaning(&kind, &comment),
        };
        let mut line = {
            let name = called(table, Some(&name));
            format!("{} /* {meaning} */ {stored}", quote(&name))
        };
        if identity {
            counted = true;
            line.push_str(" PRIMARY KEY");
            if comment == NEVER_AGAIN {
                line.push_str(" AUTOINCREMENT");
            }
        } else if required {
            line.push_str(" NOT NULL");
        }
        if !default.is_empty() {
            line.push_str(" DEFAULT ");
            line.push_str(&default);
        }
        if let Some(on_delete) = row.try_get::<_, Option<String>>(6)? {
            let (target, key): (String, String) = (row.try_get(7)?, row.try_get(8)?);
            line.push_str(&format!(
                " REFERENCES {} ({})",
                quote(&called(&target, None)),
                quote(&called(&target, Some(&key)))
            ));
            line.push_str(match &*on_delete {
                "c" => " ON DELETE CASCADE",
                "n" => " ON DELETE SET NULL",
                _ => "",
            });
        }
        lines.push(line);
    }
    if !counted {
        let mut key = Vec::new();
        for row in client.query_typed(KEY, &[(&oid, Type::OID)]).await? {
            key.push(quote(&called(table, Some(row.try_get(0)?))));
        }
        lines.push(format!("PRIMARY KEY ({})", key.join(", ")));
    }
    let ending = if counted { "" } else { ", WITHOUT ROWID" };
    Ok(format!(
        "CREATE TABLE {} ({}) STRICT{ending}",
        quote(&called(table, None)),
        lines.join(", ")
    ))
}

/// What is said of a column of one of PostgreSQL's enums: `enum SCHEMA NAME 'LABEL' 'LABEL'`, where these are names of the
/// language.
fn enumeration(space: &str, name: &str, labels: &[String]) -> Option<String> {
    let is_plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
    };
    let all = [space, name].into_iter().chain(labels.iter().map(String::as_str));
    if labels.is_empty() || !all.into_iter().all(is_plain) {
        return None;
    }
    let labels: Vec<String> = labels.iter().map(|label| format!("'{label}'")).collect();
    Some(format!("enum {space} {name} {}", labels.join(" ")))
}

/// What a column's type and the comment on it say of its values, and how SQLite stores the like.
fn meaning(kind: &str, comment: &str) -> (String, &'static str) {
    let decimal = || {
        let scale = kind.strip_prefix("numeric(19,")?.strip_suffix(')')?;
        Some(format!("Decimal {scale}"))
    };
    let (meaning, stored) = match kind {
        "boolean" => ("Bool", "INTEGER"),
        "bigint" => ("Int", "INTEGER"),
        "double precision" => ("Float", "REAL"),
        "text" if comment.starts_with('\'') => (comment, "TEXT"),
        "text" => ("Text", "TEXT"),
        "uuid" => ("Uuid", "BLOB"),
        "date" => ("Date", "INTEGER"),
        "time without time zone" => ("Time", "INTEGER"),
        "timestamp with time zone" => ("Timestamp", "INTEGER"),
        "interval" => ("Duration", "INTEGER"),
        "json" => ("Json", "TEXT"),
        "bytea" => ("Bytes", "BLOB"),
        other => {
            return match decimal() {
                Some(meaning) => (meaning, "INTEGER"),
                None => (other.to_owned(), "TEXT"),
            };
        }
    };
    (meaning.to_owned(), stored)
}
