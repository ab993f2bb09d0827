//! Faults of data, access and people.

use model::{Action, Entity, ExpressionKind, Grantee, Type};
use syntax::ast::{Item, Member, Modifier, TypeExpr};

use super::{Clean, Mutation, without};

pub(crate) fn mutations(clean: &Clean) -> Vec<Mutation> {
    let mut found = Vec::new();
    for item in clean.items() {
        match item {
            Item::Entity(entity) => of_entity(clean, entity, &mut found),
            Item::Command(command) => {
                let parameters = command.parameters();
                for parameter in parameters.into_iter().flat_map(|it| it.list()) {
                    bound(parameter.type_expr(), &mut found);
                }
            }
            _ => {}
        }
        documentation(clean, item, &mut found);
    }
    found
}

fn of_entity(clean: &Clean, view: syntax::ast::Entity<'_>, found: &mut Vec<Mutation>) {
    let name = view.name().unwrap();
    let id = clean.model.entity_ids().find(|id| clean.model[*id].span == name.span()).unwrap();
    let entity = &clean.model[id];
    for member in view.members() {
        let range = clean.with_blanks(member.span().range());
        match member {
            Member::Index(index) => {
                let first = index.keys().next().and_then(|key| key.field()).unwrap();
                if is_needed(clean, entity, first.text()) {
                    found.push(without("an index that a query or job needs", range, &["DAT001"]));
                }
            }
            Member::Allow(allow) => {
                if let Some(condition) = allow.condition()
                    && holds_to_own(clean, entity, member.span())
                {
                    let end = condition.span().range().end;
                    let before = &clean.text()[..condition.span().range().start];
                    let start = before.rfind("when").unwrap();
                    let range = clean.with_blanks(start..end);
                    found.push(without(
                        "the condition on the owner",
                        range,
                        &["SEC002", "SEC006", "PRI006"],
                    ));
                }
            }
            Member::Audit(_) if staff_writes_what_counts(clean, entity) => {
                found.push(without("the audit of money and people", range, &["SEC012"]));
            }
            Member::Privacy(_) => {
                found.push(without("that a row is a person", range, &["PRI001"]));
                let text = &clean.text()[member.span().range()];
                let at = text.find(", retain").unwrap();
                let start = member.span().range().start + at;
                let range = start..member.span().range().end;
                found.push(without("how long a person is kept", range, &["PRI003"]));
            }
            Member::Field(field) => {
                bound(field.type_expr(), found);
                for modifier in field.modifiers() {
                    if let Modifier::Pii(pii) = modifier {
                        let range = clean.with_blanks(pii.span().range());
                        found.push(without("the class of a personal field", range, &["PRI002"]));
                    }
                }
                if let Some(TypeExpr::Named(named)) = field.type_expr()
                    && named.node().text().starts_with("Money(")
                    && field.computed().is_none()
                {
                    found.push(Mutation {
                        kind: "money as a float",
                        edit: (named.span().range(), "Float".into()),
                        wanted: &["DAT005"],
                    });
                }
            }
            Member::Flow(flow) => transitions(clean, entity, flow, found),
            _ => {}
        }
    }
}

/// Whether a query or a job finds rows by an index that begins with a field, and no other index does.
fn is_needed(clean: &Clean, entity: &Entity, first: &str) -> bool {
    let model = &clean.model;
    let begin = |index: &&model::Index| model[index.keys[0].0].name == first;
    let alone = entity.indexes.iter().filter(begin).count() == 1;
    // A scan of a handful of rows is no fault.
    let rows = model.loads.iter().flat_map(|load| &load.entries).find_map(|entry| match entry {
        model::LoadEntry::Rows(id, rows) if model[*id].span == entity.span => Some(*rows),
        _ => None,
    });
    let field = format!(".{first}");
    let says = |text: &str| {
        text.match_indices(&field).any(|(at, _)| {
            !text[at + field.len()..].starts_with(|it: char| it.is_alphanumeric() || it == '_')
        })
    };
    let asked = clean.items().into_iter().any(|item| match item {
        Item::Query(query) => {
            query.result().is_some_and(|it| it.node().text() == entity.name)
                && query.members().any(|member| match member {
                    syntax::ast::QueryMember::Where(it) => says(it.node().text()),
                    syntax::ast::QueryMember::Sort(it) => says(it.node().text()),
                    _ => false,
                })
        }
        Item::Job(job) => {
            let text = job.node().text();
            text.contains(&format!("in {} where", entity.name)) && says(text)
        }
        _ => false,
    });
    alone && asked && rows.is_none_or(|rows| rows > 50)
}

