//! Tokens, good ones and all the others.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

/// The secret of every server under test.
pub(crate) const SECRET: &str = "torture-torture-torture-torture-torture";

/// A token that holds for an hour: one role, perhaps a subject.
pub(crate) fn token(role: &str, subject: Option<&str>) -> String {
    let mut claims = json!({ "roles": [role], "exp": now() + 3_600 });
    if let Some(subject) = subject {
        claims["sub"] = json!(subject);
    }
    hs256(&claims)
}

/// A token with any claims, signed as it should be.
pub(crate) fn hs256(claims: &Value) -> String {
    sign(&json!({ "alg": "HS256", "typ": "JWT" }), claims, SECRET.as_bytes(), Algorithm::HS256)
}

/// A token with any header and claims, signed with any secret: whatever the header says of it.
pub(crate) fn sign(header: &Value, claims: &Value, secret: &[u8], algorithm: Algorithm) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(header), encode(claims));
    let key = EncodingKey::from_secret(secret);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
