//! Statements for PostgreSQL that do what was asked or end the transaction, so that nobody has to wait for their answers.

use operation::{Dialect, Expression, Fault, Layer, Scalar, Sql, Table, Value};

use super::expression::{Lowering, binds_of, ill_formed};
use super::form::Natural;
use super::many::given;
use super::{Lock, Settings, Statement};
use crate::postgres::value::type_name;

/// A row that is looked at, or changes by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change<'c> {
    pub table: &'c Table,
    /// Its key: a bind, a constant, or what stands in rows then.
    pub key: &'c Expression,
    /// What its columns become, with the row as it was at depth 0; nothing, where it is looked at only.
    pub set: &'c [(usize, Expression)],
    /// What is computed in it then.
    pub layers: &'c [Layer],
    /// Must be true of the row as it is with those, or with what is set alone.
    pub rules: &'c Expression,
    /// Must be true of the row as it was, all of them.
    pub conditions: &'c [&'c Expression],
    /// How a row that is looked at is kept from changing.
    pub lock: Lock,
    /// Whether the row is answered as it is then: every column.
    pub answered: bool,
    /// Whether it goes.
    pub goes: bool,
    /// What some binds stand for.
    pub settings: Settings<'c>,
}

/// `UPDATE`, `DELETE` or `SELECT` of a row for which conditions hold. `binds` are what the binds of its expressions hold.
pub(crate) fn change(change: Change<'_>, binds: &[Value]) -> Result<Statement, Fault> {
    let (mut lowering, alias) =
        change.begun(Lowering::new(Dialect::Postgres, binds.len(), binds))?;
    lowering.sql.push(" WHERE ");
    change.wheres(&mut lowering, alias)?;
    let Change { table, set, lock, answered, goes, .. } = change;
    if set.is_empty() && !goes {
        lowering.sql.push(lock.clause());
    } else {
        lowering.sql.push(" RETURNING ");
        lowering.told_of(alias, table, answered)?;
    }
    if !answered {
        lowering.sql.push(") SELECT 1 / count(*) FROM changed");
        return Ok(lowering.finish(vec![Scalar::Int]));
    }
    lowering.sql.push(") SELECT ");
    for column in 0..table.columns.len() {
        lowering.sql.alias("c", column).push(", ");
    }
    // One that is locked before is there, or nothing is answered: there was none, or it has gone.
    let is_sure = change.conditions.iter().all(|condition| **condition == Expression::yes());
    let is_found = |bind: &usize| change.settings.found.iter().any(|found| found.bind == *bind);
    let is_found = matches!(change.key, Expression::Bind(bind) if is_found(bind));
    let is_sure = is_sure && set.is_empty() && (change.settings.in_steps || is_found);
    let sure =
        if is_sure { "SELECT 1 AS sure" } else { "SELECT 1 / count(*) AS sure FROM changed" };
    lowering.sql.push("sure FROM (").push(sure).push(") AS s LEFT JOIN changed ON true");
    let mut answer: Vec<Scalar> = table.columns.iter().map(|column| column.scalar).collect();
    answer.push(Scalar::Int);
    Ok(lowering.finish(answer))
}

/// The same of many rows, which are locked already: each parameter is an array with an element for each. `hints`: what the binds of one
/// may hold.
pub(crate) fn change_each(change: Change<'_>, hints: &[Value]) -> Result<Statement, Fault> {
    let (mut lowering, alias) = change.begun(Lowering::of_given(hints.len(), hints))?;
    let Change { set, goes, .. } = change;
    let is_looked_at = set.is_empty() && !goes;
    lowering.sql.push(match (is_looked_at, goes) {
        (true, _) => ", ",
        (false, true) => " USING ",
        (false, false) => " FROM ",
    });
    let head = std::mem::replace(&mut lowering.sql, Sql::new(Dialect::Postgres));
    lowering.sql.push(" WHERE ");
    change.wheres(&mut lowering, alias)?;
    lowering.sql.push(if is_looked_at { "" } else { " RETURNING 1" });
    Ok(lowering.of_each(&head.finish(), "changed"))
}

