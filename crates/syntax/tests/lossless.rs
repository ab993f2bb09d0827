//! Whatever the text: no panic, no byte lost, every node well nested.

use proptest::prelude::*;
use syntax::{FileId, Parse, TokenKind, parse};

const SHOP: &str = include_str!("../../../examples/shop/shop.mimar");

/// Checks what holds for every tree.
fn check(text: &str) -> Parse {
    let parse = parse(FileId(0), text);
    let mut joined = String::new();
    for index in 0..parse.tokens.len() as u32 {
        joined.push_str(parse.token_text(index));
    }
    assert_eq!(joined, text, "every byte lies in one token");
    assert_eq!(parse.tokens.last().map(|token| token.kind), Some(TokenKind::End));
    assert_eq!(parse.nodes[0].end_node as usize, parse.nodes.len());
    let mut open: Vec<(u32, u32, u32)> = Vec::new();
    for (index, node) in parse.nodes.iter().enumerate() {
        while open.last().is_some_and(|(end, _, _)| *end as usize <= index) {
            open.pop();
        }
        assert!(node.first_token <= node.end_token, "{node:?}");
        assert!(node.end_node as usize > index, "{node:?}");
        if let Some((end, first, last)) = open.last() {
            assert!(node.end_node <= *end, "{node:?} in {open:?}");
            assert!(*first <= node.first_token && node.end_token <= *last, "{node:?} in {open:?}");
        }
        assert!(open.len() < 700, "no tree is deeper than a stack bears");
        open.push((node.end_node, node.first_token, node.end_token));
    }
    for pair in parse.nodes.windows(2) {
        assert!(pair[0].first_token <= pair[1].first_token, "pre-order: {pair:?}");
    }
    for found in &parse.diagnostics {
        let span = found.primary.span;
        assert!(span.start <= span.end && span.end as usize <= text.len(), "{found:?}");
        assert!(syntax::explain(found.code).is_some(), "{} has no page", found.code);
        for edit in found.fixes.iter().flat_map(|fix| &fix.edits) {
            assert!(text.get(edit.span.range()).is_some(), "{found:?}");
        }
    }
    let source = |_| Some(syntax::Source { path: "test.mimar", text });
    let drawn = &parse.diagnostics[..parse.diagnostics.len().min(3)];
    assert_eq!(drawn.is_empty(), syntax::render(drawn, source, syntax::Look::default()).is_empty());
    assert_eq!(syntax::render_json(drawn, source).as_array().map(Vec::len), Some(drawn.len()));
    parse
}

/// Everything the typed views can be asked, on whatever tree.
fn visit(parse: &Parse) {
    use syntax::ast::{Expr, Item, Literal, Name, Statement, TypeExpr, View};
    for index in 0..parse.nodes.len() {
        let mut node = parse.root();
        // Handles come from walking only, so take the path to each first token.
        for found in parse.nodes_at(parse.token_span(parse.nodes[index].first_token).start) {
            node = found;
        }
        let _ = (node.docs(), node.text(), format!("{node:?}"));
        let _ = Literal::cast(node).map(Literal::value);
        let _ = Name::cast(node).map(Name::text);
        let _ = Expr::cast(node).map(Expr::without_parens);
        let _ = (Item::cast(node).map(Item::name), Statement::cast(node), TypeExpr::cast(node));
    }
}

#[test]
fn the_shop_is_clean() {
    let parse = check(SHOP);
    assert!(parse.diagnostics.is_empty(), "{:#?}", parse.diagnostics);
    visit(&parse);
}

