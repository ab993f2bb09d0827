//! A read with all its parts as one statement: what suits a database behind a wire.
//!
//! The parts of a row are a column of it: an array of records, made by a subquery. So there is one round trip and one
//! snapshot, and no row is multiplied by the parts of another kind.

use operation::{
    Cardinality, Comparison, Dialect, Expression, Fault, Object, Output, Parts, Read, Sql, Value,
};

use super::Statement;
use super::expression::{Lowering, ill_formed};
use super::many::{TypeName, given};
use super::read::{
    Columns, Shape, Source, Wanted, binds, from, is_of_one_row, source_table, sources,
};
use super::seen::{Seen, can_decide};

/// A read as one statement.
#[derive(Debug)]
pub(crate) struct Nested {
    /// The statement.
    pub statement: Statement,
    /// What its columns are for.
    pub rows: Rowwise,
    /// Parts that come as rows of their own.
    pub joined: Option<Joined>,
    /// How many requests find their rows, where the statement asks for keys alone.
    pub by_key: Option<ByKey>,
    /// Binds of a request that must be equal for it to go with others.
    pub alike: Vec<(usize, usize)>,
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

/// Rows that many requests find by their keys alone; whether a request may see its row is decided of the row.
#[derive(Debug)]
pub(crate) struct ByKey {
    /// The bind that holds the key that a request asks for.
    pub bind: usize,
    /// The column of the key.
    pub key: Source,
    /// What must be true of the row.
    pub seen: Seen,
}

/// What a read answers, before it is written.
struct Head<'a> {
    columns: Columns<'a>,
    shape: Shape,
    order: Vec<Source>,
    version: Option<usize>,
}

impl<'a> Head<'a> {
    fn of(read: &'a Read, values: &[Value], columns: Columns<'a>) -> Result<Self, Fault> {
        if binds(read) > values.len() {
            return Err(ill_formed("no such bind"));
        }
        let mut columns = columns;
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
        let Head { columns, shape, order, version } = Head::of(read, values, Columns::of(read))?;
        let mut lowering = Lowering::new(Dialect::Postgres, values.len(), values);
        let nested = part_sources(&read.output);
        let parts = select(&mut lowering, &columns, &nested, ("SELECT ", ""))?;
        let rows = Rowwise { shape, parts };
        let statement = lowering.finish(Vec::new());
        let (joined, by_key, alike) = (None, None, Vec::new());
        Ok(Self { statement, rows, joined, by_key, alike, order, version })
    }

    /// Lowers a read of one row or of a page for many requests at once. What a placeholder is to one request is here an array
    /// with an element for each, and one more array numbers the requests; the number is the last column of an answer.
    ///
    /// Each is planned as the read itself: the rest is a loop around it, so that the rows of a page come in its order. Where a
    /// row that is asked for alone has but one kind of parts they are joined to it, for a third less than an array of records
    /// costs the database; with two kinds their rows would multiply.
    ///
    /// Where requests differ in their keys, and in nothing else that only the database could decide, the keys are all that is
    /// asked for ([`Nested::by_key`]): without the loop the database needs a tenth less.
    ///
    /// Reads of several callers are worded alike where they can be, and then go together as well: what a policy adds is decided
    /// of the answer, or where it asks once more for what was asked for ([`Nested::alike`]) of the request.
    pub fn together(read: &Read, values: &[Value], type_name: TypeName) -> Result<Self, Fault> {
        if let Some(by_key) = Self::found_by_key(read, values, type_name)? {
            return Ok(by_key);
        }
        let (filter, alike) = without_repeated(&read.filter);
        let read = &Read { filter, ..read.clone() };
        let Head { columns, shape, order, version } = Head::of(read, values, Columns::of(read))?;
        let mut lowering = Lowering::of_given(values.len(), values);
        let nested = part_sources(&read.output);
        let is_page = read.cardinality != Cardinality::One;
        let sole = match nested.as_slice() {
            [sole] if sole.source == 0 && !is_page => Some(*sole),
            _ => None,
        };
        let nested = if sole.is_some() { Vec::new() } else { nested };
        let parts = select(&mut lowering, &columns, &nested, ("SELECT ", ""))?;
        // A limit is a wall to the planner, which otherwise joins the two. A page has its own.
        let is_limited = is_page || is_of_one_row(&read.table, &read.filter);
        lowering.sql.push(if is_limited { ") AS t0" } else { " LIMIT 1) AS t0" });
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
            let rows = part(&mut lowering, (read, sole), (0, false), ("SELECT 1, ", ""))?;
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
        let rows = Rowwise { shape, parts };
        Ok(Self { statement, rows, joined, by_key: None, alike, order, version })
    }

