//! Schema, notes, whole tables in and out, and reads that take too long.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use operation::{Arithmetic, Comparison, Expression, Fault, FaultCode, NumberKind, Value};
use store::{Options, Store, StoreFault};

use crate::shop::Shop;

#[test]
fn a_schema_change_is_all_or_nothing() {
    let shop = Shop::open();
    shop.write(shop.new_product("pen", 1, 1)).unwrap();
    let broken = [
        "ALTER TABLE product ADD COLUMN colour TEXT".to_owned(),
        "CREATE TABLE nonsense (".to_owned(),
    ];
    match shop.store.execute_schema(&broken) {
        Err(StoreFault::Schema { index: 1, statement, .. }) => assert_eq!(statement, broken[1]),
        other => panic!("{other:?}"),
    }
    let tables =
        shop.store.tables(&[], &|table, column| column.unwrap_or(table).to_owned()).unwrap();
    let names: Vec<&str> = tables.iter().map(|(name, _)| &**name).collect();
    assert_eq!(
        names,
        [
            "customer",
            "customer_email",
            "product",
            "order",
            "order_customer",
            "order_line",
            "review",
            "coupon",
            "order_note",
            "order_line_product"
        ]
    );
    assert!(!tables[2].1.contains("colour"));
    shop.store.migrate(&broken[..1], &[("model", "2")]).unwrap();
    assert_eq!(shop.store.meta("model"), Ok(Some("2".to_owned())));
    assert_eq!(shop.store.meta("other"), Ok(None));
    assert!(shop.one(&shop.read_product, Value::text("pen")).is_some());
    let shop = shop.reopen();
    assert_eq!(shop.store.meta("model"), Ok(Some("2".to_owned())));
}

fn product(sku: &str) -> Vec<Value> {
    vec![Value::text(sku), Value::text(sku), Value::Int(1), Value::Int(1), Value::Int(1)]
}

fn order(id: i64, customer: i64) -> Vec<Value> {
    vec![
        Value::Int(id),
        Value::Int(customer),
        Value::text("draft"),
        Value::Int(0),
        Value::Null,
        Value::Int(0),
        Value::Int(1),
    ]
}

#[test]
fn a_load_is_all_or_nothing_and_names_the_row() {
    let shop = Shop::open();
    let customer = vec![
        Value::Int(5),
        Value::text("Ann"),
        Value::text("a@x"),
        Value::Bool(true),
        Value::Int(1),
    ];
    // References may point forwards.
    let rows = [
        (shop.order.clone(), order(9, 5)),
        (shop.customer.clone(), customer),
        (shop.product.clone(), product("pen")),
    ];
    let loaded = shop.store.load(rows.map(Ok::<_, String>)).unwrap();
    assert_eq!(loaded.rows, 3);

    let twice = [(shop.product.clone(), product("ink")), (shop.product.clone(), product("pen"))];
    match shop.store.load(twice.map(Ok::<_, String>)) {
        Err(StoreFault::Row { index: 1, reason, .. }) => {
            assert_eq!(reason, "another Product has the same `sku`");
        }
        other => panic!("{other:?}"),
    }
    let dangling = [(shop.order.clone(), order(10, 5)), (shop.order.clone(), order(11, 99))];
    match shop.store.load(dangling.map(Ok::<_, String>)) {
        Err(StoreFault::Dangling { index: Some(1), table, row, column, target }) => {
            assert_eq!((&*table, &*row), ("order", "id = 11"));
            assert_eq!((&*column, &*target), ("customer", "customer"));
        }
        other => panic!("{other:?}"),
    }
    let broken = [Ok((shop.product.clone(), product("ink"))), Err("line 3: a quote is open")];
    match shop.store.load(broken) {
        Err(StoreFault::Source { index: 1, reason }) => {
            assert_eq!(reason, "line 3: a quote is open");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(shop.store.count(&shop.order), Ok(1));
    assert_eq!(shop.store.count(&shop.product), Ok(1));

    let mut dumped = Vec::new();
    shop.store
        .dump(&shop.order, |row| {
            dumped.push(row.to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(dumped, [order(9, 5)]);
}

#[test]
fn a_file_that_is_no_database_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("note.txt");
    std::fs::write(&path, "this is a note, and quite long enough to be read as a header".repeat(9))
        .unwrap();
    let fault = Store::open(&path, Options::default()).unwrap_err();
    assert!(fault.to_string().contains("not an SQLite database"), "{fault}");
    let fault = Store::open(&folder.path().join("no/such/x.db"), Options::default()).unwrap_err();
    assert!(fault.to_string().contains("folder"), "{fault}");
}

#[test]
fn a_read_that_takes_too_long_ends() {
    let options = Options { deadline: Duration::from_millis(50), ..Options::default() };
    let shop = Shop::with(options);
    let rows =
        (0..4_000).map(|i| Ok::<_, String>((shop.product.clone(), product(&format!("{i}")))));
    shop.store.load(rows).unwrap();
    // Each row looks through the table again, by what no index serves.
    let mut nested = Expression::column(3);
    for _ in 0..6 {
        nested = Expression::Call(
            operation::Function::Concat,
            vec![
                Expression::Call(operation::Function::Upper, vec![Expression::column(1)]),
                Expression::Literal(Value::text("x".repeat(2_000))),
            ],
        );
    }
    let mut read = operation::Read::clone(&shop.read_product);
    read.id = operation::ReadId::fresh();
    let terms = (0..300).map(|i| {
        Expression::Compare(
            Comparison::NotEqual,
            Box::new(nested.clone()),
            Box::new(Expression::Literal(Value::text(format!("{i}")))),
        )
    });
    let never = Expression::equal(nested.clone(), Expression::Literal(Value::text("no")));
    read.filter = Expression::And(terms.chain([never]).collect());
    let began = Instant::now();
    let outcome = shop.store.read_blocking(&read, &[]);
    assert!(matches!(outcome, Err(Fault::Unavailable { .. })), "{outcome:?}");
    assert!(began.elapsed() < Duration::from_secs(5));
    // The connection serves on.
    assert!(shop.one(&shop.read_product, Value::text("1")).is_some());
}

#[test]
fn a_number_that_does_not_fit_is_the_requests_fault() {
    let shop = Shop::open();
    shop.write(shop.new_product("pen", i64::MAX, 0)).unwrap();
    let arithmetic = |operation, right| {
        let mut read = operation::Read::clone(&shop.read_product);
        read.id = operation::ReadId::fresh();
        read.filter = Expression::equal(
            Expression::Arithmetic {
                operation,
                kind: NumberKind::Int,
                left: Box::new(Expression::column(2)),
                right: Box::new(right),
            },
            Expression::Bind(0),
        );
        match shop.store.read_blocking(&read, &[Value::Int(1)]) {
            Err(Fault::Invalid(found)) => found[0].code,
            other => panic!("{other:?}"),
        }
    };
    let two = Expression::Literal(Value::Int(2));
    assert_eq!(arithmetic(Arithmetic::Multiply, two), FaultCode::Overflow);
    assert_eq!(arithmetic(Arithmetic::Divide, Expression::column(3)), FaultCode::DivisionByZero);
}
