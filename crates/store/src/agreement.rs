//! All readings of an expression agree: evaluated in Rust, lowered to SQLite, lowered to PostgreSQL.

use std::sync::Arc;

use operation::{
    Aggregate, Arithmetic, Column, Comparison, EvaluationFault, Expression, Fault, Function, Ident,
    NumberKind, Scalar, Scope, Table, TableId, Value, evaluate,
};
use proptest::prelude::*;
use rusqlite::Connection;

use crate::lower;
use crate::postgres::link::{self, Address, Link};
use crate::postgres::value::{type_of, value_of, write_binary};
use crate::postgres::{fault, read};
use crate::sqlite::functions;
use crate::sqlite::value::{bound, stored};
use crate::{Options, Store};
use futures_util::TryStreamExt as _;

/// What an expression's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Int,
    Float,
    Text,
    Date,
    Moment,
    Uuid,
    Bytes,
}

const KINDS: [Kind; 8] = [
    Kind::Bool,
    Kind::Int,
    Kind::Float,
    Kind::Text,
    Kind::Date,
    Kind::Moment,
    Kind::Uuid,
    Kind::Bytes,
];

impl Kind {
    fn scalar(self) -> Scalar {
        match self {
            Self::Bool => Scalar::Bool,
            Self::Int => Scalar::Decimal { scale: 2 },
            Self::Float => Scalar::Float,
            Self::Text => Scalar::Text,
            Self::Date => Scalar::Date,
            Self::Moment => Scalar::Timestamp,
            Self::Uuid => Scalar::Uuid,
            Self::Bytes => Scalar::Bytes,
        }
    }
}

/// The root has its key and two columns of each kind; the part has root, position and the same.
fn tables() -> (Arc<Table>, Arc<Table>) {
    let column = |name: String, scalar: Scalar, nullable| Column {
        name: Ident::new(&name).unwrap(),
        field: name.into(),
        scalar,
        nullable,
        native: None,
    };
    let kinds = || {
        KINDS.iter().flat_map(move |kind| {
            (0..2).map(move |i| column(format!("{kind:?}_{i}"), kind.scalar(), true))
        })
    };
    let table = |id, name: &str, keys: Vec<Column>, root: Option<usize>| {
        Arc::new(Table {
            id: TableId(id),
            rank: id,
            name: Ident::new(name).unwrap(),
            entity: name.into(),
            key: (0..keys.len()).collect(),
            columns: keys.into_iter().chain(kinds()).collect(),
            root,
            auto: None,
            version: None,
            uniques: Vec::new(),
            foreign_keys: Vec::new(),
            tracked: Vec::new(),
        })
    };
    let key = |name: &str| column(name.to_owned(), Scalar::Int, false);
    let root = table(0, "root", vec![key("id")], None);
    (root, table(1, "part", vec![key("root"), key("position")], Some(0)))
}

/// A generator of its own: expressions are too entangled with their binds for combinators.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn value(&mut self, kind: Kind) -> Value {
        const TEXTS: &[&str] = &[
            "",
            "a",
            "A",
            "ab",
            "b",
            "Straße",
            "STRASSE",
            "İ",
            "ǅ",
            "e\u{301}",
            "é",
            "😀",
            "\u{ffff}",
            " a ",
            "\u{a0}x\u{2003}",
            "ΑΣ",
            "ﬀ",
            "1",
            "01",
            "1.0",
            "null",
            "a'b\"c",
            "%",
            "_",
        ];
        const INTS: &[i64] = &[
            0,
            1,
            -1,
            2,
            3,
            5,
            -7,
            10,
            50,
            99,
            100,
            150,
            -150,
            12_345,
            i64::MAX,
            i64::MIN,
            i64::MAX - 1,
            3_037_000_500,
            1_000_000_007,
            86_400_000_000,
            -86_400_000_001,
        ];
        const FLOATS: &[f64] =
            &[0.0, 1.0, -1.0, 0.1, 1.5, -2.5, 3.0, 1e300, -1e300, 1e-300, f64::MAX, 9.007e15];
        if self.below(8) == 0 {
            return Value::Null;
        }
        match kind {
            Kind::Bool => Value::Bool(self.below(2) == 0),
            Kind::Int | Kind::Moment => Value::Int(self.pick(INTS)),
            Kind::Date => Value::Int(self.pick(&[0, 1, -1, 20_000, -20_000, 106_751_992])),
            Kind::Float => Value::Float(self.pick(FLOATS)),
            Kind::Text => Value::text(self.pick(TEXTS)),
            Kind::Uuid => Value::Uuid([self.pick(&[0, 1, 127, 128, 255]); 16]),
            Kind::Bytes => Value::Bytes(vec![self.pick(&[0, 1, 255]); self.below(3)].into()),
        }
    }

    fn row(&mut self, keys: &[i64]) -> Vec<Value> {
        let mut row: Vec<Value> = keys.iter().copied().map(Value::Int).collect();
        for kind in KINDS {
            row.push(self.value(kind));
            row.push(self.value(kind));
        }
        row
    }
}

