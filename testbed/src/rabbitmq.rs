//! RabbitMQ with a node, and a register of nodes (`epmd`), of its own.

use std::path::PathBuf;

use crate::service::Service;
use crate::{free_port, program};

/// A RabbitMQ server.
#[derive(Debug)]
pub struct RabbitMq {
    service: Service,
    data: PathBuf,
    port: u16,
}

/// The register would go on as a daemon if the node started it.
const START: &str = "epmd -port \"$ERL_EPMD_PORT\" -address 127.0.0.1 & exec \"$0\"";

impl RabbitMq {
    /// Starts one.
    ///
    /// # Panics
    /// If there is no RabbitMQ, or it does not start.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("mimar-rabbitmq-").tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("no temporary folder: {error}")).keep();
        let (port, data) = (free_port(), folder.join("data"));
        let path = |name: &str| folder.join(name).display().to_string();
        if let Err(error) = std::fs::write(folder.join("plugins"), "[].\n") {
            panic!("{}: {error}", folder.display());
        }
        let server = program("rabbitmq-server", "rabbitmq-server", "MIMAR_RABBITMQ");
        // Debian's own starts it as another user, with another environment.
        let direct = PathBuf::from("/usr/lib/rabbitmq/bin/rabbitmq-server");
        let server =
            if server.starts_with("/usr/sbin") && direct.exists() { direct } else { server };
        let arguments = vec!["-c".to_owned(), START.to_owned(), server.display().to_string()];
        let mut service = Service::new("RabbitMQ", port, &folder, "sh".into(), arguments)
            .with("HOME", path(""))
            .with("ERL_EPMD_PORT", free_port().to_string())
            .with("ERL_EPMD_ADDRESS", "127.0.0.1")
            .with("RABBITMQ_NODENAME", format!("mimar{port}@localhost"))
            .with("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .with("RABBITMQ_NODE_PORT", port.to_string())
            .with("RABBITMQ_DIST_PORT", free_port().to_string())
            .with(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1}",
            )
            .with("RABBITMQ_MNESIA_BASE", data.display().to_string())
            .with("RABBITMQ_LOG_BASE", path("logs"))
            .with("RABBITMQ_ENABLED_PLUGINS_FILE", path("plugins"))
            .with("RABBITMQ_CONFIG_FILE", path("none"))
            .with("RABBITMQ_CONF_ENV_FILE", path("none"));
        service.start();
        Self { service, data, port }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
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
