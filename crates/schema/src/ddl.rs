//! The statements that make an empty database hold the tables.

use operation::{Dialect, Ident, OnDelete, Scalar, Sql, Table};

use crate::{ColumnOrigin, Meaning, Origin, Schema};

/// The statements for an empty SQLite database: tables, then indexes. Tables are `STRICT`; a root with a counted key
/// is a rowid table, every other table is `WITHOUT ROWID`.
pub fn sqlite(schema: &Schema) -> Vec<String> {
    let mut statements: Vec<String> =
        schema.tables.iter().map(|table| self::table(schema, table, &table.name)).collect();
    statements.extend(indexes(schema).into_iter().map(|index| index.sql));
    statements
}

/// An index as DDL.
pub(crate) struct IndexStatement {
    pub(crate) name: Ident,
    pub(crate) table: Ident,
    pub(crate) sql: String,
}

/// The DDL of the indexes, unique ones included.
pub(crate) fn indexes(schema: &Schema) -> Vec<IndexStatement> {
    let mut statements = Vec::new();
    for table in &schema.tables {
        for unique in &table.uniques {
            let columns: Vec<(usize, bool)> =
                unique.columns.iter().map(|at| (*at, false)).collect();
            statements.push(index("CREATE UNIQUE INDEX ", &unique.name, table, &columns));
        }
    }
    for wanted in &schema.indexes {
        let table = &schema.tables[wanted.table.0 as usize];
        statements.push(index("CREATE INDEX ", &wanted.name, table, &wanted.columns));
    }
    statements
}

fn index(
    create: &'static str,
    name: &Ident,
    table: &Table,
    columns: &[(usize, bool)],
) -> IndexStatement {
    let mut sql = Sql::new(Dialect::Sqlite);
    sql.push(create).ident(name).push(" ON ").ident(&table.name).push(" (");
    sql.list(", ", columns, |sql, (at, descending)| {
        sql.ident(&table.columns[*at].name);
        if *descending {
            sql.push(" DESC");
        }
    });
    sql.push(")");
    IndexStatement { name: name.clone(), table: table.name.clone(), sql: sql.finish() }
}

/// `CREATE TABLE`, under another name while a table is rebuilt.
pub(crate) fn table(schema: &Schema, table: &Table, name: &Ident) -> String {
    let origin = &schema.origins[table.id.0 as usize];
    let mut sql = Sql::new(Dialect::Sqlite);
    sql.push("CREATE TABLE ").ident(name).push(" (\n  ");
    sql.list(",\n  ", 0..table.columns.len(), |sql, at| column(sql, schema, table, origin, at));
    if table.auto.is_none() {
        sql.push(",\n  PRIMARY KEY (");
        sql.list(", ", &table.key, |sql, at| {
            sql.ident(&table.columns[*at].name);
        });
        sql.push(")");
    }
    sql.push("\n) STRICT");
    if table.auto.is_none() {
        sql.push(", WITHOUT ROWID");
    }
    sql.finish()
}

/// One column's definition, as `CREATE TABLE` and `ADD COLUMN` take it.
pub(crate) fn column(sql: &mut Sql, schema: &Schema, table: &Table, origin: &Origin, at: usize) {
    let column = &table.columns[at];
    sql.ident(&column.name);
    // Before the type: `ADD COLUMN` keeps the text only up to the last token that is no comment.
    meaning(sql, &origin.columns[at]);
    sql.push(column.scalar.sqlite());
    if table.auto == Some(at) {
        sql.push(if origin.never_again { " PRIMARY KEY AUTOINCREMENT" } else { " PRIMARY KEY" });
    } else if !column.nullable {
        sql.push(" NOT NULL");
    }
    if table.version == Some(at) {
        sql.push(" DEFAULT 1");
    }
    for key in table.foreign_keys.iter().filter(|key| key.column == at) {
        let target = &schema.tables[key.target.0 as usize];
        sql.push(" REFERENCES ").ident(&target.name).push(" (");
        sql.ident(&target.columns[target.own_key()].name).push(")");
        // A deletion is refused by the default, NO ACTION: like RESTRICT, but judged when the statement has ended, so
        // that rows which go together may refer to each other.
        match key.on_delete {
            OnDelete::Restrict => {}
            OnDelete::Cascade => {
                sql.push(" ON DELETE CASCADE");
            }
            OnDelete::Clear => {
                sql.push(" ON DELETE SET NULL");
            }
        }
    }
}

fn meaning(sql: &mut Sql, origin: &ColumnOrigin) {
    sql.push(" /* ");
    match &origin.meaning {
        Meaning::Scalar(Scalar::Decimal { scale }) => {
            sql.push("Decimal ").integer(i64::from(*scale));
        }
        Meaning::Scalar(scalar) => {
            sql.push(scalar.name());
        }
        // Labels are identifiers of the language: none can end a comment.
        Meaning::Labels(labels) => {
            sql.list(" ", labels, |sql, label| {
                sql.literal(label);
            });
        }
    }
    sql.push(" */ ");
}
