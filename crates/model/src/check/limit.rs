//! Promises and pressure: `limit`, `slo`, `load`.

use rustc_hash::FxHashMap;
use syntax::ast::{self, Action, LiteralValue, LoadMember};
use syntax::{Diagnostic, Span};

use super::context::{Context, Style};
use super::declare::{name_or, path_text, text_of};
use super::entity::positive_duration;
use super::names::{Declared, Reach, Space, find, wrong_kind};
use crate::{Limit, Load, LoadEntry, ServiceId, Slo, Target};

/// Units in which growth is said, and how many days each has.
const GROWTH_UNITS: &[&str] = &["day", "week", "month", "quarter", "year"];

/// Fills in limits, promises and loads.
pub(crate) fn limits<'a>(cx: &mut Context<'a>) {
    let mut said = FxHashMap::default();
    for (view, service) in cx.source.limits.clone() {
        limit(cx, view, service, &mut said);
    }
    said.clear();
    for (view, service) in cx.source.slos.clone() {
        slo(cx, view, service, &mut said);
    }
    for view in cx.source.loads.clone() {
        load(cx, view);
    }
}

/// A whole number above zero.
pub(crate) fn positive(cx: &mut Context<'_>, literal: ast::Literal<'_>) -> Option<i64> {
    let number = literal.integer()?;
    if number > 0 {
        return Some(number);
    }
    cx.report(
        Diagnostic::error("E0601", literal.span(), "this number must be above zero")
            .help("write how many"),
    );
    None
}

/// What a limit or a promise is of: a query, a command, or an entity.
fn target<'a>(cx: &mut Context<'a>, service: ServiceId, path: ast::Path<'a>) -> Option<Target> {
    let is_type =
        path.last().is_some_and(|name| name.text().starts_with(|c: char| c.is_ascii_uppercase()));
    let (space, wanted) =
        if is_type { (Space::Types, "entity") } else { (Space::Verbs, "command or query") };
    let found = find(cx, space, service, path, Reach::Everywhere, wanted)?;
    match found {
        Declared::Query(id) => Some(Target::Query(id)),
        Declared::Command(id) => Some(Target::Command(id)),
        Declared::Entity(id) => Some(Target::Entity(id)),
        other => {
            wrong_kind(cx, path.span(), path_text(path), other, "a command, a query or an entity");
            None
        }
    }
}

/// Targets of which something was said, as they are written, and where.
type Said<'a> = FxHashMap<&'a str, Span>;

fn limit<'a>(cx: &mut Context<'a>, view: ast::Limit<'a>, service: ServiceId, said: &mut Said<'a>) {
    let Some(path) = view.target() else { return };
    let found = target(cx, service, path);
    if let Some(by) = view.by()
        && !matches!(by.text(), "caller" | "ip")
    {
        let message = format!("requests are not counted by `{}`", by.text());
        cx.unknown("E0602", by.span(), message, by.text(), ["caller", "ip"]);
    }
    let count = view.count().and_then(|count| positive(cx, count));
    let period = view.period().and_then(|period| positive_duration(cx, period));
    let (Some(target), Some(count), Some(period)) = (found, count, period) else { return };
    let name = path_text(path);
    if let Some(first) = said.get(name).copied() {
        cx.said_twice(&format!("the limit of `{name}`"), first, path.span());
        return;
    }
    said.insert(name, path.span());
    let name = name.to_owned();
    cx.model.limits.push(Limit { name, target, span: path.span(), count, period });
}

/// A share between 0 and 100 percent, both left out of it but 100.
pub(crate) fn percent(cx: &mut Context<'_>, literal: ast::Literal<'_>) -> Option<f64> {
    let LiteralValue::Percent(value) = literal.value()? else { return None };
    let percent = value.digits as f64 / 10_f64.powi(value.scale as i32);
    if percent > 0.0 && percent <= 100.0 {
        return Some(percent);
    }
    cx.report(
        Diagnostic::error(
            "E0601",
            literal.span(),
            "a share lies above 0% and is no more than 100%",
        )
        .help("write it as `99.9%`"),
    );
    None
}

