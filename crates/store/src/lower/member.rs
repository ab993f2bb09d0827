//! Members of value objects, which are kept as JSON, for PostgreSQL: as far as it reads and spells them as Rust does. What it would not
//! ends the transaction, by a division by zero. Of a name that stands twice in an object, as Mimar writes none, it takes the last, where
//! Rust reads nothing.

use operation::{Expression, Fault, Scalar};

use super::expression::{Lowering, ill_formed};
use super::form::plain;
use crate::postgres::value::type_name;

/// Of a member `m.v` of something of the JSON kind `m.k`: there is none.
const OF_NOTHING: &str = " WHEN coalesce(json_typeof(m.v), 'null') = 'null' AND coalesce(m.k, 'object') = 'object' THEN NULL";

/// What ends the transaction, since it is not what Rust reads there. The planner cannot tell ahead.
const UNREAD: &str = "1 / (m.k IS NULL AND m.v IS NOT NULL)::int";

/// A pattern of what is JSON already, as Rust writes it: without white space, with the escapes that must be, and with numbers of at most
/// 15 digits, which are the shortest that mean theirs, with an exponent where Rust writes one: below 1e-5 and from 1e16.
fn spelled() -> String {
    const TEXT: &str = r#""([^"\\]|\\["\\nrtbf]|\\u00(0[0-7bef]|1[0-9a-f]))*""#;
    const NUMBERS: [&str; 6] = [
        // Whole numbers, and floats that are.
        "[1-9][0-9]{0,17}",
        "(0|[1-9][0-9]{0,14})[.]0",
        // Six digits and nine places, or twelve and three, but none at the end.
        "[1-9][0-9]{0,5}[.][0-9]{0,8}[1-9]",
        "[1-9][0-9]{0,11}[.][0-9]{0,2}[1-9]",
        // Less than one.
        "0[.]0{0,4}[1-9]([0-9]{0,9}[1-9])?",
        "[1-9]([.][0-9]{0,13}[1-9])?e(-([6-9]|[1-9][0-9])|1[6-9]|[2-9][0-9])",
    ];
    let value = format!("(true|false|null|{TEXT}|0|-?({}))", NUMBERS.join("|"));
    format!("^([\\[\\]{{}}:,]|{value}([\\[\\]{{}}:,]|$))*$")
}

impl<'a> Lowering<'a> {
    /// Writes a member of a value object, as far as SQL reads it as Rust does; what Rust would not read ends the transaction.
    pub(super) fn member(
        &mut self,
        object: &'a Expression,
        name: &str,
        scalar: Scalar,
        form: Scalar,
    ) -> Result<(), Fault> {
        if form == scalar {
            return self.member_as_it_is(object, name, scalar);
        }
        if form != plain(scalar) {
            return Err(ill_formed("a member of JSON in another form"));
        }
        self.made_plain(scalar, |it| it.member_as_it_is(object, name, scalar))
    }

    fn member_as_it_is(
        &mut self,
        object: &'a Expression,
        name: &str,
        scalar: Scalar,
    ) -> Result<(), Fault> {
        const DATE: &str = "[0-9]{4}-[0-9]{2}-[0-9]{2}";
        const CLOCK: &str = "([01][0-9]|2[0-3])(:[0-5][0-9]){2}([.][0-9]{1,6})?";
        // As what it stands there, and how its text looks.
        let (kind, text) = match scalar {
            Scalar::Json => return self.object_as_it_is(object, name),
            Scalar::Text => ("string", String::new()),
            Scalar::Bool => ("boolean", String::new()),
            Scalar::Int => ("number", "^(0|-?[1-9][0-9]*)$".to_owned()),
            Scalar::Uuid => ("string", "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$".to_owned()),
            Scalar::Decimal { scale: 0 } => ("string", "^(0|-?[1-9][0-9]*)$".to_owned()),
            Scalar::Decimal { scale } => {
                ("string", format!("^-?(0|[1-9][0-9]*)([.][0-9]{{1,{scale}}})?$"))
            }
            // Zero has no sign.
            Scalar::Float => (
                "number",
                "^(0|0[.][0-9]+|-?[1-9][0-9]*([.][0-9]+)?|-0[.][0-9]*[1-9][0-9]*)([eE][-+]?[0-9]+)?$"
                    .to_owned(),
            ),
            Scalar::Date => ("string", format!("^{DATE}$")),
            Scalar::Time => ("string", format!("^{CLOCK}$")),
            Scalar::Timestamp => ("string", format!("^{DATE}T{CLOCK}Z$")),
            Scalar::Duration => (
                "string",
                "^-?P(?=[0-9T])([0-9]{1,9}D)?(T(?=[0-9])([0-9]{1,9}H)?([0-9]{1,9}M)?([0-9]{1,9}([.][0-9]{1,6})?S)?)?$"
                    .to_owned(),
            ),
            // With padding, and no bits behind the last byte (RFC 4648 §3.5).
            Scalar::Bytes => (
                "string",
                "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$"
                    .to_owned(),
            ),
        };
        self.sql.push(match scalar {
            // A day has 24 hours, as it has where it is kept; PostgreSQL reads no sign before all of it.
            Scalar::Duration => {
                "(SELECT CASE WHEN f.negative THEN - f.v ELSE f.v END FROM (SELECT d.negative, \
                 make_interval(hours => (24 * extract(day FROM d.v))::int) \
                 + (d.v - make_interval(days => extract(day FROM d.v)::int)) AS v \
                 FROM (SELECT e.v LIKE '-%' AS negative, ltrim(e.v, '-')::interval AS v FROM (SELECT "
            }
            Scalar::Bytes => "decode(",
            _ => "",
        });
        self.sql.push("((SELECT CASE").push(OF_NOTHING);
        self.sql.push(" WHEN m.k = 'object' AND json_typeof(m.v) = ").literal(kind);
        if !text.is_empty() {
            self.sql.push(" AND (m.v #>> '{}') ~ ").literal(&text);
        }
        self.sql.push(" THEN (m.v #>> '{}') ELSE (").push(UNREAD).push(")::text END");
        self.write_from_object(object, name)?;
        self.sql.push(")");
        match scalar {
            Scalar::Duration => {
                self.sql.push(") AS v OFFSET 0) AS e OFFSET 0) AS d OFFSET 0) AS f)")
            }
            Scalar::Bytes => self.sql.push("), 'base64')"),
            _ => self.sql.push("::").push(type_name(scalar)).push(")"),
        };
        Ok(())
    }

