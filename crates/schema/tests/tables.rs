//! Tables from models, and the way from one model's tables to another's, executed on a real SQLite.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it cannot go on")]

use model::{Model, Valid};
use operation::Dialect;
use rusqlite::Connection;
use rusqlite::types::Value;
use schema::{Change, Schema};

/// The tables of a model given by its entities.
#[track_caller]
fn tables(entities: &str) -> Schema {
    tables_on(entities, Dialect::Sqlite)
}

#[track_caller]
fn tables_on(entities: &str, dialect: Dialect) -> Schema {
    let text = format!("app Test {{ version 1  roles user  surface rest }}\n{entities}");
    let parse = syntax::parse(syntax::FileId(0), text);
    let (model, mut found) = model::check(&[&parse]);
    found.extend(parse.diagnostics.iter().cloned());
    let faults: Vec<String> = found
        .iter()
        .filter(|d| d.severity == syntax::Severity::Error)
        .map(|d| format!("{}: {}", d.code, d.message))
        .collect();
    let model: Valid<Model> = Valid::new(model, &found).unwrap_or_else(|| panic!("{faults:?}"));
    schema::derive(&model, dialect)
}

fn database(schema: &Schema) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    for statement in schema::ddl::sqlite(schema) {
        connection.execute_batch(&statement).unwrap_or_else(|e| panic!("{e}\n{statement}"));
    }
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    connection
}

fn existing(connection: &Connection) -> Vec<(String, String)> {
    let mut statement = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")
        .unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn apply(connection: &mut Connection, change: &Change) -> rusqlite::Result<()> {
    connection.pragma_update(None, "foreign_keys", false)?;
    let transaction = connection.transaction()?;
    for statement in &change.statements {
        transaction.execute_batch(statement)?;
    }
    let dangling: i64 =
        transaction.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |r| r.get(0))?;
    assert_eq!(dangling, 0, "{:#?}", change.statements);
    transaction.commit()?;
    connection.pragma_update(None, "foreign_keys", true)
}

/// Rows as text, columns by name.
fn rows(connection: &Connection, sql: &str) -> String {
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let rows = statement
        .query_map([], |row| {
            let cells: Vec<String> = (0..columns)
                .map(|at| match row.get_unwrap::<_, Value>(at) {
                    Value::Null => "-".to_owned(),
                    Value::Integer(n) => n.to_string(),
                    Value::Real(f) => f.to_string(),
                    Value::Text(text) => text,
                    Value::Blob(bytes) => format!("{} bytes", bytes.len()),
                })
                .collect();
            Ok(cells.join(" "))
        })
        .unwrap();
    rows.map(Result::unwrap).collect::<Vec<_>>().join("\n")
}

/// Brings the tables of `before`, filled by `fill`, to those of `after`. The outcome must hold what `select` says it
/// does, be equal to a database made anew, and need no further change.
#[track_caller]
fn check(before: &str, fill: &str, after: &str, select: &str, wanted: &str) -> Change {
    let old = tables(before);
    let new = tables(after);
    let mut connection = database(&old);
    assert_eq!(
        schema::diff(&existing(&connection), &old),
        Change { lossless: true, ..Change::default() }
    );
    connection.execute_batch(fill).unwrap();
    let change = schema::diff(&existing(&connection), &new);
    apply(&mut connection, &change).unwrap_or_else(|e| panic!("{e}\n{:#?}", change.statements));
    assert_eq!(rows(&connection, select), wanted, "{:#?}", change.statements);
    let again = schema::diff(&existing(&connection), &new);
    assert!(again.is_empty(), "{:#?}\n{:#?}", change.statements, again.statements);
    let fresh = existing(&database(&new));
    let names = |list: &[(String, String)]| {
        let mut names: Vec<String> = list.iter().map(|(name, _)| name.clone()).collect();
        names.retain(|name| !name.starts_with("sqlite_"));
        names.sort();
        names
    };
    assert_eq!(names(&existing(&connection)), names(&fresh));
    change
}

