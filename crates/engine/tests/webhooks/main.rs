//! Webhooks, delivered: partners of all kinds on the loopback, on both databases.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it cannot go on")]

mod delivery;
mod egress;
mod inbound;
mod partner;
mod standard;
#[expect(dead_code, reason = "the scenes of commands ask more of a world")]
#[path = "../commands/world.rs"]
mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::webhook::{Secret, Settings};
use operation::{Chore, Fault, Hook};
use serde_json::Value;
use tokio::task::JoinHandle;
use world::{On, World, now};

const MODEL: &str = "\
app Talk { version 1  roles user  surface rest }

event Said by topic { topic: Int  line: Int }
event Whispered { line: Int }
event Thought { line: Int }

command say(topic: Int, line: Int) { allow user  emit Said { topic, line } }
command whisper(line: Int) { allow user  emit Whispered { line } }
command think(line: Int) { allow user  emit Thought { line } }

webhook talk { sends Said, Whispered  sign standard  retry for 365d }
";

/// Both databases.
const BOTH: [On; 2] = [On::Sqlite, On::Postgres];

/// The model above, and what works for it.
struct Scene {
    world: World,
    workers: Vec<JoinHandle<()>>,
}

/// Those of tests: to the loopback, without long waits in between, and with patience for a machine that does much else.
fn hasty(haste: u32) -> Settings {
    let mut settings = Settings::new(true);
    settings.haste = haste;
    (settings.connect, settings.whole) = (Duration::from_secs(60), Duration::from_secs(120));
    settings
}

impl Scene {
    /// Nothing works yet.
    fn at_rest(on: On) -> Self {
        Self::of(on, MODEL)
    }

    fn of(on: On, model: &str) -> Self {
        Self { world: World::new(on, model), workers: Vec::new() }
    }

    fn new(on: On, settings: Settings) -> Self {
        let mut scene = Self::at_rest(on);
        scene.start(settings);
        scene
    }

    fn start(&mut self, settings: Settings) {
        let engine = Arc::clone(&self.world.engine);
        self.workers.push(self.world.runtime.spawn(async move { engine.work().await }));
        let engine = Arc::clone(&self.world.engine);
        self.workers.push(self.world.runtime.spawn(async move { engine.send(&settings).await }));
    }

    fn hook(&self, hook: Hook) -> Result<Value, Fault> {
        let json = self.world.runtime.block_on(self.world.engine.chore(Chore::Hook(hook)))?;
        Ok(serde_json::from_slice(&json.unwrap()).unwrap())
    }

    /// An endpoint and its secret.
    fn endpoint(&self, url: &str) -> (i64, Secret) {
        let secret = Secret::fresh().unwrap();
        let (webhook, url) = ("talk".into(), url.into());
        let add = Hook::Add { webhook, url, secret: secret.reveal().into(), now: now() };
        (self.hook(add).unwrap().as_i64().unwrap(), secret)
    }

    fn say(&self, topic: i64, line: i64) {
        let said = self.world.ask(&format!(r#"run user say {{"topic":{topic},"line":{line}}}"#));
        assert_eq!(said, "done");
    }

    fn deliveries(&self, endpoint: i64) -> Vec<Value> {
        let hook = Hook::Deliveries { endpoint: Some(endpoint), most: 1_000 };
        let Value::Array(all) = self.hook(hook).unwrap() else { panic!("no array") };
        all
    }

    fn told(&self, endpoint: i64) -> Value {
        let Value::Array(all) = self.hook(Hook::List).unwrap() else { panic!("no array") };
        all.into_iter().find(|known| known["id"] == endpoint).unwrap()
    }

    /// How many deliveries to an endpoint are in this state.
    fn count(&self, endpoint: i64, state: &str) -> usize {
        self.deliveries(endpoint).iter().filter(|delivery| delivery["state"] == state).count()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.world.engine.rest();
        for worker in self.workers.drain(..) {
            let _ = self.world.runtime.block_on(worker);
        }
    }
}

/// Waits until it is so: long enough for any machine.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(180), "{what}: not within 180 s");
        std::thread::sleep(Duration::from_millis(10));
    }
}
