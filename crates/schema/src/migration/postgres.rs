//! The plan for PostgreSQL.

mod column;
mod index;
mod place;
mod table;

use std::collections::HashSet;

use operation::{Dialect, Ident, Sql, Table};

use self::column::drop_constraint;
use self::place::Move;
use self::table::ToRefer;

use super::{
    Condition, Cost, Facts, Hazard, Lock, Migration, Phase, Step, TableFacts, Work, qualified,
    quoted, step,
};
use crate::diff::{diff, renames};
use crate::existing::{Existing, ExistingIndex, Renames};
use crate::{Names, Origin, Schema, ddl};

/// Bytes that a scan reads in a second, carefully guessed.
const SCANNED: f64 = 200e6;

/// The steps from what is there to the wanted tables.
///
/// `existing` is what the database holds, in the words of the model before (each table and index as
/// [`crate::ddl::sqlite`] defines it); `names` says what it calls otherwise.
pub fn postgres(
    existing: &[(String, String)],
    names: &Names,
    wanted: &Schema,
    facts: &Facts,
) -> Migration {
    let change = diff(existing, wanted);
    if change.is_empty() {
        return Migration::default();
    }
    let originals: Vec<Existing> =
        existing.iter().filter_map(|(_, sql)| Existing::parse(sql)).collect();
    let renames = renames(&originals, wanted);
    let drops = super::drops(&change.losses);
    let summary = change.summary_in_place();
    let mut losses = change.losses;
    for loss in &mut losses {
        // Where to look is said in the names of the database.
        let table = loss.probe.name.to_string();
        for column in &mut loss.probe.columns {
            column.name = Ident::fit(names.column(&table, column.name.as_str()));
        }
        loss.probe.name = Ident::read(names.table(&table));
    }
    let mut planner = Planner {
        names,
        wanted,
        facts,
        renames: &renames,
        expand: Vec::new(),
        endings: Vec::new(),
        contract: Vec::new(),
        plan: Migration {
            summary,
            drops,
            losses,
            recompute: change.recompute,
            created: change.created,
            computed: change.computed,
            ..Migration::default()
        },
        created: HashSet::new(),
        moves: Vec::new(),
        uniques: existing
            .iter()
            .filter_map(|(_, sql)| ExistingIndex::parse(sql))
            .filter(|index| index.unique)
            .flat_map(|index| {
                let table = index.table;
                index.columns.into_iter().map(move |(column, _)| (table.clone(), column))
            })
            .collect(),
        moved: Vec::new(),
    };
    planner.plan(existing, &originals);
    planner.finish()
}

struct Planner<'a> {
    /// What the database calls things of the model before.
    names: &'a Names,
    wanted: &'a Schema,
    facts: &'a Facts,
    renames: &'a Renames,
    expand: Vec<Step>,
    /// Where the contraction begins: nothing is written for the old version any more, and its indexes go.
    endings: Vec<Step>,
    contract: Vec<Step>,
    plan: Migration,
    /// Tables that are new.
    created: HashSet<String>,
    /// Tables that come to another schema.
    moves: Vec<Move>,
    /// Tables and columns, as the model before calls them, that are part of a unique index.
    uniques: HashSet<(String, String)>,
    /// Columns of the wanted tables that live in a new stored column: table, position.
    moved: Vec<(usize, usize)>,
}

/// A table that stays, and what it was.
struct Kept<'a> {
    /// Position of the wanted table.
    at: usize,
    table: &'a Table,
    /// What the model calls it.
    name: String,
    origin: &'a Origin,
    /// As it is, under the names of the model before.
    original: &'a Existing,
    /// The same under the names that the new model has for it.
    old: Existing,
    /// Its stored name, once it stands where it is to stand.
    stored: String,
}

