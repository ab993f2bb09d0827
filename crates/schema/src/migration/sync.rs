//! How a value of one column becomes one of another on PostgreSQL, and the trigger that keeps two columns the same.

use operation::{Ident, Scalar, Value};

use super::{qualified, quoted};
use crate::{ColumnOrigin, Fill, Meaning};

/// The setting under which a backfill tells the trigger that it need not look.
pub(super) const BACKFILL: &str = "mimar.backfill";

/// A column that lives in two for a while.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    /// Stored names.
    pub(super) old: String,
    pub(super) new: String,
    /// The value of the new one; `NEW.` stands before the old one's name where `{}` does.
    pub(super) up: String,
    /// The same back.
    pub(super) down: String,
    /// Whether its type cannot be compared (`json`).
    pub(super) incomparable: bool,
    /// Whether a row without an old value gets a new one.
    pub(super) gives: bool,
    /// Whether every row has a new value, whatever the old version writes.
    pub(super) whole: bool,
}

/// A text that lives in two halves for a while.
#[derive(Debug, Clone)]
pub(super) struct Halves {
    /// Stored names.
    pub(super) old: String,
    pub(super) before: String,
    pub(super) after: String,
    pub(super) separator: String,
    /// Whether each half must be a text, also where there is none.
    pub(super) required: (bool, bool),
    /// Whether the whole must be.
    pub(super) old_required: bool,
}

impl Halves {
    /// The halves of a whole, which is written `text`.
    pub(super) fn split(&self, text: &str) -> (String, String) {
        let separator = literal(&self.separator);
        let length = self.separator.chars().count();
        let before = format!("split_part({text}, {separator}, 1)");
        let after = format!(
            "CASE WHEN strpos({text}, {separator}) > 0 THEN substr({text}, strpos({text}, {separator}) + {length}) \
             WHEN {text} IS NOT NULL THEN '' END"
        );
        let some = |sql: String, required: bool| {
            if required { format!("coalesce({sql}, '')") } else { sql }
        };
        (some(before, self.required.0), some(after, self.required.1))
    }

    /// The whole of halves.
    fn joined(&self) -> String {
        let (before, after) =
            (format!("NEW.{}", quoted(&self.before)), format!("NEW.{}", quoted(&self.after)));
        let separator = literal(&self.separator);
        let joined = format!("concat_ws({separator}, {before}, nullif({after}, ''))");
        if self.old_required {
            return joined;
        }
        format!("CASE WHEN {before} IS NOT NULL OR {after} IS NOT NULL THEN {joined} END")
    }
}

/// A column that must not be null whatever the other version thinks.
#[derive(Debug, Clone)]
pub(super) struct Filled {
    pub(super) column: String,
    pub(super) value: String,
}

/// What a value becomes on the way to another meaning; `{}` stands for it. `None` if nothing of it can be kept. The flag:
/// whether some values have no counterpart.
pub(super) fn up(
    from: &Meaning,
    to: &ColumnOrigin,
    scalar: Scalar,
    nullable: bool,
) -> Option<(String, bool)> {
    let cast = || {
        let mut sql = operation::Sql::new(operation::Dialect::Postgres);
        crate::ddl::postgres_type(&mut sql, scalar);
        let kind = sql.finish();
        format!("({{}})::{}", kind.trim_end_matches(" COLLATE \"C\""))
    };
    let kept = |sql: String| Some((sql, false));
    match (from, &to.meaning) {
        (from, to) if from == to => kept("{}".to_owned()),
        (Meaning::Labels(old), Meaning::Labels(new)) => {
            let mut sql = "CASE {}".to_owned();
            let mut lossy = false;
            for label in old.iter().filter(|label| !new.contains(label)) {
                let renamed = to.renamed_labels.iter().find(|(was, _)| was == label);
                let becomes = match (renamed, &to.fill, new.first()) {
                    (Some((_, now)), ..) => literal(now),
                    (None, fill, first) => {
                        lossy = true;
                        match (fill, first) {
                            (Fill::Unknown, Some(first)) if !nullable => literal(first),
                            (fill, _) => self::fill(fill, scalar),
                        }
                    }
                };
                sql.push_str(&format!(" WHEN {} THEN {becomes}", literal(label)));
            }
            sql.push_str(" ELSE {} END");
            Some((if sql.starts_with("CASE {} ELSE") { "{}".to_owned() } else { sql }, lossy))
        }
        (Meaning::Labels(_), Meaning::Scalar(Scalar::Text)) => kept("{}".to_owned()),
        (Meaning::Scalar(Scalar::Bool), Meaning::Scalar(Scalar::Int)) => {
            kept("({})::int::bigint".to_owned())
        }
        (Meaning::Scalar(Scalar::Json | Scalar::Int), Meaning::Scalar(Scalar::Text)) => {
            kept("({})::text".to_owned())
        }
        (Meaning::Scalar(Scalar::Date), Meaning::Scalar(Scalar::Timestamp)) => {
            kept("({})::timestamp AT TIME ZONE 'UTC'".to_owned())
        }
        (Meaning::Scalar(from), Meaning::Scalar(to)) => {
            let grows = to.scale()? >= from.scale()?;
            grows.then(|| (cast(), false))
        }
        _ => None,
    }
}

