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
    let document = contract::openapi(&contract_of(SHOP));
    assert!(!document.to_string().contains("Vault"));
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
