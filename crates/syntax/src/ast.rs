//! Typed views of the tree: one `Copy` struct for each construct, one enum for each closed choice.
//!
//! An accessor answers `None` where the source is broken (the parser has reported it) or where an optional part is
//! absent; the grammar in each view's own documentation says which parts are optional.
//! Every view has `span()`, `docs()` and `node()`.

mod command;
mod decision;
mod entity;
mod environment;
mod expression;
mod item;
mod literal;
mod member;
mod operations;
mod type_expr;
mod workflow;

pub use command::*;
pub use decision::*;
pub use entity::*;
pub use environment::*;
pub use expression::*;
pub use item::*;
pub use literal::*;
pub(crate) use literal::{SIZES, duration_unit, escape, integer, split_number};
pub use member::*;
pub use operations::*;
pub use type_expr::*;
pub use workflow::*;

use crate::kind::{NodeKind, TokenKind};
use crate::tree::{Children, Node, Parse, Span};

/// What can be seen in a node.
pub trait View<'a>: Copy {
    /// The view of `node`, if the node is of its kind.
    fn cast(node: Node<'a>) -> Option<Self>;
}

/// The children of a node that are of one view.
#[derive(Clone)]
pub struct Views<'a, V> {
    children: Children<'a>,
    view: std::marker::PhantomData<V>,
}

impl<'a, V: View<'a>> Iterator for Views<'a, V> {
    type Item = V;

    fn next(&mut self) -> Option<V> {
        self.children.find_map(V::cast)
    }
}

/// The first child of `node` that is a `V`.
pub(crate) fn child<'a, V: View<'a>>(node: Node<'a>) -> Option<V> {
    node.children().find_map(V::cast)
}

