//! Small models and what is said of them: one line for each fault, with its place, its other places and its edit.

mod names;

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use syntax::{FileId, Parse, Span, parse};

const APP: &str = "app Example { version 1 roles customer, clerk, agent }\n";

fn place(parses: &[Parse], span: Span) -> String {
    let parse = &parses[span.file.0 as usize];
    let before = &parse.text[..span.start as usize];
    // Lines are counted without that of the app.
    let line = before.matches('\n').count();
    let text = &parse.text[span.range()];
    if span.file.0 > 0 {
        format!("{}:{line} `{text}`", span.file.0)
    } else {
        format!("{line} `{text}`")
    }
}

fn check_files(texts: &[&str], expect: &Expect) {
    let parses: Vec<Parse> = texts
        .iter()
        .enumerate()
        .map(|(at, text)| {
            let text = if at == 0 { format!("{APP}{text}") } else { (*text).to_owned() };
            parse(FileId(at as u32), text)
        })
        .collect();
    for parse in &parses {
        assert_eq!(parse.diagnostics, []);
    }
    let all: Vec<&Parse> = parses.iter().collect();
    let (_, diagnostics) = model::check(&all);
    let mut out = String::new();
    for fault in diagnostics {
        let at = place(&parses, fault.primary.span);
        let _ = writeln!(out, "{} {at}: {}", fault.code, fault.message);
        for label in &fault.labels {
            let _ = writeln!(out, "      {}: {}", place(&parses, label.span), label.text);
        }
        for fix in &fault.fixes {
            let _ = writeln!(out, "      fix: {}", fix.title);
        }
    }
    expect.assert_eq(&out);
}

fn check(text: &str, expect: &Expect) {
    check_files(&[text], expect);
}

