//! Where what has changed stands in the text.

use contract::Change;
use syntax::Span;

use super::Facts;
use crate::Findings;

impl Facts<'_> {
    /// A finding for each change of a code.
    pub(crate) fn report_changes(&self, code: &str, findings: &mut Findings) {
        let changes = self.before.map_or(&[][..], |before| before.changes);
        for change in changes.iter().filter(|change| change.code() == Some(code)) {
            let (span, path) = self.place_of(change);
            let (kind, said) = (change.kind, format!("{} {}", change.item, change.message));
            let finding = findings
                .at(span, said)
                .text(format!("breaks the {}", kind.audience().name()))
                .note(kind.reason())
                .help(kind.way());
            findings.add(path, finding);
        }
    }

    /// The place of a change, and the path of the item there: the smallest item that is still there and has what changed.
    pub(crate) fn place_of(&self, change: &Change) -> (Span, String) {
        let item = change.item.split('(').next().unwrap_or(&change.item);
        let found = match item.split_once(' ') {
            Some((_, path)) if path.starts_with('/') => self.place_of_path(path),
            Some((_, name)) => self.place_of_name(name),
            None => self.place_of_name(item),
        };
        found.unwrap_or_else(|| {
            let app = self.model.app.as_ref();
            (app.map_or_else(Span::default, |app| app.span), "design".to_owned())
        })
    }

    /// What is behind a path of the surface.
    fn place_of_path(&self, path: &str) -> Option<(Span, String)> {
        let path = path.split(['?', ' ']).next().unwrap_or(path);
        let contract = self.contract;
        let resource = contract.resources.iter().find(|it| it.path == path || it.item_path == path);
        if let Some(resource) = resource {
            let id = resource.entity;
            return Some((self.model[id].span, self.entity_path(id)));
        }
        if let Some(route) = contract.queries.iter().find(|it| it.path == path) {
            return Some((self.model[route.query].span, self.query_path(route.query)));
        }
        let route = contract.commands.iter().find(|it| it.path == path)?;
        let command = &self.model.commands[route.command.index()];
        Some((command.span, self.command_path(route.command)))
    }

    /// What has a name, maybe with that of its service before it, and of one of its members behind it.
    fn place_of_name(&self, name: &str) -> Option<(Span, String)> {
        let model = self.model;
        let mut words = name.split('.').peekable();
        let first = words.next()?;
        let is_service = model.services.iter().any(|it| !it.name.is_empty() && it.name == first);
        let (service, item) = match words.peek() {
            Some(second) if is_service => (Some(first), *second),
            _ => (None, first),
        };
        if service.is_some() {
            words.next();
        }
        let within = |id: model::ServiceId| {
            service.is_none_or(|service| model.services[id.index()].name == service)
        };
        let entity =
            model.entity_ids().find(|id| model[*id].name == item && within(model[*id].service));
        if let Some(id) = entity {
            let field = words.next().and_then(|field| model.field_named(id, field));
            return Some(match field {
                Some(field) => (model[field].span, self.field_path(id, field)),
                None => (model[id].span, self.entity_path(id)),
            });
        }
        let path = |service| self.path(service, item);
        let records = model.records.iter().map(|it| (&it.name, it.service, it.span));
        let events = model.events.iter().map(|it| (&it.name, it.service, it.span));
        let errors = model.errors.iter().map(|it| (&it.name, it.service, it.span));
        let queries = model.queries.iter().map(|it| (&it.name, it.service, it.span));
        let commands = model.commands.iter().map(|it| (&it.name, it.service, it.span));
        let mut all = records.chain(events).chain(errors).chain(queries).chain(commands);
        let found = all.find(|(name, service, _)| *name == item && within(*service));
        if let Some((_, service, span)) = found {
            return Some((span, path(service)));
        }
        // These belong to no service.
        let enums = model.enums.iter().map(|it| (&it.name, it.span));
        let webhooks = model.webhooks.iter().map(|it| (&it.name, it.span));
        let roles = model.roles.iter().map(|it| (&it.name, it.span));
        let (name, span) = enums.chain(webhooks).chain(roles).find(|(name, _)| *name == item)?;
        Some((span, name.clone()))
    }
}
