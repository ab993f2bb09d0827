//! `mimar openapi`

use std::fs;

use crate::arguments::Openapi;
use crate::failure::Failure;
use crate::project::Project;
use crate::screen;

pub(crate) fn run(arguments: &Openapi) -> Result<(), Failure> {
    let (_, model) = Project::read(&arguments.path)?.valid()?;
    let document = contract::openapi(&contract::derive(&model));
    let text = format!("{document:#}\n");
    match &arguments.output {
        Some(path) => fs::write(path, text).map_err(Failure::file("write", path)),
        None => {
            screen::out(&text);
            Ok(())
        }
    }
}
