//! Who may do what, and the whole model as data: both say what the surface does.

#![expect(clippy::panic, reason = "a test that cannot go on says so")]

use std::collections::BTreeSet;

use contract::{Grant, May, PolicyMatrix, Thing, Verb};
use model::{Model, Valid};

const EXAMPLES: [&str; 2] = [
    include_str!("../../../examples/shop/shop.mimar"),
    include_str!("../../../examples/chinook/chinook.mimar"),
];

const NOTES: &str = r#"
app Notes { version 1  roles writer, reader, admin }
auth { users Writer by email as writer }

service books {
  entity Writer {
    key id: Uuid
    email:  Email unique
    token:  String(8..40) secret
    allow read, update to writer when .id == caller.id
    allow read email to reader
    allow read to admin
  }

  entity Book {
    key id: Uuid
    writer: Writer        immutable
    title:  String(1..80)
    price:  Money(EUR)
    length: Int           := count(pages)
    state:  enum { draft, live } = draft
    index (state)
    allow read to anyone when .state == live
    allow read to writer when .writer == caller
    allow read to admin
    allow update title, pages to writer when .writer == caller and .price > 2.50
    allow update to admin
    allow delete to admin
  }

  entity Page part of Book as pages (0..100) { text: String(1..4000) }

  query cheap(most: Money(EUR), writer: Writer?) -> Book {
    where .price <= most and .writer == writer
    sort  -.price
    page  20
    allow writer when writer == caller
    allow reader
  }

  command publish(book: Book) {
    allow writer when book.writer == caller
    allow system
    update book { state: live }
  }

  event Published by book { book: Book  allow read to reader  allow replay to admin }
}
"#;

fn model(text: &str) -> Valid<Model> {
    let parse = syntax::parse(syntax::FileId(0), text.to_owned());
    let (model, found) = model::check(&[&parse]);
    let faults: Vec<&str> = found.iter().map(|it| it.message.as_str()).collect();
    Valid::new(model, &found).unwrap_or_else(|| panic!("{faults:?} {:?}", parse.diagnostics))
}

/// One cell as a line: `always`, `never`, or its grants.
#[track_caller]
fn cell(matrix: &PolicyMatrix, role: &str, verb: Verb, item: &str) -> String {
    let mut found =
        matrix.access.iter().filter(|it| it.role == role && it.verb == verb && it.item == item);
    let cell = found.next().unwrap_or_else(|| panic!("{role} {verb:?} {item}"));
    assert!(found.next().is_none(), "{role} {verb:?} {item} is said twice");
    let grants = cell.grants.iter().map(|grant| {
        let fields = grant.fields.as_ref().map_or("all".to_owned(), |fields| fields.join(", "));
        match &grant.when {
            Some(when) => format!("{fields} when {when}"),
            None => fields,
        }
    });
    let mut text = vec![cell.may.word().to_owned()];
    text.extend(grants);
    text.join(" | ")
}

#[test]
fn each_role_has_what_anyone_has_and_its_own() {
    let matrix = contract::policy(&model(NOTES));
    assert_eq!(matrix.roles, ["anyone", "writer", "reader", "admin", "system"]);
    let check =
        |role, verb, item, wanted: &str| assert_eq!(cell(&matrix, role, verb, item), wanted);
    check("anyone", Verb::Read, "books.Book", "when | all when .state == live");
    check(
        "writer",
        Verb::Read,
        "books.Book",
        "when | all when .state == live | all when .writer == caller",
    );
    check("admin", Verb::Read, "books.Book", "always | all");
    check("reader", Verb::Read, "books.Writer", "always | email");
    check("anyone", Verb::Read, "books.Writer", "never");
    check(
        "writer",
        Verb::Update,
        "books.Book",
        "when | title, pages when .writer == caller and .price > 2.50",
    );
    check("reader", Verb::Update, "books.Book", "never");
    check("admin", Verb::Create, "books.Book", "never");
}

#[test]
fn parts_follow_their_root() {
    let matrix = contract::policy(&model(NOTES));
    let check = |role, verb, wanted: &str| {
        assert_eq!(cell(&matrix, role, verb, "books.Book.pages"), wanted, "{role} {verb:?}");
    };
    let changes = "when | all when .writer == caller and .price > 2.50";
    for verb in [Verb::Create, Verb::Update, Verb::Delete] {
        check("writer", verb, changes);
        check("admin", verb, "always | all");
        check("reader", verb, "never");
    }
    check("admin", Verb::Read, "always | all");
    check("reader", Verb::Read, "when | all when .state == live");
}