/// Ends the transaction where a row is there of which not all conditions hold: it may have gone meanwhile.
pub(crate) fn hold_if_there(change: Change<'_>, binds: &[Value]) -> Result<Statement, Fault> {
    let Change { table, key, conditions, settings, .. } = change;
    if binds_of(conditions.iter().copied().chain([key])) > binds.len() {
        return Err(ill_formed("no such bind"));
    }
    let mut lowering = Lowering::new(Dialect::Postgres, binds.len(), binds).with(settings);
    let alias = lowering.alias();
    lowering.sql.push("SELECT 1 / (count(*) = 0)::int FROM ");
    lowering.table(alias, table);
    lowering.sql.push(" WHERE ");
    lowering.column_is(alias, table, table.own_key(), key)?;
    lowering.sql.push(" AND NOT coalesce(true");
    for condition in conditions.iter().copied() {
        lowering.sql.push(" AND ");
        lowering.with_row(alias, table, condition)?;
    }
    lowering.sql.push(", false)");
    Ok(lowering.finish(vec![Scalar::Int]))
}

impl<'c> Change<'c> {
    /// What comes before its conditions, and the number of the row's alias.
    fn begun(self, lowering: Lowering<'c>) -> Result<(Lowering<'c>, usize), Fault> {
        let Change { table, key, set, layers, rules, conditions, answered, goes, settings, .. } =
            self;
        let values = set.iter().chain(layers.iter().flatten()).map(|(_, value)| value);
        let values = values.chain(conditions.iter().copied());
        if binds_of(values.chain([key, rules])) > lowering.binds() {
            return Err(ill_formed("no such bind"));
        }
        let mut lowering = lowering.with(settings);
        let alias = lowering.alias();
        let is_layered = !layers.is_empty() || *rules != Expression::yes();
        let last = is_layered.then(|| self.last_layer(&mut lowering));
        lowering.sql.push("WITH changed AS (");
        if goes {
            lowering.sql.push("DELETE FROM ");
            lowering.table(alias, table);
        } else if set.is_empty() {
            lowering.sql.push("SELECT ");
            lowering.told_of(alias, table, answered)?;
            lowering.sql.push(" FROM ");
            lowering.table(alias, table);
        } else {
            lowering.sql.push("UPDATE ");
            lowering.table(alias, table);
        }
        for (at, (column, value)) in set.iter().enumerate() {
            let set = table.columns.get(*column).ok_or_else(|| ill_formed("no such column"))?;
            lowering.sql.push(if at == 0 { " SET " } else { ", " }).ident(&set.name).push(" = ");
            if settings.in_steps && table.version == Some(*column) {
                lowering.version_once(alias, table, value)?;
                continue;
            }
            if let Some(last) = last {
                lowering.column(last, table, *column)?;
                continue;
            }
            lowering.assigned(alias, table, set.scalar, value)?;
            if let Some(native) = set.native_type() {
                lowering.sql.push("::").ident(native);
            }
        }
        if let Some(last) = last {
            for (column, _) in layers.iter().flatten() {
                let set = table.columns.get(*column).ok_or_else(|| ill_formed("no such column"))?;
                lowering.sql.push(", ").ident(&set.name).push(" = ");
                lowering.column(last, table, *column)?;
            }
            lowering.sql.push(" FROM (");
            self.changed_row(&mut lowering, last - layers.len())?;
            lowering.sql.push(") AS ").alias("t", last);
        }
        Ok((lowering, alias))
    }

    /// Brings an alias for the row as it was and one for each layer into being, in a row: told is the last.
    fn last_layer(self, lowering: &mut Lowering<'c>) -> usize {
        (0..self.layers.len()).fold(lowering.alias(), |_, _| lowering.alias())
    }

    /// Writes the row with what its columns become, and what is computed then. `first`: the alias of it as it was.
    fn changed_row(self, lowering: &mut Lowering<'c>, first: usize) -> Result<(), Fault> {
        let Change { table, key, set, layers, .. } = self;
        lowering.layers(table, first, layers)?;
        lowering.sql.push("SELECT ");
        lowering.row_with(first, table, set)?;
        lowering.sql.push(" FROM ");
        lowering.table(first, table);
        lowering.sql.push(" WHERE ");
        lowering.column_is(first, table, table.own_key(), key)?;
        lowering.sql.push(" OFFSET 0");
        lowering.end_layers(first, layers);
        Ok(())
    }

