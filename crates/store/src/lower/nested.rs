//! A read with all its parts as one statement: what suits a database behind a wire.
//!
//! The parts of a row are a column of it: an array of records, made by a subquery. So there is one round trip and one
//! snapshot, and no row is multiplied by the parts of another kind.

use operation::{Cardinality, Dialect, Fault, Read, Value};

use super::Statement;
use super::expression::{Lowering, ill_formed};
use super::read::{Columns, Shape, Source, binds, from, source_table};

/// A read as one statement.
#[derive(Debug)]
pub(crate) struct Nested {
    /// The statement.
    pub statement: Statement,
    /// What its columns are for.
    pub rows: Rowwise,
    /// The answer's columns that a cursor is made of.
    pub order: Vec<Source>,
    /// The answer's column that holds the version.
    pub version: Option<usize>,
}

/// What the columns of a row are for.
#[derive(Debug)]
pub(crate) struct Rowwise {
    /// The object made of it.
    pub shape: Shape,
    /// For each of its parts the column that holds them, and what the columns of each are for.
    pub parts: Vec<(usize, Rowwise)>,
}

impl Nested {
    /// Lowers a read for PostgreSQL. `values` are what the binds hold, for their kinds.
    pub fn of(read: &Read, values: &[Value]) -> Result<Self, Fault> {
        if binds(read) > values.len() {
            return Err(ill_formed("no such bind"));
        }
        let mut lowering = Lowering::new(Dialect::Postgres, values.len(), values);
        let mut columns = Columns { read, wanted: Vec::new(), parts: Vec::new() };
        let shape = columns.shape(&read.output, 0)?;
        let version = match read.table.version.filter(|_| read.cardinality == Cardinality::One) {
            Some(column) => Some(columns.column(0, column)?.at),
            None => None,
        };
        let mut order = Vec::new();
        if matches!(read.cardinality, Cardinality::Page { .. }) {
            for term in &read.order {
                order.push(columns.column(0, term.column)?);
            }
        }
        let parts = select(&mut lowering, &columns, "SELECT ", "")?;
        let rows = Rowwise { shape, parts };
        Ok(Self { statement: lowering.finish(Vec::new()), rows, order, version })
    }
}

/// Writes a read between `before` and `after` its columns.
fn select<'a>(
    lowering: &mut Lowering<'a>,
    columns: &Columns<'a>,
    before: &'static str,
    after: &'static str,
) -> Result<Vec<(usize, Rowwise)>, Fault> {
    let Columns { read, wanted, parts } = columns;
    let base = lowering.alias();
    for _ in &read.joins {
        lowering.alias();
    }
    lowering.sql.push(before);
    for (i, wanted) in wanted.iter().enumerate() {
        if i > 0 {
            lowering.sql.push(", ");
        }
        wanted.write(lowering, read, base)?;
    }
    let mut nested = Vec::with_capacity(parts.len());
    for (i, source) in part_sources(&read.output).into_iter().enumerate() {
        if !wanted.is_empty() || i > 0 {
            lowering.sql.push(", ");
        }
        let part = &*source.read;
        let table = source_table(read, source.source)?;
        let bind = part.root_bind.ok_or_else(|| ill_formed("parts that nothing leads to"))?;
        let mut columns = Columns { read: part, wanted: Vec::new(), parts: Vec::new() };
        let shape = columns.shape(&part.output, 0)?;
        let around = (base + source.source, table, table.own_key());
        let mut parts = Vec::new();
        lowering.inside_of(bind, around, |lowering| {
            parts = select(lowering, &columns, "ARRAY(SELECT ROW(", ")")?;
            lowering.sql.push(")");
            Ok(())
        })?;
        nested.push((wanted.len() + i, Rowwise { shape, parts }));
    }
    if wanted.is_empty() && nested.is_empty() {
        lowering.sql.push("1");
    }
    lowering.sql.push(after);
    from(lowering, read, base)?;
    Ok(nested)
}

/// The parts of an object and of the objects inside it, in the order in which shapes number them.
fn part_sources(object: &operation::Object) -> Vec<&operation::Parts> {
    let mut found = Vec::new();
    for field in &object.fields {
        match &field.output {
            operation::Output::Parts(parts) => found.push(&**parts),
            operation::Output::Reference { object, .. } => found.extend(part_sources(object)),
            operation::Output::Column { .. } => {}
        }
    }
    found
}
