//! The way from the tables that are there to the ones that are wanted.

use std::collections::HashSet;

use model::Half;
use operation::{Column, Dialect, Ident, Scalar, Sql, Table, TableId, Value};

use crate::existing::{Existing, ExistingColumn, Renames, same_statement, table_of_index};
use crate::{ColumnOrigin, Fill, Meaning, Origin, Schema, ddl};

/// How a sentence ends of a table that SQLite cannot change in place.
const BUILT_ANEW: &str = "is built anew";

/// What has to happen to a database.
///
/// The statements belong into one transaction with foreign keys off (`PRAGMA foreign_keys = OFF` before it begins),
/// as SQLite's own procedure for changing tables demands (lang_altertable.html, §7); `PRAGMA foreign_key_check`
/// tells whether the outcome is whole.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// In order; empty when nothing differs.
    pub statements: Vec<String>,
    /// Whether every stored value stays: there are no [`Change::losses`].
    pub lossless: bool,
    /// What would be lost, and what stands in the way, where the table named has rows.
    pub losses: Vec<Loss>,
    /// What changes, one short sentence each, for people.
    pub summary: Vec<String>,
    /// Stored names of tables whose computed columns have to be computed anew.
    pub recompute: Vec<String>,
    /// Stored names of tables that are new.
    pub created: Vec<String>,
    /// Computed columns that are new in tables that stay: table, column.
    pub computed: Vec<(String, String)>,
}

impl Change {
    /// What changes where tables are changed in place: nothing is built anew there.
    pub fn summary_in_place(&self) -> Vec<String> {
        self.summary.iter().filter(|line| !line.ends_with(BUILT_ANEW)).cloned().collect()
    }
}

/// Something of a table with rows that would not survive.
#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    /// The table as it is called now, with the one column that matters: what to read to know whether anything is
    /// lost at all.
    pub probe: Table,
    /// Which rows count.
    pub rows: LostRows,
    /// Whether the change fails on such rows even when told to lose them: a new required field with no default.
    pub blocks: bool,
    /// A sentence for people, with what to do.
    pub sentence: String,
}

/// The rows of which something would be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LostRows {
    /// Every row.
    All,
    /// Those that hold something in the column.
    Filled,
    /// Those that hold nothing in the column.
    Empty,
    /// Those that hold one of these texts in the column.
    Holding(Vec<String>),
}

impl LostRows {
    /// Whether a row with this value in the column counts.
    pub fn counts(&self, value: &Value) -> bool {
        match self {
            Self::All => true,
            Self::Filled => !value.is_null(),
            Self::Empty => value.is_null(),
            Self::Holding(texts) => {
                matches!(value, Value::Text(text) if texts.iter().any(|lost| **lost == **text))
            }
        }
    }
}

