//! One layout for every file.
//!
//! The layout follows from the tokens, the comments, and three choices of the author that are kept: blank lines (at
//! most one), whether a body in braces stands on one line or on several, and line breaks before or behind the joints of
//! a sentence (`when`, `else`, `and`, an operator, a comma). White space beyond that changes nothing.
//!
//! Tokens are never added, removed or reordered, and every comment stays with its neighbour: one on the line of a
//! token stays behind it, one on a line of its own stays before what follows.

mod column;
mod line;
mod plan;

use crate::diagnostic::{Diagnostic, Severity};
use crate::kind::{NodeKind, TokenKind};
use crate::tree::Parse;

use line::{Indent, Lines};
use plan::Plan;

/// The width that a line may have before a body on it is broken, in characters.
const WIDTH: usize = 120;

/// Formats a file.
///
/// # Errors
/// The errors of the parse, if there are any: a file that was not understood is not touched.
pub fn format(parse: &Parse) -> Result<String, Vec<Diagnostic>> {
    if parse.has_errors() {
        let is_error = |found: &&Diagnostic| found.severity == Severity::Error;
        return Err(parse.diagnostics.iter().filter(is_error).cloned().collect());
    }
    let plan = Plan::new(parse);
    let mut writer = Writer { lines: Lines::default(), is_first: true, plan: &plan };
    writer.rows(0, plan.pieces.len(), 0);
    writer.comments(plan.pieces.len(), 0);
    Ok(writer.lines.render())
}

struct Writer<'p> {
    plan: &'p Plan<'p>,
    lines: Lines<'p>,
    /// Whether nothing has been written since the opening of a body, so that a blank line would be odd.
    is_first: bool,
}

impl<'p> Writer<'p> {
    /// The elements of a body, each on a row of its own.
    fn rows(&mut self, from: usize, to: usize, indent: usize) {
        let body = self.lines.new_body();
        let mut start = from;
        while start < to {
            let end =
                (start + 1..to).find(|next| self.plan.is_element_of(*next, from)).unwrap_or(to);
            self.row(start, end, indent, body);
            start = end;
        }
    }

    fn row(&mut self, start: usize, end: usize, indent: usize, body: usize) {
        let is_apart = self.comments(start, indent);
        let blank = self.plan.pieces[start].blank && !self.is_first;
        let class = self.class(start, end);
        self.lines.start_row(body, class, indent, is_apart || blank);
        self.lines.set_blank(blank);
        self.is_first = false;
        let mut at = start;
        while at < end {
            if at > start {
                self.joint(at, indent);
            }
            if let Some(column) = self.plan.pieces[at].column {
                self.lines.column(column);
            }
            self.lines.push(self.plan.pieces[at].text);
            if let Some(column) = self.plan.pieces[at].column_behind {
                self.lines.column(column);
            }
            match self.plan.pieces[at].close {
                Some(close) => at = self.group(at, close, end) + 1,
                None => at += 1,
            }
        }
        self.lines.end_row();
    }

    /// What the row is a row of: the first column on it.
    fn class(&self, start: usize, end: usize) -> Option<column::Key> {
        for piece in &self.plan.pieces[start..end] {
            if let Some(column) = piece.column.or(piece.column_behind) {
                return Some(column.key);
            }
            if piece.close.is_some() {
                return None;
            }
        }
        None
    }

    /// What stands between two pieces of one row: spaces, or a line break with the comments that force it.
    fn joint(&mut self, at: usize, indent: usize) {
        let piece = &self.plan.pieces[at];
        if piece.comments.is_empty() {
            if piece.keeps_break {
                self.lines.start_line(Indent::Columns(indent + 2));
            } else {
                self.lines.push(&"  "[..piece.space]);
            }
            return;
        }
        self.comments(at, indent + 2);
        self.lines.start_line(Indent::Columns(indent + 2));
    }

    /// Writes the comments before a piece; answers whether a blank line stands before one of them.
    fn comments(&mut self, at: usize, indent: usize) -> bool {
        let mut is_apart = false;
        for comment in self.plan.comments_before(at) {
            if comment.is_behind {
                self.lines.trail(comment.text);
            } else {
                self.lines.start_line(Indent::Columns(indent));
                self.lines.set_blank(comment.blank && !self.is_first);
                self.lines.push(comment.text);
                is_apart |= comment.blank;
                self.is_first = false;
            }
        }
        is_apart
    }

    /// What a bracket holds, and the closing one; the opening one is written. Answers where the closing one is.
    fn group(&mut self, open: usize, close: usize, row_end: usize) -> usize {
        let plan = self.plan;
        if plan.pieces[open].hangs {
            return self.hanging(open, close);
        }
        let width =
            self.lines.width() + plan.width(open + 1, close + 1) + self.tail(close, row_end);
        if !plan.pieces[open].must_break && width <= WIDTH {
            for at in open + 1..=close {
                self.lines.push(&"  "[..plan.pieces[at].space]);
                self.lines.push(plan.pieces[at].text);
            }
            return close;
        }
        if open + 1 == close && plan.pieces[close].comments.is_empty() {
            self.lines.push(plan.pieces[close].text);
            return close;
        }
        let base = self.lines.indent();
        let row = self.lines.suspend_row();
        // A blank line behind the brace sets the parts of a service apart from its head; elsewhere it is noise.
        self.is_first = plan.pieces[open].owner != NodeKind::Service;
        self.rows(open + 1, close, base + 2);
        self.comments(close, base + 2);
        self.lines.start_line(Indent::Columns(base));
        self.lines.resume_row(row);
        self.lines.push(plan.pieces[close].text);
        self.is_first = false;
        close
    }

    /// The width of what follows a bracket on its line, at least.
    fn tail(&self, close: usize, row_end: usize) -> usize {
        let mut end = close + 1;
        while end < row_end {
            let piece = &self.plan.pieces[end];
            if piece.keeps_break || !piece.comments.is_empty() {
                break;
            }
            end += 1;
            if piece.close.is_some() {
                break;
            }
        }
        self.plan.width(close + 1, end)
    }

    /// `{ first` with the others below the first.
    fn hanging(&mut self, open: usize, close: usize) -> usize {
        let plan = self.plan;
        self.lines.push(" ");
        let under = self.lines.here();
        for at in open + 1..close {
            if at > open + 1 {
                if plan.is_element_of(at, open + 1) {
                    self.lines.start_line(under);
                } else {
                    self.lines.push(&"  "[..plan.pieces[at].space]);
                }
            }
            self.lines.push(plan.pieces[at].text);
        }
        self.lines.push(" ");
        self.lines.push(plan.pieces[close].text);
        close
    }
}

/// Whether a body in braces of that node is a list with commas.
const fn is_comma_list(owner: NodeKind, open: TokenKind) -> bool {
    !matches!(open, TokenKind::LeftBrace)
        || matches!(
            owner,
            NodeKind::Enum
                | NodeKind::EnumType
                | NodeKind::Create
                | NodeKind::Update
                | NodeKind::Emit
                | NodeKind::Raise
        )
}
