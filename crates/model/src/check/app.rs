//! `app` and `auth`: roles, surfaces, who signs in.

use syntax::ast::{self, AppMember, AuthMember, Claim, Source};
use syntax::{Diagnostic, Span};

use super::context::{Context, Style};
use super::declare::name_or;
use super::names::{Reach, find_entity};
use crate::{App, Grantee, Oidc, Role, RoleId, ServiceId, SignIn, Surface, Token, Type};

/// Front doors by their words.
pub(crate) const SURFACES: &[(&str, Surface)] =
    &[("rest", Surface::Rest), ("graphql", Surface::Graphql), ("grpc", Surface::Grpc)];

/// Fills in the app and its roles.
pub(crate) fn app<'a>(cx: &mut Context<'a>, views: &[ast::App<'a>]) {
    cx.model.roles.push(Role {
        name: "system".to_owned(),
        docs: Some("What runs inside: commands run by commands, jobs and workflows.".to_owned()),
        span: Span::default(),
        entity: None,
    });
    cx.names.roles.insert("system", Grantee::Role(RoleId::SYSTEM));
    cx.names.roles.insert("anyone", Grantee::Anyone);
    let Some((first, rest)) = views.split_first() else {
        // A file that does not parse may well hold it, and a service may hold it in the wrong place.
        let misplaced = cx.diagnostics.iter().any(|fault| fault.code == "E0215");
        if !misplaced && cx.parses.iter().all(|parse| !parse.has_errors()) {
            let place =
                cx.parses.first().map_or(Span::default(), |parse| Span::new(parse.file, 0, 0));
            cx.report(
                Diagnostic::error("E0209", place, "the model has no `app`")
                    .note("it says what the whole is called, and which roles there are")
                    .help("add `app Name { version 1 }`")
                    .suggest("add `app App { version 1 }`", place, "app App {\n  version 1\n}\n\n"),
            );
        }
        return;
    };
    for again in rest {
        cx.said_twice(
            "`app`",
            name_or(first.name(), first.span()),
            name_or(again.name(), again.span()),
        );
    }
    if let Some(name) = first.name() {
        cx.case_style(name, Style::UpperCamel);
    }
    let mut app = App {
        name: super::declare::text_of(first.name()),
        docs: first.docs(),
        span: name_or(first.name(), first.span()),
        version: 1,
        surfaces: Vec::new(),
    };
    let mut version_span: Option<Span> = None;
    for member in first.members() {
        match member {
            AppMember::Version(view) => {
                if let Some(first) = version_span.replace(view.span()) {
                    cx.said_twice("`version`", first, view.span());
                    continue;
                }
                let Some(number) = view.number() else { continue };
                match number.integer().and_then(|number| u32::try_from(number).ok()) {
                    Some(version) if version > 0 => app.version = version,
                    _ => cx.report(
                        Diagnostic::error("E0601", number.span(), "a version counts from 1")
                            .note("it stands in every path: `/v1`"),
                    ),
                }
            }
            AppMember::Roles(view) => {
                for role in view.roles() {
                    declare_role(cx, role);
                }
            }
            AppMember::Surface(view) => {
                for name in view.surfaces() {
                    let found = SURFACES.iter().find(|(word, _)| *word == name.text());
                    match found {
                        Some((_, surface)) if app.surfaces.contains(surface) => cx.report(
                            Diagnostic::error(
                                "E0201",
                                name.span(),
                                format!("`{}` is named twice", name.text()),
                            )
                            .help("remove one of them"),
                        ),
                        Some((_, surface)) => app.surfaces.push(*surface),
                        None => {
                            let message = format!("there is no surface `{}`", name.text());
                            let known = SURFACES.iter().map(|(word, _)| *word);
                            cx.unknown("E0602", name.span(), message, name.text(), known);
                        }
                    }
                }
            }
        }
    }
    if app.surfaces.is_empty() {
        app.surfaces.push(Surface::Rest);
    }
    cx.model.app = Some(app);
}

