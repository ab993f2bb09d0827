//! What the text leaves unsaid and the checker knows.

use model::{Bound, Model};
use review::Serving;
use syntax::ast::{Item, View as _};
use syntax::{FileId, Span};

use crate::Analysis;

/// A remark inside of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// Behind which byte it stands.
    pub offset: u32,
    /// What it says.
    pub text: String,
    /// Whether it is a type, which stands close to its name.
    pub is_type: bool,
}

/// The hints of a range: what `let` and `for` name is of which type, and which index serves a query.
#[must_use]
pub fn hints(analysis: &Analysis, range: Span) -> Vec<Hint> {
    let model = analysis.model();
    let within = |at: Span| at.file == range.file && range.start <= at.end && at.start <= range.end;
    let mut found: Vec<Hint> = Vec::new();
    for binding in analysis.uses().bindings.iter().filter(|it| within(it.span)) {
        if binding.value == Bound::Value(model::Type::Unknown) {
            continue;
        }
        let text = format!(": {}", bound_text(analysis, &binding.value, binding.optional));
        found.push(Hint { offset: binding.span.end, text, is_type: true });
    }
    for (query, serving) in model.queries.iter().zip(analysis.serving()) {
        if !within(query.span) {
            continue;
        }
        let end = header_end(analysis, query.span).unwrap_or(query.span.end);
        found.push(Hint { offset: end, text: serving.clone(), is_type: false });
    }
    found.sort_by_key(|hint| hint.offset);
    found.dedup();
    found
}

/// What a name of a body stands for, as text.
pub(crate) fn bound_text(analysis: &Analysis, value: &Bound, optional: bool) -> String {
    let model = analysis.model();
    let mut text = match value {
        Bound::Value(ty) => model.type_text(ty),
        Bound::Answer(fields) => {
            let members = fields.iter().map(|field| {
                let field = &model[*field];
                format!("{}: {}", field.name, model.type_text(&field.ty))
            });
            format!("{{ {} }}", members.collect::<Vec<_>>().join("  "))
        }
    };
    if optional {
        text.push('?');
    }
    text
}

/// Which index serves a query, in words.
pub(crate) fn serving_text(model: &Model, serving: &Serving) -> String {
    let names = |fields: &[model::FieldId]| {
        let names = fields.iter().map(|field| model[*field].name.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    match serving {
        Serving::Index(fields) => format!("index ({})", names(fields)),
        Serving::Unsorted(fields) => format!("index ({}), then sorted", names(fields)),
        Serving::Scan => "no index: reads all rows".to_owned(),
    }
}

/// The end of `query name(…) -> Entity`.
fn header_end(analysis: &Analysis, name: Span) -> Option<u32> {
    let nodes = analysis.parse(FileId(name.file.0))?.nodes_at(name.start);
    nodes.into_iter().rev().find_map(Item::cast).and_then(|item| match item {
        Item::Query(query) => query.result().map(|result| result.span().end),
        _ => None,
    })
}
