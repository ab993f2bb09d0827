//! Mimar's text: lexed, parsed without losing a byte, formatted, and its faults explained.
//!
//! ```text
//! text ── parse ──► Parse { text, tokens, nodes, diagnostics } ── tree() ──► ast::Root, typed views
//!                     └── format ──► String
//! ```

pub mod ast;
mod code;
pub mod diagnostic;
mod format;
mod keyword;
pub mod kind;
mod lexer;
mod nearest;
mod parser;
mod render;
mod shift;
pub mod tree;

pub use code::{CODES, explain};
pub use diagnostic::{Applicability, Code, Diagnostic, Edit, Fix, Label, Severity};
pub use format::format;
pub use keyword::{ITEMS as ITEM_KEYWORDS, MEMBERS as MEMBER_KEYWORDS};
pub use kind::{NodeKind, TokenKind};
pub use nearest::nearest;
pub use parser::{Damage, Reparse, parse, reparse};
pub use render::{Look, Source, apply, line_column, render, render_json};
pub use shift::Shift;
pub use tree::{FileId, Node, Parse, Span};
