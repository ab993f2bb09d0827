//! The shop's rows: each a pure function of its number, so that no table of what exists need be kept.
//!
//! 100,000 customers, one in ten of them regular with some forty orders; 500,000 orders with three lines on
//! average; 5,000 products of which one in twenty is retired.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use rusqlite::Connection;

use crate::fault::{Doing as _, Fault};
use crate::form;

/// Changes when a row changes, so that data prepared by an older build is not mistaken for today's.
pub const VERSION: u32 = 3;

/// How many rows there are of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shop {
    /// Customers.
    pub customers: u64,
    /// Orders; each has one to five lines.
    pub orders: u64,
    /// Products.
    pub products: u64,
}

/// The shop of the report.
pub const FULL: Shop = Shop { customers: 100_000, orders: 500_000, products: 5_000 };

/// A thirtieth of it, for a quick look and for tests.
pub const SMALL: Shop = Shop { customers: 3_000, orders: 15_000, products: 500 };

/// A row of `Product`.
#[derive(Debug, Clone)]
pub struct Product {
    /// Its key.
    pub sku: String,
    /// What it is called.
    pub name: String,
    /// In cents.
    pub price: i64,
    /// Pieces on the shelf.
    pub stock: i64,
    /// `live` or `retired`.
    pub state: &'static str,
}

/// A row of `Customer`.
#[derive(Debug, Clone)]
pub struct Customer {
    /// Its key.
    pub id: [u8; 16],
    /// Unique.
    pub email: String,
    /// First and last name.
    pub name: String,
    /// Two in three have one.
    pub phone: Option<String>,
    /// Microseconds since 1970.
    pub joined: i64,
}

/// A row of `Order`.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its key.
    pub id: [u8; 16],
    /// The number of the customer.
    pub customer: u64,
    /// One of the four of the flow.
    pub status: &'static str,
    /// Microseconds since 1970; no two orders share one.
    pub placed: i64,
    /// In the order of their position, which counts from one.
    pub lines: Vec<Line>,
}

/// A part of an [`Order`].
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// The number of the product.
    pub product: u64,
    /// Pieces.
    pub quantity: i64,
    /// In cents, for one piece.
    pub price: i64,
}

