//! The edits that diagnostics and findings carry.

use syntax::{Diagnostic, Fix, Span};

/// The fixes of the diagnostics that touch a range, each with its diagnostic.
pub fn actions(
    diagnostics: &[Diagnostic],
    range: Span,
) -> impl Iterator<Item = (&Diagnostic, &Fix)> {
    let touches = move |place: Span| {
        place.file == range.file && place.start <= range.end && range.start <= place.end
    };
    diagnostics
        .iter()
        .filter(move |it| touches(it.primary.span))
        .flat_map(|it| it.fixes.iter().map(move |fix| (it, fix)))
}
