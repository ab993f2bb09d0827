//! The edits that mend what was found.

use syntax::{Applicability, Diagnostic, Edit, FileId, Parse};

/// What came of mending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mended {
    /// The files that change, with their new texts.
    pub files: Vec<(FileId, String)>,
    /// How many findings were mended.
    pub fixes: usize,
}

/// Applies the first fix of each diagnostic that may be applied: the safe ones, and the others where `also_unsafe`. Of two
/// whose edits overlap the earlier wins; the other is found again by the next review.
#[must_use]
pub fn mend<'d>(
    parses: &[&Parse],
    diagnostics: impl IntoIterator<Item = &'d Diagnostic>,
    also_unsafe: bool,
) -> Mended {
    let mut edits: Vec<&Edit> = Vec::new();
    let mut fixes = 0;
    for diagnostic in diagnostics {
        let fix = diagnostic
            .fixes
            .iter()
            .find(|fix| also_unsafe || fix.applicability == Applicability::Safe);
        let Some(fix) = fix else { continue };
        let clashes = fix.edits.iter().any(|edit| edits.iter().any(|known| clash(known, edit)));
        if !clashes && !fix.edits.is_empty() {
            edits.extend(&fix.edits);
            fixes += 1;
        }
    }
    let files = parses
        .iter()
        .filter(|parse| edits.iter().any(|edit| edit.span.file == parse.file))
        .map(|parse| {
            let own = edits.iter().copied();
            (parse.file, syntax::apply(parse.file, &parse.text, own))
        })
        .collect();
    Mended { files, fixes }
}

/// Whether two edits touch the same text. Two that insert at one place are kept apart as well: their order means nothing.
fn clash(one: &Edit, other: &Edit) -> bool {
    let (a, b) = (one.span, other.span);
    a.file == b.file
        && ((a.start < b.end && b.start < a.end)
            || (a.start == b.start && one.replacement == other.replacement)
            || (a.start == b.start && a.end == b.end && a.start != a.end)
            || (a.start < a.end && b.start == b.end && a.start < b.start && b.start < a.end))
}
