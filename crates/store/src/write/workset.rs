//! The rows that a command works on: as they are stored, and as they shall be.
//!
//! Expressions look rows up here. One that is not here is noted, so that all that is missed can be loaded at once.

use std::cell::RefCell;
use std::sync::Arc;

use operation::{EvaluationFault, Expression, OnDelete, Program, Stored, Table, TableId, Value};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// What an evaluation looked for and did not find, or what is known to be needed.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    /// A root.
    Row(Arc<Table>, Value),
    /// The parts of one root.
    Parts(Arc<Table>, Value),
}

impl Wanted {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Row(a, key), Self::Row(b, other))
            | (Self::Parts(a, key), Self::Parts(b, other)) => a.id == b.id && key == other,
            _ => false,
        }
    }
}

/// The values of a row. What was and what is are the same until the row is changed.
pub(super) type Values = Arc<[Value]>;

/// Positions of columns: few change, as a rule.
pub(super) type Columns = SmallVec<[usize; 4]>;

/// Tables of parts: few change, as a rule.
pub(super) type PartTables = SmallVec<[TableId; 2]>;

/// A row: before the command, and now. Neither: there is none.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub old: Option<Values>,
    pub new: Option<Values>,
    /// Whether it is kept from changing by others.
    pub held: bool,
    /// Whether the row before has gone, and the one now is another under its key.
    pub anew: bool,
    /// Whether it was made without having been looked for: if its key is free, only the database knows.
    pub unseen: bool,
    /// Whether it is new since computed columns were last worked out.
    pub fresh: bool,
    /// Columns that have changed since then.
    pub changed: Columns,
    /// Parts, by their tables, of which the same is true.
    pub parts_changed: PartTables,
    /// Columns that have changed at all, for what is looked at in the end; of a new row all count.
    pub ever_changed: Columns,
    /// The same of parts.
    pub parts_ever_changed: PartTables,
}

/// A part: before the command, and now.
#[derive(Debug)]
pub(super) struct Part {
    pub old: Option<Values>,
    pub new: Option<Values>,
    /// Whether it went along with what it referred to.
    pub lost: bool,
    pub number: i64,
}

#[derive(Debug)]
struct Roots {
    table: Arc<Table>,
    rows: FxHashMap<Value, Row>,
    /// Keys of the rows that are written, in the order in which they were first.
    written: Vec<Value>,
}

#[derive(Debug)]
struct Parts {
    table: Arc<Table>,
    of: FxHashMap<Value, Vec<Part>>,
}

/// What a row has lost.
#[derive(Debug)]
pub(super) enum Loss {
    /// A root of this table and key, in this column.
    Root(TableId, Value, usize),
    /// A part of this table, which a root of this key has: itself, or something in it.
    Part(TableId, Value),
}

/// The rows.
#[derive(Debug, Default)]
pub(super) struct Workset {
    roots: Vec<Roots>,
    parts: Vec<Parts>,
    /// For each number that stands for a part: its table, the key of its root, its place among its siblings.
    numbers: Vec<(TableId, Value, usize)>,
    wanted: RefCell<Vec<Wanted>>,
    /// Roots that have been deleted, also those that are there again.
    gone: Vec<(TableId, Value)>,
    /// Rows that have lost what they referred to, and roots of parts that have or that went, since somebody asked.
    lost: Vec<Loss>,
    /// Tables of which rows may go with others.
    may_go_along: Vec<Arc<Table>>,
    /// Parts that may lose something or go, with the tables of their roots: they are here with those.
    may_lose: Vec<(TableId, Arc<Table>)>,
    /// How many rows are here.
    pub count: usize,
}

impl Workset {
    /// An empty one, of a program that may delete rows with which others go or lose something.
    pub fn of(program: &Program) -> Self {
        let Program { may_go_along, may_lose, .. } = program;
        Self { may_go_along: may_go_along.clone(), may_lose: may_lose.clone(), ..Self::default() }
    }

    fn roots_of(&self, table: TableId) -> Option<&Roots> {
        self.roots.iter().find(|roots| roots.table.id == table)
    }

    fn roots_mut(&mut self, table: &Arc<Table>) -> &mut Roots {
        let at = self.roots.iter().position(|roots| roots.table.id == table.id);
        let at = at.unwrap_or_else(|| {
            let (rows, written) = (FxHashMap::default(), Vec::new());
            self.roots.push(Roots { table: table.clone(), rows, written });
            self.roots.len() - 1
        });
        &mut self.roots[at]
    }

