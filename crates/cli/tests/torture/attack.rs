//! Faults that other systems of this kind had (their advisories and long-open issues), tried on this one.

mod body;
mod fuzz;
mod header;
mod path;
mod reach;
mod size;

use serde_json::{Value, json};

use crate::harness::{Project, Request, Server, token};

/// A ledger with two owners and a few baskets of each.
struct Scene {
    _project: Project,
    server: Server,
    writer: String,
    reader: String,
    /// The token of each owner.
    owners: Vec<String>,
    /// The baskets of each owner.
    baskets: Vec<Vec<String>>,
}

impl Scene {
    fn new() -> Self {
        let project = Project::ledger();
        let server = project.serve();
        let writer = token("writer", None);
        let (mut owners, mut baskets) = (Vec::new(), Vec::new());
        for number in 1..=2 {
            let email = json!({ "email": format!("owner{number}@example.org") });
            let owner =
                server.send(&Request::post("/v1/owners", &email).token(&writer)).expect(201).json();
            owners.push(token("owner", Some(&owner["id"].to_string())));
            let made = (0..3).map(|turn| {
                let body = json!({
                    "label": format!("basket {number}-{turn}"), "owner": owner["id"],
                    "note": format!("canary-{number}-{turn}"), "items": [item("1.00")],
                });
                let made = server.send(&Request::post("/v1/baskets", &body).token(&writer));
                made.expect(201).json()["id"].as_str().unwrap().to_string()
            });
            baskets.push(made.collect());
        }
        let reader = token("reader", None);
        Self { _project: project, server, writer, reader, owners, baskets }
    }

    /// Every basket as the writer sees it.
    fn state(&self) -> Vec<Value> {
        self.server.all(&self.writer, "/v1/baskets?include=items")
    }
}

fn item(price: &str) -> Value {
    json!({ "name": "thing", "quantity": 1, "price": price })
}
