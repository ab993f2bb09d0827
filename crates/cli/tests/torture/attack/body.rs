//! Bodies that say more than they may, or nothing that can be read.

use serde_json::{Value, json};

use super::{Scene, item};
use crate::harness::{Request, beside, both};

/// Craft CVE-2026-28781: extra members set owner, tenant, role, version.
#[test]
fn every_unknown_or_forbidden_field_is_refused_by_name() {
    both(|| {
        let _turn = beside();
        let scene = Scene::new();
        let before = scene.state();
        let mut client = scene.server.client();
        let good = json!({ "label": "new", "items": [item("1.00")] });
        let row = format!("/v1/baskets/{}", scene.baskets[0][0]);
        for extra in [
            "row_version",
            "rowVersion",
            "version",
            "_version",
            "role",
            "roles",
            "tenant",
            "Label",
            "LABEL",
            "label ",
            "__proto__",
            "constructor",
            "total",
            "amount",
            "id'",
            "items[0]",
            "items.name",
            "",
            "\u{0}",
            "$where",
            "*",
        ] {
            let mut body = good.clone();
            body[extra] = json!("1");
            for request in [
                Request::post("/v1/baskets", &body),
                Request::put(&row, &body),
                Request::patch(&row, &json!({ extra: "1" })),
                Request::patch(&row, &json!({ extra: null })),
            ] {
                let answer = client.send(&request.token(&scene.writer)).unwrap();
                let problem = answer.expect_problem();
                let pointer = format!("/{}", extra.replace('~', "~0").replace('/', "~1"));
                let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("{answer}"));
                assert!(
                    errors.iter().any(|error| error["pointer"] == pointer.as_str()),
                    "{extra:?} is not named: {answer}"
                );
            }
            let mut part = item("1.00");
            part[extra] = json!("1");
            let nested = json!({ "label": "new", "items": [item("1.00"), part] });
            let answer =
                client.send(&Request::post("/v1/baskets", &nested).token(&scene.writer)).unwrap();
            if !matches!(extra, "total" | "amount") || answer.status != 201 {
                let problem = answer.expect_problem();
                let pointer = format!("/items/1/{extra}");
                assert_eq!(problem["errors"][0]["pointer"], pointer.as_str(), "{answer}");
            }
        }
        assert_eq!(scene.state(), before, "something was written");
    });
}

/// What an owner may change is the label, and nothing comes along with it.
#[test]
fn a_field_policy_holds_for_every_member_of_a_patch() {
    both(|| {
        let _turn = beside();
        let scene = Scene::new();
        let before = scene.state();
        let mut client = scene.server.client();
        let row = format!("/v1/baskets/{}", scene.baskets[0][0]);
        for (field, value) in [
            ("owner", json!(2)),
            ("owner", json!(null)),
            ("state", json!("closed")),
            ("note", json!("x")),
            ("note", json!(null)),
            ("items", json!([item("2.00")])),
            ("id", json!(scene.baskets[0][1])),
        ] {
            let patch = Request::patch(&row, &json!({ "label": "renamed", field: value }));
            let answer = client.send(&patch.token(&scene.owners[0])).unwrap();
            answer.expect_problem();
        }
        assert_eq!(
            scene.state(),
            before,
            "a forbidden member, or the label beside it, was written"
        );
        let patch = Request::patch(&row, &json!({ "label": "renamed" })).token(&scene.owners[0]);
        assert_eq!(client.send(&patch).unwrap().expect(200).json()["label"], "renamed");
    });
}

