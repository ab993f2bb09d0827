//! Parsing a text again after an edit: what the edit cannot have changed is taken over.
//!
//! A file is a list of items, and a service holds a list of them too. Where an item opens a line with its keyword and its
//! name, the parser begins anew whatever stood before; and no token reaches over the end of its line. So the text from one
//! such head before the edit to one behind it is lexed and parsed by itself, and put between what stood before and behind.
//! Wherever that cannot be shown to be the same as parsing all of it, all of it is parsed.

use std::ops::Range;
use std::sync::Arc;

use super::{Parser, parse};
use crate::keyword::opens;
use crate::kind::{NodeKind, TokenKind};
use crate::lexer::{self, Lexed, Significant};
use crate::shift::Shift;
use crate::tree::{Node, NodeData, Parse, Span, Token};

/// How many of an item's first tokens parsers of what stands before it may look at.
const HEAD: usize = 4;

/// A text that was parsed again.
#[derive(Clone, Debug)]
pub struct Reparse {
    /// The same as [`parse`] makes of the text.
    pub parse: Parse,
    /// Where the places of the old text stand now.
    pub shift: Shift,
    /// What was made anew; `None` where all of it was.
    pub damage: Option<Damage>,
}

/// The part of a file that was lexed and parsed anew: whole items, which stand beside each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where the places of the old text stand now.
    pub shift: Shift,
    /// Nodes of the old parse that are gone.
    pub old_nodes: Range<u32>,
    /// Nodes of the new parse that are new.
    pub new_nodes: Range<u32>,
    /// Tokens that were lexed.
    pub lexed: usize,
}

/// Parses the text that a file has become. The answer is that of [`parse`], and takes about as long as the items take that
/// were changed.
#[must_use]
pub fn reparse(old: &Parse, text: impl Into<Arc<str>>) -> Reparse {
    let text: Arc<str> = text.into();
    let shift = Shift::between(old.file, &old.text, &text);
    match again(old, &text, shift) {
        Some(reparse) => reparse,
        None => Reparse { parse: parse(old.file, text), shift, damage: None },
    }
}

/// Items of the old parse that are made anew, and the tokens at which that begins and ends.
struct Region {
    /// The root, or the service that holds them.
    container: Container,
    nodes: Range<u32>,
    tokens: Range<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    Root,
    Service(u32),
}

