//! What is known of each token before anything is written.

use super::column::{Column, Key, columns};
use super::is_comma_list;
use crate::kind::{NodeKind, TokenKind};
use crate::tree::Parse;

/// A comment before a piece.
pub(super) struct Comment<'p> {
    pub text: &'p str,
    /// Whether it stands on the line of the token before it.
    pub is_behind: bool,
    /// Whether a blank line stands before it.
    pub blank: bool,
}

/// A token that is no trivia.
pub(super) struct Piece<'p> {
    pub text: &'p str,
    pub kind: TokenKind,
    /// Spaces before it where no line break stands.
    pub space: usize,
    /// Where the bracket that it opens is closed.
    pub close: Option<usize>,
    /// The bracket around it, as an index plus one; 0 outside of any.
    pub around: usize,
    /// Whether an element of the body around it starts here.
    pub is_element: bool,
    /// The innermost node around it.
    pub owner: NodeKind,
    /// The column it starts.
    pub column: Option<Column>,
    /// The column that would start behind it, if anything stood there: it makes room like its neighbours.
    pub column_behind: Option<Column>,
    /// Whether the author broke the line before it at a place where that is kept.
    pub keeps_break: bool,
    /// For an opening bracket: whether its content cannot stand on one line.
    pub must_break: bool,
    /// For an opening bracket: whether the elements stand below the first.
    pub hangs: bool,
    /// The comments before it.
    pub comments: Vec<Comment<'p>>,
    /// Whether a line break stands before it in the source.
    pub line: bool,
    /// Whether a blank line stands right before it.
    pub blank: bool,
}

/// All pieces of a file.
pub(super) struct Plan<'p> {
    pub pieces: Vec<Piece<'p>>,
    /// The comments behind the last piece.
    last: Vec<Comment<'p>>,
    /// Widths of the pieces before each piece, were they all on one line.
    widths: Vec<usize>,
}

impl<'p> Plan<'p> {
    pub fn new(parse: &'p Parse) -> Self {
        let (mut pieces, last, tokens) = pieces(parse);
        let piece_of = {
            let mut piece_of = vec![0_usize; parse.tokens.len() + 1];
            for (index, token) in tokens.iter().enumerate() {
                piece_of[*token as usize] = index;
            }
            piece_of
        };
        let owners = owners(parse);
        let owner_of = |index: usize| parse.nodes[owners[tokens[index] as usize]];
        match_brackets(&mut pieces);
        for index in 0..parse.nodes.len() {
            mark_elements(parse, index, &piece_of, &mut pieces);
        }
        for (token, column) in columns(parse) {
            pieces[piece_of[token as usize]].column = Some(column);
        }
        for (index, piece) in pieces.iter_mut().enumerate() {
            piece.owner = owner_of(index).kind;
            if piece.owner == NodeKind::AuthPassword {
                piece.column_behind = Some(Column { key: Key::AuthValue, right: None });
            }
        }
        for index in 1..pieces.len() {
            let is_first = owner_of(index).first_token == tokens[index];
            let (left, right) = (&pieces[index - 1], &pieces[index]);
            let space = space(left, right, is_first);
            let keeps_break = right.line && keeps_break(left, right);
            pieces[index].space = space;
            pieces[index].keeps_break = keeps_break;
        }
        for node in &parse.nodes {
            if is_modifier(node.kind) && node.first_token < node.end_token {
                let piece = &mut pieces[piece_of[node.first_token as usize]];
                piece.keeps_break |= piece.line && !piece.is_element;
            }
        }
        let mut widths = Vec::with_capacity(pieces.len() + 1);
        let mut width = 0;
        for piece in &pieces {
            widths.push(width);
            width += piece.space + piece.text.chars().count();
        }
        widths.push(width);
        decide_breaks(&mut pieces);
        Self { pieces, last, widths }
    }

    /// The width of the pieces `from..to` on one line, with the space before the first.
    pub fn width(&self, from: usize, to: usize) -> usize {
        self.widths[to.max(from)] - self.widths[from]
    }