/// All that is wrong is said at once, and each with its place.
#[test]
fn all_faults_of_a_body_come_together() {
    both(|| {
        let _turn = beside();
        let scene = Scene::new();
        let body = json!({
            "label": "", "owner": "x", "state": "melted", "note": 7, "nope": 1,
            "items": [{ "name": "x", "quantity": 0, "price": "1.005" }, { "quantity": "1", "price": 1 }],
        });
        let answer = scene.server.send(&Request::post("/v1/baskets", &body).token(&scene.writer));
        let problem = answer.expect_problem();
        let mut named: Vec<&str> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["pointer"].as_str().unwrap())
            .collect();
        named.sort_unstable();
        named.dedup();
        for pointer in [
            "/label",
            "/owner",
            "/state",
            "/note",
            "/nope",
            "/items/0/quantity",
            "/items/0/price",
            "/items/1/name",
            "/items/1/quantity",
            "/items/1/price",
        ] {
            assert!(named.contains(&pointer), "{pointer} is not named: {answer}");
        }
    });
}

/// What is no JSON, or only almost.
#[test]
fn odd_bodies_are_the_clients_fault() {
    both(|| {
        let _turn = beside();
        let scene = Scene::new();
        let before = scene.state();
        let mut client = scene.server.client();
        let deep =
            |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
        let label = |text: &str| format!("{{\"label\":{text},\"items\":[]}}").into_bytes();
        let mut bodies: Vec<Vec<u8>> = [
            "",
            " ",
            "null",
            "true",
            "1",
            "\"x\"",
            "[]",
            "{",
            "}",
            "{}x",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{'a':1}",
            "{\"a\":1,}",
            "[1,2",
            "nul",
            "01",
            "+1",
            "1.",
            ".5",
            "1e",
            "NaN",
            "Infinity",
            "-",
            "// x\n{}",
            "\u{feff}{}",
            "{\"label\":\"a\",\"label\":\"b\"}",
            "{\"label\":\"a\",\"\\u006cabel\":\"b\"}",
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec();
        bodies.extend(
            [
                "\"\\ud800\"",
                "\"\\u0000\"",
                "\"\\x\"",
                "\"\n\"",
                "1e999",
                "-1e999",
                "1e-999",
                "{}",
                "[[]]",
            ]
            .map(label),
        );
        bodies.push(b"{\"label\":\"\xff\xfe\"}".to_vec());
        bodies.push(b"{\"label\":\"\xc0\xaf\"}".to_vec());
        bodies.push(vec![0; 1_000]);
        bodies.push(deep("[", "]").into_bytes());
        bodies.push(deep("{\"a\":", "}").into_bytes());
        bodies.push("[".repeat(500_000).into_bytes());
        bodies.push(format!("{{\"label\":{}}}", "9".repeat(100_000)).into_bytes());
        bodies.push(format!("{{\"label\":1e{}}}", "9".repeat(1_000)).into_bytes());
        for body in &bodies {
            for (method, target, kind) in [
                ("POST", "/v1/baskets".to_string(), "application/json"),
                (
                    "PATCH",
                    format!("/v1/baskets/{}", scene.baskets[0][0]),
                    "application/merge-patch+json",
                ),
                ("PUT", format!("/v1/baskets/{}", scene.baskets[0][0]), "application/json"),
            ] {
                // An empty patch is a patch that changes nothing.
                let request =
                    Request::new(method, target).header("Content-Type", kind).body(body.clone());
                let answer = client.send(&request.token(&scene.writer)).unwrap_or_else(|error| {
                    panic!(
                        "{method} {:?}: {error}",
                        String::from_utf8_lossy(&body[..body.len().min(60)])
                    )
                });
                answer.expect_problem();
                assert!(answer.body.len() < 64 << 10, "an answer of {} bytes", answer.body.len());
            }
        }
        assert_eq!(scene.state(), before);
    });
}

/// A refusal is never longer than what was refused deserves.
#[test]
fn ten_thousand_faults_make_a_bounded_answer() {
    both(|| {
        let _turn = beside();
        let scene = Scene::new();
        let many: serde_json::Map<String, Value> =
            (0..10_000).map(|number| (format!("field{number}"), json!(1))).collect();
        let answer = scene
            .server
            .send(&Request::post("/v1/baskets", &Value::Object(many)).token(&scene.writer));
        answer.expect_problem();
        assert!(answer.body.len() < 256 << 10, "{} bytes", answer.body.len());
        let items: Vec<Value> = (0..5_000).map(|_| json!({ "nope": 1 })).collect();
        let body = json!({ "label": "many", "items": items });
        let answer = scene.server.send(&Request::post("/v1/baskets", &body).token(&scene.writer));
        answer.expect_problem();
        assert!(answer.body.len() < 256 << 10, "{} bytes", answer.body.len());
    });
}

/// Parse CVE-2026-31840, sqlx RUSTSEC-2024-0363, libpq CVE-2025-1094: values are binds and names are the model's.
#[test]
fn sql_in_every_place_is_a_value_or_a_refusal() {
    both(|| {
        let _turn = beside();
        let scene = Scene::new();
        let before = scene.state();
        let mut client = scene.server.client();
        for text in [
            "' OR 1=1 --",
            "\" OR \"\"=\"",
            "1;DROP TABLE basket",
            "label\" OR \"1\"=\"1",
            "label::text",
            "label->>'x'",
            "x' UNION SELECT * FROM owner --",
            "\\' OR 1=1",
            "label COLLATE NOCASE",
            "%27%20OR%201=1",
            "?1",
            ":a",
            "$1",
            "items.name",
            "basket.label",
            "(SELECT 1)",
            "rowid",
            "_rowid_",
            "row_version",
            "sqlite_master",
            "/*",
            "`",
            "\u{0}",
            "％27",
            "ʼ OR 1=1",
        ] {
            let quoted: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            for target in [
                format!("/v1/baskets?label={quoted}"),
                format!("/v1/baskets?label[in]={quoted},{quoted}"),
                format!("/v1/baskets?{quoted}=1"),
                format!("/v1/baskets?{quoted}[gt]=1"),
                format!("/v1/baskets?label[{quoted}]=1"),
                format!("/v1/baskets?sort={quoted}"),
                format!("/v1/baskets?sort=label,-{quoted}"),
                format!("/v1/baskets?include={quoted}"),
                format!("/v1/baskets?include=items.{quoted}"),
                format!("/v1/baskets?fields={quoted}"),
                format!("/v1/baskets?after={quoted}"),
                format!("/v1/baskets?limit={quoted}"),
                format!("/v1/baskets/{quoted}"),
                format!("/v1/baskets/{quoted}/items/{quoted}"),
                format!("/v1/counters/{quoted}"),
                format!("/v1/{quoted}"),
            ] {
                let answer = client.send(&Request::get(&target).token(&scene.writer)).unwrap();
                match answer.status {
                    200 => {
                        assert_eq!(answer.json()["data"], json!([]), "{text}: {target}: {answer}");
                    }
                    _ => drop(answer.expect_problem()),
                }
            }
            // As a value it is what it is, to the letter.
            let label = format!("sql {text}");
            let body = json!({ "label": label, "items": [{ "name": text, "quantity": 1, "price": "1.00" }] });
            let made =
                client.send(&Request::post("/v1/baskets", &body).token(&scene.writer)).unwrap();
            if made.status == 201 {
                let place = made.header("location").unwrap().to_string();
                assert_eq!(made.json()["label"], label.as_str());
                let gone = client.send(&Request::delete(&place).token(&scene.writer)).unwrap();
                gone.expect(204);
            } else {
                made.expect_problem();
            }
        }
        assert_eq!(scene.state(), before);
    });
}

/// Empty lists match nothing; they never mean everything.
#[test]
fn an_empty_in_matches_nothing() {
    both(|| {
        let _turn = beside();
        let scene = Scene::new();
        let mut client = scene.server.client();
        for query in ["label[in]=", "owner[in]=", "id[in]=", "label[in]=,", "owner[in]=&label[in]="]
        {
            for token in [&scene.writer, &scene.owners[0]] {
                let answer = client
                    .send(&Request::get(format!("/v1/baskets?{query}")).token(token))
                    .unwrap();
                match answer.status {
                    200 => assert_eq!(answer.json()["data"], json!([]), "{query}: {answer}"),
                    _ => drop(answer.expect_problem()),
                }
            }
        }
    });
}
