//! A server in a program of one's own, which does commands by code.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::Parser as _;
use engine::{Handlers, Transaction};
use model::{Model, Valid};
use operation::Fault;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::arguments::ServeOwn;
use crate::command::serve;
use crate::failure::Failure;
use crate::project::Project;
use crate::screen;

/// A model, and the code that does what it leaves to code.
pub struct Server {
    project: Project,
    model: Valid<Model>,
    handlers: Handlers,
}

/// Why a server ended, or did not begin; what was shown already is not in it.
pub struct Error(Failure);

impl Server {
    /// Reads the model at a path, a project's folder or one file. What is wrong with it is drawn on stderr.
    ///
    /// # Errors
    /// Where it cannot be read, or is not valid.
    pub fn load(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let (project, model) = Project::read(&path.into())?.valid()?;
        Ok(Self { project, model, handlers: Handlers::default() })
    }

    /// Says what does a command that the model declares `by code`; where services have commands of one name, `service.name`.
    ///
    /// The handler is given the arguments, checked against the model, and the open transaction. What it answers must be what the model
    /// says: of an entity the key. A fault takes the transaction back.
    #[must_use]
    pub fn command<A, R, F>(mut self, name: &str, handler: F) -> Self
    where
        A: DeserializeOwned + 'static,
        R: Serialize + 'static,
        F: AsyncFn(A, &mut Transaction<'_>) -> Result<R, Fault> + Send + Sync + 'static,
    {
        self.handlers.add(name, handler);
        self
    }

    /// Serves until the process is asked to end. The command line and the environment of the process have the options of
    /// `mimar serve`.
    ///
    /// # Errors
    /// Where a command by code has no handler or a handler no such command, and whatever keeps `mimar serve` from serving.
    pub fn serve(self) -> Result<(), Error> {
        self.serve_with(std::env::args_os())
    }

    /// The same with another command line; the first of it is the name of the program.
    ///
    /// # Errors
    /// As [`Server::serve`].
    pub fn serve_with(
        self,
        arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<(), Error> {
        let arguments = ServeOwn::parse_from(arguments);
        screen::log(arguments.verbose);
        Ok(serve::serve(&self.project, self.model, &arguments.options, self.handlers)?)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("handlers", &self.handlers).finish_non_exhaustive()
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.to_string() {
            shown if shown.is_empty() => f.write_str("the model has errors"),
            text => f.write_str(&text),
        }
    }
}

/// As it is displayed: a `main` that returns it shows it to people.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}
