//! What goes over the wire to PostgreSQL, written down on its way.
//!
//! Answers are held back until a client has been silent for a while, so that what it sends without waiting for them is there before they are:
//! whatever comes when nothing is on its way has waited.

use std::collections::{HashMap, VecDeque};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// For how long a client is silent before it is answered.
const HELD_BACK: Duration = Duration::from_millis(25);

/// A way to a server.
pub struct Wire {
    pub port: u16,
    seen: Arc<Mutex<Vec<Transaction>>>,
}

/// What was sent between `BEGIN` and `COMMIT`.
#[derive(Debug, Clone, Default)]
pub struct Transaction {
    /// The statements, with those.
    pub sent: Vec<String>,
    /// How often an answer was awaited. Preparing a statement does not count.
    pub trips: usize,
}

/// One connection, as its client has used it so far.
#[derive(Default)]
struct Line {
    prepared: HashMap<String, String>,
    /// What is on its way and not answered: whether it has executed anything.
    waiting: VecDeque<bool>,
    /// Whether the last that was sent was executed, not prepared.
    executed: bool,
    /// The messages since the last end of what goes together.
    executes: bool,
    prepares: bool,
    open: Option<Transaction>,
    /// When the client has last sent something.
    last: Option<Instant>,
}

impl Wire {
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::<Mutex<Vec<Transaction>>>::default();
        let all = seen.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
                let line = Arc::<Mutex<Line>>::default();
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (there, all) = (line.clone(), all.clone());
                std::thread::spawn(move || {
                    carry(from, to, false, |kind, body| {
                        there.lock().sent(kind, body, &all);
                    });
                });
                std::thread::spawn(move || {
                    carry(server, client, true, |kind, _| {
                        if kind == b'Z' {
                            Line::hold_back(&line);
                        }
                        line.lock().answered(kind);
                    });
                });
            }
        });
        Self { port, seen }
    }

    /// The transactions since this was last asked.
    pub fn take(&self) -> Vec<Transaction> {
        std::mem::take(&mut self.seen.lock())
    }
}

impl Line {
    /// A message of the client (PostgreSQL's protocol 3.0, §55.7).
    fn sent(&mut self, kind: u8, body: &[u8], all: &Mutex<Vec<Transaction>>) {
        let mut texts =
            body.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
        let mut text = || texts.next().unwrap_or_default();
        self.last = Some(Instant::now());
        match kind {
            b'P' => {
                let (name, statement) = (text(), text());
                self.prepared.insert(name, statement);
                self.prepares = true;
            }
            b'B' => {
                let (_, name) = (text(), text());
                let statement = self.prepared.get(&name).cloned().unwrap_or_default();
                self.execute(statement);
            }
            b'Q' => {
                let statement = text();
                if statement.starts_with("BEGIN") {
                    self.open = Some(Transaction::default());
                    self.executed = false;
                }
                let ends = statement == "COMMIT" || statement == "ROLLBACK";
                self.execute(statement);
                self.together();
                if ends {
                    all.lock().extend(self.open.take());
                }
            }
            b'S' => self.together(),
            _ => {}
        }
    }

    fn execute(&mut self, statement: String) {
        // Where something is on its way, nothing was awaited; and who has waited for a statement to be prepared alone has
        // not waited for what came before.
        let waited = self.waiting.is_empty() && self.executed && !self.executes;
        self.executes = true;
        if let Some(open) = &mut self.open {
            open.trips += usize::from(waited || open.sent.is_empty());
            open.sent.push(statement);
        }
    }

    fn together(&mut self) {
        if self.prepares && !self.executes && self.waiting.is_empty() && self.executed {
            // It has waited before it prepares: what it prepares begins the next trip.
            if let Some(open) = &mut self.open {
                open.trips += 1;
            }
        }
        self.executed = self.executes;
        (self.executes, self.prepares) = (false, false);
        self.waiting.push_back(self.executed);
    }

    /// Waits until the client has been silent for long enough; for what it prepares it surely waits.
    fn hold_back(line: &Mutex<Self>) {
        if line.lock().waiting.front() != Some(&true) {
            return;
        }
        loop {
            let silent = line.lock().last.map_or(HELD_BACK, |last| last.elapsed());
            match HELD_BACK.checked_sub(silent) {
                Some(left) if !left.is_zero() => std::thread::sleep(left),
                _ => return,
            }
        }
    }

    fn answered(&mut self, kind: u8) {
        if kind == b'Z' {
            self.waiting.pop_front();
        }
    }
}

/// Carries messages from one side to the other.
fn carry(mut from: TcpStream, mut to: TcpStream, answers: bool, mut each: impl FnMut(u8, &[u8])) {
    // A client begins with a message that has no kind.
    let mut first = !answers;
    loop {
        let mut kind = [0];
        if !first && from.read_exact(&mut kind).is_err() {
            break;
        }
        let mut length = [0; 4];
        if from.read_exact(&mut length).is_err() {
            break;
        }
        let mut body = vec![0; (u32::from_be_bytes(length) as usize).saturating_sub(4)];
        if from.read_exact(&mut body).is_err() {
            break;
        }
        each(if first { 0 } else { kind[0] }, &body);
        let mut whole = Vec::with_capacity(body.len() + 5);
        whole.extend_from_slice(if first { &[] } else { &kind });
        whole.extend_from_slice(&length);
        whole.extend_from_slice(&body);
        if to.write_all(&whole).is_err() {
            break;
        }
        first = false;
    }
    let _ = (from.shutdown(std::net::Shutdown::Both), to.shutdown(std::net::Shutdown::Both));
}
