//! The record shop, ruled by hand.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Caller, Reach, Row, Rules, agree, pick, refused, send};
use crate::harness::{Project, Random, Request, Server, beside, both, example};

/// A file of the example, by column.
fn file(name: &str) -> Vec<Row> {
    let path = example("chinook").join("data").join(format!("{name}.csv"));
    let mut reader = csv::Reader::from_path(path).unwrap();
    let head = reader.headers().unwrap().clone();
    reader
        .records()
        .map(|record| {
            let record = record.unwrap();
            head.iter().map(str::to_string).zip(record.iter().map(str::to_string)).collect()
        })
        .collect()
}

/// What everybody may read and managers keep.
struct Catalogue {
    path: &'static str,
    fields: Vec<&'static str>,
    rows: Vec<Row>,
}

impl Rules for Catalogue {
    fn path(&self) -> &'static str {
        self.path
    }
    fn rows(&self) -> &[Row] {
        &self.rows
    }
    fn changeable(&self) -> &[&'static str] {
        &self.fields
    }
    fn read(&self, _: &Caller, _: &Row) -> Reach {
        Reach::Everything
    }
    fn update(&self, caller: &Caller, _: &Row) -> Reach {
        Reach::Everything.when(caller.is("manager"))
    }
    fn delete(&self, caller: &Caller, _: &Row) -> bool {
        caller.is("manager")
    }
}

/// Who looks after each customer.
type Agents = BTreeMap<String, String>;

struct Employees {
    rows: Vec<Row>,
    agents: Agents,
}

const STAFF_OWN: &str = "address city state country postal_code phone fax";

impl Rules for Employees {
    fn path(&self) -> &'static str {
        "/v1/employees"
    }
    fn rows(&self) -> &[Row] {
        &self.rows
    }
    fn changeable(&self) -> &[&'static str] {
        &[
            "last_name",
            "first_name",
            "title",
            "reports_to",
            "birth_date",
            "hire_date",
            "address",
            "city",
            "state",
            "country",
            "postal_code",
            "phone",
            "fax",
            "email",
        ]
    }
    fn read(&self, caller: &Caller, row: &Row) -> Reach {
        let agent = caller.subject.as_ref().and_then(|customer| self.agents.get(customer));
        let mine = Reach::fields("id first_name last_name title phone email");
        Reach::Everything
            .when(caller.is("manager"))
            .or(Reach::Everything.when(caller.is("agent") && caller.is_row(&row["id"])))
            .or(mine.when(caller.is("customer") && agent == Some(&row["id"])))
    }
    fn update(&self, caller: &Caller, row: &Row) -> Reach {
        let own = caller.is("agent") && caller.is_row(&row["id"]);
        Reach::Everything.when(caller.is("manager")).or(Reach::fields(STAFF_OWN).when(own))
    }
    fn delete(&self, caller: &Caller, _: &Row) -> bool {
        caller.is("manager")
    }
}

struct Customers {
    rows: Vec<Row>,
}

const CUSTOMER_OWN: &str =
    "first_name last_name company address city state country postal_code phone fax";

impl Customers {
    fn own(caller: &Caller, row: &Row) -> bool {
        (caller.is("customer") && caller.is_row(&row["id"]))
            || (caller.is("agent") && caller.is_row(&row["support_agent"]))
    }
}

impl Rules for Customers {
    fn path(&self) -> &'static str {
        "/v1/customers"
    }
    fn rows(&self) -> &[Row] {
        &self.rows
    }
    fn changeable(&self) -> &[&'static str] {
        &[
            "first_name",
            "last_name",
            "company",
            "address",
            "city",
            "state",
            "country",
            "postal_code",
            "phone",
            "fax",
            "email",
            "support_agent",
        ]
    }
    fn read(&self, caller: &Caller, row: &Row) -> Reach {
        Reach::Everything.when(caller.is("manager") || Self::own(caller, row))
    }
    fn update(&self, caller: &Caller, row: &Row) -> Reach {
        let own = Reach::fields(CUSTOMER_OWN).when(Self::own(caller, row));
        Reach::Everything.when(caller.is("manager")).or(own)
    }
    fn delete(&self, caller: &Caller, _: &Row) -> bool {
        caller.is("manager")
    }
}

struct Invoices {
    rows: Vec<Row>,
    agents: Agents,
}

