//! Who asks: a caller is what a verified token says (RFC 7519, RFC 8725), and nothing else.
//!
//! The algorithm follows from the kind of key that was configured, never from the token. Issuer and audience are
//! those the model demands. Verified tokens are remembered by each thread until they expire, the keys change or a new
//! model is loaded.

mod key;
mod mint;

use std::cell::RefCell;
use std::ops::Not as _;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode};
use model::{Model, RoleId};
use operation::Fault;
use plan::{Caller, Roles};
use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

pub use key::{Key, KeyFault};
pub use mint::mint;

/// The longest token that is looked at, in bytes.
const LONGEST_TOKEN: usize = 8 * 1024;

/// How far clocks may be apart, in seconds.
const LEEWAY: u64 = 10;

/// Verified tokens that one thread remembers.
const REMEMBERED: usize = 4096;

/// Verifies tokens.
#[derive(Debug)]
pub struct Verifier {
    keys: ArcSwap<Keys>,
}

/// Keys, and a number that no other set of keys in the process has.
#[derive(Debug)]
struct Keys {
    keys: Vec<Key>,
    generation: u64,
}

impl Keys {
    fn new(keys: Vec<Key>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { keys, generation: NEXT.fetch_add(1, Ordering::Relaxed) }
    }
}

/// What a model makes of a token: which claims it demands and which roles it knows.
#[derive(Debug)]
pub(crate) struct Rules {
    issuer: Option<String>,
    audience: Option<String>,
    roles_claim: Option<String>,
    roles: Vec<(String, RoleId)>,
}

impl Rules {
    pub(crate) fn of(model: &Model) -> Self {
        let token = &model.auth.token;
        Self {
            issuer: token.issuer.as_deref().map(said),
            audience: token.audience.as_deref().map(said),
            roles_claim: token.roles_claim.clone(),
            // `system` is what runs inside, `anyone` is everybody: neither is ever taken from a token.
            roles: (0_u32..)
                .map(RoleId)
                .zip(&model.roles)
                .filter(|(id, role)| {
                    *id != RoleId::SYSTEM && !matches!(role.name.as_str(), "system" | "anyone")
                })
                .map(|(id, role)| (role.name.clone(), id))
                .collect(),
        }
    }
}

/// The variables of the environment that a model takes claims from and that are not set: every token would be refused.
#[must_use]
pub fn missing_variables(model: &Model) -> Vec<&str> {
    let token = &model.auth.token;
    let claims = token.issuer.iter().chain(&token.audience);
    claims
        .filter_map(|claim| claim.strip_prefix('$'))
        .filter(|name| std::env::var(name).is_ok_and(|value| !value.is_empty()).not())
        .collect()
}

/// What a claim must be: as the model says it, or as the variable that the model names (`$NAME`) does. One that is not
/// set demands what no token says.
fn said(claim: &str) -> String {
    match claim.strip_prefix('$') {
        Some(name) => std::env::var(name).unwrap_or_default(),
        None => claim.to_owned(),
    }
}

struct Remembered {
    /// Of which keys and which model.
    generation: (u64, u64),
    /// What each of the keys is asked for.
    validations: Rc<[Validation]>,
    /// By the whole header, so that one that is known is not read again.
    headers: FxHashMap<Box<str>, (u64, Caller)>,
}

thread_local! {
    static REMEMBER: RefCell<Remembered> =
        RefCell::new(Remembered { generation: (0, 0), validations: Rc::default(), headers: FxHashMap::default() });
}

impl Verifier {
    /// A verifier that trusts these keys; with none, every token is refused.
    pub fn new(keys: Vec<Key>) -> Self {
        Self { keys: ArcSwap::from_pointee(Keys::new(keys)) }
    }

    /// Trusts these keys from now on, and no others: tokens that an absent key signed are refused at once.
    pub fn replace(&self, keys: Vec<Key>) {
        self.keys.store(Arc::new(Keys::new(keys)));
    }

    /// The caller behind an `Authorization` header (RFC 6750 §2.1); anonymous without one.
    ///
    /// # Errors
    /// [`Fault::Unauthenticated`] if there is a header that does not hold, also where anyone may ask: a caller with a
    /// stale token should learn of it.
    pub fn caller(
        &self,
        authorization: Option<&str>,
        loaded: &crate::Loaded,
    ) -> Result<Caller, Fault> {
        self.verify(authorization, loaded.rules(), loaded.generation())
    }

    fn verify(
        &self,
        authorization: Option<&str>,
        rules: &Rules,
        generation: u64,
    ) -> Result<Caller, Fault> {
        let Some(header) = authorization else { return Ok(Caller::anonymous()) };
        let keys = self.keys.load();
        let generation = (keys.generation, generation);
        let now = seconds_now();
        let known = REMEMBER.with_borrow_mut(|remembered| {
            if remembered.generation != generation {
                remembered.headers.clear();
                remembered.validations =
                    keys.keys.iter().map(|key| validation(key, rules)).collect();
                remembered.generation = generation;
            }
            match remembered.headers.get(header) {
                Some((expires, caller)) if now < expires.saturating_add(LEEWAY) => {
                    Ok(caller.clone())
                }
                _ => Err(remembered.validations.clone()),
            }
        });
        let validations = match known {
            Ok(caller) => return Ok(caller),
            Err(validations) => validations,
        };
        let (expires, caller) = verify(bearer(header)?, &keys.keys, &validations, rules)?;
        REMEMBER.with_borrow_mut(|remembered| {
            // Between the two borrows nothing else ran on this thread, so the generation still holds.
            if remembered.headers.len() >= REMEMBERED {
                remembered.headers.clear();
            }
            remembered.headers.insert(header.into(), (expires, caller.clone()));
        });
        Ok(caller)
    }
}

