//! Expressions.

use operation::{
    Aggregate, Arithmetic, Column, Comparison, Dialect, Expression, Fault, Function, Native,
    NumberKind, Scalar, Sql, Table, Value,
};

use super::form::{Natural, plain, power_of_ten};
use super::{Settings, Statement, drawn};
use crate::kept;

/// A statement under construction, and the rows that its expressions see.
#[derive(Debug)]
pub(crate) struct Lowering<'a> {
    /// The text.
    pub sql: Sql,
    /// Rows in scope, the innermost last: the alias's number and the table.
    pub(super) scope: Vec<(usize, &'a Table)>,
    aliases: usize,
    first_constant: usize,
    constants: Vec<Value>,
    /// Values that the binds may have, for what they are; PostgreSQL alone asks.
    pub(super) hints: &'a [Value],
    parameters: Vec<Parameter>,
    /// Binds that stand for a column of a row around: position, alias, table, column.
    arounds: Vec<(usize, usize, &'a Table, usize)>,
    /// Whether binds stand in columns of a table `given`, a row for each request.
    given: bool,
    /// Binds that stand for what is in settings of the transaction.
    pub(super) settings: Settings<'a>,
    /// Whether what is written stands beside what may fail, and must not keep it from that.
    pub(super) beside: bool,
}

/// A placeholder of PostgreSQL, which has one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parameter {
    /// Which value: a position among the binds, and after them among the constants.
    pub origin: usize,
    /// As whose column type it stands.
    pub form: Scalar,
}

impl<'a> Lowering<'a> {
    /// An empty statement whose binds take the positions below `binds`. `hints` are values that they may have.
    pub fn new(dialect: Dialect, binds: usize, hints: &'a [Value]) -> Self {
        Self {
            sql: Sql::new(dialect),
            scope: Vec::new(),
            aliases: 0,
            first_constant: binds,
            constants: Vec::new(),
            hints,
            parameters: Vec::new(),
            arounds: Vec::new(),
            given: false,
            settings: Settings::default(),
            beside: false,
        }
    }

    /// The same for one that stands behind others, whose parameters come before its own.
    pub fn behind(mut self, others: usize) -> Self {
        self.sql = Sql::behind(self.sql.dialect(), others);
        self
    }

    /// An empty statement for PostgreSQL whose binds are columns of a table `given`: `b1` and so on.
    pub fn of_given(binds: usize, hints: &'a [Value]) -> Self {
        Self { given: true, ..Self::new(Dialect::Postgres, binds, hints) }
    }

    /// How many binds there are.
    pub fn binds(&self) -> usize {
        self.first_constant
    }

    /// A new alias number.
    pub fn alias(&mut self) -> usize {
        self.aliases += 1;
        self.aliases - 1
    }

    /// Lowers with one row in scope, and no other, as a condition.
    pub fn with_row(
        &mut self,
        alias: usize,
        table: &'a Table,
        expression: &'a Expression,
    ) -> Result<(), Fault> {
        let outer = std::mem::replace(&mut self.scope, vec![(alias, table)]);
        let outcome = self.any(expression, Scalar::Bool);
        self.scope = outer;
        outcome
    }

