//! Keys that tokens are verified with.

use jsonwebtoken::{Algorithm, DecodingKey};

/// A key, and the one algorithm that goes with its kind.
#[derive(Clone)]
pub struct Key {
    decoding: DecodingKey,
    algorithm: Algorithm,
}

impl std::fmt::Debug for Key {
    // A key never reaches a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({:?})", self.algorithm)
    }
}

/// Why something is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// A secret that can be guessed.
    #[error(
        "a secret must be at least 32 bytes long, this one has {0}; `openssl rand -base64 32` makes one"
    )]
    Short(usize),
    /// Not PEM at all.
    #[error("no `-----BEGIN PUBLIC KEY-----` block is in it")]
    NotPem,
    /// A private key, which has no business here.
    #[error("this is a private key; only the public key belongs here")]
    Private,
    /// PEM of something else.
    #[error("the key is none of RSA (2048 bits or more), P-256, P-384 and Ed25519")]
    UnknownKind,
}

impl Key {
    /// The shortest secret, in bytes: the size of the hash (RFC 7518 §3.2).
    pub const SHORTEST_SECRET: usize = 32;

    /// A shared secret: HS256.
    ///
    /// # Errors
    /// [`KeyFault::Short`] for fewer than 32 bytes.
    pub fn secret(secret: &[u8]) -> Result<Self, KeyFault> {
        // White space at the ends is what an editor or a shell leaves; it was never part of the secret, nor does it
        // make one longer.
        let secret = secret.trim_ascii();
        if secret.len() < Self::SHORTEST_SECRET {
            return Err(KeyFault::Short(secret.len()));
        }
        // A public key used as a secret is the classic confusion: everybody knows it.
        if secret.starts_with(b"-----BEGIN") || secret.starts_with(b"ssh-") {
            return Err(KeyFault::UnknownKind);
        }
        Ok(Self { decoding: DecodingKey::from_secret(secret), algorithm: Algorithm::HS256 })
    }

    /// The public keys of a PEM text: RSA verifies RS256, P-256 ES256, P-384 ES384, Ed25519 EdDSA.
    ///
    /// # Errors
    /// [`KeyFault`] if it holds none, or anything else.
    pub fn public(pem: &str) -> Result<Vec<Self>, KeyFault> {
        const END: &str = "-----END PUBLIC KEY-----";
        if pem.contains("PRIVATE KEY-----") {
            return Err(KeyFault::Private);
        }
        let mut keys = Vec::new();
        for block in pem.split_inclusive(END) {
            let Some(begin) = block.find("-----BEGIN PUBLIC KEY-----") else {
                if block.trim().is_empty() {
                    continue;
                }
                return Err(KeyFault::NotPem);
            };
            keys.push(Self::one(&block.as_bytes()[begin..])?);
        }
        if keys.is_empty() { Err(KeyFault::NotPem) } else { Ok(keys) }
    }

    fn one(pem: &[u8]) -> Result<Self, KeyFault> {
        let made = |decoding, algorithm| Ok(Self { decoding, algorithm });
        if let Ok(key) = DecodingKey::from_rsa_pem(pem) {
            // DER of a modulus of 2048 bits and its exponent is longer than this; of 1024 bits it is not.
            return match key.try_get_as_bytes() {
                Ok(der) if der.len() >= 256 => made(key, Algorithm::RS256),
                _ => Err(KeyFault::UnknownKind),
            };
        }
        if let Ok(key) = DecodingKey::from_ec_pem(pem) {
            // An uncompressed point: one byte, then both coordinates.
            return match key.try_get_as_bytes().map(<[u8]>::len) {
                Ok(65) => made(key, Algorithm::ES256),
                Ok(97) => made(key, Algorithm::ES384),
                _ => Err(KeyFault::UnknownKind),
            };
        }
        match DecodingKey::from_ed_pem(pem) {
            Ok(key) => made(key, Algorithm::EdDSA),
            Err(_) => Err(KeyFault::UnknownKind),
        }
    }

    pub(super) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
