//! Tokens for development.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use model::Model;
use operation::Fault;
use serde_json::{Map, Value, json};

use super::{said, seconds_now};

/// A token that [`Verifier`](super::Verifier) accepts for this model: HS256, one role, one subject.
///
/// Meant for `dev` and tests; in production tokens come from an identity provider.
///
/// # Errors
/// [`Fault::Internal`] if signing fails.
pub fn mint(
    model: &Model,
    secret: &[u8],
    role: &str,
    subject: Option<&str>,
    lifetime: Duration,
) -> Result<String, Fault> {
    let now = seconds_now();
    let rules = &model.auth.token;
    let mut claims = Map::new();
    if let Some(subject) = subject {
        claims.insert("sub".into(), json!(subject));
    }
    insert_at(&mut claims, rules.roles_claim.as_deref().unwrap_or("roles"), json!([role]));
    if let Some(issuer) = &rules.issuer {
        claims.insert("iss".into(), json!(said(issuer)));
    }
    if let Some(audience) = &rules.audience {
        claims.insert("aud".into(), json!(said(audience)));
    }
    claims.insert("iat".into(), json!(now));
    claims.insert("exp".into(), json!(now.saturating_add(lifetime.as_secs())));
    let key = EncodingKey::from_secret(secret.trim_ascii());
    encode(&Header::new(Algorithm::HS256), &claims, &key)
        .map_err(|error| Fault::Internal(error.to_string()))
}

/// Puts a value at a claim's name or path.
fn insert_at(claims: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            claims.insert(path.into(), value);
        }
        Some((first, rest)) => {
            let inner = claims.entry(first).or_insert_with(|| json!({}));
            if let Value::Object(inner) = inner {
                insert_at(inner, rest, value);
            }
        }
    }
}
