//! Whatever is edited: checking again what was touched finds what checking all of it finds.

use model::{Checked, Edited};
use proptest::prelude::*;
use syntax::{FileId, Parse, parse, reparse};

const SHOP: &str = include_str!("../../../examples/shop/shop.mimar");
const CHINOOK: &str = include_str!("../../../examples/chinook/chinook.mimar");

/// A project of two files, the second of which is edited.
struct Project {
    parses: [Parse; 2],
    checked: Checked,
}

impl Project {
    fn new(other: &str, text: &str) -> Self {
        let parses = [parse(FileId(0), other), parse(FileId(1), text)];
        let checked = Checked::of(&parses.each_ref());
        Self { parses, checked }
    }

    fn text(&self) -> String {
        self.parses[1].text.to_string()
    }

    /// Edits the second file; answers whether only the item that was touched was checked.
    fn edit(&mut self, text: &str) -> bool {
        let again = reparse(&self.parses[1], text);
        let old = std::mem::replace(&mut self.parses[1], again.parse);
        let all = self.parses.each_ref();
        let is_part = again.damage.as_ref().is_some_and(|damage| {
            self.checked.again(&all, Edited { old: &old, new: &self.parses[1], damage }).is_some()
        });
        let whole = Checked::of(&all);
        if !is_part {
            self.checked = whole;
            return false;
        }
        let found: Vec<_> = self.checked.diagnostics().collect();
        let wanted: Vec<_> = whole.diagnostics().collect();
        assert_eq!(found, wanted);
        let differ = |one: &Checked, other: &Checked| {
            let names = one.uses.names.iter().filter(|it| !other.uses.names.contains(it));
            names.map(|it| format!("{it:?}")).collect::<Vec<_>>()
        };
        let is_same = self.checked.uses.names == whole.uses.names;
        let (more, less) = (differ(&self.checked, &whole), differ(&whole, &self.checked));
        assert!(is_same, "more uses: {more:?}, less: {less:?}");
        let bindings = |checked: &Checked| {
            let mut all = checked.uses.bindings.clone();
            all.sort_by_key(|binding| binding.span);
            format!("{all:?}")
        };
        assert_eq!(bindings(&self.checked), bindings(&whole));
        let (found, wanted) = (format!("{:#?}", self.checked.model), format!("{:#?}", whole.model));
        if found != wanted {
            let mut lines = found.lines().zip(wanted.lines()).enumerate();
            let at = lines.find(|(_, (found, wanted))| found != wanted);
            let around: Vec<&str> =
                found.lines().skip(at.map_or(0, |it| it.0.saturating_sub(30))).take(30).collect();
            assert!(at.is_none(), "{}\n{at:?}", around.join("\n"));
        }
        true
    }

    /// Types behind a mark and deletes it all again; answers for how many keys all was checked.
    fn typed(&mut self, mark: &str, new: &str) -> usize {
        let text = self.text();
        assert!(text.contains(mark), "{mark}");
        let at = text.find(mark).map_or(0, |at| at + mark.len());
        let ends: Vec<usize> = (0..=new.len()).filter(|end| new.is_char_boundary(*end)).collect();
        let keys = ends.iter().skip(1).chain(ends.iter().rev().skip(1));
        let whole = keys.filter(|end| {
            let text = format!("{}{}{}", &text[..at], &new[..**end], &text[at..]);
            !self.edit(&text)
        });
        whole.count()
    }
}

/// The shop without its app, which stands in another file.
fn shop() -> Project {
    let start = SHOP.find("app Shop").unwrap_or(0);
    let end = SHOP.find("auth {").unwrap_or(0);
    let text = format!("{}{}", &SHOP[..start], &SHOP[end..]);
    Project::new(&format!("\n\n{}", &SHOP[start..end]), &text)
}