    fn parts_mut(&mut self, table: &Arc<Table>) -> &mut Parts {
        let at = self.parts.iter().position(|parts| parts.table.id == table.id);
        let at = at.unwrap_or_else(|| {
            self.parts.push(Parts { table: table.clone(), of: FxHashMap::default() });
            self.parts.len() - 1
        });
        &mut self.parts[at]
    }

    /// A root, if it was looked for.
    pub fn root(&self, table: &Table, key: &Value) -> Option<&Row> {
        self.roots_of(table.id)?.rows.get(key)
    }

    /// The same, to change it.
    pub fn root_mut(&mut self, table: &Table, key: &Value) -> Option<&mut Row> {
        let roots = self.roots.iter_mut().find(|roots| roots.table.id == table.id)?;
        roots.rows.get_mut(key)
    }

    /// Notes that a root is written.
    pub fn write(&mut self, table: &Arc<Table>, key: &Value) {
        let roots = self.roots_mut(table);
        if !roots.written.contains(key) {
            roots.written.push(key.clone());
        }
    }

    /// Whether a root is written.
    pub fn is_written(&self, table: &Table, key: &Value) -> bool {
        self.roots_of(table.id).is_some_and(|roots| roots.written.contains(key))
    }

    /// What rows have lost since this was asked last.
    pub fn take_lost(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.lost)
    }

    /// The keys of the roots of a table that are written.
    pub fn written(&self, table: &Table) -> Vec<Value> {
        self.roots_of(table.id).map_or_else(Vec::new, |roots| roots.written.clone())
    }

    /// Takes in a root as it is stored; `None`: there is none.
    pub fn put(&mut self, table: &Arc<Table>, key: Value, row: Option<Values>, held: bool) {
        let mut columns = Columns::new();
        let left = row.as_ref().and_then(|row| self.left_of(table, row.clone(), &mut columns));
        let goes = row.is_some() && left.is_none();
        self.lost
            .extend(columns.into_iter().map(|column| Loss::Root(table.id, key.clone(), column)));
        self.want_what_may_go(table, left.as_deref());
        if left.is_some() && !self.gone.is_empty() {
            self.want_what_may_lose(table.id, &key);
        }
        let row = Row { old: left.clone(), new: left, held, ..Row::default() };
        // It went along before it was known, and what refers to it with it.
        let gone = goes.then(|| key.clone());
        if self.roots_mut(table).rows.insert(key, row).is_none() {
            self.count += 1;
        }
        if let Some(key) = gone {
            self.delete(table, &key);
        }
    }

    /// Wants the parts of a root that may lose something with what has gone, or go themselves.
    fn want_what_may_lose(&self, table: TableId, key: &Value) {
        for (_, part) in self.may_lose.iter().filter(|(of, _)| *of == table) {
            self.want(Wanted::Parts(part.clone(), key.clone()));
        }
    }

    /// The same of all roots that are here.
    pub fn want_all_that_may_lose(&self) {
        for (table, _) in &self.may_lose {
            let roots = self.roots.iter().filter(|roots| roots.table.id == *table);
            let rows = roots.flat_map(|roots| &roots.rows).filter(|(_, row)| row.new.is_some());
            rows.for_each(|(key, _)| self.want_what_may_lose(*table, key));
        }
    }

    /// Wants what a row refers to where that may go along with another: the row then goes with it, or refers to nothing.
    pub fn want_what_may_go(&self, table: &Table, row: Option<&[Value]>) {
        let Some(row) = row else { return };
        for along in &self.may_go_along {
            for (column, on_delete) in references(table, along.id) {
                let key = row.get(column).filter(|key| !key.is_null());
                if let Some(key) = key.filter(|_| on_delete != OnDelete::Restrict) {
                    self.want(Wanted::Row(along.clone(), key.clone()));
                }
            }
        }
    }

    /// Takes in a new root; false where one of this key is there.
    pub fn add(&mut self, table: &Arc<Table>, key: Value, row: Vec<Value>) -> bool {
        self.count += 1;
        let roots = self.roots_mut(table);
        let unseen = !roots.rows.contains_key(&key);
        let known = roots.rows.entry(key.clone()).or_default();
        if known.new.is_some() {
            return false;
        }
        known.unseen |= unseen;
        known.anew = known.old.is_some();
        known.new = Some(row.into());
        known.held = true;
        known.fresh = true;
        self.write(table, &key);
        true
    }

    /// Whether the parts of a root are here.
    pub fn has_parts(&self, table: &Table, root: &Value) -> bool {
        let parts = self.parts.iter().find(|parts| parts.table.id == table.id);
        parts.is_some_and(|parts| parts.of.contains_key(root))
    }

    /// Takes in the parts of a root as they are stored.
    pub fn put_parts(&mut self, table: &Arc<Table>, root: Value, rows: Vec<Vec<Value>>) {
        let known: Vec<i64> = match self.parts_mut(table).of.get(&root) {
            // Loaded anew, to be held: what stood for them still does.
            Some(parts) => parts.iter().map(|part| part.number).collect(),
            None => Vec::new(),
        };
        // Those that are here to see what they lose are not what a command touches.
        if !self.may_lose.iter().any(|(_, part)| part.id == table.id) {
            self.count += rows.len().saturating_sub(known.len());
        }
        let mut parts = Vec::with_capacity(rows.len());
        let (mut columns, before) = (Columns::new(), rows.len());
        let left = |row: Vec<Value>| self.left_of(table, row.into(), &mut columns);
        let rows = rows.into_iter().filter_map(left).collect::<Vec<_>>();
        if !columns.is_empty() || rows.len() < before {
            self.lost.push(Loss::Part(table.id, root.clone()));
        }
        rows.iter().for_each(|row| self.want_what_may_go(table, Some(row)));
        for (at, row) in rows.into_iter().enumerate() {
            let number = known.get(at).copied().unwrap_or_else(|| {
                self.numbers.push((table.id, root.clone(), at));
                i64::try_from(self.numbers.len() - 1).unwrap_or(i64::MAX)
            });
            parts.push(Part { old: Some(row.clone()), new: Some(row), lost: false, number });
        }
        self.parts_mut(table).of.insert(root, parts);
    }

    /// Says that a root has no parts of a table: it is new.
    pub fn no_parts(&mut self, table: &Arc<Table>, root: &Value) {
        self.parts_mut(table).of.entry(root.clone()).or_default();
    }

    /// The parts of a root, those that are gone among them.
    pub fn parts_of(&self, table: &Table, root: &Value) -> &[Part] {
        let parts = self.parts.iter().find(|parts| parts.table.id == table.id);
        parts.and_then(|parts| parts.of.get(root)).map_or(&[], Vec::as_slice)
    }

    /// Adds a part; the number that stands for it.
    pub fn add_part(&mut self, table: &Arc<Table>, root: &Value, row: Vec<Value>) -> i64 {
        self.count += 1;
        let number = i64::try_from(self.numbers.len()).unwrap_or(i64::MAX);
        let parts = self.parts_mut(table).of.entry(root.clone()).or_default();
        parts.push(Part { old: None, new: Some(row.into()), lost: false, number });
        let at = parts.len() - 1;
        self.numbers.push((table.id, root.clone(), at));
        number
    }

    /// The part that a number stands for, and the key of its root.
    pub fn part(&self, number: &Value) -> Option<(&Value, &Part)> {
        let (table, root, at) = self.numbers.get(usize::try_from(number.as_int()?).ok()?)?;
        let parts = self.parts.iter().find(|parts| parts.table.id == *table)?;
        Some((root, parts.of.get(root)?.get(*at)?))
    }

    /// The same, to change it.
    pub fn part_mut(&mut self, number: &Value) -> Option<&mut Part> {
        let (table, root, at) = self.numbers.get(usize::try_from(number.as_int()?).ok()?)?;
        let parts = self.parts.iter_mut().find(|parts| parts.table.id == *table)?;
        parts.of.get_mut(root)?.get_mut(*at)
    }

    /// Deletes a root. What refers to it follows, as the database will have it: it goes too, or refers to nothing. A row that
    /// may not lose it is left to the database, which refuses.
    pub fn delete(&mut self, table: &Table, key: &Value) {
        if let Some(row) = self.root_mut(table, key) {
            row.new = None;
        }
        let mut following = vec![(table.id, key.clone())];
        let mut lost = Vec::new();
        while let Some((target, key)) = following.pop() {
            let follow = |table: &Table,
                          (old, new): (&mut Option<Values>, &mut Option<Values>),
                          columns: &mut Columns| {
                let mut gone = false;
                for (column, on_delete) in references(table, target) {
                    if new.as_ref().is_some_and(|row| row.get(column) == Some(&key)) {
                        columns.extend((on_delete != OnDelete::Restrict).then_some(column));
                        gone |= lose(new, column, on_delete);
                        if old.as_ref().is_some_and(|row| row.get(column) == Some(&key)) {
                            lose(old, column, on_delete);
                        }
                    }
                }
                gone
            };
            for Roots { table, rows, .. } in &mut self.roots {
                for (own, Row { old, new, .. }) in rows {
                    let mut columns = Columns::new();
                    if follow(table, (old, new), &mut columns) {
                        following.push((table.id, own.clone()));
                        continue;
                    }
                    let of = |column| Loss::Root(table.id, own.clone(), column);
                    lost.extend(columns.into_iter().map(of));
                }
            }
            for Parts { table, of } in &mut self.parts {
                for (root, parts) in of {
                    let mut columns = Columns::new();
                    for Part { old, new, lost, .. } in parts {
                        *lost |= follow(table, (old, new), &mut columns);
                    }
                    // With its root nothing is lost.
                    columns.retain(|column| table.root != Some(*column));
                    lost.extend((!columns.is_empty()).then(|| Loss::Part(table.id, root.clone())));
                }
            }
            self.gone.push((target, key));
        }
        self.lost.extend(lost);
    }

    /// What the deletions so far leave of a row that is stored; the columns that they empty are noted.
    fn left_of(&self, table: &Table, row: Values, columns: &mut Columns) -> Option<Values> {
        let mut left = Some(row);
        for (target, key) in &self.gone {
            for (column, on_delete) in references(table, *target) {
                if left.as_ref().is_some_and(|row| row.get(column) == Some(key)) {
                    columns.extend((on_delete == OnDelete::Clear).then_some(column));
                    lose(&mut left, column, on_delete);
                }
            }
        }
        left
    }

    /// Whether a root was deleted, if it is there again or not.
    pub fn is_gone(&self, table: &Table, key: &Value) -> bool {
        self.gone.iter().any(|(of, gone)| *of == table.id && gone == key)
    }

    /// Whether any root of a table was deleted.
    pub fn has_gone(&self, table: &Table) -> bool {
        self.gone.iter().any(|(of, _)| *of == table.id)
    }

    /// A table and the column of it by which a row that is here refers to a root.
    pub fn referring(&self, target: &Table, key: &Value) -> Option<(&Table, usize)> {
        let refers = |table: &Table, new: &Option<Values>| {
            let new = new.as_ref()?;
            let mut columns = references(table, target.id).map(|(column, _)| column);
            columns.find(|column| new.get(*column) == Some(key))
        };
        let roots = self.roots.iter().find_map(|Roots { table, rows, .. }| {
            Some((&**table, rows.values().find_map(|row| refers(table, &row.new))?))
        });
        roots.or_else(|| {
            self.parts.iter().find_map(|Parts { table, of }| {
                let mut parts = of.values().flatten();
                Some((&**table, parts.find_map(|part| refers(table, &part.new))?))
            })
        })
    }

    /// Roots that came and went, of which nobody has looked whether their keys are free: by table.
    pub fn unseen(&self) -> Vec<(Arc<Table>, Vec<Value>)> {
        let of = |roots: &Roots| {
            let passed = |row: &Row| row.unseen && row.old.is_none() && row.new.is_none();
            let rows = roots.rows.iter().filter(|(_, row)| passed(row));
            let keys: Vec<Value> = rows.map(|(key, _)| key.clone()).collect();
            (!keys.is_empty()).then(|| (roots.table.clone(), keys))
        };
        self.roots.iter().filter_map(of).collect()
    }

    /// Notes that something is needed, unless it is here.
    pub fn want(&self, wanted: Wanted) {
        if self.has(&wanted) {
            return;
        }
        let mut all = self.wanted.borrow_mut();
        // What stands in a row is often asked for one after another.
        if !all.last().is_some_and(|last| last.is(&wanted)) {
            all.push(wanted);
        }
    }

    /// Whether something is here.
    pub fn has(&self, wanted: &Wanted) -> bool {
        match wanted {
            Wanted::Row(table, key) => key.is_null() || self.root(table, key).is_some(),
            Wanted::Parts(table, root) => root.is_null() || self.has_parts(table, root),
        }
    }

    /// What was needed and is not here.
    pub fn take_wanted(&mut self) -> Vec<Wanted> {
        let mut wanted = std::mem::take(self.wanted.get_mut());
        wanted.retain(|wanted| !self.has(wanted));
        wanted
    }

    /// Whether a row, at depth 0, refers to one that has gone: also to one that goes along and is not here. `None`: none has gone so.
    pub fn refers_to_gone(&self, table: &Table) -> Option<Expression> {
        let lost = |on_delete: OnDelete| on_delete != OnDelete::Restrict;
        let refers = self.refers_within(table, lost, &mut vec![table.id]);
        (!refers.is_empty()).then(|| Expression::any(refers))
    }

    fn refers_within(
        &self,
        table: &Table,
        lost: fn(OnDelete) -> bool,
        path: &mut Vec<TableId>,
    ) -> Vec<Expression> {
        let mut refers = Vec::new();
        for key in table.foreign_keys.iter().filter(|key| lost(key.on_delete)) {
            let column = Box::new(Expression::column(key.column));
            let gone = self.gone.iter().filter(|(of, _)| *of == key.target);
            let gone: Vec<_> = gone.map(|(_, key)| Expression::Literal(key.clone())).collect();
            if !gone.is_empty() {
                refers.push(Expression::In(column.clone(), gone));
            }
            let along = self.may_go_along.iter().find(|along| along.id == key.target);
            if let Some(along) = along.filter(|along| !path.contains(&along.id)) {
                path.push(along.id);
                let goes = |on_delete: OnDelete| on_delete == OnDelete::Cascade;
                let within = self.refers_within(along, goes, path);
                path.pop();
                if !within.is_empty() {
                    let (key, value) = (column, Box::new(Expression::any(within)));
                    refers.push(Expression::Lookup { table: along.clone(), key, value });
                }
            }
        }
        refers
    }

    /// All that is here and not yet held, wanted once more; nothing of it is changed.
    pub fn unheld(&self) -> Vec<Wanted> {
        let rows = self.roots.iter().flat_map(|roots| {
            let free = roots.rows.iter().filter(|(_, row)| !row.held);
            free.map(|(key, _)| Wanted::Row(roots.table.clone(), key.clone()))
        });
        let parts = self.parts.iter().flat_map(|parts| {
            parts.of.keys().map(|root| Wanted::Parts(parts.table.clone(), root.clone()))
        });
        rows.chain(parts).collect()
    }

    fn key_of_root(&self, part: &Table, root: &[Value]) -> Option<Value> {
        let column = part.root?;
        let target = part.foreign_keys.iter().find(|key| key.column == column)?.target;
        let own = self.roots_of(target)?.table.own_key();
        root.get(own).cloned()
    }
}

