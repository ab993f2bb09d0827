//! Tokens that must not hold, and those that must.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::harness::{Client, Project, Request, SECRET, beside, both, hs256, sign, token};

fn claims() -> Value {
    json!({ "roles": ["writer"], "exp": seconds_from_now(600) })
}

fn seconds_from_now(seconds: i64) -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_secs() as i64 + seconds
}

fn unsigned(header: &Value, claims: &Value, signature: &str) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", encode(header), encode(claims))
}

#[test]
fn the_algorithm_is_the_keys_never_the_tokens() {
    both(|| {
        let _turn = beside();
        let project = Project::ledger();
        let server = project.serve();
        let secret = SECRET.as_bytes();
        let good = hs256(&claims());
        let (message, signature) = good.rsplit_once('.').unwrap();
        let mut refused: Vec<(String, String)> = Vec::new();
        let mut refuse =
            |what: &str, token: String| refused.push((what.into(), format!("Bearer {token}")));

        for none in ["none", "None", "NONE", "nOnE", ""] {
            refuse("alg none", unsigned(&json!({ "alg": none, "typ": "JWT" }), &claims(), ""));
            refuse("alg none, signed", unsigned(&json!({ "alg": none }), &claims(), signature));
        }
        refuse("no alg", unsigned(&json!({ "typ": "JWT" }), &claims(), signature));
        for (name, algorithm) in [("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)] {
            refuse(name, sign(&json!({ "alg": name }), &claims(), secret, algorithm));
        }
        for foreign in ["RS256", "ES256", "PS256", "EdDSA", "HS1", "hs256", "HS256 "] {
            let token = sign(&json!({ "alg": foreign }), &claims(), secret, Algorithm::HS256);
            refuse("a foreign alg over an HMAC", token);
        }
        for key in [&b""[..], b"secret", b" torture-torture-torture-torture-torture", b"null"] {
            let header = json!({ "alg": "HS256" });
            refuse("another key", sign(&header, &claims(), key, Algorithm::HS256));
        }
        // A key that the token brings along (RFC 7515 §4.1.3) is nobody's key.
        let header =
            json!({ "alg": "HS256", "jwk": { "kty": "oct", "k": URL_SAFE_NO_PAD.encode("x") } });
        refuse("its own key", sign(&header, &claims(), b"x", Algorithm::HS256));
        let header = json!({ "alg": "HS256", "kid": "../../../../dev/null" });
        refuse("a key by path", sign(&header, &claims(), b"", Algorithm::HS256));

        refuse("no signature", format!("{message}."));
        refuse("no third part", message.to_string());
        refuse("a short signature", format!("{message}.{}", &signature[..signature.len() - 4]));
        refuse("a long signature", format!("{message}.{signature}AAAA"));
        refuse("a padded signature", format!("{message}.{signature}="));
        refuse("four parts", format!("{good}.x"));
        let mut flipped = URL_SAFE_NO_PAD.decode(signature).unwrap();
        flipped[0] ^= 1;
        refuse("a flipped bit", format!("{message}.{}", URL_SAFE_NO_PAD.encode(&flipped)));
        let other = json!({ "roles": ["writer"], "exp": seconds_from_now(900), "x": 1 });
        let payload = URL_SAFE_NO_PAD.encode(other.to_string());
        let header = message.split('.').next().unwrap();
        refuse("another payload", format!("{header}.{payload}.{signature}"));
        let standard = STANDARD.encode(claims().to_string());
        refuse("standard base64", format!("{header}.{standard}.{signature}"));

        refuse("expired", hs256(&json!({ "roles": ["writer"], "exp": seconds_from_now(-600) })));
        refuse("no exp", hs256(&json!({ "roles": ["writer"] })));
        refuse("exp is text", hs256(&json!({ "roles": ["writer"], "exp": "9999999999" })));
        refuse("exp is negative", hs256(&json!({ "roles": ["writer"], "exp": -1 })));
        let early = json!({ "roles": ["writer"], "exp": seconds_from_now(900), "nbf": seconds_from_now(600) });
        refuse("not yet", hs256(&early));
        refuse("meant for another", {
            hs256(&json!({ "roles": ["writer"], "exp": seconds_from_now(600), "aud": "another" }))
        });
        refuse("no object", hs256(&json!(["writer"])));
        refuse(
            "odd roles",
            hs256(&json!({ "roles": { "writer": true }, "exp": seconds_from_now(600) })),
        );
        refuse(
            "odd subject",
            hs256(&json!({ "sub": 1, "roles": ["writer"], "exp": seconds_from_now(600) })),
        );
        refuse("very long", format!("{message}.{}", "A".repeat(10_000)));
        for header in [
            format!("Basic {good}"),
            format!("Bearer{good}"),
            format!("Bearer  {good}"),
            format!("Bearer {good} {good}"),
            format!("Bearer {good}, Bearer {good}"),
            format!("Bearer \"{good}\""),
            "Bearer".to_string(),
            good.clone(),
        ] {
            refused.push(("an odd header".into(), header));
        }

        let mut client = server.client();
        let read = |header: &str| Request::get("/v1/counters").header("Authorization", header);
        client.send(&read(&format!("Bearer {good}"))).unwrap().expect(200);
        client.send(&read(&format!("bearer {good}"))).unwrap().expect(200);
        for (what, header) in &refused {
            let answer =
                client.send(&read(header)).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(answer.status, 401, "{what} ({header}): {answer}");
            answer.expect_problem();
            let challenge = answer.header("www-authenticate").unwrap_or_default();
            assert!(
                challenge.starts_with("Bearer"),
                "{what}: no challenge (RFC 6750 §3): {answer}"
            );
            assert!(!answer.text().contains(&good), "{what}: the token is in the answer: {answer}");
        }
        assert!(!server.log().contains(signature), "a token is in the log:\n{}", server.log());
    });
}

#[test]
fn two_authorization_headers_are_one_too_many() {
    both(|| {
        let _turn = beside();
        let project = Project::ledger();
        let server = project.serve();
        let good = token("writer", None);
        let bad = token("reader", None);
        for (first, second) in [(&good, &bad), (&bad, &good)] {
            let answer = server.send(
                &Request::post("/v1/counters", &json!({ "name": "two" }))
                    .token(first)
                    .token(second),
            );
            assert!(matches!(answer.status, 400 | 401), "which of the two? {answer}");
        }
    });
}

#[test]
fn roles_that_no_token_gives() {
    both(|| {
        let _turn = beside();
        let project = Project::of(
            "app Closed { version 1  roles clerk }\n\
         entity Thing {\n  key id: Int = auto\n  name: String(1..20)\n  \
         allow read, create to clerk\n  allow delete to system\n}\n",
        );
        let server = project.serve();
        let clerk = token("clerk", None);
        let made = server.send(&Request::post("/v1/things", &json!({ "name": "a" })).token(&clerk));
        let place = made.expect(201).header("location").unwrap().to_string();
        for role in ["system", "anyone", "admin", "CLERK", "clerk ", "", "*", "clerk,system"] {
            let token = token(role, None);
            let answer = server.send(&Request::delete(&place).token(&token));
            assert!(matches!(answer.status, 403..=405), "{role:?} may delete: {answer}");
        }
        // A role that only looks like one of the model's gives nothing to read either.
        for role in ["system", "anyone", "admin", "CLERK", "*"] {
            let answer = server.send(&Request::get(&place).token(&token(role, None)));
            assert!(matches!(answer.status, 401 | 403 | 404), "{role:?} may read: {answer}");
        }
        server.send(&Request::get(&place).token(&clerk)).expect(200);
    });
}

#[test]
fn a_subject_of_any_form_is_a_value_never_sql() {
    both(|| {
        let _turn = beside();
        let project = Project::ledger();
        let server = project.serve();
        let writer = token("writer", None);
        let email = json!({ "email": "one@example.org" });
        server.send(&Request::post("/v1/owners", &email).token(&writer)).expect(201);
        for subject in
            ["1 or 1=1", "1'--", "", " 1", "1.0", "01", "9223372036854775808", "\u{0}", "ß", "null"]
        {
            let owner = token("owner", Some(subject));
            let answer = server.send(&Request::get("/v1/owners").token(&owner));
            match answer.status {
                200 => {
                    assert_eq!(
                        answer.json()["data"],
                        json!([]),
                        "{subject:?} is somebody: {answer}"
                    );
                }
                400..500 => drop(answer.expect_problem()),
                _ => panic!("{subject:?}: {answer}"),
            }
        }
        let answer = server.send(&Request::get("/v1/owners").token(&token("owner", Some("1"))));
        assert_eq!(answer.expect(200).json()["data"].as_array().unwrap().len(), 1);
        // A role whose callers are rows, and a token that names none.
        let nobody = server.send(&Request::get("/v1/owners").token(&token("owner", None)));
        assert!(
            matches!(nobody.status, 401 | 403) || nobody.json()["data"] == json!([]),
            "a caller who is no row sees rows: {nobody}"
        );
    });
}

/// PostgREST #4014: a token that was verified once is refused when its key is gone.
#[test]
fn a_remembered_token_does_not_outlive_its_key() {
    both(|| {
        let _turn = beside();
        let project = Project::ledger();
        let file = project.scratch("secret");
        std::fs::write(&file, SECRET).unwrap();
        let server = project.serve_with_secret_file(&file);
        let good = token("writer", None);
        let ask = |client: &mut Client| {
            client.send(&Request::get("/v1/counters").token(&good)).unwrap().status
        };
        // Many connections, so that every worker has seen the token.
        let mut clients: Vec<Client> = (0..16).map(|_| server.client()).collect();
        for client in &mut clients {
            assert_eq!(ask(client), 200);
        }
        std::fs::write(&file, "another-another-another-another-another").unwrap();
        let changed = Instant::now();
        while clients.iter_mut().any(|client| ask(client) != 401) {
            assert!(changed.elapsed() < Duration::from_secs(2), "the old key is still trusted");
        }
        std::fs::write(&file, "").unwrap();
        std::thread::sleep(Duration::from_millis(1_200));
        assert!(
            clients.iter_mut().all(|client| ask(client) == 401),
            "no key, and yet a token holds"
        );
    });
}