#[test]
fn a_key_checks_the_item_it_is_in_and_no_more() {
    let mut shop = shop();
    for (mark, new) in [
        (
            "let order = create Order { customer: caller }",
            "\n      let Bad = caller.totl + 1 // no\n      require basket != null else OutOfStock { sku: \"x\", left: 1 }",
        ),
        (
            "allow read to customer when .customer == caller",
            " and .status in (paid, shiped) and .placed < now - 1d",
        ),
        (
            "index (customer, placed)",
            "\n    index (state, placd)\n    check .total >= 0.00 \"never\"\n    audit\n    /// x",
        ),
        (
            "where .customer == customer and .status == status",
            " and .total > 3.00 and .customer.email == caller",
        ),
        (
            "job cancel_stale every 10m {",
            "\n for order in Order where .status == paid { run mark_paid(order) let x = order }",
        ),
        (
            "step reserve {",
            " run cancel(order) let it = call payments.charge(order.id, order.total)",
        ),
        ("update order { status: cancelled }", "\n run cancel(order)"),
    ] {
        assert_eq!(shop.typed(mark, new), 0, "{mark}");
    }
    // A slash by itself stands between two items, and is one of its own.
    assert!(shop.typed("create Parcel { order } }", "\n\n  /// documented") <= 4);
    assert!(
        shop.typed(
            "/// One purchase, from basket to door.",
            "\n  // and \"more\" é\n  /// And more."
        ) <= 8
    );
    // Fields are checked with what uses them.
    for (mark, new) in [
        ("enum { pending, paid, shipped, cancelled", ", lost"),
        (
            "    state:   enum { draft, live, retired } = draft",
            "\n    weight: Int(0..100) = 3\n    mood: enum { glad, sad } = glad",
        ),
        (
            "    joined: Timestamp        = now",
            "\n    nick: String(..20) := .name\n    born: Date?",
        ),
    ] {
        assert_eq!(shop.typed(mark, new), 0, "{mark}");
    }
    // What others see: all of it is checked.
    assert!(shop.typed("command cancel(order: Order", ", why: String(1..9)") > 0);
}

/// Pieces of bodies, sound and not.
fn pieces() -> impl Strategy<Value = String> {
    let words = [
        "{",
        "}",
        "\"",
        "//",
        "///",
        "\n",
        " ",
        ":",
        ",",
        ".",
        "x",
        "entity X {\n",
        "let Bad = 1\n",
        "Order",
        "order",
        ".status == paid",
        "allow read to clerk\n",
        "allow read to clark\n",
        "audit\n",
        "index (state)\n",
        "unique (name)\n",
        "check .price > 1.00\n",
        "run cancel(order)\n",
        "emit OrderPaid { order }\n",
        "require true else OutOfStock { sku: \"\", left: 1 }\n",
        "return order\n",
        "cache 60s\n",
        "sort -.placed\n",
        "page 20\n",
        "where .customer == customer\n",
        "privacy subject\n",
        "key id: Uuid\n",
        "name: String(1..9)\n",
        "/// docs\n",
        "flow status { paid -> shipped }\n",
        "deprecated\n",
        "price: Money(EUR)\n",
        "extra: Int(0..9) = 3\n",
        "mood: enum { glad, sad } = glad\n",
        "other: Product.state?\n",
        "total: Money(EUR) := .price * 2\n",
        "product: Product?\n",
        "unique",
        "?",
        "Int",
        "for line in order.lines { delete line }\n",
    ];
    prop_oneof![
        4 => prop::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => prop::collection::vec(prop::sample::select(words.to_vec()), 1..6).prop_map(|all| all.concat()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn checking_again_is_checking(
        is_shop in any::<bool>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, pieces()), 1..14),
    ) {
        let mut project = if is_shop { shop() } else { Project::new("", CHINOOK) };
        for (at, length, new) in edits {
            let mut text = project.text();
            // At the end of a line, most of all: there it is likeliest to stand in a body.
            let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + usize::from(length % 3 != 0)).collect();
            let start = if length % 4 == 0 { text.floor_char_boundary(at.index(text.len() + 1)) } else { ends[at.index(ends.len())] };
            let end = text.floor_char_boundary((start + length.saturating_sub(25)).min(text.len())).max(start);
            text.replace_range(start..end, &new);
            project.edit(&text);
        }
    }

    /// The same where fields are what is edited: added, taken away, renamed, moved and given other types.
    #[test]
    fn fields_checked_again_are_fields_checked(
        is_shop in any::<bool>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), change()), 1..14),
    ) {
        let mut project = if is_shop { shop() } else { Project::new("", CHINOOK) };
        for (at, change) in edits {
            let text = project.text();
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let fields: Vec<usize> = (0..lines.len()).filter(|at| is_field(&lines[*at])).collect();
            let Some(line) = fields.get(at.index(fields.len().max(1))).copied() else { continue };
            change.make(&mut lines, line);
            project.edit(&(lines.join("\n") + "\n"));
        }
    }
}

