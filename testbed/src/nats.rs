//! NATS with JetStream on a folder.

use std::path::PathBuf;

use crate::service::Service;
use crate::{free_port, kept, program};

/// A NATS server with JetStream.
#[derive(Debug)]
pub struct Nats {
    service: Service,
    data: PathBuf,
    port: u16,
}

impl Nats {
    /// Starts one.
    ///
    /// # Panics
    /// If there is no NATS, or it does not start.
    pub fn start() -> Self {
        Self::start_with(|_| Vec::new())
    }

    /// Starts one that speaks only encrypted, with this certificate and key (PEM), and only with whoever knows user and password.
    ///
    /// # Panics
    /// As [`Nats::start`].
    pub fn secured(certificate: &str, key: &str, user: &str, password: &str) -> Self {
        Self::start_with(|folder| {
            let certificate = kept(folder, "certificate", certificate);
            let key = kept(folder, "key", key);
            let arguments = ["--tls", "--tlscert", &certificate, "--tlskey", &key];
            let more = ["--user", user, "--pass", password];
            arguments.into_iter().chain(more).map(str::to_owned).collect()
        })
    }

    fn start_with(more: impl Fn(&std::path::Path) -> Vec<String>) -> Self {
        let folder = tempfile::Builder::new().prefix("mimar-nats-").tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("no temporary folder: {error}")).keep();
        let (port, data) = (free_port(), folder.join("data"));
        let arguments = [
            "--addr",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--jetstream",
            "--store_dir",
            &data.display().to_string(),
        ];
        let arguments = arguments.map(str::to_owned).into_iter().chain(more(&folder)).collect();
        let program = program("nats-server", "nats-server", "MIMAR_NATS");
        let mut service = Service::new("NATS", port, &folder, program, arguments);
        service.start();
        Self { service, data, port }
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
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
        self.service.start();
    }
}
