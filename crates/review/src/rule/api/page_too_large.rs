//! API001

use model::QueryId;

use crate::facts::Facts;
use crate::{Findings, number};

/// Bytes in a second that fill a gigabit of network.
const MOST: f64 = 100_000_000.0;

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (at, query) in facts.model.queries.iter().enumerate() {
        let id = QueryId(at as u32);
        let Some(rate) = facts.loads.query(id) else { continue };
        let rows = facts
            .loads
            .rows(query.entity)
            .map_or(f64::from(query.page), |rows| rows.min(f64::from(query.page)));
        let page = rows * facts.row_bytes(query.entity);
        let total = page * rate.peak;
        if total <= MOST {
            continue;
        }
        let entity = &facts.model[query.entity];
        let message =
            format!("the pages of `{}` are {} a second", query.name, number::bytes(total));
        let finding = findings
            .at(query.span, message)
            .text(format!("answers {}", number::plural(query.page as usize, "row", "rows")))
            .label(rate.span, "this often")
            .label(
                entity.span,
                format!("about {} each", number::bytes(facts.row_bytes(query.entity))),
            )
            .note(format!(
                "{}/s of pages with {}: a gigabit of network carries 125 MB/s",
                number::count(rate.peak),
                number::bytes(page)
            ))
            .help("answer fewer rows on a page, or move what is wide into an entity of its own");
        findings.add(facts.query_path(id), finding);
    }
}
