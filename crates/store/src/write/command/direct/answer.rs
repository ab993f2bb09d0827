//! What is answered, where the database puts it into words: a value that stands in rows, a row of which more is asked than it holds, and
//! all that is kept with a receipt and only the database knows.

use operation::{Direct, Expression, Fault, Form, Program, Receipt, Value};

use super::super::super::{Asked, Database, Failure, Key, Kind, draws_on_row, receipt};
use super::super::ill_formed;
use super::Stating;
use crate::lower::answer::{Answering, answer};
use crate::lower::{self, Settings};

/// What is answered so.
#[derive(Debug)]
pub(in super::super) enum Worded {
    /// One of [`Direct::rows`].
    Row(usize),
    /// The row of a key that is known.
    Known(Value),
    /// One of [`Direct::said`].
    Value(usize),
}

/// Whether a program answers more of a row than it holds.
pub(in super::super) fn answers_more(program: &Program) -> bool {
    matches!(&program.answer, Form::Row(read) if !draws_on_row(read, &read.table))
}

/// The statement that answers this. `kept`: it is put down in a receipt, of which the key, the request and the moment stand behind the binds.
pub(in super::super) fn lower_answer(
    (program, direct): (&Program, &Direct),
    worded: &Worded,
    binds: &[Value],
    kept: bool,
) -> Result<lower::Statement, Fault> {
    let known = Expression::Bind(program.filled.len());
    let answering = match (worded, &program.answer) {
        (Worded::Value(at), _) => {
            let (value, scalar) =
                direct.said.get(*at).ok_or_else(|| ill_formed("nothing is said"))?;
            Answering::Value(value, *scalar)
        }
        (Worded::Known(_) | Worded::Row(_), Form::Row(read)) => {
            let key = match worded {
                Worded::Row(row) => direct.rows.get(*row).map(|row| &row.key),
                _ => Some(&known),
            };
            let key = key.ok_or_else(|| ill_formed("no such row"))?;
            Answering::Row { read, bind: program.filled.len(), key }
        }
        _ => return Err(ill_formed("an answer that is no row")),
    };
    answer(Settings::of(direct), answering, binds, kept)
}

impl<D: Database> Stating<'_, '_, D> {
    /// What the database is to put into words, where this row is answered or this was returned.
    pub(super) fn worded(&self, row: Option<usize>, returned: Option<&Value>) -> Option<Worded> {
        let program = self.running.program;
        let more = answers_more(program);
        match (&program.answer, row) {
            (Form::Row(_), Some(row)) => {
                (more || self.receipt.is_some()).then_some(Worded::Row(row))
            }
            (Form::Row(_), None) => {
                let key = returned.filter(|key| more && !key.is_null());
                key.cloned().map(Worded::Known)
            }
            (Form::Value(_), _) => (!self.direct.said.is_empty()).then_some(Worded::Value(0)),
            (Form::Nothing, _) => None,
        }
    }

    /// Has it put into words and, where there is a receipt, kept with that.
    pub(super) async fn put_into_words(
        &mut self,
        worded: &Worded,
        binds: &[Value],
    ) -> Result<(), Failure> {
        let (of, target) = ((self.running.program, self.direct), self.direct.id);
        let (place, which) = match worded {
            Worded::Row(row) => (*row, 0),
            Worded::Known(_) => (0, 1),
            Worded::Value(at) => (*at, 2),
        };
        let binds = match worded {
            Worded::Known(key) => &*self.with_key(key),
            _ => binds,
        };
        let database = &mut self.running.writing.database;
        let mut own = Vec::new();
        if let Some(receipt) = &self.receipt {
            receipt::forget(&mut **database, receipt).await?;
            let Receipt { key, request, now } = receipt;
            own.extend([key, request].map(|bytes| Value::Bytes((*bytes).into())));
            own.push(Value::Int(*now));
        }
        let kept = self.receipt.is_some();
        let columns = 1 << 63 | which << 1 | u128::from(kept);
        let key = Key { target, place, kind: Kind::Answered, columns, binds: binds.len() };
        let lower = || lower_answer(of, worded, binds, kept);
        database.run(Asked::Kept(key), lower, binds.iter().chain(&own)).await.map(drop)
    }
}