/// What expressions read as something else can be asked for under no name: said where it is declared, not where it is meant.
#[test]
fn one_fault_does_not_bring_others() {
    check(
        "entity Order {
  key id: Uuid
  customer: Custmer
  total: Mony(EUR) := .customer.name
  double: Int := .total * 2
  index (customer, total)
  check .customer == 3
  allow read to customer when .customer.x.y == caller.z
  allow update customer to clark when .customer == caller
}
entity Customer { key id: Uuid }
entity Line part of Oder as lines (1..5) { quantity: Int  order: Int }
query of(customer: Custmer, b: Order.customer) -> Order { where .customer == customer and .customer < b sort .customer page 20 allow clerk }
command c(o: Order) { allow clerk  let x = o.customer.y  update o { customer: x.z }  for y in x { delete y } }
",
        &expect![[r#"
            E0202 3 `Custmer`: there is no type `Custmer`
                  fix: write `Customer`
            E0202 4 `Mony`: there is no type `Mony`
                  fix: write `Money`
            E0402 8 `caller`: the caller has no `z`
            E0401 9 `clark`: there is no role `clark`
                  fix: write `clerk`
            E0202 12 `Oder`: there is no entity `Oder`
                  fix: write `Order`
            E0202 13 `Custmer`: there is no type `Custmer`
                  fix: write `Customer`
        "#]],
    );
}

#[test]
fn callers_are_known_by_their_roles() {
    check(
        "auth { users Customer by email as customer users Agent by name as agent users Agent by email as customer }
entity Customer { key id: Uuid email: Email unique agent: Agent? }
entity Agent { key id: Int = auto name: String(1..9) email: Email unique }
entity Note {
  key id: Uuid
  owner: Customer
  agent: Agent
  by: String(1..40) = caller
  writer: Customer = caller
  allow read to customer when .owner == caller and caller.agent == .agent
  allow read to customer when .agent == caller
  allow read to customer, agent when .owner == caller
  allow read to agent when .owner.agent.id == caller.id
  allow read to anyone when caller == .owner
  allow read to clerk when .by == caller
  allow read to clerk when .by == caller.name
  allow read to system when .by == caller
}
",
        &expect![[r#"
            E0407 1 `name`: nobody can sign in by `name`: two rows may share it
                  3 `name`: declared here
            E0407 1 `users Agent by email as customer`: callers with the role `customer` are rows of `Customer` already
            E0402 8 `caller`: `caller` is not of one entity here
            E0222 11 `.agent == caller`: Agent and Customer cannot be compared
                  11 `.agent`: of type Agent
                  11 `caller`: of type Customer
            E0402 12 `caller`: `caller` is not of one entity here
            E0402 14 `caller`: there is no `caller` here
            E0402 16 `caller`: the caller has no `name`
            E0402 17 `caller`: there is no `caller` here
        "#]],
    );
}

#[test]
fn expressions_have_types() {
    check(
        "enum Colour { red, green }
enum Light { red, amber }
entity Thing {
  key id: Uuid
  n: Int(0..10)
  f: Float
  d: Decimal(10, 2)
  e: Money(EUR)
  y: Money(JPY)
  c: Colour
  l: Light
  s: String(1..10)?
  on: Date
  at: Timestamp
  took: Duration
  ok: Bool
  json: Json
  other: Thing?
  check .c == .l
  check .c == amber
  check .c == \"red\"
  check .c in (red, blue)
  check .c < red
  check .e > 1.999
  check .e == .y
  check .e + .y > 0
  check .e + 1 > 0.50
  check .e + .n > 0
  check .e * .d / 3 > 1.00
  check .e / .e > 0.5
  check .e * .f > 0
  check .n + .d + .f > 1
  check .n == \"3\"
  check .s + .s == \"x\"
  check .s == null and .n == null
  check .s > null
  check .s in (\"a\", null)
  check .on + 1d == .on
  check .at + 1d > now and .at - .at < 2h
  check .at == \"2026-11-21\"
  check .on == \"2026-11-21\"
  check .on == .at
  check .took * 2 > -90s
  check .json == .json
  check .ok == true and not .n
  check .ok > false
  check if .ok then .n else .s
  check coalesce(.s, .n) == 1
  check length(.n) > 2
  check .n.x == 1
  check .other.n == 1
  check .other == .id
  check sum(parts, .x) > 1
  check count(.n) > 1
  check lower(.s) == upper(\"ß\") and starts_with(.s, \"a\") and contains(concat(.s, \"b\"), \"c\")
  check -.n < 0 and -.c == 1
}
",
        &expect![[r#"
            E0222 19 `.c == .l`: Colour and Light cannot be compared
                  19 `.c`: of type Colour
                  19 `.l`: of type Light
            E0205 20 `amber`: `Colour` has no value `amber`
            E0220 21 `"red"`: `red` is a value of an enum: it stands without quotes
                  fix: remove the quotes
            E0205 22 `blue`: `Colour` has no value `blue`
            E0221 23 `<`: values of type Colour have no order
                  23 `.c`: of type Colour
            E0224 24 `1.999`: `1.999` has more digits behind the point than Money(EUR) keeps
            E0222 25 `.e == .y`: Money(EUR) and Money(JPY) cannot be compared
                  25 `.e`: of type Money(EUR)
                  25 `.y`: of type Money(JPY)
            E0221 26 `+`: `+` does not work between Money(EUR) and Money(JPY)
                  26 `.e`: of type Money(EUR)
                  26 `.y`: of type Money(JPY)
            E0221 28 `+`: `+` does not work between Money(EUR) and Int
                  28 `.e`: of type Money(EUR)
                  28 `.n`: of type Int
            E0221 31 `*`: `*` does not work between Money(EUR) and Float
                  31 `.e`: of type Money(EUR)
                  31 `.f`: of type Float
            E0222 33 `.n == "3"`: Int and String cannot be compared
                  33 `.n`: of type Int
                  33 `"3"`: of type String
            E0221 34 `+`: `+` does not work between String and String
                  34 `.s`: of type String
                  34 `.s`: of type String
            W0201 35 `.n == null`: this is never true: the value is never absent
                  35 `.n`: always has a value
            E0223 36 `>`: nothing is smaller or greater than `null`
            E0223 37 `null`: `null` is in no list
            E0221 38 `+`: `+` does not work between Date and Duration
                  38 `.on`: of type Date
                  38 `1d`: of type Duration
            E0224 40 `"2026-11-21"`: this is no Timestamp: it must be a moment with its offset (RFC 3339) such as 2026-11-21T17:30:00Z
            E0222 42 `.on == .at`: Date and Timestamp cannot be compared
                  42 `.on`: of type Date
                  42 `.at`: of type Timestamp
            E0222 44 `.json == .json`: values of type Json cannot be compared
                  44 `.json`: of type Json
                  44 `.json`: of type Json
            E0220 45 `.n`: a condition is needed here, and this is of type Int
            E0221 46 `>`: values of type Bool have no order
                  46 `.ok`: of type Bool
            E0220 47 `.s`: this is of type String, and the other value is of type Int
                  47 `.n`: of type Int
            E0220 48 `.n`: this is of type Int, and the other value is of type String
                  48 `.s`: of type String
            E0220 49 `.n`: `length` takes String, and this is of type Int
            E0203 50 `x`: there is no `x` inside Int
            E0306 51 `n`: `n` is read from another row
            E0222 52 `.other == .id`: Thing and Uuid cannot be compared
                  52 `.other`: of type Thing
                  52 `.id`: of type Uuid
            E0203 53 `parts`: `Thing` has no parts called `parts`
            E0203 54 `n`: `Thing` has no parts called `n`
            E0221 56 `-.c`: `-` needs a number, and this is of type Colour
        "#]],
    );
}

#[test]
fn parts_are_folded() {
    check(
        "entity Order {
  key id: Uuid
  factor: Int
  total: Money(EUR) := sum(lines, .price * .quantity * .factor)
  most: Money(EUR)? := max(lines, .price)
  least: Money(EUR) := min(lines, .price)
  lines_over: Int := count(lines, .price > 10)
  bad: Int := sum(lines, .name)
  worse: Int := sum(lines)
  none: Int := sum(rows, .price)
  itself: Int := .lines
  check any(lines, .quantity > 3) and all(lines, .name != \"\") and count(lines) < .factor
  check any(lines, .quantity)
}
entity Line part of Order as lines (1..50) {
  price: Money(EUR)
  quantity: Int
  name: String(1..10)
  position: Int
  order: Order
  twice: Money(EUR) := .price * 2
  of_root: Int := .factor
}
entity Note { key order: Order  check count(order.lines) > 0  check count(.order.lines) > 0 }
",
        &expect![[r#"
            E0225 6 `min(lines, .price)`: `least` must have a value, and this may be absent
            E0220 8 `.name`: values of type String cannot be added up
                  8 `sum(lines, .name)`: folded here
            E0226 9 `sum(lines)`: `sum` is given the wrong number of values
            E0203 10 `rows`: `Order` has no parts called `rows`
            E0234 11 `lines`: `lines` are parts: several rows, not one value
            E0220 13 `.quantity`: a condition is needed here, and this is of type Int
            E0207 19 `position`: `Line` has no key, so its `position` is counted by the database
            E0207 20 `order`: `order` already names the row this part belongs to
            E0203 22 `factor`: `Line` has no field `factor`
            E0306 24 `order.lines`: `order.lines` are the parts of another row
            E0306 24 `.order.lines`: `.order.lines` are the parts of another row
        "#]],
    );
}

#[test]
fn commands_are_typed_to_the_last_statement() {
    check(
        "auth { users Customer by email as customer }
entity Customer { key id: Uuid email: Email unique }
entity Product { key sku: String(1..20) stock: Int(0..) name: String(1..80) price: Money(EUR) }
entity Order { key id: Uuid customer: Customer note: String(1..80)? status: enum { open, paid } = open total: Money(EUR) := sum(lines, .price) made: Timestamp = now immutable }
entity Line part of Order as lines (1..50) { product: Product price: Money(EUR) quantity: Int(1..9) = 1 }
record Item { product: Product quantity: Int(1..9) gift: Bool? }
error Gone 409 \"{left} of {sku}\" { sku: String }
event Placed by order { order: Order total: Money(EUR) }
command buy(items: [Item](1..9), order: Order, code: String?) -> Order {
  allow customer
  let made = create Order { customer: caller, total: 3.00, status: payed, customer: caller }
  let made = 3
  for item in items {
    require item.product.stock >= item.quantity else Gone { sku: item.product.name, left: 1 }
    require item.gift else Gone { }
    create Line { product: item.product, price: item.product.price * item.quantity }
    create Line { order: made, product: item, price: 1, position: 3 }
    update item.product { stock: .stock - item.quantity, sku: \"x\", price: .name }
    update item { quantity: 1 }
    let inner = item.quantity
  }
  let x = inner
  update order { made: now, note: code, status: paid, customer: null }
  update order { }
  delete order.lines
  for line in order.lines { delete line }
  for o in Order where .customer == caller and .status == open { delete o }
  for l in Line { delete l }
  for q in order.total { delete q }
  emit Placed { order }
  emit Placed { order, total: order.total, why: 1 }
  emit Gone { sku: \"x\" }
  if order.total > 3.00 { return order } else if order.note == null { return 3 } else { return made }
}
command two(a: Int, b: Int?) -> Int { allow clerk run two(1) run two() run two(\"a\", 2, 3) run buy() run nothing() later let r = run three(1) return r }
command three(a: Int(1..3)) { allow clerk return 3 }
command four() -> Int { allow clerk if 1 == 1 { return 4 } }
command five() -> Int { allow clerk, customer let c = caller.id return run two(1) later }
command six(o: Order, l: Line) -> Line { allow clerk call payments.charge(1) return create Order { customer: o.customer } }
",
        &expect![[r#"
            E0203 7 `"{left} of {sku}"`: the error has no field `left` to put here
            E0507 11 `total`: `total` cannot be set here: it is computed
                  4 `total`: declared here
            E0205 11 `payed`: `OrderStatus` has no value `payed`
            E0201 11 `customer`: `customer` is said twice
                  11 `customer`: first said here
            E0201 12 `made`: the name `made` is declared twice
                  11 `made`: first declared here
            E0203 14 `left`: the error `Gone` has no field `left`
            E0506 15 `Gone`: `sku` of the error `Gone` is missing
            E0506 16 `Line`: `order` of `Line` is missing
            E0220 17 `made`: `order` is of type Order, and this is of type Int
            E0220 17 `item`: `product` is of type Product, and this is of type Item
            E0507 17 `position`: `position` cannot be set here: the database counts it
                  5 `Line`: declared here
            E0507 18 `sku`: `sku` cannot be set here: it is the key
                  3 `sku`: declared here
            E0220 18 `.name`: `price` is of type Money(EUR), and this is of type String
            E0512 19 `item`: only a row can be changed, and this is of type Item
            E0204 22 `inner`: there is no `inner` here
            E0507 23 `made`: `made` cannot be set here: it is immutable
                  4 `made`: declared here
            E0225 23 `null`: `customer` must have a value
            E0506 24 `update order { }`: this update changes nothing
            E0234 25 `lines`: `lines` are parts: several rows, not one value
            E0511 28 `Line`: `Line` is a part of `Order`, and is reached through it
            E0511 29 `order.total`: there is nothing to go through: this is of type Money(EUR)
            E0506 30 `Placed`: `total` of the event `Placed` is missing
            E0203 31 `why`: the event `Placed` has no field `why`
            E0213 32 `Gone`: `Gone` is an error, but an event is needed here
            E0220 33 `3`: the answer is of type Order, and this is of type Int
            E0220 33 `made`: the answer is of type Order, and this is of type Int
            E0226 35 `()`: `two` is given the wrong number of values
            E0521 35 `run two("a", 2, 3)`: `two` runs itself, and never ends
                  35 `two`: the command
            E0226 35 `("a", 2, 3)`: `two` is given the wrong number of values
            E0226 35 `()`: `buy` is given the wrong number of values
            E0202 35 `nothing`: there is no command `nothing`
            E0508 35 `run three(1)`: this is no value: it answers nothing
            E0508 36 `3`: this command promises no answer
            E0508 37 `Int`: `four` promises an answer, and may end without one
            E0402 38 `caller`: `caller` is not of one entity here
            E0508 38 `run two(1) later`: this is no value: what runs later has no answer yet
            E0232 39 `Line`: nothing refers to `Line`: it is a part of `Order`
            E0232 39 `Line`: nothing refers to `Line`: it is a part of `Order`
            E0509 39 `call payments.charge(1)`: `call` does not belong in a command
        "#]],
    );
}

#[test]
fn errors_and_commands_say_each_thing_once() {
    check(
        "error Refused 299 \"{code}: {who}\" { code: String  who: Strin  errors: [Int](0..3)  members: Int }
record Code { code: String  type: Int  status: Int }
event Refusal { status: Int  title: String  allow read, update status to anyone when .status == 1  allow replay title to anyone }
command twice() { deprecated \"2026-01-01\" allow clerk deprecated \"2026-02-01\" sunset \"2026-01-01\" }",
        &expect![[r#"
            E0514 1 `299`: 299 is no status of a failure
            E0522 1 `code`: every problem has a member `code` of its own
            E0202 1 `Strin`: there is no type `Strin`
                  fix: write `String`
            E0522 1 `errors`: every problem has a member `errors` of its own
            E0408 3 `update status`: nobody may update an event
            E0408 3 `.status == 1`: whether an event may be read does not depend on what it carries
            E0408 3 `title`: an event is replayed with all its members
            E0201 4 `deprecated "2026-02-01" sunset "2026-01-01"`: `deprecated` is said twice
                  4 `deprecated "2026-01-01"`: first said here
        "#]],
    );
}

#[test]
fn what_follows_from_events_is_typed() {
    check(
        "entity Order { key id: Uuid total: Money(EUR) }
event Placed by order { order: Order total: Money(EUR) note: String? }
command confirm(order: Order) { allow system update order { total: .total } }
on Placed run confirm(order)
on Placed run confirm(total)
on Placd run confirm(order)
on Placed run ship(order)
external payments { url env URL timeout 2s retry 3 times from 2s to 1s breaker opens at 0% of 20 calls for 30s bulkhead 0
  post charge \"/charges/{id}\" { order: Uuid amount: Money(EUR) } -> { id: String }
  post charge \"charges\" { order: Uuid } }
workflow ship(order: Order, note: String, missing: Int) on Placed {
  step one { let paid = call payments.charge(order.id, order.total) undo call payments.charge(paid.id, paid.x) }
  step one { call payments.refund(1) call payment.charge(1) }
  step two { run confirm(order, paid.id) update order { total: 1.00 } return 3 }
  step three { let nothing = run confirm(order) }
  retry 0 times from 1s to 1m
  give up after 30m, then run confirm(paid)
}
job sweep every 10m catch up twice { for order in Order where .total > 3.00 { run confirm(order) create Order { } } require 1 == 1 else Nothing { } }
webhook w { sends Placed, Placed, Order sign sha retry for 0s }
webhook v { sign standard }
limit confirm 0 per 1m by day
limit Order 3 per 1m by ip
slo confrm 99.9% under 200ms
slo confirm 100% under 200ms
load l { grows 10% per fortnight for 24 months grows 10% per month for 24 years Order 3 rows Order 4 rows Orders 3 rows confirm 40/s peak 4/s Order 3/s Order.look 3/s ship 4/s }
environment dev { store mysql \"x\" cache memcached env X budget 900 DOLLAR per month deploy nothing x 2 }
environment dev { store sqlite env FILE { replicas 2 backup every 2d keep 1d } store sqlite \"y\" cloud awz eu-west-1 broker nats env Y budget 3 EUR per day }
environment none { }
decision \"x\" { criteria a 5, a 3, b 0 option one { a 5 c 3 } option two { a 3 b 2 } option two { } chosen three because \"y\" }
decision \"z\" { criteria a 5 option one { a 5 } }
",
        &expect![[r#"
            E0220 5 `total`: `order` is of type Order, and this is of type Money(EUR)
            E0202 6 `Placd`: there is no event `Placd`
                  fix: write `Placed`
            E0516 7 `run ship(order)`: an event runs a command; a workflow says itself which event starts it
            E0226 7 `(order)`: `ship` is given the wrong number of values
            E0601 8 `1s`: the longest pause is shorter than the first
            E0601 8 `0%`: a share lies above 0% and is no more than 100%
            E0601 8 `0`: this number must be above zero
            E0203 9 `"/charges/{id}"`: the operation has no field `id` to put here
            E0201 10 `charge`: the operation `charge` is declared twice
                  9 `charge`: first declared here
            E0516 11 `note`: `note` may be absent in `Placed`
                  2 `note`: carried here
            E0516 11 `missing`: `Placed` does not carry `missing`
                  11 `Placed`: started by this event
            E0220 12 `paid.id`: `order` is of type Uuid, and this is of type String
            E0203 12 `x`: the answer `paid` has no field `x`
            E0201 13 `one`: the step `one` is declared twice
                  12 `one`: first declared here
            E0202 13 `refund`: `payments` has no operation `refund`
            E0202 13 `payment`: there is no external `payment`
                  fix: write `payments`
            E0226 14 `(order, paid.id)`: `confirm` is given the wrong number of values
            E0509 14 `update order { total: 1.00 }`: `update` does not belong in a step
            E0509 14 `return 3`: `return` does not belong in a step
            E0508 15 `run confirm(order)`: this is no value: it answers nothing
            E0601 16 `0`: this number must be above zero
            E0204 17 `paid`: there is no `paid` here, where Order is needed
            E0602 19 `twice`: runs are not made up for by `twice`
            E0509 19 `create Order { }`: `create` does not belong in a job
            E0509 19 `require 1 == 1 else Nothing { }`: `require` does not belong in a job
            E0201 20 `Placed`: `Placed` is sent already
            E0213 20 `Order`: `Order` is an entity, but an event is needed here
            E0602 20 `sha`: webhooks are not signed by `sha`
            E0601 20 `0s`: no time at all is no duration here
            E0603 21 `v`: `v` sends nothing
            E0601 22 `0`: this number must be above zero
            E0602 22 `day`: requests are not counted by `day`
            E0202 24 `confrm`: there is no command or query `confrm`
                  fix: write `confirm`
            E0601 25 `100%`: nothing holds for all requests
            E0602 26 `fortnight`: growth is not counted per `fortnight`
            E0201 26 `grows 10% per month for 24 years`: `grows` is said twice
                  26 `grows 10% per fortnight for 24 months`: first said here
            E0201 26 `Order 4 rows`: `Order` is said twice
                  26 `Order 3 rows`: first said here
            E0202 26 `Orders`: there is no entity `Orders`
                  fix: write `Order`
            E0601 26 `4/s`: the peak lies below the ordinary rate
            E0602 26 `Order`: `Order` does not say what is done so often
            E0602 26 `look`: nobody can `look` a row
            E0213 26 `ship`: `ship` is a workflow, but a command or a query is needed here
            E0602 27 `mysql`: `mysql` is no store that is known
            E0602 27 `memcached`: `memcached` is no cache that is known
            E0229 27 `DOLLAR`: `DOLLAR` is no currency of ISO 4217
            E0202 27 `nothing`: there is no service `nothing`
            E0201 28 `dev`: the environment `dev` is declared twice
                  27 `dev`: first declared here
            E0602 28 `env FILE`: the file of SQLite is written out here
            E0602 28 `replicas 2`: SQLite is a file: it has no replicas
            E0601 28 `1d`: a backup is thrown away before the next one is made
            E0201 28 `store sqlite "y"`: `store` is said twice
                  28 `store sqlite env FILE { replicas 2 backup every 2d keep 1d }`: first said here
            E0602 28 `awz`: `awz` is no cloud that is known
                  fix: write `aws`
            E0602 28 `day`: a budget is not counted per `day`
            E0603 29 `none`: `none` does not say where its data is
            E0201 30 `a`: the criterion `a` is declared twice
                  30 `a`: first declared here
            E0601 30 `0`: this number must be above zero
            E0605 30 `one`: `one` has no mark for `b`
            E0605 30 `c`: `c` is no criterion of this decision
            E0201 30 `two`: the option `two` is declared twice
                  30 `two`: first declared here
            E0605 30 `three`: `three` is no option of this decision
            E0603 31 `"z"`: this decision chooses nothing
        "#]],
    );
}

#[test]
fn events_of_others_are_heard_only() {
    check(
        r#"
event Paid from "payments.paid" by payment { payment: Uuid }
event Again from "payments.paid" { payment: Uuid }
event Any from "payments.*" by nothing { payment: Uuid }
event Own by payment { payment: Uuid }
command pay(payment: Uuid) { allow clerk  emit Paid { payment }  emit Own { payment } }
command note(payment: Uuid) { allow system }
on Paid run note(payment)
webhook partners { sends Own, Paid  sign standard }
"#,
        &expect![[r#"
            E0201 3 `"payments.paid"`: `from "payments.paid"` is said twice
                  2 `Paid`: first said here
            E0601 4 `"payments.*"`: no broker has a place of this name
            E0203 4 `nothing`: the event `Any` has no field `nothing`
            E0512 6 `Paid`: `Paid` is published by another system
                  2 `Paid`: it comes from there
            E0512 9 `Paid`: `Paid` is published by another system
        "#]],
    );
}

/// Every edit that is offered for a page's bad example takes that fault away.
#[test]
fn edits_mend_what_they_are_offered_for() {
    let mut offered = 0;
    for code in model::CODES.iter().filter(|code| !code.id.starts_with('N')) {
        for (_, text) in code.examples().into_iter().filter(|(good, _)| !good) {
            let needs_app = !text.contains("app ");
            let text = if needs_app { format!("{APP}{text}") } else { text };
            let parse_of = |text: &str| parse(FileId(0), text);
            let before = parse_of(&text);
            let (_, diagnostics) = model::check(&[&before]);
            for fault in &diagnostics {
                for fix in &fault.fixes {
                    offered += 1;
                    let mut edits = fix.edits.clone();
                    edits.sort_by_key(|edit| std::cmp::Reverse(edit.span.start));
                    let mut mended = text.clone();
                    for edit in edits {
                        mended.replace_range(edit.span.range(), &edit.replacement);
                    }
                    let after = parse_of(&mended);
                    assert_eq!(after.diagnostics, [], "{}: {mended}", code.id);
                    let (_, left) = model::check(&[&after]);
                    let same = left.iter().filter(|f| f.code == fault.code).count();
                    let was = diagnostics.iter().filter(|f| f.code == fault.code).count();
                    assert!(same < was, "{}: {mended}", code.id);
                }
            }
        }
    }
    assert!(offered >= 12, "{offered}");
}

#[test]
fn events_are_read_where_nothing_else_stands() {
    check(
        "entity Event { key id: Int  allow read to anyone }
event Seen { id: Int  allow read to anyone }",
        &expect![[r#"
            E0208 1 `Event`: the entity `Event` would stand at `/events`, where events are read
                  2 `Seen`: this one may be read or replayed
        "#]],
    );
    check(
        "entity Event { key id: Int  allow read to anyone } event Seen { id: Int }",
        &expect![[""]],
    );
}

#[test]
fn what_comes_in_is_published_by_nobody_else() {
    check(
        "event Arrived { amount: Int } event Left { amount: Int }
command pretend(amount: Int) { allow system if amount > 1 { emit Arrived { amount } } emit Left { amount } }
webhook a { receives Arrived as \"x\", Left as \"x\", Arrived, Missing  retry for 1d }
webhook b { receives Arrived sends Left }",
        &expect![[r#"
            E0527 2 `emit Arrived { amount }`: `Arrived` comes from outside, and is not published here
                  3 `Arrived as "x"`: received here
            E0527 2 `emit Arrived { amount }`: `Arrived` comes from outside, and is not published here
                  4 `Arrived`: received here
            E0201 3 `Left as "x"`: `x` is received already
            E0201 3 `Arrived`: `Arrived` is received already
            E0202 3 `Missing`: there is no event `Missing`
            E0601 3 `retry for 1d`: what comes in is tried again by who sends it
            E0601 4 `receives Arrived`: a webhook sends or receives, not both
        "#]],
    );
}

#[test]
fn a_retention_counts_from_a_row_of_its_own_service_or_of_another() {
    let customer = |last: &str| {
        format!(
            "entity Customer {{ key id: Uuid  privacy subject, retain 10y after last {last} }}\n\
             service desk {{ entity Ticket {{ key id: Uuid  customer: Customer  opened: Timestamp  size: Int }} }}\n"
        )
    };
    check(&customer("desk.Ticket.opened"), &expect![[""]]);
    // What is said of a name without its service is true.
    check(
        &customer("Ticket.opened"),
        &expect![[r#"
        E0211 1 `Ticket`: `Ticket` belongs to the service `desk`
              fix: write `desk.Ticket`
    "#]],
    );
    check(
        &customer("desk.Ticket.size"),
        &expect![[r#"
        E0314 1 `desk.Ticket.size`: retention counts from a moment, and this is of type Int
    "#]],
    );
    check(
        &customer("desk.Tickt.opened"),
        &expect![[r#"
        E0202 1 `Tickt`: service `desk` has no entity `Tickt`
              fix: write `Ticket`
    "#]],
    );
    check(
        &customer("dusk.Ticket.opened"),
        &expect![[r#"
        E0202 1 `dusk`: there is no service `dusk`
              fix: write `desk`
    "#]],
    );
    check(
        &customer("a.desk.Ticket.opened"),
        &expect![[r#"
        E0314 1 `a.desk.Ticket.opened`: retention counts from a field of the row, or from the last row that refers to it
    "#]],
    );
}

#[test]
fn services_are_deployed_in_one_list() {
    let text =
        "service a { }\nservice b { }\nenvironment production { deploy a x 2  deploy b x 2 }\n";
    check(
        text,
        &expect![[r#"
        E0603 3 `production`: `production` does not say where its data is
        E0201 3 `deploy b x 2`: `deploy` is said twice
              3 `deploy a x 2`: first said here
    "#]],
    );
    check(
        &text.replace("  deploy b", ", b"),
        &expect![[r#"
        E0603 3 `production`: `production` does not say where its data is
    "#]],
    );
}

#[test]
fn a_type_is_that_of_a_field_wherever_that_stands() {
    check(
        "entity First { key id: Uuid  later: Second.state?  own: First.count  all: [Second.count] (0..3)
  count: Int(0..9) }
entity Second { key id: Uuid  state: enum { on, off }  count: First.own
  loops: Second.again  again: Second.loops  none: First.missing  many: First.count(3) }
record Kept { state: Second.state }
",
        &expect![[r#"
            E0235 4 `Second.again`: the type of `loops` is the type of a field whose type is, in the end, its own
            E0235 4 `Second.loops`: the type of `again` is the type of a field whose type is, in the end, its own
            E0203 4 `missing`: `First` has no field `missing`
            E0228 4 `3`: `First.count` takes nothing in parentheses
        "#]],
    );
}
