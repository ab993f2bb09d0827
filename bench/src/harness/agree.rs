//! Whether two servers answer alike; only then can their speeds be compared.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::server::Server;
use crate::fault::{Doing as _, Fault};
use crate::form;
use crate::load::request::{Plain, Requests, Row};

/// Requests of each row that are compared.
const SAMPLE: usize = 60;
/// Differences that are told.
const TOLD: usize = 12;

/// A connection that waits for each answer.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
}

/// An answer, taken apart.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

impl Client {
    /// Connects within a second.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn connect(address: SocketAddr) -> Result<Client, Fault> {
        let doing = || format!("connecting to {address}");
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).doing(doing())?;
        stream.set_nodelay(true).doing(doing())?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).doing(doing())?;
        Ok(Client { stream })
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// When the connection fails or the answer cannot be read.
    pub fn send(&mut self, request: &Plain) -> Result<Reply, Fault> {
        let Plain { method, target, token, body } = request;
        let mut text = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n");
        if !token.is_empty() {
            text.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        if *method == "POST" {
            text.push_str(&format!(
                "Content-Type: application/json\r\nContent-Length: {}\r\n",
                body.len()
            ));
        }
        text.push_str("\r\n");
        text.push_str(body);
        self.stream.write_all(text.as_bytes()).doing("sending a request")?;

        let mut bytes = Vec::new();
        let mut piece = [0; 8_192];
        let head = loop {
            if let Some(end) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
                break end + 4;
            }
            let count = self.stream.read(&mut piece).doing("reading an answer")?;
            if count == 0 {
                return Err(Fault::Unreadable("the server closed the connection"));
            }
            bytes.extend_from_slice(&piece[..count]);
        };
        let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
        let mut lines = text.lines();
        let status = lines
            .next()
            .and_then(|line| line.get(9..12)?.parse().ok())
            .ok_or(Fault::Unreadable("there is no status line"))?;
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut reply = Reply { status, headers, body: bytes.split_off(head) };
        let length: usize = reply
            .header("content-length")
            .and_then(|length| length.parse().ok())
            // An answer without content has none (RFC 9110, section 15.3.5).
            .or((reply.status == 204).then_some(0))
            .ok_or(Fault::Unreadable("there is no Content-Length"))?;
        while reply.body.len() < length {
            let count = self.stream.read(&mut piece).doing("reading an answer")?;
            if count == 0 {
                return Err(Fault::Unreadable("the server closed the connection"));
            }
            reply.body.extend_from_slice(&piece[..count]);
        }
        Ok(reply)
    }
}

/// Sends the same requests to both servers and compares what comes back: status, body as JSON, media type,
/// `ETag`, `Location`, `Link` and the page behind the cursor; also what strangers and bad bodies get. Keys
/// and moments that the server itself makes may differ. Gives the number of answers compared.
///
/// # Errors
/// When an answer differs or a connection fails.
pub fn check(one: &Server, other: &Server, requests: &mut Requests) -> Result<usize, Fault> {
    let mut pair = Pair {
        one: Client::connect(one.address)?,
        other: Client::connect(other.address)?,
        names: [one.name.clone(), other.name.clone()],
        compared: 0,
        differences: Vec::new(),
    };
    for row in [Row::R1, Row::R2, Row::R3] {
        for _ in 0..SAMPLE {
            let request = requests.plain(row);
            let (a, b) = pair.ask(&request, 200, &[])?;
            if row == Row::R2 {
                pair.next_page(&request, &a, &b)?;
            }
        }
    }
    for _ in 0..SAMPLE {
        pair.ask(&requests.plain(Row::W1), 201, &[])?;
        let request = requests.plain(Row::W2);
        let (a, b) = pair.ask(&request, 201, &["id", "placed"])?;
        pair.read_back(&request, &a, &b)?;
        let request = requests.plain(Row::C1);
        let (a, b) = pair.ask(&request, 200, &["id", "placed"])?;
        pair.read_back(&request, &a, &b)?;
    }
    pair.refusals(requests)?;
    if pair.differences.is_empty() {
        return Ok(pair.compared);
    }
    let more = pair.differences.len().saturating_sub(TOLD);
    pair.differences.truncate(TOLD);
    if more > 0 {
        pair.differences.push(format!("and {more} more"));
    }
    Err(Fault::Disagree(pair.differences.join("\n")))
}

struct Pair {
    one: Client,
    other: Client,
    names: [String; 2],
    compared: usize,
    differences: Vec<String>,
}

impl Pair {
    /// Asks both the same, which both must answer with `status`; members of `made` are only compared for
    /// being there.
    fn ask(
        &mut self,
        request: &Plain,
        status: u16,
        made: &[&str],
    ) -> Result<(Reply, Reply), Fault> {
        let (a, b) = (self.one.send(request)?, self.other.send(request)?);
        self.compare(&request.target, status, made, &a, &b);
        Ok((a, b))
    }

