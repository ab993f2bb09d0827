//! What is shown of every broker.

use std::collections::{BTreeMap, HashSet};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::Loaded;
use engine::exchange::{Notice, Settings};
use operation::{BROKER, Chore, Exchange};
use parking_lot::Mutex;
use serde_json::json;
use store::EventFilter;
use tokio::task::JoinHandle;

use crate::peer::{Peer, SAID, Seen};
use crate::world::{On, World, now};

/// Who speaks.
pub const TALK: &str = "\
app Talk { version 1  roles user  surface rest }

event Said by topic { topic: Int  line: Int }

command say(topic: Int, line: Int) { allow user  emit Said { topic, line } }
";

/// Who listens: each ear wants the next line, so that one which comes twice, too early or never would be told.
pub const LISTEN: &str = r#"
app Listen { version 1  roles user  surface rest }

entity Ear {
  key id: Int
  heard:  Int = 0
  allow read, create to user
}

error OutOfOrder 409 "{line} comes after {heard}" { line: Int  heard: Int }

/// What another system says.
event Heard from "talk.Said.v1" by topic { topic: Int(0..1000)  line: Int(1..)  loud: Bool? }

command hear(topic: Int, line: Int) {
  allow system
  for ear in Ear where .id == topic {
    require ear.heard == line - 1 else OutOfOrder { line, heard: ear.heard }
    update ear { heard: line }
  }
}

on Heard run hear(topic, line)
"#;

/// A model that is served, with what works for it.
pub struct Place {
    pub world: World,
    pub notices: Arc<Mutex<Vec<Notice>>>,
    workers: Vec<JoinHandle<()>>,
}

impl Place {
    pub fn new(on: On, model: &str) -> Self {
        Self::of(World::new(on, model))
    }

    pub fn of(mut world: World) -> Self {
        let loaded = Loaded::new(world.loaded.model.clone(), world.loaded.schema.clone());
        world.engine.swap(loaded.sending());
        world.loaded = world.engine.loaded();
        Self { world, notices: Arc::default(), workers: Vec::new() }
    }

    /// Works, and speaks with a broker.
    pub fn open(&mut self, url: &str) {
        self.open_with(url, |settings| settings.lease = Duration::from_secs(3));
    }

    /// The same, on other terms.
    pub fn open_with(&mut self, url: &str, set: impl FnOnce(&mut Settings)) {
        let notices = Arc::clone(&self.notices);
        let mut settings =
            Settings::new(url.parse().unwrap(), move |notice| notices.lock().push(notice.clone()));
        set(&mut settings);
        let engine = Arc::clone(&self.world.engine);
        self.workers.push(self.world.runtime.spawn(async move { engine.work().await }));
        let engine = Arc::clone(&self.world.engine);
        self.workers
            .push(self.world.runtime.spawn(async move { engine.exchange(&settings).await }));
    }

    /// Is gone without a word: its lease holds until its time has run out.
    pub fn vanish(&mut self) {
        for worker in self.workers.drain(..) {
            worker.abort();
            let _ = self.world.runtime.block_on(worker);
        }
    }

