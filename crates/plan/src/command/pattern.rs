//! Patterns in the words of PostgreSQL: advanced regular expressions (its manual, §9.7.3) that match a text only where the pattern does.
//!
//! They may match less: what a pattern allows beyond that is looked at where rows are loaded. Characters stand by their numbers, so that none
//! means anything else; which way is tried first makes no difference to whether there is one.

use std::cmp::Reverse;

use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// The most times that something is repeated (`DUPMAX`).
const MOST: u32 = 255;

/// The most ranges of a class, from the first characters on (of letters those of Latin, Greek and Cyrillic are among them), and of the others
/// those of most characters (as those of Chinese and Korean).
const RANGES: (usize, usize) = (48, 24);

/// The same of the characters of words that stand at a boundary.
const RANGES_AT_BOUNDARY: usize = 25;

/// The longest that is written: each statement has it.
const LONGEST: usize = 8_000;

/// The most characters and places of which one is told, each as often as it is repeated: PostgreSQL refuses what is too complex.
const MOST_ATOMS: u64 = 4_000;

/// The same pattern; `None`, where PostgreSQL has no words for it.
pub(super) fn for_postgres(pattern: &str) -> Option<String> {
    let hir = regex_syntax::parse(pattern).ok()?;
    if atoms(&hir) > MOST_ATOMS {
        return None;
    }
    let mut out = String::new();
    write(&hir, &mut out)?;
    (out.len() <= LONGEST).then_some(out)
}

fn atoms(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty => 0,
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Class(_) | HirKind::Look(_) => 1,
        HirKind::Repetition(of) => {
            let times = of.max.map_or(of.min.saturating_add(1), |most| most.max(1));
            let all = atoms(&of.sub).max(1).saturating_mul(times.into());
            // Of what may be nothing each may follow each: it takes seconds to read a thousand.
            match of.sub.properties().minimum_len() {
                Some(0) if times > 1 => all.saturating_mul(16),
                _ => all,
            }
        }
        HirKind::Capture(capture) => atoms(&capture.sub),
        HirKind::Alternation(all) => all.iter().fold(0, |sum, one| sum.saturating_add(atoms(one))),
        HirKind::Concat(all) => {
            let may_be_nothing = |one: &&Hir| one.properties().minimum_len() == Some(0);
            let times = if all.iter().filter(may_be_nothing).count() > 32 { 16 } else { 1 };
            all.iter().fold(0, |sum, one| {
                let times = if may_be_nothing(&one) { times } else { 1 };
                sum.saturating_add(atoms(one).saturating_mul(times))
            })
        }
    }
}

