//! Rows that go along with those that a program deletes.

use std::sync::Arc;

use super::{Fill, Program, ProgramTarget, Source, Step, any_step};
use crate::{Expression, OnDelete, Table};

impl Program {
    /// The tables of which rows may go with a row that a step deletes, where it depends on that what is looked at: rows that may go so, or what
    /// refers to such.
    pub fn tables_that_go_along(&self) -> Vec<Arc<Table>> {
        let mut along: Vec<Arc<Table>> = Vec::new();
        let mut deletes = |target: &ProgramTarget| {
            along.extend(target.along.iter().filter(|table| table.root.is_none()).cloned());
        };
        if self.coded {
            self.targets.iter().for_each(&mut deletes);
        }
        any_step(&self.body, &mut |step| {
            if let Step::Delete { row, .. } = step
                && row.part.is_none()
            {
                self.targets.get(row.target).into_iter().for_each(&mut deletes);
            }
            false
        });
        along.sort_by_key(|table| table.id);
        along.dedup_by_key(|table| table.id);
        let follows = |table: &Table| {
            table.foreign_keys.iter().any(|key| {
                let goes = along.iter().any(|along| along.id == key.target);
                goes && key.on_delete != OnDelete::Restrict
            })
        };
        if self.coded || self.looks_at_any(&follows) { along } else { Vec::new() }
    }

    /// Whether something is so of any table of which it looks at rows.
    fn looks_at_any(&self, is_so: &dyn Fn(&Table) -> bool) -> bool {
        let within = |expression: &Expression| {
            let mut any = false;
            expression.visit(&mut |e| {
                any |= match e {
                    Expression::Lookup { table, .. } | Expression::Aggregate { table, .. } => {
                        is_so(table)
                    }
                    _ => false,
                };
            });
            any
        };
        let written = |target: &ProgramTarget| {
            let parts = target.target.parts.iter();
            is_so(&target.target.table) || parts.map(|part| &part.table).any(|table| is_so(table))
        };
        self.targets.iter().any(written)
            || self.visible.iter().any(|it| is_so(&it.table) || within(&it.condition))
            || within(&self.admission)
            || any_step(&self.body, &mut |step| step.expressions().into_iter().any(within))
    }
}

impl Step {
    /// The expressions that stand in it, without those of steps inside it.
    fn expressions(&self) -> Vec<&Expression> {
        match self {
            Self::Let { value: one, .. }
            | Self::Unpack { from: one, .. }
            | Self::If { condition: one, .. }
            | Self::Delete { key: one, .. }
            | Self::Collect { condition: one, .. }
            | Self::For {
                source:
                    Source::List { list: one, .. }
                    | Source::Parts { root: one, .. }
                    | Source::Rows { condition: one, .. },
                ..
            } => vec![one],
            Self::Require { condition, members, .. } => {
                [condition].into_iter().chain(members).collect()
            }
            Self::Create(creation) => {
                let values = creation.values.iter().filter_map(|fill| match fill {
                    Fill::Value(value) => Some(value),
                    _ => None,
                });
                values.chain(&creation.root).collect()
            }
            Self::Update { key, set, .. } => {
                [key].into_iter().chain(set.iter().map(|(_, value)| value)).collect()
            }
            Self::Emit { key, members, .. } => {
                let key = key.iter().map(|(key, _)| key);
                key.chain(members.iter().map(|member| &member.value)).collect()
            }
            Self::Later { arguments, terms, .. } => {
                let unique = terms.unique.iter().map(|(unique, _)| unique);
                let arguments = arguments.iter().map(|argument| &argument.value);
                arguments.chain(&terms.delay).chain(unique).collect()
            }
            Self::Code { arguments, .. } => arguments.iter().collect(),
            Self::Return(value) => value.iter().collect(),
            Self::Run { .. } => Vec::new(),
        }
    }
}
