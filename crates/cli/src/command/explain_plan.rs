//! `mimar explain-plan`

use std::fmt::Write as _;

use model::{CommandId, Grantee, Model, RoleId};
use operation::Dialect;
use plan::Roles;
use serde_json::{Value, json};
use store::explain::{Does, Explanation, Lock, Purpose, RoundTrips, Sent, Times, Trip, explain};

use crate::arguments::{Engine, ExplainPlan, Output};
use crate::failure::Failure;
use crate::project::Project;
use crate::screen::{self, BOLD, CYAN, DIM, YELLOW, styled};

pub(crate) fn run(arguments: &ExplainPlan) -> Result<(), Failure> {
    let (_, model) = Project::read(&arguments.project)?.valid()?;
    let id = command(&model, &arguments.command)?;
    let (role, roles) = role(&model, id, arguments.role.as_deref())?;
    let dialect = match arguments.on {
        Some(Engine::Sqlite) => Dialect::Sqlite,
        Some(Engine::Postgres) => Dialect::Postgres,
        None => of_production(&model),
    };
    if model.commands[id.index()].by_code {
        return Err(Failure::ByCode { commands: format!("`{}`", arguments.command) });
    }
    let loaded = engine::Loaded::new(
        std::sync::Arc::new(model.clone()),
        std::sync::Arc::new(schema::derive(&model, dialect)),
    );
    let program = loaded.plan.program(id, roles)?;
    let explanation = explain(&program, &loaded.schema.tables, loaded.plan.redraws(), dialect)?;
    screen::out(&match arguments.format {
        Output::Text => drawn(&arguments.command, &role, &explanation),
        Output::Json => format!("{:#}\n", told(&arguments.command, &role, &explanation)),
    });
    Ok(())
}

fn command(model: &Model, name: &str) -> Result<CommandId, Failure> {
    let at = model.commands.iter().position(|command| command.name == name);
    let at = at.and_then(|at| u32::try_from(at).ok());
    at.map(CommandId).ok_or_else(|| Failure::UnknownCommand {
        command: name.to_owned(),
        known: names(model.commands.iter().map(|command| command.name.as_str())),
    })
}

/// Who runs it: as is said, or the first who may.
fn role(model: &Model, id: CommandId, said: Option<&str>) -> Result<(String, Roles), Failure> {
    let policies = &model.commands[id.index()].policies;
    let may: Vec<Grantee> = policies.iter().flat_map(|policy| policy.grantees.clone()).collect();
    let name = |grantee: &Grantee| match grantee {
        Grantee::Anyone => "anyone",
        Grantee::Role(role) => model.roles.get(role.index()).map_or("", |role| &role.name),
    };
    let roles = |grantee: &Grantee| match grantee {
        Grantee::Anyone => Roles::NONE,
        Grantee::Role(role) => Roles::NONE.with(*role),
    };
    let Some(said) = said else {
        // Whom nobody lets in, the system runs.
        let first = may.first().copied().unwrap_or(Grantee::Role(RoleId::SYSTEM));
        return Ok((name(&first).to_owned(), roles(&first)));
    };
    let known = model.roles.iter().position(|role| role.name == said);
    let known = known.and_then(|at| u32::try_from(at).ok()).map(|at| Grantee::Role(RoleId(at)));
    let anyone = (said == "anyone").then_some(Grantee::Anyone);
    let Some(wanted) = known.or(anyone) else {
        let known = names(model.roles.iter().map(|role| role.name.as_str()));
        return Err(Failure::UnknownRole { role: said.to_owned(), known });
    };
    let system = wanted == Grantee::Role(RoleId::SYSTEM);
    if system || may.contains(&wanted) || may.contains(&Grantee::Anyone) {
        return Ok((said.to_owned(), roles(&wanted)));
    }
    Err(Failure::NotAllowed {
        role: said.to_owned(),
        command: model.commands[id.index()].name.clone(),
        known: names(may.iter().map(name)),
    })
}

fn names<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn of_production(model: &Model) -> Dialect {
    let production = model.environments.iter().find(|known| known.name == "production");
    match production.and_then(|environment| environment.store.as_ref()) {
        Some((engine, _)) if engine == "postgres" => Dialect::Postgres,
        _ => Dialect::Sqlite,
    }
}

fn purpose(trip: &Trip) -> &'static str {
    match trip.purpose {
        Purpose::Load => "load",
        Purpose::Lock => "lock",
        Purpose::Find => "find",
        Purpose::Miss => "miss",
        Purpose::Code => "code",
        Purpose::Draw => "draw",
        Purpose::Write => "write",
        Purpose::Check => "check",
        Purpose::Answer => "answer",
        Purpose::Commit => "commit",
    }
}

fn times(times: Times) -> &'static str {
    match times {
        Times::Once => "once",
        Times::AtMostOnce => "at most once",
        Times::Sixteenth => "for every 16 rows",
        Times::EachTurn => "in every turn",
    }
}

