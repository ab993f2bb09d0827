//! Expressions.

use operation::{
    Aggregate, Arithmetic, Comparison, Dialect, Expression, Fault, Function, NumberKind, Sql,
    Table, Value,
};

/// A statement under construction, and the rows that its expressions see.
#[derive(Debug)]
pub(crate) struct Lowering<'a> {
    /// The text.
    pub sql: Sql,
    /// Rows in scope, the innermost last: the alias's number and the table.
    scope: Vec<(usize, &'a Table)>,
    aliases: usize,
    first_constant: usize,
    constants: Vec<Value>,
}

impl<'a> Lowering<'a> {
    /// An empty statement whose binds take the positions below `binds`.
    pub fn new(dialect: Dialect, binds: usize) -> Self {
        Self {
            sql: Sql::new(dialect),
            scope: Vec::new(),
            aliases: 0,
            first_constant: binds,
            constants: Vec::new(),
        }
    }

    /// A new alias number.
    pub fn alias(&mut self) -> usize {
        self.aliases += 1;
        self.aliases - 1
    }

    /// Lowers with one row in scope, and no other.
    pub fn with_row(
        &mut self,
        alias: usize,
        table: &'a Table,
        expression: &'a Expression,
    ) -> Result<(), Fault> {
        let outer = std::mem::replace(&mut self.scope, vec![(alias, table)]);
        let outcome = self.value(expression);
        self.scope = outer;
        outcome
    }

    /// Writes `tN."column"`.
    pub fn column(&mut self, alias: usize, table: &Table, column: usize) -> Result<(), Fault> {
        let column = table.columns.get(column).ok_or_else(|| ill_formed("no such column"))?;
        self.sql.alias("t", alias).push(".").ident(&column.name);
        Ok(())
    }

    /// Writes `"table" AS tN`.
    pub fn table(&mut self, alias: usize, table: &Table) {
        self.sql.ident(&table.name).push(" AS ").alias("t", alias);
    }

    /// The text, and the constants with their positions (from 0) among the binds.
    pub fn finish(self) -> (String, Vec<(usize, Value)>) {
        let constants = self.constants.into_iter().enumerate();
        let first = self.first_constant;
        (self.sql.finish(), constants.map(|(i, value)| (first + i, value)).collect())
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
            && terms.iter().any(can_fail)
        {
            for term in terms.iter().take_while(|term| !can_fail(term)) {
                self.with_row(alias, table, term)?;
                self.sql.push(" AND ");
            }
        }
        self.with_row(alias, table, filter)
    }

    /// Writes an expression, in parentheses where it has an operator.
    pub fn value(&mut self, expression: &'a Expression) -> Result<(), Fault> {
        match expression {
            Expression::Literal(value) => self.literal(value),
            Expression::Bind(at) => {
                if *at >= self.first_constant {
                    return Err(ill_formed("no such bind"));
                }
                self.sql.bind(*at);
            }
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
                if can_fail(a) {
                    // False, but not before the needle has had its chance to fail.
                    self.sql.push("(mimar_compare(");
                    self.value(a)?;
                    self.sql.push(", NULL) IS NOT NULL)");
                } else {
                    self.sql.push("0");
                }
            }
            Expression::In(a, list) => {
                let lazily = can_fail(a) || list.iter().any(can_fail);
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
        }
        Ok(())
    }

    fn row_at(&self, depth: usize) -> Result<(usize, &'a Table), Fault> {
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
        let both = (can_fail(a) || can_fail(b)) && (has_query(a) || has_query(b));
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
        if terms.len() == 1 || !terms.iter().any(can_fail) {
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
        let early = !can_fail(body);
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
        match value {
            Value::Null => self.sql.push("NULL"),
            Value::Bool(b) => self.sql.push(if *b { "1" } else { "0" }),
            // In parentheses, because a sign in front of the least number is an operator.
            Value::Int(n) => self.sql.push("(").integer(*n).push(")"),
            // Constants of the model, quoted: the planner can then use partial indexes and statistics.
            Value::Text(text) if !text.contains('\0') => self.sql.literal(text),
            _ => {
                let at = self.first_constant + self.constants.len();
                self.constants.push(value.clone());
                self.sql.bind(at)
            }
        };
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

/// Whether evaluating it can fail on some row.
pub(crate) fn can_fail(expression: &Expression) -> bool {
    let mut can = false;
    expression.visit(&mut |e| {
        can |= matches!(
            e,
            Expression::Arithmetic { .. }
                | Expression::Negate(NumberKind::Int, _)
                | Expression::Rescale { .. }
                | Expression::DivideDecimal { .. }
                | Expression::Call(Function::TimestampOf, _)
                | Expression::Aggregate { aggregate: Aggregate::Sum, .. }
        );
    });
    can
}

/// Whether it becomes a query inside the query.
pub(crate) fn has_query(expression: &Expression) -> bool {
    let mut has = false;
    expression.visit(&mut |e| {
        has |= matches!(e, Expression::Lookup { .. } | Expression::Aggregate { .. });
    });
    has
}

fn operator(comparison: Comparison) -> &'static str {
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
    }
}
