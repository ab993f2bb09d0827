//! Where a model or a document is read from: the disk, or a revision of git.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::process::Command;

use contract::Change;
use model::{Model, Valid};

use crate::failure::Failure;
use crate::project::{Project, is_passed_over, read_text, root_of};
use crate::screen;

/// What is compared.
pub(crate) enum Content {
    Model(Box<Valid<Model>>),
    /// A document of OpenAPI.
    Document(serde_json::Value),
}

impl Content {
    /// What has changed for callers and, where both sides are models, for consumers. `shown` names this side.
    pub(crate) fn changes(&self, new: &Self, shown: &str) -> Result<Vec<Change>, Failure> {
        match new {
            Self::Model(new) => self.changes_to(new, shown),
            Self::Document(new) => documents(&self.document(), new, shown),
        }
    }

    /// The same to a model.
    pub(crate) fn changes_to(
        &self,
        new: &Valid<Model>,
        shown: &str,
    ) -> Result<Vec<Change>, Failure> {
        match self {
            Self::Model(old) => Ok(contract::diff(old, new, crate::review::today())),
            Self::Document(old) => {
                documents(old, &contract::openapi(&contract::derive(new)), shown)
            }
        }
    }

    /// The document: its own, or that of the model.
    fn document(&self) -> Cow<'_, serde_json::Value> {
        match self {
            Self::Model(model) => Cow::Owned(contract::openapi(&contract::derive(model))),
            Self::Document(document) => Cow::Borrowed(document),
        }
    }
}

/// A place of a model or a document.
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

    /// What is there. Where a model has errors they are drawn.
    pub(crate) fn content(&self, shown: &str) -> Result<Content, Failure> {
        match self {
            Self::Path(path)
                if path.is_file() && path.extension().is_none_or(|it| it != "mimar") =>
            {
                let text = read_text(path)?;
                document(shown, &text)
            }
            Self::Other { revision, path, within } if is_document(path) => {
                let place = Revision { shown, revision, within, prefix: "" };
                let path = path.trim_start_matches('/');
                let text = git(&place, &["show", &format!("{}:{path}", checked(&place)?)])?;
                document(shown, &text)
            }
            Self::Same { revision, path } if path.to_str().is_some_and(is_document) => {
                let within = root_of(path);
                let place = Revision { shown, revision, within: &within, prefix: "./" };
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let text = git(&place, &["show", &format!("{}:./{name}", checked(&place)?)])?;
                document(shown, &text)
            }
            _ => self.model(shown).map(|it| Content::Model(Box::new(it))),
        }
    }

    /// The model there. Where it has errors they are drawn.
    fn model(&self, shown: &str) -> Result<Valid<Model>, Failure> {
        let project = self.project(shown)?;
        if project.model.is_none() {
            screen::note(&format!("the model {shown} has errors:\n"));
        }
        Ok(project.valid()?.1)
    }

    /// The project there, sound or not.
    pub(crate) fn project(&self, shown: &str) -> Result<Project, Failure> {
        match self {
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

fn documents(
    old: &serde_json::Value,
    new: &serde_json::Value,
    shown: &str,
) -> Result<Vec<Change>, Failure> {
    contract::diff::documents(old, new, crate::review::today())
        .map_err(|why| Failure::NoDocument { place: shown.to_owned(), why: why.to_string() })
}

/// Whether a path is of a document, by its name.
fn is_document(path: &str) -> bool {
    let extension = Path::new(path).extension();
    extension.is_some_and(|it| it.eq_ignore_ascii_case("json"))
}

/// A document of OpenAPI.
pub(crate) fn document(shown: &str, text: &str) -> Result<Content, Failure> {
    let failed = |why| Failure::NoDocument { place: shown.to_owned(), why };
    let document =
        serde_json::from_str(text).map_err(|error| failed(format!("it is no JSON: {error}")))?;
    contract::diff::is_document(&document).map_err(|why| failed(why.to_string()))?;
    Ok(Content::Document(document))
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
    let revision = checked(place)?;
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

/// The revision, unless git would take it for something else.
fn checked<'a>(place: &Revision<'a>) -> Result<&'a str, Failure> {
    // What begins with a dash would be an option.
    if place.revision.is_empty() || place.revision.starts_with('-') {
        return Err(failed(place, "this is no revision"));
    }
    Ok(place.revision)
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
