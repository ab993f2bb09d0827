//! Events that come in.

use engine::webhook::{Arrival, Secret, Taken, signatures};
use operation::{Fault, Hook};

use crate::{BOTH, Scene, now};

const MODEL: &str = "\
app Shop { version 1  roles user  surface rest }

entity Payment { key id: Uuid  order: Int  amount: Money(EUR)  index (order)  allow read to user }
entity Tally { key id: Int  count: Int = 0  allow read, create to user }

event PaymentArrived by order { order: Int(1..)  amount: Money(EUR)  note: String(..9)? }
event PaymentFailed by order { order: Int }

command book(order: Int, amount: Money(EUR)) {
  allow system
  create Payment { order, amount }
  for tally in Tally where .id == order { update tally { count: .count + 1 } }
}
command fail(order: Int) {
  allow system
  for tally in Tally where .id == order { update tally { count: .count + 100 } }
}

on PaymentArrived run book(order, amount)
on PaymentFailed run fail(order)

webhook payments_in { receives PaymentArrived as \"payment.arrived\", PaymentFailed  sign standard }
webhook one_in { receives PaymentArrived as \"payment.arrived\" }
webhook out { sends PaymentFailed }
";

/// Who sends.
struct Sender<'s> {
    scene: &'s Scene,
    webhook: &'s str,
    secret: Secret,
    endpoint: i64,
}

impl<'s> Sender<'s> {
    fn of(scene: &'s Scene, webhook: &'s str) -> Self {
        let secret = Secret::fresh().unwrap();
        let endpoint = scene.hook(Hook::Add {
            webhook: webhook.into(),
            url: format!("/hooks/{webhook}").into(),
            secret: secret.reveal().into(),
            now: now(),
        });
        Self { scene, webhook, secret, endpoint: endpoint.unwrap().as_i64().unwrap() }
    }

    fn receive(&self, arrival: &Arrival<'_>) -> Result<bool, Fault> {
        let world = &self.scene.world;
        let taken = world.runtime.block_on(world.engine.receive(&world.loaded, arrival.clone()))?;
        Ok(taken == Taken::New)
    }

    fn send_at(
        &self,
        id: &str,
        seconds: i64,
        kind: Option<&str>,
        body: &str,
    ) -> Result<bool, Fault> {
        let secrets = [self.secret.clone()];
        let signature = signatures(&secrets, id, seconds, body.as_bytes());
        self.receive(&Arrival {
            webhook: self.webhook,
            id: Some(id),
            timestamp: Some(&seconds.to_string()),
            signature: Some(&signature),
            kind,
            body: body.as_bytes(),
            receipt: None,
        })
    }

    fn send(&self, id: &str, body: &str) -> Result<bool, Fault> {
        self.send_at(id, now() / 1_000_000, None, body)
    }

    fn refused(&self, id: &str, body: &str) -> String {
        match self.send(id, body) {
            Err(Fault::Invalid(found)) => {
                let each = found.iter().map(|it| format!("{}: {}", it.pointer, it.detail));
                each.collect::<Vec<_>>().join("; ")
            }
            other => panic!("{other:?}"),
        }
    }
}

fn tally(scene: &Scene) -> String {
    scene.world.ask("work");
    scene.world.ask("read user Tally 7")
}

const ARRIVED: &str =
    r#"{"type":"payment.arrived","data":{"order":7,"amount":"12.50","more":[1]}}"#;

#[test]
fn what_comes_in_is_heard_once() {
    for on in BOTH {
        let scene = Scene::of(on, MODEL);
        scene.world.ask(r#"add user Tally {"id":7}"#);
        let sender = Sender::of(&scene, "payments_in");
        assert!(sender.send("m1", ARRIVED).unwrap(), "{on:?}");
        // Sent again, since its sender did not see the answer.
        assert!(!sender.send("m1", ARRIVED).unwrap(), "{on:?}");
        assert_eq!(tally(&scene), r#"{"id":7,"count":1} version 2"#, "{on:?}");
        assert!(!sender.send("m1", ARRIVED).unwrap(), "{on:?}");
        assert_eq!(tally(&scene), r#"{"id":7,"count":1} version 2"#, "{on:?}");
        // Another webhook's identifiers are others.
        let other = Sender::of(&scene, "one_in");
        assert!(other.send("m1", r#"{"order":7,"amount":"1.00"}"#).unwrap(), "{on:?}");
        // CloudEvents, structured and binary.
        let event = r#"{"specversion":"1.0","id":"1","source":"/b","type":"PaymentFailed","data":{"order":7}}"#;
        assert!(sender.send("m2", event).unwrap(), "{on:?}");
        let seconds = now() / 1_000_000;
        let binary = sender.send_at("m3", seconds, Some("PaymentFailed"), r#"{"order":7}"#);
        assert!(binary.unwrap(), "{on:?}");
        assert_eq!(tally(&scene), r#"{"id":7,"count":202} version 5"#, "{on:?}");
    }
}

#[test]
fn what_comes_in_at_once_is_kept_once() {
    for on in BOTH {
        let scene = Scene::of(on, MODEL);
        let sender = Sender::of(&scene, "payments_in");
        let fresh: usize = std::thread::scope(|scope| {
            let all =
                (0..8).map(|_| scope.spawn(|| usize::from(sender.send("m", ARRIVED).unwrap())));
            let all: Vec<_> = all.collect();
            all.into_iter().map(|one| one.join().unwrap()).sum()
        });
        assert_eq!(fresh, 1, "{on:?}");
    }
}

#[test]
fn what_nobody_known_has_signed_is_refused() {
    for on in BOTH {
        let scene = Scene::of(on, MODEL);
        let sender = Sender::of(&scene, "payments_in");
        let stranger = Sender { secret: Secret::fresh().unwrap(), ..Sender::of(&scene, "one_in") };
        let unsigned = |outcome: Result<bool, Fault>, why: &str| match outcome {
            Err(Fault::Unauthenticated(said)) => assert!(said.contains(why), "{said}"),
            other => panic!("{on:?}: {other:?}"),
        };
        unsigned(stranger.send("m", ARRIVED), "no secret that holds");
        // A secret of one webhook is none of another.
        let crossed =
            Sender { scene: &scene, webhook: "one_in", secret: sender.secret.clone(), endpoint: 0 };
        unsigned(crossed.send("m", ARRIVED), "no secret that holds");
        let seconds = now() / 1_000_000;
        for wrong in [seconds - 310, seconds + 310] {
            unsigned(sender.send_at("m", wrong, None, ARRIVED), "five minutes");
        }
        assert!(sender.send_at("late", seconds - 290, None, ARRIVED).unwrap());
        unsigned(sender.send("", ARRIVED), "1 to 255");
        let bare = Arrival {
            webhook: "payments_in",
            id: Some("m"),
            timestamp: Some("soon"),
            signature: Some("v1,AAAA"),
            kind: None,
            body: b"{}",
            receipt: None,
        };
        unsigned(sender.receive(&bare), "in seconds");
        unsigned(sender.receive(&Arrival { signature: None, ..bare }), "must be signed");
        // A secret holds beside the one that follows it, for as long as was said.
        let fresh = Secret::fresh().unwrap();
        let rotate = |secret: &Secret, until: i64| {
            let secret = secret.reveal().into();
            let (endpoint, now) = (sender.endpoint, now());
            scene.hook(Hook::Rotate { endpoint, secret, now, until }).unwrap();
        };
        rotate(&fresh, now() + 60_000_000);
        let renewed = Sender { secret: fresh, ..Sender::of(&scene, "payments_in") };
        assert!(sender.send("old", ARRIVED).unwrap(), "{on:?}");
        assert!(renewed.send("new", ARRIVED).unwrap(), "{on:?}");
        rotate(&Secret::fresh().unwrap(), now() - 1);
        unsigned(sender.send("older", ARRIVED), "no secret that holds");
        let (endpoint, reason) = (renewed.endpoint, "by hand".into());
        scene.hook(Hook::Disable { endpoint, reason }).unwrap();
        unsigned(renewed.send("newer", ARRIVED), "no secret that holds");
    }
}

#[test]
fn what_comes_in_is_what_the_model_says() {
    for on in BOTH {
        let scene = Scene::of(on, MODEL);
        let sender = Sender::of(&scene, "payments_in");
        assert_eq!(
            sender.refused("a", r#"{"type":"payment.lost","data":{}}"#),
            "/type: nothing here is of type `payment.lost`; there are: payment.arrived, PaymentFailed"
        );
        assert_eq!(
            sender.refused("b", r#"{"order":7}"#),
            "/type: must have a `type`, one of payment.arrived, PaymentFailed, and its members in `data`"
        );
        let wrong = r#"{"type":"payment.arrived","data":{"order":0,"note":"much too long"}}"#;
        let told = sender.refused("c", wrong);
        assert!(told.contains("/data/order: "), "{told}");
        assert!(told.contains("/data/amount: `amount` is required"), "{told}");
        assert!(told.contains("/data/note: "), "{told}");
        let one = Sender::of(&scene, "one_in");
        assert_eq!(one.refused("d", "[1]"), ": must be an object, not an array");
        assert!(one.refused("e", "{").contains("line 1"));
        // Nothing of it was kept: the same may come again, mended.
        assert!(sender.send("a", ARRIVED).unwrap(), "{on:?}");
        let out = Sender::of(&scene, "out");
        assert!(matches!(out.send("f", ARRIVED), Err(Fault::NotFound)), "{on:?}");
    }
}
