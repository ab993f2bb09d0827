//! The lossless tree: flat arrays of tokens and nodes over one text.
//!
//! Every byte of the text lies in exactly one token. Nodes are stored in pre-order; a node knows the tokens it
//! covers and where its subtree ends, so walking is counting and a handle is two words.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Severity};
use crate::kind::{NodeKind, TokenKind};

/// Names one file of a model. The caller hands the numbers out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// A range of bytes in one file: `start` included, `end` not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

impl Span {
    /// The range `start..end` of `file`.
    #[must_use]
    pub const fn new(file: FileId, start: u32, end: u32) -> Self {
        Self { file, start, end }
    }

    /// The smallest span that holds both; both must lie in one file.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The empty span at the end.
    #[must_use]
    pub const fn after(self) -> Self {
        Self { file: self.file, start: self.end, end: self.end }
    }

    /// The empty span at the start.
    #[must_use]
    pub const fn before(self) -> Self {
        Self { file: self.file, start: self.start, end: self.start }
    }

    /// Whether `offset` lies inside, or right behind the last byte, where a cursor still touches it.
    #[must_use]
    pub const fn touches(self, offset: u32) -> bool {
        self.start <= offset && offset <= self.end
    }

    /// As a range to slice the text with.
    #[must_use]
    pub const fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One token: where it begins and what it is. It ends where the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Offset of its first byte.
    pub start: u32,
}

/// One node as stored. Use [`Node`] to walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeData {
    /// What it is.
    pub kind: NodeKind,
    /// Index of its first token, which is never trivia unless the node is empty or the root.
    pub first_token: u32,
    /// Index behind its last token.
    pub end_token: u32,
    /// Index behind the last node of its subtree.
    pub end_node: u32,
}

/// One parsed file: its text, its tokens, its tree, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Parse {
    /// The file it came from.
    pub file: FileId,
    /// The whole text.
    pub text: Arc<str>,
    /// All tokens in order, trivia included; the last one is [`TokenKind::End`].
    pub tokens: Vec<Token>,
    /// All nodes in pre-order; the first is the root.
    pub nodes: Vec<NodeData>,
    /// The faults of the syntax, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// Opening braces less closing ones.
    pub(crate) open_braces: i64,
}

impl Parse {
    /// The root node.
    #[must_use]
    pub fn root(&self) -> Node<'_> {
        Node { parse: self, index: 0 }
    }

    /// The node of that number in [`Parse::nodes`], if there is one.
    #[must_use]
    pub fn node(&self, index: u32) -> Option<Node<'_>> {
        ((index as usize) < self.nodes.len()).then_some(Node { parse: self, index })
    }

    /// The whole file as a typed view.
    #[must_use]
    pub fn tree(&self) -> crate::ast::Root<'_> {
        crate::ast::Root::new(self.root())
    }

    /// Whether any diagnostic is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// The text of the token at `index`; empty behind the end.
    #[must_use]
    pub fn token_text(&self, index: u32) -> &str {
        self.text.get(self.token_span(index).range()).unwrap_or("")
    }

    /// The span of the token at `index`.
    #[must_use]
    pub fn token_span(&self, index: u32) -> Span {
        let end = self.text.len() as u32;
        let start_of = |index: u32| self.tokens.get(index as usize).map_or(end, |t| t.start);
        Span { file: self.file, start: start_of(index), end: start_of(index.saturating_add(1)) }
    }

    /// The kind of the token at `index`; [`TokenKind::End`] behind the end.
    #[must_use]
    pub fn token_kind(&self, index: u32) -> TokenKind {
        self.tokens.get(index as usize).map_or(TokenKind::End, |token| token.kind)
    }

    /// Index of the token that holds the byte at `offset`; the end token behind the text.
    #[must_use]
    pub fn token_at(&self, offset: u32) -> u32 {
        let behind = self.tokens.partition_point(|token| token.start <= offset);
        behind.saturating_sub(1) as u32
    }

    /// The nodes that touch `offset`, from the root to the innermost.
    #[must_use]
    pub fn nodes_at(&self, offset: u32) -> Vec<Node<'_>> {
        let mut path = vec![self.root()];
        let mut node = self.root();
        // Siblings stand in the order of the text: those behind the offset need not be looked at.
        let begins = |child: &Node<'_>| self.token_span(child.tokens().start).start <= offset;
        while let Some(child) =
            node.children().take_while(begins).filter(|child| child.span().touches(offset)).last()
        {
            path.push(child);
            node = child;
        }
        path
    }
}