    /// Writes a value object or list that stands in another object. Where it is not spelled as Rust would spell it, that ends the transaction.
    fn object_as_it_is(&mut self, object: &'a Expression, name: &str) -> Result<(), Fault> {
        self.sql.push("((SELECT CASE").push(OF_NOTHING);
        self.sql.push(" WHEN m.k = 'object' AND m.v::text ~ ").literal(&spelled());
        self.sql.push(" THEN m.v ELSE to_json(").push(UNREAD).push(") END");
        self.write_from_object(object, name)?;
        self.sql.push("))");
        Ok(())
    }

    /// Writes from where a member of an object is: it is `m.v`, and that object is of the kind `m.k`.
    fn write_from_object(&mut self, object: &'a Expression, name: &str) -> Result<(), Fault> {
        self.sql.push(" FROM (SELECT json_typeof(o.o) AS k, o.o -> ").literal(name);
        self.sql.push(" AS v FROM (SELECT ");
        match object {
            // What is read from within may be spelled as it likes.
            Expression::Member { object, name, scalar: Scalar::Json } => {
                self.sql.push("(SELECT CASE").push(OF_NOTHING);
                self.sql.push(
                    " WHEN m.k = 'object' AND json_typeof(m.v) = 'object' THEN m.v ELSE to_json(",
                );
                self.sql.push(UNREAD).push(") END");
                self.write_from_object(object, name)?;
                self.sql.push(")");
            }
            object => self.postgres(object, Scalar::Json)?,
        }
        self.sql.push("::json AS o OFFSET 0) AS o OFFSET 0) AS m");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use operation::{Tree, parse_json};
    use proptest::prelude::*;

    use super::spelled;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn what_is_spelled_so_rust_spells_alike(
            number in "-?(0|[1-9][0-9]{0,17})([.][0-9]{1,17})?([eE][-+]?[0-9]{1,2})?",
            text in "([a\"\\\\/ ]|\\\\[\"\\\\/bfnrt]|\\\\u00[0-2][0-9a-fA-F]|é|\u{7f}){0,3}",
            space in " ?",
        ) {
            let pattern = regex::Regex::new(&spelled()).unwrap();
            for json in [number.clone(), format!("\"{text}\""), format!("{{\"{text}\":[{number},{space}null]}}")] {
                let Ok(tree) = parse_json(json.as_bytes()) else { continue };
                let mut again = Vec::new();
                tree.write(&mut again);
                let is_alike = again == json.as_bytes();
                prop_assert!(is_alike || !pattern.is_match(&json), "{json}");
            }
        }

        #[test]
        fn numbers_of_few_digits_are_spelled_so(digits in -99_999_999_i64..100_000_000, places in 0..16_i32) {
            let number = digits as f64 / 10_f64.powi(places);
            let mut json = Vec::new();
            Tree::Float(number).write(&mut json);
            let json = String::from_utf8(json).unwrap();
            prop_assert!(regex::Regex::new(&spelled()).unwrap().is_match(&json), "{json}");
        }
    }
}
