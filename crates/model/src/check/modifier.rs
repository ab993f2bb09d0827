//! What is said behind a type, and what of it excludes each other.

use rustc_hash::FxHashMap;
use syntax::ast::{self, LiteralValue, Modifier};
use syntax::{Diagnostic, Span};

use super::context::Context;
use super::members::{RESERVED, indexable};
use super::type_expr;
use crate::{Deprecation, FieldId, OnDelete, ServiceId, Type};

/// The name in `stored as "…"`, if a database can hold it.
pub(crate) fn stored_name(cx: &mut Context<'_>, view: ast::StoredAs<'_>) -> Option<String> {
    let literal = view.name()?;
    let text = literal.string()?;
    if operation::Ident::new(&text).is_none() {
        cx.report(
            Diagnostic::error("E0224", literal.span(), "no database can hold this name")
                .note("a stored name has 1 to 63 bytes and no control characters")
                .help("shorten it"),
        );
        return None;
    }
    Some(text.into_owned())
}

/// The same of a table, whose name has no dot: that would set it apart from its schema.
pub(crate) fn stored_table(cx: &mut Context<'_>, view: ast::StoredAs<'_>) -> Option<String> {
    let name = stored_name(cx, view)?;
    if name.contains('.') {
        let span = view.name().map_or_else(Span::default, |literal| literal.span());
        cx.report(
            Diagnostic::error("E0224", span, "the stored name of a table has no dot")
                .note("on PostgreSQL a dot parts a schema from a table; the schema follows from the service")
                .help("leave it out"),
        );
        return None;
    }
    Some(name)
}

/// Checks what is said behind a type, and keeps it.
pub(crate) fn modifiers(
    cx: &mut Context<'_>,
    id: FieldId,
    view: ast::Field<'_>,
    service: ServiceId,
) {
    let ty = cx.model[id].ty.clone();
    let is_text = matches!(ty, Type::String(_) | Type::Email | Type::Url | Type::Unknown);
    let mut said: smallvec::SmallVec<[(&'static str, Span); 4]> = smallvec::SmallVec::new();
    for modifier in view.modifiers() {
        let word = word_of(modifier);
        let span = modifier.span();
        if let Some((_, first)) = said.iter().find(|(known, _)| *known == word) {
            cx.said_twice(&format!("`{word}`"), *first, span);
            continue;
        }
        said.push((word, span));
        let index = id.index();
        match modifier {
            Modifier::Unique(_) => {
                if indexable(&ty) {
                    cx.model.fields[index].unique = true;
                } else {
                    unfit(cx, id, span, word, "only values that compare can be told apart");
                }
            }
            Modifier::Immutable(_) => cx.model.fields[index].immutable = true,
            Modifier::Search(_) if is_text => cx.model.fields[index].search = true,
            Modifier::Search(_) => unfit(cx, id, span, word, "only text is searched"),
            Modifier::Pii(pii) => {
                cx.model.fields[index].pii = true;
                cx.model.fields[index].sensitive = pii.is_sensitive();
            }
            Modifier::Encrypted(_) if cx.model[id].is_key => {
                unfit(cx, id, span, word, "a key is compared, and what is encrypted cannot be");
            }
            Modifier::Encrypted(_) => cx.model.fields[index].encrypted = true,
            Modifier::Secret(_) if cx.model[id].is_key => {
                unfit(cx, id, span, word, "a key is in every path and every reference");
            }
            Modifier::Secret(_) => cx.model.fields[index].secret = true,
            Modifier::Pattern(pattern_view) if is_text => {
                cx.model.fields[index].pattern = pattern(cx, pattern_view);
            }
            Modifier::Pattern(_) => unfit(cx, id, span, word, "only text matches a pattern"),
            Modifier::Was(was) => {
                cx.model.fields[index].was = was.name().map(|name| name.text().to_owned());
                if let Some(view) = was.half() {
                    cx.model.fields[index].half = half(cx, view).map(Box::new);
                    if !is_text {
                        unfit(cx, id, span, word, "only a text is split, into texts");
                    }
                }
            }
            Modifier::StoredAs(stored_as) => {
                cx.model.fields[index].stored_as = stored_name(cx, stored_as);
            }
            Modifier::OnDelete(view) => on_delete(cx, id, view, service),
            Modifier::Deprecated(view) => {
                cx.model.fields[index].deprecation = deprecation(cx, view).map(Box::new);
            }
            Modifier::Default(_) | Modifier::Computed(_) => {}
        }
    }
    contradictions(cx, id, &said);
}

fn half(cx: &mut Context<'_>, view: ast::Half<'_>) -> Option<crate::Half> {
    let literal = view.separator()?;
    let separator = literal.string()?.into_owned();
    if separator.is_empty() {
        cx.report(
            Diagnostic::error("E0309", literal.span(), "a text is split at something")
                .help("write what stands between the halves, such as `\" \"`"),
        );
        return None;
    }
    Some(crate::Half { after: view.side()?.text() == "after", separator })
}

/// Modifiers that exclude each other.
fn contradictions(cx: &mut Context<'_>, id: FieldId, said: &[(&'static str, Span)]) {
    let span_of = |word: &str| said.iter().find(|(known, _)| *known == word).map(|(_, span)| *span);
    if let Some(computed) = span_of(":=") {
        let name = cx.model[id].name.clone();
        let other = ["=", "immutable", "secret", "encrypted"]
            .into_iter()
            .find_map(|word| span_of(word).map(|span| (word, span)));
        if let Some((word, span)) = other {
            cx.report(
                Diagnostic::error(
                    "E0308",
                    span,
                    format!("`{name}` is computed, so `{word}` says nothing about it"),
                )
                .label(computed, "computed here")
                .help("keep one of the two"),
            );
        }
        if cx.model[id].is_key {
            cx.report(
                Diagnostic::error(
                    "E0308",
                    computed,
                    format!("the key `{name}` cannot be computed"),
                )
                .note("what is computed changes with the row, and a key never changes")
                .help("give it a value, or a default"),
            );
        }
    }
    if let Some(encrypted) = span_of("encrypted") {
        let other =
            ["unique", "search"].into_iter().find_map(|word| span_of(word).map(|s| (word, s)));
        if let Some((word, span)) = other {
            let name = &cx.model[id].name;
            cx.report(
                Diagnostic::error(
                    "E0308",
                    span,
                    format!("`{name}` is encrypted, so `{word}` cannot be kept"),
                )
                .label(encrypted, "encrypted here")
                .note("equal texts are stored as different bytes: the database cannot compare them")
                .help("keep one of the two"),
            );
        }
    }
}

