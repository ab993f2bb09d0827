//! The language reference, printed from what the checker knows: what is said there is what holds.

use std::fmt::Write as _;

use syntax::Code;
use syntax::ast::{BinaryOperator, DurationUnit};

use crate::check::function::FUNCTIONS;
use crate::check::type_expr::{Arguments, BUILTINS, Builtin};

/// A construct: its keyword, one line of meaning, and an example.
pub(crate) struct Construct {
    pub(crate) name: &'static str,
    pub(crate) meaning: &'static str,
    pub(crate) example: &'static str,
}

const fn row(name: &'static str, meaning: &'static str, example: &'static str) -> Construct {
    Construct { name, meaning, example }
}

/// What may stand at the top of a file or inside a service.
pub(crate) static ITEMS: &[Construct] = &[
    row(
        "app",
        "the whole: its name, version, roles and front doors",
        "app Shop { version 1  roles customer, clerk  surface rest }",
    ),
    row(
        "auth",
        "who signs in: whose rows callers are, and which tokens count",
        "auth { users Customer by email as customer  token { audience \"shop\" } }",
    ),
    row(
        "service",
        "a bounded context; what stands outside any belongs to a nameless one that all see; on PostgreSQL its tables stand in a schema of its name",
        "service sales { }",
    ),
    row(
        "entity",
        "an aggregate root, with one key",
        "entity Product { key id: Uuid  name: String(1..200) }",
    ),
    row(
        "entity … part of",
        "rows that live and die with their root, written through it; without a key they have a position",
        "entity Line part of Order as lines (1..50) { quantity: Int }",
    ),
    row(
        "record",
        "a value object, stored whole",
        "record Address { street: String(1..80)  city: String(1..80) }",
    ),
    row("enum", "a closed set of labels", "enum Colour { red, green, blue was azure }"),
    row(
        "error",
        "a problem with a status and a message; `{field}` is filled in",
        "error OutOfStock 409 \"Only {left} are left\" { left: Int }",
    ),
    row(
        "query",
        "a named, bounded access pattern over one entity",
        "query cheap(most: Money(EUR)) -> Product { where .price <= most  sort .price  page 20  allow anyone }",
    ),
    row(
        "command",
        "a transaction: what it takes, who may run it, what it does",
        "command close(order: Order) { allow clerk  delete order }",
    ),
    row(
        "event",
        "a fact that is published with its transaction; `by` keeps the order, `allow read to` lets it be read and followed under `/v1/events`, `allow replay to` lets it be heard once more, and what failed when it was heard be seen, tried again and dropped",
        "event OrderPlaced by order { order: Order  allow read to clerk  allow replay to manager }",
    ),
    row(
        "event … from",
        "an event of another system: what comes from this place of the broker is heard here, and nobody here publishes it",
        "event PaymentArrived from \"payments.arrived\" by payment { payment: Uuid  amount: Money(EUR) }",
    ),
    row("on", "a command that runs when an event is heard", "on OrderPlaced run pack(order)"),
    row(
        "webhook",
        "events sent to partners, or received from them at `POST /hooks/NAME`; `as` is what their sender calls them",
        "webhook order_events { sends OrderPlaced  sign standard  retry for 3d }",
    ),
    row(
        "workflow",
        "steps carried out durably, undone backwards when one fails for good",
        "workflow checkout(order: Order) on OrderPlaced { step confirm { run confirm(order) } retry 8 times from 200ms to 1m  give up after 30m, then run cancel(order) }",
    ),
    row(
        "job",
        "what is done again and again; what was missed is made up for by one run (`once`, also unsaid), one by one (`all`, the last hundred), or left out where it is late by more than a minute (`none`)",
        "job sweep every 10m catch up all { for order in Order where .stale { run cancel(order) } }",
    ),
    row(
        "external",
        "a dependency: where it is, how long to wait, what it can do",
        "external payments { url env PAYMENTS_URL  timeout 2s  post charge \"/charges\" { amount: Money(EUR) } -> { id: String } }",
    ),
    row("limit", "how often something may be done", "limit place_order 10 per 1m by caller"),
    row("slo", "a promise: how often it holds, and how fast", "slo place_order 99.9% under 200ms"),
    row(
        "load",
        "what has to be carried: rows, rates and growth",
        "load launch { grows 10% per month for 24 months  Order 1_000_000 rows  place_order 40/s peak 400/s  Product.read 2_000/s }",
    ),
    row("environment", "where it runs", "environment dev { store sqlite \"shop.db\" }"),
    row(
        "decision",
        "why it is so: criteria, options, and the one chosen",
        "decision \"SQLite holds the data\" { criteria operations 5  option sqlite { operations 5 } option postgres { operations 3 } chosen sqlite because \"one machine carries it\" }",
    ),
];

