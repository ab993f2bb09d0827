//! From a catalog to the text of a model.
//!
//! What was written is checked as any model is. A line that does not hold loses what it may lose (its default, its reference,
//! itself) and becomes a remark, until the rest holds: so the outcome is always a model that can be served.

mod entity;
mod plan;

use std::collections::BTreeMap;

use syntax::{FileId, Severity};

use crate::catalog::Catalog;
use crate::{Imported, Remark, expression};
use plan::Plan;

/// How often lines are taken back before the text is given as it is.
const ROUNDS: usize = 40;

/// Something of a line that can be taken back: table, column or position, and what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Piece {
    pub(crate) subject: String,
    pub(crate) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    Default,
    Reference,
    /// A column's type becomes text.
    Unique,
    Field,
    Rule,
    Entity,
}

impl What {
    fn words(self) -> &'static str {
        match self {
            Self::Default => "its default is not expressed",
            Self::Reference => "its reference is not expressed",
            Self::Unique => "that it is unique is not expressed",
            Self::Field => "it is not expressed",
            Self::Rule => "this rule is not expressed",
            Self::Entity => "this table is not expressed",
        }
    }
}

/// What was taken back, and why.
pub(crate) type Refused = BTreeMap<Piece, String>;

/// The text as it grows, with what of each line can be taken back.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    text: String,
    pieces: Vec<Vec<Piece>>,
}

impl Lines {
    pub(crate) fn push(&mut self, line: &str, pieces: Vec<Piece>) {
        self.text.push_str(line);
        self.text.push('\n');
        self.pieces.push(pieces);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.text.push_str(&other.text);
        self.pieces.extend(other.pieces);
    }

    pub(crate) fn plain(&mut self, line: &str) {
        self.push(line, Vec::new());
    }

    /// Documentation, line by line.
    pub(crate) fn docs(&mut self, text: Option<&str>) {
        for line in text.unwrap_or_default().lines() {
            let line: String = line.trim().chars().filter(|c| !c.is_control()).collect();
            if !line.is_empty() {
                self.plain(&format!("/// {line}"));
            }
        }
    }
}

pub(crate) fn write(catalog: &Catalog, mut remarks: Vec<Remark>, app: &str) -> Imported {
    let mut refused = Refused::new();
    let mut last = (Lines::default(), Vec::new(), (0, 0));
    for _ in 0..ROUNDS {
        let plan = Plan::of(catalog, &refused);
        let mut found = plan.remarks.clone();
        let mut lines = Lines::default();
        head(&mut lines, app);
        let counts = entity::write(&mut lines, catalog, &plan, &refused, &mut found);
        let faults = faults(&lines);
        let before = refused.len();
        for (line, message) in &faults {
            let pieces = lines.pieces.get(*line).map_or(&[][..], Vec::as_slice);
            if let Some(piece) = pieces.iter().find(|piece| !refused.contains_key(piece)) {
                refused.insert(piece.clone(), message.clone());
            }
        }
        let is_done = faults.is_empty() || refused.len() == before;
        last = (lines, found, counts);
        if is_done {
            break;
        }
    }
    let (lines, found, (entities, fields)) = last;
    remarks.extend(found);
    remarks.extend(refused.into_iter().map(|(piece, message)| Remark {
        sentence: format!("{}: {message}", piece.what.words()),
        subject: piece.subject,
    }));
    remarks.sort();
    remarks.dedup();
    let parse = syntax::parse(FileId(0), lines.text.as_str());
    let text = syntax::format(&parse).unwrap_or(lines.text);
    Imported { text, remarks, skipped: catalog.skipped.clone(), entities, fields }
}

fn head(lines: &mut Lines, app: &str) {
    lines.plain("// Nothing of this is open to anyone yet: write `allow` into each entity that is to be served.");
    lines.plain("");
    lines.plain(&format!("app {} {{", crate::name::type_name(app)));
    lines.plain("  version 1");
    lines.plain("  surface rest");
    lines.plain("}");
    lines.plain("");
}

/// Lines (from 0) that do not hold, and why.
fn faults(lines: &Lines) -> Vec<(usize, String)> {
    let parse = syntax::parse(FileId(0), lines.text.as_str());
    let (_, mut found) = model::check(&[&parse]);
    found.extend(parse.diagnostics.iter().cloned());
    let starts: Vec<usize> =
        std::iter::once(0).chain(lines.text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    found
        .into_iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .map(|diagnostic| {
            let at = diagnostic.primary.span.start as usize;
            let line = starts.partition_point(|start| *start <= at).saturating_sub(1);
            (line, diagnostic.message)
        })
        .collect()
}

/// A text in quotes, as the language writes it.
pub(crate) fn quoted(text: &str) -> String {
    expression::quoted(text)
}
