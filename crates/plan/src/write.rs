//! Writes: a root with its parts created, changed, replaced, deleted; a part added, changed, removed.

use std::sync::Arc;

use model::{Action, EntityId, FieldId, Policy};
use operation::{
    Check, Computed, Create, Delete, Edit, EvaluationFault, Expression, Fault, FaultCode, Flow,
    Guard, Operation, PartChange, PartRow, PartTarget, ReadId, ReferenceRule, Scope, SetColumn,
    TableId, Target, Tree, Value, Violation, Write,
};
use smallvec::SmallVec;

use crate::body::{At, Decoded, Decoder};
use crate::condition::{Binder, align};
use crate::lower::{BodyKind, PartPlace};
use crate::page::shape_detail;
use crate::plan::{
    Compiled, Detail, Key, Plan, Request, TargetTemplate, What, WriteTemplate, mixed_up, refuse,
};
use crate::policy::{covers_field, covers_part};
use crate::shape::wanted;
use crate::{Caller, Lowered, Reply, Roles, Shape};

impl Plan {
    /// A new root.
    pub(crate) fn lower_create(
        &self,
        entity: EntityId,
        body: &Tree<'_>,
        shape: &Shape<'_>,
        caller: &Caller,
        now: i64,
    ) -> Result<Lowered, Fault> {
        self.demand(entity, Action::Create, caller)?;
        let request = Request { caller: Some(caller), now, ..Request::default() };
        let mut decoder = Decoder { plan: self, request, faults: Vec::new() };
        let mut decoded = decoder.members(entity, body, BodyKind::Create, &At::BODY, &Value::Null);
        let mut row = if matches!(body, Tree::Object(_)) {
            decoder.row(entity, &mut decoded, &At::BODY, &Value::Null)
        } else {
            PartRow::default()
        };
        let mut parts = self.all_parts(entity, &mut decoded, &mut decoder);
        let mut faults = decoder.faults;
        if !faults.is_empty() {
            self.deny_fields(entity, Action::Create, &decoded, caller.roles, &mut faults);
            return Err(Fault::Invalid(faults));
        }
        let template =
            self.write_template(What::Create(entity), entity, &decoded, shape, caller)?;
        let binds = request.binds(&template.sources, 1);
        let target = &template.target;
        let key = row.values.get(target.table.own_key()).cloned().unwrap_or_default();
        for (rows, part) in parts.iter_mut().zip(&target.parts) {
            for (at, row) in rows.iter_mut().enumerate() {
                if let Some(slot) = part.table.root.and_then(|root| row.values.get_mut(root)) {
                    *slot = key.clone();
                }
                let at = Some((&*part.name, at));
                settle(&mut row.values, &part.computed, &part.checks, &binds, &[], at, &mut faults);
            }
        }
        // Lent to the evaluation, which wants them side by side, and given back below.
        let part_values: Vec<(TableId, Vec<Vec<Value>>)> = target
            .parts
            .iter()
            .zip(&mut parts)
            .map(|(part, rows)| {
                let values = rows.iter_mut().map(|row| std::mem::take(&mut row.values));
                (part.table.id, values.collect())
            })
            .collect();
        let part_slices: Vec<(TableId, &[Vec<Value>])> =
            part_values.iter().map(|(id, rows)| (*id, rows.as_slice())).collect();
        settle(
            &mut row.values,
            &target.computed,
            &target.checks,
            &binds,
            &part_slices,
            None,
            &mut faults,
        );
        if !faults.is_empty() {
            return Err(Fault::Invalid(faults));
        }
        let scope =
            Scope { rows: &[&row.values], binds: &binds, parts: &part_slices, stored: None };
        let what = || format!("create {} with these values", self.model[entity].name);
        let guard = decide(&template.guard, &scope, caller, what)?;
        let answer = template.answer.clone().ok_or_else(mixed_up)?;
        for ((_, values), rows) in part_values.into_iter().zip(&mut parts) {
            for (row, values) in rows.iter_mut().zip(values) {
                row.values = values;
            }
        }
        Ok(Lowered {
            operation: Operation::Write(Box::new(Write::Create(Create {
                target: target.clone(),
                binds,
                row,
                parts,
                guard,
                answer,
            }))),
            reply: Reply::Created { composite: template.composite },
            when_empty: None,
        })
    }

