//! Whether the rows that a caller names are all that a program looks at.

use super::{Fill, Program, Source, Step};
use crate::Expression;

/// What a bind leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leads {
    /// To a row that the caller names, if to any.
    Named,
    /// To a row that the program makes.
    Made,
    /// To whatever.
    Anywhere,
}

impl Program {
    /// Whether each row that it looks at is one that the caller names or one that it makes: then nothing but those has to be foreseen.
    pub fn is_of_named(&self) -> bool {
        let mut binds = vec![Leads::Anywhere; self.filled.len()];
        for at in self.visible.iter().filter_map(|visible| visible.named.as_ref()).flatten() {
            set(&mut binds, *at, Leads::Named);
        }
        let visible = self.visible.iter().map(|visible| &visible.condition);
        visible.chain([&self.admission]).all(|condition| looks(condition, &binds))
            && self.walk_named(&self.body, &mut binds)
    }

    fn walk_named(&self, steps: &[Step], binds: &mut Vec<Leads>) -> bool {
        steps.iter().all(|step| self.step_named(step, binds))
    }

    fn step_named(&self, step: &Step, binds: &mut Vec<Leads>) -> bool {
        // What the caller sends is a value, a list or an object: whatever of it leads to a row names that row.
        let is_sent = |value: &Expression| matches!(value, Expression::Bind(at) if self.filled.get(*at) == Some(&false));
        match step {
            Step::Let { bind, value } => {
                let leads = leads(value, binds);
                set(binds, *bind, leads);
                looks(value, binds)
            }
            Step::Unpack { from, members } => {
                let leads = if is_sent(from) { Leads::Named } else { Leads::Anywhere };
                members.iter().for_each(|member| set(binds, member.bind, leads));
                looks(from, binds)
            }
            Step::Require { condition, members, .. } => {
                looks(condition, binds) && members.iter().all(|member| looks(member, binds))
            }
            Step::For { source: Source::List { list, .. }, bind, members, body } => {
                let leads = if is_sent(list) { Leads::Named } else { Leads::Anywhere };
                set(binds, *bind, leads);
                members.iter().for_each(|member| set(binds, member.bind, leads));
                looks(list, binds) && self.walk_named(body, binds)
            }
            Step::If { condition, then, otherwise } => {
                looks(condition, binds)
                    && self.walk_named(then, binds)
                    && self.walk_named(otherwise, binds)
            }
            Step::Create(creation) => {
                let values = creation.values.iter().all(|fill| match fill {
                    Fill::Value(value) => looks(value, binds),
                    _ => true,
                });
                let root = creation.root.as_ref();
                let root = root.is_none_or(|root| leads(root, binds) == Leads::Made);
                if let Some(bind) = creation.bind {
                    set(binds, bind, Leads::Made);
                }
                values && root
            }
            Step::Update { row, key, set, .. } => {
                let leads = leads(key, binds);
                let folds = self.targets.get(row.target).is_none_or(|target| {
                    target.computed.iter().chain(&target.checks).any(|it| !it.parts.is_empty())
                });
                let is_known = leads == Leads::Made || (leads == Leads::Named && !folds);
                is_known && set.iter().all(|(_, value)| looks(value, binds))
            }
            Step::Emit { key, members, .. } => {
                let key = key.as_ref().map(|(key, _)| key);
                members.iter().map(|member| &member.value).chain(key).all(|it| looks(it, binds))
            }
            Step::Later { arguments, terms, .. } => {
                let unique = terms.unique.as_ref().map(|(unique, _)| unique);
                let all = arguments.iter().map(|argument| &argument.value);
                all.chain(&terms.delay).chain(unique).all(|it| looks(it, binds))
            }
            Step::Run { body, bind } => {
                let body = self.walk_named(body, binds);
                if let Some(bind) = bind {
                    set(binds, *bind, Leads::Anywhere);
                }
                body
            }
            Step::Return(value) => value.as_ref().is_none_or(|value| looks(value, binds)),
            Step::For { .. } | Step::Delete { .. } | Step::Collect { .. } | Step::Code { .. } => {
                false
            }
        }
    }
}

fn set(binds: &mut [Leads], at: usize, to: Leads) {
    if let Some(slot) = binds.get_mut(at) {
        *slot = to;
    }
}

fn leads(value: &Expression, binds: &[Leads]) -> Leads {
    match value {
        Expression::Bind(at) => binds.get(*at).copied().unwrap_or(Leads::Anywhere),
        _ => Leads::Anywhere,
    }
}

/// Whether an expression looks at no other rows than such.
fn looks(expression: &Expression, binds: &[Leads]) -> bool {
    let mut all = true;
    expression.visit(&mut |inside| match inside {
        Expression::Lookup { table, key, .. } => {
            // A part is at hand with its number.
            all &= table.root.is_some() || leads(key, binds) != Leads::Anywhere;
        }
        Expression::Aggregate { .. } => all = false,
        _ => {}
    });
    all
}
