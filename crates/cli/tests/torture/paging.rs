//! Filters and pages, held against what the rows say themselves: on both databases, over values that are missing and that tie.

use std::cmp::Ordering;

use serde_json::{Value, json};

use crate::harness::{Project, Request, Server, beside, both, example, token};

const MODEL: &str = "
app Shelf { version 1  roles clerk  surface rest }

entity Item {
  key id: Int
  tag:    String(1..4)?
  rank:   Int
  note:   String(1..9)?

  index (tag, rank)
  index (rank)
  allow read, create to clerk
}
";

/// Not a multiple of any page's length.
const ROWS: i64 = 61;

/// A shelf, and what stands on it, by their keys.
fn shelf() -> (Project, Server, String, Vec<Value>) {
    let project = Project::of(MODEL);
    let server = project.serve();
    let clerk = token("clerk", None);
    let mut client = server.client();
    let tags = [None, Some("b"), Some("a"), None, Some("é"), Some("B")];
    for id in 1..=ROWS {
        let tag = tags[((id * 5 + id / 7) % 6) as usize];
        let body = json!({ "id": id, "tag": tag, "rank": id * 7 % 10 });
        client.send(&Request::post("/v1/items", &body).token(&clerk)).unwrap().expect(201);
    }
    let rows = server.all(&clerk, "/v1/items");
    assert_eq!(rows.len() as i64, ROWS);
    (project, server, clerk, rows)
}

fn ids(rows: &[Value]) -> Vec<i64> {
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

/// All rows of a list, so many at a time.
fn paged(server: &Server, clerk: &str, sort: &str, limit: usize) -> Vec<Value> {
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let target = format!("/v1/items?sort={sort}&limit={limit}{after}");
        let mut page = server.send(&Request::get(target).token(clerk)).expect(200).json();
        let Value::Array(data) = page["data"].take() else { panic!("{page}") };
        assert!(data.len() <= limit && rows.len() <= ROWS as usize, "{sort}: no end");
        rows.extend(data);
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return rows,
        }
    }
}

/// How two rows stand to each other in an order: what is missing comes first, and last where the order is turned.
fn order(sort: &str, a: &Value, b: &Value) -> Ordering {
    sort.split(',').fold(Ordering::Equal, |so_far, term| {
        let name = term.trim_start_matches('-');
        let by = match name {
            "tag" => a["tag"].as_str().cmp(&b["tag"].as_str()),
            _ => a[name].as_i64().cmp(&b[name].as_i64()),
        };
        so_far.then(if term.starts_with('-') { by.reverse() } else { by })
    })
}

#[test]
fn pages_are_one_list_in_any_order() {
    both(|| {
        let _turn = beside();
        let (_project, server, clerk, _) = shelf();
        for sort in ["id", "-id", "rank", "-rank", "tag", "-tag", "tag,rank", "-tag,-rank"] {
            let whole = paged(&server, &clerk, sort, 100);
            for limit in [1, 7, 60] {
                let pieces = paged(&server, &clerk, sort, limit);
                assert_eq!(ids(&pieces), ids(&whole), "{sort} by {limit}");
            }
            let mut keys = ids(&whole);
            keys.sort_unstable();
            assert_eq!(keys, (1..=ROWS).collect::<Vec<_>>(), "{sort}");
            for two in whole.windows(2) {
                assert_ne!(order(sort, &two[0], &two[1]), Ordering::Greater, "{sort}: {two:?}");
            }
        }
    });
}

