//! Mimar as a program and as a library: the only place that knows every room.
//!
//! The program `mimar` is [`main`]. A program of one's own that does commands by code is a [`Server`] with them:
//!
//! ```no_run
//! use mimar::{Fault, Server, Transaction};
//!
//! async fn double(number: Number, _: &mut Transaction<'_>) -> Result<i64, Fault> {
//!     Ok(number.number * 2)
//! }
//!
//! #[derive(serde::Deserialize)]
//! struct Number {
//!     number: i64,
//! }
//!
//! fn main() -> Result<(), mimar::Error> {
//!     Server::load("calculator/")?.command("double", double).serve()
//! }
//! ```

mod arguments;
mod code;
mod command;
mod data;
mod dev;
mod exchange;
mod failure;
mod keys;
mod lsp;
mod mcp;
mod place;
mod project;
mod random;
mod replicas;
mod review;
mod screen;
mod server;
mod source;

use std::process::ExitCode;

use clap::Parser as _;

pub use code::{Error, Server};
pub use engine::Transaction;
pub use operation::Fault;

use arguments::{Arguments, Asyncapi, Command, DataCommand, Openapi};
use failure::Failure;

/// The program `mimar`, with the command line of this process.
pub fn main() -> ExitCode {
    // Usage faults end here with code 2, help and version with 0.
    let arguments = Arguments::parse();
    arguments.color.apply();
    screen::log(arguments.verbose);
    match run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            screen::complain(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::New(arguments) => command::new::run(&arguments),
        Command::Check(arguments) => command::check::run(&arguments),
        Command::Diff(arguments) => command::diff::run(&arguments),
        Command::Fmt(arguments) => command::fmt::run(&arguments),
        Command::Explain(arguments) => command::explain::run(&arguments),
        Command::Policy(arguments) => command::policy::run(&arguments),
        Command::Describe(arguments) => command::describe::run(&arguments),
        Command::ExplainPlan(arguments) => command::explain_plan::run(&arguments),
        Command::Dev(arguments) => dev::run(arguments),
        Command::Serve(arguments) => command::serve::run(&arguments),
        Command::Openapi(Openapi { document }) => {
            command::document::run(&document, contract::openapi)
        }
        Command::Asyncapi(Asyncapi { document }) => {
            command::document::run(&document, contract::asyncapi)
        }
        Command::Events(command) => command::events::run(&command),
        Command::Data(DataCommand::Load(arguments)) => data::command::load(&arguments),
        Command::Data(DataCommand::Dump(arguments)) => data::command::dump(&arguments),
        Command::Copy(arguments) => command::copy::run(&arguments),
        Command::Import(arguments) => command::import::run(&arguments),
        Command::Lsp(_) => command::lsp::run(),
        Command::Mcp(arguments) => command::mcp::run(&arguments),
        Command::Migrate(arguments) => command::migrate::run(&arguments),
        Command::Webhook(command) => command::webhook::run(&command),
        Command::Token(arguments) => command::token::run(&arguments),
        Command::Completions(arguments) => {
            command::completions::run(&arguments);
            Ok(())
        }
        Command::Docs(arguments) => {
            command::docs::run(&arguments);
            Ok(())
        }
        Command::Rules(arguments) => {
            command::rules::run(&arguments);
            Ok(())
        }
        Command::Reference => {
            command::reference::run();
            Ok(())
        }
    }
}