fn again(old: &Parse, text: &Arc<str>, shift: Shift) -> Option<Reparse> {
    if text.len().max(old.text.len()) > lexer::LONGEST_TEXT {
        return None;
    }
    let region = region(old, text, shift)?;
    let (first, behind) = (region.tokens.start as usize, region.tokens.end as usize);
    let is_last = old.tokens.get(behind)?.kind == TokenKind::End;
    let (start, old_end) = (old.tokens.get(first)?.start, old.tokens.get(behind)?.start);
    let end = shift.start(old_end);

    // What is new is put right behind what stays, so that all numbers are those of the whole.
    let mut tokens: Vec<Token> = Vec::with_capacity(old.tokens.len() + 256);
    tokens.extend_from_slice(old.tokens.get(..first)?);
    let from = lexer::From { tokens, start, end, more: HEAD };
    let Lexed { mut tokens, significant, mut diagnostics, .. } =
        lexer::lex_from(old.file, text, from);
    let stop = significant.iter().position(|token| token.start >= end)?;
    let Significant { token: new_behind, start: found_at, .. } = *significant.get(stop)?;
    // The artificial end behind the last token that was lexed is no token of the text.
    let is_token = tokens.get(new_behind as usize).is_some_and(|token| token.start == end);
    if found_at != end || !is_token {
        return None;
    }
    let open_braces = old.open_braces - braces(old.tokens.get(first..behind)?)
        + braces(tokens.get(first..new_behind as usize)?);
    let is_unbalanced = open_braces > 0;
    if is_unbalanced != (old.open_braces > 0) && looks_at_indentation(old) {
        return None;
    }
    if !is_last {
        diagnostics.retain(|found| found.primary.span.start < end);
    }

    let mut nodes: Vec<NodeData> = Vec::with_capacity(old.nodes.len() + 256);
    nodes.extend_from_slice(old.nodes.get(..region.nodes.start as usize)?);
    let column = match region.container {
        Container::Root => None,
        Container::Service(index) => Some(column(old, old.node(index)?.tokens().start)),
    };
    let mut parser = Parser {
        file: old.file,
        text,
        tokens: &tokens,
        significant: &significant,
        position: 0,
        nodes,
        diagnostics,
        depth: u32::from(column.is_some()),
        last_fault: usize::MAX,
        is_unbalanced,
    };
    if !parser.items_up_to(stop, column) {
        return None;
    }
    let Parser { mut nodes, mut diagnostics, .. } = parser;
    if !is_last && diagnostics.iter().any(|found| found.primary.span.start >= end) {
        return None;
    }
    diagnostics.sort_by_key(|found| found.primary.span.start);

    let lexed = tokens.len() - first;
    let new_nodes = region.nodes.start..nodes.len() as u32;
    let more_nodes = new_nodes.end.wrapping_sub(region.nodes.end);
    let more_tokens = new_behind.wrapping_sub(region.tokens.end);
    tokens.truncate(new_behind as usize);
    let moved = old.tokens.get(behind..)?.iter();
    tokens.extend(moved.map(|it| Token { start: shift.start(it.start), ..*it }));
    let moved = old.nodes.get(region.nodes.end as usize..)?.iter();
    nodes.extend(moved.map(|node| NodeData {
        kind: node.kind,
        first_token: node.first_token.wrapping_add(more_tokens),
        end_token: node.end_token.wrapping_add(more_tokens),
        end_node: node.end_node.wrapping_add(more_nodes),
    }));
    let mut stretch = |index: u32| {
        if let Some(node) = nodes.get_mut(index as usize) {
            node.end_token = node.end_token.wrapping_add(more_tokens);
            node.end_node = node.end_node.wrapping_add(more_nodes);
        }
    };
    stretch(0);
    if let Container::Service(index) = region.container {
        stretch(index);
    }
    let old_diagnostics = old.diagnostics.iter();
    let before = old_diagnostics.clone().filter(|found| found.primary.span.start < start);
    let after = old_diagnostics.filter(|found| !is_last && found.primary.span.start >= old_end);
    let after = after.cloned().map(|mut found| {
        found.shift(shift);
        found
    });
    let diagnostics = before.cloned().chain(diagnostics).chain(after).collect();
    let text = Arc::clone(text);
    let parse = Parse { file: old.file, text, tokens, nodes, diagnostics, open_braces };
    let damage = Damage { shift, old_nodes: region.nodes, new_nodes, lexed };
    Some(Reparse { parse, shift, damage: Some(damage) })
}

/// The least number of items around an edit that can be parsed by themselves.
fn region(old: &Parse, new: &str, shift: Shift) -> Option<Region> {
    let root = old.root();
    let around = root.children().find(|node| {
        let Span { start, end, .. } = node.span();
        node.kind() == NodeKind::Service && start < shift.start && shift.old_end < end
    });
    around.and_then(|service| of_service(old, new, service, shift)).or_else(|| {
        let nodes = between(old, new, root, shift);
        let first = match nodes.0 {
            Some(node) => (node.index(), node.tokens().start),
            None => (1, 0),
        };
        let behind = match nodes.1 {
            Some(node) => (node.index(), node.tokens().start),
            None => (old.nodes.len() as u32, old.tokens.len() as u32 - 1),
        };
        let (nodes, tokens) = (first.0..behind.0, first.1..behind.1);
        Some(Region { container: Container::Root, nodes, tokens })
    })
}

/// The same of the items of a service, where one stands before the edit.
fn of_service(old: &Parse, new: &str, service: Node<'_>, shift: Shift) -> Option<Region> {
    let (first, behind) = between(old, new, service, shift);
    let first = first?;
    let behind = match behind {
        Some(node) => (node.index(), node.tokens().start),
        None => {
            let last = service.tokens().end.checked_sub(1)?;
            let is_own = old.token_kind(last) == TokenKind::RightBrace
                && service.own_tokens().last() == Some(last);
            if !is_own || !starts_line_still(old, new, shift, last) {
                return None;
            }
            (old.nodes.get(service.index() as usize)?.end_node, last)
        }
    };
    Some(Region {
        container: Container::Service(service.index()),
        nodes: first.index()..behind.0,
        tokens: first.tokens().start..behind.1,
    })
}

