//! Faults of commands, events, failure, load and running.

use syntax::ast::{
    AuthMember, DecisionMember, EnvironmentMember, ExternalMember, Item, LoadMember, Statement,
    StoreOption, WebhookMember, WorkflowMember,
};

use super::{Clean, Mutation, without};

pub(crate) fn mutations(clean: &Clean) -> Vec<Mutation> {
    let mut found = Vec::new();
    for item in clean.items() {
        let range = clean.with_blanks(item.span().range());
        match item {
            Item::Auth(auth) => {
                let has_password =
                    auth.members().any(|member| matches!(member, AuthMember::Password(_)));
                for member in auth.members() {
                    if let (AuthMember::Limit(limit), true) = (member, has_password) {
                        let range = clean.with_blanks(limit.span().range());
                        found.push(without("the limit of sign-ins", range, &["SEC008"]));
                    }
                }
            }
            Item::Limit(_) => found.push(without("a limit", range, &["SEC001"])),
            Item::Slo(_) => found.push(without("a promise", range, &["OPS001"])),
            Item::On(_) => found.push(without("who hears an event", range, &["API003", "EVT002"])),
            Item::Query(query) => {
                let allows: Vec<_> = query
                    .members()
                    .filter(|it| matches!(it, syntax::ast::QueryMember::Allow(_)))
                    .map(|it| it.span().range())
                    .collect();
                let whole = allows[0].start..allows[allows.len() - 1].end;
                found.push(without("who may ask", clean.with_blanks(whole), &["API003"]));
            }
            Item::Command(command) => {
                for statement in command.statements() {
                    of_statement(clean, statement, &mut found);
                }
            }
            Item::Event(event) => {
                let name = event.name().unwrap();
                if let (Some(by), true) = (event.by(), is_heard(clean, name.text())) {
                    let range = name.span().range().end..by.span().range().end;
                    found.push(without("the key of events", range, &["EVT006"]));
                }
            }
            Item::Webhook(webhook) => {
                for member in webhook.members() {
                    if let WebhookMember::Sign(sign) = member {
                        let range = clean.with_blanks(sign.span().range());
                        found.push(without("a signature", range, &["SEC010"]));
                    }
                }
            }
            Item::Workflow(workflow) => {
                let steps: Vec<_> = workflow
                    .members()
                    .filter_map(|member| match member {
                        WorkflowMember::Step(step) => Some(step),
                        _ => None,
                    })
                    .collect();
                for step in &steps[..steps.len() - 1] {
                    if let Some(undo) = step.undo() {
                        let range = clean.with_blanks(undo.span().range());
                        found.push(without("what takes a step back", range, &["REL002"]));
                    }
                }
            }
            Item::External(external) => {
                for member in external.members() {
                    let kind = match member {
                        ExternalMember::Breaker(_) => "a breaker",
                        ExternalMember::Bulkhead(_) => "a bulkhead",
                        ExternalMember::Timeout(_) => "a timeout",
                        _ => continue,
                    };
                    let range = clean.with_blanks(member.span().range());
                    found.push(without(kind, range, &["REL008"]));
                }
            }
            Item::Load(load) => {
                for member in load.members() {
                    let range = clean.with_blanks(member.span().range());
                    match member {
                        LoadMember::Rows(_) => {
                            found.push(without("how many rows there are", range, &["CAP007"]));
                        }
                        LoadMember::Rate(rate) => {
                            let target = rate.target().unwrap();
                            // Only of commands and queries a rate is asked for.
                            if !target.node().text().contains('.') {
                                found.push(without("how often it is called", range, &["CAP007"]));
                            }
                        }
                        LoadMember::Grows(_) => {}
                    }
                }
            }
            Item::Environment(environment)
                if environment.name().is_some_and(|name| name.text() == "production") =>
            {
                found.push(without("production", range, &["OPS002"]));
                for member in environment.members() {
                    let EnvironmentMember::Store(store) = member else { continue };
                    for option in store.options() {
                        let range = clean.with_blanks(option.span().range());
                        match option {
                            StoreOption::Backup(_) => {
                                found.push(without("the backup", range, &["OPS004"]));
                            }
                            StoreOption::Replicas(_) => {
                                found.push(without("the replicas", range, &["REL012"]));
                            }
                            StoreOption::Recover(_) => {}
                        }
                    }
                }
            }
            Item::Decision(decision) => {
                for member in decision.members() {
                    if let DecisionMember::Chosen(chosen) = member {
                        let end = chosen.span().range().end;
                        let option = chosen.option().unwrap().span().range().end;
                        found.push(without("the reason of a choice", option..end, &["OPS005"]));
                    }
                }
            }
            _ => {}
        }
    }
    found
}

fn of_statement(clean: &Clean, statement: Statement<'_>, found: &mut Vec<Mutation>) {
    let range = clean.with_blanks(statement.span().range());
    match statement {
        Statement::Emit(_) => found.push(without("an emit", range, &["EVT001"])),
        Statement::For(inner) => {
            let block = inner.body();
            for statement in block.into_iter().flat_map(|block| block.statements()) {
                of_statement(clean, statement, found);
            }
        }
        Statement::Require(require) => {
            let text = require.node().text();
            // What guards a subtraction; other conditions guard nothing that the text shows.
            if text.contains(">=") {
                found.push(without("what must be enough", range, &["API011"]));
            }
        }
        _ => {}
    }
}

fn is_heard(clean: &Clean, event: &str) -> bool {
    clean.items().into_iter().any(|item| match item {
        Item::On(on) => on.event().is_some_and(|it| it.node().text() == event),
        Item::Webhook(webhook) => webhook.node().text().contains(event),
        Item::Workflow(workflow) => workflow.on().is_some_and(|it| it.node().text() == event),
        _ => false,
    })
}
