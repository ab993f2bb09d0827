//! Rows and fields that a caller may not see, by every road there is.

use serde_json::{Value, json};

use super::{Scene, item};
use crate::harness::{Request, beside, both};

/// Directus CVE-2024-39701, Strapi CVE-2023-34235: what may not be read is no oracle either.
#[test]
fn an_unreadable_field_can_be_neither_filtered_nor_sorted_nor_named() {
    both(|| {
        let _turn = beside();
        let scene = Scene::new();
        let mut client = scene.server.client();
        for place in ["/v1/baskets", "/v1/baskets?limit=1"] {
            let mark = if place.contains('?') { '&' } else { '?' };
            for form in [
                "{}=x",
                "{}[eq]=x",
                "{}[ne]=x",
                "{}[in]=x",
                "{}[in]=",
                "{}[null]=true",
                "{}[null]=false",
                "{}[gt]=a",
                "{}[lte]=a",
                "sort={}",
                "sort=-{}",
                "sort=label,{}",
                "fields={}",
                "fields=id,{}",
                "include={}",
            ] {
                // `note` exists and may not be read by this role; `nope` does not exist. Nobody can tell which is which.
                let ask = |name: &str| format!("{place}{mark}{}", form.replace("{}", name));
                let hidden = client.send(&Request::get(ask("note")).token(&scene.reader)).unwrap();
                let absent = client.send(&Request::get(ask("nope")).token(&scene.reader)).unwrap();
                hidden.expect_problem();
                assert_eq!(hidden.status, absent.status, "{form}\n{hidden}\n{absent}");
                let (hidden, absent) = (without_trace(hidden.json()), without_trace(absent.json()));
                assert_eq!(
                    hidden.to_string().replace("note", "nope"),
                    absent.to_string(),
                    "{form} tells that there is a field `note`"
                );
            }
        }
        // What it may read, it may filter by.
        client.send(&Request::get("/v1/baskets?label=x").token(&scene.reader)).unwrap().expect(200);
        // And the writer may filter by the note, so the refusals were about the caller.
        let found =
            client.send(&Request::get("/v1/baskets?note=canary-1-1").token(&scene.writer)).unwrap();
        assert_eq!(found.expect(200).json()["data"].as_array().unwrap().len(), 1);
    });
}

fn without_trace(mut problem: Value) -> Value {
    problem.as_object_mut().unwrap().remove("trace_id");
    problem
}

/// Directus CVE-2024-47822, PostgREST #4675: what a caller may not see is in no answer, no hint and no log.
#[test]
fn hidden_values_and_names_appear_nowhere() {
    both(|| {
        let _turn = beside();
        let scene = Scene::new();
        let mut client = scene.server.client();
        for target in [
            "/v1/baskets".into(),
            "/v1/baskets?limit=1".into(),
            "/v1/baskets?nope=1".into(),
            "/v1/baskets?sort=nope".into(),
            "/v1/baskets?include=nope".into(),
            "/v1/baskets?fields=nope".into(),
            "/v1/baskets?label[in]=basket%201-1,basket%202-1".into(),
            format!("/v1/baskets/{}", scene.baskets[0][0]),
            format!("/v1/baskets/{}?fields=nope", scene.baskets[0][0]),
        ] {
            let answer = client.send(&Request::get(&target).token(&scene.reader)).unwrap();
            for hidden in ["canary", "note", "total", "amount", "owner"] {
                assert!(!answer.text().contains(hidden), "{target} speaks of {hidden}: {answer}");
            }
        }
        assert!(!scene.server.log().contains("canary"), "{}", scene.server.log());
    });
}

