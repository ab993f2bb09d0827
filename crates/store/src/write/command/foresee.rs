//! What a program will look at, guessed from the values that are known before it runs.
//!
//! A guess does no harm: what it names too much is loaded for nothing, what it misses is loaded later.

use operation::{Expression, Fill, Named, Scope, Source, Step, Value, evaluate};

use super::{Database, Running, Wanted};

/// The most elements of a list that are looked at.
const MOST_ELEMENTS: usize = 2_000;

impl<D: Database> Running<'_, '_, D> {
    /// Wants all that can be foreseen.
    pub(super) fn foresee_all(&mut self, named: &[Named]) {
        let program = self.program;
        // A task brings its rows along as a caller does, and names none.
        let of_named = program.of_named && !named.is_empty();
        let mut known: Vec<bool> = program.filled.iter().map(|filled| !filled).collect();
        for Named { visible, key, .. } in named {
            let Some(visible) = program.visible.get(*visible) else { continue };
            self.rows.want(Wanted::Row(visible.table.clone(), key.clone()));
            if of_named {
                continue;
            }
            let row = self.rows.root(&visible.table, key).and_then(|row| row.new.as_deref());
            self.guess(&visible.condition, row, &known);
        }
        if of_named {
            return;
        }
        self.guess(&program.admission, None, &known);
        self.foresee(&program.body, &mut known);
    }

    /// The same of the turns of one loop.
    pub(super) fn foresee_loop(&mut self, elements: &[Value], bind: usize, body: &[Step]) {
        // What has run so far is known; what has not is null, which leads to no row.
        let mut known = vec![true; self.binds.len()];
        for element in elements.iter().take(MOST_ELEMENTS) {
            self.fill(bind, element.clone());
            self.foresee(body, &mut known);
        }
    }

    fn foresee(&mut self, steps: &[Step], known: &mut Vec<bool>) {
        for step in steps {
            match step {
                Step::Let { bind, value } => {
                    let value = self.guess(value, None, known);
                    self.suppose(*bind, value, known);
                }
                Step::Unpack { from, members } => {
                    let object = self.guess(from, None, known);
                    let read =
                        object.as_ref().is_some_and(|object| self.unpack(object, members).is_ok());
                    members.iter().for_each(|member| set(known, member.bind, read));
                }
                Step::Require { condition, .. } => {
                    self.guess(condition, None, known);
                }
                Step::For { source, bind, members, body } => match source {
                    Source::List { list, scalar } => {
                        let Some(list) = self.guess(list, None, known) else { continue };
                        let Ok(list) = self.list(&list, *scalar, *bind, members) else { continue };
                        set(known, *bind, members.is_empty());
                        members.iter().for_each(|member| set(known, member.bind, true));
                        for element in list.elements().take(MOST_ELEMENTS) {
                            self.take(element, *bind, members);
                            self.foresee(body, known);
                        }
                        set(known, *bind, false);
                        members.iter().for_each(|member| set(known, member.bind, false));
                    }
                    Source::Parts { row, root } => {
                        let Some(root) = self.guess(root, None, known) else { continue };
                        let Ok(table) = self.table(*row) else { continue };
                        self.rows.want(Wanted::Parts(table.clone(), root.clone()));
                        let parts = self.rows.parts_of(&table, &root).iter();
                        let numbers: Vec<i64> = parts.map(|part| part.number).collect();
                        for number in numbers.into_iter().take(MOST_ELEMENTS) {
                            self.suppose(*bind, Some(Value::Int(number)), known);
                            self.foresee(body, known);
                        }
                        set(known, *bind, false);
                    }
                    // They are looked for when their turn comes.
                    Source::Rows { .. } => {}
                },
                Step::If { condition, then, otherwise } => {
                    match self.guess(condition, None, known) {
                        Some(Value::Bool(true)) => self.foresee(then, known),
                        Some(_) => self.foresee(otherwise, known),
                        None => {
                            self.foresee(then, known);
                            self.foresee(otherwise, known);
                        }
                    }
                }
                Step::Create(creation) => {
                    for fill in &creation.values {
                        if let Fill::Value(value) = fill {
                            self.guess(value, None, known);
                        }
                    }
                    let root =
                        creation.root.as_ref().and_then(|root| self.guess(root, None, known));
                    if let (Some(root), Ok(table)) = (root, self.table(creation.row)) {
                        self.want_root(creation.row.target, &root);
                        self.rows.want(Wanted::Parts(table, root));
                    }
                    if let Some(bind) = creation.bind {
                        set(known, bind, false);
                    }
                }
                Step::Update { row, key, set: columns, .. } => {
                    let key = self.guess(key, None, known);
                    let mut before = None;
                    if let (Some(key), None) = (&key, row.part) {
                        self.want_root(row.target, key);
                        self.want_inputs(row.target, key, columns);
                        before = self
                            .table(*row)
                            .ok()
                            .and_then(|table| self.rows.root(&table, key)?.new.clone());
                    }
                    for (_, value) in columns {
                        self.guess(value, before.as_deref(), known);
                    }
                }
                Step::Delete { row, key } => {
                    let key = self.guess(key, None, known);
                    if let (Some(key), None) = (key, row.part) {
                        self.want_root(row.target, &key);
                        let Some(target) = self.program.targets.get(row.target) else { continue };
                        self.going.foresee(&target.target.table, &key);
                        for part in &target.target.parts {
                            self.rows.want(Wanted::Parts(part.table.clone(), key.clone()));
                        }
                    }
                }
                Step::Emit { key, members, .. } => {
                    let key = key.as_ref().map(|(key, _)| key);
                    let all = members.iter().map(|member| &member.value).chain(key);
                    all.for_each(|value| {
                        self.guess(value, None, known);
                    });
                }
                Step::Later { arguments, terms, .. } => {
                    let unique = terms.unique.as_ref().map(|(unique, _)| unique);
                    let all = arguments.iter().map(|argument| &argument.value);
                    all.chain(&terms.delay).chain(unique).for_each(|value| {
                        self.guess(value, None, known);
                    });
                }
                Step::Run { body, bind } => {
                    self.foresee(body, known);
                    if let Some(bind) = bind {
                        set(known, *bind, false);
                    }
                }
                // As with rows of a loop.
                Step::Collect { .. } => {}
                Step::Code { arguments, bind, .. } => {
                    arguments.iter().for_each(|argument| {
                        self.guess(argument, None, known);
                    });
                    set(known, *bind, false);
                }
                Step::Return(value) => {
                    if let Some(value) = value {
                        self.guess(value, None, known);
                    }
                }
            }
        }
    }

