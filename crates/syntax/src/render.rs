//! Diagnostics for people and for machines.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{
    AnnotationKind, Group, Level, Patch, Renderer, Snippet, normalize_untrusted_str,
};
use serde_json::{Value, json};

use crate::diagnostic::{Applicability, Diagnostic, Edit, Severity};
use crate::tree::{FileId, Span};

/// A file as a report shows it.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The path to show.
    pub path: &'a str,
    /// The whole text.
    pub text: &'a str,
}

/// How a report is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// With ANSI colours.
    pub color: bool,
    /// Columns of the terminal; longer lines are cut around what matters.
    pub width: usize,
}

impl Default for Look {
    fn default() -> Self {
        Self { color: false, width: 120 }
    }
}

/// Draws diagnostics as rustc draws them, each followed by an empty line. `source` knows the files by their ids;
/// a diagnostic of an unknown file is drawn without its text.
#[must_use]
pub fn render<'a>(
    diagnostics: &[Diagnostic],
    source: impl Fn(FileId) -> Option<Source<'a>>,
    look: Look,
) -> String {
    let renderer = if look.color {
        Renderer::styled().decor_style(DecorStyle::Unicode)
    } else {
        Renderer::plain()
    };
    let renderer = renderer.term_width(look.width);
    let mut out = String::new();
    for diagnostic in diagnostics {
        out.push_str(&renderer.render(&report(diagnostic, &source)));
        out.push_str("\n\n");
    }
    out
}

fn report<'g, 'a: 'g>(
    diagnostic: &'g Diagnostic,
    source: &impl Fn(FileId) -> Option<Source<'a>>,
) -> Vec<Group<'g>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let mut group = level
        .primary_title(normalize_untrusted_str(&diagnostic.message))
        .id(diagnostic.code)
        .elements(std::iter::empty::<Snippet<'g, Patch<'g>>>());
    let mut files = vec![diagnostic.primary.span.file];
    for label in &diagnostic.labels {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    for file in files {
        let Some(Source { path, text }) = source(file) else { continue };
        let mut snippet = Snippet::source(text).path(path);
        let labels = std::iter::once((AnnotationKind::Primary, &diagnostic.primary))
            .chain(diagnostic.labels.iter().map(|label| (AnnotationKind::Context, label)));
        for (kind, label) in labels.filter(|(_, label)| label.span.file == file) {
            let mut annotation = kind.span(clamp(label.span, text));
            if !label.text.is_empty() {
                annotation = annotation.label(normalize_untrusted_str(&label.text));
            }
            snippet = snippet.annotation(annotation);
        }
        group = group.element(snippet);
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(normalize_untrusted_str(note)));
    }
    for help in &diagnostic.helps {
        group = group.element(Level::HELP.message(normalize_untrusted_str(help)));
    }
    let mut groups = vec![group];
    for fix in &diagnostic.fixes {
        let mut group = Level::HELP
            .secondary_title(normalize_untrusted_str(&fix.title))
            .elements(std::iter::empty::<Snippet<'g, Patch<'g>>>());
        let mut files: Vec<FileId> = fix.edits.iter().map(|edit| edit.span.file).collect();
        files.dedup();
        for file in files {
            let Some(Source { path, text }) = source(file) else { continue };
            let patches = fix
                .edits
                .iter()
                .filter(|edit| edit.span.file == file)
                .map(|edit| Patch::new(clamp(edit.span, text), edit.replacement.as_str()));
            group = group.element(Snippet::source(text).path(path).patches(patches));
        }
        groups.push(group);
    }
    groups
}

/// The span as a range that is surely inside of `text` and on character boundaries.
fn clamp(span: Span, text: &str) -> std::ops::Range<usize> {
    let end = text.floor_char_boundary(span.end as usize);
    text.floor_char_boundary(span.start as usize).min(end)..end
}

/// Diagnostics as a JSON array. Lines and columns count from 1, columns in Unicode scalar values; `start` and `end`
/// are byte offsets.
#[must_use]
pub fn render_json<'a>(
    diagnostics: &[Diagnostic],
    source: impl Fn(FileId) -> Option<Source<'a>>,
) -> Value {
    let place = |span: Span| match source(span.file) {
        Some(Source { path, text }) => {
            let range = clamp(span, text);
            let ((line, column), (end_line, end_column)) =
                (line_column(text, range.start), line_column(text, range.end));
            json!({
                "file": path, "start": range.start, "end": range.end,
                "line": line, "column": column, "end_line": end_line, "end_column": end_column,
            })
        }
        None => json!({ "start": span.start, "end": span.end }),
    };
    let with_text = |span: Span, key: &str, text: &str| {
        let mut value = place(span);
        value[key] = json!(text);
        value
    };
    diagnostics
        .iter()
        .map(|diagnostic| {
            let labels = diagnostic.labels.iter();
            let fixes = diagnostic.fixes.iter();
            json!({
                "code": diagnostic.code,
                "severity": diagnostic.severity.name(),
                "message": diagnostic.message,
                "primary": with_text(diagnostic.primary.span, "text", &diagnostic.primary.text),
                "labels": labels.map(|label| with_text(label.span, "text", &label.text)).collect::<Vec<_>>(),
                "notes": diagnostic.notes,
                "helps": diagnostic.helps,
                "fixes": fixes.map(|fix| json!({
                    "title": fix.title,
                    "applicability": match fix.applicability {
                        Applicability::Safe => "safe",
                        Applicability::Unsafe => "unsafe",
                    },
                    "edits": fix.edits.iter()
                        .map(|edit| with_text(edit.span, "replacement", &edit.replacement))
                        .collect::<Vec<_>>(),
                })).collect::<Vec<_>>(),
            })
        })
        .collect()
}

/// Line and column of a byte offset, both from 1; columns count Unicode scalar values.
#[must_use]
pub fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

/// Applies edits to the text of `file`; edits of other files are passed over, and of two that overlap the later one.
#[must_use]
pub fn apply<'e>(file: FileId, text: &str, edits: impl IntoIterator<Item = &'e Edit>) -> String {
    let mut edits: Vec<&Edit> = edits.into_iter().filter(|edit| edit.span.file == file).collect();
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut out = String::with_capacity(text.len());
    let mut position = 0;
    for edit in edits {
        let range = clamp(edit.span, text);
        if range.start < position {
            continue;
        }
        out.push_str(&text[position..range.start]);
        out.push_str(&edit.replacement);
        position = range.end;
    }
    out.push_str(&text[position..]);
    out
}
