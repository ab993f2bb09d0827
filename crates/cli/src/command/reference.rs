//! `mimar reference`: the language and the surface, from the tables that the code itself reads.

use std::fmt::Write as _;

use operation::FaultCode;
use plan::FilterOperator;

use super::explain::codes;
use crate::screen;

/// What the tables cannot say.
const LANGUAGE: &str = include_str!("../../docs/language.md");

pub(crate) fn run() {
    screen::out(&text());
}

fn text() -> String {
    let mut text = LANGUAGE.trim_end().to_owned();
    text.push_str("\n\n## Filters\n\n| written | meaning |\n|---|---|\n");
    for (operator, word) in FilterOperator::ALL {
        let form = match operator {
            FilterOperator::Equal => "field=value".to_owned(),
            _ => format!("field[{word}]=value"),
        };
        let _ = writeln!(text, "| `{form}` | {} |", meaning(*operator));
    }
    text.push_str("\n## Problems\n\nThe `code` of each fault in a problem document (RFC 9457).\n\n| code | meaning |\n|---|---|\n");
    for code in FaultCode::ALL {
        let _ = writeln!(text, "| `{}` | {} |", code.as_str(), code.title());
    }
    text.push_str("\n## Diagnostics\n\n`mimar explain CODE` prints the page of each.\n\n| code | meaning |\n|---|---|\n");
    for code in codes() {
        let _ = writeln!(text, "| `{}` | {} |", code.id, code.title);
    }
    text
}

fn meaning(operator: FilterOperator) -> &'static str {
    match operator {
        FilterOperator::Equal => {
            "equal; an empty value asks for absence where the field is optional"
        }
        FilterOperator::NotEqual => "not equal",
        FilterOperator::Less => "less",
        FilterOperator::LessOrEqual => "less or equal",
        FilterOperator::Greater => "greater",
        FilterOperator::GreaterOrEqual => "greater or equal",
        FilterOperator::In => "one of a list with commas",
        FilterOperator::Null => "`true`: absent; `false`: present",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_code_is_listed() {
        let text = super::text();
        for code in super::codes() {
            assert!(text.contains(code.id), "{}", code.id);
        }
    }
}
