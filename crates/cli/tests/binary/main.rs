//! The binary as it is used: real processes, real folders, real ports.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it cannot go on")]

mod adopted;
mod brokers;
mod check;
mod code;
mod commands;
mod copy;
mod data;
mod dev;
mod diff;
mod events;
mod formulas;
mod import;
mod lsp;
mod mcp;
mod migrate;
mod process;
mod replicas;
mod serve;
mod webhook;
