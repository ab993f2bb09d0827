//! What a write must know of tables that are not its own: which there are, and which refer to which.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use operation::{Ident, OnDelete, Redraw, Scalar, Stage, Table, TableId, Unique};
use parking_lot::RwLock;

use crate::lower::Lock;
use crate::lower::along::{Along, Trail};
use crate::lower::cleared::{Circle, Cleared, OfPart, Through, Way, With};

/// With which of the tables of which rows go first some go along, and by which steps.
type Level = (usize, Vec<Through>);

/// A table of which rows are locked.
#[derive(Debug)]
pub(crate) struct Holding {
    pub table: Arc<Table>,
    pub lock: Lock,
    /// How those are found that go along with others, or lose something.
    pub along: Vec<Trail>,
}

/// The plan's tables by stored name, for messages and for which is part of which.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    known: RwLock<HashMap<Ident, Arc<Table>>>,
    /// What draws on references, and on parts.
    redraws: RwLock<Vec<Arc<Redraw>>>,
}

impl Tables {
    /// Takes the tables of a model for those that there are, and what draws on references for all that does.
    pub fn know(&self, tables: &[Arc<Table>], redraws: Vec<Redraw>) {
        *self.redraws.write() = redraws.into_iter().map(Arc::new).collect();
        let mut known = self.known.write();
        known.clear();
        known.extend(tables.iter().map(|table| (table.name.clone(), table.clone())));
    }

    /// Whether there is such a table.
    pub fn has(&self, table: &Ident) -> bool {
        self.known.read().contains_key(table)
    }

    /// Whether a table is one of parts.
    pub fn is_part(&self, table: &Ident) -> bool {
        self.known.read().get(table).is_some_and(|table| table.root.is_some())
    }

    /// The entity of a table; the table's name where no entity is known.
    pub fn entity(&self, table: &Ident) -> String {
        let known = self.known.read();
        known.get(table).map_or_else(|| table.to_string(), |table| table.entity.to_string())
    }

    /// A part's table and its root's, by the stored name of the part.
    pub fn part_and_root(&self, part: &Ident) -> Option<(Arc<Table>, Arc<Table>)> {
        let known = self.known.read();
        let part = known.get(part)?;
        let column = part.root?;
        let target = part.foreign_keys.iter().find(|key| key.column == column)?.target;
        let root = known.values().find(|table| table.id == target)?;
        Some((part.clone(), root.clone()))
    }
}

impl Tables {
    /// Tables of which rows are changed when some of these go, since what refers to them is cleared, as far as versions tell of that.
    pub fn cleared(&self, references: &References, gone: &[Ident]) -> Vec<Cleared> {
        self.follow(references, gone).0
    }

    /// The same, and how rows go along that others may refer to: of which table, and with which of these, by which steps.
    fn follow(&self, references: &References, gone: &[Ident]) -> (Vec<Cleared>, Vec<Level>) {
        let (mut all, mut going) = (Vec::<Cleared>::new(), Vec::<(Ident, Way)>::new());
        let mut levels: Vec<Level> = Vec::new();
        for (at, table) in gone.iter().enumerate() {
            if let Some(circle) = self.circle(references, table) {
                self.clear_in_circle((&mut all, &mut going), references, (&circle, at));
                levels.extend(circle.tables.iter().enumerate().map(|(nth, (table, own, _))| {
                    let (table, own) = (table.clone(), own.clone());
                    let with = With::Circle(circle.clone(), nth);
                    (at, vec![Through { table, own, with }])
                }));
                continue;
            }
            let mut paths = vec![(table.clone(), Vec::<Through>::new())];
            while let Some((target, through)) = paths.pop() {
                for reference in references.to(&target) {
                    let Reference { table, column, on_delete, .. } = reference;
                    match on_delete {
                        OnDelete::Restrict => {}
                        OnDelete::Clear => {
                            self.add_way(&mut all, (reference, &through, at));
                        }
                        OnDelete::Cascade if self.goes_without_its_root(reference) => {
                            self.add_way(&mut all, (reference, &through, at));
                        }
                        OnDelete::Cascade => {
                            let (column_of, path) = (column.clone(), through.clone());
                            let way =
                                Way { part: None, column: column_of, through: path, gone: at };
                            going.push((table.clone(), way));
                            let known = self.known.read().get(table).cloned();
                            let is_first = through.is_empty() && *table == target;
                            let is_new = is_first
                                || table != &gone[at]
                                    && through.iter().all(|it| it.table != *table);
                            // Nothing refers to a part.
                            let Some(known) = known.filter(|it| is_new && it.root.is_none()) else {
                                continue;
                            };
                            let Some(own) = known.columns.get(known.own_key()) else { continue };
                            let (table, own) = (table.clone(), own.name.clone());
                            let again = references.to(&table).iter();
                            let again = again.filter(|of| {
                                of.table == table && of.on_delete == OnDelete::Cascade
                            });
                            let again = again.map(|of| of.column.clone()).collect();
                            let column = column.clone();
                            let with = With::Next { column, again };
                            let step = Through { table: table.clone(), own, with };
                            let path = [vec![step], through.clone()].concat();
                            levels.push((at, path.clone()));
                            paths.push((table, path));
                        }
                    }
                }
            }
        }
        for cleared in &mut all {
            let of_table = going.iter().filter(|(table, _)| *table == cleared.table);
            cleared.going = of_table.map(|(_, way)| way.clone()).collect();
        }
        (all, levels)
    }

