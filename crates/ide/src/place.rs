//! Where in the grammar a place stands.

use model::Place;
use syntax::{Node, NodeKind, Parse, TokenKind};

/// What opens a line inside of the blocks that the reference has no table for.
pub(crate) const BLOCKS: &[(NodeKind, &[&str])] = &[
    (NodeKind::App, &["version", "roles", "surface"]),
    (NodeKind::Auth, &["users", "password", "oidc", "token", "limit"]),
    (NodeKind::AuthOidc, &["issuer", "client", "roles"]),
    (NodeKind::AuthToken, &["issuer", "audience", "roles"]),
    (NodeKind::Query, &["where", "sort", "page", "allow", "deprecated"]),
    (NodeKind::Command, &["allow", "deprecated"]),
    (NodeKind::Event, &["allow"]),
    (NodeKind::Webhook, &["sends", "receives", "sign", "retry"]),
    (NodeKind::Workflow, &["step", "retry", "give"]),
    (NodeKind::Step, &["undo"]),
    (
        NodeKind::External,
        &[
            "url", "bearer", "timeout", "retry", "breaker", "bulkhead", "slo", "get", "post",
            "put", "patch", "delete",
        ],
    ),
    (NodeKind::Load, &["grows"]),
    (NodeKind::Environment, &["store", "cache", "broker", "cloud", "budget", "deploy"]),
    (NodeKind::EnvironmentStore, &["replicas", "backup", "recover"]),
    (NodeKind::Decision, &["criteria", "option", "chosen"]),
];

/// The innermost node in whose braces an offset stands; the file where there is none.
pub(crate) fn block(parse: &Parse, offset: u32) -> Node<'_> {
    let is_inside = |node: &Node<'_>| {
        let open = node.token(TokenKind::LeftBrace).map(|token| parse.token_span(token).end);
        let close = node
            .own_tokens()
            .filter(|token| parse.token_kind(*token) == TokenKind::RightBrace)
            .last()
            .map(|token| parse.token_span(token).start);
        open.is_some_and(|open| open <= offset) && close.is_none_or(|close| offset <= close)
    };
    let mut path = parse.nodes_at(offset);
    path.retain(is_inside);
    path.last().copied().unwrap_or_else(|| parse.root())
}

/// Which words may open a line in a block.
pub(crate) const fn of_block(kind: NodeKind) -> Option<Place> {
    match kind {
        NodeKind::Root | NodeKind::Service => Some(Place::Item),
        NodeKind::Entity => Some(Place::Member),
        NodeKind::Command | NodeKind::Block | NodeKind::Step | NodeKind::Job | NodeKind::If => {
            Some(Place::Statement)
        }
        _ => None,
    }
}

/// Of which places the word at an offset may be a word, the likeliest first.
pub(crate) fn of_keyword(parse: &Parse, offset: u32) -> Vec<Place> {
    let path = parse.nodes_at(offset);
    let own = path.iter().rev().find_map(|node| match node.kind() {
        NodeKind::Field | NodeKind::Key => Some(Place::Modifier),
        NodeKind::FunctionCall => Some(Place::Function),
        NodeKind::NamedType => Some(Place::Type),
        _ => None,
    });
    let mut places: Vec<Place> = own.into_iter().collect();
    places.extend(of_block(block(parse, offset).kind()));
    // The word that opens a block stands before it, in the block around.
    places.extend([
        Place::Item,
        Place::Member,
        Place::Modifier,
        Place::Statement,
        Place::Type,
        Place::Function,
    ]);
    places
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use model::{Place, words};

    use super::BLOCKS;

    #[test]
    fn every_keyword_of_the_parser_is_offered_somewhere() {
        let mut offered: BTreeSet<&str> =
            BLOCKS.iter().flat_map(|(_, words)| *words).copied().collect();
        let places = [Place::Item, Place::Member, Place::Statement];
        let named = places.into_iter().flat_map(words);
        offered.extend(named.filter_map(|word| word.name.split(' ').next()));
        for word in syntax::ITEM_KEYWORDS.iter().chain(&syntax::MEMBER_KEYWORDS) {
            assert!(offered.contains(word), "`{word}` is offered nowhere");
        }
    }
}
