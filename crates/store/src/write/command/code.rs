//! Code, called in a transaction, and what it may do there.

use operation::{Expression, Fault, Place, Step, Transaction, Value, Waiting};

use super::{Database, Flow, Running, Wanted, ill_formed};

impl<D: Database> Running<'_, '_, D> {
    /// Calls what does a command by code.
    pub(super) async fn call_code(
        &mut self,
        command: usize,
        arguments: &[Expression],
        bind: usize,
    ) -> Result<(), Fault> {
        let code = self.code.clone();
        let code = code.ok_or_else(|| ill_formed("a command by code, and no code"))?;
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(self.value(argument, None).await?);
        }
        let program = self.program;
        let returned = code.call(program, command, &values, self).await?;
        self.fill(bind, returned.unwrap_or_default());
        Ok(())
    }
}

impl<D: Database> Transaction for Running<'_, '_, D> {
    fn binds(&self) -> usize {
        self.binds.len()
    }

    fn carry_out<'t>(
        &'t mut self,
        steps: &'t [Step],
        binds: Vec<Value>,
    ) -> Waiting<'t, Option<Value>> {
        Box::pin(async move {
            // One turn for each, so that code is bounded as loops are.
            self.turn()?;
            let before = self.binds.len();
            self.binds.extend(binds);
            // The next has other loops under the same binds.
            self.lists.clear();
            let flow = self.steps(steps).await;
            self.lists.clear();
            self.binds.truncate(before);
            match flow? {
                Flow::Returned(value) => Ok(value),
                Flow::On => Ok(None),
            }
        })
    }

    fn row<'t>(&'t mut self, place: Place, key: &'t Value) -> Waiting<'t, Option<Vec<Value>>> {
        Box::pin(async move {
            self.turn()?;
            let table = self.table(place)?;
            self.demand([Wanted::Row(table.clone(), key.clone())]).await?;
            if !self.dirty.is_empty() {
                self.compute().await?;
            }
            Ok(self.rows.root(&table, key).and_then(|row| Some(row.new.as_deref()?.to_vec())))
        })
    }

    fn find<'t>(&'t mut self, place: Place, condition: &'t Expression) -> Waiting<'t, Vec<Value>> {
        Box::pin(async move {
            self.turn()?;
            let table = self.table(place)?;
            self.find(&table, condition).await
        })
    }

    fn parts<'t>(
        &'t mut self,
        place: Place,
        root: &'t Value,
    ) -> Waiting<'t, Vec<(Value, Vec<Value>)>> {
        Box::pin(async move {
            self.turn()?;
            let table = self.table(place)?;
            let around = Place { part: None, ..place };
            let around = self.table(around)?;
            // The root first: who holds it holds its parts.
            self.demand([Wanted::Row(around, root.clone())]).await?;
            self.demand([Wanted::Parts(table.clone(), root.clone())]).await?;
            let parts = self.rows.parts_of(&table, root).iter();
            let there = parts.filter_map(|part| Some((part.number, part.new.as_deref()?.to_vec())));
            Ok(there.map(|(number, row)| (Value::Int(number), row)).collect())
        })
    }
}
