//! `mimar migrate`: what is shown, what is refused, and that nothing is lost on the way.

use serde_json::Value;

use crate::process::{Ended, Project, Server, end, mimar, run};

const OLD: &str = "
app Shop {
  version  1
  surface  rest
}

entity Product {
  key id: Int = auto
  name: String(1..80)
  price: Int(0..)
  colour: String(1..20)
  index (name)
}

load day {
  Product 1_000 rows
  Product.read 120/s peak 400/s
}
";

const NEW: &str = "
app Shop {
  version  1
  surface  rest
}

entity Product {
  key id: Int = auto
  title: String(1..80) was name
  price: Decimal(12, 2)
  stock: Int(0..) = 5
  index (title)
}

load day {
  Product 1_000 rows
  Product.read 120/s peak 400/s
}
";

/// A model, and a database with the tables and rows of [`OLD`].
struct Shop {
    project: Project,
    database: String,
}

impl Shop {
    fn new(database: Option<String>) -> Self {
        Self::of(OLD, database)
    }

    /// The same of a model with more in it.
    fn of(model: &str, database: Option<String>) -> Self {
        let project = Project::new(model);
        let database =
            database.unwrap_or_else(|| project.join("shop.db").to_str().unwrap().to_owned());
        project.write("rows/Product.csv", "name,price,colour\ncup,3,red\npan,20,blue\n");
        let shop = Self { project, database };
        let rows = shop.project.join("rows");
        let rows = rows.to_str().unwrap();
        let (path, database) = (shop.project.path(), &*shop.database);
        let loaded = run(&["data", "load", rows, "--project", path, "--database", database]);
        assert_eq!(loaded.code, 0, "{}", loaded.err);
        shop
    }

    fn becomes(&self, model: &str) {
        self.project.write("app.mimar", model);
    }

    fn migrate(&self, command: &str, arguments: &[&str]) -> Ended {
        let (path, database) = (self.project.path(), &*self.database);
        if command == "apply" && database.starts_with("postgres") {
            let plan = ["migrate", "plan", path, "--database", database, "--format", "sql"];
            testbed::lint_migration(&run(&plan).out);
        }
        let mut all = vec!["migrate", command, path, "--database", database];
        all.extend(arguments);
        run(&all)
    }

    /// Says what the database holds, under the model of now.
    fn rows(&self) -> String {
        let folder = self.project.join("dump");
        let shown = folder.to_str().unwrap();
        let (path, database) = (self.project.path(), &*self.database);
        let dumped = run(&["data", "dump", shown, "--project", path, "--database", database]);
        assert_eq!(dumped.code, 0, "{}", dumped.err);
        let rows = std::fs::read_to_string(folder.join("Product.csv")).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        rows
    }

    fn serve(&self) -> Ended {
        let (path, database) = (self.project.path(), &*self.database);
        end(mimar()
            .args(["serve", path, "--database", database, "--listen", "127.0.0.1:0"])
            .env("MIMAR_JWT_SECRET", "a secret of more than thirty-two bytes"))
    }
}

#[track_caller]
fn holds(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
}

