//! What partners send to us: verified as [Standard Webhooks](https://www.standardwebhooks.com) has it, and published once.

use operation::{Chore, Fault, Receipt};
use sha2::{Digest as _, Sha256};

use super::signature::{Secret, verifies};
use crate::run::microseconds_now;
use crate::{Engine, Loaded};

/// By how much clocks may differ, in seconds: five minutes.
const TOLERANCE: i64 = 300;

/// The longest identifier, in bytes.
const ID: usize = 255;

/// What has come in.
#[derive(Debug, Clone)]
pub struct Arrival<'a> {
    /// Through which webhook.
    pub webhook: &'a str,
    /// `webhook-id`.
    pub id: Option<&'a str>,
    /// `webhook-timestamp`.
    pub timestamp: Option<&'a str>,
    /// `webhook-signature`.
    pub signature: Option<&'a str>,
    /// `ce-type`, of a CloudEvent in the binary form.
    pub kind: Option<&'a str>,
    /// The body, as it is.
    pub body: &'a [u8],
    /// By which it is known if it is sent again, besides its identifier.
    pub receipt: Option<Box<Receipt>>,
}

/// What has become of something that came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is new, and kept.
    New,
    /// It has come in before under its identifier.
    Known,
    /// The same request has been answered before.
    Again,
}

impl Engine {
    /// Takes in an event, and answers when it and the tasks of those who hear it are kept. What has come in before under its identifier, as
    /// long as events are kept, is not done again.
    ///
    /// # Errors
    /// [`Fault::Unauthenticated`] where nobody known has signed it, or not now; [`Fault::Invalid`] where it is not what the model
    /// says; those of the store.
    pub async fn receive(&self, loaded: &Loaded, arrival: Arrival<'_>) -> Result<Taken, Fault> {
        let now = microseconds_now();
        let refused = |why: &str| Fault::Unauthenticated(why.to_owned());
        let (Some(id), Some(timestamp), Some(signature)) =
            (arrival.id, arrival.timestamp, arrival.signature)
        else {
            return Err(refused(
                "must be signed: webhook-id, webhook-timestamp and webhook-signature (Standard Webhooks)",
            ));
        };
        if id.is_empty() || id.len() > ID {
            return Err(refused("webhook-id must have 1 to 255 characters"));
        }
        let timestamp: i64 =
            timestamp.parse().map_err(|_| refused("webhook-timestamp must be in seconds"))?;
        let secrets = self.store.secrets_of(arrival.webhook, now).await?;
        let secrets: Vec<Secret> = secrets.iter().filter_map(|text| Secret::parse(text)).collect();
        if !verifies(&secrets, id, timestamp, arrival.body, signature) {
            return Err(refused("no secret that holds has signed this"));
        }
        // Behind the signature: who cannot sign learns nothing of our clock.
        if (now / 1_000_000).abs_diff(timestamp) > TOLERANCE.unsigned_abs() {
            return Err(refused("webhook-timestamp is more than five minutes away from now"));
        }
        let tree = operation::parse_json(arrival.body).map_err(|detail| {
            let code = operation::FaultCode::MalformedBody;
            Fault::Invalid(vec![operation::Violation::at(code, "", detail)])
        })?;
        let id = identifier(arrival.webhook, id);
        let (event, by) = loaded.plan.received(arrival.webhook, arrival.kind, &tree, id, now)?;
        let wakes = !by.is_empty();
        let (told, again) = self.chore_once(Chore::Receive { event, by }, arrival.receipt).await?;
        if again {
            return Ok(Taken::Again);
        }
        let is_new = told.is_some_and(|told| &*told == b"true");
        if is_new && wakes {
            self.bell.notify_one();
        }
        Ok(if is_new { Taken::New } else { Taken::Known })
    }
}

/// The identifier of an event, from what its sender calls it (RFC 9562, version 8).
fn identifier(webhook: &str, id: &str) -> [u8; 16] {
    let digest = Sha256::new().chain_update(webhook).chain_update([0]).chain_update(id).finalize();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(byte, of)| *byte = of);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}
