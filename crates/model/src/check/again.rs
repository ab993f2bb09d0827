//! Checking again what an edit has touched.
//!
//! What an item shows to others is its head and, of an entity, its fields. An edit that leaves these as they were cannot
//! change what is found anywhere else: all other findings are kept, with their places moved, and the one item is checked by
//! the very functions that check it as one of all. After an edit of fields other than the key, what uses them is checked so
//! too.

mod dependents;
mod fields;

use std::ops::Range;

use syntax::ast::{self, Item, Member, View};
use syntax::{Damage, Node, NodeKind, Parse, Span, TokenKind};

use super::checked::{Checked, Fault, faults, sort, sort_uses};
use super::context::{Context, Notes, Part, RENAMES};
use super::{command, entity, query, workflow};
use crate::{CommandId, EntityId, QueryId, Uses};
use dependents::Dependent;

/// A file that was parsed again.
#[derive(Clone, Copy, Debug)]
pub struct Edited<'a> {
    /// As it was when the model was checked.
    pub old: &'a Parse,
    /// As it is now.
    pub new: &'a Parse,
    /// What was parsed anew.
    pub damage: &'a Damage,
}

/// How much was checked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// At most the body of an item: what is declared is what it was.
    Body,
    /// The fields of an entity, and so many items beside it which use them. Positions in the model's tables have changed.
    Fields(usize),
}

impl Checked {
    /// Checks the item again that an edit has touched, and what depends on it. `parses` are all files as they are now. `None`
    /// where the edit may have touched more than can be told: nothing is known then, and all of it has to be checked.
    ///
    /// Afterwards diagnostics and uses are those that [`Checked::of`] finds, and so is the model.
    #[must_use]
    pub fn again(&mut self, parses: &[&Parse], edited: Edited<'_>) -> Option<Extent> {
        let touched = self.touched(parses, edited)?;
        self.check(parses, edited, &touched)?;
        Some(match touched {
            Touched::Behind | Touched::Inside(_) => Extent::Body,
            Touched::Fields(_, dependents) => Extent::Fields(dependents.len()),
        })
    }

    fn touched(&self, parses: &[&Parse], edited: Edited<'_>) -> Option<Touched> {
        let Edited { old, new, damage } = edited;
        let (before, after) = (only(old, &damage.old_nodes)?, only(new, &damage.new_nodes)?);
        // Without an app it depends on all files whether one is missed. What stands nowhere is said to stand at 0.
        if before.kind() != after.kind() || self.model.app.is_none() || damage.shift.start == 0 {
            return None;
        }
        if damage.shift.start >= before.span().end.max(after.span().end) {
            return Some(Touched::Behind);
        }
        let part = self.part(Item::cast(before)?)?;
        let dependents = match part {
            _ if shows_the_same(before, after, edited, &[]) => None,
            Part::Rules(id) if shows_the_same(before, after, edited, &[NodeKind::Field]) => {
                Some(self.dependents(parses, edited, id, before, after)?)
            }
            _ => return None,
        };
        // What comes in through a webhook is held against all commands.
        let receives = self.model.webhooks.iter().any(|webhook| !webhook.receives.is_empty());
        if receives && matches!(part, Part::Command(_)) {
            return None;
        }
        // Renames that are offered elsewhere reach into all files.
        let mut offers = self.faults.iter().filter(|fault| fault.offers_rename());
        let words = words(before).chain(words(after));
        let is_offered = |fault: &Fault| {
            let span = fault.diagnostic.primary.span;
            let parse =
                if span.file == old.file { Some(&old) } else { parses.get(span.file.0 as usize) };
            let name = parse.and_then(|parse| parse.text.get(span.range()));
            fault.part != part && words.clone().any(|word| Some(word) == name)
        };
        if offers.any(is_offered) {
            return None;
        }
        Some(match (dependents, part) {
            (Some(dependents), Part::Rules(id)) => Touched::Fields(id, dependents),
            _ => Touched::Inside(part),
        })
    }