/// Whether the policies of a line hold a role to rows of its own.
fn holds_to_own(clean: &Clean, entity: &Entity, span: syntax::Span) -> bool {
    entity.policies.iter().filter(|policy| policy.span == span).any(|policy| {
        let role = policy.grantees.iter().any(|it| {
            matches!(it, Grantee::Role(role)
            if clean.model[*role].entity.is_some())
        });
        let text = &clean.text()[policy.condition.as_ref().unwrap().span.range()];
        role && text.contains("caller")
    })
}

fn staff_writes_what_counts(clean: &Clean, entity: &Entity) -> bool {
    let parts = entity.parts.iter().flat_map(|part| &clean.model[*part].fields);
    let counts = entity.fields.iter().chain(parts).any(|field| {
        let field = &clean.model[*field];
        field.pii || matches!(field.ty, Type::Money(_))
    });
    let written = entity.policies.iter().any(|policy| {
        policy.action != Action::Read
            && policy.condition.is_none()
            && policy.grantees.iter().any(|it| matches!(it, Grantee::Role(_)))
    });
    counts && written
}

fn bound(ty: Option<TypeExpr<'_>>, found: &mut Vec<Mutation>) {
    let Some(ty) = ty else { return };
    let text = ty.node().text();
    let start = ty.span().range().start;
    let close = text.rfind(')').map(|at| at + 1);
    let open = match ty {
        TypeExpr::Named(_) if text.starts_with("String(") => text.find('('),
        TypeExpr::List(_) => text.rfind('('),
        _ => None,
    };
    if let (Some(open), Some(close)) = (open, close) {
        found.push(without("a bound", start + open..start + close, &["DAT004"]));
    }
}

/// A transition after whose removal its state is entered by nothing.
fn transitions(
    clean: &Clean,
    entity: &Entity,
    flow: syntax::ast::Flow<'_>,
    found: &mut Vec<Mutation>,
) {
    if entity.policies.iter().any(|policy| policy.action == Action::Create) {
        return;
    }
    let targets: Vec<_> = flow.rules().flat_map(|rule| rule.to()).collect();
    let field = flow.field().unwrap();
    let initial = entity.fields.iter().map(|id| &clean.model[*id]).find_map(|row| {
        let Some(model::Default::Expression(default)) = &row.default else { return None };
        match default.kind {
            ExpressionKind::EnumValue(id, at) if row.name == field.text() => {
                Some(clean.model[id].values[at].name.as_str())
            }
            _ => None,
        }
    });
    for rule in flow.rules() {
        let all: Vec<_> = rule.to().collect();
        for (at, target) in all.iter().enumerate() {
            let entered = targets.iter().filter(|it| it.text() == target.text()).count();
            let pending = rule.from().is_some_and(|from| from.text() == "pending");
            // The job of the shop cancels what is pending.
            let swept = pending && target.text() == "cancelled";
            if (entered > 1 && !swept) || initial == Some(target.text()) {
                continue;
            }
            let own = target.span().range();
            let range = match (all.len(), at) {
                (1, _) => clean.with_blanks(rule.span().range()),
                (_, 0) => own.start..all[1].span().range().start,
                _ => all[at - 1].span().range().end..own.end,
            };
            found.push(without("a transition", range, &["DAT016", "DAT017"]));
        }
    }
}

/// The documentation of an item that others see.
fn documentation(clean: &Clean, item: Item<'_>, found: &mut Vec<Mutation>) {
    let public = match item {
        Item::Command(command) => {
            command.allows().any(|it| it.roles().is_some_and(|it| it.node().text() != "system"))
        }
        Item::Entity(_)
        | Item::Query(_)
        | Item::Event(_)
        | Item::Fault(_)
        | Item::External(_)
        | Item::Webhook(_)
        | Item::Service(_)
        | Item::App(_) => true,
        _ => false,
    };
    if !public || item.docs().is_none() {
        return;
    }
    // From the first line of the documentation to the item, without comments in between.
    let end = item.span().range().start;
    let lines: Vec<&str> = clean.text()[..end].lines().rev().collect();
    let mut start = end;
    for line in lines.iter().skip(usize::from(!clean.text()[..end].ends_with('\n'))) {
        if !line.trim_start().starts_with("//") {
            break;
        }
        start -= 1 + line.len();
    }
    let start = clean.text()[..start].rfind('\n').map_or(0, |at| at + 1);
    let kept: String = clean.text()[start..end]
        .split_inclusive('\n')
        .filter(|line| !line.trim_start().starts_with("///"))
        .collect();
    found.push(Mutation { kind: "documentation", edit: (start..end, kept), wanted: &["API004"] });
}
