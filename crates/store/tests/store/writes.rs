//! What writes refuse, all at once, and what they leave behind.

use operation::{
    Comparison, Expression, Fault, FaultCode, Guard, PartChange, SetColumn, Value, Violation, Write,
};

use crate::shop::{Shop, answer, both};

fn stocked() -> Shop {
    let shop = Shop::open();
    shop.write(shop.new_customer("Ann", "ann@example.org", true)).unwrap();
    shop.write(shop.new_customer("Bob", "bob@example.org", false)).unwrap();
    for sku in ["ink", "nib", "pad", "pen"] {
        shop.write(shop.new_product(sku, 150, 10)).unwrap();
    }
    shop
}

fn faults(violations: &[Violation]) -> Vec<(FaultCode, &str)> {
    violations.iter().map(|v| (v.code, &*v.pointer)).collect()
}

fn invalid(outcome: Result<store::Written, Fault>) -> Vec<Violation> {
    match outcome {
        Err(Fault::Invalid(violations)) => violations,
        other => panic!("{other:?}"),
    }
}

fn lines(shop: &Shop, order: i64) -> String {
    let (json, _) = shop.one(&shop.read_order, Value::Int(order)).unwrap();
    let lines: Vec<&str> =
        json.split("\"sku\":\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let total = json.split("\"total\":\"").nth(1).unwrap().split('"').next().unwrap();
    format!("{} {total}", lines.join(","))
}

#[test]
fn every_fault_comes_back_at_once() {
    both(|| {
        let shop = stocked();
        // No such customer; an unknown product; the same product twice.
        let rows = vec![
            Shop::line("pen", 1, 150),
            Shop::line("nothing", 1, 150),
            Shop::line("pen", 1, 150),
        ];
        let found = invalid(shop.write(shop.new_order(77, rows)));
        assert_eq!(
            faults(&found),
            [
                (FaultCode::UnknownReference, "/customer"),
                (FaultCode::UnknownReference, "/lines/1/product"),
                (FaultCode::NotUnique, "/lines/2/product"),
            ]
        );
        // A customer that exists and may not be seen reads no different from one that does not.
        let hidden = invalid(shop.write(shop.new_order(2, vec![Shop::line("pen", 1, 150)])));
        assert_eq!(hidden[0].detail, found[0].detail);
        // Too many parts.
        let rows = ["ink", "nib", "pad", "pen", "x"].map(|sku| Shop::line(sku, 1, 1)).to_vec();
        let found = invalid(shop.write(shop.new_order(1, rows)));
        assert_eq!(
            faults(&found),
            [(FaultCode::CheckFailed, "/lines"), (FaultCode::UnknownReference, "/lines/4/product")]
        );
        assert_eq!(shop.store.count(&shop.order), Ok(0));
        assert_eq!(shop.store.count(&shop.line), Ok(0));
    });
}