/// The children of `node` that are a `V`.
pub(crate) fn children<'a, V: View<'a>>(node: Node<'a>) -> Views<'a, V> {
    Views { children: node.children(), view: std::marker::PhantomData }
}

/// The first child of that kind, as a name.
pub(crate) fn name_of(node: Node<'_>, kind: NodeKind) -> Option<Name<'_>> {
    node.children().find(|child| child.kind() == kind).and_then(Name::cast)
}

/// Declares views: `Struct = Kind { accessor: how What; }`.
///
/// `child V` and `children V` look for children, `literal N` for the literal at that place; `the declared` is the first
/// declared name, `the used` the first used one, `each name` all of both; `word "w"` asks whether an own token is it.
macro_rules! views {
    ($(
        $(#[$meta:meta])*
        $view:ident = $($kind:ident)|+ {
            $( $(#[$doc:meta])* $accessor:ident: $how:ident $what:tt; )*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $view<'a>($crate::tree::Node<'a>);

        impl<'a> $crate::ast::View<'a> for $view<'a> {
            fn cast(node: $crate::tree::Node<'a>) -> Option<Self> {
                matches!(node.kind(), $($crate::kind::NodeKind::$kind)|+).then_some(Self(node))
            }
        }

        impl<'a> $view<'a> {
            /// The node it views.
            #[must_use]
            pub const fn node(self) -> $crate::tree::Node<'a> {
                self.0
            }

            /// Where it stands.
            #[must_use]
            pub fn span(self) -> $crate::tree::Span {
                self.0.span()
            }

            /// The `///` lines before it.
            #[must_use]
            pub fn docs(self) -> Option<String> {
                self.0.docs()
            }

            $( $crate::ast::views!(@ $(#[$doc])* $accessor $how $what); )*
        }
    )*};
    (@ $(#[$doc:meta])* $accessor:ident child $what:ident) => {
        $(#[$doc])*
        #[must_use]
        pub fn $accessor(self) -> Option<$what<'a>> {
            $crate::ast::child(self.0)
        }
    };
    (@ $(#[$doc:meta])* $accessor:ident children $what:ident) => {
        $(#[$doc])*
        #[must_use]
        pub fn $accessor(self) -> $crate::ast::Views<'a, $what<'a>> {
            $crate::ast::children(self.0)
        }
    };
    (@ $(#[$doc:meta])* $accessor:ident the declared) => {
        $(#[$doc])*
        #[must_use]
        pub fn $accessor(self) -> Option<$crate::ast::Name<'a>> {
            $crate::ast::name_of(self.0, $crate::kind::NodeKind::Name)
        }
    };
    (@ $(#[$doc:meta])* $accessor:ident the used) => {
        $(#[$doc])*
        #[must_use]
        pub fn $accessor(self) -> Option<$crate::ast::Name<'a>> {
            $crate::ast::name_of(self.0, $crate::kind::NodeKind::NameRef)
        }
    };
    (@ $(#[$doc:meta])* $accessor:ident each name) => {
        $(#[$doc])*
        #[must_use]
        pub fn $accessor(self) -> $crate::ast::Views<'a, $crate::ast::Name<'a>> {
            $crate::ast::children(self.0)
        }
    };
    (@ $(#[$doc:meta])* $accessor:ident word $word:literal) => {
        $(#[$doc])*
        #[must_use]
        pub fn $accessor(self) -> bool {
            self.0.has_word($word)
        }
    };
    (@ $(#[$doc:meta])* $accessor:ident literal $place:literal) => {
        $(#[$doc])*
        #[must_use]
        pub fn $accessor(self) -> Option<$crate::ast::Literal<'a>> {
            $crate::ast::children(self.0).nth($place)
        }
    };
}

/// Declares an enum over views; each variant carries the view of its own name unless told otherwise.
macro_rules! choice {
    ($(#[$meta:meta])* $name:ident { $( $(#[$doc:meta])* $variant:ident($view:ident), )* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name<'a> {
            $( $(#[$doc])* $variant($view<'a>), )*
        }

        impl<'a> $crate::ast::View<'a> for $name<'a> {
            fn cast(node: $crate::tree::Node<'a>) -> Option<Self> {
                $( if let Some(view) = $view::cast(node) { return Some(Self::$variant(view)); } )*
                None
            }
        }

        impl<'a> $name<'a> {
            /// The node it views.
            #[must_use]
            pub fn node(self) -> $crate::tree::Node<'a> {
                match self { $( Self::$variant(view) => view.node(), )* }
            }

            /// Where it stands.
            #[must_use]
            pub fn span(self) -> $crate::tree::Span {
                self.node().span()
            }

            /// The `///` lines before it.
            #[must_use]
            pub fn docs(self) -> Option<String> {
                self.node().docs()
            }
        }
    };
}

pub(crate) use {choice, views};

/// One word of the text: a declared name, a used one, or a segment of a path.
#[derive(Clone, Copy)]
pub struct Name<'a> {
    parse: &'a Parse,
    token: u32,
}

impl<'a> Name<'a> {
    pub(crate) const fn new(parse: &'a Parse, token: u32) -> Self {
        Self { parse, token }
    }

    /// The name itself.
    #[must_use]
    pub fn text(self) -> &'a str {
        self.parse.token_text(self.token)
    }

    /// Where it stands.
    #[must_use]
    pub fn span(self) -> Span {
        self.parse.token_span(self.token)
    }
}

impl std::fmt::Debug for Name<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.text())
    }
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.parse, other.parse) && self.token == other.token
    }
}

impl Eq for Name<'_> {}

impl<'a> View<'a> for Name<'a> {
    fn cast(node: Node<'a>) -> Option<Self> {
        matches!(node.kind(), NodeKind::Name | NodeKind::NameRef)
            .then(|| Self::new(node.parse(), node.tokens().start))
    }
}

views! {
    /// Role names after `allow`, `to` or `as`: `clerk, manager`.
    Roles = Roles {
        /// Each role.
        names: each name;
    }
}

/// Words separated by dots. `.a.b` starts at the row under consideration, `a.b` at a name in scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path<'a>(Node<'a>);

impl<'a> View<'a> for Path<'a> {
    fn cast(node: Node<'a>) -> Option<Self> {
        (node.kind() == NodeKind::Path).then_some(Self(node))
    }
}

impl<'a> Path<'a> {
    /// The node it views.
    #[must_use]
    pub const fn node(self) -> Node<'a> {
        self.0
    }

    /// Where it stands.
    #[must_use]
    pub fn span(self) -> Span {
        self.0.span()
    }

    /// Whether it starts with a dot, at the row.
    #[must_use]
    pub fn is_row(self) -> bool {
        self.0.parse().token_kind(self.0.tokens().start) == TokenKind::Dot
    }

    /// Its words in order: at least one, unless the source is broken behind a lone dot.
    pub fn segments(self) -> impl Iterator<Item = Name<'a>> + Clone {
        let parse = self.0.parse();
        self.0
            .tokens()
            .filter(move |token| parse.token_kind(*token) == TokenKind::Word)
            .map(move |token| Name::new(parse, token))
    }

    /// Its first word.
    #[must_use]
    pub fn first(self) -> Option<Name<'a>> {
        self.segments().next()
    }

    /// Its last word.
    #[must_use]
    pub fn last(self) -> Option<Name<'a>> {
        self.segments().last()
    }

    /// Its only word, where it is `name` alone: no dot before or inside.
    #[must_use]
    pub fn single(self) -> Option<Name<'a>> {
        let mut segments = self.segments();
        match (self.is_row(), segments.next(), segments.next()) {
            (false, Some(only), None) => Some(only),
            _ => None,
        }
    }
}
