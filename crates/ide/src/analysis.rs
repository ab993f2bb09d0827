//! A project, checked, with what its names stand for.

use std::sync::{Arc, OnceLock};

use model::{Checked, Edited, Extent, Model, Uses, Valid};
use review::{Design, Levels};
use schema::{Dialect, Schema};
use syntax::{Damage, Diagnostic, FileId, Parse, Severity, Shift, Span, TokenKind};

use crate::hint::serving_text;
use crate::symbol::{Symbol, bindings, symbols};

/// The files of a project as one model, and everything that is known of their names.
#[derive(Debug)]
pub struct Analysis {
    pub(crate) parses: Vec<Arc<Parse>>,
    checked: Checked,
    is_valid: bool,
    /// Whether edits were followed without a check.
    is_behind: bool,
    /// In the order of their places.
    pub(crate) symbols: Vec<Symbol>,
    diagnostics: Vec<Diagnostic>,
    /// Derived when something asks for it first.
    tables: OnceLock<Option<Tables>>,
    /// How each query was served when tables were known last.
    served: Vec<String>,
}

/// What a valid model comes to in a database.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) schema: Schema,
    /// How each query is served, in words.
    pub(crate) serving: Vec<String>,
}

/// What a review says of files, and what it looked at.
#[derive(Debug)]
pub struct Reviewed {
    /// The files, checked as a whole; tables are known of a valid model.
    pub analysis: Analysis,
    /// The findings of a valid model, in the order of the text; none of one with errors.
    pub findings: Vec<Diagnostic>,
}

/// Checks the files of a project: the parse at position `n` is that of [`FileId`] `n`.
#[must_use]
pub fn analyze(parses: Vec<Arc<Parse>>) -> Analysis {
    let borrowed: Vec<&Parse> = parses.iter().map(AsRef::as_ref).collect();
    let checked = Checked::of(&borrowed);
    let symbols = symbols(&checked.model, &checked.uses, |span| word(&parses, span));
    let mut analysis = Analysis {
        parses,
        checked,
        is_valid: false,
        is_behind: false,
        symbols,
        diagnostics: Vec::new(),
        tables: OnceLock::new(),
        served: Vec::new(),
    };
    analysis.settle();
    analysis
}

/// Checks and reviews the files of a project. `today` is the day of the review, in days since 1970-01-01. `goes_on` is asked
/// between the stages: where it answers no, there is no review.
pub fn review(parses: Vec<Arc<Parse>>, today: i64, goes_on: impl Fn() -> bool) -> Option<Reviewed> {
    let analysis = goes_on().then(|| analyze(parses))?;
    if !goes_on() {
        return None;
    }
    let Some(model) = analysis.valid() else {
        return Some(Reviewed { analysis, findings: Vec::new() });
    };
    let tables = Tables::of(&model);
    let contract = goes_on().then(|| contract::derive(&model))?;
    let findings = goes_on().then(|| {
        let parses: Vec<&Parse> = analysis.parses.iter().map(AsRef::as_ref).collect();
        let (schema, model) = (&tables.schema, &model);
        let design =
            Design { model, parses: &parses, schema, contract: &contract, today, before: None };
        let report = review::review(&design, &Levels::default(), None);
        report.findings.into_iter().map(|finding| finding.diagnostic).collect()
    })?;
    let tables = OnceLock::from(Some(tables));
    Some(Reviewed { analysis: Analysis { tables, ..analysis }, findings })
}

impl Tables {
    fn of(model: &Valid<Model>) -> Self {
        // What is said of tables holds wherever they stand.
        let schema = schema::derive(model, Dialect::Sqlite);
        let serving = review::serving(model, &schema).into_iter();
        let serving = serving.map(|serving| serving_text(model, &serving)).collect();
        Self { schema, serving }
    }
}

impl Analysis {
    /// Takes in a file that was parsed again, and checks again the item that was edited with what depends on it. False where
    /// more than that may have changed: then all of it has to be analyzed, and this is of no more use.
    ///
    /// After the edit of a body, what is known of tables is kept as it was, until a review looks at them.
    #[must_use]
    pub fn again(&mut self, parse: Arc<Parse>, damage: &Damage) -> bool {
        if self.is_behind {
            return false;
        }
        let Some(place) = self.parses.get_mut(parse.file.0 as usize) else { return false };
        let old = std::mem::replace(place, Arc::clone(&parse));
        let parses: Vec<&Parse> = self.parses.iter().map(AsRef::as_ref).collect();
        let edited = Edited { old: &old, new: &parse, damage };
        let Some(extent) = self.checked.again(&parses, edited) else { return false };
        self.symbols.iter_mut().for_each(|symbol| damage.shift.span(&mut symbol.span));
        match extent {
            // Names of bodies are the only ones that have changed.
            Extent::Body => {
                self.symbols.retain(|symbol| !symbol.is_binding());
                self.symbols.extend(bindings(&self.checked.uses, |span| word(&self.parses, span)));
                self.symbols.sort_by_key(|symbol| symbol.span);
                self.symbols.dedup_by_key(|symbol| symbol.span);
            }
            Extent::Fields(_) => {
                self.symbols = self.symbols_again(damage.shift);
                // Its positions are those of the model that was.
                if let Some(Some(tables)) = self.tables.take() {
                    self.served = tables.serving;
                }
            }
        }
        self.settle();
        true
    }

