//! A server that speaks with a broker, as it is used.

use std::process::Command;
use std::time::{Duration, Instant};

use testbed::{Nats, RabbitMq, Redis};

use crate::process::{Project, Server, ask, end, mimar, run};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

const MODEL: &str = r#"
app WebShop { version 1  roles clerk  surface rest }

entity Order {
  key id: Int
  paid:   Bool = false
  allow read, create to clerk
}

event OrderPaid by order { order: Order }

/// What this very server publishes comes back to it as an event of another system.
event Heard from "web-shop.OrderPaid.v1" by order { order: Int }

entity Mark {
  key order: Int
  allow read to clerk
}

command pay(order: Order) { allow clerk  update order { paid: true }  emit OrderPaid { order } }
command mark(order: Int) { allow system  create Mark { order } }

on Heard run mark(order)

environment production { store sqlite "shop.db"  broker nats env WEB_SHOP_BROKER }
"#;

struct Shop {
    server: Server,
    token: String,
}

impl Shop {
    fn open(project: &Project, broker: &str) -> Self {
        Self::with(project, mimar().env("WEB_SHOP_BROKER", broker))
    }

    fn with(project: &Project, command: &mut Command) -> Self {
        command.args(["serve", project.path(), "--workers", "2"]);
        let server = Server::start(command.env("MIMAR_JWT_SECRET", SECRET));
        let token = end(mimar()
            .args(["token", "--role", "clerk", "--project", project.path()])
            .env("MIMAR_JWT_SECRET", SECRET));
        Self { server, token: token.out.trim().to_owned() }
    }

    fn pay(&self, order: u32) {
        let post = |path: &str, body: &str| {
            ask(self.server.address, "POST", path, Some(&self.token), body).status
        };
        assert_eq!(post("/v1/orders", &format!(r#"{{"id":{order}}}"#)), 201);
        assert_eq!(post(&format!("/v1/orders/{order}/pay"), ""), 204);
    }

    fn has_mark(&self, order: u32) -> bool {
        self.server.get(&format!("/v1/marks/{order}"), Some(&self.token)).status == 200
    }

    /// A figure of `/metrics`.
    fn figure(&self, name: &str) -> f64 {
        let metrics = self.server.get("/metrics", None).body;
        let mut lines =
            metrics.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        lines.next().unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
    }
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}: not within a minute");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The environment names the broker; events go there and come back; one that was emptied gets them again.
#[test]
fn events_go_and_come() {
    let mut nats = Nats::start();
    let project = Project::new(MODEL);
    let shop = Shop::open(&project, &nats.url());
    for order in 1..=3 {
        shop.pay(order);
    }
    until("they come back", || (1..=3).all(|order| shop.has_mark(order)));
    assert_eq!(shop.figure("mimar_broker_published_total"), 3.0);
    until("they are counted", || shop.figure("mimar_broker_received_total") == 3.0);
    assert_eq!(shop.figure("mimar_broker_waiting"), 0.0);

    nats.wipe();
    let database = project.join("shop.db").to_str().unwrap().to_owned();
    let place = ["--project", project.path(), "--database", &database];
    let replay = ["events", "replay", "--since", "1h", "--to", "broker"];
    let told = run(&[&replay[..], &place].concat());
    assert_eq!(told.code, 0, "{}", told.err);
    assert!(told.err.contains("3 events, to the broker"), "{}", told.err);
    // Those that came from it do not go back.
    until("they are sent again", || shop.figure("mimar_broker_published_total") == 6.0);
    // They have their identifiers, so nothing is heard twice.
    until("they come again", || shop.figure("mimar_broker_received_total") >= 6.0);
    assert_eq!(shop.figure("mimar_tasks_failed_total"), 0.0);
}

/// Encrypted, by a certificate that the system believes, and with a password that has to be written in an address.
#[test]
fn brokers_are_spoken_with_in_secret() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let nats = Nats::secured(&certificate, &key, "ann", "p@ss:word");
    let redis = Redis::secured(&certificate, &key, "p@ss:word");
    let rabbitmq = RabbitMq::encrypted(&certificate, &key);
    for broker in [
        format!("tls://ann:p%40ss%3Aword@localhost:{}", nats.port()),
        format!("rediss://:p%40ss%3Aword@localhost:{}", redis.port()),
        format!("amqps://guest:guest@localhost:{}", rabbitmq.port()),
    ] {
        let project = Project::new(MODEL);
        project.write("believed.pem", &certificate);
        let believed = project.join("believed.pem");
        let mut command = mimar();
        command.env("MIMAR_BROKER", &broker).env("SSL_CERT_FILE", believed);
        let shop = Shop::with(&project, &mut command);
        shop.pay(1);
        if broker.starts_with("amqps") {
            // Nobody has bound the queue: what is sent waits elsewhere.
            until(&broker, || shop.figure("mimar_broker_published_total") == 1.0);
        } else {
            until(&broker, || shop.has_mark(1));
        }
    }
}

#[test]
fn what_cannot_be_a_broker_is_refused() {
    let project = Project::new(MODEL);
    let serve = |broker: Option<&str>, arguments: &[&str]| {
        let mut command = mimar();
        command.args(["serve", project.path(), "--listen", "127.0.0.1:0"]).args(arguments);
        command.env("MIMAR_JWT_SECRET", SECRET).env_remove("WEB_SHOP_BROKER");
        if let Some(broker) = broker {
            command.env("WEB_SHOP_BROKER", broker);
        }
        end(&mut command)
    };
    for (broker, arguments, said) in [
        (None, &[][..], "WEB_SHOP_BROKER"),
        (
            Some("amqp://u:s3cret@127.0.0.1"),
            &[],
            "amqp://127.0.0.1 is the address of another broker",
        ),
        (None, &["--broker", "localhost:4222"], "nats://"),
    ] {
        let ended = serve(broker, arguments);
        assert_eq!(ended.code, if said == "WEB_SHOP_BROKER" { 3 } else { 2 }, "{}", ended.err);
        assert!(ended.err.contains(said) && !ended.err.contains("s3cret"), "{}", ended.err);
    }
}
