//! The language server: what `ide` knows, over LSP 3.17.
//!
//! One thread reads messages into a bounded queue, and this one answers them in order. A change is worked into the model when
//! it comes, as far as one item holds it; otherwise the model is checked as a whole, a large one by a thread of its own. What the
//! language says goes out as soon as no message waits. What the review says follows from another thread when the editor has been
//! quiet for a moment.

mod convert;
mod documents;
mod requests;
mod reviewer;
mod session;
mod transport;

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use lsp_server::{ErrorCode, Message, Notification, RequestId, Response};
use serde_json::Value;

use crate::failure::Failure;
use reviewer::Job;
use session::Session;
use transport::Incoming;

/// Messages that may wait; behind that the editor's pipe does.
const WAITING: usize = 64;

/// Requests that are looked over for one that was cancelled.
const AHEAD: usize = 256;

/// How long the editor must be quiet before a review begins: longer than there is between two keys of who types fast.
const QUIET: Duration = Duration::from_millis(150);

/// Speaks with one editor until it says `exit`.
pub(crate) fn serve(
    input: impl Read + Send + 'static,
    output: &mut impl Write,
) -> Result<(), Failure> {
    let (sender, receiver) = sync_channel(WAITING);
    let checks = worker("lsp-checker", &sender)?;
    let reviews = worker("lsp-reviewer", &sender)?;
    std::thread::Builder::new()
        .name("lsp-reader".to_owned())
        .spawn(move || transport::read(input, &sender))
        .map_err(Failure::Runtime)?;
    let mut queue = Queue { receiver, ahead: VecDeque::new() };
    let mut session = Session::default();
    loop {
        give(session.check(), &checks, &mut session);
        let quiet = match (session.is_stale(), session.awaits_review()) {
            (true, _) => Some(Duration::ZERO),
            (false, true) => Some(QUIET),
            (false, false) => None,
        };
        let Some(incoming) = queue.next(quiet) else {
            if session.is_stale() {
                session.publish();
            } else {
                give(session.review(), &reviews, &mut session);
            }
            flush(&mut session, output)?;
            continue;
        };
        match incoming {
            Incoming::Message(Message::Notification(it)) if it.method == "exit" => {
                return if session.is_shut_down() { Ok(()) } else { Err(Failure::NoShutdown) };
            }
            Incoming::Message(message) => session.take(message),
            Incoming::Cancelled(id) => {
                let code = ErrorCode::RequestCanceled as i32;
                session.send(Response::new_err(id, code, "cancelled".to_owned()).into());
            }
            Incoming::Done(outcome) => session.done(*outcome),
            Incoming::Malformed(why) => session.refuse(&why),
            // Whoever started this is gone, and there is nobody to answer.
            Incoming::Closed => return Err(Failure::NoShutdown),
            Incoming::Broken(why) => return Err(Failure::Protocol(why)),
        }
        flush(&mut session, output)?;
    }
}

/// A thread that works beside this one. It ends with it, or with the process.
fn worker(name: &str, sender: &SyncSender<Incoming>) -> Result<SyncSender<Job>, Failure> {
    let (jobs, waiting) = sync_channel(1);
    let sender = sender.clone();
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || reviewer::work(&waiting, &sender))
        .map_err(Failure::Runtime)?;
    Ok(jobs)
}

/// Gives a worker something to do.
fn give(job: Option<Job>, worker: &SyncSender<Job>, session: &mut Session) {
    if job.is_some_and(|job| worker.send(job).is_err()) {
        session
            .warn("a check has failed, and there are no more until `mimar lsp` is started again");
    }
}

fn flush(session: &mut Session, output: &mut impl Write) -> Result<(), Failure> {
    for message in session.sent() {
        transport::write(output, &message)
            .map_err(|error| Failure::Protocol(format!("cannot write to the editor: {error}")))?;
    }
    Ok(())
}

/// What has come and is not answered yet.
struct Queue {
    receiver: Receiver<Incoming>,
    ahead: VecDeque<Incoming>,
}

impl Queue {
    /// The next message; `None` where none came in the time given.
    fn next(&mut self, quiet: Option<Duration>) -> Option<Incoming> {
        self.look_ahead();
        if let Some(first) = self.ahead.pop_front() {
            return Some(first);
        }
        match quiet {
            Some(quiet) => match self.receiver.recv_timeout(quiet) {
                Ok(incoming) => Some(incoming),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => Some(Incoming::Closed),
            },
            None => Some(self.receiver.recv().unwrap_or(Incoming::Closed)),
        }
    }

    /// Takes in what has come meanwhile, so that what was cancelled is not worked on.
    fn look_ahead(&mut self) {
        while self.ahead.len() < AHEAD {
            let Ok(incoming) = self.receiver.try_recv() else { return };
            let Some(cancelled) = cancelled(&incoming) else {
                self.ahead.push_back(incoming);
                continue;
            };
            let waits = self.ahead.iter_mut().find(|it| {
                matches!(it, Incoming::Message(Message::Request(request)) if request.id == cancelled)
            });
            // What is not here any more was answered.
            if let Some(waits) = waits {
                *waits = Incoming::Cancelled(cancelled);
            }
        }
    }
}

fn cancelled(incoming: &Incoming) -> Option<RequestId> {
    match incoming {
        Incoming::Message(Message::Notification(Notification { method, params }))
            if method == "$/cancelRequest" =>
        {
            match params.get("id")? {
                Value::Number(number) => {
                    Some(RequestId::from(i32::try_from(number.as_i64()?).ok()?))
                }
                Value::String(text) => Some(RequestId::from(text.clone())),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::mpsc::sync_channel;

    use lsp_server::{Message, Request};
    use serde_json::{Value, json};

    use super::Queue;
    use super::transport::Incoming;

    fn message(value: Value) -> Incoming {
        Incoming::Message(serde_json::from_value(value).unwrap())
    }

    #[test]
    fn what_was_cancelled_while_it_waited_is_not_worked_on() {
        let (sender, receiver) = sync_channel(8);
        let request = |id: Value| message(json!({ "id": id, "method": "m", "params": null }));
        for id in [json!(1), json!(2), json!("2")] {
            sender.send(request(id)).unwrap();
        }
        for id in [json!("2"), json!(7)] {
            let params = json!({ "id": id });
            sender.send(message(json!({ "method": "$/cancelRequest", "params": params }))).unwrap();
        }
        drop(sender);
        let mut queue = Queue { receiver, ahead: VecDeque::new() };
        let mut seen = Vec::new();
        loop {
            match queue.next(None).unwrap() {
                Incoming::Message(Message::Request(Request { id, .. })) => {
                    seen.push(id.to_string());
                }
                Incoming::Cancelled(id) => seen.push(format!("not {id}")),
                _ => break,
            }
        }
        assert_eq!(seen, ["1", "2", "not \"2\""]);
    }
}
