//! The requests of the workload, made from the shop's data as fast as they are sent.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::data::{self, Shop};
use crate::form;
use crate::identity;

/// Customers whose tokens are in use; all are regular, so each has more than a page of orders.
const SIGNED_IN: u64 = 1_000;
/// Clerks whose tokens are in use.
const CLERKS: u64 = 16;

/// A row of the table: one kind of request, or a mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// An exchange without database or caller: the floor of every other row.
    Bare,
    /// One customer by its key.
    R1,
    /// Twenty orders of one customer, the newest first.
    R2,
    /// One order with its lines and their products.
    R3,
    /// One product, validated, inserted and returned.
    W1,
    /// One order with three lines.
    W2,
    /// Three products taken out of stock and promised: a command.
    C1,
    /// Nine reads of R1, R2 or R3 to one W1.
    M1,
}

impl Row {
    /// The rows in the order of the report, the floor first.
    pub const ALL: [Row; 8] =
        [Row::Bare, Row::R1, Row::R2, Row::R3, Row::W1, Row::W2, Row::C1, Row::M1];

    /// The short name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Row::Bare => "bare",
            Row::R1 => "R1",
            Row::R2 => "R2",
            Row::R3 => "R3",
            Row::W1 => "W1",
            Row::W2 => "W2",
            Row::C1 => "C1",
            Row::M1 => "M1",
        }
    }

    /// What a request of this row does.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Row::Bare => "a bare HTTP exchange",
            Row::R1 => "one customer by its key",
            Row::R2 => "20 orders of a customer, sorted, with a cursor",
            Row::R3 => "one order with its lines and their products",
            Row::W1 => "one validated insert, returned",
            Row::W2 => "an order with three lines in one transaction",
            Row::C1 => "`place_order` with three lines, and its event",
            Row::M1 => "90 % reads, 10 % W1",
        }
    }
}

/// A request before it is written: enough for a raw socket and for a check of the answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Path and query.
    pub target: String,
    /// The caller's token, or empty.
    pub token: String,
    /// The body, or empty.
    pub body: String,
}

/// Makes requests of a shop, the same ones for the same seed.
pub struct Requests {
    shop: Shop,
    random: u64,
    count: u64,
    /// Distinguishes the keys that this run makes from those of any other.
    run: u64,
    clerks: Vec<Head>,
    customers: Vec<SignedIn>,
    body: Vec<u8>,
}

struct Head {
    token: String,
    /// `Host`, `Accept` and `Authorization` with the blank line.
    get: Vec<u8>,
    /// The same and `Content-Type`, up to the value of `Content-Length`.
    post: Vec<u8>,
}

struct SignedIn {
    id: [u8; 16],
    head: Head,
    orders: Vec<u64>,
}

impl Requests {
    /// Signs the callers' tokens with `secret` and looks up which orders are theirs; `seed` decides the
    /// order of the requests, `run` the keys of new rows.
    #[must_use]
    pub fn new(shop: Shop, secret: &[u8], seed: u64, run: u64) -> Requests {
        let expires = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
            + 12 * 60 * 60;
        let head = |sub: &str, role: &str| {
            let token = identity::sign(secret, sub, role, expires);
            let get = format!(
                " HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nAuthorization: Bearer {token}\r\n"
            );
            let post = format!("{get}Content-Type: application/json\r\nContent-Length: ");
            Head { token, get: (get + "\r\n").into_bytes(), post: post.into_bytes() }
        };
        let clerks = (0..CLERKS).map(|number| head(&format!("clerk-{number}"), "clerk")).collect();
        let signed_in = SIGNED_IN.min(shop.regulars());
        let stride = shop.regulars() / signed_in * 10;
        let mut customers: Vec<_> = (0..signed_in)
            .map(|index| {
                let id = shop.customer_id(index * stride);
                let mut sub = Vec::new();
                form::uuid(&mut sub, &id);
                SignedIn {
                    id,
                    head: head(&String::from_utf8_lossy(&sub), "customer"),
                    orders: Vec::new(),
                }
            })
            .collect();
        for order in 0..shop.orders {
            let customer = shop.customer_of(order);
            if customer.is_multiple_of(stride)
                && let Some(known) = customers.get_mut((customer / stride) as usize)
            {
                known.orders.push(order);
            }
        }
        Requests { shop, random: seed, count: 0, run, clerks, customers, body: Vec::new() }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(1);
        data::mix(99, self.random) % bound
    }

