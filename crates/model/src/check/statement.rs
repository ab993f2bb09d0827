//! Statements: bodies of commands, steps and jobs.

use syntax::ast::{self, Expr, Name, Value};
use syntax::{Diagnostic, Span};

use super::context::{Context, Notes, Style};
use super::declare::path_text;
use super::expression::{What, assigned, condition, fits, infer};
use super::function::root_row;
use super::names::{Declared, Reach, Space, find, find_entity, wrong_kind};
use super::scope::{LocalType, Scope, can_be_asked_for};
use super::write::{create, emit, filled, row, update};
use crate::{
    Binding, Bound, Expression, ExternalCall, FieldId, Invocation, Runnable, Source, Statement,
    StatementKind, Terms, Type, ValueSource,
};

/// What the statements are the body of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Command,
    Step,
    Job,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Command => "a command",
            Self::Step => "a step",
            Self::Job => "a job",
        }
    }
}

/// The body that is being checked.
pub(crate) struct Body {
    pub(crate) kind: Kind,
    pub(crate) answer: Option<(Type, bool)>,
}

/// Types statements in order; what they declare goes out of scope behind them.
pub(crate) fn block<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    views: impl Iterator<Item = ast::Statement<'a>>,
    body: &Body,
) -> Vec<Statement> {
    let locals = scope.locals.len();
    let typed = statements(cx, scope, views, body);
    scope.locals.truncate(locals);
    typed
}

/// Types statements in order; what they declare stays in scope.
pub(crate) fn statements<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    views: impl Iterator<Item = ast::Statement<'a>>,
    body: &Body,
) -> Vec<Statement> {
    let mut typed: Vec<Statement> = Vec::new();
    let mut said_unreachable = false;
    for view in views {
        if let Some(last) = typed.last()
            && matches!(last.kind, StatementKind::Return(_))
            && !said_unreachable
        {
            said_unreachable = true;
            let before = last.span;
            cx.report(
                Diagnostic::warning("W0501", view.span(), "this is never done")
                    .label(before, "everything ends here")
                    .help("remove it, or move it before the `return`"),
            );
        }
        let kind = statement(cx, scope, view, body);
        typed.push(Statement { kind, span: view.span() });
    }
    typed
}

/// Whether every way through ends with a `return`.
pub(crate) fn returns(body: &[Statement]) -> bool {
    body.iter().any(|statement| match &statement.kind {
        StatementKind::Return(_) => true,
        // What could not be understood may well have been one.
        StatementKind::Unknown => true,
        StatementKind::If { then, otherwise, .. } => returns(then) && returns(otherwise),
        _ => false,
    })
}

/// Refuses a statement where it does not belong.
fn misplaced(cx: &mut Context<'_>, view: ast::Statement<'_>, kind: Kind) -> bool {
    use ast::Statement as S;
    let (word, why, help) = match (view, kind) {
        (S::Call(_), Kind::Command | Kind::Job) => CALL_ELSEWHERE,
        (S::Create(_) | S::Update(_) | S::Delete(_) | S::Emit(_), Kind::Step | Kind::Job) => (
            match view {
                S::Create(_) => "create",
                S::Update(_) => "update",
                S::Delete(_) => "delete",
                _ => "emit",
            },
            "rows change in the transaction of a command, and only there",
            "put it into a command, and `run` that",
        ),
        (S::Return(_), Kind::Step | Kind::Job) => {
            ("return", "nobody waits for its answer", "remove it")
        }
        (S::Require(_), Kind::Step | Kind::Job) => (
            "require",
            "nobody is there to be told",
            "use `if`, or require it in the command that is run",
        ),
        _ => return false,
    };
    elsewhere(cx, view.span(), word, kind, why, help);
    true
}

const CALL_ELSEWHERE: (&str, &str, &str) = (
    "call",
    "a transaction that waits for somebody else holds its locks for as long as they like",
    "call it in a step of a workflow, which is durable and can be undone",
);

fn elsewhere(
    cx: &mut Context<'_>,
    span: Span,
    word: &str,
    kind: Kind,
    why: &'static str,
    help: &'static str,
) {
    cx.report(
        Diagnostic::error("E0509", span, format!("`{word}` does not belong in {}", kind.name()))
            .note(why)
            .help(help),
    );
}

