//! Behind PgBouncer in transaction mode: each transaction meets another connection of the server.

use std::thread;

use operation::{PartChange, Value, Write};
use store::{Options, Store};
use testbed::Pooler;

use crate::shop::{POSTGRES, Shop};

#[test]
fn a_pooler_in_transaction_mode_changes_nothing() {
    let server = testbed::postgres();
    let pooler = Pooler::before(server, 3);
    let url = server.database();
    let through = url.replace(&format!(":{}/", server.port()), &format!(":{}/", pooler.port()));
    let store = Store::connect(&format!("{through}?pgbouncer=true"), Options::default()).unwrap();
    let ddl: Vec<String> = POSTGRES.iter().map(|text| (*text).to_owned()).collect();
    store.execute_schema(&ddl).unwrap();
    assert_eq!(
        store
            .tables(&[], &|table, column| column.unwrap_or(table).to_owned())
            .unwrap()
            .iter()
            .filter(|(name, _)| name == "order")
            .count(),
        1
    );
    store.set_meta("a", "b").unwrap();
    assert_eq!(store.meta("a").unwrap().as_deref(), Some("b"));
    let shop = Shop::around(tempfile::tempdir().unwrap(), store);
    shop.write(shop.new_customer("Ann", "ann@example.org", true)).unwrap();
    for sku in ["pen", "ink"] {
        shop.write(shop.new_product(sku, 150, 1_000_000)).unwrap();
    }
    // Readers and writers, many more than the pooler has connections.
    thread::scope(|scope| {
        for number in 0..12_i64 {
            let shop = &shop;
            scope.spawn(move || {
                for turn in 0..20 {
                    let order = shop.new_order(1, vec![Shop::line("pen", 1, 150)]);
                    let order = shop.write(order).unwrap().key;
                    let id = order.as_int().unwrap();
                    shop.write(shop.edit_lines(id, PartChange::Add(Shop::line("ink", 2, 100))))
                        .unwrap();
                    let (json, version) = shop.one(&shop.read_order, order).unwrap();
                    assert!(json.contains("\"total\":\"3.50\"") && version == 2, "{json}");
                    if turn == 0 {
                        let name = Value::text(format!("Ann {number}"));
                        let edit = shop.edit(
                            &shop.customers,
                            &shop.read_customer,
                            Value::Int(1),
                            &[(1, name)],
                        );
                        shop.write(Write::Edit(edit)).unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(shop.store.count(&shop.order), Ok(240));
    let (_, version) = shop.one(&shop.read_customer, Value::Int(1)).unwrap();
    assert_eq!(version, 13);
    // Refusals are explained as ever.
    let taken = shop.write(shop.new_customer("Eve", "ann@example.org", true));
    assert!(matches!(taken, Err(operation::Fault::Conflict(_))), "{taken:?}");
    let mut rows = 0;
    shop.store
        .dump(&shop.line, |_| {
            rows += 1;
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(rows, 480);
}
