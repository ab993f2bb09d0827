//! Which index finds the rows of a query.

use model::{FieldId, Model, QueryId};
use schema::Schema;

use super::access::{Access, Asker, Served, indexes};

/// How the rows of a query are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Serving {
    /// An index of these fields finds them in their order; without any, they come by their key.
    Index(Vec<FieldId>),
    /// An index of these fields finds them, and they are sorted afterwards.
    Unsorted(Vec<FieldId>),
    /// All rows are read.
    Scan,
}

/// How the rows of each query are found, by [`QueryId`].
#[must_use]
pub fn serving(model: &Model, schema: &Schema) -> Vec<Serving> {
    let indexes = indexes(model, schema);
    let queries = model.queries.iter().enumerate();
    let each = queries.map(|(at, query)| {
        let id = QueryId(at as u32);
        let mut access =
            Access::new(Asker::Query(id), query.entity, query.span, query.filter.as_ref());
        access.sort = &query.sort;
        access.read(model, &query.parameters);
        let known = indexes.get(query.entity.index()).map_or(&[][..], Vec::as_slice);
        let found = known
            .iter()
            .map(|index| (access.served(model, std::slice::from_ref(index)), index))
            .filter(|(served, _)| *served != Served::Not)
            // Of several, the one whose first fields are compared the furthest.
            .max_by_key(|(served, index)| {
                let compared = |field: &&FieldId| access.equal.iter().any(|(it, _)| it == *field);
                let depth = index.fields.iter().take_while(compared).count();
                (*served == Served::Whole, depth, std::cmp::Reverse(index.fields.len()))
            });
        match found {
            Some((Served::Whole, index)) => Serving::Index(index.fields.clone()),
            Some((_, index)) => Serving::Unsorted(index.fields.clone()),
            None => Serving::Scan,
        }
    });
    each.collect()
}
