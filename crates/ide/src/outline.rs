//! What a file holds, as a tree of names.

use syntax::ast::{Entity, EnumValue, Field, Item, View as _};
use syntax::{FileId, Node, NodeKind, Span};

use crate::Analysis;
use crate::symbol::{Symbol, Thing};

/// A named thing and what stands inside of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    /// Its name; of a decision its title.
    pub name: String,
    /// The keyword that opens it, or its type.
    pub detail: String,
    /// What it is; nothing where it is no symbol (`auth`, a decision).
    pub thing: Option<Thing>,
    /// Where all of it stands.
    pub span: Span,
    /// Where its name stands, inside of `span`.
    pub name_span: Span,
    /// What stands inside.
    pub children: Vec<Outline>,
}

/// The outline of a file.
#[must_use]
pub fn outline(analysis: &Analysis, file: FileId) -> Vec<Outline> {
    let Some(parse) = analysis.parse(file) else { return Vec::new() };
    parse.tree().items().map(|item| of_item(analysis, item)).collect()
}

fn of_item(analysis: &Analysis, item: Item<'_>) -> Outline {
    let children = match item {
        Item::Service(service) => service.items().map(|item| of_item(analysis, item)).collect(),
        other => members(analysis, other.node()),
    };
    let keyword = item.keyword();
    let (name, name_span) = match item.name() {
        Some(name) => (name.text().to_owned(), name.span()),
        None => nameless(item),
    };
    let detail = match item {
        Item::Entity(entity) => entity_detail(entity),
        _ => keyword.to_owned(),
    };
    let thing = analysis.symbol(name_span).map(|symbol| symbol.thing.clone());
    Outline { name, detail, thing, span: item.span(), name_span, children }
}

fn entity_detail(entity: Entity<'_>) -> String {
    let root = entity.part_of().and_then(|part| part.root());
    root.map_or_else(|| "entity".to_owned(), |root| format!("part of {}", root.node().text()))
}

/// An item without a name is called by its first words.
fn nameless(item: Item<'_>) -> (String, Span) {
    let span = item.span();
    let text = item.node().text();
    let head = text.split(['{', '\n']).next().unwrap_or("").trim_end();
    let head = head.get(..head.floor_char_boundary(80)).unwrap_or("");
    let name = if head.is_empty() { item.keyword() } else { head };
    let end = span.start + head.len() as u32;
    (name.to_owned(), Span::new(span.file, span.start, end))
}

/// The fields, values, steps and operations of an item, however deep.
fn members(analysis: &Analysis, node: Node<'_>) -> Vec<Outline> {
    let mut found = Vec::new();
    for child in node.children() {
        let name = match child.kind() {
            NodeKind::Field | NodeKind::Key => Field::cast(child).and_then(|it| it.name()),
            NodeKind::EnumValue => EnumValue::cast(child).and_then(|it| it.name()),
            NodeKind::Step | NodeKind::ExternalOperation | NodeKind::Role => child
                .children()
                .find(|it| it.kind() == NodeKind::Name)
                .and_then(syntax::ast::Name::cast),
            NodeKind::AppRoles => {
                found.extend(members(analysis, child));
                continue;
            }
            _ => continue,
        };
        let Some(name) = name else { continue };
        let symbol = analysis.symbol(name.span());
        found.push(Outline {
            name: name.text().to_owned(),
            detail: symbol.map_or_else(String::new, |symbol| detail(analysis, symbol)),
            thing: symbol.map(|symbol| symbol.thing.clone()),
            span: child.span(),
            name_span: name.span(),
            children: Vec::new(),
        });
    }
    found
}

fn detail(analysis: &Analysis, symbol: &Symbol) -> String {
    match symbol.thing {
        Thing::Field(_, field) | Thing::Member(field) => {
            analysis.model().type_text(&analysis.model()[field].ty)
        }
        ref other => other.noun().to_owned(),
    }
}