    /// Whether `at` starts an element of the body whose content begins at `first`.
    pub fn is_element_of(&self, at: usize, first: usize) -> bool {
        self.pieces[at].is_element && self.pieces[at].around == first
    }

    /// The comments before a piece, or behind the last.
    pub fn comments_before(&self, at: usize) -> &[Comment<'p>] {
        self.pieces.get(at).map_or(&self.last, |piece| &piece.comments)
    }
}

/// Splits the tokens into pieces with their trivia; the tokens' indices beside.
fn pieces(parse: &Parse) -> (Vec<Piece<'_>>, Vec<Comment<'_>>, Vec<u32>) {
    let mut pieces = Vec::new();
    let mut tokens = Vec::new();
    let mut comments = Vec::new();
    // Line breaks since the last token or comment; before the first token everything stands on a line of its own.
    let mut breaks = 1_usize;
    let mut has_line = true;
    for index in 0..parse.tokens.len() as u32 {
        let text = parse.token_text(index);
        match parse.token_kind(index) {
            TokenKind::Whitespace => {
                let found = text.bytes().filter(|byte| *byte == b'\n').count();
                breaks += found;
                has_line |= found > 0;
            }
            TokenKind::Comment | TokenKind::DocComment => {
                let is_behind = !has_line;
                let blank = breaks > 1 && !(pieces.is_empty() && comments.is_empty());
                comments.push(Comment { text: text.trim_end(), is_behind, blank });
                breaks = 0;
                has_line = true;
            }
            TokenKind::End => {}
            kind => {
                tokens.push(index);
                pieces.push(Piece {
                    text,
                    kind,
                    space: 0,
                    close: None,
                    around: 0,
                    is_element: false,
                    owner: NodeKind::Root,
                    column: None,
                    column_behind: None,
                    keeps_break: false,
                    must_break: false,
                    hangs: false,
                    comments: std::mem::take(&mut comments),
                    line: has_line,
                    blank: breaks > 1,
                });
                breaks = 0;
                has_line = false;
            }
        }
    }
    (pieces, comments, tokens)
}

/// For each token the innermost node that covers it.
fn owners(parse: &Parse) -> Vec<usize> {
    let mut owners = vec![0; parse.tokens.len()];
    // Pre-order: a node comes after all that hold it.
    for (index, node) in parse.nodes.iter().enumerate() {
        owners[node.first_token as usize..node.end_token as usize].fill(index);
    }
    owners
}

