//! Edits of the text that keep its layout.

use syntax::ast::{Entity, Member};
use syntax::{Edit, Node, Parse, Span, TokenKind};

/// Puts a line into the braces of an item, at their end. `None` where it has none.
pub(crate) fn add_member(item: Node<'_>, line: &str) -> Option<Edit> {
    let parse = item.parse();
    let brace =
        item.tokens().rev().find(|token| parse.token_kind(*token) == TokenKind::RightBrace)?;
    let span = parse.token_span(brace);
    let indent = indentation(parse, span.start);
    let begins_line = is_first_of_line(parse, span.start);
    let replacement = if begins_line {
        // The brace stands on a line of its own, with its indentation before it.
        format!("  {line}\n{indent}")
    } else {
        format!(" {line} ")
    };
    Some(Edit { span: span.before(), replacement })
}

/// Writes an index into an entity: behind the last one, otherwise behind its fields and what is said about rows.
pub(crate) fn add_index(entity: Entity<'_>, line: &str) -> Option<Edit> {
    let is_before = |member: &Member<'_>| {
        !matches!(
            member,
            Member::Allow(_)
                | Member::Cache(_)
                | Member::Audit(_)
                | Member::Privacy(_)
                | Member::Deprecated(_)
        )
    };
    let last = entity.members().filter(|member| matches!(member, Member::Index(_))).last();
    let Some(last) = last.or_else(|| entity.members().filter(is_before).last()) else {
        return add_member(entity.node(), line);
    };
    let parse = entity.node().parse();
    let span = last.span();
    if !is_first_of_line(parse, span.start) {
        return Some(Edit { span: span.after(), replacement: format!(" {line}") });
    }
    // A comment behind the member stays with it.
    let rest = &parse.text[span.end as usize..];
    let end = span.end + rest.find('\n').unwrap_or(rest.len()) as u32;
    let gap = if matches!(last, Member::Field(_)) { "\n" } else { "" };
    let indent = indentation(parse, span.start);
    let span = Span::new(span.file, end, end);
    Some(Edit { span, replacement: format!("{gap}\n{indent}{line}") })
}

/// Writes behind a node, on its line.
pub(crate) fn append(node: Node<'_>, text: &str) -> Edit {
    Edit { span: node.span().after(), replacement: text.to_owned() }
}

/// Writes a line of its own behind an item.
pub(crate) fn add_after(item: Node<'_>, line: &str) -> Edit {
    let span = item.span();
    let indent = indentation(item.parse(), span.start);
    Edit { span: span.after(), replacement: format!("\n\n{indent}{line}") }
}

/// Takes a node away, with its line where it stands alone on it.
pub(crate) fn remove(node: Node<'_>) -> Edit {
    let parse = node.parse();
    let span = node.span();
    let text = &parse.text;
    let (mut start, mut end) = (span.start as usize, span.end as usize);
    let line_end = text[end..].find('\n').map_or(text.len(), |at| end + at);
    if is_first_of_line(parse, span.start) && text[end..line_end].trim().is_empty() {
        start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        end = (line_end + 1).min(text.len());
    } else {
        // One of the two gaps around it goes, too.
        let before = text[..start].trim_end_matches(' ').len();
        if before < start && !text[..before].ends_with('\n') {
            start = before;
        }
    }
    Edit { span: Span::new(span.file, start as u32, end as u32), replacement: String::new() }
}

/// The white space at the start of the line that holds `offset`.
fn indentation(parse: &Parse, offset: u32) -> &str {
    let before = &parse.text[..offset as usize];
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = &parse.text[start..];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

fn is_first_of_line(parse: &Parse, offset: u32) -> bool {
    let before = &parse.text[..offset as usize];
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    before[start..].trim().is_empty()
}

/// Takes a comment away, with its line where it stands alone on it.
pub(crate) fn remove_comment(parse: &Parse, token: u32) -> Edit {
    let span = parse.token_span(token);
    let text = &parse.text;
    let (mut start, mut end) = (span.start as usize, span.end as usize);
    if is_first_of_line(parse, span.start) {
        start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        end = (end + 1).min(text.len());
    } else {
        start = text[..start].trim_end_matches([' ', '\t']).len();
    }
    Edit { span: Span::new(span.file, start as u32, end as u32), replacement: String::new() }
}
