//! How names turn into other spellings: the one place, so that tables, paths and messages agree.

/// `OrderLine` and `orderLine` as `order_line`; a run of capitals is one word (`SKUCode`: `sku_code`).
pub fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut characters = name.chars().peekable();
    let mut previous = '_';
    while let Some(character) = characters.next() {
        if character == '-' || character == '_' {
            if !out.is_empty() && !out.ends_with('_') {
                out.push('_');
            }
        } else if character.is_uppercase() {
            let next_is_lower = characters.peek().is_some_and(|next| next.is_lowercase());
            let starts_word = previous.is_lowercase()
                || previous.is_ascii_digit()
                || (previous.is_uppercase() && next_is_lower);
            if starts_word && !out.ends_with('_') {
                out.push('_');
            }
            out.extend(character.to_lowercase());
        } else {
            out.push(character);
        }
        previous = character;
    }
    while out.ends_with('_') {
        out.pop();
    }
    out
}

/// `order_line` as `OrderLine`.
pub fn upper_camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
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
    out
}

/// `order_line` as `order-line`: one segment of a path.
pub fn kebab_case(snake: &str) -> String {
    snake.replace('_', "-")
}

/// The plural of an English noun in snake case, by its last word: `category` → `categories`.
pub fn plural(snake: &str) -> String {
    let (head, last) = match snake.rfind('_') {
        Some(at) => snake.split_at(at + 1),
        None => ("", snake),
    };
    for (singular, many) in IRREGULAR {
        if *singular == last {
            return format!("{head}{many}");
        }
    }
    let before_y = last.strip_suffix('y').and_then(|stem| stem.chars().last());
    if before_y.is_some_and(|c| !matches!(c, 'a' | 'e' | 'i' | 'o' | 'u')) {
        return format!("{}ies", &snake[..snake.len() - 1]);
    }
    let hisses = ["s", "x", "z", "ch", "sh"].iter().any(|end| last.ends_with(end));
    format!("{snake}{}", if hisses { "es" } else { "s" })
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
    kebab_case(&plural(&snake_case(entity)))
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
