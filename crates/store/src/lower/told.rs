//! Events and tasks that carry what stands in rows: PostgreSQL puts their JSON together, byte for byte what Rust writes.
//!
//! What it would write otherwise comes out null, which no event may carry, so that the transaction ends: what is no day of the years that a
//! date can be written in, a span with months, and a float from 1e16 on with more than 15 digits.

use operation::{Dialect, Expression, Fault, Scalar, Value};

use super::expression::{Lowering, binds_of, ill_formed};
use super::{Settings, Statement, Under};

/// Where it stands when a task is due, and what is unique of it.
const DUE: usize = 2;
const UNIQUE: usize = 3;

/// A JSON object of which some values are looked up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Telling<'t> {
    /// The values that are, in order, each with what it means.
    pub values: &'t [(&'t Expression, Scalar)],
    /// How many binds their expressions may name.
    pub binds: usize,
    /// What some of them stand for.
    pub settings: Settings<'t>,
    /// What its key is, if only the database knows that: an event's own, a task's unique one without its target. If it is counted, its bind
    /// holds the how manieth it is.
    pub key: Option<Under>,
    /// Of a task: how much later it is due, in microseconds, if that is looked up.
    pub delay: Option<&'t Expression>,
}

/// `INSERT` of an event; behind the binds stand its id, its name, its key and its moment, and then the pieces of its JSON
/// between the values.
pub(crate) fn event(telling: Telling<'_>, values: &[Value]) -> Result<Statement, Fault> {
    let mut lowering = telling.lowering(values)?;
    lowering.sql.push("INSERT INTO mimar.event (id, name, key, made, data) VALUES (");
    for (at, scalar) in
        [Scalar::Uuid, Scalar::Text, Scalar::Text, Scalar::Int].into_iter().enumerate()
    {
        match telling.key.filter(|_| at == 2) {
            Some(key) => lowering.told_under(key, telling.binds + at)?,
            None => lowering.bind(telling.binds + at, scalar),
        }
        lowering.sql.push(", ");
    }
    lowering.object(telling, telling.binds + 4)?;
    lowering.sql.push(")");
    Ok(lowering.finish(Vec::new()))
}

/// `INSERT` of a task; behind the binds stand its target, its priority, when it is due and its unique key, and then the
/// pieces of its JSON between the values. Where one with the same unique key waits, nothing is done.
pub(crate) fn task(telling: Telling<'_>, values: &[Value]) -> Result<Statement, Fault> {
    let mut lowering = telling.lowering(values)?;
    lowering
        .sql
        .push("INSERT INTO mimar.task (target, priority, due, unique_key, arguments) VALUES (");
    for (at, scalar) in
        [Scalar::Text, Scalar::Int, Scalar::Int, Scalar::Text].into_iter().enumerate()
    {
        match (at, telling.key, telling.delay) {
            (DUE, _, Some(delay)) => {
                lowering.bind(telling.binds + at, scalar);
                lowering.sql.push(" + greatest(coalesce(");
                lowering.any(delay, Scalar::Int)?;
                lowering.sql.push(", 0), 0)");
            }
            (UNIQUE, Some(key), _) => {
                lowering.bind(telling.binds, Scalar::Text);
                lowering.sql.push(" || '/' || ");
                lowering.told_under(key, telling.binds + at)?;
            }
            _ => lowering.bind(telling.binds + at, scalar),
        }
        lowering.sql.push(", ");
    }
    lowering.object(telling, telling.binds + 4)?;
    lowering.sql.push(") ON CONFLICT (unique_key) DO NOTHING");
    Ok(lowering.finish(Vec::new()))
}

impl<'t> Telling<'t> {
    fn lowering(self, values: &'t [Value]) -> Result<Lowering<'t>, Fault> {
        let all = self.values.iter().map(|(value, _)| *value);
        if binds_of(all.chain(self.delay)) > self.binds {
            return Err(ill_formed("no such bind"));
        }
        // The row's own values, and one piece more than there are values between them.
        let all = self.binds + 4 + self.values.len() + 1;
        Ok(Lowering::new(Dialect::Postgres, all, values).with(self.settings))
    }
}

impl<'a> Lowering<'a> {
    /// Writes an object whose pieces are bound from `first` on.
    fn object(&mut self, telling: Telling<'a>, first: usize) -> Result<(), Fault> {
        self.sql.push("(");
        for (at, (value, scalar)) in telling.values.iter().enumerate() {
            self.bind(first + at, Scalar::Text);
            self.sql.push(" || ");
            self.json(value, *scalar)?;
            self.sql.push(" || ");
        }
        self.bind(first + telling.values.len(), Scalar::Text);
        self.sql.push(")::json");
        Ok(())
    }

    /// Writes a value of a scalar as the JSON that [`Scalar::write_json`] makes of it; null where it would be another.
    pub(super) fn json(&mut self, value: &'a Expression, scalar: Scalar) -> Result<(), Fault> {
        self.json_of(scalar, |it| it.kept(value, scalar))
    }