struct Writing<'a> {
    chance: &'a mut Chance,
    part: &'a Arc<Table>,
    binds: Vec<Value>,
}

impl Writing<'_> {
    fn boxed(&mut self, kind: Kind, depth: usize, inside: bool) -> Box<Expression> {
        Box::new(self.expression(kind, depth, inside))
    }

    fn list(&mut self, kind: Kind, depth: usize, inside: bool, most: usize) -> Vec<Expression> {
        (0..self.chance.below(most + 1)).map(|_| self.expression(kind, depth, inside)).collect()
    }

    fn leaf(&mut self, kind: Kind, inside: bool) -> Expression {
        match self.chance.below(4) {
            0 => Expression::Literal(self.chance.value(kind)),
            1 => {
                self.binds.push(self.chance.value(kind));
                Expression::Bind(self.binds.len() - 1)
            }
            _ => {
                let at = KINDS.iter().position(|k| *k == kind).unwrap() * 2 + self.chance.below(2);
                let depth = if inside { self.chance.below(2) } else { 0 };
                let keys = if inside && depth == 0 { 2 } else { 1 };
                Expression::Column { depth, column: keys + at }
            }
        }
    }

    fn fold(&mut self, aggregate: Aggregate, kind: Kind, depth: usize) -> Expression {
        Expression::Aggregate {
            aggregate,
            table: self.part.clone(),
            depth: 0,
            body: self.boxed(kind, depth, true),
            kind: if kind == Kind::Float { NumberKind::Float } else { NumberKind::Int },
        }
    }

    fn arithmetic(
        &mut self,
        kind: Kind,
        number: NumberKind,
        depth: usize,
        inside: bool,
    ) -> Expression {
        let operations =
            [Arithmetic::Add, Arithmetic::Subtract, Arithmetic::Multiply, Arithmetic::Divide];
        Expression::Arithmetic {
            operation: self.chance.pick(&operations),
            kind: number,
            left: self.boxed(kind, depth, inside),
            right: self.boxed(kind, depth, inside),
        }
    }

    fn expression(&mut self, kind: Kind, depth: usize, inside: bool) -> Expression {
        let Some(below) = depth.checked_sub(1) else { return self.leaf(kind, inside) };
        match self.chance.below(12) {
            0 => {
                return Expression::If {
                    condition: self.boxed(Kind::Bool, below, inside),
                    then: self.boxed(kind, below, inside),
                    otherwise: self.boxed(kind, below, inside),
                };
            }
            1 => return Expression::Coalesce(self.list(kind, below, inside, 3)),
            2 => return self.leaf(kind, inside),
            3 if !inside => {
                let aggregate = self.chance.pick(&[Aggregate::Min, Aggregate::Max]);
                return self.fold(aggregate, kind, below);
            }
            _ => {}
        }
        match kind {
            Kind::Bool => self.condition(below, inside),
            Kind::Int => match self.chance.below(if inside { 6 } else { 8 }) {
                0 | 1 => self.arithmetic(kind, NumberKind::Int, below, inside),
                2 => Expression::Negate(NumberKind::Int, self.boxed(kind, below, inside)),
                3 => Expression::Rescale {
                    value: self.boxed(kind, below, inside),
                    from: self.chance.below(19) as u8,
                    to: self.chance.below(19) as u8,
                },
                4 => Expression::DivideDecimal {
                    left: self.boxed(kind, below, inside),
                    left_scale: self.chance.below(19) as u8,
                    right: self.boxed(kind, below, inside),
                    right_scale: self.chance.below(19) as u8,
                    scale: self.chance.below(19) as u8,
                },
                5 => Expression::Call(
                    Function::Length,
                    vec![self.expression(Kind::Text, below, inside)],
                ),
                6 => self.fold(Aggregate::Sum, kind, below),
                _ => self.fold(Aggregate::Count, Kind::Bool, below),
            },
            Kind::Float => match self.chance.below(if inside { 4 } else { 5 }) {
                0 | 1 => self.arithmetic(kind, NumberKind::Float, below, inside),
                2 => Expression::Negate(NumberKind::Float, self.boxed(kind, below, inside)),
                3 => Expression::ToFloat(
                    self.boxed(Kind::Int, below, inside),
                    self.chance.below(19) as u8,
                ),
                _ => self.fold(Aggregate::Sum, kind, below),
            },
            Kind::Text => {
                let function =
                    self.chance.pick(&[Function::Lower, Function::Upper, Function::Trim]);
                if self.chance.below(3) == 0 {
                    Expression::Call(Function::Concat, self.list(kind, below, inside, 3))
                } else {
                    Expression::Call(function, vec![self.expression(kind, below, inside)])
                }
            }
            Kind::Date => Expression::Call(
                Function::DateOf,
                vec![self.expression(Kind::Moment, below, inside)],
            ),
            Kind::Moment => Expression::Call(
                Function::TimestampOf,
                vec![self.expression(Kind::Date, below, inside)],
            ),
            Kind::Uuid | Kind::Bytes => self.leaf(kind, inside),
        }
    }

    fn condition(&mut self, below: usize, inside: bool) -> Expression {
        let of = self.chance.pick(&KINDS);
        match self.chance.below(if inside { 8 } else { 10 }) {
            0 => Expression::Not(self.boxed(Kind::Bool, below, inside)),
            1 => Expression::IsNull(self.boxed(of, below, inside)),
            2 | 3 => {
                let comparison = self.chance.pick(&[
                    Comparison::Equal,
                    Comparison::NotEqual,
                    Comparison::Less,
                    Comparison::LessOrEqual,
                    Comparison::Greater,
                    Comparison::GreaterOrEqual,
                ]);
                let left = self.boxed(of, below, inside);
                Expression::Compare(comparison, left, self.boxed(of, below, inside))
            }
            4 => Expression::And(self.list(Kind::Bool, below, inside, 3)),
            5 => Expression::Or(self.list(Kind::Bool, below, inside, 3)),
            6 => {
                let needle = self.boxed(of, below, inside);
                Expression::In(needle, self.list(of, below, inside, 3))
            }
            7 => {
                let functions = [Function::StartsWith, Function::EndsWith, Function::Contains];
                let function = self.chance.pick(&functions);
                let text = self.expression(Kind::Text, below, inside);
                Expression::Call(function, vec![text, self.expression(Kind::Text, below, inside)])
            }
            8 => self.fold(Aggregate::Any, Kind::Bool, below),
            _ => self.fold(Aggregate::All, Kind::Bool, below),
        }
    }
}

