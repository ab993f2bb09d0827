//! A new name for a thing, wherever it is named.

use std::sync::Arc;

use model::EnumId;
use syntax::ast::{self, View as _};
use syntax::{Edit, FileId, NodeKind, Severity, Span};

use crate::symbol::{Symbol, Thing};
use crate::{Analysis, analyze, definition};

/// Why something cannot be called so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoRename {
    /// No name that is declared in these files stands there.
    Nothing,
    /// The model would have a fault that it does not have now.
    Fault(String),
    /// Another name would come to mean something else.
    Meaning,
}

impl std::fmt::Display for NoRename {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => formatter.write_str("nothing that can be renamed stands here"),
            Self::Fault(message) => write!(formatter, "that name does not fit: {message}"),
            Self::Meaning => formatter.write_str(
                "another name of the model would mean something else; choose another one",
            ),
        }
    }
}

impl std::error::Error for NoRename {}

/// The name at an offset that can be renamed.
#[must_use]
pub fn renamable(analysis: &Analysis, file: FileId, offset: u32) -> Option<(Span, &Symbol)> {
    let declared = definition(analysis, file, offset);
    // Of a short form (`{ order }`) the variable is meant: it belongs to the body that is being read.
    let symbol = declared.iter().find_map(|declared| analysis.symbol(*declared))?;
    let names = analysis.names_at(file, offset);
    let (used, _) = names.into_iter().find(|(_, declared)| *declared == symbol.span)?;
    Some((used, symbol))
}

/// The edits that give a thing another name: at its declaration, at each use, and `was old_name` where stored things keep
/// their identity by it. The outcome is checked before it is answered.
///
/// # Errors
/// [`NoRename`], where nothing is named there or the outcome is not the same model under another name.
pub fn rename(
    analysis: &Analysis,
    file: FileId,
    offset: u32,
    new_name: &str,
) -> Result<Vec<Edit>, NoRename> {
    let (_, symbol) = renamable(analysis, file, offset).ok_or(NoRename::Nothing)?;
    if symbol.name == new_name {
        return Ok(Vec::new());
    }
    let mut edits = vec![Edit { span: symbol.span, replacement: new_name.to_owned() }];
    let names = &analysis.uses().names;
    for (at, (used, declared)) in names.iter().enumerate() {
        if *declared != symbol.span {
            continue;
        }
        // The short form says two names at once, the member first; renaming one of them takes the long form.
        let is_same = |other: Option<&(Span, Span)>| other.is_some_and(|(span, _)| span == used);
        let replacement = if is_same(names.get(at + 1)) {
            format!("{new_name}: {}", symbol.name)
        } else if at > 0 && is_same(names.get(at - 1)) {
            format!("{}: {new_name}", symbol.name)
        } else {
            new_name.to_owned()
        };
        edits.push(Edit { span: *used, replacement });
    }
    former_name(analysis, symbol, new_name, &mut edits);
    edits.sort_by_key(|edit| (edit.span, edit.replacement.len()));
    verify(analysis, &edits)?;
    Ok(edits)
}

/// Writes down what a stored thing was called, so that its data stays with it. What has a former name already keeps it: that
/// is what the database knows.
fn former_name(analysis: &Analysis, symbol: &Symbol, new_name: &str, edits: &mut Vec<Edit>) {
    let model = analysis.model();
    let (was, is_stored) = match &symbol.thing {
        Thing::Entity(id) => (model[*id].was.clone(), model[*id].stored_as.is_none()),
        Thing::Field(_, id) => (model[*id].was.clone(), model[*id].stored_as.is_none()),
        Thing::Label(id, at) => {
            let label = model[*id].values.get(*at);
            (label.and_then(|it| it.was.clone()), is_stored_enum(analysis, *id))
        }
        _ => return,
    };
    let Some(parse) = analysis.parse(symbol.span.file) else { return };
    let nodes = parse.nodes_at(symbol.span.start);
    let declaration = nodes.into_iter().rev().find(|node| {
        matches!(
            node.kind(),
            NodeKind::Entity | NodeKind::Field | NodeKind::Key | NodeKind::EnumValue
        )
    });
    let Some(declaration) = declaration else { return };
    if let Some(was) = was {
        // Back to what it was: nothing has been renamed after all.
        let node = declaration.children().find(|it| it.kind() == NodeKind::Was);
        if let (true, Some(node)) = (was == new_name, node) {
            let span = node.span();
            let before = analysis.text(Span { start: 0, ..span.before() }).trim_end().len() as u32;
            edits.push(Edit { span: Span { start: before, ..span }, replacement: String::new() });
        }
        return;
    }
    if !is_stored {
        return;
    }
    // Behind the name of an entity or a label, behind all that is said of a field.
    let behind = match ast::Field::cast(declaration) {
        Some(field) => field.span().after(),
        None => symbol.span.after(),
    };
    let former = format!(" was {}", symbol.name);
    // Where the name itself is the end, its edit says both.
    match edits.iter_mut().find(|edit| edit.span == symbol.span) {
        Some(edit) if behind.start == symbol.span.end => edit.replacement.push_str(&former),
        _ => edits.push(Edit { span: behind, replacement: former }),
    }
}

/// Whether labels of an enum are in a column of some table.
fn is_stored_enum(analysis: &Analysis, id: EnumId) -> bool {
    let model = analysis.model();
    let fields = model.entities.iter().flat_map(|entity| &entity.fields);
    fields.into_iter().any(|field| model[*field].ty.as_enum() == Some(id))
}

/// Checks that the model has no new fault and that each name means what it meant.
fn verify(analysis: &Analysis, edits: &[Edit]) -> Result<(), NoRename> {
    let parses = analysis.parses.iter().map(|parse| {
        if edits.iter().any(|edit| edit.span.file == parse.file) {
            Arc::new(syntax::parse(parse.file, syntax::apply(parse.file, &parse.text, edits)))
        } else {
            Arc::clone(parse)
        }
    });
    let outcome = analyze(parses.collect());
    let errors = |analysis: &Analysis| {
        let all = analysis.diagnostics().iter();
        all.filter(|it| it.severity == Severity::Error)
            .map(|it| it.message.clone())
            .collect::<Vec<_>>()
    };
    let (before, after) = (errors(analysis), errors(&outcome));
    if after.len() > before.len() {
        let new = after.into_iter().find(|message| !before.contains(message));
        return Err(NoRename::Fault(new.unwrap_or_default()));
    }
    if meaning(analysis) == meaning(&outcome) { Ok(()) } else { Err(NoRename::Meaning) }
}

/// For each use, in the order of the text, which declaration it means, by the declaration's own place in that order.
fn meaning(analysis: &Analysis) -> Vec<Option<usize>> {
    let place =
        |declared: &Span| analysis.symbols.binary_search_by_key(declared, |it| it.span).ok();
    analysis.uses().names.iter().map(|(_, declared)| place(declared)).collect()
}