const SHOP: &str = r#"
entity Customer { key id: Uuid  email: Email unique  allow read to user }
entity Order {
  key id: Int = auto
  customer: Customer
  status: enum { pending, paid } = pending
  total: Money(EUR) := sum(lines, .price)
  index (status, -id)
  allow read to user
}
entity Line part of Order as lines (1..50) { price: Money(EUR) }
entity Note part of Order as notes (0..50) { key id: Int = auto  text: String(1..20)  author: Customer? on delete clear }
entity Tag part of Order as tags (0..9) { key name: String(1..9) }
"#;

#[test]
fn roots_and_parts_have_their_layouts() {
    let schema = tables(SHOP);
    let find = |name: &str| schema.tables.iter().find(|t| t.name.as_str() == name).unwrap();
    let names = |name: &str| {
        find(name).columns.iter().map(|c| c.name.as_str().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("customer"), "id email row_version");
    assert_eq!(names("order"), "id customer status total row_version");
    assert_eq!(names("line"), "order position price");
    assert_eq!(names("note"), "order id text author");
    assert_eq!(names("tag"), "order name");
    for (name, key, root, auto, version, own) in [
        ("customer", vec![0], None, None, Some(2), 0),
        ("order", vec![0], None, Some(0), Some(4), 0),
        ("line", vec![0, 1], Some(0), None, None, 1),
        ("note", vec![1], Some(0), Some(1), None, 1),
        ("tag", vec![0, 1], Some(0), None, None, 1),
    ] {
        let table = find(name);
        assert_eq!(
            (&table.key, table.root, table.auto, table.version),
            (&key, root, auto, version),
            "{name}"
        );
        assert_eq!(table.own_key(), own, "{name}");
    }
    assert_eq!(find("line").column_of("order"), Some(0));
    assert_eq!(find("order").column_of(""), None);
    let statements = schema::ddl::sqlite(&schema).join("\n");
    for wanted in [
        "\"id\" /* Int */ INTEGER PRIMARY KEY,",
        "\"status\" /* 'pending' 'paid' */ TEXT NOT NULL",
        "\"total\" /* Decimal 2 */ INTEGER NOT NULL",
        "\"customer\" /* Uuid */ BLOB NOT NULL REFERENCES \"customer\" (\"id\")",
        "\"order\" /* Int */ INTEGER NOT NULL REFERENCES \"order\" (\"id\") ON DELETE CASCADE",
        "REFERENCES \"customer\" (\"id\") ON DELETE SET NULL",
        "PRIMARY KEY (\"order\", \"position\")\n) STRICT, WITHOUT ROWID",
        "CREATE UNIQUE INDEX \"ux_customer_email\" ON \"customer\" (\"email\")",
        "CREATE INDEX \"ix_order_status_id_desc\" ON \"order\" (\"status\", \"id\" DESC)",
        "CREATE INDEX \"ix_order_customer\" ON \"order\" (\"customer\")",
        "CREATE INDEX \"ix_note_order\" ON \"note\" (\"order\")",
    ] {
        assert!(statements.contains(wanted), "{wanted}\n{statements}");
    }
    assert!(!statements.contains("ix_line_order"), "{statements}");
    assert!(!statements.contains("ix_note_author"), "nobody deletes a customer: {statements}");
}

#[test]
fn an_index_that_serves_a_query_carries_narrow_rows_and_none_is_kept_for_nobody() {
    let source = |delete: &str, note: &str| {
        format!(
            "entity Product {{ key sku: String(3..40)  allow read{delete} to user }}
             entity Person {{ key id: Uuid  allow read to user }}
             entity Order {{
               key id: Uuid
               person: Person
               state: enum {{ open, done }} = open
               placed: Timestamp = now
               note: String(0..{note})?
               index (person, placed)
               allow read to user
             }}
             entity Line part of Order as lines (1..9) {{ product: Product  quantity: Int(1..9) }}
             query latest(person: Person) -> Order {{ where .person == person  sort -.placed  page 20  allow user }}"
        )
    };
    let statements = |source: &str| schema::ddl::sqlite(&tables(source)).join("\n");
    let narrow = statements(&source("", "20"));
    assert!(
        narrow.contains(
            "\"ix_order_person_placed\" ON \"order\" (\"person\", \"placed\", \"id\", \"state\", \"note\")"
        ),
        "{narrow}"
    );
    assert!(!narrow.contains("ix_line_product"), "nobody deletes a product: {narrow}");
    let wide = statements(&source(", delete", "200"));
    assert!(
        wide.contains("\"ix_order_person_placed\" ON \"order\" (\"person\", \"placed\")"),
        "{wide}"
    );
    assert!(wide.contains("ix_line_product"), "{wide}");
}

#[test]
fn references_across_services_are_indexed_and_not_enforced() {
    let schema = tables(
        "service a { entity Thing { key id: Int = auto  allow read to user } }
         service b { entity Visit { key id: Int = auto  other: a.Thing  allow read to user } }",
    );
    let names: Vec<&str> = schema.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["thing", "visit"]);
    assert!(schema.tables[1].foreign_keys.is_empty());
    assert_eq!(schema.tables[1].tracked, [0, 1]);
    assert_eq!(schema.indexes[0].name.as_str(), "ix_visit_other");
    database(&schema);
}