/// Whether a line looks like that of a field.
fn is_field(line: &str) -> bool {
    let line = line.trim_start();
    let name = line.split(':').next().unwrap_or("");
    let name = name.strip_prefix("key ").unwrap_or(name);
    line.contains(": ") && name.chars().all(|it| it.is_ascii_lowercase() || it == '_')
}

/// What is done to a line.
#[derive(Clone, Debug)]
enum Change {
    Gone,
    Twice,
    Renamed(&'static str),
    Typed(&'static str),
    More(&'static str),
    Above(&'static str),
    Swapped,
}

impl Change {
    fn make(&self, lines: &mut Vec<String>, at: usize) {
        let (name, rest) = lines[at].split_once(':').unwrap_or_default();
        let (name, rest) = (name.to_owned(), rest.to_owned());
        match self {
            Self::Gone => drop(lines.remove(at)),
            Self::Twice => lines.insert(at, lines[at].clone()),
            Self::Renamed(to) => lines[at] = format!("    {to}:{rest}"),
            Self::Typed(to) => lines[at] = format!("{name}: {to}"),
            Self::More(more) => lines[at].push_str(more),
            Self::Above(line) => lines.insert(at, (*line).to_owned()),
            Self::Swapped if at + 1 < lines.len() => lines.swap(at, at + 1),
            Self::Swapped => {}
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let names =
        ["price", "status", "state", "name", "product", "customer", "album", "id", "placed"];
    let types = [
        "Int(0..9)",
        "Money(EUR)",
        "String(1..9)",
        "Product",
        "Order?",
        "Product.state",
        "Order.status?",
        "Customer.missing",
        "enum { draft, live, retired } = draft",
        "enum { pending, paid, lost } = paid",
        "enum { pending, paid } = gone",
        "Money(EUR) := sum(lines, .price)",
        "Int := .quantity + 1",
        "[Int](0..9)",
        "Track?",
        "",
    ];
    let more = [
        " unique",
        " pii",
        "?",
        " = 1",
        " was older",
        " encrypted",
        " // said",
        " immutable",
        " key",
    ];
    let above = [
        "    mood: enum { glad, sad } = glad",
        "    price: Money(EUR)",
        "    /// Said of it.",
        "    extra: Int",
        "    like: Product.state",
        "    key other: Uuid",
        "    twice: Int := .extra * 2",
        "    allow read to clerk when .price > 1.00",
        "    index (price)",
        "    w",
        "    w:",
        "  }",
    ];
    prop_oneof![
        Just(Change::Gone),
        Just(Change::Twice),
        Just(Change::Swapped),
        prop::sample::select(names.to_vec()).prop_map(Change::Renamed),
        prop::sample::select(types.to_vec()).prop_map(Change::Typed),
        prop::sample::select(more.to_vec()).prop_map(Change::More),
        prop::sample::select(above.to_vec()).prop_map(Change::Above),
    ]
}

/// The key is declared again with the other fields, and so is found again what it takes from one of them.
#[test]
fn a_key_that_is_what_a_field_is() {
    let key = "key sku: String(3..40)";
    let product = SHOP.find(key).unwrap_or(0);
    let behind = SHOP[product..].find("\n\n").unwrap_or(0);
    let fields: Vec<&str> = SHOP[product..product + behind].lines().skip(1).collect();
    for gone in fields {
        let mut shop = shop();
        for (old, new) in [(key, "key sku: Product.state"), (gone, "")] {
            let text = shop.text();
            assert!(text.contains(old), "{old}");
            shop.edit(&text.replacen(old, new, 1));
        }
    }
}
