//! What `dev` prints when it serves.

use crate::place::Place;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use contract::{Contract, Grant, Resource};
use engine::Loaded;

use super::subject::RoleToken;
use crate::data;
use crate::project::{Project, shown};
use crate::screen::{self, BOLD, CYAN, DIM, GREEN, YELLOW, styled};

/// What is known when the server is up.
pub(super) struct Facts<'a> {
    pub(super) loaded: &'a Loaded,
    pub(super) address: SocketAddr,
    pub(super) database: &'a Place,
    pub(super) rows: Option<data::Loaded>,
    pub(super) tokens: &'a [RoleToken],
    pub(super) reviewed: Option<&'a str>,
    pub(super) timing: &'a [(&'static str, Duration)],
    pub(super) total: Duration,
}

pub(super) fn print(facts: &Facts<'_>) {
    let contract = contract::derive(&facts.loaded.model);
    let mut text = String::new();
    heading(&mut text, facts, &contract);
    served(&mut text, &contract);
    tokens(&mut text, facts, &contract);
    let titles = Project::deferred_titles(&facts.loaded.model, false);
    deferred(&mut text, "\nIn this version", &titles);
    if let Some(reviewed) = facts.reviewed {
        let _ = writeln!(text, "\n{}", styled(YELLOW, reviewed));
    }
    ready(&mut text, facts);
    screen::out(&text);
}

/// A duration as people read it: `0.4 ms`, `38 ms`, `1.2 s`.
pub(super) fn time(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1e3;
    if milliseconds < 10.0 {
        format!("{milliseconds:.1} ms")
    } else if milliseconds < 1000.0 {
        format!("{milliseconds:.0} ms")
    } else {
        format!("{:.1} s", milliseconds / 1e3)
    }
}

fn heading(text: &mut String, facts: &Facts<'_>, contract: &Contract) {
    let base = format!("http://{}", facts.address);
    let _ = writeln!(text, "\n{} version {}\n", styled(BOLD, &contract.name), contract.version);
    let mut rows = vec![
        ("API", format!("{base}{}", contract.prefix)),
        ("API page", format!("{base}/docs")),
        ("OpenAPI", format!("{base}/openapi.json")),
    ];
    if !contract.events.is_empty() {
        rows.push(("AsyncAPI", format!("{base}/asyncapi.json")));
    }
    for (name, address) in rows {
        let _ = writeln!(text, "  {name:<9} {}", styled(CYAN, address));
    }
    let mut database = match facts.database {
        Place::File(path) => shown(path),
        server @ Place::Server(_) => server.to_string(),
    };
    if let Some(rows) = &facts.rows {
        let _ = write!(
            database,
            " (new; {} from {})",
            screen::count(rows.rows, "row", "rows"),
            screen::count(rows.files as u64, "file", "files")
        );
    }
    let _ = writeln!(text, "  {:<9} {database}", "Database");
}

/// The table of what is served, and to whom.
fn served(text: &mut String, contract: &Contract) {
    let _ = writeln!(text, "\n{}", styled(BOLD, "Served"));
    let mut rows: Vec<(String, Vec<(&str, String)>)> = Vec::new();
    for resource in &contract.resources {
        rows.push((resource.path.clone(), grants(resource)));
    }
    for query in &contract.queries {
        rows.push((query.path.clone(), vec![("query", who(&query.grant))]));
    }
    for command in contract.commands.iter().filter(|command| !command.grant.is_empty()) {
        rows.push((command.path.clone(), vec![("command", who(&command.grant))]));
    }
    let events = contract.events_grant();
    if !events.is_empty() {
        rows.push((contract.events_path(), vec![("read", who(&events))]));
    }
    let replay = contract.replay_grant();
    if !replay.is_empty() {
        rows.push((contract.replay_path(), vec![("replay", who(&replay))]));
        rows.push((contract.dead_path(), vec![("read, retry, drop", who(&replay))]));
    }
    for webhook in contract.webhooks.iter().filter(|webhook| !webhook.receives.is_empty()) {
        rows.push((webhook.path(), vec![("webhook", "who signs".to_owned())]));
    }
    if rows.is_empty() {
        let _ = writeln!(
            text,
            "  nothing yet: an entity with an `allow` is served, and so is a command"
        );
    }
    let width = rows.iter().map(|(path, _)| path.chars().count()).max().unwrap_or(0);
    for (path, grants) in rows {
        let grants: Vec<String> =
            grants.iter().map(|(verbs, who)| format!("{verbs} {}", styled(DIM, who))).collect();
        let _ = writeln!(text, "  {path:<width$}  {}", grants.join("; "));
    }
}

