//! `mimar fmt`

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use syntax::{FileId, Look, Source};

use crate::arguments::Fmt;
use crate::failure::Failure;
use crate::project;
use crate::screen::{self, RED, styled};

pub(crate) fn run(arguments: &Fmt) -> Result<(), Failure> {
    let mut failure = None;
    let mut changed = 0_u64;
    let mut files = Vec::new();
    for path in &arguments.paths {
        if path.as_os_str() == "-" {
            files.push(path.clone());
            continue;
        }
        let found = project::files(path)?;
        if found.is_empty() {
            return Err(Failure::NoFiles { path: path.clone() });
        }
        files.extend(found);
    }
    files.dedup();
    for path in files {
        match one(&path, arguments.check)? {
            Outcome::Same => {}
            Outcome::Changed => changed += 1,
            Outcome::Broken => failure = Some(Failure::Model),
        }
    }
    if arguments.check && changed > 0 {
        screen::note(&format!(
            "{} would change; `mimar fmt` lays them out",
            screen::count(changed, "file", "files")
        ));
        failure.get_or_insert(Failure::Unformatted);
    }
    failure.map_or(Ok(()), Err)
}

enum Outcome {
    Same,
    Changed,
    Broken,
}

fn one(path: &Path, check: bool) -> Result<Outcome, Failure> {
    let is_stream = path.as_os_str() == "-";
    let (shown, text) = if is_stream {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map_err(Failure::file("read", "standard input"))?;
        ("standard input".to_owned(), text)
    } else {
        (project::shown(path), project::read_text(path)?)
    };
    let parse = syntax::parse(FileId(0), text);
    let formatted = match syntax::format(&parse) {
        Ok(formatted) => formatted,
        Err(faults) => {
            let source = |_| Some(Source { path: &shown, text: &parse.text });
            let look = Look { color: true, width: screen::width() };
            screen::note(syntax::render(&faults, source, look).trim_end_matches('\n'));
            screen::note(&format!("{}: {shown} was left as it is", styled(RED, "not formatted")));
            return Ok(Outcome::Broken);
        }
    };
    let same = *formatted == *parse.text;
    match (is_stream, check) {
        (true, false) => screen::out(&formatted),
        (_, true) if !same => screen::out(&format!("{shown}\n")),
        (false, false) if !same => {
            replace(path, &formatted)?;
            screen::note(&format!("formatted {shown}"));
        }
        _ => {}
    }
    Ok(if same { Outcome::Same } else { Outcome::Changed })
}

/// Puts a new text in the place of a file, whole or not at all; who may read and write it stays.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    // Through a link, so that the link stays one.
    let path = fs::canonicalize(path).map_err(Failure::file("write", path))?;
    let beside = path.with_extension("mimar.new");
    let failed = || Failure::file("write", &path);
    fs::write(&beside, text).map_err(failed())?;
    let permissions = fs::metadata(&path).map_err(failed())?.permissions();
    fs::set_permissions(&beside, permissions).map_err(failed())?;
    fs::rename(&beside, &path).map_err(failed())
}
