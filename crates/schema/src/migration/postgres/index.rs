//! Indexes of tables that stay.

use operation::{Dialect, Ident, Sql};

use super::{Kept, Planner};
use crate::existing::ExistingIndex;
use crate::migration::{Condition, Cost, Hazard, Lock, Phase, Step, Work, qualified, quoted, step};

/// Bytes of a table whose index is built in a second.
const INDEXED: f64 = 40e6;

impl Planner<'_> {
    pub(super) fn indexes(&mut self, existing: &[(String, String)], kept: &[Kept<'_>]) {
        let mut there: Vec<ExistingIndex> =
            existing.iter().filter_map(|(_, sql)| ExistingIndex::parse(sql)).collect();
        // Those of dropped tables go with them; those of tables that were not made here stay.
        there.retain(|index| kept.iter().any(|kept| kept.original.name == index.table));
        // An index goes where its table goes.
        for index in &mut there {
            if let Some(kept) = kept.iter().find(|kept| kept.original.name == index.table) {
                let name = Ident::read(&index.name);
                index.name = Ident::read(&kept.stored).beside(name.as_str()).to_string();
            }
        }
        let mut standing = vec![false; there.len()];
        let mut renamed = Vec::new();
        let mut built = Vec::new();
        for kept in kept {
            let table = kept.table;
            let uniques = table.uniques.iter().map(|unique| {
                let columns: Vec<(usize, bool)> =
                    unique.columns.iter().map(|at| (*at, false)).collect();
                (&unique.name, true, columns)
            });
            let others = self.wanted.indexes.iter().filter(|index| index.table == table.id);
            let others = others.map(|index| (&index.name, false, index.columns.clone()));
            for (name, unique, columns) in uniques.chain(others) {
                let is_moved = columns.iter().any(|(at, _)| self.moved.contains(&(kept.at, *at)));
                let found = there.iter().position(|index| {
                    index.table == kept.original.name
                        && index.unique == unique
                        && index.columns.len() == columns.len()
                        && index.columns.iter().zip(&columns).all(|((was, down), (at, wanted))| {
                            let now = self.renames.columns.get(&(kept.name.clone(), was.clone()));
                            let now = now.unwrap_or(was);
                            *now == *table.columns[*at].name.as_str() && down == wanted
                        })
                });
                match found.filter(|_| !is_moved) {
                    Some(at) => {
                        standing[at] = true;
                        if there[at].name != name.to_string() {
                            renamed.push((there[at].name.clone(), name.clone()));
                        }
                    }
                    None => built.push((kept, name.clone(), unique, columns)),
                }
            }
        }
        for (kept, name, unique, columns) in built {
            let table = kept.table;
            let mut free = name.clone();
            let mut number = 1;
            while there.iter().any(|index| index.name == free.to_string()) {
                number += 1;
                free = name.beside(&format!("{}_{number}", name.as_str()));
            }
            if free != name {
                renamed.push((free.to_string(), name.clone()));
            }
            let mut sql = Sql::new(Dialect::Postgres);
            sql.push(if unique { "CREATE UNIQUE INDEX" } else { "CREATE INDEX" });
            sql.push(" CONCURRENTLY IF NOT EXISTS ").bare(&free).push(" ON ");
            sql.ident(&Ident::read(&kept.stored)).push(" (");
            sql.list(", ", &columns, |sql, (at, descending)| {
                let column = table.columns[*at].name.as_str();
                sql.ident(&Ident::fit(self.plan.names.column(&kept.name, column)));
                if *descending {
                    sql.push(" DESC");
                }
            });
            sql.push(")");
            let mut hazards = vec![Hazard::IndexBuild];
            if unique {
                hazards.push(Hazard::UniqueOverRows);
                let is_moved = columns.iter().any(|(at, _)| self.moved.contains(&(kept.at, *at)));
                if !is_moved {
                    let names: Vec<String> = columns
                        .iter()
                        .map(|(at, _)| {
                            let column = table.columns[*at].name.as_str();
                            quoted(self.plan.names.column(&kept.name, column))
                        })
                        .collect();
                    let given: Vec<String> =
                        names.iter().map(|name| format!("{name} IS NOT NULL")).collect();
                    let (list, given) = (names.join(", "), given.join(" AND "));
                    self.plan.conditions.push(Condition {
                        phase: Phase::Expand,
                        sql: format!(
                            "SELECT 1 FROM {} WHERE {given} GROUP BY {list} HAVING count(*) > 1",
                            qualified(self.before(&kept.stored))
                        ),
                        sentence: format!(
                            "{list} of `{}` is to be unique, and some rows have the same",
                            table.name
                        ),
                    });
                }
            }
            let size = self.size(&kept.stored);
            self.expand.push(Step {
                title: format!("build index `{name}`"),
                work: Work::CreateIndex { name: free.to_string(), statement: sql.finish() },
                undo: vec![format!("DROP INDEX IF EXISTS {}", qualified(&free.to_string()))],
                lock: Lock::ShareUpdateExclusive,
                cost: Cost::Scan,
                seconds: size.bytes as f64 / INDEXED,
                hazards,
                ..step(Phase::Expand)
            });
        }
        for (index, _) in there.iter().zip(&standing).filter(|(_, standing)| !**standing) {
            let name = qualified(&index.name);
            self.endings.push(Step {
                title: format!("drop index `{}`", index.name),
                work: Work::DropIndex {
                    statement: format!("DROP INDEX CONCURRENTLY IF EXISTS {name}"),
                },
                lock: Lock::ShareUpdateExclusive,
                hazards: vec![Hazard::DroppedIndex],
                ..step(Phase::Contract)
            });
        }
        if !renamed.is_empty() {
            let statements = renamed.iter().map(|(from, to)| {
                format!(
                    "ALTER INDEX IF EXISTS {} RENAME TO {}",
                    qualified(from),
                    quoted(to.as_str())
                )
            });
            let statements = statements.collect();
            let mut renaming =
                self.locking(Phase::Contract, ("", &[]), Lock::ShareUpdateExclusive, statements);
            renaming.title = "give indexes their final names".to_owned();
            self.contract.push(renaming);
        }
    }
}
