//! `mimar new`

use std::fs;

use model::upper_camel;

use crate::arguments::New;
use crate::failure::Failure;
use crate::screen::{self, CYAN, GREEN, styled};

/// The template: path, text. `{{App}}` and `{{folder}}` are replaced.
const TEMPLATE: &[(&str, &str)] = &[
    ("app.mimar", include_str!("../../template/app.mimar")),
    ("data/Person.csv", include_str!("../../template/data/Person.csv")),
    ("data/Task.csv", include_str!("../../template/data/Task.csv")),
    ("data/Step.csv", include_str!("../../template/data/Step.csv")),
    ("README.md", include_str!("../../template/README.md")),
    (".gitignore", include_str!("../../template/gitignore")),
];

pub(crate) fn run(arguments: &New) -> Result<(), Failure> {
    let folder = &arguments.name;
    // `.` is the folder that we are in, by its own name.
    let whole = fs::canonicalize(folder).unwrap_or_else(|_| folder.clone());
    let name = folder.file_name().or_else(|| whole.file_name());
    let name = name.map(|name| name.to_string_lossy()).unwrap_or_default();
    let fits = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.len() <= 60
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !fits {
        return Err(Failure::Name { name: name.into_owned() });
    }
    // A repository that was just begun is empty, too.
    let is_repository = |entry: &fs::DirEntry| entry.file_name() == ".git";
    let in_use = fs::read_dir(folder)
        .is_ok_and(|entries| entries.flatten().any(|entry| !is_repository(&entry)));
    if in_use || folder.is_file() {
        return Err(Failure::Exists { path: folder.clone() });
    }
    let app = upper_camel(&name.replace('-', "_"));
    let shown = folder.display().to_string();
    for (path, text) in TEMPLATE {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(Failure::file("make", parent))?;
        }
        let text = text.replace("{{App}}", &app).replace("{{folder}}", &shown);
        fs::write(&path, text).map_err(Failure::file("write", &path))?;
    }
    screen::note(&format!("{} {shown}", styled(GREEN, "made")));
    for (path, _) in TEMPLATE {
        screen::note(&format!("  {path}"));
    }
    screen::note(&format!("\nNext:  {}", styled(CYAN, format!("mimar dev {shown}"))));
    Ok(())
}