fn declare_role<'a>(cx: &mut Context<'a>, view: ast::Role<'a>) {
    let Some(name) = view.name() else { return };
    cx.case_style(name, Style::Snake);
    if matches!(name.text(), "anyone" | "system") {
        cx.report(
            Diagnostic::error(
                "E0207",
                name.span(),
                format!("`{}` is a built-in role", name.text()),
            )
            .note("`anyone` needs no token, and `system` never comes from one")
            .help("remove it here: it can be used without being declared"),
        );
        return;
    }
    let first = cx.model.roles.iter().find(|role| role.name == name.text());
    if let Some(first) = first.map(|role| role.span) {
        cx.twice("the role", name.text(), first, name.span());
        return;
    }
    let id = RoleId(cx.model.roles.len() as u32);
    let role =
        Role { name: name.text().to_owned(), docs: view.docs(), span: name.span(), entity: None };
    cx.model.roles.push(role);
    cx.names.roles.insert(name.text(), Grantee::Role(id));
}

/// Fills in `auth`: entities and their fields are known by now.
pub(crate) fn auth(cx: &mut Context<'_>) {
    let views = cx.source.auths.clone();
    let Some((view, rest)) = views.split_first() else { return };
    for again in rest {
        cx.said_twice("`auth`", view.span(), again.span());
    }
    cx.model.auth.span = Some(view.span());
    let mut password: Option<Span> = None;
    let mut token: Option<Span> = None;
    let mut limit: Option<Span> = None;
    let once = |cx: &mut Context<'_>, slot: &mut Option<Span>, word: &str, span: Span| {
        let first = *slot;
        slot.get_or_insert(span);
        if let Some(first) = first {
            cx.said_twice(&format!("`{word}`"), first, span);
        }
        first.is_none()
    };
    for member in view.members() {
        match member {
            AuthMember::Users(users) => sign_in(cx, users),
            AuthMember::Password(view) => {
                if once(cx, &mut password, "password", view.span()) {
                    cx.model.auth.password = true;
                }
            }
            AuthMember::Oidc(view) => issuer(cx, view),
            AuthMember::Token(view) => {
                if once(cx, &mut token, "token", view.span()) {
                    cx.model.auth.token = claims(cx, view);
                }
            }
            AuthMember::Limit(view) => {
                if once(cx, &mut limit, "limit", view.span()) {
                    let count = view.count().and_then(|count| super::limit::positive(cx, count));
                    let period = view
                        .period()
                        .and_then(|period| super::entity::positive_duration(cx, period));
                    cx.model.auth.limit = count.zip(period);
                    if let Some(by) = view.by()
                        && by.text() != "ip"
                    {
                        let message =
                            format!("attempts to sign in are not counted by `{}`", by.text());
                        cx.unknown("E0602", by.span(), message, by.text(), ["ip"]);
                    }
                }
            }
        }
    }
}

fn sign_in<'a>(cx: &mut Context<'a>, view: ast::AuthUsers<'a>) {
    let Some(path) = view.entity() else { return };
    let roles = super::policy::grantees(cx, view.roles());
    let Some(entity) = find_entity(cx, ServiceId(0), path, Reach::Everywhere) else { return };
    let name = cx.model[entity].name.clone();
    if cx.model.part_of(entity).is_some() {
        cx.report(
            Diagnostic::error("E0407", path.span(), format!("the rows of `{name}` cannot sign in: it is a part"))
                .note("a token names a row by its key, and the key of a part says nothing without its root"),
        );
        return;
    }
    let by = view.field().and_then(|field_name| {
        let Some(field) = cx.model.field_named(entity, field_name.text()) else {
            super::path::no_field(cx, entity, field_name);
            return None;
        };
        cx.used_field(field_name, field);
        let row = &cx.model[field];
        let is_text = matches!(row.ty, Type::String(_) | Type::Email | Type::Unknown);
        let alone = row.is_key || row_is_unique(cx, field);
        if !is_text || !alone || row.optional {
            let (declared, optional) = (row.span, row.optional);
            let why = if !is_text {
                "it is not text"
            } else if optional {
                "it may be absent"
            } else {
                "two rows may share it"
            };
            cx.report(
                Diagnostic::error(
                    "E0407",
                    field_name.span(),
                    format!("nobody can sign in by `{}`: {why}", field_name.text()),
                )
                .label(declared, "declared here")
                .note("what somebody signs in by must lead to one row")
                .help("sign in by a required, unique Email or String"),
            );
        }
        Some(field)
    });
    let mut ids = Vec::new();
    for grantee in roles {
        let Grantee::Role(role) = grantee else {
            not_from_a_token(cx, view, "anyone");
            continue;
        };
        if role == RoleId::SYSTEM {
            not_from_a_token(cx, view, "system");
            continue;
        }
        if let Some(other) = cx.model[role].entity
            && other != entity
        {
            let (role_name, other) = (cx.model[role].name.clone(), cx.model[other].name.clone());
            cx.report(
                Diagnostic::error("E0407", view.span(), format!("callers with the role `{role_name}` are rows of `{other}` already"))
                    .note("a role says of which entity the caller is, so that `caller.field` has a meaning")
                    .help("use two roles"),
            );
            continue;
        }
        cx.model.roles[role.index()].entity = Some(entity);
        ids.push(role);
    }
    cx.model.auth.users.push(SignIn { entity, by, roles: ids, span: view.span() });
}