    /// In which order tables are locked: those of which rows are named, and those of which rows go along with some of `gone`, or lose
    /// something by that.
    pub fn in_order<'t>(
        &self,
        references: &References,
        named: impl IntoIterator<Item = (&'t Arc<Table>, Lock)>,
        gone: impl IntoIterator<Item = &'t Arc<Table>>,
    ) -> Vec<Holding> {
        let named = named.into_iter().map(|(table, lock)| Holding {
            table: table.clone(),
            lock,
            along: Vec::new(),
        });
        let mut all: Vec<Holding> = named.collect();
        let mut again = Vec::new();
        for along in self.along(references, gone) {
            let is_of_circle = along.is_of_circle();
            let known = all.iter_mut().find(|known| known.table.id == along.table.id);
            let lock = along.lock(known.as_ref().map_or(Lock::Free, |known| known.lock));
            let Along { table, trails, .. } = along;
            if is_of_circle {
                again.push(Holding { table: table.clone(), lock, along: trails.clone() });
            }
            match known {
                Some(known) => (known.lock, known.along) = (lock, trails),
                None => all.push(Holding { table, lock, along: trails }),
            }
        }
        all.sort_by_key(|holding| holding.table.rank);
        // What comes to refer to the first of a circle while the last are waited for is locked in a second round.
        again.sort_by_key(|holding| holding.table.rank);
        all.append(&mut again);
        all
    }