#[test]
fn filters_find_what_they_say() {
    both(|| {
        let _turn = beside();
        let (_project, server, clerk, rows) = shelf();
        let rank = |row: &Value| row["rank"].as_i64().unwrap();
        let tag = |row: &Value| row["tag"].as_str().map(str::to_owned);
        type Holds<'h> = &'h dyn Fn(&Value) -> bool;
        let filters: [(&str, Holds<'_>); 15] = [
            ("rank=4", &|row| rank(row) == 4),
            ("rank[eq]=4", &|row| rank(row) == 4),
            ("rank[ne]=4", &|row| rank(row) != 4),
            ("rank[lt]=4", &|row| rank(row) < 4),
            ("rank[lte]=4", &|row| rank(row) <= 4),
            ("rank[gt]=4", &|row| rank(row) > 4),
            ("rank[gte]=4", &|row| rank(row) >= 4),
            ("rank[in]=4,7", &|row| [4, 7].contains(&rank(row))),
            ("rank[gt]=2&rank[lt]=6", &|row| (3..6).contains(&rank(row))),
            ("id[in]=1,61,62", &|row| [1, 61].contains(&row["id"].as_i64().unwrap())),
            ("tag[null]=true", &|row| tag(row).is_none()),
            ("tag[null]=false", &|row| tag(row).is_some()),
            ("tag=a", &|row| tag(row).as_deref() == Some("a")),
            ("tag[gte]=b", &|row| tag(row).is_some_and(|tag| *tag >= *"b")),
            ("tag=b&rank[gte]=5", &|row| tag(row).as_deref() == Some("b") && rank(row) >= 5),
        ];
        for (filter, holds) in filters {
            let found = server.all(&clerk, &format!("/v1/items?{filter}"));
            let wanted: Vec<Value> = rows.iter().filter(|row| holds(row)).cloned().collect();
            assert!(!wanted.is_empty() && wanted.len() < rows.len(), "{filter} tells nothing");
            let sorted = |rows: &[Value]| {
                let mut ids = ids(rows);
                ids.sort_unstable();
                ids
            };
            assert_eq!(sorted(&found), sorted(&wanted), "{filter}");
        }
        // What has no index is not looked for; what can be is named.
        let refused = server.send(&Request::get("/v1/items?note=a").token(&clerk)).expect(400);
        let error = &refused.json()["errors"][0];
        assert_eq!(
            (&error["code"], &error["parameter"]),
            (&"not_filterable".into(), &"note".into())
        );
        assert!(error["detail"].as_str().unwrap().contains("id, tag, rank"), "{error}");
    });
}

/// The record shop with all its rows, and its manager.
fn record_shop() -> (Project, Server, String) {
    let project = Project::example("chinook");
    project.load(&example("chinook").join("data"));
    let server = project.serve();
    (project, server, token("manager", Some("1")))
}

/// What a row is compared by, a number or a text: what is missing is the least.
fn value<'r>(row: &'r Value, field: &str) -> (Option<i64>, Option<&'r str>) {
    (row[field].as_i64(), row[field].as_str())
}

/// A value as it stands in an address.
fn spelt(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// How two rows stand to each other: by the terms, and by the key in the direction of the last of them.
fn by_terms(sort: &str, a: &Value, b: &Value) -> Ordering {
    let last = sort.rsplit(',').next().unwrap_or_default();
    let key = if last.starts_with('-') { "-id" } else { "id" };
    sort.split(',').chain([key]).fold(Ordering::Equal, |so_far, term| {
        let field = term.trim_start_matches('-');
        let by = value(a, field).cmp(&value(b, field));
        so_far.then(if term.starts_with('-') { by.reverse() } else { by })
    })
}

/// A sorted list, seven rows at a time: a number that divides none of the counts.
fn by_sevens(server: &Server, token: &str, target: &str, count: usize) -> Vec<Value> {
    let mut client = server.client();
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let target = format!("{target}&limit=7{after}");
        let answer = client.send(&Request::get(&target).token(token)).unwrap().expect(200);
        let mut page = answer.json();
        let Value::Array(data) = page["data"].take() else { panic!("no data: {answer}") };
        let next = page["next"].as_str();
        // Only the last page is short.
        assert_eq!(data.len(), if next.is_some() { 7 } else { count % 7 }, "{target}");
        rows.extend(data);
        assert!(rows.len() <= count, "{target}: no end");
        match next {
            Some(next) => after = format!("&after={next}"),
            None => return rows,
        }
    }
}

