//! The formulas of a model as text, to see whether one has changed.

use std::collections::BTreeMap;

use model::{EntityId, Model};

use crate::condition;
use crate::diff::qualified;

/// Of each aggregate that computes something, by the name of its root with that of its service: a text that differs whenever a
/// formula or its type does, whatever else changes in the model.
pub fn formulas(model: &Model) -> BTreeMap<String, String> {
    let mut formulas = BTreeMap::new();
    for root in model.entity_ids().filter(|entity| model.part_of(*entity).is_none()) {
        let mut members: Vec<EntityId> = vec![root];
        members.extend(&model[root].parts);
        let mut lines = Vec::new();
        for entity in members {
            for field in model[entity].fields.iter().map(|field| &model[*field]) {
                let Some(formula) = &field.computed else { continue };
                let formula = condition::written(model, &[], formula);
                let scalar = model.scalar(&field.ty);
                let (entity, name) = (&model[entity].name, &field.name);
                lines.push(format!("{entity}.{name}: {scalar:?} := {formula}\n"));
            }
        }
        // Where a field stands changes no value.
        lines.sort_unstable();
        if !lines.is_empty() {
            let name = qualified(model, model[root].service, &model[root].name);
            formulas.insert(name, lines.concat());
        }
    }
    formulas
}
