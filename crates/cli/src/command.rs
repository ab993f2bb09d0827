//! The commands that need no server.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod copy;
pub(crate) mod describe;
pub(crate) mod diff;
pub(crate) mod docs;
pub(crate) mod document;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod explain_plan;
pub(crate) mod fmt;
pub(crate) mod import;
pub(crate) mod lsp;
pub(crate) mod mcp;
pub(crate) mod migrate;
pub(crate) mod new;
pub(crate) mod policy;
pub(crate) mod reference;
pub(crate) mod rules;
pub(crate) mod serve;
pub(crate) mod token;
pub(crate) mod webhook;
