//! The statements that make an empty database hold the tables.

use operation::{Dialect, ForeignKey, Ident, OnDelete, Scalar, Sql, Table};

use crate::{ColumnOrigin, Meaning, Origin, Schema};

/// The statements for an empty SQLite database: tables, then indexes. Tables are `STRICT`; a root with a counted key
/// is a rowid table, every other table is `WITHOUT ROWID`.
pub fn sqlite(schema: &Schema) -> Vec<String> {
    let mut statements: Vec<String> =
        schema.tables.iter().map(|table| self::table(schema, table, &table.name)).collect();
    statements.extend(indexes(schema, Dialect::Sqlite).into_iter().map(|index| index.sql));
    statements
}

/// The name and the definition of each table and index, as an SQLite database that holds the tables would list them: a name in
/// a schema is one name with a dot there.
pub fn definitions(schema: &Schema) -> Vec<(String, String)> {
    let tables = schema.tables.iter();
    let tables = tables.map(|it| (it.name.to_string(), table(schema, it, &it.name)));
    let indexes = indexes(schema, Dialect::Sqlite).into_iter();
    tables.chain(indexes.map(|it| (it.name.to_string(), it.sql))).collect()
}

/// The statements for an empty PostgreSQL database: schemas, tables, then references, then indexes, then what the types do not
/// say as comments on columns. Text has the collation `"C"`, which compares by code point; references can be deferred, so
/// that many rows may come in any order.
pub fn postgres(schema: &Schema) -> Vec<String> {
    let mut statements = postgres_tables(schema);
    statements.extend(postgres_around(schema));
    statements
}

/// The first of them: schemas, and tables with their keys, to which nothing refers yet.
pub fn postgres_tables(schema: &Schema) -> Vec<String> {
    let mut statements: Vec<String> =
        schema.services().into_iter().flat_map(postgres_schema).collect();
    statements.extend(schema.tables.iter().map(|table| postgres_table(table)));
    statements
}

/// The statements that make a service's schema.
pub(crate) fn postgres_schema(name: &str) -> [String; 2] {
    let name = Ident::fit(name);
    let mut create = Sql::new(Dialect::Postgres);
    create.push("CREATE SCHEMA IF NOT EXISTS ").ident(&name);
    let mut comment = Sql::new(Dialect::Postgres);
    comment.push("COMMENT ON SCHEMA ").ident(&name).push(" IS ").literal(operation::SERVICE_SCHEMA);
    [create.finish(), comment.finish()]
}

/// The rest of them: what can be made, and is made faster, when the rows are there.
pub fn postgres_around(schema: &Schema) -> Vec<String> {
    let mut statements = Vec::new();
    for table in &schema.tables {
        let references =
            table.foreign_keys.iter().map(|key| postgres_reference(schema, table, key));
        statements.extend(references);
    }
    statements.extend(indexes(schema, Dialect::Postgres).into_iter().map(|index| index.sql));
    for table in &schema.tables {
        statements.extend(postgres_comments(schema, table));
    }
    statements
}

/// What the types of a table do not say, as comments on its columns.
pub(crate) fn postgres_comments(schema: &Schema, table: &Table) -> Vec<String> {
    let said = |at: usize| Some((at, postgres_said(schema, table, at)?));
    let comments = (0..table.columns.len()).filter_map(said);
    comments
        .map(|(at, text)| postgres_comment(&table.name, &table.columns[at].name, Some(&text)))
        .collect()
}

/// What the type of a column does not say: the labels of an enum, that a number is never given out again.
pub(crate) fn postgres_said(schema: &Schema, table: &Table, at: usize) -> Option<String> {
    let origin = &schema.origins[table.id.0 as usize];
    let mut text = Sql::new(Dialect::Postgres);
    if let Meaning::Labels(labels) = &origin.columns[at].meaning {
        text.list(" ", labels, |text, label| {
            text.literal(label);
        });
    } else if table.auto == Some(at) && origin.never_again {
        text.push("never again");
    } else {
        return None;
    }
    Some(text.finish())
}

