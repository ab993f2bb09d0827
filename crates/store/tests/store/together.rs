//! Reads that are asked at the same time, and go together where the database is behind a wire.

use std::sync::Arc;
use std::time::Duration;

use operation::{
    Arithmetic, Comparison, Dialect, Expression, Fault, NumberKind, Output, Read, ReadId, Value,
    Write,
};
use store::{Row, Rows};
use tokio::runtime::Runtime;

use crate::shop::{Shop, both, by_key, text};

/// A shop with orders of none, one and many lines, for two customers.
fn filled() -> Shop {
    let shop = Shop::open();
    for name in ["Ann", "Bob"] {
        let email = format!("{name}@example.org");
        shop.write(shop.new_customer(name, &email, true)).unwrap();
    }
    for (at, sku) in ["pen", "ink", "nib"].into_iter().enumerate() {
        shop.write(shop.new_product(sku, 150 + at as i64, 1_000_000)).unwrap();
    }
    for number in 0..12 {
        let lines = ["pen", "ink", "nib"].iter().take(1 + number % 3);
        let lines = lines.map(|sku| Shop::line(sku, 1 + number as i64, 150)).collect();
        shop.write(shop.new_order(1 + number as i64 % 2, lines)).unwrap();
    }
    shop
}

fn shown(rows: Result<Rows, Fault>) -> Result<Option<(String, i64)>, Fault> {
    match rows? {
        Rows::One(row) => Ok(row.map(|Row { json, version }| (text(&json), version))),
        Rows::Page { json, count, next } => {
            let shown = format!("{} then {next:?}", text(&json));
            Ok(Some((shown, i64::try_from(count).unwrap())))
        }
    }
}

