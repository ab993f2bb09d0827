//! Reads.

use std::sync::Arc;

use operation::{
    Cardinality, Comparison, Dialect, Expression, Fault, Object, Output, Read, Scalar, Table,
};

use super::Statement;
use super::expression::{Lowering, binds_of, ill_formed};
use super::seen::Seen;

/// A read as one statement and one more for each of its parts, and what its columns are for: what suits a database
/// that is no more than a call away.
#[derive(Debug)]
pub(crate) struct Select {
    /// The statement.
    pub statement: Statement,
    /// The object made of each row.
    pub shape: Shape,
    /// Reads of parts, each with the answer's column that holds the key of the parts' root.
    pub parts: Vec<(Arc<Read>, Source)>,
    /// The answer's columns that a cursor is made of.
    pub order: Vec<Source>,
    /// The answer's column that holds the version.
    pub version: Option<usize>,
    /// For each join the answer's column that refers.
    pub joined: Vec<Source>,
}

/// A JSON object, by columns of the answer.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Its members. A label begins with the comma that the first member has none of: one write less for each.
    pub members: Vec<(Box<str>, Option<usize>, Member)>,
}

/// A member's value; in [`Shape::members`] after its label and the column of its condition.
#[derive(Debug)]
pub(crate) enum Member {
    /// A column.
    Column(Source),
    /// An object where `present` is not null, otherwise the bare key.
    Reference {
        /// Column of the target's key.
        present: usize,
        /// Column that refers.
        bare: Source,
        /// What else must hold of the target, where the statement does not ask for it.
        seen: Option<Seen>,
        /// The object.
        shape: Shape,
    },
    /// Parts, by position in [`Select::parts`].
    Parts(usize),
}

/// A column of the answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    /// Its position.
    pub at: usize,
    /// What it means.
    pub scalar: Scalar,
}

impl Select {
    /// Lowers a read for SQLite.
    pub fn of(read: &Read) -> Result<Self, Fault> {
        let mut lowering = Lowering::new(Dialect::Sqlite, binds(read), &[]);
        for _ in 0..=read.joins.len() {
            lowering.alias();
        }
        let mut columns = Columns::of(read);
        let shape = columns.shape(&read.output, 0)?;
        // The rows of a page go without: their index need not hold it, and may then serve without the rows.
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
        let mut joined = Vec::new();
        for join in &read.joins {
            joined.push(columns.column(join.source, join.column)?);
        }
        let Columns { wanted, parts, .. } = columns;
        lowering.sql.push("SELECT ");
        for (i, wanted) in wanted.iter().enumerate() {
            if i > 0 {
                lowering.sql.push(", ");
            }
            wanted.write(&mut lowering, read, 0)?;
        }
        if wanted.is_empty() {
            lowering.sql.push("1");
        }
        from(&mut lowering, read, (0, &[]))?;
        let statement = lowering.finish(Vec::new());
        Ok(Self { statement, shape, parts, order, version, joined })
    }
}

/// What the statement must answer, in order.
pub(super) struct Columns<'a> {
    pub read: &'a Read,
    pub wanted: Vec<Wanted<'a>>,
    /// Parts, each with the answer's column that holds the key of their root.
    pub parts: Vec<(Arc<Read>, Source)>,
    /// Whether what may be seen of references is decided of the answer where that can be.
    pub decides: bool,
    /// The joins of which it is, by position: their conditions are not asked for.
    pub decided: Vec<usize>,
}

/// A column of the answer.
#[derive(Clone, Copy)]
pub(super) enum Wanted<'a> {
    /// The column of a source.
    Column(usize, usize),
    /// What a condition says of the row of a source.
    Condition(usize, &'a Expression),
}

impl<'a> Wanted<'a> {
    /// Writes it; source 0 has the alias `base`, the others those after it.
    pub fn write(
        self,
        lowering: &mut Lowering<'a>,
        read: &'a Read,
        base: usize,
    ) -> Result<(), Fault> {
        match self {
            Wanted::Column(source, column) => {
                lowering.answered(base + source, source_table(read, source)?, column)
            }
            Wanted::Condition(source, condition) => {
                lowering.with_row(base + source, source_table(read, source)?, condition)
            }
        }
    }
}

