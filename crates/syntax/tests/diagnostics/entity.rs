//! Faults within entities.

use expect_test::expect;

use crate::check_member;

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
        "allow replay to clerk",
        expect![[r#"
        error[E0111]: `replay` is no action
         --> shop.mimar:3:9
          |
        3 |   allow replay to clerk
          |         ^^^^^^
          |
          = help: rows are not replayed, events are: write it into the event

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
fn a_field_is_renamed_behind_its_type() {
    check_member(
        "name was title: String(1..40)",
        expect![[r#"
        error[E0111]: the former name of a field stands behind its type
         --> shop.mimar:3:3
          |
        3 |   name was title: String(1..40)
          |   ^^^^ a field begins with `name: Type`
          |
          = help: write it there: `name: Type was title`

    "#]],
    );
}