/// Mixes a kind and a number into 64 bits that look random: the finaliser of `SplitMix64`, twice.
#[must_use]
pub fn mix(kind: u64, number: u64) -> u64 {
    let scramble = |seed: u64| {
        let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    scramble(scramble(kind).wrapping_add(number))
}

const FIRST: [&str; 16] = [
    "Ada", "Bruno", "Carla", "Deniz", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Katja",
    "Liam", "Maria", "Nuri", "Olga", "Pablo",
];
const LAST: [&str; 16] = [
    "Adler", "Brandt", "Costa", "Demir", "Ekman", "Fischer", "Garcia", "Holm", "Ivanov", "Jansen",
    "Kaya", "Lindt", "Moreau", "Novak", "Ozturk", "Petrov",
];
const QUALITY: [&str; 12] = [
    "Plain", "Fine", "Dark", "Light", "Small", "Large", "Round", "Old", "Northern", "Warm",
    "Quiet", "Blue",
];
const THING: [&str; 16] = [
    "Kettle", "Lamp", "Teapot", "Blanket", "Chair", "Notebook", "Basket", "Clock", "Mirror",
    "Shelf", "Candle", "Vase", "Bowl", "Spoon", "Cushion", "Table",
];

/// 2024-01-01T00:00:00Z in microseconds: the first order is placed within two minutes of it.
const OPENING: i64 = 1_704_067_200_000_000;
/// Two years of orders, one in this many microseconds.
const ORDER_STEP: i64 = 126_000_000;
/// Customers join from three years before the opening.
const JOIN_STEP: i64 = 946_000_000;

impl Shop {
    /// The product with this number.
    #[must_use]
    pub fn product(&self, number: u64) -> Product {
        let random = mix(1, number);
        Product {
            sku: sku(number),
            name: format!(
                "{} {} {:03}",
                QUALITY[(random % 12) as usize],
                THING[(random >> 8) as usize % 16],
                random >> 16 & 511
            ),
            price: price(number),
            // Never sold out, however long orders are placed.
            stock: 1_000_000 + (random >> 32 & 1023) as i64,
            state: if is_live(number) { "live" } else { "retired" },
        }
    }

    /// The key of the customer with this number.
    #[must_use]
    pub fn customer_id(&self, number: u64) -> [u8; 16] {
        uuid_v7(joined(number), mix(2, number), mix(3, number))
    }

    /// The customer with this number.
    #[must_use]
    pub fn customer(&self, number: u64) -> Customer {
        let random = mix(4, number);
        let (first, last) = (FIRST[(random % 16) as usize], LAST[(random >> 8) as usize % 16]);
        Customer {
            id: self.customer_id(number),
            email: format!(
                "{}.{}.{number}@example.com",
                first.to_ascii_lowercase(),
                last.to_ascii_lowercase()
            ),
            name: format!("{first} {last}"),
            phone: (random >> 16)
                .is_multiple_of(3)
                .then_some(())
                .map_or_else(|| Some(format!("+49 30 {:07}", random >> 20 & 0x7f_ffff)), |()| None),
            joined: joined(number),
        }
    }

    /// How many customers are regular; they are those whose number is a multiple of ten.
    #[must_use]
    pub fn regulars(&self) -> u64 {
        self.customers / 10
    }

    /// The number of the customer who placed the order with this number.
    #[must_use]
    pub fn customer_of(&self, order: u64) -> u64 {
        let random = mix(5, order);
        if random & 1023 < 819 {
            (random >> 10) % self.regulars() * 10
        } else {
            (random >> 10) % self.customers
        }
    }

    /// The key of the order with this number; orders are numbered as they were placed.
    #[must_use]
    pub fn order_id(&self, number: u64) -> [u8; 16] {
        uuid_v7(placed(number), mix(7, number), mix(8, number))
    }

    /// The order with this number, and its lines.
    #[must_use]
    pub fn order(&self, number: u64) -> Order {
        let random = mix(9, number);
        let lines = (0..1 + random % 5)
            .map(|position| {
                let random = mix(10, number * 8 + position);
                let product = random % self.products;
                Line { product, quantity: 1 + (random >> 32 & 7) as i64, price: price(product) }
            })
            .collect();
        let status = match random >> 8 & 15 {
            0 => "pending",
            1 => "cancelled",
            2..=4 => "paid",
            _ => "shipped",
        };
        Order {
            id: self.order_id(number),
            customer: self.customer_of(number),
            status,
            placed: placed(number),
            lines,
        }
    }
}

/// Whether the product with this number can be seen by anyone.
#[must_use]
pub fn is_live(product: u64) -> bool {
    !mix(11, product).is_multiple_of(20)
}

/// The key of the product with this number.
#[must_use]
pub fn sku(product: u64) -> String {
    format!("{:04X}-{product:05}", mix(12, product) & 0xffff)
}

/// What one piece of the product with this number costs, in cents.
#[must_use]
pub fn price(product: u64) -> i64 {
    199 + (mix(13, product) % 20_000) as i64
}

fn joined(customer: u64) -> i64 {
    OPENING - 100_000 * JOIN_STEP + customer as i64 * JOIN_STEP
}

fn placed(order: u64) -> i64 {
    // Whole milliseconds below the step: the moments rise, so no two are the same.
    OPENING + order as i64 * ORDER_STEP + (mix(6, order) % 126_000) as i64 * 1_000
}

fn uuid_v7(micros: i64, high: u64, low: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..6].copy_from_slice(&(micros / 1_000).to_be_bytes()[2..]);
    key[6..8].copy_from_slice(&((high as u16 & 0x0fff) | 0x7000).to_be_bytes());
    key[8..].copy_from_slice(&(low & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000).to_be_bytes());
    key
}

