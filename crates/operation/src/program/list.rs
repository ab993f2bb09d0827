//! Lists that a program goes through, read once.

use std::sync::Arc;

use super::{Member, Program, Source, Step};
use crate::{Expression, Fault, Scalar, Tree, Value, parse_json};

/// A list, read for a loop.
#[derive(Debug)]
pub struct List {
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
    /// Reads a list, for the loop that fills this bind with its elements, or those of the members.
    ///
    /// # Errors
    /// [`Fault::Internal`] where it is no list of such elements.
    pub fn read(
        list: &Value,
        bind: usize,
        scalar: Scalar,
        members: &[Member],
    ) -> Result<Self, Fault> {
        let wrong = || Fault::Internal("a list of another form".to_owned());
        let Value::Text(text) = list else { return Err(wrong()) };
        let tree = parse_json(text.as_bytes()).map_err(Fault::Internal)?;
        let Tree::List(items) = tree else { return Err(wrong()) };
        let width = members.len().max(1);
        let mut elements = Vec::with_capacity(width * items.len());
        for item in &items {
            if members.is_empty() {
                elements.push(scalar.of_json(item).map_err(|_| wrong())?);
            }
            for member in members {
                elements.push(member.of(item)?);
            }
        }
        Ok(Self { text: list.clone(), bind, elements, width })
    }

    /// Whether it is this one, read for that loop.
    pub fn is(&self, list: &Value, bind: usize) -> bool {
        self.bind == bind && self.text == *list
    }

    /// What each element fills.
    pub fn elements(&self) -> impl Iterator<Item = &[Value]> {
        self.elements.chunks_exact(self.width)
    }
}

impl Member {
    /// It, as an expression over the object.
    pub fn in_object(&self, object: &Expression) -> Expression {
        let last = self.path.len().saturating_sub(1);
        self.path.iter().enumerate().fold(object.clone(), |object, (at, name)| {
            let scalar = if at == last { self.scalar } else { Scalar::Json };
            Expression::Member { object: Box::new(object), name: name.clone(), scalar }
        })
    }

    /// What it is of an object; null where that has none.
    ///
    /// # Errors
    /// [`Fault::Internal`] where it is of another form.
    pub fn of(&self, object: &Tree<'_>) -> Result<Value, Fault> {
        let mut at = Some(object);
        for name in &self.path {
            at = match at {
                Some(Tree::Object(members)) => {
                    members.iter().find(|(known, _)| **known == **name).map(|(_, tree)| tree)
                }
                _ => None,
            };
        }
        let value = at.map_or(Ok(Value::Null), |tree| self.scalar.of_json(tree));
        value.map_err(|_| Fault::Internal("a value object of another form".to_owned()))
    }
}

impl Program {
    /// The lists among the caller's values that loops of the body go through. Whoever asks reads them, so that it is not done where
    /// all wait for each other.
    pub fn lists(&self, binds: &[Value]) -> Vec<Arc<List>> {
        let each = self.body.iter().filter_map(|step| {
            let Step::For { source: Source::List { list, scalar }, bind, members, .. } = step
            else {
                return None;
            };
            let Expression::Bind(at) = list else { return None };
            let is_sent = self.filled.get(*at) == Some(&false);
            let list = binds.get(*at).filter(|list| is_sent && !list.is_null())?;
            // What cannot be read is said when its turn comes.
            List::read(list, *bind, *scalar, members).ok().map(Arc::new)
        });
        each.collect()
    }
}
