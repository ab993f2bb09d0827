//! Faults of items and of what commands and workflows do.

use expect_test::expect;

use crate::check;

#[test]
fn items() {
    check(
        "entty Product {\n  key id: Uuid\n}\n",
        expect![[r#"
        error[E0110]: there is no item `entty`
         --> shop.mimar:1:1
          |
        1 | entty Product {
          | ^^^^^ expected an item
          |
        help: write `entity`
          |
        1 | entity Product {
          |    +

    "#]],
    );
    check(
        "entity {\n  key id: Uuid\n}\n",
        expect![[r#"
        error[E0106]: expected the name of the entity, found `{`
         --> shop.mimar:1:7
          |
        1 | entity {
          |       ^ expected the name of the entity here

    "#]],
    );
    check(
        "entity Product\n  key id: Uuid\n}\n",
        expect![[r#"
        error[E0105]: expected `{`, found `key`
         --> shop.mimar:1:15
          |
        1 | entity Product
          |               ^ the body of an entity starts here
          |
        help: add `{`
          |
        1 | entity Product {
          |                +

    "#]],
    );
    check(
        "entity Product {\n  key id: Uuid\n\nrecord A { a: Int }\n",
        expect![[r#"
        error[E0112]: an entity is not closed: `record` follows
         --> shop.mimar:2:15
          |
        1 | entity Product {
          |                - opened here
        2 |   key id: Uuid
          |               ^ expected `}` here
          |
        help: add `}`
          |
        2 ~   key id: Uuid
        3 + }
          |

    "#]],
    );
    check(
        "entity Product { key id: Uuid }\n}\nentity B { key id: Uid uniqe }\n",
        expect![[r#"
        error[E0113]: this `}` closes nothing
         --> shop.mimar:2:1
          |
        2 | }
          | ^ no `{` is open here
          |
          = help: look for a `{` that is missing, or a `}` too many, above
        help: remove it
          |
        2 - }
          |

        error[E0111]: `uniqe` says nothing about a field
         --> shop.mimar:3:24
          |
        3 | entity B { key id: Uid uniqe }
          |                        ^^^^^ not known here
          |
          = help: behind a type may stand `= default`, `:= computed`, `unique`, `immutable`, `search`, `pii`, `encrypted`, `secret`, `pattern`, `was`, `stored`, `on`, `deprecated`
        help: write `unique`
          |
        3 | entity B { key id: Uid unique }
          |                            +

    "#]],
    );
    check(
        "key id: Uuid\nname: String(1..9)\n",
        expect![[r#"
        error[E0110]: expected an item, found `key`
         --> shop.mimar:1:1
          |
        1 | key id: Uuid
          | ^^^ no item starts like this
          |
          = help: this belongs into a body; look for a `}` too many above

    "#]],
    );
    check(
        "hello\n",
        expect![[r#"
        error[E0110]: expected an item, found `hello`
         --> shop.mimar:1:1
          |
        1 | hello
          | ^^^^^ no item starts like this
          |
          = help: items start with `app`, `auth`, `service`, `entity`, `record`, `enum`, `error`, `query`, `command`, `event`, `on`, `webhook`, `workflow`, `job`, `limit`, `slo`, `external`, `load`, `environment`, `decision`

    "#]],
    );
    check(
        "entity Line part Order as lines { a: Int }\n",
        expect![[r#"
        error[E0105]: expected `of`, found `Order`
         --> shop.mimar:1:17
          |
        1 | entity Line part Order as lines { a: Int }
          |                 ^ expected `of` here
          |
        help: add `of`
          |
        1 | entity Line part of Order as lines { a: Int }
          |                  ++

    "#]],
    );
    check(
        "service a {\n  entity B { key id: Int }\n\nservice c { }\n",
        expect![[r#"
        error[E0112]: a service is not closed: `service` follows
         --> shop.mimar:2:27
          |
        1 | service a {
          |           - opened here
        2 |   entity B { key id: Int }
          |                           ^ expected `}` here
          |
        help: add `}`
          |
        2 ~   entity B { key id: Int }
        3 + }
          |

    "#]],
    );
    check(
        "slo orders 99.9 under 1\n",
        expect![[r#"
        error[E0109]: expected a percentage, found `99.9`
         --> shop.mimar:1:12
          |
        1 | slo orders 99.9 under 1
          |            ^^^^ expected a percentage
          |
        help: add `%`
          |
        1 | slo orders 99.9% under 1
          |                +

        error[E0109]: expected a duration, found `1`
         --> shop.mimar:1:23
          |
        1 | slo orders 99.9 under 1
          |                       ^ expected a duration
          |
          = help: add the unit: ms, s, m (minutes), h, d, w or y

    "#]],
    );
    check(
        "decision PostgreSQL { chosen a because b }\n",
        expect![[r#"
        error[E0109]: expected the title of the decision, as a string, found `PostgreSQL`
         --> shop.mimar:1:10
          |
        1 | decision PostgreSQL { chosen a because b }
          |          ^^^^^^^^^^ expected a string
          |
        help: put it in quotes
          |
        1 - decision PostgreSQL { chosen a because b }
        1 + decision "PostgreSQL" { chosen a because b }
          |

        error[E0109]: expected the reason, as a string, found `b`
         --> shop.mimar:1:40
          |
        1 | decision PostgreSQL { chosen a because b }
          |                                        ^ expected a string
          |
        help: put it in quotes
          |
        1 - decision PostgreSQL { chosen a because b }
        1 + decision PostgreSQL { chosen a because "b" }
          |

    "#]],
    );
}

#[test]
fn statements() {
    let command =
        |body: &str| format!("command go(order: Order) {{\n  allow clerk\n  {body}\n}}\n");
    check(
        &command("require order.paid"),
        expect![[r#"
        error[E0105]: expected `else`, found `}`
         --> shop.mimar:3:21
          |
        3 |   require order.paid
          |                     ^ what is answered if this does not hold?
          |
          = help: name an error: `require … else OutOfStock { … }`

    "#]],
    );
    check(
        &command("lte x = 1"),
        expect![[r#"
        error[E0111]: `lte` does not belong in a command
         --> shop.mimar:3:3
          |
        3 |   lte x = 1
          |   ^^^ not known here
          |
          = help: a command may hold `let`, `require`, `for`, `if`, `create`, `update`, `delete`, `emit`, `run`, `call`, `return`
        help: write `let`
          |
        3 -   lte x = 1
        3 +   let x = 1
          |

    "#]],
    );
    check(
        &command("let = 1"),
        expect![[r#"
        error[E0106]: expected a name, found `=`
         --> shop.mimar:3:6
          |
        3 |   let = 1
          |      ^ expected a name here

    "#]],
    );
    check(
        &command("for order.lines { delete order }"),
        expect![[r#"
        error[E0106]: expected a name for the element
         --> shop.mimar:3:6
          |
        3 |   for order.lines { delete order }
          |      ^ expected a name and `in` here
          |
          = help: write `for line in order.lines { … }`
        help: add a name
          |
        3 |   for item in order.lines { delete order }
          |       +++++++

    "#]],
    );
    check(
        &command("update order { status: paid total: 1 }"),
        expect![[r#"
        error[E0116]: expected `,` before `total`
         --> shop.mimar:3:30
          |
        3 |   update order { status: paid total: 1 }
          |                              ^ a comma is missing
          |
        help: add a comma
          |
        3 |   update order { status: paid, total: 1 }
          |                              +

    "#]],
    );
    check(
        &command("emit Paid"),
        expect![[r#"
        error[E0105]: expected `{`, found `}`
         --> shop.mimar:3:12
          |
        3 |   emit Paid
          |            ^ the values stand here, in braces
          |
        help: add them
          |
        3 |   emit Paid {}
          |             ++

    "#]],
    );
    check(
        &command("run go order"),
        expect![[r#"
        error[E0105]: expected `(`, found `order`
         --> shop.mimar:3:9
          |
        3 |   run go order
          |         ^ arguments stand in parentheses, also where there are none

    "#]],
    );
    check(
        "query all() Order { sort placed }\n",
        expect![[r#"
        error[E0105]: expected `->`, found `Order`
         --> shop.mimar:1:12
          |
        1 | query all() Order { sort placed }
          |            ^ expected `->` here
          |
        help: add `->`
          |
        1 | query all() -> Order { sort placed }
          |             ++

        error[E0105]: a field of the row is written `.placed`
         --> shop.mimar:1:26
          |
        1 | query all() Order { sort placed }
          |                          ^^^^^^ the dot is missing
          |
        help: add the dot
          |
        1 | query all() Order { sort .placed }
          |                          +

    "#]],
    );
}