fn database(root: &Table, part: &Table) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    functions::register(&connection).unwrap();
    for (table, key) in [(root, "id"), (part, "root, position")] {
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|column| format!("{} {}", column.name.as_str(), column.scalar.sqlite()))
            .collect();
        let text = format!(
            "CREATE TABLE {} ({}, PRIMARY KEY ({key})) WITHOUT ROWID",
            table.name.as_str(),
            columns.join(", ")
        );
        connection.execute_batch(&text).unwrap();
    }
    connection
}

fn insert(connection: &Connection, table: &Table, row: &[Value]) {
    let lowered = lower::insert(operation::Dialect::Sqlite, table, 0).unwrap();
    let mut statement = connection.prepare_cached(&lowered.text).unwrap();
    for (at, value) in row.iter().enumerate() {
        statement.raw_bind_parameter(at + 1, bound(value)).unwrap();
    }
    statement.raw_execute().unwrap();
}

/// The value by SQLite, or the message.
fn ask(
    connection: &Connection,
    table: &Table,
    expression: &Expression,
    kind: Kind,
    binds: &[Value],
    key: i64,
) -> Result<Value, String> {
    let dialect = operation::Dialect::Sqlite;
    let lowered = lower::decide(dialect, table, expression, binds, &table.key).unwrap();
    let mut statement = connection.prepare(&lowered.text).unwrap();
    let values = binds.iter().cloned().chain([Value::Int(key)]).enumerate();
    for (at, value) in values.chain(lowered.constants) {
        statement.raw_bind_parameter(at + 1, bound(&value)).unwrap();
    }
    let mut rows = statement.raw_query();
    let row = rows.next().map_err(|error| error.to_string())?.unwrap();
    Ok(stored(kind.scalar(), row.get_ref(0).unwrap()))
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        // 0.0 and -0.0 are one number; SQLite stores them as one.
        (Value::Float(a), Value::Float(b)) => a == b,
        _ => a == b,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6_000, ..ProptestConfig::default() })]

    #[test]
    fn evaluated_and_lowered_agree(seed: u64) {
        let (root, part) = tables();
        thread_local! {
            static DATABASE: Connection = {
                let (root, part) = tables();
                database(&root, &part)
            };
        }
        DATABASE.with(|connection| {
            connection.execute_batch("BEGIN").unwrap();
            let outcome = agree(connection, &root, &part, seed);
            connection.execute_batch("ROLLBACK").unwrap();
            outcome
        })?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn evaluated_and_lowered_for_postgres_agree(seed: u64) {
        agree_beside(seed)?;
    }
}

