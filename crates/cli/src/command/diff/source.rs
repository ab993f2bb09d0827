//! Where a model is read from: the disk, or a revision of git.

use std::path::{Path, PathBuf};
use std::process::Command;

use model::{Model, Valid};

use crate::failure::Failure;
use crate::project::{Project, is_passed_over, root_of};
use crate::screen;

/// A place of a model.
pub(crate) enum Source {
    /// A folder or a file.
    Path(PathBuf),
    /// The same path at a revision.
    Same { revision: String, path: PathBuf },
    /// A path from the top of the repository at a revision.
    Other { revision: String, path: String, within: PathBuf },
}

impl Source {
    /// What an argument means; `beside` is where the other model is. What is there on the disk is meant first.
    pub(crate) fn of(argument: &str, beside: Option<&Self>, repository: Option<&Path>) -> Self {
        let path = Path::new(argument);
        let beside = match (repository, beside) {
            (Some(folder), _) => folder.to_owned(),
            (None, Some(Self::Path(path) | Self::Same { path, .. })) => path.clone(),
            (None, Some(Self::Other { within, .. })) => within.clone(),
            (None, None) => PathBuf::from("."),
        };
        if path.exists() {
            return Self::Path(path.to_owned());
        }
        match argument.split_once(':') {
            Some(("git", revision)) => Self::Same { revision: revision.to_owned(), path: beside },
            Some((revision, path)) => Self::Other {
                revision: revision.to_owned(),
                path: path.to_owned(),
                within: root_of(&beside),
            },
            None => Self::Path(path.to_owned()),
        }
    }

    /// The model there. Where it has errors they are drawn.
    pub(super) fn model(&self, shown: &str) -> Result<Valid<Model>, Failure> {
        let project = self.project(shown)?;
        if project.model.is_none() {
            screen::note(&format!("the model {shown} has errors:\n"));
        }
        Ok(project.valid()?.1)
    }

    /// What is there, sound or not.
    pub(crate) fn project(&self, shown: &str) -> Result<Project, Failure> {
        match self {
            Self::Path(path)
                if path.is_file() && path.extension().is_none_or(|it| it != "mimar") =>
            {
                Err(Failure::NotModel { path: path.clone() })
            }
            Self::Path(path) => Project::read(path),
            Self::Same { revision, path } => {
                let within = root_of(path);
                let only = path.is_file().then(|| path.file_name()).flatten();
                let only = only.map(|name| format!("./{}", name.to_string_lossy()));
                at_revision(&Revision { shown, revision, within: &within, prefix: "./" }, &[], only)
            }
            Self::Other { revision, path, within } => {
                let path = path.trim_matches('/');
                let place = Revision { shown, revision, within, prefix: "" };
                let mut limits = vec!["--full-tree"];
                limits.extend(["--", path].into_iter().filter(|_| !path.is_empty() && path != "."));
                at_revision(&place, &limits, None)
            }
        }
    }
}

/// A revision, and how its files are named.
struct Revision<'a> {
    shown: &'a str,
    revision: &'a str,
    within: &'a Path,
    /// Before each name: `./` where they are told from the folder that git runs in.
    prefix: &'static str,
}

/// The project as a revision has it: all files that a folder would be read with, or one.
fn at_revision(
    place: &Revision<'_>,
    limits: &[&str],
    only: Option<String>,
) -> Result<Project, Failure> {
    let revision = place.revision;
    // What begins with a dash would be an option.
    if revision.is_empty() || revision.starts_with('-') {
        return Err(failed(place, "this is no revision"));
    }
    let names = match only {
        Some(name) => vec![name],
        None => {
            let mut arguments = vec!["ls-tree", "-r", "-z", "--name-only", revision];
            arguments.extend_from_slice(limits);
            let listed = git(place, &arguments)?;
            let names = listed
                .split('\0')
                .filter(|name| name.ends_with(".mimar") && !name.split('/').any(is_passed_over));
            let mut names: Vec<String> =
                names.map(|name| format!("{}{name}", place.prefix)).collect();
            names.sort();
            names
        }
    };
    if names.is_empty() {
        return Err(failed(place, "it has no *.mimar file there"));
    }
    let texts = names.into_iter().map(|name| {
        let object = format!("{revision}:{name}");
        let text = git(place, &["show", &object])?;
        Ok((object, text))
    });
    Ok(Project::of(place.within.to_owned(), texts.collect::<Result<_, Failure>>()?))
}

/// What git says, as text.
fn git(place: &Revision<'_>, arguments: &[&str]) -> Result<String, Failure> {
    let output = Command::new("git")
        .current_dir(place.within)
        .args(arguments)
        .output()
        .map_err(|error| failed(place, &format!("git cannot be run ({error})")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(failed(place, said.trim().trim_start_matches("fatal: ")));
    }
    String::from_utf8(output.stdout).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        failed(place, &format!("a file is not UTF-8 text (the first odd byte is at {at})"))
    })
}

fn failed(place: &Revision<'_>, why: &str) -> Failure {
    Failure::Git { place: place.shown.to_owned(), why: why.to_owned() }
}