/// Writes `Product.csv`, `Customer.csv`, `Order.csv` and `Line.csv` into `folder`, in the written forms of
/// values; computed fields are left to whoever loads them.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_csv(shop: &Shop, folder: &Path) -> Result<(), Fault> {
    let doing = |name: &str| format!("writing {}", folder.join(name).display());
    std::fs::create_dir_all(folder).doing(format!("making {}", folder.display()))?;
    let open = |name: &str, header: &str| -> Result<BufWriter<File>, Fault> {
        let file = File::create(folder.join(name)).doing(doing(name))?;
        let mut file = BufWriter::with_capacity(1 << 18, file);
        writeln!(file, "{header}").doing(doing(name))?;
        Ok(file)
    };
    let mut row = Vec::new();

    let mut products = open("Product.csv", "sku,name,price,stock,state")?;
    for number in 0..shop.products {
        let product = shop.product(number);
        row.clear();
        form::money(&mut row, product.price);
        let price = String::from_utf8_lossy(&row);
        let Product { sku, name, stock, state, .. } = &product;
        writeln!(products, "{sku},{name},{price},{stock},{state}").doing(doing("Product.csv"))?;
    }
    products.flush().doing(doing("Product.csv"))?;

    let mut customers = open("Customer.csv", "id,email,name,phone,joined")?;
    for number in 0..shop.customers {
        let customer = shop.customer(number);
        row.clear();
        form::uuid(&mut row, &customer.id);
        for text in [&customer.email, &customer.name, &customer.phone.unwrap_or_default()] {
            row.push(b',');
            row.extend_from_slice(text.as_bytes());
        }
        row.push(b',');
        form::timestamp(&mut row, customer.joined);
        row.push(b'\n');
        customers.write_all(&row).doing(doing("Customer.csv"))?;
    }
    customers.flush().doing(doing("Customer.csv"))?;

    let mut orders = open("Order.csv", "id,customer,status,placed")?;
    let mut lines = open("Line.csv", "order,position,product,quantity,price")?;
    for number in 0..shop.orders {
        let order = shop.order(number);
        row.clear();
        form::uuid(&mut row, &order.id);
        row.push(b',');
        form::uuid(&mut row, &shop.customer_id(order.customer));
        row.push(b',');
        row.extend_from_slice(order.status.as_bytes());
        row.push(b',');
        form::timestamp(&mut row, order.placed);
        row.push(b'\n');
        orders.write_all(&row).doing(doing("Order.csv"))?;
        row.clear();
        for (index, line) in order.lines.iter().enumerate() {
            form::uuid(&mut row, &order.id);
            row.push(b',');
            form::integer(&mut row, index as i64 + 1);
            row.push(b',');
            row.extend_from_slice(sku(line.product).as_bytes());
            row.push(b',');
            form::integer(&mut row, line.quantity);
            row.push(b',');
            form::money(&mut row, line.price);
            row.push(b'\n');
        }
        lines.write_all(&row).doing(doing("Line.csv"))?;
    }
    orders.flush().doing(doing("Order.csv"))?;
    lines.flush().doing(doing("Line.csv"))
}

/// The baseline's tables. Every constraint that a body cannot be checked for beforehand is here.
pub const SCHEMA: &str = r#"
CREATE TABLE product (
  sku TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL, stock INTEGER NOT NULL,
  state TEXT NOT NULL, row_version INTEGER NOT NULL DEFAULT 1
) STRICT, WITHOUT ROWID;
CREATE TABLE customer (
  id BLOB NOT NULL PRIMARY KEY, email TEXT NOT NULL, name TEXT NOT NULL, phone TEXT,
  joined INTEGER NOT NULL, row_version INTEGER NOT NULL DEFAULT 1
) STRICT, WITHOUT ROWID;
CREATE TABLE "order" (
  id BLOB NOT NULL PRIMARY KEY, customer BLOB NOT NULL REFERENCES customer (id), status TEXT NOT NULL,
  total INTEGER NOT NULL, placed INTEGER NOT NULL, row_version INTEGER NOT NULL DEFAULT 1
) STRICT, WITHOUT ROWID;
CREATE TABLE line (
  "order" BLOB NOT NULL REFERENCES "order" (id), position INTEGER NOT NULL,
  product TEXT NOT NULL REFERENCES product (sku), quantity INTEGER NOT NULL, price INTEGER NOT NULL,
  PRIMARY KEY ("order", position)
) STRICT, WITHOUT ROWID;
CREATE TABLE event (
  number INTEGER PRIMARY KEY, id BLOB NOT NULL, name TEXT NOT NULL, key TEXT NOT NULL, made INTEGER NOT NULL, data TEXT NOT NULL
) STRICT;
"#;

/// The index of `recent_orders` carries what the page shows: a page is then one stretch of the index instead
/// of twenty look-ups of rows that lie scattered, for half of the CPU.
const INDEXES: &str = r#"
CREATE UNIQUE INDEX customer_email ON customer (email);
CREATE INDEX order_customer_placed ON "order" (customer, placed, id, status, total);
"#;