    /// Writes of which row, and under which conditions.
    fn wheres(self, lowering: &mut Lowering<'c>, alias: usize) -> Result<(), Fault> {
        let Change { table, key, conditions, .. } = self;
        lowering.column_is(alias, table, table.own_key(), key)?;
        for condition in conditions.iter().copied() {
            // In any order: what fails ends the transaction as well as what is not true.
            let terms = match condition {
                Expression::And(terms) => terms.as_slice(),
                Expression::Literal(Value::Bool(true)) => &[],
                condition => std::slice::from_ref(condition),
            };
            for term in terms {
                lowering.sql.push(" AND ");
                lowering.with_row(alias, table, term)?;
            }
        }
        if *self.rules != Expression::yes() {
            let last = alias + 1 + self.layers.len();
            lowering.sql.push(" AND ");
            lowering.with_row(last, table, self.rules)?;
        }
        Ok(())
    }
}

/// A row that is made of what stands in others: behind the binds stand its columns, as far as they are known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Making<'m> {
    pub table: &'m Table,
    /// The columns that are looked up.
    pub columns: &'m [(usize, Expression)],
    pub condition: &'m Expression,
    /// Computed columns, and what must be true, with the new row at depth 0.
    pub computed: &'m [Layer],
    pub checks: &'m Expression,
    /// How many binds their expressions may name.
    pub binds: usize,
    /// What some of them, and behind them, stand for.
    pub settings: Settings<'m>,
    /// Whether it may take the place of one that [went](leave).
    pub anew: bool,
}

/// `INSERT` of such a row where its condition holds. `values`: what the binds hold, and the columns.
pub(crate) fn make<'m>(making: Making<'m>, values: &'m [Value]) -> Result<Statement, Fault> {
    let all = making.binds + making.table.columns.len();
    let mut lowering = making.begun(Lowering::new(Dialect::Postgres, all, values))?;
    making.wheres(&mut lowering)?;
    lowering.sql.push(") SELECT 1 / count(*) FROM made");
    Ok(lowering.finish(vec![Scalar::Int]))
}

/// The same of many rows: each parameter is an array with an element for each. `hints`: what may be given for one.
pub(crate) fn make_each<'m>(making: Making<'m>, hints: &'m [Value]) -> Result<Statement, Fault> {
    let all = making.binds + making.table.columns.len();
    let mut lowering = making.begun(Lowering::of_given(all, hints))?;
    lowering.sql.push(" FROM ");
    let head = std::mem::replace(&mut lowering.sql, Sql::new(Dialect::Postgres));
    making.wheres(&mut lowering)?;
    Ok(lowering.of_each(&head.finish(), "made"))
}

/// The alias of the row as it is made: the first.
const RULED: usize = 0;

impl<'m> Making<'m> {
    /// Whether rules are about the row as it is made, whose columns have the types that they have.
    fn is_ruled(self) -> bool {
        !self.computed.is_empty() || *self.checks != Expression::yes()
    }

