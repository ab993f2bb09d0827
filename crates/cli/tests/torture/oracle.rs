//! An independent reading of the policies: the rules of both examples, written down again in Rust over their data
//! files, and every role asked for every operation. Wherever the server disagrees, one of the two is wrong.

mod chinook;
mod shop;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::harness::{Answer, Client, Random, Request, Server, hs256};

pub(crate) use shop::stock;

/// What a caller sees or may change of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reach {
    Nothing,
    /// These fields.
    Fields(BTreeSet<String>),
    Everything,
}

impl Reach {
    fn fields(names: &str) -> Self {
        Self::Fields(names.split_whitespace().map(str::to_string).collect())
    }

    /// Two grants together.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Everything, _) | (_, Self::Everything) => Self::Everything,
            (Self::Nothing, one) | (one, Self::Nothing) => one,
            (Self::Fields(one), Self::Fields(two)) => Self::Fields(&one | &two),
        }
    }

    /// Where a condition holds.
    fn when(self, condition: bool) -> Self {
        if condition { self } else { Self::Nothing }
    }

    fn has(&self, field: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Fields(fields) => fields.contains(field),
            Self::Everything => true,
        }
    }
}

/// A row as the data files have it: text by field, empty where there is none.
type Row = BTreeMap<String, String>;

/// Who asks.
#[derive(Debug, Clone)]
struct Caller {
    roles: Vec<&'static str>,
    subject: Option<String>,
    token: String,
}

impl Caller {
    fn nobody() -> Self {
        Self { roles: Vec::new(), subject: None, token: String::new() }
    }

    fn new(roles: &[&'static str], subject: Option<&str>) -> Self {
        let mut claims = json!({ "roles": roles, "exp": 4_000_000_000_u64 });
        if let Some(subject) = subject {
            claims["sub"] = json!(subject);
        }
        Self { roles: roles.to_vec(), subject: subject.map(str::to_string), token: hs256(&claims) }
    }

    fn is(&self, role: &str) -> bool {
        self.roles.contains(&role)
    }

    /// Whether the caller is the row with this key; one without a subject is none.
    fn is_row(&self, key: &str) -> bool {
        self.subject.as_deref() == Some(key)
    }
}

/// The rules of one entity, read from the model by a person.
trait Rules {
    /// Where it is served.
    fn path(&self) -> &'static str;
    /// Its key.
    fn key(&self) -> &'static str {
        "id"
    }
    /// Its rows, computed fields included.
    fn rows(&self) -> &[Row];
    /// Fields that can be set after creation at all.
    fn changeable(&self) -> &[&'static str];
    /// What the caller sees of a row.
    fn read(&self, caller: &Caller, row: &Row) -> Reach;
    /// What the caller may change of a row, if it is seen.
    fn update(&self, caller: &Caller, row: &Row) -> Reach;
    /// Whether the caller may delete it, if it is seen.
    fn delete(&self, caller: &Caller, row: &Row) -> bool;
}

/// Asks for everything, as everybody, of up to `sample` rows each.
fn agree(
    server: &Server,
    entities: &[&dyn Rules],
    callers: &[Caller],
    sample: u64,
    random: &mut Random,
) {
    let mut asked = 0;
    let mut client = server.client();
    for rules in entities {
        for caller in callers {
            asked += reads(&mut client, *rules, caller, sample, random);
            asked += lists(server, *rules, caller);
            asked += updates(&mut client, *rules, caller, sample, random);
            asked += deletes(&mut client, *rules, caller, sample, random);
        }
    }
    eprintln!("oracle: {asked} decisions agree");
    assert!(asked > 1_000, "hardly anything was asked: {asked}");
}

/// Up to `count` rows, each picked by chance.
fn pick<'a>(rows: &'a [Row], count: u64, random: &mut Random) -> Vec<&'a Row> {
    if rows.len() as u64 <= count {
        return rows.iter().collect();
    }
    (0..count).map(|_| random.pick(rows)).collect()
}

fn target(rules: &dyn Rules, row: &Row) -> String {
    format!("{}/{}", rules.path(), row[rules.key()])
}

fn send(client: &mut Client, request: Request, caller: &Caller) -> Answer {
    client.send(&request.token(&caller.token)).unwrap()
}

fn refused(answer: &Answer, what: &str, caller: &Caller) {
    assert!(
        matches!(answer.status, 401 | 403 | 404 | 405),
        "{caller:?} must not {what}, and got {answer}"
    );
    answer.expect_problem();
}