#[test]
fn deletes_follow_the_model() {
    let connection = database(&tables(SHOP));
    connection
        .execute_batch(
            "INSERT INTO customer VALUES (x'01', 'a', 1), (x'02', 'b', 1);
             INSERT INTO \"order\" VALUES (1, x'01', 'paid', 5, 1);
             INSERT INTO line VALUES (1, 1, 5);
             INSERT INTO note VALUES (1, 1, 'x', x'02');",
        )
        .unwrap();
    assert!(connection.execute_batch("DELETE FROM customer WHERE id = x'01'").is_err());
    connection.execute_batch("DELETE FROM customer WHERE id = x'02'").unwrap();
    assert_eq!(rows(&connection, "SELECT author FROM note"), "-");
    connection.execute_batch("DELETE FROM \"order\"; DELETE FROM customer").unwrap();
    assert_eq!(rows(&connection, "SELECT count(*) FROM line"), "0");
}

#[test]
fn keys_of_those_who_sign_in_are_never_given_out_twice() {
    let schema = tables(
        "auth { users Person by name as user }
         entity Person { key id: Int = auto  name: String(1..9) unique  allow read to user }",
    );
    let connection = database(&schema);
    connection
        .execute_batch(
            "INSERT INTO person (name) VALUES ('a'); DELETE FROM person;
             INSERT INTO person (name) VALUES ('b');",
        )
        .unwrap();
    assert_eq!(rows(&connection, "SELECT id FROM person"), "2");
    assert!(schema::diff(&existing(&connection), &schema).is_empty());
}

#[test]
fn fingerprints_follow_the_tables() {
    let a = schema::fingerprint(&tables(SHOP));
    assert_eq!(a, schema::fingerprint(&tables(SHOP)));
    assert_ne!(a, schema::fingerprint(&tables(&SHOP.replace("paid", "payed"))));
}

const OLD: &str = "entity Thing { key id: Int = auto  name: String(1..9)  allow read to user }";
const OLD_ROWS: &str = "INSERT INTO thing (id, name) VALUES (1, 'a'), (2, 'b')";

#[test]
fn additions_keep_every_row() {
    let cases = [
        ("note: String(1..9)?", "-"),
        ("count: Int = 7", "7"),
        ("name2: String(0..9) = \"it's\"", "it's"),
        ("flag: Bool = true", "1"),
        ("ratio: Float = 1.5", "1.5"),
        ("price: Money(EUR) = 1.25", "125"),
        ("state: enum { new, old } = old", "old"),
        ("twice: Int := 2", "0"),
    ];
    for (field, wanted) in cases {
        let after = OLD.replace("  allow", &format!("  {field}  allow"));
        let column = field.split(':').next().unwrap();
        let select = format!("SELECT id, {column} FROM thing ORDER BY id");
        let change = check(OLD, OLD_ROWS, &after, &select, &format!("1 {wanted}\n2 {wanted}"));
        assert!(change.lossless, "{change:?}");
        assert_eq!(change.recompute.is_empty(), wanted == "-", "{field}");
    }
}

