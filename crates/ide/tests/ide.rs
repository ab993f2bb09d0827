//! What an editor asks, as data: a text with `$0` where the cursor is, and what is answered.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it cannot go on")]

use std::sync::Arc;
use std::time::Instant;

use ide::{Analysis, NoRename};
use syntax::{FileId, Severity, Span};

const SHOP: &str = "\
app Shop { version 1  roles customer, clerk  surface rest }

auth { users Customer by email as customer }

service sales {
  /// A person who buys.
  entity Customer {
    key id: Uuid
    email:  Email unique
    allow read to customer when .id == caller.id
  }

  entity Order {
    key id:   Uuid
    customer: Customer
    status:   enum { pending, paid } = pending
    total:    Int := sum(lines, .quantity)
    placed:   Timestamp = now
    flow status { pending -> paid }
    index (customer, placed)
    allow read to customer when .customer == caller
    allow read to clerk
  }

  entity Line part of Order as lines (1..50) {
    quantity: Int(1..9)
  }

  query recent(customer: Customer) -> Order {
    where .customer == customer
    sort -.placed
    page 20
    allow clerk
  }

  error Paid 409 \"{order} is paid\" { order: Uuid }
  event OrderPaid by order { order: Order }

  command pay(order: Order) {
    allow clerk
    require order.status == pending else Paid { order: order.id }
    let buyer = order.customer
    update order { status: paid }
    emit OrderPaid { order }
  }
}
";

/// The shop with a cursor: behind the nth `needle`, or where `replaced` says it with `$0`.
fn at(needle: &str, nth: usize, replaced: &str) -> (Analysis, u32) {
    let (start, _) = SHOP.match_indices(needle).nth(nth).expect("the needle stands in the shop");
    let cursor = replaced.find("$0").expect("a cursor");
    let mut text = SHOP.to_owned();
    text.replace_range(start..start + needle.len(), &replaced.replace("$0", ""));
    let parse = Arc::new(syntax::parse(FileId(0), text));
    (ide::analyze(vec![parse]), (start + cursor) as u32)
}

fn text(analysis: &Analysis) -> &str {
    &analysis.parse(FileId(0)).unwrap().text
}

/// What may be written there begins with these labels, in this order, and has the others somewhere.
#[track_caller]
fn completes(needle: &str, nth: usize, replaced: &str, has: &[&str], lacks: &[&str]) {
    let (analysis, offset) = at(needle, nth, replaced);
    let found = ide::complete(&analysis, FileId(0), offset, usize::MAX).items;
    let labels: Vec<&str> = found.iter().map(|it| it.label.as_str()).collect();
    for label in has {
        assert!(labels.contains(label), "no `{label}` at `{replaced}` among {labels:?}");
    }
    for label in lacks {
        assert!(!labels.contains(label), "`{label}` at `{replaced}` among {labels:?}");
    }
}

