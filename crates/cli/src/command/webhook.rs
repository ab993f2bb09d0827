//! `mimar webhook`: who hears of events, and what is delivered to them.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use engine::Loaded;
use engine::webhook::{Secret, Target, kind};
use operation::{Chore, Fault, Hook, Write};
use serde_json::{Value, json};
use store::Store;

use crate::arguments::{
    DataPlace, Webhook, WebhookAdd, WebhookDeliveries, WebhookForm, WebhookOne, WebhookReplay,
    WebhookRotate,
};
use crate::failure::Failure;
use crate::place::Place;
use crate::project::Project;
use crate::screen::{self, BOLD, DIM, GREEN, RED, YELLOW, styled};

/// How many events are sent again in one transaction.
const REPLAYED: i64 = 5_000;

/// Who disabled an endpoint, where nobody else did.
const BY_HAND: &str = "disabled by hand";

pub(crate) fn run(command: &Webhook) -> Result<(), Failure> {
    match command {
        Webhook::Add(arguments) => add(arguments),
        Webhook::List(arguments) => list(&arguments.form),
        Webhook::Remove(arguments) => remove(arguments),
        Webhook::Enable(arguments) => enable(arguments),
        Webhook::Disable(arguments) => disable(arguments),
        Webhook::Rotate(arguments) => rotate(arguments),
        Webhook::Deliveries(arguments) => deliveries(arguments),
        Webhook::Replay(arguments) => replay(arguments),
    }
}

fn add(arguments: &WebhookAdd) -> Result<(), Failure> {
    let WebhookAdd { name, url, secret, form } = arguments;
    let wrong = |reason: &str| Failure::Endpoint { reason: reason.to_owned() };
    let target = url.as_deref().map(Target::parse).transpose();
    let target = target.map_err(|fault| wrong(&fault.to_string()))?;
    let Opened { loaded, store } = open(form)?;
    let Some(webhook) = loaded.model.webhooks.iter().find(|known| known.name == *name) else {
        let known: Vec<&str> = loaded.model.webhooks.iter().map(|known| &*known.name).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(Failure::UnknownWebhook { name: name.clone(), known });
    };
    let receives = !webhook.receives.is_empty();
    let url = match url {
        Some(_) if receives => {
            return Err(wrong("this webhook receives: leave the address out"));
        }
        None if !receives => return Err(wrong("say where it is: https://…")),
        Some(url) => url.clone(),
        None => format!("/hooks/{name}"),
    };
    let (secret, is_ours) = brought(secret.as_deref())?;
    let id = ask(
        &store,
        Hook::Add {
            webhook: name.as_str().into(),
            url: url.as_str().into(),
            secret: secret.as_str().into(),
            now: now(),
        },
    )?;
    if form.json {
        // Who has brought a secret has it.
        let shown = is_ours.then_some(&secret);
        print(&json!({"id": id, "webhook": name, "url": url, "secret": shown}));
    } else {
        screen::out(&format!("Endpoint {} of {name}: {url}\n", styled(BOLD, &id)));
        if is_ours {
            screen::out(&format!("Secret {secret}\n"));
            let does = if receives { "signs" } else { "verifies signatures" };
            screen::note(&format!("The secret is shown this once; the partner {does} with it."));
        }
    }
    let kind_of = |target: &Target| target.host.parse().ok().and_then(kind);
    let found = target.as_ref().and_then(kind_of);
    if let Some(kind) = found.filter(|kind| !kind.is_own()) {
        screen::note(&format!(
            "{}: nothing is ever sent there: the address is that of {}",
            styled(YELLOW, "note"),
            kind.as_str()
        ));
    } else if let Some(target) = target.filter(|target| found.is_some() || !target.encrypted) {
        let reason = match found {
            Some(kind) => format!("the address is that of {}", kind.as_str()),
            None => format!("what is sent to `http://{}` can be read on its way", target.host),
        };
        screen::note(&format!(
            "{}: {reason}: only `mimar dev` and `mimar serve --webhooks-to-private` send there",
            styled(YELLOW, "note")
        ));
    }
    Ok(())
}