    /// Tables of which rows go along with some of these, or lose something by that.
    fn along<'t>(
        &self,
        references: &References,
        gone: impl IntoIterator<Item = &'t Arc<Table>>,
    ) -> Vec<Along> {
        let gone: Vec<Ident> = gone.into_iter().map(|table| table.name.clone()).collect();
        let mut all: Vec<Along> = Vec::new();
        let mut add = |table: &Ident, goes: bool, trail: Trail| {
            let Some(table) = self.known.read().get(table).cloned() else { return };
            match all.iter_mut().find(|along| along.table.id == table.id) {
                Some(along) => {
                    along.goes |= goes;
                    if !along.trails.contains(&trail) {
                        along.trails.push(trail);
                    }
                }
                None => all.push(Along { table, goes, trails: vec![trail] }),
            }
        };
        let (cleared, levels) = self.follow(references, &gone);
        for (gone, through) in levels {
            let Some(Through { table, own, .. }) = through.first() else { continue };
            let (table, pick) = (table.clone(), own.clone());
            let trail = Trail { column: pick.clone(), pick, from: table.clone(), through, gone };
            add(&table, true, trail);
        }
        for Cleared { table, own, ways, .. } in cleared {
            let Some((own, _)) = own else { continue };
            for Way { part, column, through, gone } in ways {
                let (pick, from) = match part {
                    Some(OfPart { table, of, .. }) => (of, table),
                    None => (own.clone(), table.clone()),
                };
                add(&table, false, Trail { pick, from, column, through, gone });
            }
        }
        all
    }

    /// The tables of which rows go with one of this, if some go with rows of their own table by way of others.
    fn circle(&self, references: &References, first: &Ident) -> Option<Arc<Circle>> {
        let known = self.known.read();
        let (mut tables, mut goes) = (vec![first.clone()], Vec::new());
        let mut at = 0;
        while let Some(target) = tables.get(at).cloned() {
            for Reference { table, column, on_delete, .. } in references.to(&target) {
                let is_root = known.get(table).is_some_and(|table| table.root.is_none());
                if *on_delete != OnDelete::Cascade || !is_root {
                    continue;
                }
                let from = tables.iter().position(|known| known == table).unwrap_or_else(|| {
                    tables.push(table.clone());
                    tables.len() - 1
                });
                goes.push((from, column.clone(), at));
            }
            at += 1;
        }
        // Whichever goes with none of the others any more is in no circle.
        let mut left: Vec<usize> = (0..tables.len()).collect();
        loop {
            let leads = |table: &usize| {
                goes.iter().any(|(from, _, to)| from == table && to != from && left.contains(to))
            };
            let stays: Vec<usize> = left.iter().copied().filter(leads).collect();
            if stays.is_empty() {
                return None;
            }
            if stays.len() == left.len() {
                break;
            }
            left = stays;
        }
        // What others keep in other words is not compared with what is found.
        let is_plain = |(from, column, _): &(usize, Ident, usize)| {
            let of = tables.get(*from).and_then(|table| known.get(table));
            let column = of.and_then(|of| of.columns.iter().find(|it| it.name == *column));
            column.is_some_and(|column| column.native.is_none())
        };
        if !goes.iter().all(is_plain) {
            return None;
        }
        let keyed = tables.into_iter().map(|table| {
            let of = known.get(&table)?;
            let own = of.columns.get(of.own_key()).filter(|own| own.native.is_none())?;
            Some((table, own.name.clone(), own.scalar))
        });
        Some(Arc::new(Circle { tables: keyed.collect::<Option<_>>()?, goes }))
    }

    /// The same as [`Self::cleared`] of rows that go with each other in a circle.
    fn clear_in_circle(
        &self,
        (all, going): (&mut Vec<Cleared>, &mut Vec<(Ident, Way)>),
        references: &References,
        (circle, gone): (&Arc<Circle>, usize),
    ) {
        for (at, (target, own, _)) in circle.tables.iter().enumerate() {
            let (table, own) = (target.clone(), own.clone());
            let through = vec![Through { table, own, with: With::Circle(circle.clone(), at) }];
            for reference in references.to(target) {
                let Reference { table, column, on_delete, .. } = reference;
                match on_delete {
                    OnDelete::Restrict => {}
                    OnDelete::Cascade if !self.goes_without_its_root(reference) => {
                        let (column, through) = (column.clone(), through.clone());
                        going.push((table.clone(), Way { part: None, column, through, gone }));
                    }
                    OnDelete::Clear | OnDelete::Cascade => {
                        self.add_way(all, (reference, &through, gone));
                    }
                }
            }
        }
    }

    /// Adds how a row loses something, or a part: by what refers to rows of the table `gone`, through others that go with those.
    fn add_way(
        &self,
        all: &mut Vec<Cleared>,
        (reference, through, gone): (&Reference, &[Through], usize),
    ) {
        let Reference { table: referring, column, .. } = reference;
        let Some((table, version, part)) = self.versioned(reference) else { return };
        let at = all.iter().position(|cleared| cleared.table == table).unwrap_or_else(|| {
            let (ways, going, redraws) = (Vec::new(), Vec::new(), Vec::new());
            let own = self.own_key(&table);
            all.push(Cleared { table, version, own, ways, going, redraws });
            all.len() - 1
        });
        let Cleared { ways, redraws, .. } = &mut all[at];
        ways.push(Way { part, column: column.clone(), through: through.to_vec(), gone });
        let draws = |redraw: &&Arc<Redraw>| {
            let of = redraw.table.columns.get(redraw.column);
            redraw.table.name == *referring && of.is_some_and(|of| of.name == *column)
        };
        let known = self.redraws.read();
        if let Some(redraw) = known.iter().find(draws)
            && !redraws.iter().any(|known| Arc::ptr_eq(known, redraw))
        {
            redraws.push(redraw.clone());
        }
    }

    /// The unique columns that a database names, by their constraint or by themselves, where they are worked out of what rows lose.
    pub fn drawn_unique(&self, reason: &str) -> Option<(Arc<Table>, Unique)> {
        let known = self.redraws.read();
        let mut stages = known.iter().flat_map(|redraw| &redraw.stages);
        stages.find_map(|Stage { table, set }| {
            let is_named = |unique: &&Unique| {
                let drawn = |at: &usize| set.iter().any(|(column, _)| column == at);
                let column = |at: &usize| table.columns.get(*at).map(|column| &column.name);
                let first = unique.columns.first().and_then(column);
                let by_column = first.map(|first| format!("{}.{first}", table.name));
                unique.columns.iter().any(drawn)
                    && (reason.contains(&format!("\"{}\"", unique.name))
                        || by_column.is_some_and(|by_column| reason.contains(&by_column)))
            };
            table.uniques.iter().find(is_named).map(|unique| (table.clone(), unique.clone()))
        })
    }

    /// Whether a reference is one of parts that go with what they refer to, which is not their root.
    fn goes_without_its_root(&self, reference: &Reference) -> bool {
        let known = self.known.read();
        let part = known.get(&reference.table).and_then(|part| Some((part, part.root?)));
        part.and_then(|(part, root)| part.columns.get(root))
            .is_some_and(|root| root.name != reference.column)
    }

    /// The key of a table, if the model knows that.
    fn own_key(&self, table: &Ident) -> Option<(Ident, Scalar)> {
        let known = self.known.read();
        let table = known.get(table)?;
        table.columns.get(table.own_key()).map(|own| (own.name.clone(), own.scalar))
    }

    /// The table whose version tells that a reference was cleared, that version, and of which part it is.
    fn versioned(&self, reference: &Reference) -> Option<(Ident, Ident, Option<OfPart>)> {
        let name = |table: &Table, at: usize| Some(table.columns.get(at)?.name.clone());
        let Reference { table, versioned, .. } = reference;
        if *versioned {
            let known = self.known.read().get(table).cloned();
            let version = known.and_then(|table| name(&table, table.version?));
            return Some((table.clone(), version.or_else(|| Ident::new("row_version"))?, None));
        }
        let (part, root) = self.part_and_root(table)?;
        let (own, of) = (name(&root, root.own_key())?, name(&part, part.root?)?);
        let part = OfPart { table: table.clone(), of, own };
        Some((root.name.clone(), name(&root, root.version?)?, Some(part)))
    }

    /// Whether the references that lead to a table are in the database as the model tells of them, and so are those to tables whose rows go
    /// with one of it.
    pub fn are_referred_to_as_told(&self, references: &References, table: TableId) -> bool {
        let known = self.known.read();
        let (mut waiting, mut seen) = (vec![table], vec![table]);
        while let Some(id) = waiting.pop() {
            let Some(target) = known.values().find(|table| table.id == id) else { return false };
            let to = references.to(&target.name);
            for table in known.values() {
                for key in table.foreign_keys.iter().filter(|key| key.target == id) {
                    let column = table.columns.get(key.column).map(|column| &column.name);
                    let is_it = |it: &Reference| {
                        it.table == table.name
                            && Some(&it.column) == column
                            && it.on_delete == key.on_delete
                    };
                    if !to.iter().any(is_it) {
                        return false;
                    }
                    if key.on_delete == OnDelete::Cascade && !seen.contains(&table.id) {
                        seen.push(table.id);
                        waiting.push(table.id);
                    }
                }
            }
        }
        true
    }
}

