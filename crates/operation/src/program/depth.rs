//! Whether a program can name all rows that it needs at once, or finds some by what stands in others.

use std::cell::Cell;

use super::{Fill, Program, Source, Step};
use crate::Expression;

impl Program {
    /// Whether a row is found by what stands in another.
    pub fn is_deep(&self) -> bool {
        let mut depths = vec![0; self.filled.len()];
        let deep = Cell::new(depth(&self.admission, &depths, 0).1);
        walk(&self.body, &mut depths, &deep);
        let mut deep = deep.get();
        // The row that a caller names is there after the first load.
        deep |= self.visible.iter().any(|visible| depth(&visible.condition, &depths, 1).1);
        deep
    }
}

/// Notes after how many loads each bind is known, and whether a row is looked for by one that is not known at once.
fn walk(steps: &[Step], depths: &mut Vec<usize>, deep: &Cell<bool>) {
    let set = |depths: &mut Vec<usize>, bind: usize, depth: usize| {
        if let Some(known) = depths.get_mut(bind) {
            *known = depth;
        }
    };
    for step in steps {
        let of = |expression: &Expression, depths: &Vec<usize>| {
            let (depth, found) = depth(expression, depths, 0);
            deep.set(deep.get() | found);
            depth
        };
        match step {
            Step::Let { bind, value } => {
                let depth = of(value, depths);
                set(depths, *bind, depth);
            }
            Step::Unpack { from, members } => {
                let depth = of(from, depths);
                members.iter().for_each(|member| set(depths, member.bind, depth));
            }
            Step::Require { condition, members, .. } => {
                of(condition, depths);
                members.iter().for_each(|member| {
                    of(member, depths);
                });
            }
            Step::For { source, bind, members, body } => {
                let depth = match source {
                    Source::List { list, .. } => of(list, depths),
                    Source::Parts { root, .. } => {
                        let depth = of(root, depths);
                        deep.set(deep.get() | (depth > 0));
                        depth + 1
                    }
                    Source::Rows { condition, .. } => {
                        of(condition, depths);
                        1
                    }
                };
                set(depths, *bind, depth);
                members.iter().for_each(|member| set(depths, member.bind, depth));
                walk(body, depths, deep);
            }
            Step::If { condition, then, otherwise } => {
                of(condition, depths);
                walk(then, depths, deep);
                walk(otherwise, depths, deep);
            }
            Step::Create(creation) => {
                for fill in &creation.values {
                    if let Fill::Value(value) = fill {
                        of(value, depths);
                    }
                }
                let root = creation.root.as_ref().map_or(0, |root| of(root, depths));
                deep.set(deep.get() | (root > 0));
                if let Some(bind) = creation.bind {
                    set(depths, bind, 0);
                }
            }
            Step::Update { row, key, set: columns, .. } => {
                let depth = of(key, depths);
                deep.set(deep.get() | (depth > 0 && row.part.is_none()));
                columns.iter().for_each(|(_, value)| {
                    deep.set(deep.get() | self::depth(value, depths, depth + 1).1);
                });
            }
            Step::Delete { row, key } => {
                let depth = of(key, depths);
                deep.set(deep.get() | (depth > 0 && row.part.is_none()));
            }
            Step::Emit { key, members, .. } => {
                let key = key.as_ref().map(|(key, _)| key);
                let all = members.iter().map(|member| &member.value).chain(key);
                all.for_each(|value| {
                    of(value, depths);
                });
            }
            Step::Later { arguments, terms, .. } => {
                let unique = terms.unique.as_ref().map(|(unique, _)| unique);
                let all = arguments.iter().map(|argument| &argument.value);
                all.chain(&terms.delay).chain(unique).for_each(|value| {
                    of(value, depths);
                });
            }
            Step::Run { body, bind } => {
                walk(body, depths, deep);
                if let Some(bind) = bind {
                    // What it returns may have been looked up.
                    set(depths, *bind, 1);
                }
            }
            Step::Collect { condition, .. } => {
                of(condition, depths);
            }
            Step::Code { arguments, bind, .. } => {
                arguments.iter().for_each(|argument| {
                    of(argument, depths);
                });
                set(depths, *bind, 1);
            }
            Step::Return(value) => {
                if let Some(value) = value {
                    of(value, depths);
                }
            }
        }
    }
}

/// After how many loads a value is known, and whether a row is looked for inside it by what is not known at once. `row`: after
/// how many the rows in scope are.
fn depth(expression: &Expression, binds: &[usize], row: usize) -> (usize, bool) {
    match expression {
        Expression::Bind(at) => (binds.get(*at).copied().unwrap_or(0), false),
        Expression::Column { .. } => (row, false),
        Expression::Lookup { table, key, value } => {
            let (by, deep) = depth(key, binds, row);
            // A part is at hand with its number.
            let found = if table.root.is_some() { by } else { by + 1 };
            let (inside, deeper) = depth(value, binds, found);
            (found.max(inside), deep || deeper || (table.root.is_none() && by > 0))
        }
        _ => {
            // Parts are there after their root.
            let row = row + usize::from(matches!(expression, Expression::Aggregate { .. }));
            let (mut most, mut deep) = (0, false);
            expression.children(&mut |child| {
                let (inside, found) = depth(child, binds, row);
                most = most.max(inside);
                deep |= found;
            });
            (most, deep)
        }
    }
}
