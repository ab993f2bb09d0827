//! Values of rows that are there, worked out anew: a few aggregates at a time, each batch in a transaction of its own.

use operation::{Dialect, Fault, Scalar, Table, Value};
use rustc_hash::FxHashSet;

use crate::StoreFault;
use crate::lower::{self, Between, Statement};

/// A batch of aggregates whose values are worked out anew.
#[derive(Debug)]
pub struct Renewal<'a> {
    /// The table of the roots, then those of their parts.
    pub tables: &'a [&'a Table],
    /// The key of the last root that was looked at; `None` where none was.
    pub after: Option<Value>,
    /// How many roots are looked at, at most.
    pub most: u64,
    /// Whether a root is another version when values of it or of its parts change.
    pub is_version: bool,
}

/// What came of a batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Renewed {
    /// Roots that were looked at.
    pub seen: u64,
    /// Rows that were written.
    pub rows: u64,
    /// The key of the last root, behind which the next batch begins; `None` where there are no more.
    pub last: Option<Value>,
}

/// Gives rows their new values: by table as [`Renewal::tables`] says, by row, by column. Keys stay.
pub type Compute<'a> = dyn FnMut(&mut [Vec<Vec<Value>>]) -> Result<(), StoreFault> + Send + 'a;

impl Renewal<'_> {
    /// The statement that reads the roots; binds: the key behind which it reads, where one is said.
    pub(crate) fn roots(&self, dialect: Dialect) -> Result<Statement, Fault> {
        let [root, ..] = self.tables else { return Err(nothing()) };
        let between = Between {
            column: *root.key.first().ok_or_else(nothing)?,
            after: self.after.is_some(),
            until: false,
            most: Some(self.most),
        };
        lower::between(dialect, root, &between)
    }

    /// The statement that reads the parts of those roots; binds: the key behind which they were read, where one is said, and the
    /// last.
    pub(crate) fn parts(&self, dialect: Dialect, part: &Table) -> Result<Statement, Fault> {
        let between = Between {
            column: part.root.ok_or_else(nothing)?,
            after: self.after.is_some(),
            until: true,
            most: None,
        };
        lower::between(dialect, part, &between)
    }

    /// The scalar of the roots' key.
    pub(crate) fn key(&self) -> Result<(usize, Scalar), Fault> {
        let [root, ..] = self.tables else { return Err(nothing()) };
        let at = *root.key.first().ok_or_else(nothing)?;
        Ok((at, root.columns.get(at).ok_or_else(nothing)?.scalar))
    }

    /// What came of it, if this was the last root.
    pub(crate) fn renewed(&self, seen: usize, written: usize, last: Value) -> Renewed {
        let last = (seen as u64 == self.most).then_some(last);
        Renewed { seen: seen as u64, rows: written as u64, last }
    }

    /// What has to be written, and the new rows: a root whose parts have changed is another version, too.
    pub(crate) fn changes(
        &self,
        before: &[Vec<Vec<Value>>],
        after: &mut [Vec<Vec<Value>>],
    ) -> Vec<Written> {
        let [root, ..] = self.tables else { return Vec::new() };
        let mut written: Vec<Written> = Vec::new();
        let mut touched: FxHashSet<Value> = FxHashSet::default();
        for (at, table) in self.tables.iter().enumerate().rev() {
            let (Some(old), Some(new)) = (before.get(at), after.get_mut(at)) else { continue };
            let own = table.key.first().copied().unwrap_or(0);
            for (row, (old, new)) in old.iter().zip(new).enumerate() {
                let mut columns: Vec<usize> =
                    (0..table.columns.len()).filter(|at| old.get(*at) != new.get(*at)).collect();
                let key = new.get(table.root.unwrap_or(own)).cloned().unwrap_or_default();
                let is_root = table.id == root.id;
                let is_version = is_root && self.is_version;
                if columns.is_empty() && !(is_version && touched.contains(&key)) {
                    continue;
                }
                match table.version {
                    Some(version) if is_version => {
                        if let Some(Value::Int(number)) = new.get_mut(version) {
                            *number += 1;
                        }
                        columns.push(version);
                    }
                    _ => {
                        touched.insert(key);
                    }
                }
                written.push(Written { table: at, row, columns });
            }
        }
        written
    }
}

/// A row that has other values now.
#[derive(Debug, PartialEq)]
pub(crate) struct Written {
    /// Its table, by position.
    pub(crate) table: usize,
    /// Its position among those that were read.
    pub(crate) row: usize,
    /// Which columns.
    pub(crate) columns: Vec<usize>,
}

impl Written {
    /// Its table, and the row as it is now.
    pub(crate) fn of<'r>(
        &self,
        renewal: &Renewal<'r>,
        rows: &'r [Vec<Vec<Value>>],
    ) -> Result<(&'r Table, &'r [Value]), Fault> {
        let table = renewal.tables.get(self.table).ok_or_else(nothing)?;
        let row = rows.get(self.table).and_then(|rows| rows.get(self.row));
        Ok((table, row.ok_or_else(nothing)?))
    }

    /// What the statement of [`lower::update`] is given: the values, then the key.
    pub(crate) fn binds<'v>(&self, table: &Table, row: &'v [Value]) -> Vec<(Scalar, &'v Value)> {
        let bind = |at: &usize| Some((table.columns.get(*at)?.scalar, row.get(*at)?));
        self.columns.iter().chain(&table.key).filter_map(bind).collect()
    }
}

fn nothing() -> Fault {
    lower::ill_formed("no aggregate")
}

/// A fault of a statement that cannot be written.
pub(crate) fn unwritable(fault: &Fault) -> StoreFault {
    StoreFault::Database { reason: fault.to_string() }
}

/// The fault of a row whose new value another one still has: they change one by one.
pub(crate) fn collides(table: &Table) -> StoreFault {
    let reason = format!(
        "a row of `{}` would come to a unique value that another one still has (leave `unique` out, carry that out, and bring it \
         back with the next change)",
        table.name
    );
    StoreFault::Formula { reason }
}