/// The last item whose head ends before an edit, and the first that begins on a line behind it.
fn between<'a>(
    old: &'a Parse,
    new: &str,
    list: Node<'a>,
    shift: Shift,
) -> (Option<Node<'a>>, Option<Node<'a>>) {
    let nodes: Vec<Node<'a>> = list.children().collect();
    let start = |node: &Node<'_>| old.token_span(node.tokens().start).start;
    let (before, behind) = nodes.split_at(nodes.partition_point(|it| start(it) < shift.old_end));
    let is_before = |node: &&Node<'_>| {
        is_head(old, **node) && head_end(old, **node).is_some_and(|end| end < shift.start)
    };
    let is_behind = |node: &&Node<'_>| {
        is_head(old, **node) && starts_line_still(old, new, shift, node.tokens().start)
    };
    (before.iter().rev().find(is_before).copied(), behind.iter().find(is_behind).copied())
}

/// Whether an item begins where every parser ends what it is at: with its keyword and its name, at the start of a line.
fn is_head(old: &Parse, node: Node<'_>) -> bool {
    let first = node.tokens().start;
    let starts_line = first == 0
        || (old.token_kind(first - 1) == TokenKind::Whitespace
            && (first == 1 || old.token_text(first - 1).contains('\n')));
    let is_named = old.token_kind(first + 2) == TokenKind::Word
        && old.token_kind(first + 1) == TokenKind::Whitespace
        && !old.token_text(first + 1).contains('\n')
        && old.token_text(first + 2) != "delete";
    let word = old.token_text(first);
    starts_line && is_named && opens(word).item() && !matches!(word, "auth" | "decision")
}

/// Where the tokens end that tell an item's head.
fn head_end(old: &Parse, node: Node<'_>) -> Option<u32> {
    let all = node.tokens().start..old.tokens.len() as u32;
    let mut significant = all.filter(|token| {
        let kind = old.token_kind(*token);
        !kind.is_trivia() && kind != TokenKind::Unknown
    });
    significant.nth(HEAD - 1).map(|token| old.token_span(token).end)
}

/// Whether a token behind an edit is the first of its line before and after, behind the same white space: no token reaches
/// over the end of a line.
fn starts_line_still(old: &Parse, new: &str, shift: Shift, token: u32) -> bool {
    let start = old.token_span(token).start;
    let indent = |text: &str, at: u32| {
        let before = text.get(..at as usize)?;
        let line = before.trim_end_matches([' ', '\t', '\r']);
        (line.is_empty() || line.ends_with('\n')).then_some(before.len() - line.len())
    };
    let before = indent(&old.text, start);
    before.is_some() && before == indent(new, shift.start(start))
}

/// Whether it may matter for the items of some service how far they are indented, which is looked at only while some brace
/// is open.
fn looks_at_indentation(old: &Parse) -> bool {
    // Misplaced ones stand within other nodes.
    let services = (0..old.nodes.len() as u32).filter_map(|index| old.node(index));
    services.filter(|node| node.kind() == NodeKind::Service).any(|service| {
        let is_closed = service.own_tokens().last().is_some_and(|last| {
            old.token_kind(last) == TokenKind::RightBrace && service.tokens().end == last + 1
        });
        let own = column(old, service.tokens().start);
        let is_shallow = |token: u32| {
            old.token_kind(token) == TokenKind::Word
                && opens(old.token_text(token)).item()
                && column(old, token) <= own
        };
        !is_closed || service.tokens().skip(1).any(is_shallow)
    })
}

/// How far a token stands from the start of its line, in bytes.
fn column(old: &Parse, token: u32) -> usize {
    let start = old.token_span(token).start as usize;
    let before = old.text.get(..start).unwrap_or("");
    start - before.rfind('\n').map_or(0, |at| at + 1)
}

/// Opening braces less closing ones.
fn braces(tokens: &[Token]) -> i64 {
    let each = tokens.iter().map(|token| match token.kind {
        TokenKind::LeftBrace => 1,
        TokenKind::RightBrace => -1,
        _ => 0,
    });
    each.sum()
}