fn write(hir: &Hir, out: &mut String) -> Option<()> {
    match hir.kind() {
        HirKind::Empty => {}
        HirKind::Literal(literal) => {
            std::str::from_utf8(&literal.0).ok()?.chars().try_for_each(|c| character(c, out))?;
        }
        HirKind::Class(class) => write_class(class, out)?,
        HirKind::Look(look) => out.push_str(&looks(*look)?),
        HirKind::Repetition(repetition) => {
            let (mut least, mut most) = (repetition.min, repetition.max);
            // More than it counts to is said in several steps.
            while least > MOST || most.is_some_and(|most| most > MOST) {
                let step = least.min(MOST);
                repeat(&repetition.sub, (step, Some(MOST)), out)?;
                least -= step;
                most = most.map(|most| most - MOST);
                if out.len() > LONGEST {
                    return None;
                }
            }
            repeat(&repetition.sub, (least, most), out)?;
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

fn repeat(hir: &Hir, (least, most): (u32, Option<u32>), out: &mut String) -> Option<()> {
    group(hir, out)?;
    match (least, most) {
        (0, None) => out.push('*'),
        (1, None) => out.push('+'),
        (0, Some(1)) => out.push('?'),
        (least, Some(most)) if least == most => out.push_str(&format!("{{{least}}}")),
        (least, None) => out.push_str(&format!("{{{least},}}")),
        (least, Some(most)) => out.push_str(&format!("{{{least},{most}}}")),
    }
    Some(())
}

/// What only looks at what stands around a place.
fn looks(look: Look) -> Option<String> {
    use Look::*;
    let (sure, maybe) = words(match look {
        WordAscii | WordAsciiNegate | WordStartAscii | WordEndAscii | WordStartHalfAscii
        | WordEndHalfAscii => r"[0-9A-Za-z_]",
        _ => r"\w",
    })?;
    let (before, no_more) = (format!("(?<=[{sure}])"), format!("(?![{maybe}])"));
    let (none_before, next) = (format!("(?<![{maybe}])"), format!("(?=[{sure}])"));
    Some(match look {
        Start => "^".to_owned(),
        End => "$".to_owned(),
        StartLF => r"(?<![^\u000a])".to_owned(),
        EndLF => r"(?![^\u000a])".to_owned(),
        StartCRLF => r"(?:(?<![^\u000a])|(?<=\u000d)(?!\u000a))".to_owned(),
        EndCRLF => r"(?:(?![^\u000d])|(?<!\u000d)(?=\u000a))".to_owned(),
        WordAscii | WordUnicode => format!("(?:{before}{no_more}|{none_before}{next})"),
        WordAsciiNegate | WordUnicodeNegate => format!("(?:{before}{next}|{none_before}{no_more})"),
        WordStartAscii | WordStartUnicode => format!("(?:{none_before}{next})"),
        WordEndAscii | WordEndUnicode => format!("(?:{before}{no_more})"),
        WordStartHalfAscii | WordStartHalfUnicode => none_before,
        WordEndHalfAscii | WordEndHalfUnicode => no_more,
    })
}

/// The characters of a class that are surely among those that words are made of, and all that may be.
fn words(class: &str) -> Option<(String, String)> {
    let hir = regex_syntax::parse(class).ok()?;
    let HirKind::Class(Class::Unicode(class)) = hir.kind() else { return None };
    let (mut sure, mut all) = (String::new(), class.ranges().iter());
    for of in all.by_ref().take(RANGES_AT_BOUNDARY) {
        range(of.start(), of.end(), &mut sure)?;
    }
    let mut maybe = sure.clone();
    if let Some(next) = all.next() {
        range(next.start(), char::MAX, &mut maybe)?;
    }
    Some((sure, maybe))
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
    let (first, others) = class.ranges().split_at(class.ranges().len().min(RANGES.0));
    let mut others: Vec<_> = others.iter().collect();
    others.sort_by_key(|of| Reverse(u32::from(of.end()) - u32::from(of.start())));
    for of in first.iter().chain(others.into_iter().take(RANGES.1)) {
        // No text there holds the first of all characters.
        let (from, to) = (of.start().max('\u{1}'), of.end());
        if from <= to {
            any = true;
            range(from, to, out)?;
        }
    }
    out.push(']');
    any.then_some(())
}

fn range(from: char, to: char, out: &mut String) -> Option<()> {
    character(from, out)?;
    if from < to {
        out.push('-');
        character(to, out)?;
    }
    Some(())
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

    const ASCII: &str = r"^(?:(?<=[0-9A-Z\u005fa-z])(?![0-9A-Z\u005fa-z])|(?<![0-9A-Z\u005fa-z])(?=[0-9A-Z\u005fa-z]))x$";

    #[test]
    fn patterns_stand_in_the_words_of_postgresql() {
        for (pattern, wanted) in [
            (r"\A(?:[A-Z]{2}-[0-9]+)\z", Some(r"^(?:[A-Z]){2}\u002d(?:[0-9])+$")),
            (r"\A(?:a.c)\z", Some(r"^a[\u0001-\u0009\u000b-\U0010ffff]c$")),
            (r"\A(?:x|yz|)\z", Some(r"^(?:x|yz|)$")),
            (r"\A(?:(ab)*?c?)\z", Some(r"^(?:(?:ab))*(?:c)?$")),
            (r"\A(?:a{300})\z", Some(r"^(?:a){255}(?:a){45}$")),
            (r"\A(?:a{10,600})\z", Some(r"^(?:a){10,255}(?:a){0,255}(?:a){0,90}$")),
            (r"\A(?:a{256,})\z", Some(r"^(?:a){255}(?:a)+$")),
            (r"\A(?:(?-u:\bx))\z", Some(ASCII)),
            (r"\A(?:(?m:a$))\z", Some(r"^a(?![^\u000a])$")),
            (r"\A(?:a{4001})\z", None),
            (r"\A(?:(a?){251})\z", None),
            (&format!(r"\A(?:{})\z", "a?b?".repeat(126)), None),
            (r"\A(?:\w-\w-\w-\w-\w-\w-\w-\w-\w-\w-)\z", None),
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