/// The CSV files as they are, on PostgreSQL.
pub const POSTGRES_STAGE: &str = "
CREATE SCHEMA stage;
CREATE UNLOGGED TABLE stage.product (sku text, name text, price numeric, stock bigint, state text);
CREATE UNLOGGED TABLE stage.customer (id uuid, email text, name text, phone text, joined timestamptz);
CREATE UNLOGGED TABLE stage.order (id uuid, customer uuid, status text, placed timestamptz);
CREATE UNLOGGED TABLE stage.line (\"order\" uuid, position bigint, product text, quantity bigint, price numeric)";

/// The tables of the servers that are written by hand, on PostgreSQL, from the staged rows. Money is cents.
pub const POSTGRES_TABLES: &str = r#"
CREATE TABLE product (
  sku text COLLATE "C" PRIMARY KEY, name text NOT NULL, price bigint NOT NULL, stock bigint NOT NULL,
  state text NOT NULL, row_version bigint NOT NULL DEFAULT 1);
INSERT INTO product SELECT sku, name, price * 100, stock, state FROM stage.product;
CREATE TABLE customer (
  id uuid PRIMARY KEY, email text COLLATE "C" NOT NULL UNIQUE, name text NOT NULL, phone text,
  joined timestamptz NOT NULL, row_version bigint NOT NULL DEFAULT 1);
INSERT INTO customer SELECT * FROM stage.customer;
CREATE TABLE "order" (
  id uuid PRIMARY KEY, customer uuid NOT NULL REFERENCES customer, status text NOT NULL, total bigint NOT NULL,
  placed timestamptz NOT NULL, row_version bigint NOT NULL DEFAULT 1);
INSERT INTO "order" SELECT o.id, o.customer, o.status, l.total, o.placed FROM stage.order o
  JOIN (SELECT "order", sum(price * quantity) * 100 AS total FROM stage.line GROUP BY 1) l ON l."order" = o.id
  ORDER BY o.id;
CREATE TABLE line (
  "order" uuid NOT NULL REFERENCES "order", position bigint NOT NULL,
  product text COLLATE "C" NOT NULL REFERENCES product, quantity bigint NOT NULL, price bigint NOT NULL,
  PRIMARY KEY ("order", position));
INSERT INTO line SELECT "order", position, product, quantity, price * 100 FROM stage.line ORDER BY "order", position;
CREATE TABLE event (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id uuid NOT NULL, name text NOT NULL, key text NOT NULL,
  made bigint NOT NULL, data json NOT NULL);
CREATE INDEX ON "order" (customer, placed, id) INCLUDE (status, total, row_version);
DROP SCHEMA stage CASCADE;
"#;

/// Builds the baseline's database at `path`, which must not exist.
///
/// # Errors
/// When SQLite cannot write it.
pub fn build_database(shop: &Shop, path: &Path) -> Result<(), Fault> {
    let mut connection = Connection::open(path)?;
    // Nothing is lost by speed here: a build that ends early is thrown away.
    connection.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF;
         PRAGMA cache_size = -262144;",
    )?;
    connection.execute_batch(SCHEMA)?;
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare(
            "INSERT INTO product (sku, name, price, stock, state) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        for number in 0..shop.products {
            let product = shop.product(number);
            insert.execute((
                &product.sku,
                &product.name,
                product.price,
                product.stock,
                product.state,
            ))?;
        }
        let mut insert = transaction.prepare(
            "INSERT INTO customer (id, email, name, phone, joined) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        for number in 0..shop.customers {
            let customer = shop.customer(number);
            insert.execute((
                customer.id,
                &customer.email,
                &customer.name,
                &customer.phone,
                customer.joined,
            ))?;
        }
        let mut insert = transaction.prepare(
            r#"INSERT INTO "order" (id, customer, status, total, placed) VALUES (?1, ?2, ?3, ?4, ?5)"#,
        )?;
        let mut insert_line = transaction.prepare(
            r#"INSERT INTO line ("order", position, product, quantity, price) VALUES (?1, ?2, ?3, ?4, ?5)"#,
        )?;
        for number in 0..shop.orders {
            let order = shop.order(number);
            let total: i64 = order.lines.iter().map(|line| line.price * line.quantity).sum();
            insert.execute((
                order.id,
                shop.customer_id(order.customer),
                order.status,
                total,
                order.placed,
            ))?;
            for (index, line) in order.lines.iter().enumerate() {
                insert_line.execute((
                    order.id,
                    index as i64 + 1,
                    sku(line.product),
                    line.quantity,
                    line.price,
                ))?;
            }
        }
        transaction.execute_batch(INDEXES)?;
    }
    transaction.commit()?;
    connection.execute_batch("PRAGMA optimize; PRAGMA journal_mode = WAL;")?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_rise_and_belong_to_customers() {
        let mut lines = 0;
        for number in 0..SMALL.orders {
            let order = SMALL.order(number);
            assert!(order.customer < SMALL.customers);
            assert!(number == 0 || placed(number) > placed(number - 1));
            lines += order.lines.len() as u64;
        }
        let mean = lines as f64 / SMALL.orders as f64;
        assert!((2.9..3.1).contains(&mean), "{mean}");
    }

    #[test]
    fn keys_are_version_7_and_unique() {
        let mut keys: Vec<_> = (0..SMALL.orders).map(|number| SMALL.order_id(number)).collect();
        assert!(keys.iter().all(|key| key[6] >> 4 == 7 && key[8] >> 6 == 2));
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len() as u64, SMALL.orders);
        let mut skus: Vec<_> = (0..SMALL.products).map(sku).collect();
        skus.sort_unstable();
        skus.dedup();
        assert_eq!(skus.len() as u64, SMALL.products);
    }
}