/// What may stand in an entity.
pub(crate) static MEMBERS: &[Construct] = &[
    row("key", "the field that identifies a row", "key id: Uuid"),
    row("field", "a name, a type, and what is said about it", "name: String(1..200)"),
    row("index", "fields that are found and sorted by; `-` descends", "index (customer, -placed)"),
    row("unique", "fields that are unique together", "unique (customer, number)"),
    row(
        "check",
        "a rule over a row and its parts that must not be false",
        "check .price >= 0.00 \"A price is never negative\"",
    ),
    row(
        "flow",
        "which value of an enum may follow which; any other change is refused",
        "flow status { pending -> paid, cancelled }",
    ),
    row(
        "allow",
        "who may read, create, update or delete which rows; `read` and `update` may name fields",
        "allow read, update name to customer when .id == caller.id",
    ),
    row("cache", "how long an answer may be kept", "cache 60s"),
    row("audit", "that every change is written down, and by whom", "audit"),
    row(
        "privacy",
        "that a row is a person, and how long it is kept",
        "privacy subject, retain 10y after last Order.placed",
    ),
    row(
        "deprecated",
        "since when it is not to be used, when it goes, and what to use instead; in a command as well",
        "deprecated \"2026-01-01\" sunset \"2027-01-01\" \"use Item\"",
    ),
];

/// What may stand behind the type of a field.
pub(crate) static MODIFIERS: &[Construct] = &[
    row("?", "it may be absent (written at the type)", "phone: String(5..20)?"),
    row(
        "=",
        "what it is when it is left out: a constant, `now`, `caller`, or `auto` for a counted key",
        "stock: Int(0..) = 0",
    ),
    row(
        ":=",
        "what it always is, computed from own fields and own parts, and stored",
        "total: Money(EUR) := sum(lines, .price * .quantity)",
    ),
    row("unique", "no two rows share it", "email: Email unique"),
    row("immutable", "it never changes after creation", "customer: Customer immutable"),
    row("search", "text search covers it", "name: String(1..200) search"),
    row("pii", "it is personal; `pii sensitive` of a special category", "name: String(1..120) pii"),
    row("encrypted", "it is stored encrypted", "phone: String(5..20) pii encrypted"),
    row("secret", "nobody ever reads it back", "token: String(32) secret"),
    row(
        "pattern",
        "its text matches a regular expression as a whole",
        "sku: String(3..40) pattern \"[A-Z]{2}-[0-9]+\"",
    ),
    row("was", "the name it had before: its data moves along", "title: String(1..80) was name"),
    row(
        "before, after",
        "which half of a former text it is, split at the first separator; both halves are fields",
        "given: String(0..80) was name before \" \"",
    ),
    row("stored as", "the name of its column", "title: String(1..80) stored as \"ttl\""),
    row(
        "on delete",
        "what becomes of a reference whose target is deleted: `restrict` (also unsaid), `cascade` or `clear`",
        "agent: Employee? on delete clear",
    ),
    row("deprecated", "as of an entity", "colour: String(1..20) deprecated \"2026-01-01\""),
];

