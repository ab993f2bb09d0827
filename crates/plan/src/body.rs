//! Bodies, read against the model: every fault of a body is found, each with its place.

use std::fmt::Write as _;

use model::{Bounds, Default as FieldDefault, EntityId, FieldId, Type};
use operation::{FaultCode, PartRow, Scalar, Scope, Tree, Value, Violation};

use crate::lower::BodyKind;
use crate::page::list_of;
use crate::plan::{Plan, Request};

/// About how many bytes a member of a record takes as JSON, with its name.
const MEMBER: usize = 32;

/// Where 64 bits end.
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// Reads one body.
pub(crate) struct Decoder<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) request: Request<'a>,
    pub(crate) faults: Vec<Violation>,
}

/// Where in a body something stands, written out as a JSON pointer (RFC 6901) only when something is wrong there.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    around: Option<&'a At<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Body,
    Member(&'a str),
    Item(usize),
}

impl<'a> At<'a> {
    /// The body itself.
    pub(crate) const BODY: Self = Self { around: None, step: Step::Body };

    /// A member of what stands here.
    pub(crate) fn member(&'a self, name: &'a str) -> Self {
        Self { around: Some(self), step: Step::Member(name) }
    }

    /// An element of what stands here.
    pub(crate) fn item(&'a self, at: usize) -> Self {
        Self { around: Some(self), step: Step::Item(at) }
    }

    /// The pointer.
    pub(crate) fn pointer(&self) -> String {
        let mut pointer = String::with_capacity(64);
        self.write(&mut pointer);
        pointer
    }

    fn write(&self, pointer: &mut String) {
        if let Some(around) = self.around {
            around.write(pointer);
        }
        match self.step {
            Step::Body => {}
            Step::Member(name) => Violation::push_pointer(pointer, name),
            Step::Item(at) => {
                let _ = write!(pointer, "/{at}");
            }
        }
    }
}

/// A body's members, read.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    /// Fields that the body named, with their values; a faulty one has none.
    pub(crate) given: Vec<(FieldId, Option<Value>)>,
    /// Parts that the body named.
    pub(crate) parts: Vec<(EntityId, Vec<PartRow>)>,
}

impl Decoded {
    /// Takes the value that the body gave a field; that it was given stays known.
    fn take(&mut self, field: FieldId) -> Option<Option<Value>> {
        let given = self.given.iter_mut().find(|(given, _)| *given == field);
        given.map(|(_, value)| value.take())
    }
}

impl<'a> Decoder<'a> {
    pub(crate) fn fault(&mut self, code: FaultCode, at: &At<'_>, detail: impl Into<String>) {
        self.faults.push(Violation::at(code, at.pointer(), detail));
    }

    /// Reads the members of a row of `entity`. `part_root`: the root's key, for parts that stand inside.
    pub(crate) fn members(
        &mut self,
        entity: EntityId,
        body: &Tree<'_>,
        kind: BodyKind,
        at: &At<'_>,
        root_key: &Value,
    ) -> Decoded {
        let model = &self.plan.model;
        let mut decoded = Decoded::default();
        let Tree::Object(members) = body else {
            self.fault(FaultCode::WrongType, at, format!("must be an object, not {}", body.kind()));
            return decoded;
        };
        decoded.given.reserve_exact(members.len());
        for (name, tree) in members {
            let at = at.member(name);
            if let Some(field) = model.field_named(entity, name) {
                if let Some(detail) = self.unwritable(field, kind) {
                    self.fault(FaultCode::ReadOnly, &at, detail);
                    continue;
                }
                if kind == BodyKind::Patch && model[field].immutable {
                    self.fault(
                        FaultCode::Immutable,
                        &at,
                        format!("`{name}` was set at creation and cannot change"),
                    );
                    continue;
                }
                let value = self.field_value(field, tree, &at);
                decoded.given.push((field, value));
            } else if let Some(part) = model.part_named(entity, name) {
                // What a root was read with may be sent back: its parts then carry the keys they have.
                let inner =
                    if kind == BodyKind::Create { BodyKind::Create } else { BodyKind::Replace };
                let rows = self.part_rows(part, tree, inner, &at, root_key);
                decoded.parts.push((part, rows));
            } else {
                let known = self.writable_names(entity, kind);
                self.fault(
                    FaultCode::UnknownField,
                    &at,
                    format!("there is no field `{name}`; fields are: {}", list_of(&known)),
                );
            }
        }
        decoded
    }

