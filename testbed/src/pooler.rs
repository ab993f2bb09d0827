//! PgBouncer, in transaction mode: each transaction gets another connection of the server.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Postgres, SETPRIV, done, free_port, is_root, pause};

/// A PgBouncer before a server.
#[derive(Debug)]
pub struct Pooler {
    port: u16,
    _keeper: Child,
}

impl Pooler {
    /// Starts one with so many connections to the server.
    ///
    /// # Panics
    /// If there is no PgBouncer, or it does not start.
    pub fn before(server: &Postgres, connections: u32) -> Self {
        let folder = tempfile::Builder::new().prefix("mimar-pgbouncer-").tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("no temporary folder: {error}")).keep();
        let port = free_port();
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nauth_type = any\npool_mode = transaction\ndefault_pool_size = {connections}\n\
             max_client_conn = 200\nunix_socket_dir =\nlogfile = {}/log\n",
            server.port(),
            folder.display()
        );
        let file = folder.join("pgbouncer.ini");
        if let Err(error) = std::fs::write(&file, settings) {
            panic!("{}: {error}", file.display());
        }
        let root = is_root();
        if root {
            done(Command::new("chown").args(["-R", "postgres"]).arg(&folder));
        }
        let keeper = Command::new("sh")
            .args(["-c", KEEP, "sh"])
            .arg(&folder)
            .args(if root { SETPRIV } else { &[] })
            .args(["pgbouncer", "-q"])
            .arg(&file)
            .env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("PgBouncer does not start: {error}"));
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if began.elapsed() > Duration::from_secs(20) {
                let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
                panic!(
                    "PgBouncer is not there; `cargo xtask test` installs it, or install it yourself (Debian: `sudo \
                     apt-get install pgbouncer`)\n{log}"
                );
            }
            pause();
        }
        Self { port, _keeper: keeper }
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Runs it in the background until there is no more input, then ends it and removes its folder.
const KEEP: &str = "folder=$1; shift; \"$@\" </dev/null 2>/dev/null & pooler=$!; \
     read -r _; kill -TERM $pooler; wait $pooler; rm -rf \"$folder\"";
