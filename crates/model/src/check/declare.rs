//! First pass: every item gets its id and its name.

use syntax::ast::{self, Item, Name, Path};
use syntax::{Diagnostic, Span};

use super::context::{Context, Style};
use super::names::{Declared, Space};
use crate::{
    Command, CommandId, Entity, EntityId, EntityKind, EnumId, EnumType, ErrorId, ErrorType, Event,
    EventId, External, ExternalId, FieldId, Job, Query, QueryId, RecordId, RecordType, Service,
    ServiceId, Webhook, Workflow,
};

/// The service of what stands outside any service.
const OUTSIDE: ServiceId = ServiceId(0);

/// Declares all items of all files. Views of `app` are answered, in order.
pub(crate) fn declare<'a>(cx: &mut Context<'a>) -> Vec<ast::App<'a>> {
    cx.model.services.push(Service { name: String::new(), docs: None, span: Span::default() });
    let mut apps = Vec::new();
    for parse in cx.parses {
        for item in parse.tree().items() {
            declare_item(cx, item, OUTSIDE, &mut apps);
        }
    }
    apps
}

fn declare_item<'a>(
    cx: &mut Context<'a>,
    item: Item<'a>,
    service: ServiceId,
    apps: &mut Vec<ast::App<'a>>,
) {
    let belongs_outside = matches!(
        item,
        Item::App(_) | Item::Auth(_) | Item::Service(_) | Item::Load(_) | Item::Environment(_)
    );
    if belongs_outside && service != OUTSIDE {
        misplaced(cx, item);
    }
    match item {
        // One inside a service was reported, and counts as little as one that is not there.
        Item::App(view) if service == OUTSIDE => apps.push(view),
        Item::App(_) => {}
        Item::Auth(view) => cx.source.auths.push(view),
        Item::Service(view) => {
            let id = declare_service(cx, view);
            for inner in view.items() {
                declare_item(cx, inner, id, apps);
            }
        }
        Item::Entity(view) => declare_entity(cx, view, service),
        Item::Record(view) => declare_record(cx, view, service),
        Item::Enum(view) => declare_enum(cx, view, service),
        Item::Fault(view) => declare_error(cx, view, service),
        Item::Query(view) => declare_query(cx, view, service),
        Item::Command(view) => declare_command(cx, view, service),
        Item::Event(view) => declare_event(cx, view, service),
        Item::Workflow(view) => {
            let position = cx.model.workflows.len();
            let span = name_or(view.name(), view.span());
            cx.model.workflows.push(Workflow {
                name: text_of(view.name()),
                docs: view.docs(),
                span,
                service,
                parameters: Vec::new(),
                on: None,
                steps: Vec::new(),
                bodies: Vec::new(),
            });
            cx.source.workflows.push((view, service));
            register(cx, Space::Verbs, service, view.name(), Declared::Workflow(position));
        }
        Item::Job(view) => {
            let position = cx.model.jobs.len();
            let span = name_or(view.name(), view.span());
            let name = text_of(view.name());
            let (docs, body) = (view.docs(), Vec::new());
            let schedule = crate::Schedule::Every(0);
            let catch_up = crate::CatchUp::default();
            cx.model.jobs.push(Job {
                name,
                docs,
                span,
                service,
                schedule,
                jitter: 0,
                catch_up,
                body,
            });
            cx.source.jobs.push((view, service));
            register(cx, Space::Verbs, service, view.name(), Declared::Job(position));
        }
        Item::Webhook(view) => {
            let span = name_or(view.name(), view.span());
            if let Some(name) = view.name() {
                cx.case_style(name, Style::Snake);
                let first = cx.model.webhooks.iter().find(|known| known.name == name.text());
                if let Some(first) = first.map(|known| known.span) {
                    cx.twice("the webhook", name.text(), first, span);
                }
            }
            let name = text_of(view.name());
            let (docs, events, receives) = (view.docs(), Vec::new(), Vec::new());
            cx.model.webhooks.push(Webhook { name, docs, span, events, receives, retry: None });
            cx.source.webhooks.push((view, service));
        }
        Item::External(view) => declare_external(cx, view, service),
        Item::On(view) => cx.source.subscriptions.push((view, service)),
        Item::Limit(view) => cx.source.limits.push((view, service)),
        Item::Slo(view) => cx.source.slos.push((view, service)),
        Item::Load(view) => cx.source.loads.push(view),
        Item::Environment(view) => cx.source.environments.push(view),
        Item::Decision(view) => cx.source.decisions.push(view),
    }
}

