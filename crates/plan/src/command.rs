//! Commands: bodies become programs, bodies of requests become their binds.

mod arguments;
mod bounds;
mod code;
mod compile;
mod pattern;
mod received;
mod task;

use std::sync::Arc;

use model::{CommandId, EntityId};
use operation::{Command, Fault, Operation, Program, Tree, Write};

pub use code::{Coded, Coding, commands_by_code};
pub(crate) use task::named;
pub use task::{Job, Next, WEBHOOK};

use crate::condition::BindSource;
use crate::plan::{Compiled, Detail, Key, Plan, Request, What, mixed_up, refuse};
use crate::policy::reaches;
use crate::{Caller, Lowered, Reply, Roles};

/// A program, and where its binds come from.
#[derive(Debug)]
pub(crate) struct CommandTemplate {
    pub(crate) program: Arc<Program>,
    pub(crate) sources: Vec<BindSource>,
    /// Whose rows a caller may name: the position in [`Program::visible`] for each.
    pub(crate) visible: Vec<EntityId>,
}

impl Plan {
    /// A command that a caller runs.
    pub(crate) fn lower_command(
        &self,
        id: CommandId,
        key: Option<&str>,
        body: Option<&Tree<'_>>,
        caller: &Caller,
        now: i64,
    ) -> Result<Lowered, Fault> {
        let command = &self.model.commands[id.index()];
        if !command.policies.iter().any(|policy| reaches(policy, caller.roles)) {
            return Err(refuse(caller, &format!("run {}", command.name)));
        }
        let template = self.command(id, caller.roles)?;
        let request = Request { caller: Some(caller), now, ..Request::default() };
        let arguments = self.command_arguments(&template, id, key, body, request)?;
        let request = Request { parameters: &arguments.values, ..request };
        let binds = request.binds(&template.sources, 1);
        let program = Arc::clone(&template.program);
        let lists = program.lists(&binds);
        let named = arguments.named;
        let command = Command { program, binds, lists, named, now, settles: None, code: None };
        Ok(Lowered {
            operation: Operation::Write(Box::new(Write::Command(command))),
            reply: Reply::Done,
            when_empty: None,
        })
    }

    /// The program of a command for a set of roles.
    ///
    /// # Errors
    /// [`Fault::Internal`] where it cannot be compiled.
    pub fn program(&self, id: CommandId, roles: Roles) -> Result<Arc<Program>, Fault> {
        self.command(id, roles).map(|template| Arc::clone(&template.program))
    }

    fn command(&self, id: CommandId, roles: Roles) -> Result<Arc<CommandTemplate>, Fault> {
        let key = Key { what: What::Command(id), roles, detail: Detail::default() };
        let compiled =
            self.keep(key, || Ok(Compiled::Command(Arc::new(compile::compile(self, id, roles)?))))?;
        match compiled {
            Compiled::Command(template) => Ok(template),
            _ => Err(mixed_up()),
        }
    }
}