/// A table with one column, as it is called now.
fn probe(original: &Existing, column: &str) -> Table {
    let at = original.column(column).or(original.columns.first());
    let scalar = match at.and_then(ExistingColumn::meaning) {
        Some(Meaning::Scalar(scalar)) => scalar,
        Some(Meaning::Labels(_)) | None => Scalar::Text,
    };
    Table {
        id: TableId(0),
        rank: 0,
        name: Ident::read(&original.name),
        entity: original.name.as_str().into(),
        columns: vec![Column {
            name: Ident::fit(at.map_or(column, |column| &column.name)),
            field: column.into(),
            scalar,
            nullable: true,
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

impl Change {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }
}

/// The way from the definitions in `existing` (name and SQL of each table and index that SQLite lists) to the wanted
/// tables. Tables that were not made by [`ddl`] are left alone.
///
/// Renames are known by `was`; what can be added in place is added in place; every other difference rebuilds the
/// table and copies what both have.
pub fn diff(existing: &[(String, String)], wanted: &Schema) -> Change {
    let mut before: Vec<Existing> =
        existing.iter().filter_map(|(_, sql)| Existing::parse(sql)).collect();
    let mut change = Change::default();
    let renames = renames(&before, wanted);
    rename(&renames, wanted, &mut change);
    let originals = std::mem::take(&mut before);
    let mut after: Vec<(Existing, &Existing)> =
        originals.iter().map(|table| (table.renamed(&renames), table)).collect();

    let mut rebuilt: HashSet<String> = HashSet::new();
    let mut body: Vec<String> = Vec::new();
    for table in &wanted.tables {
        let name = &*table.name.to_string();
        let found = after.iter().position(|(old, _)| old.name.eq_ignore_ascii_case(name));
        let Some(found) = found else {
            body.push(ddl::table(wanted, table, &table.name));
            change.summary.push(format!("new table `{name}`"));
            change.created.push(name.to_owned());
            continue;
        };
        let (old, original) = after.swap_remove(found);
        if alter(wanted, table, &old, original, &mut body, &mut change) {
            rebuilt.insert(name.to_owned());
        }
    }
    for (gone, original) in &after {
        body.push(drop_table(&gone.name));
        rebuilt.insert(gone.name.clone());
        change.summary.push(format!("table `{}` is gone", original.name));
        change.losses.push(Loss {
            probe: probe(original, ""),
            rows: LostRows::All,
            blocks: false,
            sentence: format!(
                "no entity is stored in `{0}` any more, and its rows would be dropped; if the entity was renamed, \
                 write `was` and its old name behind the new one",
                original.name
            ),
        });
    }

    // Indexes go first, so that renames need not carry them along, and come last.
    let touched: HashSet<&str> =
        renames.tables.keys().map(String::as_str).collect::<HashSet<&str>>();
    let indexes = ddl::indexes(wanted, Dialect::Sqlite);
    let mut standing: HashSet<&Ident> = HashSet::new();
    let mut drops = Vec::new();
    for (name, sql) in existing {
        let Some(on) = table_of_index(sql) else { continue };
        let Some(on) = originals.iter().find(|table| table.name.eq_ignore_ascii_case(&on)) else {
            continue;
        };
        let on = &on.name;
        let now = renames.tables.get(on).unwrap_or(on);
        // It has gone with its table, where that has come to another schema.
        let called = Ident::read(now).beside(Ident::read(name).as_str()).to_string();
        let kept = indexes.iter().find(|index| index.name.to_string() == called);
        match kept {
            Some(index)
                if same_statement(&index.sql, sql)
                    && !touched.contains(on.as_str())
                    && !rebuilt.contains(now) =>
            {
                standing.insert(&index.name);
            }
            _ => {
                drops.push(drop_index(name));
                if kept.is_none() && !rebuilt.contains(now) {
                    change.summary.push(format!("index `{name}` is gone"));
                }
            }
        }
    }
    for index in &indexes {
        if !standing.contains(&index.name) {
            body.push(index.sql.clone());
            let (table, called) = (index.table.to_string(), index.name.to_string());
            let fresh = !existing.iter().any(|(name, _)| *name == called);
            if fresh && originals.iter().any(|old| old.name == table) {
                change.summary.push(format!("new index `{}`", index.name));
            }
        }
    }

    let renaming = std::mem::take(&mut change.statements);
    change.statements = drops;
    change.statements.extend(renaming);
    change.statements.extend(body);
    change.lossless = change.losses.is_empty();
    change
}

/// Finds what was renamed.
pub(crate) fn renames(before: &[Existing], wanted: &Schema) -> Renames {
    let mut renames = Renames::default();
    let is_wanted = |name: &str| {
        wanted.tables.iter().any(|table| table.name.to_string().eq_ignore_ascii_case(name))
    };
    let find = |name: &str| before.iter().find(|table| table.name.eq_ignore_ascii_case(name));
    for (table, origin) in wanted.tables.iter().zip(&wanted.origins) {
        let called = table.name.to_string();
        let mut old = find(&called);
        if old.is_none() {
            let former: Vec<String> = origin.was.iter().map(Ident::to_string).collect();
            let was = former.iter().filter(|was| !is_wanted(was)).find_map(|was| find(was));
            let was = was.or_else(|| {
                let is_free = |table: &Existing| {
                    !is_wanted(&table.name) && !renames.tables.contains_key(&table.name)
                };
                elsewhere(before.iter().filter(|table| is_free(table)), table, origin)
            });
            let Some(found) = was.filter(|found| !renames.tables.contains_key(&found.name)) else {
                continue;
            };
            renames.tables.insert(found.name.clone(), called.clone());
            old = Some(found);
        }
        let Some(old) = old else { continue };
        for (column, origin) in table.columns.iter().zip(&origin.columns) {
            let name = column.name.as_str();
            let Some(was) = &origin.was else { continue };
            let free = !table.columns.iter().any(|other| other.name == *was);
            if old.column(name).is_some() || old.column(was.as_str()).is_none() || !free {
                continue;
            }
            renames.columns.insert((called.clone(), was.as_str().to_owned()), name.to_owned());
        }
    }
    renames
}

/// The table of an entity that has come from another service: the only one of its name, or of one that it had.
fn elsewhere<'e>(
    free: impl Iterator<Item = &'e Existing>,
    table: &Table,
    origin: &Origin,
) -> Option<&'e Existing> {
    let free: Vec<(Ident, &Existing)> =
        free.map(|existing| (Ident::read(&existing.name), existing)).collect();
    // SQLite has one place only, and names were compared there.
    if table.name.schema().is_none() && free.iter().all(|(name, _)| name.schema().is_none()) {
        return None;
    }
    [&table.name].into_iter().chain(&origin.was).find_map(|called| {
        let mut named = free.iter().filter(|(name, _)| {
            name.as_str().eq_ignore_ascii_case(called.as_str())
                && name.schema() != table.name.schema()
        });
        let first = named.next();
        first.filter(|_| named.next().is_none()).map(|(_, existing)| *existing)
    })
}

/// The statements that rename, in the order of the wanted tables.
fn rename(renames: &Renames, wanted: &Schema, change: &mut Change) {
    for table in &wanted.tables {
        let name = &*table.name.to_string();
        if let Some((old, _)) = renames.tables.iter().find(|(_, new)| *new == name) {
            let mut sql = Sql::new(Dialect::Sqlite);
            sql.push("ALTER TABLE ").ident(&Ident::fit(old));
            sql.push(" RENAME TO ").ident(&table.name);
            change.statements.push(sql.finish());
            change.summary.push(format!("table `{old}` is now `{name}`"));
        }
        for column in &table.columns {
            let found = renames
                .columns
                .iter()
                .find(|((of, _), new)| of == name && *new == column.name.as_str());
            let Some(((_, was), new)) = found else { continue };
            let mut sql = Sql::new(Dialect::Sqlite);
            sql.push("ALTER TABLE ").ident(&table.name).push(" RENAME COLUMN ");
            sql.ident(&Ident::fit(was)).push(" TO ").ident(&column.name);
            change.statements.push(sql.finish());
            change.summary.push(format!("`{name}.{was}` is now `{new}`"));
        }
    }
}

/// Brings one table to its wanted form; true if it was rebuilt.
fn alter(
    schema: &Schema,
    table: &Table,
    old: &Existing,
    original: &Existing,
    statements: &mut Vec<String>,
    change: &mut Change,
) -> bool {
    let text = ddl::table(schema, table, &table.name);
    // What this crate wrote it can read.
    let Some(new) = Existing::parse(&text) else { return false };
    if old.same(&new) {
        return false;
    }
    let origin = &schema.origins[table.id.0 as usize];
    let added: Vec<usize> = (0..table.columns.len())
        .filter(|at| old.column(table.columns[*at].name.as_str()).is_none())
        .collect();
    for at in &added {
        let column = &table.columns[*at].name;
        change.summary.push(match source_of(origin, *at, old) {
            Some((was, half)) => {
                let side = if half.after { "after" } else { "before" };
                format!("`{}.{column}` is what stands {side} the separator in `{was}`", table.name)
            }
            None => format!("new column `{}.{column}`", table.name),
        });
        let (origin, name) = (&origin.columns[*at], table.name.to_string());
        if origin.computed {
            change.computed.push((name.clone(), column.to_string()));
        }
        if origin.fill != Fill::Unknown || origin.computed {
            change.recompute.push(name);
        }
    }
    // What formulas read may be another value from now on.
    let is_other =
        |column: &ExistingColumn| new.column(&column.name).is_some_and(|now| now != column);
    if old.columns.iter().any(is_other) {
        change.recompute.push(table.name.to_string());
    }
    let in_place = old.same_frame(&new)
        && old.columns.len() + added.len() == new.columns.len()
        && old.columns.iter().all(|column| new.column(&column.name) == Some(column))
        && added.iter().all(|at| {
            let is_empty = origin.columns[*at].fill == Fill::Unknown;
            table.columns[*at].nullable && is_empty && source_of(origin, *at, old).is_none()
        });
    if in_place {
        for at in added {
            let mut sql = Sql::new(Dialect::Sqlite);
            sql.push("ALTER TABLE ").ident(&table.name).push(" ADD COLUMN ");
            ddl::column(&mut sql, schema, table, origin, at);
            statements.push(sql.finish());
        }
        return false;
    }
    for column in &old.columns {
        let is_split = origin
            .columns
            .iter()
            .any(|origin| origin.half.as_ref().is_some_and(|(was, _)| was.as_str() == column.name));
        if new.column(&column.name).is_none() && !is_split {
            let now = original_name(old, original, column);
            let renamed = match alike(&new, old, column) {
                Some(name) => {
                    format!("if `{name}` is its new name, write `was {now}` behind its type")
                }
                None => {
                    format!("if it was renamed, write `was {now}` behind the type of the new one")
                }
            };
            change.summary.push(format!("column `{}.{now}` is gone", original.name));
            change.losses.push(Loss {
                probe: probe(original, now),
                rows: LostRows::Filled,
                blocks: false,
                sentence: format!(
                    "`{}.{now}` is no field any more, and its values would be dropped; {renamed}",
                    original.name
                ),
            });
        }
    }
    rebuild(schema, table, origin, (old, &new), original, statements, change);
    true
}

/// The only column of one side that the other has not and that means the same as `column`, which the other has and this has not:
/// what may be its other name.
fn alike<'e>(side: &'e Existing, other: &Existing, column: &ExistingColumn) -> Option<&'e str> {
    let of_its_own = |from: &'e Existing, but: &Existing| -> Vec<&'e ExistingColumn> {
        let same = |it: &&ExistingColumn| it.meaning == column.meaning;
        from.columns.iter().filter(same).filter(|it| but.column(&it.name).is_none()).collect()
    };
    match of_its_own(side, other).as_slice() {
        [only] => Some(&only.name),
        _ => None,
    }
}

