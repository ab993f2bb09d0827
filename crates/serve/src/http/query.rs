//! Query strings, read into the words of an intent.

use std::borrow::Cow;

use operation::{FaultCode, Scalar, Value, Violation};
use plan::{Filter, FilterOperator, Shape};
use smallvec::SmallVec;

use super::text;

/// The most parameters of one request.
const MOST: usize = 64;

/// The parameters of a query string, decoded, each name once.
#[derive(Debug, Default)]
pub(crate) struct Parameters<'a> {
    list: SmallVec<[(Cow<'a, str>, Cow<'a, str>); 2]>,
}

impl<'a> Parameters<'a> {
    /// Reads a query string. What is wrong here and below is noted among `faults`, so that it is said together with what is
    /// found later.
    pub(crate) fn parse(query: Option<&'a str>, faults: &mut Vec<Violation>) -> Self {
        let mut this = Self::default();
        let query = query.unwrap_or_default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (text::form(name), text::form(value)) else {
                faults.push(Violation::parameter(
                    FaultCode::WrongFormat,
                    name,
                    "must be UTF-8 in percent-encoding (RFC 3986)",
                ));
                continue;
            };
            if this.list.len() == MOST {
                faults.push(Violation::parameter(
                    FaultCode::OutOfBounds,
                    name,
                    format!("a request has at most {MOST} parameters"),
                ));
                break;
            }
            if this.list.iter().any(|(known, _)| *known == name) {
                let way = match &*name {
                    "include" | "fields" | "sort" => {
                        "; several go into one, with commas between them"
                    }
                    "limit" | "after" => "",
                    name if name.contains('[') => "",
                    _ => "; several values of a filter go into `[in]`, with commas between them",
                };
                faults.push(Violation::parameter(
                    FaultCode::DuplicateMember,
                    name.as_ref(),
                    format!("`{name}` is given twice{way}"),
                ));
                continue;
            }
            this.list.push((name, value));
        }
        this
    }

    /// What of a row is asked for, where nothing else may be.
    pub(crate) fn shape(&self, faults: &mut Vec<Violation>) -> Shape<'_> {
        let mut shape = Shape::default();
        for (name, value) in &self.list {
            match &**name {
                "include" => shape.include = Some(value),
                "fields" => shape.fields = Some(value),
                _ => faults.push(unknown(name, "`include` and `fields`")),
            }
        }
        shape
    }

    /// Nothing may be asked for.
    pub(crate) fn none(&self, faults: &mut Vec<Violation>) {
        faults.extend(self.list.iter().map(|(name, _)| unknown(name, "none")));
    }

    /// What of a list is asked for. Every other name is a filter: whether there is such a field, and whether this
    /// caller may filter by it, only the plan can say.
    pub(crate) fn page(&self, faults: &mut Vec<Violation>) -> Page<'_> {
        let mut page = Page::default();
        for (name, value) in &self.list {
            if page.takes(name, value) {
                continue;
            }
            match filter(name, value) {
                Ok(filter) => page.filters.push(filter),
                Err(violation) => faults.push(violation),
            }
        }
        page
    }

    /// Which events are asked for.
    pub(crate) fn events(&self, with_end: bool, faults: &mut Vec<Violation>) -> EventsAsked<'_> {
        let mut asked = EventsAsked::default();
        for (name, value) in &self.list {
            let wrong =
                |detail: &str| Violation::parameter(FaultCode::WrongFormat, name.as_ref(), detail);
            match &**name {
                "type" => asked.types.extend(value.split(',').filter(|kind| !kind.is_empty())),
                "key" => asked.key = Some(value),
                "since" => match Scalar::Timestamp.parse(value) {
                    Ok(Value::Int(moment)) => asked.since = Some(moment),
                    _ => faults
                        .push(wrong("must be a moment such as 2026-11-21T17:30:00Z (RFC 3339)")),
                },
                "after" | "until" if with_end || &**name == "after" => match value.parse() {
                    Ok(number) if number >= 0 && &**name == "after" => asked.after = Some(number),
                    Ok(number) if number >= 0 => asked.until = Some(number),
                    _ => faults.push(wrong("must be a place that the `Link` of a page has named")),
                },
                "limit" => match value.parse() {
                    Ok(limit) => asked.limit = Some(limit),
                    Err(_) => faults.push(wrong("must be a whole number")),
                },
                _ => faults.push(unknown(name, "`type`, `key`, `since`, `after` and `limit`")),
            }
        }
        asked
    }

    /// What of a query's answer is asked for; every name that says nothing of pages is an argument.
    pub(crate) fn arguments(&self, declared: impl Fn(&str) -> bool) -> Page<'_> {
        let mut page = Page::default();
        for (name, value) in &self.list {
            if declared(name) || !page.takes(name, value) {
                page.arguments.push((name, value));
            }
        }
        page
    }
}

/// Which events are asked for.
#[derive(Debug, Default)]
pub(crate) struct EventsAsked<'a> {
    /// Their types; none where all are.
    pub(crate) types: Vec<&'a str>,
    pub(crate) key: Option<&'a str>,
    /// In microseconds since 1970-01-01T00:00:00Z.
    pub(crate) since: Option<i64>,
    /// Behind this number.
    pub(crate) after: Option<i64>,
    /// Up to this number.
    pub(crate) until: Option<i64>,
    pub(crate) limit: Option<usize>,
}

