//! Signatures of deliveries, as [Standard Webhooks](https://www.standardwebhooks.com) has them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// How a secret begins that is written down.
const PREFIX: &str = "whsec_";

/// How many bytes a secret of ours has; the standard takes 24 to 64.
const LENGTH: usize = 32;

/// What deliveries are signed with: it is shown to nobody by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// A new one, from the system's generator; `None` if that gives nothing.
    pub fn fresh() -> Option<Self> {
        let mut bytes = vec![0; LENGTH];
        let provider = rustls::crypto::ring::default_provider();
        provider.secure_random.fill(&mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// Reads one that was written down: `whsec_` and base64 of 24 to 64 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?;
        (24..=64).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// Writes it down.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`; the moment is in seconds since 1970-01-01T00:00:00Z.
    /// `None` never: a key of HMAC may have any length.
    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

/// The value of `webhook-signature`: a signature for each secret, the newest first.
pub fn signatures(secrets: &[Secret], id: &str, timestamp: i64, body: &[u8]) -> String {
    let each = secrets.iter().filter_map(|secret| secret.sign(id, timestamp, body));
    each.collect::<Vec<_>>().join(" ")
}

/// Whether one of these secrets has signed this: `signature` is the value of `webhook-signature`, of which sixteen are looked at.
/// Signatures are compared in a time that says nothing of where they differ.
pub fn verifies(
    secrets: &[Secret],
    id: &str,
    timestamp: i64,
    body: &[u8],
    signature: &str,
) -> bool {
    let given = signature.split(' ').filter_map(|one| one.strip_prefix("v1,")).take(16);
    given.filter_map(|one| STANDARD.decode(one).ok()).any(|given| {
        secrets.iter().filter_map(|secret| Hmac::<Sha256>::new_from_slice(&secret.0).ok()).any(
            |mut mac| {
                mac.update(format!("{id}.{timestamp}.").as_bytes());
                mac.update(body);
                mac.verify_slice(&given).is_ok()
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the standard's own libraries.
    #[test]
    fn a_signature_is_that_of_the_standard() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
        assert_eq!(
            signatures(&[secret], id, 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn what_was_signed_verifies() {
        let secrets = [Secret::fresh().unwrap(), Secret::fresh().unwrap()];
        let signed = signatures(&secrets[1..], "m", 7, b"body");
        assert!(verifies(&secrets, "m", 7, b"body", &signed));
        assert!(verifies(&secrets, "m", 7, b"body", &format!("v1,AAAA v1a,x {signed}")));
        assert!(!verifies(&secrets[..1], "m", 7, b"body", &signed));
        assert!(!verifies(&secrets, "n", 7, b"body", &signed));
        assert!(!verifies(&secrets, "m", 8, b"body", &signed));
        assert!(!verifies(&secrets, "m", 7, b"bodies", &signed));
        // A signature that is cut short is none.
        assert!(!verifies(&secrets, "m", 7, b"body", "v1,"));
        assert!(!verifies(&secrets, "m", 7, b"body", &signed[..signed.len() - 4]));
        assert!(!verifies(&[], "m", 7, b"body", &signed));
    }

    #[test]
    fn a_secret_is_written_down_and_read() {
        let secret = Secret::fresh().unwrap();
        assert_ne!(Secret::fresh().unwrap(), secret);
        assert_eq!(Secret::parse(&secret.reveal()), Some(secret.clone()));
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        for wrong in ["", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_*"] {
            assert_eq!(Secret::parse(wrong), None, "{wrong}");
        }
    }
}
