//! What of a row is answered: members, included references and parts.

use std::sync::Arc;

use model::{Action, EntityId, FieldId};
use operation::{
    Cardinality, Expression, Fault, FaultCode, Field, Guard, Join, Object, Order, Output, Parts,
    Read, ReadId, Violation,
};

use crate::condition::{Binder, World};
use crate::policy::Grants;
use crate::{Roles, Shape};

/// The deepest include, in steps.
const DEPTH: usize = 3;
/// The most paths of one include.
const PATHS: usize = 16;

/// What is asked of a row and of what it includes.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    fields: Option<Vec<String>>,
    includes: Vec<(String, Wanted)>,
}

impl Wanted {
    /// Whether included rows are in the answer.
    pub(crate) fn is_composite(&self) -> bool {
        !self.includes.is_empty()
    }

    fn include(&mut self, name: &str) -> &mut Self {
        let at = match self.includes.iter().position(|(n, _)| n == name) {
            Some(at) => at,
            None => {
                self.includes.push((name.to_owned(), Self::default()));
                self.includes.len() - 1
            }
        };
        &mut self.includes[at].1
    }
}

/// Reads `include` and `fields`; whether the names exist is found while compiling.
pub(crate) fn wanted(shape: &Shape<'_>) -> Result<Wanted, Fault> {
    let mut wanted = Wanted::default();
    let mut faults = Vec::new();
    for (parameter, text) in [("include", shape.include), ("fields", shape.fields)] {
        if let Some(twice) = text.and_then(named_twice) {
            let detail = format!("`{twice}` is named twice; once is enough");
            faults.push(Violation::parameter(FaultCode::DuplicateMember, parameter, detail));
        }
    }
    let paths: Vec<&str> = shape.include.map_or_else(Vec::new, |text| text.split(',').collect());
    if paths.len() > PATHS {
        faults.push(Violation::parameter(
            FaultCode::NotIncludable,
            "include",
            format!("at most {PATHS} paths can be included, {} were asked for", paths.len()),
        ));
    }
    for path in paths.into_iter().take(PATHS) {
        if path.split('.').count() > DEPTH {
            faults.push(Violation::parameter(
                FaultCode::NotIncludable,
                "include",
                format!("`{path}` is deeper than {DEPTH} steps"),
            ));
            continue;
        }
        path.split('.').fold(&mut wanted, |at, name| at.include(name));
    }
    for path in shape.fields.into_iter().flat_map(|text| text.split(',')) {
        let mut steps = path.split('.').collect::<Vec<_>>();
        let name = steps.pop().unwrap_or_default();
        let mut at = Some(&mut wanted);
        for step in steps {
            at = at.and_then(|w| {
                w.includes.iter_mut().find(|(n, _)| n == step).map(|(_, inner)| inner)
            });
        }
        match at {
            Some(at) => at.fields.get_or_insert_default().push(name.to_owned()),
            None => faults.push(Violation::parameter(
                FaultCode::UnknownField,
                "fields",
                format!("`{path}` is not included; add it to `include` first"),
            )),
        }
    }
    if faults.is_empty() { Ok(wanted) } else { Err(Fault::Invalid(faults)) }
}

