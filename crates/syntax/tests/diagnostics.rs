//! Each fault as the author sees it.

use expect_test::{Expect, expect};
use syntax::{FileId, Look, Source, format, parse, render};

fn check(text: &str, expected: Expect) {
    let parse = parse(FileId(0), text);
    let source = |_| Some(Source { path: "shop.mimar", text });
    expected.assert_eq(&render(&parse.diagnostics, source, Look { color: false, width: 100 }));
    assert_eq!(format(&parse).is_err(), parse.has_errors());
}

/// The fault in the middle of an otherwise sound entity.
fn check_member(member: &str, expected: Expect) {
    check(&format!("entity Product {{\n  key id: Uuid\n  {member}\n  audit\n}}\n"), expected);
}

#[test]
fn lexical() {
    check_member(
        "größe: Int",
        expect![[r#"
        error[E0101]: `größe` is no name
         --> shop.mimar:3:3
          |
        3 |   größe: Int
          |   ^^^^^ only A to Z, a to z, 0 to 9 and _ may stand in a name
          |
          = note: names become columns, URLs and code, where only these are safe everywhere

    "#]],
    );
    check_member(
        "a: Int = #1",
        expect![[r#"
        error[E0101]: `#` means nothing here
         --> shop.mimar:3:12
          |
        3 |   a: Int = #1
          |            ^ unknown character
          |
        help: remove it
          |
        3 -   a: Int = #1
        3 +   a: Int = 1
          |

    "#]],
    );
    check_member(
        "check .a == \"x",
        expect![[r#"
        error[E0102]: this string is not closed
         --> shop.mimar:3:15
          |
        3 |   check .a == "x
          |               ^^ no `"` up to the end of the line
          |
          = note: a string ends on the line where it begins; write `\n` for a line break
        help: close the string
          |
        3 |   check .a == "x"
          |                 +

    "#]],
    );
    check_member(
        "check .a == 'x'",
        expect![[r#"
        error[E0101]: strings stand in double quotes
         --> shop.mimar:3:15
          |
        3 |   check .a == 'x'
          |               ^^^
          |
        help: use double quotes
          |
        3 -   check .a == 'x'
        3 +   check .a == "x"
          |

    "#]],
    );
    check_member(
        "a: String(1..9) pattern \"\\d+\"",
        expect![[r#"
        error[E0103]: there is no escape `\d`
         --> shop.mimar:3:28
          |
        3 |   a: String(1..9) pattern "\d+"
          |                            ^^ unknown escape
          |
          = note: the escapes are \" \\ \n \t and \u{…}
        help: write the backslash twice, which stands for one
          |
        3 |   a: String(1..9) pattern "\\d+"
          |                             +

    "#]],
    );
    check_member(
        "cache 60sec",
        expect![[r#"
        error[E0104]: there is no unit `sec`
         --> shop.mimar:3:11
          |
        3 |   cache 60sec
          |           ^^^ unknown unit
          |
          = help: durations end in `ms` `s` `m` `h` `d` `w` `y`; sizes in `B` `KB` `MB` `GB` `TB`
        help: write `s`
          |
        3 -   cache 60sec
        3 +   cache 60s
          |

    "#]],
    );
    check_member(
        "cache 1.5h",
        expect![[r#"
        error[E0104]: `1.5h` is not whole
         --> shop.mimar:3:9
          |
        3 |   cache 1.5h
          |         ^^^^ a fraction of a unit
          |
          = help: count in the next smaller unit: `1500ms` for one and a half seconds

    "#]],
    );
    check_member(
        "a: Int = 99999999999999999999;",
        expect![[r#"
        error[E0104]: this number is too large
         --> shop.mimar:3:12
          |
        3 |   a: Int = 99999999999999999999;
          |            ^^^^^^^^^^^^^^^^^^^^ more than 64 bits
          |
          = note: the greatest number is 9223372036854775807

        error[E0118]: there are no semicolons
         --> shop.mimar:3:32
          |
        3 |   a: Int = 99999999999999999999;
          |                                ^
          |
          = note: a line ends where it ends
        help: remove it
          |
        3 -   a: Int = 99999999999999999999;
        3 +   a: Int = 99999999999999999999
          |

    "#]],
    );
}

#[test]
fn fields() {
    check_member(
        "name String(1..200)",
        expect![[r#"
        error[E0105]: expected `:`, found `String`
         --> shop.mimar:3:7
          |
        3 |   name String(1..200)
          |       ^ expected `:` here
          |
        help: add `:`
          |
        3 |   name: String(1..200)
          |       +

    "#]],
    );
    check_member(
        "name: ",
        expect![[r#"
        error[E0107]: expected a type, found `audit`
         --> shop.mimar:3:8
          |
        3 |   name: 
          |        ^ expected a type here

    "#]],
    );
    check_member(
        "name: String(1..200",
        expect![[r#"
        error[E0105]: expected `)`, found `audit`
         --> shop.mimar:3:22
          |
        3 |   name: String(1..200
          |                      ^ expected `)` here
          |
        help: add `)`
          |
        3 |   name: String(1..200)
          |                      +

    "#]],
    );
    check_member(
        "name: String(1..200) uniqe serach",
        expect![[r#"
        error[E0111]: `uniqe` says nothing about a field
         --> shop.mimar:3:24
          |
        3 |   name: String(1..200) uniqe serach
          |                        ^^^^^ not known here
          |
          = help: behind a type may stand `= default`, `:= computed`, `unique`, `immutable`, `search`, `pii`, `encrypted`, `secret`, `pattern`, `was`, `stored`, `on`, `deprecated`
        help: write `unique`
          |
        3 |   name: String(1..200) unique serach
          |                            +

        error[E0111]: `serach` says nothing about a field
         --> shop.mimar:3:30
          |
        3 |   name: String(1..200) uniqe serach
          |                              ^^^^^^ not known here
          |
          = help: behind a type may stand `= default`, `:= computed`, `unique`, `immutable`, `search`, `pii`, `encrypted`, `secret`, `pattern`, `was`, `stored`, `on`, `deprecated`
        help: write `search`
          |
        3 -   name: String(1..200) uniqe serach
        3 +   name: String(1..200) uniqe search
          |

    "#]],
    );
    check_member(
        "name: String(1..200),",
        expect![[r#"
        error[E0116]: there is no comma between members
         --> shop.mimar:3:23
          |
        3 |   name: String(1..200),
          |                       ^ not needed
          |
          = note: commas stand in lists; members stand side by side, or on lines of their own
        help: remove the comma
          |
        3 -   name: String(1..200),
        3 +   name: String(1..200)
          |

    "#]],
    );
    check_member(
        "state: enum { draft live } = draft",
        expect![[r#"
        error[E0116]: expected `,` before `live`
         --> shop.mimar:3:22
          |
        3 |   state: enum { draft live } = draft
          |                      ^ a comma is missing
          |
        help: add a comma
          |
        3 |   state: enum { draft, live } = draft
          |                      +

    "#]],
    );
    check_member(
        "tags: [String(1..9)(0..5)",
        expect![[r#"
        error[E0105]: expected `]`, found `(`
         --> shop.mimar:3:22
          |
        3 |   tags: [String(1..9)(0..5)
          |                      ^ expected `]` here
          |
        help: add `]`
          |
        3 |   tags: [String(1..9)](0..5)
          |                      +

    "#]],
    );
    check_member(
        "stock: Int(..)",
        expect![[r#"
        error[E0109]: a range has at least one end
         --> shop.mimar:3:16
          |
        3 |   stock: Int(..)
          |                ^
          |
          = help: write `1..50`, `0..` or `..50`

    "#]],
    );
    check_member(
        "name: String(1..200) on delte cascade",
        expect![[r#"
        error[E0105]: expected `delete`, found `delte`
         --> shop.mimar:3:27
          |
        3 |   name: String(1..200) on delte cascade
          |                           ^^^^^ expected `delete`
          |
        help: write `delete`
          |
        3 |   name: String(1..200) on delete cascade
          |                              +

    "#]],
    );
}

#[test]
fn members() {
    check_member(
        "idnex (name)",
        expect![[r#"
        error[E0111]: `idnex` does not belong in an entity
         --> shop.mimar:3:3
          |
        3 |   idnex (name)
          |   ^^^^^ not known here
          |
          = help: an entity may hold `key`, `index`, `unique`, `check`, `flow`, `allow`, `cache`, `audit`, `privacy`, `deprecated`
        help: write `index`
          |
        3 -   idnex (name)
        3 +   index (name)
          |

    "#]],
    );
    check_member(
        "index (name state)",
        expect![[r#"
        error[E0116]: expected `,` before `state`
         --> shop.mimar:3:14
          |
        3 |   index (name state)
          |              ^ a comma is missing
          |
        help: add a comma
          |
        3 |   index (name, state)
          |              +

    "#]],
    );
    check_member(
        "flow state { a > b }",
        expect![[r#"
        error[E0105]: expected `->`, found `>`
         --> shop.mimar:3:18
          |
        3 |   flow state { a > b }
          |                  ^ expected `->`
          |
        help: write `->`
          |
        3 |   flow state { a -> b }
          |                  +

    "#]],
    );
    check_member(
        "allow raed to clerk",
        expect![[r#"
        error[E0111]: `raed` is no action
         --> shop.mimar:3:9
          |
        3 |   allow raed to clerk
          |         ^^^^
          |
          = help: the actions are `read`, `create`, `update` and `delete`; fields stand behind `read` or `update`
        help: write `read`
          |
        3 -   allow raed to clerk
        3 +   allow read to clerk
          |

    "#]],
    );
    check_member(
        "allow read clerk",
        expect![[r#"
        error[E0105]: expected `to` and the roles, found `audit`
         --> shop.mimar:3:19
          |
        3 |   allow read clerk
          |                   ^ expected `to` and the roles here

    "#]],
    );
    check_member(
        "privacy subjct",
        expect![[r#"
        error[E0111]: `subjct` is no rule of privacy
         --> shop.mimar:3:11
          |
        3 |   privacy subjct
          |           ^^^^^^
          |
          = help: the rules are `subject` and `retain DURATION after FIELD`
        help: write `subject`
          |
        3 |   privacy subject
          |               +

    "#]],
    );
    check_member(
        "something else entirely",
        expect![[r#"
        error[E0111]: `something` does not belong in an entity
         --> shop.mimar:3:3
          |
        3 |   something else entirely
          |   ^^^^^^^^^ not known here
          |
          = help: an entity may hold `key`, `index`, `unique`, `check`, `flow`, `allow`, `cache`, `audit`, `privacy`, `deprecated`

    "#]],
    );
    check_member("/// the end", expect![[""]]);
}

#[test]
fn expressions() {
    check_member(
        "check .a == 1 && !.b",
        expect![[r#"
        error[E0118]: `&&` is written `and`
         --> shop.mimar:3:17
          |
        3 |   check .a == 1 && !.b
          |                 ^^
          |
        help: write `and`
          |
        3 -   check .a == 1 && !.b
        3 +   check .a == 1 and !.b
          |

        error[E0118]: `!` is written `not`
         --> shop.mimar:3:20
          |
        3 |   check .a == 1 && !.b
          |                    ^
          |
        help: write `not`
          |
        3 -   check .a == 1 && !.b
        3 +   check .a == 1 && not .b
          |

    "#]],
    );
    check_member(
        "check .a = 1",
        expect![[r#"
        error[E0118]: a comparison is written `==`
         --> shop.mimar:3:12
          |
        3 |   check .a = 1
          |            ^ `=` gives a default
          |
        help: write `==`
          |
        3 |   check .a == 1
          |             +

    "#]],
    );
    check_member(
        "check 0 < .a < 9",
        expect![[r#"
        error[E0117]: comparisons do not chain
         --> shop.mimar:3:16
          |
        3 |   check 0 < .a < 9
          |                ^ a second comparison
          |
          = help: join two comparisons with `and`: `a < b and b < c`

    "#]],
    );
    check_member(
        "check .a + ",
        expect![[r#"
        error[E0108]: expected an expression, found `audit`
         --> shop.mimar:3:13
          |
        3 |   check .a + 
          |             ^ expected an expression here

    "#]],
    );
    check_member(
        "check (.a + 1",
        expect![[r#"
        error[E0105]: expected `)`, found `audit`
         --> shop.mimar:3:16
          |
        3 |   check (.a + 1
          |                ^ expected `)` here
          |
        help: add `)`
          |
        3 |   check (.a + 1)
          |                +

    "#]],
    );
    check_member(
        "check sum(lines .price)",
        expect![[r#"
        error[E0116]: expected `,` before `.`
         --> shop.mimar:3:18
          |
        3 |   check sum(lines .price)
          |                  ^ a comma is missing
          |
        help: add a comma
          |
        3 |   check sum(lines, .price)
          |                  +

    "#]],
    );
    check_member(
        "check if .a then 1",
        expect![[r#"
        error[E0105]: expected `else`, found `audit`
         --> shop.mimar:3:21
          |
        3 |   check if .a then 1
          |                     ^ expected `else` here
          |
        help: add `else`
          |
        3 |   check if .a then 1 else
          |                      ++++

    "#]],
    );
    check_member(
        "check . == 1",
        expect![[r#"
        error[E0106]: expected a name behind the dot, found `==`
         --> shop.mimar:3:10
          |
        3 |   check . == 1
          |          ^ expected a name behind the dot here

    "#]],
    );
}

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
