//! What is delivered, when, in which order, and what becomes of what is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use operation::{Chore, Hook};

use crate::partner::{Answer, Partner, status};
use crate::world::now;
use crate::{BOTH, MODEL, Scene, hasty, until};

/// The lines that a partner got, in order, of one topic.
fn lines(partner: &Partner, topic: i64) -> Vec<i64> {
    let all = partner.received().into_iter().map(|received| received.json());
    let of = all.filter(|event| event["data"]["topic"] == topic);
    of.map(|event| event["data"]["line"].as_i64().unwrap()).collect()
}

#[test]
fn an_event_arrives_where_the_model_sends_it() {
    for on in BOTH {
        let partner = Partner::new(|_, _| status(204));
        let scene = Scene::new(on, hasty(1));
        let (id, _) = scene.endpoint(&partner.url());
        scene.say(7, 1);
        scene.world.ask(r#"run user whisper {"line":2}"#);
        scene.world.ask(r#"run user think {"line":3}"#);
        until("both arrive", || scene.count(id, "delivered") == 2);
        let received = partner.received();
        let said =
            received.iter().find(|received| received.json()["type"] == "talk.Said.v1").unwrap();
        let event = said.json();
        assert_eq!(said.path, "/hooks");
        assert_eq!(said.header("content-type"), "application/cloudevents+json; charset=utf-8");
        assert_eq!(said.header("host"), partner.address.to_string());
        assert_eq!(said.header("webhook-id"), event["id"]);
        for (member, value) in [
            ("specversion", "1.0"),
            ("source", "/talk"),
            ("subject", "7"),
            ("datacontenttype", "application/json"),
        ] {
            assert_eq!(event[member], value, "{on:?}: {event}");
        }
        assert_eq!(event["data"].to_string(), r#"{"topic":7,"line":1}"#);
        assert!(event["time"].as_str().unwrap().ends_with('Z'), "{event}");
        let whispered =
            received.iter().find(|received| received.json()["type"] == "talk.Whispered.v1");
        assert!(whispered.unwrap().json().get("subject").is_none());
        assert_eq!(received.len(), 2, "{on:?}: {received:?}");
        let told = scene.told(id);
        assert!(told["last_success"].is_string() && told["last_failure"].is_null(), "{told}");
    }
}

/// The waits are 5 s and 30 s, divided by 50.
#[test]
fn what_fails_is_tried_again_as_the_schedule_says() {
    for on in BOTH {
        let partner = Partner::new(|_, before| status(if before < 2 { 500 } else { 200 }));
        let scene = Scene::new(on, hasty(50));
        let (id, _) = scene.endpoint(&partner.url());
        scene.say(1, 1);
        until("it arrives", || scene.count(id, "delivered") == 1);
        let received = partner.received();
        let waits: Vec<Duration> =
            received.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
        let [first, second] = *waits else { panic!("{on:?}: {waits:?}") };
        assert!(first >= Duration::from_millis(100), "{on:?}: {waits:?}");
        assert!(second >= Duration::from_millis(600), "{on:?}: {waits:?}");
        let ids: Vec<&str> =
            received.iter().map(|received| received.header("webhook-id")).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(scene.deliveries(id)[0]["attempts"], 3);
    }
}

#[test]
fn an_endpoint_that_hangs_delays_no_other() {
    for on in BOTH {
        let over = Arc::new(AtomicBool::new(false));
        let hang = Answer::Hang(Arc::clone(&over));
        let hanging = Partner::new(move |_, _| hang.clone());
        let healthy = Partner::new(|_, _| status(200));
        let mut settings = hasty(1);
        settings.whole = Duration::from_secs(600);
        let scene = Scene::new(on, settings);
        let (slow, _) = scene.endpoint(&hanging.url());
        let (fast, _) = scene.endpoint(&healthy.url());
        for topic in 0..40 {
            scene.say(topic, 1);
        }
        until("the others arrive", || scene.count(fast, "delivered") == 40);
        // All of that while it has not given one answer.
        assert_eq!((hanging.received().len(), scene.count(slow, "waiting")), (4, 40), "{on:?}");
        assert!(scene.told(slow)["last_failure"].is_null() && healthy.most_at_once() <= 4);
        // Once it has failed, it is given one at a time.
        over.store(true, Ordering::SeqCst);
        until("it is known to hang", || scene.told(slow)["last_failure"].is_string());
        until("all have been tried", || {
            scene.deliveries(slow).iter().all(|delivery| delivery["attempts"].as_i64() > Some(0))
        });
        assert_eq!(hanging.most_at_once(), 4, "{on:?}");
        let reason = &scene.deliveries(slow)[0]["reason"];
        assert_eq!(reason, "the connection ended without an answer", "{on:?}");
    }
}

/// However endpoints fail, all at once: each keeps its schedule, and one that answers gets all in the meantime.
#[test]
fn endpoints_that_fail_delay_no_other() {
    for on in BOTH {
        let over = Arc::new(AtomicBool::new(false));
        let hang = Answer::Hang(Arc::clone(&over));
        let asking = |code| Answer::Status(code, "retry-after: 3600\r\n".to_owned());
        let elsewhere = Answer::Status(308, "location: https://example.org/\r\n".to_owned());
        let kinds = [status(500), asking(503), asking(429), elsewhere, status(410), hang];
        let failing = kinds.map(|kind| Partner::new(move |_, _| kind.clone()));
        let healthy = Partner::new(|_, _| status(200));
        let mut settings = hasty(1);
        settings.whole = Duration::from_secs(600);
        let scene = Scene::new(on, settings);
        let others = failing.each_ref().map(|partner| scene.endpoint(&partner.url()).0);
        let (fast, _) = scene.endpoint(&healthy.url());
        for topic in 0..20 {
            scene.say(topic, 1);
        }
        until("the others arrive", || scene.count(fast, "delivered") == 20);
        let gone = others[4];
        until("one is known to be gone", || scene.told(gone)["enabled"] == false);
        for (at, (partner, id)) in failing.iter().zip(others).enumerate() {
            assert_eq!(scene.count(id, "delivered"), 0, "{on:?}");
            let received = partner.received();
            assert!(!received.is_empty(), "{on:?}: {at}");
            for (nth, again) in received.iter().enumerate() {
                let id = again.header("webhook-id");
                let mut before = received[..nth].iter().filter(|it| it.header("webhook-id") == id);
                let waited = before.next_back().map(|before| again.at - before.at);
                let soon = waited.is_some_and(|waited| waited < Duration::from_secs(5));
                assert!(!soon, "{on:?}: {at} is asked again after {waited:?}");
            }
            // Who asks for an hour, is gone or gives no answer is not asked for more than was on its way.
            let rests = at != 0 && at != 3;
            assert!(!rests || received.len() <= 4, "{on:?}: {at}: {}", received.len());
        }
        over.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_redirection_is_a_failure() {
    for on in BOTH {
        let other = Partner::new(|_, _| status(200));
        let location = format!("location: {}\r\n", other.url());
        let partner = Partner::new(move |_, before| match before {
            0 => Answer::Status(302, location.clone()),
            1 => Answer::Status(307, location.clone()),
            _ => status(200),
        });
        let scene = Scene::new(on, hasty(1_000));
        let (id, _) = scene.endpoint(&partner.url());
        scene.say(1, 1);
        until("it is refused", || scene.deliveries(id).iter().any(|d| !d["reason"].is_null()));
        until("it arrives", || scene.count(id, "delivered") == 1);
        assert_eq!((partner.received().len(), other.connections()), (3, 0), "{on:?}");
    }
}

#[test]
fn an_endpoint_that_is_gone_is_disabled() {
    for on in BOTH {
        let is_gone = Arc::new(AtomicBool::new(true));
        let gone = Arc::clone(&is_gone);
        let partner =
            Partner::new(move |_, _| status(if gone.load(Ordering::SeqCst) { 410 } else { 200 }));
        let scene = Scene::new(on, hasty(1_000));
        let (id, _) = scene.endpoint(&partner.url());
        scene.say(1, 1);
        until("it is disabled", || scene.told(id)["enabled"] == false);
        assert_eq!(scene.told(id)["reason"], "answered 410 Gone");
        // What happens now is not kept for it; what was on its way waits.
        scene.say(1, 2);
        std::thread::sleep(Duration::from_millis(700));
        assert_eq!((partner.received().len(), scene.count(id, "waiting")), (1, 1), "{on:?}");
        is_gone.store(false, Ordering::SeqCst);
        scene.hook(Hook::Enable { endpoint: id, now: now() }).unwrap();
        until("it arrives", || scene.count(id, "delivered") == 1);
        scene.say(1, 3);
        until("the next arrives", || scene.count(id, "delivered") == 2);
        assert_eq!(lines(&partner, 1), [1, 1, 3], "{on:?}");
    }
}

/// Of whatever key: it is the endpoint that has asked for time.
#[test]
fn retry_after_is_kept() {
    for (on, code) in BOTH.into_iter().flat_map(|on| [(on, 429), (on, 503)]) {
        let partner = Partner::new(move |_, before| match before {
            0 => Answer::Status(code, "retry-after: 2\r\n".to_owned()),
            _ => status(200),
        });
        let scene = Scene::new(on, hasty(1_000));
        let (id, _) = scene.endpoint(&partner.url());
        scene.say(1, 1);
        until("it is asked to wait", || !scene.told(id)["last_failure"].is_null());
        scene.say(2, 2);
        until("both arrive", || scene.count(id, "delivered") == 2);
        let received = partner.received();
        let waits: Vec<Duration> =
            received.iter().skip(1).map(|later| later.at - received[0].at).collect();
        assert!(waits.iter().all(|wait| *wait >= Duration::from_secs(2)), "{on:?}: {waits:?}");
    }
}

#[test]
fn a_key_keeps_its_order_and_holds_up_no_other() {
    for on in BOTH {
        let open = Arc::new(AtomicBool::new(false));
        let is_open = Arc::clone(&open);
        let partner = Partner::new(move |received, _| {
            let is_first = received.json()["data"]["topic"] == 1;
            status(if is_first && !is_open.load(Ordering::SeqCst) { 500 } else { 200 })
        });
        let scene = Scene::new(on, hasty(100));
        let (id, _) = scene.endpoint(&partner.url());
        for line in 1..=4 {
            scene.say(1, line);
            scene.say(2, line);
        }
        until("the other key arrives", || lines(&partner, 2).len() == 4);
        assert!(lines(&partner, 1).iter().all(|line| *line == 1), "{on:?}");
        open.store(true, Ordering::SeqCst);
        until("all arrive", || scene.count(id, "delivered") == 8);
        assert_eq!(lines(&partner, 2), [1, 2, 3, 4], "{on:?}");
        let mut first = lines(&partner, 1);
        first.dedup();
        assert_eq!(first, [1, 2, 3, 4], "{on:?}");
    }
}

/// An hour, divided by 10,000, is 0.36 s.
#[test]
fn what_never_arrives_is_parked_and_stands_in_nobodys_way() {
    for on in BOTH {
        let partner = Partner::new(|received, _| {
            status(if received.json()["data"]["line"] == 1 { 500 } else { 200 })
        });
        let mut scene = Scene::of(on, &MODEL.replace("365d", "1h"));
        scene.start(hasty(10_000));
        let (id, _) = scene.endpoint(&partner.url());
        scene.say(1, 1);
        scene.say(1, 2);
        until("the second arrives", || scene.count(id, "delivered") == 1);
        let deliveries = scene.deliveries(id);
        let parked = deliveries.iter().find(|delivery| delivery["state"] == "parked").unwrap();
        assert_eq!(parked["reason"], "answered 500 Internal Server Error");
        assert_eq!((&parked["status"], &parked["due"]), (&500.into(), &serde_json::Value::Null));
    }
}

#[test]
fn what_is_kept_is_sent_again() {
    for on in BOTH {
        let partner = Partner::new(|_, _| status(200));
        let mut scene = Scene::at_rest(on);
        for line in 1..=3 {
            scene.say(1, line);
            scene.world.ask(&format!(r#"run user whisper {{"line":{line}}}"#));
            scene.world.ask(r#"run user think {"line":0}"#);
        }
        // An endpoint that comes later.
        scene.world.runtime.block_on(scene.world.engine.work_off()).unwrap();
        let (id, _) = scene.endpoint(&partner.url());
        scene.start(hasty(1));
        let replay = |after| {
            let names = r#"["Said","Whispered"]"#.into();
            let (since, now) = (0, now());
            scene.hook(Hook::Replay { endpoint: id, names, since, after, now, most: 4 }).unwrap()
        };
        let replay = || {
            let (mut counts, mut after) = (Vec::new(), 0);
            loop {
                let told = replay(after);
                counts.push(told[0].as_i64().unwrap());
                match told[1].as_i64() {
                    Some(last) => after = last,
                    None => return counts,
                }
            }
        };
        assert_eq!(replay(), [4, 2, 0], "{on:?}");
        until("all arrive", || scene.count(id, "delivered") == 6);
        assert_eq!(lines(&partner, 1), [1, 2, 3], "{on:?}");
        assert_eq!(replay(), [4, 2, 0], "{on:?}");
        until("all arrive again", || scene.count(id, "delivered") == 12);
        let mut ids: Vec<String> = partner
            .received()
            .iter()
            .map(|received| received.header("webhook-id").to_owned())
            .collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 6, "{on:?}");
        assert!(
            scene.hook(Hook::Remove { endpoint: id }).is_ok() && scene.deliveries(id).is_empty()
        );
    }
}

/// What waits already is not sent twice.
#[test]
fn a_replay_leaves_alone_what_waits() {
    for on in BOTH {
        let scene = Scene::at_rest(on);
        let (id, _) = scene.endpoint("https://partner.example/");
        for line in 1..=3 {
            scene.say(1, line);
        }
        scene.world.runtime.block_on(scene.world.engine.work_off()).unwrap();
        assert_eq!(scene.count(id, "waiting"), 3, "{on:?}");
        let names = r#"["Said"]"#.into();
        let replay =
            Hook::Replay { endpoint: id, names, since: 0, after: 0, now: now(), most: 100 };
        assert_eq!(scene.hook(replay).unwrap().to_string(), "[0,null]", "{on:?}");
    }
}

/// A process that was killed leaves what it had taken to others, when its time has run out.
#[test]
fn what_somebody_took_and_never_noted_is_sent_again() {
    for on in BOTH {
        let partner = Partner::new(|_, _| status(200));
        let scene = Scene::at_rest(on);
        let (id, _) = scene.endpoint(&partner.url());
        scene.say(1, 1);
        scene.say(1, 2);
        scene.world.runtime.block_on(scene.world.engine.work_off()).unwrap();
        let now = now();
        let take = |until| Hook::Take { now, until, each: 4, most: 64 };
        let taken = scene.hook(take(now + 1)).unwrap();
        let numbers = |taken: &serde_json::Value| {
            let all = taken[0]["deliveries"].as_array().cloned().unwrap_or_default();
            all.len()
        };
        assert_eq!(numbers(&taken), 1, "{on:?}: {taken}");
        assert_eq!(numbers(&scene.hook(take(now + 2)).unwrap()), 0, "{on:?}");
        let settings = hasty(1);
        std::thread::sleep(Duration::from_millis(10));
        let sent = scene.world.runtime.block_on(scene.world.engine.send_off(&settings)).unwrap();
        assert_eq!((sent, lines(&partner, 1)), (2, vec![1, 2]), "{on:?}");
        // Who took it first comes too late.
        let number = taken[0]["deliveries"][0]["number"].as_i64().unwrap();
        let delivery = operation::Settled { number, until: now + 1 };
        let late = scene.hook(Hook::Arrived { delivery, status: 200, now });
        assert_eq!(late, Err(operation::Fault::NotFound), "{on:?}");
        assert_eq!(scene.deliveries(id).len(), 2);
    }
}

/// However old: an event goes when nothing waits with it any more.
#[test]
fn an_event_is_kept_while_it_is_on_its_way() {
    for on in BOTH {
        let partner = Partner::new(|_, _| status(200));
        let scene = Scene::at_rest(on);
        let (id, _) = scene.endpoint(&partner.url());
        scene.say(1, 1);
        scene.world.runtime.block_on(scene.world.engine.work_off()).unwrap();
        let before = now() + 1_000_000;
        let forget = || {
            scene
                .world
                .runtime
                .block_on(scene.world.engine.chore(Chore::Forget { before, after: 0 }))
                .unwrap();
            scene.hook(Hook::Forget { before }).unwrap()
        };
        assert_eq!(forget(), 0, "{on:?}");
        let settings = hasty(1);
        let sent = scene.world.runtime.block_on(scene.world.engine.send_off(&settings)).unwrap();
        assert_eq!((sent, partner.received().len()), (1, 1), "{on:?}");
        assert_eq!(forget(), 1, "{on:?}");
        assert!(scene.deliveries(id).is_empty());
    }
}

/// Events come in while others are over: none is overlooked between the two.
#[test]
fn nothing_is_lost_and_nothing_changes_places_under_load() {
    for on in BOTH {
        // Every seventh request fails.
        let partner = Partner::new(|_, before| status(if before % 7 == 3 { 503 } else { 200 }));
        let scene = Scene::new(on, hasty(2_000));
        let (id, _) = scene.endpoint(&partner.url());
        let (other, _) = scene.endpoint(&partner.url());
        std::thread::scope(|scope| {
            for topic in 0..3 {
                let scene = &scene;
                scope.spawn(move || (0..60).for_each(|line| scene.say(topic, line)));
            }
        });
        until("all arrive", || scene.count(id, "delivered") == 180);
        until("all arrive", || scene.count(other, "delivered") == 180);
        let mut orders = scene.deliveries(id);
        orders.reverse();
        // Each was tried only when those before it had arrived: moments of arrival rise with the numbers of a key.
        for key in ["0", "1", "2"] {
            let tried: Vec<String> = orders
                .iter()
                .filter(|delivery| delivery["key"] == key)
                .map(|delivery| delivery["tried"].as_str().unwrap().to_owned())
                .collect();
            assert!(tried.is_sorted(), "{on:?}: {tried:?}");
        }
    }
}
