//! Reads: one statement, its binary columns written as JSON.

use std::pin::pin;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use operation::{Cardinality, Fault, Read, Value};
use smallvec::SmallVec;
use tokio::time::Instant;

use super::link::{Link, Prepared, Trouble, bound, within};
use super::position::Least;
use super::value::{Foreign, Raw, value_of, write_json};
use crate::lower::{Member, Nested, Rowwise, Shape, Source, ill_formed};
use crate::{Row, Rows};

/// The columns of a row, by their positions: nothing where it is null.
pub(super) trait Columns<'r>: Copy {
    fn cell(self, at: usize) -> Option<&'r [u8]>;

    /// What a column holds.
    fn value(self, source: Source) -> Result<Value, Fault> {
        match self.cell(source.at) {
            Some(bytes) => Ok(value_of(source.scalar, bytes)?),
            None => Ok(Value::Null),
        }
    }
}

/// A row from a column on, as it came.
#[derive(Clone, Copy)]
pub(super) struct Behind<'r>(pub &'r tokio_postgres::Row, pub usize);

impl<'r> Columns<'r> for Behind<'r> {
    fn cell(self, at: usize) -> Option<&'r [u8]> {
        // Anything is taken for bytes; what fails is a column that is not there.
        self.0.try_get::<_, Raw<'r>>(self.1 + at).ok()?.0
    }
}

impl<'r> Columns<'r> for &Cells<'r> {
    fn cell(self, at: usize) -> Option<&'r [u8]> {
        self.get(at).copied().flatten()
    }
}

/// The columns of a row, taken out.
pub(super) type Cells<'r> = SmallVec<[Option<&'r [u8]>; 16]>;

/// Rows of a page that goes together with others, at most: a longer one is worth a statement of its own.
const SHORT: usize = 100;

/// Room that an answer is given before it is written, at most.
const LARGE: usize = 64 << 10;

/// On what terms a read is answered.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Terms {
    /// On a replica: by rows that are no older than this.
    pub least: Least,
    /// Until when it is waited for; without, whoever asks sees to that.
    pub until: Option<Instant>,
}

impl From<Foreign> for Fault {
    fn from(foreign: Foreign) -> Self {
        Self::Internal(foreign.to_string())
    }
}

impl Link {
    /// Answers a read, however long it takes.
    pub async fn read(&self, read: &Read, binds: &[Value]) -> Result<Rows, Trouble> {
        self.read_on(Terms::default(), read, binds).await
    }

    /// Answers a read.
    pub(super) async fn read_on(
        &self,
        terms: Terms,
        read: &Read,
        binds: &[Value],
    ) -> Result<Rows, Trouble> {
        let prepared = match self.known(read, binds) {
            Some(prepared) => prepared,
            None => within(terms.until, Box::pin(self.prepared(read, binds)).as_mut()).await?,
        };
        if goes_together(read, binds)
            && let Some(together) = &prepared.together
            && together.takes(binds)
            && together.group.queue.is_open()
        {
            return self.read_together(&prepared, together, terms, (read, binds)).await;
        }
        Box::pin(self.read_alone(&prepared, terms, read, binds)).await
    }

    /// Answers a read by a statement of its own.
    pub(super) async fn read_alone(
        &self,
        prepared: &Prepared,
        terms: Terms,
        read: &Read,
        binds: &[Value],
    ) -> Result<Rows, Trouble> {
        let asking = pin!(self.read_alone_after(prepared, terms.least, read, binds));
        within(terms.until, asking).await
    }

    async fn read_alone_after(
        &self,
        prepared: &Prepared,
        least: Least,
        read: &Read,
        binds: &[Value],
    ) -> Result<Rows, Trouble> {
        let nested = &prepared.nested;
        let given = &nested.statement;
        let values = bound(&given.parameters, &given.constants, |at| binds.get(at))?;
        let begun = Instant::now();
        let asking = pin!(self.ask_prepared(prepared, values));
        let rows = self.not_before(least, asking).await?;
        let mut rows = pin!(rows);
        if read.cardinality == Cardinality::One {
            let mut found = None;
            while let Some(row) = rows.try_next().await? {
                if found.is_none() {
                    found = Some(one(nested, &[row])?);
                }
            }
            return Ok(Rows::One(found));
        }
        let mut page = Page::new(nested, limit(read, binds), prepared.size.load(Ordering::Relaxed));
        while let Some(row) = rows.try_next().await? {
            page.add(&row)?;
        }
        if let Some(together) = &prepared.together {
            together.group.queue.took(begun.elapsed());
        }
        let rows = page.end();
        prepared.note_size(&rows);
        Ok(rows)
    }
}