#[test]
fn the_shop_is_sound() {
    let parse = Arc::new(syntax::parse(FileId(0), SHOP));
    let analysis = ide::analyze(vec![parse]);
    let errors = analysis.diagnostics().iter().filter(|it| it.severity == Severity::Error);
    assert_eq!(errors.map(|it| it.message.as_str()).collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn completion_knows_the_place() {
    completes("app Shop", 0, "$0\napp Shop", &["entity", "service", "decision"], &["let", "key"]);
    completes(
        "    flow",
        0,
        "    fl$0\n    flow",
        &["flow", "index", "allow", "privacy"],
        &["let"],
    );
    completes(
        "customer: Customer",
        0,
        "customer: $0",
        &["Customer", "Order", "Uuid"],
        &["let", "clerk"],
    );
    completes("sales {", 0, "sales {\n  $0", &["entity", "command"], &["let"]);
    completes("allow clerk", 0, "allow $0", &["clerk", "customer", "anyone"], &["Order"]);
    completes(
        "order: Order }",
        0,
        "order: Order  allow $0 }",
        &["read", "replay"],
        &["update", "clerk"],
    );
    completes(
        "order: Order }",
        0,
        "order: Order  allow read, $0 to clerk }",
        &["read", "replay"],
        &["update", "order"],
    );
    completes("allow clerk", 1, "allow clerk\n    $0", &["let", "update", "emit"], &["entity"]);
    completes("    sort", 0, "    so$0\n    sort", &["where", "sort", "page"], &["let", "key"]);
    completes("emit OrderPaid", 0, "emit $0", &["OrderPaid"], &["Order", "pay"]);
    completes("else Paid", 0, "else $0", &["Paid"], &["OrderPaid"]);
    completes("index (customer", 0, "index ($0customer", &["customer", "placed"], &["email"]);
    completes("unique", 0, "$0", &["unique", "immutable", "pii", "was"], &["let"]);
    completes("pending -> paid", 0, "pending -> $0", &["pending", "paid"], &["Order"]);
}

#[test]
fn completion_follows_dots() {
    completes("order.customer", 0, "order.$0", &["id", "status", "customer", "lines"], &["email"]);
    completes("order.customer", 0, "order.customer.$0", &["id", "email"], &["status"]);
    completes("where .customer", 0, "where .$0", &["customer", "placed"], &["email"]);
    completes("when .id", 0, "when .$0", &["id", "email"], &["placed"]);
    completes("lines, .quantity", 0, "lines, .$0", &["quantity"], &["placed"]);
    completes(
        "update order { status: paid }",
        0,
        "update order { status: paid }\n    let a = buyer.$0",
        &["email"],
        &["status"],
    );
}

#[test]
fn completion_offers_what_a_value_may_be() {
    completes("status: paid", 0, "status: $0", &["paid", "pending", "order"], &[]);
    completes("= pending", 0, "= $0", &["paid", "pending"], &[]);
    completes("status == pending", 0, "status == $0", &["paid", "pending", "order"], &[]);
    completes("emit OrderPaid { order }", 0, "emit OrderPaid { $0 }", &["order"], &["email"]);
    completes(
        "let buyer = order.customer",
        0,
        "let buyer = $0",
        &["order", "create", "caller"],
        &["Order"],
    );
}

#[test]
fn nothing_is_offered_in_comments_and_strings() {
    for (needle, replaced) in
        [("/// A person", "/// $0A person"), ("\"{order} is", "\"{ord$0er} is")]
    {
        let (analysis, offset) = at(needle, 0, replaced);
        assert_eq!(ide::complete(&analysis, FileId(0), offset, 9).items, [], "{replaced}");
    }
}

#[track_caller]
fn hovers(needle: &str, nth: usize, replaced: &str, parts: &[&str]) {
    let (analysis, offset) = at(needle, nth, replaced);
    let hover = ide::hover(&analysis, FileId(0), offset).expect("something to say");
    for part in parts {
        assert!(hover.text.contains(part), "no `{part}` in\n{}", hover.text);
    }
}

#[test]
fn hover_tells_what_is_known() {
    hovers(
        "customer: Customer",
        0,
        "customer: Cust$0omer",
        &[
            "entity Customer",
            "A person who buys.",
            "Table `",
            "allow read to customer when .id == caller.id",
        ],
    );
    hovers("order.customer", 0, "order.cust$0omer", &["Order.customer: Customer", "Column `"]);
    hovers(
        "query recent",
        0,
        "query re$0cent",
        &["recent(customer: Customer) -> Order", "index (customer, placed)", "allow clerk"],
    );
    hovers(
        "Line part",
        0,
        "Li$0ne part",
        &["entity Line part of Order as lines", "As of its root `Order`"],
    );
    hovers("let buyer", 0, "let buy$0er", &["buyer: Customer"]);
    hovers(
        "require order",
        0,
        "req$0uire order",
        &["ends everything with an error unless it is true"],
    );
    hovers("total:    Int", 0, "total:    In$0t", &["a whole number"]);
}

/// The words at spans, each with its line.
fn shown(analysis: &Analysis, spans: &[Span]) -> Vec<String> {
    let text = text(analysis);
    let each = spans.iter().map(|span| {
        let (line, _) = syntax::line_column(text, span.start as usize);
        format!("{line}:{}", &text[span.range()])
    });
    each.collect()
}

#[test]
fn definitions_are_found() {
    for (needle, nth, replaced, expected) in [
        ("customer: Customer", 0, "customer: Cust$0omer", &["7:Customer"][..]),
        ("users Customer", 0, "users $0Customer", &["7:Customer"]),
        ("by email", 0, "by email$0", &["9:email"]),
        ("as customer", 0, "as cust$0omer", &["1:customer"]),
        ("sum(lines", 0, "sum(li$0nes", &["25:lines"]),
        ("lines, .quantity", 0, "lines, .qua$0ntity", &["26:quantity"]),
        ("status: paid", 0, "status: pa$0id", &["16:paid"]),
        ("else Paid", 0, "else Pa$0id", &["36:Paid"]),
        // Both halves of a short form: the variable, then the member.
        ("OrderPaid { order }", 0, "OrderPaid { or$0der }", &["39:order", "37:order"]),
    ] {
        let (analysis, offset) = at(needle, nth, replaced);
        let mut found = shown(&analysis, &ide::definition(&analysis, FileId(0), offset));
        let mut expected: Vec<String> = expected.iter().map(|it| (*it).to_owned()).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{replaced}");
    }
}

#[test]
fn references_are_complete() {
    let (analysis, offset) = at("status:   enum", 0, "sta$0tus:   enum");
    let found = ide::references(&analysis, FileId(0), offset, true);
    assert_eq!(shown(&analysis, &found), ["16:status", "19:status", "41:status", "43:status"]);
    let found = ide::references(&analysis, FileId(0), offset, false);
    assert_eq!(found.len(), 3);
}

/// The lines that a rename changes.
fn renamed(needle: &str, nth: usize, replaced: &str, name: &str) -> Result<Vec<String>, NoRename> {
    let (analysis, offset) = at(needle, nth, replaced);
    let edits = ide::rename(&analysis, FileId(0), offset, name)?;
    let before = text(&analysis);
    let after = syntax::apply(FileId(0), before, &edits);
    let pairs = before.lines().zip(after.lines()).filter(|(before, after)| before != after);
    Ok(pairs.map(|(_, after)| after.trim().to_owned()).collect())
}

#[test]
fn a_renamed_field_keeps_its_data() {
    assert_eq!(
        renamed("status:   enum", 0, "sta$0tus:   enum", "state").unwrap(),
        [
            "state:   enum { pending, paid } = pending was status",
            "flow state { pending -> paid }",
            "require order.state == pending else Paid { order: order.id }",
            "update order { state: paid }",
        ]
    );
    assert_eq!(
        renamed("entity Customer", 0, "entity Cust$0omer", "Person").unwrap(),
        [
            "auth { users Person by email as customer }",
            "entity Person was Customer {",
            "customer: Person",
            "query recent(customer: Person) -> Order {",
        ]
    );
    assert_eq!(
        renamed("pending, paid", 0, "pending, pa$0id", "settled").unwrap(),
        [
            "status:   enum { pending, settled was paid } = pending",
            "flow status { pending -> settled }",
            "update order { status: settled }",
        ]
    );
}

#[test]
fn a_renamed_variable_takes_the_long_form() {
    assert_eq!(
        renamed("pay(order", 0, "pay(or$0der", "purchase").unwrap(),
        [
            "command pay(purchase: Order) {",
            "require purchase.status == pending else Paid { order: purchase.id }",
            "let buyer = purchase.customer",
            "update purchase { status: paid }",
            "emit OrderPaid { order: purchase }",
        ]
    );
    assert_eq!(
        renamed("{ order: Order", 0, "{ or$0der: Order", "what").unwrap(),
        ["event OrderPaid by what { what: Order }", "emit OrderPaid { what: order }"]
    );
}

#[test]
fn a_rename_that_breaks_something_is_refused() {
    let fault = |found| matches!(found, Err(NoRename::Fault(_)));
    assert!(
        fault(renamed("status:   enum", 0, "sta$0tus:   enum", "placed")),
        "a name that is taken"
    );
    assert!(fault(renamed("status:   enum", 0, "sta$0tus:   enum", "not a name")), "no name");
    assert!(
        fault(renamed("{ order: Uuid", 0, "{ or$0der: Uuid", "number")),
        "the message names it"
    );
    // The parameter would hide the label that `require` compares with.
    let hides = renamed("pay(order", 0, "pay(or$0der", "pending");
    assert!(hides.is_err(), "{hides:?}");
    assert_eq!(renamed("app Shop", 0, "a$0pp Shop", "x"), Err(NoRename::Nothing));
}

#[test]
fn hints_say_what_is_inferred() {
    let (analysis, _) = at("app Shop", 0, "$0app Shop");
    let all = Span::new(FileId(0), 0, u32::MAX);
    let found: Vec<String> = ide::hints(&analysis, all).into_iter().map(|it| it.text).collect();
    assert_eq!(found, ["index (customer, placed)", ": Customer"]);
    for (needle, replaced, expected) in [
        ("sort -.placed", "sort .total$0", "index (customer, placed), then sorted"),
        (
            ".customer == customer\n    sort",
            ".total == 3 and customer.id == customer.id$0\n    sort",
            "no index: reads all rows",
        ),
        (
            "where .customer == customer\n    sort -.placed",
            "where .id == customer.id$0\n    sort .id",
            "index (id)",
        ),
    ] {
        let (analysis, _) = at(needle, 0, replaced);
        let found = ide::hints(&analysis, all).into_iter().map(|it| it.text).next();
        assert_eq!(found.as_deref(), Some(expected), "{replaced}");
    }
}

#[test]
fn an_outline_is_a_tree() {
    let (analysis, _) = at("app Shop", 0, "$0app Shop");
    let outline = ide::outline(&analysis, FileId(0));
    let names = |all: &[ide::Outline]| all.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&outline), ["Shop", "auth", "sales"]);
    assert_eq!(
        names(&outline[2].children),
        ["Customer", "Order", "Line", "recent", "Paid", "OrderPaid", "pay"]
    );
    assert_eq!(
        names(&outline[2].children[1].children),
        ["id", "customer", "status", "total", "placed"]
    );
    for item in &outline {
        assert!(item.span.start <= item.name_span.start && item.name_span.end <= item.span.end);
    }
}