/// The columns by which rows of a table refer to another, and what becomes of a row that loses what it refers to.
fn references(table: &Table, target: TableId) -> impl Iterator<Item = (usize, OnDelete)> {
    let keys = table.foreign_keys.iter().filter(move |key| key.target == target);
    keys.map(|key| (key.column, key.on_delete))
}

/// Takes from a row what it refers to; whether the row goes with it.
fn lose(row: &mut Option<Values>, column: usize, on_delete: OnDelete) -> bool {
    match on_delete {
        OnDelete::Restrict => false,
        OnDelete::Cascade => row.take().is_some(),
        OnDelete::Clear => {
            if let Some(slot) = row.as_mut().and_then(|row| Arc::make_mut(row).get_mut(column)) {
                *slot = Value::Null;
            }
            false
        }
    }
}

impl Stored for Workset {
    fn row(&self, table: &Arc<Table>, key: &Value) -> Result<Option<&[Value]>, EvaluationFault> {
        if table.root.is_some() {
            let (_, part) = self.part(key).ok_or(EvaluationFault::IllTyped)?;
            return Ok(part.new.as_deref());
        }
        if let Some(row) = self.root(table, key) {
            return Ok(row.new.as_deref());
        }
        self.want(Wanted::Row(table.clone(), key.clone()));
        Err(EvaluationFault::NotLocal)
    }

    fn parts(
        &self,
        table: &Arc<Table>,
        root: &[Value],
    ) -> Result<operation::StoredParts<'_>, EvaluationFault> {
        let key = self.key_of_root(table, root).ok_or(EvaluationFault::IllTyped)?;
        if !self.has_parts(table, &key) {
            self.want(Wanted::Parts(table.clone(), key));
            return Err(EvaluationFault::NotLocal);
        }
        let parts = self.parts_of(table, &key);
        Ok(parts.iter().filter_map(|part| part.new.as_deref()).collect())
    }
}