fn slo<'a>(cx: &mut Context<'a>, view: ast::Slo<'a>, service: ServiceId, said: &mut Said<'a>) {
    let Some(path) = view.target() else { return };
    let found = target(cx, service, path);
    let share = view.objective().and_then(|share| percent(cx, share));
    if let (Some(100.0), Some(literal)) = (share, view.objective()) {
        cx.report(
            Diagnostic::error("E0601", literal.span(), "nothing holds for all requests")
                .note("a promise without any room to fail forbids every change: what may fail is the error budget")
                .help("write how many of a hundred hold: `99.9%`"),
        );
        return;
    }
    let under = view.under().and_then(|under| positive_duration(cx, under));
    let (Some(target), Some(percent)) = (found, share) else { return };
    let name = path_text(path);
    if let Some(first) = said.get(name).copied() {
        cx.said_twice(&format!("the promise of `{name}`"), first, path.span());
        return;
    }
    said.insert(name, path.span());
    let name = name.to_owned();
    cx.model.slos.push(Slo { name, target, span: path.span(), percent, under });
}

fn load<'a>(cx: &mut Context<'a>, view: ast::Load<'a>) {
    let span = name_or(view.name(), view.span());
    if let Some(name) = view.name() {
        cx.case_style(name, Style::Snake);
        let first = cx.model.loads.iter().find(|known| known.name == name.text());
        if let Some(first) = first.map(|known| known.span) {
            cx.twice("the load", name.text(), first, span);
        }
    }
    let mut entries = Vec::new();
    let mut said: FxHashMap<(bool, &'a str), Span> = FxHashMap::default();
    for member in view.members() {
        let about = match member {
            LoadMember::Grows(_) => Some((false, "grows")),
            LoadMember::Rows(rows) => rows.target().map(|target| (false, path_text(target))),
            LoadMember::Rate(rate) => rate.target().map(|target| (true, path_text(target))),
        };
        if let Some(about) = about {
            if let Some(first) = said.get(&about).copied() {
                cx.said_twice(&format!("`{}`", about.1), first, member.span());
                continue;
            }
            said.insert(about, member.span());
        }
        let entry = match member {
            LoadMember::Grows(grows) => growth(cx, grows),
            LoadMember::Rows(rows) => row_count(cx, rows),
            LoadMember::Rate(rate) => load_rate(cx, rate),
        };
        entries.extend(entry);
    }
    cx.model.loads.push(Load { name: text_of(view.name()), span, entries });
}

/// `grows 10% per month for 24 months`
fn growth(cx: &mut Context<'_>, view: ast::LoadGrows<'_>) -> Option<LoadEntry> {
    let LiteralValue::Percent(rate) = view.rate()?.value()? else { return None };
    let percent = rate.digits as f64 / 10_f64.powi(rate.scale as i32);
    let count = view.count().and_then(|count| positive(cx, count))?;
    let per = view.per()?;
    if !GROWTH_UNITS.contains(&per.text()) {
        let message = format!("growth is not counted per `{}`", per.text());
        cx.unknown("E0602", per.span(), message, per.text(), GROWTH_UNITS.iter().copied());
        return None;
    }
    if let Some(unit) = view.unit() {
        // The last word repeats the unit of the first: `per month for 24 months`.
        let number = view.count().and_then(|count| count.integer());
        let many = format!("{}s", per.text());
        let fits = unit.text() == many || (number == Some(1) && unit.text() == per.text());
        let is_count = view.count().is_some_and(|count| count.span() == unit.span());
        if !fits && !is_count {
            let message = format!("growth per {} is counted in {many}", per.text());
            cx.unknown("E0602", unit.span(), message, unit.text(), [many.as_str()]);
            return None;
        }
    }
    // All of a load speaks in months; compound growth over another unit is turned into that of a month.
    let months = match per.text() {
        "day" => 12.0 / 365.0,
        "week" => 12.0 * 7.0 / 365.0,
        "quarter" => 3.0,
        "year" => 12.0,
        _ => 1.0,
    };
    let monthly = ((1.0 + percent / 100.0).powf(1.0 / months) - 1.0) * 100.0;
    let per_month = if per.text() == "month" { percent } else { monthly };
    let span = (count as f64 * months).ceil() as i64;
    Some(LoadEntry::Growth(per_month, span.max(1)))
}

