//! Which tokens line up with those of the rows above and below.

use crate::kind::{NodeKind, TokenKind};
use crate::tree::{Node, Parse};

/// Columns of one key line up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    FieldType,
    FieldModifier,
    AllowTo,
    AppValue,
    AuthValue,
    ProviderBody,
    ClaimValue,
    EnvironmentValue,
    EnvironmentAddress,
    StoreValue,
    QueryValue,
    ExternalValue,
    OperationName,
    OperationPath,
    OperationBody,
    LoadValue,
    CriteriaValue,
    PrivacyValue,
    OptionBody,
    FlowArrow,
    EventBy,
    EventBody,
    StepBody,
    LimitTarget,
    LimitValue,
    OnRun,
    WebhookValue,
}

impl Key {
    /// Spaces between the longest cell before the column and the column.
    pub const fn gap(self) -> usize {
        match self {
            Self::AppValue
            | Self::AuthValue
            | Self::EnvironmentValue
            | Self::CriteriaValue
            | Self::PrivacyValue
            | Self::FieldModifier => 2,
            _ => 1,
        }
    }

    /// How far the column stands from the one before it, at least. Types of common length give the same column in
    /// neighbouring entities, which keeps a page calm.
    pub const fn distance(self) -> usize {
        match self {
            Self::FieldModifier => 17,
            _ => 0,
        }
    }
}

/// A column and, for numbers that end in one line, which of them do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub key: Key,
    /// Numbers of one such kind are right-aligned.
    pub right: Option<NodeKind>,
}

/// The tokens that start a column.
pub(super) fn columns(parse: &Parse) -> Vec<(u32, Column)> {
    let mut columns = Vec::new();
    walk(parse.root(), &mut columns);
    columns
}

fn walk(node: Node<'_>, columns: &mut Vec<(u32, Column)>) {
    for child in node.children() {
        mark(child, node.kind(), columns);
        walk(child, columns);
    }
}

fn mark(node: Node<'_>, parent: NodeKind, columns: &mut Vec<(u32, Column)>) {
    let mut put = |token: Option<u32>, key: Key| {
        if let Some(token) = token {
            columns.push((token, Column { key, right: None }));
        }
    };
    let child = |kinds: &[NodeKind]| {
        node.children()
            .find(|child| kinds.contains(&child.kind()))
            .map(|child| child.tokens().start)
    };
    let word = |word: &str| node.own_tokens().find(|token| node.parse().token_text(*token) == word);
    let second = || next_token(node, node.tokens().start);
    match node.kind() {
        NodeKind::Field | NodeKind::Key => field(node, &mut put),
        NodeKind::Allow => put(word("to"), Key::AllowTo),
        NodeKind::AppVersion | NodeKind::AppRoles | NodeKind::AppSurface => {
            put(second(), Key::AppValue);
        }
        NodeKind::AuthUsers | NodeKind::AuthLimit => put(second(), Key::AuthValue),
        NodeKind::AuthPassword => {}
        NodeKind::AuthOidc => {
            put(second(), Key::AuthValue);
            put(node.token(TokenKind::LeftBrace), Key::ProviderBody);
        }
        NodeKind::AuthToken => put(second(), Key::AuthValue),
        NodeKind::ClaimIssuer
        | NodeKind::ClaimClient
        | NodeKind::ClaimAudience
        | NodeKind::ClaimRoles => put(second(), Key::ClaimValue),
        NodeKind::EnvironmentCache | NodeKind::EnvironmentBroker => {
            put(second(), Key::EnvironmentValue);
            put(child(&[NodeKind::Setting]), Key::EnvironmentAddress);
        }
        NodeKind::EnvironmentStore
        | NodeKind::EnvironmentCloud
        | NodeKind::EnvironmentBudget
        | NodeKind::EnvironmentDeploy => put(second(), Key::EnvironmentValue),
        NodeKind::StoreReplicas | NodeKind::StoreBackup | NodeKind::StoreRecover => {
            put(second(), Key::StoreValue);
        }
        NodeKind::Where | NodeKind::Sort | NodeKind::Page | NodeKind::Admit
            if parent == NodeKind::Query =>
        {
            put(second(), Key::QueryValue);
        }
        NodeKind::ExternalUrl
        | NodeKind::ExternalBearer
        | NodeKind::ExternalTimeout
        | NodeKind::ExternalBreaker
        | NodeKind::ExternalBulkhead => put(second(), Key::ExternalValue),
        NodeKind::Retry | NodeKind::Slo if parent == NodeKind::External => {
            put(second(), Key::ExternalValue);
        }
        NodeKind::ExternalOperation => {
            put(second(), Key::OperationName);
            put(child(&[NodeKind::Literal]), Key::OperationPath);
            put(child(&[NodeKind::RecordType]), Key::OperationBody);
        }
        NodeKind::LoadGrows => put(second(), Key::LoadValue),
        NodeKind::LoadRows | NodeKind::LoadRate => {
            if let Some(token) = child(&[NodeKind::Literal]) {
                columns.push((token, Column { key: Key::LoadValue, right: Some(node.kind()) }));
            }
        }
        NodeKind::Criteria => put(second(), Key::CriteriaValue),
        NodeKind::Privacy => put(second(), Key::PrivacyValue),
        NodeKind::Alternative => put(node.token(TokenKind::LeftBrace), Key::OptionBody),
        NodeKind::FlowRule => put(node.token(TokenKind::Arrow), Key::FlowArrow),
        NodeKind::Event => {
            put(word("by"), Key::EventBy);
            put(node.token(TokenKind::LeftBrace), Key::EventBody);
        }
        NodeKind::Step => put(node.token(TokenKind::LeftBrace), Key::StepBody),
        NodeKind::Limit | NodeKind::Slo => {
            put(child(&[NodeKind::Path]), Key::LimitTarget);
            put(child(&[NodeKind::Literal]), Key::LimitValue);
        }
        NodeKind::On => put(child(&[NodeKind::Run]), Key::OnRun),
        NodeKind::WebhookSends | NodeKind::WebhookSign | NodeKind::WebhookRetry => {
            put(second(), Key::WebhookValue);
        }
        _ => {}
    }
}

fn field(node: Node<'_>, put: &mut impl FnMut(Option<u32>, Key)) {
    let mut type_kind = None;
    for child in node.children() {
        let start = Some(child.tokens().start);
        match child.kind() {
            NodeKind::Name => {}
            kind @ (NodeKind::NamedType
            | NodeKind::ListType
            | NodeKind::EnumType
            | NodeKind::RecordType) => {
                type_kind = Some(kind);
                put(start, Key::FieldType);
            }
            _ => {
                // Behind a type in braces a column would be far to the right of all others.
                if matches!(type_kind, Some(NodeKind::NamedType | NodeKind::ListType)) {
                    put(start, Key::FieldModifier);
                }
                return;
            }
        }
    }
}

fn next_token(node: Node<'_>, token: u32) -> Option<u32> {
    let parse = node.parse();
    (token + 1..node.tokens().end).find(|next| !parse.token_kind(*next).is_trivia())
}
