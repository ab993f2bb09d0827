//! Tables from the model, and the way from the tables that are there to the ones that are wanted.
//!
//! ```text
//! Model ── derive ──► Schema ── ddl::sqlite ──► statements for an empty database
//!                       ├── diff(existing) ──► Change { statements, losses, obstacles }: at once, on SQLite
//!                       └── migration::postgres(existing) ──► Migration { steps }: beside the traffic
//! ```
//!
//! What a column's integers or texts mean (money of two digits, a moment, the labels of an enum) is written as a
//! comment into its definition, where SQLite keeps it: so that a change of meaning is seen even where the column
//! type stays.

mod adopt;
mod cover;
pub mod ddl;
mod derive;
mod diff;
mod existing;
pub mod migration;
mod names;

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{EntityId, FieldId, Half};
use operation::{Ident, Scalar, Table, TableId, Value};

pub use adopt::{adopt, are_foreign};
pub use derive::derive;
pub use diff::{Change, Loss, LostRows, diff};
pub use migration::{Facts, Formulas, Hazard, Lock, Migration, Phase, Step, TableFacts, Work};
pub use names::Names;
pub use operation::Dialect;

/// The tables of a model. `TableId(n)` is `EntityId(n)`.
#[derive(Debug, Clone)]
pub struct Schema {
    /// One for each entity, by position.
    pub tables: Vec<Arc<Table>>,
    /// Indexes besides primary keys and unique constraints.
    pub indexes: Vec<Index>,
    /// What the DDL needs and statements do not, by table.
    origins: Vec<Origin>,
    /// Column position of each field of an entity, by field.
    columns: Vec<Option<usize>>,
}

/// An index that keeps a lookup, an order or a reference fast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Its stored name, `ix_<table>_<columns>`.
    pub name: Ident,
    /// Its table.
    pub table: TableId,
    /// Its columns; true where it descends.
    pub columns: Vec<(usize, bool)>,
    /// Whether nobody asked for it: it serves a reference, which deletes and joins look up.
    pub automatic: bool,
}

/// Where a table comes from.
#[derive(Debug, Clone, Default)]
struct Origin {
    /// Names it may have had before.
    was: Vec<Ident>,
    /// Whether a counted key is never given out twice, even after its row is gone.
    never_again: bool,
    /// By column.
    columns: Vec<ColumnOrigin>,
}

/// Where a column comes from.
#[derive(Debug, Clone)]
struct ColumnOrigin {
    /// The name it had before.
    was: Option<Ident>,
    /// The column whose text was split, and which half of it this is.
    half: Option<(Ident, Half)>,
    /// What its values mean.
    meaning: Meaning,
    /// The labels that were renamed: old, new.
    renamed_labels: Vec<(String, String)>,
    /// What a row that is already there gets when the column is new.
    fill: Fill,
    /// Whether its values follow from others.
    computed: bool,
}

/// What the values of a column mean.
#[derive(Debug, Clone, PartialEq)]
enum Meaning {
    /// What its scalar says.
    Scalar(Scalar),
    /// One of these labels.
    Labels(Vec<String>),
}

/// What a row that is already there gets in a new column.
#[derive(Debug, Clone, PartialEq)]
enum Fill {
    /// Nothing is known.
    Unknown,
    /// A constant.
    Value(Value),
    /// The moment of the change.
    Now,
}

impl Schema {
    /// The table of an entity.
    pub fn table(&self, entity: EntityId) -> &Arc<Table> {
        &self.tables[entity.index()]
    }

    /// The labels that a column holds, if it holds labels.
    fn labels(&self, table: TableId, column: usize) -> Option<&[String]> {
        match &self.origins.get(table.0 as usize)?.columns.get(column)?.meaning {
            Meaning::Labels(labels) => Some(labels),
            Meaning::Scalar(_) => None,
        }
    }

    /// The position of a field's column in the table of its entity; `None` if the field belongs to no entity.
    pub fn column(&self, entity: EntityId, field: FieldId) -> Option<usize> {
        let column = *self.columns.get(field.index())?;
        column.filter(|at| *at < self.table(entity).columns.len())
    }

    /// The PostgreSQL schemas that tables of services stand in, each once; none on SQLite.
    pub fn services(&self) -> BTreeSet<&str> {
        self.tables.iter().filter_map(|table| table.name.schema()).collect()
    }

    /// Whether a value of a column says nothing that the model does not say: a computed one, or the default.
    pub fn is_implied(&self, table: &Ident, column: &str, value: &Value) -> bool {
        let found = self.tables.iter().find(|other| other.name == *table);
        let Some(table) = found else { return false };
        let at = table.columns.iter().position(|other| other.name.as_str() == column);
        at.and_then(|at| self.origins[table.id.0 as usize].columns.get(at)).is_some_and(|origin| {
            origin.computed || matches!(&origin.fill, Fill::Value(fill) if fill == value)
        })
    }

    /// The column of a part that holds its root's key; 0, its first column, also for a root.
    pub fn root_column(&self, part: EntityId) -> usize {
        self.table(part).root.unwrap_or(0)
    }
}

/// A text that differs whenever the tables differ: 16 hexadecimal digits, stable across versions. The order of tables, columns
/// and indexes does not matter.
pub fn fingerprint(schema: &Schema) -> String {
    let mut lines: Vec<String> = Vec::new();
    for statement in ddl::sqlite(schema) {
        let mut pieces: Vec<&str> =
            statement.split('\n').map(|piece| piece.trim().trim_end_matches(',')).collect();
        // The first names the table, the last says how it is stored.
        if let [_, middle @ .., _] = pieces.as_mut_slice() {
            middle.sort_unstable();
        }
        lines.push(pieces.join("\n"));
    }
    lines.sort_unstable();
    hash(lines.iter().flat_map(|line| line.bytes().chain([b';'])))
}

/// A short text that differs when other bytes do: 16 hexadecimal digits, stable across versions.
pub fn hash(bytes: impl IntoIterator<Item = u8>) -> String {
    // FNV-1a, 64 bit: nobody gains by a collision, and it needs no library.
    let hash = bytes.into_iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// The DDL of the indexes, unique ones included.
pub fn indexes(schema: &Schema) -> Vec<String> {
    ddl::indexes(schema, Dialect::Sqlite).into_iter().map(|index| index.sql).collect()
}