fn lock(sent: &Sent) -> Option<&'static str> {
    match sent.lock {
        Lock::Free => None,
        Lock::Shared => Some("FOR SHARE"),
        Lock::Held => Some("FOR NO KEY UPDATE"),
        Lock::Going => Some("FOR UPDATE"),
    }
}

fn word_for(does: Does) -> &'static str {
    match does {
        Does::LooksAhead => "look_ahead",
        Does::IsStillIt => "compare",
        Does::Keeps => "keep",
        Does::Requires => "require",
        Does::IsAboutRow => "row",
        Does::HoldsAlong => "hold_along",
        Does::KeepsWhoLoses => "keep_losing",
        Does::WorksOut => "compute",
        Does::LooksAtRules => "check",
        Does::Answers => "answer",
    }
}

fn statement(sent: &Sent) -> Value {
    let mut json = json!({"sql": sent.text});
    if let Some(members) = json.as_object_mut() {
        let optional = [
            ("sql_for_one_row", sent.of_one.clone().map(Value::from)),
            ("entity", sent.entity.as_deref().map(Value::from)),
            ("lock", lock(sent).map(Value::from)),
            ("does", sent.does.map(|does| Value::from(word_for(does)))),
            ("for_each_row", sent.each_row.then_some(Value::Bool(true))),
            ("with_the_one_before", sent.joined.then_some(Value::Bool(true))),
        ];
        for (name, value) in optional {
            members.extend(value.map(|value| (name.to_owned(), value)));
        }
    }
    json
}

/// For programs.
fn told(command: &str, role: &str, explanation: &Explanation) -> Value {
    let statements = |sent: &[Sent]| -> Vec<Value> { sent.iter().map(statement).collect() };
    let trip = |trip: &Trip| {
        json!({
            "purpose": purpose(trip),
            "times": times(trip.times),
            "statements": statements(&trip.statements),
        })
    };
    let trips = |all: &[Trip]| -> Vec<Value> { all.iter().map(trip).collect() };
    let count = |of: RoundTrips| json!({"usual": of.usual, "most": of.most, "grow": of.grow});
    let on_postgres = explanation.dialect == Dialect::Postgres;
    let when_refused = explanation
        .round_trips_when_refused()
        .map(|of| json!({"round_trips": count(of), "trips": trips(&explanation.when_refused)}));
    json!({
        "command": command,
        "role": role,
        "on": if on_postgres { "postgres" } else { "sqlite" },
        "round_trips": on_postgres.then(|| count(explanation.round_trips())),
        "isolation": if explanation.serializable { "serializable" } else { "default" },
        "rows_are_loaded_since": explanation.loaded_since,
        "found_first": explanation.found_first,
        "shares_its_transaction": explanation.shares,
        "trips": trips(&explanation.trips),
        "in_steps": explanation.in_steps,
        "when_refused": when_refused,
        "when_named_twice": trips(&explanation.when_named_twice),
        "with_idempotency_key": {
            "round_trips": on_postgres.then_some(explanation.round_trips_with_key),
            "statements": statements(&explanation.with_key),
        },
    })
}

/// For people.
fn drawn(command: &str, role: &str, explanation: &Explanation) -> String {
    let on_postgres = explanation.dialect == Dialect::Postgres;
    let on = if on_postgres { "PostgreSQL" } else { "SQLite" };
    let mut out = format!("{} for {role}, on {on}\n", styled(BOLD, command));
    let mut line = |name: &str, text: &str| {
        let _ = writeln!(out, "{} {text}", styled(DIM, format!("{name:<12}")));
    };
    if on_postgres {
        let trips = explanation.round_trips();
        let mut count = screen::count(trips.usual as u64, "round trip", "round trips");
        if trips.most > trips.usual {
            let _ = write!(count, ", {} at most", trips.most);
        }
        match explanation.round_trips_when_refused() {
            Some(refused) => {
                let _ = write!(
                    count,
                    ", its commit among what is sent; {} where it is refused",
                    refused.usual
                );
            }
            None => count.push_str(if trips.grow {
                "; and what is said below to come again"
            } else {
                ", however many rows and elements there are"
            }),
        }
        line("waits", &count);
        if !explanation.when_refused.is_empty() {
            line(
                "refusals",
                "rows change by themselves; where one is missing or a rule stands against it, all of this is taken back \
                 and done once more over loaded rows, which says why",
            );
        }
        if explanation.in_steps {
            line(
                "steps",
                "each statement sees what those before it have done, in the order of the command",
            );
        }
        let twice = explanation.when_named_twice.iter().map(|trip| trip.statements.len());
        if let Some(statements) = twice.max() {
            let detail = format!(
                "where the caller names one row twice that changes, it is sent step by step: {statements} statements, those of loops \
                 in each turn, and no round trip more (--format json has them)"
            );
            line("twice", &detail);
        }
        if let Some(reason) = &explanation.loaded_since {
            line("loads", &format!("its rows, before it does anything: {reason}"));
        }
        line(
            "isolation",
            if explanation.serializable {
                "SERIALIZABLE: it looks for rows by a condition, so that those which come meanwhile matter"
            } else {
                "the server's (READ COMMITTED where nothing else is set); what it looks at is locked"
            },
        );
        if explanation.found_first {
            line(
                "locks",
                "some rows are found by what stands in others: all are found first, then locked together",
            );
        }
        if explanation.shares {
            line(
                "shares",
                "its transaction with others of its kind, where more of them wait than there are connections",
            );
        }
    } else {
        line(
            "waits",
            "for nothing: it runs in this process, each statement prepared once and kept",
        );
        line(
            "isolation",
            "one writer: nobody else changes anything meanwhile; it commits with others as one group",
        );
    }
    for trip in &explanation.trips {
        draw_trip(&mut out, trip, "");
    }
    for trip in &explanation.when_refused {
        draw_trip(&mut out, trip, "Where that is refused: ");
    }
    let more = match explanation.round_trips_with_key as u64 {
        _ if !on_postgres => String::new(),
        0 => ": no round trip more".to_owned(),
        trips => format!(": {} more", screen::count(trips, "round trip", "round trips")),
    };
    let _ = writeln!(out, "\n{}{}", styled(BOLD, "With an Idempotency-Key"), styled(DIM, more));
    for sent in &explanation.with_key {
        draw(&mut out, sent);
    }
    out
}