    /// What comes before its conditions.
    fn begun(self, lowering: Lowering<'m>) -> Result<Lowering<'m>, Fault> {
        let Making { table, columns, condition, computed, checks, binds, settings, .. } = self;
        let values_of = |columns: &'m [(usize, Expression)]| columns.iter().map(|(_, value)| value);
        let all = values_of(columns).chain(computed.iter().flat_map(|layer| values_of(layer)));
        if binds_of(all.chain([condition, checks])) > binds {
            return Err(ill_formed("no such bind"));
        }
        let mut lowering = lowering.with(settings);
        let (inner, last) = self.layers();
        for _ in 0..=inner.len() {
            lowering.alias();
        }
        lowering.sql.push("WITH made AS (INSERT INTO ").ident(&table.name).push(" (");
        lowering.sql.list(", ", &table.columns, |sql, column| {
            sql.ident(&column.name);
        });
        lowering.sql.push(") SELECT ");
        let ruled = self.is_ruled();
        if ruled {
            for (at, column) in table.columns.iter().enumerate() {
                lowering.sql.push(if at > 0 { ", " } else { "" });
                match last.iter().find(|(of, _)| *of == at) {
                    Some((_, value)) => {
                        lowering.assigned(RULED + inner.len(), table, column.scalar, value)?;
                    }
                    None => lowering.column(RULED + inner.len(), table, at)?,
                }
            }
            lowering.sql.push(" FROM (");
            lowering.layers(table, RULED, inner)?;
            lowering.sql.push("SELECT ");
        }
        for (at, column) in table.columns.iter().enumerate() {
            lowering.sql.push(if at > 0 { ", " } else { "" });
            match columns.iter().find(|(of, _)| *of == at) {
                Some((_, value)) => {
                    lowering.kept(value, column.scalar)?;
                    if let Some(native) = column.native_type() {
                        lowering.sql.push("::").ident(native);
                    }
                }
                None if self.anew && table.version == Some(at) => {
                    self.next_version(&mut lowering)?;
                }
                None => lowering.bind_of(binds + at, column),
            }
            if ruled {
                lowering.sql.push(" AS ").ident(&column.name);
            }
        }
        Ok(lowering)
    }

    /// Writes the version behind that of the row which went under the same key, or the first.
    fn next_version(self, lowering: &mut Lowering<'m>) -> Result<(), Fault> {
        let Making { table, columns, binds, .. } = self;
        let own = table.columns.get(table.own_key()).ok_or_else(|| ill_formed("no key"))?;
        lowering.sql.push("coalesce((nullif(current_setting(");
        name_of_left(&mut lowering.sql, table);
        lowering.sql.push(", true), '')::jsonb ->> (");
        match columns.iter().find(|(of, _)| *of == table.own_key()) {
            Some((_, value)) => lowering.kept(value, own.scalar)?,
            None => lowering.bind_of(binds + table.own_key(), own),
        }
        lowering.sql.push(")::text)::bigint + 1, 1)");
        Ok(())
    }

    /// Writes under which conditions, and the end of the insertion.
    fn wheres(self, lowering: &mut Lowering<'m>) -> Result<(), Fault> {
        lowering.sql.push(" WHERE ");
        lowering.any(self.condition, Scalar::Bool)?;
        if self.is_ruled() {
            let (inner, _) = self.layers();
            let last = RULED + inner.len();
            lowering.sql.push(" OFFSET 0");
            lowering.end_layers(RULED, inner);
            lowering.sql.push(") AS ").alias("t", last).push(" WHERE ");
            lowering.with_row(last, self.table, self.checks)?;
        }
        lowering.sql.push(" RETURNING 1");
        Ok(())
    }

    /// What is computed before the row is inserted, and while it is: there is nothing left to look at then.
    fn layers(self) -> (&'m [Layer], &'m [(usize, Expression)]) {
        match self.computed.split_last() {
            Some((last, inner)) if *self.checks == Expression::yes() => (inner, last),
            _ => (self.computed, &[]),
        }
    }
}

/// Keeps which version a row had before this transaction, which is about to go: one that takes its place counts on from that. `binds` are what
/// the binds hold.
pub(crate) fn leave(
    settings: Settings<'_>,
    (table, key): (&Table, &Expression),
    binds: &[Value],
) -> Result<Statement, Fault> {
    if binds_of([key]) > binds.len() {
        return Err(ill_formed("no such bind"));
    }
    let version = table.version.and_then(|at| table.columns.get(at));
    let own = table.columns.get(table.own_key());
    let (Some(version), Some(own)) = (version, own) else { return Err(ill_formed("no version")) };
    let mut lowering = Lowering::new(Dialect::Postgres, binds.len(), binds).with(settings);
    let alias = lowering.alias();
    lowering.sql.push("SELECT set_config(");
    name_of_left(&mut lowering.sql, table);
    lowering.sql.push(", (jsonb_build_object(").ident(&own.name).push("::text, ");
    lowering.sql.ident(&version.name).push(" - (xmin = pg_current_xact_id()::xid)::int)");
    // What was kept first stays.
    lowering.sql.push(" || coalesce(nullif(current_setting(");
    name_of_left(&mut lowering.sql, table);
    lowering.sql.push(", true), ''), '{}')::jsonb)::text, true) FROM ");
    lowering.table(alias, table);
    lowering.sql.push(" WHERE ");
    lowering.column_is(alias, table, table.own_key(), key)?;
    Ok(lowering.finish(vec![Scalar::Text]))
}

/// Writes the name under which versions are kept of rows that went.
fn name_of_left(sql: &mut Sql, table: &Table) {
    sql.push("'mimar.w").integer(i64::from(table.id.0)).push("'");
}

/// Ends the transaction where a condition is not true. `binds` are what its binds hold.
pub(crate) fn insist(
    condition: &Expression,
    settings: Settings<'_>,
    binds: &[Value],
) -> Result<Statement, Fault> {
    if binds_of([condition]) > binds.len() {
        return Err(ill_formed("no such bind"));
    }
    let lowering = Lowering::new(Dialect::Postgres, binds.len(), binds);
    let mut lowering = lowering.with(settings);
    lowering.sql.push("SELECT 1 / coalesce(");
    lowering.any(condition, Scalar::Bool)?;
    lowering.sql.push(", false)::int");
    Ok(lowering.finish(vec![Scalar::Int]))
}

/// The same of many turns: each parameter is an array with an element for each. `hints`: what the binds of one may hold.
pub(crate) fn insist_each(
    condition: &Expression,
    settings: Settings<'_>,
    hints: &[Value],
) -> Result<Statement, Fault> {
    if binds_of([condition]) > hints.len() {
        return Err(ill_formed("no such bind"));
    }
    let mut lowering = Lowering::of_given(hints.len(), hints).with(settings);
    lowering.sql.push("SELECT 1 / coalesce(bool_and(coalesce(");
    lowering.any(condition, Scalar::Bool)?;
    lowering.sql.push(", false)), true)::int FROM ");
    let mut statement = lowering.finish(vec![Scalar::Int]);
    let mut sql = Sql::new(Dialect::Postgres);
    given(&mut sql, &statement.parameters, 0, type_name, |_| ());
    statement.text.push_str(&sql.finish());
    Ok(statement)
}

/// A statement that answers the rows that it changes, failing where there are none: the division by zero ends the transaction.
pub(crate) fn surely(statement: Statement) -> Statement {
    let text = format!("WITH changed AS ({}) SELECT 1 / count(*) FROM changed", statement.text);
    Statement { text, answer: vec![Scalar::Int], ..statement }
}

impl<'a> Lowering<'a> {
    /// A statement about each row of `given`, which stands between `head` and what is written; it ends the transaction where it is not
    /// about as many rows as there are.
    fn of_each(mut self, head: &str, what: &str) -> Statement {
        self.sql.push(") SELECT 1 / (count(*) = cardinality(");
        let mut statement = self.finish(vec![Scalar::Int]);
        let mut sql = Sql::new(Dialect::Postgres);
        given(&mut sql, &statement.parameters, 0, type_name, |_| ());
        let rows = sql.finish();
        let mut sql = Sql::new(Dialect::Postgres);
        if let Some(first) = statement.parameters.first() {
            sql.bind(0).push("::").push(type_name(first.form)).push("[]");
        }
        statement.text =
            format!("{head}{rows}{}{}))::int FROM {what}", statement.text, sql.finish());
        statement
    }

