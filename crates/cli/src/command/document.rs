//! `mimar openapi` and `mimar asyncapi`

use std::fs;

use contract::Contract;

use crate::arguments::Document;
use crate::failure::Failure;
use crate::project::Project;
use crate::screen;

pub(crate) fn run(
    arguments: &Document,
    document: fn(&Contract) -> serde_json::Value,
) -> Result<(), Failure> {
    let (_, model) = Project::read(&arguments.path)?.valid()?;
    let document = document(&contract::derive(&model));
    let text = format!("{document:#}\n");
    match &arguments.output {
        Some(path) => fs::write(path, text).map_err(Failure::file("write", path)),
        None => {
            screen::out(&text);
            Ok(())
        }
    }
}
