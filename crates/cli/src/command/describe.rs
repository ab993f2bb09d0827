//! `mimar describe`

use std::fmt::Write as _;

use contract::{Description, EntityDescription, FieldDescription};

use crate::arguments::{Describe, Output};
use crate::failure::Failure;
use crate::project::Project;
use crate::screen;

pub(crate) fn run(arguments: &Describe) -> Result<(), Failure> {
    let (_, model) = Project::read(&arguments.path)?.valid()?;
    let description = contract::describe(&model);
    screen::out(&match arguments.format {
        Output::Text => text(&description),
        Output::Json => {
            format!("{:#}\n", serde_json::to_value(&description).map_err(Failure::Json)?)
        }
    });
    Ok(())
}

/// For people: an outline with a line for each thing.
pub(crate) fn text(it: &Description) -> String {
    let mut page = format!("{} v{}", it.app, it.version);
    if let Some(docs) = &it.docs {
        let _ = write!(page, ": {}", docs.replace('\n', " "));
    }
    page.push('\n');
    let roles = it.roles.iter().map(|role| match &role.entity {
        Some(entity) => format!("{} (a row of {entity})", role.name),
        None => role.name.clone(),
    });
    section(&mut page, "roles", roles);
    section(&mut page, "entities", it.entities.iter().map(entity));
    let enums = it.enums.iter().map(|it| format!("{} {{ {} }}", it.name, it.labels.join(", ")));
    section(&mut page, "enums", enums);
    let records = it.records.iter().map(|it| format!("{} {{ {} }}", it.name, list(&it.fields)));
    section(&mut page, "records", records);
    let queries = it.queries.iter().map(|it| {
        let bounds = it.r#where.as_ref().map_or(String::new(), |it| format!(" where {it}"));
        let parameters = list(&it.parameters);
        format!("{}({parameters}) -> {}{bounds}, {} of a page", it.name, it.answers, it.page[0])
    });
    section(&mut page, "queries", queries);
    let commands = it.commands.iter().map(|it| {
        let answers = it.answers.as_ref().map_or(String::new(), |it| format!(" -> {it}"));
        let errors = match it.errors.as_slice() {
            [] => String::new(),
            errors => format!(", may raise {}", errors.join(", ")),
        };
        let code = if it.by_code { ", by code" } else { "" };
        format!("{}({}){answers}{errors}{code}", it.name, list(&it.parameters))
    });
    section(&mut page, "commands", commands);
    let errors = it.errors.iter().map(|it| {
        format!(
            "{} {} `{}` {:?} {{ {} }}",
            it.name,
            it.status,
            it.code,
            it.message,
            list(&it.fields)
        )
    });
    section(&mut page, "errors", errors);
    let events = it.events.iter().map(|it| {
        let by = it.by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
        let from = it.from.as_ref().map_or(String::new(), |from| format!(" from {from:?}"));
        let heard = match it.heard_by.as_slice() {
            [] => String::new(),
            heard => format!(", runs {}", heard.join(", ")),
        };
        format!("{}{from}{by} {{ {} }}{heard}", it.name, list(&it.fields))
    });
    section(&mut page, "events", events);
    section(&mut page, "jobs", it.jobs.iter().map(|it| format!("{} {}", it.name, it.when)));
    let webhooks = it.webhooks.iter().map(|it| {
        let said = [("sends", &it.sends), ("receives", &it.receives)];
        let said = said.iter().filter(|(_, events)| !events.is_empty());
        let said: Vec<String> =
            said.map(|(verb, events)| format!("{verb} {}", events.join(", "))).collect();
        format!("{} {}", it.name, said.join(", "))
    });
    section(&mut page, "webhooks", webhooks);
    let workflows = it.workflows.iter().map(|it| {
        let on = it.on.as_ref().map_or(String::new(), |event| format!(" on {event}"));
        format!("{}{on}: {}", it.name, it.steps.join(", "))
    });
    section(&mut page, "workflows", workflows);
    let externals =
        it.externals.iter().map(|it| format!("{}: {}", it.name, it.operations.join(", ")));
    section(&mut page, "externals", externals);
    section(&mut page, "limits", it.limits.iter().cloned());
    section(&mut page, "promises", it.promises.iter().cloned());
    let loads = it.loads.iter().flat_map(|load| {
        let rows =
            load.rows.iter().map(|it| format!("{}: {} {} rows", load.name, it.entity, it.rows));
        let rates = load.rates.iter().map(|it| {
            let peak = it.peak.map_or(String::new(), |peak| format!(", peak {peak}/s"));
            format!("{}: {} {}/s{peak}", load.name, it.of, it.per_second)
        });
        rows.chain(rates).collect::<Vec<_>>()
    });
    section(&mut page, "load", loads);
    let environments = it.environments.iter().map(|it| {
        let engines = [("store", &it.store), ("cache", &it.cache), ("broker", &it.broker)];
        let engines = engines.iter().filter_map(|(what, engine)| {
            let engine = engine.as_ref()?;
            let at = engine.at.as_ref().map_or(String::new(), |at| format!(" at {at}"));
            Some(format!("{what} {}{at}", engine.engine))
        });
        format!("{}: {}", it.name, engines.collect::<Vec<_>>().join(", "))
    });
    section(&mut page, "environments", environments);
    let routes = it.routes.iter().map(|it| {
        let mut line = format!("{:<6} {}  [{}]", it.method, it.path, it.roles.join(", "));
        if !it.filters.is_empty() {
            let _ = write!(line, "  filters {}", it.filters.join(", "));
        }
        line
    });
    section(&mut page, "routes", routes);
    page
}

fn section(page: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return;
    }
    let _ = write!(page, "\n{title}\n");
    for line in lines {
        let _ = writeln!(page, "  {line}");
    }
}

fn entity(it: &EntityDescription) -> String {
    let mut text = it.name.clone();
    if let Some(part) = &it.part_of {
        let _ = write!(
            text,
            ", part of {} as {} ({}..{})",
            part.root, part.member, part.least, part.most
        );
    }
    for it in &it.fields {
        let _ = write!(text, "\n    {}", field(it));
        for word in &it.traits {
            let _ = write!(text, " {word}");
        }
        if let Some(default) = &it.default {
            let _ = write!(text, " = {default}");
        }
        if let Some(computed) = &it.computed {
            let _ = write!(text, " := {computed}");
        }
    }
    for (word, sets) in [("unique", &it.unique), ("index", &it.indexes)] {
        for fields in sets {
            let _ = write!(text, "\n    {word} ({})", fields.join(", "));
        }
    }
    for check in &it.checks {
        let _ = write!(text, "\n    check {check}");
    }
    for flow in &it.flows {
        let _ = write!(text, "\n    flow {flow}");
    }
    text
}

fn field(it: &FieldDescription) -> String {
    format!("{}: {}{}", it.name, it.r#type, if it.optional { "?" } else { "" })
}

fn list(fields: &[FieldDescription]) -> String {
    fields.iter().map(field).collect::<Vec<_>>().join(", ")
}
