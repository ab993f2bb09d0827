//! Changes, each with rows.

use engine::Loaded;
use schema::Dialect;

use crate::tables_as;

/// A change, and what the rows are before and after it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) before: &'static str,
    pub(crate) fill: &'static str,
    pub(crate) after: &'static str,
    /// What may be lost.
    pub(crate) allowed: &'static [&'static str],
    /// What is asked after the change, and the answer.
    pub(crate) select: &'static str,
    pub(crate) wanted: &'static str,
}

/// Before Mimar knew schemas, tables of services stood with all others.
const FLAT: &str = "// flat";

impl Case {
    /// The tables before the change.
    #[track_caller]
    pub(crate) fn before(&self) -> Loaded {
        let dialect = if self.is_flat() { Dialect::Sqlite } else { Dialect::Postgres };
        tables_as(self.before, dialect)
    }

    /// Whether the tables before the change are those of a Mimar that knew no schemas.
    pub(crate) fn is_flat(&self) -> bool {
        self.before.starts_with(FLAT)
    }
}

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "columns come",
        before: "entity Thing { key id: Int = auto  name: String(1..20)  allow read to user }",
        fill: "INSERT INTO thing (name) VALUES ('a'), ('b')",
        after: r#"entity Thing {
            key id: Int = auto
            name: String(1..20) unique
            stock: Int(0..) = 7
            price: Money(EUR) = 1.50
            seen: Timestamp = now
            tag: String(1..9)?
            state: enum { open, done } = done
            span: Duration = 90s
            index (state, -stock)
            allow read to user
        }"#,
        allowed: &[],
        select: "SELECT name, stock, price, seen > '2026-01-01', tag IS NULL, state, span FROM thing ORDER BY id",
        wanted: "a|7|1.50|t|t|done|00:01:30\nb|7|1.50|t|t|done|00:01:30",
    },
    Case {
        name: "columns are renamed",
        before: r#"
            entity Maker { key id: Int = auto  allow read, delete to user }
            entity Thing {
              key id: Int = auto
              name: String(1..20) unique
              note: String(0..20)?
              maker: Maker? on delete clear
              extra: Json(..1KB)?
              index (note, -name)
              allow read to user
            }"#,
        fill: "INSERT INTO maker DEFAULT VALUES; \
               INSERT INTO thing (name, note, maker, extra) VALUES ('a', NULL, 1, '{\"a\":1}'), ('b', 'n', NULL, NULL)",
        after: r#"
            entity Maker { key id: Int = auto  allow read, delete to user }
            entity Thing {
              key id: Int = auto
              title: String(1..20) unique was name
              remark: String(0..20)? was note
              made_by: Maker? on delete clear was maker
              more: Json(..1KB)? was extra
              index (remark, -title)
              allow read to user
            }"#,
        allowed: &[],
        select: "SELECT title, remark, made_by, more FROM thing ORDER BY id",
        wanted: "a||1|{\"a\":1}\nb|n||",
    },
    Case {
        name: "columns get another type",
        before: r#"entity Thing {
            key id: Int = auto
            price: Int(0..)
            code: Int(0..)
            flag: Bool
            day: Date
            weight: Decimal(9, 2)
            name: enum { red, blue } = red
            any: Json(..1KB)?
            index (price, code)
            allow read to user
        }"#,
        fill: "INSERT INTO thing (price, code, flag, day, weight, name, \"any\") VALUES \
               (3, 42, true, '2026-11-21', 1.25, 'blue', '[1]'), (0, 0, false, '1969-12-31', 0, 'red', NULL)",
        after: r#"entity Thing {
            key id: Int = auto
            price: Decimal(12, 2)
            code: String(1..20)
            flag: Int(0..1)
            day: Timestamp
            weight: Decimal(12, 4)
            name: String(1..20)
            any: String(0..1000)?
            index (price, code)
            allow read to user
        }"#,
        allowed: &[],
        select: "SELECT price, code, flag, day AT TIME ZONE 'UTC', weight, name, \"any\" FROM thing ORDER BY id",
        wanted: "3.00|42|1|2026-11-21 00:00:00|1.2500|blue|[1]\n0.00|0|0|1969-12-31 00:00:00|0.0000|red|",
    },
    Case {
        name: "texts are split",
        before: r#"entity Thing {
            key id: Int = auto
            name: String(1..80)
            place: String(0..80)?
            index (name)
            allow read to user
        }"#,
        fill: "INSERT INTO thing (name, place) VALUES ('Ada King Lovelace', 'Berlin, DE'), ('Plato', NULL), ('it''s, odd', '')",
        after: r#"entity Thing {
            key id: Int = auto
            given: String(0..80) was name before " "
            family: String(0..80) was name after " "
            city: String(0..80)? was place before ", "
            country: String(0..80)? was place after ", "
            index (family, given)
            allow read to user
        }"#,
        allowed: &[],
        select: "SELECT given, family, city, country IS NULL, country FROM thing ORDER BY id",
        wanted: "Ada|King Lovelace|Berlin|f|DE\nPlato|||t|\nit's,|odd||f|",
    },
    Case {
        name: "labels are renamed, come and go",
        before: "entity Thing { key id: Int = auto  state: enum { open, done, lost } = open  kind: enum { a, b }? allow read to user }",
        fill: "INSERT INTO thing (state, kind) VALUES ('open', 'a'), ('done', NULL), ('lost', 'b')",
        after: "entity Thing { key id: Int = auto  state: enum { fresh was open, done, late } = done  kind: enum { a, b, c }? allow read to user }",
        allowed: &["thing.state"],
        select: "SELECT state, kind FROM thing ORDER BY id",
        wanted: "fresh|a\ndone|\ndone|b",
    },
    Case {
        name: "columns become required and optional",
        before: "entity Thing { key id: Int = auto  a: String(0..9)?  b: String(1..9)  c: Int?  allow read to user }",
        fill: "INSERT INTO thing (a, b, c) VALUES (NULL, 'x', 1), ('y', 'z', 2)",
        after: "entity Thing { key id: Int = auto  a: String(0..9) = \"none\"  b: String(1..9)?  c: Int  allow read to user }",
        allowed: &[],
        select: "SELECT a, b, c FROM thing ORDER BY id",
        wanted: "none|x|1\ny|z|2",
    },
    Case {
        name: "columns and tables go",
        before: r#"
            entity Maker { key id: Int = auto  allow read to user }
            entity Gone { key id: Int = auto  maker: Maker  allow read to user }
            entity Thing { key id: Int = auto  name: String(1..9)  colour: String(1..9) unique  maker: Maker  allow read to user }"#,
        fill: "INSERT INTO maker DEFAULT VALUES; INSERT INTO gone (maker) VALUES (1); \
               INSERT INTO thing (name, colour, maker) VALUES ('a', 'red', 1)",
        after: r#"
            entity Maker { key id: Int = auto  allow read to user }
            entity Thing { key id: Int = auto  name: String(1..9)  allow read to user }"#,
        allowed: &["gone", "thing.colour", "thing.maker"],
        select: "SELECT name FROM thing",
        wanted: "a",
    },
    Case {
        name: "an entity is renamed with its key, parts and references",
        before: r#"
            entity Order { key id: Int = auto  name: String(1..9)  index (name)  allow read to user }
            entity Line part of Order as lines (0..9) { price: Int(0..) }
            entity Note { key id: Int = auto  order: Order  allow read to user }"#,
        fill: "INSERT INTO \"order\" (name) VALUES ('a'); INSERT INTO line VALUES (1, 0, 5); INSERT INTO note (\"order\") VALUES (1)",
        after: r#"
            entity Purchase was Order { key number: Int = auto was id  name: String(1..9)  index (name)  allow read to user }
            entity Line part of Purchase as lines (0..9) { price: Int(0..) }
            entity Note { key id: Int = auto  purchase: Purchase was order  allow read to user }"#,
        allowed: &[],
        select: "SELECT p.number, p.name, l.price, n.purchase FROM purchase p JOIN line l ON l.purchase = p.number \
                 JOIN note n ON n.purchase = p.number",
        wanted: "1|a|5|1",
    },
    Case {
        name: "an entity is renamed, and nothing else",
        before: "entity Thing { key id: Int = auto  name: String(1..20)  allow read to user }",
        fill: "INSERT INTO thing (name) VALUES ('a'), ('b')",
        after: "entity Item was Thing { key id: Int = auto  name: String(1..20)  allow read to user }",
        allowed: &[],
        select: "SELECT id, name FROM item ORDER BY id",
        wanted: "1|a\n2|b",
    },
    Case {
        name: "a key is renamed, and nothing else",
        before: "entity Thing { key sku: String(1..20)  size: Int = 1  allow read to user }",
        fill: "INSERT INTO thing (sku, size) VALUES ('a', 1), ('b', 2)",
        after: "entity Thing { key code: String(1..20) was sku  size: Int = 1  allow read to user }",
        allowed: &[],
        select: "SELECT code, size FROM thing ORDER BY code",
        wanted: "a|1\nb|2",
    },
    Case {
        name: "tables come that refer to each other and to what is there",
        before: "entity Thing { key id: Uuid  allow read to user }",
        fill: "INSERT INTO thing VALUES ('018f4e5a-7b3c-7def-8123-456789abcdef')",
        after: r#"
            entity Thing { key id: Uuid  best: Review?  allow read to user }
            entity Review { key id: Int = auto  thing: Thing on delete cascade  allow read to user }
            entity Mark part of Review as marks (0..9) { key name: String(1..9)  thing: Thing }"#,
        allowed: &[],
        select: "SELECT id, best FROM thing",
        wanted: "018f4e5a-7b3c-7def-8123-456789abcdef|",
    },
    Case {
        name: "references come, change and go",
        before: r#"
            entity A { key id: Int = auto  allow read, delete to user }
            entity B { key id: Int = auto  plain: Int  bound: A  free: A?  allow read to user }"#,
        fill: "INSERT INTO a DEFAULT VALUES; INSERT INTO b (plain, bound, free) VALUES (1, 1, 1)",
        after: r#"
            entity A { key id: Int = auto  allow read, delete to user }
            entity B { key id: Int = auto  plain: A  bound: A on delete cascade  free: Int?  allow read to user }"#,
        allowed: &[],
        select: "SELECT plain, bound, free FROM b",
        wanted: "1|1|1",
    },
    Case {
        name: "a root goes with its parts, and tables that refer to each other",
        before: r#"
            entity Order { key id: Int = auto  best: Gift?  allow read to user }
            entity Line part of Order as lines (0..9) { price: Int(0..) }
            entity Gift { key id: Int = auto  order: Order?  allow read to user }
            entity Kept { key id: Int = auto  name: String(1..9)  allow read to user }"#,
        fill: "INSERT INTO \"order\" DEFAULT VALUES; INSERT INTO line VALUES (1, 0, 5); INSERT INTO kept (name) VALUES ('a')",
        after: "entity Kept { key id: Int = auto  name: String(1..9)  allow read to user }",
        allowed: &["order", "line", "gift"],
        select: "SELECT name FROM kept",
        wanted: "a",
    },
    Case {
        name: "a renamed column becomes required with a default, and names are close",
        before: r#"entity Thing {
            key id: Int = auto
            a: String(1..9)?
            price: Int?
            code: String(1..9) unique
            allow read to user
        }"#,
        fill: "INSERT INTO thing (a, price, code) VALUES (NULL, 1, 'x'), ('y', NULL, 'z')",
        after: r#"entity Thing {
            key id: Int = auto
            b: String(1..40) = "a {} $mimar$ 'b'" was a
            price: Decimal(12, 2)?
            price_2: Int?
            price_3: Int = 3
            allow read to user
        }"#,
        allowed: &["thing.code"],
        select: "SELECT b, price, price_2, price_3 FROM thing ORDER BY id",
        wanted: "a {} $mimar$ 'b'|1.00||3\ny|||3",
    },
    Case {
        name: "names that SQL would trip over",
        before: "entity Thing { key id: Int = auto  a: Int(0..) stored as \"we'ird \\\"name\\\"\"  select: Int?  allow read to user }",
        fill: "INSERT INTO thing (\"we'ird \"\"name\"\"\", \"select\") VALUES (1, 2)",
        after: "entity Thing { key id: Int = auto  a: Decimal(9, 1) stored as \"we'ird \\\"name\\\"\"  table: Int? was select  allow read to user }",
        allowed: &[],
        select: "SELECT \"we'ird \"\"name\"\"\", \"table\" FROM thing",
        wanted: "1.0|2",
    },
    Case {
        name: "services become schemas",
        before: r#"// flat
            entity Plain { key id: Int = auto  name: String(1..9)  allow read to user }
            service sales {
              entity Customer { key id: Int = auto  name: String(1..9) unique  allow read, delete to user }
              entity Order { key id: Int = auto  customer: Customer  state: enum { open, done }  index (state)  allow read to user }
              entity Line part of Order as lines (0..9) { price: Int(0..) }
              entity Item { key id: Int = auto  name: String(1..9) unique  allow read to user }
            }
            service shipping {
              entity Item { key id: Int = auto  order: sales.Order  weight: Int  index (weight)  allow read to user }
            }"#,
        fill: "INSERT INTO plain (name) VALUES ('p'); INSERT INTO customer (name) VALUES ('ada'); \
               INSERT INTO \"order\" (customer, state) VALUES (1, 'open'); INSERT INTO line VALUES (1, 0, 5); \
               INSERT INTO sales_item (name) VALUES ('mug'); INSERT INTO shipping_item (\"order\", weight) VALUES (1, 7)",
        after: r#"
            entity Plain { key id: Int = auto  name: String(1..9)  allow read to user }
            service sales {
              entity Customer { key id: Int = auto  name: String(1..9) unique  allow read, delete to user }
              entity Order { key id: Int = auto  customer: Customer  state: enum { open, done }  index (state)  allow read to user }
              entity Line part of Order as lines (0..9) { price: Int(0..) }
              entity Item { key id: Int = auto  name: String(1..9) unique  allow read to user }
            }
            service shipping {
              entity Item { key id: Int = auto  order: sales.Order  weight: Int  index (weight)  allow read to user }
            }"#,
        allowed: &[],
        select: "SELECT c.name, o.state, l.price, s.name, i.weight, p.name FROM sales.\"order\" o JOIN sales.customer c ON c.id = o.customer \
                 JOIN sales.line l ON l.\"order\" = o.id CROSS JOIN sales.item s CROSS JOIN plain p \
                 JOIN shipping.item i ON i.\"order\" = o.id",
        wanted: "ada|open|5|mug|7|p",
    },
    Case {
        name: "services become schemas while much else changes",
        before: r#"// flat
            service sales {
              entity Customer { key id: Int = auto  name: String(1..9) unique  nick: String(1..9)?  allow read, delete to user }
              entity Order { key id: Int = auto  customer: Customer  price: Int(0..)  gone: Int?  index (price)  allow read to user }
              entity Line part of Order as lines (0..9) { price: Int(0..) }
            }"#,
        fill: "INSERT INTO customer (name, nick) VALUES ('ada', 'a b'); \
               INSERT INTO \"order\" (customer, price, gone) VALUES (1, 3, 4); INSERT INTO line VALUES (1, 0, 5)",
        after: r#"
            service sales {
              entity Customer { key id: Int = auto  called: String(1..9) unique was name  nick: String(1..9)  allow read, delete to user }
              entity Purchase was Order {
                key id: Int = auto
                buyer: Customer was customer
                price: Decimal(9, 2)
                best: Item?
                index (price)
                allow read to user
              }
              entity Line part of Purchase as lines (0..9) { price: Int(0..) }
              entity Item { key id: Int = auto  name: String(1..9)  of: Purchase  allow read to user }
            }"#,
        allowed: &["order.gone"],
        select: "SELECT c.called, c.nick, p.price, l.price FROM sales.purchase p JOIN sales.customer c ON c.id = p.buyer \
                 JOIN sales.line l ON l.purchase = p.id",
        wanted: "ada|a b|3.00|5",
    },
    Case {
        name: "an entity goes to another service, one to none, and one goes with its service",
        before: r#"
            service sales {
              entity Order { key id: Int = auto  name: String(1..9) unique  allow read to user }
              entity Note { key id: Int = auto  text: String(1..9)  allow read to user }
            }
            service archive {
              entity Old { key id: Int = auto  name: String(1..9)  index (name)  allow read to user }
            }"#,
        fill: "INSERT INTO sales.\"order\" (name) VALUES ('o'); INSERT INTO sales.note (text) VALUES ('n'); \
               INSERT INTO archive.old (name) VALUES ('x')",
        after: r#"
            entity Note { key id: Int = auto  text: String(1..9)  allow read to user }
            service trade {
              entity Order { key id: Int = auto  name: String(1..9) unique  allow read to user }
            }"#,
        allowed: &["archive.old"],
        select: "SELECT o.name, n.text FROM trade.\"order\" o CROSS JOIN note n",
        wanted: "o|n",
    },
    Case {
        name: "tables of a service change in its schema",
        before: r#"
            service sales {
              entity Order { key id: Int = auto  name: String(1..9) unique  price: Int  index (price)  allow read to user }
            }
            service shipping {
              entity Order { key id: Int = auto  name: String(1..9) unique  price: Int  index (price)  allow read to user }
            }"#,
        fill: "INSERT INTO sales.\"order\" (name, price) VALUES ('s', 1); INSERT INTO shipping.\"order\" (name, price) VALUES ('h', 2)",
        after: r#"
            service sales {
              entity Purchase was Order { key id: Int = auto  title: String(1..9) unique was name  price: Int  index (price, title)  allow read to user }
            }
            service shipping {
              entity Order { key id: Int = auto  name: String(1..9) unique  price: Decimal(9, 2)  index (price)  allow read to user }
              entity Extra part of Order as extras (0..9) { price: Int }
            }"#,
        allowed: &[],
        select: "SELECT s.title, s.price, h.name, h.price FROM sales.purchase s CROSS JOIN shipping.\"order\" h",
        wanted: "s|1|h|2.00",
    },
    Case {
        name: "a formula changes while much else does",
        before: r#"
            service sales {
              entity Order {
                key id: Int = auto
                price: Int
                total: Int := .price + sum(lines, .amount)
                allow read to user
              }
              entity Line part of Order as lines (0..9) { count: Int  price: Int  amount: Int := .count + .price }
            }"#,
        fill: "INSERT INTO sales.\"order\" (price, total) VALUES (1, 1), (2, 9); \
               INSERT INTO sales.line (\"order\", position, count, price, amount) VALUES (2, 1, 3, 4, 7)",
        after: r#"
            service sales {
              entity Order {
                key id: Int = auto
                price: Decimal(9, 2)
                total: Int := count(lines) + sum(lines, .amount)
                dear: Bool := .price > 1.5
                most: Int? := max(lines, .amount)
                allow read to user
              }
              entity Line part of Order as lines (0..9) { count: Int  price: Int  amount: Int := .count * .price }
            }"#,
        allowed: &[],
        select: "SELECT o.price, o.total, o.dear, o.most, l.amount FROM sales.\"order\" o \
                 LEFT JOIN sales.line l ON l.\"order\" = o.id ORDER BY o.id",
        wanted: "1.00|0|f||\n2.00|13|t|12|12",
    },
    Case {
        name: "a formula changes, and nothing else",
        before: "entity Thing { key code: String(1..9)  a: Int  b: Int  both: Int := .a + .b  allow read to user }",
        fill: "INSERT INTO thing (code, a, b, \"both\") VALUES ('a', 3, 4, 7), ('b', 5, 6, 11)",
        after: "entity Thing { key code: String(1..9)  a: Int  b: Int  both: Int := .a * .b  allow read to user }",
        allowed: &[],
        select: "SELECT code, \"both\", row_version FROM thing ORDER BY code",
        wanted: "a|12|2\nb|30|2",
    },
];
