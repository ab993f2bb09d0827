//! Whether a program can name all rows that it needs at once, or finds some by what stands in others.

use std::cell::Cell;
use std::ops::BitOr;

use super::{Fill, Program, Source, Step};
use crate::Expression;

/// What was found out so far.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    /// Whether a row is looked for by what is not known at once.
    deep: bool,
    /// Whether parts are looked for that are told of only after their root is there.
    parts: bool,
}

impl BitOr for Found {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self { deep: self.deep || other.deep, parts: self.parts || other.parts }
    }
}

impl Program {
    /// Whether a row is found by what stands in another, also to see whether it has gone.
    pub fn is_deep(&self) -> bool {
        !self.may_go_along.is_empty() || self.found().deep
    }

    /// Whether all that can be foreseen is foreseen before any row is there.
    pub fn is_shallow(&self) -> bool {
        let Found { deep, parts } = self.found();
        !deep && !parts && self.may_go_along.is_empty() && self.may_lose.is_empty()
    }

    fn found(&self) -> Found {
        let mut depths = vec![0; self.filled.len()];
        let found = Cell::new(depth(&self.admission, &depths, 0).1);
        walk(&self.body, &mut depths, &found);
        // The row that a caller names is there after the first load.
        let visible = self.visible.iter().map(|visible| depth(&visible.condition, &depths, 1).1);
        visible.fold(found.get(), Found::bitor)
    }
}

/// Notes after how many loads each bind is known, and whether a row is looked for by one that is not known at once.
fn walk(steps: &[Step], depths: &mut Vec<usize>, found: &Cell<Found>) {
    let note = |more: Found| found.set(found.get() | more);
    let deep = |deep: bool| note(Found { deep, parts: false });
    let set = |depths: &mut Vec<usize>, bind: usize, depth: usize| {
        if let Some(known) = depths.get_mut(bind) {
            *known = depth;
        }
    };
    for step in steps {
        let of = |expression: &Expression, depths: &Vec<usize>| {
            let (depth, more) = depth(expression, depths, 0);
            note(more);
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
                        deep(depth > 0);
                        depth + 1
                    }
                    Source::Rows { condition, .. } => {
                        of(condition, depths);
                        1
                    }
                };
                set(depths, *bind, depth);
                members.iter().for_each(|member| set(depths, member.bind, depth));
                walk(body, depths, found);
            }
            Step::If { condition, then, otherwise } => {
                of(condition, depths);
                walk(then, depths, found);
                walk(otherwise, depths, found);
            }
            Step::Create(creation) => {
                for fill in &creation.values {
                    if let Fill::Value(value) = fill {
                        of(value, depths);
                    }
                }
                let root = creation.root.as_ref().map_or(0, |root| of(root, depths));
                deep(root > 0);
                if let Some(bind) = creation.bind {
                    set(depths, bind, 0);
                }
            }
            Step::Update { row, key, set: columns, .. } => {
                let depth = of(key, depths);
                deep(depth > 0 && row.part.is_none());
                columns.iter().for_each(|(_, value)| {
                    note(self::depth(value, depths, depth + 1).1);
                });
            }
            Step::Delete { row, key } => {
                let depth = of(key, depths);
                deep(depth > 0 && row.part.is_none());
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
                walk(body, depths, found);
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

/// After how many loads a value is known, and what is looked for inside it. `row`: after how many the rows in scope are.
fn depth(expression: &Expression, binds: &[usize], row: usize) -> (usize, Found) {
    match expression {
        Expression::Bind(at) => (binds.get(*at).copied().unwrap_or(0), Found::default()),
        Expression::Column { .. } => (row, Found::default()),
        Expression::Lookup { table, key, value } => {
            let (by, of_key) = depth(key, binds, row);
            // A part is at hand with its number.
            let is_root = table.root.is_none();
            let found = if is_root { by + 1 } else { by };
            let (inside, of_value) = depth(value, binds, found);
            let own = Found { deep: is_root && by > 0, parts: false };
            (found.max(inside), of_key | of_value | own)
        }
        _ => {
            // Parts are there after their root.
            let folds = matches!(expression, Expression::Aggregate { .. });
            let own = Found { deep: false, parts: folds && row > 0 };
            let row = row + usize::from(folds);
            let (mut most, mut found) = (0, own);
            expression.children(&mut |child| {
                let (inside, more) = depth(child, binds, row);
                most = most.max(inside);
                found = found | more;
            });
            (most, found)
        }
    }
}