fn unfit(cx: &mut Context<'_>, id: FieldId, span: Span, word: &str, why: &str) {
    let ty = cx.type_text(&cx.model[id].ty);
    let message = format!("`{word}` does not fit `{}`, which is of type {ty}", cx.model[id].name);
    cx.report(Diagnostic::error("E0309", span, message).note(why.to_owned()).help("remove it"));
}

fn on_delete(cx: &mut Context<'_>, id: FieldId, view: ast::OnDelete<'_>, service: ServiceId) {
    let Some(action) = view.action() else { return };
    let target = match &cx.model[id].ty {
        Type::Entity(target) => *target,
        Type::Unknown => return,
        _ => {
            unfit(cx, id, view.span(), "on delete", "only a reference has a target that may go");
            return;
        }
    };
    let field = &cx.model[id];
    let (optional, name) = (field.optional, field.name.clone());
    let chosen = match action.text() {
        "restrict" => OnDelete::Restrict,
        "cascade" => OnDelete::Cascade,
        "clear" if optional => OnDelete::Clear,
        "clear" => {
            let message = format!("`{name}` cannot be cleared: it must have a value");
            let place = field.type_span.after();
            cx.report(
                Diagnostic::error("E0309", action.span(), message)
                    .note("`clear` leaves nothing behind where the reference was")
                    .help("make it optional, or say `cascade` or `restrict`")
                    .suggest("make it optional", place, "?"),
            );
            return;
        }
        other => {
            let message = format!("nothing is called `on delete {other}`");
            cx.unknown("E0602", action.span(), message, other, ["restrict", "cascade", "clear"]);
            return;
        }
    };
    if service != cx.model[target].service {
        cx.report(
            Diagnostic::error(
                "E0309",
                view.span(),
                format!("`{name}` refers to another service, where nobody asks it before deleting"),
            )
            .note("across services a reference is an identifier, without a foreign key")
            .help("remove it, and hear of the deletion by an event"),
        );
        return;
    }
    cx.model.fields[id.index()].on_delete = chosen;
}

/// The regular expression of `pattern`, if it is one.
pub(crate) fn pattern(cx: &mut Context<'_>, view: ast::Pattern<'_>) -> Option<String> {
    let literal = view.regex()?;
    let text = literal.string()?;
    // As large as a request's text may cost: the same limit holds where the plan compiles it.
    let compiled = regex::RegexBuilder::new(&format!("^(?:{text})$")).size_limit(1 << 20).build();
    match compiled {
        Ok(_) => Some(text.into_owned()),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or("").trim().trim_start_matches("error: ");
            cx.report(
                Diagnostic::error("E0233", literal.span(), "this is no regular expression")
                    .text(reason.to_owned())
                    .note("patterns are matched in linear time: there are no look-arounds and no back-references")
                    .help("in a string every `\\` of the pattern is written `\\\\`"),
            );
            None
        }
    }
}