    /// A root changed by a merge patch.
    #[expect(clippy::too_many_arguments, reason = "the members of one intent, spelled out")]
    pub(crate) fn lower_patch(
        &self,
        entity: EntityId,
        key: &str,
        body: &Tree<'_>,
        expected: Option<Vec<i64>>,
        shape: &Shape<'_>,
        caller: &Caller,
        now: i64,
    ) -> Result<Lowered, Fault> {
        self.demand(entity, Action::Update, caller)?;
        let key = self.key(entity, key)?;
        let request = Request { caller: Some(caller), now, ..Request::default() };
        let mut decoder = Decoder { plan: self, request, faults: Vec::new() };
        let mut decoded = decoder.members(entity, body, BodyKind::Patch, &At::BODY, &key);
        let set = self.set_columns(entity, &decoded);
        let parts = decoded
            .parts
            .iter_mut()
            .map(|(part, rows)| {
                let rows = std::mem::take(rows);
                (self.part_position(entity, *part), PartChange::Replace(rows))
            })
            .collect();
        let faults = decoder.faults;
        self.edit(Change { entity, key, expected, set, parts, decoded, faults }, shape, caller, now)
    }

    /// A root replaced.
    #[expect(clippy::too_many_arguments, reason = "the members of one intent, spelled out")]
    pub(crate) fn lower_replace(
        &self,
        entity: EntityId,
        key: &str,
        body: &Tree<'_>,
        expected: Option<Vec<i64>>,
        shape: &Shape<'_>,
        caller: &Caller,
        now: i64,
    ) -> Result<Lowered, Fault> {
        self.demand(entity, Action::Update, caller)?;
        let key = self.key(entity, key)?;
        let request = Request { caller: Some(caller), now, ..Request::default() };
        let mut decoder = Decoder { plan: self, request, faults: Vec::new() };
        let mut decoded = decoder.members(entity, body, BodyKind::Replace, &At::BODY, &key);
        if matches!(body, Tree::Object(_)) {
            self.fill_replacement(entity, &key, &mut decoded, &mut decoder);
        }
        let parts = self.all_parts(entity, &mut decoded, &mut decoder);
        let parts = parts.into_iter().map(PartChange::Replace).enumerate().collect();
        let faults = decoder.faults;
        let set = self.set_columns(entity, &decoded);
        self.edit(Change { entity, key, expected, set, parts, decoded, faults }, shape, caller, now)
    }

    /// What a replacement leaves out takes its default; keys and immutable fields stay.
    fn fill_replacement(
        &self,
        entity: EntityId,
        key: &Value,
        decoded: &mut Decoded,
        decoder: &mut Decoder<'_>,
    ) {
        let model = &self.model;
        let key_field = model[entity].key;
        if let Some(at) = decoded.given.iter().position(|(field, _)| *field == key_field) {
            let (_, value) = decoded.given.swap_remove(at);
            if value.is_some_and(|value| value != *key) {
                let name = &model[key_field].name;
                decoder.faults.push(Violation::at(
                    FaultCode::Immutable,
                    format!("/{name}"),
                    format!("`{name}` is the key; it must be the one in the path, or left out"),
                ));
            }
        }
        for &field in &model[entity].fields {
            let item = &model[field];
            let given = decoded.given.iter().any(|(f, _)| *f == field);
            if given || field == key_field || item.immutable || item.computed.is_some() {
                continue;
            }
            match decoder.default(field) {
                Some(value) => decoded.given.push((field, Some(value))),
                None => decoder.faults.push(Violation::at(
                    FaultCode::Required,
                    format!("/{}", item.name),
                    format!(
                        "`{}` is required in a replacement; PATCH changes single fields",
                        item.name
                    ),
                )),
            }
        }
    }