/// Asks all at the same time.
fn at_once(
    shop: &Shop,
    asked: &[(Arc<Read>, Vec<Value>)],
) -> Vec<Result<Option<(String, i64)>, Fault>> {
    at_once_on(&runtime(), shop, asked)
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

/// The same on a runtime, with which its connections end.
fn at_once_on(
    runtime: &Runtime,
    shop: &Shop,
    asked: &[(Arc<Read>, Vec<Value>)],
) -> Vec<Result<Option<(String, i64)>, Fault>> {
    runtime.block_on(async {
        let reads = asked.iter().map(|(read, binds)| async {
            let answer = shop.store.read(read, binds);
            shown(tokio::time::timeout(Duration::from_secs(20), answer).await.unwrap())
        });
        futures_util::future::join_all(reads).await
    })
}

#[test]
fn each_is_answered_as_if_it_were_alone() {
    both(|| {
        let shop = filled();
        // His orders tell of him no more than his key.
        let inactive = [(3, Value::Bool(false))];
        let bob = shop.edit(&shop.customers, &shop.read_customer, Value::Int(2), &inactive);
        shop.write(Write::Edit(bob)).unwrap();
        // Small lines are hidden, so that some orders show none.
        let mut large = (*shop.read_order).clone();
        large.id = ReadId::fresh();
        if let Output::Parts(parts) = &mut large.output.fields.last_mut().unwrap().output {
            let mut lines = (*parts.read).clone();
            let quantity =
                lines.table.columns.iter().position(|column| &*column.field == "quantity");
            let is_large = Expression::Compare(
                Comparison::Greater,
                Box::new(Expression::column(quantity.unwrap())),
                Box::new(Expression::Literal(Value::Int(6))),
            );
            lines.id = ReadId::fresh();
            lines.filter = Expression::And(vec![lines.filter, is_large]);
            parts.read = Arc::new(lines);
        }
        let large = Arc::new(large);
        // Each sees its own: of those who ask for one row together some do, and some do not.
        let mut owned = (*shop.read_order).clone();
        owned.id = ReadId::fresh();
        let customer = shop.order.columns.iter().position(|column| &*column.field == "customer");
        let is_own = Expression::Compare(
            Comparison::Equal,
            Box::new(Expression::column(customer.unwrap())),
            Box::new(Expression::Bind(1)),
        );
        owned.filter = Expression::And(vec![owned.filter, is_own]);
        let owned = Arc::new(owned);
        let pen = shop.edit(
            &shop.products,
            &shop.read_product,
            Value::text("pen"),
            &[(3, Value::Int(5))],
        );
        shop.write(Write::Edit(pen)).unwrap();
        let before_pens = some_products(&shop, less(0, Value::text("o")));
        // By a column that is not answered, and by what a request brings.
        let scarce = some_products(&shop, less(3, Value::Int(10)));
        let mine =
            some_products(&shop, Expression::equal(Expression::column(0), Expression::Bind(1)));
        let own_orders = own_orders(&shop);
        let mut asked = Vec::new();
        for round in 0..40 {
            // Some are not there.
            asked.push((shop.read_order.clone(), vec![Value::Int(round % 14)]));
            asked.push((large.clone(), vec![Value::Int(1 + round % 12)]));
            for caller in [Value::Int(1), Value::Int(2), Value::Null] {
                asked.push((owned.clone(), vec![Value::Int(round % 5), caller]));
            }
            asked.push((before_pens.clone(), vec![Value::Int(round % 13)]));
            asked.push((scarce.clone(), vec![Value::Int(round % 13)]));
            let mine_of = |sku| vec![Value::Int(round % 13), Value::text(sku)];
            asked.push((mine.clone(), mine_of("ink")));
            asked.push((mine.clone(), mine_of("pen")));
            asked.push((shop.bare_order.clone(), vec![Value::Int(round % 13)]));
            asked.push((shop.read_customer.clone(), vec![Value::Int(round % 4)]));
            // Pages of many lengths, with and without another behind them; one of nobody, and one that goes alone.
            let page = vec![
                Value::Int(1 + round % 3),
                Value::Int([0, 1, 3, 6, 100, 101][round as usize % 6]),
            ];
            asked.push((shop.read_orders.clone(), page.clone()));
            asked.push((shop.active_orders.clone(), page.clone()));
            // His own, and those of somebody else.
            for caller in [1 + round % 3, 1 + (round + 1) % 3] {
                asked.push((own_orders.clone(), [page.as_slice(), &[Value::Int(caller)]].concat()));
            }
        }
        let alone: Vec<_> = asked
            .iter()
            .map(|(read, binds)| shown(shop.store.read_blocking(read, binds)))
            .collect();
        assert!(alone.iter().any(|answer| matches!(answer, Ok(None))));
        let is_empty = |answer: &Result<Option<(String, i64)>, Fault>| matches!(answer, Ok(Some((json, _))) if json.contains(r#""lines":[]"#));
        assert!(alone.iter().any(is_empty));
        let before = shop.store.statistics().gathered;
        let gathered = || shop.store.statistics().gathered - before;
        for _ in 0..5 {
            assert_eq!(at_once(&shop, &asked), alone);
        }
        if shop.store.dialect() == Dialect::Sqlite {
            assert_eq!(gathered(), 0, "reads of a database in this process have no wire to share");
            return;
        }
        // How many meet in a round is up to the machine; that some do is not.
        for _ in 0..200 {
            if gathered() > 100 {
                return;
            }
            assert_eq!(at_once(&shop, &asked), alone);
        }
        panic!("only {} reads went together", gathered());
    });
}

fn less(column: usize, than: Value) -> Expression {
    let (column, than) = (Expression::column(column), Expression::Literal(than));
    Expression::Compare(Comparison::Less, Box::new(column), Box::new(than))
}

/// Orders whose lines tell of products only where something is true of them.
fn some_products(shop: &Shop, condition: Expression) -> Arc<Read> {
    let mut read = (*shop.read_order).clone();
    read.id = ReadId::fresh();
    if let Output::Parts(parts) = &mut read.output.fields.last_mut().unwrap().output {
        let mut lines = (*parts.read).clone();
        lines.id = ReadId::fresh();
        // Behind what the request brings: its order, and perhaps what the condition asks for.
        let mut binds = 1;
        condition.visit(&mut |e| binds += usize::from(matches!(e, Expression::Bind(_))));
        lines.root_bind = Some(binds);
        lines.filter = Expression::equal(Expression::column(0), Expression::Bind(binds));
        lines.joins.first_mut().unwrap().condition = condition;
        parts.read = Arc::new(lines);
    }
    Arc::new(read)
}

/// The orders of a customer, for whom a policy asks the same once more.
fn own_orders(shop: &Shop) -> Arc<Read> {
    let mut read = (*shop.read_orders).clone();
    read.id = ReadId::fresh();
    let own = Expression::equal(Expression::column(1), Expression::Bind(2));
    read.filter = Expression::all([read.filter, own]);
    Arc::new(read)
}

/// What policies add to a read for some callers does not keep them from going with others.
#[test]
fn reads_for_several_roles_go_together() {
    both(|| {
        let shop = filled();
        if shop.store.dialect() == Dialect::Sqlite {
            return;
        }
        let order = |number| vec![Value::Int(number)];
        let page = |binds: &[i64]| binds.iter().copied().map(Value::Int).collect();
        let pairs = [
            [
                (shop.read_order.clone(), order(3)),
                (some_products(&shop, less(0, Value::text("o"))), order(4)),
            ],
            [(shop.read_orders.clone(), page(&[1, 5])), (own_orders(&shop), page(&[2, 5, 2]))],
        ];
        let runtime = runtime();
        for pair in pairs {
            let meet = |asked: &[(Arc<Read>, Vec<Value>)]| {
                (0..200).any(|_| {
                    let before = shop.store.statistics().gathered;
                    at_once_on(&runtime, &shop, asked);
                    shop.store.statistics().gathered > before
                })
            };
            assert!(meet(&pair), "two reads of the same went one by one");
        }
        // Another's orders are none of his: that is for the database to say, of him alone.
        let not_his =
            [(shop.read_orders.clone(), page(&[1, 5])), (own_orders(&shop), page(&[1, 5, 2]))];
        for _ in 0..20 {
            let before = shop.store.statistics().gathered;
            at_once_on(&runtime, &shop, &not_his);
            assert_eq!(shop.store.statistics().gathered, before);
        }
    });
}

/// What takes long is not made longer by company, and comes together again later.
#[test]
fn pages_that_take_long_go_alone_for_a_while() {
    both(|| {
        let shop = filled();
        if shop.store.dialect() == Dialect::Sqlite {
            return;
        }
        let asked: Vec<_> = (0..40)
            .map(|at| (shop.read_orders.clone(), vec![Value::Int(1 + at % 2), Value::Int(3)]))
            .collect();
        let runtime = runtime();
        let gathered = || shop.store.statistics().gathered;
        // How many meet in a round is up to the machine.
        let meet = |rounds: usize| {
            let before = gathered();
            (0..rounds).any(|_| {
                at_once_on(&runtime, &shop, &asked);
                gathered() > before
            })
        };
        // As long as there are seven pens, every order that is looked at takes two milliseconds.
        let slowly = [
            "ALTER TABLE \"order\" RENAME TO quick_order",
            "CREATE VIEW \"order\" AS SELECT o.* FROM quick_order AS o, LATERAL (SELECT pg_sleep(CASE \
             WHEN o.id > 0 AND EXISTS (SELECT FROM product WHERE stock = 7) THEN 0.002 ELSE 0 END)) AS s",
        ];
        shop.store.execute_schema(&slowly.map(str::to_owned)).unwrap();
        let pens = |stock| {
            let (key, set) = (Value::text("pen"), [(3, Value::Int(stock))]);
            shop.write(Write::Edit(shop.edit(&shop.products, &shop.read_product, key, &set)))
                .unwrap();
        };
        assert!(meet(200), "none went together");
        pens(7);
        // Whoever comes first learns that they take long.
        at_once_on(&runtime, &shop, &asked);
        assert!(!meet(10), "they went together although that takes long");
        pens(8);
        assert!(meet(200), "none went together when that took no longer");
    });
}

#[test]
fn a_fault_of_one_is_not_a_fault_of_others() {
    both(|| {
        let shop = filled();
        let mut read = by_key(&shop.order);
        // The key plus a value of the request: too large for a number with the largest one.
        read.filter = Expression::And(vec![
            read.filter,
            Expression::Compare(
                Comparison::Greater,
                Box::new(Expression::Arithmetic {
                    operation: Arithmetic::Add,
                    kind: NumberKind::Int,
                    left: Box::new(Expression::column(shop.order.own_key())),
                    right: Box::new(Expression::Bind(1)),
                }),
                Box::new(Expression::Literal(Value::Int(0))),
            ),
        ]);
        let read = Arc::new(read);
        let asked: Vec<_> = (0..30)
            .map(|at| {
                let added = if at == 17 { i64::MAX } else { 5 };
                (read.clone(), vec![Value::Int(1 + at % 12), Value::Int(added)])
            })
            .collect();
        let answers = at_once(&shop, &asked);
        for (at, answer) in answers.iter().enumerate() {
            match at {
                17 => assert!(answer.is_err(), "{answer:?}"),
                _ => assert!(matches!(answer, Ok(Some(_))), "{at}: {answer:?}"),
            }
        }
    });
}

#[test]
fn who_leaves_keeps_nobody_waiting() {
    both(|| {
        let shop = filled();
        runtime().block_on(async {
            for round in 0..20_u64 {
                let reads = (0..48_u64).map(|at| {
                    let (shop, read) = (&shop, shop.read_order.clone());
                    async move {
                        let binds = [Value::Int(1 + at as i64 % 12)];
                        let answer = shop.store.read(&read, &binds);
                        if at % 3 == round % 3 {
                            // Some leave at once, some while they lead, some while they wait.
                            let patience = Duration::from_micros(at * 40);
                            let _ = tokio::time::timeout(patience, answer).await;
                            return;
                        }
                        let answer = tokio::time::timeout(Duration::from_secs(5), answer).await;
                        assert!(matches!(answer, Ok(Ok(Rows::One(Some(_))))), "{answer:?}");
                    }
                });
                futures_util::future::join_all(reads).await;
            }
        });
    });
}