/// The column that a new one is a half of, if that is there.
pub(crate) fn source_of<'a>(
    origin: &'a Origin,
    at: usize,
    old: &Existing,
) -> Option<(&'a Ident, &'a Half)> {
    let (was, half) = origin.columns[at].half.as_ref()?;
    old.column(was.as_str())?;
    Some((was, half))
}

/// Writes a half of a text; empty behind a separator that is not there.
fn split(sql: &mut Sql, was: &Ident, half: &Half) {
    sql.push("CASE WHEN instr(").ident(was).push(", ").literal(&half.separator).push(") > 0 THEN ");
    sql.push("substr(").ident(was);
    if half.after {
        sql.push(", instr(").ident(was).push(", ").literal(&half.separator).push(") + ");
        sql.integer(i64::try_from(half.separator.chars().count()).unwrap_or(1)).push(")");
    } else {
        sql.push(", 1, instr(").ident(was).push(", ").literal(&half.separator).push(") - 1)");
    }
    sql.push(" WHEN ").ident(was).push(" IS NULL THEN NULL ELSE ");
    if half.after {
        sql.push("''");
    } else {
        sql.ident(was);
    }
    sql.push(" END");
}

/// The name a column has in the database now.
fn original_name<'a>(
    old: &Existing,
    original: &'a Existing,
    column: &'a ExistingColumn,
) -> &'a str {
    let at = old.columns.iter().position(|other| other.name == column.name);
    at.and_then(|at| original.columns.get(at)).map_or(&column.name, |column| &column.name)
}

