//! What is public of a small model: its routes, who may take them, and what a body must be.

#![expect(clippy::panic, reason = "a test that cannot go on says so")]

use std::fmt::Write as _;

use contract::{Contract, Grant};
use expect_test::{Expect, expect};
use model::Valid;

const SHOP: &str = r#"
/// A shop.
app Shop { version 2  roles customer, clerk  surface rest }

auth { users Customer by email as customer }

entity SalesPerson {
  key id: Int = auto
  name:   String(1..20) secret
  boss:   SalesPerson?
  rating: Decimal(4, 1) = 1.5
  level:  enum { low, high } = low
  index (level)
  allow read                 to anyone
  allow create, delete       to clerk
  allow update name          to clerk
}

entity Customer {
  key id: Uuid
  email:  Email unique
  allow read to customer when .id == caller.id
}

entity Order {
  key id:   Uuid
  customer: Customer
  note:     String(0..20)? pattern "[a-z]*"
  total:    Money(EUR) := sum(lines, .price)
  placed:   Timestamp immutable
  allow read, create, update to customer when .customer == caller
}

entity Line part of Order as lines (1..3) {
  price: Money(EUR)
}

entity Vault {
  key id: Uuid
  text: String(1..5)
}

query recent_orders(customer: Customer, since: Timestamp?) -> Order {
  where .customer == customer and .placed >= since
  sort  -.placed
  page  2..5
  allow customer when customer == caller
}
"#;

/// Commands of every kind, in two services.
const COMMANDS: &str = r#"
app Shop { version 1  roles customer, clerk  surface rest }

auth { users Customer by email as customer }

service sales {
  entity Customer {
    key id: Uuid
    email:  Email unique
  }

  entity Order {
    key id:   Uuid
    customer: Customer
    status:   enum { pending, paid } = pending
    allow read, create to clerk
  }

  entity Line part of Order as lines (1..3) {
    quantity: Int(1..100)
  }

  entity Coupon {
    key code: String(3..10)
    used:     Bool = false
  }

  record Basket { sku: String(3..40)  quantity: Int(1..100) = 1 }

  /// Somebody else was faster.
  error OutOfStock 409 "Only {left} of {sku} are left" { sku: String  left: Int }
  error TooLate 409 "The day is over"
  error Unpaid 402 "{what} is not paid" { what: String  price: Money(EUR)? }

  /// Takes the goods out of stock.
  command place_order(basket: [Basket](1..50), note: String(0..20)?) -> Order {
    allow customer
    for item in basket {
      if item.quantity > 10 { require false else OutOfStock { sku: item.sku, left: 10 } }
      else { run close_day() }
    }
    return create Order { customer: caller }
  }

  command close_day() {
    allow clerk
    require false else TooLate {}
  }

  command mark_paid(order: Order) { allow system  update order { status: paid } }

  command cancel(order: Order, reason: String(1..20)) -> Order? {
    allow customer when order.customer == caller
    allow clerk
    require order.status == pending else Unpaid { what: "It", price: null }
    run mark_paid(order) later
    return null
  }

  /// Where a coupon is not public, what is done to it may be.
  command redeem(coupon: Coupon) -> Coupon { allow anyone  update coupon { used: true }  return coupon }

  command create_order(order: Order?, baskets: [Basket]) -> [Basket] {
    allow clerk
    return baskets
  }
}

service shipping {
  error TooLate 409 "Too late to ship"
  command pack(order: sales.Order) -> Int { allow clerk  require false else TooLate {}  return 1 }
  command place_order() { allow clerk }
}
"#;

fn contract_of(source: &str) -> Contract {
    let parse = syntax::parse(syntax::FileId(0), source);
    assert!(parse.diagnostics.is_empty(), "{:?}", parse.diagnostics);
    let (model, diagnostics) = model::check(&[&parse]);
    let model = Valid::new(model, &diagnostics).unwrap_or_else(|| panic!("{diagnostics:?}"));
    contract::derive(&model)
}

#[track_caller]
fn check(actual: &str, expected: &Expect) {
    expected.assert_eq(actual);
}

