//! Redis with an append-only file.

use std::path::PathBuf;

use crate::service::Service;
use crate::{free_port, program};

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
        let folder = tempfile::Builder::new().prefix("mimar-redis-").tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("no temporary folder: {error}")).keep();
        let (port, data) = (free_port(), folder.join("data"));
        make(&data);
        let arguments = [
            "--bind",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--dir",
            &data.display().to_string(),
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
        ];
        let arguments = arguments.map(str::to_owned).to_vec();
        let program = program("redis-server", "redis-server", "MIMAR_REDIS");
        let mut service = Service::new("Redis", port, &folder, program, arguments);
        service.start();
        Self { service, data, port }
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