impl Rules for Invoices {
    fn path(&self) -> &'static str {
        "/v1/invoices"
    }
    fn rows(&self) -> &[Row] {
        &self.rows
    }
    fn changeable(&self) -> &[&'static str] {
        &[
            "date",
            "billing_address",
            "billing_city",
            "billing_state",
            "billing_country",
            "billing_postal_code",
        ]
    }
    fn read(&self, caller: &Caller, row: &Row) -> Reach {
        let own = caller.is("customer") && caller.is_row(&row["customer"]);
        let looked_after =
            self.agents.get(&row["customer"]).is_some_and(|agent| caller.is_row(agent));
        Reach::Everything.when(caller.is("manager") || own || (caller.is("agent") && looked_after))
    }
    fn update(&self, caller: &Caller, _: &Row) -> Reach {
        Reach::Everything.when(caller.is("manager"))
    }
    fn delete(&self, caller: &Caller, _: &Row) -> bool {
        caller.is("manager")
    }
}

struct Shop {
    server: Server,
    employees: Employees,
    customers: Customers,
    invoices: Invoices,
    catalogue: Vec<Catalogue>,
    lines: Vec<Row>,
    _project: Project,
}

impl Shop {
    fn open() -> Self {
        let project = Project::example("chinook");
        project.load(&example("chinook").join("data"));
        let customers = file("Customer");
        let agents: Agents = customers
            .iter()
            .map(|row| (row["id"].clone(), row["support_agent"].clone()))
            .filter(|(_, agent)| !agent.is_empty())
            .collect();
        let lines = file("InvoiceLine");
        let mut invoices = file("Invoice");
        for invoice in &mut invoices {
            let cents: i64 = lines
                .iter()
                .filter(|line| line["invoice"] == invoice["id"])
                .map(|line| {
                    let price: i64 = line["unit_price"].replace('.', "").parse().unwrap();
                    price * line["quantity"].parse::<i64>().unwrap()
                })
                .sum();
            invoice.insert("total".into(), format!("{}.{:02}", cents / 100, cents % 100));
        }
        let catalogue = [
            ("/v1/artists", "Artist", "name"),
            ("/v1/albums", "Album", "title artist"),
            ("/v1/genres", "Genre", "name"),
            ("/v1/media-types", "MediaType", "name"),
            ("/v1/playlists", "Playlist", "name"),
            (
                "/v1/tracks",
                "Track",
                "name album media_type genre composer milliseconds bytes unit_price",
            ),
        ];
        let catalogue = catalogue.map(|(path, name, fields)| Catalogue {
            path,
            fields: fields.split(' ').collect(),
            rows: file(name),
        });
        Self {
            server: project.serve(),
            employees: Employees { rows: file("Employee"), agents: agents.clone() },
            customers: Customers { rows: customers },
            invoices: Invoices { rows: invoices, agents },
            catalogue: catalogue.into(),
            lines,
            _project: project,
        }
    }
}

fn callers() -> Vec<Caller> {
    vec![
        Caller::nobody(),
        Caller::new(&["customer"], Some("1")),
        Caller::new(&["customer"], Some("5")),
        Caller::new(&["customer"], Some("59")),
        // Nobody of that number, and no number at all.
        Caller::new(&["customer"], Some("4711")),
        Caller::new(&["agent"], Some("3")),
        Caller::new(&["agent"], Some("5")),
        // An employee who looks after nobody.
        Caller::new(&["agent"], Some("7")),
        Caller::new(&["manager"], Some("1")),
        // Both: customer 4 and employee 4 are two people with one token; each rule speaks for itself.
        Caller::new(&["customer", "agent"], Some("4")),
        // A token without a role of this model.
        Caller::new(&["admin"], Some("1")),
    ]
}

#[test]
fn every_role_and_operation_of_chinook_agrees_with_the_rules_read_by_hand() {
    both(|| {
        let _turn = beside();
        let mut random = Random::seeded("oracle, chinook");
        let shop = Shop::open();
        agree(
            &shop.server,
            &[&shop.employees, &shop.customers, &shop.invoices],
            &callers(),
            40,
            &mut random,
        );
        let few = [callers().remove(0), callers().remove(1), callers().remove(8)];
        let catalogue: Vec<&dyn Rules> =
            shop.catalogue.iter().map(|rules| rules as &dyn Rules).collect();
        agree(&shop.server, &catalogue, &few, 20, &mut random);
    });
}

