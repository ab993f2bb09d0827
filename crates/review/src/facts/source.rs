//! The text behind the model: which view an item was declared by.

use rustc_hash::FxHashMap;
use syntax::ast::{self, Item, LoadMember, Member, WorkflowMember};
use syntax::{Node, Parse, Span};

use super::Pauses;

/// Views by the span of the name they declare.
pub(crate) struct Source<'a> {
    parses: &'a [&'a Parse],
    items: FxHashMap<Span, Item<'a>>,
    /// `app`, `auth` and others without a name, and those whose name is not a word.
    nameless: Vec<Item<'a>>,
}

impl<'a> Source<'a> {
    pub(crate) fn of(parses: &'a [&'a Parse]) -> Self {
        let mut source = Self { parses, items: FxHashMap::default(), nameless: Vec::new() };
        for parse in parses {
            for item in parse.tree().items() {
                source.add(item);
            }
        }
        source
    }

    fn add(&mut self, item: Item<'a>) {
        match item.name() {
            Some(name) => {
                self.items.insert(name.span(), item);
            }
            None => self.nameless.push(item),
        }
        if let Item::Service(service) = item {
            for inner in service.items() {
                self.add(inner);
            }
        }
    }

    /// The item whose name stands there.
    pub(crate) fn item(&self, name: Span) -> Option<Item<'a>> {
        self.items.get(&name).copied()
    }

    /// Items without a name: `auth`, limits, promises, subscriptions, decisions.
    pub(crate) fn nameless(&self) -> &[Item<'a>] {
        &self.nameless
    }

    /// The entity whose name stands there.
    pub(crate) fn entity(&self, name: Span) -> Option<ast::Entity<'a>> {
        match self.item(name)? {
            Item::Entity(entity) => Some(entity),
            _ => None,
        }
    }

    /// The field of an entity, by the spans of both names.
    pub(crate) fn field(&self, entity: Span, field: Span) -> Option<ast::Field<'a>> {
        self.entity(entity)?.members().find_map(|member| match member {
            Member::Field(view) if view.name().is_some_and(|name| name.span() == field) => {
                Some(view)
            }
            _ => None,
        })
    }

    /// The name of the command that a workflow runs when it gives up.
    pub(crate) fn gives_up_with(&self, workflow: Span) -> Option<&'a str> {
        let Some(Item::Workflow(view)) = self.item(workflow) else { return None };
        let run = view.members().find_map(|member| match member {
            WorkflowMember::GiveUp(view) => view.run(),
            _ => None,
        })?;
        Some(run.command()?.last()?.text())
    }

    /// After how many microseconds a workflow gives up, and where that is said.
    pub(crate) fn gives_up_after(&self, workflow: Span) -> Option<(i64, Span)> {
        let Some(Item::Workflow(view)) = self.item(workflow) else { return None };
        view.members().find_map(|member| match member {
            WorkflowMember::GiveUp(view) => {
                let after = view.after()?;
                Some((after.duration()?.microseconds()?, after.span()))
            }
            _ => None,
        })
    }

    /// How often a workflow tries a step again.
    pub(crate) fn retry_of(&self, workflow: Span) -> Option<Pauses> {
        let Some(Item::Workflow(view)) = self.item(workflow) else { return None };
        view.members().find_map(|member| match member {
            WorkflowMember::Retry(retry) => Pauses::of(retry),
            _ => None,
        })
    }

    /// The lines of a load, by the span of its name.
    pub(crate) fn load_lines(&self, name: Span) -> Vec<Span> {
        match self.item(name) {
            Some(Item::Load(load)) => load.members().map(LoadMember::span).collect(),
            _ => Vec::new(),
        }
    }

    /// The innermost node that covers exactly a span.
    pub(crate) fn node(&self, span: Span) -> Option<Node<'a>> {
        let parse = self.parses.get(span.file.0 as usize)?;
        let nodes = parse.nodes_at(span.start);
        nodes.into_iter().find(|node| node.span() == span)
    }

    /// The files.
    pub(crate) fn parses(&self) -> &'a [&'a Parse] {
        self.parses
    }

    /// The text of a span.
    pub(crate) fn text(&self, span: Span) -> &'a str {
        let parse = self.parses.get(span.file.0 as usize);
        parse.and_then(|parse| parse.text.get(span.range())).unwrap_or("")
    }
}