#[test]
fn a_unique_value_that_is_taken_is_a_conflict() {
    both(|| {
        let shop = stocked();
        for outcome in [
            shop.write(shop.new_customer("Eve", "ann@example.org", true)),
            shop.write(Write::Edit(shop.edit(
                &shop.customers,
                &shop.read_customer,
                Value::Int(2),
                &[(2, Value::text("ann@example.org"))],
            ))),
        ] {
            let Err(Fault::Conflict(found)) = outcome else { panic!("{outcome:?}") };
            assert_eq!(faults(&found), [(FaultCode::NotUnique, "/email")]);
        }
        let outcome = shop.write(shop.new_product("pen", 1, 1));
        let Err(Fault::Conflict(found)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(faults(&found), [(FaultCode::NotUnique, "/sku")]);
        // One's own value is not taken.
        let own = [(1, Value::text("Anna")), (2, Value::text("ann@example.org"))];
        let edit = shop.edit(&shop.customers, &shop.read_customer, Value::Int(1), &own);
        let written = shop.write(Write::Edit(edit)).unwrap();
        assert_eq!(written.version, 2);
        assert!(answer(&written).contains("Anna"));
    });
}

#[test]
fn flows_are_kept() {
    both(|| {
        let shop = stocked();
        shop.write(shop.new_order(1, vec![Shop::line("pen", 1, 150)])).unwrap();
        let to = |state: &str| {
            let set = [(2, Value::text(state))];
            shop.write(Write::Edit(shop.edit(&shop.orders, &shop.bare_order, Value::Int(1), &set)))
        };
        let found = invalid(to("shipped"));
        assert_eq!(faults(&found), [(FaultCode::IllegalTransition, "/status")]);
        assert_eq!(
            found[0].detail,
            "`status` is `draft` and cannot become `shipped`; it can become `placed` or `cancelled`"
        );
        to("draft").unwrap();
        to("placed").unwrap();
        let written = to("shipped").unwrap();
        assert_eq!(written.version, 4);
        assert!(invalid(to("draft"))[0].detail.contains("final"));
    });
}

#[test]
fn parts_change_through_their_root() {
    both(|| {
        let shop = stocked();
        shop.write(shop.new_order(1, vec![Shop::line("pen", 2, 100)])).unwrap();
        let change = |change| shop.write(shop.edit_lines(1, change));

        let written = change(PartChange::Add(Shop::line("ink", 1, 50))).unwrap();
        assert_eq!((written.part_key, written.version), (Some(Value::Int(2)), 2));
        assert_eq!(lines(&shop, 1), "pen,ink 2.50");

        let set = vec![SetColumn { column: 3, value: Value::Int(3), named: true }];
        change(PartChange::Set { key: Value::Int(2), set: set.clone() }).unwrap();
        assert_eq!(lines(&shop, 1), "pen,ink 3.50");
        assert_eq!(change(PartChange::Set { key: Value::Int(9), set }), Err(Fault::NotFound));

        // Two rows swap their unique values.
        let swapped = vec![Shop::line("ink", 1, 50), Shop::line("pen", 2, 100)];
        change(PartChange::Replace(swapped)).unwrap();
        assert_eq!(lines(&shop, 1), "ink,pen 2.50");

        let rows = ["pad", "nib", "pen"].map(|sku| Shop::line(sku, 1, 100)).to_vec();
        change(PartChange::Replace(rows)).unwrap();
        assert_eq!(lines(&shop, 1), "pad,nib,pen 3.00");
        change(PartChange::Remove { key: Value::Int(1) }).unwrap();
        assert_eq!(lines(&shop, 1), "nib,pen 2.00");
        assert_eq!(change(PartChange::Remove { key: Value::Int(3) }), Err(Fault::NotFound));

        let found = invalid(change(PartChange::Replace(Vec::new())));
        assert_eq!(faults(&found), [(FaultCode::CheckFailed, "/lines")]);
        let found = invalid(change(PartChange::Add(Shop::line("nothing", 0, 1))));
        assert_eq!(
            faults(&found),
            [(FaultCode::CheckFailed, "/quantity"), (FaultCode::UnknownReference, "/product")]
        );
        let rows = vec![Shop::line("pen", 1, i64::MAX), Shop::line("ink", 2, 1)];
        let found = invalid(change(PartChange::Replace(rows)));
        assert_eq!(faults(&found), [(FaultCode::Overflow, "/total")]);
        assert_eq!(lines(&shop, 1), "nib,pen 2.00");
        assert_eq!(shop.one(&shop.bare_order, Value::Int(1)).unwrap().1, 6);
    });
}

#[test]
fn versions_visibility_and_guards_come_in_this_order() {
    both(|| {
        let shop = stocked();
        let blank = || shop.edit(&shop.products, &shop.read_product, Value::text("pen"), &[]);
        let never = Guard::Never;
        let of_stock = |at_least: i64| {
            Guard::When(Expression::Compare(
                Comparison::GreaterOrEqual,
                Box::new(Expression::column(3)),
                Box::new(Expression::Literal(Value::Int(at_least))),
            ))
        };
        let run = |edit| shop.write(Write::Edit(edit));

        let mut missing = blank();
        missing.key = Value::text("nothing");
        missing.guard = never.clone();
        assert_eq!(run(missing), Err(Fault::NotFound));

        let mut hidden = blank();
        let mut target = operation::Target::clone(&hidden.target);
        target.visible = of_stock(100);
        hidden.target = std::sync::Arc::new(target);
        hidden.guard = never;
        assert_eq!(run(hidden), Err(Fault::NotFound));

        let mut forbidden = blank();
        forbidden.guard = of_stock(100);
        forbidden.expected = Some(vec![9]);
        assert!(matches!(run(forbidden), Err(Fault::Forbidden(_))));

        let mut stale = blank();
        stale.expected = Some(vec![9, 10]);
        assert_eq!(run(stale), Err(Fault::VersionMismatch { current: 1 }));

        let mut away = blank();
        away.set.push(SetColumn { column: 3, value: Value::Int(1), named: true });
        away.guard_after = of_stock(5);
        assert!(matches!(run(away), Err(Fault::Forbidden(_))));

        let mut negative = blank();
        negative.set.push(SetColumn { column: 3, value: Value::Int(-1), named: true });
        let found = invalid(run(negative));
        assert_eq!(faults(&found), [(FaultCode::CheckFailed, "/stock")]);

        let mut right = blank();
        right.expected = Some(vec![7, 1]);
        assert_eq!(run(right).unwrap().version, 2);
    });
}

#[test]
fn guards_may_look_into_other_tables() {
    both(|| {
        let shop = stocked();
        shop.write(shop.new_order(1, vec![Shop::line("pen", 1, 150)])).unwrap();
        // Where the order's customer is active.
        let active = Guard::When(Expression::Lookup {
            table: shop.customer.clone(),
            key: Box::new(Expression::column(1)),
            value: Box::new(Expression::column(3)),
        });
        let edit = || {
            let mut edit = shop.edit(&shop.orders, &shop.bare_order, Value::Int(1), &[]);
            edit.guard = active.clone();
            edit.guard_after = active.clone();
            Write::Edit(edit)
        };
        shop.write(edit()).unwrap();
        let set = [(3, Value::Bool(false))];
        shop.write(Write::Edit(shop.edit(
            &shop.customers,
            &shop.read_customer,
            Value::Int(1),
            &set,
        )))
        .unwrap();
        assert!(matches!(shop.write(edit()), Err(Fault::Forbidden(_))));
    });
}

#[test]
fn what_is_referred_to_stays() {
    both(|| {
        let shop = stocked();
        shop.write(shop.new_order(1, vec![Shop::line("pen", 1, 150)])).unwrap();
        for (target, key, by) in [
            (&shop.customers, Value::Int(1), "`customer` of Order"),
            (&shop.products, Value::text("pen"), "`product` of OrderLine"),
        ] {
            let outcome = shop.write(shop.delete(target, key));
            let Err(Fault::Conflict(found)) = outcome else { panic!("{outcome:?}") };
            assert_eq!(faults(&found), [(FaultCode::StillReferenced, "")]);
            assert!(found[0].detail.contains(by), "{}", found[0].detail);
        }
        let written = shop.write(shop.delete(&shop.orders, Value::Int(1))).unwrap();
        assert_eq!((written.version, written.json), (1, None));
        assert_eq!(shop.store.count(&shop.line), Ok(0));
        shop.write(shop.delete(&shop.customers, Value::Int(1))).unwrap();
        assert_eq!(shop.write(shop.delete(&shop.customers, Value::Int(1))), Err(Fault::NotFound));
    });
}

#[test]
fn an_answer_is_withheld_from_who_may_not_see_it() {
    both(|| {
        let shop = stocked();
        let mut answer = operation::Read::clone(&shop.read_product);
        answer.filter = Expression::all([
            answer.filter.clone(),
            Expression::equal(Expression::column(1), Expression::Literal(Value::text("another"))),
        ]);
        let answer = std::sync::Arc::new(answer);
        let edit = shop.edit(&shop.products, &answer, Value::text("pen"), &[]);
        let written = shop.write(Write::Edit(edit)).unwrap();
        assert_eq!(written.json, None);
    });
}

/// Two rules may differ in nothing but a number, which is not in the statement's text.
#[test]
fn a_rule_is_asked_with_its_own_numbers() {
    both(|| {
        let shop = stocked();
        shop.write(shop.new_order(1, vec![Shop::line("pen", 1, 150)])).unwrap();
        // The customer's number, looked up in the customer's row, is below a bound.
        let edit = |bound| {
            let mut edit = shop.edit(&shop.orders, &shop.bare_order, Value::Int(1), &[]);
            edit.guard = Guard::When(Expression::Compare(
                Comparison::Less,
                Box::new(Expression::Lookup {
                    table: shop.customer.clone(),
                    key: Box::new(Expression::column(1)),
                    value: Box::new(Expression::column(0)),
                }),
                Box::new(Expression::Literal(Value::Int(bound))),
            ));
            shop.write(Write::Edit(edit))
        };
        for _ in 0..3 {
            edit(1_000).unwrap();
            assert!(matches!(edit(1), Err(Fault::Forbidden(_))));
        }
    });
}
