//! A project, checked, with what its names stand for.

use std::sync::{Arc, OnceLock};

use model::{Model, Uses, Valid};
use review::{Design, Levels, Serving};
use schema::Schema;
use syntax::{Diagnostic, FileId, Parse, Severity, Span, TokenKind};

use crate::symbol::{Symbol, symbols};

/// The files of a project as one model, and everything that is known of their names.
#[derive(Debug)]
pub struct Analysis {
    pub(crate) parses: Vec<Arc<Parse>>,
    checked: Checked,
    pub(crate) uses: Uses,
    /// In the order of their places.
    pub(crate) symbols: Vec<Symbol>,
    diagnostics: Vec<Diagnostic>,
    /// Derived when something asks for it first.
    tables: OnceLock<Option<Tables>>,
}

#[derive(Debug)]
enum Checked {
    Valid(Valid<Model>),
    Faulty(Model),
}

/// What a valid model comes to in a database.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) schema: Schema,
    /// How each query is served.
    pub(crate) serving: Vec<Serving>,
}

/// Checks the files of a project: the parse at position `n` is that of [`FileId`] `n`.
#[must_use]
pub fn analyze(parses: Vec<Arc<Parse>>) -> Analysis {
    let borrowed: Vec<&Parse> = parses.iter().map(AsRef::as_ref).collect();
    let (model, found, uses) = model::resolve(&borrowed);
    let mut diagnostics: Vec<Diagnostic> =
        parses.iter().flat_map(|parse| parse.diagnostics.iter().cloned()).collect();
    diagnostics.extend(found);
    let word = |span: Span| {
        let parse = parses.get(span.file.0 as usize)?;
        let token = parse.token_at(span.start);
        let is_word = parse.token_kind(token) == TokenKind::Word && parse.token_span(token) == span;
        is_word.then(|| parse.token_text(token).to_owned())
    };
    let symbols = symbols(&model, &uses, word);
    let is_valid =
        model.app.is_some() && !diagnostics.iter().any(|it| it.severity == Severity::Error);
    let checked = if is_valid {
        match Valid::new(model, &diagnostics) {
            Some(model) => Checked::Valid(model),
            None => Checked::Faulty(Model::default()),
        }
    } else {
        Checked::Faulty(model)
    };
    if let Checked::Valid(model) = &checked {
        diagnostics.extend(model::deferred(model));
    }
    diagnostics.sort_by_key(|it| (it.primary.span, it.severity));
    Analysis { parses, checked, uses, symbols, diagnostics, tables: OnceLock::new() }
}

impl Analysis {
    /// The model; where it has faults, what is known of it.
    #[must_use]
    pub fn model(&self) -> &Model {
        match &self.checked {
            Checked::Valid(model) => model,
            Checked::Faulty(model) => model,
        }
    }

    /// Whether the model has no errors.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        matches!(self.checked, Checked::Valid(_))
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

    /// What the review says of a valid model, in the order of the text; nothing of one with errors. `today` is the day of
    /// the review, in days since 1970-01-01.
    #[must_use]
    pub fn review(&self, today: i64) -> Vec<Diagnostic> {
        let (Checked::Valid(model), Some(tables)) = (&self.checked, self.tables()) else {
            return Vec::new();
        };
        let parses: Vec<&Parse> = self.parses.iter().map(AsRef::as_ref).collect();
        let contract = contract::derive(model);
        let design = Design {
            model,
            parses: &parses,
            schema: &tables.schema,
            contract: &contract,
            today,
            before: None,
        };
        let report = review::review(&design, &Levels::default(), None);
        report.findings.into_iter().map(|finding| finding.diagnostic).collect()
    }

    /// The tables of a valid model.
    pub(crate) fn tables(&self) -> Option<&Tables> {
        let derive = || match &self.checked {
            Checked::Valid(model) => {
                let schema = schema::derive(model);
                let serving = review::serving(model, &schema);
                Some(Tables { schema, serving })
            }
            Checked::Faulty(_) => None,
        };
        self.tables.get_or_init(derive).as_ref()
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
        let behind =
            self.uses.names.partition_point(|(used, _)| (used.file, used.start) <= (file, offset));
        // A word that touches the offset begins at most one place before it: two can meet, and a short form counts twice.
        let uses = self.uses.names[..behind].iter().rev().take(4);
        found.extend(uses.filter(|(used, _)| touches(used)).copied());
        let behind =
            self.symbols.partition_point(|it| (it.span.file, it.span.start) <= (file, offset));
        let symbols = self.symbols[..behind].iter().rev().take(2);
        found.extend(symbols.map(|it| (it.span, it.span)).filter(|(span, _)| touches(span)));
        found.sort_by_key(|(used, _)| std::cmp::Reverse(used.start));
        found
    }
}
