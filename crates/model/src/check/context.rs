//! What all passes share: the model as it grows, the faults found, and where each thing was declared.

use rustc_hash::FxHashMap;
use syntax::ast::{self, Name};
use syntax::{Applicability, Diagnostic, Edit, Parse, Span, TokenKind};

use super::names::Names;
use crate::{CommandId, EntityId, EnumId, FieldId, Model, QueryId, ServiceId, Type, Uses};

/// What to do about what is said twice.
pub(crate) const KEEP_ONE: &str = "keep one of them";

/// How many names are offered to be renamed everywhere: each of them is looked for in all files.
pub(crate) const RENAMES: usize = 50;

/// The state of one check.
pub(crate) struct Context<'a> {
    pub(crate) model: Model,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) names: Names<'a>,
    pub(crate) source: Declarations<'a>,
    pub(crate) parses: &'a [&'a Parse],
    /// Misspelt names whose uses were renamed with them so far; see [`Context::case_style`].
    pub(crate) renamings: usize,
    pub(crate) notes: Notes,
    /// Grows only where it is asked for.
    pub(crate) uses: Uses,
    /// What the text says of each field, at the same positions as the model's.
    pub(crate) said: Vec<Said>,
    /// From which diagnostic on which part of the check reports.
    pub(crate) parts: Vec<(usize, Part)>,
    /// For each entity where its fields and the enums within them begin in the model's tables; last where those of all
    /// entities end.
    pub(crate) befores: Vec<Before>,
}

/// What a check keeps beside the model and its faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notes {
    Nothing,
    /// Where each name is used.
    Uses,
}

/// What the text says of a field, whether it is sound or not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    /// `:=`
    pub(crate) computed: bool,
    /// `=`, or nothing needs to be said.
    pub(crate) default: bool,
}

/// A part of the check. Those with a number look at one item; beside the fields of an entity and their values, nothing that
/// others look at depends on what these find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Declarations,
    Fields(EntityId),
    Values(EntityId),
    /// Defaults of records.
    Defaults,
    Rules(EntityId),
    Query(QueryId),
    Signatures,
    Command(CommandId),
    Circles,
    Reactions,
    Workflow(usize),
    Job(usize),
    Rest,
}