    fn check(&mut self, parses: &[&Parse], edited: Edited<'_>, touched: &Touched) -> Option<()> {
        let before = only(edited.old, &edited.damage.old_nodes)?;
        match touched {
            Touched::Behind => {}
            Touched::Inside(_) => self.forget_uses(before, &[]),
            // The key is declared anew with the other fields: what it is may be what one of them is.
            Touched::Fields(..) => self.forget_uses(before, &[NodeKind::Field, NodeKind::Key]),
        }
        self.shift(edited.damage.shift);
        let node = only(edited.new, &edited.damage.new_nodes)?;
        // What stands between two items may document the second.
        let shift = edited.damage.shift;
        if shift.old_end >= before.span().end || shift.new_end >= node.span().end {
            let behind = edited.new.node(edited.damage.new_nodes.end).and_then(Item::cast);
            behind.map_or(Some(()), |item| self.document(item))?;
        }
        let item = Item::cast(node)?;
        let mut items = match touched {
            Touched::Behind => return Some(()),
            Touched::Inside(part) => vec![(*part, item)],
            Touched::Fields(id, _) => vec![(Part::Rules(*id), item)],
        };
        self.document(item)?;
        let mut cx = Context::new(parses, Notes::Uses);
        cx.names = self.names(parses);
        cx.parts.clear();
        if let (Touched::Fields(id, dependents), Item::Entity(view)) = (touched, item) {
            self.fields(&mut cx, *id, view);
            for dependent in dependents {
                let item = dependent.item(parses, edited.damage.shift)?;
                match dependent.part {
                    Part::Query(_) => self.forget_all_uses(item.node()),
                    _ => self.forget_uses(item.node(), &[]),
                }
                items.push((dependent.part, item));
            }
        }
        items.iter().for_each(|(part, _)| self.reset(*part));
        (cx.model, cx.said) = (std::mem::take(&mut self.model), std::mem::take(&mut self.said));
        let sizes = cx.sizes();
        for (part, item) in &items {
            run(&mut cx, *part, *item)?;
            let uses = std::mem::take(&mut cx.uses);
            self.add_uses(item.node(), uses);
        }
        let are_commands = items.iter().any(|(part, _)| matches!(part, Part::Command(_)));
        if are_commands {
            command::circles(&mut cx);
        }
        // An enum within a parameter of a query is declared where the query is checked.
        let is_settled = sizes == cx.sizes();
        let Context { model, said, diagnostics, parts, .. } = cx;
        (self.model, self.said) = (model, said);
        self.faults.retain(|fault| match (fault.part, touched) {
            (Part::Circles, _) => !are_commands,
            (Part::Fields(id) | Part::Values(id), Touched::Fields(edited, _)) => id != *edited,
            (part, _) => !items.iter().any(|(again, _)| *again == part),
        });
        self.faults.extend(faults(diagnostics, &parts));
        sort(&mut self.faults);
        // All of them are offered only as long as they are few.
        let is_few = self.faults.iter().filter(|fault| fault.offers_rename()).count() < RENAMES;
        (is_settled && is_few).then_some(())
    }

    /// The part of the check that looks into an item, for those that can be looked at again.
    fn part(&self, item: Item<'_>) -> Option<Part> {
        let span = item.name()?.span();
        let model = &self.model;
        let number = |at: usize| at as u32;
        match item {
            Item::Entity(_) => {
                let at = model.entities.iter().position(|it| it.span == span)?;
                Some(Part::Rules(EntityId(number(at))))
            }
            Item::Query(_) => {
                let at = model.queries.iter().position(|it| it.span == span)?;
                Some(Part::Query(QueryId(number(at))))
            }
            Item::Command(_) => {
                let at = model.commands.iter().position(|it| it.span == span)?;
                Some(Part::Command(CommandId(number(at))))
            }
            Item::Workflow(_) => {
                model.workflows.iter().position(|it| it.span == span).map(Part::Workflow)
            }
            Item::Job(_) => model.jobs.iter().position(|it| it.span == span).map(Part::Job),
            _ => None,
        }
    }

    /// Takes the documentation of an item and of its fields from the text. `None` where it is kept elsewhere.
    fn document(&mut self, item: Item<'_>) -> Option<()> {
        if let Item::Entity(view) = item {
            self.document_fields(view);
        }
        let Some(name) = item.name() else { return Some(()) };
        let (span, model) = (name.span(), &mut self.model);
        macro_rules! docs {
            ($table:ident) => {
                model.$table.iter_mut().find(|it| it.span == span).map(|it| &mut it.docs)
            };
        }
        let docs = match item {
            Item::Entity(_) => docs!(entities),
            Item::Record(_) => docs!(records),
            Item::Enum(_) => docs!(enums),
            Item::Fault(_) => docs!(errors),
            Item::Query(_) => docs!(queries),
            Item::Command(_) => docs!(commands),
            Item::Event(_) => docs!(events),
            Item::Webhook(_) => docs!(webhooks),
            Item::Workflow(_) => docs!(workflows),
            Item::Job(_) => docs!(jobs),
            Item::External(_) => docs!(externals),
            // A service is documented by the first of its blocks.
            Item::App(_) | Item::Auth(_) | Item::Service(_) => return None,
            Item::On(_)
            | Item::Limit(_)
            | Item::Slo(_)
            | Item::Load(_)
            | Item::Environment(_)
            | Item::Decision(_) => return Some(()),
        };
        *docs? = item.docs();
        Some(())
    }

