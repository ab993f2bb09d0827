//! Who asks: HS256 tokens (RFC 7515, RFC 7519), signed by the harness and verified by the baseline.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::form;

/// Who asks, as far as the policies of the shop care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Nobody known: no token was sent.
    Anyone,
    /// The row of `Customer` with this key.
    Customer([u8; 16]),
    /// Somebody behind the counter, who sees everything.
    Clerk,
}

#[derive(Deserialize)]
struct Header<'a> {
    alg: &'a str,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    roles: Vec<String>,
    exp: u64,
}

/// Signs a token for `role` with subject `sub` that ends at `expires` (seconds since 1970).
#[must_use]
pub fn sign(secret: &[u8], sub: &str, role: &str, expires: u64) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let claims = serde_json::json!({ "sub": sub, "roles": [role], "exp": expires });
    let mut token = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = digest(secret, token.as_bytes()).finalize().into_bytes();
    token.push('.');
    token.push_str(&URL_SAFE_NO_PAD.encode(signature));
    token
}

/// Verifies signature, algorithm and claims; gives the caller and when the token ends, or `None`.
/// Whether it has ended is for the one who asks: a verified token may be kept and asked again.
#[must_use]
pub fn verify(secret: &[u8], token: &[u8]) -> Option<(Caller, u64)> {
    let token = std::str::from_utf8(token).ok()?;
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let header = URL_SAFE_NO_PAD.decode(header).ok()?;
    if serde_json::from_slice::<Header<'_>>(&header).ok()?.alg != "HS256" {
        return None;
    }
    digest(secret, signed.as_bytes())
        .verify_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?)
        .ok()?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    let caller = if claims.roles.iter().any(|role| role == "clerk") {
        Caller::Clerk
    } else if claims.roles.iter().any(|role| role == "customer") {
        Caller::Customer(form::parse_uuid(claims.sub.as_bytes())?)
    } else {
        Caller::Anyone
    };
    Some((caller, claims.exp))
}

fn digest(secret: &[u8], signed: &[u8]) -> Hmac<Sha256> {
    // RFC 2104: a key longer than the block is hashed, a shorter one is filled with zeros.
    let mut key = hmac::digest::Key::<Hmac<Sha256>>::default();
    if secret.len() > key.len() {
        key[..32].copy_from_slice(&Sha256::digest(secret));
    } else {
        key[..secret.len()].copy_from_slice(secret);
    }
    let mut digest = Hmac::<Sha256>::new(&key);
    digest.update(signed);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_signed_is_believed() {
        let token = sign(b"key", "counter-1", "clerk", 9);
        assert_eq!(verify(b"key", token.as_bytes()), Some((Caller::Clerk, 9)));
        assert_eq!(verify(b"other", token.as_bytes()), None);
        assert_eq!(verify(b"key", &token.as_bytes()[1..]), None);
        assert_eq!(verify(b"key", b""), None);
        let id = "30313233-3435-3637-3839-616263646566";
        let token = sign(b"key", id, "customer", 9);
        assert_eq!(
            verify(b"key", token.as_bytes()),
            Some((Caller::Customer(*b"0123456789abcdef"), 9))
        );
    }
}
