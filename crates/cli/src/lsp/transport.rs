//! Messages on a pipe: the base protocol of LSP 3.17, bounded.

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::mpsc::SyncSender;

use lsp_server::{Message, RequestId};

use super::reviewer::Outcome;

/// The longest message that is taken, in bytes: longer than any file of a model.
const LONGEST: usize = 32 << 20;

/// The longest header, in bytes.
const HEADER: u64 = 4 << 10;

/// What comes from an editor.
#[derive(Debug)]
pub(super) enum Incoming {
    Message(Message),
    /// A request that was taken back before it was worked on.
    Cancelled(RequestId),
    /// Work beside the conversation has ended. It comes from within.
    Done(Box<Outcome>),
    /// A message that is none; the next one may be.
    Malformed(String),
    /// The pipe has ended.
    Closed,
    /// Where one message ends and the next begins is lost.
    Broken(String),
}

/// Reads until the pipe ends or nobody listens.
pub(super) fn read(input: impl Read, sender: &SyncSender<Incoming>) {
    let mut input = BufReader::new(input);
    loop {
        let incoming = match frame(&mut input) {
            Ok(Some(body)) => match serde_json::from_slice(&body) {
                Ok(message) => Incoming::Message(message),
                Err(error) => Incoming::Malformed(error.to_string()),
            },
            Ok(None) => Incoming::Closed,
            Err(why) => Incoming::Broken(why),
        };
        let is_last = matches!(incoming, Incoming::Closed | Incoming::Broken(_))
            || matches!(&incoming, Incoming::Message(Message::Notification(it)) if it.method == "exit");
        if sender.send(incoming).is_err() || is_last {
            return;
        }
    }
}

/// The body of the next message; `None` at the end of the pipe.
fn frame(input: &mut impl BufRead) -> Result<Option<Vec<u8>>, String> {
    let mut length = None;
    let mut header = input.take(HEADER);
    loop {
        let mut line = Vec::new();
        let read = header.read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
        if read == 0 && length.is_none() && header.limit() == HEADER {
            return Ok(None);
        }
        if line.last() != Some(&b'\n') {
            return Err("a header of a message does not end".to_owned());
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            let value: usize = value
                .trim()
                .parse()
                .map_err(|_| format!("`{}` is no Content-Length", value.trim()))?;
            length = Some(value);
        }
    }
    let length = length.ok_or("a message has no Content-Length")?;
    if length > LONGEST {
        return Err(format!(
            "a message of {length} bytes is longer than the {LONGEST} that are taken"
        ));
    }
    // It grows as bytes arrive: a length that is only claimed costs nothing.
    let mut body = Vec::new();
    let read =
        input.take(length as u64).read_to_end(&mut body).map_err(|error| error.to_string())?;
    if read < length {
        return Err("the pipe ended within a message".to_owned());
    }
    Ok(Some(body))
}

/// Writes one message.
pub(super) fn write(output: &mut impl Write, body: &str) -> std::io::Result<()> {
    write!(output, "Content-Length: {}\r\n\r\n{body}", body.len())?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::{Incoming, LONGEST, read, write};

    /// What comes of these bytes, in a word each.
    fn comes(bytes: &[u8]) -> Vec<&'static str> {
        let (sender, receiver) = sync_channel(16);
        read(bytes, &sender);
        drop(sender);
        let each = receiver.into_iter().map(|incoming| match incoming {
            Incoming::Message(_) => "message",
            Incoming::Cancelled(_) => "cancelled",
            Incoming::Done(_) => "done",
            Incoming::Malformed(_) => "malformed",
            Incoming::Closed => "closed",
            Incoming::Broken(_) => "broken",
        });
        each.collect()
    }

    fn framed(body: &str) -> String {
        format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }

    #[test]
    fn odd_input_is_told_apart() {
        let note = framed(r#"{"method":"m"}"#);
        let mut written = Vec::new();
        write(&mut written, r#"{"method":"ä"}"#).unwrap();
        assert_eq!(comes(b""), ["closed"]);
        assert_eq!(comes(&written), ["message", "closed"]);
        let typed = note.replace("Content-Length", "content-type: x\r\ncontent-length");
        assert_eq!(comes(typed.as_bytes()), ["message", "closed"]);
        let after = format!("{}{note}", framed("{"));
        assert_eq!(comes(after.as_bytes()), ["malformed", "message", "closed"]);
        assert_eq!(comes(framed("\u{0}").as_bytes()), ["malformed", "closed"]);
        for broken in [
            "GET / HTTP/1.1\r\n\r\n".to_owned(),
            "Content-Length: 5".to_owned(),
            "Content-Length: 5\r\n\r\n{}".to_owned(),
            "Content-Length: -1\r\n\r\n".to_owned(),
            format!("Content-Length: {}\r\n\r\n", LONGEST + 1),
            "x".repeat(100_000),
        ] {
            assert_eq!(comes(broken.as_bytes()), ["broken"], "{}", &broken[..broken.len().min(40)]);
        }
        let exit = format!("{}{note}", framed(r#"{"method":"exit"}"#));
        assert_eq!(comes(exit.as_bytes()), ["message"], "nothing is read behind it");
    }
}