    /// A root deleted.
    pub(crate) fn lower_delete(
        &self,
        entity: EntityId,
        key: &str,
        expected: Option<Vec<i64>>,
        caller: &Caller,
        now: i64,
    ) -> Result<Lowered, Fault> {
        self.demand(entity, Action::Delete, caller)?;
        let key = self.key(entity, key)?;
        let template = self.write_template(
            What::Delete(entity),
            entity,
            &Decoded::default(),
            &Shape::default(),
            caller,
        )?;
        let request = Request { caller: Some(caller), now, ..Request::default() };
        Ok(Lowered {
            operation: Operation::Write(Box::new(Write::Delete(Delete {
                target: template.target.clone(),
                binds: request.binds(&template.sources, 0),
                key,
                expected,
                guard: template.guard.clone(),
            }))),
            reply: Reply::Deleted,
            when_empty: None,
        })
    }

    /// A part added, changed, replaced or removed: always through its root.
    pub(crate) fn lower_part(
        &self,
        at: PartPlace<'_>,
        body: Option<(&Tree<'_>, BodyKind)>,
        shape: &Shape<'_>,
        caller: &Caller,
        now: i64,
    ) -> Result<Lowered, Fault> {
        let part = at.part;
        let root = self.root_of(part)?;
        self.demand(root, Action::Update, caller)?;
        let root_key = self.key(root, at.root)?;
        let own_key = at.key.map(|key| self.key(part, key)).transpose()?;
        let request = Request { caller: Some(caller), now, ..Request::default() };
        let mut decoder = Decoder { plan: self, request, faults: Vec::new() };
        let change = match (body, &own_key) {
            (Some((body, BodyKind::Create)), _) => {
                let mut decoded =
                    decoder.members(part, body, BodyKind::Create, &At::BODY, &root_key);
                let row = match body {
                    Tree::Object(_) => decoder.row(part, &mut decoded, &At::BODY, &root_key),
                    _ => PartRow::default(),
                };
                PartChange::Add(row)
            }
            (Some((body, kind)), Some(key)) => {
                let mut decoded = decoder.members(part, body, kind, &At::BODY, &root_key);
                if kind == BodyKind::Replace && matches!(body, Tree::Object(_)) {
                    self.fill_replacement(part, key, &mut decoded, &mut decoder);
                }
                PartChange::Set { key: key.clone(), set: self.set_columns(part, &decoded) }
            }
            (None, Some(key)) => PartChange::Remove { key: key.clone() },
            (_, None) => return Err(mixed_up()),
        };
        let faults = decoder.faults;
        if !faults.is_empty() {
            return Err(Fault::Invalid(faults));
        }
        let touched = Decoded { given: Vec::new(), parts: vec![(part, Vec::new())] };
        let mut faults = Vec::new();
        self.deny_fields(root, Action::Update, &touched, caller.roles, &mut faults);
        if !faults.is_empty() {
            return Err(Fault::Forbidden(format!(
                "your roles do not allow you to change {} of {}",
                self.model[part].name, self.model[root].name
            )));
        }
        let template = self.write_template(What::EditPart(part), root, &touched, shape, caller)?;
        let mut change = change;
        let binds = request.binds(&template.sources, 2);
        if let PartChange::Add(row) = &mut change {
            let position = self.part_position(root, part);
            if let Some(target) = template.target.parts.get(position) {
                let mut faults = Vec::new();
                settle(
                    &mut row.values,
                    &target.computed,
                    &target.checks,
                    &binds,
                    &[],
                    None,
                    &mut faults,
                );
                if !faults.is_empty() {
                    return Err(Fault::Invalid(faults));
                }
            }
        }
        let reply = match &change {
            PartChange::Add(_) => Reply::Created { composite: true },
            PartChange::Remove { .. } => Reply::PartDeleted,
            PartChange::Set { .. } | PartChange::Replace(_) => Reply::Changed { composite: true },
        };
        Ok(Lowered {
            operation: Operation::Write(Box::new(Write::Edit(Edit {
                target: template.target.clone(),
                binds,
                key: root_key,
                expected: at.expected,
                guard: template.guard.clone(),
                guard_after: template.guard_after.clone(),
                set: Vec::new(),
                parts: vec![(self.part_position(root, part), change)],
                answer: template.answer.clone().ok_or_else(mixed_up)?,
                answer_key: Some(own_key.unwrap_or_default()),
            }))),
            reply,
            when_empty: None,
        })
    }

    fn edit(
        &self,
        mut change: Change,
        shape: &Shape<'_>,
        caller: &Caller,
        now: i64,
    ) -> Result<Lowered, Fault> {
        if !change.faults.is_empty() {
            let (entity, faults) = (change.entity, &mut change.faults);
            self.deny_fields(entity, Action::Update, &change.decoded, caller.roles, faults);
            return Err(Fault::Invalid(change.faults));
        }
        let what = What::Edit(change.entity);
        let template = self.write_template(what, change.entity, &change.decoded, shape, caller)?;
        let request = Request { caller: Some(caller), now, ..Request::default() };
        let binds = request.binds(&template.sources, 1);
        let mut parts: Vec<(usize, PartChange)> = change.parts;
        let mut faults = Vec::new();
        for (position, part_change) in &mut parts {
            let (PartChange::Replace(rows), Some(part)) =
                (part_change, template.target.parts.get(*position))
            else {
                continue;
            };
            for (at, row) in rows.iter_mut().enumerate() {
                let at = Some((&*part.name, at));
                settle(&mut row.values, &part.computed, &part.checks, &binds, &[], at, &mut faults);
            }
        }
        if !faults.is_empty() {
            return Err(Fault::Invalid(faults));
        }
        Ok(Lowered {
            operation: Operation::Write(Box::new(Write::Edit(Edit {
                target: template.target.clone(),
                binds,
                key: change.key,
                expected: change.expected,
                guard: template.guard.clone(),
                guard_after: template.guard_after.clone(),
                set: change.set,
                parts,
                answer: template.answer.clone().ok_or_else(mixed_up)?,
                answer_key: None,
            }))),
            reply: Reply::Changed { composite: template.composite },
            when_empty: None,
        })
    }

    /// Refuses where no grant of the action reaches the caller at all.
    fn demand(&self, root: EntityId, action: Action, caller: &Caller) -> Result<(), Fault> {
        if self.world().policies(root, action, caller.roles).next().is_none() {
            return Err(refuse(caller, &format!("{} {}", action.word(), self.model[root].name)));
        }
        Ok(())
    }

    /// Notes every named field and part that no grant covers. Of a body that is sound else it is the template that says so, once for
    /// all bodies of these fields.
    fn deny_fields(
        &self,
        entity: EntityId,
        action: Action,
        decoded: &Decoded,
        roles: Roles,
        faults: &mut Vec<Violation>,
    ) {
        let world = self.world();
        let granted =
            |covers: &dyn Fn(&Policy) -> bool| world.policies(entity, action, roles).any(covers);
        let fields = decoded.given.iter().map(|(field, _)| {
            (granted(&|policy| covers_field(policy, *field)), &*self.model[*field].name)
        });
        let parts = decoded.parts.iter().filter_map(|(part, _)| {
            let name = &self.model.part_of(*part)?.name;
            Some((granted(&|policy| covers_part(policy, *part)), name.as_str()))
        });
        for (_, name) in fields.chain(parts).filter(|(granted, _)| !granted) {
            faults.push(Violation::at(
                FaultCode::FieldForbidden,
                At::BODY.member(name).pointer(),
                format!("your roles do not allow you to write `{name}`"),
            ));
        }
    }

    fn set_columns(&self, entity: EntityId, decoded: &Decoded) -> Vec<SetColumn> {
        let given =
            decoded.given.iter().filter_map(|(field, value)| Some((*field, value.clone()?)));
        given
            .map(|(field, value)| SetColumn {
                column: self.world().column(entity, field),
                named: self.model[field].ty.as_entity().is_some() && !value.is_null(),
                value,
            })
            .collect()
    }

    fn part_position(&self, root: EntityId, part: EntityId) -> usize {
        self.model[root].parts.iter().position(|p| *p == part).unwrap_or(usize::MAX)
    }

    /// Rows for every kind of parts; what the body left out is empty, if it may be.
    fn all_parts(
        &self,
        entity: EntityId,
        decoded: &mut Decoded,
        decoder: &mut Decoder<'_>,
    ) -> Vec<Vec<PartRow>> {
        let mut all = Vec::new();
        for part in &self.model[entity].parts {
            let given = decoded.parts.iter_mut().find(|(given, _)| given == part);
            let given = given.map(|(_, rows)| std::mem::take(rows));
            let missing = given.is_none();
            all.push(given.unwrap_or_default());
            let Some(part_of) = self.model.part_of(*part) else { continue };
            if missing && part_of.minimum > 0 {
                decoder.faults.push(Violation::at(
                    FaultCode::Required,
                    format!("/{}", part_of.name),
                    format!("`{}` is required: at least {}", part_of.name, part_of.minimum),
                ));
            }
        }
        all
    }

    /// What a write of these fields and parts is compiled to for these roles; refused where no grant covers one of them.
    fn write_template(
        &self,
        what: What,
        entity: EntityId,
        touched: &Decoded,
        shape: &Shape<'_>,
        caller: &Caller,
    ) -> Result<Arc<WriteTemplate>, Fault> {
        let mut fields: SmallVec<[FieldId; 16]> =
            touched.given.iter().map(|(field, _)| *field).collect();
        let mut parts: SmallVec<[EntityId; 4]> =
            touched.parts.iter().map(|(part, _)| *part).collect();
        fields.sort_unstable();
        parts.sort_unstable();
        let mut detail = shape_detail(shape);
        detail.number(fields.len() as u32);
        for number in fields.iter().map(|f| f.0).chain(parts.iter().map(|p| p.0)) {
            detail.number(number);
        }
        let key = Key { what, roles: caller.roles, detail };
        self.keep_write(key, || {
            let wanted = wanted(shape)?;
            let target = self.target(entity, caller.roles)?;
            let mut binder = target.binder.clone();
            let action = match what {
                What::Create(_) => Action::Create,
                What::Delete(_) => Action::Delete,
                _ => Action::Update,
            };
            let mut faults = Vec::new();
            self.deny_fields(entity, action, touched, caller.roles, &mut faults);
            if !faults.is_empty() {
                return Err(Fault::Invalid(faults));
            }
            let grants = self.world().grants(entity, action, caller.roles, &mut binder);
            let guard = Guard::of(grants.covering(&fields, &parts));
            let guard_after = Guard::of(grants.covering_after(&fields, &parts, &binder));
            let (answer, sources) = match what {
                What::Delete(_) => (None, binder.sources),
                What::EditPart(part) => self.answer(part, &wanted, caller, &binder)?,
                _ => self.answer(entity, &wanted, caller, &binder)?,
            };
            Ok(WriteTemplate {
                target: target.target.clone(),
                guard,
                guard_after,
                answer,
                sources,
                composite: wanted.is_composite(),
            })
        })
    }

    /// Reads what was written; a caller who may write and not read is answered without a row.
    pub(crate) fn answer(
        &self,
        entity: EntityId,
        wanted: &crate::shape::Wanted,
        caller: &Caller,
        binder: &Binder,
    ) -> Result<(Option<Arc<operation::Read>>, Vec<crate::condition::BindSource>), Fault> {
        match self.compile_row(entity, wanted, caller, binder) {
            Ok((read, sources)) => Ok((Some(Arc::new(read)), sources)),
            Err(Fault::Forbidden(_) | Fault::Unauthenticated(_)) => {
                let table = self.schema.table(entity).clone();
                let nothing = operation::Read {
                    id: ReadId::fresh(),
                    table,
                    joins: Vec::new(),
                    filter: Expression::no(),
                    order: Vec::new(),
                    cardinality: operation::Cardinality::One,
                    output: operation::Object::default(),
                    root_bind: None,
                    index: None,
                };
                Ok((Some(Arc::new(nothing)), binder.sources.clone()))
            }
            Err(fault) => Err(fault),
        }
    }

    /// What a store must know to write an entity for these roles.
    fn target(&self, entity: EntityId, roles: Roles) -> Result<Arc<TargetTemplate>, Fault> {
        let key = Key { what: What::Target(entity), roles, detail: Detail::default() };
        let compiled = self.keep(key, || {
            let mut binder = Binder::default();
            let target = Arc::new(self.target_for(entity, Some(roles), &mut binder));
            Ok(Compiled::Target(Arc::new(TargetTemplate { target, binder })))
        })?;
        match compiled {
            Compiled::Target(target) => Ok(target),
            _ => Err(mixed_up()),
        }
    }

    /// The same, compiled into binds that are given out elsewhere. Without roles everything may be seen and named.
    pub(crate) fn target_for(
        &self,
        entity: EntityId,
        roles: Option<Roles>,
        binder: &mut Binder,
    ) -> Target {
        let world = self.world();
        let model = &self.model;
        let visible = match roles {
            Some(roles) => Guard::of(self.visible(entity, roles, binder)),
            None => Guard::Always,
        };
        let parts = model[entity].parts.iter().filter_map(|part| {
            let part_of = model.part_of(*part)?;
            Some(PartTarget {
                name: part_of.name.as_str().into(),
                table: self.schema.table(*part).clone(),
                minimum: part_of.minimum,
                maximum: part_of.maximum,
                positional: model[model[*part].key].is_position,
                computed: self.computed(*part, binder),
                checks: self.checks(*part, binder),
                flows: self.flows(*part),
                references: self.references(*part, roles, binder),
            })
        });
        let parts = parts.collect();
        let fields = model[entity].fields.iter();
        let immutable =
            fields.filter(|f| model[**f].immutable).map(|f| world.column(entity, *f)).collect();
        Target {
            id: ReadId::fresh(),
            table: self.schema.table(entity).clone(),
            visible,
            computed: self.computed(entity, binder),
            checks: self.checks(entity, binder),
            flows: self.flows(entity),
            references: self.references(entity, roles, binder),
            immutable,
            parts,
        }
    }

    /// Computed columns, each behind those it is computed from.
    pub(crate) fn computed(&self, entity: EntityId, binder: &mut Binder) -> Vec<Computed> {
        let world = self.world();
        let mut waiting: Vec<Computed> = Vec::new();
        for &field in &self.model[entity].fields {
            let item = &self.model[field];
            if let Some(expression) = &item.computed {
                let lowered = world.lower(expression, &[entity], binder);
                waiting.push(Computed {
                    column: world.column(entity, field),
                    expression: align(lowered, &expression.ty, &item.ty),
                });
            }
        }
        let mut sorted: Vec<Computed> = Vec::with_capacity(waiting.len());
        while !waiting.is_empty() {
            let open: Vec<usize> = waiting.iter().map(|computed| computed.column).collect();
            let ready = waiting.iter().position(|computed| {
                let mut free = true;
                computed.expression.visit(&mut |e| {
                    if let Expression::Column { depth: 0, column } = e {
                        free &= !open.contains(column) || *column == computed.column;
                    }
                });
                free
            });
            // The model refuses cycles; were there one, source order is as good as any.
            sorted.push(waiting.remove(ready.unwrap_or(0)));
        }
        sorted
    }

    pub(crate) fn checks(&self, entity: EntityId, binder: &mut Binder) -> Vec<Check> {
        let world = self.world();
        let checks = self.model[entity].checks.iter();
        checks
            .map(|check| Check {
                expression: world.lower(&check.condition, &[entity], binder),
                message: check.message.as_str().into(),
                field: first_field(&check.condition)
                    .map_or_else(Box::default, |field| self.model[field].name.as_str().into()),
            })
            .collect()
    }

    fn flows(&self, entity: EntityId) -> Vec<Flow> {
        let model = &self.model;
        let flows = model[entity].flows.iter().filter_map(|flow| {
            let values = &model[model[flow.field].ty.as_enum()?].values;
            let label = |at: &usize| -> Box<str> {
                values.get(*at).map_or_else(Box::default, |value| value.name.as_str().into())
            };
            let transitions = flow
                .transitions
                .iter()
                .map(|(from, to)| (label(from), to.iter().map(label).collect()))
                .collect();
            Some(Flow { column: self.world().column(entity, flow.field), transitions })
        });
        flows.collect()
    }

    /// A caller may name what it may see: anything else would tell it what exists.
    fn references(
        &self,
        entity: EntityId,
        roles: Option<Roles>,
        binder: &mut Binder,
    ) -> Vec<ReferenceRule> {
        let model = &self.model;
        let mut rules = Vec::new();
        for &field in &model[entity].fields {
            let Some(target) = model[field].ty.as_entity() else { continue };
            if model[target].service != model[entity].service || model.part_of(target).is_some() {
                continue;
            }
            rules.push(ReferenceRule {
                column: self.world().column(entity, field),
                target: self.schema.table(target).clone(),
                visible: match roles {
                    Some(roles) => Guard::of(self.visible(target, roles, binder)),
                    None => Guard::Always,
                },
            });
        }
        rules
    }
}

/// A change of a root, read from a body.
struct Change {
    entity: EntityId,
    key: Value,
    expected: Option<Vec<i64>>,
    set: Vec<SetColumn>,
    parts: Vec<(usize, PartChange)>,
    decoded: Decoded,
    faults: Vec<Violation>,
}

/// Fills in what is computed and looks at the rules, as far as no store is needed.
pub(crate) fn settle(
    values: &mut [Value],
    computed: &[Computed],
    checks: &[Check],
    binds: &[Value],
    parts: &[(TableId, &[Vec<Value>])],
    at: Option<(&str, usize)>,
    faults: &mut Vec<Violation>,
) {
    let pointer = |field: &str| match at {
        Some((part, row)) => Violation::part_pointer(part, row, field),
        None if field.is_empty() => String::new(),
        None => format!("/{field}"),
    };
    for computed in computed {
        let outcome = operation::evaluate(
            &computed.expression,
            &Scope { rows: &[&*values], binds, parts, stored: None },
        );
        match outcome {
            Ok(value) => {
                if let Some(slot) = values.get_mut(computed.column) {
                    *slot = value;
                }
            }
            Err(fault) => faults.extend(evaluation(fault, pointer(""))),
        }
    }
    for check in checks {
        match operation::evaluate(
            &check.expression,
            &Scope { rows: &[&*values], binds, parts, stored: None },
        ) {
            Ok(Value::Bool(false)) => faults.push(Violation::at(
                FaultCode::CheckFailed,
                pointer(&check.field),
                check.message.to_string(),
            )),
            Ok(_) => {}
            Err(fault) => faults.extend(evaluation(fault, pointer(&check.field))),
        }
    }
}

/// What an evaluation's fault says to the caller; what only the store can decide is not a fault here.
fn evaluation(fault: EvaluationFault, pointer: String) -> Option<Violation> {
    match fault {
        EvaluationFault::Overflow => Some(Violation::at(
            FaultCode::Overflow,
            pointer,
            "a value computed from this is too large",
        )),
        EvaluationFault::DivisionByZero => Some(Violation::at(
            FaultCode::DivisionByZero,
            pointer,
            "a value computed from this divides by zero",
        )),
        EvaluationFault::NotLocal | EvaluationFault::IllTyped => None,
    }
}

/// Decides a guard now if it needs no other table; what remains is for the store.
fn decide(
    guard: &Guard,
    scope: &Scope<'_>,
    caller: &Caller,
    what: impl Fn() -> String,
) -> Result<Guard, Fault> {
    match guard {
        Guard::Always => Ok(Guard::Always),
        Guard::When(condition) if !condition.is_local() => Ok(guard.clone()),
        Guard::When(condition) => match operation::truth(condition, scope) {
            Ok(true) => Ok(Guard::Always),
            Ok(false) => Err(refuse(caller, &what())),
            Err(fault) => match evaluation(fault, String::new()) {
                Some(violation) => Err(Fault::Invalid(vec![violation])),
                None => Ok(guard.clone()),
            },
        },
        Guard::Never => Err(refuse(caller, &what())),
    }
}

/// The first field of the row that an expression speaks of.
fn first_field(expression: &model::Expression) -> Option<FieldId> {
    use model::ExpressionKind as Kind;
    match &expression.kind {
        Kind::Row { depth: 0, path } => path.first().copied(),
        Kind::Not(a) | Kind::Negate(a) => first_field(a),
        Kind::Binary(_, a, b) => first_field(a).or_else(|| first_field(b)),
        Kind::And(list) | Kind::Or(list) | Kind::Call(_, list) => list.iter().find_map(first_field),
        Kind::In(a, _) => first_field(a),
        Kind::If(a, b, c) => first_field(a).or_else(|| first_field(b)).or_else(|| first_field(c)),
        _ => None,
    }
}
