//! New roots that are written as sets: one statement for all of a kind, whatever their number.
//!
//! The logic of writes runs over a [`Set`] as over any database. What can be told later for all of them together is put in;
//! anything else makes that one write unfit, and it goes on its own. So no rule is decided here.

use std::sync::Arc;

use futures_util::FutureExt as _;
use operation::{
    Create, Dialect, Fault, Guard, Read, ReadId, Scalar, Table, TableId, Value, Write,
};

use super::Shared;
use super::link::{Asking, Link, Ready, Trouble, bound, fitting};
use super::value::{Array, Given, type_name};
use crate::Rows;
use crate::cache::Slot;
use crate::lower::{self, Parameter, Statement, ill_formed};
use crate::write::{
    self, Asked, Database, Failure, Hold, Key, Load, Many, Naming, Picked, Place, References,
    Reply, Tables,
};

/// What many writes ask for, kind by kind.
pub(crate) struct Set<'s> {
    shared: &'s Shared,
    /// None: nothing refers to what is not there yet.
    references: References,
    clauses: Vec<Clause>,
    /// Kinds of writes whose clauses are there.
    targets: Vec<ReadId>,
    /// The table of the root that is put in.
    root: TableId,
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

/// A part of a statement, with an element in each of its arrays for each row; none, where nobody needs it this time.
struct Clause {
    /// The table of the roots that it is about.
    root: TableId,
    what: What,
    text: String,
    parameters: Vec<Parameter>,
    constants: Vec<(usize, Value)>,
    arrays: Vec<Array>,
    rows: usize,
}

/// What a clause is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Rows of a table, by where it is: models that follow each other may call two tables the same.
    Insert(usize),
    /// Whether rows may be named.
    Insist(Key),
}

/// A statement of a set, ready to be sent.
pub(crate) type Whole = (Arc<Ready>, Vec<Given>);

impl<'s> Set<'s> {
    pub fn new(shared: &'s Shared) -> Self {
        Self {
            shared,
            references: References::default(),
            clauses: Vec::new(),
            targets: Vec::new(),
            root: TableId(0),
            before: Vec::new(),
            unfit: false,
        }
    }

    /// Puts a write in; nothing of one that is not answered stays.
    pub fn put(&mut self, write: &mut Write) -> Put {
        let Write::Create(create) = &*write else { return Put::Unfit };
        self.root = create.target.table.id;
        self.before.clear();
        self.before.extend(self.clauses.iter().map(|clause| clause.rows));
        let targets = self.targets.len();
        let outcome = match self.prepare_for(create) {
            // Nothing is asked for here, so there is nothing to wait for.
            Ok(()) => write::execute(self, write, None, None).now_or_never(),
            Err(fault) => Some(Err(fault)),
        };
        match outcome {
            Some(Ok(reply)) => Put::In(reply),
            outcome => {
                self.unfit |= outcome.is_none();
                self.targets.truncate(targets);
                self.clauses.truncate(self.before.len());
                for (clause, rows) in self.clauses.iter_mut().zip(&self.before) {
                    clause.rows = *rows;
                    clause.arrays.iter_mut().for_each(|array| array.truncate(*rows));
                }
                if std::mem::take(&mut self.unfit) { Put::Unfit } else { Put::Refused }
            }
        }
    }

    /// Writes all clauses that a kind of write may need, also those that this one does not: so there are as few different
    /// statements as there are kinds, and each is prepared once.
    fn prepare_for(&mut self, create: &Create) -> Result<(), Fault> {
        let target = &*create.target;
        if self.targets.contains(&target.id) {
            return Ok(());
        }
        self.targets.push(target.id);
        let tables = [&target.table].into_iter().chain(target.parts.iter().map(|part| &part.table));
        for (at, table) in tables.enumerate() {
            let place = Place { target: target.id, at, table };
            for rule in write::rules(target, at).references {
                let Guard::When(condition) = &rule.visible else { continue };
                let (binds, key) = (&create.binds, &Value::Null);
                let naming = Naming { place, rule, condition, binds, key };
                let values: Vec<&Value> = binds.iter().chain([key]).collect();
                let asked = (&*rule.target, condition);
                let lower = |first| lower::insist_on_all(asked, &values, first, type_name);
                let forms = |it: &Statement| it.parameters.iter().map(|it| it.form).collect();
                self.add(What::Insist(naming.key()?), lower, forms)?;
            }
            let lower = |first| Ok(lower::insert_many(table, &[], first, type_name));
            let forms = |_: &Statement| table.columns.iter().map(|column| column.scalar).collect();
            self.add(What::insert(table), lower, forms)?;
        }
        Ok(())
    }

