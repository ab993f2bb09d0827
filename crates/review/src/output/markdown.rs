//! Markdown, for a comment under a change.

use std::fmt::Write as _;

use super::Outcome;

/// A table of what was found, then each with its reasons.
#[must_use]
pub fn markdown(outcome: &Outcome<'_>) -> String {
    let mut text = String::from("# Review\n\n");
    if outcome.diagnostics.is_empty() {
        text.push_str("Nothing was found.\n");
        return text;
    }
    text.push_str("| code | level | place | finding |\n|---|---|---|---|\n");
    for (diagnostic, path) in outcome.each() {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            diagnostic.code,
            diagnostic.severity.name(),
            cell(&place(outcome, diagnostic, path)),
            cell(&diagnostic.message)
        );
    }
    for (diagnostic, path) in outcome.each() {
        let _ = write!(
            text,
            "\n## {}: {}\n\n{}\n",
            diagnostic.code,
            line(&diagnostic.message),
            place(outcome, diagnostic, path)
        );
        let labels = diagnostic.labels.iter().filter_map(|label| {
            let at = outcome.locate(label.span)?;
            Some(format!("`{}:{}` {}", at.file, at.line, label.text))
        });
        let notes = diagnostic.notes.iter().chain(&diagnostic.helps).cloned();
        let fixes = diagnostic.fixes.iter().map(|fix| format!("Fix: {}", fix.title));
        let points: Vec<String> = labels.chain(notes).chain(fixes).collect();
        if !points.is_empty() {
            text.push('\n');
        }
        for point in points {
            let _ = writeln!(text, "- {}", line(&point));
        }
    }
    text
}

fn place(outcome: &Outcome<'_>, diagnostic: &syntax::Diagnostic, path: &str) -> String {
    let at = outcome.locate(diagnostic.primary.span);
    let at = at.map_or(String::new(), |it| format!("`{}:{}`", it.file, it.line));
    if path.is_empty() { at } else { format!("{at} `{path}`") }
}

fn cell(text: &str) -> String {
    line(text).replace('|', "\\|")
}

fn line(text: &str) -> String {
    text.replace('\n', " ").replace('<', "&lt;")
}