fn match_brackets(pieces: &mut [Piece<'_>]) {
    let mut open: Vec<usize> = Vec::new();
    for index in 0..pieces.len() {
        match pieces[index].kind {
            TokenKind::RightBrace | TokenKind::RightParen | TokenKind::RightBracket => {
                if let Some(start) = open.pop() {
                    pieces[start].close = Some(index);
                }
                pieces[index].around = open.last().map_or(0, |around| around + 1);
            }
            kind => {
                pieces[index].around = open.last().map_or(0, |around| around + 1);
                if matches!(
                    kind,
                    TokenKind::LeftBrace | TokenKind::LeftParen | TokenKind::LeftBracket
                ) {
                    open.push(index);
                }
            }
        }
    }
}

/// Marks the first piece of each child that stands in a bracket of its own parent.
fn mark_elements(parse: &Parse, index: usize, piece_of: &[usize], pieces: &mut [Piece<'_>]) {
    let node = parse.nodes[index];
    let start = piece_of[node.first_token as usize];
    let mut child = index + 1;
    while child < node.end_node as usize {
        let data = parse.nodes[child];
        let first = piece_of[data.first_token as usize];
        pieces[first].is_element |= match pieces[first].around {
            0 => node.kind == NodeKind::Root,
            // The bracket lies inside of the parent, and no sibling's bracket can hold this child.
            around => start < around,
        };
        child = data.end_node as usize;
    }
}

/// Decides, from the inside out, which brackets cannot stand on one line, and which hang.
fn decide_breaks(pieces: &mut [Piece<'_>]) {
    for open in (0..pieces.len()).rev() {
        let Some(close) = pieces[open].close else { continue };
        let is_list = is_comma_list(pieces[open].owner, pieces[open].kind);
        let mut must_break = false;
        let mut is_hanging = pieces[open].owner == NodeKind::Step && !pieces[open + 1].line;
        let mut has_lines = false;
        for at in open + 1..=close {
            let piece = &pieces[at];
            let is_direct = piece.around == open + 1;
            let is_split = piece.line && is_direct && at > open + 1 && piece.is_element;
            let is_nested = piece.close.is_some() && (piece.must_break || piece.hangs);
            let lacks_comma = is_list
                && is_direct
                && piece.is_element
                && at > open + 1
                && pieces[at - 1].kind != TokenKind::Comma;
            has_lines |= is_split;
            is_hanging &= piece.comments.is_empty()
                && !is_nested
                && !(piece.keeps_break && !piece.is_element && is_direct);
            must_break |= !piece.comments.is_empty()
                || is_nested
                || lacks_comma
                || (at == open + 1 && piece.line && at != close)
                || (!is_list && piece.line && is_direct && at != close);
        }
        pieces[open].hangs = is_hanging && has_lines;
        pieces[open].must_break = must_break;
    }
}

const fn is_modifier(kind: NodeKind) -> bool {
    matches!(
        kind,
        NodeKind::Default
            | NodeKind::Computed
            | NodeKind::UniqueModifier
            | NodeKind::Immutable
            | NodeKind::Search
            | NodeKind::Pii
            | NodeKind::Encrypted
            | NodeKind::Secret
            | NodeKind::Pattern
            | NodeKind::Was
            | NodeKind::StoredAs
            | NodeKind::OnDelete
    )
}

/// The joints of a sentence, where an author's line break is kept. None of them changes what the parser reads.
fn keeps_break(left: &Piece<'_>, right: &Piece<'_>) -> bool {
    let owner = right.owner;
    if right.is_element {
        return false;
    }
    left.owner == NodeKind::Binary
        || owner == NodeKind::Binary
        || left.kind == TokenKind::Comma
        || right.kind == TokenKind::Arrow
        || (right.kind == TokenKind::String
            && owner == NodeKind::Literal
            && left.kind == TokenKind::Word)
        || match right.text {
            "when" => matches!(owner, NodeKind::Allow | NodeKind::Admit),
            "to" => owner == NodeKind::Allow,
            "else" => matches!(owner, NodeKind::Require | NodeKind::Conditional),
            "then" => owner == NodeKind::Conditional,
            "because" => owner == NodeKind::Chosen,
            "where" => owner == NodeKind::Where,
            _ => false,
        }
}

/// Spaces between two pieces on one line.
fn space(left: &Piece<'_>, right: &Piece<'_>, is_first: bool) -> usize {
    use TokenKind as T;
    let (left_owner, owner) = (left.owner, right.owner);
    if right.is_element
        && !matches!(left.kind, T::Comma | T::LeftBrace | T::LeftParen | T::LeftBracket)
    {
        return 2;
    }
    let is_tight = match (left.kind, right.kind) {
        (T::LeftBrace, T::RightBrace) => true,
        (T::LeftParen | T::LeftBracket, _) => true,
        (_, T::RightParen | T::RightBracket | T::Comma | T::Colon | T::Question) => true,
        (T::Minus, _)
            if matches!(
                left_owner,
                NodeKind::Unary | NodeKind::IndexKey | NodeKind::SortKey | NodeKind::Range
            ) =>
        {
            true
        }
        (T::Dot, _) => true,
        (_, T::Dot) => !is_first,
        (T::DotDot, _) => true,
        (_, T::DotDot) => !is_first,
        (T::Minus, _) if left_owner == NodeKind::Region => true,
        (_, T::Minus) if left_owner == NodeKind::Region && owner == NodeKind::Region => true,
        (_, T::LeftParen) => matches!(
            owner,
            NodeKind::FunctionCall
                | NodeKind::NamedType
                | NodeKind::ListType
                | NodeKind::Parameters
                | NodeKind::Arguments
        ),
        // A region is one word to the reader: `eu-central-1`.
        (_, T::Word | T::Integer) => left_owner == NodeKind::Region && owner == NodeKind::Region,
        _ => false,
    };
    usize::from(!is_tight)
}