/// What a body may do.
pub(crate) static STATEMENTS: &[Construct] = &[
    row(
        "let",
        "keeps a value, a new row, or an answer under a name",
        "let order = create Order { customer: caller }",
    ),
    row(
        "require",
        "ends everything with an error unless it is true",
        "require product.stock >= 1 else OutOfStock { left: product.stock }",
    ),
    row(
        "for",
        "does something for each element of a list, part of a row, or row of an entity",
        "for line in order.lines { delete line }",
    ),
    row(
        "if",
        "does one thing or another",
        "if order.total > 100.00 { delete order } else { update order { checked: true } }",
    ),
    row(
        "create",
        "adds a row; a part names its root; `name` alone stands for `name: name`",
        "create Line { order, quantity: 1 }",
    ),
    row(
        "update",
        "changes a row; `.field` is the row before",
        "update product { stock: .stock - 1 }",
    ),
    row("delete", "removes a row", "delete order"),
    row("emit", "publishes an event with the transaction", "emit OrderPlaced { order }"),
    row(
        "run",
        "runs a command in this transaction, or `later` in one of its own: `in` how long, with which `priority` (a whole number, the greater first), `unique` by which value (once for each that waits)",
        "run cancel(order) later in 2h unique order",
    ),
    row("call", "calls an external (in steps of workflows)", "call payments.charge(order.id)"),
    row("return", "ends with an answer; without one where none is promised", "return order"),
];

/// What an operator means.
fn operator_meaning(operator: BinaryOperator) -> &'static str {
    match operator {
        BinaryOperator::Or => "either; with an absent side, true only if the other is",
        BinaryOperator::And => "both; with an absent side, false only if the other is",
        BinaryOperator::Equal => "the same value; of references, the same row; `== null`: absent",
        BinaryOperator::NotEqual => "another value; `!= null`: present",
        BinaryOperator::Less => "smaller, earlier, or before by code point",
        BinaryOperator::LessEqual => "not greater",
        BinaryOperator::Greater => "greater, later, or behind by code point",
        BinaryOperator::GreaterEqual => "not smaller",
        BinaryOperator::In => "one of a list that is written out: `.status in (paid, shipped)`",
        BinaryOperator::Add => "sum; a moment and a duration",
        BinaryOperator::Subtract => "difference; between two moments a duration",
        BinaryOperator::Multiply => "product; money by a number",
        BinaryOperator::Divide => {
            "quotient: of whole numbers towards zero, of decimals to six digits or more, rounded half to even"
        }
    }
}

/// The language reference as Markdown: `docs/language.md` is this text.
pub fn reference() -> String {
    let mut out = String::new();
    let page = &mut out;
    line(page, "# The language");
    line(page, "");
    line(
        page,
        "This page is printed by the checker from its own tables. `mimar explain CODE` tells more about a fault.",
    );
    section(page, "Words");
    line(
        page,
        "`//` begins a comment, `///` documentation of what follows. Types are `UpperCamel`, everything else is",
    );
    line(
        page,
        "`snake_case`. Commas stand inside one line's list and nowhere else; line breaks mean nothing.",
    );
    line(page, "");
    let units: Vec<String> =
        DurationUnit::ALL.iter().map(|unit| format!("`1{}`", unit.suffix())).collect();
    line(
        page,
        &format!(
            "Literals: `1_000`, `1.50`, `\"text\"`, `true`, `false`, `null`, `now`, durations ({}), sizes",
            units.join(", ")
        ),
    );
    line(
        page,
        "(`10KB`, `10MB`, `10GB`), rates (`40/s`), shares (`99.9%`). Days, times and moments are texts: `\"2026-11-21\"`.",
    );
    section(page, "Items");
    constructs(page, ITEMS);
    section(page, "Entities");
    constructs(page, MEMBERS);
    section(page, "Fields");
    constructs(page, MODIFIERS);
    section(page, "Types");
    types(page);
    section(page, "Statements");
    constructs(page, STATEMENTS);
    section(page, "Expressions");
    expressions(page);
    section(page, "Faults");
    codes(page, crate::CODES);
    out
}

fn line(page: &mut String, text: &str) {
    page.push_str(text);
    page.push('\n');
}

fn section(page: &mut String, title: &str) {
    // Writing to a string cannot fail.
    let _ = write!(page, "\n## {title}\n\n");
}

