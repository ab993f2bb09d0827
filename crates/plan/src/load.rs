//! Rows from files: the same types, bounds and rules as a body has, without a caller and without grants.

use model::{EntityId, FieldId, Type};
use operation::{Computed, Fault, PartRow, Redraw, Tree, Value, Violation};

use crate::Plan;
use crate::body::{At, Decoded, Decoder};
use crate::condition::Binder;
use crate::plan::Request;

impl Plan {
    /// A row of an entity's table from plain texts, one for each named field; `None` is null. Fields that are not
    /// named take their defaults. For a part, `root` is its root's key as text, and `position` the place among its
    /// root's rows, counted from 1, where the part has no key of its own.
    ///
    /// Computed values over the row itself are filled in unless they are given; those over parts stay null until
    /// [`Plan::aggregates`] are stored. Values are in the order of the table's columns.
    ///
    /// # Errors
    /// Everything that is wrong with the row, each with a pointer to its field.
    pub fn load_row(
        &self,
        entity: EntityId,
        cells: &[(FieldId, Option<&str>)],
        root: Option<&str>,
        position: Option<i64>,
        now: i64,
    ) -> Result<Vec<Value>, Vec<Violation>> {
        let request = Request { now, ..Request::default() };
        let mut decoder = Decoder { plan: self, request, faults: Vec::new() };
        let root_key = match (self.model.part_of(entity), root) {
            (Some(part_of), Some(text)) => {
                let ty = self.model[self.model[part_of.root].key].ty.clone();
                decoder.cell(&ty, text, &At::BODY).unwrap_or_default()
            }
            _ => Value::Null,
        };
        let mut decoded = Decoded::default();
        for (field, text) in cells {
            let item = &self.model[*field];
            let at = At::BODY.member(&item.name);
            let value = match text {
                Some(text) => decoder.cell_of(*field, text, &at),
                None => decoder.field_value(*field, &Tree::Null, &at),
            };
            decoded.given.push((*field, value));
        }
        let PartRow { mut values, .. } = decoder.row(entity, &mut decoded, &At::BODY, &root_key);
        if let Some(position) = position
            && let Some(slot) = values.get_mut(self.world().column(entity, self.model[entity].key))
        {
            *slot = Value::Int(position);
        }
        let mut faults = decoder.faults;
        if faults.is_empty() {
            let mut binder = Binder::default();
            let given = |column: usize| {
                decoded.given.iter().any(|(field, _)| self.world().column(entity, *field) == column)
            };
            let mut computed = self.computed(entity, &mut binder);
            computed.retain(|c| !over_parts(c) && !given(c.column));
            let checks = self.checks(entity, &mut binder);
            let binds = request.binds(&binder.sources, 0);
            crate::write::settle(&mut values, &computed, &checks, &binds, &[], None, &mut faults);
        }
        if faults.is_empty() { Ok(values) } else { Err(faults) }
    }

    /// The computed columns of an entity that look at its parts: what has to be stored once the parts are.
    pub fn aggregates(&self, entity: EntityId) -> Vec<Computed> {
        let mut computed = self.computed(entity, &mut Binder::default());
        computed.retain(over_parts);
        computed
    }

    /// All computed columns of an entity, in the order in which they can be computed.
    pub fn computed_of(&self, entity: EntityId) -> Vec<Computed> {
        self.computed(entity, &mut Binder::default())
    }

    /// What draws on references that are emptied, and on parts that go, when what those refer to is deleted: of every entity.
    pub fn redraws(&self) -> Vec<Redraw> {
        let roots = self.model.entity_ids().filter(|id| self.model.part_of(*id).is_none());
        // A rule of a model draws on no value of a request but the moment: it is the first bind where there is one.
        let of = |entity| Redraw::of(&self.target_for(entity, None, &mut Binder::default()));
        roots.flat_map(of).collect()
    }

    /// A key of an entity's rows as callers write it, from its stored value.
    pub fn key_text(&self, entity: EntityId, key: &Value) -> String {
        let mut text = Vec::new();
        self.key_scalar(entity).print(key, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The key of an entity's row from its text.
    ///
    /// # Errors
    /// [`Fault::NotFound`]: no row can have such a key.
    pub fn key_value(&self, entity: EntityId, text: &str) -> Result<Value, Fault> {
        self.key(entity, text)
    }
}

fn over_parts(computed: &Computed) -> bool {
    let mut over = false;
    computed
        .expression
        .visit(&mut |e| over |= matches!(e, operation::Expression::Aggregate { .. }));
    over
}

impl Decoder<'_> {
    /// A field's value from plain text, its pattern included.
    fn cell_of(&mut self, field: FieldId, text: &str, at: &At<'_>) -> Option<Value> {
        let ty = self.plan.model[field].ty.clone();
        let tree = self.tree(&ty, text, at)?;
        self.field_value(field, &tree, at)
    }

    /// A value of a type from plain text.
    pub(crate) fn cell(&mut self, ty: &Type, text: &str, at: &At<'_>) -> Option<Value> {
        let tree = self.tree(ty, text, at)?;
        self.value(ty, &tree, at)
    }

    /// The JSON that a plain text stands for, given the type it is to be of.
    fn tree<'t>(&mut self, ty: &Type, text: &'t str, at: &At<'_>) -> Option<Tree<'t>> {
        let fault = |decoder: &mut Self, detail: String| {
            decoder.fault(operation::FaultCode::WrongType, at, detail);
            None
        };
        match ty {
            Type::Entity(id) => {
                let key = self.plan.model[self.plan.model[*id].key].ty.clone();
                self.tree(&key, text, at)
            }
            Type::Bool | Type::Int(_) | Type::Float(_) => {
                let scalar = ty.scalar().unwrap_or(operation::Scalar::Text);
                match scalar.parse(text) {
                    Ok(Value::Bool(b)) => Some(Tree::Bool(b)),
                    Ok(Value::Int(n)) => Some(Tree::Int(n)),
                    Ok(Value::Float(f)) => Some(Tree::Float(f)),
                    Ok(_) => None,
                    Err(wanted) => fault(self, format!("must be {}, not `{text}`", wanted.0)),
                }
            }
            Type::Json(_) | Type::List(..) | Type::Record(_) => {
                match operation::parse_json(text.as_bytes()) {
                    Ok(tree) => Some(tree),
                    Err(error) => fault(self, format!("must be JSON: {error}")),
                }
            }
            _ => Some(Tree::Text(std::borrow::Cow::Borrowed(text))),
        }
    }
}