    /// Writes what a row is told by: every column of it, or that it is there.
    fn told_of(&mut self, alias: usize, table: &Table, answered: bool) -> Result<(), Fault> {
        if !answered {
            self.sql.push("1");
            return Ok(());
        }
        for column in 0..table.columns.len() {
            self.sql.push(if column == 0 { "" } else { ", " });
            self.answered(alias, table, column)?;
            self.sql.push(" AS ").alias("c", column);
        }
        Ok(())
    }

    /// Writes what selects from a row, with the columns of each layer computed over the one before; what selects the row comes behind.
    /// `first`: its alias, behind which those of the layers are.
    fn layers(&mut self, table: &'a Table, first: usize, layers: &'a [Layer]) -> Result<(), Fault> {
        for (nth, layer) in layers.iter().enumerate().rev() {
            self.sql.push("SELECT ");
            self.row_with(first + nth, table, layer)?;
            self.sql.push(" FROM (");
        }
        Ok(())
    }

    /// Ends what [`Self::layers`] began.
    fn end_layers(&mut self, first: usize, layers: &[Layer]) {
        for nth in 0..layers.len() {
            self.sql.push(") AS ").alias("t", first + nth).push(" OFFSET 0");
        }
    }

    /// Writes all columns of a row, some of which are worked out of it, with their names and of their types.
    fn row_with(
        &mut self,
        alias: usize,
        table: &'a Table,
        values: &'a [(usize, Expression)],
    ) -> Result<(), Fault> {
        for (at, column) in table.columns.iter().enumerate() {
            self.sql.push(if at > 0 { ", " } else { "" });
            match values.iter().find(|(of, _)| *of == at) {
                Some((_, value)) => {
                    self.sql.push("(");
                    self.assigned(alias, table, column.scalar, value)?;
                    self.sql.push(")::").push(type_name(column.scalar));
                }
                None => self.column(alias, table, at)?,
            }
            self.sql.push(" AS ").ident(&column.name);
        }
        Ok(())
    }

