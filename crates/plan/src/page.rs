//! Reads: one row, a page of rows, a page of parts, the answer of a query.

use std::sync::Arc;

use model::{Action, EntityId, FieldId, Model};
use operation::{
    Cardinality, Comparison, Expression, Fault, FaultCode, Guard, Operation, Order, Read, ReadId,
    Scalar, Scope, Value, Violation,
};

use crate::condition::{BindSource, Binder};
use crate::filter::{Condition, filterable};
use crate::plan::{Detail, Key, Plan, ReadTemplate, Request, What, refuse};
use crate::shape::{Shaper, Wanted, field_guard, read_grants, wanted};
use crate::{Caller, CursorKey, List, Lowered, Reply, Roles, Shape, Source};

/// Rows of a page of a plain list, unless the caller says otherwise.
pub const PAGE: u32 = 20;
/// The most rows of a page of a plain list.
pub const PAGE_MAXIMUM: u32 = 100;
/// The most terms of a sort.
const SORT_MAXIMUM: usize = 4;

impl Plan {
    /// One row of a root.
    pub(crate) fn lower_read(
        &self,
        entity: EntityId,
        key: &str,
        shape: &Shape<'_>,
        caller: &Caller,
        now: i64,
    ) -> Result<Lowered, Fault> {
        let template = self.row(entity, shape, caller)?;
        let key = self.key(entity, key)?;
        let request = Request { caller: Some(caller), now, ..Request::default() };
        let mut binds = request.binds(&template.sources, 1);
        binds.push(key);
        Ok(Lowered {
            operation: Operation::Read { read: template.read.clone(), binds },
            reply: Reply::One { composite: template.composite },
            when_empty: None,
        })
    }

    /// One part.
    pub(crate) fn lower_read_part(
        &self,
        part: EntityId,
        root: &str,
        key: &str,
        shape: &Shape<'_>,
        caller: &Caller,
        now: i64,
    ) -> Result<Lowered, Fault> {
        let template = self.row(part, shape, caller)?;
        let root_entity = self.root_of(part)?;
        let (root, key) = (self.key(root_entity, root)?, self.key(part, key)?);
        let request = Request { caller: Some(caller), now, ..Request::default() };
        let mut binds = request.binds(&template.sources, 2);
        binds.extend([root, key]);
        Ok(Lowered {
            operation: Operation::Read { read: template.read.clone(), binds },
            reply: Reply::One { composite: true },
            when_empty: None,
        })
    }

    pub(crate) fn root_of(&self, part: EntityId) -> Result<EntityId, Fault> {
        self.model
            .part_of(part)
            .map(|p| p.root)
            .ok_or_else(|| Fault::Internal("a root was asked for as a part".into()))
    }

    fn row(
        &self,
        entity: EntityId,
        shape: &Shape<'_>,
        caller: &Caller,
    ) -> Result<Arc<ReadTemplate>, Fault> {
        let key = Key { what: What::Row(entity), roles: caller.roles, detail: shape_detail(shape) };
        self.keep_read(key, || {
            let wanted = wanted(shape)?;
            let (read, sources) = self.compile_row(entity, &wanted, caller, &Binder::default())?;
            Ok(ReadTemplate {
                read: Arc::new(read),
                sources,
                composite: wanted.is_composite(),
                admission: None,
            })
        })
    }

    /// A read of one row whose key (for a part: root's key, own key) is appended to the binds. `before` are binds
    /// that are given out already.
    pub(crate) fn compile_row(
        &self,
        entity: EntityId,
        wanted: &Wanted,
        caller: &Caller,
        before: &Binder,
    ) -> Result<(Read, Vec<BindSource>), Fault> {
        let world = self.world();
        let mut binder = before.clone();
        let table = self.schema.table(entity).clone();
        let visible = self.visible(entity, caller.roles, &mut binder);
        if visible == Expression::no() {
            return Err(refuse(caller, &format!("read {}", self.model[entity].name)));
        }
        let keys = if table.root.is_some() { 2 } else { 1 };
        let (output, joins) = self.shape_twice(entity, wanted, caller.roles, &mut binder, keys)?;
        let first = binder.sources.len();
        let filter = match table.root {
            None => Expression::all([
                Expression::equal(Expression::column(table.own_key()), Expression::Bind(first)),
                visible,
            ]),
            Some(root) => Expression::all([
                Expression::equal(Expression::column(root), Expression::Bind(first)),
                Expression::equal(
                    Expression::column(world.column(entity, self.model[entity].key)),
                    Expression::Bind(first + 1),
                ),
                visible,
            ]),
        };
        let read = Read {
            id: ReadId::fresh(),
            table,
            joins,
            filter,
            order: Vec::new(),
            cardinality: Cardinality::One,
            output,
            root_bind: None,
            index: None,
        };
        Ok((read, binder.sources))
    }

