//! A partner: an HTTP server on a free port of the loopback, which answers as it is told and remembers what it got.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// What it got.
#[derive(Debug, Clone)]
pub struct Received {
    pub at: Instant,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// How it answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// With a status, and headers each with its line end.
    Status(u16, String),
    /// Not at all: until the other side gives up, or this is let go of.
    Hang(Arc<AtomicBool>),
    /// With the end of the connection.
    Silence,
    /// With more than anybody wants to read.
    Flood,
    /// With what is not HTTP.
    Noise,
}

pub fn status(status: u16) -> Answer {
    Answer::Status(status, String::new())
}

/// What is answered to a request, of which there were so many before.
type Manners = dyn Fn(&Received, usize) -> Answer + Send + Sync;

struct Shared {
    received: Mutex<Vec<Received>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    most: AtomicUsize,
    answer: Box<Manners>,
}

/// The server; its threads end with the process.
pub struct Partner {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Partner {
    /// `answer` is given a request and how many there were before.
    pub fn new(answer: impl Fn(&Received, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            received: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            answer: Box::new(answer),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&serving);
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hooks", self.address)
    }

    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().clone()
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many were open at once.
    pub fn most_at_once(&self) -> usize {
        self.shared.most.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) {
        self.connections.fetch_add(1, Ordering::SeqCst);
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(open, Ordering::SeqCst);
        if let Some(received) = read(&mut stream) {
            let before = {
                let mut all = self.received.lock();
                all.push(received.clone());
                all.len() - 1
            };
            match (self.answer)(&received, before) {
                Answer::Status(status, headers) => {
                    let head =
                        format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n{headers}\r\nok");
                    let _ = stream.write_all(head.as_bytes());
                }
                Answer::Hang(over) => {
                    let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
                    let is_open = |stream: &mut TcpStream| match stream.read(&mut [0]) {
                        Ok(count) => count > 0,
                        Err(error) => {
                            matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
                        }
                    };
                    while is_open(&mut stream) && !over.load(Ordering::SeqCst) {}
                }
                Answer::Silence => {}
                Answer::Flood => {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
                    while stream.write_all(&[b'x'; 4_096]).is_ok() {}
                }
                Answer::Noise => drop(stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n")),
            }
        }
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A whole request.
fn read(stream: &mut TcpStream) -> Option<Received> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let mut lines = head.lines();
            let path = lines.next()?.split(' ').nth(1)?.to_owned();
            let headers: Vec<(String, String)> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length = headers.iter().find(|(name, _)| name == "content-length");
            let length: usize = length.map_or(0, |(_, length)| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                let body = String::from_utf8(bytes[end + 4..].to_vec()).unwrap();
                return Some(Received { at: Instant::now(), path, headers, body });
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}