/// `deprecated "2026-01-01" sunset "2027-01-01" "use …"`
pub(crate) fn deprecation(cx: &mut Context<'_>, view: ast::Deprecated<'_>) -> Option<Deprecation> {
    let since = view.since().and_then(|literal| date(cx, literal));
    let sunset = view.sunset().and_then(|literal| date(cx, literal));
    if let (Some(from), Some(to), Some(literal)) = (since, sunset, view.sunset())
        && to < from
    {
        cx.report(
            Diagnostic::error("E0316", literal.span(), "it goes away before it is deprecated")
                .note("between the two dates clients have time to change over")
                .help("set the sunset after the deprecation"),
        );
    }
    let advice =
        view.advice().and_then(|literal| literal.string()).map(std::borrow::Cow::into_owned);
    Some(Deprecation { since, sunset, advice, span: view.span() })
}

/// A day as days since 1970-01-01.
fn date(cx: &mut Context<'_>, literal: ast::Literal<'_>) -> Option<i64> {
    let LiteralValue::String(text) = literal.value()? else { return None };
    match operation::Scalar::Date.parse(&text) {
        Ok(value) => value.as_int(),
        Err(fault) => {
            let message = format!("`{text}` is no date: it must be {}", fault.0);
            cx.report(
                Diagnostic::error("E0224", literal.span(), message)
                    .help("write year, month and day: `\"2026-11-21\"`"),
            );
            None
        }
    }
}

/// `was` names what is gone, and no two fields come from one.
pub(crate) fn former_names(cx: &mut Context<'_>, fields: &[FieldId]) {
    for id in fields {
        let Some(view) = cx.source.fields[id.index()] else { continue };
        let Some(was) = view.was().and_then(|was| was.name()) else { continue };
        let still = fields.iter().map(|other| &cx.model[*other]).find(|f| f.name == was.text());
        if let Some(first) = still {
            let first = first.span;
            type_expr::still_there(cx, was, first);
            continue;
        }
        let others: Vec<FieldId> = fields
            .iter()
            .copied()
            .filter(|other| other != id)
            .filter(|other| cx.model[*other].was.as_deref() == Some(was.text()))
            .collect();
        let at = fields.iter().position(|field| field == id);
        let before = fields[..at.unwrap_or(0)].iter().find(|field| others.contains(field));
        let is_other_half = |first: &FieldId| match (&cx.model[*first].half, &cx.model[*id].half) {
            (Some(a), Some(b)) => a.separator == b.separator && a.after != b.after,
            _ => false,
        };
        if let Some(first) = before.filter(|first| !is_other_half(first)) {
            let first = cx.model[*first].span;
            cx.twice("the former name", was.text(), first, was.span());
        }
        if let Some(half) = cx.model[*id].half.as_ref().filter(|_| others.is_empty()) {
            let (there, missing) =
                if half.after { ("after", "before") } else { ("before", "after") };
            let message =
                format!("what stands {missing} the separator in `{}` is no field", was.text());
            cx.report(
                Diagnostic::error("E0309", was.span(), message)
                    .note(format!("one half alone (`{there}`) would lose the other"))
                    .help(format!("write a second field `was {} {missing} …`", was.text())),
            );
        }
    }
}

/// No two fields share a column.
pub(crate) fn column_names(cx: &mut Context<'_>, fields: &[FieldId], root: Option<&str>) {
    if fields.iter().all(|id| cx.model[*id].stored_as.is_none()) {
        return;
    }
    let mut columns: FxHashMap<String, Span> = FxHashMap::default();
    for id in fields {
        let field = &cx.model[*id];
        let column = field.stored_as.clone().unwrap_or_else(|| field.name.to_string());
        let span = field.span;
        if RESERVED.contains(&column.as_str()) || root == Some(column.as_str()) {
            let message = format!("the column `{column}` is one of the database's own");
            cx.report(
                Diagnostic::error("E0207", span, message)
                    .help("store the field under another name"),
            );
        } else if let Some(first) = columns.get(&column).copied() {
            cx.twice("the column", &column, first, span);
        }
        columns.entry(column).or_insert(span);
    }
}

/// The word of a modifier.
pub(crate) fn word_of(modifier: Modifier<'_>) -> &'static str {
    match modifier {
        Modifier::Default(_) => "=",
        Modifier::Computed(_) => ":=",
        Modifier::Unique(_) => "unique",
        Modifier::Immutable(_) => "immutable",
        Modifier::Search(_) => "search",
        Modifier::Pii(_) => "pii",
        Modifier::Encrypted(_) => "encrypted",
        Modifier::Secret(_) => "secret",
        Modifier::Pattern(_) => "pattern",
        Modifier::Was(_) => "was",
        Modifier::StoredAs(_) => "stored as",
        Modifier::OnDelete(_) => "on delete",
        Modifier::Deprecated(_) => "deprecated",
    }
}