    /// Writes the next version of a row, or the one that it has where this transaction has made or changed it before.
    fn version_once(
        &mut self,
        alias: usize,
        table: &'a Table,
        next: &'a Expression,
    ) -> Result<(), Fault> {
        self.sql
            .push("CASE WHEN ")
            .alias("t", alias)
            .push(".xmin = pg_current_xact_id()::xid THEN ");
        let at = table.version.ok_or_else(|| ill_formed("no version"))?;
        self.column(alias, table, at)?;
        self.sql.push(" ELSE ");
        self.assigned(alias, table, Scalar::Int, next)?;
        self.sql.push(" END");
        Ok(())
    }

    /// Writes a value over the one row in scope, as a column of a scalar keeps it.
    fn assigned(
        &mut self,
        alias: usize,
        table: &'a Table,
        scalar: Scalar,
        value: &'a Expression,
    ) -> Result<(), Fault> {
        let outer = std::mem::replace(&mut self.scope, vec![(alias, table)]);
        let outcome = self.kept(value, scalar);
        self.scope = outer;
        outcome
    }

    /// Writes a value as a column of a scalar keeps it.
    pub(super) fn kept(&mut self, value: &'a Expression, scalar: Scalar) -> Result<(), Fault> {
        match (self.natural(value, &[]), scalar) {
            (Natural::Is(of), _) if of == scalar => self.any(value, scalar),
            (Natural::Fits(_) | Natural::Unknown, _) => self.any(value, scalar),
            // Computed as a number of the least units; one of those as a factor is exact, as a division would not be.
            (Natural::Is(Scalar::Int), Scalar::Decimal { .. }) => {
                self.sql.push("(");
                self.any(value, Scalar::Int).map(|()| {
                    self.sql.push("::numeric * ");
                    self.constant(&Value::Int(1), scalar);
                    self.sql.push(")");
                })
            }
            // What is multiplied with an interval is a float: hours and what is left of them are exact.
            (Natural::Is(Scalar::Int), Scalar::Duration) => {
                self.sql.push("(SELECT i.v / 3600000000 * INTERVAL '1 hour' + i.v % 3600000000 * INTERVAL '1 microsecond' FROM (SELECT (");
                self.any(value, Scalar::Int).map(|()| {
                    self.sql.push(")::bigint AS v OFFSET 0) AS i)");
                })
            }
            // Fewer microseconds than a float counts exactly.
            (Natural::Is(Scalar::Int), Scalar::Time) => {
                self.sql.push("(TIME '00:00' + ");
                self.any(value, Scalar::Int).map(|()| {
                    self.sql.push(" * INTERVAL '1 microsecond')");
                })
            }
            (Natural::Is(Scalar::Int), Scalar::Date) => {
                self.sql.push("(DATE '1970-01-01' + ");
                self.any(value, Scalar::Int).map(|()| {
                    self.sql.push("::int)");
                })
            }
            // Days and what is left of them: both are exact, as so many microseconds would not be.
            (Natural::Is(Scalar::Int), Scalar::Timestamp) => {
                self.sql.push("((DATE '1970-01-01' + floor(");
                self.any(value, Scalar::Int)?;
                self.sql.push(" / 86400000000.0)::int + (");
                self.any(value, Scalar::Int).map(|()| {
                    self.sql.push(
                        " % 86400000000 + 86400000000) % 86400000000 * INTERVAL '1 microsecond') AT TIME ZONE 'UTC')",
                    );
                })
            }
            (Natural::Is(_), _) => Err(ill_formed("a value as what it is not")),
        }
    }
}
