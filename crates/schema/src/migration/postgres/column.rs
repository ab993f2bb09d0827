//! The columns of a table that stays: new, changed, living in two for a while, gone.

use operation::{Dialect, Ident, OnDelete, Scalar, Sql};

use super::table::{Changes, ToRefer, Together};
use super::{Kept, Planner};
use crate::diff::source_of;
use crate::existing::{Existing, ExistingColumn};
use crate::migration::sync::{self, Filled, Pair};
use crate::migration::{Hazard, Phase, qualified, quoted};
use crate::{ColumnOrigin, Fill, Meaning, ddl};

impl Planner<'_> {
    /// A column that no row has yet.
    pub(super) fn add(&mut self, kept: &Kept<'_>, at: usize, changes: &mut Changes) {
        let column = &kept.table.columns[at];
        let origin = &kept.origin.columns[at];
        let stored = self.free_name(kept, column.name.as_str());
        let name = kept.name.as_str();
        self.plan.names.put(name, column.name.as_str(), &stored);
        self.moved.push((kept.at, at));
        let definition = &mut changes.definition;
        let half = source_of(kept.origin, at, &kept.old);
        definition.what.push(match half {
            Some((was, _)) => format!("add `{}`, a half of `{was}`", column.name),
            None => format!("add `{}`", column.name),
        });
        definition.statements.push(self.added(kept, at, &stored, half.is_none()));
        definition.statements.extend(self.commented(kept, at, &stored));
        definition.undo.push(drop_column(&kept.stored, &stored));
        if half.is_some() {
            definition.hazard(&[Hazard::SplitColumn]);
        } else if origin.fill != Fill::Unknown {
            definition.hazard(&[Hazard::ColumnDefault]);
            leave_default(kept, column.name.as_str(), &stored, &mut changes.ending);
        }
        if !column.nullable && half.is_none() {
            definition.hazard(&[Hazard::RequiredColumn]);
            if origin.fill == Fill::Unknown {
                changes.demanded.1.push(stored.clone());
            }
        }
        refer(kept, at, Phase::Expand, &stored, None, changes);
    }

    /// A stored name for a new column that no column has.
    pub(super) fn free_name(&self, kept: &Kept<'_>, wanted: &str) -> String {
        let table = kept.name.as_str();
        let taken = |name: &str| {
            let before = &kept.original;
            let stands = before.columns.iter().any(|column| {
                self.names.column(&before.name, &column.name).eq_ignore_ascii_case(name)
            });
            let comes = kept.table.columns.iter().any(|column| {
                let column = column.name.as_str();
                let stored = self.plan.names.column(table, column);
                let is_called_so =
                    column.eq_ignore_ascii_case(name) || stored.eq_ignore_ascii_case(name);
                column != wanted && is_called_so
            });
            stands || comes
        };
        let mut name = wanted.to_owned();
        let mut number = 1;
        while taken(&name) {
            number += 1;
            name = Ident::fit(&format!("{wanted}_{number}")).as_str().to_owned();
        }
        name
    }

    /// `ALTER TABLE … ADD COLUMN`; `filled`: with what rows get that know nothing of it.
    pub(super) fn added(&self, kept: &Kept<'_>, at: usize, stored: &str, filled: bool) -> String {
        let column = &kept.table.columns[at];
        let origin = &kept.origin.columns[at];
        let mut sql = Sql::new(Dialect::Postgres);
        sql.push("ALTER TABLE ").ident(&Ident::read(&kept.stored)).push(" ADD COLUMN ");
        sql.ident(&Ident::fit(stored)).push(" ");
        ddl::postgres_type(&mut sql, column.scalar);
        let mut text = sql.finish();
        if filled && origin.fill != Fill::Unknown {
            text.push_str(&format!(" DEFAULT {}", sync::fill(&origin.fill, column.scalar)));
        }
        // Without a default the old version could create no row.
        if filled && !column.nullable && origin.fill != Fill::Unknown {
            text.push_str(" NOT NULL");
        }
        text
    }

    pub(super) fn commented(&self, kept: &Kept<'_>, at: usize, stored: &str) -> Option<String> {
        let said = ddl::postgres_said(self.wanted, kept.table, at)?;
        Some(ddl::postgres_comment(&Ident::read(&kept.stored), &Ident::fit(stored), Some(&said)))
    }

    /// A column that is there already, perhaps under another name or of another type.
    pub(super) fn column(
        &mut self,
        kept: &Kept<'_>,
        new: &Existing,
        at: usize,
        from: usize,
        changes: &mut Changes,
    ) {
        let (table, name) = (kept.table, kept.name.as_str());
        let column = &table.columns[at];
        let origin = &kept.origin.columns[at];
        let there = &kept.old.columns[from];
        let before = &kept.original.columns[from].name;
        let stored = self.names.column(&kept.original.name, before).to_owned();
        let is_key = table.key.contains(&at) || table.root == Some(at) || table.auto == Some(at);
        let meaning = there.meaning();
        let is_retyped = meaning.as_ref() != Some(&origin.meaning);
        let stays = !is_retyped || meaning.as_ref().is_some_and(|from| is_only_said(from, origin));
        let is_fixed = is_key || table.version == Some(at);
        if is_fixed && !stays {
            self.plan.obstacles.push(format!(
                "`{name}.{}` is a key, and its type changes: write a new entity, and move the rows into it",
                column.name
            ));
        }
        if !is_fixed && (*before != there.name || !stays) {
            return self.twice(kept, at, from, &stored, changes);
        }
        self.plan.names.put(name, column.name.as_str(), &stored);
        if new.column(column.name.as_str()) == Some(there) {
            return;
        }
        if is_retyped || (table.auto == Some(at) && there.never_again() != kept.origin.never_again)
        {
            let said = ddl::postgres_said(self.wanted, table, at);
            let comment = |said: Option<&str>| {
                ddl::postgres_comment(&Ident::read(&kept.stored), &Ident::fit(&stored), said)
            };
            let undone = match &meaning {
                Some(Meaning::Labels(_)) => Some(there.meaning.as_str()),
                _ if there.never_again() => Some("never again"),
                _ => None,
            };
            let definition = &mut changes.definition;
            definition.what.push(format!("note what `{}` may hold", column.name));
            definition.statements.push(comment(said.as_deref()));
            definition.undo.push(comment(undone));
            if is_retyped {
                definition.hazard(&[Hazard::NewLabel]);
                self.plan.summary.push(format!("`{name}.{}` has other labels", column.name));
            }
        }
        if is_fixed {
            return;
        }
        match (there.nullable(), column.nullable) {
            (true, false) => {
                self.plan.summary.push(format!("`{name}.{}` is now required", column.name));
                if origin.fill == Fill::Unknown {
                    changes.demanded.1.push(stored.clone());
                } else {
                    let value = sync::fill(&origin.fill, column.scalar);
                    changes.filled.push((Filled { column: stored.clone(), value }, true));
                }
            }
            (false, true) => {
                self.plan.summary.push(format!("`{name}.{}` is now optional", column.name));
                let zero = meaning.as_ref().filter(|_| there.reference().is_none()).map(sync::zero);
                self.loosen(kept, &column.name.to_string(), &stored, zero, changes);
            }
            _ => {}
        }
        if there.has_default() {
            leave_default(kept, column.name.as_str(), &stored, &mut changes.ending);
        }
        self.refer_otherwise(kept, at, there, &stored, changes);
    }

    /// Lets a column be empty; `zero`: what empty ones get where that is taken back.
    pub(super) fn loosen(
        &self,
        kept: &Kept<'_>,
        shown: &str,
        stored: &str,
        zero: Option<String>,
        changes: &mut Changes,
    ) {
        let alter = |what: &str| {
            format!(
                "ALTER TABLE {} ALTER COLUMN {} {what}",
                qualified(&kept.stored),
                quoted(stored)
            )
        };
        let definition = &mut changes.definition;
        definition.what.push(format!("let `{shown}` be empty"));
        definition.statements.push(alter("DROP NOT NULL"));
        definition.undo.push(alter("SET NOT NULL"));
        if let Some(zero) = zero {
            let (table, column) = (qualified(&kept.stored), quoted(stored));
            definition
                .undo
                .push(format!("UPDATE {table} SET {column} = {zero} WHERE {column} IS NULL"));
        }
        definition.hazard(&[Hazard::OptionalNow]);
    }

    /// A reference that is new, gone or another.
    pub(super) fn refer_otherwise(
        &mut self,
        kept: &Kept<'_>,
        at: usize,
        there: &ExistingColumn,
        stored: &str,
        changes: &mut Changes,
    ) {
        let table = kept.table;
        let key = table.foreign_keys.iter().find(|key| key.column == at);
        let wanted = key.map(|key| {
            let target = &self.wanted.tables[key.target.0 as usize];
            let own_key = target.columns[target.own_key()].name.as_str();
            (target.name.to_string(), own_key, key.on_delete)
        });
        let wanted = wanted.as_ref().map(|(table, key, deletes)| (&**table, *key, *deletes));
        if there.reference() == wanted {
            return;
        }
        let column = &table.columns[at].name;
        self.plan.summary.push(format!("the reference `{}.{column}` is another", table.name));
        let mut replaces = None;
        if there.reference().is_some() {
            let size = self.size(&kept.stored);
            let constraint = size.references.get(stored).cloned().unwrap_or_else(|| {
                let table = Ident::read(&kept.stored);
                Ident::fit(&format!("fk_{}_{stored}", table.as_str())).as_str().to_owned()
            });
            if key.is_none() {
                changes.ending.what.push(format!("end the reference `{column}`"));
                changes.ending.statements.push(drop_constraint(&kept.stored, &constraint));
            }
            replaces = Some(constraint);
        }
        // The old rule would delete rows that the new version keeps.
        let destroys =
            there.reference().is_some_and(|(.., on_delete)| on_delete == OnDelete::Cascade);
        let phase = if destroys { Phase::Expand } else { Phase::Contract };
        refer(kept, at, phase, stored, replaces.clone(), changes);
        if let (Some((table, column, on_delete)), Some(constraint), Some(to)) =
            (there.reference(), replaces, changes.references.last_mut())
        {
            let target = self.plan.names.table(table).to_owned();
            let mut sql = Sql::new(Dialect::Postgres);
            sql.push("ALTER TABLE ").ident(&Ident::read(&kept.stored)).push(" ADD CONSTRAINT ");
            sql.ident(&Ident::fit(&constraint)).push(" FOREIGN KEY (").ident(&Ident::fit(stored));
            sql.push(") REFERENCES ").ident(&Ident::read(&target)).push(" (");
            sql.ident(&Ident::fit(self.plan.names.column(table, column))).push(")");
            sql.push(ddl::on_delete(on_delete)).push(" DEFERRABLE");
            to.restores = Some(sql.finish());
        }
    }

    /// A column whose values live in two for a while.
    pub(super) fn twice(
        &mut self,
        kept: &Kept<'_>,
        at: usize,
        from: usize,
        stored: &str,
        changes: &mut Changes,
    ) {
        let (table, name) = (kept.table, kept.name.as_str());
        let column = &table.columns[at];
        let origin = &kept.origin.columns[at];
        let there = &kept.old.columns[from];
        let before = &kept.original.columns[from].name;
        let new = self.free_name(kept, column.name.as_str());
        self.plan.names.put(name, column.name.as_str(), &new);
        self.moved.push((kept.at, at));
        let is_renamed = *before != there.name;
        let meaning = there.meaning();
        let is_retyped = meaning.as_ref() != Some(&origin.meaning);
        let definition = &mut changes.definition;
        definition.what.push(if is_renamed {
            format!("add `{}`, which was `{before}`", column.name)
        } else {
            format!("add a column for the new type of `{}`", column.name)
        });
        definition.statements.push(self.added(kept, at, &new, false));
        definition.statements.extend(self.commented(kept, at, &new));
        definition.undo.push(drop_column(&kept.stored, &new));
        if is_renamed {
            definition.hazard(&[Hazard::RenamedColumn]);
        }
        if is_retyped {
            definition.hazard(&[Hazard::RetypedColumn, Hazard::NarrowedForOldVersion]);
            self.plan.summary.push(format!("`{name}.{}` has another type", column.name));
        }
        let nothing = || sync::fill(&origin.fill, column.scalar);
        let up = meaning
            .as_ref()
            .and_then(|from| sync::up(from, origin, column.scalar, column.nullable));
        if up.as_ref().is_none_or(|(_, lossy)| *lossy) {
            definition.hazard(&[Hazard::LostValues]);
        }
        let up = up.map_or_else(nothing, |(up, _)| up);
        // A value that must be there, and was not always.
        let up = if there.nullable() && !column.nullable && origin.fill != Fill::Unknown {
            format!("coalesce({up}, {})", nothing())
        } else {
            up
        };
        let old_meaning = meaning.unwrap_or(Meaning::Scalar(Scalar::Text));
        let down = sync::down(origin, column.scalar, &old_meaning, there.nullable());
        let is_reference = there.reference().is_some();
        let down = match (column.nullable && !there.nullable(), is_reference) {
            // There is no row that a reference could lead to instead.
            (true, true) => {
                self.loosen(kept, before, stored, None, changes);
                down
            }
            (true, false) => {
                let value = sync::zero(&old_meaning);
                changes
                    .filled
                    .push((Filled { column: stored.to_owned(), value: value.clone() }, false));
                format!("coalesce({down}, {value})")
            }
            _ => down,
        };
        let gives = there.nullable() && !column.nullable && origin.fill != Fill::Unknown;
        let whole = gives || !there.nullable();
        let incomparable =
            column.scalar == Scalar::Json || old_meaning == Meaning::Scalar(Scalar::Json);
        let (old, pair) = (stored.to_owned(), new.clone());
        changes.pairs.push(Pair { old, new: pair, up, down, incomparable, gives, whole });
        changes.ending.what.push(format!("drop the old column of `{}`", column.name));
        changes.ending.statements.push(drop_column(&kept.stored, stored));
        refer(kept, at, Phase::Expand, &new, None, changes);
    }

    /// A column that the new version does not know.
    pub(super) fn gone(&mut self, kept: &Kept<'_>, from: usize, changes: &mut Changes) {
        let there = &kept.old.columns[from];
        let before = &kept.original.columns[from].name;
        let stored = self.names.column(&kept.original.name, before).to_owned();
        if there.is_counted() {
            self.plan.obstacles.push(format!(
                "`{}.{before}` is the key of its table, and goes: write a new entity, and move the rows into it",
                kept.original.name
            ));
            return;
        }
        let is_split = (0..kept.table.columns.len()).any(|at| {
            source_of(kept.origin, at, &kept.old).is_some_and(|(was, _)| was.as_str() == there.name)
        });
        if is_split {
            changes.ending.what.push(format!("drop `{before}`, which was split"));
            changes.ending.statements.push(drop_column(&kept.stored, &stored));
            return;
        }
        if !there.nullable() && !there.has_default() {
            // The old version goes on reading what the new one does not write.
            // Where each value may be there once, no constant will do.
            let is_unique = self.uniques.contains(&(kept.original.name.clone(), before.clone()));
            let meaning = there.meaning().filter(|_| there.reference().is_none() && !is_unique);
            match meaning {
                Some(meaning) => {
                    let value = sync::zero(&meaning);
                    changes.filled.push((Filled { column: stored.clone(), value }, false));
                }
                None => self.loosen(kept, before, &stored, None, changes),
            }
        }
        changes.ending.what.push(format!("drop `{before}`"));
        changes.ending.statements.push(drop_column(&kept.stored, &stored));
        changes.ending.hazard(&[Hazard::DroppedColumn]);
    }
}