    /// Appends the next request of `row` to `out`. Half of the callers of reads and orders are customers who
    /// see what is theirs, the other half are clerks who see everything.
    pub fn write(&mut self, row: Row, out: &mut Vec<u8>) {
        let by_clerk = self.below(2) == 0;
        let clerk = self.below(self.clerks.len() as u64) as usize;
        let customer = self.below(self.customers.len() as u64) as usize;
        match row {
            Row::Bare => out.extend_from_slice(
                b"GET /bare HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n",
            ),
            Row::R1 => {
                out.extend_from_slice(b"GET /v1/customers/");
                let (id, head) = if by_clerk {
                    let number = self.below(self.shop.customers);
                    (self.shop.customer_id(number), &self.clerks[clerk])
                } else {
                    (self.customers[customer].id, &self.customers[customer].head)
                };
                form::uuid(out, &id);
                out.extend_from_slice(&head.get);
            }
            Row::R2 => {
                out.extend_from_slice(b"GET /v1/recent-orders?customer=");
                let (id, head) = if by_clerk {
                    let number = self.below(self.shop.regulars()) * 10;
                    (self.shop.customer_id(number), &self.clerks[clerk])
                } else {
                    (self.customers[customer].id, &self.customers[customer].head)
                };
                form::uuid(out, &id);
                out.extend_from_slice(&head.get);
            }
            Row::R3 => {
                out.extend_from_slice(b"GET /v1/orders/");
                let own = self.customers[customer].orders.len() as u64;
                let (number, by_clerk) = if by_clerk || own == 0 {
                    (self.below(self.shop.orders), true)
                } else {
                    let index = self.below(own) as usize;
                    (self.customers[customer].orders[index], false)
                };
                form::uuid(out, &self.shop.order_id(number));
                out.extend_from_slice(b"?include=lines.product");
                let head =
                    if by_clerk { &self.clerks[clerk] } else { &self.customers[customer].head };
                out.extend_from_slice(&head.get);
            }
            Row::W1 => {
                self.count += 1;
                let number = self.below(self.shop.products);
                let (run, count) = (self.run, self.count);
                self.body.clear();
                // Scattered keys, as a catalogue's are: rising ones would flatter the insert.
                let key = data::mix(run, count);
                let _ = std::io::Write::write_fmt(
                    &mut self.body,
                    format_args!(
                        "{{\"sku\":\"{key:016X}-{count:08}\",\"name\":\"Fine Kettle {number:05}\",\"price\":\""
                    ),
                );
                form::money(&mut self.body, data::price(number));
                self.body.extend_from_slice(b"\",\"stock\":25,\"state\":\"live\"}");
                out.extend_from_slice(b"POST /v1/products");
                post(out, &self.clerks[clerk], &self.body);
            }
            Row::W2 => {
                let id = if by_clerk {
                    let number = self.below(self.shop.customers);
                    self.shop.customer_id(number)
                } else {
                    self.customers[customer].id
                };
                self.body.clear();
                self.body.extend_from_slice(b"{\"customer\":\"");
                form::uuid(&mut self.body, &id);
                self.body.extend_from_slice(b"\",\"lines\":[");
                for index in 0..3 {
                    let product = self.live_product();
                    let quantity = self.below(8) + 1;
                    if index > 0 {
                        self.body.push(b',');
                    }
                    let _ = std::io::Write::write_fmt(
                        &mut self.body,
                        format_args!(
                            "{{\"product\":\"{}\",\"quantity\":{quantity},\"price\":\"",
                            data::sku(product)
                        ),
                    );
                    form::money(&mut self.body, data::price(product));
                    self.body.extend_from_slice(b"\"}");
                }
                self.body.extend_from_slice(b"]}");
                out.extend_from_slice(b"POST /v1/orders");
                let head =
                    if by_clerk { &self.clerks[clerk] } else { &self.customers[customer].head };
                post(out, head, &self.body);
            }
            Row::C1 => {
                self.body.clear();
                self.body.extend_from_slice(b"{\"basket\":[");
                for index in 0..3 {
                    let (product, quantity) = (self.live_product(), self.below(8) + 1);
                    let _ = std::io::Write::write_fmt(
                        &mut self.body,
                        format_args!(
                            "{}{{\"product\":\"{}\",\"quantity\":{quantity}}}",
                            if index > 0 { "," } else { "" },
                            data::sku(product)
                        ),
                    );
                }
                self.body.extend_from_slice(b"]}");
                out.extend_from_slice(b"POST /v1/place-order");
                post(out, &self.customers[customer].head, &self.body);
            }
            Row::M1 => {
                let row = match self.below(10) {
                    0..3 => Row::R1,
                    3..6 => Row::R2,
                    6..9 => Row::R3,
                    _ => Row::W1,
                };
                self.write(row, out);
            }
        }
    }

    /// The next request of `row`, taken apart.
    #[must_use]
    pub fn plain(&mut self, row: Row) -> Plain {
        let mut bytes = Vec::new();
        self.write(row, &mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut words = head.split(' ');
        let method = if words.next() == Some("POST") { "POST" } else { "GET" };
        let target = words.next().unwrap_or_default().to_owned();
        let token = head
            .lines()
            .find_map(|line| line.strip_prefix("Authorization: Bearer "))
            .unwrap_or_default()
            .to_owned();
        Plain { method, target, token, body: body.to_owned() }
    }

    /// The token of a customer, and the key of another: what the one may not see of the other.
    #[must_use]
    pub fn stranger(&self) -> (String, [u8; 16], [u8; 16]) {
        let other = &self.customers[1 % self.customers.len()];
        let order = other.orders.first().map_or([0; 16], |&order| self.shop.order_id(order));
        (self.customers[0].head.token.clone(), other.id, order)
    }

    /// An order by a customer of a product that only clerks see.
    #[must_use]
    pub fn hidden_product(&self) -> Plain {
        let product = (0..self.shop.products).find(|&number| !data::is_live(number)).unwrap_or(0);
        let customer = &self.customers[0];
        let mut id = Vec::new();
        form::uuid(&mut id, &customer.id);
        Plain {
            method: "POST",
            target: "/v1/orders".to_owned(),
            token: customer.head.token.clone(),
            body: format!(
                r#"{{"customer":"{}","lines":[{{"product":"{}","quantity":1,"price":"1.00"}}]}}"#,
                String::from_utf8_lossy(&id),
                data::sku(product)
            ),
        }
    }

    fn live_product(&mut self) -> u64 {
        loop {
            let product = self.below(self.shop.products);
            if data::is_live(product) {
                return product;
            }
        }
    }
}

fn post(out: &mut Vec<u8>, head: &Head, body: &[u8]) {
    out.extend_from_slice(&head.post);
    form::integer(out, body.len() as i64);
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(body);
}
