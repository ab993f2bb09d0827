//! The golden example, ruled by hand, over goods that the test brings along.

use std::fs;

use serde_json::{Value, json};

use super::{Caller, Reach, Row, Rules, agree};
use crate::harness::{Project, Random, Request, beside, both};

const STATES: [&str; 3] = ["draft", "live", "retired"];
const STATUSES: [&str; 4] = ["pending", "paid", "shipped", "cancelled"];

fn uuid(kind: u32, number: usize) -> String {
    format!("018f0000-0000-7000-8{kind:03}-{number:012}")
}

fn products() -> Vec<Row> {
    (0..30)
        .map(|number| {
            row([
                ("sku", format!("SKU-{number:03}")),
                ("name", format!("Thing {number}")),
                ("price", format!("{number}.50")),
                ("stock", (number * 3).to_string()),
                ("state", STATES[number % 3].to_string()),
            ])
        })
        .collect()
}

fn customers() -> Vec<Row> {
    (0..6)
        .map(|number| {
            row([
                ("id", uuid(1, number)),
                ("email", format!("customer{number}@example.org")),
                ("name", format!("Customer {number}")),
                (
                    "phone",
                    if number == 2 { String::new() } else { format!("+49 30 {number}00000") },
                ),
                ("joined", format!("2025-01-{:02}T10:00:00Z", number + 1)),
            ])
        })
        .collect()
}

fn orders() -> Vec<Row> {
    (0..24)
        .map(|number| {
            let cents: usize =
                lines_of(number).map(|(product, quantity)| (product * 100 + 50) * quantity).sum();
            row([
                ("id", uuid(2, number)),
                ("customer", uuid(1, number % 5)),
                ("status", STATUSES[number % 4].to_string()),
                ("total", format!("{}.{:02}", cents / 100, cents % 100)),
                ("placed", format!("2026-02-{:02}T12:00:00Z", number + 1)),
            ])
        })
        .collect()
}

/// Product and quantity of each line of an order.
fn lines_of(order: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..1 + order % 3).map(move |line| ((order + line) % 30, 1 + line))
}

fn parcels() -> Vec<Row> {
    (0..8)
        .map(|number| {
            row([
                ("id", uuid(3, number)),
                ("order", uuid(2, number)),
                ("state", ["packing", "sent", "delivered"][number % 3].to_string()),
                (
                    "tracking",
                    if number % 3 == 0 { String::new() } else { format!("TRACK-{number}") },
                ),
            ])
        })
        .collect()
}

fn row<const N: usize>(fields: [(&str, String); N]) -> Row {
    fields.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

/// Brings the goods into a project's database.
pub(crate) fn stock(project: &Project) {
    let folder = project.scratch("stock");
    fs::create_dir(&folder).unwrap();
    let write = |name: &str, columns: &str, rows: &[Row]| {
        let columns: Vec<&str> = columns.split(' ').collect();
        let mut writer = csv::Writer::from_path(folder.join(format!("{name}.csv"))).unwrap();
        writer.write_record(&columns).unwrap();
        for row in rows {
            writer.write_record(columns.iter().map(|column| &row[*column])).unwrap();
        }
        writer.flush().unwrap();
    };
    write("Product", "sku name price stock state", &products());
    write("Customer", "id email name phone joined", &customers());
    write("Order", "id customer status placed", &orders());
    write("Parcel", "id order state tracking", &parcels());
    let lines: Vec<Row> = (0..24)
        .flat_map(|order| {
            lines_of(order).map(move |(product, quantity)| {
                row([
                    ("order", uuid(2, order)),
                    ("product", format!("SKU-{product:03}")),
                    ("quantity", quantity.to_string()),
                    ("price", format!("{product}.50")),
                ])
            })
        })
        .collect();
    write("Line", "order product quantity price", &lines);
    project.load(&folder);
}

struct Products(Vec<Row>);

impl Rules for Products {
    fn path(&self) -> &'static str {
        "/v1/products"
    }
    fn key(&self) -> &'static str {
        "sku"
    }
    fn rows(&self) -> &[Row] {
        &self.0
    }
    fn changeable(&self) -> &[&'static str] {
        &["name", "price", "stock", "state"]
    }
    fn read(&self, caller: &Caller, row: &Row) -> Reach {
        Reach::Everything.when(row["state"] == "live" || caller.is("clerk") || caller.is("manager"))
    }
    fn update(&self, caller: &Caller, _: &Row) -> Reach {
        Reach::Everything
            .when(caller.is("manager"))
            .or(Reach::fields("name stock state").when(caller.is("clerk")))
    }
    fn delete(&self, _: &Caller, _: &Row) -> bool {
        false
    }
}

struct Customers(Vec<Row>);

impl Rules for Customers {
    fn path(&self) -> &'static str {
        "/v1/customers"
    }
    fn rows(&self) -> &[Row] {
        &self.0
    }
    fn changeable(&self) -> &[&'static str] {
        &["email", "name", "phone", "joined"]
    }
    fn read(&self, caller: &Caller, row: &Row) -> Reach {
        let own = caller.is("customer") && caller.is_row(&row["id"]);
        Reach::Everything.when(own || caller.is("clerk"))
    }
    fn update(&self, caller: &Caller, row: &Row) -> Reach {
        let own = caller.is("customer") && caller.is_row(&row["id"]);
        Reach::fields("name phone").when(own)
    }
    fn delete(&self, _: &Caller, _: &Row) -> bool {
        false
    }
}

