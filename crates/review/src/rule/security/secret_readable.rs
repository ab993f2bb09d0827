//! SEC007

use model::{Expression, FieldId, Statement, StatementKind, ValueSource};

use crate::Findings;
use crate::facts::{EffectKind, Facts, path_of, visit};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    if facts.model.fields.iter().all(|field| !field.secret) {
        return;
    }
    for effect in facts.effects.all() {
        let path = facts.actor_path(effect.actor);
        match effect.kind {
            EffectKind::Emit { members, .. } => {
                for (_, value) in members {
                    report(facts, findings, &path, value, "an event");
                }
            }
            EffectKind::Call(call) => {
                for value in &call.arguments {
                    report(facts, findings, &path, value, "a call");
                }
            }
            EffectKind::Update { fields, .. } => copies(facts, findings, &path, fields),
            EffectKind::Create(creation) => copies(facts, findings, &path, &creation.fields),
            _ => {}
        }
    }
    for id in facts.command_ids() {
        let body = &facts.model.commands[id.index()].body;
        answers(facts, findings, &facts.command_path(id), body);
    }
}

fn copies(
    facts: &Facts<'_>,
    findings: &mut Findings,
    path: &str,
    fields: &[(FieldId, Expression)],
) {
    for (field, value) in fields.iter().filter(|(field, _)| !facts.model[*field].secret) {
        let what = format!("`{}`, which is not secret", facts.model[*field].name);
        report(facts, findings, path, value, &what);
    }
}

fn answers(facts: &Facts<'_>, findings: &mut Findings, path: &str, body: &[Statement]) {
    for statement in body {
        match &statement.kind {
            StatementKind::Return(Some(ValueSource::Expression(value))) => {
                report(facts, findings, path, value, "an answer");
            }
            StatementKind::Require { members, .. } => {
                for (_, value) in members {
                    report(facts, findings, path, value, "an error");
                }
            }
            StatementKind::For { body, .. } => answers(facts, findings, path, body),
            StatementKind::If { then, otherwise, .. } => {
                answers(facts, findings, path, then);
                answers(facts, findings, path, otherwise);
            }
            _ => {}
        }
    }
}

fn report(facts: &Facts<'_>, findings: &mut Findings, path: &str, value: &Expression, what: &str) {
    let mut secret = None;
    visit(value, &mut |part| {
        let last = path_of(part).and_then(|path| path.last()).copied();
        if let Some(field) = last.filter(|field| facts.model[*field].secret) {
            secret.get_or_insert((field, part.span));
        }
    });
    let Some((field, span)) = secret else { return };
    let row = &facts.model[field];
    let finding = findings
        .at(span, format!("the secret `{}` goes into {what}", row.name))
        .text("can be read there")
        .label(row.span, "nobody may read it back")
        .help("leave it out, and compare it where it is");
    findings.add(path, finding);
}
