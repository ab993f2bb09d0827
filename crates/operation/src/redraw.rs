//! What is worked out again, and looked at, where a row loses what it refers to or a part: computed columns and rules that draw on that.

use std::sync::Arc;

use crate::{
    Aggregate, Check, Comparison, Computed, Expression, ForeignKey, NumberKind, OnDelete, Table,
    TableId, Target, Value,
};

/// What draws on one reference, which the database empties when the row that it leads to is deleted; or on parts, which go then.
#[derive(Debug, Clone)]
pub struct Redraw {
    /// The table of the roots.
    pub root: Arc<Table>,
    /// The table of the rows that refer: that of the roots, or of parts of theirs.
    pub table: Arc<Table>,
    /// Their column that refers.
    pub column: usize,
    /// Computed columns, to be worked out in this order: parts first, and no column together with one that it draws on.
    pub stages: Vec<Stage>,
    /// Rules that must not be false then.
    pub rules: Vec<Rule>,
}

/// Computed columns of one table that are worked out together.
#[derive(Debug, Clone)]
pub struct Stage {
    /// The table: of the roots, or of parts.
    pub table: Arc<Table>,
    /// Their columns, and what stands there.
    pub set: Vec<(usize, Expression)>,
}

/// A rule of the rows of a table.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The table: of the roots, or of parts.
    pub table: Arc<Table>,
    /// The rule. Its only bind, if it has any, is the moment.
    pub check: Check,
}

impl Redraw {
    /// Those of an aggregate, of which no rule draws on more binds than that of the moment.
    pub fn of(target: &Target) -> Vec<Self> {
        let root = &target.table;
        let cleared = |key: &&ForeignKey| key.on_delete == OnDelete::Clear;
        let own = root.foreign_keys.iter().filter(cleared).map(|key| Lost {
            table: root,
            column: key.column,
            goes: false,
        });
        let of_parts = target.parts.iter().flat_map(|part| {
            let lost = |key: &&ForeignKey| {
                part.table.root != Some(key.column) && key.on_delete != OnDelete::Restrict
            };
            part.table.foreign_keys.iter().filter(lost).map(|key| Lost {
                table: &part.table,
                column: key.column,
                goes: key.on_delete == OnDelete::Cascade,
            })
        });
        own.chain(of_parts).filter_map(|lost| lost.redraw(target)).collect()
    }
}

impl Rule {
    /// Whether it asks what time it is.
    pub fn asks_the_time(&self) -> bool {
        let mut asks = false;
        self.check.expression.visit(&mut |e| asks |= matches!(e, Expression::Bind(_)));
        asks
    }
}

/// What a row loses.
#[derive(Clone, Copy)]
struct Lost<'t> {
    table: &'t Arc<Table>,
    column: usize,
    /// Whether the row, a part, goes.
    goes: bool,
}

impl Lost<'_> {
    fn redraw(self, target: &Target) -> Option<Redraw> {
        let root = &target.table;
        let mut changed = Changed { parts: None, root: Vec::new(), part: Vec::new(), goes: false };
        let (mut stages, mut rules) = (Vec::new(), Vec::new());
        if self.table.id == root.id {
            changed.root.push(self.column);
        } else {
            (changed.parts, changed.goes) = (Some(self.table.id), self.goes);
        }
        let part = target.parts.iter().find(|part| part.table.id == self.table.id);
        if let Some(part) = part.filter(|_| !self.goes) {
            changed.part.push(self.column);
            stages.extend(changed.stages(&part.table, &part.computed));
            rules.extend(changed.rules(&part.table, &part.checks));
        }
        stages.extend(changed.stages(root, &target.computed));
        rules.extend(changed.rules(root, &target.checks));
        if let Some(part) = part.filter(|part| self.goes && part.minimum > 0) {
            rules.push(Rule { table: root.clone(), check: at_least(part) });
        }
        (!stages.is_empty() || !rules.is_empty()).then(|| Redraw {
            root: root.clone(),
            table: self.table.clone(),
            column: self.column,
            stages,
            rules,
        })
    }
}

