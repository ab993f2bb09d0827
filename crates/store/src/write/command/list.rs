//! Lists, read once: a loop looks at them, and so does who foresees what the loop will look at.

use std::sync::Arc;

use operation::{Fault, List, Member, Scalar, Value};

use super::{Database, Running};

/// How many are kept.
const LISTS: usize = 8;

impl<D: Database> Running<'_, '_, D> {
    /// The elements of a list, for the loop that fills a bind and those of the members.
    pub(super) fn list(
        &mut self,
        list: &Value,
        scalar: Scalar,
        bind: usize,
        members: &[Member],
    ) -> Result<Arc<List>, Fault> {
        if let Some(known) = self.lists.iter().find(|known| known.is(list, bind)) {
            return Ok(known.clone());
        }
        let read = Arc::new(List::read(list, bind, scalar, members)?);
        if self.lists.len() == LISTS {
            self.lists.clear();
        }
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
