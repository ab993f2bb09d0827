//! New roots that are written as sets: one statement for all of a kind, whatever their number.
//!
//! The logic of writes runs over a [`Set`] as over any database. What can be told later for all of them together is put in;
//! anything else makes that one write unfit, and it goes on its own. So no rule is decided here.

use std::sync::Arc;

use futures_util::FutureExt as _;
use operation::{Dialect, Fault, Read, Scalar, Table, Value, Write};

use super::Shared;
use super::link::{Asking, Link, Ready, Trouble, bound, fitting};
use super::value::{Bound, type_name};
use crate::Rows;
use crate::cache::Slot;
use crate::lower::{self, Parameter, Statement, ill_formed};
use crate::write::{
    self, Asked, Database, Failure, Key, Kind, Load, Many, Naming, Place, References, Reply, Tables,
};

/// What many writes ask for, kind by kind.
pub(crate) struct Set<'s> {
    shared: &'s Shared,
    /// None: nothing refers to what is not there yet.
    references: References,
    clauses: Vec<Clause>,
    /// How many rows each clause had before the write that was put in last.
    before: Vec<usize>,
    /// Whether the write that was put in last asked for what cannot be told later.
    unfit: bool,
}

/// What became of a write that was put in.
pub(crate) enum Put {
    /// It is in, and answered so once all is committed.
    In(Reply),
    /// It must be executed step by step.
    Unfit,
    /// It cannot be done; why, it says alone.
    Refused,
}

/// A part of a statement, with an element in each of its arrays for each row.
struct Clause {
    key: Key,
    text: String,
    parameters: Vec<Parameter>,
    constants: Vec<(usize, Value)>,
    arrays: Vec<Array>,
    rows: usize,
}

/// A parameter of a statement about many rows.
type Array = (Scalar, Vec<Bound<Value>>);

/// A statement of a set, ready to be sent.
pub(crate) type Whole = (Arc<Ready>, Vec<Array>);

impl<'s> Set<'s> {
    pub fn new(shared: &'s Shared) -> Self {
        let (clauses, before) = (Vec::new(), Vec::new());
        Self { shared, references: References::default(), clauses, before, unfit: false }
    }

    /// Puts a write in; nothing of one that is not answered stays.
    pub fn put(&mut self, write: &mut Write) -> Put {
        self.before.clear();
        self.before.extend(self.clauses.iter().map(|clause| clause.rows));
        // Nothing is asked for here, so there is nothing to wait for.
        match write::execute(self, write, None).now_or_never() {
            Some(Ok(reply)) => Put::In(reply),
            outcome => {
                self.unfit |= outcome.is_none();
                self.take_back();
                if std::mem::take(&mut self.unfit) { Put::Unfit } else { Put::Refused }
            }
        }
    }

    fn take_back(&mut self) {
        self.clauses.truncate(self.before.len());
        for (clause, rows) in self.clauses.iter_mut().zip(&self.before) {
            clause.rows = *rows;
            for (_, array) in &mut clause.arrays {
                array.truncate(*rows);
            }
        }
    }

    /// Its statements, one for each kind of root, prepared where they are new.
    pub async fn prepared(self, link: &Link) -> Result<Vec<Whole>, Trouble> {
        let mut wholes = Vec::new();
        let mut left = self.clauses;
        while let Some(first) = left.first() {
            let target = first.key.target;
            let (own, others) = left.into_iter().partition(|clause| clause.key.target == target);
            left = others;
            let own: Vec<Clause> = own;
            let texts = |is_insert: bool| -> Vec<&str> {
                let of_kind = own.iter().filter(|it| (it.key.kind == Kind::Insert) == is_insert);
                of_kind.map(|clause| clause.text.as_str()).collect()
            };
            let text = lower::all_of(&texts(true), &texts(false));
            let (constants, parameters, answer) = (Vec::new(), Vec::new(), Vec::new());
            let statement = Statement { text: text.clone(), constants, parameters, answer };
            let ready = link.ready(Asking::Set(text), &[], || Ok(statement)).await?;
            wholes.push((ready, own.into_iter().flat_map(|clause| clause.arrays).collect()));
        }
        Ok(wholes)
    }