fn list(form: &WebhookForm) -> Result<(), Failure> {
    let endpoints = ask(&open(form)?.store, Hook::List)?;
    if form.json {
        print(&endpoints);
        return Ok(());
    }
    let endpoints = endpoints.as_array().map_or(&[][..], Vec::as_slice);
    if endpoints.is_empty() {
        screen::note("There is no endpoint; `mimar webhook add NAME URL` makes one.");
    }
    let mut text = String::new();
    for endpoint in endpoints {
        let state = match (endpoint["enabled"].as_bool(), endpoint["reason"].as_str()) {
            (Some(true), _) => styled(GREEN, "enabled"),
            (_, reason) => styled(RED, format!("disabled: {}", reason.unwrap_or("no reason"))),
        };
        text.push_str(&format!(
            "{}  {}  {}  {state}\n",
            styled(BOLD, &endpoint["id"]),
            shown(&endpoint["webhook"]),
            shown(&endpoint["url"]),
        ));
        text.push_str(&styled(
            DIM,
            format!(
                "   {} waiting, last success {}, last failure {}\n",
                endpoint["waiting"],
                shown(&endpoint["last_success"]),
                shown(&endpoint["last_failure"]),
            ),
        ));
    }
    screen::out(&text);
    Ok(())
}

fn remove(arguments: &WebhookOne) -> Result<(), Failure> {
    one(arguments, Hook::Remove { endpoint: arguments.id }, "removed")
}

fn enable(arguments: &WebhookOne) -> Result<(), Failure> {
    one(arguments, Hook::Enable { endpoint: arguments.id, now: now() }, "enabled")
}

fn disable(arguments: &WebhookOne) -> Result<(), Failure> {
    one(arguments, Hook::Disable { endpoint: arguments.id, reason: BY_HAND.into() }, "disabled")
}

fn one(arguments: &WebhookOne, hook: Hook, what: &str) -> Result<(), Failure> {
    let WebhookOne { id, form } = arguments;
    of_endpoint(*id, ask(&open(form)?.store, hook))?;
    if form.json {
        print(&json!({"id": id, "state": what}));
    } else {
        screen::note(&format!("endpoint {id} is {what}"));
    }
    Ok(())
}

fn rotate(arguments: &WebhookRotate) -> Result<(), Failure> {
    let WebhookRotate { id, overlap, secret, form } = arguments;
    let ((secret, is_ours), now) = (brought(secret.as_deref())?, now());
    let until = now.saturating_add(i64::try_from(overlap.as_micros()).unwrap_or(i64::MAX));
    let hook = Hook::Rotate { endpoint: *id, secret: secret.as_str().into(), now, until };
    of_endpoint(*id, ask(&open(form)?.store, hook))?;
    if form.json {
        print(&json!({"id": id, "secret": is_ours.then_some(&secret)}));
    } else {
        if is_ours {
            screen::out(&format!("Secret {secret}\n"));
            screen::note("It is shown this once.");
        }
        screen::note(&format!(
            "The secret before holds beside it for {}: deliveries to endpoint {id} carry both signatures, and what comes in may carry either.",
            contract::duration(i64::try_from(overlap.as_micros()).unwrap_or(i64::MAX))
        ));
    }
    Ok(())
}

fn deliveries(arguments: &WebhookDeliveries) -> Result<(), Failure> {
    let WebhookDeliveries { id, limit, form } = arguments;
    let store = open(form)?.store;
    let deliveries = ask(&store, Hook::Deliveries { endpoint: *id, most: *limit })?;
    // What was sent to one that is gone is still told.
    if let (Some(id), Some([])) = (*id, deliveries.as_array().map(Vec::as_slice)) {
        let endpoints = ask(&store, Hook::List)?;
        if !endpoints.as_array().into_iter().flatten().any(|known| known["id"] == id) {
            return Err(Failure::NoEndpoint { id });
        }
    }
    if form.json {
        print(&deliveries);
        return Ok(());
    }
    let mut text = String::new();
    for delivery in deliveries.as_array().map_or(&[][..], Vec::as_slice) {
        let state = match delivery["state"].as_str() {
            Some(state @ "delivered") => styled(GREEN, state),
            Some(state @ "parked") => styled(RED, state),
            state => styled(YELLOW, state.unwrap_or("")),
        };
        text.push_str(&format!(
            "{}  to {}  {state} after {}  {}\n",
            shown(&delivery["made"]),
            delivery["endpoint"],
            screen::count(delivery["attempts"].as_u64().unwrap_or(0), "attempt", "attempts"),
            shown(&delivery["name"]),
        ));
        let mut more = format!("   {}", shown(&delivery["event"]));
        for (label, member) in [("key", "key"), ("because", "reason"), ("again", "due")] {
            if !delivery[member].is_null() {
                more.push_str(&format!(", {label} {}", shown(&delivery[member])));
            }
        }
        text.push_str(&styled(DIM, more));
        text.push('\n');
    }
    if text.is_empty() {
        screen::note("nothing was sent yet");
    }
    screen::out(&text);
    Ok(())
}

