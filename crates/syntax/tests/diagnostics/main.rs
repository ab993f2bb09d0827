//! Each fault as the author sees it.

mod entity;
mod item;

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