fn rebuild(
    schema: &Schema,
    table: &Table,
    origin: &Origin,
    (old, new): (&Existing, &Existing),
    original: &Existing,
    statements: &mut Vec<String>,
    change: &mut Change,
) {
    let temporary = Ident::fit(&format!("mimar_new_{}", table.name));
    statements.push(ddl::table(schema, table, &temporary));
    let mut sql = Sql::new(Dialect::Sqlite);
    sql.push("INSERT INTO ").ident(&temporary).push(" (");
    sql.list(", ", &table.columns, |sql, column| {
        sql.ident(&column.name);
    });
    sql.push(") SELECT ");
    sql.list(", ", 0..table.columns.len(), |sql, at| {
        let column = &table.columns[at];
        let from = &origin.columns[at];
        match old.column(column.name.as_str()) {
            Some(there) => {
                let now = original_name(old, original, there).to_owned();
                copy(sql, table, at, from, there, original, &now, change);
            }
            None if source_of(origin, at, old).is_some() => {
                // A row without a text has two empty halves where it must have them.
                sql.push(if column.nullable { "" } else { "coalesce(" });
                if let Some((was, half)) = source_of(origin, at, old) {
                    split(sql, was, half);
                }
                sql.push(if column.nullable { "" } else { ", '')" });
            }
            None => {
                fill(sql, &from.fill);
                if !column.nullable && from.fill == Fill::Unknown {
                    let gone = new.column(column.name.as_str()).and_then(|it| alike(old, new, it));
                    let renamed = gone.map_or(String::new(), |gone| {
                        format!("if it is `{gone}` under a new name, write `was {gone}` behind its type; else ")
                    });
                    change.losses.push(Loss {
                        probe: probe(original, ""),
                        rows: LostRows::All,
                        blocks: true,
                        sentence: format!(
                            "`{}.{}` is required, and the rows that are there have no value for it; {renamed}give it \
                             a default (`= …`) or make it optional (`?`)",
                            table.entity, column.field
                        ),
                    });
                }
            }
        }
    });
    sql.push(" FROM ").ident(&table.name);
    statements.push(sql.finish());
    statements.push(drop_table(&table.name.to_string()));
    let mut sql = Sql::new(Dialect::Sqlite);
    sql.push("ALTER TABLE ").ident(&temporary).push(" RENAME TO ").ident(&table.name);
    statements.push(sql.finish());
    let known = format!("`{}`", table.name);
    if !change.summary.iter().any(|line| line.contains(&known)) {
        change.summary.push(format!("table {known} {BUILT_ANEW}"));
    }
}

