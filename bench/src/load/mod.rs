//! A load generator that costs little: one thread, prebuilt requests, one request in flight on each
//! connection, and just enough of HTTP/1.1 to find where an answer ends.

pub mod request;
pub mod wrk;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::fault::{Doing as _, Fault};

/// Bytes of an answer's head that are looked through at most.
const HEAD_LIMIT: usize = 16 << 10;

/// Who sends the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// [`run`].
    Own,
    /// [`wrk::run`].
    Wrk,
}

/// What one window showed, whoever sent the requests.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Answers with a status of 2xx.
    pub answered: u64,
    /// Answers with any other status.
    pub refused: u64,
    /// The last status outside 2xx, or 0 where it is not known.
    pub last_refusal: u16,
    /// How long the window was.
    pub elapsed: Duration,
    /// Microseconds that half of the requests stay below.
    pub p50: f64,
    /// Microseconds that 99 of 100 requests stay below.
    pub p99: f64,
}

/// What one window of load showed.
#[derive(Debug, Clone)]
pub struct Measure {
    /// Answers with a status of 2xx.
    pub answered: u64,
    /// Answers with any other status.
    pub refused: u64,
    /// The last status outside 2xx, or 0.
    pub last_refusal: u16,
    /// How long the window was.
    pub elapsed: Duration,
    /// From the request's first byte written to the answer's last byte read, in microseconds.
    pub latency: Histogram<u64>,
}

impl Measure {
    /// Its figures.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures {
            answered: self.answered,
            refused: self.refused,
            last_refusal: self.last_refusal,
            elapsed: self.elapsed,
            p50: self.latency.value_at_quantile(0.5) as f64,
            p99: self.latency.value_at_quantile(0.99) as f64,
        }
    }
}

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    sent: usize,
    started: Instant,
    answer: Vec<u8>,
    filled: usize,
    /// Head and body of the answer, once the head is read.
    expected: Option<usize>,
    status: u16,
}

/// Loads `address` over `connections` connections: `warm_up` uncounted, then a window of `duration`.
/// `write_request` fills an empty buffer with the next request; `mark` runs as the window opens and as it
/// closes.
///
/// # Errors
/// When a connection fails or an answer cannot be read.
pub fn run(
    address: SocketAddr,
    connections: usize,
    warm_up: Duration,
    duration: Duration,
    mut write_request: impl FnMut(&mut Vec<u8>),
    mut mark: impl FnMut() -> Result<(), Fault>,
) -> Result<Measure, Fault> {
    let mut poll = Poll::new().doing("polling")?;
    let mut events = Events::with_capacity(connections.max(16));
    let mut open = Vec::with_capacity(connections);
    for index in 0..connections {
        // Connected before it is made non-blocking, so that a server which is not there is told at once.
        let stream =
            std::net::TcpStream::connect(address).doing(format!("connecting to {address}"))?;
        stream.set_nodelay(true).doing("setting TCP_NODELAY")?;
        stream.set_nonblocking(true).doing("setting O_NONBLOCK")?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry()
            .register(&mut stream, Token(index), Interest::READABLE)
            .doing("registering a connection")?;
        open.push(Connection {
            stream,
            request: Vec::with_capacity(1_024),
            sent: 0,
            started: Instant::now(),
            answer: vec![0; HEAD_LIMIT],
            filled: 0,
            expected: None,
            status: 0,
        });
    }

    let mut measure = Measure {
        answered: 0,
        refused: 0,
        last_refusal: 0,
        elapsed: Duration::ZERO,
        latency: Histogram::new_with_max(60_000_000, 3)
            .map_err(|_| Fault::Unreadable("the histogram's bounds are wrong"))?,
    };
    let mut opens = Instant::now() + warm_up;
    let mut counting = false;
    for connection in &mut open {
        write_request(&mut connection.request);
        connection.send()?;
    }
    loop {
        poll.poll(&mut events, Some(Duration::from_secs(10))).doing("polling")?;
        if events.is_empty() {
            return Err(Fault::Unreadable("no answer came for ten seconds"));
        }
        for event in &events {
            let connection = &mut open[event.token().0];
            if !connection.receive()? {
                continue;
            }
            let now = Instant::now();
            if counting {
                if (200..300).contains(&connection.status) {
                    measure.answered += 1;
                } else {
                    measure.refused += 1;
                    measure.last_refusal = connection.status;
                }
                measure.latency.saturating_record((now - connection.started).as_micros() as u64);
            }
            connection.request.clear();
            write_request(&mut connection.request);
            connection.started = now;
            connection.send()?;
        }
        let now = Instant::now();
        if !counting && now >= opens {
            counting = true;
            mark()?;
            opens = Instant::now();
        } else if counting && now - opens >= duration {
            measure.elapsed = now - opens;
            mark()?;
            return Ok(measure);
        }
    }
}

impl Connection {
    /// Writes the request; a request is far smaller than a socket's buffer, so it goes in one piece.
    fn send(&mut self) -> Result<(), Fault> {
        self.sent = 0;
        while self.sent < self.request.len() {
            match self.stream.write(&self.request[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => return Err(error).doing("sending a request"),
            }
        }
        Ok(())
    }

    /// Reads what has come; true once the answer is whole. The rest of a whole answer is never read for:
    /// nothing more comes before the next request.
    fn receive(&mut self) -> Result<bool, Fault> {
        loop {
            match self.stream.read(&mut self.answer[self.filled..]) {
                Ok(0) => return Err(Fault::Unreadable("the server closed a connection")),
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error).doing("reading an answer"),
            }
            if self.expected.is_none() {
                self.expected = self.parse_head()?;
            }
            if let Some(expected) = self.expected {
                if self.filled >= expected {
                    self.filled = 0;
                    self.expected = None;
                    return Ok(true);
                }
                if self.answer.len() < expected {
                    self.answer.resize(expected, 0);
                }
            } else if self.filled == self.answer.len() {
                return Err(Fault::Unreadable("the head is longer than 16 KiB"));
            }
        }
    }

    fn parse_head(&mut self) -> Result<Option<usize>, Fault> {
        let read = &self.answer[..self.filled];
        let Some(end) = memchr::memmem::find(read, b"\r\n\r\n") else { return Ok(None) };
        self.status = read
            .get(9..12)
            .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
            .ok_or(Fault::Unreadable("there is no status line"))?;
        let head = &read[..end + 2];
        let mut body = (self.status == 204 || self.status == 304).then_some(0);
        let mut start = 0;
        for line_end in memchr::memchr_iter(b'\n', head) {
            const NAME: &[u8] = b"content-length:";
            let line = &head[start..line_end];
            start = line_end + 1;
            if line.len() > NAME.len() && line[..NAME.len()].eq_ignore_ascii_case(NAME) {
                body = std::str::from_utf8(&line[NAME.len()..])
                    .ok()
                    .and_then(|digits| digits.trim().parse().ok());
                break;
            }
        }
        let body = body.ok_or(Fault::Unreadable("there is no Content-Length"))?;
        Ok(Some(end + 4 + body))
    }
}
