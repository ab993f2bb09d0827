//! Events and webhooks, as consumers meet them.

use model::EventId;

use super::shape::compare;
use super::{Kind, Report};
use crate::{EventType, Grant, Member, Webhook};

pub(super) fn changes(report: &mut Report<'_>) {
    let (old, new) = (report.old, report.new);
    for before in &old.contract.events {
        match report.identity.new_event(before.event) {
            Some(after) => both(report, before, new.contract.event(after)),
            None => report.found.add(Kind::EventRemoved, item(before), "is not published any more"),
        }
    }
    for after in &new.contract.events {
        if !report.identity.events.iter().any(|(_, known)| *known == after.event) {
            report.found.add(Kind::EventAdded, item(after), "is new");
        }
    }
    webhooks(report);
}

fn item(event: &EventType) -> String {
    format!("event {}", event.stored)
}

fn both(report: &mut Report<'_>, old: &EventType, new: &EventType) {
    let item = item(new);
    if old.from != new.from {
        let said =
            |it: &Option<String>| it.clone().map_or("this app".to_owned(), |it| format!("{it:?}"));
        report.found.add(
            Kind::EventOriginChanged,
            &item,
            format!("comes from {}, was from {}", said(&new.from), said(&old.from)),
        );
    }
    // What another system publishes has the type and source that it says.
    if new.from.is_none() && old.from.is_none() {
        if old.kind != new.kind {
            report.found.add(
                Kind::EventTypeChanged,
                &item,
                format!("its type is `{}`, was `{}`", new.kind, old.kind),
            );
        }
        if old.source != new.source {
            report.found.add(
                Kind::EventSourceChanged,
                &item,
                format!("its source is `{}`, was `{}`", new.source, old.source),
            );
        }
    }
    let key = |event: &EventType| {
        event.key.and_then(|at| event.members.get(at)).map(|it| it.name.clone())
    };
    if key(old) != key(new) {
        let said = |it: Option<String>| it.map_or("nothing".to_owned(), |it| format!("`{it}`"));
        report.found.add(
            Kind::EventKeyChanged,
            &item,
            format!("is ordered by {}, was by {}", said(key(new)), said(key(old))),
        );
    }
    let incoming = comes_in(report.old, old) && comes_in(report.new, new);
    if incoming {
        incoming_members(report, &item, &old.members, &new.members);
    }
    // What comes in goes out as well where somebody may read it.
    if !incoming || !old.grant.is_empty() {
        members(report, &item, &old.members, &new.members);
    }
    let kinds = (Kind::ReadersWidened, Kind::ReadersNarrowed);
    granted(report, &item, (&old.grant, &new.grant), kinds, "read");
    let kinds = (Kind::ReplayersWidened, Kind::ReplayersNarrowed);
    granted(report, &item, (&old.replay, &new.replay), kinds, "replay");
}

/// Whether others publish it: at the broker, or through a webhook.
fn comes_in(side: super::Side<'_>, event: &EventType) -> bool {
    let mut received = side.contract.webhooks.iter().flat_map(|it| &it.receives);
    event.from.is_some() || received.any(|(received, _)| *received == event.event)
}

/// Members of an event that others publish: as in a request, the narrower is the stricter.
fn incoming_members(report: &mut Report<'_>, item: &str, old: &[Member], new: &[Member]) {
    for before in old {
        let item = format!("{item}.{}", before.name);
        let Some(after) = new.iter().find(|it| it.name == before.name) else {
            report.found.add(Kind::IncomingRemoved, item, "is gone");
            continue;
        };
        if before.nullable != after.nullable {
            let said = if after.nullable { "may be left out now" } else { "must be there now" };
            let kinds = (Kind::IncomingWidened, Kind::IncomingRequired);
            report.found.add_either(after.nullable, kinds, &item, said.to_owned());
        }
        let difference = compare(report, &before.shape, &after.shape);
        if let Some((was, is)) = difference.other {
            report.found.add(Kind::IncomingTypeChanged, &item, format!("is {is}, was {was}"));
        }
        for said in difference.narrower {
            report.found.add(Kind::IncomingNarrowed, &item, said);
        }
        for said in difference.wider {
            report.found.add(Kind::IncomingWidened, &item, said);
        }
    }
    for after in new.iter().filter(|it| !old.iter().any(|before| before.name == it.name)) {
        let required = !after.nullable;
        let said = if required { "is new, and must be there" } else { "is new" };
        let kinds = (Kind::IncomingRequired, Kind::IncomingAdded);
        report.found.add_either(
            required,
            kinds,
            &format!("{item}.{}", after.name),
            said.to_owned(),
        );
    }
}