impl<'a> Columns<'a> {
    pub fn of(read: &'a Read) -> Self {
        let (wanted, parts, decided) = (Vec::new(), Vec::new(), Vec::new());
        Self { read, wanted, parts, decides: false, decided }
    }

    /// The same, deciding of the answer what may be seen of references, where nothing of a row stands outside of its object.
    pub fn deciding(read: &'a Read) -> Self {
        Self { decides: is_inside(read, &read.output, 0), ..Self::of(read) }
    }

    pub fn shape(&mut self, object: &'a Object, source: usize) -> Result<Shape, Fault> {
        let mut members = Vec::with_capacity(object.fields.len());
        for field in &object.fields {
            let condition = field.condition.as_ref().map(|condition| {
                self.wanted.push(Wanted::Condition(source, condition));
                self.wanted.len() - 1
            });
            let member = match &field.output {
                Output::Column { source, column } => Member::Column(self.column(*source, *column)?),
                Output::Reference { source, object } => {
                    let join = source
                        .checked_sub(1)
                        .and_then(|at| self.read.joins.get(at))
                        .ok_or_else(|| ill_formed("a reference without its join"))?;
                    let present = self.column(*source, join.table.own_key())?.at;
                    let bare = self.column(join.source, join.column)?;
                    let shape = self.shape(object, *source)?;
                    // Behind the object, most of whose columns it shares.
                    let seen = match Seen::of_reference(join).filter(|_| self.decides) {
                        Some(condition) => {
                            self.decided.push(*source - 1);
                            Some(Seen::of(self, *source, [condition])?)
                        }
                        None => None,
                    };
                    Member::Reference { present, bare, seen, shape }
                }
                Output::Parts(parts) => {
                    let table = source_table(self.read, parts.source)?;
                    let key = self.column(parts.source, table.own_key())?;
                    self.parts.push((parts.read.clone(), key));
                    Member::Parts(self.parts.len() - 1)
                }
            };
            members.push((format!(",{}", field.label).into(), condition, member));
        }
        Ok(Shape { members })
    }

    pub fn column(&mut self, source: usize, column: usize) -> Result<Source, Fault> {
        let table = source_table(self.read, source)?;
        let scalar = table.columns.get(column).ok_or_else(|| ill_formed("no such column"))?.scalar;
        let known = self.wanted.iter().position(
            |wanted| matches!(wanted, Wanted::Column(s, c) if (*s, *c) == (source, column)),
        );
        let at = known.unwrap_or_else(|| {
            self.wanted.push(Wanted::Column(source, column));
            self.wanted.len() - 1
        });
        Ok(Source { at, scalar })
    }
}

/// Whether an object has only columns and parts of its own source, and so have the objects inside it.
fn is_inside(read: &Read, object: &Object, source: usize) -> bool {
    object.fields.iter().all(|field| match &field.output {
        Output::Column { source: of, .. } => *of == source,
        Output::Parts(parts) => parts.source == source,
        Output::Reference { source: of, object } => {
            let join = of.checked_sub(1).and_then(|at| read.joins.get(at));
            join.is_some_and(|join| join.source == source) && is_inside(read, object, *of)
        }
    })
}

/// Writes the tables of a read behind its columns; source 0 has the alias `base`, the others those after it. What of its joins is
/// [decided](Columns::decided) is not asked for.
pub(super) fn sources<'a>(
    lowering: &mut Lowering<'a>,
    read: &'a Read,
    (base, decided): (usize, &[usize]),
) -> Result<(), Fault> {
    lowering.sql.push(" FROM ");
    lowering.table(base, &read.table);
    if let (Dialect::Sqlite, Some(index)) = (lowering.sql.dialect(), &read.index) {
        lowering.sql.push(" INDEXED BY ").ident(index);
    }
    for (i, join) in read.joins.iter().enumerate() {
        lowering.sql.push(" LEFT JOIN ");
        let alias = base + i + 1;
        lowering.table(alias, &join.table);
        lowering.sql.push(" ON ");
        lowering.column(alias, &join.table, join.table.own_key())?;
        lowering.sql.push(" = ");
        lowering.column(base + join.source, source_table(read, join.source)?, join.column)?;
        let is_asked = join.condition != Expression::yes();
        if is_asked && !decided.contains(&i) {
            lowering.sql.push(" AND ");
            lowering.with_row(alias, &join.table, &join.condition)?;
        }
    }
    Ok(())
}

