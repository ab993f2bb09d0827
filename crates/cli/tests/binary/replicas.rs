//! A model that is served twice, over one PostgreSQL database with a replica.

use std::time::{Duration, Instant};

use testbed::Postgres;

use crate::process::{Project, Server, ask, end, mimar, run};

const MODEL: &str = "app Shop {\n  version  1\n  roles    clerk\n  surface  rest\n}\n\nentity Thing {\n  key id: Int           = auto\n  \
                     name:   String(1..20)\n\n  index (name)\n  allow read, create, update to anyone\n}\n\nenvironment production { store postgres \
                     env SHOP_AT { replicas 2 } }\n";

/// The figure of a line of `/metrics`, by what it begins with.
fn figure(server: &Server, line: &str) -> u64 {
    let text = server.get("/metrics", None).body;
    let found = text.lines().find_map(|found| found.strip_prefix(line));
    found.unwrap_or_else(|| panic!("{text}")).trim().parse().unwrap()
}

#[test]
fn reads_of_two_servers_go_to_a_replica_and_see_what_either_wrote() {
    let primary = Postgres::start();
    // Made first, so that the replica has it from the start.
    let url = primary.database();
    let replica = primary.replica();
    let project = Project::new(MODEL);
    let serve = |replicas: &str| {
        let mut command = mimar();
        command.arg("serve").arg(project.path()).env("SHOP_AT", &url);
        command.env("SHOP_AT_REPLICAS", replicas);
        Server::start(&mut command)
    };
    // As the model says two, and the second is where nobody listens.
    let both = format!("{},\n postgres://postgres@127.0.0.1:1/test_0", replica.like(&url));
    let mut servers = [serve(&both), serve(&replica.like(&url))];
    servers[0].says("reads go to the replica test_0 on 127.0.0.1 as well");
    servers[0].says("the replica test_0 on 127.0.0.1 is not read from");
    servers[1].says("has `replicas 2`, and SHOP_AT_REPLICAS names 1");
    let [one, other] = &servers;
    let (served, began) =
        (r#"mimar_store_replica_reads_total{made="replica",why=""}"#, Instant::now());
    let mut turn = 0;
    while turn < 40 || figure(one, served) == 0 || figure(other, served) == 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "no read goes to the replica");
        turn += 1;
        let (writer, reader) = if turn % 2 == 0 { (one, other) } else { (other, one) };
        let body = format!("{{\"name\":\"thing {turn}\"}}");
        let made = ask(writer.address, "POST", "/v1/things", None, &body);
        assert_eq!(made.status, 201, "{}", made.body);
        let made: serde_json::Value = serde_json::from_str(&made.body).unwrap();
        let (id, name) = (&made["id"], &made["name"]);
        for server in [reader, writer] {
            let seen = server.get(&format!("/v1/things/{id}"), None);
            assert!(seen.status == 200 && seen.body.contains(name.as_str().unwrap()), "{seen:?}");
            let list = server.get(&format!("/v1/things?name=thing%20{turn}"), None);
            assert!(list.body.contains(&format!("\"id\":{id}")), "{list:?}");
        }
    }
}

#[test]
fn replicas_that_are_not_named_and_addresses_that_are_none_are_said() {
    let url = testbed::postgres().database();
    let project = Project::new(MODEL);
    let serve = || {
        let mut command = mimar();
        command.arg("serve").arg(project.path()).env("SHOP_AT", &url);
        command
    };
    let mut server = Server::start(serve().env_remove("SHOP_AT_REPLICAS"));
    server.says(
        "`environment production` has `replicas 2`, and SHOP_AT_REPLICAS names none: all reads go to the primary",
    );
    assert!(!server.get("/metrics", None).body.contains("replica_reads"));
    let development = Project::new(&MODEL.replace("environment production", "environment dev"));
    let mut dev = mimar();
    dev.arg("dev").arg(development.path()).env("SHOP_AT", testbed::postgres().database());
    Server::start(&mut dev).says("`mimar dev` reads from the primary alone");
    let ended = end(serve().env("SHOP_AT_REPLICAS", format!("{url} db.example")));
    assert!(
        ended.code != 0 && ended.err.contains("address 2 in SHOP_AT_REPLICAS"),
        "{}",
        ended.err
    );
    // Another database, whatever it is called, has other rows.
    let other = Postgres::start();
    let ended = end(serve().env("SHOP_AT_REPLICAS", other.database()));
    assert!(ended.code != 0 && ended.err.contains("cannot read from the replica"), "{}", ended.err);
    let file = project.join("x.db");
    let file = file.to_str().unwrap();
    let ended = run(&["serve", project.path(), "--database", file, "--replicas", &url]);
    assert!(ended.code != 0 && ended.err.contains("has no replicas"), "{}", ended.err);
    let help = run(&["serve", "--help"]).out;
    assert!(help.contains("--replicas") && help.contains("DATABASE_URL_REPLICAS"), "{help}");
}