    /// Why nobody may name a field in a body, if so.
    fn unwritable(&self, field: FieldId, kind: BodyKind) -> Option<String> {
        let item = &self.plan.model[field];
        let name = &item.name;
        if item.computed.is_some() {
            Some(format!("`{name}` is computed"))
        } else if item.is_position {
            Some(format!("`{name}` is the place in the array, counted by the server"))
        } else if matches!(item.default, Some(FieldDefault::Auto)) && kind == BodyKind::Create {
            Some(format!("`{name}` is counted by the server"))
        } else if item.is_key && kind == BodyKind::Patch {
            Some(format!("`{name}` is the key; a row keeps its key"))
        } else {
            None
        }
    }

    fn writable_names(&self, entity: EntityId, kind: BodyKind) -> Vec<&str> {
        let model = &self.plan.model;
        let fields = model[entity].fields.iter().copied();
        let fields = fields.filter(|field| self.unwritable(*field, kind).is_none());
        let parts = model[entity].parts.iter().filter_map(|part| model.part_of(*part));
        fields
            .map(|field| model[field].name.as_str())
            .chain(parts.map(|part| part.name.as_str()))
            .collect()
    }

    /// A full row of the entity's table from what was given: defaults for the rest, a fault for what is required.
    pub(crate) fn row(
        &mut self,
        entity: EntityId,
        decoded: &mut Decoded,
        at: &At<'_>,
        root_key: &Value,
    ) -> PartRow {
        let plan = self.plan;
        let table = plan.schema.table(entity);
        let mut row = PartRow { values: vec![Value::Null; table.columns.len()], named: Vec::new() };
        if let Some(version) = table.version {
            row.values[version] = Value::Int(1);
        }
        if let Some(root) = table.root {
            row.values[root] = root_key.clone();
        }
        for &field in &plan.model[entity].fields {
            let column = plan.world().column(entity, field);
            let Some(slot) = row.values.get_mut(column) else { continue };
            match decoded.take(field) {
                Some(Some(value)) => {
                    if plan.model[field].ty.as_entity().is_some() && !value.is_null() {
                        row.named.push(column);
                    }
                    *slot = value;
                }
                // Faulty: said already.
                Some(None) => {}
                None => match self.default(field) {
                    Some(value) => *slot = value,
                    None => {
                        let name = &plan.model[field].name;
                        let detail = format!("`{name}` is required");
                        self.fault(FaultCode::Required, &at.member(name), detail);
                    }
                },
            }
        }
        row
    }

    /// What a field is when it is left out; `None`: it is required.
    pub(crate) fn default(&self, field: FieldId) -> Option<Value> {
        let item = &self.plan.model[field];
        if item.computed.is_some() || item.is_position {
            return Some(Value::Null);
        }
        match &item.default {
            Some(FieldDefault::Auto) => Some(Value::Null),
            Some(FieldDefault::Uuid) => Some(Value::Uuid(uuid::Uuid::now_v7().into_bytes())),
            Some(FieldDefault::Expression(_)) => {
                let (expression, sources) = self.plan.defaults.get(&field)?;
                let binds = self.request.binds(sources, 0);
                operation::evaluate(
                    expression,
                    &Scope { rows: &[], binds: &binds, parts: &[], stored: None },
                )
                .ok()
                .filter(|value| item.optional || !value.is_null())
            }
            None => item.optional.then_some(Value::Null),
        }
    }

