//! A broker, and somebody else who speaks with it.

use std::collections::BTreeMap;

use serde_json::Value;

/// Where [`Talk`](crate::scene) sends what was said.
pub const SAID: &str = "talk.Said.v1";

/// A message, as somebody else has it of the broker.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// By what its order is kept, as the broker knows it, if it knows it.
    pub key: Option<String>,
    /// The attributes of its envelope.
    pub attributes: BTreeMap<String, String>,
    /// What it carries.
    pub data: Value,
}

/// A broker that runs, and a client of its that is not ours.
pub trait Peer {
    fn url(&self) -> String;

    /// Ends it at once; its data stays.
    fn kill(&mut self);

    /// Starts it again over its data.
    fn again(&mut self);

    /// Ends it, deletes its data and starts it anew.
    fn wipe(&mut self);

    /// Makes what has to be there besides what Mimar makes, so that what is sent to an address is kept there.
    fn prepare(&self, address: &str);

    /// All that was sent to an address and is still there, in its order. Each is asked for once.
    fn seen(&self, address: &str) -> Vec<Seen>;

    /// Sends an event in the binary form, or in the structured one where the broker has no other; attributes may be missing.
    fn send(&self, address: &str, attributes: &[(&str, &str)], data: &str);
}