/// What is granted, verbs with the same grantees together.
fn grants(resource: &Resource) -> Vec<(&'static str, String)> {
    let all = [
        ("read", &resource.read),
        ("create", &resource.create),
        ("update", &resource.update),
        ("delete", &resource.delete),
    ];
    let mut grouped: Vec<(Vec<&'static str>, String)> = Vec::new();
    for (verb, grant) in all.into_iter().filter(|(_, grant)| !grant.is_empty()) {
        let who = who(grant);
        match grouped.iter_mut().find(|(_, other)| *other == who) {
            Some((verbs, _)) => verbs.push(verb),
            None => grouped.push((vec![verb], who)),
        }
    }
    grouped.into_iter().map(|(verbs, who)| (joined(&verbs), who)).collect()
}

/// The verbs with commas between; the sets are few, so each is a constant.
fn joined(verbs: &[&'static str]) -> &'static str {
    match verbs {
        ["read"] => "read",
        ["create"] => "create",
        ["update"] => "update",
        ["delete"] => "delete",
        ["read", "create"] => "read, create",
        ["read", "update"] => "read, update",
        ["read", "delete"] => "read, delete",
        ["create", "update"] => "create, update",
        ["create", "delete"] => "create, delete",
        ["update", "delete"] => "update, delete",
        ["read", "create", "update"] => "read, create, update",
        ["read", "create", "delete"] => "read, create, delete",
        ["read", "update", "delete"] => "read, update, delete",
        ["create", "update", "delete"] => "create, update, delete",
        _ => "all",
    }
}

fn who(grant: &Grant) -> String {
    if grant.anyone { "anyone".to_owned() } else { grant.roles.join(", ") }
}

fn tokens(text: &mut String, facts: &Facts<'_>, contract: &Contract) {
    if facts.tokens.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{} {}", styled(BOLD, "Tokens"), styled(DIM, "(they hold for 24 h)"));
    for token in facts.tokens {
        let of = token.speaks_of.as_ref().map(|of| format!(" {of}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "  {}{}\n    {}",
            styled(CYAN, &token.role),
            styled(DIM, of),
            token.token
        );
    }
    if let Some(resource) = contract.resources.iter().find(|resource| resource.part.is_none()) {
        let _ = writeln!(
            text,
            "\n  curl -H \"Authorization: Bearer $TOKEN\" http://{}{}",
            facts.address, resource.path
        );
    }
}

/// What the model says and is not carried out, by its titles, in few lines.
pub(crate) fn deferred(text: &mut String, heading: &str, titles: &[&str]) {
    if titles.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "{} {}",
        styled(YELLOW, heading),
        styled(DIM, "(`mimar check` shows where)")
    );
    let mut line = String::from(" ");
    for (at, title) in titles.iter().enumerate() {
        if line.len() + title.len() > 100 {
            let _ = writeln!(text, "{line}");
            line = String::from(" ");
        }
        let _ = write!(line, " {title}{}", if at + 1 == titles.len() { "" } else { "," });
    }
    let _ = writeln!(text, "{line}");
}

fn ready(text: &mut String, facts: &Facts<'_>) {
    let parts: Vec<String> =
        facts.timing.iter().map(|(name, took)| format!("{name} {}", time(*took))).collect();
    let _ = writeln!(
        text,
        "\n{} in {} {}",
        styled(GREEN, "Ready"),
        time(facts.total),
        styled(DIM, format!("({})", parts.join(", ")))
    );
    let _ = writeln!(text, "{}", styled(DIM, "Every save reloads; ctrl-c ends.\n"));
}
