//! Lists, read once: a loop looks at them, and so does who foresees what the loop will look at.

use std::sync::Arc;

use operation::{Fault, Member, Scalar, Tree, Value};

use super::{Database, Running, ill_formed};

/// How many are kept.
const LISTS: usize = 8;

/// A list, read.
pub(super) struct List {
    /// As which text it is kept.
    text: Value,
    /// The bind that its loop fills.
    bind: usize,
    /// What each element fills: that bind, or one for each member.
    elements: Vec<Value>,
    /// How many values that are for each.
    width: usize,
}

impl List {
    pub fn elements(&self) -> impl Iterator<Item = &[Value]> {
        self.elements.chunks_exact(self.width)
    }
}

impl<D: Database> Running<'_, '_, D> {
    /// The elements of a list, for the loop that fills a bind and those of the members.
    pub(super) fn list(
        &mut self,
        list: &Value,
        scalar: Scalar,
        bind: usize,
        members: &[Member],
    ) -> Result<Arc<List>, Fault> {
        if let Some(known) = self.lists.iter().find(|it| it.bind == bind && it.text == *list) {
            return Ok(known.clone());
        }
        let Value::Text(text) = list else { return Err(ill_formed("no list")) };
        let tree = operation::parse_json(text.as_bytes()).map_err(Fault::Internal)?;
        let Tree::List(items) = tree else { return Err(ill_formed("no list")) };
        let width = members.len().max(1);
        let mut elements = Vec::with_capacity(width * items.len());
        for item in &items {
            if members.is_empty() {
                let value = scalar.of_json(item);
                elements.push(value.map_err(|_| ill_formed("a list of other values"))?);
            }
            for member in members {
                elements.push(member_of(item, member)?);
            }
        }
        if self.lists.len() == LISTS {
            self.lists.clear();
        }
        let read = Arc::new(List { text: list.clone(), bind, elements, width });
        self.lists.push(read.clone());
        Ok(read)
    }

    /// Fills what an element fills.
    pub(super) fn take(&mut self, element: &[Value], bind: usize, members: &[Member]) {
        if members.is_empty() {
            self.fill(bind, element.first().cloned().unwrap_or_default());
            return;
        }
        self.fill(bind, Value::Null);
        for (member, value) in members.iter().zip(element) {
            self.fill(member.bind, value.clone());
        }
    }
}

/// What a member of an object holds; null where there is none.
pub(super) fn member_of(
    object: &Tree<'_>,
    Member { path, scalar, .. }: &Member,
) -> Result<Value, Fault> {
    let mut at = Some(object);
    for name in path {
        at = match at {
            Some(Tree::Object(members)) => {
                members.iter().find(|(known, _)| **known == **name).map(|(_, tree)| tree)
            }
            _ => None,
        };
    }
    let value = at.map_or(Ok(Value::Null), |tree| scalar.of_json(tree));
    value.map_err(|_| ill_formed("a value object of another form"))
}
