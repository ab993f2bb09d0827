//! Events as those outside meet them.

use model::{EventId, Model, kebab_case, snake_case};

use super::{Names, record_member};
use crate::contract::{Contract, EventType, Webhook};

/// The events of a model. `contract` holds its name and version.
pub(super) fn events(model: &Model, contract: &Contract, names: &mut Names) -> Vec<EventType> {
    let ids = (0..model.events.len()).map(|at| EventId(at as u32));
    ids.map(|id| event(model, contract, id, names)).collect()
}

fn event(model: &Model, contract: &Contract, id: EventId, names: &mut Names) -> EventType {
    let item = &model.events[id.index()];
    let service = model.services[item.service.index()].name.as_str();
    let app = kebab_case(&snake_case(&contract.name));
    let around = [app, kebab_case(service)];
    let around: Vec<&str> = around.iter().map(String::as_str).filter(|it| !it.is_empty()).collect();
    let version = format!("v{}", contract.version);
    let kind: Vec<&str> = around.iter().copied().chain([item.name.as_str(), &version]).collect();
    EventType {
        event: id,
        name: names.schema(&item.name, service),
        stored: stored(service, &item.name),
        kind: kind.join("."),
        source: format!("/{}", around.join("/")),
        from: item.from.clone(),
        docs: item.docs.clone(),
        tag: item.service.index(),
        key: item.by.and_then(|by| item.fields.iter().position(|field| *field == by)),
        grant: super::granted(model, &item.readers),
        replay: super::granted(model, &item.replayers),
        members: item.fields.iter().map(|field| record_member(model, *field)).collect(),
    }
}

/// What a store is told when it is published (`plan` tells it).
fn stored(service: &str, name: &str) -> String {
    if service.is_empty() { name.to_owned() } else { format!("{service}.{name}") }
}

/// What is sent to partners.
pub(super) fn webhooks(model: &Model) -> Vec<Webhook> {
    let webhooks = model.webhooks.iter().map(|item| Webhook {
        name: item.name.clone(),
        docs: item.docs.clone(),
        events: item.events.clone(),
        receives: item
            .receives
            .iter()
            .map(|received| {
                let name = &model.events[received.event.index()].name;
                (received.event, received.kind.clone().unwrap_or_else(|| name.clone()))
            })
            .collect(),
    });
    webhooks.collect()
}