impl Planner<'_> {
    fn plan(&mut self, existing: &[(String, String)], originals: &[Existing]) {
        let wanted = self.wanted;
        let mut kept = Vec::new();
        let mut made = Vec::new();
        let mut gone: Vec<&Existing> = originals.iter().collect();
        let all = place::stored(originals, self.names);
        for (at, table) in wanted.tables.iter().enumerate() {
            let name = table.name.to_string();
            let found = gone.iter().position(|original| {
                original.renamed(self.renames).name.eq_ignore_ascii_case(&name)
            });
            let Some(found) = found else {
                made.push(at);
                continue;
            };
            let original = gone.swap_remove(found);
            let mut stored = self.names.table(&original.name).to_owned();
            if !place::are_together(&stored, &name) {
                if all.contains(&name) {
                    self.plan.obstacles.push(format!(
                        "`{stored}` would come to `{name}`, where another table still is; take two steps, or give it another \
                         name with `stored as`"
                    ));
                }
                self.moves.push(Move { from: stored, to: name.clone() });
                stored = name.clone();
            }
            if stored != name {
                self.plan.names.tables.insert(name.clone(), stored.clone());
            }
            kept.push(Kept {
                at,
                table,
                name,
                origin: &wanted.origins[at],
                original,
                old: original.renamed(self.renames),
                stored,
            });
        }
        // A new table may have the name of one that lives on under another.
        for at in &made {
            let name = wanted.tables[*at].name.to_string();
            if all.contains(&name) {
                self.plan.obstacles.push(format!(
                    "a new table is called `{name}`, as another one still is; take two steps, or give it another name \
                     with `stored as`"
                ));
            }
        }
        self.make_schemas(&all);
        self.move_tables(&kept);
        for at in &made {
            self.created.insert(wanted.tables[*at].name.to_string());
            self.create(*at);
        }
        for kept in &kept {
            self.alter(kept);
        }
        for at in made {
            self.references(at);
        }
        self.indexes(existing, &kept);
        for kept in &kept {
            self.analyze(kept);
        }
        self.drop_tables(&gone);
        self.leave_schemas(&all);
    }

    fn finish(mut self) -> Migration {
        // A table or a column that is only renamed waits for the servers of the old version, and has no step but this.
        self.contract.extend(super::final_names(&self.plan.names));
        let has_steps =
            !(self.expand.is_empty() && self.endings.is_empty() && self.contract.is_empty());
        if !has_steps && self.plan.obstacles.is_empty() {
            self.plan.obstacles.push(format!(
                "the tables differ from the model in what no change of it leads to, and somebody has changed by hand: {}",
                self.plan.summary.join("; ")
            ));
        }
        self.plan.steps = self.expand;
        self.plan.steps.extend(self.endings);
        self.plan.steps.extend(self.contract);
        self.plan
    }

    fn size(&self, stored: &str) -> TableFacts {
        self.facts.tables.get(self.before(stored)).cloned().unwrap_or_default()
    }

    /// A step that changes stored tables under a lock, only their definition. The first is the one that `table` is called in the
    /// model.
    fn locking(
        &self,
        phase: Phase,
        (table, locked): (&str, &[&str]),
        lock: Lock,
        statements: Vec<String>,
    ) -> Step {
        Step {
            work: Work::Transaction { statements },
            lock,
            locked: locked.iter().map(|stored| (*stored).to_owned()).collect(),
            load: self.facts.load.get(table).copied().unwrap_or(0.0),
            hazards: vec![Hazard::LockQueue],
            ..step(phase)
        }
    }

    /// A step that reads a table beside its traffic.
    fn scanning(&self, phase: Phase, stored: &str, statements: Vec<String>) -> Step {
        Step {
            work: Work::Transaction { statements },
            lock: Lock::ShareUpdateExclusive,
            cost: Cost::Scan,
            seconds: self.size(stored).bytes as f64 / SCANNED,
            ..step(phase)
        }
    }

    /// A new table, with what is its own.
    fn create(&mut self, at: usize) {
        let table = &self.wanted.tables[at];
        let mut statements = vec![ddl::postgres_table(table)];
        statements.extend(
            ddl::indexes(self.wanted, Dialect::Postgres)
                .into_iter()
                .filter(|index| index.table == table.name)
                .map(|index| index.sql),
        );
        statements.extend(ddl::postgres_comments(self.wanted, table));
        self.expand.push(Step {
            title: format!("create table `{}`", table.name),
            work: Work::Transaction { statements },
            undo: vec![format!("DROP TABLE {}", qualified(&table.name.to_string()))],
            ..step(Phase::Expand)
        });
    }

    /// The references of a new table.
    fn references(&mut self, at: usize) {
        let table = &self.wanted.tables[at];
        for (key, foreign) in table.foreign_keys.iter().enumerate() {
            let stored = table.columns[foreign.column].name.to_string();
            let to = ToRefer { phase: Phase::Expand, key, stored, replaces: None, restores: None };
            self.reference(table, &table.name.to_string(), &to);
        }
    }

    /// A reference of a stored column, validated beside the traffic.
    fn reference(&mut self, table: &Table, stored: &str, refer: &ToRefer) {
        let ToRefer { phase, stored: column, .. } = refer;
        let (phase, key) = (*phase, &table.foreign_keys[refer.key]);
        let target = &self.wanted.tables[key.target.0 as usize];
        let target_name = target.name.to_string();
        let to = self.plan.names.table(&target_name).to_owned();
        let own_key = target.columns[target.own_key()].name.as_str();
        let own_key = self.stored_key(target, own_key);
        let taken = self.size(stored).references;
        let is_free = |name: &Ident| {
            taken
                .values()
                .all(|other| other != name.as_str() || refer.replaces.as_ref() == Some(other))
        };
        let from = Ident::read(stored);
        let mut name = Ident::fit(&format!("fk_{}_{column}", from.as_str()));
        let mut number = 1;
        // Constraints keep their names when columns get others.
        while !is_free(&name) {
            number += 1;
            name = Ident::fit(&format!("fk_{}_{column}_{number}", from.as_str()));
        }
        let mut sql = Sql::new(Dialect::Postgres);
        sql.push("ALTER TABLE ").ident(&from).push(" ADD CONSTRAINT ").ident(&name);
        sql.push(" FOREIGN KEY (").ident(&Ident::fit(column)).push(") REFERENCES ");
        sql.ident(&Ident::read(&to)).push(" (").ident(&Ident::fit(&own_key)).push(")");
        sql.push(ddl::on_delete(key.on_delete)).push(" DEFERRABLE NOT VALID");
        let drop = drop_constraint(stored, name.as_str());
        let validate = format!(
            "ALTER TABLE {} VALIDATE CONSTRAINT {}",
            qualified(stored),
            quoted(name.as_str())
        );
        let shown = format!("`{}.{}`", table.name, table.columns[key.column].name);
        let mut statements: Vec<String> = Vec::new();
        let mut lock = Lock::ShareRowExclusive;
        if let Some(old) = &refer.replaces {
            statements.push(drop_constraint(stored, old));
            lock = Lock::AccessExclusive;
        }
        statements.push(sql.finish());
        // Both tables are locked, and neither may be new.
        let locked: Vec<&str> =
            [stored, &to].into_iter().filter(|table| !self.created.contains(*table)).collect();
        let mut adding = self.locking(phase, (&to, &locked), lock, statements);
        adding.title = format!("reference {shown} to `{}`, for new rows", target.name);
        adding.undo = vec![drop];
        adding.undo.extend(refer.restores.clone());
        if phase == Phase::Contract {
            // A reference of a column that is there, to a table that is.
            let is_there = self.renames.tables.values().any(|now| *now == target_name)
                || !self.created.contains(&target_name);
            // What is asked before the change is asked in the old place, where later a view stands.
            let (from, to) = match is_there {
                true => (self.before(stored), self.before(&to)),
                false => (stored, &*to),
            };
            let (from, column, to) = (qualified(from), quoted(column), qualified(to));
            self.plan.conditions.push(Condition {
                phase: if is_there { Phase::Expand } else { Phase::Contract },
                sql: format!(
                    "SELECT 1 FROM {from} r WHERE r.{column} IS NOT NULL \
                     AND NOT EXISTS (SELECT 1 FROM {to} t WHERE t.{} = r.{column})",
                    quoted(&own_key)
                ),
                sentence: format!(
                    "{shown} is to refer to `{}`, and some rows lead nowhere",
                    target.name
                ),
            });
        }
        adding.hazards.push(Hazard::ReferenceOverRows);
        let mut validating = self.scanning(phase, stored, vec![validate]);
        validating.title = format!("validate the reference {shown}");
        match phase {
            Phase::Expand => self.expand.extend([adding, validating]),
            Phase::Contract => {
                adding.hazards.push(Hazard::RuleForOldVersion);
                self.contract.extend([adding, validating]);
            }
        }
    }

    /// The stored name of a key, which keeps it until the end. Its table may not have been looked at yet.
    fn stored_key(&self, target: &Table, key: &str) -> String {
        let name = target.name.to_string();
        let renamed =
            self.renames.columns.iter().find(|((table, _), now)| *table == name && *now == key);
        let before = renamed.map_or(key, |((_, was), _)| was.as_str());
        let table = self.renames.tables.iter().find(|(_, now)| **now == name);
        let table = table.map_or(&*name, |(was, _)| was.as_str());
        self.names.column(table, before).to_owned()
    }

    /// Statistics of columns that the new version asks for: without them the planner guesses, and reads whole tables.
    fn analyze(&mut self, kept: &Kept<'_>) {
        let columns: Vec<String> = self
            .moved
            .iter()
            .filter(|(at, _)| *at == kept.at)
            .map(|(_, column)| {
                let column = kept.table.columns[*column].name.as_str();
                quoted(self.plan.names.column(&kept.name, column))
            })
            .collect();
        if columns.is_empty() {
            return;
        }
        let statement = format!("ANALYZE {} ({})", qualified(&kept.stored), columns.join(", "));
        self.expand.push(Step {
            title: format!("`{}`: let the planner know the new columns", kept.table.name),
            work: Work::Transaction { statements: vec![statement] },
            lock: Lock::ShareUpdateExclusive,
            // A sample of thirty thousand rows, however many there are.
            seconds: 0.5,
            ..step(Phase::Expand)
        });
    }

    /// All at once: they may refer to each other.
    fn drop_tables(&mut self, gone: &[&Existing]) {
        if gone.is_empty() {
            return;
        }
        let stored: Vec<String> =
            gone.iter().map(|gone| qualified(self.names.table(&gone.name))).collect();
        let names: Vec<&str> = gone.iter().map(|gone| gone.name.as_str()).collect();
        let drop = vec![format!("DROP TABLE {}", stored.join(", "))];
        let locked: Vec<&str> = gone.iter().map(|gone| self.names.table(&gone.name)).collect();
        let mut dropping =
            self.locking(Phase::Contract, ("", &locked), Lock::AccessExclusive, drop);
        dropping.title = format!("drop `{}`", names.join("`, `"));
        dropping.hazards.push(Hazard::DroppedTable);
        self.contract.push(dropping);
    }
}
