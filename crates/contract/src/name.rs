//! How the model's names read in a URL: kebab-case, and plural where many are meant.

/// `MediaType` and `media_type` as `media-type`.
pub(crate) fn kebab(name: &str) -> String {
    let snake = operation_snake(name);
    snake.replace('_', "-")
}

/// The segment under which many of an entity are found: `MediaType` becomes `media-types`.
pub(crate) fn plural_kebab(name: &str) -> String {
    let kebab = kebab(name);
    match kebab.rsplit_once('-') {
        Some((before, last)) => format!("{before}-{}", plural(last)),
        None => plural(&kebab),
    }
}

/// `MediaType` as `media_type`; a run of capitals stays one word (`HTTPRoute` is `http_route`).
pub(crate) fn operation_snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::with_capacity(name.len() + 4);
    for (i, c) in chars.iter().enumerate() {
        if c.is_uppercase() {
            let after_small = i > 0 && (chars[i - 1].is_lowercase() || chars[i - 1].is_numeric());
            let before_small = i > 0
                && chars[i - 1].is_uppercase()
                && chars.get(i + 1).is_some_and(|next| next.is_lowercase());
            if after_small || before_small {
                out.push('_');
            }
            out.extend(c.to_lowercase());
        } else {
            out.push(*c);
        }
    }
    out
}

/// Words whose plural no rule gives.
const IRREGULAR: &[(&str, &str)] = &[
    ("person", "people"),
    ("child", "children"),
    ("man", "men"),
    ("woman", "women"),
    ("mouse", "mice"),
    ("foot", "feet"),
    ("tooth", "teeth"),
    ("goose", "geese"),
    ("ox", "oxen"),
    ("datum", "data"),
    ("medium", "media"),
    ("criterion", "criteria"),
    ("phenomenon", "phenomena"),
    ("matrix", "matrices"),
    ("vertex", "vertices"),
    ("quiz", "quizzes"),
    ("bus", "buses"),
    ("gas", "gases"),
    ("lens", "lenses"),
    ("leaf", "leaves"),
    ("knife", "knives"),
    ("life", "lives"),
    ("wife", "wives"),
    ("half", "halves"),
    ("shelf", "shelves"),
    ("self", "selves"),
    ("wolf", "wolves"),
    ("thief", "thieves"),
    ("loaf", "loaves"),
    ("calf", "calves"),
    ("hero", "heroes"),
    ("potato", "potatoes"),
    ("tomato", "tomatoes"),
    ("echo", "echoes"),
    ("veto", "vetoes"),
    ("salesman", "salesmen"),
    ("craftsman", "craftsmen"),
    ("foreman", "foremen"),
];

/// Words that are their own plural, or have none.
const UNCHANGED: &[&str] = &[
    "data",
    "media",
    "people",
    "children",
    "series",
    "species",
    "news",
    "sheep",
    "fish",
    "deer",
    "aircraft",
    "equipment",
    "information",
    "metadata",
    "staff",
    "software",
    "hardware",
    "feedback",
    "advice",
    "money",
    "furniture",
    "luggage",
    "stock",
    "headquarters",
    "means",
    "offspring",
    "personnel",
    "music",
    "traffic",
    "weather",
    "progress",
    "settings",
];

/// The plural of an English noun in lower case.
pub(crate) fn plural(word: &str) -> String {
    if UNCHANGED.contains(&word) {
        return word.to_owned();
    }
    if let Some((_, many)) = IRREGULAR.iter().find(|(one, _)| *one == word) {
        return (*many).to_owned();
    }
    let ends = |endings: &[&str]| endings.iter().any(|ending| word.ends_with(ending));
    if let Some(stem) = word.strip_suffix("sis") {
        return format!("{stem}ses");
    }
    if word == "axis" {
        return "axes".to_owned();
    }
    if ends(&["ics", "ings"]) {
        return word.to_owned();
    }
    if ends(&["s", "x", "z", "ch", "sh"]) {
        return format!("{word}es");
    }
    if let Some(stem) = word.strip_suffix('y')
        && !stem.ends_with(['a', 'e', 'i', 'o', 'u'])
        && !stem.is_empty()
    {
        return format!("{stem}ies");
    }
    format!("{word}s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_have_their_plurals() {
        for (one, many) in [
            ("product", "products"),
            ("category", "categories"),
            ("day", "days"),
            ("address", "addresses"),
            ("box", "boxes"),
            ("branch", "branches"),
            ("dish", "dishes"),
            ("person", "people"),
            ("analysis", "analyses"),
            ("basis", "bases"),
            ("axis", "axes"),
            ("status", "statuses"),
            ("index", "indexes"),
            ("roof", "roofs"),
            ("shelf", "shelves"),
            ("photo", "photos"),
            ("hero", "heroes"),
            ("series", "series"),
            ("quiz", "quizzes"),
            ("human", "humans"),
            ("settings", "settings"),
            ("statistics", "statistics"),
            ("invoice", "invoices"),
            ("genre", "genres"),
            ("employee", "employees"),
        ] {
            assert_eq!(plural(one), many, "{one}");
        }
    }

    #[test]
    fn names_become_segments() {
        for (name, segment) in [
            ("MediaType", "media-types"),
            ("Track", "tracks"),
            ("HTTPRoute", "http-routes"),
            ("PlaylistTrack", "playlist-tracks"),
            ("A1Paper", "a1-papers"),
            ("Company", "companies"),
        ] {
            assert_eq!(plural_kebab(name), segment, "{name}");
        }
        assert_eq!(kebab("recent_orders"), "recent-orders");
    }
}