/// What is asked of a list.
#[derive(Debug, Default)]
pub(crate) struct Page<'a> {
    pub(crate) filters: Vec<Filter<'a>>,
    pub(crate) arguments: Vec<(&'a str, &'a str)>,
    pub(crate) sort: Option<&'a str>,
    pub(crate) limit: Option<&'a str>,
    pub(crate) after: Option<&'a str>,
    pub(crate) shape: Shape<'a>,
}

impl<'a> Page<'a> {
    fn takes(&mut self, name: &str, value: &'a str) -> bool {
        let slot = match name {
            "sort" => &mut self.sort,
            "limit" => &mut self.limit,
            "after" => &mut self.after,
            "include" => &mut self.shape.include,
            "fields" => &mut self.shape.fields,
            _ => return false,
        };
        *slot = Some(value);
        true
    }
}

fn filter<'a>(name: &'a str, value: &'a str) -> Result<Filter<'a>, Violation> {
    let (field, word) = match name.split_once('[') {
        None => (name, "eq"),
        Some((field, rest)) => match rest.strip_suffix(']') {
            Some(word) => (field, word),
            None => return Err(unknown(name, "filters such as `total[gte]`")),
        },
    };
    match FilterOperator::of(word) {
        Some(operator) => Ok(Filter { field, operator, value }),
        None => {
            let words: Vec<_> = FilterOperator::ALL.iter().map(|(_, word)| *word).collect();
            Err(Violation::parameter(
                FaultCode::UnknownParameter,
                name,
                format!("there is no comparison `{word}`; there are: {}", words.join(", ")),
            ))
        }
    }
}

fn unknown(name: &str, allowed: &str) -> Violation {
    let detail = match allowed {
        "none" => format!("there is no parameter `{name}`: none is taken here"),
        allowed => format!("there is no parameter `{name}` here; parameters are: {allowed}"),
    };
    Violation::parameter(FaultCode::UnknownParameter, name, detail)
}

/// The query string of the next page: the same, with another `after`.
pub(crate) fn next(query: Option<&str>, cursor: &str, out: &mut String) {
    next_at(query, &[("after", cursor)], out);
}

/// The same where the place is several parameters; none of their values needs escaping.
pub(crate) fn next_at(query: Option<&str>, place: &[(&str, impl AsRef<str>)], out: &mut String) {
    let mut separator = '?';
    let mut add = |pair: [&str; 2]| {
        out.push(separator);
        out.push_str(pair[0]);
        out.push_str(pair[1]);
        separator = '&';
    };
    for pair in query.unwrap_or_default().split('&') {
        let name = text::form(pair.split('=').next().unwrap_or_default());
        let is_place = place.iter().any(|(known, _)| name.as_deref() == Some(*known));
        if !pair.is_empty() && !is_place {
            add([pair, ""]);
        }
    }
    for (name, value) in place {
        add([&format!("{name}="), value.as_ref()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read() {
        let query =
            "status=paid&total%5Bgte%5D=10&sort=-placed&limit=5&after=x&include=lines&fields=id";
        let mut faults = Vec::new();
        let parameters = Parameters::parse(Some(query), &mut faults);
        let page = parameters.page(&mut faults);
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!(page.filters.len(), 2);
        assert_eq!(page.filters[1].field, "total");
        assert_eq!(page.filters[1].operator, FilterOperator::GreaterOrEqual);
        assert_eq!((page.sort, page.limit, page.after), (Some("-placed"), Some("5"), Some("x")));
        assert_eq!((page.shape.include, page.shape.fields), (Some("lines"), Some("id")));
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let said = |query, read: fn(&Parameters<'_>, &mut Vec<Violation>)| {
            let mut faults = Vec::new();
            read(&Parameters::parse(Some(query), &mut faults), &mut faults);
            faults.into_iter().filter_map(|fault| fault.parameter).collect::<Vec<_>>().join(" ")
        };
        let page: fn(&Parameters<'_>, &mut Vec<Violation>) = |it, faults| drop(it.page(faults));
        let shape: fn(&Parameters<'_>, &mut Vec<Violation>) = |it, faults| {
            it.shape(faults);
        };
        assert_eq!(said("a=1&a=2&b=%zz&c[x]=3", page), "a b c[x]");
        assert_eq!(said("a[x]=1&b[=2&include=c", page), "a[x] b[");
        assert_eq!(said("a=1&a=2&include=c", shape), "a a");
        assert_eq!(said("a=1&include=c", |it, faults| it.none(faults)), "a include");
    }

    #[test]
    fn the_next_page_keeps_the_rest() {
        for (query, wanted) in [
            (None, "?after=Z"),
            (Some("after=A"), "?after=Z"),
            (Some("status=paid&%61fter=A&limit=2"), "?status=paid&limit=2&after=Z"),
        ] {
            let mut out = String::new();
            next(query, "Z", &mut out);
            assert_eq!(out, wanted);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_query_breaks_the_reader(query in "[ -~]{0,80}") {
            let mut faults = Vec::new();
            let parameters = Parameters::parse(Some(&query), &mut faults);
            let _ = (parameters.page(&mut faults), parameters.shape(&mut faults));
            parameters.none(&mut faults);
            let _ = parameters.arguments(|_| false);
        }
    }
}