pub(crate) fn postgres_comment(table: &Ident, column: &Ident, said: Option<&str>) -> String {
    let mut sql = Sql::new(Dialect::Postgres);
    sql.push("COMMENT ON COLUMN ").ident(table).push(".").ident(column).push(" IS ");
    match said {
        Some(text) => sql.literal(text),
        None => sql.push("NULL"),
    };
    sql.finish()
}

/// The type of a column, with the collation of text.
pub(crate) fn postgres_type(sql: &mut Sql, scalar: Scalar) {
    sql.push(scalar.postgres());
    match scalar {
        // Nineteen digits are what 64 bits hold.
        Scalar::Decimal { scale } => {
            sql.push("(19,").integer(i64::from(scale)).push(")");
        }
        Scalar::Text => {
            sql.push(" COLLATE \"C\"");
        }
        _ => {}
    }
}

pub(crate) fn postgres_table(table: &Table) -> String {
    let mut sql = Sql::new(Dialect::Postgres);
    sql.push("CREATE TABLE ").ident(&table.name).push(" (\n  ");
    sql.list(",\n  ", table.columns.iter().enumerate(), |sql, (at, column)| {
        sql.ident(&column.name).push(" ");
        postgres_type(sql, column.scalar);
        if table.auto == Some(at) {
            sql.push(" GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY");
        } else if !column.nullable {
            sql.push(" NOT NULL");
        }
        if table.version == Some(at) {
            sql.push(" DEFAULT 1");
        }
    });
    if table.auto.is_none() {
        sql.push(",\n  PRIMARY KEY (");
        sql.list(", ", &table.key, |sql, at| {
            sql.ident(&table.columns[*at].name);
        });
        sql.push(")");
    }
    sql.push("\n)");
    sql.finish()
}

fn postgres_reference(schema: &Schema, table: &Table, key: &ForeignKey) -> String {
    let column = &table.columns[key.column];
    let target = &schema.tables[key.target.0 as usize];
    let mut sql = Sql::new(Dialect::Postgres);
    sql.push("ALTER TABLE ").ident(&table.name).push(" ADD CONSTRAINT ");
    sql.ident(&Ident::fit(&format!("fk_{}_{}", table.name.as_str(), column.name)));
    sql.push(" FOREIGN KEY (").ident(&column.name).push(") REFERENCES ").ident(&target.name);
    sql.push(" (").ident(&target.columns[target.own_key()].name).push(")");
    sql.push(on_delete(key.on_delete)).push(" DEFERRABLE");
    sql.finish()
}

pub(crate) fn on_delete(on_delete: OnDelete) -> &'static str {
    // A deletion is refused by the default, NO ACTION: like RESTRICT, but judged when the statement has ended, so that
    // rows which go together may refer to each other.
    match on_delete {
        OnDelete::Restrict => "",
        OnDelete::Cascade => " ON DELETE CASCADE",
        OnDelete::Clear => " ON DELETE SET NULL",
    }
}

/// An index as DDL.
pub(crate) struct IndexStatement {
    pub(crate) name: Ident,
    pub(crate) table: Ident,
    pub(crate) sql: String,
}

/// The DDL of the indexes, unique ones included.
pub(crate) fn indexes(schema: &Schema, dialect: Dialect) -> Vec<IndexStatement> {
    let index = |create, name, table, columns: &[_]| index(dialect, create, name, table, columns);
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
    dialect: Dialect,
    create: &'static str,
    name: &Ident,
    table: &Table,
    columns: &[(usize, bool)],
) -> IndexStatement {
    let mut sql = Sql::new(dialect);
    sql.push(create);
    match dialect {
        Dialect::Sqlite => sql.ident(name),
        // It comes to stand in the schema of its table.
        Dialect::Postgres => sql.bare(name),
    };
    sql.push(" ON ").ident(&table.name).push(" (");
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
        sql.push(on_delete(key.on_delete));
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