/// The expression that carries a column over.
#[expect(clippy::too_many_arguments, reason = "both sides of one column, each with its table")]
fn copy(
    sql: &mut Sql,
    table: &Table,
    at: usize,
    origin: &ColumnOrigin,
    there: &ExistingColumn,
    original: &Existing,
    old_name: &str,
    change: &mut Change,
) {
    let old_table = &original.name;
    let column = &table.columns[at];
    let tightened = there.nullable() && !column.nullable;
    if tightened {
        sql.push("coalesce(");
    }
    let carried = there.meaning().and_then(|from| convert(sql, column, origin, &from));
    match carried {
        None => {
            fill(sql, &origin.fill);
            change.losses.push(Loss {
                probe: probe(original, old_name),
                rows: LostRows::Filled,
                blocks: !column.nullable && origin.fill == Fill::Unknown,
                sentence: format!(
                    "the values of `{old_table}.{old_name}` ({}) do not become values of its new type by themselves",
                    there.meaning
                ),
            });
        }
        Some(lost) if !lost.is_empty() => change.losses.push(Loss {
            probe: probe(original, old_name),
            rows: LostRows::Holding(lost.clone()),
            blocks: false,
            sentence: format!(
                "`{old_table}.{old_name}` may hold {}, which its enum no longer has; if a value was renamed, write \
                 `was` and its old name after the new one",
                lost.join(", ")
            ),
        }),
        Some(_) => {}
    }
    if tightened {
        sql.push(", ");
        fill(sql, &origin.fill);
        sql.push(")");
        if origin.fill == Fill::Unknown {
            change.losses.push(Loss {
                probe: probe(original, old_name),
                rows: LostRows::Empty,
                blocks: true,
                sentence: format!(
                    "`{}.{}` is now required, and rows may be without it; give it a default (`= …`) or leave it \
                     optional (`?`)",
                    table.entity, column.field
                ),
            });
        }
    }
}