    /// The clause with a key, written where it is new: behind those of the same kind of root.
    fn clause(
        &mut self,
        key: Key,
        lower: impl FnOnce(usize) -> Result<Statement, Fault>,
        forms: impl FnOnce(&Statement) -> Vec<Scalar>,
    ) -> Result<&mut Clause, Fault> {
        let known = self.clauses.iter().position(|clause| clause.key == key);
        let at = match known {
            Some(at) => at,
            None => {
                let own = self.clauses.iter().filter(|clause| clause.key.target == key.target);
                let statement = lower(own.map(|clause| clause.arrays.len()).sum())?;
                let arrays = forms(&statement).into_iter().map(|form| (form, Vec::new()));
                let arrays = arrays.collect();
                let Statement { text, parameters, constants, .. } = statement;
                self.clauses.push(Clause { key, text, parameters, constants, arrays, rows: 0 });
                self.clauses.len() - 1
            }
        };
        self.clauses.get_mut(at).ok_or_else(|| ill_formed("no such clause"))
    }

    fn unfit<T, F: From<Fault>>(&mut self) -> Result<T, F> {
        self.unfit = true;
        Err(F::from(ill_formed("what cannot be told later")))
    }
}

impl Clause {
    fn push<'v>(&mut self, row: impl Iterator<Item = &'v Value>) {
        for ((form, array), value) in self.arrays.iter_mut().zip(row) {
            array.push(Bound { value: value.clone(), form: *form });
        }
        self.rows += 1;
    }
}

impl Database for Set<'_> {
    const DIALECT: Dialect = Dialect::Postgres;

    async fn may_name(&mut self, naming: Naming<'_>) -> Result<bool, Failure> {
        let values: Vec<&Value> = naming.binds.iter().chain([naming.key]).collect();
        let asked = (&*naming.rule.target, naming.condition);
        let lower = |first| lower::insist_on_all(asked, &values, first, type_name);
        let forms = |statement: &Statement| statement.parameters.iter().map(|it| it.form).collect();
        let clause = self.clause(naming.key()?, lower, forms)?;
        let get = |at: usize| values.get(at).copied();
        if !fitting(&clause.parameters, &clause.constants, get) {
            // Others have asked with values of other kinds.
            return self.unfit();
        }
        let row = bound(&clause.parameters, &clause.constants, get)?;
        let row: Vec<Value> = row.into_iter().map(|bound| bound.value.clone()).collect();
        clause.push(row.iter());
        // If not, the statement fails, and all go on their own.
        Ok(true)
    }

    async fn insert(&mut self, place: Place<'_>, values: &[Value]) -> Result<i64, Failure> {
        let table = place.table;
        if values.len() != table.columns.len() {
            return Err(ill_formed("a row with other columns").into());
        }
        if table.auto.is_some_and(|at| values.get(at).is_some_and(Value::is_null)) {
            // Its key is counted.
            return self.unfit();
        }
        let lower = |first| Ok(lower::insert_many(table, first, type_name));
        let forms = |_: &Statement| table.columns.iter().map(|column| column.scalar).collect();
        self.clause(Many::insert(place)?.key, lower, forms)?.push(values.iter());
        Ok(0)
    }

    async fn settle(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    async fn run<'v>(
        &mut self,
        _: Asked,
        _: impl FnOnce() -> Result<Statement, Fault>,
        _: impl Iterator<Item = &'v Value>,
    ) -> Result<Vec<Vec<Value>>, Failure> {
        self.unfit()
    }

    async fn read(&mut self, _: &Arc<Read>, _: &[Value]) -> Result<Rows, Fault> {
        self.unfit()
    }

    async fn load(&mut self, _: &[Load]) -> Result<Vec<Vec<Vec<Value>>>, Failure> {
        self.unfit()
    }

    async fn hold(&mut self, _: &Load) -> Result<(), Failure> {
        self.unfit()
    }

    async fn each(&mut self, _: Many<'_>, _: Vec<Vec<&Value>>) -> Result<(), Failure> {
        self.unfit()
    }

    async fn draw(&mut self, _: &Table, _: usize, _: i64, _: usize) -> Result<Vec<i64>, Failure> {
        self.unfit()
    }

    async fn undo(&mut self) -> Result<(), Fault> {
        self.unfit()
    }

    fn tables(&self) -> (&Tables, &References) {
        (&self.shared.tables, &self.references)
    }

    fn touched(&mut self) -> Option<&mut Vec<Slot>> {
        None
    }
}
