//! Declaring the fields of one entity again, in the place of those it had.

use std::ops::Range;

use rustc_hash::FxHashMap;
use syntax::ast;

use crate::check::checked::Checked;
use crate::check::context::{Before, Context};
use crate::check::{entity, members};
use crate::visit::{Visit, Visitor};
use crate::{EntityId, EnumId, FieldId};

impl Checked {
    /// Declares the fields of an entity anew, with all that is said of them, and puts them where the old ones were.
    pub(super) fn fields<'a>(&mut self, cx: &mut Context<'a>, id: EntityId, view: ast::Entity<'a>) {
        let (Some(first), Some(behind)) =
            (self.befores.get(id.index()).copied(), self.befores.get(id.index() + 1).copied())
        else {
            return;
        };
        (cx.model, cx.said) = (std::mem::take(&mut self.model), std::mem::take(&mut self.said));
        // Nothing asks for what declared the others.
        cx.source.fields.resize(cx.model.fields.len(), None);
        let before = cx.sizes();
        let mut names = FxHashMap::default();
        members::entity_fields(cx, id, view, &mut names);
        members::resolve_pending(cx);
        members::check_entity(cx, id, view);
        entity::values(cx, id);
        let after = cx.sizes();

        let mut moved = Moved {
            fields: Piece::new(
                first.fields..behind.fields,
                before.fields..after.fields,
                &cx.model.fields,
                |field| &field.name,
            ),
            enums: Piece::new(
                first.enums..behind.enums,
                before.enums..after.enums,
                &cx.model.enums,
                |it| &it.name,
            ),
        };
        moved.fields.splice(&mut cx.model.fields);
        moved.fields.splice(&mut cx.said);
        moved.enums.splice(&mut cx.model.enums);
        if moved.changes_others() {
            cx.model.visit(&mut moved);
            cx.uses.bindings.iter_mut().for_each(|it| it.value.visit(&mut moved));
            self.uses.bindings.iter_mut().for_each(|it| it.value.visit(&mut moved));
            for Before { fields, enums } in self.befores.iter_mut().skip(id.index() + 1) {
                *fields = moved.fields.boundary(*fields);
                *enums = moved.enums.boundary(*enums);
            }
        } else {
            // As many as before: only these themselves have moved.
            if let Some(entity) = cx.model.entities.get_mut(id.index()) {
                entity.visit(&mut moved);
            }
            let places = first.fields as usize..behind.fields as usize;
            let fields = cx.model.fields.get_mut(places).unwrap_or_default();
            fields.iter_mut().for_each(|field| field.visit(&mut moved));
        }
        (self.model, self.said) = (std::mem::take(&mut cx.model), std::mem::take(&mut cx.said));
    }
}

/// Rows of a table that were made at its end, and the rows in whose place they go.
struct Piece {
    old: Range<u32>,
    new: Range<u32>,
    /// For each old row the place of the new one of its name.
    kept: Vec<u32>,
}

impl Piece {
    fn new<T>(old: Range<u32>, new: Range<u32>, table: &[T], name: fn(&T) -> &str) -> Self {
        let rows = |range: &Range<u32>| {
            table.get(range.start as usize..range.end as usize).unwrap_or_default()
        };
        let (before, after) = (rows(&old), rows(&new));
        let kept = (old.start..).zip(before).map(|(own, row)| {
            let same = after.iter().position(|it| name(it) == name(row));
            same.map_or(own, |at| old.start + at as u32)
        });
        Self { kept: kept.collect(), old, new }
    }

    fn splice<T>(&self, table: &mut Vec<T>) {
        let new = table.split_off((self.new.start as usize).min(table.len()));
        let places = self.old.start as usize..self.old.end as usize;
        table.splice(places, new);
    }

    /// Where rows begin now that began behind the old ones.
    fn boundary(&self, at: u32) -> u32 {
        at - (self.old.end - self.old.start) + (self.new.end - self.new.start)
    }

    /// Where a row is now. What uses one of a name that is gone is checked again.
    fn of(&self, id: u32) -> u32 {
        let count = self.new.end - self.new.start;
        if self.old.contains(&id) {
            self.kept.get((id - self.old.start) as usize).copied().unwrap_or(id)
        } else if self.new.contains(&id) {
            self.old.start + (id - self.new.start)
        } else if id >= self.old.end && id < self.new.start {
            id - self.old.end + self.old.start + count
        } else {
            id
        }
    }
}

/// Fields and enums that have moved in their tables.
struct Moved {
    fields: Piece,
    enums: Piece,
}

impl Moved {
    /// Whether others have moved too.
    fn changes_others(&self) -> bool {
        [&self.fields, &self.enums].iter().any(|piece| {
            let stay = piece.kept.iter().zip(piece.old.clone()).all(|(now, was)| *now == was);
            !stay || piece.old.len() != piece.new.len()
        })
    }
}

impl Visitor for Moved {
    const IDS: bool = true;

    fn span(&mut self, _: &mut syntax::Span) {}

    fn field(&mut self, id: &mut FieldId) {
        id.0 = self.fields.of(id.0);
    }

    fn enumeration(&mut self, id: &mut EnumId) {
        id.0 = self.enums.of(id.0);
    }
}
