//! `mimar events`, beside a server that runs over the same database.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use crate::process::{Ended, Project, Server, ask, end, mimar, run};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

const MODEL: &str = r#"
app WebShop { version 1  roles clerk  surface rest }

service sales {
  entity Order {
    key id: Int
    paid:   Bool = false
    allow read, create to clerk
  }

  /// The money has come.
  event OrderPaid by order { order: Order  note: String? }
  event Noticed { text: String(1..20) }

  command pay(order: Order, note: String(0..20)?) {
    allow clerk
    update order { paid: true }
    emit OrderPaid { order, note }
    emit Noticed { text: "paid" }
  }
}

service shipping {
  entity Parcel {
    key order: Int
    packed:    Int = 1
    allow read, create, delete to clerk
  }

  error NoShelf 409 "There is no shelf for {order}" { order: Int }

  command pack(order: sales.Order) {
    allow system
    require order.id < 10 else NoShelf { order: order.id }
    for parcel in Parcel where .order == order.id { update parcel { packed: .packed + 1 } }
  }

  on sales.OrderPaid run pack(order)
}
"#;

struct Shop {
    project: Project,
    database: String,
    server: Server,
    token: String,
}

impl Shop {
    fn open(postgres: bool) -> Self {
        let project = Project::new(MODEL);
        let database = if postgres {
            testbed::postgres().database()
        } else {
            project.join("shop.db").to_str().unwrap().to_owned()
        };
        let server = Server::start(
            mimar()
                .args(["serve", project.path(), "--workers", "2", "--database", &database])
                .env("MIMAR_JWT_SECRET", SECRET),
        );
        let token = end(mimar()
            .args(["token", "--role", "clerk", "--project", project.path()])
            .env("MIMAR_JWT_SECRET", SECRET));
        Self { project, database, server, token: token.out.trim().to_owned() }
    }

    fn post(&self, path: &str, body: &str) -> u16 {
        ask(self.server.address, "POST", path, Some(&self.token), body).status
    }