fn who(grant: &Grant) -> String {
    if grant.anyone { "anyone".to_owned() } else { grant.roles.join(" ") }
}

#[test]
fn routes_are_those_that_some_allow_grants() {
    let contract = contract_of(SHOP);
    let mut out = String::new();
    for resource in contract.resources.iter().filter(|resource| !resource.is_hidden()) {
        let _ = writeln!(out, "{}", resource.item_path);
        for (what, grant) in [
            ("read", &resource.read),
            ("create", &resource.create),
            ("update", &resource.update),
            ("replace", &resource.replace),
            ("delete", &resource.delete),
        ] {
            if !grant.is_empty() {
                let _ = writeln!(out, "  {what}: {}", who(grant));
            }
        }
        for filter in &resource.filters {
            let _ = writeln!(out, "  filter {}: {}", filter.field, filter.operators.join(" "));
        }
        if !resource.includes.is_empty() {
            let _ = writeln!(out, "  include {}", resource.includes.join(", "));
        }
    }
    for route in &contract.queries {
        let names: Vec<_> =
            route.parameters.iter().map(|p| (p.name.as_str(), p.required)).collect();
        let _ = writeln!(
            out,
            "{} {names:?} {}..{} {}",
            route.path,
            route.page,
            route.page_maximum,
            who(&route.grant)
        );
    }
    check(
        &out,
        &expect![[r#"
        /v2/sales-people/{id}
          read: anyone
          create: clerk
          update: clerk
          delete: clerk
          filter id: eq ne lt lte gt gte in
          filter boss: eq ne in null
          filter level: eq ne in
          include boss, boss.boss, boss.boss.boss
        /v2/customers/{id}
          read: customer
          filter id: eq ne in
          filter email: eq ne lt lte gt gte in
        /v2/orders/{id}
          read: customer
          create: customer
          update: customer
          replace: customer
          filter id: eq ne in
          filter customer: eq ne in
          include customer, lines
        /v2/orders/{order}/lines/{position}
          read: customer
          create: customer
          update: customer
          replace: customer
          delete: customer
          filter position: eq ne lt lte gt gte in
        /v2/recent-orders [("customer", true), ("since", false)] 2..5 customer
    "#]],
    );
}

#[test]
fn bodies_hold_what_may_be_written() {
    let document = contract::openapi(&contract_of(SHOP));
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut out = String::new();
    for (name, schema) in schemas {
        if ["Violation", "Problem"].contains(&name.as_str()) {
            continue;
        }
        let _ = writeln!(out, "{name} required {}", schema["required"]);
        for (member, shape) in schema["properties"].as_object().into_iter().flatten() {
            let mut shape = shape.clone();
            shape.as_object_mut().unwrap().remove("description");
            let _ = writeln!(out, "  {member} {shape}");
        }
    }
    check(
        &out,
        &expect![[r##"
            SalesPerson required null
              id {"type":"integer","format":"int64","minimum":-9223372036854775808,"maximum":9223372036854775807,"readOnly":true}
              boss {"anyOf":[{"anyOf":[{"type":"integer","format":"int64","minimum":-9223372036854775808,"maximum":9223372036854775807},{"$ref":"#/components/schemas/SalesPerson"}]},{"type":"null"}]}
              rating {"type":"string","format":"decimal","pattern":"^-?[0-9]{1,19}\\.[0-9]{1}$"}
              level {"$ref":"#/components/schemas/SalesPersonLevel"}
            SalesPersonCreate required ["name"]
              name {"type":"string","pattern":"^[^\\u0000]*$","minLength":1,"maxLength":20,"writeOnly":true}
              boss {"type":["integer","null"],"format":"int64","minimum":-9223372036854775808,"maximum":9223372036854775807}
              rating {"type":"string","format":"decimal","pattern":"^-?[0-9]{1,3}(\\.[0-9]{1,1})?$","default":"1.5"}
              level {"$ref":"#/components/schemas/SalesPersonLevel","default":"low"}
            SalesPersonPatch required null
              name {"type":"string","pattern":"^[^\\u0000]*$","minLength":1,"maxLength":20,"writeOnly":true}
            Customer required null
              id {"type":"string","format":"uuid","pattern":"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"}
              email {"type":"string","pattern":"^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~À-ᙿᚁ-῿、-퟿-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$","maxLength":254}
            Order required null
              id {"type":"string","format":"uuid","pattern":"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"}
              customer {"anyOf":[{"type":"string","format":"uuid","pattern":"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"},{"$ref":"#/components/schemas/Customer"}]}
              note {"type":["string","null"],"maxLength":20}
              total {"type":"string","format":"decimal","pattern":"^-?[0-9]{1,19}\\.[0-9]{2}$","readOnly":true}
              placed {"type":"string","format":"date-time","pattern":"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"}
              lines {"type":"array","items":{"$ref":"#/components/schemas/Line"},"readOnly":true}
            OrderCreate required ["customer","placed","lines"]
              id {"type":"string","format":"uuid","pattern":"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"}
              customer {"type":"string","format":"uuid","pattern":"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"}
              note {"type":["string","null"],"pattern":"^(?:[a-z]*)$","maxLength":20}
              placed {"type":"string","format":"date-time","pattern":"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"}
              lines {"type":"array","items":{"type":"object","properties":{"price":{"type":"string","format":"decimal","pattern":"^-?[0-9]{1,16}(\\.[0-9]{1,2})?$","description":"An amount of EUR."}},"additionalProperties":false,"required":["price"]},"minItems":1,"maxItems":3}
            OrderPatch required null
              customer {"type":"string","format":"uuid","pattern":"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"}
              note {"type":["string","null"],"pattern":"^(?:[a-z]*)$","maxLength":20}
              lines {"type":"array","items":{"type":"object","properties":{"price":{"type":"string","format":"decimal","pattern":"^-?[0-9]{1,16}(\\.[0-9]{1,2})?$","description":"An amount of EUR."}},"additionalProperties":false,"required":["price"]},"minItems":1,"maxItems":3}
            OrderReplace required ["customer","lines"]
              customer {"type":"string","format":"uuid","pattern":"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"}
              note {"type":["string","null"],"pattern":"^(?:[a-z]*)$","maxLength":20}
              placed {"type":"string","format":"date-time","pattern":"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"}
              lines {"type":"array","items":{"type":"object","properties":{"price":{"type":"string","format":"decimal","pattern":"^-?[0-9]{1,16}(\\.[0-9]{1,2})?$","description":"An amount of EUR."}},"additionalProperties":false,"required":["price"]},"minItems":1,"maxItems":3}
            Line required null
              position {"type":"integer","format":"int64","minimum":1,"maximum":9223372036854775807,"readOnly":true}
              price {"type":"string","format":"decimal","pattern":"^-?[0-9]{1,19}\\.[0-9]{2}$"}
            LineCreate required ["price"]
              price {"type":"string","format":"decimal","pattern":"^-?[0-9]{1,16}(\\.[0-9]{1,2})?$"}
            LinePatch required null
              price {"type":"string","format":"decimal","pattern":"^-?[0-9]{1,16}(\\.[0-9]{1,2})?$"}
            LineReplace required ["price"]
              price {"type":"string","format":"decimal","pattern":"^-?[0-9]{1,16}(\\.[0-9]{1,2})?$"}
            SalesPersonLevel required null
        "##]],
    );
}

#[test]
fn a_document_is_made_only_of_what_it_holds() {
    for (source, hidden) in [(SHOP, "Vault"), (COMMANDS, "mark-paid")] {
        let document = contract::openapi(&contract_of(source));
        assert!(!document.to_string().contains(hidden));
        let ids: Vec<_> = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|item| item.as_object().unwrap().values())
            .filter_map(|operation| operation.get("operationId")?.as_str())
            .collect();
        let mut once = ids.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), ids.len(), "{ids:?}");
    }
}

#[test]
fn commands_stand_below_the_row_they_are_done_to() {
    let contract = contract_of(COMMANDS);
    let mut out = String::new();
    for route in &contract.commands {
        let names: Vec<_> =
            route.parameters.iter().map(|p| (p.name.as_str(), p.required)).collect();
        let raises: Vec<_> =
            route.raises.iter().map(|id| contract.error(*id).code.as_str()).collect();
        let _ = writeln!(out, "{} {} {names:?}", route.path, route.body);
        let _ = writeln!(out, "  for {:?}; raises {raises:?}", who(&route.grant));
        if let Some(answer) = &route.answer {
            let _ = writeln!(out, "  {:?} or null: {}", answer.shape, answer.nullable);
        }
    }
    check(
        &out,
        &expect![[r#"
        /v1/place-order PlaceOrderBody [("basket", true), ("note", false)]
          for "customer"; raises ["out_of_stock", "too_late"]
          Reference { target: EntityId(1), key: Uuid } or null: false
        /v1/close-day CloseDayBody []
          for "clerk"; raises ["too_late"]
        /v1/orders/{id}/mark-paid MarkPaidBody []
          for ""; raises []
        /v1/orders/{id}/cancel CancelBody [("reason", true)]
          for "customer clerk"; raises ["unpaid"]
          Reference { target: EntityId(1), key: Uuid } or null: true
        /v1/coupons/{code}/redeem RedeemBody []
          for "anyone"; raises []
          Reference { target: EntityId(3), key: Text { least: 3, greatest: Some(10), pattern: None } } or null: false
        /v1/create-order CreateOrderBody [("order", false), ("baskets", true)]
          for "clerk"; raises []
          List { item: Record(RecordId(0)), least: 0, greatest: None } or null: false
        /v1/pack PackBody [("order", true)]
          for "clerk"; raises ["shipping_too_late"]
          Integer { least: -9223372036854775808, greatest: 9223372036854775807 } or null: false
        /v1/shipping-place-order ShippingPlaceOrderBody []
          for "clerk"; raises []
    "#]],
    );
}

#[test]
fn commands_are_described_as_they_are_called() {
    let document = contract::openapi(&contract_of(COMMANDS));
    let mut out = String::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let operation = &item["post"];
        if operation["operationId"] == "create_order" || operation.is_null() {
            continue;
        }
        let _ = writeln!(out, "POST {path} {}", operation["operationId"]);
        for parameter in item["parameters"].as_array().into_iter().flatten() {
            let _ = writeln!(out, "  {} in {}", parameter["name"], parameter["in"]);
        }
        let body = &operation["requestBody"];
        let content = &body["content"]["application/json"];
        let _ =
            writeln!(out, "  body required {} such as {}", body["required"], content["example"]);
        let _ = writeln!(out, "    {}", at(&document, &content["schema"]));
        for (status, answer) in operation["responses"].as_object().unwrap() {
            if let Some(name) = answer["$ref"].as_str() {
                let _ = writeln!(out, "  {status} {}", name.rsplit('/').next().unwrap());
                continue;
            }
            let _ = writeln!(out, "  {status} {}", answer["description"]);
            for content in answer["content"].as_object().into_iter().flat_map(|all| all.values()) {
                let _ = writeln!(out, "    {}", content["schema"]);
            }
        }
    }
    check(
        &out,
        &expect![[r##"
            POST /v1/place-order "place_order"
              body required true such as {"basket":[{"sku":"Sku","quantity":1}]}
                {"type":"object","properties":{"basket":{"type":"array","items":{"$ref":"#/components/schemas/Basket"},"minItems":1,"maxItems":50},"note":{"type":["string","null"],"pattern":"^[^\\u0000]*$","maxLength":20}},"additionalProperties":false,"required":["basket"],"description":"Takes the goods out of stock."}
              200 "It is done."
                {"$ref":"#/components/schemas/Order"}
              400 BadRequest
              401 Unauthenticated
              403 Forbidden
              406 NotAcceptable
              408 RequestTimeout
              409 "What is stored stands against it: a value that is taken, a row that is still referred to.\n- `out_of_stock`: Somebody else was faster.\n- `too_late`: The day is over"
                {"anyOf":[{"$ref":"#/components/schemas/OutOfStock"},{"$ref":"#/components/schemas/TooLate"},{"$ref":"#/components/schemas/Problem"}]}
              413 ContentTooLarge
              414 UriTooLong
              415 UnsupportedMediaType
              422 Unprocessable
              431 HeadersTooLarge
              500 Internal
              503 Unavailable
            POST /v1/close-day "close_day"
              body required false such as {}
                {"type":"object","properties":{},"additionalProperties":false}
              204 "It is done."
              400 BadRequest
              401 Unauthenticated
              403 Forbidden
              406 NotAcceptable
              408 RequestTimeout
              409 "What is stored stands against it: a value that is taken, a row that is still referred to.\n- `too_late`: The day is over"
                {"anyOf":[{"$ref":"#/components/schemas/TooLate"},{"$ref":"#/components/schemas/Problem"}]}
              413 ContentTooLarge
              414 UriTooLong
              415 UnsupportedMediaType
              422 Unprocessable
              431 HeadersTooLarge
              500 Internal
              503 Unavailable
            POST /v1/orders/{id}/cancel "cancel"
              "id" in "path"
              body required true such as {"reason":"Reason"}
                {"type":"object","properties":{"reason":{"type":"string","pattern":"^[^\\u0000]*$","minLength":1,"maxLength":20}},"additionalProperties":false,"required":["reason"]}
              200 "It is done."
                {"anyOf":[{"$ref":"#/components/schemas/Order"},{"type":"null"}]}
              400 BadRequest
              401 Unauthenticated
              402 "- `unpaid`: {what} is not paid"
                {"$ref":"#/components/schemas/Unpaid"}
              403 Forbidden
              404 NotFound
              406 NotAcceptable
              408 RequestTimeout
              409 Conflict
              413 ContentTooLarge
              414 UriTooLong
              415 UnsupportedMediaType
              422 Unprocessable
              431 HeadersTooLarge
              500 Internal
              503 Unavailable
            POST /v1/coupons/{code}/redeem "redeem"
              "code" in "path"
              body required false such as {}
                {"type":"object","properties":{},"additionalProperties":false,"description":"Where a coupon is not public, what is done to it may be."}
              200 "It is done."
                {"type":"object","properties":{"code":{"type":"string","pattern":"^[^\\u0000]*$"}},"additionalProperties":false}
              400 BadRequest
              401 Unauthenticated
              403 Forbidden
              404 NotFound
              406 NotAcceptable
              408 RequestTimeout
              409 Conflict
              413 ContentTooLarge
              414 UriTooLong
              415 UnsupportedMediaType
              422 Unprocessable
              431 HeadersTooLarge
              500 Internal
              503 Unavailable
            POST /v1/create-order "run_create_order"
              body required true such as {"baskets":[{"sku":"Sku","quantity":1}]}
                {"type":"object","properties":{"order":{"type":["string","null"],"format":"uuid","pattern":"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"},"baskets":{"type":"array","items":{"$ref":"#/components/schemas/Basket"}}},"additionalProperties":false,"required":["baskets"]}
              200 "It is done."
                {"type":"array","items":{"$ref":"#/components/schemas/Basket"}}
              400 BadRequest
              401 Unauthenticated
              403 Forbidden
              406 NotAcceptable
              408 RequestTimeout
              409 Conflict
              413 ContentTooLarge
              414 UriTooLong
              415 UnsupportedMediaType
              422 Unprocessable
              431 HeadersTooLarge
              500 Internal
              503 Unavailable
            POST /v1/pack "pack"
              body required true such as {"order":"018f4e5a-7b3c-7def-8123-456789abcdef"}
                {"type":"object","properties":{"order":{"type":"string","format":"uuid","pattern":"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"}},"additionalProperties":false,"required":["order"]}
              200 "It is done."
                {"type":"integer","format":"int64","minimum":-9223372036854775808,"maximum":9223372036854775807}
              400 BadRequest
              401 Unauthenticated
              403 Forbidden
              406 NotAcceptable
              408 RequestTimeout
              409 "What is stored stands against it: a value that is taken, a row that is still referred to.\n- `shipping_too_late`: Too late to ship"
                {"anyOf":[{"$ref":"#/components/schemas/ShippingTooLate"},{"$ref":"#/components/schemas/Problem"}]}
              413 ContentTooLarge
              414 UriTooLong
              415 UnsupportedMediaType
              422 Unprocessable
              431 HeadersTooLarge
              500 Internal
              503 Unavailable
            POST /v1/shipping-place-order "run_place_order"
              body required false such as {}
                {"type":"object","properties":{},"additionalProperties":false}
              204 "It is done."
              400 BadRequest
              401 Unauthenticated
              403 Forbidden
              406 NotAcceptable
              408 RequestTimeout
              409 Conflict
              413 ContentTooLarge
              414 UriTooLong
              415 UnsupportedMediaType
              422 Unprocessable
              431 HeadersTooLarge
              500 Internal
              503 Unavailable
        "##]],
    );
}

#[test]
fn errors_are_closed_problems_with_members() {
    let contract = contract_of(COMMANDS);
    let document = contract::openapi(&contract);
    let mut out = String::new();
    for error in &contract.errors {
        let _ =
            writeln!(out, "{} {} {:?} {:?}", error.status, error.code, error.title, error.message);
        let _ = writeln!(out, "  {}", document["components"]["schemas"][&error.name]);
    }
    check(
        &out,
        &expect![[r#"
            409 out_of_stock "Out of stock" "Only {left} of {sku} are left"
              {"type":"object","properties":{"type":{"type":"string","format":"uri-reference"},"title":{"type":"string","const":"Out of stock"},"status":{"type":"integer","const":409},"code":{"type":"string","const":"out_of_stock"},"detail":{"type":"string","description":"Only {left} of {sku} are left"},"trace_id":{"type":"string","pattern":"^[0-9a-f]{32}$","description":"Names this request in the logs (W3C Trace Context)."},"sku":{"type":"string"},"left":{"type":"integer","format":"int64","minimum":-9223372036854775808,"maximum":9223372036854775807}},"additionalProperties":false,"required":["type","title","status","code","trace_id","sku","left"],"description":"Somebody else was faster."}
            409 too_late "Too late" "The day is over"
              {"type":"object","properties":{"type":{"type":"string","format":"uri-reference"},"title":{"type":"string","const":"Too late"},"status":{"type":"integer","const":409},"code":{"type":"string","const":"too_late"},"detail":{"type":"string","description":"The day is over"},"trace_id":{"type":"string","pattern":"^[0-9a-f]{32}$","description":"Names this request in the logs (W3C Trace Context)."}},"additionalProperties":false,"required":["type","title","status","code","trace_id"]}
            402 unpaid "Unpaid" "{what} is not paid"
              {"type":"object","properties":{"type":{"type":"string","format":"uri-reference"},"title":{"type":"string","const":"Unpaid"},"status":{"type":"integer","const":402},"code":{"type":"string","const":"unpaid"},"detail":{"type":"string","description":"{what} is not paid"},"trace_id":{"type":"string","pattern":"^[0-9a-f]{32}$","description":"Names this request in the logs (W3C Trace Context)."},"what":{"type":"string"},"price":{"type":["string","null"],"format":"decimal","pattern":"^-?[0-9]{1,19}\\.[0-9]{2}$","description":"An amount of EUR."}},"additionalProperties":false,"required":["type","title","status","code","trace_id","what","price"]}
            409 shipping_too_late "Too late" "Too late to ship"
              {"type":"object","properties":{"type":{"type":"string","format":"uri-reference"},"title":{"type":"string","const":"Too late"},"status":{"type":"integer","const":409},"code":{"type":"string","const":"shipping_too_late"},"detail":{"type":"string","description":"Too late to ship"},"trace_id":{"type":"string","pattern":"^[0-9a-f]{32}$","description":"Names this request in the logs (W3C Trace Context)."}},"additionalProperties":false,"required":["type","title","status","code","trace_id"]}
        "#]],
    );
}

/// A schema of the document, as far as it is only referred to.
fn at<'a>(document: &'a serde_json::Value, schema: &'a serde_json::Value) -> &'a serde_json::Value {
    let pointer = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(schema)
}