    /// Where rows of an entity may be seen at all. A part's: where its root's row may, with these parts.
    pub(crate) fn visible(
        &self,
        entity: EntityId,
        roles: Roles,
        binder: &mut Binder,
    ) -> Expression {
        let world = self.world();
        let Some(part_of) = self.model.part_of(entity) else {
            return world.grants(entity, Action::Read, roles, binder).any();
        };
        let grants = world.grants(part_of.root, Action::Read, roles, binder);
        let seen = Expression::all([grants.any(), grants.part(entity).expression()]);
        if matches!(seen, Expression::Literal(_)) {
            return seen;
        }
        let root = self.schema.table(entity).root.unwrap_or(0);
        Expression::Lookup {
            table: self.schema.table(part_of.root).clone(),
            key: Box::new(Expression::column(root)),
            value: Box::new(seen),
        }
    }

    /// Compiles a shape: the first pass gives out the binds, the second knows how many there are.
    fn shape_twice(
        &self,
        entity: EntityId,
        wanted: &Wanted,
        roles: Roles,
        binder: &mut Binder,
        appended: usize,
    ) -> Result<(operation::Object, Vec<operation::Join>), Fault> {
        let world = self.world();
        let mut first = Shaper { world, roles, binder, outer_binds: 0, faults: Vec::new() };
        let shaped = first.object(entity, wanted);
        if !first.faults.is_empty() {
            return Err(Fault::Invalid(first.faults));
        }
        if !wanted.is_composite() {
            return Ok(shaped);
        }
        let outer_binds = binder.sources.len() + appended;
        Ok(Shaper { world, roles, binder, outer_binds, faults: Vec::new() }.object(entity, wanted))
    }

    /// A page.
    pub(crate) fn lower_list(
        &self,
        list: &List<'_>,
        caller: &Caller,
        now: i64,
    ) -> Result<Lowered, Fault> {
        let mut faults = Vec::new();
        let subject = self.subject(list, caller, &mut faults)?;
        let conditions = self.filters(&subject, &list.filters, caller, &mut faults);
        let order = self.order(&subject, list.sort, caller, &mut faults);
        let limit = page_size(list.limit, subject.page, subject.page_maximum, &mut faults);
        let cursor_key = self.cursor_key(&subject, &order);
        let cursor = match list.after.map(|after| cursor_key.decode(after)) {
            None => None,
            Some(Ok(values)) => Some(values),
            Some(Err(Fault::Invalid(more))) => {
                faults.extend(more);
                None
            }
            Some(Err(fault)) => return Err(fault),
        };
        let key = Key {
            what: subject.what,
            roles: caller.roles,
            detail: list_detail(list, &subject, &conditions, cursor.as_deref()),
        };
        let compiled = self.keep_read(key, || {
            self.compile_list(list, &subject, &conditions, &order, cursor.as_deref(), caller)
        });
        let template = match compiled {
            Ok(template) if faults.is_empty() => template,
            Ok(_) => return Err(Fault::Invalid(faults)),
            Err(Fault::Invalid(more)) => {
                faults.extend(more);
                return Err(Fault::Invalid(faults));
            }
            Err(fault) => return Err(fault),
        };
        let values: Vec<Value> =
            conditions.into_iter().flat_map(|condition| condition.values).collect();
        let request = Request {
            caller: Some(caller),
            now,
            parameters: &subject.parameters,
            filters: &values,
            cursor: cursor.as_deref().unwrap_or_default(),
            limit,
            root: subject.root.as_ref(),
        };
        let binds = request.binds(&template.sources, 0);
        if let Some(admission) = &template.admission
            && operation::truth(
                admission,
                &Scope { rows: &[], binds: &binds, parts: &[], stored: None },
            ) != Ok(true)
        {
            return Err(refuse(caller, "ask this of somebody else's data"));
        }
        let when_empty = match (&list.source, cursor.is_none()) {
            (Source::Parts { part, root }, true) => {
                let root_entity = self.root_of(*part)?;
                Some(self.lower_read(root_entity, root, &Shape::default(), caller, now)?.operation)
            }
            _ => None,
        };
        Ok(Lowered {
            operation: Operation::Read { read: template.read.clone(), binds },
            reply: Reply::Page { cursor: cursor_key },
            when_empty,
        })
    }