#[test]
fn a_moment_of_now_fills_old_rows() {
    let after = OLD.replace("  allow", "  made: Timestamp = now  allow");
    check(OLD, OLD_ROWS, &after, "SELECT min(made) > 1700000000000000 FROM thing", "1");
}

#[test]
fn renames_keep_every_value() {
    let change = check(
        OLD,
        OLD_ROWS,
        "entity Item was Thing { key id: Int = auto  title: String(1..9) was name  index (title)  allow read to user }",
        "SELECT id, title FROM item ORDER BY id",
        "1 a\n2 b",
    );
    assert!(change.lossless, "{change:?}");
}

#[test]
fn a_text_is_split_into_its_halves() {
    let change = check(
        "entity Thing { key id: Int = auto  name: String(1..80)  place: String(0..80)?  allow read to user }",
        "INSERT INTO thing (name, place) VALUES ('Ada King Lovelace', 'Berlin, DE'), ('Plato', NULL), ('it''s, odd', '')",
        r#"entity Thing {
            key id: Int = auto
            given: String(0..80) was name before " "
            family: String(0..80) was name after " "
            city: String(0..80)? was place before ", "
            country: String(0..80) was place after ", "
            allow read to user
        }"#,
        "SELECT given, family, city, '<' || country || '>' FROM thing ORDER BY id",
        "Ada King Lovelace Berlin <DE>\nPlato  - <>\nit's, odd  <>",
    );
    assert!(change.lossless, "{:?}", change.losses);
}

#[test]
fn a_renamed_root_takes_its_parts_and_references_along() {
    let before = "entity Basket { key id: Uuid  allow read to user }
         entity Item part of Basket as items (0..9) { name: String(1..9) }
         entity Visit { key id: Int = auto  basket: Basket  index (basket, -id)  allow read to user }";
    let after = "entity Cart was Basket { key number: Uuid was id  allow read to user }
         entity Item part of Cart as items (0..9) { name: String(1..9) }
         entity Visit { key id: Int = auto  cart: Cart was basket  index (cart, -id)  allow read to user }";
    let fill = "INSERT INTO basket VALUES (x'01', 3);
         INSERT INTO item VALUES (x'01', 1, 'a');
         INSERT INTO visit VALUES (5, x'01', 1)";
    let change = check(
        before,
        fill,
        after,
        "SELECT v.id, i.name, c.row_version FROM visit v JOIN cart c ON v.cart = c.number JOIN item i ON i.cart = c.number",
        "5 a 3",
    );
    assert!(change.lossless, "{change:?}");
}

#[test]
fn enum_values_are_renamed_in_their_rows() {
    let enums = |values: &str| {
        format!(
            "entity Thing {{ key id: Int = auto  state: enum {{ {values} }} = a  allow read to user }}"
        )
    };
    let fill = "INSERT INTO thing VALUES (1, 'a', 1), (2, 'b', 1)";
    let select = "SELECT id, state FROM thing ORDER BY id";
    let change = check(&enums("a, b"), fill, &enums("a, c was b"), select, "1 a\n2 c");
    assert!(change.lossless, "{change:?}");
    let change = check(&enums("a, b"), fill, &enums("a, b, c"), select, "1 a\n2 b");
    assert!(change.lossless, "{change:?}");
    let change = check(&enums("a, b"), fill, &enums("a"), select, "1 a\n2 a");
    assert!(!change.lossless);
    let counted = |text: &str| change.losses[0].rows.counts(&operation::Value::text(text));
    assert_eq!((counted("a"), counted("b")), (false, true));
}

