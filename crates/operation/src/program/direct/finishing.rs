//! What becomes of each row, once all steps have been walked over.

use super::DirectRow;
use super::flat::LARGEST;
use super::forming::Forming;
use super::making::drawn_on_parts;
use super::obstacle::Reason;
use super::rule::{next, nodes, unless_false};
use crate::Expression;

impl Forming<'_> {
    /// What becomes of a row.
    pub(super) fn finish(&mut self, at: usize) -> Result<DirectRow, Reason> {
        let (program, row) = (self.program, self.rows.get(at).ok_or(Reason::NotInSql)?);
        let (table, key) = (row.table.clone(), row.key.clone());
        let (columns, turn, target, made) = (row.set.clone(), row.turn, row.target, row.made);
        let adds = row.adds.clone();
        if !adds.is_empty() && !columns.is_empty() {
            return Err(Reason::Parts);
        }
        let (row_goes, found, site) = (row.goes, row.found, row.site);
        // Step by step it is looked at in the end, if its key is known.
        let ends = self.stepping.as_ref().and_then(|stepping| stepping.ends_of(at));
        let root = self.stepping.as_ref().and_then(|stepping| stepping.root_of(at));
        let condition = Expression::all(row.conditions.clone());
        self.step = Some(format!("update {}", table.entity).into());
        let mut checks = Vec::new();
        let mut set = Vec::with_capacity(columns.len() + 1);
        for column in &columns {
            set.push((*column, self.value_of(at, *column)?));
        }
        if let Some(target) = target.and_then(|target| program.targets.get(target)) {
            let checked = if ends.is_some() { &[][..] } else { &target.checks[..] };
            let row = self.rows.get(at).ok_or(Reason::NotInSql)?;
            let computed = row.layers.iter().flatten().map(|(column, _)| *column);
            let columns: Vec<usize> = columns.iter().copied().chain(computed).collect();
            for (check, inputs) in target.target.checks.iter().zip(checked) {
                if inputs.others || inputs.columns.iter().any(|column| columns.contains(column)) {
                    match self.once_set(at, &check.expression)? {
                        Some(check) => checks.extend(unless_false(check)),
                        None => self.rule_later(at, &check.expression)?,
                    }
                }
            }
            if let Some(version) = table.version {
                set.push((version, next(Expression::Column { depth: at, column: version })));
            }
        }
        let checks = Expression::all(checks);
        let target = target.and_then(|at| program.targets.get(at));
        let mut drawn = drawn_on_parts(target, &adds, self.stepping.is_some())?;
        if ends.is_some() {
            (drawn.checks, drawn.rules) = (Vec::new(), Vec::new());
        }
        // What parts are added to has no column set.
        let row = self.rows.get_mut(at).ok_or(Reason::NotInSql)?;
        let layers = std::mem::take(&mut row.layers).into_iter().chain(drawn.layers).collect();
        let rules = std::mem::take(&mut row.rules).into_iter().chain(drawn.rules);
        let rules = Expression::all(rules);
        if nodes(&rules) > LARGEST {
            return Err(Reason::TooLarge);
        }
        // What is always refused is refused sooner where the row is loaded; in a list there may be none that is.
        let in_list = program
            .visible
            .iter()
            .any(|visible| visible.named.is_none() && visible.table.id == table.id);
        if (condition == Expression::no() && !in_list) || checks == Expression::no() {
            return Err(Reason::NeverTrue);
        }
        let mut of_one = |flat: Expression| {
            if nodes(&flat) > LARGEST {
                return Err(Reason::TooLarge);
            }
            self.in_statement_of(at, &flat)
        };
        let mut becomes = Vec::with_capacity(set.len() + drawn.set.len());
        for (column, value) in set {
            becomes.push((column, of_one(value)?));
        }
        becomes.extend(drawn.set);
        Ok(DirectRow {
            set: becomes,
            condition: of_one(condition)?,
            checks: Expression::all([of_one(checks)?, Expression::all(drawn.checks)]),
            layers,
            rules,
            table,
            key,
            found,
            site,
            ends,
            root,
            made,
            each_turn: turn.is_some(),
            goes: row_goes,
        })
    }
}
