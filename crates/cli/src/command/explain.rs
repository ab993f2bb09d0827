//! `mimar explain`

use syntax::Code;

use crate::arguments::Explain;
use crate::failure::Failure;
use crate::screen::{self, BOLD, CYAN, DIM, styled};

/// Every code there is.
pub(crate) fn codes() -> impl Iterator<Item = &'static Code> {
    let rules = review::rules().map(|rule| &rule.code);
    syntax::CODES.iter().chain(model::CODES).chain(rules)
}

pub(crate) fn run(arguments: &Explain) -> Result<(), Failure> {
    let Some(wanted) = &arguments.code else {
        let list: String =
            codes().map(|code| format!("{}  {}\n", styled(CYAN, code.id), code.title)).collect();
        screen::out(&list);
        return Ok(());
    };
    let code = codes().find(|code| code.id.eq_ignore_ascii_case(wanted));
    let code = code.or_else(|| review::rule(wanted).map(|rule| &rule.code));
    let Some(code) = code else {
        let ids = codes().map(|code| code.id);
        let upper = wanted.to_uppercase();
        return Err(Failure::UnknownCode {
            code: wanted.clone(),
            nearest: syntax::nearest(&upper, ids),
        });
    };
    let title = format!("{}: {}", code.id, code.title);
    screen::out(&format!("{}\n\n{}\n", styled(BOLD, title), page(code.docs).trim_end()));
    Ok(())
}

/// A page's Markdown with its headings and examples set off.
fn page(markdown: &str) -> String {
    let mut text = String::new();
    let mut fenced = false;
    for line in markdown.lines() {
        if let Some(fence) = line.strip_prefix("```") {
            fenced = !fenced;
            let label = fence.split(' ').nth(1).unwrap_or("");
            if fenced && !label.is_empty() {
                text.push_str(&styled(DIM, format!("  {label}:")));
                text.push('\n');
            }
        } else if fenced {
            text.push_str("    ");
            text.push_str(&styled(CYAN, line));
            text.push('\n');
        } else if let Some(heading) = line.strip_prefix('#') {
            text.push_str(&styled(BOLD, heading.trim_start_matches('#').trim()));
            text.push('\n');
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}
