//! Names that were declared, and finding them again.

use rustc_hash::FxHashMap;
use syntax::ast::{Name, Path};
use syntax::{Diagnostic, Span};

use super::context::Context;
use crate::{
    CommandId, EntityId, EnumId, ErrorId, EventId, ExternalId, Grantee, QueryId, RecordId,
    ServiceId,
};

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Declared {
    Entity(EntityId),
    Enum(EnumId),
    Record(RecordId),
    Error(ErrorId),
    Event(EventId),
    Query(QueryId),
    Command(CommandId),
    Workflow(usize),
    Job(usize),
}

impl Declared {
    /// With its article, for a message.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Entity(_) => "an entity",
            Self::Enum(_) => "an enum",
            Self::Record(_) => "a record",
            Self::Error(_) => "an error",
            Self::Event(_) => "an event",
            Self::Query(_) => "a query",
            Self::Command(_) => "a command",
            Self::Workflow(_) => "a workflow",
            Self::Job(_) => "a job",
        }
    }
}

/// Which names: `UpperCamel` ones (entities, enums, records, errors, events) or `snake_case` ones (queries,
/// commands, workflows, jobs). Each service has one space of either.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    Types,
    Verbs,
}

/// From where an unqualified name may be seen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// From its own service, and from everywhere if it stands outside any service.
    Service,
    /// From everywhere, as long as only one service declares it.
    Everywhere,
}

type Table<'a> = FxHashMap<(ServiceId, &'a str), (Declared, Span)>;

/// All names.
#[derive(Default)]
pub(crate) struct Names<'a> {
    pub(crate) services: FxHashMap<&'a str, ServiceId>,
    pub(crate) types: Table<'a>,
    pub(crate) verbs: Table<'a>,
    pub(crate) externals: FxHashMap<&'a str, ExternalId>,
    pub(crate) roles: FxHashMap<&'a str, Grantee>,
}

impl<'a> Names<'a> {
    pub(crate) fn table(&self, space: Space) -> &Table<'a> {
        match space {
            Space::Types => &self.types,
            Space::Verbs => &self.verbs,
        }
    }

    pub(crate) fn table_mut(&mut self, space: Space) -> &mut Table<'a> {
        match space {
            Space::Types => &mut self.types,
            Space::Verbs => &mut self.verbs,
        }
    }
}

/// The thing that a one- or two-word path names: `Order` or `sales.Order`. Reports what is not known.
pub(crate) fn find<'a>(
    cx: &mut Context<'a>,
    space: Space,
    service: ServiceId,
    path: Path<'a>,
    reach: Reach,
    wanted: &str,
) -> Option<Declared> {
    let mut segments = path.segments();
    let (first, second) = (segments.next()?, segments.next());
    if let Some(extra) = segments.next() {
        let message = format!("`{}` is no name of {wanted}", path.node().text());
        cx.report(
            Diagnostic::error("E0202", extra.span(), message)
                .text("one word too many")
                .help("write `Name` or `service.Name`"),
        );
        return None;
    }
    match second {
        Some(name) => find_qualified(cx, space, first, name, wanted),
        None => find_name(cx, space, service, first, reach, wanted),
    }
}

/// What `service.Name` stands for.
pub(crate) fn find_qualified<'a>(
    cx: &mut Context<'a>,
    space: Space,
    service: Name<'a>,
    name: Name<'a>,
    wanted: &str,
) -> Option<Declared> {
    let Some(id) = cx.names.services.get(service.text()).copied() else {
        let message = format!("there is no service `{}`", service.text());
        let known: Vec<&str> = cx.names.services.keys().copied().collect();
        cx.unknown("E0202", service.span(), message, service.text(), known);
        return None;
    };
    cx.used(service, cx.model.services[id.index()].span);
    let found = cx.names.table(space).get(&(id, name.text())).copied();
    if let Some((_, span)) = found {
        cx.used(name, span);
    } else {
        let message = format!("service `{}` has no {wanted} `{}`", service.text(), name.text());
        let known: Vec<&str> = cx
            .names
            .table(space)
            .keys()
            .filter(|(owner, _)| *owner == id)
            .map(|(_, known)| *known)
            .collect();
        cx.unknown("E0202", name.span(), message, name.text(), sorted(known));
    }
    found.map(|(declared, _)| declared)
}

/// What an unqualified name stands for, seen from `service`.
pub(crate) fn find_name<'a>(
    cx: &mut Context<'a>,
    space: Space,
    service: ServiceId,
    name: Name<'a>,
    reach: Reach,
    wanted: &str,
) -> Option<Declared> {
    let text = name.text();
    let table = cx.names.table(space);
    let near = table.get(&(service, text)).or_else(|| table.get(&(ServiceId(0), text))).copied();
    if let Some((declared, span)) = near {
        cx.used(name, span);
        return Some(declared);
    }
    let elsewhere: Vec<(ServiceId, (Declared, Span))> = (1..cx.model.services.len() as u32)
        .map(ServiceId)
        .filter_map(|owner| table.get(&(owner, text)).map(|found| (owner, *found)))
        .collect();
    match elsewhere.as_slice() {
        [(_, (only, span))] if reach == Reach::Everywhere => {
            cx.used(name, *span);
            return Some(*only);
        }
        [] => {
            let known: Vec<&str> = table.keys().map(|(_, known)| *known).collect();
            let message = format!("there is no {wanted} `{text}`");
            cx.unknown("E0202", name.span(), message, text, sorted(known));
        }
        [(owner, _), others @ ..] => {
            let owner = cx.model.services[owner.index()].name.clone();
            let message = match others.first() {
                None => format!("`{text}` belongs to the service `{owner}`"),
                Some((other, _)) => {
                    let other = &cx.model.services[other.index()].name;
                    format!("`{text}` belongs to the services `{owner}` and `{other}`")
                }
            };
            let qualified = format!("{owner}.{text}");
            cx.report(
                Diagnostic::error("E0211", name.span(), message)
                    .text("of another service")
                    .note("what crosses from one service into another shows it, so that they can be deployed apart")
                    .help(format!("say whose it is: `{qualified}`"))
                    .suggest(format!("write `{qualified}`"), name.span(), qualified),
            );
        }
    }
    None
}

/// The entity that a path names.
pub(crate) fn find_entity<'a>(
    cx: &mut Context<'a>,
    service: ServiceId,
    path: Path<'a>,
    reach: Reach,
) -> Option<EntityId> {
    match find(cx, Space::Types, service, path, reach, "entity")? {
        Declared::Entity(id) => Some(id),
        other => {
            wrong_kind(cx, path.span(), path.node().text(), other, "an entity");
            None
        }
    }
}

/// Says that a name stands for another kind of thing.
pub(crate) fn wrong_kind(
    cx: &mut Context<'_>,
    span: Span,
    name: &str,
    found: Declared,
    wanted: &str,
) {
    let message = format!("`{name}` is {}, but {wanted} is needed here", found.noun());
    cx.report(Diagnostic::error("E0213", span, message).text(format!("this is {}", found.noun())));
}

/// In order, so that of equally near names always the same one is suggested.
fn sorted(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names
}
