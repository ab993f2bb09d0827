//! Tells the statements of a dump apart.

use crate::Dialect;

/// The statements of a text, without what is between them: comments, rows of `COPY`, commands of `psql`.
pub(crate) fn statements(text: &str, dialect: Dialect) -> Vec<&str> {
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        at = begin(text, at);
        if at >= text.len() {
            return found;
        }
        let end = end(text, at, dialect);
        let statement = text[at..end].trim_end().trim_end_matches(';').trim_end();
        at = end;
        if is_copy(statement) {
            at = after_rows(text, at);
        }
        if !statement.is_empty() {
            found.push(statement);
        }
    }
}

/// Where the next statement begins.
fn begin(text: &str, mut at: usize) -> usize {
    let bytes = text.as_bytes();
    while at < bytes.len() {
        let rest = &bytes[at..];
        if rest[0].is_ascii_whitespace()
            || rest[0] == b';'
            || rest.starts_with("\u{feff}".as_bytes())
        {
            at += if rest[0] == 0xef { 3 } else { 1 };
        } else if rest.starts_with(b"--") || rest[0] == b'\\' {
            at = line_end(bytes, at);
        } else if rest.starts_with(b"/*") {
            at = comment_end(bytes, at);
        } else {
            break;
        }
    }
    at
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |line| at + line + 1)
}