    fn pay(&self, order: u32) {
        assert_eq!(self.post("/v1/orders", &format!(r#"{{"id":{order}}}"#)), 201);
        assert_eq!(self.post(&format!("/v1/orders/{order}/pay"), r#"{"note":"now"}"#), 204);
    }

    fn packed(&self, order: u32) -> String {
        let reply = self.server.get(&format!("/v1/parcels/{order}"), Some(&self.token));
        reply.body.split(r#""packed":"#).nth(1).unwrap_or("").trim_end_matches('}').to_owned()
    }

    fn events(&self, arguments: &[&str]) -> Ended {
        let place = ["--project", self.project.path(), "--database", &self.database];
        run(&[&["events"], arguments, &place].concat())
    }

    #[track_caller]
    fn told(&self, arguments: &[&str]) -> Vec<serde_json::Value> {
        let ended = self.events(arguments);
        assert_eq!(ended.code, 0, "{}", ended.err);
        ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Follows the events that are meant; it has begun when this returns.
    fn follow(&self, wanted: &[&str]) -> (Child, BufReader<ChildStdout>) {
        let mut tail = mimar()
            .args(["events", "tail", "--json", "--project", self.project.path()])
            .args(["--database", &self.database])
            .args(wanted)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut begun = String::new();
        BufReader::new(tail.stderr.take().unwrap()).read_line(&mut begun).unwrap();
        assert!(begun.starts_with("following"), "{begun}");
        let lines = BufReader::new(tail.stdout.take().unwrap());
        (tail, lines)
    }

    /// The next event of those.
    fn next(&self, (_, lines): &mut (Child, BufReader<ChildStdout>)) -> serde_json::Value {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// A figure of `/metrics`.
    fn figure(&self, name: &str) -> f64 {
        let metrics = self.server.get("/metrics", None).body;
        let mut lines =
            metrics.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        lines.next().unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
    }
}

#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within a minute");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn events_are_listed_followed_and_replayed() {
    for postgres in [false, true] {
        let shop = Shop::open(postgres);
        for order in [1, 2] {
            assert_eq!(shop.post("/v1/parcels", &format!(r#"{{"order":{order}}}"#)), 201);
        }
        shop.pay(1);
        until("it is packed", || shop.packed(1) == "2");
        let listed = shop.told(&["list", "--json"]);
        assert_eq!(listed.len(), 2);
        let paid = &listed[1];
        assert_eq!(paid["type"], "web-shop.sales.OrderPaid.v1");
        assert_eq!((&paid["source"], &paid["subject"]), (&"/web-shop/sales".into(), &"1".into()));
        assert_eq!(paid["data"], serde_json::json!({"order": 1, "note": "now"}));
        let plain = shop.events(&["list", "--type", "Noticed"]);
        assert!(plain.out.ends_with("  {\"text\":\"paid\"}\n"), "{}", plain.out);
        assert_eq!(plain.out.lines().count(), 1);

        // It shows what is published after it has begun, and says when that is.
        let mut by_type = shop.follow(&["--type", "OrderPaid"]);
        let mut by_key = shop.follow(&["--key", "2"]);
        let mut by_time = shop.follow(&["--since", "1h"]);
        let before = shop.next(&mut by_time);
        assert_eq!((&before["id"], &before["subject"]), (&paid["id"], &"1".into()));
        shop.pay(2);
        for tail in [&mut by_type, &mut by_key] {
            let followed = shop.next(tail);
            assert_eq!((&followed["type"], &followed["subject"]), (&paid["type"], &"2".into()));
        }
        // All of the last hour, and then what comes.
        let noticed = "web-shop.sales.Noticed.v1";
        let types = [0; 3].map(|_| shop.next(&mut by_time)["type"].clone());
        assert_eq!(types, [noticed, paid["type"].as_str().unwrap(), noticed]);
        for mut tail in [by_type, by_key, by_time] {
            tail.0.kill().unwrap();
            tail.0.wait().unwrap();
        }
        until("it is packed", || shop.packed(2) == "2");

        let none = shop.told(&["list", "--json", "--key", "1", "--since", "2000-01-01T00:00:00Z"]);
        assert_eq!(none.len(), 1);
        assert_eq!(shop.told(&["list", "--json", "--limit", "1"]).len(), 1);
        let unknown = shop.events(&["list", "--type", "OrderPayed"]);
        assert!(unknown.code == 2 && unknown.err.contains("sales.OrderPaid"), "{}", unknown.err);

        let id = paid["id"].as_str().unwrap();
        let replayed = shop.events(&["replay", id]);
        assert_eq!(replayed.code, 0, "{}", replayed.err);
        assert!(replayed.err.contains("1 event, 1 task to be carried out"), "{}", replayed.err);
        until("it is packed again", || shop.packed(1) == "3");
        assert_eq!(shop.packed(2), "2");
        let replayed = shop.events(&["replay", "--since", "1h", "--yes"]);
        assert!(replayed.err.contains("4 events, 2 tasks"), "{}", replayed.err);
        until("both are packed again", || shop.packed(1) == "4" && shop.packed(2) == "3");
        // Of one type nobody hears; of one key and type one does.
        let replayed = shop.events(&["replay", "--type", "Noticed", "--yes"]);
        assert!(replayed.err.contains("2 events, 0 tasks"), "{}", replayed.err);
        let replayed = shop.events(&["replay", "--type", "OrderPaid", "--key", "2", "--yes"]);
        assert!(replayed.err.contains("1 event, 1 task"), "{}", replayed.err);
        until("the second is packed again", || shop.packed(2) == "4");
        assert_eq!(shop.packed(1), "4");
        let nothing = shop.events(&["replay"]);
        assert_eq!(nothing.code, 2, "{}", nothing.err);
        assert_eq!(shop.figure("mimar_events_total"), 4.0);
        assert_eq!(shop.figure("mimar_tasks_done_total"), 6.0);
    }
}

#[test]
fn what_is_dead_is_shown_and_dealt_with() {
    for postgres in [false, true] {
        let mut shop = Shop::open(postgres);
        assert!(shop.told(&["dead", "--json"]).is_empty());
        shop.pay(11);
        shop.pay(12);
        until("both have failed", || shop.figure("mimar_tasks_failed_total") >= 2.0);
        // The log tells of it, and not of each.
        shop.server.says("a task has failed, and is tried again in");
        let said = shop.server.said();
        assert!(said.contains("target=\"on sales.OrderPaid run shipping.pack\""), "{said}");
        assert!(said.contains("NoShelf: There is no shelf"), "{said}");
        assert_eq!(said.matches("a task has failed").count(), 1, "{said}");
        let waiting = shop.events(&["dead"]);
        assert!(
            waiting.err.contains("nothing is put aside; 2 tasks failed and to be tried again"),
            "{}",
            waiting.err
        );
        assert!(shop.events(&["dead", "retry", "7"]).err.contains("no task 7 is parked"));
        // A task is tried for a quarter of an hour: what comes then is brought about here.
        let set = |what: &str| {
            if shop.database.starts_with("postgres:") {
                let name = shop.database.rsplit('/').next().unwrap();
                testbed::postgres().psql(name, &format!("UPDATE mimar.task SET {what}"));
            } else {
                let database = rusqlite::Connection::open(&shop.database).unwrap();
                database.busy_timeout(Duration::from_secs(5)).unwrap();
                database.execute(&format!("UPDATE mimar_task SET {what}"), []).unwrap();
            }
        };
        set("failures = 11, due = 0, taken_until = NULL");
        until("they are put aside", || shop.figure("mimar_tasks_parked") == 2.0);
        set("parked = true, failures = 12, due = 1790000000000000, taken_until = NULL");
        let dead = shop.told(&["dead", "--json"]);
        assert_eq!(dead.len(), 2);
        assert_eq!(dead[0]["target"], "on sales.OrderPaid run shipping.pack");
        assert_eq!(dead[0]["error"], "NoShelf: There is no shelf for 11");
        assert_eq!(dead[0]["since"], "2026-09-21T14:13:20Z");
        assert_eq!(dead[0]["failures"], 12);
        assert_eq!(dead[0]["arguments"]["order"], 11);
        let count = |filter: &[&str]| shop.told(&[&["dead", "--json"], filter].concat()).len();
        assert_eq!(count(&["--type", "OrderPaid", "--key", "11"]), 1);
        assert_eq!(count(&["--type", "OrderPaid", "--since", "2026-09-21T14:13:20Z"]), 2);
        assert_eq!(count(&["--key", "13"]) + count(&["--since", "2026-09-21T14:13:21Z"]), 0);
        let plain = shop.events(&["dead"]);
        assert!(plain.out.contains("12 failures"), "{}", plain.out);
        // Rows can be copied, promises cannot.
        let elsewhere = shop.project.join("elsewhere.db");
        let elsewhere = elsewhere.to_str().unwrap();
        let copy = |more: &[&str]| {
            let from = ["copy", "--project", shop.project.path(), "--from", &shop.database];
            run(&[&from[..], &["--to", elsewhere], more].concat())
        };
        let refused = copy(&[]);
        assert_eq!(refused.code, 3, "{}", refused.err);
        assert!(refused.err.contains("2 tasks still to be done in"), "{}", refused.err);
        // The server of a file is seen.
        let is_file = !shop.database.starts_with("postgres:");
        assert_eq!(refused.err.contains("is being served"), is_file, "{}", refused.err);
        assert_eq!(copy(&["--leave-work"]).code, 0);
        let number = dead[0]["number"].to_string();
        let dropped = shop.events(&["dead", "drop", &number]);
        assert_eq!((dropped.code, dropped.err.trim()), (0, "1 task dropped"));
        assert_eq!(shop.events(&["dead", "drop", &number]).code, 3);
        let retried = shop.events(&["dead", "retry", "--all"]);
        assert_eq!((retried.code, retried.err.trim()), (0, "1 task to be tried again"));
        assert!(shop.told(&["dead", "--json"]).is_empty());
        until("it is counted", || shop.figure("mimar_tasks_waiting") == 1.0);
        shop.server
            .says("is put aside: `mimar events dead` shows it, `mimar events dead retry 1` tries");
        // It fails once more, and that is told at once.
        shop.server
            .says("a task has failed too often and is put aside: `mimar events dead` shows it");
    }
}

#[test]
fn the_events_are_a_document() {
    let shop = Shop::open(false);
    let printed = run(&["asyncapi", shop.project.path()]);
    let printed: serde_json::Value = serde_json::from_str(&printed.out).unwrap();
    assert_eq!(printed["asyncapi"], "3.0.0");
    let served = shop.server.get("/asyncapi.json", None);
    assert_eq!(served.status, 200);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&served.body).unwrap(), printed);
    let schema = shop.server.get("/schemas/OrderPaid", None);
    assert!(schema.status == 200 && schema.body.contains("2020-12"), "{schema:?}");
    assert_eq!(shop.server.get("/schemas/Nothing", None).status, 404);
}