    /// What the page is of, with the arguments read.
    fn subject(
        &self,
        list: &List<'_>,
        caller: &Caller,
        faults: &mut Vec<Violation>,
    ) -> Result<Subject, Fault> {
        let plain = |what, entity| Subject {
            what,
            entity,
            query: None,
            parameters: Vec::new(),
            present: Vec::new(),
            root: None,
            page: PAGE,
            page_maximum: PAGE_MAXIMUM,
        };
        match &list.source {
            Source::Entity(entity) => Ok(plain(What::List(*entity), *entity)),
            Source::Parts { part, root } => {
                let root_entity = self.root_of(*part)?;
                let mut binder = Binder::default();
                if self.visible(*part, caller.roles, &mut binder) == Expression::no() {
                    return Err(refuse(caller, &format!("read {}", self.model[*part].name)));
                }
                let root = self.key(root_entity, root)?;
                Ok(Subject { root: Some(root), ..plain(What::Parts(*part), *part) })
            }
            Source::Query { query: id, arguments } => {
                let query = &self.model[*id];
                let (parameters, present) = self.arguments(query, arguments, faults);
                Ok(Subject {
                    query: Some(*id),
                    parameters,
                    present,
                    page: query.page,
                    page_maximum: query.page_maximum,
                    ..plain(What::Query(*id), query.entity)
                })
            }
        }
    }

    fn arguments(
        &self,
        query: &model::Query,
        arguments: &[(&str, &str)],
        faults: &mut Vec<Violation>,
    ) -> (Vec<Value>, Vec<bool>) {
        for (name, _) in arguments {
            if !query.parameters.iter().any(|parameter| parameter.name == *name) {
                let mut known: Vec<_> = query.parameters.iter().map(|p| p.name.as_str()).collect();
                known.extend(OF_EVERY_LIST);
                faults.push(Violation::parameter(
                    FaultCode::UnknownParameter,
                    *name,
                    format!("there is no parameter `{name}`; parameters are: {}", list_of(&known)),
                ));
            }
        }
        let mut values = Vec::with_capacity(query.parameters.len());
        let mut present = Vec::with_capacity(query.parameters.len());
        for parameter in &query.parameters {
            let text =
                arguments.iter().find(|(name, _)| *name == parameter.name).map(|(_, text)| *text);
            let value = match text {
                Some(text) => self.text_value(&parameter.ty, text),
                None if parameter.optional => Ok(Value::Null),
                None => Err((FaultCode::Required, format!("`{}` is required", parameter.name))),
            };
            present.push(text.is_some());
            values.push(value.unwrap_or_else(|(code, detail)| {
                faults.push(Violation::parameter(code, parameter.name.as_str(), detail));
                Value::Null
            }));
        }
        (values, present)
    }

    fn order(
        &self,
        subject: &Subject,
        sort: Option<&str>,
        caller: &Caller,
        faults: &mut Vec<Violation>,
    ) -> Vec<(FieldId, bool)> {
        let model: &Model = &self.model;
        let entity = subject.entity;
        let mut order: Vec<(FieldId, bool)> = match subject.query {
            Some(query) => {
                if sort.is_some() {
                    faults.push(Violation::parameter(
                        FaultCode::NotSortable,
                        "sort",
                        "the order of a query is its own; leave `sort` out",
                    ));
                }
                model[query].sort.iter().map(|key| (key.field, key.descending)).collect()
            }
            None => Vec::new(),
        };
        if let (Some(sort), None) = (sort, subject.query) {
            let terms: Vec<&str> = sort.split(',').collect();
            if terms.len() > SORT_MAXIMUM {
                faults.push(Violation::parameter(
                    FaultCode::NotSortable,
                    "sort",
                    format!("at most {SORT_MAXIMUM} fields can be sorted by"),
                ));
            }
            let mut binder = Binder::default();
            let world = self.world();
            let grants = read_grants(world, entity, caller.roles, &mut binder);
            for term in terms.into_iter().take(SORT_MAXIMUM) {
                let (name, descending) = match term.strip_prefix('-') {
                    Some(name) => (name, true),
                    None => (term, false),
                };
                let sortable = |field: &FieldId| {
                    filterable(model, entity, *field)
                        && field_guard(world, entity, *field, grants.as_ref())
                            == Some(Guard::Always)
                };
                match model.field_named(entity, name).filter(sortable) {
                    Some(field) if order.iter().any(|(f, _)| *f == field) => {
                        faults.push(Violation::parameter(
                            FaultCode::NotSortable,
                            "sort",
                            format!("`{name}` is named twice"),
                        ));
                    }
                    Some(field) => order.push((field, descending)),
                    None => {
                        let known: Vec<&str> = model[entity]
                            .fields
                            .iter()
                            .filter(|f| sortable(f))
                            .map(|f| model[*f].name.as_str())
                            .collect();
                        faults.push(Violation::parameter(
                            FaultCode::NotSortable,
                            "sort",
                            format!("`{name}` cannot be sorted by; what can: {}", list_of(&known)),
                        ));
                    }
                }
            }
        }
        let key = model[entity].key;
        if !order.iter().any(|(field, _)| *field == key) {
            // The key ends the order in the direction of what stands before it: one index then serves both.
            let descending = order.last().is_some_and(|(_, descending)| *descending);
            order.push((key, descending));
        }
        order
    }