/// A connection to an own database that has the two tables.
struct Beside {
    runtime: tokio::runtime::Runtime,
    link: Link,
}

impl Beside {
    fn open() -> Self {
        let (root, part) = tables();
        let url = testbed::postgres().database();
        let options = Options::default();
        drop(Store::connect(&url, options.clone()).unwrap());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let link = runtime.block_on(Address::of(&url, &options).unwrap().connect(0)).unwrap();
        for (table, key) in [(&root, "id"), (&part, "root, position")] {
            let columns = table.columns.iter().map(|column| {
                let size =
                    if column.scalar == (Scalar::Decimal { scale: 2 }) { "(19,2)" } else { "" };
                let collation = if column.scalar == Scalar::Text { "COLLATE \"C\"" } else { "" };
                format!("\"{}\" {}{size} {collation}", column.name, column.scalar.postgres())
            });
            let columns: Vec<String> = columns.collect();
            let text = format!(
                "CREATE TABLE {} ({}, PRIMARY KEY ({key}))",
                table.name,
                columns.join(", ")
            );
            runtime.block_on(link.client.batch_execute(&text)).unwrap();
        }
        Self { runtime, link }
    }

    fn run(&self, text: &str) {
        self.runtime.block_on(self.link.client.batch_execute(text)).unwrap();
    }

    /// Whether the row could be stored: a moment may be too far away for PostgreSQL.
    fn insert(&self, table: &Table, row: &[Value]) -> bool {
        let lowered = lower::insert(operation::Dialect::Postgres, table, 0).unwrap();
        self.ask(&lowered, row).is_ok()
    }

    /// Whether every value can be sent: a moment before 4714 BC cannot.
    fn can_ask(lowered: &lower::Statement, values: &[Value]) -> bool {
        let mut buffer = bytes::BytesMut::new();
        lowered.parameters.iter().all(|parameter| {
            let constants = lowered.constants.iter();
            let constant = || constants.clone().find(|(at, _)| *at == parameter.origin);
            let value = values.get(parameter.origin).or_else(|| constant().map(|(_, value)| value));
            value.is_some_and(|value| write_binary(parameter.form, value, &mut buffer).is_ok())
        })
    }

    fn ask(&self, lowered: &lower::Statement, values: &[Value]) -> Result<Value, Fault> {
        self.runtime.block_on(async {
            let types: Vec<_> =
                lowered.parameters.iter().map(|parameter| type_of(parameter.form)).collect();
            let bound =
                link::bound(&lowered.parameters, &lowered.constants, |at| values.get(at)).unwrap();
            let statement = self.link.client.prepare_typed(&lowered.text, &types).await;
            let statement = statement.map_err(|error| fault::fault_of(&error))?;
            let rows = self.link.client.query_raw(&statement, bound).await;
            let rows = rows.map_err(|error| fault::fault_of(&error))?;
            let mut rows = std::pin::pin!(rows);
            let mut answer = Value::Null;
            while let Some(row) = rows.try_next().await.map_err(|error| fault::fault_of(&error))? {
                let cells = read::cells(&row).map_err(link::Trouble::into_fault)?;
                if let Some(Some(bytes)) = cells.first() {
                    answer = value_of(Scalar::Bool, bytes).unwrap();
                }
            }
            Ok(answer)
        })
    }
}

