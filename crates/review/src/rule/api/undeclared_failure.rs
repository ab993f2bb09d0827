//! API011

use model::{BinaryOperator, Expression, ExpressionKind, FieldId, Type};
use operation::Arithmetic;

use crate::Findings;
use crate::facts::{EffectKind, Facts, own_field, path_of, visit};

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for id in facts.public_command_ids() {
        let mut looked_at: Vec<FieldId> = Vec::new();
        for effect in facts.effects.of_command(id) {
            match effect.kind {
                EffectKind::Require { condition } | EffectKind::Branch { condition } => {
                    visit(condition, &mut |part| {
                        looked_at.extend(path_of(part).and_then(|path| path.last()));
                    });
                }
                EffectKind::Update { fields, .. } => {
                    for (field, value) in fields {
                        if looked_at.contains(field) || !lessens(value, *field) {
                            continue;
                        }
                        let row = &facts.model[*field];
                        let Type::Int(bounds) = row.ty else { continue };
                        let Some(least) = bounds.least else { continue };
                        let command = &facts.model.commands[id.index()];
                        let message = format!(
                            "`{}` fails where `{}` would fall below {least}, and its contract does not say so",
                            command.name, row.name
                        );
                        let finding = findings
                            .at(value.span, message)
                            .text("nothing looks before whether there is enough")
                            .label(row.type_span, format!("never below {least}"))
                            .note("the caller is told of a bound of a field that it never sent")
                            .help(format!(
                                "say what may be wrong: `require ….{} >= … else Error {{ … }}`",
                                row.name
                            ));
                        findings.add(facts.command_path(id), finding);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Whether a value is the field less something that the caller chooses.
fn lessens(value: &Expression, field: FieldId) -> bool {
    match &value.kind {
        ExpressionKind::Binary(BinaryOperator::Arithmetic(Arithmetic::Subtract), left, _) => {
            own_field(left) == Some(field)
        }
        _ => false,
    }
}