    fn document_fields(&mut self, entity: ast::Entity<'_>) {
        let span = entity.name().map(|name| name.span());
        let found = self.model.entities.iter().find(|it| Some(it.span) == span);
        let fields = found.map(|it| it.fields.clone()).unwrap_or_default();
        for member in entity.members() {
            let Member::Field(view) = member else { continue };
            let span = view.name().map(|name| name.span());
            let field = fields.iter().find(|id| Some(self.model[**id].span) == span);
            if let Some(field) = field.and_then(|id| self.model.fields.get_mut(id.index())) {
                field.docs = view.docs();
            }
        }
    }

    /// Forgets what a part found, so that it finds it anew.
    fn reset(&mut self, part: Part) {
        let model = &mut self.model;
        match part {
            Part::Rules(id) => {
                if let Some(entity) = model.entities.get_mut(id.index()) {
                    entity.indexes.clear();
                    entity.uniques.clear();
                    entity.checks.clear();
                    entity.flows.clear();
                    entity.policies.clear();
                    (entity.cache, entity.audit) = (None, false);
                    (entity.privacy, entity.deprecation) = (None, None);
                }
            }
            Part::Query(id) => {
                if let Some(query) = model.queries.get_mut(id.index()) {
                    query.filter = None;
                    query.sort.clear();
                    query.policies.clear();
                    query.deprecation = None;
                }
            }
            Part::Command(id) => {
                if let Some(command) = model.commands.get_mut(id.index()) {
                    command.policies.clear();
                    command.deprecation = None;
                    command.body.clear();
                }
            }
            Part::Workflow(at) => {
                if let Some(workflow) = model.workflows.get_mut(at) {
                    workflow.on = None;
                    workflow.steps.clear();
                    workflow.bodies.clear();
                }
            }
            // The others say all of what they find.
            _ => {}
        }
    }

    /// Forgets what the body of an item uses, and what else of it is checked again; the rest of it uses what it did.
    fn forget_uses(&mut self, item: Node<'_>, again: &[NodeKind]) {
        let kept: Vec<Span> = kept(item, again).map(Node::span).collect();
        let is_inside = |inner: Span, outer: Span| {
            inner.file == outer.file && outer.start <= inner.start && inner.end <= outer.end
        };
        let span = item.span();
        let range = self.uses_in(span);
        let stays = |used: Span| kept.iter().any(|kept| is_inside(used, *kept));
        let own = self.uses.names.get(range.clone()).unwrap_or_default();
        let own: Vec<_> = own.iter().filter(|(used, _)| stays(*used)).copied().collect();
        self.uses.names.splice(range, own);
        self.uses.bindings.retain(|binding| !is_inside(binding.span, span));
    }

    /// Forgets all that an item uses.
    fn forget_all_uses(&mut self, item: Node<'_>) {
        let range = self.uses_in(item.span());
        self.uses.names.drain(range);
    }

    /// Adds what an item uses to what is known of it.
    fn add_uses(&mut self, item: Node<'_>, found: Uses) {
        let range = self.uses_in(item.span());
        let mut own = Uses::default();
        own.names.extend(self.uses.names.get(range.clone()).unwrap_or_default());
        own.names.extend(found.names);
        sort_uses(&mut own);
        self.uses.names.splice(range, own.names);
        self.uses.bindings.extend(found.bindings);
    }

    /// Which uses stand within a span.
    fn uses_in(&self, span: Span) -> Range<usize> {
        let place = |used: &Span| (used.file, used.start);
        let names = &self.uses.names;
        names.partition_point(|(used, _)| place(used) < (span.file, span.start))
            ..names.partition_point(|(used, _)| place(used) < (span.file, span.end))
    }
}

/// Checks an item as one of all.
fn run<'a>(cx: &mut Context<'a>, part: Part, item: Item<'a>) -> Option<()> {
    match (part, item) {
        (Part::Rules(id), Item::Entity(view)) => entity::entity(cx, id, view),
        (Part::Query(id), Item::Query(view)) => query::query(cx, id, view),
        (Part::Command(id), Item::Command(view)) => command::command(cx, id, view),
        (Part::Workflow(at), Item::Workflow(view)) => workflow::workflow(cx, at, view),
        (Part::Job(at), Item::Job(view)) => workflow::job(cx, at, view),
        _ => return None,
    }
    Some(())
}

