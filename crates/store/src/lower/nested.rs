//! A read with all its parts as one statement: what suits a database behind a wire.
//!
//! The parts of a row are a column of it: an array of records, made by a subquery. So there is one round trip and one
//! snapshot, and no row is multiplied by the parts of another kind.

use operation::{Cardinality, Dialect, Fault, Object, Output, Parts, Read, Sql, Value};

use super::Statement;
use super::expression::{Lowering, ill_formed};
use super::many::{TypeName, given};
use super::read::{Columns, Shape, Source, Wanted, binds, from, is_of_one_row, source_table};

/// A read as one statement.
#[derive(Debug)]
pub(crate) struct Nested {
    /// The statement.
    pub statement: Statement,
    /// What its columns are for.
    pub rows: Rowwise,
    /// Parts that come as rows of their own.
    pub joined: Option<Joined>,
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

/// The only parts of a row: their columns follow those of the row, which comes once for each part, or once without any.
#[derive(Debug)]
pub(crate) struct Joined {
    /// The column that is not null where there is a part; the part's own come after it.
    pub present: usize,
    /// What those are for.
    pub rows: Rowwise,
}

/// What a read answers, before it is written.
struct Head<'a> {
    columns: Columns<'a>,
    shape: Shape,
    order: Vec<Source>,
    version: Option<usize>,
}

impl<'a> Head<'a> {
    fn of(read: &'a Read, values: &[Value]) -> Result<Self, Fault> {
        if binds(read) > values.len() {
            return Err(ill_formed("no such bind"));
        }
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
        Ok(Self { columns, shape, order, version })
    }
}

impl Nested {
    /// Lowers a read for PostgreSQL. `values` are what the binds hold, for their kinds.
    pub fn of(read: &Read, values: &[Value]) -> Result<Self, Fault> {
        let Head { columns, shape, order, version } = Head::of(read, values)?;
        let mut lowering = Lowering::new(Dialect::Postgres, values.len(), values);
        let nested = part_sources(&read.output);
        let parts = select(&mut lowering, &columns, &nested, ("SELECT ", ""))?;
        let rows = Rowwise { shape, parts };
        let statement = lowering.finish(Vec::new());
        Ok(Self { statement, rows, joined: None, order, version })
    }

    /// Lowers a read of one row for many requests at once. What a placeholder is to one request is here an array with an
    /// element for each, and one more array numbers the requests; the number is the last column of an answer.
    ///
    /// Each is planned as the read itself: the rest is a loop around it. Where a row has but one kind of parts they are joined
    /// to it, for a third less than an array of records costs the database; with two kinds their rows would multiply.
    pub fn together(read: &Read, values: &[Value], type_name: TypeName) -> Result<Self, Fault> {
        let Head { columns, shape, order, version } = Head::of(read, values)?;
        let mut lowering = Lowering::of_given(values.len(), values);
        let nested = part_sources(&read.output);
        let sole = match nested.as_slice() {
            [sole] if sole.source == 0 => Some(*sole),
            _ => None,
        };
        let nested = if sole.is_some() { Vec::new() } else { nested };
        let parts = select(&mut lowering, &columns, &nested, ("SELECT ", ""))?;
        // A limit is a wall to the planner, which otherwise joins the two.
        let is_one = is_of_one_row(&read.table, &read.filter);
        lowering.sql.push(if is_one { ") AS t0" } else { " LIMIT 1) AS t0" });
        let mut joined = None;
        if let Some(sole) = sole {
            // By its name the key is found from the parts; others might have the same.
            let key = read.table.own_key();
            lowering.sql.push(" (");
            for (i, wanted) in columns.wanted.iter().enumerate() {
                lowering.sql.push(if i == 0 { "" } else { ", " });
                match wanted {
                    Wanted::Column(0, column) if *column == key => {
                        let column = read.table.columns.get(key);
                        let column = column.ok_or_else(|| ill_formed("no such column"))?;
                        lowering.sql.ident(&column.name)
                    }
                    _ => lowering.sql.alias("_", i),
                };
            }
            lowering.sql.push(") LEFT JOIN LATERAL (");
            let rows = part(&mut lowering, (read, sole), 0, ("SELECT 1, ", ""))?;
            lowering.sql.push(") AS part ON true");
            joined = Some(Joined { present: columns.wanted.len(), rows });
        }
        let mut statement = lowering.finish(Vec::new());
        let mut sql = Sql::new(Dialect::Postgres);
        sql.push("SELECT t0.*, ").push(if joined.is_some() { "part.*, " } else { "" });
        sql.push("given.number FROM ");
        let parameters = &statement.parameters;
        given(&mut sql, parameters, 0, type_name, |sql| {
            sql.push(if parameters.is_empty() { "" } else { ", " }).push("unnest(");
            sql.bind(parameters.len()).push("::bigint[]) AS number");
        });
        sql.push(" CROSS JOIN LATERAL (");
        let mut text = sql.finish();
        text.push_str(&statement.text);
        statement.text = text;
        Ok(Self { statement, rows: Rowwise { shape, parts }, joined, order, version })
    }
}

/// Writes a read between `before` and `after` its columns, with parts as arrays among them.
fn select<'a>(
    lowering: &mut Lowering<'a>,
    columns: &Columns<'a>,
    nested: &[&'a Parts],
    (before, after): (&'static str, &'static str),
) -> Result<Vec<(usize, Rowwise)>, Fault> {
    let Columns { read, wanted, .. } = columns;
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
    let mut parts = Vec::with_capacity(nested.len());
    for (i, source) in nested.iter().enumerate() {
        if !wanted.is_empty() || i > 0 {
            lowering.sql.push(", ");
        }
        let rows = part(lowering, (read, source), base, ("ARRAY(SELECT ROW(", ")"))?;
        lowering.sql.push(")");
        parts.push((wanted.len() + i, rows));
    }
    if wanted.is_empty() && parts.is_empty() {
        lowering.sql.push("1");
    }
    lowering.sql.push(after);
    from(lowering, read, base)?;
    Ok(parts)
}

/// Writes the read of the parts of a row, whose own read has its sources at `base`.
fn part<'a>(
    lowering: &mut Lowering<'a>,
    (read, source): (&'a Read, &'a Parts),
    base: usize,
    around: (&'static str, &'static str),
) -> Result<Rowwise, Fault> {
    let part = &*source.read;
    let table = source_table(read, source.source)?;
    let bind = part.root_bind.ok_or_else(|| ill_formed("parts that nothing leads to"))?;
    let mut columns = Columns { read: part, wanted: Vec::new(), parts: Vec::new() };
    let shape = columns.shape(&part.output, 0)?;
    let nested = part_sources(&part.output);
    let root = (base + source.source, table, table.own_key());
    let mut parts = Vec::new();
    lowering.inside_of(bind, root, |lowering| {
        parts = select(lowering, &columns, &nested, around)?;
        Ok(())
    })?;
    Ok(Rowwise { shape, parts })
}

/// The parts of an object and of the objects inside it, in the order in which shapes number them.
fn part_sources(object: &Object) -> Vec<&Parts> {
    let mut found = Vec::new();
    for field in &object.fields {
        match &field.output {
            Output::Parts(parts) => found.push(&**parts),
            Output::Reference { object, .. } => found.extend(part_sources(object)),
            Output::Column { .. } => {}
        }
    }
    found
}
