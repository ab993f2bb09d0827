//! What things may be called, and who sees them under which name.

use expect_test::expect;

use crate::{check, check_files};

#[test]
fn no_value_is_called_what_expressions_read_otherwise() {
    check(
        "entity Line { key id: Int }
command say(when: Int, now: Int, caller: Int, update: Int) {
  allow customer
  let not = update
  create Line { id: update }
}
query some(in: Int) -> Line { allow customer  where .id == 1  page 20 }",
        &expect![[r#"
            E0207 2 `when`: `when` is a word of expressions: nothing in them can ask for what is called so
            E0207 2 `now`: `now` is a value of its own, in every expression
            E0207 2 `caller`: `caller` is the one who asks, in every expression
            E0207 4 `not`: `not` is a word of expressions: nothing in them can ask for what is called so
            E0207 7 `in`: `in` is a word of expressions: nothing in them can ask for what is called so
        "#]],
    );
}

#[test]
fn services_keep_apart() {
    check_files(
        &[
            "service sales {
  entity Order { key id: Uuid total: Int customer: Customer allow read to customer when .customer == caller }
  entity Line part of Order as lines (1..3) { n: Int }
  event Placed { order: Order }
  command pay(order: Order) { allow system update order { total: 1 } }
}
entity Customer { key id: Uuid email: Email unique }
auth { users Customer by email as customer users sales.Nobody by x as clerk }
",
            "service shipping {
  app Inner { version 1 }
  entity Parcel { key id: Uuid order: sales.Order? on delete clear other: sale.Order wrong: Order total: sales.Order.total check .order.total > 1 allow read to clerk when .order.total > 1 or .order.id == .id }
  entity Order { key id: Uuid }
  entity Box part of sales.Order as boxes (0..3) { n: Int }
  query parcels(order: sales.Order) -> sales.Order { where .total == 1 page 20 allow clerk }
  query parcels_of(order: sales.Order) -> Parcel { where .order == order page 20 allow clerk }
  command pack(order: sales.Order) { allow system create Parcel { order } update order { total: 1 } run sales.pay(order) run sales.pay(order) later emit sales.Placed { order } for o in sales.Order { run pack(o) } }
  on Placed run pack(order)
}
service sales { command pay(order: Order) { allow clerk } entity Customer { key id: Uuid } }
",
        ],
        &expect![[r#"
            E0222 2 `.customer == caller`: sales.Customer and Customer cannot be compared
                  2 `.customer`: of type sales.Customer
                  2 `caller`: of type Customer
            E0202 8 `Nobody`: service `sales` has no entity `Nobody`
            E0215 1:1 `Inner`: `app` does not belong inside a service
            E0309 1:2 `on delete clear`: `order` refers to another service, where nobody asks it before deleting
            E0202 1:2 `sale`: there is no service `sale`
                  fix: write `sales`
            E0212 1:2 `total`: `total` lies in a row of `Order`, in `sales`
            E0212 1:2 `total`: `total` lies in a row of `Order`, in `sales`
            E0303 1:4 `sales.Order`: `Box` and its root `sales.Order` are of two services
            E0208 1:5 `parcels`: the query `parcels` would stand at `/parcels`, where the entity `Parcel` stands
                  1:2 `Parcel`: this one stands there
            E0501 1:5 `sales.Order`: `Order` belongs to another service
            E0506 1:7 `Parcel`: `other`, `wrong` and `total` of `Parcel` are missing
            E0512 1:7 `order`: rows of `Order` are written by its own service only
            E0512 1:7 `sales.pay`: `sales.pay` belongs to another service, and services share no transaction
                  fix: run it later
            E0512 1:7 `sales.Placed`: `Placed` is published by its own service only
            E0512 1:7 `sales.Order`: rows of `Order` are read by its own service only
            E0201 1:10 `pay`: the name `pay` is declared twice
                  5 `pay`: first declared here
        "#]],
    );
}

#[test]
fn former_names_are_free() {
    check(
        "enum Colour was Tint { red was crimson, crimson, blue was azure }
enum Tint { pale }
entity Item was Product { key id: Uuid title: String(1..9) was name label: String(1..9) was name was_it: Int was title }
entity Product { key id: Uuid }
",
        &expect![[r#"
            E0214 1 `Tint`: `Tint` cannot be a former name: it is still in use
                  2 `Tint`: in use here
            E0214 1 `crimson`: `crimson` cannot be a former name: it is still in use
                  1 `crimson`: in use here
            E0214 3 `Product`: `Product` cannot be a former name: it is still in use
                  4 `Product`: in use here
            E0201 3 `name`: the former name `name` is declared twice
                  3 `title`: first declared here
            E0214 3 `title`: `title` cannot be a former name: it is still in use
                  3 `title`: in use here
        "#]],
    );
}

#[test]
fn a_table_is_stored_under_a_name_without_a_dot() {
    check(
        "entity First stored as \"a.b\" { key id: Uuid  name: String(1..9) stored as \"c.d\" }\n",
        &expect![[r#"
            E0224 1 `"a.b"`: the stored name of a table has no dot
        "#]],
    );
}
