//! Expressions for PostgreSQL. Forms (see [`super::form`]) say as what each value stands.

use operation::{
    Aggregate, Arithmetic, Comparison, Expression, Fault, Function, NumberKind, Scalar, Table,
    Value,
};

use super::expression::{Lowering, ill_formed, operator};
use super::form::power_of_ten;

/// Microseconds in a day.
const DAY: i64 = 86_400_000_000;

/// What Rust takes for white space (Unicode's property `White_Space`).
const WHITE_SPACE: &str = "\u{9}\u{a}\u{b}\u{c}\u{d} \u{85}\u{a0}\u{1680}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}";

impl<'a> Lowering<'a> {
    /// Writes an expression as a value of `form`, in parentheses where it has an operator.
    pub(super) fn postgres(
        &mut self,
        expression: &'a Expression,
        form: Scalar,
    ) -> Result<(), Fault> {
        match expression {
            // Of a null that it knows beside what may fail the planner makes null of the two, and works out nothing: what is a query
            // of its own it does not know.
            _ if self.beside && self.is_known_ahead(expression) => {
                self.beside = false;
                self.sql.push("(SELECT ");
                let lowered = self.postgres(expression, form);
                self.sql.push(" OFFSET 0)");
                self.beside = true;
                lowered?;
            }
            Expression::Literal(value) => self.typed_literal(value, form),
            Expression::Bind(at) => self.placeholder(*at, form)?,
            Expression::Column { depth, column } => {
                let (alias, table) = self.row_at(*depth)?;
                self.column_as(alias, table, *column, form)?;
            }
            Expression::Lookup { table, key, value } => {
                let outer = std::mem::take(&mut self.beside);
                self.lookup(table, key, value, form)?;
                self.beside = outer;
            }
            Expression::Aggregate { aggregate, table, depth, body, kind } => {
                let outer = std::mem::take(&mut self.beside);
                self.fold(*aggregate, table, *depth, (body, *kind), form)?;
                self.beside = outer;
            }
            Expression::Not(a) => {
                self.sql.push("(NOT ");
                self.postgres(a, Scalar::Bool)?;
                self.sql.push(")");
            }
            Expression::IsNull(a) => {
                // As what a bind stands there already, whatever it may hold.
                let known = match &**a {
                    Expression::Bind(at) => self.form_of(*at),
                    _ => None,
                };
                self.sql.push("(");
                self.postgres(a, known.unwrap_or_else(|| self.natural(a, &[]).form()))?;
                self.sql.push(" IS NULL)");
            }
            Expression::Compare(comparison, a, b) => {
                let form = self.natural(a, &[]).with(self.natural(b, &[])).comparable();
                self.compared(a, *comparison, b, form)?;
            }
            Expression::And(terms) => self.terms(terms, " AND ", "true", "false")?,
            Expression::Or(terms) => self.terms(terms, " OR ", "false", "true")?,
            Expression::In(a, list) => self.is_one_of(a, list)?,
            Expression::Arithmetic { operation, kind, left, right } => {
                let operand = match kind {
                    NumberKind::Int => Scalar::Int,
                    NumberKind::Float => Scalar::Float,
                };
                self.sql.push("(");
                self.operand(left, operand, right.can_fail())?;
                self.sql.push(match operation {
                    Arithmetic::Add => " + ",
                    Arithmetic::Subtract => " - ",
                    Arithmetic::Multiply => " * ",
                    Arithmetic::Divide => " / ",
                });
                self.operand(right, operand, left.can_fail())?;
                self.sql.push(")");
            }
            Expression::Negate(kind, a) => {
                let operand = match kind {
                    NumberKind::Int => Scalar::Int,
                    NumberKind::Float => Scalar::Float,
                };
                self.sql.push("(- ");
                self.postgres(a, operand)?;
                self.sql.push(")");
            }
            Expression::Rescale { value, from, to } if to >= from => {
                self.sql.push("(");
                self.postgres(value, Scalar::Int)?;
                self.sql.push(" * ").integer(power_of_ten(to - from)).push("::bigint)");
            }
            Expression::Rescale { value, from, to } => {
                self.sql.push("mimar.divide_half_even(");
                self.postgres(value, Scalar::Int)?;
                self.sql.push(", ").integer(power_of_ten(from - to)).push(")");
            }
            Expression::DivideDecimal { left, left_scale, right, right_scale, scale } => {
                let shift = i32::from(*right_scale) + i32::from(*scale) - i32::from(*left_scale);
                let digits = i64::from(shift.unsigned_abs());
                if digits > 19 {
                    // Beyond what the evaluator computes with: it overflows, unless one of them is null.
                    self.sql.push("((");
                    self.operand(left, Scalar::Int, right.can_fail())?;
                    self.sql.push(" * 0 + ");
                    self.operand(right, Scalar::Int, left.can_fail())?;
                    self.sql.push(" * 0 + ").integer(i64::MAX).push("::bigint) + 1)");
                    return Ok(());
                }
                let factor = |lowering: &mut Self| {
                    lowering.sql.push(" * (10::numeric ^ ").integer(digits).push(")");
                };
                self.sql.push("mimar.divide_half_even(");
                self.operand(left, Scalar::Int, right.can_fail())?;
                if shift > 0 {
                    factor(self);
                }
                self.sql.push(", ");
                self.operand(right, Scalar::Int, left.can_fail())?;
                if shift < 0 {
                    factor(self);
                }
                self.sql.push(")");
            }
            Expression::ToFloat(a, scale) => {
                self.sql.push("(");
                self.postgres(a, Scalar::Int)?;
                self.sql.push("::double precision / ").integer(power_of_ten(*scale));
                self.sql.push("::double precision)");
            }
            Expression::Call(function, arguments) => {
                let outer = self.beside;
                self.beside |= arguments.len() > 1 && arguments.iter().any(Expression::can_fail);
                self.call(*function, arguments)?;
                self.beside = outer;
            }
            Expression::If { condition, then, otherwise } => {
                self.sql.push("CASE WHEN ");
                self.postgres(condition, Scalar::Bool)?;
                self.sql.push(" THEN ");
                self.postgres(then, form)?;
                self.sql.push(" ELSE ");
                self.postgres(otherwise, form)?;
                self.sql.push(" END");
            }
            Expression::Coalesce(list) if list.is_empty() => {
                self.typed_literal(&Value::Null, form);
            }
            Expression::Coalesce(list) => {
                self.sql.push("coalesce(");
                self.each(list, ", ", form)?;
                self.sql.push(")");
            }
            Expression::Part { .. } => return Err(ill_formed("the key of a part by itself")),
            Expression::Member { object, name, scalar } => {
                self.member(object, name, *scalar, form)?;
            }
        }
        Ok(())
    }