/// Members of an event that goes out, or of a record in one.
pub(super) fn members(report: &mut Report<'_>, item: &str, old: &[Member], new: &[Member]) {
    for before in old {
        let item = format!("{item}.{}", before.name);
        let Some(after) = new.iter().find(|it| it.name == before.name) else {
            report.found.add(Kind::MemberRemoved, item, "is gone");
            continue;
        };
        if before.nullable != after.nullable {
            let said = if after.nullable { "may be null now" } else { "is never null now" };
            let kinds = (Kind::MemberOptional, Kind::MemberNotOptional);
            report.found.add_either(after.nullable, kinds, &item, said.to_owned());
        }
        let difference = compare(report, &before.shape, &after.shape);
        if let Some((was, is)) = difference.other {
            report.found.add(Kind::MemberTypeChanged, &item, format!("is {is}, was {was}"));
        }
        for said in difference.narrower {
            report.found.add(Kind::MemberNarrowed, &item, said);
        }
        for said in difference.wider {
            report.found.add(Kind::MemberWidened, &item, said);
        }
    }
    for after in new.iter().filter(|it| !old.iter().any(|before| before.name == it.name)) {
        report.found.add(Kind::MemberAdded, format!("{item}.{}", after.name), "is new");
    }
}

/// What has become of a grant; `kinds` when it is wider and when it is narrower.
fn granted(
    report: &mut Report<'_>,
    item: &str,
    (old, new): (&Grant, &Grant),
    kinds: (Kind, Kind),
    verb: &str,
) {
    if old.anyone != new.anyone {
        let said = if new.anyone {
            format!("anyone may {verb} it now")
        } else {
            format!("not everybody may {verb} it any more")
        };
        report.found.add_either(new.anyone, kinds, item, said);
    }
    let (wider, narrower) = kinds;
    for role in old.roles.iter().filter(|it| !new.roles.contains(it) && !new.anyone) {
        report.found.add(narrower, item, format!("`{role}` may not {verb} it any more"));
    }
    for role in new.roles.iter().filter(|it| !old.roles.contains(it) && !old.anyone) {
        report.found.add(wider, item, format!("`{role}` may {verb} it now"));
    }
}

fn webhooks(report: &mut Report<'_>) {
    let (old, new) = (report.old, report.new);
    let named = |webhook: &Webhook| format!("webhook {}", webhook.name);
    for before in &old.contract.webhooks {
        match new.contract.webhooks.iter().find(|it| it.name == before.name) {
            Some(after) => webhook(report, &named(before), before, after),
            None => report.found.add(Kind::WebhookRemoved, named(before), "is gone"),
        }
    }
    for after in &new.contract.webhooks {
        if !old.contract.webhooks.iter().any(|it| it.name == after.name) {
            report.found.add(Kind::WebhookAdded, named(after), "is new");
        }
    }
    for before in &old.model.webhooks {
        let Some(after) = new.model.webhooks.iter().find(|it| it.name == before.name) else {
            continue;
        };
        if let (Some(was), Some(is)) = (before.retry, after.retry)
            && was != is
        {
            let said = format!(
                "is tried again for {}, was for {}",
                crate::condition::duration(is),
                crate::condition::duration(was)
            );
            let kinds = (Kind::WebhookRetryShortened, Kind::WebhookRetryLengthened);
            report.found.add_either(is < was, kinds, &format!("webhook {}", after.name), said);
        }
    }
}

fn webhook(report: &mut Report<'_>, item: &str, old: &Webhook, new: &Webhook) {
    let name = |side: super::Side<'_>, id: EventId| side.contract.event(id).stored.clone();
    for event in &old.events {
        let now = report.identity.new_event(*event);
        if now.is_none_or(|now| !new.events.contains(&now)) {
            let name = name(report.old, *event);
            report.found.add(
                Kind::WebhookEventRemoved,
                item,
                format!("does not send {name} any more"),
            );
        }
    }
    let was: Vec<EventId> =
        old.events.iter().filter_map(|it| report.identity.new_event(*it)).collect();
    for event in new.events.iter().filter(|it| !was.contains(it)) {
        let name = name(report.new, *event);
        report.found.add(Kind::WebhookEventAdded, item, format!("sends {name} now"));
    }
    for (_, kind) in
        old.receives.iter().filter(|(_, kind)| !new.receives.iter().any(|(_, it)| it == kind))
    {
        report.found.add(
            Kind::WebhookTypeRemoved,
            item,
            format!("does not take `{kind}` any more"),
        );
    }
    for (_, kind) in
        new.receives.iter().filter(|(_, kind)| !old.receives.iter().any(|(_, it)| it == kind))
    {
        report.found.add(Kind::WebhookTypeAdded, item, format!("takes `{kind}` now"));
    }
}