#[test]
fn deep_nesting_is_reported_and_survived() {
    for (open, close) in [("(", ")"), ("[", "]"), ("{", "}"), ("not ", ""), ("-", ""), ("if ", "")]
    {
        for tail in ["", "1"] {
            let deep = format!(
                "entity A {{\n  key id: Uuid\n  check {}{tail}{}\n  oops\n}}\n",
                open.repeat(20_000),
                close.repeat(20_000)
            );
            check(&deep);
        }
    }
    let types = format!("record A {{ a: {}Int{} }}", "[".repeat(20_000), "]".repeat(20_000));
    assert!(check(&types).diagnostics.iter().any(|found| found.code == "E0114"));
    let blocks = format!("command a() {{ {} }}", "for x in y { ".repeat(20_000));
    check(&blocks);
    let chain = format!("entity A {{\n check 1{}\n audt\n}}", " + 1".repeat(20_000));
    let parse = check(&chain);
    let codes: Vec<_> = parse.diagnostics.iter().map(|found| found.code).collect();
    assert_eq!(codes, ["E0114", "E0111"], "the fault behind the chain is seen");
    let elses = format!("command a() {{ if a {{ }} {} }}", "else if a { } ".repeat(20_000));
    check(&elses);
    check(&"service a { ".repeat(20_000));
    check(&"service a {\n".repeat(20_000));
    check(&"}".repeat(20_000));
}

#[test]
fn hostile_texts_take_linear_time() {
    // Each would take minutes were anything quadratic.
    let many = 20_000;
    for piece in [
        "a ",
        "a: ",
        "entity ",
        "entity A {\n",
        "\n}",
        "a -> ",
        ", ",
        "\"",
        "'",
        "/// x\n",
        "é",
        "= ",
        ". ",
        "allow ",
        "allow read a,",
        "check a\n",
        "1 ",
    ] {
        check(&piece.repeat(many));
        check(&format!("entity A {{\n{}", piece.repeat(many)));
        check(&format!("command a() {{\n return f({}", piece.repeat(many)));
    }
}

#[test]
fn odd_line_ends_and_marks() {
    let crlf = SHOP.replace('\n', "\r\n");
    assert!(check(&crlf).diagnostics.is_empty());
    let marked = format!("\u{feff}{SHOP}");
    let parse = check(&marked);
    assert_eq!(parse.diagnostics.len(), 1);
    let mended = syntax::apply(FileId(0), &marked, &parse.diagnostics[0].fixes[0].edits);
    assert_eq!(mended, SHOP);
    check("");
    check("\n");
    check("// only a comment");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in "\\PC{0,200}|[ -~\n]{0,300}") {
        check(&text);
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        check(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_words(words in proptest::collection::vec(proptest::sample::select(WORDS), 0..120)) {
        let parse = check(&words.concat());
        visit(&parse);
    }

    #[test]
    fn any_piece_of_the_shop(start in 0..SHOP.len(), length in 0..800_usize, from in 0..SHOP.len()) {
        let (start, from) = (SHOP.floor_char_boundary(start), SHOP.floor_char_boundary(from));
        let end = SHOP.floor_char_boundary((start + length).min(SHOP.len()));
        check(&SHOP[start..end]);
        check(&format!("{}{}{}", &SHOP[..from], &SHOP[start..end], &SHOP[from..]));
        check(&format!("{}{}", &SHOP[..start], &SHOP[end..]));
    }
}

const WORDS: &[&str] = &[
    "entity ",
    "A ",
    "{ ",
    "} ",
    "\n",
    "a",
    ": ",
    "Int",
    "(",
    ")",
    "1",
    "..",
    "5 ",
    "= ",
    ":= ",
    ".a ",
    "allow ",
    "read ",
    "to ",
    "when ",
    "service ",
    "command ",
    "let ",
    "create ",
    "update ",
    ", ",
    "-> ",
    "[",
    "]",
    "? ",
    "\"s\" ",
    "1d ",
    "40/s ",
    "5% ",
    "for ",
    "in ",
    "if ",
    "else ",
    "not ",
    "and ",
    "or ",
    "== ",
    "- ",
    "// c\n",
    "/// d\n",
    "enum ",
    "record ",
    "query ",
    "where ",
    "sort ",
    "page ",
    "flow ",
    "index ",
    "unique ",
    "key ",
    "run ",
    "call ",
    "step ",
    "undo ",
    "workflow ",
    "on ",
    "external ",
    "post ",
    "load ",
    "decision ",
    "option ",
    "environment ",
    "store ",
    "; ",
    "&& ",
    "é",
    "\u{0}",
    "'x' ",
    "require ",
    "return ",
    "part of A as b ",
];
