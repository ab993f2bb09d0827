//! A way to a server that can be blocked, cut and opened again.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What becomes of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It arrives.
    Open,
    /// Connections are cut, new ones at once.
    Refused,
    /// It vanishes, and nobody is told.
    Swallowed,
    /// A piece from the client that contains these bytes arrives, and then the connection is cut: no answer comes.
    CutBehind(&'static [u8]),
    /// A piece from the client that contains these bytes does not arrive, and the connection is cut.
    CutBefore(&'static [u8]),
}

/// A way to a server on this machine.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    way: Mutex<Way>,
    open: Mutex<Vec<TcpStream>>,
    ended: AtomicBool,
}

impl State {
    fn way(&self) -> Way {
        *self.way.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn cut_all(&self) {
        let mut open = self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for stream in open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Proxy {
    /// A way to a port of this machine.
    ///
    /// # Panics
    /// If no port is free.
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.unwrap_or_else(|error| panic!("no free port: {error}"));
        let port = listener.local_addr().map_or(0, |address| address.port());
        let state = Arc::new(State {
            way: Mutex::new(Way::Open),
            open: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let own = state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if own.ended.load(Ordering::Acquire) {
                    break;
                }
                accept(client, server, &own);
            }
        });
        Self { port, state }
    }

    /// The port that clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on.
    pub fn set(&self, way: Way) {
        *self.state.way.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = way;
        if way == Way::Refused {
            self.state.cut_all();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Release);
        self.state.cut_all();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

fn accept(client: TcpStream, server: u16, state: &Arc<State>) {
    if state.way() == Way::Refused {
        return;
    }
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)) else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let clones = [client.try_clone(), server.try_clone()];
    let mut open = state.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    open.extend(clones.into_iter().flatten());
    drop(open);
    let (Ok(from_client), Ok(from_server)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    for (from, to, sent) in [(from_client, server, true), (from_server, client, false)] {
        let state = state.clone();
        std::thread::spawn(move || carry(from, to, sent, &state));
    }
}

/// Carries what comes from one side to the other, as long as the way is open.
fn carry(mut from: TcpStream, mut to: TcpStream, sent: bool, state: &State) {
    let mut piece = vec![0; 64 << 10];
    loop {
        let count = match from.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        let bytes = &piece[..count];
        let holds = |wanted: &[u8]| sent && bytes.windows(wanted.len()).any(|part| part == wanted);
        match state.way() {
            Way::Open => {}
            Way::Refused => break,
            Way::Swallowed => continue,
            Way::CutBehind(wanted) if holds(wanted) => {
                // First, so that no answer comes through, however soon it comes.
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.write_all(bytes);
                // Time for the server to do it.
                std::thread::sleep(Duration::from_millis(200));
                break;
            }
            Way::CutBefore(wanted) if holds(wanted) => break,
            Way::CutBehind(_) | Way::CutBefore(_) => {}
        }
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