/// The same back, for servers that know the old meaning only: always something that they can read.
pub(super) fn down(from: &ColumnOrigin, scalar: Scalar, to: &Meaning, nullable: bool) -> String {
    let nothing = if nullable { "NULL".to_owned() } else { zero(to) };
    match (&from.meaning, to) {
        (from, to) if from == to => "{}".to_owned(),
        (Meaning::Labels(new), Meaning::Labels(old)) => {
            let mut sql = "CASE {}".to_owned();
            for label in new.iter().filter(|label| !old.contains(label)) {
                if let Some((was, _)) = from.renamed_labels.iter().find(|(_, now)| now == label) {
                    sql.push_str(&format!(" WHEN {} THEN {}", literal(label), literal(was)));
                }
            }
            sql.push_str(" ELSE {} END");
            if sql.starts_with("CASE {} ELSE") { "{}".to_owned() } else { sql }
        }
        (Meaning::Scalar(Scalar::Text), Meaning::Labels(old)) => {
            let known: Vec<String> = old.iter().map(|label| literal(label)).collect();
            format!("CASE WHEN {{}} IN ({}) THEN {{}} ELSE {nothing} END", known.join(", "))
        }
        (Meaning::Scalar(Scalar::Text), Meaning::Scalar(Scalar::Json)) => "to_json({})".to_owned(),
        (Meaning::Scalar(Scalar::Text), Meaning::Scalar(Scalar::Int)) => {
            format!("CASE WHEN {{}} ~ '^-?[0-9]{{1,18}}$' THEN ({{}})::bigint ELSE {nothing} END")
        }
        (Meaning::Scalar(Scalar::Int), Meaning::Scalar(Scalar::Bool)) => "({}) <> 0".to_owned(),
        (Meaning::Scalar(Scalar::Timestamp), Meaning::Scalar(Scalar::Date)) => {
            "(({}) AT TIME ZONE 'UTC')::date".to_owned()
        }
        (Meaning::Scalar(_), Meaning::Scalar(to)) if to.scale().zip(scalar.scale()).is_some() => {
            let digits = to.scale().unwrap_or(0);
            // What does not fit into nineteen digits, or into 64 bits, is shown as the greatest that does.
            let most = 10_i64.pow(u32::from(18_u8.saturating_sub(digits).min(18)));
            let kind = if digits == 0 && *to == Scalar::Int {
                "bigint".to_owned()
            } else {
                format!("numeric(19,{digits})")
            };
            // `least` and `greatest` pass over NULL.
            format!(
                "CASE WHEN {{}} IS NOT NULL THEN least(greatest(({{}})::numeric, -{most}), {most})::{kind} END"
            )
        }
        _ => nothing,
    }
}

/// Something that every reader of the meaning can read.
pub(super) fn zero(meaning: &Meaning) -> String {
    match meaning {
        Meaning::Labels(labels) => labels.first().map_or_else(|| literal(""), |l| literal(l)),
        Meaning::Scalar(scalar) => match scalar {
            Scalar::Bool => "false",
            Scalar::Int | Scalar::Float | Scalar::Decimal { .. } => "0",
            Scalar::Text => "''",
            Scalar::Uuid => "'00000000-0000-0000-0000-000000000000'",
            Scalar::Date => "'1970-01-01'",
            Scalar::Time => "'00:00'",
            Scalar::Timestamp => "'1970-01-01T00:00:00Z'",
            Scalar::Duration => "'PT0S'",
            Scalar::Json => "'null'",
            Scalar::Bytes => "'\\x'",
        }
        .to_owned(),
    }
}

/// A fill as PostgreSQL writes it.
pub(super) fn fill(fill: &Fill, scalar: Scalar) -> String {
    match fill {
        Fill::Unknown | Fill::Value(Value::Null) => "NULL".to_owned(),
        Fill::Now => "now()".to_owned(),
        Fill::Value(Value::Bytes(bytes)) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("'\\x{digits}'::bytea")
        }
        Fill::Value(value) => {
            let mut text = Vec::new();
            scalar.print(value, &mut text);
            let text = String::from_utf8_lossy(&text);
            match scalar {
                Scalar::Bool | Scalar::Int | Scalar::Decimal { .. } => text.into_owned(),
                Scalar::Text => literal(&text),
                _ => format!("{}::{}", literal(&text), scalar.postgres()),
            }
        }
    }
}

