//! What the review finds, what it does not, and in which forms.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it cannot go on")]

mod against;
mod catalogue;
mod designs;
mod examples;
mod imports;
mod mutations;
mod output;
mod pages;
mod project;
mod settings;
