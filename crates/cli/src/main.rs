//! The binary `mimar`: the only place that knows every room.

mod arguments;
mod command;
mod data;
mod dev;
mod failure;
mod keys;
mod place;
mod project;
mod random;
mod review;
mod screen;
mod server;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Arguments, Asyncapi, Command, DataCommand, Openapi};
use failure::Failure;

fn main() -> ExitCode {
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
        Command::Fmt(arguments) => command::fmt::run(&arguments),
        Command::Explain(arguments) => command::explain::run(&arguments),
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
        Command::Migrate(arguments) => command::migrate::run(&arguments),
        Command::Webhook(command) => command::webhook::run(&command),
        Command::Token(arguments) => command::token::run(&arguments),
        Command::Completions(arguments) => {
            command::completions::run(&arguments);
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