#[test]
fn every_word_has_a_colour() {
    let (analysis, _) = at("app Shop", 0, "$0app Shop");
    let tokens = ide::semantic_tokens(&analysis, FileId(0));
    let kind = |line: usize, word: &str| {
        let found = tokens.iter().find(|token| {
            let text = text(&analysis);
            syntax::line_column(text, token.span.start as usize).0 == line
                && &text[token.span.range()] == word
        });
        ide::SemanticKind::ALL.iter().find(|(kind, _)| *kind == found.unwrap().kind).unwrap().1
    };
    for (line, word, expected) in [
        (1, "app", "keyword"),
        (1, "clerk", "decorator"),
        (6, "/// A person who buys.", "comment"),
        (7, "Customer", "class"),
        (8, "Uuid", "type"),
        (10, "caller", "keyword"),
        (16, "pending", "enumMember"),
        (17, "lines", "property"),
        (29, "recent", "function"),
        (41, "order", "parameter"),
        (42, "buyer", "variable"),
        (44, "OrderPaid", "event"),
    ] {
        assert_eq!(kind(line, word), expected, "{line}: {word}");
    }
}

#[test]
fn a_fix_is_an_action_at_its_place() {
    let (analysis, offset) = at("users Customer", 0, "users Custome$0");
    let here = Span::new(FileId(0), offset, offset);
    let titles = |span| {
        ide::actions(analysis.diagnostics(), span)
            .map(|(_, fix)| fix.title.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(titles(here), ["write `Customer`"]);
    assert_eq!(titles(Span::new(FileId(0), 0, 3)), Vec::<String>::new());
}

/// Whatever stands in a file, every question has an answer: each prefix of the shop, at its end and in its middle, and the
/// shop without each of its tokens.
#[test]
fn no_text_is_too_broken() {
    let ask = |text: String, offset: u32| {
        let parse = Arc::new(syntax::parse(FileId(0), text));
        let analysis = ide::analyze(vec![Arc::clone(&parse)]);
        let file = FileId(0);
        let _ = ide::complete(&analysis, file, offset, usize::MAX);
        let _ = ide::hover(&analysis, file, offset);
        let _ = ide::references(&analysis, file, offset, true);
        let _ = ide::rename(&analysis, file, offset, "other");
        let _ = ide::outline(&analysis, file);
        let _ = ide::semantic_tokens(&analysis, file);
        let _ = ide::hints(&analysis, Span::new(file, 0, u32::MAX));
        let _ = ide::review(vec![parse], 20_000, || true);
    };
    for end in (0..SHOP.len()).step_by(7) {
        ask(SHOP[..end].to_owned(), end as u32);
        ask(SHOP[..end].to_owned(), end as u32 / 2);
    }
    let parse = syntax::parse(FileId(0), SHOP);
    for token in 0..parse.tokens.len() as u32 {
        let span = parse.token_span(token);
        let mut text = SHOP.to_owned();
        text.replace_range(span.range(), "");
        ask(text, span.start);
    }
    ask("é😀.".to_owned(), 1);
    ask(String::new(), u32::MAX);
}

#[test]
fn a_part_of_a_file_is_coloured_as_in_the_whole() {
    let analysis = ide::analyze(vec![Arc::new(syntax::parse(FileId(0), SHOP))]);
    let all = ide::semantic_tokens(&analysis, FileId(0));
    for start in (0..SHOP.len() as u32).step_by(11) {
        let part = Span::new(FileId(0), start, start + 90);
        let found = ide::semantic_tokens_in(&analysis, part);
        let touching = all.iter().filter(|it| it.span.end > part.start && it.span.start < part.end);
        assert_eq!(found, touching.copied().collect::<Vec<_>>(), "{start}");
    }
}

/// What an editor would be told of a file: diagnostics, colours, names and types.
fn told(analysis: &Analysis) -> String {
    let file = FileId(0);
    let end = analysis.parse(file).unwrap().text.len() as u32;
    let mut out = format!("{:#?}\n{:?}\n", analysis.diagnostics(), analysis.is_valid());
    out += &format!("{:?}\n", ide::semantic_tokens(analysis, file));
    out += &format!("{:#?}\n", ide::outline(analysis, file));
    for offset in (0..end).step_by(5) {
        let names = ide::definition(analysis, file, offset);
        let hover = ide::hover(analysis, file, offset).map(|it| it.text);
        out += &format!("{names:?} {hover:?}\n");
        out += &format!("{:?}\n", ide::complete(analysis, file, offset, usize::MAX));
    }
    out
}

#[test]
fn what_is_told_after_keys_is_what_is_told_of_the_text() {
    // A body that is not closed takes the brace of its service if nothing stands between.
    let shop = format!("{}  event Seen by order {{ order: Order }}\n}}\n", &SHOP[..SHOP.len() - 2]);
    let mut parse = Arc::new(syntax::parse(FileId(0), shop.as_str()));
    let mut analysis = ide::analyze(vec![Arc::clone(&parse)]);
    let (mut items, mut all) = (0, 0);
    let marks = [
        (
            "let buyer = order.customer",
            "\n    let second = buyer.email\n    for line in order.lines { let it = line }",
        ),
        ("allow read to customer when .customer == caller", " and .placed < now - 1d"),
        ("where .customer == customer", " and .status == paid"),
        ("enum { pending, paid", ", gone"),
        ("    email:  Email unique", "\n    mood: enum { glad, sad } = glad"),
    ];
    for (mark, new) in marks {
        let at = shop.find(mark).unwrap() + mark.len();
        for end in (0..=new.len()).chain((0..new.len()).rev()).step_by(3) {
            let text = format!("{}{}{}", &shop[..at], &new[..end], &shop[at..]);
            let again = syntax::reparse(&parse, text.as_str());
            parse = Arc::new(again.parse);
            let is_item =
                again.damage.is_some_and(|damage| analysis.again(Arc::clone(&parse), &damage));
            let whole = ide::analyze(vec![Arc::clone(&parse)]);
            if is_item {
                items += 1;
                assert_eq!(told(&analysis), told(&whole), "{text}");
            } else {
                all += 1;
                analysis = whole;
            }
        }
    }
    assert!(items > 60 && all < 6, "{items} keys checked an item, {all} all");
}

#[path = "../../model/examples/check_bench/design.rs"]
mod thousand;

/// In a thousand entities: what a key takes, as a share of what it would take if all were parsed and checked. In the released
/// binary the whole takes 8 to 9 ms (`ide_bench`).
#[test]
fn a_key_takes_a_fraction_of_the_whole() {
    let text = thousand::source();
    let file = FileId(0);
    let typed = [
        ("price: Money(EUR) = 0.00", "\n  weight: Int(0..100) = 3"),
        ("enum { draft, live", ", another"),
        (".status in (draft, live)", " and .price > 3.00"),
    ];
    for (mark, new) in typed {
        let middle = text.len() / 2;
        let at = middle + text[middle..].find(mark).unwrap() + mark.len();
        let mut parse = Arc::new(syntax::parse(file, text.as_str()));
        let mut analysis = ide::analyze(vec![Arc::clone(&parse)]);
        let (mut keys, mut wholes) = (Vec::new(), Vec::new());
        for end in (1..=new.len()).chain((0..new.len()).rev()) {
            let text = format!("{}{}{}", &text[..at], &new[..end], &text[at..]);
            let begun = Instant::now();
            let again = syntax::reparse(&parse, text.as_str());
            parse = Arc::new(again.parse);
            let is_item =
                again.damage.is_some_and(|damage| analysis.again(Arc::clone(&parse), &damage));
            assert!(is_item, "{}", &new[..end]);
            let offers = ide::complete(&analysis, file, (at + end) as u32, 100);
            keys.push(begun.elapsed());
            assert!(offers.items.len() <= 100);
            if end % 4 == 0 {
                let begun = Instant::now();
                let parse = Arc::new(syntax::parse(file, text.as_str()));
                let _ = ide::analyze(vec![parse]);
                wholes.push(begun.elapsed());
            }
        }
        keys.sort_unstable();
        wholes.sort_unstable();
        let (key, whole) = (keys[keys.len() / 2], wholes[wholes.len() / 2]);
        assert!(key * 4 < whole, "{mark}: a key {key:?}, all of it {whole:?}");
    }
}

/// What was followed without a check is asked everything: the shop without each of its tokens, and then without twenty more.
#[test]
fn what_is_behind_can_be_asked() {
    let whole = Arc::new(syntax::parse(FileId(0), SHOP));
    let file = FileId(0);
    for token in 0..whole.tokens.len() as u32 {
        let mut parse = Arc::clone(&whole);
        let mut analysis = ide::analyze(vec![Arc::clone(&parse)]);
        for more in [0, 20] {
            let first = parse.token_span(token).start;
            let end = parse.token_span(token + more).end;
            let mut text = parse.text.to_string();
            text.replace_range(first as usize..end as usize, "");
            let again = syntax::reparse(&parse, text);
            parse = Arc::new(again.parse);
            analysis.follow(Arc::clone(&parse), again.shift);
            assert!(analysis.is_behind());
            let _ = ide::complete(&analysis, file, first, 9);
            let _ = ide::hover(&analysis, file, first);
            let _ = ide::references(&analysis, file, first, true);
            let _ = ide::outline(&analysis, file);
            let _ = ide::hints(&analysis, Span::new(file, 0, u32::MAX));
            let length = parse.text.len() as u32;
            for found in analysis.diagnostics() {
                assert!(found.primary.span.end <= length, "{found:?}");
            }
            for token in ide::semantic_tokens(&analysis, file) {
                assert!(token.span.end <= length);
            }
            // What is behind takes no single item any more.
            let damage = again.damage;
            assert!(!damage.is_some_and(|damage| analysis.again(Arc::clone(&parse), &damage)));
        }
    }
}