struct Orders(Vec<Row>);

impl Rules for Orders {
    fn path(&self) -> &'static str {
        "/v1/orders"
    }
    fn rows(&self) -> &[Row] {
        &self.0
    }
    fn changeable(&self) -> &[&'static str] {
        &["customer", "status", "placed"]
    }
    fn read(&self, caller: &Caller, row: &Row) -> Reach {
        let own = caller.is("customer") && caller.is_row(&row["customer"]);
        Reach::Everything.when(own || caller.is("clerk"))
    }
    fn update(&self, _: &Caller, _: &Row) -> Reach {
        Reach::Nothing
    }
    fn delete(&self, _: &Caller, _: &Row) -> bool {
        false
    }
}

struct Parcels(Vec<Row>);

impl Rules for Parcels {
    fn path(&self) -> &'static str {
        "/v1/parcels"
    }
    fn rows(&self) -> &[Row] {
        &self.0
    }
    fn changeable(&self) -> &[&'static str] {
        &["order", "state", "tracking"]
    }
    fn read(&self, caller: &Caller, _: &Row) -> Reach {
        Reach::Everything.when(caller.is("clerk"))
    }
    fn update(&self, caller: &Caller, _: &Row) -> Reach {
        Reach::Everything.when(caller.is("clerk"))
    }
    fn delete(&self, _: &Caller, _: &Row) -> bool {
        false
    }
}

fn callers() -> Vec<Caller> {
    vec![
        Caller::nobody(),
        Caller::new(&["customer"], Some(&uuid(1, 0))),
        Caller::new(&["customer"], Some(&uuid(1, 2))),
        // A customer who never bought anything, and one who is not there.
        Caller::new(&["customer"], Some(&uuid(1, 5))),
        Caller::new(&["customer"], Some(&uuid(1, 99))),
        Caller::new(&["clerk"], None),
        Caller::new(&["clerk"], Some("somebody@example.org")),
        Caller::new(&["manager"], None),
        Caller::new(&["clerk", "customer"], Some(&uuid(1, 3))),
        Caller::new(&["nobody"], Some(&uuid(1, 0))),
    ]
}

#[test]
fn every_role_and_operation_of_the_shop_agrees_with_the_rules_read_by_hand() {
    both(|| {
        let _turn = beside();
        let mut random = Random::seeded("oracle, shop");
        let project = Project::example("shop");
        stock(&project);
        let server = project.serve();
        let (products, customers) = (Products(products()), Customers(customers()));
        let (orders, parcels) = (Orders(orders()), Parcels(parcels()));
        agree(&server, &[&products, &customers, &orders, &parcels], &callers(), 30, &mut random);

        for caller in callers() {
            // Products are created by clerks and managers; orders, customers and parcels by nobody from outside.
            let product = json!({ "sku": format!("NEW-{}", random.next() % 1_000_000_000), "name": "New", "price": "1.00" });
            let answer = server.send(&Request::post("/v1/products", &product).token(&caller.token));
            let may = caller.is("clerk") || caller.is("manager");
            assert_eq!(answer.status == 201, may, "{caller:?}: {answer}");
            for (path, body) in [
                ("/v1/orders", json!({ "customer": uuid(1, 0), "lines": [] })),
                ("/v1/customers", json!({ "email": "x@example.org", "name": "X" })),
                ("/v1/parcels", json!({ "order": uuid(2, 20) })),
            ] {
                let answer = server.send(&Request::post(path, &body).token(&caller.token));
                super::refused(&answer, &format!("create at {path}"), &caller);
            }
        }
    });
}

/// `recent_orders`: customers ask for themselves, clerks for everybody; each page in its order.
#[test]
fn recent_orders_are_the_callers_own() {
    both(|| {
        let _turn = beside();
        let project = Project::example("shop");
        stock(&project);
        let server = project.serve();
        let orders = orders();
        for caller in callers() {
            for customer in 0..6 {
                for status in [None, Some("paid"), Some("pending")] {
                    let id = uuid(1, customer);
                    let mut target = format!("/v1/recent-orders?customer={id}");
                    if let Some(status) = status {
                        target.push_str(&format!("&status={status}"));
                    }
                    let may = caller.is("clerk") || (caller.is("customer") && caller.is_row(&id));
                    let mut wanted: Vec<&Row> = orders
                        .iter()
                        .filter(|row| {
                            row["customer"] == id
                                && status.is_none_or(|status| row["status"] == status)
                        })
                        .collect();
                    wanted.sort_by(|one, two| two["placed"].cmp(&one["placed"]));
                    let wanted: Vec<&str> = wanted.iter().map(|row| row["id"].as_str()).collect();
                    let answer = server.send(&Request::get(&target).token(&caller.token));
                    if may {
                        let page = answer.expect(200).json();
                        let found: Vec<&str> = page["data"]
                            .as_array()
                            .unwrap()
                            .iter()
                            .map(|row| row["id"].as_str().unwrap())
                            .collect();
                        assert_eq!(found, wanted, "{target} as {caller:?}");
                    } else if answer.status == 200 {
                        assert_eq!(
                            answer.json()["data"],
                            Value::Array(Vec::new()),
                            "{target} as {caller:?}"
                        );
                    } else {
                        super::refused(&answer, &format!("ask {target}"), &caller);
                    }
                }
            }
        }
    });
}