fn statement<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: ast::Statement<'a>,
    body: &Body,
) -> StatementKind {
    use ast::Statement as S;
    if misplaced(cx, view, body.kind) {
        return StatementKind::Unknown;
    }
    let typed = match view {
        S::Let(view) => let_statement(cx, scope, view, body),
        S::Require(view) => require(cx, scope, view),
        S::For(view) => for_statement(cx, scope, view, body),
        S::If(view) => Some(if_statement(cx, scope, view, body)),
        S::Create(view) => create(cx, scope, view).map(StatementKind::Create),
        S::Update(view) => update(cx, scope, view),
        S::Delete(view) => view.target().and_then(|target| {
            let (target, entity) = row(cx, scope, target)?;
            Some(StatementKind::Delete { target, entity })
        }),
        S::Emit(view) => emit(cx, scope, view),
        S::Run(view) => run(cx, scope, view, body.kind).map(StatementKind::Run),
        S::Call(view) => call(cx, scope, view).map(|(call, _)| StatementKind::Call(call)),
        S::Return(view) => return_statement(cx, scope, view, body),
    };
    typed.unwrap_or(StatementKind::Unknown)
}

/// A new name in scope.
fn declare<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    name: Name<'a>,
    ty: LocalType,
    optional: bool,
) -> usize {
    cx.case_style(name, Style::Snake);
    let text = name.text();
    let known = scope
        .local(text)
        .map(|local| local.span)
        .or_else(|| scope.parameter(text).map(|position| scope.parameters[position].span));
    if let Some(first) = known {
        cx.twice("the name", text, first, name.span());
    } else {
        can_be_asked_for(cx, name);
    }
    if cx.notes == Notes::Uses {
        let value = match &ty {
            LocalType::Value(ty) => Bound::Value(ty.clone()),
            LocalType::Answer(fields) => Bound::Answer(fields.clone()),
        };
        cx.uses.bindings.push(Binding { span: name.span(), value, optional });
    }
    scope.add(text.to_owned(), name.span(), ty, optional)
}

fn let_statement<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: ast::Let<'a>,
    body: &Body,
) -> Option<StatementKind> {
    let name = view.name()?;
    let unknown = LocalType::Value(Type::Unknown);
    let (value, ty, optional) = match view.value() {
        Some(Value::Create(create_view)) => {
            if body.kind != Kind::Command {
                elsewhere(
                    cx,
                    create_view.span(),
                    "create",
                    body.kind,
                    "rows change in the transaction of a command, and only there",
                    "put it into a command, and `run` that",
                );
                declare(cx, scope, name, unknown, false);
                return None;
            }
            match create(cx, scope, create_view) {
                Some(creation) => {
                    let ty = LocalType::Value(Type::Entity(creation.entity));
                    (Some(ValueSource::Create(creation)), ty, false)
                }
                None => (None, unknown, false),
            }
        }
        Some(Value::Call(call_view)) => {
            if body.kind != Kind::Step {
                let (word, why, help) = CALL_ELSEWHERE;
                elsewhere(cx, call_view.span(), word, body.kind, why, help);
                declare(cx, scope, name, unknown, false);
                return None;
            }
            match call(cx, scope, call_view) {
                Some((call, answer)) => {
                    if answer.is_empty() {
                        cx.report(
                            Diagnostic::error("E0508", call_view.span(), "this operation answers nothing to keep")
                                .help("remove the `let`, or say in the external what it answers: `-> { id: String }`"),
                        );
                    }
                    (Some(ValueSource::Call(call)), LocalType::Answer(answer), false)
                }
                None => (None, unknown, false),
            }
        }
        Some(Value::Run(run_view)) => match run(cx, scope, run_view, body.kind) {
            Some(invocation) => {
                let (ty, optional) = run_answer(cx, &invocation, run_view.span());
                (Some(ValueSource::Run(invocation)), LocalType::Value(ty), optional)
            }
            None => (None, unknown, false),
        },
        Some(Value::Expr(expr)) => {
            let typed = infer(cx, scope, expr, None);
            if matches!(typed.kind, crate::ExpressionKind::Null) {
                cx.report(
                    Diagnostic::error("E0220", typed.span, "`null` alone has no type")
                        .help("write `null` where it is needed"),
                );
            }
            let (ty, optional) = (typed.ty.clone(), typed.optional);
            (Some(ValueSource::Expression(typed)), LocalType::Value(ty), optional)
        }
        None => (None, unknown, false),
    };
    let number = declare(cx, scope, name, ty, optional);
    value.map(|value| StatementKind::Let { number, value })
}

