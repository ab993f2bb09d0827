//! A generated design of a thousand entities.

use std::fmt::Write as _;

const ENTITIES: usize = 1_000;

/// Its text.
pub(crate) fn source() -> String {
    let mut out = String::new();
    let mut write = |line: std::fmt::Arguments<'_>| {
        // Writing to a string cannot fail.
        let _ = out.write_fmt(line);
        out.push('\n');
    };
    write(format_args!("/// Large.\napp Big {{ version 1  roles user, clerk }}"));
    write(format_args!("auth {{ users User by email as user }}"));
    write(format_args!(
        "entity User {{\n  key id: Uuid\n  email: Email unique pii\n  privacy subject, retain 2y\n  allow read to user when .id == \
         caller.id\n}}"
    ));
    for n in 0..ENTITIES {
        write(format_args!("/// One of many.\nentity Thing{n} {{"));
        write(format_args!("  key id: Uuid\n  owner: User\n  name: String(1..200)"));
        write(format_args!("  status: enum {{ draft, live, retired }} = draft"));
        write(format_args!("  price: Money(EUR) = 0.00\n  placed: Timestamp = now"));
        write(format_args!("  flow status {{ draft -> live  live -> retired }}"));
        write(format_args!("  check .price >= 0.00 \"never below\""));
        write(format_args!("  index (owner, placed)\n  index (status, placed)"));
        write(format_args!("  allow read to user when .owner == caller"));
        write(format_args!("  allow read, create, update to clerk\n  audit\n}}"));
        write(format_args!("query things_{n}_of(owner: User) -> Thing{n} {{"));
        write(format_args!(
            "  where .owner == owner\n  sort -.placed\n  page 20\n  allow clerk\n}}"
        ));
        write(format_args!("event Thing{n}Published by thing {{ thing: Thing{n} }}"));
        write(format_args!("command publish_{n}(thing: Thing{n}) {{\n  allow clerk"));
        write(format_args!(
            "  update thing {{ status: live }}\n  emit Thing{n}Published {{ thing }}\n}}"
        ));
        write(format_args!(
            "command retire_{n}(thing: Thing{n}) {{ allow system  update thing {{ status: retired }} }}"
        ));
        write(format_args!("on Thing{n}Published run retire_{n}(thing)"));
        write(format_args!("job sweep_{n} every 1h {{"));
        write(format_args!(
            "  for thing in Thing{n} where .status == live and .placed < now - 30d {{ run retire_{n}(thing) }}\n}}"
        ));
        write(format_args!("slo publish_{n} 99.9% under 200ms"));
    }
    write(format_args!("load launch {{\n  User 1_000_000 rows"));
    for n in 0..ENTITIES {
        write(format_args!(
            "  Thing{n} {} rows\n  things_{n}_of 3/s\n  publish_{n} 1/s",
            1_000 * (n + 1)
        ));
    }
    write(format_args!("}}"));
    out
}