/// Writes the conversion; the labels that have no successor, or `None` if there is no conversion.
fn convert(
    sql: &mut Sql,
    column: &Column,
    origin: &ColumnOrigin,
    from: &Meaning,
) -> Option<Vec<String>> {
    let name = &column.name;
    match (from, &origin.meaning) {
        (from, to) if from == to => {
            sql.ident(name);
        }
        (Meaning::Labels(old), Meaning::Labels(new)) => {
            let renamed: Vec<&(String, String)> = origin
                .renamed_labels
                .iter()
                .filter(|(was, _)| old.contains(was) && !new.contains(was))
                .collect();
            sql.push("CASE ").ident(name);
            for (was, now) in &renamed {
                sql.push(" WHEN ").literal(was).push(" THEN ").literal(now);
            }
            let lost: Vec<String> = old
                .iter()
                .filter(|label| !new.contains(label))
                .filter(|label| !renamed.iter().any(|(was, _)| was == *label))
                .cloned()
                .collect();
            for label in &lost {
                sql.push(" WHEN ").literal(label).push(" THEN ");
                match (&origin.fill, new.first()) {
                    (Fill::Unknown, Some(first)) if !column.nullable => {
                        sql.literal(first);
                    }
                    (known, _) => fill(sql, known),
                }
            }
            // `CASE x ELSE …` needs a branch.
            sql.push(" WHEN NULL THEN NULL ELSE ").ident(name).push(" END");
            return Some(lost);
        }
        (Meaning::Labels(_), Meaning::Scalar(Scalar::Text))
        | (Meaning::Scalar(Scalar::Bool), Meaning::Scalar(Scalar::Int))
        | (Meaning::Scalar(Scalar::Json), Meaning::Scalar(Scalar::Text)) => {
            sql.ident(name);
        }
        (Meaning::Scalar(Scalar::Int), Meaning::Scalar(Scalar::Text)) => {
            sql.push("CAST(").ident(name).push(" AS TEXT)");
        }
        (Meaning::Scalar(from), Meaning::Scalar(to)) => {
            let factor = match (from, to) {
                (Scalar::Date, Scalar::Timestamp) => 86_400_000_000,
                _ => {
                    let grown = to.scale()?.checked_sub(from.scale()?)?;
                    10_i64.checked_pow(u32::from(grown))?
                }
            };
            sql.ident(name).push(" * ").integer(factor);
        }
        _ => return None,
    }
    Some(Vec::new())
}

fn fill(sql: &mut Sql, fill: &Fill) {
    match fill {
        Fill::Unknown => {
            sql.push("NULL");
        }
        Fill::Now => {
            sql.push("CAST(unixepoch('subsec') * 1000000 AS INTEGER)");
        }
        Fill::Value(value) => {
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
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn drop_table(name: &str) -> String {
    let mut sql = Sql::new(Dialect::Sqlite);
    sql.push("DROP TABLE ").ident(&Ident::fit(name));
    sql.finish()
}

fn drop_index(name: &str) -> String {
    let mut sql = Sql::new(Dialect::Sqlite);
    sql.push("DROP INDEX ").ident(&Ident::fit(name));
    sql.finish()
}
