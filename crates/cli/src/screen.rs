//! What is said to people: on stdout what was asked for, on stderr everything else.

use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use tracing::Level;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::failure::Failure;

/// A heading.
pub(crate) const BOLD: Style = Style::new().bold();
/// What stands beside.
pub(crate) const DIM: Style = Style::new().dimmed();
/// What went well.
pub(crate) const GREEN: Style = AnsiColor::Green.on_default().bold();
/// What to look at.
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
/// What went wrong.
pub(crate) const RED: Style = AnsiColor::Red.on_default().bold();
/// What can be typed or followed.
pub(crate) const CYAN: Style = AnsiColor::Cyan.on_default();

/// Text in a style; the stream strips it where there is no terminal.
pub(crate) fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Writes to stdout. A reader that went away, as `head` does, is no fault.
pub(crate) fn out(text: &str) {
    let mut stream = anstream::stdout().lock();
    let _ = stream.write_all(text.as_bytes());
    let _ = stream.flush();
}

/// The same; whether there is still somebody who reads.
pub(crate) fn line(text: &str) -> bool {
    let mut stream = anstream::stdout().lock();
    stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).is_ok()
}

/// Writes one line to stderr.
pub(crate) fn note(text: &str) {
    let mut stream = anstream::stderr().lock();
    let _ = stream.write_all(text.as_bytes());
    let _ = stream.write_all(b"\n");
}

/// Says why the command failed; a failure that was shown already is not repeated.
pub(crate) fn complain(failure: &Failure) {
    let text = failure.to_string();
    if text.is_empty() {
        return;
    }
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    note(&format!("{}: {first}", styled(RED, "error")));
    if !rest.is_empty() {
        note(rest);
    }
}

/// Whether stderr is a terminal, so that a progress bar makes sense.
pub(crate) fn is_interactive() -> bool {
    io::stderr().is_terminal()
}

/// Columns of the terminal.
pub(crate) fn width() -> usize {
    terminal_size::terminal_size_of(io::stderr())
        .or_else(|| terminal_size::terminal_size_of(io::stdout()))
        .map_or(120, |(width, _)| usize::from(width.0).clamp(60, 140))
}

/// Clients of brokers. What they log of each address that they try, and of what is not there yet, we say ourselves, once.
const CLIENTS: [&str; 5] = ["lapin", "amq_protocol", "rskafka", "async_nats", "redis"];

/// Logs to stderr from now on: warnings, and more when asked for; what clients of brokers log, with `-vv`.
pub(crate) fn log(verbose: u8) {
    let level = match verbose {
        0 => Level::WARN,
        1 => Level::INFO,
        _ => Level::DEBUG,
    };
    let is_told = move |metadata: &tracing::Metadata<'_>| {
        let room = metadata.target().split("::").next().unwrap_or_default();
        verbose > 1 || !CLIENTS.contains(&room)
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_ansi(anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never)
        .with_target(false)
        .finish()
        .with(tracing_subscriber::filter::filter_fn(is_told))
        .init();
}

/// `3 rows`, `1 row`.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    #[test]
    fn counts_are_grouped() {
        assert_eq!(super::count(1, "row", "rows"), "1 row");
        assert_eq!(super::count(15_607, "row", "rows"), "15,607 rows");
        assert_eq!(super::count(100, "row", "rows"), "100 rows");
    }
}