fn replay(arguments: &WebhookReplay) -> Result<(), Failure> {
    let WebhookReplay { id, since, form } = arguments;
    let Opened { loaded, store } = open(form)?;
    let endpoints = ask(&store, Hook::List)?;
    let mut all = endpoints.as_array().into_iter().flatten();
    let endpoint = all.find(|known| known["id"] == *id).ok_or(Failure::NoEndpoint { id: *id })?;
    let webhook = endpoint["webhook"].as_str().unwrap_or_default();
    let names = json!(loaded.plan.sent_by(webhook).unwrap_or_default()).to_string();
    let (mut count, mut after) = (0, 0);
    loop {
        let hook = Hook::Replay {
            endpoint: *id,
            names: names.as_str().into(),
            since: since.0,
            after,
            now: now(),
            most: REPLAYED,
        };
        let told = of_endpoint(*id, ask(&store, hook))?;
        count += told[0].as_u64().unwrap_or(0);
        let Some(last) = told[1].as_i64() else { break };
        after = last;
    }
    if form.json {
        print(&json!({"id": id, "events": count}));
    } else {
        let events = screen::count(count, "event is", "events are");
        screen::note(&format!("{events} sent again to endpoint {id}"));
    }
    Ok(())
}

/// A model, and the database beside it.
struct Opened {
    loaded: Loaded,
    store: Store,
}

/// The tables of the model may be as they are: nothing of them is asked.
fn open(form: &WebhookForm) -> Result<Opened, Failure> {
    let DataPlace { project, database, environment } = &form.place;
    let (project, model) = Project::read(project)?.valid()?;
    let place = match (database, environment) {
        (None, None) => Place::of_development(&project, &model)?,
        (said, named) => Place::of_production(said.as_ref(), named.as_deref(), &project, &model)?,
    };
    if let Some(path) = place.file().filter(|path| !path.exists()) {
        return Err(Failure::NoDatabase { path: path.to_owned() });
    }
    let schema = Arc::new(schema::derive(&model, place.dialect()));
    let store = place.open()?;
    // Not a server, that somebody would wait for.
    store.call("mimar webhook");
    Ok(Opened { loaded: Loaded::new(Arc::new(model), schema), store })
}

/// What the database says, as JSON.
fn ask(store: &Store, hook: Hook) -> Result<Value, Failure> {
    let written = store.write_blocking(Write::Chore(Chore::Hook(hook)))?;
    let json = written.json.unwrap_or_default();
    Ok(serde_json::from_slice(&json).unwrap_or_default())
}

fn of_endpoint(id: i64, told: Result<Value, Failure>) -> Result<Value, Failure> {
    match told {
        Err(Failure::Fault(Fault::NotFound)) => Err(Failure::NoEndpoint { id }),
        told => told,
    }
}

/// The secret that was brought along, or a new one; whether it is new.
fn brought(secret: Option<&str>) -> Result<(String, bool), Failure> {
    match secret {
        None => Ok((fresh()?, true)),
        Some(secret) if Secret::parse(secret).is_some() => Ok((secret.to_owned(), false)),
        Some(_) => {
            let reason = "a secret is `whsec_` and base64 of 24 to 64 bytes".to_owned();
            Err(Failure::Endpoint { reason })
        }
    }
}

fn fresh() -> Result<String, Failure> {
    Secret::fresh().map(|secret| secret.reveal()).ok_or(Failure::NoRandom)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

fn print(value: &Value) {
    screen::out(&format!("{value}\n"));
}

/// A text without its quotes, and `never` for what is not there.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "never".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
