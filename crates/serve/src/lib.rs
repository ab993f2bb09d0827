//! The front doors: each turns requests into intents and outcomes into answers, and decides nothing by itself.

pub mod http;