fn row_is_unique(cx: &Context<'_>, field: crate::FieldId) -> bool {
    let said = cx.source.fields[field.index()].is_some_and(|view| {
        view.modifiers().any(|modifier| matches!(modifier, ast::Modifier::Unique(_)))
    });
    said || cx.model[field].unique
}

fn not_from_a_token(cx: &mut Context<'_>, view: ast::AuthUsers<'_>, role: &str) {
    cx.report(
        Diagnostic::error(
            "E0407",
            view.span(),
            format!("`{role}` is a role that nobody signs in with"),
        )
        .help("name roles of the app"),
    );
}

fn issuer<'a>(cx: &mut Context<'a>, view: ast::AuthOidc<'a>) {
    let span = name_or(view.name(), view.span());
    if let Some(name) = view.name() {
        let first = cx.model.auth.oidc.iter().find(|known| known.name == name.text());
        if let Some(first) = first.map(|known| known.span) {
            cx.twice("the issuer", name.text(), first, span);
            return;
        }
        if !view.claims().any(|claim| matches!(claim, Claim::Issuer(_))) {
            cx.report(
                Diagnostic::error(
                    "E0603",
                    span,
                    format!("`{}` does not say where it is", name.text()),
                )
                .help("add `issuer \"https://…\"` or `issuer env NAME`"),
            );
        }
    }
    claims_once(cx, view.claims());
    cx.model.auth.oidc.push(Oidc { name: super::declare::text_of(view.name()), span });
}

fn claims_once<'a>(cx: &mut Context<'a>, claims: impl Iterator<Item = Claim<'a>>) {
    let mut said: Vec<(&'static str, Span)> = Vec::new();
    for claim in claims {
        let word = match claim {
            Claim::Issuer(_) => "issuer",
            Claim::Client(_) => "client",
            Claim::Audience(_) => "audience",
            Claim::Roles(_) => "roles claim",
        };
        if let Some((_, first)) = said.iter().find(|(known, _)| *known == word) {
            cx.said_twice(&format!("`{word}`"), *first, claim.span());
        }
        said.push((word, claim.span()));
    }
}

fn claims<'a>(cx: &mut Context<'a>, view: ast::AuthToken<'a>) -> Token {
    claims_once(cx, view.claims());
    let mut token = Token::default();
    let text = |setting: Option<ast::Setting<'_>>| {
        setting.and_then(|setting| match setting.source()? {
            Source::Text(literal) => literal.string().map(std::borrow::Cow::into_owned),
            // The runtime reads the variable when it starts.
            Source::Env(name) | Source::Secret(name) => Some(format!("${}", name.text())),
        })
    };
    for claim in view.claims() {
        match claim {
            Claim::Issuer(view) => token.issuer = text(view.value()),
            Claim::Audience(view) => token.audience = text(view.value()),
            Claim::Roles(view) => {
                token.roles_claim =
                    view.claim().and_then(|claim| claim.string()).map(std::borrow::Cow::into_owned);
            }
            Claim::Client(view) => cx.report(
                Diagnostic::error(
                    "E0602",
                    view.span(),
                    "`client` says nothing about a token that is brought along",
                )
                .help("say it in `oidc name { … }`"),
            ),
        }
    }
    token
}