/// A handle on one node: copy it freely.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    parse: &'a Parse,
    index: u32,
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.parse, other.parse) && self.index == other.index
    }
}

impl Eq for Node<'_> {}

impl std::fmt::Debug for Node<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let span = self.span();
        write!(formatter, "{:?}@{}..{}", self.kind(), span.start, span.end)
    }
}

impl<'a> Node<'a> {
    /// The parse it belongs to.
    #[must_use]
    pub const fn parse(self) -> &'a Parse {
        self.parse
    }

    /// Its index in [`Parse::nodes`]: stable for this parse, good as a key of a table.
    #[must_use]
    pub const fn index(self) -> u32 {
        self.index
    }

    fn data(self) -> NodeData {
        self.parse.nodes.get(self.index as usize).copied().unwrap_or(NodeData {
            kind: NodeKind::Error,
            first_token: 0,
            end_token: 0,
            end_node: 0,
        })
    }

    /// What it is.
    #[must_use]
    pub fn kind(self) -> NodeKind {
        self.data().kind
    }

    /// The tokens it covers, as indices into [`Parse::tokens`].
    #[must_use]
    pub fn tokens(self) -> std::ops::Range<u32> {
        let data = self.data();
        data.first_token..data.end_token
    }

    /// From its first byte to its last, without the white space and comments around.
    #[must_use]
    pub fn span(self) -> Span {
        let tokens = self.tokens();
        let start = self.parse.token_span(tokens.start).start;
        if tokens.is_empty() {
            return Span::new(self.parse.file, start, start);
        }
        Span::new(self.parse.file, start, self.parse.token_span(tokens.end - 1).end)
    }

    /// Its text.
    #[must_use]
    pub fn text(self) -> &'a str {
        self.parse.text.get(self.span().range()).unwrap_or("")
    }

    /// Its direct children in order.
    #[must_use]
    pub fn children(self) -> Children<'a> {
        Children { parse: self.parse, next: self.index + 1, end: self.data().end_node }
    }

    /// The tokens that belong to it and to none of its children, trivia left out.
    #[must_use]
    pub fn own_tokens(self) -> OwnTokens<'a> {
        let tokens = self.tokens();
        OwnTokens {
            parse: self.parse,
            next: tokens.start,
            end: tokens.end,
            children: self.children().peekable(),
        }
    }

    /// The first of its own tokens of that kind.
    #[must_use]
    pub fn token(self, kind: TokenKind) -> Option<u32> {
        self.own_tokens().find(|token| self.parse.token_kind(*token) == kind)
    }

    /// Whether one of its own tokens is this word.
    #[must_use]
    pub fn has_word(self, word: &str) -> bool {
        self.own_tokens().any(|token| self.parse.token_text(token) == word)
    }

    /// The documentation right before it: the text of its `///` lines, joined by line breaks, without the slashes
    /// and one space behind them.
    #[must_use]
    pub fn docs(self) -> Option<String> {
        let mut first = self.tokens().start;
        let mut lines = Vec::new();
        while first > 0 && self.parse.token_kind(first - 1).is_trivia() {
            first -= 1;
            if self.parse.token_kind(first) == TokenKind::DocComment {
                let text = self.parse.token_text(first);
                let text = text.strip_prefix("///").unwrap_or(text).trim_end();
                lines.push(text.strip_prefix(' ').unwrap_or(text));
            }
        }
        lines.reverse();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

/// Iterator over the direct children of a node.
#[derive(Clone)]
pub struct Children<'a> {
    parse: &'a Parse,
    next: u32,
    end: u32,
}

impl<'a> Iterator for Children<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        if self.next >= self.end {
            return None;
        }
        let node = Node { parse: self.parse, index: self.next };
        self.next = node.data().end_node;
        Some(node)
    }
}

/// Iterator over the tokens a node does not share with its children; see [`Node::own_tokens`].
#[derive(Clone)]
pub struct OwnTokens<'a> {
    parse: &'a Parse,
    next: u32,
    end: u32,
    children: std::iter::Peekable<Children<'a>>,
}

impl Iterator for OwnTokens<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        while self.next < self.end {
            if let Some(child) = self.children.peek() {
                let covered = child.tokens();
                if covered.is_empty() || covered.start <= self.next {
                    self.next = self.next.max(covered.end);
                    self.children.next();
                    continue;
                }
            }
            let token = self.next;
            self.next += 1;
            if !self.parse.token_kind(token).is_trivia() {
                return Some(token);
            }
        }
        None
    }
}