    /// Adds a clause where it is not there: behind those of the same table of roots.
    fn add(
        &mut self,
        what: What,
        lower: impl FnOnce(usize) -> Result<Statement, Fault>,
        forms: impl FnOnce(&Statement) -> Vec<Scalar>,
    ) -> Result<(), Fault> {
        let root = self.root;
        if self.clause(what).is_ok() {
            return Ok(());
        }
        let own = self.clauses.iter().filter(|clause| clause.root == root);
        let statement = lower(own.map(|clause| clause.arrays.len()).sum())?;
        let arrays = forms(&statement).into_iter().map(Array::of).collect();
        let Statement { text, parameters, constants, .. } = statement;
        self.clauses.push(Clause { root, what, text, parameters, constants, arrays, rows: 0 });
        Ok(())
    }

    fn clause(&mut self, what: What) -> Result<&mut Clause, Fault> {
        let root = self.root;
        let found = self.clauses.iter_mut().find(|it| it.root == root && it.what == what);
        found.ok_or_else(|| ill_formed("no such clause"))
    }

    /// Its statements, one for each table of roots, prepared where they are new.
    pub async fn prepared(self, link: &Link) -> Result<Vec<Whole>, Trouble> {
        let mut wholes = Vec::new();
        let mut left = self.clauses;
        while let Some(first) = left.first() {
            let root = first.root;
            let (own, others) = left.into_iter().partition(|clause| clause.root == root);
            left = others;
            let own: Vec<Clause> = own;
            let texts = |is_insert: bool| -> Vec<&str> {
                let is = |it: &&Clause| matches!(it.what, What::Insert(_)) == is_insert;
                own.iter().filter(is).map(|clause| clause.text.as_str()).collect()
            };
            let text = lower::all_of(&texts(true), &texts(false));
            let (constants, parameters, answer) = (Vec::new(), Vec::new(), Vec::new());
            let statement = Statement { text: text.clone(), constants, parameters, answer };
            let ready = link.ready(Asking::Set(text), &[], || Ok(statement)).await?;
            let arrays = own.into_iter().flat_map(|clause| clause.arrays);
            wholes.push((ready, arrays.map(Given::Many).collect()));
        }
        Ok(wholes)
    }

    fn unfit<T, F: From<Fault>>(&mut self) -> Result<T, F> {
        self.unfit = true;
        Err(F::from(ill_formed("what cannot be told later")))
    }
}

impl What {
    fn insert(table: &Table) -> Self {
        Self::Insert(std::ptr::from_ref(table).addr())
    }
}

impl Clause {
    /// Adds a row. A value that the database has no place for is found here, where nothing is sent yet.
    fn push<'v>(&mut self, row: impl Iterator<Item = &'v Value>) -> Result<(), Fault> {
        for (array, value) in self.arrays.iter_mut().zip(row) {
            array.push(value).map_err(|fault| Fault::Internal(fault.to_string()))?;
        }
        self.rows += 1;
        Ok(())
    }
}

impl Database for Set<'_> {
    const DIALECT: Dialect = Dialect::Postgres;

    async fn may_name(&mut self, naming: Naming<'_>) -> Result<bool, Failure> {
        let what = What::Insist(naming.key()?);
        let Ok(clause) = self.clause(what) else {
            // Others have asked with fewer values or more.
            return self.unfit();
        };
        let bind = |at: usize| match naming.binds.get(at) {
            Some(bind) => Some(bind),
            None => (at == naming.binds.len()).then_some(naming.key),
        };
        if !fitting(&clause.parameters, &clause.constants, bind) {
            // Others have asked with values of other kinds.
            return self.unfit();
        }
        let row = bound(&clause.parameters, &clause.constants, bind)?;
        let row: Vec<Value> = row.into_iter().map(|bound| bound.value.clone()).collect();
        clause.push(row.iter())?;
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
        self.clause(What::insert(table))?.push(values.iter())?;
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

    async fn hold(&mut self, _: &Hold<'_>) -> Result<(), Failure> {
        self.unfit()
    }

    async fn each(&mut self, _: Many<'_>, _: Vec<Picked<'_>>) -> Result<(), Failure> {
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