impl Prepared {
    /// Notes how long an answer was.
    pub(super) fn note_size(&self, rows: &Rows) {
        if let Rows::Page { json, .. } = rows {
            self.size.store(json.len().min(LARGE), Ordering::Relaxed);
        }
    }
}

/// Whether a request for a read may be answered with others of its kind.
fn goes_together(read: &Read, binds: &[Value]) -> bool {
    match read.cardinality {
        Cardinality::One => true,
        Cardinality::Page { .. } => limit(read, binds) <= SHORT,
        Cardinality::Bounded(_) => false,
    }
}

/// How many rows are answered at most.
pub(super) fn limit(read: &Read, binds: &[Value]) -> usize {
    match read.cardinality {
        Cardinality::One => 1,
        Cardinality::Bounded(_) => usize::MAX,
        Cardinality::Page { limit } => {
            let limit = binds.get(limit).and_then(Value::as_int);
            limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(0)
        }
    }
}

/// A page, written as its rows come.
pub(super) struct Page<'n> {
    nested: &'n Nested,
    limit: usize,
    out: Vec<u8>,
    count: usize,
    /// What the last row is found by.
    last: Option<Vec<Value>>,
    /// The same where another row follows.
    next: Option<Vec<Value>>,
}

impl<'n> Page<'n> {
    /// A page of so many rows that is likely to be so many bytes long.
    pub fn new(nested: &'n Nested, limit: usize, size: usize) -> Self {
        let mut out = Vec::with_capacity(size + 64);
        out.push(b'[');
        Self { nested, limit, out, count: 0, last: None, next: None }
    }

    /// Adds its next row, or notes that there would be one.
    pub fn add(&mut self, row: &tokio_postgres::Row) -> Result<(), Fault> {
        if self.count == self.limit {
            self.next = Some(self.last.take().unwrap_or_default());
            return Ok(());
        }
        let cells = Behind(row, 0);
        if self.count > 0 {
            self.out.push(b',');
        }
        self.count += 1;
        let rows = &self.nested.rows;
        object(rows, (&rows.shape, None), cells, &mut self.out)?;
        if self.count == self.limit {
            let mut values = Vec::with_capacity(self.nested.order.len());
            for source in &self.nested.order {
                values.push(cells.value(*source)?);
            }
            self.last = Some(values);
        }
        Ok(())
    }

    /// What is answered.
    pub fn end(mut self) -> Rows {
        self.out.push(b']');
        Rows::Page { json: Bytes::from(self.out), count: self.count, next: self.next }
    }
}

/// The object of a row that was asked for alone, and its version: from its only row, or from as many as it has parts where they
/// are joined to it.
pub(super) fn one(nested: &Nested, rows: &[tokio_postgres::Row]) -> Result<Row, Trouble> {
    let root = rows.first().ok_or_else(|| Fault::Internal("a row without columns".to_owned()))?;
    let mut joined = None;
    if let Some(parts) = &nested.joined {
        let mut out = Vec::with_capacity(256 * rows.len());
        out.push(b'[');
        for row in rows {
            if row.try_get::<_, Raw<'_>>(parts.present)?.0.is_none() {
                continue;
            }
            if out.len() > 1 {
                out.push(b',');
            }
            let cells = Behind(row, parts.present + 1);
            object(&parts.rows, (&parts.rows.shape, None), cells, &mut out)?;
        }
        out.push(b']');
        joined = Some(out);
    }
    let cells = Behind(root, 0);
    let mut out = Vec::with_capacity(256 + joined.as_ref().map_or(0, Vec::len));
    object(&nested.rows, (&nested.rows.shape, joined.as_deref()), cells, &mut out)?;
    let version = match nested.version {
        Some(at) => integer(cells.cell(at)),
        None => 0,
    };
    Ok(Row { json: out.into(), version })
}