/// What an edit has touched.
enum Touched {
    /// The body of an item, which this part checks.
    Inside(Part),
    /// Fields of an entity, and what depends on them.
    Fields(EntityId, Vec<Dependent>),
    /// Nothing but white space and comments behind an item.
    Behind,
}

/// The node that is all of these.
fn only<'a>(parse: &'a Parse, nodes: &Range<u32>) -> Option<Node<'a>> {
    let is_one = parse.nodes.get(nodes.start as usize)?.end_node == nodes.end;
    parse.node(nodes.start).filter(|_| is_one)
}

/// The words of a node.
fn words<'a>(node: Node<'a>) -> impl Iterator<Item = &'a str> + Clone {
    let parse = node.parse();
    let words = node.tokens().filter(|token| parse.token_kind(*token) == TokenKind::Word);
    words.map(|token| parse.token_text(token))
}

/// Nodes of an item that nobody sees from outside. All else may be seen, wherever a broken text has it.
const BODY: &[NodeKind] = &[
    NodeKind::Index,
    NodeKind::Unique,
    NodeKind::Check,
    NodeKind::Flow,
    NodeKind::Allow,
    NodeKind::Cache,
    NodeKind::Audit,
    NodeKind::Privacy,
    NodeKind::Where,
    NodeKind::Sort,
    NodeKind::Page,
    NodeKind::Admit,
    NodeKind::Let,
    NodeKind::Require,
    NodeKind::For,
    NodeKind::If,
    NodeKind::Create,
    NodeKind::Update,
    NodeKind::Delete,
    NodeKind::Emit,
    NodeKind::Run,
    NodeKind::Call,
    NodeKind::Return,
    NodeKind::Step,
    NodeKind::Error,
];

/// What others may see of an item beside its own tokens, but for nodes of these kinds.
fn kept<'a>(item: Node<'a>, but: &[NodeKind]) -> impl Iterator<Item = Node<'a>> {
    let is_kept = |child: &Node<'_>| !BODY.contains(&child.kind()) && !but.contains(&child.kind());
    item.children().filter(is_kept)
}

/// Whether what others may see of an item, but for nodes of these kinds, is written as it was, and stands beside the edit.
fn shows_the_same(before: Node<'_>, after: Node<'_>, edited: Edited<'_>, but: &[NodeKind]) -> bool {
    let (old, new) = (shown(before, but), shown(after, but));
    let shift = edited.damage.shift;
    let is_same = |(old, new): (&u32, &u32)| {
        let (old, new) = (*old, *new);
        let (one, other) = (before.parse(), after.parse());
        let mut place = one.token_span(old);
        shift.span(&mut place);
        one.token_kind(old) == other.token_kind(new)
            && one.token_text(old) == other.token_text(new)
            && place == other.token_span(new)
    };
    let is_beside = |token: &u32| {
        let span = before.parse().token_span(*token);
        span.end <= shift.start || shift.old_end <= span.start
    };
    old.iter().all(is_beside)
        && old.len() == new.len()
        && old.iter().zip(&new).all(is_same)
        // The parser looks ahead: the same words may be read otherwise for what stands behind them.
        && kept(before, but).flat_map(tree).eq(kept(after, but).flat_map(tree))
}

/// The kinds of a node and of all inside, each with how many there are inside of it.
fn tree(node: Node<'_>) -> impl Iterator<Item = (NodeKind, u32)> {
    let nodes = &node.parse().nodes;
    let (first, end) = (node.index(), nodes.get(node.index() as usize).map_or(0, |it| it.end_node));
    let inside = nodes.get(first as usize..end as usize).unwrap_or_default();
    (first..).zip(inside).map(|(index, node)| (node.kind, node.end_node - index))
}

/// The tokens of an item that others may see, with what documents parts of them.
fn shown(item: Node<'_>, but: &[NodeKind]) -> Vec<u32> {
    let parse = item.parse();
    let is_seen = |token: &u32| {
        let kind = parse.token_kind(*token);
        !kind.is_trivia() || kind == TokenKind::DocComment
    };
    let inside = kept(item, but).flat_map(Node::tokens).filter(is_seen);
    // Whether it is closed is the parser's business, and an item is not while a body is written.
    let own = item.own_tokens().filter(|token| parse.token_kind(*token) != TokenKind::RightBrace);
    own.chain(inside).collect()
}
