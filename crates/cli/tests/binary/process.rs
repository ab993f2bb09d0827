//! Processes, folders and requests.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// What a command that ended left behind.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The binary, cut off from the environment that tests run in.
pub(crate) fn mimar() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mimar"));
    for variable in [
        "MIMAR_JWT_SECRET",
        "MIMAR_JWT_PUBLIC_KEY",
        "MIMAR_DATABASE",
        "MIMAR_REPLICAS",
        "MIMAR_ENVIRONMENT",
        "MIMAR_LISTEN",
    ] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

pub(crate) fn run(arguments: &[&str]) -> Ended {
    end(mimar().args(arguments))
}

pub(crate) fn end(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A project in a folder of its own.
pub(crate) struct Project {
    pub(crate) folder: tempfile::TempDir,
}

impl Project {
    pub(crate) fn new(model: &str) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        project.write("app.mimar", model);
        project
    }

    pub(crate) fn path(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.join(name)).unwrap()
    }
}

/// A server that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) child: Child,
    /// Where it listens, once it has said so.
    pub(crate) address: SocketAddr,
    lines: Receiver<String>,
    seen: String,
}

impl Server {
    /// Starts a command that listens at a port of its choice, and waits until it has said which.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut server = Self::begin(command);
        server.wait_until_it_listens();
        server
    }

    /// The same without waiting.
    pub(crate) fn begin(command: &mut Command) -> Self {
        // A free port that is looked for here may be another test's by the time it is listened at.
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        command.arg("--listen").arg(address.to_string());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let streams: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for stream in streams {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Self { child, address, lines, seen: String::new() }
    }

    pub(crate) fn dev(project: &Path) -> Self {
        Self::start(mimar().arg("dev").arg(project))
    }

    fn wait_until_it_listens(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.address.port() == 0 {
            let lives = self.child.try_wait().unwrap().is_none();
            self.said();
            assert!(
                self.address.port() != 0 || (lives && Instant::now() < deadline),
                "it does not listen: {}",
                self.seen
            );
        }
    }

    /// Everything that was printed so far.
    pub(crate) fn said(&mut self) -> &str {
        while let Ok(line) = self.lines.recv_timeout(Duration::from_millis(20)) {
            // As `serve` says it, and as `dev` does.
            if (line.contains(" listens on ") || line.contains("API page"))
                && let Some((_, place)) = line.split_once("http://")
            {
                self.address = place.split([' ', '/']).next().unwrap().parse().unwrap();
            }
            self.seen.push_str(&line);
            self.seen.push('\n');
        }
        &self.seen
    }

    /// Waits until it has printed a text.
    #[track_caller]
    pub(crate) fn says(&mut self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.said().contains(text) {
            assert!(Instant::now() < deadline, "it never said `{text}`:\n{}", self.seen);
        }
    }

    /// The token that `dev` printed for a role.
    pub(crate) fn token(&mut self, role: &str) -> String {
        self.says("Every save reloads");
        let mut lines = self.seen.lines().map(str::trim);
        lines.find(|line| *line == role || line.starts_with(&format!("{role} "))).unwrap();
        lines.next().unwrap().to_owned()
    }

    pub(crate) fn get(&self, path: &str, token: Option<&str>) -> Reply {
        ask(self.address, "GET", path, token, "")
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// The exit code, once it has ended by itself.
    pub(crate) fn ends(&mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// One request on a connection of its own.
pub(crate) fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &str,
) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let authorization =
        token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{authorization}\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, body: body.to_owned() }
}
