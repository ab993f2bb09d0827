//! Types of a database as types of the language.

use crate::catalog::{Catalog, Name};
use crate::{Dialect, name};

/// The type of a column, in the words of the language.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Bool,
    /// The least and the greatest value that the column holds.
    Int(Option<(i64, i64)>),
    Float,
    /// Digits in all, and behind the point.
    Decimal(u32, u32),
    /// The most characters.
    Text(Option<u64>),
    Uuid,
    Date,
    Time,
    Timestamp,
    Duration,
    Json,
    Bytes,
    /// A named enum of the catalog.
    Enum(Name),
}

/// A type, and what is to be said about the way to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) kind: Kind,
    pub(crate) remark: Option<&'static str>,
}

fn found(kind: Kind) -> Result<Found, String> {
    Ok(Found { kind, remark: None })
}

fn with(kind: Kind, remark: &'static str) -> Result<Found, String> {
    Ok(Found { kind, remark: Some(remark) })
}

/// The type of a column; the reason if the language has none.
pub(crate) fn kind(written: &str, catalog: &Catalog) -> Result<Found, String> {
    let written = written.trim();
    if written.is_empty() {
        return Err("it has no type".to_owned());
    }
    if catalog.dialect == Dialect::Sqlite {
        // What SQLite stores does not depend on how its types are written.
        let base = written.split('(').next().unwrap_or(written).trim();
        match base {
            "real" | "float" | "double" | "double precision" => return found(Kind::Float),
            "int" | "integer" | "bigint" | "smallint" | "tinyint" | "mediumint" | "int2"
            | "int8" => {
                return found(Kind::Int(None));
            }
            _ => {}
        }
    }
    if written.ends_with("[]") || written.contains("array") {
        return Err("the language keeps lists as parts, not in columns".to_owned());
    }
    let (base, arguments, tail) = match written.split_once('(') {
        Some((base, rest)) => {
            let (inside, tail) = rest.split_once(')').unwrap_or((rest, ""));
            let numbers: Vec<u64> =
                inside.split(',').filter_map(|number| number.trim().parse().ok()).collect();
            (base.trim(), numbers, tail.trim())
        }
        None => (written, Vec::new(), ""),
    };
    let first = arguments.first().copied();
    let base = base.trim_matches('"');
    let whole = if tail.is_empty() { base.to_owned() } else { format!("{base} {tail}") };
    // Types of extensions are written with the schema that they were put into.
    let own = whole.rsplit_once('.').map_or(&*whole, |(_, own)| own);
    match own {
        "bool" | "boolean" => found(Kind::Bool),
        "smallint" | "int2" | "smallserial" | "serial2" => {
            found(Kind::Int(Some((i16::MIN.into(), i16::MAX.into()))))
        }
        "tinyint" => found(Kind::Int(Some((-128, 255)))),
        "int" | "integer" | "int4" | "serial" | "serial4" | "mediumint" => {
            found(Kind::Int(Some((i32::MIN.into(), i32::MAX.into()))))
        }
        "bigint" | "int8" | "bigserial" | "serial8" | "oid" => found(Kind::Int(None)),
        "real" | "float4" => with(Kind::Float, "its values have 32 bits; a Float has 64"),
        "double precision" | "double" | "float8" | "float" => found(Kind::Float),
        "numeric" | "decimal" | "dec" => match arguments.as_slice() {
            [] => with(
                Kind::Decimal(18, 6),
                "it has no bound; 18 digits, six of them behind the point, were chosen",
            ),
            [digits] => Ok(decimal(*digits, 0)),
            [digits, scale, ..] => Ok(decimal(*digits, *scale)),
        },
        "money" => {
            with(Kind::Decimal(18, 2), "its currency is nowhere said; Money(EUR) would say it")
        }
        "varchar" | "character varying" | "char varying" | "nvarchar" | "character" | "char"
        | "bpchar" | "nchar" => found(Kind::Text(first)),
        "text" | "clob" | "string" | "name" => found(Kind::Text(None)),
        "citext" => with(Kind::Text(None), "it compares without case, which a String does not"),
        "uuid" => found(Kind::Uuid),
        "date" => found(Kind::Date),
        "time" | "time without time zone" => found(Kind::Time),
        "time with time zone" | "timetz" => with(Kind::Time, "its offset is not kept"),
        "timestamp" | "timestamp without time zone" | "datetime" => {
            with(Kind::Timestamp, "it has no time zone; its values are taken for UTC")
        }
        "timestamp with time zone" | "timestamptz" => found(Kind::Timestamp),
        "interval" => with(
            Kind::Duration,
            "months and days of an interval become spans of 30 days and 24 hours",
        ),
        "json" => found(Kind::Json),
        "jsonb" => with(Kind::Json, "a Json is kept as it is written, jsonb is not"),
        "bytea" | "blob" | "binary" | "varbinary" => found(Kind::Bytes),
        "inet" | "cidr" | "macaddr" | "macaddr8" | "xml" | "ltree" => with(
            Kind::Text(Some(100)),
            "the language has no type of its own for it: it is a text here",
        ),
        _ => {
            let (schema, own) = whole.rsplit_once('.').unwrap_or(("", &whole));
            let schema = if schema == "public" { "" } else { schema.trim_matches('"') };
            let name = Name { schema: schema.to_owned(), name: own.trim_matches('"').to_owned() };
            match catalog.enums.get(&name) {
                Some(labels) if labels.iter().all(|label| name::is_label(label)) => {
                    found(Kind::Enum(name))
                }
                Some(_) => with(
                    Kind::Text(Some(63)),
                    "labels of an enum are written in small letters, digits and `_`: it is a text here",
                ),
                None => Err(format!("the language has no type for `{written}`")),
            }
        }
    }
}

fn decimal(digits: u64, scale: u64) -> Found {
    if digits > 18 {
        let scale = u32::try_from(scale.min(17)).unwrap_or(0);
        return Found {
            kind: Kind::Decimal(18, scale),
            remark: Some("a Decimal has 18 digits at most"),
        };
    }
    let number = |n: u64| u32::try_from(n).unwrap_or(0);
    Found { kind: Kind::Decimal(number(digits.max(1)), number(scale.min(digits))), remark: None }
}