/// That a root has as many parts as it needs.
fn at_least(part: &crate::PartTarget) -> Check {
    let count = Expression::Aggregate {
        aggregate: Aggregate::Count,
        table: part.table.clone(),
        depth: 0,
        body: Box::new(Expression::yes()),
        kind: NumberKind::Int,
    };
    let least = Expression::Literal(Value::Int(i64::from(part.minimum)));
    let expression =
        Expression::Compare(Comparison::GreaterOrEqual, Box::new(count), Box::new(least));
    let message = format!("`{}` needs at least {}, this leaves fewer", part.name, part.minimum);
    Check { expression, message: message.into(), field: part.name.clone() }
}

/// What has changed of an aggregate.
struct Changed {
    /// The parts of which something has.
    parts: Option<TableId>,
    /// Columns of the root.
    root: Vec<usize>,
    /// Columns of those parts.
    part: Vec<usize>,
    /// Whether some of those parts have gone.
    goes: bool,
}

/// A row in scope.
#[derive(Clone, Copy)]
enum Row {
    Root,
    Part(TableId),
    Other,
}

impl Changed {
    fn row_of(&self, table: &Table) -> Row {
        if self.parts == Some(table.id) { Row::Part(table.id) } else { Row::Root }
    }

    /// The computed columns that draw on what has changed; they have, then.
    fn stages(&mut self, table: &Arc<Table>, computed: &[Computed]) -> Vec<Stage> {
        let row = self.row_of(table);
        let mut stages: Vec<Stage> = Vec::new();
        for Computed { column, expression } in computed {
            if !self.is_drawn_on(expression, &mut vec![row]) {
                continue;
            }
            let together = stages.last().is_some_and(|stage| {
                let of_stage = stage.set.iter().map(|(column, _)| *column).collect();
                let (root, part) = match row {
                    Row::Part(_) => (Vec::new(), of_stage),
                    Row::Root | Row::Other => (of_stage, Vec::new()),
                };
                let within = Self { parts: self.parts, root, part, goes: false };
                !within.is_drawn_on(expression, &mut vec![row])
            });
            let set = (*column, expression.clone());
            match stages.last_mut().filter(|_| together) {
                Some(stage) => stage.set.push(set),
                None => stages.push(Stage { table: table.clone(), set: vec![set] }),
            }
            match row {
                Row::Part(_) => self.part.push(*column),
                Row::Root | Row::Other => self.root.push(*column),
            }
        }
        stages
    }

    fn rules(&self, table: &Arc<Table>, checks: &[Check]) -> Vec<Rule> {
        let row = self.row_of(table);
        let drawing = checks.iter().filter(|it| self.is_drawn_on(&it.expression, &mut vec![row]));
        drawing.map(|check| Rule { table: table.clone(), check: check.clone() }).collect()
    }

    /// Whether an expression over rows in scope, the innermost last, draws on what has changed.
    fn is_drawn_on(&self, expression: &Expression, scope: &mut Vec<Row>) -> bool {
        let row = |scope: &[Row], depth: usize| scope.iter().rev().nth(depth).copied();
        match expression {
            Expression::Column { depth, column } => match row(scope, *depth) {
                Some(Row::Root) => self.root.contains(column),
                Some(Row::Part(of)) => self.parts == Some(of) && self.part.contains(column),
                Some(Row::Other) | None => false,
            },
            Expression::Aggregate { table, depth, body, .. } => {
                let own = matches!(row(scope, *depth), Some(Row::Root));
                if own && self.goes && self.parts == Some(table.id) {
                    return true;
                }
                scope.push(if own { Row::Part(table.id) } else { Row::Other });
                let drawn_on = self.is_drawn_on(body, scope);
                scope.pop();
                drawn_on
            }
            Expression::Lookup { key, value, .. } => {
                if self.is_drawn_on(key, scope) {
                    return true;
                }
                scope.push(Row::Other);
                let drawn_on = self.is_drawn_on(value, scope);
                scope.pop();
                drawn_on
            }
            _ => {
                let mut drawn_on = false;
                expression.children(&mut |child| drawn_on |= self.is_drawn_on(child, scope));
                drawn_on
            }
        }
    }
}