/// The token of `Bearer <token>`: the scheme in any case, one space, and the characters of RFC 7515 only.
fn bearer(header: &str) -> Result<&str, Fault> {
    let refuse = |text: &str| Err(Fault::Unauthenticated(text.into()));
    let Some((scheme, token)) = header.split_once(' ') else {
        return refuse("the Authorization header must be `Bearer` and a token");
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return refuse("only the Bearer scheme is accepted in the Authorization header");
    }
    let well_formed = token
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if token.len() > LONGEST_TOKEN || !well_formed || token.split('.').count() != 3 {
        return refuse("the token is not a signed JWT (three base64url parts with dots between)");
    }
    Ok(token)
}

/// When the token expires, in seconds since 1970, and whom it speaks of.
fn verify(
    token: &str,
    keys: &[Key],
    validations: &[Validation],
    rules: &Rules,
) -> Result<(u64, Caller), Fault> {
    let mut fault = ErrorKind::InvalidSignature;
    for (key, validation) in keys.iter().zip(validations) {
        match decode::<Map<String, Value>>(token, key.decoding(), validation) {
            Ok(data) => return caller_of(&data.claims, rules),
            // What a key that did verify the signature has to say counts more than that others did not.
            Err(error) if !is_about_key(&fault) && is_about_key(error.kind()) => {}
            Err(error) => fault = error.into_kind(),
        }
    }
    Err(Fault::Unauthenticated(sentence(&fault)))
}

fn is_about_key(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::InvalidSignature | ErrorKind::InvalidAlgorithm)
}

fn validation(key: &Key, rules: &Rules) -> Validation {
    let mut validation = Validation::new(key.algorithm());
    validation.leeway = LEEWAY;
    validation.validate_nbf = true;
    let mut required = vec!["exp"];
    if let Some(issuer) = &rules.issuer {
        validation.set_issuer(&[issuer]);
        required.push("iss");
    }
    // Without an audience of ours, a token that names one was made for somebody else (RFC 7519 §4.1.3).
    if let Some(audience) = &rules.audience {
        validation.set_audience(&[audience]);
        required.push("aud");
    }
    validation.set_required_spec_claims(&required);
    validation
}

fn caller_of(claims: &Map<String, Value>, rules: &Rules) -> Result<(u64, Caller), Fault> {
    let malformed = |claim: &str, wanted: &str| {
        Fault::Unauthenticated(format!("the token's claim `{claim}` must be {wanted}"))
    };
    // An issuer is one string; a list of them would let one issuer speak for another.
    if rules.issuer.is_some() && !claims.get("iss").is_some_and(Value::is_string) {
        return Err(malformed("iss", "one string"));
    }
    let expires = claims
        .get("exp")
        .and_then(Value::as_f64)
        .filter(|seconds| *seconds >= 0.0)
        .ok_or_else(|| malformed("exp", "a number of seconds"))?;
    let subject = match claims.get("sub") {
        None => None,
        Some(Value::String(subject)) => Some(subject.as_str().into()),
        Some(_) => return Err(malformed("sub", "a string")),
    };
    let mut roles = Roles::NONE;
    let granted = match &rules.roles_claim {
        Some(claim) => claim_at(claims, claim),
        None => claims.get("roles").or_else(|| claims.get("role")),
    };
    let mut grant = |name: &str| {
        for (_, id) in rules.roles.iter().filter(|(known, _)| known == name) {
            roles = roles.with(*id);
        }
    };
    match granted {
        None | Some(Value::Null) => {}
        Some(Value::String(names)) => names.split_whitespace().for_each(&mut grant),
        Some(Value::Array(names)) => {
            for name in names {
                grant(name.as_str().ok_or_else(|| malformed("roles", "a list of strings"))?);
            }
        }
        Some(_) => return Err(malformed("roles", "a string or a list of strings")),
    }
    // Past 2^53 seconds the fraction is gone, and so is everybody who could mind.
    Ok((expires as u64, Caller { roles, subject, authenticated: true }))
}

/// A claim by its name or, where there is none of that name, by its path: `realm_access.roles`.
fn claim_at<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let mut steps = path.split('.');
    let first = claims.get(steps.next()?)?;
    steps.try_fold(first, |value, step| value.get(step))
}

fn sentence(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::ExpiredSignature => "the token has expired".into(),
        ErrorKind::ImmatureSignature => "the token is not valid yet".into(),
        ErrorKind::InvalidIssuer => "the token comes from another issuer".into(),
        ErrorKind::InvalidAudience => "the token is meant for another audience".into(),
        ErrorKind::MissingRequiredClaim(claim) => format!("the token has no claim `{claim}`"),
        ErrorKind::InvalidClaimFormat(claim) => format!("the token's claim `{claim}` is malformed"),
        _ => "the token's signature does not hold".into(),
    }
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