#[test]
fn pages_of_the_record_shop_are_one_list_in_any_order() {
    both(|| {
        let _turn = beside();
        let (_project, server, manager) = record_shop();
        // The files leave no customer without an agent; now a page of seven ends among those who have none.
        for id in (1..=59).step_by(5) {
            let nobody =
                Request::patch(format!("/v1/customers/{id}"), &json!({ "support_agent": null }));
            server.send(&nobody.token(&manager)).expect(200);
        }
        let unattended = server.all(&manager, "/v1/customers?support_agent[null]=true");
        assert_eq!(unattended.len(), 12);
        let invoices = [
            "id",
            "-id",
            "date",
            "-date",
            "customer",
            "-customer",
            "billing_country",
            "billing_country,-date",
        ];
        let customers =
            ["support_agent", "-support_agent", "-support_agent,last_name", "country", "-country"];
        let employees = ["reports_to", "-reports_to", "-last_name"];
        let lists: [(&str, usize, &[&str]); 3] = [
            ("/v1/invoices", 412, &invoices),
            ("/v1/customers", 59, &customers),
            ("/v1/employees", 8, &employees),
        ];
        for (path, count, sorts) in lists {
            let mut wanted = server.all(&manager, path);
            assert_eq!(wanted.len(), count, "{path}");
            for sort in sorts {
                wanted.sort_by(|a, b| by_terms(sort, a, b));
                let target = format!("{path}?sort={sort}");
                let whole = server.all(&manager, &target);
                assert_eq!(ids(&whole), ids(&wanted), "{target}");
                let pieces = by_sevens(&server, &manager, &target, count);
                assert_eq!(ids(&pieces), ids(&whole), "{target} by sevens");
                assert!(pieces == whole, "{target}: a row is another where pages are short");
            }
        }
    });
}

#[test]
fn filters_of_the_record_shop_find_what_they_say() {
    both(|| {
        let _turn = beside();
        let (_project, server, manager) = record_shop();
        let rows = server.all(&manager, "/v1/invoices");
        assert_eq!(rows.len(), 412);
        let check = |filter: &str, holds: &dyn Fn(&Value) -> bool| {
            let wanted: Vec<Value> = rows.iter().filter(|row| holds(row)).cloned().collect();
            assert!(!wanted.is_empty() && wanted.len() < rows.len(), "{filter} tells nothing");
            let found = server.all(&manager, &format!("/v1/invoices?{filter}"));
            assert_eq!(ids(&found), ids(&wanted), "{filter}");
        };
        type Operator = (&'static str, fn(Ordering) -> bool);
        let operators: [Operator; 7] = [
            ("", Ordering::is_eq),
            ("[eq]", Ordering::is_eq),
            ("[ne]", Ordering::is_ne),
            ("[gt]", Ordering::is_gt),
            ("[gte]", Ordering::is_ge),
            ("[lt]", Ordering::is_lt),
            ("[lte]", Ordering::is_le),
        ];
        let middle = rows.iter().rfind(|row| row["billing_country"] == "France").unwrap();
        for field in ["id", "date", "billing_country"] {
            for (operator, holds) in operators {
                let filter = format!("{field}{operator}={}", spelt(&middle[field]));
                check(&filter, &|row| holds(value(row, field).cmp(&value(middle, field))));
            }
        }
        // Where something leads has no order, and is the same or is not.
        check("customer=2", &|row| row["customer"] == 2);
        check("customer[ne]=2", &|row| row["customer"] != 2);
        // Each list names what is there, and one that is not.
        for (field, list) in [
            ("id", "1,137,412,9999"),
            ("date", "2021-01-01T00:00:00Z,2023-06-24T00:00:00Z,1999-12-31T00:00:00Z"),
            ("billing_country", "France,Germany,Atlantis"),
            ("customer", "2,59,9999"),
        ] {
            let items: Vec<&str> = list.split(',').collect();
            let is_listed = |row: &Value| items.contains(&spelt(&row[field]).as_str());
            check(&format!("{field}[in]={list}"), &is_listed);
        }
        let (from, until) = ("2022-01-01T00:00:00Z", "2023-01-01T00:00:00Z");
        check(&format!("date[gte]={from}&date[lt]={until}"), &|row| {
            (Some(from)..Some(until)).contains(&row["date"].as_str())
        });
    });
}
