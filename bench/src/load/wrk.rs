//! The same requests sent by [`wrk`](https://github.com/wg/wrk): figures that do not rest on a load
//! generator of this repository.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::Figures;
use crate::fault::{Doing as _, Fault};

const SCRIPT: &str = include_str!("wrk.lua");
/// Requests written for a second of load: more than any row answers of those that may be sent only once.
const A_SECOND: u64 = 80_000;

/// Loads `address` for `duration`, in whole seconds and at least one, over `connections` connections.
/// `write_request` appends the next request; `wrk` is handed them all before it opens its connections, and not as a
/// file: one of that size, written and removed again, would keep the disk busy while the server waits for it.
/// `mark` runs as `wrk` starts and as it has ended, so what it does before its first request is within.
///
/// # Errors
/// When `wrk` is not installed, fails, or met a connection that failed.
pub fn run(
    address: SocketAddr,
    connections: usize,
    duration: Duration,
    folder: &Path,
    mut write_request: impl FnMut(&mut Vec<u8>),
    mut mark: impl FnMut() -> Result<(), Fault>,
) -> Result<Figures, Fault> {
    let seconds = (duration.as_secs_f64().round() as u64).max(1);
    let script = folder.join("wrk.lua");
    std::fs::write(&script, SCRIPT).doing(format!("writing {}", script.display()))?;
    let (mut list, mut request) = (Vec::new(), Vec::new());
    for _ in 0..seconds * A_SECOND {
        request.clear();
        write_request(&mut request);
        list.extend_from_slice(format!("{}\n", request.len()).as_bytes());
        list.append(&mut request);
    }

    mark()?;
    let mut wrk = Command::new(std::env::var_os("MIMAR_WRK").unwrap_or_else(|| "wrk".into()))
        .args(["-t", "1", "-c", &connections.to_string(), "-d", &format!("{seconds}s"), "-s"])
        .arg(&script)
        .arg(format!("http://{address}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .doing(
            "starting wrk (Debian: `apt-get install wrk`; `--without-wrk` measures without it)",
        )?;
    // It says why it did not read them all.
    let _ = wrk.stdin.take().map(|mut input| input.write_all(&list));
    let output = wrk.wait_with_output().doing("waiting for wrk");
    mark()?;
    let output = output?;
    let text = String::from_utf8_lossy(&output.stdout);
    read(&text).ok_or_else(|| {
        Fault::Wrk(format!("{}\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr)))
    })
}

/// What the script says at the end; nothing if it did not come to that, or a connection failed.
fn read(text: &str) -> Option<Figures> {
    let line = text.lines().find_map(|line| line.strip_prefix("found "))?;
    let mut numbers = line.split(' ').map(|number| number.parse::<u64>().ok());
    let mut next = || numbers.next().flatten();
    let (requests, elapsed, refused, broken) = (next()?, next()?, next()?, next()?);
    let (p50, p99) = (next()?, next()?);
    (broken == 0).then_some(Figures {
        answered: requests.saturating_sub(refused),
        refused,
        // It counts them and does not say which they were.
        last_refusal: 0,
        elapsed: Duration::from_micros(elapsed),
        p50: p50 as f64,
        p99: p99 as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_line_is_read() {
        let text = "Running 1s test\nfound 1000 1000500 2 0 310 900\n";
        let figures = read(text).expect("a line of figures");
        assert_eq!((figures.answered, figures.refused), (998, 2));
        assert_eq!(figures.elapsed, Duration::from_micros(1_000_500));
        assert_eq!((figures.p50, figures.p99), (310.0, 900.0));
    }

    #[test]
    fn a_broken_connection_and_silence_are_no_figures() {
        assert!(read("found 1000 1000500 0 1 310 900\n").is_none());
        assert!(read("unable to connect to 127.0.0.1:1\n").is_none());
    }
}