    /// Lowers something in which the bind at a position stands for a column of the row around.
    pub fn inside_of(
        &mut self,
        bind: usize,
        (alias, table, column): (usize, &'a Table, usize),
        lower: impl FnOnce(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.arounds.push((bind, alias, table, column));
        let outcome = lower(self);
        self.arounds.pop();
        outcome
    }

    /// The column that a bind stands for, with its scalar, if it does.
    pub(super) fn around(&self, bind: usize) -> Option<(usize, (&'a Table, usize), Scalar)> {
        let around = self.arounds.iter().rev().find(|(at, ..)| *at == bind);
        let (_, alias, table, column) = around.copied()?;
        Some((alias, (table, column), table.columns.get(column)?.scalar))
    }

    /// Writes `tN."column"`.
    pub fn column(&mut self, alias: usize, table: &Table, column: usize) -> Result<(), Fault> {
        let column = table.columns.get(column).ok_or_else(|| ill_formed("no such column"))?;
        self.stored(Some(alias), column);
        Ok(())
    }

    /// Writes `"column"`, of a row of an alias where one is given, as a value that Mimar would have stored.
    pub fn stored(&mut self, alias: Option<usize>, column: &Column) {
        if let Some(Native::Kept(_)) = column.native {
            self.sql.push("mimar_read(");
        }
        if let Some(alias) = alias {
            self.sql.alias("t", alias).push(".");
        }
        self.sql.ident(&column.name);
        match column.native {
            // Compared and sorted as text, as it is everywhere.
            Some(Native::Type(_)) => {
                self.sql.push("::text");
            }
            Some(Native::Kept(_)) => {
                self.sql.push(", ").integer(kept::code_of(column.scalar)).push(")");
            }
            None => {}
        }
    }

    /// Writes the placeholder of a bind as what a column stores.
    pub fn bind_of(&mut self, at: usize, column: &Column) {
        match &column.native {
            Some(Native::Kept(form)) => {
                self.sql.push("mimar_kept(");
                self.bind(at, column.scalar);
                self.sql.push(", ").integer(kept::code_of(column.scalar));
                self.sql.push(", ").integer(kept::code_of_form(*form)).push(")");
            }
            Some(Native::Type(name)) => {
                self.bind(at, column.scalar);
                self.sql.push("::").ident(name);
            }
            None => self.bind(at, column.scalar),
        }
    }

    /// Writes a column as what is answered: of its scalar's own type, also where others made the table with a narrower one. Of a
    /// column that has that type already the database makes nothing of it.
    pub fn answered(&mut self, alias: usize, table: &Table, column: usize) -> Result<(), Fault> {
        self.column(alias, table, column)?;
        let scalar = table.columns.get(column).ok_or_else(|| ill_formed("no such column"))?.scalar;
        self.as_answer(scalar);
        Ok(())
    }

    /// Writes the type that a value of a scalar is answered with, behind it.
    pub fn as_answer(&mut self, scalar: Scalar) {
        if self.sql.dialect() == Dialect::Sqlite {
            return;
        }
        let cast = match scalar {
            Scalar::Int => "::bigint",
            Scalar::Float => "::double precision",
            Scalar::Text => "::text",
            Scalar::Json => "::json",
            Scalar::Timestamp => "::timestamptz",
            Scalar::Decimal { scale } => {
                self.sql.push("::numeric(19,").integer(i64::from(scale)).push(")");
                return;
            }
            Scalar::Bool
            | Scalar::Uuid
            | Scalar::Date
            | Scalar::Time
            | Scalar::Duration
            | Scalar::Bytes => return,
        };
        self.sql.push(cast);
    }

    /// Writes a column as a value of `form`.
    pub(super) fn column_as(
        &mut self,
        alias: usize,
        table: &Table,
        column: usize,
        form: Scalar,
    ) -> Result<(), Fault> {
        let scalar = table.columns.get(column).ok_or_else(|| ill_formed("no such column"))?.scalar;
        if self.sql.dialect() == Dialect::Sqlite || scalar == form {
            return self.column(alias, table, column);
        }
        if form != plain(scalar) {
            return Err(ill_formed("a column as what it is not"));
        }
        self.made_plain(scalar, |it| it.column(alias, table, column))
    }

    /// Writes a value of a scalar as the number or text that expressions compute with.
    pub(super) fn made_plain(
        &mut self,
        scalar: Scalar,
        write: impl FnOnce(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let (before, after) = match scalar {
            Scalar::Decimal { .. } => ("(", ""),
            Scalar::Date => ("(", " - DATE '1970-01-01')::bigint"),
            Scalar::Time | Scalar::Timestamp | Scalar::Duration => {
                ("(extract(epoch FROM ", ") * 1000000)::bigint")
            }
            _ => ("(", ")::text"),
        };
        self.sql.push(before);
        write(self)?;
        self.sql.push(after);
        if let Scalar::Decimal { scale } = scalar {
            self.sql.push(" * ").integer(power_of_ten(scale)).push(")::bigint");
        }
        Ok(())
    }

    /// Writes a bind of the request, or the column of the row around that it stands for.
    pub(super) fn placeholder(&mut self, at: usize, form: Scalar) -> Result<(), Fault> {
        if let Some((alias, (table, column), _)) = self.around(at) {
            return self.column_as(alias, table, column, form);
        }
        if at >= self.first_constant {
            return Err(ill_formed("no such bind"));
        }
        if let Some((found, scalar)) = self.found_at(at) {
            if scalar == form {
                return self.found(found);
            }
            if form != plain(scalar) {
                return Err(ill_formed("a value as what it is not"));
            }
            return self.made_plain(scalar, |it| it.found(found));
        }
        self.bind(at, form);
        Ok(())
    }

    /// Whether something may be a null of which the planner knows.
    pub(super) fn is_known_ahead(&self, expression: &Expression) -> bool {
        match expression {
            Expression::Literal(Value::Null) => !self.given,
            Expression::Bind(at) => {
                !self.given && self.around(*at).is_none() && self.found_at(*at).is_none()
            }
            _ => false,
        }
    }

    /// Writes a constant as a bind of its own.
    pub(super) fn constant(&mut self, value: &Value, form: Scalar) {
        let at = self.first_constant + self.constants.len();
        self.constants.push(value.clone());
        self.bind(at, form);
    }

    /// Writes the placeholder of a bind, as a value of `form`.
    pub fn bind(&mut self, at: usize, form: Scalar) {
        if self.sql.dialect() == Dialect::Sqlite {
            self.sql.bind(at);
            return;
        }
        if let Some((_, table)) = self.settings.drawn.iter().find(|(bind, _)| *bind == at).copied()
        {
            drawn::number(self, table, &mut |it| it.placeholder_of(at, Scalar::Int));
            return;
        }
        self.placeholder_of(at, form);
    }

    /// As what a bind stands in what is written so far.
    pub(super) fn form_of(&self, at: usize) -> Option<Scalar> {
        let known = self.parameters.iter().find(|parameter| parameter.origin == at);
        known.map(|parameter| parameter.form)
    }

    fn placeholder_of(&mut self, at: usize, form: Scalar) {
        let wanted = Parameter { origin: at, form };
        let known = self.parameters.iter().position(|parameter| *parameter == wanted);
        let number = known.unwrap_or_else(|| {
            self.parameters.push(wanted);
            self.parameters.len() - 1
        });
        if self.given {
            self.sql.push("given.").alias("b", number + 1);
        } else {
            self.sql.bind(number);
        }
    }

    /// Writes `tN."column" = expression`; of the key of a part the same of its root.
    pub fn column_is(
        &mut self,
        alias: usize,
        table: &'a Table,
        column: usize,
        expression: &'a Expression,
    ) -> Result<(), Fault> {
        if let Expression::Part { root, own } = expression {
            let of = table.root.ok_or_else(|| ill_formed("a part of nothing"))?;
            self.column_is(alias, table, of, root)?;
            self.sql.push(" AND ");
            return self.column_is(alias, table, column, own);
        }
        let scalar = table.columns.get(column).ok_or_else(|| ill_formed("no such column"))?.scalar;
        let form = Natural::Is(scalar).with(self.natural(expression, &[])).comparable();
        self.column_as(alias, table, column, form)?;
        self.sql.push(" = ");
        self.any(expression, form)
    }

    /// Writes `"table" AS tN`.
    pub fn table(&mut self, alias: usize, table: &Table) {
        self.sql.ident(&table.name).push(" AS ").alias("t", alias);
    }

    /// The statement, which answers columns of these scalars.
    pub fn finish(self, answer: Vec<Scalar>) -> Statement {
        let constants = self.constants.into_iter().enumerate();
        let first = self.first_constant;
        Statement {
            text: self.sql.finish(),
            constants: constants.map(|(i, value)| (first + i, value)).collect(),
            parameters: self.parameters,
            answer,
        }
    }

    /// Lowers a filter, one row in scope: the terms that cannot fail stand beside the whole, so that indexes
    /// serve them.
    pub fn filter(
        &mut self,
        alias: usize,
        table: &'a Table,
        filter: &'a Expression,
    ) -> Result<(), Fault> {
        if let Expression::And(terms) = filter
            && terms.iter().any(Expression::can_fail)
        {
            for term in terms.iter().take_while(|term| !term.can_fail()) {
                self.with_row(alias, table, term)?;
                self.sql.push(" AND ");
            }
        }
        self.with_row(alias, table, filter)
    }

    /// Writes an expression, as a value of `form` where the dialect has forms.
    pub fn any(&mut self, expression: &'a Expression, form: Scalar) -> Result<(), Fault> {
        match self.sql.dialect() {
            Dialect::Sqlite => self.value(expression),
            Dialect::Postgres => self.postgres(expression, form),
        }
    }

    /// Writes an expression for SQLite, in parentheses where it has an operator.
    fn value(&mut self, expression: &'a Expression) -> Result<(), Fault> {
        match expression {
            Expression::Literal(value) => self.literal(value),
            Expression::Bind(at) => self.placeholder(*at, Scalar::Int)?,
            Expression::Column { depth, column } => {
                let (alias, table) = self.row_at(*depth)?;
                self.column(alias, table, *column)?;
            }
            Expression::Lookup { table, key, value } => {
                let alias = self.alias();
                self.sql.push("(SELECT ");
                self.scope.push((alias, table));
                let lowered = self.value(value);
                self.scope.pop();
                lowered?;
                self.sql.push(" FROM ");
                self.table(alias, table);
                self.sql.push(" WHERE ");
                self.column(alias, table, table.own_key())?;
                self.sql.push(" = ");
                self.value(key)?;
                self.sql.push(")");
            }
            Expression::Aggregate { aggregate, table, depth, body, kind } => {
                self.aggregate(*aggregate, table, *depth, body, *kind)?;
            }
            Expression::Not(a) => {
                self.sql.push("(NOT ");
                self.value(a)?;
                self.sql.push(")");
            }
            Expression::IsNull(a) => {
                self.sql.push("(");
                self.value(a)?;
                self.sql.push(" IS NULL)");
            }
            Expression::Compare(comparison, a, b) => {
                self.compare(a, *comparison, b)?;
            }
            Expression::And(terms) => self.junction(terms, " AND ", "1", "0")?,
            Expression::Or(terms) => self.junction(terms, " OR ", "0", "1")?,
            Expression::In(a, list) if list.is_empty() => {
                if a.can_fail() {
                    // False, but not before the needle has had its chance to fail.
                    self.sql.push("(mimar_compare(");
                    self.value(a)?;
                    self.sql.push(", NULL) IS NOT NULL)");
                } else {
                    self.sql.push("0");
                }
            }
            Expression::In(a, list) => {
                let lazily = a.can_fail() || list.iter().any(Expression::can_fail);
                if lazily {
                    // As in `junction`: the first item that is equal ends it, before one that fails.
                    self.sql.push("coalesce(");
                    for item in list {
                        self.sql.push("CASE ");
                        self.compare(a, Comparison::Equal, item)?;
                        self.sql.push(" WHEN 1 THEN 1 END, ");
                    }
                }
                self.sql.push("(");
                self.value(a)?;
                self.sql.push(" IN (");
                self.list(list)?;
                self.sql.push(if lazily { ")))" } else { "))" });
            }
            Expression::Arithmetic { operation, kind, left, right } => {
                self.sql.push(match (operation, kind) {
                    (Arithmetic::Add, NumberKind::Int) => "mimar_add(",
                    (Arithmetic::Subtract, NumberKind::Int) => "mimar_subtract(",
                    (Arithmetic::Multiply, NumberKind::Int) => "mimar_multiply(",
                    (Arithmetic::Divide, NumberKind::Int) => "mimar_divide(",
                    (Arithmetic::Add, NumberKind::Float) => "mimar_add_float(",
                    (Arithmetic::Subtract, NumberKind::Float) => "mimar_subtract_float(",
                    (Arithmetic::Multiply, NumberKind::Float) => "mimar_multiply_float(",
                    (Arithmetic::Divide, NumberKind::Float) => "mimar_divide_float(",
                });
                self.value(left)?;
                self.sql.push(", ");
                self.value(right)?;
                self.sql.push(")");
            }
            Expression::Negate(NumberKind::Int, a) => {
                self.sql.push("mimar_negate(");
                self.value(a)?;
                self.sql.push(")");
            }
            Expression::Negate(NumberKind::Float, a) => {
                self.sql.push("(- ");
                self.value(a)?;
                self.sql.push(")");
            }
            Expression::Rescale { value, from, to } => {
                self.sql.push("mimar_rescale(");
                self.value(value)?;
                self.scales(&[*from, *to]);
            }
            Expression::DivideDecimal { left, left_scale, right, right_scale, scale } => {
                self.sql.push("mimar_divide_decimal(");
                self.value(left)?;
                self.sql.push(", ");
                self.value(right)?;
                self.scales(&[*left_scale, *right_scale, *scale]);
            }
            Expression::ToFloat(a, scale) => {
                self.sql.push("mimar_to_float(");
                self.value(a)?;
                self.scales(&[*scale]);
            }
            Expression::Call(function, arguments) => {
                self.sql.push(function_name(*function)).push("(");
                self.list(arguments)?;
                self.sql.push(")");
            }
            Expression::If { condition, then, otherwise } => {
                self.sql.push("CASE WHEN ");
                self.value(condition)?;
                self.sql.push(" THEN ");
                self.value(then)?;
                self.sql.push(" ELSE ");
                self.value(otherwise)?;
                self.sql.push(" END");
            }
            Expression::Coalesce(list) => match &**list {
                [] => {
                    self.sql.push("NULL");
                }
                [only] => self.value(only)?,
                _ => {
                    self.sql.push("coalesce(");
                    self.list(list)?;
                    self.sql.push(")");
                }
            },
            Expression::Member { .. } => return Err(ill_formed("a member of JSON in SQL")),
            Expression::Part { .. } => return Err(ill_formed("the key of a part by itself")),
        }
        Ok(())
    }

    pub(super) fn row_at(&self, depth: usize) -> Result<(usize, &'a Table), Fault> {
        self.scope.iter().rev().nth(depth).copied().ok_or_else(|| ill_formed("no such row"))
    }

    fn list(&mut self, items: &'a [Expression]) -> Result<(), Fault> {
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.sql.push(", ");
            }
            self.value(item)?;
        }
        Ok(())
    }

    /// Plain, so that an index may serve. Only where one side is a query does SQLite skip the other when it is
    /// null; if something can fail there, a function, which is given both, decides.
    fn compare(
        &mut self,
        a: &'a Expression,
        comparison: Comparison,
        b: &'a Expression,
    ) -> Result<(), Fault> {
        let both = (a.can_fail() || b.can_fail()) && (has_query(a) || has_query(b));
        self.sql.push(if both { "(mimar_compare(" } else { "(" });
        self.value(a)?;
        self.sql.push(if both { ", " } else { operator(comparison) });
        self.value(b)?;
        if both {
            self.sql.push(")").push(operator(comparison)).push("0");
        }
        self.sql.push(")");
        Ok(())
    }

    fn scales(&mut self, scales: &[u8]) {
        for scale in scales {
            self.sql.push(", ").integer(i64::from(*scale));
        }
        self.sql.push(")");
    }

    /// `and` and `or`. A database may evaluate terms in any order and a term may fail (overflow), which the term
    /// before it was there to prevent: `x != 0 and 10 / x > 1`. Where a term can fail, order is therefore made
    /// explicit by `coalesce`, which evaluates lazily: each term that decides ends it.
    fn junction(
        &mut self,
        terms: &'a [Expression],
        operator: &'static str,
        neutral: &'static str,
        decisive: &'static str,
    ) -> Result<(), Fault> {
        if terms.is_empty() {
            self.sql.push(neutral);
            return Ok(());
        }
        if terms.len() == 1 || !terms.iter().any(Expression::can_fail) {
            self.sql.push("(");
            self.joined(terms, operator)?;
            self.sql.push(")");
            return Ok(());
        }
        self.sql.push("coalesce(");
        for term in terms {
            self.sql.push("CASE ");
            self.value(term)?;
            self.sql.push(" WHEN ").push(decisive).push(" THEN ").push(decisive).push(" END, ");
        }
        self.joined(terms, operator)?;
        self.sql.push(")");
        Ok(())
    }

    fn joined(&mut self, terms: &'a [Expression], operator: &'static str) -> Result<(), Fault> {
        for (i, term) in terms.iter().enumerate() {
            if i > 0 {
                self.sql.push(operator);
            }
            self.value(term)?;
        }
        Ok(())
    }

    fn aggregate(
        &mut self,
        aggregate: Aggregate,
        table: &'a Table,
        depth: usize,
        body: &'a Expression,
        kind: NumberKind,
    ) -> Result<(), Fault> {
        let root = table.root.ok_or_else(|| ill_formed("an aggregate over what is no part"))?;
        let (outer, outer_table) = self.row_at(depth)?;
        let alias = self.alias();
        // The folds that could stop early do so only where no row can fail, because the evaluator folds all.
        let early = !body.can_fail();
        let early = early && matches!(aggregate, Aggregate::Any | Aggregate::All);
        if early {
            self.sql.push(if aggregate == Aggregate::Any { "EXISTS " } else { "(NOT EXISTS " });
            self.sql.push("(SELECT 1");
        } else {
            // Folded over a query of its own: an aggregate whose argument names only outer rows would belong to
            // the outer query, as SQL has it.
            self.sql.push(match (aggregate, kind) {
                (Aggregate::Sum, NumberKind::Int) => "(SELECT mimar_sum(f.v)",
                (Aggregate::Sum, NumberKind::Float) => "(SELECT mimar_sum_float(f.v)",
                (Aggregate::Count, _) => "(SELECT count(CASE WHEN f.v THEN 1 END)",
                (Aggregate::Min, _) => "(SELECT min(f.v)",
                (Aggregate::Max, _) => "(SELECT max(f.v)",
                (Aggregate::Any, _) => "(SELECT coalesce(max(CASE WHEN f.v THEN 1 ELSE 0 END), 0)",
                (Aggregate::All, _) => "(SELECT coalesce(min(CASE WHEN f.v THEN 1 ELSE 0 END), 1)",
            });
            self.sql.push(" FROM (SELECT ");
            self.inside(alias, table, body)?;
            self.sql.push(" AS v");
        }
        self.sql.push(" FROM ");
        self.table(alias, table);
        self.sql.push(" WHERE ");
        self.column(alias, table, root)?;
        self.sql.push(" = ");
        self.column(outer, outer_table, outer_table.own_key())?;
        match (early, aggregate) {
            (false, _) => {
                self.sql.push(") AS f)");
            }
            (true, Aggregate::All) => {
                self.sql.push(" AND ");
                self.inside(alias, table, body)?;
                self.sql.push(" IS NOT 1))");
            }
            (true, _) => {
                self.sql.push(" AND ");
                self.inside(alias, table, body)?;
                self.sql.push(")");
            }
        }
        Ok(())
    }

    fn inside(
        &mut self,
        alias: usize,
        table: &'a Table,
        body: &'a Expression,
    ) -> Result<(), Fault> {
        self.scope.push((alias, table));
        let outcome = self.value(body);
        self.scope.pop();
        outcome
    }

    fn literal(&mut self, value: &Value) {
        let sql = &mut self.sql;
        match value {
            Value::Null => {
                sql.push("NULL");
            }
            Value::Bool(b) => {
                sql.push(if *b { "1" } else { "0" });
            }
            // In parentheses, because a sign in front of the least number is an operator.
            Value::Int(n) => {
                sql.push("(").integer(*n).push(")");
            }
            // Constants of the model, quoted: the planner can then use partial indexes and statistics.
            Value::Text(text) if !text.contains('\0') => {
                sql.literal(text);
            }
            _ => self.constant(value, Scalar::Int),
        }
    }
}

/// A template that cannot be executed: the fault of whoever compiled it.
pub(crate) fn ill_formed(what: &str) -> Fault {
    Fault::Internal(format!("the compiled operation does not fit its tables: {what}"))
}

/// The number of binds that expressions refer to: one more than the highest position.
pub(crate) fn binds_of<'e>(expressions: impl IntoIterator<Item = &'e Expression>) -> usize {
    let mut count = 0;
    for expression in expressions {
        expression.visit(&mut |e| {
            if let Expression::Bind(at) = e {
                count = count.max(at + 1);
            }
        });
    }
    count
}

/// Whether it becomes a query inside the query.
pub(crate) fn has_query(expression: &Expression) -> bool {
    let mut has = false;
    expression.visit(&mut |e| {
        has |= matches!(e, Expression::Lookup { .. } | Expression::Aggregate { .. });
    });
    has
}

/// Whether SQL has words for all of it: not for members of JSON, nor for parts by the numbers that stand for them.
pub(crate) fn is_lowerable(expression: &Expression) -> bool {
    let mut all = true;
    expression.visit(&mut |e| {
        all &= match e {
            Expression::Member { .. } => false,
            Expression::Lookup { table, .. } => table.root.is_none(),
            _ => true,
        };
    });
    all
}

pub(super) fn operator(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => " = ",
        Comparison::NotEqual => " <> ",
        Comparison::Less => " < ",
        Comparison::LessOrEqual => " <= ",
        Comparison::Greater => " > ",
        Comparison::GreaterOrEqual => " >= ",
    }
}

/// The registered name of a function.
pub(crate) fn function_name(function: Function) -> &'static str {
    match function {
        Function::Lower => "mimar_lower",
        Function::Upper => "mimar_upper",
        Function::Trim => "mimar_trim",
        Function::Length => "mimar_length",
        Function::StartsWith => "mimar_starts_with",
        Function::EndsWith => "mimar_ends_with",
        Function::Contains => "mimar_contains",
        Function::Concat => "mimar_concat",
        Function::DateOf => "mimar_date",
        Function::TimestampOf => "mimar_timestamp",
        Function::Bytes => "mimar_bytes",
        Function::Items => "mimar_items",
        Function::Matches => "mimar_matches",
    }
}