/// Writes everything behind the columns of a read; source 0 has the alias `base`, the others those after it. `decided` as of
/// [`sources`].
pub(super) fn from<'a>(
    lowering: &mut Lowering<'a>,
    read: &'a Read,
    (base, decided): (usize, &[usize]),
) -> Result<(), Fault> {
    sources(lowering, read, (base, decided))?;
    let mut conjunction = " WHERE ";
    if let (Some(at), Some(root)) = (read.root_bind, read.table.root)
        && !bound_to(&read.filter, root, at)
    {
        // Parts of another root are never an answer, whatever the filter says.
        lowering.sql.push(conjunction);
        lowering.column(base, &read.table, root)?;
        lowering.sql.push(" = ");
        let scalar = read.table.columns.get(root).map_or(Scalar::Int, |column| column.scalar);
        lowering.placeholder(at, scalar)?;
        conjunction = " AND ";
    }
    if read.filter != Expression::yes() {
        lowering.sql.push(conjunction);
        lowering.filter(base, &read.table, &read.filter)?;
    }
    for (i, term) in read.order.iter().enumerate() {
        lowering.sql.push(if i == 0 { " ORDER BY " } else { ", " });
        lowering.column(base, &read.table, term.column)?;
        let column = read.table.columns.get(term.column);
        let nullable = column.is_none_or(|column| column.nullable);
        lowering.sql.push(match (term.descending, lowering.sql.dialect()) {
            (false, Dialect::Postgres) if nullable => " ASC NULLS FIRST",
            (true, Dialect::Postgres) if nullable => " DESC NULLS LAST",
            (false, _) => "",
            (true, _) => " DESC",
        });
    }
    if let Cardinality::Page { limit } = read.cardinality {
        lowering.sql.push(" LIMIT ");
        lowering.bind(limit, Scalar::Int);
        lowering.sql.push(" + 1");
    }
    Ok(())
}

/// Whether a condition holds only where the column equals the bind.
fn bound_to(filter: &Expression, column: usize, bind: usize) -> bool {
    match filter {
        Expression::And(terms) => terms.iter().any(|term| bound_to(term, column, bind)),
        Expression::Compare(Comparison::Equal, a, b) => {
            **a == Expression::column(column) && **b == Expression::Bind(bind)
        }
        _ => false,
    }
}

/// Whether a condition holds of one row at most: the one whose key is a bind.
pub(super) fn is_of_one_row(table: &Table, filter: &Expression) -> bool {
    match filter {
        Expression::And(terms) => terms.iter().any(|term| is_of_one_row(table, term)),
        Expression::Compare(Comparison::Equal, a, b) => {
            table.key.len() == 1
                && **a == Expression::column(table.own_key())
                && matches!(**b, Expression::Bind(_))
        }
        _ => false,
    }
}

pub(super) fn source_table(read: &Read, source: usize) -> Result<&Table, Fault> {
    if source == 0 {
        return Ok(&read.table);
    }
    let join = read.joins.get(source - 1).ok_or_else(|| ill_formed("no such source"))?;
    Ok(&join.table)
}

/// How many binds a read's statement has.
pub(super) fn binds(read: &Read) -> usize {
    let mut expressions = vec![&read.filter];
    expressions.extend(read.joins.iter().map(|join| &join.condition));
    conditions(&read.output, &mut |condition| expressions.push(condition));
    let limit = match read.cardinality {
        Cardinality::Page { limit } => limit + 1,
        Cardinality::One | Cardinality::Bounded(_) => 0,
    };
    binds_of(expressions).max(limit).max(read.root_bind.map_or(0, |at| at + 1))
}

/// Visits the conditions of an object's members and of the objects inside it.
pub(crate) fn conditions<'a>(object: &'a Object, each: &mut impl FnMut(&'a Expression)) {
    for field in &object.fields {
        if let Some(condition) = &field.condition {
            each(condition);
        }
        if let Output::Reference { object, .. } = &field.output {
            conditions(object, each);
        }
    }
}