    fn lookup(
        &mut self,
        table: &'a Table,
        key: &'a Expression,
        value: &'a Expression,
        form: Scalar,
    ) -> Result<(), Fault> {
        let alias = self.alias();
        self.sql.push("(SELECT ");
        self.scope.push((alias, table));
        let lowered = self.postgres(value, form);
        self.scope.pop();
        lowered?;
        self.sql.push(" FROM ");
        self.table(alias, table);
        self.sql.push(" WHERE ");
        self.column_is(alias, table, table.own_key(), key)?;
        self.sql.push(")");
        Ok(())
    }

    /// Writes an operand; `beside`: the other one may fail, and is to be worked out whatever this is.
    fn operand(
        &mut self,
        operand: &'a Expression,
        form: Scalar,
        beside: bool,
    ) -> Result<(), Fault> {
        let outer = self.beside;
        self.beside |= beside;
        let lowered = self.postgres(operand, form);
        self.beside = outer;
        lowered
    }

    fn compared(
        &mut self,
        a: &'a Expression,
        comparison: Comparison,
        b: &'a Expression,
        form: Scalar,
    ) -> Result<(), Fault> {
        self.sql.push("(");
        self.operand(a, form, b.can_fail())?;
        // Columns have this collation of their own; what is computed has the database's.
        let ordered = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        if form == Scalar::Text && ordered {
            self.sql.push(" COLLATE \"C\"");
        }
        self.sql.push(operator(comparison));
        self.operand(b, form, a.can_fail())?;
        self.sql.push(")");
        Ok(())
    }

    fn is_one_of(&mut self, a: &'a Expression, list: &'a [Expression]) -> Result<(), Fault> {
        let natural = self.natural(a, &[]).with(self.natural_of_all(list, &[]));
        let form = natural.comparable();
        if list.is_empty() {
            // False, but not before the needle has had its chance to fail.
            self.sql.push("(CASE WHEN ");
            self.postgres(a, form)?;
            self.sql.push(" IS NULL THEN false ELSE false END)");
            return Ok(());
        }
        let lazily = a.can_fail() || list.iter().any(Expression::can_fail);
        let outer = self.beside;
        self.beside |= lazily;
        if lazily {
            // As in `terms`: the first item that is equal ends it, before one that fails.
            self.sql.push("coalesce(");
            for item in list {
                self.sql.push("CASE ");
                self.compared(a, Comparison::Equal, item, form)?;
                self.sql.push(" WHEN true THEN true END, ");
            }
        }
        self.sql.push("(");
        self.postgres(a, form)?;
        self.sql.push(" IN (");
        self.each(list, ", ", form)?;
        self.sql.push(if lazily { ")))" } else { "))" });
        self.beside = outer;
        Ok(())
    }