/// API Platform CVE-2025-31481, Directus CVE-2023-38503: no second road to a row leads around its policy.
#[test]
fn every_road_to_a_foreign_row_ends_at_404() {
    both(|| {
        let _turn = beside();
        let scene = Scene::new();
        let before = scene.state();
        let foreign = &scene.baskets[1][0];
        let row = format!("/v1/baskets/{foreign}");
        let part = format!("{row}/items/1");
        let mut client = scene.server.client();
        for request in [
            Request::get(&row),
            Request::new("HEAD", &row),
            Request::get(format!("{row}?include=items")),
            Request::get(format!("{row}?fields=id")),
            Request::get(format!("{row}/items")),
            Request::get(&part),
            Request::get(&row).header("If-None-Match", "\"1\""),
            Request::get(&row).header("If-None-Match", "*"),
            Request::patch(&row, &json!({ "label": "mine" })),
            Request::patch(&row, &json!({ "label": "mine" })).header("If-Match", "*"),
            Request::patch(&row, &json!({ "label": "mine" })).header("If-Match", "\"1\""),
            Request::patch(&row, &json!({})),
        ] {
            let answer = client.send(&request.clone().token(&scene.owners[0])).unwrap();
            assert_eq!(answer.status, 404, "{request:?}\n{answer}");
        }
        for request in [
            Request::put(&row, &json!({ "label": "mine", "items": [item("1.00")] })),
            Request::delete(&row),
            Request::delete(&row).header("If-Match", "\"1\""),
            Request::post(format!("{row}/items"), &item("1.00")),
            Request::patch(&part, &json!({ "quantity": 2 })),
            Request::delete(&part),
        ] {
            // These actions nobody grants to owners at all.
            let answer = client.send(&request.clone().token(&scene.owners[0])).unwrap();
            assert!(matches!(answer.status, 403 | 404), "{request:?}\n{answer}");
        }
        assert_eq!(scene.state(), before, "something changed");
    });
}

/// Hasura CVE-2022-46792: the row rule holds for whatever changes many at once; here a list can only be read.
#[test]
fn a_list_shows_own_rows_only_whatever_is_asked_of_it() {
    both(|| {
        let _turn = beside();
        let scene = Scene::new();
        let mut client = scene.server.client();
        for (number, owner) in scene.owners.iter().enumerate() {
            let own = format!("basket {}-", number + 1);
            for query in [
                "",
                "?limit=1",
                "?sort=-label",
                "?sort=owner,label",
                "?include=items",
                "?include=owner",
                "?include=items,owner&fields=id,label",
                "?owner=1",
                "?owner=2",
                "?owner[in]=1,2",
                "?owner[ne]=99",
                "?label[ne]=x",
                "?label[in]=basket%201-0,basket%202-0",
                "?owner[null]=false",
            ] {
                let answer =
                    client.send(&Request::get(format!("/v1/baskets{query}")).token(owner)).unwrap();
                let text = answer.text();
                for label in text.split("\"label\":\"").skip(1) {
                    assert!(label.starts_with(&own), "{query}: {answer}");
                }
                assert!(!text.contains("canary"), "{query}: {answer}");
            }
            for method in ["PATCH", "PUT", "DELETE"] {
                let answer =
                    client.send(&Request::new(method, "/v1/baskets").token(owner)).unwrap();
                answer.clone().expect(405);
                assert!(answer.header("allow").is_some(), "{answer}");
            }
        }
    });
}

/// A reference is a road, too: it must not tell which rows there are.
#[test]
fn a_reference_to_an_invisible_row_is_a_reference_to_none() {
    both(|| {
        let _turn = beside();
        let scene = Scene::new();
        let mut client = scene.server.client();
        // The writer sees every owner; an owner sees themselves only.
        let target = format!("/v1/baskets/{}", scene.baskets[0][0]);
        for owner in [json!(2), json!(4_711)] {
            let patch = Request::patch(&target, &json!({ "owner": owner })).token(&scene.owners[0]);
            let answer = client.send(&patch).unwrap();
            let problem = answer.expect_problem();
            assert_eq!(answer.status, 403, "{answer}");
            assert_eq!(problem["errors"][0]["code"], "field_forbidden", "{answer}");
        }
    });
}
