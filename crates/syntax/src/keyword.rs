//! Which words open something: looked up once for each line, when it is lexed.

/// What a word at the start of a line may open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opens {
    /// Nothing: it is a name.
    Nothing,
    /// An item, if a name follows.
    Item,
    /// A member or a statement.
    Member,
    /// Either: `limit`, `slo`.
    Both,
}

impl Opens {
    pub const fn item(self) -> bool {
        matches!(self, Self::Item | Self::Both)
    }

    pub const fn member(self) -> bool {
        matches!(self, Self::Member | Self::Both)
    }
}

/// The keywords that open an item.
pub const ITEMS: [&str; 20] = [
    "app",
    "auth",
    "service",
    "entity",
    "record",
    "enum",
    "error",
    "query",
    "command",
    "event",
    "on",
    "webhook",
    "workflow",
    "job",
    "limit",
    "slo",
    "external",
    "load",
    "environment",
    "decision",
];

/// Words that open a member or a statement, wherever.
pub const MEMBERS: [&str; 53] = [
    "key",
    "index",
    "unique",
    "check",
    "flow",
    "allow",
    "cache",
    "audit",
    "privacy",
    "deprecated",
    "let",
    "require",
    "for",
    "create",
    "update",
    "delete",
    "emit",
    "run",
    "call",
    "return",
    "where",
    "sort",
    "page",
    "step",
    "undo",
    "retry",
    "give",
    "sends",
    "sign",
    "url",
    "bearer",
    "timeout",
    "breaker",
    "bulkhead",
    "slo",
    "get",
    "post",
    "put",
    "patch",
    "store",
    "broker",
    "cloud",
    "budget",
    "deploy",
    "criteria",
    "option",
    "chosen",
    "version",
    "roles",
    "surface",
    "users",
    "oidc",
    "grows",
];

/// Slots of the table: a power of two, four times as many as words, so that most look-ups end at once.
const SLOTS: usize = 512;

/// Words by their hash, with linear probing; an empty word marks a free slot.
static TABLE: [(&str, Opens); SLOTS] = table();

/// What `word` may open at the start of a line.
pub(crate) fn opens(word: &str) -> Opens {
    let mut slot = hash(word.as_bytes());
    loop {
        let (known, opens) = TABLE[slot];
        if known == word || known.is_empty() {
            return opens;
        }
        slot = (slot + 1) % SLOTS;
    }
}

const fn hash(word: &[u8]) -> usize {
    let length = word.len();
    if length == 0 {
        return 0;
    }
    let (first, middle, last) =
        (word[0] as usize, word[length / 2] as usize, word[length - 1] as usize);
    (length * 67 + first * 31 + middle * 17 + last * 7) % SLOTS
}

const fn table() -> [(&'static str, Opens); SLOTS] {
    let mut table = [("", Opens::Nothing); SLOTS];
    let mut index = 0;
    while index < ITEMS.len() {
        table = insert(table, ITEMS[index], Opens::Item);
        index += 1;
    }
    index = 0;
    while index < MEMBERS.len() {
        table = insert(table, MEMBERS[index], Opens::Member);
        index += 1;
    }
    insert(table, "limit", Opens::Member)
}

const fn insert(
    mut table: [(&'static str, Opens); SLOTS],
    word: &'static str,
    opens: Opens,
) -> [(&'static str, Opens); SLOTS] {
    let mut slot = hash(word.as_bytes());
    while !table[slot].0.is_empty() && !is_same(table[slot].0, word) {
        slot = (slot + 1) % SLOTS;
    }
    let opens = if table[slot].0.is_empty() { opens } else { Opens::Both };
    table[slot] = (word, opens);
    table
}

const fn is_same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    let mut index = 0;
    while index < left.len() {
        if left[index] != right[index] {
            return false;
        }
        index += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{ITEMS, MEMBERS, Opens, opens};

    #[test]
    fn every_word_is_found_and_no_other() {
        for word in ITEMS {
            assert!(opens(word).item(), "{word}");
        }
        for word in MEMBERS {
            assert!(opens(word).member(), "{word}");
        }
        assert_eq!(opens("limit"), Opens::Both);
        assert_eq!(opens("slo"), Opens::Both);
        for word in ["", "name", "a", "customer", "entities", "appp"] {
            assert_eq!(opens(word), Opens::Nothing, "{word}");
        }
    }
}
