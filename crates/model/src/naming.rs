//! How names turn into other spellings: the one place, so that tables, paths and messages agree.

/// `OrderLine` and `orderLine` as `order_line`; a run of capitals is one word (`SKUCode`: `sku_code`).
pub fn snake_case(name: &str) -> String {
    in_words(name, '_')
}

/// A name's words in small letters, with a separator in between.
fn in_words(name: &str, separator: char) -> String {
    // Room for separators, and for the plural that may follow.
    let mut out = String::with_capacity(name.len() + 6);
    let mut characters = name.chars().peekable();
    let mut previous = '_';
    while let Some(character) = characters.next() {
        if character == '-' || character == '_' {
            if !out.is_empty() && !out.ends_with(separator) {
                out.push(separator);
            }
        } else if character.is_uppercase() {
            let next_is_lower = characters.peek().is_some_and(|next| next.is_lowercase());
            let starts_word = previous.is_lowercase()
                || previous.is_ascii_digit()
                || (previous.is_uppercase() && next_is_lower);
            if starts_word && !out.ends_with(separator) {
                out.push(separator);
            }
            out.extend(character.to_lowercase());
        } else {
            out.push(character);
        }
        previous = character;
    }
    while out.ends_with(separator) {
        out.pop();
    }
    out
}

/// `order_line` as `OrderLine`.
pub fn upper_camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    push_upper_camel(&mut out, name);
    out
}

/// The same behind a text.
pub(crate) fn push_upper_camel(out: &mut String, name: &str) {
    let mut is_start = true;
    for character in name.chars() {
        if character == '_' || character == '-' {
            is_start = true;
        } else if is_start {
            out.extend(character.to_uppercase());
            is_start = false;
        } else {
            out.push(character);
        }
    }
}

/// `order_line` as `order-line`: one segment of a path.
pub fn kebab_case(snake: &str) -> String {
    snake.replace('_', "-")
}

/// The plural of an English noun in snake case, by its last word: `category` → `categories`.
pub fn plural(snake: &str) -> String {
    in_plural(snake.to_owned())
}

/// The same of words with `_` or `-` in between.
fn in_plural(mut words: String) -> String {
    let last = words.rfind(['_', '-']).map_or(0, |at| at + 1);
    let noun = &words[last..];
    if let Some((_, many)) = IRREGULAR.iter().find(|(singular, _)| *singular == noun) {
        words.truncate(last);
        words.push_str(many);
        return words;
    }
    let before_y = noun.strip_suffix('y').and_then(|stem| stem.chars().last());
    if before_y.is_some_and(|c| !matches!(c, 'a' | 'e' | 'i' | 'o' | 'u')) {
        words.pop();
        words.push_str("ies");
        return words;
    }
    let hisses = ["s", "x", "z", "ch", "sh"].iter().any(|end| noun.ends_with(end));
    words.push_str(if hisses { "es" } else { "s" });
    words
}

/// Nouns whose plural no rule tells.
const IRREGULAR: &[(&str, &str)] = &[
    ("analysis", "analyses"),
    ("axis", "axes"),
    ("basis", "bases"),
    ("child", "children"),
    ("crisis", "crises"),
    ("criterion", "criteria"),
    ("data", "data"),
    ("datum", "data"),
    ("equipment", "equipment"),
    ("foot", "feet"),
    ("goose", "geese"),
    ("half", "halves"),
    ("hero", "heroes"),
    ("index", "indexes"),
    ("information", "information"),
    ("knife", "knives"),
    ("leaf", "leaves"),
    ("life", "lives"),
    ("man", "men"),
    ("matrix", "matrices"),
    ("media", "media"),
    ("medium", "media"),
    ("metadata", "metadata"),
    ("mouse", "mice"),
    ("music", "music"),
    ("news", "news"),
    ("people", "people"),
    ("person", "people"),
    ("quiz", "quizzes"),
    ("series", "series"),
    ("settings", "settings"),
    ("shelf", "shelves"),
    ("species", "species"),
    ("staff", "staff"),
    ("thesis", "theses"),
    ("thief", "thieves"),
    ("tooth", "teeth"),
    ("wife", "wives"),
    ("wolf", "wolves"),
    ("woman", "women"),
];

/// The collection of an entity in a path: `MediaType` → `media-types`.
pub fn collection_path(entity: &str) -> String {
    in_plural(in_words(entity, '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_change_their_spelling() {
        for (name, snake) in [
            ("Order", "order"),
            ("OrderLine", "order_line"),
            ("SKUCode", "sku_code"),
            ("ID", "id"),
            ("Version2Row", "version2_row"),
            ("already_snake", "already_snake"),
            ("Mixed_Case", "mixed_case"),
        ] {
            assert_eq!(snake_case(name), snake);
        }
        assert_eq!(upper_camel("order_line"), "OrderLine");
        for (entity, path) in [
            ("Category", "categories"),
            ("Day", "days"),
            ("Box", "boxes"),
            ("Branch", "branches"),
            ("Person", "people"),
            ("SalesPerson", "sales-people"),
            ("MediaType", "media-types"),
            ("Address", "addresses"),
        ] {
            assert_eq!(collection_path(entity), path);
        }
    }
}
