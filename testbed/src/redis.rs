//! Redis with an append-only file.

use std::path::PathBuf;

use crate::service::Service;
use crate::{free_port, kept, program};

/// A Redis server that syncs what it acknowledges.
#[derive(Debug)]
pub struct Redis {
    service: Service,
    data: PathBuf,
    port: u16,
}

impl Redis {
    /// Starts one.
    ///
    /// # Panics
    /// If there is no Redis, or it does not start.
    pub fn start() -> Self {
        Self::start_with(|_, port| vec!["--port".to_owned(), port.to_owned()])
    }

    /// Starts one that speaks only encrypted, with this certificate and key (PEM), and only with whoever knows the password.
    ///
    /// # Panics
    /// As [`Redis::start`].
    pub fn secured(certificate: &str, key: &str, password: &str) -> Self {
        Self::start_with(|folder, port| {
            let certificate = kept(folder, "certificate", certificate);
            let key = kept(folder, "key", key);
            let arguments = ["--port", "0", "--tls-port", port, "--tls-auth-clients", "no"];
            let files = ["--tls-cert-file", &certificate, "--tls-key-file", &key];
            let more = ["--tls-ca-cert-file", &certificate, "--requirepass", password];
            arguments.into_iter().chain(files).chain(more).map(str::to_owned).collect()
        })
    }

    fn start_with(more: impl Fn(&std::path::Path, &str) -> Vec<String>) -> Self {
        let folder = tempfile::Builder::new().prefix("mimar-redis-").tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("no temporary folder: {error}")).keep();
        let (port, data) = (free_port(), folder.join("data"));
        make(&data);
        let fixed =
            ["--bind", "127.0.0.1", "--appendonly", "yes", "--appendfsync", "always", "--dir"];
        let fixed = fixed.map(str::to_owned).into_iter().chain([data.display().to_string()]);
        let arguments = fixed.chain(more(&folder, &port.to_string())).collect();
        let program = program("redis-server", "redis-server", "MIMAR_REDIS");
        let mut service = Service::new("Redis", port, &folder, program, arguments);
        service.start();
        Self { service, data, port }
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends it at once; its data stays.
    pub fn kill(&mut self) {
        self.service.kill();
    }

    /// Starts it again, on the same port and over its data.
    ///
    /// # Panics
    /// If it does not start.
    pub fn again(&mut self) {
        self.service.start();
    }

    /// Ends it, deletes its data and starts it anew.
    ///
    /// # Panics
    /// If it does not start.
    pub fn wipe(&mut self) {
        self.service.kill();
        let _ = std::fs::remove_dir_all(&self.data);
        make(&self.data);
        self.service.start();
    }
}

fn make(folder: &std::path::Path) {
    std::fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
}