fn misplaced(cx: &mut Context<'_>, item: Item<'_>) {
    let keyword = item.keyword();
    let span = item.name().map_or(item.span(), |name| name.span());
    cx.report(
        Diagnostic::error("E0215", span, format!("`{keyword}` does not belong inside a service"))
            .note("it speaks of the whole system, not of one bounded context")
            .help("move it out of the service, to the top of a file"),
    );
}

fn declare_service<'a>(cx: &mut Context<'a>, view: ast::Service<'a>) -> ServiceId {
    let Some(name) = view.name() else { return OUTSIDE };
    // A service may be spread over several files.
    if let Some(known) = cx.names.services.get(name.text()) {
        return *known;
    }
    cx.case_style(name, Style::Snake);
    let id = ServiceId(cx.model.services.len() as u32);
    let service = Service { name: name.text().to_owned(), docs: view.docs(), span: name.span() };
    cx.model.services.push(service);
    cx.names.services.insert(name.text(), id);
    id
}

fn declare_entity<'a>(cx: &mut Context<'a>, view: ast::Entity<'a>, service: ServiceId) {
    let id = EntityId(cx.model.entities.len() as u32);
    cx.model.entities.push(Entity {
        name: text_of(view.name()),
        docs: view.docs(),
        span: name_or(view.name(), view.span()),
        service,
        was: None,
        stored_as: None,
        kind: EntityKind::Root,
        fields: Vec::new(),
        key: FieldId(u32::MAX),
        parts: Vec::new(),
        indexes: Vec::new(),
        uniques: Vec::new(),
        checks: Vec::new(),
        flows: Vec::new(),
        policies: Vec::new(),
        cache: None,
        audit: false,
        privacy: None,
        deprecation: None,
    });
    cx.source.entities.push(view);
    register(cx, Space::Types, service, view.name(), Declared::Entity(id));
}

fn declare_record<'a>(cx: &mut Context<'a>, view: ast::Record<'a>, service: ServiceId) {
    let id = RecordId(cx.model.records.len() as u32);
    cx.model.records.push(RecordType {
        name: text_of(view.name()),
        docs: view.docs(),
        span: name_or(view.name(), view.span()),
        service,
        fields: Vec::new(),
    });
    cx.source.records.push(view);
    register(cx, Space::Types, service, view.name(), Declared::Record(id));
}

fn declare_enum<'a>(cx: &mut Context<'a>, view: ast::Enum<'a>, service: ServiceId) {
    let id = EnumId(cx.model.enums.len() as u32);
    let span = name_or(view.name(), view.span());
    let values = super::type_expr::enum_values(cx, view.values(), span);
    let was = view.was().and_then(|was| was.name());
    cx.source.renamed_enums.extend(was.map(|was| (was, service)));
    cx.model.enums.push(EnumType {
        name: text_of(view.name()),
        inline: false,
        was: was.map(|name| name.text().to_owned()),
        docs: view.docs(),
        span,
        values,
    });
    register(cx, Space::Types, service, view.name(), Declared::Enum(id));
}

fn declare_error<'a>(cx: &mut Context<'a>, view: ast::Fault<'a>, service: ServiceId) {
    let id = ErrorId(cx.model.errors.len() as u32);
    cx.model.errors.push(ErrorType {
        name: text_of(view.name()),
        docs: view.docs(),
        span: name_or(view.name(), view.span()),
        service,
        status: 400,
        message: String::new(),
        fields: Vec::new(),
    });
    cx.source.errors.push(view);
    register(cx, Space::Types, service, view.name(), Declared::Error(id));
}

