//! From statements to a catalog.

use std::collections::{BTreeMap, HashMap};

use sqlparser::ast::{
    AlterColumnOperation, AlterTableOperation, ColumnDef, ColumnOption, CommentObject,
    CreateDomain, CreateIndex, Expr, ForeignKeyConstraint, Ident, IndexColumn, ObjectName,
    OrderBySort, ReferentialAction, Statement, TableConstraint, UserDefinedTypeRepresentation,
    Value,
};
use sqlparser::dialect::{Dialect as SqlDialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::parser::Parser;

use crate::catalog::{Catalog, Check, Column, Domain, Index, Name, OnDelete, Reference, Table};
use crate::{Dialect, Remark, split};

/// The catalog of a text, and what of it could not be read.
pub(crate) fn read(sql: &str, dialect: Dialect) -> (Catalog, Vec<Remark>) {
    let mut reader = Reader {
        dialect,
        catalog: Catalog {
            dialect,
            tables: Vec::new(),
            enums: BTreeMap::new(),
            domains: BTreeMap::new(),
            skipped: BTreeMap::new(),
        },
        remarks: Vec::new(),
        places: HashMap::new(),
        owners: HashMap::new(),
    };
    for statement in split::statements(sql, dialect) {
        reader.statement(statement);
    }
    reader.finish();
    (reader.catalog, reader.remarks)
}

struct Reader {
    dialect: Dialect,
    catalog: Catalog,
    remarks: Vec<Remark>,
    /// Positions of tables.
    places: HashMap<Name, usize>,
    /// Columns that sequences belong to: they are counted.
    owners: HashMap<Name, (Name, String)>,
}

impl Reader {
    fn statement(&mut self, statement: &str) {
        let words: Vec<String> = statement
            .split(|c: char| c.is_whitespace() || c == '(')
            .filter(|word| !word.is_empty())
            .take(8)
            .map(str::to_ascii_lowercase)
            .collect();
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        let first = words.first().copied().unwrap_or_default();
        if first == "create" {
            words.retain(|word| {
                !matches!(
                    *word,
                    "or" | "replace" | "temp" | "temporary" | "unlogged" | "global" | "local"
                )
            });
        }
        match words.as_slice() {
            ["create", "table", ..] => self.create_table(statement),
            ["create", "foreign", "table", ..] => self.skip("foreign table", statement, 3),
            ["create", "virtual", "table", ..] => self.skip("virtual table", statement, 3),
            ["create", "unique", "index", ..] | ["create", "index", ..] => self.index(statement),
            ["create", "type", ..] => self.create_type(statement),
            ["create", "domain", ..] => self.domain(statement),
            ["create", "sequence", ..] => {}
            ["alter", "sequence", ..] => self.sequence(statement),
            ["alter", "table", ..] => self.alter_table(statement),
            ["comment", "on", "table" | "column", ..] => self.comment(statement),
            ["create", "materialized", "view", ..] => self.skip("materialized view", statement, 3),
            ["create", "constraint", "trigger", ..] => self.skip("trigger", statement, 3),
            ["create", "event", "trigger", ..] => self.skip("event trigger", statement, 3),
            ["create", "text", "search", ..] => self.skip("text search", statement, 4),
            ["create", "operator", ..] => self.skip("operator", statement, 2),
            ["create", "recursive", "view", ..] => self.skip("view", statement, 3),
            ["create", "policy", ..] => self.skip("row policy", statement, 2),
            ["create", kind, ..] => {
                let kind = (*kind).to_owned();
                self.skip(&kind, statement, 2);
            }
            // What says nothing of the shape of tables.
            _ => {}
        }
    }

    /// Notes what is made by a statement that a model has no words for.
    fn skip(&mut self, kind: &str, statement: &str, before: usize) {
        const NOISE: &[&str] =
            &["or", "replace", "temp", "temporary", "if", "not", "exists", "global", "local"];
        let words = statement.split(|c: char| c.is_whitespace() || c == '(');
        let mut words =
            words.filter(|word| !word.is_empty() && !NOISE.contains(&&*word.to_ascii_lowercase()));
        let name = words.nth(before).unwrap_or_default().trim_matches(['"', '[', ']', '`']);
        self.catalog.skipped.entry(kind.to_owned()).or_default().push(name.to_owned());
    }

    fn remark(&mut self, subject: impl Into<String>, sentence: impl Into<String>) {
        self.remarks.push(Remark { subject: subject.into(), sentence: sentence.into() });
    }

    fn parse(&self, statement: &str) -> Result<Statement, String> {
        let dialect: &dyn SqlDialect = match self.dialect {
            Dialect::Sqlite => &SQLiteDialect {},
            Dialect::Postgres => &PostgreSqlDialect {},
        };
        let parsed = Parser::parse_sql(dialect, statement).map_err(|error| error.to_string())?;
        parsed.into_iter().next().ok_or_else(|| "it is empty".to_owned())
    }

    /// A name as the database keeps it.
    fn ident(&self, ident: &Ident) -> String {
        match (self.dialect, ident.quote_style) {
            (Dialect::Postgres, None) => ident.value.to_lowercase(),
            _ => ident.value.clone(),
        }
    }

    fn name(&self, name: &ObjectName) -> Name {
        let parts: Vec<String> = name
            .0
            .iter()
            .map(|part| part.as_ident().map_or_else(|| part.to_string(), |ident| self.ident(ident)))
            .collect();
        let own = parts.last().cloned().unwrap_or_default();
        let schema = parts.len().checked_sub(2).map(|at| parts[at].clone()).unwrap_or_default();
        let is_usual = matches!(&*schema, "public" | "main" | "dbo");
        Name { schema: if is_usual { String::new() } else { schema }, name: own }
    }

    /// The table of a name; names of SQLite have no case.
    fn table(&mut self, name: &Name) -> Option<&mut Table> {
        let at = *self.places.get(&self.folded(name))?;
        self.catalog.tables.get_mut(at)
    }

    fn folded(&self, name: &Name) -> Name {
        match self.dialect {
            Dialect::Sqlite => Name { schema: String::new(), name: name.name.to_lowercase() },
            Dialect::Postgres => name.clone(),
        }
    }

    fn create_table(&mut self, statement: &str) {
        let words: Vec<String> =
            statement.split_whitespace().take(10).map(str::to_ascii_lowercase).collect();
        if words.windows(2).any(|pair| pair == ["partition", "of"]) {
            return self.skip("partition", statement, 2);
        }
        let Some((head, list, tail)) = split::parenthesised(statement, self.dialect) else {
            return self.skip("table without columns of its own", statement, 2);
        };
        let lower = head.to_ascii_lowercase();
        if lower.trim_end().ends_with(" as") || lower.contains(" as select") {
            return self.skip("table made by a query", statement, 2);
        }
        let tail = tail.to_ascii_lowercase();
        // What follows the list says how the table is stored.
        let whole = self.parse(&format!("{head} ({list})"));
        let (name, columns, constraints) = match whole {
            Ok(Statement::CreateTable(table)) => (table.name, table.columns, table.constraints),
            _ => match self.by_item(head, list) {
                Some(found) => found,
                None => {
                    let reason = self.parse(&format!("{head} (a int)")).err().unwrap_or_default();
                    return self.remark(shown(statement), format!("cannot be read ({reason})"));
                }
            },
        };
        let name = self.name(&name);
        if name.name.starts_with("sqlite_")
            || name.name.starts_with("mimar_")
            || name.schema == "mimar"
        {
            return;
        }
        let mut table = Table { name: name.clone(), ..Table::default() };
        for column in &columns {
            self.column(&mut table, column);
        }
        for constraint in constraints {
            self.constraint(&mut table, constraint);
        }
        if tail.contains("inherits") {
            self.remark(
                name.to_string(),
                "inherits columns of another table, which are not looked at",
            );
        }
        if self.dialect == Dialect::Sqlite && !tail.contains("without rowid") {
            // An INTEGER PRIMARY KEY is the row's own number, which SQLite gives out.
            if let [key] = table.key.clone().as_slice()
                && let Some(column) = table.column_mut(key)
                && column.kind == "integer"
            {
                column.counted = true;
            }
        }
        let folded = self.folded(&name);
        self.places.insert(folded, self.catalog.tables.len());
        self.catalog.tables.push(table);
    }

    /// Reads a table whose list as a whole cannot be read, item by item.
    fn by_item(
        &mut self,
        head: &str,
        list: &str,
    ) -> Option<(ObjectName, Vec<ColumnDef>, Vec<TableConstraint>)> {
        let mut found: Option<(ObjectName, Vec<ColumnDef>, Vec<TableConstraint>)> = None;
        for item in split::items(list, self.dialect) {
            match self.parse(&format!("{head} ({item})")) {
                Ok(Statement::CreateTable(table)) => {
                    let found = found.get_or_insert((table.name, Vec::new(), Vec::new()));
                    found.1.extend(table.columns);
                    found.2.extend(table.constraints);
                }
                Ok(_) => {}
                Err(reason) => {
                    let subject = head.split_whitespace().last().unwrap_or_default();
                    self.remark(subject, format!("`{}` cannot be read ({reason})", shown(item)));
                }
            }
        }
        found
    }

    fn column(&mut self, table: &mut Table, definition: &ColumnDef) {
        let name = self.ident(&definition.name);
        let kind = definition.data_type.to_string().to_lowercase();
        let mut column = Column {
            name: name.clone(),
            counted: kind.contains("serial"),
            kind,
            required: false,
            default: None,
            caseless: false,
            generated: None,
            comment: None,
        };
        for option in &definition.options {
            let constraint = option.name.as_ref().map(|name| self.ident(name));
            match &option.option {
                ColumnOption::NotNull => column.required = true,
                ColumnOption::Default(value) => column.default = Some(value.clone()),
                ColumnOption::PrimaryKey(_) => {
                    table.key = vec![name.clone()];
                    column.required = true;
                }
                ColumnOption::Unique(_) => table.uniques.push(vec![name.clone()]),
                ColumnOption::ForeignKey(reference) => {
                    let reference = self.reference(reference, constraint, vec![name.clone()]);
                    table.references.push(reference);
                }
                ColumnOption::Check(check) => {
                    let expression = (*check.expr).clone();
                    let name = constraint.or(check.name.as_ref().map(|name| self.ident(name)));
                    table.checks.push(Check { name, expression });
                }
                ColumnOption::Generated { generation_expr: Some(expression), .. } => {
                    column.generated = Some(expression.to_string());
                }
                ColumnOption::Generated { .. } | ColumnOption::Identity(_) => {
                    column.counted = true;
                }
                ColumnOption::DialectSpecific(tokens) => {
                    let text: String = tokens.iter().map(ToString::to_string).collect();
                    column.counted |= text.to_ascii_lowercase().contains("autoincrement");
                }
                ColumnOption::Collation(name) => {
                    column.caseless = name.to_string().eq_ignore_ascii_case("nocase");
                }
                ColumnOption::Comment(text) => column.comment = Some(text.clone()),
                _ => {}
            }
        }
        table.columns.push(column);
    }

    fn reference(
        &self,
        reference: &ForeignKeyConstraint,
        name: Option<String>,
        columns: Vec<String>,
    ) -> Reference {
        let idents = |list: &[Ident]| list.iter().map(|ident| self.ident(ident)).collect();
        Reference {
            name: name.or(reference.name.as_ref().map(|name| self.ident(name))),
            columns: if columns.is_empty() { idents(&reference.columns) } else { columns },
            target: self.name(&reference.foreign_table),
            target_columns: idents(&reference.referred_columns),
            on_delete: match reference.on_delete {
                Some(ReferentialAction::Cascade) => OnDelete::Cascade,
                Some(ReferentialAction::SetNull) => OnDelete::Clear,
                Some(ReferentialAction::SetDefault) => OnDelete::SetDefault,
                _ => OnDelete::Restrict,
            },
            on_update: matches!(
                reference.on_update,
                Some(ReferentialAction::Cascade | ReferentialAction::SetNull)
            ),
        }
    }

    fn constraint(&mut self, table: &mut Table, constraint: TableConstraint) {
        let shown = |what: &dyn std::fmt::Display| format!("{}: {what}", table.name);
        match constraint {
            TableConstraint::PrimaryKey(key) => {
                let columns = self.columns(&key.columns).unwrap_or_default();
                table.key = columns.into_iter().map(|(name, _)| name).collect();
                for name in table.key.clone() {
                    if let Some(column) = table.column_mut(&name) {
                        column.required = true;
                    }
                }
            }
            TableConstraint::Unique(unique) => match self.columns(&unique.columns) {
                Some(columns) => {
                    table.uniques.push(columns.into_iter().map(|(name, _)| name).collect());
                }
                None => self.remark(shown(&"UNIQUE"), "a rule over expressions is not expressed"),
            },
            TableConstraint::ForeignKey(reference) => {
                table.references.push(self.reference(&reference, None, Vec::new()));
            }
            TableConstraint::Check(check) => {
                let name = check.name.as_ref().map(|name| self.ident(name));
                table.checks.push(Check { name, expression: *check.expr });
            }
            other => {
                let subject = shown(&crate::read::shown(&other.to_string()));
                self.remark(subject, "a constraint of this kind is not expressed");
            }
        }
    }

    /// Columns of an index; `None` if it is over expressions.
    fn columns(&self, columns: &[IndexColumn]) -> Option<Vec<(String, bool)>> {
        let each = columns.iter().map(|column| {
            let descending = matches!(column.column.options.sort, Some(OrderBySort::Desc));
            let mut expression = &column.column.expr;
            while let Expr::Nested(inner) | Expr::Collate { expr: inner, .. } = expression {
                expression = inner;
            }
            match expression {
                Expr::Identifier(ident) => Some((self.ident(ident), descending)),
                _ => None,
            }
        });
        each.collect()
    }

    fn index(&mut self, statement: &str) {
        let index = match self.parse(statement) {
            Ok(Statement::CreateIndex(index)) => index,
            other => {
                let reason = other.err().unwrap_or_default();
                return self.remark(shown(statement), format!("cannot be read ({reason})"));
            }
        };
        let CreateIndex { name, table_name, using, columns, unique, include, predicate, .. } =
            index;
        let index = name.as_ref().map(|name| self.name(name).name).unwrap_or_default();
        let on = self.name(&table_name);
        let subject = format!("{on}: index {index}");
        let kind = using.map(|kind| kind.to_string().to_lowercase()).unwrap_or_default();
        let found = self.columns(&columns);
        let Some(table) = self.table(&on) else { return };
        let reason = match (&found, &predicate, &*kind) {
            (None, ..) => "it is over an expression",
            (_, Some(_), _) => "it holds some rows only",
            (_, _, "" | "btree") => "",
            (_, _, "gin" | "gist" | "rum") => {
                "it is no index of ordered values; for text search write `search` at the field"
            }
            _ => "it is no index of ordered values",
        };
        if !reason.is_empty() {
            let what = if unique { "a unique index" } else { "an index" };
            return self.remark(subject, format!("{what} is not expressed: {reason}"));
        }
        let columns = found.unwrap_or_default();
        if unique {
            table.uniques.push(columns.into_iter().map(|(name, _)| name).collect());
        } else {
            table.indexes.push(Index { name: index, columns });
        }
        if !include.is_empty() {
            self.remark(
                subject,
                "the columns that it carries besides (INCLUDE) are for Mimar to choose",
            );
        }
    }

    fn create_type(&mut self, statement: &str) {
        match self.parse(statement) {
            Ok(Statement::CreateType {
                name,
                representation: Some(UserDefinedTypeRepresentation::Enum { labels }),
            }) => {
                let name = self.name(&name);
                let labels = labels.into_iter().map(|label| label.value).collect();
                self.catalog.enums.insert(name, labels);
            }
            _ => self.skip("type", statement, 2),
        }
    }

    fn domain(&mut self, statement: &str) {
        let Ok(Statement::CreateDomain(CreateDomain {
            name, data_type, default, constraints, ..
        })) = self.parse(&without_not_null(statement))
        else {
            return self.skip("domain", statement, 2);
        };
        let name = self.name(&name);
        let checks = constraints.into_iter().filter_map(|constraint| match constraint {
            TableConstraint::Check(check) => Some(*check.expr),
            _ => None,
        });
        let domain = Domain {
            kind: data_type.to_string().to_lowercase(),
            required: statement.to_ascii_lowercase().contains("not null"),
            default,
            checks: checks.collect(),
        };
        self.catalog.domains.insert(name, domain);
    }

    /// `ALTER SEQUENCE s OWNED BY t.c`, as dumps say that a column is counted.
    fn sequence(&mut self, statement: &str) {
        let words: Vec<&str> = statement.split_whitespace().collect();
        let Some(at) = words.windows(2).position(|pair| {
            pair[0].eq_ignore_ascii_case("owned") && pair[1].eq_ignore_ascii_case("by")
        }) else {
            return;
        };
        let (Some(sequence), Some(column)) = (words.get(2), words.get(at + 2)) else { return };
        let parts = |text: &str| -> Vec<String> {
            text.split('.').map(|part| part.trim_matches('"').to_owned()).collect()
        };
        let named = |parts: &[String]| {
            let own = parts.last().cloned().unwrap_or_default();
            let schema = parts.len().checked_sub(2).map(|at| parts[at].clone()).unwrap_or_default();
            Name { schema: if schema == "public" { String::new() } else { schema }, name: own }
        };
        let mut column = parts(column);
        let Some(own) = column.pop() else { return };
        self.owners.insert(named(&parts(sequence)), (named(&column), own));
    }

    fn alter_table(&mut self, statement: &str) {
        let lower = statement.to_ascii_lowercase();
        let matters =
            [" add ", " set not null", " set default", " generated ", " attach partition"];
        if !matters.iter().any(|words| lower.contains(words)) {
            if lower.contains("enable row level security") {
                self.skip("row level security", statement, 2);
            }
            return;
        }
        if lower.contains(" attach partition") {
            return self.attach(statement);
        }
        if lower.contains(" add generated ") {
            return self.identity(statement);
        }
        let (name, operations) = match self.parse(&statement.replace("NOT VALID", "")) {
            Ok(Statement::AlterTable(alter)) => (alter.name, alter.operations),
            other => {
                let reason = other.err().unwrap_or_default();
                return self.remark(shown(statement), format!("cannot be read ({reason})"));
            }
        };
        let name = self.name(&name);
        let Some(mut table) = self.table(&name).map(std::mem::take) else { return };
        for operation in operations {
            match operation {
                AlterTableOperation::AddConstraint { constraint, .. } => {
                    self.constraint(&mut table, constraint);
                }
                AlterTableOperation::AddColumn { column_def, .. } => {
                    self.column(&mut table, &column_def);
                }
                AlterTableOperation::AlterColumn { column_name, op } => {
                    let column = self.ident(&column_name);
                    let Some(column) = table.column_mut(&column) else { continue };
                    match op {
                        AlterColumnOperation::SetNotNull => column.required = true,
                        AlterColumnOperation::SetDefault { value } => column.default = Some(value),
                        AlterColumnOperation::AddGenerated { .. } => column.counted = true,
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        if let Some(place) = self.table(&name) {
            *place = table;
        }
    }

    /// `ALTER TABLE t ALTER COLUMN c ADD GENERATED … AS IDENTITY (SEQUENCE NAME …)`, as dumps have it.
    fn identity(&mut self, statement: &str) {
        let start = statement.split('(').next().unwrap_or(statement);
        let end = start.to_ascii_lowercase().find(" add generated ").unwrap_or(start.len());
        // What stands before is the beginning of a statement that the parser knows.
        let known = format!("{} SET NOT NULL", &start[..end]);
        let Ok(Statement::AlterTable(alter)) = self.parse(&known) else {
            return self.remark(shown(statement), "cannot be read");
        };
        let name = self.name(&alter.name);
        for operation in alter.operations {
            let AlterTableOperation::AlterColumn { column_name, .. } = operation else { continue };
            let column = self.ident(&column_name);
            if let Some(column) = self.table(&name).and_then(|table| table.column_mut(&column)) {
                column.counted = true;
            }
        }
    }

    /// A table that is a part of another is not one of its own.
    fn attach(&mut self, statement: &str) {
        let words: Vec<&str> = statement.split_whitespace().collect();
        let at = words.iter().position(|word| word.eq_ignore_ascii_case("partition"));
        let Some(partition) = at.and_then(|at| words.get(at + 1)) else { return };
        let mut parts = partition.rsplit('.').map(|part| part.trim_matches('"').to_owned());
        let own = parts.next().unwrap_or_default();
        let schema = parts.next().filter(|schema| schema != "public").unwrap_or_default();
        let name = Name { schema, name: own };
        if let Some(at) = self.places.remove(&name) {
            self.catalog.tables.remove(at);
            for place in self.places.values_mut().filter(|place| **place > at) {
                *place -= 1;
            }
            let skipped = self.catalog.skipped.entry("partition".to_owned()).or_default();
            skipped.push(name.to_string());
        }
    }

    fn comment(&mut self, statement: &str) {
        let Ok(Statement::Comment { object_type, object_name, comment, .. }) =
            self.parse(statement)
        else {
            return self.remark(shown(statement), "a comment cannot be read");
        };
        if object_type == CommentObject::Table {
            let name = self.name(&object_name);
            if let Some(table) = self.table(&name) {
                table.comment = comment;
            }
            return;
        }
        let mut parts = object_name.0;
        let Some(column) = parts.pop() else { return };
        let column = column.as_ident().map(|ident| self.ident(ident)).unwrap_or_default();
        let name = self.name(&ObjectName(parts));
        if let Some(column) = self.table(&name).and_then(|table| table.column_mut(&column)) {
            column.comment = comment;
        }
    }

    /// What only the whole text tells.
    fn finish(&mut self) {
        let owners = std::mem::take(&mut self.owners);
        for (table, column) in owners.values() {
            if let Some(column) = self.table(table).and_then(|table| table.column_mut(column)) {
                column.counted = true;
            }
        }
        for table in &mut self.catalog.tables {
            for column in &mut table.columns {
                let next = column.default.as_ref().is_some_and(|default| {
                    default.to_string().to_ascii_lowercase().contains("nextval")
                });
                if next {
                    column.counted = true;
                    column.default = None;
                }
            }
        }
    }
}

/// A domain's definition without NOT NULL, which the parser does not take there.
fn without_not_null(statement: &str) -> String {
    let lower = statement.to_ascii_lowercase();
    match lower.find(" not null") {
        Some(at) => format!("{}{}", &statement[..at], &statement[at + 9..]),
        None => statement.to_owned(),
    }
}

/// A statement on one line, and not too long.
pub(crate) fn shown(statement: &str) -> String {
    let line: Vec<&str> = statement.split_whitespace().take(12).collect();
    let line = line.join(" ");
    if line.chars().count() > 80 {
        let short: String = line.chars().take(79).collect();
        format!("{short}…")
    } else {
        line
    }
}

/// The text of a literal, without its quotes.
pub(crate) fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::SingleQuotedString(text)
        | Value::EscapedStringLiteral(text)
        | Value::NationalStringLiteral(text)
        | Value::UnicodeStringLiteral(text) => Some(text),
        _ => None,
    }
}
