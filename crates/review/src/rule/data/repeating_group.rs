//! DAT010

use model::{Field, FieldId};

use crate::Findings;
use crate::facts::Facts;

/// Two are often two things: the first and the second line of an address.
const FEWEST: usize = 3;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (id, entity) in facts.entities() {
        let mut groups: Vec<(&str, Vec<FieldId>)> = Vec::new();
        for field_id in &entity.fields {
            let field: &Field = &facts.model[*field_id];
            let Some(stem) = stem(&field.name) else { continue };
            let same = |known: &&mut (&str, Vec<FieldId>)| {
                known.0 == stem && known.1.iter().all(|it| facts.model[*it].ty == field.ty)
            };
            match groups.iter_mut().find(same) {
                Some((_, fields)) => fields.push(*field_id),
                None => groups.push((stem, vec![*field_id])),
            }
        }
        for (stem, fields) in groups.into_iter().filter(|(_, fields)| fields.len() >= FEWEST) {
            let first = fields[0];
            let message = format!(
                "`{}` has {} numbered fields of one kind, `{stem}`",
                entity.name,
                fields.len()
            );
            let mut finding = findings.at(facts.model[first].span, message).text("one of several");
            for other in fields.iter().skip(1).take(3) {
                finding = finding.label(facts.model[*other].span, "another");
            }
            let finding = finding
                .note("one more needs a change of the tables, and to find a value all of them must be named")
                .help(format!("make a part of `{}`, or a list with a bound", entity.name));
            findings.add(facts.field_path(id, first), finding);
        }
    }
}

/// The name without the number at its end.
fn stem(name: &str) -> Option<&str> {
    let stem = name.trim_end_matches(|it: char| it.is_ascii_digit());
    (stem.len() < name.len() && !stem.is_empty()).then(|| stem.trim_end_matches('_'))
}