#[test]
fn values_follow_their_types_where_they_can() {
    let typed =
        |ty: &str| format!("entity Thing {{ key id: Int = auto  v: {ty}  allow read to user }}");
    for (from, to, stored, wanted) in [
        ("Money(EUR)", "Decimal(12, 4)", "125", "12500"),
        ("Int", "Decimal(12, 2)", "3", "300"),
        ("Date", "Timestamp", "2", "172800000000"),
        ("Int", "Int?", "3", "3"),
        ("String(1..9)", "Email", "'a@b.c'", "a@b.c"),
        ("enum { a, b }", "String(1..9)", "'a'", "a"),
        ("Bool", "Int", "1", "1"),
    ] {
        let fill = format!("INSERT INTO thing VALUES (1, {stored}, 1)");
        let change = check(&typed(from), &fill, &typed(to), "SELECT v FROM thing", wanted);
        assert!(change.lossless, "{from} {to} {change:?}");
    }
    for (from, to, stored) in [
        ("Decimal(12, 4)", "Money(EUR)?", "125"),
        ("Timestamp", "Int?", "5"),
        ("String(1..9)", "Uuid?", "'a'"),
        ("String(1..9)", "enum { a, b }?", "'a'"),
    ] {
        let fill = format!("INSERT INTO thing VALUES (1, {stored}, 1)");
        let change = check(&typed(from), &fill, &typed(to), "SELECT v FROM thing", "-");
        assert!(!change.lossless && !change.losses[0].blocks, "{from} {to} {change:?}");
    }
}

#[test]
fn what_is_lost_is_said() {
    let change = check(
        &format!("{OLD} entity Other {{ key id: Int = auto  thing: Thing  allow read to user }}"),
        OLD_ROWS,
        &OLD.replace("name: String(1..9)", "size: Int = 1"),
        "SELECT id, size FROM thing ORDER BY id",
        "1 1\n2 1",
    );
    let sentences: Vec<&str> = change.losses.iter().map(|loss| loss.sentence.as_str()).collect();
    assert!(
        sentences.iter().any(|s| s.starts_with("`thing.name` is no field any more")),
        "{sentences:?}"
    );
    assert!(
        sentences.iter().any(|s| s.starts_with("no entity is stored in `other`")),
        "{sentences:?}"
    );
}

#[test]
fn what_may_be_a_rename_is_named() {
    let sentences = |new: &str| {
        let connection = database(&tables(OLD));
        let change = schema::diff(&existing(&connection), &tables(new));
        change.losses.into_iter().map(|loss| loss.sentence).collect::<Vec<_>>().join("\n")
    };
    let told = sentences(&OLD.replace("name: String(1..9)", "title: String(1..9)"));
    assert!(
        told.contains("if `title` is its new name, write `was name` behind its type"),
        "{told}"
    );
    assert!(
        told.contains(
            "if it is `name` under a new name, write `was name` behind its type; else give"
        ),
        "{told}"
    );
    // Of two that may be it, none is guessed.
    let two = "title: String(1..9)  note: String(1..9)?";
    let told = sentences(&OLD.replace("name: String(1..9)", two));
    assert!(told.contains("write `was name` behind the type of the new one"), "{told}");
}

#[test]
fn a_required_field_without_a_default_blocks_only_where_there_are_rows() {
    let after = OLD.replace("  allow", "  size: Int  allow");
    let old = tables(OLD);
    let mut connection = database(&old);
    let change = schema::diff(&existing(&connection), &tables(&after));
    assert!(change.losses.iter().all(|loss| loss.blocks) && !change.lossless);
    connection.execute_batch(OLD_ROWS).unwrap();
    assert!(apply(&mut connection, &change).is_err());
    connection.execute_batch("DELETE FROM thing").unwrap();
    apply(&mut connection, &change).unwrap();
}

#[test]
fn tables_of_others_are_left_alone() {
    let connection = database(&tables(OLD));
    connection
        .execute_batch("CREATE TABLE foreign_one (id INTEGER PRIMARY KEY, x TEXT); CREATE INDEX fx ON foreign_one (x)")
        .unwrap();
    assert!(schema::diff(&existing(&connection), &tables(OLD)).is_empty());
}