#[test]
fn on_sqlite_a_change_is_whole_and_leaves_a_backup() {
    let shop = Shop::new(None);
    let nothing = shop.migrate("plan", &[]);
    holds(&nothing.err, &["nothing to do"]);
    shop.becomes(NEW);
    let refused = shop.serve();
    assert_eq!(refused.code, 3);
    holds(&refused.err, &["does not hold the tables of this model", "mimar migrate plan"]);

    let plan = shop.migrate("plan", &[]);
    assert_eq!(plan.code, 0, "{}", plan.err);
    holds(&plan.out, &["`product.name` is now `title`", "RENAME COLUMN \"name\" TO \"title\""]);
    let (path, database) = (shop.project.path(), &shop.database);
    let command =
        format!("mimar migrate apply {path} --database {database} --allow-drop product.colour");
    holds(&plan.err, &[&command]);
    // The script is for SQLite, which carries it out.
    let script = shop.migrate("plan", &["--format", "sql"]).out;
    let copy = shop.project.join("copy.db");
    std::fs::copy(database, &copy).unwrap();
    let connection = rusqlite::Connection::open(copy).unwrap();
    connection.execute_batch(&script).unwrap_or_else(|fault| panic!("{fault}\n{script}"));

    let refused = shop.migrate("apply", &[]);
    assert_eq!(refused.code, 3);
    holds(&refused.err, &["--allow-drop product.colour", "Nothing was changed"]);

    // A slip in a name is no consent to what it leaves out.
    let both = ["--allow-drop", "product.colour", "--allow-drop", "product.color"];
    let refused = shop.migrate("apply", &both);
    assert_eq!(refused.code, 3, "{}", refused.err);
    holds(&refused.err, &["destroys nothing of the name product.color:", "Nothing was changed"]);
    // The schema of a service is no part of a table's name here, and may stand before it.
    let applied =
        shop.migrate("apply", &["--allow-drop", "sales.product.colour", "--format", "json"]);
    assert_eq!(applied.code, 0, "{}", applied.err);
    let told: Value = serde_json::from_str(&applied.out).unwrap();
    assert_eq!(told["outcome"], "done");
    assert_eq!(told["summary"][0], "`product.name` is now `title`");
    let again = shop.migrate("apply", &["--format", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&again.out).unwrap()["outcome"], "nothing");
    assert_eq!(shop.rows(), "id,title,price,stock\n1,cup,3.00,5\n2,pan,20.00,5\n");
    let history = shop.migrate("history", &["--format", "json"]);
    let history: Value = serde_json::from_str(&history.out).unwrap();
    let backup = history[0]["backup"].as_str().unwrap().to_owned();
    assert_eq!(shop.migrate("status", &[]).code, 0);

    let back = shop.migrate("rollback", &[]);
    assert_eq!(back.code, 3);
    holds(&back.err, &["whole or not at all"]);
    // The backup is the database before.
    shop.becomes(OLD);
    let before = Shop { project: Project::new(OLD), database: backup };
    assert_eq!(before.rows(), "id,name,price,colour\n1,cup,3,red\n2,pan,20,blue\n");
    let refused = shop.serve();
    assert_eq!(refused.code, 3);
    holds(&refused.err, &["has moved on from this model", "mimar migrate history"]);
}

#[test]
fn a_file_that_is_being_served_does_not_change() {
    let shop = Shop::new(None);
    let (path, database) = (shop.project.path(), &*shop.database);
    let mut server = Server::start(
        mimar()
            .args(["serve", path, "--database", database])
            .env("MIMAR_JWT_SECRET", "a secret of more than thirty-two bytes"),
    );
    shop.becomes(NEW);
    let refused = shop.migrate("apply", &["--allow-drop", "product.colour"]);
    assert_eq!(refused.code, 3, "{}", refused.err);
    holds(&refused.err, &["is being served", "Stop `mimar serve`"]);
    server.signal("-TERM");
    server.ends();
    let applied = shop.migrate("apply", &["--allow-drop", "product.colour"]);
    assert_eq!(applied.code, 0, "{}", applied.err);
    let nowhere = run(&["migrate", "status", path, "--database", "nowhere.db"]);
    holds(&nowhere.err, &["there is no database at nowhere.db", "`mimar serve` makes one"]);
}

