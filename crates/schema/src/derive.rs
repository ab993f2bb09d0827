//! The tables of a model.

use std::collections::HashSet;
use std::sync::Arc;

use model::{
    Entity, EntityId, EntityKind, ExpressionKind, Field, FieldId, Model, Type, Valid, snake_case,
};
use operation::{Column, ForeignKey, Ident, OnDelete, Scalar, Table, TableId, Unique, Value};

use crate::{ColumnOrigin, Fill, Index, Meaning, Origin, Schema, cover};

/// The tables of a model.
///
/// A root is a table keyed by its key with a hidden `row_version` at its end; a part is a table whose first column
/// holds its root's key. References inside one service are enforced by the database, those across services are not:
/// the other service may live elsewhere tomorrow.
pub fn derive(model: &Valid<Model>) -> Schema {
    let model: &Model = model;
    let names = table_names(model);
    let mut columns = vec![None; model.fields.len()];
    let mut tables = Vec::with_capacity(model.entities.len());
    let mut origins = Vec::with_capacity(model.entities.len());
    let mut indexes = Vec::new();
    // Names of indexes are global to a database.
    let mut index_names = Names::default();
    for id in model.entity_ids() {
        let (mut table, origin) = lay_out(model, id, &names, &mut columns);
        let entity = &model[id];
        for unique in &entity.uniques {
            let of = positions(&columns, unique.fields.iter().copied());
            let name = index_name(&mut index_names, "ux", &table, of.iter().map(|at| (*at, false)));
            table.uniques.push(Unique { name, columns: of });
        }
        indexes_of(model, id, &mut table, &columns, &mut index_names, &mut indexes);
        tables.push(Arc::new(table));
        origins.push(origin);
    }
    Schema { tables, indexes, origins, columns }
}

/// Hands out names that SQLite, which compares names without case, can tell apart.
#[derive(Default)]
struct Names(HashSet<String>);

impl Names {
    fn take(&mut self, wanted: &str) -> Ident {
        let mut name = Ident::fit(wanted);
        let mut number = 2;
        while !self.0.insert(name.as_str().to_lowercase()) {
            name = Ident::fit(&format!("{wanted}_{number}"));
            number += 1;
        }
        name
    }
}

fn table_names(model: &Model) -> Vec<Ident> {
    let mut names = Names::default();
    // Stored names that were written down come first: they may not give way.
    let given: Vec<Option<Ident>> = model
        .entities
        .iter()
        .map(|entity| entity.stored_as.as_ref().map(|name| names.take(name)))
        .collect();
    model
        .entities
        .iter()
        .zip(given)
        .map(|(entity, given)| {
            given.unwrap_or_else(|| names.take(&plain_name(model, entity, &entity.name)))
        })
        .collect()
}

/// `entity`, or `service_entity` where two services have an entity of that name.
fn plain_name(model: &Model, entity: &Entity, name: &str) -> String {
    let shared = model.entities.iter().filter(|other| other.name == name).count() > 1;
    let service = &model.services[entity.service.index()].name;
    if shared && !service.is_empty() {
        format!("{}_{}", snake_case(service), snake_case(name))
    } else {
        snake_case(name)
    }
}