/// Lines are seen where their invoice is, by each road: their own path, one of them, included.
#[test]
fn lines_of_an_invoice_are_seen_where_the_invoice_is() {
    both(|| {
        let _turn = beside();
        let mut random = Random::seeded("oracle, lines");
        let shop = Shop::open();
        let mut client = shop.server.client();
        for caller in callers() {
            for invoice in pick(&shop.invoices.rows, 40, &mut random) {
                let id = &invoice["id"];
                let lines: Vec<&Row> =
                    shop.lines.iter().filter(|line| &line["invoice"] == id).collect();
                let seen = shop.invoices.read(&caller, invoice) != Reach::Nothing;
                let path = format!("/v1/invoices/{id}");
                let list =
                    send(&mut client, Request::get(format!("{path}/lines?limit=100")), &caller);
                let whole =
                    send(&mut client, Request::get(format!("{path}?include=lines")), &caller);
                let one = send(
                    &mut client,
                    Request::get(format!("{path}/lines/{}", lines[0]["id"])),
                    &caller,
                );
                if !seen {
                    for answer in [&list, &whole, &one] {
                        refused(answer, &format!("see the lines of {path}"), &caller);
                    }
                    continue;
                }
                let ids = |rows: &Value| -> BTreeSet<String> {
                    rows.as_array().unwrap().iter().map(|row| row["id"].to_string()).collect()
                };
                let wanted: BTreeSet<String> =
                    lines.iter().map(|line| line["id"].clone()).collect();
                assert_eq!(ids(&list.expect(200).json()["data"]), wanted, "{path} as {caller:?}");
                assert_eq!(ids(&whole.expect(200).json()["lines"]), wanted, "{path} as {caller:?}");
                assert_eq!(one.expect(200).json()["id"].to_string(), lines[0]["id"]);
                // A line of another invoice is not one of this.
                let foreign = shop.lines.iter().find(|line| &line["invoice"] != id).unwrap();
                let answer = send(
                    &mut client,
                    Request::get(format!("{path}/lines/{}", foreign["id"])),
                    &caller,
                );
                answer.expect(404);
            }
        }
    });
}

/// What is included is seen as it would be seen by itself: whole, in part, or as its bare key.
#[test]
fn an_included_row_is_seen_as_by_itself() {
    both(|| {
        let _turn = beside();
        let mut random = Random::seeded("oracle, include");
        let shop = Shop::open();
        let mut client = shop.server.client();
        for caller in callers() {
            for customer in pick(&shop.customers.rows, 30, &mut random) {
                if shop.customers.read(&caller, customer) == Reach::Nothing {
                    continue;
                }
                let target = format!("/v1/customers/{}?include=support_agent", customer["id"]);
                let answer = send(&mut client, Request::get(&target), &caller).expect(200);
                let agent = &answer.json()["support_agent"];
                let row = shop
                    .employees
                    .rows
                    .iter()
                    .find(|row| row["id"] == customer["support_agent"])
                    .unwrap();
                match shop.employees.read(&caller, row) {
                    Reach::Nothing => {
                        assert_eq!(agent.to_string(), row["id"], "{answer} as {caller:?}");
                    }
                    reach => super::same(agent.as_object().unwrap(), row, &reach, &target, &caller),
                }
            }
            for invoice in pick(&shop.invoices.rows, 30, &mut random) {
                if shop.invoices.read(&caller, invoice) == Reach::Nothing {
                    continue;
                }
                let target =
                    format!("/v1/invoices/{}?include=customer.support_agent", invoice["id"]);
                let answer = send(&mut client, Request::get(&target), &caller).expect(200);
                let customer = &answer.json()["customer"];
                let row = shop
                    .customers
                    .rows
                    .iter()
                    .find(|row| row["id"] == invoice["customer"])
                    .unwrap();
                if shop.customers.read(&caller, row) == Reach::Nothing {
                    assert_eq!(customer.to_string(), row["id"], "{answer} as {caller:?}");
                    continue;
                }
                let staff = shop
                    .employees
                    .rows
                    .iter()
                    .find(|staff| staff["id"] == row["support_agent"])
                    .unwrap();
                match shop.employees.read(&caller, staff) {
                    Reach::Nothing => {
                        assert_eq!(customer["support_agent"].to_string(), staff["id"], "{answer}");
                    }
                    reach => {
                        let seen = customer["support_agent"].as_object().unwrap();
                        super::same(seen, staff, &reach, &target, &caller);
                    }
                }
            }
        }
    });
}

