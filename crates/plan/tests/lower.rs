//! What intents become: the decisions that need no store, as data.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

use std::fmt::Write as _;
use std::sync::Arc;

use expect_test::{Expect, expect};
use model::Valid;
use operation::{Fault, Operation, Write, parse_json};
use plan::{Caller, Filter, FilterOperator, Intent, List, Plan, Roles, Shape, Source};

const SHOP: &str = r#"
/// A shop.
app Shop { version 1  roles customer, clerk, manager  surface rest }

auth { users Customer by email as customer }

entity Product {
  key sku: String(3..10)
  name:    String(1..20)
  price:   Money(EUR)
  stock:   Int(0..) = 0
  cost:    Money(EUR)?
  state:   enum { draft, live } = draft
  index (state, name)
  check .price > 0.00 "A price is above zero"
  allow read name, price, state, stock to anyone when .state == live
  allow read, create            to clerk, manager
  allow update name, stock      to clerk when .state == draft
  allow update                  to manager
}

entity Customer {
  key id: Uuid
  email:  Email unique
  name:   String(1..20) = "nobody"
  allow read to customer when .id == caller.id
  allow read to clerk
}

entity Order {
  key id:   Uuid
  customer: Customer
  note:     String(0..20)?
  total:    Money(EUR) := sum(lines, .price * .quantity)
  placed:   Timestamp = now
  index (customer, placed)
  allow read, create, update to customer when .customer == caller
  allow read to clerk
}

entity Line part of Order as lines (1..3) {
  product:  Product
  quantity: Int(1..100)
  price:    Money(EUR)
}

query recent_orders(customer: Customer, since: Timestamp?) -> Order {
  where .customer == customer and .placed >= since
  sort  -.placed
  page  2..5
  allow customer when customer == caller
  allow clerk
}
"#;

const ADA: &str = "00000000-0000-7000-8000-000000000001";
const BOB: &str = "00000000-0000-7000-8000-000000000002";

fn plan_of(source: &str) -> Plan {
    let parse = syntax::parse(syntax::FileId(0), source);
    assert!(parse.diagnostics.is_empty(), "{:?}", parse.diagnostics);
    let (model, diagnostics) = model::check(&[&parse]);
    let model = Valid::new(model, &diagnostics).unwrap_or_else(|| panic!("{diagnostics:?}"));
    let schema = schema::derive(&model, operation::Dialect::Sqlite);
    plan::compile(Arc::new(model), Arc::new(schema))
}

fn caller(plan: &Plan, role: &str, subject: &str) -> Caller {
    if role == "nobody" {
        return Caller::anonymous();
    }
    let position = plan.model().roles.iter().position(|r| r.name == role).unwrap();
    let roles = Roles::NONE.with(model::RoleId(u32::try_from(position).unwrap()));
    Caller { roles, subject: Some(subject.into()), authenticated: true }
}

fn entity(plan: &Plan, name: &str) -> model::EntityId {
    plan.model().entity_ids().find(|id| plan.model()[*id].name == name).unwrap()
}

fn describe(fault: &Fault) -> String {
    match fault {
        Fault::Invalid(violations) | Fault::Conflict(violations) => {
            let mut text = String::new();
            for violation in violations {
                let place =
                    violation.parameter.clone().unwrap_or_else(|| violation.pointer.clone());
                let _ = writeln!(
                    text,
                    "{} at {place:?}: {}",
                    violation.code.as_str(),
                    violation.detail
                );
            }
            text
        }
        other => format!("{other}\n"),
    }
}

/// Lowers and says what came of it: the row to be written, or every fault.
fn check(role: &str, intent: impl FnOnce(&Plan) -> Intent<'static>, expected: Expect) {
    let plan = plan_of(SHOP);
    let caller = caller(&plan, role, ADA);
    let text = match plan.lower(&intent(&plan), &caller, 1_000_000) {
        Err(fault) => describe(&fault),
        Ok(lowered) => match lowered.operation {
            Operation::Read { read, binds } => {
                format!("filter {:?}\norder {:?}\nbinds {binds:?}\n", read.filter, read.order)
                    .replace(" { depth: 0, column: ", "(")
            }
            Operation::Write(write) => match *write {
                Write::Create(create) => format!(
                    "row {:?}\nparts {:?}\nguard {:?}\n",
                    create.row.values,
                    create.parts.iter().flatten().map(|row| &row.values).collect::<Vec<_>>(),
                    create.guard
                ),
                Write::Edit(edit) => {
                    format!(
                        "set {:?}\nguard {:?}\nafter {:?}\n",
                        edit.set, edit.guard, edit.guard_after
                    )
                }
                Write::Delete(delete) => format!("guard {:?}\n", delete.guard),
                Write::Chore(chore) => format!("{chore:?}\n"),
                Write::Command(command) => {
                    format!("binds {:?}\nnamed {:?}\n", command.binds, command.named)
                }
            },
        },
    };
    expected.assert_eq(&text);
}

