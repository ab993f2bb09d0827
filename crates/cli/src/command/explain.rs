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
    let code = find(wanted)?;
    let title = format!("{}: {}", code.id, code.title);
    screen::out(&format!("{}\n\n{}\n", styled(BOLD, title), page(code.docs).trim_end()));
    Ok(())
}

/// The code of that id, in any letter case, or of the rule of that name.
pub(crate) fn find(wanted: &str) -> Result<&'static Code, Failure> {
    let code = codes().find(|code| code.id.eq_ignore_ascii_case(wanted));
    let code = code.or_else(|| review::rule(wanted).map(|rule| &rule.code));
    code.ok_or_else(|| Failure::UnknownCode {
        code: wanted.to_owned(),
        nearest: syntax::nearest(&wanted.to_uppercase(), codes().map(|code| code.id)),
    })
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