/// The columns of an answer.
pub(crate) fn cells(row: &tokio_postgres::Row) -> Result<Cells<'_>, Trouble> {
    let mut cells = Cells::new();
    for at in 0..row.len() {
        cells.push(row.try_get::<_, Raw<'_>>(at)?.0);
    }
    Ok(cells)
}

pub(super) fn integer(bytes: Option<&[u8]>) -> i64 {
    let value = bytes.and_then(|bytes| value_of(operation::Scalar::Int, bytes).ok());
    value.and_then(|value| value.as_int()).unwrap_or(0)
}

/// Writes the object made of a row. `joined` is the JSON of its parts, where they did not come with it.
pub(super) fn object<'r>(
    rows: &Rowwise,
    (shape, joined): (&Shape, Option<&[u8]>),
    cells: impl Columns<'r>,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let cell = |at: usize| cells.cell(at);
    out.push(b'{');
    let mut first = true;
    for (label, condition, member) in &shape.members {
        if let Some(at) = condition
            && cell(*at).is_none_or(|bytes| bytes != [1])
        {
            continue;
        }
        out.extend_from_slice(&label.as_bytes()[usize::from(first)..]);
        first = false;
        match member {
            Member::Column(source) => write_json(source.scalar, cell(source.at), out)?,
            Member::Reference { present, bare, seen, shape } => {
                let is_there = cell(*present).is_some();
                let is_seen = match seen {
                    Some(seen) if is_there => seen.is_seen(&[], |source| cells.value(source))?,
                    _ => is_there,
                };
                if is_seen {
                    object(rows, (shape, joined), cells, out)?;
                } else {
                    write_json(bare.scalar, cell(bare.at), out)?;
                }
            }
            Member::Parts(at) => {
                if let Some(joined) = joined {
                    out.extend_from_slice(joined);
                    continue;
                }
                let (at, part) = rows.parts.get(*at).ok_or_else(|| ill_formed("no such parts"))?;
                array(part, cell(*at), out)?;
            }
        }
    }
    out.push(b'}');
    Ok(())
}

/// Writes the objects made of an array of records.
fn array(part: &Rowwise, bytes: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), Fault> {
    out.push(b'[');
    if let Some(bytes) = bytes {
        let mut wire = Wire(bytes);
        let records = elements(&mut wire).ok_or_else(garbled)?;
        for i in 0..records {
            let record = wire.sized().flatten().ok_or_else(garbled)?;
            let cells = record_cells(record).ok_or_else(garbled)?;
            if i > 0 {
                out.push(b',');
            }
            object(part, (&part.shape, None), &cells, out)?;
        }
    }
    out.push(b']');
    Ok(())
}

fn garbled() -> Fault {
    Fault::Internal("the database sent parts in a form that is not known".to_owned())
}

/// Bytes from the wire, read from the front.
struct Wire<'w>(&'w [u8]);

impl<'w> Wire<'w> {
    fn number(&mut self) -> Option<i32> {
        let (number, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(i32::from_be_bytes(*number))
    }

    /// Bytes behind their length; `Some(None)` for a null.
    fn sized(&mut self) -> Option<Option<&'w [u8]>> {
        let length = self.number()?;
        let Ok(length) = usize::try_from(length) else { return Some(None) };
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(Some(bytes))
    }
}

/// The head of an array (`array_send`): dimensions, whether it has nulls, the element's type, then for each dimension
/// its size and its first index. The answer is how many elements follow.
fn elements(wire: &mut Wire<'_>) -> Option<i32> {
    let dimensions = wire.number()?;
    wire.number()?;
    wire.number()?;
    match dimensions {
        0 => Some(0),
        1 => {
            let size = wire.number()?;
            wire.number()?;
            Some(size)
        }
        _ => None,
    }
}

/// The columns of a record (`record_send`): their number, then for each its type and its bytes.
fn record_cells(bytes: &[u8]) -> Option<Cells<'_>> {
    let mut wire = Wire(bytes);
    let mut cells = Cells::new();
    for _ in 0..wire.number()? {
        wire.number()?;
        cells.push(wire.sized()?);
    }
    Some(cells)
}