/// The views that declared the rows of the model's tables, at the same positions.
#[derive(Default)]
pub(crate) struct Declarations<'a> {
    pub(crate) auths: Vec<ast::Auth<'a>>,
    pub(crate) entities: Vec<ast::Entity<'a>>,
    /// `None` for a part's hidden position.
    pub(crate) fields: Vec<Option<ast::Field<'a>>>,
    /// Named enums that were called something else.
    pub(crate) renamed_enums: Vec<(Name<'a>, ServiceId)>,
    pub(crate) records: Vec<ast::Record<'a>>,
    pub(crate) errors: Vec<ast::Fault<'a>>,
    pub(crate) queries: Vec<ast::Query<'a>>,
    pub(crate) commands: Vec<ast::Command<'a>>,
    pub(crate) events: Vec<ast::Event<'a>>,
    pub(crate) workflows: Vec<(ast::Workflow<'a>, ServiceId)>,
    pub(crate) jobs: Vec<(ast::Job<'a>, ServiceId)>,
    pub(crate) webhooks: Vec<(ast::Webhook<'a>, ServiceId)>,
    pub(crate) externals: Vec<(ast::External<'a>, ServiceId)>,
    pub(crate) subscriptions: Vec<(ast::On<'a>, ServiceId)>,
    pub(crate) limits: Vec<(ast::Limit<'a>, ServiceId)>,
    pub(crate) slos: Vec<(ast::Slo<'a>, ServiceId)>,
    pub(crate) loads: Vec<ast::Load<'a>>,
    pub(crate) environments: Vec<ast::Environment<'a>>,
    pub(crate) decisions: Vec<ast::Decision<'a>>,
    /// Fields whose type is another field's, resolved last.
    pub(crate) pending: Vec<PendingField<'a>>,
    /// Reads of computed fields among each other.
    pub(crate) computed_reads: FxHashMap<FieldId, Vec<FieldId>>,
}

/// A field whose type waits for another field's.
#[derive(Clone, Copy)]
pub(crate) struct PendingField<'a> {
    pub(crate) field: FieldId,
    pub(crate) service: ServiceId,
    pub(crate) type_expr: ast::TypeExpr<'a>,
    /// What declared it.
    pub(crate) part: Part,
}

/// How many fields and enums there are before those of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    pub(crate) fields: u32,
    pub(crate) enums: u32,
}

impl<'a> Context<'a> {
    pub(crate) fn new(parses: &'a [&'a Parse], notes: Notes) -> Self {
        Self {
            model: Model::default(),
            diagnostics: Vec::new(),
            names: Names::default(),
            source: Declarations::default(),
            parses,
            renamings: 0,
            notes,
            uses: Uses::default(),
            said: Vec::new(),
            parts: vec![(0, Part::Declarations)],
            befores: Vec::new(),
        }
    }

    /// What is reported from here on is of this part.
    pub(crate) fn begin(&mut self, part: Part) {
        self.parts.push((self.diagnostics.len(), part));
    }

    /// What reports.
    pub(crate) fn part(&self) -> Part {
        self.parts.last().map_or(Part::Declarations, |(_, part)| *part)
    }

    /// What stands at a place.
    pub(crate) fn text(&self, span: Span) -> &'a str {
        let parse = self.parses.get(span.file.0 as usize);
        parse.and_then(|parse| parse.text.get(span.range())).unwrap_or("")
    }

    /// How many fields and enums there are.
    pub(crate) fn sizes(&self) -> Before {
        let (fields, enums) = (self.model.fields.len() as u32, self.model.enums.len() as u32);
        Before { fields, enums }
    }

    /// Notes that a name stands for what is declared at `declared`.
    pub(crate) fn used(&mut self, name: Name<'_>, declared: Span) {
        if self.notes == Notes::Uses {
            self.uses.names.push((name.span(), declared));
        }
    }

    /// Notes that a name stands for a field.
    pub(crate) fn used_field(&mut self, name: Name<'_>, field: FieldId) {
        self.used(name, self.model[field].span);
    }

    /// Notes that a name stands for a part, by the member of the root that holds it.
    pub(crate) fn used_part(&mut self, name: Name<'_>, part: EntityId) {
        if let Some(declared) = self.model.part_of(part).map(|part| part.name_span) {
            self.used(name, declared);
        }
    }

    /// Notes that a name stands for a label of an enum.
    pub(crate) fn used_label(&mut self, name: Name<'_>, id: EnumId, position: usize) {
        if let Some(declared) = self.model[id].values.get(position).map(|value| value.span) {
            self.used(name, declared);
        }
    }

    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// `message` at `span`, with the nearest candidate offered in place of `name`.
    pub(crate) fn unknown<'c>(
        &mut self,
        code: &'static str,
        span: Span,
        message: String,
        name: &str,
        candidates: impl IntoIterator<Item = &'c str>,
    ) {
        let found = syntax::nearest(name, candidates).map(str::to_owned);
        self.unknown_but(code, span, message, found);
    }

    /// `message` at `span`, with `found` offered instead.
    pub(crate) fn unknown_but(
        &mut self,
        code: &'static str,
        span: Span,
        message: String,
        found: Option<String>,
    ) {
        let mut diagnostic = Diagnostic::error(code, span, message).text("not known here");
        if let Some(found) = found {
            diagnostic = diagnostic.help(format!("did you mean `{found}`?")).suggest(
                format!("write `{found}`"),
                span,
                found,
            );
        }
        self.report(diagnostic);
    }

    /// Says that `name` is declared twice.
    pub(crate) fn twice(&mut self, what: &str, name: &str, first: Span, second: Span) {
        let message = format!("{what} `{name}` is declared twice");
        self.report(
            Diagnostic::error("E0201", second, message)
                .text("declared again here")
                .label(first, "first declared here")
                .help("rename one of them, or remove it"),
        );
    }

    /// Says that something which can be said once is said again.
    pub(crate) fn said_twice(&mut self, what: &str, first: Span, second: Span) {
        self.said_again(what, first, second, KEEP_ONE);
    }

    /// The same with what to do instead.
    pub(crate) fn said_again(&mut self, what: &str, first: Span, second: Span, help: &str) {
        self.report(
            Diagnostic::error("E0201", second, format!("{what} is said twice"))
                .text("said again here")
                .label(first, "first said here")
                .help(help),
        );
    }

    /// Checks that a declared name is spelt as its kind demands; the fix renames every word of that spelling.
    pub(crate) fn case_style(&mut self, name: Name<'a>, style: Style) {
        let text = name.text();
        if style.fits(text) {
            return;
        }
        let wanted = style.convert(text);
        let message = format!("`{text}` should be written in {}", style.name());
        let mut diagnostic = Diagnostic::error("E0206", name.span(), message)
            .note("types are `UpperCamel` and everything else is `snake_case`, so that a name tells what it is");
        // Bounded, so that a file full of misspelt names stays quick to check.
        if style.fits(&wanted) && wanted != text && self.renamings < RENAMES {
            self.renamings += 1;
            let edits = self.words(text, &wanted);
            diagnostic = diagnostic.help(format!("call it `{wanted}`")).fix_all(
                format!("rename it to `{wanted}` everywhere"),
                edits,
                Applicability::Unsafe,
            );
        }
        self.report(diagnostic);
    }

    fn words(&self, text: &str, replacement: &str) -> Vec<Edit> {
        let mut edits = Vec::new();
        for parse in self.parses {
            for (index, token) in parse.tokens.iter().enumerate() {
                if token.kind == TokenKind::Word && parse.token_text(index as u32) == text {
                    let span = parse.token_span(index as u32);
                    edits.push(Edit { span, replacement: replacement.to_owned() });
                }
            }
        }
        edits
    }

    /// A type as a message names it.
    pub(crate) fn type_text(&self, ty: &Type) -> String {
        self.model.type_text(ty)
    }
}

/// How a name is to be spelt.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    UpperCamel,
    Snake,
}

impl Style {
    fn name(self) -> &'static str {
        match self {
            Self::UpperCamel => "UpperCamel case",
            Self::Snake => "snake_case",
        }
    }

    fn fits(self, text: &str) -> bool {
        let mut bytes = text.bytes();
        let first = bytes.next();
        match self {
            Self::UpperCamel => {
                first.is_some_and(|b| b.is_ascii_uppercase())
                    && bytes.all(|b| b.is_ascii_alphanumeric())
            }
            Self::Snake => {
                first.is_some_and(|b| b.is_ascii_lowercase())
                    && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
                    && !text.ends_with('_')
                    && !text.contains("__")
            }
        }
    }

    fn convert(self, text: &str) -> String {
        match self {
            Self::UpperCamel => crate::upper_camel(text),
            Self::Snake => crate::snake_case(text),
        }
    }
}