    fn compare(&mut self, target: &str, status: u16, made: &[&str], a: &Reply, b: &Reply) {
        self.compared += 1;
        let names = self.names.clone();
        for (name, reply) in names.iter().zip([a, b]) {
            if reply.status != status {
                self.differences.push(format!(
                    "{target}: {name} answers {} where {status} is due: {}",
                    reply.status,
                    String::from_utf8_lossy(&reply.body)
                ));
            }
        }
        let media = |reply: &Reply| {
            let value = reply.header("content-type").unwrap_or_default();
            value.split(';').next().unwrap_or_default().to_owned()
        };
        if media(a) != media(b) {
            let told = format!("{target}: Content-Type {} against {}", media(a), media(b));
            self.differences.push(told);
        }
        for header in ["etag", "location", "link"] {
            if a.header(header).is_some() != b.header(header).is_some() {
                self.differences.push(format!(
                    "{target}: {header}: {} sends {:?}, {} sends {:?}",
                    names[0],
                    a.header(header),
                    names[1],
                    b.header(header)
                ));
            }
        }
        let (mut a, mut b) = (a.json(), b.json());
        // Two servers may write their cursors differently; that they lead to the same page is asked apart.
        for member in made.iter().chain(&["next"]) {
            for value in [&mut a, &mut b] {
                if let Some(found) = value.get_mut(*member)
                    && !found.is_null()
                {
                    *found = Value::String("made by the server".into());
                }
            }
        }
        if let Some(path) = first_difference(&a, &b, "") {
            self.differences.push(format!("{target}: {path}"));
        }
    }

    fn next_page(&mut self, request: &Plain, a: &Reply, b: &Reply) -> Result<(), Fault> {
        let follow = |reply: &Reply| {
            reply.json().get("next").and_then(Value::as_str).map(|cursor| Plain {
                target: format!("{}&after={}", request.target, escape(cursor)),
                ..request.clone()
            })
        };
        if let (Some(a), Some(b)) = (follow(a), follow(b)) {
            let (a, b) = (self.one.send(&a)?, self.other.send(&b)?);
            self.compare(&format!("{} (next page)", request.target), 200, &[], &a, &b);
        }
        Ok(())
    }

    /// Reads a new order with its lines from both servers, each by the key it gave.
    fn read_back(&mut self, request: &Plain, a: &Reply, b: &Reply) -> Result<(), Fault> {
        let read = |reply: &Reply| Plain {
            method: "GET",
            target: format!(
                "/v1/orders/{}?include=lines.product",
                reply.json().get("id").and_then(Value::as_str).unwrap_or_default()
            ),
            token: request.token.clone(),
            body: String::new(),
        };
        let (a, b) = (self.one.send(&read(a))?, self.other.send(&read(b))?);
        self.compare("a new order, read back", 200, &["id", "placed"], &a, &b);
        Ok(())
    }

    /// What neither server may do: the status may be another 4xx, the row must not come back.
    fn refusals(&mut self, requests: &mut Requests) -> Result<(), Fault> {
        let (token, customer, order) = requests.stranger();
        let text = |key| {
            let mut out = Vec::new();
            form::uuid(&mut out, key);
            String::from_utf8_lossy(&out).into_owned()
        };
        let get = |target: String, token: &str| Plain {
            method: "GET",
            target,
            token: token.to_owned(),
            body: String::new(),
        };
        let insert = requests.plain(Row::W1);
        let hidden = requests.hidden_product();
        let cases = [
            hidden,
            get(format!("/v1/customers/{}", text(&customer)), &token),
            get(format!("/v1/customers/{}", text(&customer)), ""),
            get(format!("/v1/orders/{}?include=lines.product", text(&order)), &token),
            get(format!("/v1/customers/{}", text(&customer)), "not.a.token"),
            Plain { token, ..insert.clone() },
            Plain { body: insert.body.replace("\"stock\":25", "\"stock\":-1"), ..insert.clone() },
            Plain { body: insert.body.replace("\"stock\"", "\"stack\""), ..insert },
        ];
        for case in &cases {
            self.compared += 1;
            for (client, name) in [&mut self.one, &mut self.other].into_iter().zip(&self.names) {
                let reply = client.send(case)?;
                if !(400..500).contains(&reply.status) {
                    self.differences.push(format!(
                        "{} {}: {name} answers {} where it must refuse",
                        case.method, case.target, reply.status
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Where two JSON values first differ, as a JSON pointer with both values; the order of members is free.
fn first_difference(a: &Value, b: &Value, path: &str) -> Option<String> {
    match (a, b) {
        (Value::Object(left), Value::Object(right)) => left
            .iter()
            .find_map(|(name, value)| {
                first_difference(
                    value,
                    right.get(name).unwrap_or(&Value::Null),
                    &format!("{path}/{name}"),
                )
                .or_else(|| {
                    (!right.contains_key(name))
                        .then(|| format!("{path}/{name} is missing on one side"))
                })
            })
            .or_else(|| {
                right
                    .keys()
                    .find(|name| !left.contains_key(*name))
                    .map(|name| format!("{path}/{name} is missing on one side"))
            }),
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => left
            .iter()
            .zip(right)
            .enumerate()
            .find_map(|(index, (a, b))| first_difference(a, b, &format!("{path}/{index}"))),
        _ if a == b => None,
        _ => Some(format!("{path}: {a} against {b}")),
    }
}

/// A query value with everything escaped that RFC 3986 does not leave unreserved.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_found_where_it_is() {
        let check = |a: &str, b: &str| {
            let parse = |text| serde_json::from_str::<Value>(text).unwrap();
            first_difference(&parse(a), &parse(b), "")
        };
        assert_eq!(check(r#"{"a":1,"b":[2]}"#, r#"{"b":[2],"a":1}"#), None);
        assert_eq!(
            check(r#"{"b":[2,{"c":null}]}"#, r#"{"b":[2,{}]}"#).as_deref(),
            Some("/b/1/c is missing on one side")
        );
        assert_eq!(check(r#"{"a":"1"}"#, r#"{"a":1}"#).as_deref(), Some("/a: \"1\" against 1"));
        assert_eq!(check("[1]", "[1,2]").as_deref(), Some(": [1] against [1,2]"));
    }
}