    /// The same by keys alone; `None` where something else of a request is needed to find or to shape its row.
    fn found_by_key(
        read: &Read,
        values: &[Value],
        type_name: TypeName,
    ) -> Result<Option<Self>, Fault> {
        if read.cardinality != Cardinality::One {
            return Ok(None);
        }
        let Some((bind, conditions)) = key_and_conditions(read) else { return Ok(None) };
        let Head { mut columns, shape, order, version } =
            Head::of(read, values, Columns::deciding(read))?;
        let key = columns.column(0, read.table.own_key())?;
        let seen = Seen::of(&mut columns, 0, conditions)?;
        // Behind all binds: a column of keys that no request has.
        let keys = values.len();
        let mut lowering = Lowering::new(Dialect::Postgres, keys + 1, values);
        let nested = part_sources(&read.output);
        let sole = match nested.as_slice() {
            [sole] if sole.source == 0 => Some(*sole),
            _ => None,
        };
        let arrays = if sole.is_some() { Vec::new() } else { nested };
        let (base, parts) = select_columns(&mut lowering, &columns, &arrays, "SELECT ")?;
        if sole.is_some() {
            lowering.sql.push(", part.*");
        }
        sources(&mut lowering, read, (base, &columns.decided))?;
        let mut joined = None;
        if let Some(sole) = sole {
            lowering.sql.push(" LEFT JOIN LATERAL (");
            let rows =
                part(&mut lowering, (read, sole), (base, columns.decides), ("SELECT 1, ", ""))?;
            lowering.sql.push(") AS part ON true");
            joined = Some(Joined { present: columns.wanted.len(), rows });
        }
        lowering.sql.push(" WHERE ");
        lowering.column(base, &read.table, read.table.own_key())?;
        lowering.sql.push(" = ANY(");
        lowering.bind(keys, key.scalar);
        lowering.sql.push("::").push(type_name(key.scalar)).push("[])");
        let statement = lowering.finish(Vec::new());
        if statement.parameters.len() > 1 {
            return Ok(None);
        }
        let by_key = Some(ByKey { bind, key, seen });
        let rows = Rowwise { shape, parts };
        Ok(Some(Self { statement, rows, joined, by_key, alike: Vec::new(), order, version }))
    }
}

/// A condition without terms that say a second time what a column equals, and the binds that must then be equal.
fn without_repeated(filter: &Expression) -> (Expression, Vec<(usize, usize)>) {
    let Expression::And(terms) = filter else { return (filter.clone(), Vec::new()) };
    let mut known: Vec<(&Expression, usize)> = Vec::new();
    let mut alike = Vec::new();
    let mut left = Vec::new();
    for term in terms {
        if let Expression::Compare(Comparison::Equal, a, b) = term
            && let (Expression::Column { .. }, Expression::Bind(bind)) = (&**a, &**b)
        {
            if let Some((_, first)) = known.iter().find(|(column, _)| *column == &**a) {
                alike.push((*first, *bind));
                continue;
            }
            known.push((a, *bind));
        }
        left.push(term.clone());
    }
    let sole = if left.len() == 1 { left.pop() } else { None };
    (sole.unwrap_or(Expression::And(left)), alike)
}

/// The bind that holds the key of the one row that a read answers, and what else must be true of it, where that is decided by its
/// own columns.
fn key_and_conditions(read: &Read) -> Option<(usize, Vec<&Expression>)> {
    let own = read.table.own_key();
    let column = read.table.columns.get(own)?;
    // Of a table of others a key may be a view's, and name several rows.
    let of_others = read.table.version.is_none() || column.native.is_some();
    if of_others || read.root_bind.is_some() || read.table.key.len() != 1 {
        return None;
    }
    let terms = match &read.filter {
        Expression::And(terms) => terms.as_slice(),
        term => std::slice::from_ref(term),
    };
    let mut bind = None;
    let mut conditions = Vec::new();
    for term in terms {
        match term {
            Expression::Compare(Comparison::Equal, a, b)
                if bind.is_none() && **a == Expression::column(own) =>
            {
                match **b {
                    Expression::Bind(at) => bind = Some(at),
                    _ => conditions.push(term),
                }
            }
            _ => conditions.push(term),
        }
    }
    let decided = conditions.iter().all(|condition| can_decide(&read.table, condition));
    decided.then_some((bind?, conditions))
}

/// Writes a read between `before` and `after` its columns, with parts as arrays among them.
fn select<'a>(
    lowering: &mut Lowering<'a>,
    columns: &Columns<'a>,
    nested: &[&'a Parts],
    (before, after): (&'static str, &'static str),
) -> Result<Vec<(usize, Rowwise)>, Fault> {
    let (base, parts) = select_columns(lowering, columns, nested, before)?;
    lowering.sql.push(after);
    from(lowering, columns.read, (base, &columns.decided))?;
    Ok(parts)
}

/// The same up to the columns; the alias of its first source, and its parts.
fn select_columns<'a>(
    lowering: &mut Lowering<'a>,
    columns: &Columns<'a>,
    nested: &[&'a Parts],
    before: &'static str,
) -> Result<(usize, Vec<(usize, Rowwise)>), Fault> {
    let Columns { read, wanted, decides, .. } = columns;
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
        let rows = part(lowering, (read, source), (base, *decides), ("ARRAY(SELECT ROW(", ")"))?;
        lowering.sql.push(")");
        parts.push((wanted.len() + i, rows));
    }
    if wanted.is_empty() && parts.is_empty() {
        lowering.sql.push("1");
    }
    Ok((base, parts))
}

/// Writes the read of the parts of a row, whose own read has its sources at `base`. `decides` as of [`Columns`].
fn part<'a>(
    lowering: &mut Lowering<'a>,
    (read, source): (&'a Read, &'a Parts),
    (base, decides): (usize, bool),
    around: (&'static str, &'static str),
) -> Result<Rowwise, Fault> {
    let part = &*source.read;
    let table = source_table(read, source.source)?;
    let bind = part.root_bind.ok_or_else(|| ill_formed("parts that nothing leads to"))?;
    let mut columns = if decides { Columns::deciding(part) } else { Columns::of(part) };
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
