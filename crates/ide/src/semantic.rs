//! What each word of a file is, for who colours it.

use syntax::{FileId, NodeKind, Span, TokenKind};

use crate::Analysis;
use crate::symbol::Thing;

/// The kinds that a word may be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SemanticKind {
    /// A word of the language.
    Keyword,
    /// `//` and `///`
    Comment,
    /// `"…"`
    String,
    /// A number, with its unit if it has one.
    Number,
    /// A service, an app or an environment.
    Namespace,
    /// An entity or a record.
    Class,
    /// A built-in type, or a type that is not known.
    Type,
    /// An enum.
    Enum,
    /// A label of an enum.
    EnumMember,
    /// An event or an error.
    Event,
    /// A field or a member.
    Property,
    /// A parameter.
    Parameter,
    /// A `let`, a loop, or a name that is not known.
    Variable,
    /// A query, a command, a workflow, a job, an operation.
    Function,
    /// A role.
    Role,
}

impl SemanticKind {
    /// All of them, in the order of their numbers, with the token type of LSP 3.17 that each is shown as.
    pub const ALL: [(Self, &'static str); 15] = [
        (Self::Keyword, "keyword"),
        (Self::Comment, "comment"),
        (Self::String, "string"),
        (Self::Number, "number"),
        (Self::Namespace, "namespace"),
        (Self::Class, "class"),
        (Self::Type, "type"),
        (Self::Enum, "enum"),
        (Self::EnumMember, "enumMember"),
        (Self::Event, "event"),
        (Self::Property, "property"),
        (Self::Parameter, "parameter"),
        (Self::Variable, "variable"),
        (Self::Function, "function"),
        (Self::Role, "decorator"),
    ];
}

/// A coloured piece of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SemanticToken {
    /// Where it stands: never over the end of a line.
    pub span: Span,
    /// What it is.
    pub kind: SemanticKind,
    /// Whether the name is declared here.
    pub declares: bool,
}

/// The coloured pieces of a file in order.
#[must_use]
pub fn semantic_tokens(analysis: &Analysis, file: FileId) -> Vec<SemanticToken> {
    semantic_tokens_in(analysis, Span::new(file, 0, u32::MAX))
}

/// The coloured pieces of a part of a file in order: all that touch it.
#[must_use]
pub fn semantic_tokens_in(analysis: &Analysis, part: Span) -> Vec<SemanticToken> {
    let file = part.file;
    let Some(parse) = analysis.parse(file) else { return Vec::new() };
    let first = parse.token_at(part.start) as usize;
    let end = parse.tokens.partition_point(|token| token.start < part.end).max(first);
    // The innermost node of each token: nodes stand in pre-order, so that inner ones overwrite outer ones.
    let mut owners = vec![NodeKind::Root; end - first];
    let mut index = 0;
    while let Some(node) = parse.nodes.get(index).filter(|node| (node.first_token as usize) < end) {
        let (from, to) = (node.first_token as usize, node.end_token as usize);
        if to <= first {
            index = node.end_node as usize;
            continue;
        }
        if let Some(owned) = owners.get_mut(from.saturating_sub(first)..to.min(end) - first) {
            owned.fill(node.kind);
        }
        index += 1;
    }
    let start = parse.token_span(first as u32).start;
    let from = analysis.uses().names.partition_point(|(it, _)| (it.file, it.start) < (file, start));
    let mut uses = analysis.uses().names[from..].iter().peekable();
    let mut found = Vec::new();
    for (at, owner) in (first..).zip(owners) {
        let span = parse.token_span(at as u32);
        let kind = match parse.token_kind(at as u32) {
            TokenKind::Comment | TokenKind::DocComment => SemanticKind::Comment,
            TokenKind::String => SemanticKind::String,
            kind if kind.is_number() => SemanticKind::Number,
            TokenKind::Word => {
                while uses.next_if(|(used, _)| *used < span).is_some() {}
                let used = uses.peek().filter(|(used, _)| *used == span).map(|(_, to)| *to);
                let symbol = analysis.symbol(used.unwrap_or(span));
                if let Some(symbol) = symbol {
                    let declares = symbol.span == span;
                    found.push(SemanticToken { span, kind: kind_of(&symbol.thing), declares });
                    continue;
                }
                unresolved(owner, parse.token_text(at as u32))
            }
            _ => continue,
        };
        found.push(SemanticToken { span, kind, declares: false });
    }
    found
}

const fn kind_of(thing: &Thing) -> SemanticKind {
    match thing {
        Thing::App | Thing::Service | Thing::External(_) | Thing::Environment => {
            SemanticKind::Namespace
        }
        Thing::Role => SemanticKind::Role,
        Thing::Entity(_) | Thing::Record(_) => SemanticKind::Class,
        Thing::Field(..) | Thing::Member(_) | Thing::Parts(_) => SemanticKind::Property,
        Thing::Enum(_) => SemanticKind::Enum,
        Thing::Label(..) => SemanticKind::EnumMember,
        Thing::Error(_) | Thing::Event(_) => SemanticKind::Event,
        Thing::Query(_)
        | Thing::Command(_)
        | Thing::Workflow(_)
        | Thing::Job(_)
        | Thing::Webhook(_)
        | Thing::Operation(..) => SemanticKind::Function,
        Thing::Parameter(..) => SemanticKind::Parameter,
        Thing::Binding(_) => SemanticKind::Variable,
    }
}

/// A word that stands for nothing declared.
fn unresolved(owner: NodeKind, text: &str) -> SemanticKind {
    let is_name = matches!(
        owner,
        NodeKind::Name
            | NodeKind::NameRef
            | NodeKind::Path
            | NodeKind::Region
            | NodeKind::NamedType
    );
    if !is_name || text == "caller" {
        SemanticKind::Keyword
    } else if owner == NodeKind::NamedType || text.starts_with(|it: char| it.is_ascii_uppercase()) {
        SemanticKind::Type
    } else {
        SemanticKind::Variable
    }
}
