//! What others have put beside the tables, and which of it is known to belong there.

use store::Store;

use super::{MigrateFault, Record, drift, note, read, status, text};

/// What stands beside tables: names and definitions, as [`Store::additions`] tells them.
pub(super) type Additions = Vec<(String, String)>;

/// Which additions belong to a database whose tables have changed: those that did before, as they are written now. One that went
/// with its table is forgotten; one that went from a table that is still there is missed from now on.
pub(super) fn belonging(
    known: Option<Additions>,
    found: Additions,
    tables: &[(String, String)],
) -> Additions {
    let Some(known) = known else { return found };
    let parts = |name: &str| {
        name.rsplit_once(" on ").map(|(name, table)| (name.to_owned(), table.to_owned()))
    };
    let is_known = |name: &str| known.iter().any(|(other, _)| other == name);
    let now = |addition: &(String, String)| {
        let (name, table) = parts(&addition.0)?;
        let exactly = found.iter().find(|(other, _)| *other == addition.0);
        // The table may have another name now, what stands beside it has not.
        let moved = || {
            found.iter().find(|(other, _)| {
                !is_known(other) && parts(other).is_some_and(|(other, _)| other == name)
            })
        };
        let is_there = tables.iter().any(|(other, _)| *other == table);
        exactly.or_else(moved).or(is_there.then_some(addition)).cloned()
    };
    known.iter().filter_map(now).collect()
}

/// What was put beside the tables by hand since it was noted what belongs there, as a diff of definitions.
pub(crate) fn added(store: &Store) -> Result<Vec<String>, MigrateFault> {
    let Some(known) = read::<Additions>(store, note::ADDITIONS)? else { return Ok(Vec::new()) };
    Ok(drift::of_additions(&known, &store.additions()?))
}

/// Notes that all that stands beside the tables belongs there; what was not known to before, as a diff of definitions.
///
/// # Errors
/// [`MigrateFault::Unsettled`]: what a change needs goes with it. [`MigrateFault::Store`], [`MigrateFault::Record`].
pub fn accept(store: &Store) -> Result<Vec<String>, MigrateFault> {
    if let Some(Record { began, .. }) = status(store)? {
        return Err(MigrateFault::Unsettled(began));
    }
    let known: Additions = read(store, note::ADDITIONS)?.unwrap_or_default();
    let additions = store.additions()?;
    store.migrate(&[], &[(note::ADDITIONS, &text(&additions))])?;
    Ok(drift::of_additions(&known, &additions))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[(&str, &str)]) -> Additions {
        lines.iter().map(|(name, sql)| ((*name).to_owned(), (*sql).to_owned())).collect()
    }

    #[test]
    fn what_belongs_stays_so_under_other_names_and_is_missed_where_its_table_is() {
        let known = of(&[
            ("trigger touch on a", "1"),
            ("trigger touch on b", "2"),
            ("index cheap on a", "3"),
            ("index old on gone", "4"),
            ("policy own on former", "5"),
        ]);
        let found = of(&[
            ("policy own on latter", "5 now"),
            ("policy strange on a", "by hand"),
            ("trigger touch on a", "1"),
            ("trigger touch on b", "2 now"),
        ]);
        let tables = of(&[("a", ""), ("b", ""), ("latter", "")]);
        let wanted = of(&[
            ("trigger touch on a", "1"),
            ("trigger touch on b", "2 now"),
            ("index cheap on a", "3"),
            ("policy own on latter", "5 now"),
        ]);
        assert_eq!(belonging(Some(known), found.clone(), &tables), wanted);
        assert_eq!(belonging(None, found.clone(), &tables), found, "a database from before");
    }
}
