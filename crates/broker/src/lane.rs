//! Order, where a broker acknowledges messages one by one.

use std::collections::HashMap;
use std::future::Future;

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::{BrokerFault, Message, Outcome};

/// How many messages are on their way at once.
const AT_ONCE: usize = 256;

/// Sends messages: those of one address and key one after another, until one fails; all others side by side.
pub(crate) async fn send<'a, F>(messages: &'a [Message], one: impl Fn(&'a Message) -> F) -> Outcome
where
    F: Future<Output = Result<(), BrokerFault>> + 'a,
{
    let (one, mut acknowledged, mut fault) = (&one, vec![false; messages.len()], None);
    let carried = lanes(messages).into_iter().map(|lane| async move {
        let mut done = Vec::with_capacity(lane.len());
        for at in lane {
            let Some(message) = messages.get(at) else { break };
            match one(message).await {
                Ok(()) => done.push(at),
                Err(fault) => return (done, Some(fault)),
            }
        }
        (done, None)
    });
    let mut carried = stream::iter(carried).buffer_unordered(AT_ONCE);
    while let Some((done, why)) = carried.next().await {
        for at in done {
            acknowledged[at] = true;
        }
        fault = fault.or(why);
    }
    Outcome { acknowledged, fault }
}

/// The positions of those of one address and key together, in their order; each without a key by itself.
fn lanes(messages: &[Message]) -> Vec<Vec<usize>> {
    let mut known: HashMap<(&str, &str), usize> = HashMap::new();
    let mut lanes: Vec<Vec<usize>> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let lane = message.key.as_deref().map(|key| (&*message.address, key));
        let place = lane.and_then(|lane| known.get(&lane).copied());
        match place.and_then(|place| lanes.get_mut(place)) {
            Some(lane) => lane.push(at),
            None => {
                known.extend(lane.map(|lane| (lane, lanes.len())));
                lanes.push(vec![at]);
            }
        }
    }
    lanes
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn message(key: Option<&str>) -> Message {
        let key = key.map(str::to_owned);
        Message { key, address: "a".to_owned(), ..Message::default() }
    }

    #[tokio::test]
    async fn what_fails_holds_back_what_follows_it() {
        let keys = [Some("x"), Some("y"), None, Some("x"), Some("y"), None, Some("x")];
        let messages = keys.map(message);
        let sent = Mutex::new(Vec::new());
        let outcome = send(&messages, |message| {
            let at = messages.iter().position(|known| std::ptr::eq(known, message));
            let sent = &sent;
            async move {
                let at = at.unwrap_or(usize::MAX);
                sent.lock().map_err(BrokerFault::unreachable)?.push(at);
                if at == 3 { Err(BrokerFault::refused("no")) } else { Ok(()) }
            }
        })
        .await;
        assert_eq!(outcome.acknowledged, [true, true, true, false, true, true, false]);
        assert_eq!(outcome.fault, Some(BrokerFault::refused("no")));
        assert!(sent.lock().is_ok_and(|sent| !sent.contains(&6)));
    }
}