#[test]
fn on_postgres_a_change_goes_through_its_halves() {
    let shop = Shop::new(Some(testbed::postgres().database()));
    shop.becomes(NEW);
    let plan = shop.migrate("plan", &["--format", "json"]);
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    let steps = plan["steps"].as_array().unwrap();
    let phases: Vec<&str> = steps.iter().map(|step| step["phase"].as_str().unwrap()).collect();
    assert!(phases.is_sorted_by_key(|phase| *phase == "contract"), "{phases:?}");
    let first = &steps[0];
    assert_eq!(first["lock"], "ACCESS EXCLUSIVE");
    assert_eq!(first["blocks"], "reads and writes");
    assert_eq!(first["requests_per_second"], 400.0);
    let hazards: Vec<&str> = steps
        .iter()
        .flat_map(|step| step["hazards"].as_array().unwrap())
        .map(|hazard| hazard["name"].as_str().unwrap())
        .collect();
    for wanted in [
        "lock-queue",
        "renamed-column",
        "retyped-column",
        "required-column",
        "rewritten-rows",
        "required-now",
        "index-build",
        "dropped-column",
    ] {
        assert!(hazards.contains(&wanted), "{wanted}: {hazards:?}");
    }
    assert_eq!(plan["drops"][0]["name"], "product.colour");

    let applied = shop.migrate("apply", &["--allow-drop", "product.colour", "--format", "json"]);
    assert_eq!(applied.code, 0, "{}", applied.err);
    let told: Value = serde_json::from_str(&applied.out).unwrap();
    assert_eq!(
        (&told["outcome"], &told["step"]),
        (
            &"expanded".into(),
            &plan["steps"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|s| s["phase"] == "expand")
                .count()
                .into()
        )
    );
    holds(&shop.migrate("status", &[]).err, &["both versions can be served now"]);
    assert_eq!(shop.rows(), "id,title,price,stock\n1,cup,3.00,5\n2,pan,20.00,5\n");
    let status = shop.migrate("status", &["--format", "json"]);
    let status: Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!(status["state"], "expanded");
    shop.becomes(OLD);
    assert_eq!(shop.rows(), "id,name,price,colour\n1,cup,3,red\n2,pan,20,blue\n");

    // A third model has to wait.
    shop.becomes(&NEW.replace("stock", "amount"));
    let refused = shop.migrate("apply", &["--allow-drop", "product.colour"]);
    assert_eq!(refused.code, 3);
    holds(&refused.err, &["a change to another model", "mimar migrate rollback"]);
    let refused = shop.serve();
    holds(&refused.err, &["this model cannot be served now"]);

    shop.becomes(OLD);
    let back = shop.migrate("rollback", &["--format", "json"]);
    assert_eq!(back.code, 0, "{}", back.err);
    assert_eq!(serde_json::from_str::<Value>(&back.out).unwrap()["outcome"], "undone");
    assert_eq!(shop.rows(), "id,name,price,colour\n1,cup,3,red\n2,pan,20,blue\n");

    shop.becomes(NEW);
    let applied = shop.migrate("apply", &["--allow-drop", "product.colour", "--contract"]);
    assert_eq!(applied.code, 0, "{}", applied.err);
    assert_eq!(shop.rows(), "id,title,price,stock\n1,cup,3.00,5\n2,pan,20.00,5\n");
    let history = shop.migrate("history", &["--format", "json"]);
    let history: Value = serde_json::from_str(&history.out).unwrap();
    assert_eq!((&history[0]["undone"], &history[1]["undone"]), (&true.into(), &false.into()));

    let name = shop.database.rsplit('/').next().unwrap();
    testbed::postgres().psql(name, "ALTER TABLE product ADD COLUMN by_hand int");
    let refused = shop.serve();
    assert_eq!(refused.code, 3);
    holds(&refused.err, &["was changed by hand", "+   \"by_hand\" /* integer */"]);
    let status = shop.migrate("status", &[]);
    holds(&status.out, &["was changed by hand", "by_hand"]);
}

#[test]
fn a_plan_counts_the_commands_that_a_lock_keeps_waiting() {
    let commands = "
entity Sale {
  key id: Uuid
  pieces: Int(1..)
}

command buy(product: Product, pieces: Int(1..9)) -> Sale {
  allow anyone
  update product { price: .price + pieces }
  return create Sale { pieces }
}

load rush {
  buy 40/s peak 70/s
}
";
    let old = format!("{OLD}{commands}");
    let shop = Shop::of(&old, Some(testbed::postgres().database()));
    let more = old.replace("  colour", "  size: Int?\n  colour");
    shop.becomes(
        &more.replace("  pieces: Int(1..)\n", "  pieces: Int(1..)\n  note: String(..9)?\n"),
    );
    let plan = shop.migrate("plan", &["--format", "json"]);
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    let waiting = |table: &str| {
        let mut steps = plan["steps"].as_array().unwrap().iter();
        let of = |step: &&Value| {
            step["lock"] == "ACCESS EXCLUSIVE" && step["title"].as_str().unwrap().contains(table)
        };
        steps.find(of).unwrap_or_else(|| panic!("{table}\n{plan:#}"))["requests_per_second"].clone()
    };
    assert_eq!(waiting("product"), 470.0);
    assert_eq!(waiting("sale"), 70.0);
}

