//! The keys that tokens are verified with in production.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::Engine;
use engine::identity::Key;

use crate::arguments::ServeOptions;
use crate::failure::Failure;

/// How often key files are looked at: a key that is taken away is refused within a second.
const INTERVAL: Duration = Duration::from_millis(500);

/// Where keys come from.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    fixed: Vec<Key>,
    secret_file: Option<PathBuf>,
    public_file: Option<PathBuf>,
}

impl Keys {
    /// The keys of the environment.
    pub(crate) fn of(arguments: &ServeOptions) -> Result<Self, Failure> {
        let mut fixed = Vec::new();
        if let Some(secret) = &arguments.jwt_secret {
            fixed.push(secret_key("MIMAR_JWT_SECRET", secret)?);
        }
        if let Some(pem) = &arguments.jwt_public_key {
            fixed.extend(public_keys("MIMAR_JWT_PUBLIC_KEY", pem)?);
        }
        Ok(Self {
            fixed,
            secret_file: arguments.jwt_secret_file.clone(),
            public_file: arguments.jwt_public_key_file.clone(),
        })
    }

    /// The keys as they are now.
    pub(crate) fn read(&self) -> Result<Vec<Key>, Failure> {
        let mut keys = self.fixed.clone();
        if let Some(path) = &self.secret_file {
            let secret = text(path)?;
            // An empty file is a key that was taken away.
            if !secret.trim().is_empty() {
                keys.push(secret_key("MIMAR_JWT_SECRET_FILE", &secret)?);
            }
        }
        if let Some(path) = &self.public_file {
            let pem = text(path)?;
            if !pem.trim().is_empty() {
                keys.extend(public_keys("MIMAR_JWT_PUBLIC_KEY_FILE", &pem)?);
            }
        }
        Ok(keys)
    }

    /// Follows the key files for as long as the process lives. A file that cannot be read or holds no key is trusted
    /// no longer: closed is the safe side.
    pub(crate) fn follow(self, engine: Arc<Engine>) -> Result<(), Failure> {
        let files: Vec<PathBuf> =
            self.secret_file.iter().chain(&self.public_file).cloned().collect();
        if files.is_empty() {
            return Ok(());
        }
        let look = move || files.iter().map(|file| fs::read(file).ok()).collect::<Vec<_>>();
        let follow = move || {
            let mut seen = look();
            loop {
                std::thread::sleep(INTERVAL);
                let now = look();
                if now == seen {
                    continue;
                }
                seen = now;
                let keys = self.read().unwrap_or_else(|failure| {
                    tracing::error!(%failure, "the keys of the files are trusted no longer");
                    self.fixed.clone()
                });
                tracing::warn!(keys = keys.len(), "keys have changed");
                engine.verifier().replace(keys);
            }
        };
        let started = std::thread::Builder::new().name("keys".into()).spawn(follow);
        started.map(drop).map_err(Failure::Runtime)
    }
}

fn text(path: &Path) -> Result<String, Failure> {
    let bytes = fs::read(path).map_err(Failure::file("read", path))?;
    String::from_utf8(bytes).map_err(|_| {
        let odd = io::Error::new(io::ErrorKind::InvalidData, "it is not text");
        Failure::file("read", path)(odd)
    })
}

fn secret_key(variable: &'static str, secret: &str) -> Result<Key, Failure> {
    Key::secret(secret.as_bytes()).map_err(|source| Failure::Key { variable, source })
}

fn public_keys(variable: &'static str, pem: &str) -> Result<Vec<Key>, Failure> {
    Key::public(pem).map_err(|source| Failure::Key { variable, source })
}