fn list(
    source: Source<'static>,
    filters: &[(&'static str, FilterOperator, &'static str)],
) -> List<'static> {
    List {
        source,
        filters: filters
            .iter()
            .map(|(field, operator, value)| Filter { field, operator: *operator, value })
            .collect(),
        sort: None,
        limit: None,
        after: None,
        shape: Shape::default(),
    }
}

fn create(name: &'static str, body: &'static str) -> impl FnOnce(&Plan) -> Intent<'static> {
    move |plan| Intent::Create {
        entity: entity(plan, name),
        body: parse_json(body.as_bytes()).unwrap(),
        shape: Shape::default(),
    }
}

fn patch(
    name: &'static str,
    key: &'static str,
    body: &'static str,
) -> impl FnOnce(&Plan) -> Intent<'static> {
    move |plan| Intent::Patch {
        entity: entity(plan, name),
        key,
        body: parse_json(body.as_bytes()).unwrap(),
        expected: None,
        shape: Shape::default(),
    }
}

#[test]
fn every_fault_of_a_body_is_found_at_once() {
    check(
        "clerk",
        create(
            "Product",
            r#"{"sku":"x","name":7,"price":"1.005","stock":-1,"state":"gone","owner":"me","row_version":3}"#,
        ),
        expect![[r#"
            out_of_bounds at "/sku": must be 3 to 10 characters, not 1
            wrong_type at "/name": must be a string, not a number
            wrong_format at "/price": must be a decimal number such as 12.50, with no more fraction digits than its type has
            out_of_bounds at "/stock": must be at least 0, not -1
            wrong_format at "/state": must be one of draft, live
            unknown_field at "/owner": there is no field `owner`; fields are: sku, name, price, stock, cost, state
            unknown_field at "/row_version": there is no field `row_version`; fields are: sku, name, price, stock, cost, state
        "#]],
    );
}

#[test]
fn what_is_missing_takes_its_default_or_is_a_fault() {
    check(
        "clerk",
        create("Product", r#"{"sku":"abc","price":"1.50"}"#),
        expect![[r#"
        required at "/name": `name` is required
    "#]],
    );
    check(
        "clerk",
        create("Product", r#"{"sku":"abc","name":"n","price":"1.50"}"#),
        expect![[r#"
        row [Text("abc"), Text("n"), Int(150), Int(0), Null, Text("draft"), Int(1)]
        parts []
        guard Always
    "#]],
    );
}

#[test]
fn a_rule_of_the_row_is_looked_at_before_the_store() {
    check(
        "clerk",
        create("Product", r#"{"sku":"abc","name":"n","price":"0.00"}"#),
        expect![[r#"
        check_failed at "/price": A price is above zero
    "#]],
    );
}

#[test]
fn totals_are_computed_from_the_parts() {
    check(
        "customer",
        create(
            "Order",
            r#"{"id":"00000000-0000-7000-8000-00000000000a","customer":"00000000-0000-7000-8000-000000000001",
                "lines":[{"product":"abc","quantity":3,"price":"0.50"},{"product":"abd","quantity":1,"price":"2.00"}]}"#,
        ),
        expect![[r#"
            row [Uuid([0, 0, 0, 0, 0, 0, 112, 0, 128, 0, 0, 0, 0, 0, 0, 10]), Uuid([0, 0, 0, 0, 0, 0, 112, 0, 128, 0, 0, 0, 0, 0, 0, 1]), Null, Int(350), Int(1000000), Int(1)]
            parts [[Uuid([0, 0, 0, 0, 0, 0, 112, 0, 128, 0, 0, 0, 0, 0, 0, 10]), Int(1), Text("abc"), Int(3), Int(50)], [Uuid([0, 0, 0, 0, 0, 0, 112, 0, 128, 0, 0, 0, 0, 0, 0, 10]), Int(2), Text("abd"), Int(1), Int(200)]]
            guard Always
        "#]],
    );
}

#[test]
fn nobody_creates_for_somebody_else() {
    check(
        "customer",
        create(
            "Order",
            r#"{"customer":"00000000-0000-7000-8000-000000000002","lines":[{"product":"abc","quantity":1,"price":"1.00"}]}"#,
        ),
        expect![[r#"
            forbidden: your roles do not allow you to create Order with these values
        "#]],
    );
}

#[test]
fn parts_have_bounds_and_faults_have_places() {
    check(
        "customer",
        create("Order", r#"{"customer":"x","lines":[]}"#),
        expect![[r#"
        wrong_format at "/customer": must be a UUID such as 018f4e5a-7b3c-7def-8123-456789abcdef
        out_of_bounds at "/lines": must have 1 to 3 items, not 0
    "#]],
    );
    check(
        "customer",
        create(
            "Order",
            r#"{"customer":"00000000-0000-7000-8000-000000000001","total":"1.00","lines":[{"product":"abc","quantity":0,"price":"1.00","position":1},5]}"#,
        ),
        expect![[r#"
            read_only at "/total": `total` is computed
            out_of_bounds at "/lines/0/quantity": must be 1 to 100, not 0
            read_only at "/lines/0/position": `position` is the place in the array, counted by the server
            wrong_type at "/lines/1": must be an object, not a number
        "#]],
    );
}

#[test]
fn strangers_are_asked_for_a_token_and_others_are_forbidden() {
    check(
        "nobody",
        create("Product", r#"{}"#),
        expect![[r#"
        unauthenticated: a token is needed to create Product
    "#]],
    );
    check(
        "customer",
        create("Product", r#"{}"#),
        expect![[r#"
        forbidden: your roles do not allow you to create Product
    "#]],
    );
    check(
        "nobody",
        |plan| Intent::List(list(Source::Entity(entity(plan, "Order")), &[])),
        expect![[r#"
        unauthenticated: a token is needed to read Order
    "#]],
    );
}

#[test]
fn a_field_policy_covers_only_its_fields() {
    check(
        "clerk",
        patch("Product", "abc", r#"{"name":"n","price":"1.00"}"#),
        expect![[r#"
        field_forbidden at "/price": your roles do not allow you to write `price`
    "#]],
    );
    check(
        "clerk",
        patch("Product", "abc", r#"{"name":"n"}"#),
        expect![[r#"
        set [SetColumn { column: 1, value: Text("n"), named: false }]
        guard When(Compare(Equal, Column { depth: 0, column: 5 }, Literal(Text("draft"))))
        after Always
    "#]],
    );
    check(
        "manager",
        patch("Product", "abc", r#"{"price":"1.00","cost":null}"#),
        expect![[r#"
        set [SetColumn { column: 2, value: Int(100), named: false }, SetColumn { column: 4, value: Null, named: false }]
        guard Always
        after Always
    "#]],
    );
}

#[test]
fn a_grant_that_speaks_of_the_caller_holds_before_and_after() {
    check(
        "customer",
        patch("Order", BOB, r#"{"note":"x"}"#),
        expect![[r#"
        set [SetColumn { column: 2, value: Text("x"), named: false }]
        guard When(Compare(Equal, Column { depth: 0, column: 1 }, Bind(0)))
        after When(Compare(Equal, Column { depth: 0, column: 1 }, Bind(0)))
    "#]],
    );
}

#[test]
fn a_key_that_cannot_be_one_names_no_row() {
    check(
        "clerk",
        |plan| Intent::Read {
            entity: entity(plan, "Order"),
            key: "1 or 1=1",
            shape: Shape::default(),
        },
        expect![[r#"
        not found
    "#]],
    );
}

#[test]
fn a_field_that_may_not_be_read_is_no_filter_and_no_order() {
    let unreadable =
        [("sku", FilterOperator::Equal, "abc"), ("cost", FilterOperator::Equal, "1.00")];
    check(
        "nobody",
        move |plan| Intent::List(list(Source::Entity(entity(plan, "Product")), &unreadable)),
        expect![[r#"
            unknown_parameter at "cost": there is no parameter `cost`; parameters are: sku, name, state, include, fields, limit, after, sort
        "#]],
    );
    check(
        "nobody",
        |plan| {
            Intent::List(List {
                sort: Some("cost,-name,name"),
                ..list(Source::Entity(entity(plan, "Product")), &[])
            })
        },
        expect![[r#"
            not_sortable at "sort": `cost` cannot be sorted by; what can: sku, name, state
            not_sortable at "sort": `name` is named twice
        "#]],
    );
}

#[test]
fn an_empty_list_matches_nothing() {
    check(
        "nobody",
        |plan| {
            Intent::List(list(
                Source::Entity(entity(plan, "Product")),
                &[("state", FilterOperator::In, "")],
            ))
        },
        expect![[r#"
            filter And([In(Column(5 }, []), Compare(Equal, Column(5 }, Literal(Text("live")))])
            order [Order { column: 0, descending: false }]
            binds [Int(20)]
        "#]],
    );
}

#[test]
fn a_query_drops_what_is_left_out() {
    let query = |arguments: Vec<(&'static str, &'static str)>| {
        move |_: &Plan| {
            Intent::List(list(Source::Query { query: model::QueryId(0), arguments }, &[]))
        }
    };
    check(
        "customer",
        query(vec![("customer", ADA)]),
        expect![[r#"
        filter And([Compare(Equal, Column(1 }, Bind(1)), Compare(Equal, Column(1 }, Bind(0))])
        order [Order { column: 4, descending: true }, Order { column: 0, descending: true }]
        binds [Uuid([0, 0, 0, 0, 0, 0, 112, 0, 128, 0, 0, 0, 0, 0, 0, 1]), Uuid([0, 0, 0, 0, 0, 0, 112, 0, 128, 0, 0, 0, 0, 0, 0, 1]), Int(2)]
    "#]],
    );
    check(
        "customer",
        query(vec![("customer", ADA), ("since", "2026-01-01T00:00:00Z")]),
        expect![[r#"
        filter And([Compare(Equal, Column(1 }, Bind(1)), Compare(GreaterOrEqual, Column(4 }, Bind(2)), Compare(Equal, Column(1 }, Bind(0))])
        order [Order { column: 4, descending: true }, Order { column: 0, descending: true }]
        binds [Uuid([0, 0, 0, 0, 0, 0, 112, 0, 128, 0, 0, 0, 0, 0, 0, 1]), Uuid([0, 0, 0, 0, 0, 0, 112, 0, 128, 0, 0, 0, 0, 0, 0, 1]), Int(1767225600000000), Int(2)]
    "#]],
    );
    check(
        "customer",
        query(vec![("customer", BOB)]),
        expect![[r#"
        forbidden: your roles do not allow you to ask this of somebody else's data
    "#]],
    );
    check(
        "customer",
        query(vec![("since", "yesterday"), ("until", "x")]),
        expect![[r#"
            unknown_parameter at "until": there is no parameter `until`; parameters are: customer, since, include, fields, limit, after
            required at "customer": `customer` is required
            wrong_format at "since": must be a moment with its offset (RFC 3339) such as 2026-11-21T17:30:00Z
        "#]],
    );
}

#[test]
fn pages_have_bounds() {
    check(
        "clerk",
        |plan| {
            Intent::List(List {
                limit: Some("101"),
                after: Some("nonsense"),
                ..list(Source::Entity(entity(plan, "Order")), &[])
            })
        },
        expect![[r#"
            out_of_bounds at "limit": must be a whole number from 1 to 100
            invalid_cursor at "after": the cursor was not given out for this list in this order; take `next` of the page before, with the same sort
        "#]],
    );
}

#[test]
fn includes_are_named_and_bounded() {
    let shaped = |include, fields| {
        move |plan: &Plan| Intent::Read {
            entity: entity(plan, "Order"),
            key: ADA,
            shape: Shape { include, fields },
        }
    };
    check(
        "clerk",
        shaped(Some("lines.product.x,customer.orders"), None),
        expect![[r#"
        not_includable at "include": `orders` cannot be included; nothing can be here
        not_includable at "include": `x` cannot be included; nothing can be here
    "#]],
    );
    check(
        "clerk",
        shaped(None, Some("id,nothing,lines")),
        expect![[r#"
        unknown_field at "fields": there is no field `nothing`; fields are: id, customer, note, total, placed
        unknown_field at "fields": there is no field `lines`; include it; fields are: id, customer, note, total, placed
    "#]],
    );
    check(
        "clerk",
        shaped(Some("a.b.c.d"), None),
        expect![[r#"
        not_includable at "include": `a.b.c.d` is deeper than 3 steps
    "#]],
    );
}

#[test]
fn a_page_continues_behind_its_cursor() {
    let plan = plan_of(SHOP);
    let clerk = caller(&plan, "clerk", ADA);
    let page = |after| {
        Intent::List(List {
            sort: Some("-placed"),
            after,
            ..list(Source::Entity(entity(&plan, "Order")), &[])
        })
    };
    let first = plan.lower(&page(None), &clerk, 0).unwrap();
    let plan::Reply::Page { cursor } = first.reply else { panic!("a list answers a page") };
    let values = [operation::Value::Int(5), operation::Value::Uuid([7; 16])];
    let next: &'static str = plan.cursor(&cursor, &values).leak();
    let second = plan.lower(&page(Some(next)), &clerk, 0).unwrap();
    let Operation::Read { binds, .. } = second.operation else { panic!("a list is a read") };
    assert_eq!(&binds[..2], &values);
    let stranger = Intent::List(List {
        after: Some(next),
        ..list(Source::Entity(entity(&plan, "Product")), &[])
    });
    assert!(matches!(plan.lower(&stranger, &clerk, 0), Err(Fault::Invalid(_))));
}

/// What another system sends is read against the event, every fault of it at once.
#[test]
fn what_arrives_is_read() {
    let text = r#"
app A { version 1  roles clerk }
entity Order { key id: Int }
record Item { sku: String(3..10)  count: Int(1..) }
event Paid from "payments.paid" by order {
  order:  Order
  amount: Money(EUR)
  method: enum { card, cash }
  items:  [Item](1..2)
  note:   String(0..5)?
}
event Own { order: Order }
"#;
    let parse = syntax::parse(syntax::FileId(0), text.to_owned());
    let (model, found) = model::check(&[&parse]);
    let model = Arc::new(Valid::new(model, &found).unwrap());
    let schema = Arc::new(schema::derive(&model, operation::Dialect::Sqlite));
    let plan = plan::compile(model, schema).with_broker();
    let [paid] = &*plan.foreign().collect::<Vec<_>>() else { panic!("one event is foreign") };
    assert_eq!((&*paid.name, &*paid.address), ("Paid", "payments.paid"));
    assert_eq!(plan.heard("Own"), [operation::BROKER.into()]);
    assert!(plan.heard("Paid").is_empty());
    let told = |json: &str| {
        let tree = parse_json(json.as_bytes()).unwrap();
        match plan.arrived(paid.event, &tree, 0) {
            Ok((data, key)) => format!("{key:?} {data}"),
            Err(found) => {
                let each = found.iter().map(|it| format!("{}: {}", it.pointer, it.detail));
                each.collect::<Vec<_>>().join("\n")
            }
        }
    };
    let whole = r#"{"order": 7, "amount": "12.50", "method": "card", "items": [{"sku": "mug", "count": 2}], "new": {}}"#;
    expect![[r#"Text("7") {"order":7,"amount":"12.50","method":"card","items":[{"sku":"mug","count":2}],"note":null}"#]].assert_eq(&told(whole));
    expect![[r#"
        /order: must be a whole number, not a string
        /amount: must be a decimal number such as 12.50, with no more fraction digits than its type has
        /method: must be one of card, cash
        /items: must be 1 to 2 items, not 0
        /note: must be 0 to 5 characters, not 8"#]].assert_eq(&told(
        r#"{"order": "x", "amount": "12.505", "method": "gold", "items": [], "note": "too long"}"#,
    ));
    expect![[r#"
        /order: `order` is required
        /amount: `amount` is required
        /method: `method` is required
        /items: `items` is required"#]]
    .assert_eq(&told("{}"));
    expect![": must be an object, not an array"].assert_eq(&told("[]"));
}