/// What a run command answers; reports where it answers nothing.
fn run_answer(cx: &mut Context<'_>, run: &Invocation, span: Span) -> (Type, bool) {
    let answer = match run.target {
        Runnable::Command(id) if !run.later => cx.model.commands[id.index()].answer.clone(),
        _ => None,
    };
    if let Some(answer) = answer {
        return answer;
    }
    let why = if run.later { "what runs later has no answer yet" } else { "it answers nothing" };
    cx.report(
        Diagnostic::error("E0508", span, format!("this is no value: {why}"))
            .help("run it as a statement of its own"),
    );
    (Type::Unknown, false)
}

fn require<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: ast::Require<'a>,
) -> Option<StatementKind> {
    let condition = view.condition().map(|rule| condition(cx, scope, rule));
    let raise = view.otherwise()?;
    let error_path = raise.error()?;
    let found = find(cx, Space::Types, scope.service, error_path, Reach::Service, "error");
    let error = match found {
        Some(Declared::Error(id)) => Some(id),
        Some(other) => {
            wrong_kind(cx, error_path.span(), path_text(error_path), other, "an error");
            None
        }
        None => None,
    }?;
    let fields = cx.model.errors[error.index()].fields.clone();
    let owner = format!("the error `{}`", cx.model.errors[error.index()].name);
    let members = filled(cx, scope, raise.initializers(), &fields, &owner, error_path.span());
    Some(StatementKind::Require { condition: condition?, error, members })
}

/// Values for parameters, by position.
fn arguments<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: Option<ast::Arguments<'a>>,
    wanted: &[(String, Type, bool)],
    owner: &str,
    place: Span,
) -> Vec<Expression> {
    let views: Vec<Expr<'a>> = view.into_iter().flat_map(ast::Arguments::list).collect();
    let required =
        wanted.iter().rposition(|(_, _, optional)| !optional).map_or(0, |position| position + 1);
    if views.len() > wanted.len() || views.len() < required {
        let names: Vec<String> = wanted.iter().map(|(name, ..)| name.clone()).collect();
        let span = view.map_or(place, |view| view.span());
        let takes = if names.is_empty() { "nothing".to_owned() } else { super::path::list(&names) };
        cx.report(
            Diagnostic::error(
                "E0226",
                span,
                format!("`{owner}` is given the wrong number of values"),
            )
            .help(format!("it takes {takes}")),
        );
        return Vec::new();
    }
    views
        .into_iter()
        .zip(wanted)
        .map(|(view, (name, ty, optional))| {
            assigned(cx, scope, view, ty, *optional, What::Named(name))
        })
        .collect()
}

/// `run command(…)`, of a command or a workflow.
pub(crate) fn run<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: ast::Run<'a>,
    kind: Kind,
) -> Option<Invocation> {
    let name = view.command()?;
    let found = find(cx, Space::Verbs, scope.service, name, Reach::Service, "command");
    let (target, parameters, service) = match found {
        Some(Declared::Command(id)) => {
            let command = &cx.model.commands[id.index()];
            (Runnable::Command(id), &command.parameters, command.service)
        }
        Some(Declared::Workflow(position)) => {
            let workflow = &cx.model.workflows[position];
            (Runnable::Workflow(position), &workflow.parameters, workflow.service)
        }
        other => {
            if let Some(other) = other {
                wrong_kind(cx, name.span(), path_text(name), other, "a command or a workflow");
            }
            for view in view.arguments().into_iter().flat_map(ast::Arguments::list) {
                infer(cx, scope, view, Some(&Type::Unknown));
            }
            return None;
        }
    };
    let wanted: Vec<(String, Type, bool)> =
        parameters.iter().map(|p| (p.name.clone(), p.ty.clone(), p.optional)).collect();
    let later = view.is_later();
    if kind == Kind::Command && service != scope.service && !later {
        cx.report(
            Diagnostic::error(
                "E0512",
                name.span(),
                format!(
                    "`{}` belongs to another service, and services share no transaction",
                    path_text(name)
                ),
            )
            .help("run it `later`: it starts when this transaction has been committed")
            .suggest("run it later", view.span().after(), " later"),
        );
    }
    let arguments = arguments(cx, scope, view.arguments(), &wanted, path_text(name), view.span());
    let terms = terms(cx, scope, view);
    Some(Invocation { target, arguments, later, terms })
}

/// `in 2h priority 5 unique EXPR` behind `later`.
fn terms<'a>(cx: &mut Context<'a>, scope: &mut Scope, view: ast::Run<'a>) -> Terms {
    let delay = view.delay().and_then(|delay| delay.delay());
    let delay = delay.map(|delay| assigned(cx, scope, delay, &Type::Duration, false, What::Delay));
    let priority = view.priority().and_then(|priority| priority.number());
    let priority = priority.and_then(|literal| literal.integer()).unwrap_or(0);
    let unique = view.unique().and_then(|unique| unique.value());
    let unique = unique.map(|unique| infer(cx, scope, unique, None));
    Terms { delay, priority, unique }
}