/// The table of one entity, its uniques left out.
fn lay_out(
    model: &Model,
    id: EntityId,
    names: &[Ident],
    columns_of: &mut [Option<usize>],
) -> (Table, Origin) {
    let entity = &model[id];
    let mut taken = Names::default();
    let mut columns = Vec::with_capacity(entity.fields.len() + 1);
    let mut origin = Origin { was: former_names(model, entity), ..Origin::default() };
    let mut foreign_keys = Vec::new();
    let mut key = Vec::new();
    let mut root = None;
    let mut auto = None;

    let root_entity = match &entity.kind {
        EntityKind::Part(part) => Some(part.root),
        EntityKind::Root => None,
    };
    if let Some(root_id) = root_entity {
        let field = snake_case(&model[root_id].name);
        let scalar = model.scalar(&Type::Entity(root_id)).unwrap_or(Scalar::Int);
        columns.push(Column {
            name: taken.take(&field),
            field: field.into(),
            scalar,
            nullable: false,
            native: None,
        });
        let was = model[root_id].was.as_ref().map(|was| Ident::fit(&snake_case(was)));
        origin.columns.push(ColumnOrigin::plain(was, scalar));
        foreign_keys.push(ForeignKey {
            column: 0,
            target: TableId(root_id.0),
            on_delete: OnDelete::Cascade,
        });
        key.push(0);
        root = Some(0);
    }
    for field_id in &entity.fields {
        let field = &model[*field_id];
        let at = columns.len();
        columns_of[field_id.index()] = Some(at);
        let scalar = model.scalar(&field.ty).unwrap_or(Scalar::Text);
        columns.push(Column {
            name: taken.take(field.stored_as.as_deref().unwrap_or(&field.name)),
            field: field.name.as_str().into(),
            scalar,
            nullable: field.optional && !field.is_key,
            native: None,
        });
        origin.columns.push(column_origin(model, field, scalar));
        if field.is_key || field.is_position || *field_id == entity.key {
            key.push(at);
            if matches!(field.default, Some(model::Default::Auto)) {
                auto = Some(at);
            }
        }
        foreign_keys.extend(foreign_key(model, entity, field, at));
    }
    if let Some(at) = auto {
        key = vec![at];
    }
    let version = root_entity.is_none().then(|| {
        columns.push(Column {
            name: taken.take("row_version"),
            field: "".into(),
            scalar: Scalar::Int,
            nullable: false,
            native: None,
        });
        let mut hidden = ColumnOrigin::plain(None, Scalar::Int);
        hidden.fill = Fill::Value(Value::Int(1));
        origin.columns.push(hidden);
        columns.len() - 1
    });
    // A key that a token names must never come to mean somebody else.
    origin.never_again = auto.is_some() && model.auth.users.iter().any(|user| user.entity == id);
    let table = Table {
        id: TableId(id.0),
        name: names[id.index()].clone(),
        entity: entity.name.as_str().into(),
        columns,
        key,
        root,
        auto,
        version,
        uniques: Vec::new(),
        foreign_keys,
        tracked: Vec::new(),
    };
    (table, origin)
}

fn former_names(model: &Model, entity: &Entity) -> Vec<Ident> {
    // A table may also have borne the plain name before another service took an entity of the same name.
    let mut names = vec![Ident::fit(&snake_case(&entity.name))];
    if let Some(was) = &entity.was {
        names.insert(0, Ident::fit(&plain_name(model, entity, was)));
    }
    names
}

/// The reference that the database can enforce: inside one service, to a key that is one column.
fn foreign_key(model: &Model, entity: &Entity, field: &Field, column: usize) -> Option<ForeignKey> {
    let Type::Entity(target) = field.ty else { return None };
    let to = &model[target];
    let single = match to.kind {
        EntityKind::Root => true,
        EntityKind::Part(_) => matches!(model[to.key].default, Some(model::Default::Auto)),
    };
    (single && to.service == entity.service).then_some(ForeignKey {
        column,
        target: TableId(target.0),
        on_delete: match field.on_delete {
            model::OnDelete::Restrict => OnDelete::Restrict,
            model::OnDelete::Cascade => OnDelete::Cascade,
            model::OnDelete::Clear => OnDelete::Clear,
        },
    })
}

impl ColumnOrigin {
    fn plain(was: Option<Ident>, scalar: Scalar) -> Self {
        Self {
            was,
            half: None,
            meaning: Meaning::Scalar(scalar),
            renamed_labels: Vec::new(),
            fill: Fill::Unknown,
            computed: false,
        }
    }
}

fn column_origin(model: &Model, field: &Field, scalar: Scalar) -> ColumnOrigin {
    let was = field.was.as_ref().map(|was| Ident::fit(was));
    let (was, half) = match (was, field.half.clone()) {
        (Some(was), Some(half)) => (None, Some((was, half))),
        (was, _) => (was, None),
    };
    let mut origin = ColumnOrigin::plain(was, scalar);
    origin.half = half;
    if let Type::Enum(id) = field.ty {
        let values = &model[id].values;
        origin.meaning = Meaning::Labels(values.iter().map(|value| value.name.clone()).collect());
        origin.renamed_labels = values
            .iter()
            .filter_map(|value| Some((value.was.clone()?, value.name.clone())))
            .collect();
    }
    origin.fill = match &field.default {
        Some(model::Default::Expression(expression)) => match &expression.kind {
            ExpressionKind::Literal(value) if !value.is_null() => Fill::Value(value.clone()),
            ExpressionKind::EnumValue(id, at) => model[*id]
                .values
                .get(*at)
                .map_or(Fill::Unknown, |value| Fill::Value(Value::text(value.name.as_str()))),
            ExpressionKind::Now if scalar == Scalar::Timestamp => Fill::Now,
            _ => Fill::Unknown,
        },
        _ => Fill::Unknown,
    };
    origin.computed = field.computed.is_some();
    // A computed value is computed once the column is there; until then anything of its type will do.
    if field.computed.is_some() && !field.optional {
        origin.fill = Fill::Value(zero(scalar));
    }
    origin
}