/// The same with PostgreSQL, which is asked whether it comes to the value that Rust came to.
fn agree_beside(seed: u64) -> Result<(), TestCaseError> {
    thread_local! {
        static BESIDE: Beside = Beside::open();
    }
    BESIDE.with(|beside| {
        beside.run("BEGIN");
        let outcome = agree_there(beside, seed);
        beside.run("ROLLBACK");
        outcome
    })
}

fn agree_there(beside: &Beside, seed: u64) -> Result<(), TestCaseError> {
    let (root, part) = tables();
    let mut chance = Chance(seed);
    let kind = chance.pick(&KINDS);
    let depth = 1 + chance.below(4);
    let mut writing = Writing { chance: &mut chance, part: &part, binds: Vec::new() };
    let expression = writing.expression(kind, depth, false);
    let binds = writing.binds;
    let row = chance.row(&[0]);
    beside.run("SAVEPOINT row");
    if !beside.insert(&root, &row) {
        return Ok(());
    }
    let parts: Vec<Vec<Value>> =
        (0..chance.below(4) as i64).map(|position| chance.row(&[0, position])).collect();
    for row in &parts {
        if !beside.insert(&part, row) {
            return Ok(());
        }
    }
    let scope = Scope { rows: &[&row], binds: &binds, parts: &[(part.id, &parts)], stored: None };
    let evaluated = evaluate(&expression, &scope);
    let mut values = binds.clone();
    let asked = match &evaluated {
        Ok(value) if !value.is_null() => {
            values.push(value.clone());
            Expression::equal(expression.clone(), Expression::Bind(binds.len()))
        }
        _ => Expression::IsNull(Box::new(expression.clone())),
    };
    let lowered =
        lower::decide(operation::Dialect::Postgres, &root, &asked, &values, &root.key).unwrap();
    values.push(Value::Int(0));
    if !Beside::can_ask(&lowered, &values) {
        return Ok(());
    }
    let answer = beside.ask(&lowered, &values);
    let agreed = match (&evaluated, &answer) {
        (Ok(_), Ok(answer)) => *answer == Value::Bool(true),
        (
            Err(EvaluationFault::Overflow | EvaluationFault::DivisionByZero),
            Err(Fault::Invalid(_)),
        ) => true,
        _ => false,
    };
    prop_assert!(
        agreed,
        "{evaluated:?} in Rust, {answer:?} in PostgreSQL: {expression:?}\n{row:?}\n{parts:?}\n{values:?}\n{}",
        lowered.text
    );
    Ok(())
}

fn agree(
    connection: &Connection,
    root: &Table,
    part: &Arc<Table>,
    seed: u64,
) -> Result<(), TestCaseError> {
    let mut chance = Chance(seed);
    let kind = chance.pick(&KINDS);
    let depth = 1 + chance.below(4);
    let mut writing = Writing { chance: &mut chance, part, binds: Vec::new() };
    let expression = writing.expression(kind, depth, false);
    let binds = writing.binds;
    for key in 0..3 {
        let row = chance.row(&[key]);
        insert(connection, root, &row);
        let parts: Vec<Vec<Value>> =
            (0..chance.below(4) as i64).map(|position| chance.row(&[key, position])).collect();
        for row in &parts {
            insert(connection, part, row);
        }
        let scope =
            Scope { rows: &[&row], binds: &binds, parts: &[(part.id, &parts)], stored: None };
        let evaluated = evaluate(&expression, &scope);
        let lowered = ask(connection, root, &expression, kind, &binds, key);
        let agreed = match (&evaluated, &lowered) {
            (Ok(a), Ok(b)) => same(a, b),
            (Err(EvaluationFault::Overflow), Err(message)) => message.contains(functions::OVERFLOW),
            (Err(EvaluationFault::DivisionByZero), Err(message)) => {
                message.contains(functions::DIVISION_BY_ZERO)
            }
            _ => false,
        };
        prop_assert!(
            agreed,
            "{evaluated:?} in Rust, {lowered:?} in SQLite: {expression:?}\n{row:?}\n{parts:?}\n{binds:?}\n{}",
            lower::decide(operation::Dialect::Sqlite, root, &expression, &binds, &root.key)
                .unwrap()
                .text
        );
    }
    Ok(())
}