    fn suppose(&mut self, bind: usize, value: Option<Value>, known: &mut [bool]) {
        set(known, bind, value.is_some());
        self.fill(bind, value.unwrap_or_default());
    }

    fn want_root(&self, target: usize, key: &Value) {
        if let Some(target) = self.program.targets.get(target) {
            self.rows.want(Wanted::Row(target.target.table.clone(), key.clone()));
        }
    }

    /// Wants the parts that computed columns and checks fold over when these columns change.
    fn want_inputs(&self, target: usize, key: &Value, columns: &[(usize, Expression)]) {
        let Some(target) = self.program.targets.get(target) else { return };
        let mut changed: Vec<usize> = columns.iter().map(|(column, _)| *column).collect();
        let computed = target.target.computed.iter().map(|computed| Some(computed.column));
        let inputs = target.computed.iter().zip(computed);
        for (inputs, column) in inputs.chain(target.checks.iter().zip(std::iter::repeat(None))) {
            if !inputs.columns.iter().any(|column| changed.contains(column)) {
                continue;
            }
            changed.extend(column);
            for part in &inputs.parts {
                if let Some(part) = target.target.parts.get(*part) {
                    self.rows.want(Wanted::Parts(part.table.clone(), key.clone()));
                }
            }
        }
    }

    /// The value of an expression, if it can be known now. Rows that it looks for are wanted.
    fn guess(
        &self,
        expression: &Expression,
        row: Option<&[Value]>,
        known: &[bool],
    ) -> Option<Value> {
        match expression {
            Expression::Literal(value) => return Some(value.clone()),
            Expression::Bind(at) => {
                let is_known = known.get(*at).copied().unwrap_or(false);
                return self.binds.get(*at).filter(|_| is_known).cloned();
            }
            _ => {}
        }
        let scope = Scope {
            rows: row.as_slice(),
            binds: &self.binds,
            parts: &[],
            stored: Some(&self.rows),
        };
        if is_known(expression, known)
            && let Ok(value) = evaluate(expression, &scope)
        {
            return Some(value);
        }
        // Evaluation ends at the first row that it misses; of what is not known a part may be.
        look_ups(expression, &mut |inside| {
            if is_known(inside, known) {
                // What it misses is noted, which is all that is wanted.
                let _ = evaluate(inside, &scope);
            }
        });
        None
    }
}

/// Visits what is looked up, from the inside; not what stands in the rows that are found, which has other rows in scope.
fn look_ups(expression: &Expression, each: &mut dyn FnMut(&Expression)) {
    match expression {
        Expression::Lookup { key, .. } => {
            look_ups(key, each);
            each(expression);
        }
        Expression::Aggregate { .. } => each(expression),
        _ => expression.children(&mut |child| look_ups(child, each)),
    }
}

fn set(known: &mut [bool], bind: usize, to: bool) {
    if let Some(slot) = known.get_mut(bind) {
        *slot = to;
    }
}

fn is_known(expression: &Expression, known: &[bool]) -> bool {
    let mut all = true;
    expression.visit(&mut |e| {
        if let Expression::Bind(at) = e {
            all &= known.get(*at).copied().unwrap_or(false);
        }
    });
    all
}