/// `call external.operation(…)`, and what it answers.
fn call<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: ast::Call<'a>,
) -> Option<(ExternalCall, Vec<FieldId>)> {
    let name = view.operation()?;
    let segments: Vec<Name<'a>> = name.segments().collect();
    let [external_name, operation_name] = segments.as_slice() else {
        cx.report(
            Diagnostic::error("E0202", name.span(), "a call names an external and its operation")
                .help("write `call external.operation(…)`"),
        );
        return None;
    };
    let Some(external) = cx.names.externals.get(external_name.text()).copied() else {
        let mut known: Vec<&str> = cx.names.externals.keys().copied().collect();
        known.sort_unstable();
        let message = format!("there is no external `{}`", external_name.text());
        cx.unknown("E0202", external_name.span(), message, external_name.text(), known);
        return None;
    };
    cx.used(*external_name, cx.model.externals[external.index()].span);
    let operations = &cx.model.externals[external.index()].operations;
    let found = operations.iter().position(|known| known.name == operation_name.text());
    let Some(operation) = found else {
        let known: Vec<String> = operations.iter().map(|known| known.name.clone()).collect();
        let message =
            format!("`{}` has no operation `{}`", external_name.text(), operation_name.text());
        cx.unknown(
            "E0202",
            operation_name.span(),
            message,
            operation_name.text(),
            known.iter().map(String::as_str),
        );
        return None;
    };
    let (declared, answer) = (operations[operation].span, operations[operation].answer.clone());
    let wanted: Vec<(String, Type, bool)> = operations[operation]
        .parameters
        .iter()
        .map(|field| &cx.model[*field])
        .map(|field| (field.name.to_string(), field.ty.clone(), field.optional))
        .collect();
    cx.used(*operation_name, declared);
    let arguments = arguments(cx, scope, view.arguments(), &wanted, path_text(name), view.span());
    Some((ExternalCall { external, operation, arguments }, answer))
}

fn return_statement<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: ast::Return<'a>,
    body: &Body,
) -> Option<StatementKind> {
    let Some((ty, optional)) = &body.answer else {
        if let Some(value) = view.value() {
            cx.report(
                Diagnostic::error("E0508", value.span(), "this command promises no answer").help(
                    "say what it answers behind its parameters: `-> Type`, or return nothing",
                ),
            );
            return None;
        }
        return Some(StatementKind::Return(None));
    };
    let (typed, value) = match view.value() {
        None => {
            cx.report(
                Diagnostic::error(
                    "E0508",
                    view.span(),
                    "this command promises an answer, and returns none here",
                )
                .help("write what it answers behind `return`"),
            );
            return None;
        }
        Some(Value::Expr(expr)) => {
            let typed = assigned(cx, scope, expr, ty, *optional, What::Answer);
            return Some(StatementKind::Return(Some(ValueSource::Expression(typed))));
        }
        Some(Value::Create(create_view)) => {
            let creation = create(cx, scope, create_view)?;
            let mut typed = super::expression::poison(create_view.span());
            typed.ty = Type::Entity(creation.entity);
            (typed, ValueSource::Create(creation))
        }
        Some(Value::Run(run_view)) => {
            let invocation = run(cx, scope, run_view, body.kind)?;
            let mut typed = super::expression::poison(run_view.span());
            (typed.ty, typed.optional) = run_answer(cx, &invocation, run_view.span());
            (typed, ValueSource::Run(invocation))
        }
        Some(Value::Call(call_view)) => {
            let (word, why, help) = CALL_ELSEWHERE;
            elsewhere(cx, call_view.span(), word, body.kind, why, help);
            return None;
        }
    };
    fits(cx, typed, ty, *optional, What::Answer);
    Some(StatementKind::Return(Some(value)))
}

fn if_statement<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: ast::If<'a>,
    body: &Body,
) -> StatementKind {
    let test = view.condition().map(|test| condition(cx, scope, test));
    let then =
        view.then().map(|inner| block(cx, scope, inner.statements(), body)).unwrap_or_default();
    let otherwise = if let Some(inner) = view.else_if() {
        let span = inner.span();
        let kind = if_statement(cx, scope, inner, body);
        vec![Statement { kind, span }]
    } else {
        view.otherwise().map(|inner| block(cx, scope, inner.statements(), body)).unwrap_or_default()
    };
    match test {
        Some(condition) => StatementKind::If { condition, then, otherwise },
        None => StatementKind::Unknown,
    }
}