    /// `and` and `or`. A database may evaluate terms in any order and a term may fail (overflow), which the term
    /// before it was there to prevent. Where a term can fail, `coalesce` makes the order explicit: each term that
    /// decides ends it.
    fn terms(
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
        let lazily = terms.len() > 1 && terms.iter().any(Expression::can_fail);
        self.sql.push(if lazily { "coalesce(" } else { "(" });
        for term in terms.iter().filter(|_| lazily) {
            self.sql.push("CASE ");
            self.postgres(term, Scalar::Bool)?;
            self.sql.push(" WHEN ").push(decisive).push(" THEN ").push(decisive).push(" END, ");
        }
        self.each(terms, operator, Scalar::Bool)?;
        self.sql.push(")");
        Ok(())
    }

    fn each(
        &mut self,
        items: &'a [Expression],
        separator: &'static str,
        form: Scalar,
    ) -> Result<(), Fault> {
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.sql.push(separator);
            }
            self.postgres(item, form)?;
        }
        Ok(())
    }

    fn call(&mut self, function: Function, arguments: &'a [Expression]) -> Result<(), Fault> {
        let two = || match arguments {
            [a, b] => Ok((a, b)),
            _ => Err(ill_formed("a function of two arguments")),
        };
        match function {
            Function::Lower | Function::Upper | Function::Trim | Function::Length => {
                self.sql.push(match function {
                    Function::Lower => "mimar.lower(",
                    Function::Upper => "mimar.upper(",
                    Function::Trim => "btrim(",
                    _ => "char_length(",
                });
                self.each(arguments, ", ", Scalar::Text)?;
                if function == Function::Trim {
                    self.sql.push(", ").literal(WHITE_SPACE);
                }
                self.sql.push(if function == Function::Length { ")::bigint" } else { ")" });
            }
            Function::StartsWith => {
                self.sql.push("starts_with(");
                self.each(arguments, ", ", Scalar::Text)?;
                self.sql.push(")");
            }
            Function::EndsWith => {
                let (text, suffix) = two()?;
                self.sql.push("(right(");
                self.postgres(text, Scalar::Text)?;
                self.sql.push(", char_length(");
                self.postgres(suffix, Scalar::Text)?;
                self.sql.push(")) = ");
                self.postgres(suffix, Scalar::Text)?;
                self.sql.push(")");
            }
            Function::Contains => {
                self.sql.push("(strpos(");
                self.each(arguments, ", ", Scalar::Text)?;
                self.sql.push(") > 0)");
            }
            Function::Concat if arguments.is_empty() => {
                self.typed_literal(&Value::text(""), Scalar::Text);
            }
            Function::Concat => {
                self.sql.push("(");
                self.each(arguments, " || ", Scalar::Text)?;
                self.sql.push(")");
            }
            Function::Matches => {
                // Ranges of characters are those of their numbers.
                let (text, pattern) = two()?;
                self.sql.push("(");
                self.postgres(text, Scalar::Text)?;
                self.sql.push(" COLLATE \"C\" ~ ");
                self.postgres(pattern, Scalar::Text)?;
                self.sql.push(")");
            }
            Function::Bytes => {
                let natural = arguments.first().map(|of| self.natural(of, &[]).form());
                let form = natural.filter(|form| *form == Scalar::Bytes).unwrap_or(Scalar::Text);
                self.sql.push("octet_length(");
                self.each(arguments, ", ", form)?;
                self.sql.push(")::bigint");
            }
            Function::Items => {
                self.sql.push("json_array_length(");
                self.each(arguments, ", ", Scalar::Json)?;
                self.sql.push(")::bigint");
            }
            Function::DateOf => {
                self.sql.push("floor(");
                self.each(arguments, ", ", Scalar::Int)?;
                self.sql.push(" / ").integer(DAY).push(".0)::bigint");
            }
            Function::TimestampOf => {
                self.sql.push("(");
                self.each(arguments, ", ", Scalar::Int)?;
                self.sql.push(" * ").integer(DAY).push(")");
            }
        }
        Ok(())
    }

    fn fold(
        &mut self,
        aggregate: Aggregate,
        table: &'a Table,
        depth: usize,
        (body, kind): (&'a Expression, NumberKind),
        form: Scalar,
    ) -> Result<(), Fault> {
        let root = table.root.ok_or_else(|| ill_formed("an aggregate over what is no part"))?;
        let (outer, outer_table) = self.row_at(depth)?;
        let alias = self.alias();
        // The folds that could stop early do so only where no row can fail, because the evaluator folds all.
        let early = !body.can_fail() && matches!(aggregate, Aggregate::Any | Aggregate::All);
        // By what the database can fold: it has no least or greatest of these types.
        let (before, after, inside) = match (aggregate, kind) {
            (Aggregate::Sum, NumberKind::Int) => ("mimar.sum(f.v)", "", Scalar::Int),
            (Aggregate::Sum, NumberKind::Float) => ("mimar.sum(f.v)", "", Scalar::Float),
            (Aggregate::Count, _) => ("count(CASE WHEN f.v THEN 1 END)", "", Scalar::Bool),
            (Aggregate::Any, _) => ("coalesce(bool_or(f.v), false)", "", Scalar::Bool),
            (Aggregate::All, _) => {
                ("coalesce(bool_and(coalesce(f.v, false)), true)", "", Scalar::Bool)
            }
            (Aggregate::Min, _) => match form {
                Scalar::Bool => ("bool_and(f.v)", "", form),
                Scalar::Uuid => ("min(f.v::text COLLATE \"C\")::uuid", "", form),
                Scalar::Bytes => ("decode(min(encode(f.v, 'hex') COLLATE \"C\")", ", 'hex')", form),
                Scalar::Text => ("min(f.v COLLATE \"C\")", "", form),
                _ => ("min(f.v)", "", form),
            },
            (Aggregate::Max, _) => match form {
                Scalar::Bool => ("bool_or(f.v)", "", form),
                Scalar::Uuid => ("max(f.v::text COLLATE \"C\")::uuid", "", form),
                Scalar::Bytes => ("decode(max(encode(f.v, 'hex') COLLATE \"C\")", ", 'hex')", form),
                Scalar::Text => ("max(f.v COLLATE \"C\")", "", form),
                _ => ("max(f.v)", "", form),
            },
        };
        if early {
            self.sql.push(if aggregate == Aggregate::Any { "EXISTS " } else { "(NOT EXISTS " });
            self.sql.push("(SELECT 1");
        } else {
            // Folded over a query of its own: an aggregate whose argument names only outer rows would belong to
            // the outer query, as SQL has it.
            self.sql.push("(SELECT ").push(before).push(after).push(" FROM (SELECT ");
            self.in_part(alias, table, body, inside)?;
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
                // A sum of binary fractions depends on its order.
                for (i, key) in table.key.iter().enumerate() {
                    self.sql.push(if i == 0 { " ORDER BY " } else { ", " });
                    self.column(alias, table, *key)?;
                }
                self.sql.push(") AS f)");
            }
            (true, Aggregate::All) => {
                self.sql.push(" AND ");
                self.in_part(alias, table, body, Scalar::Bool)?;
                self.sql.push(" IS NOT TRUE))");
            }
            (true, _) => {
                self.sql.push(" AND ");
                self.in_part(alias, table, body, Scalar::Bool)?;
                self.sql.push(")");
            }
        }
        Ok(())
    }

    fn in_part(
        &mut self,
        alias: usize,
        table: &'a Table,
        body: &'a Expression,
        form: Scalar,
    ) -> Result<(), Fault> {
        self.scope.push((alias, table));
        let outcome = self.postgres(body, form);
        self.scope.pop();
        outcome
    }

    fn typed_literal(&mut self, value: &Value, form: Scalar) {
        match (value, form) {
            (Value::Bool(b), _) => {
                self.sql.push(if *b { "true" } else { "false" });
            }
            // Written out, as what cannot fail: the planner can then use statistics. Numbers and nulls stand as parameters,
            // of which the planner, made to plan for any, knows no value: it would compute with constants ahead, and fail
            // where nobody asks, or not fail where somebody does.
            (Value::Text(text), Scalar::Text) if !text.contains('\0') => {
                self.sql.literal(text).push("::text");
            }
            _ => self.constant(value, form),
        }
    }
}
