//! From a name to where it is declared, and to where it is used.

use syntax::{FileId, Span};

use crate::Analysis;

/// Where the name at an offset is declared. A short form (`{ order }`) is two names: both are answered, the variable first.
#[must_use]
pub fn definition(analysis: &Analysis, file: FileId, offset: u32) -> Vec<Span> {
    let names = analysis.names_at(file, offset);
    let Some((first, _)) = names.first().copied() else { return Vec::new() };
    let mut found: Vec<Span> = Vec::new();
    for (used, declared) in names {
        if used == first && !found.contains(&declared) {
            found.push(declared);
        }
    }
    found
}

/// Where the thing whose name stands at an offset is named: its declaration, if it is wanted, then each use.
#[must_use]
pub fn references(
    analysis: &Analysis,
    file: FileId,
    offset: u32,
    with_declaration: bool,
) -> Vec<Span> {
    let declared = definition(analysis, file, offset);
    let mut found: Vec<Span> = if with_declaration { declared.clone() } else { Vec::new() };
    let uses = analysis.uses().names.iter();
    found.extend(uses.filter(|(_, to)| declared.contains(to)).map(|(used, _)| *used));
    found.sort_unstable();
    found.dedup();
    found
}