    fn part_rows(
        &mut self,
        part: EntityId,
        tree: &Tree<'_>,
        kind: BodyKind,
        at: &At<'_>,
        root_key: &Value,
    ) -> Vec<PartRow> {
        let model = &self.plan.model;
        let Tree::List(items) = tree else {
            self.fault(FaultCode::WrongType, at, format!("must be an array, not {}", tree.kind()));
            return Vec::new();
        };
        let Some(part_of) = model.part_of(part) else { return Vec::new() };
        if !(part_of.minimum as usize..=part_of.maximum as usize).contains(&items.len()) {
            self.fault(
                FaultCode::OutOfBounds,
                at,
                format!(
                    "must have {} to {} items, not {}",
                    part_of.minimum,
                    part_of.maximum,
                    items.len()
                ),
            );
            return Vec::new();
        }
        let key = self.plan.world().column(part, model[part].key);
        let positional = model[model[part].key].is_position;
        let mut seen = std::collections::HashSet::new();
        let mut rows = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let inside = at.item(index);
            let mut decoded = self.members(part, item, kind, &inside, root_key);
            if !matches!(item, Tree::Object(_)) {
                continue;
            }
            let mut row = self.row(part, &mut decoded, &inside, root_key);
            if positional {
                if let Some(slot) = row.values.get_mut(key) {
                    *slot = Value::Int(i64::try_from(index).unwrap_or(i64::MAX - 1) + 1);
                }
            } else if let Some(value) = row.values.get(key).filter(|value| !value.is_null())
                && !seen.insert(value.clone())
            {
                let name = &model[model[part].key].name;
                let detail = format!("`{name}` appears twice among these items");
                self.fault(FaultCode::NotUnique, &inside.member(name), detail);
            }
            rows.push(row);
        }
        rows
    }

    /// A field's value; faults are noted.
    pub(crate) fn field_value(
        &mut self,
        field: FieldId,
        tree: &Tree<'_>,
        at: &At<'_>,
    ) -> Option<Value> {
        let plan = self.plan;
        let item = &plan.model[field];
        if *tree == Tree::Null {
            if item.optional {
                return Some(Value::Null);
            }
            self.fault(FaultCode::Required, at, format!("`{}` cannot be null", item.name));
            return None;
        }
        let value = self.value(&item.ty, tree, at)?;
        if let (Some(pattern), Value::Text(text)) = (plan.patterns.get(&field), &value)
            && !pattern.is_match(text)
        {
            let pattern = item.pattern.as_deref().unwrap_or_default();
            self.fault(FaultCode::WrongFormat, at, format!("must match the pattern {pattern}"));
            return None;
        }
        Some(value)
    }

    /// A value of a type; faults are noted.
    pub(crate) fn value(&mut self, ty: &Type, tree: &Tree<'_>, at: &At<'_>) -> Option<Value> {
        let plan = self.plan;
        match (ty, tree) {
            (Type::Bool, Tree::Bool(b)) => Some(Value::Bool(*b)),
            (Type::Int(bounds), Tree::Int(n)) => self.bounded(*n, bounds, "", at).map(Value::Int),
            // `2.0` is a whole number to JSON Schema (2020-12, §4.2.3), and to those who generate clients from it.
            (Type::Int(bounds), Tree::Float(f)) if f.fract() == 0.0 && f.abs() < TWO_TO_63 => {
                self.bounded(*f as i64, bounds, "", at).map(Value::Int)
            }
            (Type::Float(bounds), Tree::Int(n)) => {
                self.bounded(*n as f64, bounds, "", at).map(Value::Float)
            }
            (Type::Float(bounds), Tree::Float(f)) => {
                self.bounded(operation::unsigned_zero(*f), bounds, "", at).map(Value::Float)
            }
            (Type::Json(bounds), _) => {
                let mut text = Vec::new();
                tree.write(&mut text);
                self.bounded(length(text.len()), bounds, " bytes of JSON", at)?;
                Some(json(&text))
            }
            (Type::List(item, bounds), Tree::List(items)) => {
                self.bounded(length(items.len()), bounds, " items", at)?;
                self.list(item, items, at)
            }
            (Type::Record(id), Tree::Object(_)) => {
                let fields = plan.model[*id].fields.clone();
                self.record(&fields, tree, at)
            }
            (Type::Entity(id), _) => {
                let key = plan.model[plan.model[*id].key].ty.clone();
                self.value(&key, tree, at)
            }
            (Type::Enum(id), Tree::Text(text)) => {
                let values = &plan.model[*id].values;
                if values.iter().any(|value| value.name == **text) {
                    return Some(Value::text(text.as_ref()));
                }
                let labels: Vec<_> = values.iter().map(|v| v.name.as_str()).collect();
                let detail = format!("must be one of {}", list_of(&labels));
                self.fault(FaultCode::WrongFormat, at, detail);
                None
            }
            (
                Type::String(_)
                | Type::Email
                | Type::Url
                | Type::Decimal { .. }
                | Type::Money(_)
                | Type::Uuid
                | Type::Date
                | Type::Time
                | Type::Timestamp
                | Type::Duration
                | Type::Bytes(_),
                Tree::Text(text),
            ) => self.text(ty, text, at),
            // A valid model holds no poison.
            (Type::Unknown, _) => None,
            _ => {
                let detail = format!("must be {}, not {}", self.wanted(ty), tree.kind());
                self.fault(FaultCode::WrongType, at, detail);
                None
            }
        }
    }

    fn wanted(&self, ty: &Type) -> &'static str {
        match ty {
            Type::Bool => "true or false",
            Type::Int(_) => "a whole number",
            Type::Float(_) => "a number",
            Type::Record(_) => "an object",
            Type::List(..) => "an array",
            Type::Decimal { .. } | Type::Money(_) => {
                "a decimal number in a string, such as \"12.50\""
            }
            _ => "a string",
        }
    }

    /// A type that JSON carries as a string.
    fn text(&mut self, ty: &Type, text: &str, at: &At<'_>) -> Option<Value> {
        let scalar = self.plan.model.scalar(ty).unwrap_or(Scalar::Text);
        let value = match scalar.parse(text) {
            Ok(value) => value,
            Err(fault) => {
                self.fault(FaultCode::WrongFormat, at, format!("must be {}", fault.0));
                return None;
            }
        };
        match ty {
            Type::String(bounds) => {
                self.bounded(length(text.chars().count()), bounds, " characters", at)?;
            }
            Type::Bytes(bounds) => {
                let Value::Bytes(bytes) = &value else { return None };
                self.bounded(length(bytes.len()), bounds, " bytes", at)?;
            }
            Type::Decimal { precision, scale } => {
                let Value::Int(n) = value else { return None };
                if n.unsigned_abs() >= 10_u64.pow(u32::from(*precision).min(19)) {
                    let whole = precision - scale;
                    self.fault(
                        FaultCode::OutOfBounds,
                        at,
                        format!("must have at most {whole} digits before the point"),
                    );
                    return None;
                }
            }
            Type::Email if !model::is_email(text) => {
                self.fault(
                    FaultCode::WrongFormat,
                    at,
                    "must be an email address such as ada@example.org, at most 254 characters long",
                );
                return None;
            }
            Type::Url if !model::is_url(text) => {
                self.fault(
                    FaultCode::WrongFormat,
                    at,
                    "must be an absolute http or https URL of at most 2,048 ASCII characters",
                );
                return None;
            }
            _ => {}
        }
        Some(value)
    }

    fn list(&mut self, item: &Type, items: &[Tree<'_>], at: &At<'_>) -> Option<Value> {
        let before = self.faults.len();
        let scalar = self.plan.model.scalar(item).unwrap_or(Scalar::Json);
        let each = match item {
            Type::Record(record) => self.plan.model[*record].fields.len() * MEMBER,
            _ => MEMBER,
        };
        let mut text = Vec::with_capacity(2 + items.len() * each);
        text.push(b'[');
        for (index, tree) in items.iter().enumerate() {
            if index > 0 {
                text.push(b',');
            }
            if let Some(value) = self.value(item, tree, &at.item(index)) {
                scalar.write_json(&value, &mut text);
            }
        }
        text.push(b']');
        (self.faults.len() == before).then(|| json(&text))
    }

    fn record(&mut self, fields: &[FieldId], tree: &Tree<'_>, at: &At<'_>) -> Option<Value> {
        let Tree::Object(members) = tree else { return None };
        let before = self.faults.len();
        let plan = self.plan;
        for (name, _) in members {
            if !fields.iter().any(|field| plan.model[*field].name == **name) {
                let known: Vec<_> = fields.iter().map(|f| plan.model[*f].name.as_str()).collect();
                let at = at.member(name);
                let detail = format!("there is no field `{name}`; fields are: {}", list_of(&known));
                self.fault(FaultCode::UnknownField, &at, detail);
            }
        }
        let mut text = Vec::with_capacity(2 + fields.len() * MEMBER);
        text.push(b'{');
        for field in fields {
            let item = &plan.model[*field];
            let at = at.member(&item.name);
            let value = match members.iter().find(|(name, _)| **name == item.name) {
                Some((_, tree)) => self.field_value(*field, tree, &at),
                None => {
                    let default = self.default(*field);
                    if default.is_none() {
                        self.fault(
                            FaultCode::Required,
                            &at,
                            format!("`{}` is required", item.name),
                        );
                    }
                    default
                }
            };
            if text.len() > 1 {
                text.push(b',');
            }
            Scalar::Text.write_json_text(&item.name, &mut text);
            text.push(b':');
            let scalar = plan.model.scalar(&item.ty).unwrap_or(Scalar::Json);
            scalar.write_json(&value.unwrap_or_default(), &mut text);
        }
        text.push(b'}');
        (self.faults.len() == before).then(|| json(&text))
    }

    fn bounded<T: PartialOrd + Copy + std::fmt::Display>(
        &mut self,
        value: T,
        bounds: &Bounds<T>,
        unit: &str,
        at: &At<'_>,
    ) -> Option<T> {
        if bounds.contains(value) {
            return Some(value);
        }
        let detail = match (bounds.least, bounds.greatest) {
            (Some(least), Some(greatest)) => {
                format!("must be {least} to {greatest}{unit}, not {value}")
            }
            (Some(least), None) => format!("must be at least {least}{unit}, not {value}"),
            (None, Some(greatest)) => format!("must be at most {greatest}{unit}, not {value}"),
            (None, None) => String::new(),
        };
        self.fault(FaultCode::OutOfBounds, at, detail);
        None
    }
}

/// JSON that was written here, as it is stored.
fn json(text: &[u8]) -> Value {
    match std::str::from_utf8(text) {
        Ok(text) => Value::text(text),
        Err(_) => Value::text(String::from_utf8_lossy(text)),
    }
}

fn length(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
