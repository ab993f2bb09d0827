//! The chores of the house: `cargo xtask test` is all that CI runs.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to whoever ran it")]

mod bench;
mod docs;
mod fault;
mod grammar;
mod install;
mod migrate;
mod place;
mod step;
mod suite;
mod tally;
mod tidy;

use std::process::ExitCode;

const HELP: &str = "\
The chores of the house.

Usage: cargo xtask CHORE

  test    all that CI runs: format, tidy, clippy, every test, the torture of a real server, Schemathesis, a browser.
          The last line counts the tests: `N passed, 0 failed`.
  tidy    what no compiler checks: rooms, names, sizes, places, links
  docs    writes docs/language.md anew from what the code knows
  grammar writes what is generated of editors/tree-sitter-mimar anew from its grammar.js (needs Node.js); with `--check` it only
          compares
  migrate changes a table of a million rows under 200 requests per second of an old and a new client, and holds their p99 to
          twice the quiet one: on a machine that does nothing else
  bench   measures against the hand-written server and writes bench/RESULTS.md; arguments are passed on

Environment
  CARGO_TARGET_DIR     where cargo builds (.ci/run sets a folder that checkouts share)
  MIMAR_CACHE          where installed tools are kept (otherwise the user's cache folder)
  MIMAR_SEED           the seed of the torture tests and of Schemathesis, each of which prints the one it used, and of commands that
                       are written at random (otherwise 1)
  MIMAR_SCHEMATHESIS   the program `schemathesis`, if it should not be installed
  MIMAR_MCP_PYTHON     a Python that has the package `mcp`, if it should not be installed
  MIMAR_SQUAWK         the program `squawk`, if it should not be installed
  MIMAR_NODE_TOOLS     a folder whose node_modules has @asyncapi/parser, cloudevents, standardwebhooks and
                       @microsoft/jest-sarif, if they should not be installed
  MIMAR_CHROMIUM       the program `chromium`, if it should not be installed
  MIMAR_POSTGRES       the folder of PostgreSQL's programs, if it should not be installed
  MIMAR_NATS           the program `nats-server`, if it should not be installed
  MIMAR_RABBITMQ       the program `rabbitmq-server`, if it should not be installed
  MIMAR_REDIS          the program `redis-server`, if it should not be installed
  MIMAR_WRK            the program `wrk`, for `bench`, if it should not be installed

Exit codes: 0 all is well, 1 something failed, 2 the chore was not understood.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["test"] => suite::run(),
        ["tidy"] => tidy::run(),
        ["docs"] => docs::write(),
        ["grammar"] => grammar::write(),
        ["grammar", "--check"] => grammar::verify(),
        ["bench", rest @ ..] => bench::run(rest),
        ["migrate"] => migrate::run(),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        unknown => {
            eprintln!("no such chore: `{}`\n\n{HELP}", unknown.join(" "));
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}
