//! RabbitMQ with a node, and a register of nodes (`epmd`), of its own.

use std::path::{Path, PathBuf};

use crate::service::Service;
use crate::{free_port, kept, program};

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
        Self::start_with(|_, port| format!("listeners.tcp.1 = 127.0.0.1:{port}\n"))
    }

    /// Starts one that speaks only encrypted, with this certificate and key (PEM).
    ///
    /// # Panics
    /// As [`RabbitMq::start`].
    pub fn encrypted(certificate: &str, key: &str) -> Self {
        Self::start_with(|folder, port| {
            let certificate = kept(folder, "certificate", certificate);
            let key = kept(folder, "key", key);
            format!(
                "listeners.tcp = none\nlisteners.ssl.1 = 127.0.0.1:{port}\nssl_options.certfile = {certificate}\n\
                 ssl_options.cacertfile = {certificate}\nssl_options.keyfile = {key}\nssl_options.verify = verify_none\n"
            )
        })
    }

    fn start_with(settings: impl Fn(&Path, u16) -> String) -> Self {
        let folder = tempfile::Builder::new().prefix("mimar-rabbitmq-").tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("no temporary folder: {error}")).keep();
        let (port, data) = (free_port(), folder.join("data"));
        let path = |name: &str| folder.join(name).display().to_string();
        let plugins = kept(&folder, "plugins", "[].\n");
        let settings = kept(&folder, "rabbitmq.conf", &settings(&folder, port));
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
            .with("RABBITMQ_DIST_PORT", free_port().to_string())
            .with(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1}",
            )
            .with("RABBITMQ_MNESIA_BASE", data.display().to_string())
            .with("RABBITMQ_LOG_BASE", path("logs"))
            .with("RABBITMQ_ENABLED_PLUGINS_FILE", plugins)
            .with("RABBITMQ_CONFIG_FILE", settings)
            .with("RABBITMQ_CONF_ENV_FILE", path("none"));
        service.start();
        Self { service, data, port }
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
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