fn constructs(page: &mut String, rows: &[Construct]) {
    line(page, "| word | meaning | example |");
    line(page, "|---|---|---|");
    for row in rows {
        let example = row.example.replace('|', "\\|");
        let _ = writeln!(page, "| `{}` | {} | `{example}` |", row.name, row.meaning);
    }
}

fn types(page: &mut String) {
    line(page, "| type | what it holds | in JSON | SQLite | PostgreSQL |");
    line(page, "|---|---|---|---|---|");
    for builtin in BUILTINS {
        let (sqlite, postgres) = stored(builtin);
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {sqlite} | {postgres} |",
            builtin.example, builtin.meaning, builtin.json
        );
    }
    for (example, meaning, json) in [
        ("enum { a, b }", "one of its labels, here or as a named `enum`", "`\"a\"`"),
        ("Customer", "a reference: the key of the row", "as its key; an object with `include`"),
        (
            "sales.Order",
            "a reference into another service: its key, without a foreign key",
            "as its key",
        ),
        ("Order.status", "the type of that field", "as that field"),
        ("Basket", "a record", "an object"),
        ("[Basket](1..50)", "several in order; the bounds count them", "an array"),
    ] {
        let _ = writeln!(page, "| `{example}` | {meaning} | {json} | | |");
    }
}

fn stored(builtin: &Builtin) -> (&'static str, &'static str) {
    // Money has no plain form: it is stored as a decimal is.
    let scalar = match builtin.arguments {
        Arguments::Currency => Some(operation::Scalar::Decimal { scale: 2 }),
        _ => builtin.plain.scalar(),
    };
    scalar.map_or(("", ""), |scalar| (scalar.sqlite(), scalar.postgres()))
}

fn expressions(page: &mut String) {
    line(
        page,
        "`.field` is the row, `.a.b` follows a reference; `caller` is the one who asks; a bare name is a parameter, a",
    );
    line(
        page,
        "`let`, or a label of the enum on the other side. `if a then b else c` chooses. An absent value makes a",
    );
    line(page, "comparison unknown: an unknown policy refuses, an unknown check passes.");
    line(page, "");
    line(page, "| operator | binds | meaning |");
    line(page, "|---|---|---|");
    for operator in BinaryOperator::ALL {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} |",
            operator.text(),
            operator.strength(),
            operator_meaning(operator)
        );
    }
    line(page, "| `not a` | 3 | the opposite |");
    line(page, "| `-a` | 7 | the negative |");
    line(page, "");
    line(
        page,
        "Exact numbers: sums keep the larger scale; products of decimals add their scales (18 at most); money times or by a",
    );
    line(
        page,
        "number is money, rounded half to even; money by money is a decimal of six digits. Money of two currencies, and",
    );
    line(page, "money with a plain number, have no sum.");
    line(page, "");
    line(page, "| function | meaning |");
    line(page, "|---|---|");
    for function in FUNCTIONS {
        let _ = writeln!(page, "| `{}` | {} |", function.form, function.meaning);
    }
}

fn codes(page: &mut String, codes: &[Code]) {
    line(page, "| code | what it says |");
    line(page, "|---|---|");
    for code in codes {
        let _ = writeln!(page, "| `{}` | {} |", code.id, code.title);
    }
}

#[cfg(test)]
mod tests {
    use syntax::{FileId, parse};

    use super::{ITEMS, MEMBERS, MODIFIERS, STATEMENTS, reference};

    fn parses(text: &str) {
        let parse = parse(FileId(0), text);
        assert_eq!(parse.diagnostics, [], "{text}");
    }

    #[test]
    fn every_example_can_be_read() {
        for item in ITEMS {
            parses(item.example);
        }
        for member in MEMBERS.iter().chain(MODIFIERS) {
            parses(&format!("entity Example {{\n{}\n}}", member.example));
        }
        for statement in STATEMENTS {
            parses(&format!("command example() {{\n{}\n}}", statement.example));
        }
    }

    #[test]
    fn the_page_speaks_of_everything() {
        let page = reference();
        for word in ["Money(EUR)", "coalesce", "E0201", "N0111", "`in`", "BLOB", "`1ms`"] {
            assert!(page.contains(word), "{word}");
        }
    }
}