fn reads(
    client: &mut Client,
    rules: &dyn Rules,
    caller: &Caller,
    sample: u64,
    random: &mut Random,
) -> usize {
    let rows = pick(rules.rows(), sample, random);
    for row in &rows {
        let target = target(rules, row);
        let reach = rules.read(caller, row);
        let answer = send(client, Request::get(&target), caller);
        if reach == Reach::Nothing {
            refused(&answer, &format!("read {target}"), caller);
        } else {
            let seen = answer.clone().expect(200).json();
            same(seen.as_object().unwrap(), row, &reach, &target, caller);
        }
        // The same decision without a body, and with a condition.
        let head = send(client, Request::new("HEAD", &target), caller);
        assert_eq!(head.status, answer.status, "HEAD {target} by {caller:?}");
    }
    rows.len()
}

/// What is shown is what may be seen: no field more, none less, and each as the file has it.
fn same(seen: &Map<String, Value>, row: &Row, reach: &Reach, target: &str, caller: &Caller) {
    let names: BTreeSet<&str> = seen.keys().map(String::as_str).collect();
    let wanted: BTreeSet<&str> =
        row.keys().map(String::as_str).filter(|name| reach.has(name)).collect();
    assert_eq!(names, wanted, "{target} as {caller:?}");
    for (name, value) in seen {
        let shown = match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        assert_eq!(shown, row[name], "{name} of {target} as {caller:?}");
    }
}

/// A list is exactly the rows that may be seen.
fn lists(server: &Server, rules: &dyn Rules, caller: &Caller) -> usize {
    let seen: Vec<&Row> =
        rules.rows().iter().filter(|row| rules.read(caller, row) != Reach::Nothing).collect();
    let first = server.send(&Request::get(rules.path()).token(&caller.token));
    if first.status != 200 {
        refused(&first, "list", caller);
        assert!(seen.is_empty(), "{caller:?} sees no list of {}: {first}", rules.path());
        return 1;
    }
    let key = rules.key();
    let listed: BTreeMap<String, Value> = server
        .all(&caller.token, rules.path())
        .into_iter()
        .map(|row| (row[key].as_str().map_or_else(|| row[key].to_string(), str::to_string), row))
        .collect();
    let wanted: BTreeSet<&String> = seen.iter().map(|row| &row[key]).collect();
    assert_eq!(listed.keys().collect::<BTreeSet<_>>(), wanted, "{} as {caller:?}", rules.path());
    for row in seen {
        let reach = rules.read(caller, row);
        same(listed[&row[key]].as_object().unwrap(), row, &reach, &target(rules, row), caller);
    }
    1 + listed.len()
}

/// Each field alone, set to what it is already: the decision shows, nothing changes.
fn updates(
    client: &mut Client,
    rules: &dyn Rules,
    caller: &Caller,
    sample: u64,
    random: &mut Random,
) -> usize {
    let rows = pick(rules.rows(), sample.div_ceil(4), random);
    for row in &rows {
        let target = target(rules, row);
        let visible = rules.read(caller, row) != Reach::Nothing;
        let reach = if visible { rules.update(caller, row) } else { Reach::Nothing };
        for field in rules.changeable() {
            let patch = Request::patch(&target, &json!({ *field: as_json(field, &row[*field]) }));
            let answer = send(client, patch, caller);
            if reach.has(field) {
                answer.expect(200);
            } else {
                refused(&answer, &format!("change {field} of {target}"), caller);
            }
        }
        if reach == Reach::Nothing {
            let answer = send(client, Request::put(&target, &json!({})), caller);
            // The body is wrong, too; who may not write need not learn of that, but may.
            assert!((400..500).contains(&answer.status), "{caller:?} replaces {target}: {answer}");
        }
    }
    rows.len() * rules.changeable().len()
}

/// Those who may not delete do not; those who may are asked elsewhere.
fn deletes(
    client: &mut Client,
    rules: &dyn Rules,
    caller: &Caller,
    sample: u64,
    random: &mut Random,
) -> usize {
    let rows = pick(rules.rows(), sample.div_ceil(4), random);
    for row in &rows {
        if rules.read(caller, row) == Reach::Nothing || !rules.delete(caller, row) {
            let target = target(rules, row);
            let answer = send(client, Request::delete(&target), caller);
            refused(&answer, &format!("delete {target}"), caller);
        }
    }
    rows.len()
}

/// A value of the data files as JSON: numbers where the field holds numbers.
fn as_json(field: &str, text: &str) -> Value {
    const NUMBERS: [&str; 12] = [
        "id",
        "artist",
        "album",
        "genre",
        "media_type",
        "milliseconds",
        "bytes",
        "reports_to",
        "support_agent",
        "stock",
        "quantity",
        "position",
    ];
    match text {
        "" => Value::Null,
        text if NUMBERS.contains(&field) => json!(text.parse::<i64>().unwrap()),
        text => json!(text),
    }
}