fn draw_trip(out: &mut String, trip: &Trip, when: &str) {
    let often = match trip.times {
        Times::Once => String::new(),
        other => format!(", {}", times(other)),
    };
    let title = styled(BOLD, title(trip));
    let _ = writeln!(out, "\n{}{title}{}", styled(DIM, when), styled(DIM, often));
    for sent in &trip.statements {
        draw(out, sent);
    }
}

fn title(trip: &Trip) -> &'static str {
    match trip.purpose {
        Purpose::Load => "Load what it will look at",
        Purpose::Lock => "Lock it, in the order of tables and keys",
        Purpose::Find => "Find rows by a condition",
        Purpose::Miss => "Load a row that could not be foreseen",
        Purpose::Code => "What code asks for, which is not known before it runs",
        Purpose::Draw => "Draw numbers",
        Purpose::Write => "Write, and commit",
        Purpose::Check => "Write, and look at rules of rows that lose something",
        Purpose::Answer => "Write, and read the answer",
        Purpose::Commit => "Commit",
    }
}

fn caption(does: Does, sent: &Sent) -> String {
    let caption = match (does, &sent.entity) {
        (Does::LooksAhead, Some(entity)) => {
            return format!(
                "looks up which rows of {entity} will be found, so that they are locked with the others"
            );
        }
        (Does::LooksAhead, None) => "looks up what will be told under",
        (Does::IsStillIt, _) => "goes on only where nothing else is found than was looked up",
        (Does::Keeps, _) => "keeps a value for what comes after",
        (Does::Requires, _) => "goes on only where that is true",
        (Does::IsAboutRow, _) => "goes on only where the row is there and its rules hold",
        (Does::HoldsAlong, _) => "and those that go along with what goes, or lose something by it",
        (Does::KeepsWhoLoses, _) => "keeps which rows lose what they refer to, or parts",
        (Does::WorksOut, _) => "works out what is computed of rows that have lost something",
        (Does::LooksAtRules, _) => "looks at rules of rows that have lost something",
        (Does::Answers, _) => "puts the answer into words",
    };
    caption.to_owned()
}

fn draw(out: &mut String, sent: &Sent) {
    let text = if sent.steers { styled(DIM, &sent.text) } else { styled(CYAN, &sent.text) };
    let with =
        if sent.joined { styled(DIM, "and as one statement with it, ") } else { String::new() };
    let _ = writeln!(out, "  {with}{text}");
    if let Some(one) = &sent.of_one {
        let _ = writeln!(out, "  {} {}", styled(DIM, "where it is one row:"), styled(CYAN, one));
    }
    if let Some(does) = sent.does {
        let _ = writeln!(out, "    {}", styled(DIM, caption(does, sent)));
    }
    let locked = match sent.lock {
        Lock::Free => None,
        Lock::Shared => Some("may be read and shared by others, not changed"),
        Lock::Held => Some("nobody else changes or locks them"),
        Lock::Going => Some("nobody else changes or locks them, or comes to refer to them"),
    };
    if let (Some(entity), Some(locked)) = (&sent.entity, locked) {
        let _ = writeln!(out, "    {}", styled(YELLOW, format!("rows of {entity}: {locked}")));
    }
    if sent.each_row {
        let _ = writeln!(out, "    {}", styled(DIM, "once for each row"));
    }
}