#[test]
fn queries_commands_and_events() {
    let matrix = contract::policy(&model(NOTES));
    let check =
        |role, verb, item, wanted: &str| assert_eq!(cell(&matrix, role, verb, item), wanted);
    check("writer", Verb::Ask, "books.cheap", "when | all when writer == caller");
    check("reader", Verb::Ask, "books.cheap", "always | all");
    check("admin", Verb::Ask, "books.cheap", "never");
    check("writer", Verb::Run, "books.publish", "when | all when book.writer == caller");
    check("system", Verb::Run, "books.publish", "always | all");
    check("admin", Verb::Run, "books.publish", "never");
    check("reader", Verb::Read, "books.Published", "always | all");
    check("anyone", Verb::Read, "books.Published", "never");
    check("admin", Verb::Read, "books.Published", "never");
    check("admin", Verb::Replay, "books.Published", "always | all");
    check("reader", Verb::Replay, "books.Published", "never");
    let of_query = matrix.access.iter().filter(|it| it.thing == Thing::Query);
    assert!(of_query.clone().count() > 0);
    assert!(of_query.clone().all(|it| it.rows_of.as_deref() == Some("books.Book")));
}

#[test]
fn what_no_grant_reaches() {
    let matrix = contract::policy(&model(NOTES));
    let of = |item: &str| matrix.fixed.iter().find(|it| it.item == item).unwrap();
    assert_eq!(of("books.Writer").never_read, ["token"]);
    assert_eq!(of("books.Book").never_updated, ["id", "writer", "length"]);
}

/// The matrix and the router are derived apart from each other: whom one lets in, the other does.
#[test]
fn the_matrix_agrees_with_the_surface() {
    for text in EXAMPLES.into_iter().chain([NOTES]) {
        let model = model(text);
        let (matrix, surface) = (contract::policy(&model), contract::derive(&model));
        let mut seen = 0;
        let mut agree = |item: &str, verb: Verb, grant: &Grant| {
            let own = matrix.access.iter().filter(|it| it.item == item && it.verb == verb);
            for access in own.filter(|it| it.role != "system") {
                let let_in = grant.anyone || grant.roles.contains(&access.role);
                assert_eq!(access.may != May::Never, let_in, "{access:?} {grant:?}");
                seen += 1;
            }
        };
        let described = contract::describe(&model);
        for (resource, entity) in surface.resources.iter().zip(&described.entities) {
            let item = match &entity.part_of {
                Some(part) => format!("{}.{}", part.root, part.member),
                None => entity.name.clone(),
            };
            agree(&item, Verb::Read, &resource.read);
            agree(&item, Verb::Create, &resource.create);
            agree(&item, Verb::Update, &resource.update);
            agree(&item, Verb::Delete, &resource.delete);
        }
        for (route, query) in surface.queries.iter().zip(&described.queries) {
            agree(&query.name, Verb::Ask, &route.grant);
        }
        for (route, command) in surface.commands.iter().zip(&described.commands) {
            agree(&command.name, Verb::Run, &route.grant);
        }
        for (event, described) in surface.events.iter().zip(&described.events) {
            agree(&described.name, Verb::Read, &event.grant);
            agree(&described.name, Verb::Replay, &event.replay);
        }
        let cells = matrix.access.iter().filter(|it| it.role != "system");
        assert_eq!(seen, cells.count(), "every cell was compared");
    }
}

#[test]
fn the_routes_are_those_of_the_document() {
    for text in EXAMPLES.into_iter().chain([NOTES]) {
        let model = model(text);
        let described: BTreeSet<String> = contract::describe(&model)
            .routes
            .iter()
            .map(|route| format!("{} {}", route.method, route.path))
            .collect();
        let document = contract::openapi(&contract::derive(&model));
        let paths = document["paths"].as_object().unwrap();
        let documented: BTreeSet<String> = paths
            .iter()
            .flat_map(|(path, operations)| {
                let methods = operations.as_object().unwrap().keys();
                let methods = methods.filter(|it| *it != "parameters");
                methods.map(move |method| format!("{} {path}", method.to_uppercase()))
            })
            .collect();
        assert_eq!(described, documented);
    }
}

#[test]
fn a_model_is_described_as_it_is_written() {
    let described = contract::describe(&model(NOTES));
    let book = described.entities.iter().find(|it| it.name == "books.Book").unwrap();
    let ty = |name: &str| {
        let field = book.fields.iter().find(|field| field.name == name).unwrap();
        (field.r#type.clone(), field.references.clone())
    };
    assert_eq!(ty("title"), ("String(1..80)".to_owned(), None));
    assert_eq!(ty("writer"), ("books.Writer".to_owned(), Some("books.Writer".to_owned())));
    assert_eq!(ty("state"), ("enum { draft, live }".to_owned(), None));
    assert_eq!(book.parts, ["pages"]);
    let length = book.fields.iter().find(|field| field.name == "length").unwrap();
    assert_eq!(length.computed.as_deref(), Some("count(pages)"));
    let query = &described.queries[0];
    assert_eq!(query.r#where.as_deref(), Some(".price <= most and .writer == writer"));
    assert_eq!((query.sort.as_slice(), query.page), (&["-price".to_owned()][..], [20, 100]));
    assert_eq!(described.roles[0].entity.as_deref(), Some("books.Writer"));
}