/// A text as a constant. What stands for a value in a template, and what quotes a function, is taken apart in it.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''").replace("{}", "{'||'}").replace('$', "'||chr(36)||'"))
}

/// The expression over a column of the row that is being written.
fn over(template: &str, column: &str) -> String {
    template.replace("{}", &format!("NEW.{}", quoted(column)))
}

/// The same over a column of the row that is there.
pub(super) fn of_row(template: &str, column: &str) -> String {
    template.replace("{}", &quoted(column))
}

/// Whether the rows that were there have their new values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    BeingFilled,
    Filled,
}

/// The trigger that keeps the columns of a table right for both versions: the statements that make it, and those that take
/// it away.
pub(super) fn trigger(
    table: &str,
    pairs: &[Pair],
    splits: &[Halves],
    filled: &[Filled],
    rows: Rows,
) -> (Vec<String>, Vec<String>) {
    let function = format!("mimar.{}", quoted(Ident::fit(&format!("sync_{table}")).as_str()));
    // Until the rows are filled an empty new column says nothing; afterwards it says that it is empty.
    let or_not_yet = |column: &str| match rows {
        Rows::BeingFilled => format!(" OR NEW.{column} IS NULL"),
        Rows::Filled => String::new(),
    };
    let mut on_insert = String::new();
    let mut on_update = String::new();
    for pair in pairs {
        let (old, new) = (quoted(&pair.old), quoted(&pair.new));
        let up = over(&pair.up, &pair.old);
        let down = over(&pair.down, &pair.new);
        let text = if pair.incomparable { "::text" } else { "" };
        on_insert.push_str(&format!(
            "    IF NEW.{new} IS NULL THEN NEW.{new} := {up}; ELSE NEW.{old} := {down}; END IF;\n"
        ));
        // Who changed one of them meant it; a row that has not got its new value yet gets it now.
        on_update.push_str(&format!(
            "    IF NEW.{new}{text} IS DISTINCT FROM OLD.{new}{text} THEN NEW.{old} := {down};\n    \
             ELSIF NEW.{old}{text} IS DISTINCT FROM OLD.{old}{text}{} THEN NEW.{new} := {up}; END IF;\n",
            or_not_yet(&new)
        ));
    }
    for split in splits {
        let [old, before, after] =
            [&split.old, &split.before, &split.after].map(|name| quoted(name));
        let (first, second) = split.split(&format!("NEW.{old}"));
        let joined = split.joined();
        let apart = format!("NEW.{before} := {first}; NEW.{after} := {second}");
        on_insert.push_str(&format!(
            "    IF NEW.{before} IS NULL AND NEW.{after} IS NULL THEN {apart}; ELSE NEW.{old} := {joined}; END IF;\n"
        ));
        on_update.push_str(&format!(
            "    IF NEW.{before} IS DISTINCT FROM OLD.{before} OR NEW.{after} IS DISTINCT FROM OLD.{after} THEN NEW.{old} := {joined};\n    \
             ELSIF NEW.{old} IS DISTINCT FROM OLD.{old}{} THEN {apart}; END IF;\n",
            or_not_yet(&before)
        ));
    }
    let mut always = String::new();
    for Filled { column, value } in filled {
        let column = quoted(column);
        always.push_str(&format!(
            "  IF NEW.{column} IS NULL THEN NEW.{column} := {value}; END IF;\n"
        ));
    }
    let body = format!(
        "BEGIN\n  IF TG_OP = 'INSERT' THEN\n{}  ELSE\n{}  END IF;\n{always}  RETURN NEW;\nEND",
        or_nothing(&on_insert),
        or_nothing(&on_update),
    );
    let trigger = quoted("mimar_sync");
    let table = qualified(table);
    let make = vec![
        format!(
            "CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $mimar$\n{body}\n$mimar$"
        ),
        format!(
            "CREATE OR REPLACE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW \
             WHEN (current_setting('{BACKFILL}', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION {function}()"
        ),
    ];
    let take = vec![
        format!("DROP TRIGGER IF EXISTS {trigger} ON {table}"),
        format!("DROP FUNCTION IF EXISTS {function}()"),
    ];
    (make, take)
}

fn or_nothing(lines: &str) -> &str {
    if lines.is_empty() { "    NULL;\n" } else { lines }
}