/// Who may create what, and with which owner.
#[test]
fn creation_agrees_with_the_rules_read_by_hand() {
    both(|| {
        let _turn = beside();
        let shop = Shop::open();
        let mut client = shop.server.client();
        let customer = |number: usize, agent: Option<i64>| {
            json!({
                "first_name": "New", "last_name": "Customer", "email": format!("new{number}@example.org"),
                "support_agent": agent,
            })
        };
        let invoice = |customer: i64| json!({ "customer": customer, "lines": [{ "track": 1, "unit_price": "0.99", "quantity": 2 }] });
        for (number, caller) in callers().iter().enumerate() {
            for agent in [Some(3), Some(4), None] {
                let body = customer(number * 10 + agent.unwrap_or(0) as usize, agent);
                let answer = send(&mut client, Request::post("/v1/customers", &body), caller);
                let own = agent.is_some_and(|agent| caller.is_row(&agent.to_string()));
                let may = caller.is("manager") || (caller.is("agent") && own);
                decide(&answer, may, &format!("create a customer of {agent:?}"), caller);
            }
            for customer in [1, 4, 5] {
                let answer =
                    send(&mut client, Request::post("/v1/invoices", &invoice(customer)), caller);
                let agent = &shop.invoices.agents[&customer.to_string()];
                let may = caller.is("manager") || (caller.is("agent") && caller.is_row(agent));
                decide(&answer, may, &format!("create an invoice of {customer}"), caller);
            }
            let genre = json!({ "name": format!("Genre {number}") });
            let answer = send(&mut client, Request::post("/v1/genres", &genre), caller);
            decide(&answer, caller.is("manager"), "create a genre", caller);
        }
    });
}

fn decide(answer: &crate::harness::Answer, may: bool, what: &str, caller: &Caller) {
    if may {
        assert_eq!(answer.status, 201, "{caller:?} may {what}, and got {answer}");
    } else {
        // A row that would refer to what the caller may not see: refused for that reason, which is as good.
        assert!(
            matches!(answer.status, 401 | 403 | 404 | 405 | 422),
            "{caller:?} must not {what}, and got {answer}"
        );
        answer.expect_problem();
    }
}

/// A manager deletes; what is still referred to stays.
#[test]
fn a_manager_deletes_what_nothing_refers_to() {
    both(|| {
        let _turn = beside();
        let shop = Shop::open();
        let manager = Caller::new(&["manager"], Some("1"));
        let mut client = shop.server.client();
        send(&mut client, Request::delete("/v1/invoices/1"), &manager).expect(204);
        send(&mut client, Request::get("/v1/invoices/1"), &manager).expect(404);
        send(&mut client, Request::get("/v1/invoices/1/lines"), &manager).expect(404);
        for referred in
            ["/v1/artists/1", "/v1/customers/2", "/v1/genres/1", "/v1/tracks/2", "/v1/employees/1"]
        {
            let answer = send(&mut client, Request::delete(referred), &manager).expect(409);
            answer.expect_problem();
            send(&mut client, Request::get(referred), &manager).expect(200);
        }
        // `on delete clear`: the customers of an agent who left have nobody yet. Those who report to her must go first.
        let before = shop.server.all(&manager.token, "/v1/customers?support_agent=5").len();
        assert_eq!(before, 18);
        send(&mut client, Request::delete("/v1/employees/5"), &manager).expect(204);
        let cleared =
            shop.server.all(&manager.token, "/v1/customers?support_agent[null]=true").len();
        assert_eq!(cleared, before);
    });
}

/// Queries, with and without their optional parameter, agree with the files.
#[test]
fn queries_agree_with_the_files() {
    both(|| {
        let _turn = beside();
        let shop = Shop::open();
        let track = &shop.catalogue[5].rows;
        let count = |target: &str| shop.server.all("", target).len();
        let files = |of: &dyn Fn(&Row) -> bool| track.iter().filter(|row| of(row)).count();
        for genre in ["1", "7", "25", "4711"] {
            let all = files(&|row| row["genre"] == genre);
            assert_eq!(count(&format!("/v1/tracks-by-genre?genre={genre}")), all, "genre {genre}");
            for media in ["1", "5"] {
                let some = files(&|row| row["genre"] == genre && row["media_type"] == media);
                let target = format!("/v1/tracks-by-genre?genre={genre}&media_type={media}");
                assert_eq!(count(&target), some, "{target}");
            }
        }
        for album in ["1", "141"] {
            let all = files(&|row| row["album"] == album);
            assert_eq!(count(&format!("/v1/tracks-of-album?album={album}")), all, "album {album}");
        }
        let albums = shop.catalogue[1].rows.iter().filter(|row| row["artist"] == "90").count();
        assert_eq!(count("/v1/albums-of-artist?artist=90"), albums);
        // Without what it needs, or with what it does not know, it is refused.
        for odd in [
            "/v1/tracks-by-genre",
            "/v1/tracks-by-genre?genre=1&nope=1",
            "/v1/tracks-by-genre?genre=x",
        ] {
            shop.server.send(&Request::get(odd)).expect_problem();
        }
    });
}
