//! The tables of a model.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use model::{
    Entity, EntityId, EntityKind, ExpressionKind, Field, FieldId, Model, Type, Valid, snake_case,
};
use operation::{
    Column, Dialect, ForeignKey, Ident, OnDelete, Scalar, Table, TableId, Unique, Value,
};

use crate::{ColumnOrigin, Fill, Index, Meaning, Origin, Schema, cover};

/// The tables of a model on a database of this kind.
///
/// A root is a table keyed by its key with a hidden `row_version` at its end; a part is a table whose first column
/// holds its root's key. References inside one service are enforced by the database, those across services are not:
/// the other service may live elsewhere tomorrow. On PostgreSQL the tables of a service that has a name stand in a schema
/// of that name; SQLite has no schemas.
pub fn derive(model: &Valid<Model>, dialect: Dialect) -> Schema {
    let model: &Model = model;
    let names = table_names(model, dialect);
    let mut columns = vec![None; model.fields.len()];
    let mut tables = Vec::with_capacity(model.entities.len());
    let mut origins = Vec::with_capacity(model.entities.len());
    let mut indexes = Vec::new();
    // Names of indexes are global to a schema, or to a database that has none.
    let mut index_names: HashMap<Option<String>, Names> = HashMap::new();
    for id in model.entity_ids() {
        let (mut table, origin) = lay_out(model, id, &names, &mut columns);
        let index_names = index_names.entry(table.name.schema().map(str::to_owned)).or_default();
        let entity = &model[id];
        for unique in &entity.uniques {
            let of = positions(&columns, unique.fields.iter().copied());
            let name = index_name(index_names, "ux", &table, of.iter().map(|at| (*at, false)));
            table.uniques.push(Unique { name, columns: of });
        }
        indexes_of(model, id, &mut table, &columns, index_names, &mut indexes);
        tables.push(table);
        origins.push(origin);
    }
    rank(&mut tables);
    let tables = tables.into_iter().map(Arc::new).collect();
    Schema { tables, indexes, origins, columns }
}

/// Gives each table its place behind those that it refers to, else in the order of the model. In a circle the one that is met first comes last.
fn rank(tables: &mut [Table]) {
    let mut seen = vec![false; tables.len()];
    let mut rank = 0;
    for first in 0..tables.len() {
        if std::mem::replace(&mut seen[first], true) {
            continue;
        }
        // Those on the way, each with how many of its references were followed.
        let mut way = vec![(first, 0)];
        while let Some((at, followed)) = way.last_mut() {
            let table = &mut tables[*at];
            let Some(key) = table.foreign_keys.get(*followed) else {
                table.rank = rank;
                rank += 1;
                way.pop();
                continue;
            };
            *followed += 1;
            let target = key.target.0 as usize;
            if !std::mem::replace(&mut seen[target], true) {
                way.push((target, 0));
            }
        }
    }
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

fn table_names(model: &Model, dialect: Dialect) -> Vec<Ident> {
    let schemas = match dialect {
        Dialect::Postgres => service_schemas(model),
        Dialect::Sqlite => vec![None; model.services.len()],
    };
    let schema = |entity: &Entity| schemas[entity.service.index()].as_ref();
    let mut names: HashMap<Option<&Ident>, Names> = HashMap::new();
    let mut take = |entity: &Entity, wanted: &str| {
        let schema = schema(entity);
        let name = names.entry(schema).or_default().take(wanted);
        schema.map_or_else(|| name.clone(), |schema| Ident::within(schema.as_str(), name.as_str()))
    };
    // Stored names that were written down come first: they may not give way.
    let given: Vec<Option<Ident>> = model
        .entities
        .iter()
        .map(|entity| entity.stored_as.as_ref().map(|name| take(entity, name)))
        .collect();
    model
        .entities
        .iter()
        .zip(given)
        .map(|(entity, given)| {
            given.unwrap_or_else(|| match dialect {
                Dialect::Postgres => take(entity, &snake_case(&entity.name)),
                Dialect::Sqlite => take(entity, &plain_name(model, entity, &entity.name)),
            })
        })
        .collect()
}

/// The PostgreSQL schema of each service; `None` for what belongs to no service.
fn service_schemas(model: &Model) -> Vec<Option<Ident>> {
    let mut names = Names::default();
    for reserved in RESERVED {
        names.take(reserved);
    }
    let named = |name: &str| {
        let name = snake_case(name);
        // PostgreSQL keeps every name that begins so for itself.
        if name.starts_with("pg_") { format!("service_{name}") } else { name }
    };
    let services = model.services.iter();
    services
        .map(|service| (!service.name.is_empty()).then(|| names.take(&named(&service.name))))
        .collect()
}

/// Schemas that are not a service's: PostgreSQL's, the one of what belongs to no service, and Mimar's own.
const RESERVED: &[&str] = &["public", "information_schema", "mimar"];

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
    let name = names[id.index()].clone();
    let mut origin = Origin { was: former_names(model, entity, &name), ..Origin::default() };
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
        rank: id.0,
        name,
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

/// Names that the table may have had, the likeliest first.
fn former_names(model: &Model, entity: &Entity, name: &Ident) -> Vec<Ident> {
    let mut names = Vec::new();
    for called in entity.was.iter().chain([&entity.name]) {
        // In the same service, and where tables of every service once stood.
        if name.schema().is_some() {
            names.push(name.beside(&snake_case(called)));
        }
        names.push(Ident::fit(&plain_name(model, entity, called)));
    }
    if let Some(stored) = &entity.stored_as {
        names.push(Ident::fit(stored));
    }
    // A table may also have borne the plain name before another service took an entity of the same name.
    names.push(Ident::fit(&snake_case(&entity.name)));
    names.retain(|former| former != name);
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
        (Some(was), Some(half)) => (None, Some((was, *half))),
        (was, _) => (was, None),
    };
    let mut origin = ColumnOrigin::plain(was, scalar);
    origin.half = half;
    if let Type::Enum(id) = field.ty {
        let values = &model[id].values;
        origin.meaning =
            Meaning::Labels(values.iter().map(|value| value.name.to_string()).collect());
        origin.renamed_labels = values
            .iter()
            .filter_map(|value| Some((value.was.clone()?, value.name.to_string())))
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
    let mut name = format!("{prefix}_{}", table.name.as_str());
    for (at, descending) in columns {
        name.push('_');
        name.push_str(table.columns[at].name.as_str());
        if descending {
            name.push_str("_desc");
        }
    }
    table.name.beside(names.take(&name).as_str())
}
