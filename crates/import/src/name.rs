//! Names as the language writes them.

use std::collections::HashSet;

/// Words of a name: cut at what is no letter or digit, and where small letters become great ones.
fn words(name: &str) -> Vec<String> {
    let clean: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    // `USER_NAME` is two words, not eight.
    let clean =
        if clean.chars().any(|c| c.is_ascii_lowercase()) { clean } else { clean.to_lowercase() };
    let snake = model::snake_case(&clean);
    snake.split('_').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// `UpperCamel`, in the singular.
pub(crate) fn entity(table: &str) -> String {
    let mut words = words(table);
    if let Some(last) = words.last_mut() {
        *last = singular(last);
    }
    camel(&words, "Table")
}

/// `UpperCamel`.
pub(crate) fn type_name(name: &str) -> String {
    camel(&words(name), "Kind")
}

fn camel(words: &[String], otherwise: &str) -> String {
    let mut name = String::new();
    for word in words {
        let mut characters = word.chars();
        name.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(characters.as_str());
    }
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert_str(0, otherwise);
    }
    name
}

/// `snake_case`.
pub(crate) fn field(column: &str) -> String {
    let name = words(column).join("_");
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return format!("field_{name}").trim_end_matches('_').to_owned();
    }
    name
}

/// Without the ending that says that it is a key: `artist_id` is `artist`.
pub(crate) fn reference(column: &str) -> String {
    let name = field(column);
    for ending in ["_id", "_fk", "_key", "_uuid", "_no"] {
        if let Some(short) = name.strip_suffix(ending).filter(|short| !short.is_empty()) {
            return short.to_owned();
        }
    }
    name
}

/// One of many.
pub(crate) fn singular(word: &str) -> String {
    let kept = ["ss", "us", "is", "news", "series", "species", "data", "media"];
    if word.len() < 4 || kept.iter().any(|end| word.ends_with(end)) {
        return word.to_owned();
    }
    const IRREGULAR: &[(&str, &str)] =
        &[("people", "person"), ("children", "child"), ("men", "man"), ("women", "woman")];
    if let Some((_, one)) = IRREGULAR.iter().find(|(many, _)| *many == word) {
        return (*one).to_owned();
    }
    if let Some(stem) = word.strip_suffix("ies") {
        return format!("{stem}y");
    }
    for end in ["sses", "shes", "ches", "xes", "zes", "uses"] {
        if word.ends_with(end) {
            return word[..word.len() - 2].to_owned();
        }
    }
    word.strip_suffix('s').unwrap_or(word).to_owned()
}

/// Many of one.
pub(crate) fn plural(word: &str) -> String {
    if singular(word) != word {
        return word.to_owned();
    }
    let before = word.chars().rev().nth(1);
    if word.ends_with('y') && !before.is_some_and(|c| "aeiou".contains(c)) {
        return format!("{}ies", &word[..word.len() - 1]);
    }
    if ["s", "x", "z", "ch", "sh"].iter().any(|end| word.ends_with(end)) {
        return format!("{word}es");
    }
    format!("{word}s")
}

/// Whether a label of a database can be one of an enum as it is.
pub(crate) fn is_label(label: &str) -> bool {
    label.starts_with(|c: char| c.is_ascii_lowercase())
        && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Names that are given out once each.
#[derive(Debug, Default)]
pub(crate) struct Names(HashSet<String>);

impl Names {
    pub(crate) fn is_free(&self, name: &str) -> bool {
        !self.0.contains(&name.to_lowercase())
    }

    /// The name, or with a number behind it.
    pub(crate) fn take(&mut self, name: &str) -> String {
        let mut free = name.to_owned();
        let mut number = 2;
        while !self.0.insert(free.to_lowercase()) {
            free = format!("{name}{number}");
            number += 1;
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_idiomatic() {
        for (table, name) in [
            ("invoice_lines", "InvoiceLine"),
            ("InvoiceLine", "InvoiceLine"),
            ("categories", "Category"),
            ("addresses", "Address"),
            ("order status", "OrderStatus"),
            ("USER_ACCOUNT", "UserAccount"),
            ("boxes", "Box"),
            ("2fa", "Table2fa"),
            ("straße", "StraE"),
        ] {
            assert_eq!(entity(table), name);
        }
        for (column, name) in [
            ("ArtistId", "artist"),
            ("artist_id", "artist"),
            ("id", "id"),
            ("reports_to", "reports_to"),
        ] {
            assert_eq!(reference(column), name);
        }
        for (one, many) in
            [("line", "lines"), ("entry", "entries"), ("box", "boxes"), ("day", "days")]
        {
            assert_eq!(plural(one), many);
        }
    }
}