/// The foreign keys of a database, by the table that they lead to.
#[derive(Debug, Default)]
pub(crate) struct References(pub HashMap<Ident, Vec<Reference>>);

/// A foreign key.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    /// The table that refers.
    pub table: Ident,
    /// Its referring column.
    pub column: Ident,
    /// What becomes of the referring row.
    pub on_delete: OnDelete,
    /// Whether the referring table has a version to raise.
    pub versioned: bool,
}

impl References {
    /// Those that a database of these tables has.
    pub fn of(tables: &[Arc<Table>]) -> Self {
        let mut all = Self::default();
        for table in tables {
            for key in &table.foreign_keys {
                let target = tables.iter().find(|target| target.id == key.target);
                let (Some(target), Some(column)) = (target, table.columns.get(key.column)) else {
                    continue;
                };
                all.0.entry(target.name.clone()).or_default().push(Reference {
                    table: table.name.clone(),
                    column: column.name.clone(),
                    on_delete: key.on_delete,
                    versioned: table.version.is_some(),
                });
            }
        }
        all
    }

    /// The foreign keys that lead to a table.
    pub fn to(&self, table: &Ident) -> &[Reference] {
        self.0.get(table).map_or(&[], Vec::as_slice)
    }

    /// The tables whose rows may go or change when a row of this one is deleted.
    pub fn reached(&self, table: &Ident) -> HashSet<Ident> {
        let mut reached = HashSet::new();
        let mut from = vec![table.clone()];
        while let Some(table) = from.pop() {
            for reference in self.to(&table) {
                let name = reference.table.clone();
                match reference.on_delete {
                    OnDelete::Restrict => {}
                    OnDelete::Clear => {
                        reached.insert(name);
                    }
                    OnDelete::Cascade => {
                        if reached.insert(name.clone()) {
                            from.push(name);
                        }
                    }
                }
            }
        }
        reached
    }
}