/// Behind a comment, which may hold others.
fn comment_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// Behind a quoted text that begins at `at`; doubled quotes belong to it.
fn quote_end(bytes: &[u8], at: usize, backslash: bool) -> usize {
    let quote = if bytes[at] == b'[' { b']' } else { bytes[at] };
    let mut at = at + 1;
    while at < bytes.len() {
        if backslash && bytes[at] == b'\\' {
            at += 2;
        } else if bytes[at] == quote {
            if bytes.get(at + 1) == Some(&quote) {
                at += 2;
            } else {
                return at + 1;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// The tag of a dollar quote that begins at `at`, dollars included.
fn dollar_tag(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let inside = bytes[at + 1..]
        .iter()
        .position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80))?;
    let is_tag = bytes.get(at + 1 + inside) == Some(&b'$')
        && !bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
    is_tag.then(|| &bytes[at..at + inside + 2])
}

fn find(bytes: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    bytes[from..].windows(needle.len()).position(|window| window == needle).map(|at| from + at)
}

/// Behind the semicolon that ends the statement which begins at `start`.
fn end(text: &str, start: usize, dialect: Dialect) -> usize {
    let bytes = text.as_bytes();
    let mut at = start;
    // Bodies of triggers (SQLite) and of functions in SQL hold semicolons between BEGIN and END.
    let mut has_body = dialect == Dialect::Sqlite && is_trigger(&text[start..]);
    let mut depth = 0_usize;
    let mut parentheses = 0_usize;
    while at < bytes.len() {
        match bytes[at] {
            b'\'' => {
                let escapes = dialect == Dialect::Postgres
                    && at > start
                    && matches!(bytes[at - 1], b'e' | b'E')
                    && (at - 1 == start || !is_word(bytes[at - 2]));
                at = quote_end(bytes, at, escapes);
            }
            b'"' => at = quote_end(bytes, at, false),
            b'`' | b'[' if dialect == Dialect::Sqlite => at = quote_end(bytes, at, false),
            b'-' if bytes[at..].starts_with(b"--") => at = line_end(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => at = comment_end(bytes, at),
            b'$' if dialect == Dialect::Postgres => match dollar_tag(bytes, at) {
                Some(tag) => {
                    let body = at + tag.len();
                    at = find(bytes, tag, body).map_or(bytes.len(), |end| end + tag.len());
                }
                None => at += 1,
            },
            b'(' => {
                parentheses += 1;
                at += 1;
            }
            b')' => {
                parentheses = parentheses.saturating_sub(1);
                at += 1;
            }
            b';' if depth == 0 && parentheses == 0 => return at + 1,
            byte if byte.is_ascii_alphabetic() || byte == b'_' => {
                let length = bytes[at..].iter().position(|byte| !is_word(*byte));
                let word = &bytes[at..at + length.unwrap_or(bytes.len() - at)];
                if word.eq_ignore_ascii_case(b"atomic") {
                    has_body = true;
                    depth = depth.max(1);
                } else if has_body
                    && word.eq_ignore_ascii_case(b"begin")
                    && dialect == Dialect::Sqlite
                    || has_body && word.eq_ignore_ascii_case(b"case")
                {
                    depth += 1;
                } else if has_body && word.eq_ignore_ascii_case(b"end") {
                    depth = depth.saturating_sub(1);
                }
                at += word.len();
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn is_trigger(statement: &str) -> bool {
    let words: Vec<&str> = statement.split_ascii_whitespace().take(4).collect();
    words.first().is_some_and(|word| word.eq_ignore_ascii_case("create"))
        && words.iter().any(|word| word.eq_ignore_ascii_case("trigger"))
}

/// Whether rows follow.
fn is_copy(statement: &str) -> bool {
    let starts = statement.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("copy "));
    starts && statement.to_ascii_lowercase().contains("from stdin")
}

/// Behind the line `\.` that ends rows.
fn after_rows(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = line_end(bytes, at);
    while at < bytes.len() {
        let end = line_end(bytes, at);
        if bytes[at..end].starts_with(b"\\.") {
            return end;
        }
        at = end;
    }
    at
}

/// Behind a quoted text or a comment that begins at `at`, if one does: nothing in it counts.
fn behind(bytes: &[u8], at: usize, dialect: Dialect) -> Option<usize> {
    match bytes[at] {
        b'\'' | b'"' => Some(quote_end(bytes, at, false)),
        b'`' | b'[' if dialect == Dialect::Sqlite => Some(quote_end(bytes, at, false)),
        b'-' if bytes[at..].starts_with(b"--") => Some(line_end(bytes, at)),
        b'/' if bytes[at..].starts_with(b"/*") => Some(comment_end(bytes, at)),
        _ => None,
    }
}

/// The parts of a list at its commas, those inside parentheses and quotes left alone.
pub(crate) fn items(list: &str, dialect: Dialect) -> Vec<&str> {
    let bytes = list.as_bytes();
    let (mut at, mut start, mut depth) = (0, 0, 0_usize);
    let mut items = Vec::new();
    while at < bytes.len() {
        if let Some(end) = behind(bytes, at, dialect) {
            at = end;
            continue;
        }
        match bytes[at] {
            b'(' => {
                depth += 1;
                at += 1;
            }
            b')' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            b',' if depth == 0 => {
                items.push(list[start..at].trim());
                at += 1;
                start = at;
            }
            _ => at += 1,
        }
    }
    items.push(list[start..].trim());
    items.retain(|item| !item.is_empty());
    items
}

/// What stands before the first parenthesis of a statement, in it, and behind it.
pub(crate) fn parenthesised(statement: &str, dialect: Dialect) -> Option<(&str, &str, &str)> {
    let bytes = statement.as_bytes();
    let (mut at, mut depth, mut open) = (0, 0_usize, None);
    while at < bytes.len() {
        if let Some(end) = behind(bytes, at, dialect) {
            at = end;
            continue;
        }
        match bytes[at] {
            b'(' => {
                depth += 1;
                open.get_or_insert(at);
                at += 1;
            }
            b')' => {
                depth = depth.saturating_sub(1);
                if let (0, Some(open)) = (depth, open) {
                    return Some((
                        &statement[..open],
                        &statement[open + 1..at],
                        &statement[at + 1..],
                    ));
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_apart() {
        let dump = r#"
-- a comment; with a semicolon
\connect shop
/* one /* in */ another; */
SET search_path = '';
CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $body$ BEGIN RETURN ';'; END $body$;
CREATE FUNCTION g(a int) RETURNS int BEGIN ATOMIC SELECT CASE WHEN a > 1 THEN 2 END; SELECT 2; END;
COPY public.a (x) FROM stdin;
1;2
\.
INSERT INTO a VALUES (E'it\'s; so', 'a''b;', "c;d");
CREATE RULE r AS ON INSERT TO a DO ALSO (DELETE FROM b; DELETE FROM c);
"#;
        let found = statements(dump, Dialect::Postgres);
        let starts: Vec<&str> = found.iter().map(|text| &text[..12.min(text.len())]).collect();
        assert_eq!(
            starts,
            [
                "SET search_p",
                "CREATE FUNCT",
                "CREATE FUNCT",
                "COPY public.",
                "INSERT INTO ",
                "CREATE RULE "
            ]
        );
        let sqlite = "CREATE TABLE [a;b] (x);\nCREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET x = CASE 1 WHEN 1 THEN 2 END; DELETE FROM b; END;\nCREATE TABLE c (y);";
        assert_eq!(statements(sqlite, Dialect::Sqlite).len(), 3);
    }

    #[test]
    fn lists_are_cut_at_their_commas() {
        assert_eq!(
            items("a int, b numeric(1, 2), c text DEFAULT 'x,y'", Dialect::Postgres).len(),
            3
        );
        let parts = parenthesised("CREATE TABLE t (a (b), 'c)') WITH (d)", Dialect::Postgres);
        assert_eq!(parts, Some(("CREATE TABLE t ", "a (b), 'c)'", " WITH (d)")));
    }
}
