//! A generated model of a thousand entities.

use std::fmt::Write as _;

/// How many entities it has, beside that of its users.
pub(crate) const ENTITIES: usize = 1_000;

/// Its text.
pub(crate) fn source() -> String {
    let mut out = String::from("app Big {\n  version 1\n  roles user, clerk\n}\n");
    let mut write = |line: std::fmt::Arguments<'_>| {
        // Writing to a string cannot fail.
        let _ = out.write_fmt(line);
        out.push('\n');
    };
    write(format_args!("entity User {{\n  key id: Uuid\n  email: Email unique\n}}"));
    write(format_args!("auth {{\n  users User by email as user\n}}"));
    for n in 0..ENTITIES {
        write(format_args!("entity Thing{n} {{"));
        write(format_args!("  key id: Uuid"));
        write(format_args!("  owner: User"));
        write(format_args!("  name: String(1..200)"));
        write(format_args!("  status: enum {{ draft, live, retired }} = draft"));
        write(format_args!("  price: Money(EUR) = 0.00"));
        write(format_args!("  placed: Timestamp = now"));
        if n % 2 == 0 {
            write(format_args!("  check .price >= 0.00"));
        }
        write(format_args!("  index (owner, placed)"));
        write(format_args!(
            "  allow read, update name, status to user when .owner == caller and .status in (draft, live)"
        ));
        write(format_args!("}}"));
        if n % 20 == 0 {
            write(format_args!(
                "query things_{n}(owner: User, status: Thing{n}.status?) -> Thing{n} {{"
            ));
            write(format_args!("  where .owner == owner and .status == status"));
            write(format_args!("  sort -.placed\n  page 20\n  allow clerk\n}}"));
        }
    }
    out
}