fn zero(scalar: Scalar) -> Value {
    match scalar {
        Scalar::Bool
        | Scalar::Int
        | Scalar::Decimal { .. }
        | Scalar::Date
        | Scalar::Time
        | Scalar::Timestamp
        | Scalar::Duration => Value::Int(0),
        Scalar::Float => Value::Float(0.0),
        Scalar::Text => Value::text(""),
        Scalar::Json => Value::text("null"),
        Scalar::Uuid => Value::Uuid([0; 16]),
        Scalar::Bytes => Value::Bytes(Box::default()),
    }
}

fn positions(columns: &[Option<usize>], fields: impl Iterator<Item = FieldId>) -> Vec<usize> {
    fields.filter_map(|field| columns.get(field.index()).copied().flatten()).collect()
}

fn indexes_of(
    model: &Model,
    id: EntityId,
    table: &mut Table,
    columns: &[Option<usize>],
    names: &mut Names,
    indexes: &mut Vec<Index>,
) {
    let entity = &model[id];
    let mut leading: Vec<usize> = table.key.first().copied().into_iter().collect();
    leading.extend(table.uniques.iter().filter_map(|unique| unique.columns.first().copied()));
    for index in &entity.indexes {
        let keys: Vec<(usize, bool)> = index
            .keys
            .iter()
            .filter_map(|(field, down)| Some((columns.get(field.index()).copied()??, *down)))
            .collect();
        leading.extend(keys.first().map(|(at, _)| *at));
        let fields: Vec<FieldId> = index.keys.iter().map(|(field, _)| *field).collect();
        let carried = positions(columns, cover::carried(model, id, &fields).into_iter());
        push_index(table, keys, carried, false, names, indexes);
    }
    // References across services have no foreign key and are looked up all the same.
    let mut references: Vec<usize> = table.foreign_keys.iter().map(|key| key.column).collect();
    references.extend(table.root);
    references.extend(positions(
        columns,
        entity.fields.iter().copied().filter(|field| model[*field].ty.as_entity().is_some()),
    ));
    references.sort_unstable();
    references.dedup();
    for at in &references {
        let target = entity.fields.iter().find(|field| columns[field.index()] == Some(*at));
        let target = target.and_then(|field| model[*field].ty.as_entity());
        let wanted = target.is_none_or(|target| cover::is_looked_up(model, entity, target));
        if wanted && !leading.contains(at) {
            push_index(table, vec![(*at, false)], Vec::new(), true, names, indexes);
        }
    }
    table.tracked = table.key.iter().copied().chain(references).chain(leading).collect();
    table.tracked.sort_unstable();
    table.tracked.dedup();
}

fn push_index(
    table: &Table,
    mut columns: Vec<(usize, bool)>,
    carried: Vec<usize>,
    automatic: bool,
    names: &mut Names,
    indexes: &mut Vec<Index>,
) {
    if columns.is_empty() {
        return;
    }
    let name = index_name(names, "ix", table, columns.iter().copied());
    columns.extend(carried.into_iter().map(|at| (at, false)));
    indexes.push(Index { name, table: table.id, columns, automatic });
}

fn index_name(
    names: &mut Names,
    prefix: &str,
    table: &Table,
    columns: impl Iterator<Item = (usize, bool)>,
) -> Ident {
    let mut name = format!("{prefix}_{}", table.name);
    for (at, descending) in columns {
        name.push('_');
        name.push_str(table.columns[at].name.as_str());
        if descending {
            name.push_str("_desc");
        }
    }
    names.take(&name)
}