fn declare_query<'a>(cx: &mut Context<'a>, view: ast::Query<'a>, service: ServiceId) {
    let id = QueryId(cx.model.queries.len() as u32);
    cx.model.queries.push(Query {
        name: text_of(view.name()),
        docs: view.docs(),
        span: name_or(view.name(), view.span()),
        service,
        parameters: Vec::new(),
        entity: EntityId(u32::MAX),
        filter: None,
        sort: Vec::new(),
        page: 20,
        page_maximum: 100,
        policies: Vec::new(),
        deprecation: None,
    });
    cx.source.queries.push(view);
    register(cx, Space::Verbs, service, view.name(), Declared::Query(id));
}

fn declare_command<'a>(cx: &mut Context<'a>, view: ast::Command<'a>, service: ServiceId) {
    let id = CommandId(cx.model.commands.len() as u32);
    cx.model.commands.push(Command {
        name: text_of(view.name()),
        docs: view.docs(),
        span: name_or(view.name(), view.span()),
        service,
        parameters: Vec::new(),
        answer: None,
        policies: Vec::new(),
        by_code: view.is_by_code(),
        deprecation: None,
        body: Vec::new(),
    });
    cx.source.commands.push(view);
    register(cx, Space::Verbs, service, view.name(), Declared::Command(id));
}

fn declare_event<'a>(cx: &mut Context<'a>, view: ast::Event<'a>, service: ServiceId) {
    let id = EventId(cx.model.events.len() as u32);
    cx.model.events.push(Event {
        name: text_of(view.name()),
        docs: view.docs(),
        span: name_or(view.name(), view.span()),
        service,
        from: view.from().and_then(|from| from.string().map(std::borrow::Cow::into_owned)),
        by: None,
        fields: Vec::new(),
        readers: Vec::new(),
        replayers: Vec::new(),
    });
    cx.source.events.push(view);
    register(cx, Space::Types, service, view.name(), Declared::Event(id));
}

fn declare_external<'a>(cx: &mut Context<'a>, view: ast::External<'a>, service: ServiceId) {
    let id = ExternalId(cx.model.externals.len() as u32);
    let span = name_or(view.name(), view.span());
    if let Some(name) = view.name() {
        cx.case_style(name, Style::Snake);
        if let Some(first) = cx.names.externals.get(name.text()).copied() {
            let first = cx.model.externals[first.index()].span;
            cx.twice("the external", name.text(), first, span);
        } else {
            cx.names.externals.insert(name.text(), id);
        }
    }
    let name = text_of(view.name());
    cx.model.externals.push(External { name, docs: view.docs(), span, operations: Vec::new() });
    cx.source.externals.push((view, service));
}

/// Enters a name, its spelling checked; a second thing of one name is reported and keeps only its id.
fn register<'a>(
    cx: &mut Context<'a>,
    space: Space,
    service: ServiceId,
    name: Option<Name<'a>>,
    declared: Declared,
) {
    let Some(name) = name else { return };
    let style = if space == Space::Types { Style::UpperCamel } else { Style::Snake };
    cx.case_style(name, style);
    let key = (service, name.text());
    if let Some((_, first)) = cx.names.table(space).get(&key).copied() {
        cx.twice("the name", name.text(), first, name.span());
        return;
    }
    if space == Space::Types && super::type_expr::builtin(name.text()).is_some() {
        let message = format!("`{}` is a built-in type", name.text());
        cx.report(
            Diagnostic::error("E0207", name.span(), message)
                .help("choose a name that says what it is in your business"),
        );
        return;
    }
    cx.names.table_mut(space).insert(key, (declared, name.span()));
}

/// The text of a name; empty where the source is broken.
pub(crate) fn text_of(name: Option<Name<'_>>) -> String {
    name.map(|name| name.text().to_owned()).unwrap_or_default()
}

/// Where a name stands, or else all of its item.
pub(crate) fn name_or(name: Option<Name<'_>>, span: Span) -> Span {
    name.map_or(span, Name::span)
}

/// The text of a path as written.
pub(crate) fn path_text<'a>(path: Path<'a>) -> &'a str {
    path.node().text()
}
