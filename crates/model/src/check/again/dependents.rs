//! What has to be checked again after an edit of an entity's fields.

use syntax::ast::{self, Item, View as _};
use syntax::{FileId, Node, NodeKind, Parse, Severity, Shift, Span, TokenKind};

use super::{BODY, Edited, tree};
use crate::EntityId;
use crate::check::checked::Checked;
use crate::check::context::Part;

/// Of how many faults the items are checked again; with more of them all is.
const FAULTY: usize = 100;

/// An item that depends on fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dependent {
    pub(super) part: Part,
    /// Where its name stood before the edit.
    name: Span,
}

impl Dependent {
    /// The item as it stands now.
    pub(super) fn item<'a>(&self, parses: &[&'a Parse], shift: Shift) -> Option<Item<'a>> {
        let mut name = self.name;
        shift.span(&mut name);
        item_at(parses.get(name.file.0 as usize)?, name.start)
    }
}

impl Checked {
    /// The bodies that use an entity or its fields, and those that have faults: what they miss may be there now. `None` where
    /// more than bodies may depend on what the fields are.
    pub(super) fn dependents(
        &self,
        parses: &[&Parse],
        edited: Edited<'_>,
        id: EntityId,
        before: Node<'_>,
        after: Node<'_>,
    ) -> Option<Vec<Dependent>> {
        let (own, shift) = (before.span(), edited.damage.shift);
        let is_own =
            |span: Span| span.file == own.file && own.start <= span.start && span.end <= own.end;
        let parse = |file: FileId| match file {
            file if file == edited.old.file => Some(edited.old),
            file => parses.get(file.0 as usize).copied(),
        };
        // What others declare says what it says whatever these fields are, unless it names one or has not found one.
        let is_declared = |part: Part| {
            !matches!(
                part,
                Part::Rules(_)
                    | Part::Query(_)
                    | Part::Command(_)
                    | Part::Workflow(_)
                    | Part::Job(_)
            )
        };
        let faulty = self.faults.iter().filter(|fault| !is_own(fault.diagnostic.primary.span));
        let is_lost = faulty
            .clone()
            .any(|fault| is_declared(fault.part) && fault.diagnostic.severity == Severity::Error);
        if is_lost {
            return None;
        }
        let mut found: Vec<Dependent> = Vec::new();
        let mut add = |part: Part, item: Item<'_>| {
            if !found.iter().any(|known| known.part == part) {
                found.push(Dependent { part, name: item.name()?.span() });
            }
            Some(())
        };
        for (count, fault) in faulty.filter(|fault| !is_declared(fault.part)).enumerate() {
            if count == FAULTY {
                return None;
            }
            let place = fault.diagnostic.primary.span;
            add(fault.part, item_at(parse(place.file)?, place.start)?)?;
        }
        let entity = self.model.entities.get(id.index())?;
        let member = self.model.part_of(id).map(|part| part.name_span);
        let is_name = |declared: Span| declared == entity.span || Some(declared) == member;
        // One item uses many names: it is looked for once.
        let mut last: Option<(Span, Option<Item<'_>>, Option<Part>)> = None;
        for (used, declared) in &self.uses.names {
            if !is_own(*declared) || is_own(*used) {
                continue;
            }
            let is_in_last = last.as_ref().is_some_and(|(span, ..)| {
                span.file == used.file && span.start <= used.start && used.end <= span.end
            });
            if !is_in_last {
                let item = item_at(parse(used.file)?, used.start);
                let span = item.map_or(*used, |item| item.span());
                last = Some((span, item, item.and_then(|item| self.part(item))));
            }
            let (_, item, part) = last.as_ref()?;
            match (item, part) {
                // All of a query is checked at once.
                (Some(item), Some(part @ Part::Query(_))) => add(*part, *item)?,
                (Some(item), Some(part)) if is_in_body(*item, *used) => add(*part, *item)?,
                // The rows that a parameter stands for are used in the body; a reference says no more than whose it is.
                (Some(Item::Entity(_)), Some(_)) if is_name(*declared) => {}
                (Some(item), Some(part)) if is_name(*declared) => add(*part, *item)?,
                _ if is_name(*declared) || is_as_it_was(*declared, before, after, shift) => {}
                _ => return None,
            }
        }
        Some(found)
    }
}

/// Whether the field that is declared at a place, or a label within it, is what it was, whatever the others are.
fn is_as_it_was(declared: Span, before: Node<'_>, after: Node<'_>, shift: Shift) -> bool {
    let holds = |child: &Node<'_>| {
        let span = child.span();
        span.start <= declared.start && declared.end <= span.end
    };
    let Some(old) = before.children().find(holds).and_then(ast::Field::cast) else { return false };
    let mut place = old.node().span();
    if shift.start < place.end && place.start < shift.old_end {
        return false;
    }
    shift.span(&mut place);
    let fields = || after.children().filter_map(ast::Field::cast);
    let Some(new) = fields().find(|field| field.node().span() == place) else { return false };
    let name = |field: ast::Field<'_>| field.name().map(|name| name.text().to_owned());
    let is_only = fields().filter(|field| name(*field) == name(old)).count() == 1;
    // One whose type is another field's is what that one is.
    let is_plain = old.type_expr().is_none_or(|ty| ty.node().token(TokenKind::Dot).is_none());
    is_only
        && is_plain
        && old.node().text() == new.node().text()
        && tree(old.node()).eq(tree(new.node()))
}

/// Whether a place is inside of what nobody sees from outside.
fn is_in_body(item: Item<'_>, place: Span) -> bool {
    let mut children = item.node().children();
    children.any(|child| {
        let span = child.span();
        span.start <= place.start && place.end <= span.end && is_body(child.kind())
    })
}

fn is_body(kind: NodeKind) -> bool {
    BODY.contains(&kind)
}

/// The innermost item around an offset.
fn item_at(parse: &Parse, offset: u32) -> Option<Item<'_>> {
    parse
        .nodes_at(offset)
        .into_iter()
        .rev()
        .find_map(Item::cast)
        .filter(|item| !matches!(item, Item::Service(_)))
}
