//! Signatures, as who gets them verifies them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use engine::webhook::{Secret, signatures};
use operation::Hook;
use serde_json::json;

use crate::partner::{Partner, Received, status};
use crate::world::now;
use crate::{BOTH, Scene, hasty, until};

/// Whether one of the signatures of a delivery is made with a secret.
fn is_signed(received: &Received, secret: &Secret) -> bool {
    let timestamp = received.header("webhook-timestamp").parse().unwrap();
    let (id, body) = (received.header("webhook-id"), received.body.as_bytes());
    let expected = signatures(std::slice::from_ref(secret), id, timestamp, body);
    received.header("webhook-signature").split(' ').any(|signature| signature == expected)
}

#[test]
fn a_rotated_secret_holds_beside_the_new_one_for_a_while() {
    for on in BOTH {
        let partner = Partner::new(|_, _| status(200));
        let scene = Scene::new(on, hasty(1));
        let (id, first) = scene.endpoint(&partner.url());
        let second = Secret::fresh().unwrap();
        let rotate = |secret: &Secret, overlap| {
            let (secret, now) = (secret.reveal().into(), now());
            scene.hook(Hook::Rotate { endpoint: id, secret, now, until: now + overlap }).unwrap();
        };
        scene.say(1, 1);
        until("it arrives", || partner.received().len() == 1);
        rotate(&second, 3_600_000_000);
        scene.say(1, 2);
        until("it arrives", || partner.received().len() == 2);
        // Whoever asks for no overlap means all that were before.
        let third = Secret::fresh().unwrap();
        rotate(&third, 0);
        scene.say(1, 3);
        until("it arrives", || partner.received().len() == 3);
        let signed: Vec<Vec<bool>> = partner
            .received()
            .iter()
            .map(|got| [&first, &second, &third].map(|secret| is_signed(got, secret)).to_vec())
            .collect();
        let expected =
            [vec![true, false, false], vec![true, true, false], vec![false, false, true]];
        assert_eq!(signed, expected, "{on:?}");
        let many: Vec<usize> = partner
            .received()
            .iter()
            .map(|got| got.header("webhook-signature").split(' ').count())
            .collect();
        assert_eq!(many, [1, 2, 1], "{on:?}");
    }
}

#[test]
#[ignore = "needs npm's standardwebhooks; `cargo xtask test` installs it and runs this"]
fn the_standards_own_library_verifies_a_delivery() {
    let modules = std::env::var_os("MIMAR_STANDARDWEBHOOKS").unwrap();
    let partner = Partner::new(|_, _| status(200));
    let scene = Scene::new(BOTH[0], hasty(1));
    let (id, first) = scene.endpoint(&partner.url());
    let second = Secret::fresh().unwrap();
    let (secret, now) = (second.reveal().into(), now());
    scene.hook(Hook::Rotate { endpoint: id, secret, now, until: now + 60_000_000 }).unwrap();
    scene.say(1, 1);
    until("it arrives", || partner.received().len() == 1);
    let received = partner.received().remove(0);
    let verify = |secret: &Secret, body: &str| {
        let headers: serde_json::Map<String, serde_json::Value> =
            received.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let asked = json!({"secret": secret.reveal(), "headers": headers, "body": body});
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/webhooks/verify.cjs");
        let mut node = Command::new("node")
            .arg(script)
            .env("NODE_PATH", &modules)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        node.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
        let output = node.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    for secret in [&first, &second] {
        assert_eq!(verify(secret, &received.body), "verified");
        let forged = received.body.replace(r#""line":1"#, r#""line":2"#);
        assert_eq!(verify(secret, &forged), "No matching signature found");
    }
    assert_eq!(verify(&Secret::fresh().unwrap(), &received.body), "No matching signature found");
}