    /// The same of what is written so.
    pub(super) fn json_of(
        &mut self,
        scalar: Scalar,
        write: impl FnOnce(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.sql.push("(SELECT CASE WHEN m.v IS NULL THEN 'null' ");
        self.sql.push(match scalar {
            Scalar::Bool => "WHEN m.v THEN 'true' ELSE 'false' END",
            Scalar::Int | Scalar::Json => "ELSE m.v::text END",
            Scalar::Decimal { .. } | Scalar::Uuid => "ELSE '\"' || m.v::text || '\"' END",
            Scalar::Text => "ELSE to_json(m.v)::text END",
            Scalar::Date => {
                "WHEN m.v >= DATE '0001-01-01' AND m.v < DATE '10000-01-01' \
                 THEN to_char(m.v, '\"\\\"\"YYYY-MM-DD\"\\\"\"') END"
            }
            Scalar::Time => "ELSE to_char(m.v::interval, '\"\\\"\"HH24:MI:SS') || m.f || '\"' END",
            Scalar::Timestamp => {
                "WHEN m.v >= TIMESTAMPTZ '0001-01-01 00:00:00+00' AND m.v < TIMESTAMPTZ '10000-01-01 00:00:00+00' \
                 THEN to_char(m.v AT TIME ZONE 'UTC', '\"\\\"\"YYYY-MM-DD\"T\"HH24:MI:SS') || m.f || 'Z\"' END"
            }
            Scalar::Bytes => {
                "ELSE '\"' || translate(encode(m.v, 'base64'), chr(10), '') || '\"' END"
            }
            // Digits as short as they can be: both find the same, but for some between two large ones, and there are no two of 15 digits that
            // mean the same float. PostgreSQL writes an exponent below 1e-4 and from 1e15, Rust below 1e-5 and from 1e16.
            Scalar::Float => {
                "WHEN m.v::text::float8 <> m.v THEN NULL \
                 WHEN strpos(m.v::text, 'e') > 0 AND abs(m.v) < 1e-5 OR m.v::text ~ '^-?[0-9]([.][0-9]{1,14})?e' AND abs(m.v) >= 1e16 \
                 THEN regexp_replace(m.v::text, 'e[+]?(-?)0*', 'e\\1') \
                 WHEN abs(m.v) < 1e16 \
                 THEN m.v::text::numeric::text || CASE WHEN strpos(m.v::text::numeric::text, '.') = 0 THEN '.0' ELSE '' END END"
            }
            Scalar::Duration => {
                "WHEN extract(year FROM m.v) = 0 AND extract(month FROM m.v) = 0 \
                 THEN '\"' || CASE WHEN m.u < 0 THEN '-P' ELSE 'P' END || CASE WHEN m.d > 0 THEN m.d || 'D' ELSE '' END \
                 || CASE WHEN m.t > 0 OR m.d = 0 THEN 'T' || CASE WHEN m.t >= 3600000000 THEN m.t / 3600000000 || 'H' ELSE '' END \
                 || CASE WHEN m.t / 60000000 % 60 > 0 THEN m.t / 60000000 % 60 || 'M' ELSE '' END \
                 || CASE WHEN m.t % 60000000 > 0 OR m.t < 60000000 THEN m.t / 1000000 % 60 || m.f || 'S' ELSE '' END \
                 ELSE '' END || '\"' END"
            }
        });
        let lasts = scalar == Scalar::Duration;
        let timed = lasts || matches!(scalar, Scalar::Time | Scalar::Timestamp);
        self.sql.push(" FROM (SELECT v");
        if lasts {
            self.sql.push(", u, abs(u) / 86400000000 AS d, abs(u) % 86400000000 AS t");
        }
        if timed {
            // Thousandths where that is exact, as Rust writes them.
            self.sql.push(
                ", CASE WHEN u % 1000000 = 0 THEN '' WHEN u % 1000 = 0 THEN to_char(abs(u) % 1000000 / 1000, '\".\"FM000') \
                 ELSE to_char(abs(u) % 1000000, '\".\"FM000000') END AS f FROM (SELECT v, ",
            );
            self.sql.push(match lasts {
                true => "(extract(epoch FROM v) * 1000000)::bigint AS u",
                false => "extract(microseconds FROM v)::bigint AS u",
            });
        }
        self.sql.push(" FROM (SELECT ");
        write(self)?;
        if scalar == Scalar::Float {
            // Zero has no sign.
            self.sql.push(" + 0::float8");
        }
        if let Scalar::Decimal { scale } = scalar {
            // What others made may have other digits, and what is computed any.
            self.sql.push("::numeric(19,").integer(i64::from(scale)).push(")");
        }
        // Worked out once, however often it is looked at.
        self.sql.push(" AS v OFFSET 0) AS w");
        self.sql.push(if timed { ") AS x) AS m)" } else { ") AS m)" });
        Ok(())
    }
}
