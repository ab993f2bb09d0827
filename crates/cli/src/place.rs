//! Where the rows of a project are.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use model::Model;
use operation::Dialect;
use schema::Schema;
use store::others::{self, made_by_others};
use store::{Options, Store, StoreFault};

use crate::failure::Failure;
use crate::project::Project;

/// Where the rows of a project are.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// An SQLite file.
    File(PathBuf),
    /// A PostgreSQL database, by its address.
    Server(String),
}

impl FromStr for Place {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_address =
            ["postgres://", "postgresql://"].iter().any(|begin| text.starts_with(begin));
        Ok(if is_address {
            Self::Server(text.to_owned())
        } else {
            Self::File(text.strip_prefix("sqlite:").unwrap_or(text).into())
        })
    }
}

impl fmt::Display for Place {
    /// Without what only the server may know: user, password, options.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Server(url) => {
                let rest = url.split_once("://").map_or(&**url, |(_, rest)| rest);
                let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
                write!(f, "postgres://{}", rest.split('?').next().unwrap_or(rest))
            }
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Place {
    /// Where an environment of the model says; `None` if the model has none of that name, or it names no store.
    pub(crate) fn of(
        project: &Project,
        model: &Model,
        environment: &str,
    ) -> Result<Option<Self>, Failure> {
        let found = model.environments.iter().find(|known| known.name == environment);
        match found.and_then(|found| found.store.as_ref()) {
            Some((engine, Some(variable))) if engine == "postgres" => match std::env::var(variable)
            {
                Ok(url) => Ok(Some(Self::Server(url))),
                Err(_) => Err(Failure::NoAddress {
                    environment: environment.to_owned(),
                    variable: variable.clone(),
                }),
            },
            Some((_, Some(file))) => Ok(Some(Self::File(project.root.join(file)))),
            _ => Ok(None),
        }
    }

    /// The database of development: what `environment dev` says, or one of its own.
    pub(crate) fn of_development(project: &Project, model: &Model) -> Result<Self, Failure> {
        let own = || Self::File(project.own_folder().join("dev.db"));
        Ok(Self::of(project, model, "dev")?.unwrap_or_else(own))
    }

    /// What was said, or what the environment says that was named, or `production`, or a file of its own.
    pub(crate) fn of_production(
        said: Option<&Self>,
        environment: Option<&str>,
        project: &Project,
        model: &Model,
    ) -> Result<Self, Failure> {
        if let Some(said) = said {
            return Ok(said.clone());
        }
        if let Some(name) = environment
            && !model.environments.iter().any(|known| known.name == name)
        {
            let known: Vec<&str> = model.environments.iter().map(|known| &*known.name).collect();
            return Err(Failure::UnknownEnvironment {
                environment: name.to_owned(),
                known: known.join(", "),
            });
        }
        let own = || Self::File(project.own_folder().join("data.db"));
        Ok(Self::of(project, model, environment.unwrap_or("production"))?.unwrap_or_else(own))
    }

    /// Opens the database; a file that is not there is made, and its folder.
    pub(crate) fn open(&self) -> Result<Store, Failure> {
        self.open_with(&[], Options::default())
    }

    /// The same to serve the tables of a schema, with the addresses of replicas that reads may be made on. A file that others made is
    /// opened if its tables can be served as they are, and is not written to before that is known.
    pub(crate) fn open_to_serve(
        &self,
        schema: &Schema,
        replicas: &[String],
    ) -> Result<Store, Failure> {
        let mut options = Options::default();
        if let Self::File(path) = self
            && others::belongs_to_others(path).is_some()
        {
            let foreign = |reasons: Vec<String>| Failure::foreign(self.to_string(), &reasons);
            let names = schema::adopt(&others::definitions(path)?, schema).map_err(foreign)?;
            let adopted = schema.clone().stored_under(&names);
            let unfit = others::unfit(path, &adopted.tables)?;
            if !unfit.is_empty() {
                return Err(foreign(unfit));
            }
            options.adopt = true;
        }
        self.open_with(replicas, options)
    }

    fn open_with(&self, replicas: &[String], options: Options) -> Result<Store, Failure> {
        let path = match self {
            Self::Server(url) => return Ok(Store::connect_with(url, replicas, options)?),
            Self::File(path) if !replicas.is_empty() => {
                return Err(Failure::ReplicasOfFile { path: path.clone() });
            }
            Self::File(path) => path,
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Failure::file("make", folder))?;
        }
        Store::open(path, options).map_err(|fault| of_others(fault, path))
    }

    /// Says that the file is being served, for as long as what is answered lives; nothing on a server, which knows its
    /// connections.
    ///
    /// Fails where somebody is changing its tables.
    pub(crate) fn serve(&self) -> Result<Option<File>, Failure> {
        let Some((path, mark)) = self.mark()? else { return Ok(None) };
        match mark.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Err(Failure::BeingChanged { path }),
            // A file system that knows no locks keeps nobody out.
            _ => Ok(Some(mark)),
        }
    }

    /// Does something while nobody else serves the file that is being served here, as `mark` says. After a failure it may not be
    /// served here, either.
    pub(crate) fn serve_alone<T>(
        &self,
        mark: &File,
        work: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let path = || self.file().map(Path::to_owned).unwrap_or_default();
        // One lock becomes the other by way of none.
        let _ = mark.unlock();
        if let Err(TryLockError::WouldBlock) = mark.try_lock() {
            return Err(Failure::ServedByOthers { path: path() });
        }
        let outcome = work();
        let _ = mark.unlock();
        match mark.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Err(Failure::BeingChanged { path: path() }),
            _ => outcome,
        }
    }

    /// Makes sure that nobody serves the file, for as long as what is answered lives.
    /// Fails for a file that others made: who asks for this changes its tables, or takes it away.
    pub(crate) fn alone(&self) -> Result<Option<File>, Failure> {
        if let Self::File(path) = self
            && let Some(tables) = others::belongs_to_others(path)
        {
            return Err(of_others(StoreFault::Others { path: path.clone(), tables }, path));
        }
        let Some((path, mark)) = self.mark()? else { return Ok(None) };
        match mark.try_lock() {
            Err(TryLockError::WouldBlock) => Err(Failure::BeingServed { path }),
            _ => Ok(Some(mark)),
        }
    }

    /// The file, and one beside it that is locked by who uses it.
    fn mark(&self) -> Result<Option<(PathBuf, File)>, Failure> {
        let Self::File(path) = self else { return Ok(None) };
        // Nothing is put beside a file of others, either.
        if let Some(tables) = made_by_others(path) {
            return Err(of_others(StoreFault::Others { path: path.clone(), tables }, path));
        }
        let mut name = path.as_os_str().to_owned();
        name.push("-served");
        let name = PathBuf::from(name);
        let open = File::options().create(true).truncate(false).read(true).write(true).open(&name);
        Ok(Some((path.clone(), open.map_err(Failure::file("open", &name))?)))
    }

    /// Removes a file that nobody uses, with its log.
    pub(crate) fn remove(path: &Path) -> Result<(), Failure> {
        for ending in ["", "-wal", "-shm"] {
            let mut file = path.as_os_str().to_owned();
            file.push(ending);
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Failure::file("delete", file)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Of which kind the database there is.
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::File(_) => Dialect::Sqlite,
            Self::Server(_) => Dialect::Postgres,
        }
    }

    /// The file, where it is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Server(_) => None,
        }
    }
}

/// A fault of opening a file, with the way out where others made it.
fn of_others(fault: StoreFault, path: &Path) -> Failure {
    match fault {
        fault @ StoreFault::Others { .. } => {
            Failure::Others { fault: fault.to_string(), path: path.display().to_string() }
        }
        fault => fault.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let Ok(place) =
            "postgres://ann:s3cret@db.example:5432/shop?sslmode=require".parse::<Place>();
        assert_eq!(place.to_string(), "postgres://db.example:5432/shop");
        assert_eq!(format!("{place:?}"), "postgres://db.example:5432/shop");
        for text in ["a/shop.db", "sqlite:a/shop.db"] {
            let Ok(place) = text.parse::<Place>();
            assert_eq!(place, Place::File("a/shop.db".into()));
        }
    }
}
