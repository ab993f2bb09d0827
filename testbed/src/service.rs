//! A server that ends with the process that started it, and that can be ended and started again over its data.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::pause;

/// Runs the server and what it starts until there is no more input, then ends all of it at once.
const KEEP: &str = "setsid \"$@\" </dev/null >>\"$LOG\" 2>&1 & server=$!; echo $server; \
     read -r _; kill -KILL -$server; wait $server 2>/dev/null";

/// A server of one port of the loopback.
#[derive(Debug)]
pub(crate) struct Service {
    name: &'static str,
    port: u16,
    folder: PathBuf,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    running: Option<Child>,
}

impl Service {
    /// Describes one; it does not run yet. `folder` has its log.
    pub fn new(
        name: &'static str,
        port: u16,
        folder: &Path,
        program: PathBuf,
        arguments: Vec<String>,
    ) -> Self {
        let folder = folder.to_path_buf();
        Self { name, port, folder, program, arguments, environment: Vec::new(), running: None }
    }

    /// Gives it a variable.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Panics
    /// If it does not.
    pub fn start(&mut self) {
        let mut child = Command::new("sh")
            .args(["-c", KEEP, "sh"])
            .arg(&self.program)
            .args(&self.arguments)
            .env("LOG", self.folder.join("log"))
            .envs(self.environment.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", self.name));
        let mut number = String::new();
        if let Some(output) = child.stdout.as_mut() {
            let _ = BufReader::new(output).read_line(&mut number);
        }
        self.running = Some(child);
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            if began.elapsed() > Duration::from_secs(120) {
                panic!("{} is not ready after two minutes\n{}", self.name, self.log());
            }
            pause();
        }
    }

    /// Ends it at once, as if its machine had lost its power but for the disk.
    pub fn kill(&mut self) {
        let Some(mut child) = self.running.take() else { return };
        // The end of its input.
        drop(child.stdin.take());
        let _ = child.wait();
    }

    /// What it has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
