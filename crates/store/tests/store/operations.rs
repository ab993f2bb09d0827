//! Operations and what they answer.

use crate::shop::{Shop, answer, both, text};
use operation::{Dialect, Fault, Value};
use store::Rows;

#[test]
fn a_root_with_parts_is_created_and_read() {
    both(|| {
        let shop = Shop::open();
        let written = shop.write(shop.new_customer("Ann", "ann@example.org", true)).unwrap();
        assert_eq!(written.key, Value::Int(1));
        assert_eq!(
            answer(&written),
            r#"{"id":1,"name":"Ann","email":"ann@example.org","active":true}"#
        );
        shop.write(shop.new_product("pen", 150, 10)).unwrap();
        shop.write(shop.new_product("ink", 999, 10)).unwrap();
        let lines = vec![Shop::line("pen", 2, 150), Shop::line("ink", 1, 999)];
        let written = shop.write(shop.new_order(1, lines)).unwrap();
        let expected = r#"{"id":1,"customer":{"id":1,"name":"Ann"},"status":"draft","total":"12.99","placed":"1970-01-01T00:00:00Z","lines":[{"position":1,"product":{"sku":"pen","name":"Product pen"},"quantity":2,"price":"1.50"},{"position":2,"product":{"sku":"ink","name":"Product ink"},"quantity":1,"price":"9.99"}]}"#;
        assert_eq!(answer(&written), expected);
        for _ in 0..3 {
            assert_eq!(shop.one(&shop.read_order, Value::Int(1)), Some((expected.to_owned(), 1)));
        }
        assert_eq!(shop.one(&shop.read_order, Value::Int(2)), None);
        assert!(
            shop.store.dialect() == Dialect::Postgres || shop.store.statistics().answer_hits > 0
        );
    });
}

#[test]
fn pages_say_whether_more_follows() {
    both(|| {
        let shop = Shop::open();
        shop.write(shop.new_customer("Ann", "ann@example.org", true)).unwrap();
        shop.write(shop.new_product("pen", 150, 10)).unwrap();
        for _ in 0..3 {
            shop.write(shop.new_order(1, vec![Shop::line("pen", 2, 150)])).unwrap();
        }
        for (limit, count, more) in [(2, 2, true), (3, 3, false), (9, 3, false), (0, 0, true)] {
            let binds = [Value::Int(1), Value::Int(limit)];
            let Rows::Page { json, count: counted, next } =
                shop.store.read_blocking(&shop.read_orders, &binds).unwrap()
            else {
                panic!("not a page")
            };
            assert_eq!((counted, next.is_some()), (count, more), "{limit}");
            assert!(text(&json).starts_with('[') && text(&json).ends_with(']'));
            if limit == 2 {
                assert_eq!(next, Some(vec![Value::Int(0), Value::Int(2)]));
            }
        }
    });
}

#[test]
fn what_is_missing_is_a_fault_of_the_template() {
    both(|| {
        let shop = Shop::open();
        assert!(matches!(
            shop.store.read_blocking(&shop.read_customer, &[]),
            Err(Fault::Internal(_))
        ));
    });
}