/// What others put beside the tables keeps a server from starting until it is accepted, and stays through a change of the
/// model, also where SQLite makes the table anew.
#[test]
fn what_stands_beside_the_tables_is_known() {
    for database in [None, Some(testbed::postgres().database())] {
        let shop = Shop::new(database);
        let name = shop.database.rsplit('/').next().unwrap();
        let (sql, trigger) = match shop.database.starts_with("postgres") {
            false => (
                "CREATE TRIGGER shout AFTER INSERT ON product BEGIN UPDATE product SET colour = 'RED' WHERE id = new.id; END;
                 CREATE INDEX cheap ON product (price) WHERE price < 5;",
                "DROP TRIGGER shout",
            ),
            true => (
                "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.colour := ''RED''; RETURN new; END';
                 CREATE TRIGGER shout BEFORE INSERT ON product FOR EACH ROW EXECUTE FUNCTION shout();
                 CREATE INDEX cheap ON product (price) WHERE price < 5;",
                "DROP TRIGGER shout ON product",
            ),
        };
        let by_hand = |sql: &str| {
            if shop.database.starts_with("postgres") {
                testbed::postgres().psql(name, sql);
            } else {
                rusqlite::Connection::open(&shop.database).unwrap().execute_batch(sql).unwrap();
            }
        };
        let is_held =
            || holds(&shop.migrate("status", &[]).out, &["holds the tables of this model"]);
        is_held();
        by_hand(sql);
        let refused = shop.serve();
        assert_eq!(refused.code, 3, "{}", refused.err);
        let found =
            ["+ trigger shout on product: ", "+ index cheap on product: ", "mimar migrate accept"];
        holds(&refused.err, &["was changed by hand"]);
        holds(&refused.err, &found);
        holds(&shop.migrate("status", &[]).out, &found[..2]);
        let planned = shop.migrate("plan", &[]);
        assert_eq!(planned.code, 3, "{}", planned.err);
        holds(&planned.err, &found);

        let accepted = shop.migrate("accept", &["--format", "json"]);
        assert_eq!(accepted.code, 0, "{}", accepted.err);
        let accepted: Value = serde_json::from_str(&accepted.out).unwrap();
        assert_eq!(accepted["accepted"].as_array().unwrap().len(), 2, "{accepted:#}");
        is_held();
        holds(&shop.migrate("accept", &[]).err, &["nothing was put beside the tables"]);

        // The price takes another type: on SQLite the table is made anew.
        shop.becomes(&OLD.replace("price: Int(0..)", "price: Decimal(12, 2)"));
        let applied = shop.migrate("apply", &["--contract"]);
        assert_eq!(applied.code, 0, "{}", applied.err);
        if shop.database.starts_with("postgres") {
            // There the column is another, and the index went with the old one.
            holds(&shop.serve().err, &["- index cheap on product: "]);
            assert_eq!(shop.migrate("accept", &[]).code, 0);
        }
        is_held();

        by_hand(trigger);
        holds(&shop.serve().err, &["- trigger shout on product: "]);
    }
}

#[test]
fn a_key_that_changes_is_no_change_of_tables() {
    let shop = Shop::new(Some(testbed::postgres().database()));
    shop.becomes(&OLD.replace("id: Int = auto", "code: String(1..9)"));
    let refused = shop.migrate("apply", &["--contract"]);
    assert_eq!(refused.code, 3);
    holds(&refused.err, &["the key of `Product` changes", "write a new entity"]);
}

#[test]
fn a_plain_index_by_hand_goes_with_the_next_change_however_it_was_written() {
    for url in [None, Some(testbed::postgres().database())] {
        let shop = Shop::of(OLD, url);
        let name = shop.database.rsplit('/').next().unwrap();
        for (at, sql) in [
            "CREATE INDEX by_hand ON product (name)",
            "CREATE INDEX \"By hand\" ON \"product\" (price DESC)",
        ]
        .into_iter()
        .enumerate()
        {
            let called = ["by_hand", "By hand"][at];
            if shop.database.starts_with("postgres") {
                testbed::postgres().psql(name, sql);
            } else {
                rusqlite::Connection::open(&shop.database).unwrap().execute_batch(sql).unwrap();
            }
            let refused = shop.serve();
            assert_eq!(refused.code, 3, "{}", refused.err);
            holds(&refused.err, &["was changed by hand", called, "mimar migrate plan"]);
            let planned = shop.migrate("plan", &[]);
            assert_eq!(planned.code, 0, "{}", planned.err);
            holds(&planned.out, &[&format!("index `{called}` is gone"), "DROP INDEX"]);
            let applied = shop.migrate("apply", &["--contract"]);
            assert_eq!(applied.code, 0, "{}", applied.err);
            holds(&shop.migrate("status", &[]).out, &["holds the tables of this model"]);
        }
    }
}
