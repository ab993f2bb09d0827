//! `mimar completions`

use clap::CommandFactory as _;

use crate::arguments::{Arguments, Completions};
use crate::screen;

pub(crate) fn run(arguments: &Completions) {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "mimar", &mut script);
    screen::out(&String::from_utf8_lossy(&script));
}