    /// All symbols anew. A name that stands beside the edit is what it was.
    fn symbols_again(&mut self, shift: Shift) -> Vec<Symbol> {
        let mut known = std::mem::take(&mut self.symbols).into_iter().peekable();
        let Checked { model, uses, .. } = &self.checked;
        symbols(model, uses, |span| {
            while known.next_if(|symbol| symbol.span < span).is_some() {}
            let edited = Span::new(shift.file, shift.start, shift.new_end);
            let touches =
                span.file == edited.file && span.start <= edited.end && edited.start <= span.end;
            match known.next_if(|symbol| symbol.span == span && !touches) {
                Some(symbol) => Some(symbol.name),
                None => word(&self.parses, span),
            }
        })
    }

    /// Takes in a file that was parsed again and checks nothing: what was known stays known, with its places moved, for whoever
    /// cannot wait for a check. Faults of the syntax are those of the new text.
    pub fn follow(&mut self, parse: Arc<Parse>, shift: Shift) {
        let Some(place) = self.parses.get_mut(parse.file.0 as usize) else { return };
        *place = parse;
        self.is_behind = true;
        self.checked.shift(shift);
        self.symbols.iter_mut().for_each(|symbol| shift.span(&mut symbol.span));
        // Names within what was written anew have met at one place.
        self.symbols.dedup_by_key(|symbol| symbol.span);
        self.settle();
    }

    /// Whether edits were followed since the last check.
    #[must_use]
    pub const fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Gathers what the parses and the check say.
    fn settle(&mut self) {
        let faults = self.parses.iter().flat_map(|parse| &parse.diagnostics);
        let mut all: Vec<Diagnostic> = faults.chain(self.checked.diagnostics()).cloned().collect();
        let model = &self.checked.model;
        self.is_valid = model.app.is_some() && all.iter().all(|it| it.severity != Severity::Error);
        if self.is_valid {
            all.extend(model::deferred(model));
        }
        all.sort_by_key(|it| (it.primary.span, it.severity));
        self.diagnostics = all;
    }

    /// The model; where it has faults, what is known of it.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.checked.model
    }

    /// Whether the model has no errors.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        self.is_valid
    }

    /// Where each name is used.
    pub(crate) const fn uses(&self) -> &Uses {
        &self.checked.uses
    }

    /// A file.
    #[must_use]
    pub fn parse(&self, file: FileId) -> Option<&Parse> {
        self.parses.get(file.0 as usize).map(AsRef::as_ref)
    }

    /// What the language says of the files, in the order of the text.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    fn valid(&self) -> Option<Valid<Model>> {
        let model = self.is_valid.then(|| self.model().clone())?;
        Valid::new(model, &self.diagnostics)
    }

    /// How each query is served, in words; after the edit of fields how it was before, until a review looks at it.
    pub(crate) fn serving(&self) -> &[String] {
        if self.served.is_empty() || self.tables.get().is_some() {
            self.tables().map_or(&[], |tables| &tables.serving)
        } else {
            &self.served
        }
    }

    /// The tables of a valid model.
    pub(crate) fn tables(&self) -> Option<&Tables> {
        let is_unknown = self.is_behind && self.tables.get().is_none();
        if !self.is_valid || is_unknown {
            return None;
        }
        self.tables.get_or_init(|| self.valid().map(|model| Tables::of(&model))).as_ref()
    }

    /// The text of a place.
    pub(crate) fn text(&self, span: Span) -> &str {
        self.parse(span.file).and_then(|parse| parse.text.get(span.range())).unwrap_or("")
    }

    /// The symbol that is declared at a place.
    pub(crate) fn symbol(&self, declared: Span) -> Option<&Symbol> {
        let at = self.symbols.binary_search_by_key(&declared, |symbol| symbol.span).ok()?;
        self.symbols.get(at)
    }

    /// The names that touch an offset, used or declared, each with the place where it is declared: the narrower first is not
    /// needed, since words do not overlap; one that begins at the offset goes before one that ends there.
    pub(crate) fn names_at(&self, file: FileId, offset: u32) -> Vec<(Span, Span)> {
        let mut found: Vec<(Span, Span)> = Vec::new();
        let touches = |span: &Span| span.file == file && span.touches(offset);
        let behind = self
            .uses()
            .names
            .partition_point(|(used, _)| (used.file, used.start) <= (file, offset));
        // A word that touches the offset begins at most one place before it: two can meet, and a short form counts twice.
        let uses = self.uses().names[..behind].iter().rev().take(4);
        found.extend(uses.filter(|(used, _)| touches(used)).copied());
        let behind =
            self.symbols.partition_point(|it| (it.span.file, it.span.start) <= (file, offset));
        let symbols = self.symbols[..behind].iter().rev().take(2);
        found.extend(symbols.map(|it| (it.span, it.span)).filter(|(span, _)| touches(span)));
        found.sort_by_key(|(used, _)| std::cmp::Reverse(used.start));
        found
    }
}

/// The word that stands at a place, if one does.
fn word(parses: &[Arc<Parse>], span: Span) -> Option<String> {
    let parse = parses.get(span.file.0 as usize)?;
    let token = parse.token_at(span.start);
    let is_word = parse.token_kind(token) == TokenKind::Word && parse.token_span(token) == span;
    is_word.then(|| parse.token_text(token).to_owned())
}