/// Whether only the comment on a column says the difference: every old value is a new one, and the other way round.
fn is_only_said(from: &Meaning, to: &ColumnOrigin) -> bool {
    match (from, &to.meaning) {
        (Meaning::Labels(old), Meaning::Labels(new)) => old.iter().all(|label| new.contains(label)),
        (Meaning::Labels(_), Meaning::Scalar(Scalar::Text)) => true,
        (from, to) => from == to,
    }
}

/// The reference of a column, if it has one.
fn refer(
    kept: &Kept<'_>,
    at: usize,
    phase: Phase,
    stored: &str,
    replaces: Option<String>,
    changes: &mut Changes,
) {
    let found = kept.table.foreign_keys.iter().position(|key| key.column == at);
    let stored = stored.to_owned();
    let restores = None;
    changes.references.extend(found.map(|key| ToRefer { phase, key, stored, replaces, restores }));
}

/// The default that the database gave goes when nobody needs it any more.
fn leave_default(kept: &Kept<'_>, shown: &str, stored: &str, ending: &mut Together) {
    let (table, column) = (qualified(&kept.stored), quoted(stored));
    ending.what.push(format!("leave the default of `{shown}` to the model"));
    let statement = format!("ALTER TABLE {table} ALTER COLUMN {column} DROP DEFAULT");
    ending.statements.push(statement);
}

pub(super) fn drop_constraint(table: &str, constraint: &str) -> String {
    format!("ALTER TABLE {} DROP CONSTRAINT {}", qualified(table), quoted(constraint))
}

fn drop_column(table: &str, column: &str) -> String {
    format!("ALTER TABLE {} DROP COLUMN {}", qualified(table), quoted(column))
}