fn for_statement<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: ast::For<'a>,
    body: &Body,
) -> Option<StatementKind> {
    let (source, element) = match view.source() {
        Some(expr) => loop_source(cx, scope, view, expr),
        None => (None, Type::Unknown),
    };
    let locals = scope.locals.len();
    let number = view.name().map(|name| declare(cx, scope, name, LocalType::Value(element), false));
    let inner =
        view.body().map(|inner| block(cx, scope, inner.statements(), body)).unwrap_or_default();
    scope.locals.truncate(locals);
    Some(StatementKind::For { number: number?, source: source?, body: inner })
}

/// What a `for` runs over, and the type of its elements.
fn loop_source<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: ast::For<'a>,
    expr: Expr<'a>,
) -> (Option<Source>, Type) {
    let name = match expr.without_parens() {
        Expr::Path(path) => Some(path),
        _ => None,
    };
    if let Some(entity_path) = name
        && !entity_path.is_row()
        && entity_path
            .last()
            .is_some_and(|last| last.text().starts_with(|c: char| c.is_ascii_uppercase()))
    {
        return rows_of(cx, scope, view, entity_path);
    }
    if let Some(filter) = view.filter() {
        cx.report(
            Diagnostic::error(
                "E0511",
                filter.span(),
                "`where` chooses among the rows of an entity",
            )
            .note("what is already at hand is chosen with `if`")
            .help("put an `if` around what is done"),
        );
    }
    if let Some(parts_path) = name {
        let segments: Vec<Name<'a>> = parts_path.segments().collect();
        if let Some((last, before)) = segments.split_last()
            && !before.is_empty()
        {
            let before_faults = cx.diagnostics.len();
            let root = root_row(cx, scope, parts_path, before);
            if let Some(root) = root {
                if let Type::Entity(entity) = root.ty
                    && let Some(part) = cx.model.part_named(entity, last.text())
                {
                    cx.used_part(*last, part);
                    return (Some(Source::Parts { root, part }), Type::Entity(part));
                }
                if root.ty == Type::Unknown {
                    return (None, Type::Unknown);
                }
            }
            // It is typed again as a whole.
            cx.diagnostics.truncate(before_faults);
        }
    }
    let typed = infer(cx, scope, expr, None);
    match typed.ty.clone() {
        Type::Unknown => (None, Type::Unknown),
        Type::List(element, _) => {
            if typed.optional {
                cx.report(
                    Diagnostic::error("E0225", typed.span, "this list may be absent")
                        .help("make the list required: an empty one says that there is nothing"),
                );
            }
            (Some(Source::List(typed)), *element)
        }
        other => {
            let found = cx.type_text(&other);
            cx.report(
                Diagnostic::error(
                    "E0511",
                    typed.span,
                    format!("there is nothing to go through: this is of type {found}"),
                )
                .text(format!("of type {found}"))
                .help("name a list, the parts of a row, or an entity"),
            );
            (None, Type::Unknown)
        }
    }
}

fn rows_of<'a>(
    cx: &mut Context<'a>,
    scope: &mut Scope,
    view: ast::For<'a>,
    entity_path: ast::Path<'a>,
) -> (Option<Source>, Type) {
    let Some(entity) = find_entity(cx, scope.service, entity_path, Reach::Service) else {
        return (None, Type::Unknown);
    };
    let name = cx.model[entity].name.clone();
    if cx.model[entity].service != scope.service {
        cx.report(
            Diagnostic::error(
                "E0512",
                entity_path.span(),
                format!("rows of `{name}` are read by its own service only"),
            )
            .help("keep a copy of what is needed, from the events of that service"),
        );
        return (None, Type::Unknown);
    }
    if let Some(part) = cx.model.part_of(entity) {
        let root = cx.model[part.root].name.clone();
        let message = format!("`{name}` is a part of `{root}`, and is reached through it");
        let help =
            format!("go through the rows of `{root}`, and then through their `{}`", part.name);
        cx.report(Diagnostic::error("E0511", entity_path.span(), message).help(help));
        return (None, Type::Unknown);
    }
    let filter = view.filter().and_then(|filter| filter.condition()).map(|rule| {
        scope.rows.push(entity);
        let typed = condition(cx, scope, rule);
        scope.rows.pop();
        typed
    });
    (Some(Source::Rows { entity, filter }), Type::Entity(entity))
}
