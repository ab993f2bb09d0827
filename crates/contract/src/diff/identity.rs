//! What is the same in two models, whatever it is called now.

use std::collections::HashMap;

use model::{EntityId, EnumId, ErrorId, EventId, FieldId, Model, RecordId, Type};

/// Pairs of an old and a new thing.
pub(super) struct Identity {
    pub(super) entities: Vec<(EntityId, EntityId)>,
    pub(super) enums: Vec<(EnumId, EnumId)>,
    pub(super) records: Vec<(RecordId, RecordId)>,
    pub(super) events: Vec<(EventId, EventId)>,
    pub(super) errors: Vec<(ErrorId, ErrorId)>,
    /// Of entities only.
    pub(super) fields: Vec<(FieldId, FieldId)>,
    old_names: HashMap<FieldId, String>,
}

impl Identity {
    pub(super) fn of(old: &Model, new: &Model) -> Self {
        let entities = entities(old, new);
        let mut fields = Vec::new();
        for (before, after) in &entities {
            fields.extend(self::fields(old, new, *before, *after));
        }
        let old_names =
            fields.iter().map(|(before, after)| (*after, old[*before].name.to_string())).collect();
        let named = |service: model::ServiceId, name: &str, model: &Model| {
            format!("{}.{name}", model.services[service.index()].name)
        };
        Self {
            enums: enums(old, new, &fields),
            records: pairs(
                old.records.iter().map(|it| named(it.service, &it.name, old)),
                new.records.iter().map(|it| named(it.service, &it.name, new)),
                RecordId,
            ),
            events: pairs(
                old.events.iter().map(|it| named(it.service, &it.name, old)),
                new.events.iter().map(|it| named(it.service, &it.name, new)),
                EventId,
            ),
            errors: pairs(
                old.errors.iter().map(|it| named(it.service, &it.name, old)),
                new.errors.iter().map(|it| named(it.service, &it.name, new)),
                ErrorId,
            ),
            entities,
            fields,
            old_names,
        }
    }

    /// What a field of the new model was called in the old one.
    pub(super) fn old_name<'a>(&'a self, new: &'a Model, field: FieldId) -> &'a str {
        self.old_names.get(&field).map_or(&new[field].name, String::as_str)
    }

    pub(super) fn new_entity(&self, old: EntityId) -> Option<EntityId> {
        self.entities.iter().find(|(before, _)| *before == old).map(|(_, after)| *after)
    }

    pub(super) fn old_entity(&self, new: EntityId) -> Option<EntityId> {
        self.entities.iter().find(|(_, after)| *after == new).map(|(before, _)| *before)
    }

    pub(super) fn new_field(&self, old: FieldId) -> Option<FieldId> {
        self.fields.iter().find(|(before, _)| *before == old).map(|(_, after)| *after)
    }

    pub(super) fn is_new_field(&self, new: FieldId) -> bool {
        !self.old_names.contains_key(&new)
    }

    pub(super) fn new_error(&self, old: ErrorId) -> Option<ErrorId> {
        self.errors.iter().find(|(before, _)| *before == old).map(|(_, after)| *after)
    }

    pub(super) fn new_event(&self, old: EventId) -> Option<EventId> {
        self.events.iter().find(|(before, _)| *before == old).map(|(_, after)| *after)
    }
}

/// Pairs by equal keys.
fn pairs<Id>(
    old: impl Iterator<Item = String>,
    new: impl Iterator<Item = String>,
    id: fn(u32) -> Id,
) -> Vec<(Id, Id)> {
    let after: HashMap<String, u32> = new.zip(0..).collect();
    old.zip(0..)
        .filter_map(|(name, before)| after.get(&name).map(|after| (id(before), id(*after))))
        .collect()
}

/// By name within its service, else by `was`, else by name in another service.
fn entities(old: &Model, new: &Model) -> Vec<(EntityId, EntityId)> {
    let service =
        |model: &Model, id: EntityId| model.services[model[id].service.index()].name.clone();
    let same = |before: EntityId, after: EntityId| {
        old[before].name == new[after].name && service(old, before) == service(new, after)
    };
    let was = |before: EntityId, after: EntityId| {
        new[after].was.as_deref() == Some(old[before].name.as_str())
    };
    let moved = |before: EntityId, after: EntityId| old[before].name == new[after].name;
    let steps: [&dyn Fn(EntityId, EntityId) -> bool; 3] = [&same, &was, &moved];
    let mut found: Vec<(EntityId, EntityId)> = Vec::new();
    for step in steps {
        for after in new.entity_ids() {
            if found.iter().any(|(_, taken)| *taken == after) {
                continue;
            }
            let free = |before: &EntityId| !found.iter().any(|(taken, _)| taken == before);
            if let Some(before) = old.entity_ids().filter(free).find(|it| step(*it, after)) {
                found.push((before, after));
            }
        }
    }
    found.sort_unstable();
    found
}

/// By name, else by `was`. Of two halves of one text neither is what the whole was.
fn fields(old: &Model, new: &Model, before: EntityId, after: EntityId) -> Vec<(FieldId, FieldId)> {
    let mut found = Vec::new();
    for field in &new[after].fields {
        let item = &new[*field];
        let was = item
            .was
            .as_deref()
            .filter(|was| item.half.is_none() && new.field_named(after, was).is_none());
        let same = old
            .field_named(before, &item.name)
            .or_else(|| was.and_then(|was| old.field_named(before, was)));
        if let Some(same) = same.filter(|same| !found.iter().any(|(taken, _)| taken == same)) {
            found.push((same, *field));
        }
    }
    found
}

/// By name, else by `was`, else as what a field of both models is made of: an inline enum is called after its field.
fn enums(old: &Model, new: &Model, fields: &[(FieldId, FieldId)]) -> Vec<(EnumId, EnumId)> {
    let ids = |model: &Model| (0..model.enums.len() as u32).map(EnumId).collect::<Vec<_>>();
    let mut found: Vec<(EnumId, EnumId)> = Vec::new();
    // A field that both models have says more than a name that other fields may share.
    for (before, after) in fields {
        if let (Type::Enum(before), Type::Enum(after)) = (&old[*before].ty, &new[*after].ty) {
            let taken = found.iter().any(|(a, b)| a == before || b == after);
            if !taken && old[*before].inline && new[*after].inline {
                found.push((*before, *after));
            }
        }
    }
    let named = |before: EnumId, after: EnumId| old[before].name == new[after].name;
    let was = |before: EnumId, after: EnumId| {
        new[after].was.as_deref() == Some(old[before].name.as_str())
    };
    let of_field = |before: EnumId, after: EnumId| {
        fields
            .iter()
            .any(|(a, b)| old[*a].ty == Type::Enum(before) && new[*b].ty == Type::Enum(after))
    };
    let steps: [&dyn Fn(EnumId, EnumId) -> bool; 3] = [&named, &was, &of_field];
    for step in steps {
        for after in ids(new) {
            if found.iter().any(|(_, taken)| *taken == after) {
                continue;
            }
            let free = |before: &EnumId| !found.iter().any(|(taken, _)| taken == before);
            if let Some(before) = ids(old).into_iter().filter(free).find(|it| step(*it, after)) {
                found.push((before, after));
            }
        }
    }
    found.sort_unstable();
    found
}