/// A name that stands twice in a list with commas.
fn named_twice(list: &str) -> Option<&str> {
    let mut names: Vec<&str> = list.split(',').collect();
    names.sort_unstable();
    names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

/// Compiles shapes for one set of roles.
pub(crate) struct Shaper<'a, 'b> {
    pub(crate) world: World<'a>,
    pub(crate) roles: Roles,
    pub(crate) binder: &'b mut Binder,
    /// How many binds the outermost read has, when that is known (second pass).
    pub(crate) outer_binds: usize,
    /// What is wrong with the names asked for.
    pub(crate) faults: Vec<Violation>,
}

/// The joins and members under compilation.
#[derive(Default)]
struct Building {
    joins: Vec<Join>,
}

/// The row whose members are compiled.
#[derive(Clone, Copy)]
struct Place {
    entity: EntityId,
    source: usize,
    /// How many reads are around this one: 0 for the outermost.
    level: usize,
}

impl Shaper<'_, '_> {
    /// The members of rows of `entity`, and the joins they need.
    pub(crate) fn object(&mut self, entity: EntityId, wanted: &Wanted) -> (Object, Vec<Join>) {
        self.object_at(entity, wanted, 0)
    }

    fn object_at(
        &mut self,
        entity: EntityId,
        wanted: &Wanted,
        level: usize,
    ) -> (Object, Vec<Join>) {
        let mut building = Building::default();
        let place = Place { entity, source: 0, level };
        let object = self.members(place, wanted, &mut building);
        (object, building.joins)
    }

    fn members(&mut self, place: Place, wanted: &Wanted, building: &mut Building) -> Object {
        let world = self.world;
        let entity = &world.model[place.entity];
        let grants = read_grants(world, place.entity, self.roles, self.binder);
        let mut object = Object::default();
        let mut known: Vec<&str> = Vec::new();
        let mut includable: Vec<&str> = Vec::new();
        for &field in &entity.fields {
            let Some(guard) = field_guard(world, place.entity, field, grants.as_ref()) else {
                continue;
            };
            let name = world.model[field].name.as_str();
            known.push(name);
            let target = includable_target(world, place.entity, field, self.roles, self.binder);
            if target.is_some() {
                includable.push(name);
            }
            let include = wanted.includes.iter().find(|(n, _)| n == name).map(|(_, inner)| inner);
            let listed =
                wanted.fields.as_ref().is_none_or(|fields| fields.iter().any(|f| f == name));
            if !listed && include.is_none() {
                continue;
            }
            let column = world.column(place.entity, field);
            let output = match (target, include) {
                (Some((target, visible)), Some(inner)) => {
                    building.joins.push(Join {
                        table: world.schema.table(target).clone(),
                        source: place.source,
                        column,
                        condition: visible,
                    });
                    let source = building.joins.len();
                    let place = Place { entity: target, source, ..place };
                    Output::Reference { source, object: self.members(place, inner, building) }
                }
                _ => Output::Column { source: place.source, column },
            };
            object.fields.push(with_guard(Field::new(name, output), guard));
        }
        for &part in &entity.parts {
            let Some(part_of) = world.model.part_of(part) else { continue };
            let guard = grants.as_ref().map_or(Guard::Never, |grants| grants.part(part));
            if guard == Guard::Never {
                continue;
            }
            includable.push(&part_of.name);
            let Some((_, inner)) = wanted.includes.iter().find(|(n, _)| *n == part_of.name) else {
                continue;
            };
            let read = self.parts(part, part_of.maximum, inner, place.level);
            let output =
                Output::Parts(Box::new(Parts { source: place.source, read: Arc::new(read) }));
            object.fields.push(with_guard(Field::new(&part_of.name, output), guard));
        }
        self.unknown_names(wanted, &known, &includable);
        object
    }

    /// Reads all parts of one root, the level's root key in the bind behind all others.
    fn parts(&mut self, part: EntityId, maximum: u32, wanted: &Wanted, level: usize) -> Read {
        let table = self.world.schema.table(part).clone();
        let root_bind = self.outer_binds + level;
        let (output, joins) = self.object_at(part, wanted, level + 1);
        let root = table.root.unwrap_or(0);
        Read {
            id: ReadId::fresh(),
            joins,
            filter: Expression::equal(Expression::column(root), Expression::Bind(root_bind)),
            order: vec![Order { column: table.own_key(), descending: false }],
            cardinality: Cardinality::Bounded(maximum),
            output,
            root_bind: Some(root_bind),
            index: None,
            table,
        }
    }

    fn unknown_names(&mut self, wanted: &Wanted, known: &[&str], includable: &[&str]) {
        for (name, _) in &wanted.includes {
            if !includable.contains(&name.as_str()) {
                let detail = match includable {
                    [] => format!("`{name}` cannot be included; nothing can be here"),
                    _ => {
                        format!("`{name}` cannot be included; what can: {}", includable.join(", "))
                    }
                };
                self.faults.push(Violation::parameter(FaultCode::NotIncludable, "include", detail));
            }
        }
        for name in wanted.fields.iter().flatten() {
            if !known.contains(&name.as_str()) {
                let hint = if includable.contains(&name.as_str()) { "include it; " } else { "" };
                self.faults.push(Violation::parameter(
                    FaultCode::UnknownField,
                    "fields",
                    format!("there is no field `{name}`; {hint}fields are: {}", known.join(", ")),
                ));
            }
        }
    }
}

fn with_guard(mut field: Field, guard: Guard) -> Field {
    if let Guard::When(condition) = guard {
        field.condition = Some(condition);
    }
    field
}

/// The read grants of an entity; `None` for a part, whose rows are seen where its root lets them be.
pub(crate) fn read_grants<'a>(
    world: World<'a>,
    entity: EntityId,
    roles: Roles,
    binder: &mut Binder,
) -> Option<Grants<'a>> {
    world.model.part_of(entity).is_none().then(|| world.grants(entity, Action::Read, roles, binder))
}

/// Where a field may be read, given that its row may: `None` for never. A key is part of its row's name.
pub(crate) fn field_guard(
    world: World<'_>,
    entity: EntityId,
    field: FieldId,
    grants: Option<&Grants<'_>>,
) -> Option<Guard> {
    if world.model[field].secret {
        return None;
    }
    match grants {
        None => Some(Guard::Always),
        Some(_) if world.model[entity].key == field => Some(Guard::Always),
        Some(grants) => Some(grants.field(field)).filter(|guard| *guard != Guard::Never),
    }
}

/// The entity a reference leads to and where its rows are visible, if it can be included: it belongs to the same
/// service, and the roles may see some of it.
fn includable_target(
    world: World<'_>,
    entity: EntityId,
    field: FieldId,
    roles: Roles,
    binder: &mut Binder,
) -> Option<(EntityId, Expression)> {
    let target = world.model[field].ty.as_entity()?;
    let joinable = world.model[target].service == world.model[entity].service
        && world.model.part_of(target).is_none();
    let visible = joinable.then(|| world.grants(target, Action::Read, roles, binder))?.any();
    (visible != Expression::no()).then_some((target, visible))
}