    pub fn say(&self, topic: usize, line: usize) {
        let said = self.world.ask(&format!(r#"run user say {{"topic":{topic},"line":{line}}}"#));
        assert_eq!(said, "done");
    }

    pub fn waiting(&self) -> u64 {
        self.world.runtime.block_on(self.world.store.backlog()).unwrap().waiting
    }

    pub fn hears(&self, topic: usize) -> u64 {
        let told = self.world.ask(&format!("read user Ear {topic}"));
        let heard = told.split(r#""heard":"#).nth(1).unwrap();
        heard.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    }

    pub fn parked(&self) -> Vec<store::Parked> {
        self.world
            .runtime
            .block_on(
                self.world
                    .store
                    .parked(&store::ParkedFilter { limit: 1_000, ..Default::default() }),
            )
            .unwrap()
    }

    pub fn has_been_told(&self, is: impl Fn(&Notice) -> bool) -> bool {
        self.notices.lock().iter().any(is)
    }

    /// Sends everything again that is kept, as `mimar events replay --to broker` does.
    pub fn replay(&self) {
        let filter = EventFilter { limit: 10_000, ..EventFilter::default() };
        let events = self.world.runtime.block_on(self.world.store.events(&filter)).unwrap();
        let events = events.into_iter().map(|event| (event.event, vec![BROKER.into()]));
        let replay = Chore::Replay { events: events.collect(), now: now(), said: "".into() };
        self.world.runtime.block_on(self.world.engine.chore(replay)).unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.world.engine.rest();
        for worker in self.workers.drain(..) {
            let _ = self.world.runtime.block_on(worker);
        }
    }
}

/// Waits until it is so: long enough for any machine.
pub fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(120), "{what}: not within two minutes");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Lines by topic, in the order in which they first came; what came twice has the same identifier.
pub fn lines(seen: &[Seen]) -> BTreeMap<u64, Vec<u64>> {
    let (mut known, mut lines) = (HashSet::new(), BTreeMap::<u64, Vec<u64>>::new());
    for Seen { attributes, data, .. } in seen {
        if known.insert(attributes["id"].clone()) {
            let topic = data["topic"].as_u64().unwrap();
            lines.entry(topic).or_default().push(data["line"].as_u64().unwrap());
        }
    }
    lines
}

/// So many topics with so many lines each, in their order.
pub fn all(topics: u64, each: u64) -> BTreeMap<u64, Vec<u64>> {
    (1..=topics).map(|topic| (topic, (1..=each).collect())).collect()
}

/// What is said here arrives there, in order, once, in its envelope.
pub fn everything_arrives(peer: &dyn Peer, on: On) {
    peer.prepare(SAID);
    let mut talk = Place::new(on, TALK);
    let mut listen = Place::new(on, LISTEN);
    for ear in 1..=10 {
        listen.world.ask(&format!(r#"add user Ear {{"id":{ear}}}"#));
    }
    talk.open(&peer.url());
    until("connected", || talk.has_been_told(|notice| matches!(notice, Notice::Connected(_))));
    listen.open(&peer.url());
    for line in 1..=20 {
        for topic in 1..=10 {
            talk.say(topic, line);
        }
    }
    until("all is sent", || talk.waiting() == 0);
    until("all is heard", || (1..=10).all(|ear| listen.hears(ear) == 20));
    assert_eq!(listen.world.engine.work_figures().failed, 0, "{:?}", listen.parked());
    let traffic = (talk.world.engine.traffic().unwrap(), listen.world.engine.traffic().unwrap());
    assert_eq!((traffic.0.published, traffic.0.failed), (200, 0));
    assert_eq!((traffic.1.received, traffic.1.unreadable), (200, 0));

    let seen = peer.seen(SAID);
    assert_eq!(seen.len(), 200);
    assert_eq!(lines(&seen), all(10, 20));
    for Seen { key, attributes, data } in &seen {
        let topic = data["topic"].to_string();
        assert_eq!(attributes["specversion"], "1.0");
        assert_eq!(attributes["source"], "/talk");
        assert_eq!(attributes["type"], SAID);
        assert_eq!(attributes["subject"], topic);
        assert!(attributes["time"].ends_with('Z'));
        assert!(key.as_ref().is_none_or(|key| *key == topic), "{key:?} {topic}");
        assert_eq!(data.as_object().unwrap().len(), 2);
    }
}

/// What is committed goes out at once: here nobody looks by itself for what is there.
pub fn a_commit_wakes_the_relay(peer: &dyn Peer, on: On) {
    let long = Duration::from_secs(3_600);
    peer.prepare(SAID);
    let mut talk = Place::new(on, TALK);
    // By the engine, as servers do.
    talk.world.coded = true;
    talk.open_with(&peer.url(), |settings| (settings.lease, settings.look) = (long, long));
    until("connected", || talk.has_been_told(|notice| matches!(notice, Notice::Connected(_))));
    for line in 1..=5 {
        talk.say(1, line);
        until("it is sent", || talk.waiting() == 0);
    }
    assert_eq!(lines(&peer.seen(SAID)), all(1, 5));
}

/// A broker that is away, at least for so long, loses nothing and holds nobody up; one that has lost its data gets it again.
pub fn what_a_broker_misses(peer: &mut dyn Peer, on: On, away: Duration) {
    peer.prepare(SAID);
    let mut talk = Place::new(on, TALK);
    talk.open(&peer.url());
    talk.say(1, 1);
    until("the first is sent", || talk.waiting() == 0);
    peer.kill();
    let began = Instant::now();
    for line in 1..=30 {
        for topic in 1..=8 {
            if (topic, line) != (1, 1) {
                talk.say(topic, line);
            }
        }
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(30), "commands were held up: {took:?}");
    until("it is told", || talk.has_been_told(|notice| matches!(notice, Notice::Away(_))));
    std::thread::sleep(away.saturating_sub(began.elapsed()));
    assert!(talk.waiting() >= 239 - 8, "{}", talk.waiting());
    peer.again();
    until("the backlog is sent", || talk.waiting() == 0);
    assert_eq!(lines(&peer.seen(SAID)), all(8, 30));
    assert!(talk.parked().is_empty());

    let before = peer.url();
    peer.wipe();
    peer.prepare(SAID);
    if peer.url() != before {
        // It has another place by now, as one has that is set up anew.
        talk.vanish();
        talk.open(&peer.url());
    }
    talk.replay();
    until("all is sent again", || talk.waiting() == 0);
    assert_eq!(lines(&peer.seen(SAID)), all(8, 30));
}

/// What cannot be read is put aside with its reason, can be read again, and holds nobody up; what comes twice is heard once.
pub fn what_cannot_be_read(peer: &dyn Peer, on: On) {
    peer.prepare(SAID);
    let mut talk = Place::new(on, TALK);
    talk.open(&peer.url());
    until("connected", || talk.has_been_told(|notice| matches!(notice, Notice::Connected(_))));
    let mut listen = Place::new(on, LISTEN);
    listen.world.ask(r#"add user Ear {"id":1}"#);
    let envelope = |id: &'static str| {
        [("specversion", "1.0"), ("id", id), ("source", "/else"), ("type", "else.Said")]
    };
    let line = |line: u64| json!({"topic": 1, "line": line, "new": [1]}).to_string();
    peer.send(SAID, &[], "hello");
    peer.send(SAID, &envelope("bad"), r#"{"topic": 1001, "line": 0}"#);
    peer.send(SAID, &envelope("a"), &line(1));
    peer.send(SAID, &envelope("a"), &line(1));
    peer.send(SAID, &envelope("b"), &line(2));
    peer.send(SAID, &envelope("a"), &line(1));
    peer.send(SAID, &envelope("c"), &line(3));
    listen.open(&peer.url());
    until("what can be read is heard", || listen.hears(1) == 3);
    until("what cannot is told", || listen.parked().len() == 2);
    assert_eq!(listen.world.engine.work_figures().failed, 0);
    let parked = listen.parked();
    let reasons: Vec<&str> = parked.iter().filter_map(|parked| parked.error.as_deref()).collect();
    assert!(reasons[0].contains("CloudEvents"), "{reasons:?}");
    assert!(reasons[1].contains("/topic: ") && reasons[1].contains("/line: "), "{reasons:?}");
    assert!(parked.iter().all(|parked| &*parked.target == "arrived Heard"));

    // Read again, it still cannot be read; mended it could.
    let revive = Chore::Revive { number: None, now: now() };
    listen.world.runtime.block_on(listen.world.engine.chore(revive)).unwrap();
    until("it has been tried", || listen.world.engine.work_figures().failed >= 2);
    peer.send(SAID, &envelope("d"), &line(4));
    until("the next is heard", || listen.hears(1) == 4);
    // Another event of the same identifier, from elsewhere, is another one.
    let mut other = envelope("d");
    other[2].1 = "/elsewhere";
    peer.send(SAID, &other, &line(5));
    until("the last is heard", || listen.hears(1) == 5);

    // After a week nobody remembers them.
    let forget = Chore::Exchange(Exchange::Forget { before: i64::MAX });
    let forgotten = listen.world.runtime.block_on(listen.world.engine.chore(forget)).unwrap();
    assert_eq!(forgotten.as_deref(), Some(&b"5"[..]));
}

/// What is sent is read by the library of those who made the standard; `form` says how it is on the wire.
pub fn the_library_of_cloudevents_reads_it(peer: &dyn Peer, form: &str) {
    peer.prepare(SAID);
    let mut talk = Place::new(On::Sqlite, TALK);
    talk.open(&peer.url());
    for topic in 1..=3 {
        talk.say(topic, 7);
    }
    until("all is sent", || talk.waiting() == 0);
    let seen = peer.seen(SAID);
    let messages = seen.iter().map(|Seen { key, attributes, data }| {
        json!({"key": key, "attributes": attributes, "data": data})
    });
    let messages = serde_json::Value::Array(messages.collect()).to_string();
    let mut command = Command::new("node");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/brokers/reader.mjs")).arg(form);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(messages.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success());
    let read: Vec<serde_json::Value> = String::from_utf8(done.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(read.len(), 3);
    for (event, Seen { attributes, data, .. }) in read.iter().zip(&seen) {
        for name in ["id", "source", "type", "subject", "specversion"] {
            assert_eq!(event[name], *attributes[name], "{name} of {event}");
        }
        assert_eq!(event["data"], *data);
        assert_eq!(data["line"], 7);
    }
}