    fn cursor_key(&self, subject: &Subject, order: &[(FieldId, bool)]) -> CursorKey {
        let mut list = 0x811c_9dc5_u32;
        let mut mix = |n: u32| {
            for byte in n.to_be_bytes() {
                list = (list ^ u32::from(byte)).wrapping_mul(0x0100_0193);
            }
        };
        mix(subject.query.map_or(u32::MAX, |query| query.0));
        mix(subject.entity.0);
        for (field, descending) in order {
            mix(field.0);
            mix(u32::from(*descending));
        }
        let scalar =
            |field: &FieldId| self.model.scalar(&self.model[*field].ty).unwrap_or(Scalar::Text);
        CursorKey { list, scalars: order.iter().map(|(field, _)| scalar(field)).collect() }
    }

    fn compile_list(
        &self,
        list: &List<'_>,
        subject: &Subject,
        conditions: &[Condition<'_>],
        order: &[(FieldId, bool)],
        cursor: Option<&[Value]>,
        caller: &Caller,
    ) -> Result<ReadTemplate, Fault> {
        let world = self.world();
        let entity = subject.entity;
        let mut binder = Binder::default();
        let table = self.schema.table(entity).clone();
        let visible = self.visible(entity, caller.roles, &mut binder);
        if visible == Expression::no() {
            return Err(refuse(caller, &format!("read {}", self.model[entity].name)));
        }
        let mut terms = Vec::new();
        let mut admission = None;
        if let Some(root) = table.root.filter(|_| subject.root.is_some()) {
            terms.push(Expression::equal(Expression::column(root), binder.bind(BindSource::Root)));
        }
        if let Some(query) = subject.query {
            let query = &self.model[query];
            let admitted =
                query.policies.iter().filter(|p| crate::policy::reaches(p, caller.roles));
            let who = Expression::any(admitted.map(|policy| match &policy.condition {
                Some(condition) => world.lower(condition, &[], &mut binder),
                None => Expression::yes(),
            }));
            if who == Expression::no() {
                return Err(refuse(caller, &format!("ask `{}`", query.name)));
            }
            if who.is_local() {
                admission = Some(who).filter(|who| *who != Expression::yes());
            } else {
                terms.push(who);
            }
            if let Some(filter) = &query.filter {
                terms.extend(world.lower_present(filter, &[entity], &subject.present, &mut binder));
            }
        }
        let grants = read_grants(world, entity, caller.roles, &mut binder);
        let mut at = 0;
        for condition in conditions {
            match field_guard(world, entity, condition.field, grants.as_ref()) {
                Some(Guard::When(readable)) => terms.push(readable),
                Some(Guard::Always) => {}
                Some(Guard::Never) | None => {
                    return Err(Fault::Invalid(vec![self.not_filterable(
                        subject,
                        &condition.parameter(),
                        condition.name,
                        caller,
                    )]));
                }
            }
            terms.push(condition.expression(
                world.column(entity, condition.field),
                &mut at,
                &mut binder,
            ));
        }
        terms.push(visible);
        let order: Vec<(Order, bool)> = order
            .iter()
            .map(|(field, descending)| {
                let order = Order { column: world.column(entity, *field), descending: *descending };
                (order, self.model[*field].optional)
            })
            .collect();
        if let Some(values) = cursor {
            terms.push(behind(&order, values, &mut binder));
        }
        let limit = binder.position(BindSource::Limit);
        let wanted = wanted(&list.shape)?;
        let (output, joins) = self.shape_twice(entity, &wanted, caller.roles, &mut binder, 0)?;
        let read = Read {
            id: ReadId::fresh(),
            table,
            joins,
            filter: Expression::all(terms),
            order: order.into_iter().map(|(order, _)| order).collect(),
            cardinality: Cardinality::Page { limit },
            output,
            root_bind: None,
            index: None,
        };
        Ok(ReadTemplate {
            read: Arc::new(read),
            sources: binder.sources,
            composite: wanted.is_composite(),
            admission,
        })
    }
}

/// What a page is of.
pub(crate) struct Subject {
    pub(crate) what: What,
    pub(crate) entity: EntityId,
    pub(crate) query: Option<model::QueryId>,
    pub(crate) parameters: Vec<Value>,
    pub(crate) present: Vec<bool>,
    pub(crate) root: Option<Value>,
    pub(crate) page: u32,
    pub(crate) page_maximum: u32,
}

/// Rows behind a cursor: greater in the first term, or equal there and greater in the next, and so on. A bound on the
/// first term stands beside it, because it alone is what an index can be entered by.
fn behind(order: &[(Order, bool)], values: &[Value], binder: &mut Binder) -> Expression {
    let mut alternatives = Vec::new();
    let mut equal_so_far: Vec<Expression> = Vec::new();
    let mut entry = Expression::yes();
    for (at, ((term, nullable), value)) in order.iter().zip(values).enumerate() {
        let column = Expression::column(term.column);
        let is_null = Expression::IsNull(Box::new(column.clone()));
        let bind = binder.bind(BindSource::Cursor(at));
        let compare = |comparison, bind: &Expression| {
            Expression::Compare(comparison, Box::new(column.clone()), Box::new(bind.clone()))
        };
        let (strict, loose) = if term.descending {
            (Comparison::Less, Comparison::LessOrEqual)
        } else {
            (Comparison::Greater, Comparison::GreaterOrEqual)
        };
        // Nulls come first upwards and last downwards: the least of all values, either way.
        let (beyond, same) = match (value.is_null(), term.descending) {
            (true, false) => (Expression::Not(Box::new(is_null.clone())), is_null),
            (true, true) => (Expression::no(), is_null),
            (false, true) if *nullable => (
                Expression::any([compare(strict, &bind), is_null]),
                compare(Comparison::Equal, &bind),
            ),
            (false, _) => {
                if at == 0 && order.len() > 1 {
                    entry = compare(loose, &bind);
                }
                (compare(strict, &bind), compare(Comparison::Equal, &bind))
            }
        };
        let mut alternative = equal_so_far.clone();
        alternative.push(beyond);
        alternatives.push(Expression::all(alternative));
        equal_so_far.push(same);
    }
    Expression::all([entry, Expression::any(alternatives)])
}

fn page_size(text: Option<&str>, default: u32, maximum: u32, faults: &mut Vec<Violation>) -> i64 {
    let Some(text) = text else { return i64::from(default) };
    match text.parse::<u32>().ok().filter(|n| (1..=maximum).contains(n) && !text.starts_with('+')) {
        Some(limit) => i64::from(limit),
        None => {
            faults.push(Violation::parameter(
                FaultCode::OutOfBounds,
                "limit",
                format!("must be a whole number from 1 to {maximum}"),
            ));
            i64::from(default)
        }
    }
}

/// A shape, as what it asks for is kept under.
pub(crate) fn shape_detail(shape: &Shape<'_>) -> Detail {
    let mut detail = Detail::default();
    detail.text(shape.include);
    detail.text(shape.fields);
    detail
}

fn list_detail(
    list: &List<'_>,
    subject: &Subject,
    conditions: &[Condition<'_>],
    cursor: Option<&[Value]>,
) -> Detail {
    let mut detail = shape_detail(&list.shape);
    detail.text(list.sort);
    detail.number(conditions.len() as u32);
    for condition in conditions {
        detail.number(condition.field.0);
        detail.text(Some(condition.operator.word()));
        detail.number(condition.values.len() as u32);
    }
    detail.flags(subject.present.iter().copied());
    // Its own length is that of the order, so that none is told from one without values.
    detail.flags(cursor.unwrap_or_default().iter().map(|value| value.is_null()));
    detail
}

/// The parameters of every list beside its own.
pub(crate) const OF_EVERY_LIST: [&str; 4] = ["include", "fields", "limit", "after"];

pub(crate) fn list_of(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