#[test]
fn names_that_sql_would_trip_over_are_fine() {
    let schema = tables(
        "entity Select { key from: Int = auto  order: String(1..9)  group: Select?  index (order)  allow read to user }
         entity Table part of Select as values (0..9) { key where: String(1..9) stored as \"we\\\"ird\"  check: Int }",
    );
    let connection = database(&schema);
    assert!(schema::diff(&existing(&connection), &schema).is_empty());
}

/// Each table and index as PostgreSQL is told it, without what is in it.
#[track_caller]
fn places(entities: &str) -> Vec<String> {
    let schema = tables_on(entities, Dialect::Postgres);
    let statements = schema::ddl::postgres(&schema);
    let heads = statements.iter().filter(|sql| sql.starts_with("CREATE "));
    heads.map(|sql| sql.split(" (").next().unwrap().to_owned()).collect()
}

#[test]
fn tables_of_services_stand_in_their_schemas_on_postgresql() {
    let model = r#"
        entity Item { key id: Int = auto  name: String(1..9) unique  allow read to user }
        service sales {
          entity Item { key id: Int = auto  name: String(1..9) unique  allow read to user }
          entity Order { key id: Int  item: Item  allow read, delete to user }
          entity Line part of Order as lines (0..9) stored as "Lines" { price: Int }
        }
        service field_work { entity Item { key id: Int = auto  name: String(1..9) unique  allow read to user } }"#;
    assert_eq!(
        places(model),
        [
            r#"CREATE SCHEMA IF NOT EXISTS "field_work""#,
            r#"CREATE SCHEMA IF NOT EXISTS "sales""#,
            r#"CREATE TABLE "item""#,
            r#"CREATE TABLE "sales"."item""#,
            r#"CREATE TABLE "sales"."order""#,
            r#"CREATE TABLE "sales"."Lines""#,
            r#"CREATE TABLE "field_work"."item""#,
            r#"CREATE UNIQUE INDEX "ux_item_name" ON "item""#,
            r#"CREATE UNIQUE INDEX "ux_item_name" ON "sales"."item""#,
            r#"CREATE UNIQUE INDEX "ux_item_name" ON "field_work"."item""#,
            r#"CREATE INDEX "ix_order_item" ON "sales"."order""#,
        ]
    );
    let schema = tables_on(model, Dialect::Postgres);
    let references = schema::ddl::postgres(&schema).join("\n");
    assert!(
        references.contains(r#"ALTER TABLE "sales"."order" ADD CONSTRAINT "fk_order_item" FOREIGN KEY ("item") REFERENCES "sales"."item" ("id")"#),
        "{references}"
    );
    // There is one place only on SQLite, as ever.
    let names: Vec<String> =
        tables(model).tables.iter().map(|table| table.name.to_string()).collect();
    assert_eq!(names, ["item", "sales_item", "order", "Lines", "field_work_item"]);
    // Both are read back as what they are.
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let schema = tables_on(model, dialect);
        assert!(schema::diff(&schema::ddl::definitions(&schema), &schema).is_empty());
    }
    assert_ne!(schema::fingerprint(&schema), schema::fingerprint(&tables(model)));
}

#[test]
fn schemas_of_services_are_nobody_elses() {
    let services = ["public", "pg_toast", "mimar", "information_schema", "select"];
    let model: Vec<String> = services
        .iter()
        .enumerate()
        .map(|(at, name)| {
            format!("service {name} {{ entity E{at} {{ key id: Int  allow read to user }} }}")
        })
        .collect();
    let made: Vec<String> = places(&model.join("\n")).into_iter().take(5).collect();
    assert_eq!(
        made,
        ["information_schema_2", "mimar_2", "public_2", "select", "service_pg_toast"]
            .map(|name| format!("CREATE SCHEMA IF NOT EXISTS \"{name}\""))
    );
}
