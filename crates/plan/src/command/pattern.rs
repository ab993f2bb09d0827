//! Patterns in the words of PostgreSQL: advanced regular expressions (its manual, §9.7.3) that match a text only where the pattern does.
//!
//! They may match less: what a pattern allows beyond that is looked at where rows are loaded. Characters stand by their numbers, so that none
//! means anything else; which way is tried first makes no difference to whether there is one.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// The most times that something is repeated (`DUPMAX`).
const MOST: u32 = 255;

/// The most ranges of a class, from the first characters on: of letters those of Latin, Greek and Cyrillic are among them.
const RANGES: usize = 48;

/// The longest that is written: each statement has it.
const LONGEST: usize = 4_000;

/// The same pattern; `None`, where PostgreSQL has no words for it.
pub(super) fn for_postgres(pattern: &str) -> Option<String> {
    let hir = regex_syntax::parse(pattern).ok()?;
    let mut out = String::new();
    write(&hir, &mut out)?;
    (out.len() <= LONGEST).then_some(out)
}

fn write(hir: &Hir, out: &mut String) -> Option<()> {
    match hir.kind() {
        HirKind::Empty => {}
        HirKind::Literal(literal) => {
            std::str::from_utf8(&literal.0).ok()?.chars().try_for_each(|c| character(c, out))?;
        }
        HirKind::Class(class) => write_class(class, out)?,
        HirKind::Look(Look::Start) => out.push('^'),
        HirKind::Look(Look::End) => out.push('$'),
        HirKind::Look(_) => return None,
        HirKind::Repetition(repetition) => {
            // Nothing that only looks is repeated there.
            if !repetition.sub.properties().look_set().is_empty() {
                return None;
            }
            group(&repetition.sub, out)?;
            if repetition.min > MOST || repetition.max.is_some_and(|most| most > MOST) {
                return None;
            }
            match (repetition.min, repetition.max) {
                (0, None) => out.push('*'),
                (1, None) => out.push('+'),
                (0, Some(1)) => out.push('?'),
                (least, Some(most)) if least == most => out.push_str(&format!("{{{least}}}")),
                (least, None) => out.push_str(&format!("{{{least},}}")),
                (least, Some(most)) => out.push_str(&format!("{{{least},{most}}}")),
            }
        }
        HirKind::Capture(capture) => group(&capture.sub, out)?,
        HirKind::Concat(all) => all.iter().try_for_each(|one| match one.kind() {
            HirKind::Alternation(_) => group(one, out),
            _ => write(one, out),
        })?,
        HirKind::Alternation(all) => {
            for (at, one) in all.iter().enumerate() {
                out.push_str(if at > 0 { "|" } else { "" });
                write(one, out)?;
            }
        }
    }
    Some(())
}

fn group(hir: &Hir, out: &mut String) -> Option<()> {
    out.push_str("(?:");
    write(hir, out)?;
    out.push(')');
    Some(())
}

/// Writes the characters of a class, or some of them.
fn write_class(class: &Class, out: &mut String) -> Option<()> {
    let Class::Unicode(class) = class else { return None };
    out.push('[');
    let mut any = false;
    for range in class.ranges().iter().take(RANGES) {
        // No text there holds the first of all characters.
        let (from, to) = (range.start().max('\u{1}'), range.end().min('\u{d7ff}'));
        if from <= to {
            any = true;
            character(from, out)?;
            if from < to {
                out.push('-');
                character(to, out)?;
            }
        }
    }
    out.push(']');
    any.then_some(())
}

fn character(c: char, out: &mut String) -> Option<()> {
    match c {
        '\0' => return None,
        _ if c.is_ascii_alphanumeric() => out.push(c),
        '\u{1}'..='\u{ffff}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        _ => out.push_str(&format!("\\U{:08x}", u32::from(c))),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_in_the_words_of_postgresql() {
        for (pattern, wanted) in [
            (r"\A(?:[A-Z]{2}-[0-9]+)\z", Some(r"^(?:[A-Z]){2}\u002d(?:[0-9])+$")),
            (r"\A(?:a.c)\z", Some(r"^a[\u0001-\u0009\u000b-\ud7ff]c$")),
            (r"\A(?:x|yz|)\z", Some(r"^(?:x|yz|)$")),
            (r"\A(?:(ab)*?c?)\z", Some(r"^(?:(?:ab))*(?:c)?$")),
            (r"\A(?:a{300})\z", None),
            (r"\A(?:\bword\b)\z", None),
            (r"\A(?:[^\x00-\u{10ffff}])\z", None),
        ] {
            assert_eq!(for_postgres(pattern).as_deref(), wanted, "{pattern}");
        }
        for pattern in [model::EMAIL_PATTERN, model::URL_PATTERN] {
            assert!(for_postgres(pattern).is_some(), "{pattern}");
        }
    }

    /// They are patterns of this language, too, and match no text that the first ones do not.
    #[test]
    fn nothing_else_is_matched() {
        let texts = ["", "a", "AB-12", "ab", "é", "a\nc", "xyz", "a.b@c.de", "\u{fffd}", "Ab-1"];
        for pattern in
            [r"[A-Z]{2}-\d+", r"\w+", r"a.c", r"(x|y)+z?", r"[^a]*", r"\p{L}{1,2}", r"(?i)ab-\d"]
        {
            let whole = format!(r"\A(?:{pattern})\z");
            let told = for_postgres(&whole).unwrap();
            let (first, second) =
                (regex::Regex::new(&whole).unwrap(), regex::Regex::new(&told).unwrap());
            for text in texts {
                assert!(first.is_match(text) || !second.is_match(text), "{pattern}: {text:?}");
            }
        }
    }
}