fn row_count<'a>(cx: &mut Context<'a>, view: ast::LoadRows<'a>) -> Option<LoadEntry> {
    let path = view.target()?;
    let rows = view.rows()?.integer()?;
    let found = find(cx, Space::Types, ServiceId(0), path, Reach::Everywhere, "entity")?;
    match found {
        Declared::Entity(id) => Some(LoadEntry::Rows(id, rows)),
        other => {
            wrong_kind(cx, path.span(), path_text(path), other, "an entity");
            None
        }
    }
}

fn load_rate<'a>(cx: &mut Context<'a>, view: ast::LoadRate<'a>) -> Option<LoadEntry> {
    let path = view.target()?;
    let rate = per_second(view.rate()?)?;
    let peak = view.peak().and_then(per_second);
    if let (Some(peak), Some(literal)) = (peak, view.peak())
        && peak < rate
    {
        cx.report(
            Diagnostic::error("E0601", literal.span(), "the peak lies below the ordinary rate")
                .help("write the worst hour: it is what the system must carry"),
        );
        return None;
    }
    let segments: Vec<ast::Name<'a>> = path.segments().collect();
    // `Product.read`, `sales.Product.read`: an action behind an entity.
    let entity_at =
        segments.iter().position(|name| name.text().starts_with(|c: char| c.is_ascii_uppercase()));
    let Some(entity_at) = entity_at else {
        return match find(
            cx,
            Space::Verbs,
            ServiceId(0),
            path,
            Reach::Everywhere,
            "command or query",
        )? {
            Declared::Command(id) => Some(LoadEntry::CommandRate(id, rate, peak)),
            Declared::Query(id) => Some(LoadEntry::QueryRate(id, rate, peak)),
            other => {
                wrong_kind(cx, path.span(), path_text(path), other, "a command or a query");
                None
            }
        };
    };
    let entity_name = segments[entity_at];
    let declared = match entity_at {
        0 => super::names::find_name(
            cx,
            Space::Types,
            ServiceId(0),
            entity_name,
            Reach::Everywhere,
            "entity",
        ),
        _ => super::names::find_qualified(cx, Space::Types, segments[0], entity_name, "entity"),
    }?;
    let Declared::Entity(entity) = declared else {
        wrong_kind(cx, entity_name.span(), entity_name.text(), declared, "an entity");
        return None;
    };
    let Some(action_name) = segments.get(entity_at + 1) else {
        let name = entity_name.text();
        cx.report(
            Diagnostic::error(
                "E0602",
                path.span(),
                format!("`{name}` does not say what is done so often"),
            )
            .help(format!(
                "write `{name}.read`, `{name}.create`, `{name}.update` or `{name}.delete`"
            )),
        );
        return None;
    };
    let action = Action::ALL.into_iter().find(|action| action.word() == action_name.text());
    let Some(action) = action else {
        let message = format!("nobody can `{}` a row", action_name.text());
        let known = Action::ALL.map(Action::word);
        cx.unknown("E0602", action_name.span(), message, action_name.text(), known);
        return None;
    };
    Some(LoadEntry::EntityRate(entity, action, rate, peak))
}

fn per_second(literal: ast::Literal<'_>) -> Option<f64> {
    let LiteralValue::Rate(rate) = literal.value()? else { return None };
    Some(rate.count as f64 * 1_000_000.0 / rate.per.microseconds() as f64)
}
