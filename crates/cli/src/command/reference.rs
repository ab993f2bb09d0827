//! `mimar reference`: the language as the checker knows it, and what callers of the API meet.

use std::fmt::Write as _;

use operation::FaultCode;
use plan::FilterOperator;

use crate::screen;

pub(crate) fn run() {
    screen::out(&text());
}

/// The reference as Markdown.
pub(crate) fn text() -> String {
    let mut text = model::reference().trim_end().to_owned();
    text.push_str("\n\n## Faults of the text\n\n| code | meaning |\n|---|---|\n");
    for code in syntax::CODES {
        let _ = writeln!(text, "| `{}` | {} |", code.id, code.title);
    }
    text.push_str("\n## Filters\n\nOf lists, on keys, references, unique and indexed fields.\n\n| written | meaning |\n|---|---|\n");
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
        for code in syntax::CODES.iter().chain(model::CODES) {
            assert!(text.contains(code.id), "{}", code.id);
        }
        for code in operation::FaultCode::ALL {
            assert!(text.contains(code.as_str()), "{code:?}");
        }
    }
}
