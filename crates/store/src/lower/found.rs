//! Values that a transaction looks up once and keeps in settings of its own, where what comes after takes them from: which row something
//! is about, what stood in one that has changed since, under which key something is told.
//!
//! A setting is a text. An empty one is null, so that a text stands behind a mark.

use operation::{Direct, Expression, Fault, Finding, Found, Scalar, Site, Sql, TableId};

use super::expression::{Lowering, binds_of, ill_formed};
use super::{Statement, drawn};
use crate::postgres::value::type_name;

/// What stands in settings of the transaction, and which binds stand for it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Settings<'s> {
    /// Keys that the database has counted.
    pub drawn: &'s [(usize, TableId)],
    /// Values that were looked up.
    pub found: &'s [Found],
    /// What was looked up before anything was done.
    pub sites: &'s [Site],
    /// Whether a version rises once, however often its row changes.
    pub in_steps: bool,
}

impl<'s> Settings<'s> {
    /// Those of a direct form.
    pub fn of(direct: &'s Direct) -> Self {
        let Direct { drawn, found, sites, in_steps, .. } = direct;
        Self { drawn, found, sites, in_steps: *in_steps }
    }

    /// The same for a statement whose binds are not those of the program.
    pub fn of_other_binds(self) -> Self {
        Self { drawn: &[], ..self }
    }
}

/// The key under which something is told, where only the database knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Under {
    /// It has counted it: for this table.
    Drawn(TableId),
    /// It was looked up: the position among [`Settings::found`].
    Found(usize),
}

impl Under {
    /// What the bind of a direct form stands for.
    pub fn of(direct: &Direct, bind: usize) -> Option<Self> {
        let drawn = direct.drawn.iter().find(|(drawn, _)| *drawn == bind);
        let found = || direct.found.iter().position(|found| found.bind == bind);
        drawn.map(|(_, table)| Self::Drawn(*table)).or_else(|| found().map(Self::Found))
    }
}

/// Looks a value up and keeps it. `binds` are what the binds hold.
pub(crate) fn find(
    settings: Settings<'_>,
    at: usize,
    binds: &[operation::Value],
) -> Result<Statement, Fault> {
    let Found { bind, scalar, value, what } =
        settings.found.get(at).ok_or_else(|| ill_formed("nothing is found"))?;
    if binds_of([value]) > binds.len() {
        return Err(ill_formed("no such bind"));
    }
    let lowering = Lowering::new(operation::Dialect::Postgres, binds.len(), binds);
    let mut lowering = lowering.with(settings);
    lowering.sql.push("SELECT set_config(");
    // Of several that stand for one thing, and of which one is looked up, what was found stands in one place.
    let place = settings.found.iter().position(|found| found.bind == *bind).unwrap_or(at);
    name(&mut lowering.sql, place);
    match what {
        // Also where a session is set to write fewer digits.
        Finding::Key | Finding::Value if *scalar == Scalar::Float => {
            lowering.sql.push(
                ", coalesce(s.v::text, ''), true), 1 / (s.v IS NULL OR s.v::text::float8 = s.v)::int FROM (SELECT ",
            );
            lowering.kept(value, *scalar)?;
            lowering.sql.push(" AS v OFFSET 0) AS s");
            return Ok(lowering.finish(vec![Scalar::Text, Scalar::Int]));
        }
        Finding::Key | Finding::Value => {
            let is_text = *scalar == Scalar::Text;
            lowering.sql.push(if is_text { ", coalesce('=' || (" } else { ", coalesce((" });
            lowering.kept(value, *scalar)?;
            lowering.sql.push(")::text, ''), true)");
        }
        Finding::Text(of) if is_its_text(*of) => {
            lowering.sql.push(", coalesce('=' || ");
            lowering.text_of_key(value, *of)?;
            lowering.sql.push(", ''), true)");
        }
        // What has another text here than in Rust comes out null, and ends the transaction.
        Finding::Text(of) => {
            lowering.sql.push(
                ", CASE s.json WHEN 'null' THEN '' ELSE '=' || btrim(s.json, '\"') END, true), \
                 1 / (s.json IS NOT NULL)::int FROM (SELECT ",
            );
            lowering.json(value, *of)?;
            lowering.sql.push(" AS json OFFSET 0) AS s");
            return Ok(lowering.finish(vec![Scalar::Text, Scalar::Int]));
        }
    }
    Ok(lowering.finish(vec![Scalar::Text]))
}

/// Whether the text that PostgreSQL makes of a value is the one under which something is told.
fn is_its_text(scalar: Scalar) -> bool {
    matches!(scalar, Scalar::Int | Scalar::Uuid | Scalar::Text | Scalar::Json | Scalar::Bool)
}

fn name(sql: &mut Sql, at: usize) {
    let at = i64::try_from(at).unwrap_or(i64::MAX);
    sql.push("'mimar.f").integer(at).push("'");
}

impl Settings<'_> {
    /// Writes the value that was found at a position.
    pub fn write_found(self, sql: &mut Sql, at: usize) -> Result<(), Fault> {
        let scalar = self.found.get(at).map(|found| found.scalar);
        let scalar = scalar.ok_or_else(|| ill_formed("nothing is found"))?;
        let setting = |sql: &mut Sql| {
            sql.push("current_setting(");
            name(sql, at);
            sql.push(", true)");
        };
        if scalar == Scalar::Text {
            sql.push("(CASE WHEN ");
            setting(sql);
            sql.push(" <> '' THEN substr(");
            setting(sql);
            sql.push(", 2) END)");
            return Ok(());
        }
        sql.push("nullif(");
        setting(sql);
        sql.push(", '')::").push(type_name(scalar));
        Ok(())
    }
}

impl<'a> Lowering<'a> {
    /// The same with binds that stand for what is in settings of the transaction.
    pub fn with(mut self, settings: Settings<'a>) -> Self {
        self.settings = settings;
        self
    }

    /// Writes the text of a key under which something is told; null, where there is none, or it has another text in Rust.
    pub(super) fn text_of_key(&mut self, key: &'a Expression, scalar: Scalar) -> Result<(), Fault> {
        if is_its_text(scalar) {
            self.sql.push("(");
            self.kept(key, scalar)?;
            self.sql.push(")::text");
            return Ok(());
        }
        self.sql.push("(SELECT btrim(nullif(j.v, 'null'), '\"') FROM (SELECT ");
        self.json(key, scalar)?;
        self.sql.push(" AS v OFFSET 0) AS j)");
        Ok(())
    }

    /// Writes the value that was found at a position.
    pub(super) fn found(&mut self, at: usize) -> Result<(), Fault> {
        self.settings.write_found(&mut self.sql, at)
    }

    /// The position among what was found, and what it is, of the bind that stands for it.
    pub(super) fn found_at(&self, bind: usize) -> Option<(usize, Scalar)> {
        let found = self.settings.found.iter().enumerate().find(|(_, found)| found.bind == bind);
        found.map(|(at, found)| (at, found.scalar))
    }

    /// Writes the key under which something is told; `bind`: where the how manieth it is stands, if it was counted.
    pub(super) fn told_under(&mut self, under: Under, bind: usize) -> Result<(), Fault> {
        match under {
            Under::Found(at) => self.found(at),
            Under::Drawn(table) => {
                drawn::number(self, table, &mut |it| it.bind(bind, Scalar::Int));
                self.sql.push("::text");
                Ok(())
            }
        }
    }
}
