//! `mimar serve`

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use engine::identity::Verifier;
use engine::{Engine, Loaded, Mismatch};
use model::{Grantee, Model};
use store::{Options, Store};

use crate::arguments::Serve;
use crate::failure::Failure;
use crate::keys::Keys;
use crate::project::Project;
use crate::{data, screen, server};

pub(crate) fn run(arguments: &Serve) -> Result<(), Failure> {
    let began = Instant::now();
    let (project, model) = Project::read(&arguments.path)?.valid()?;
    let sources = Keys::of(arguments)?;
    let keys = sources.read()?;
    if keys.is_empty() && needs_tokens(&model) {
        return Err(Failure::NoKey);
    }
    if let Some(name) = engine::identity::missing_variables(&model).first() {
        return Err(Failure::NoClaim { name: (*name).to_owned() });
    }
    let path = arguments.database.clone().unwrap_or_else(|| project.own_folder().join("data.db"));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Failure::file("make", folder))?;
    }
    let deferred = Project::deferred(&model).len() as u64;
    let name = model.app.as_ref().map_or_else(String::new, |app| app.name.clone());
    let tables = Arc::new(schema::derive(&model));
    let loaded = Loaded::new(Arc::new(model), tables);
    let store = Store::open(&path, Options::default())?;
    match engine::verify_schema(&store, &loaded.schema)? {
        None => {}
        Some(mismatch) if mismatch.empty => {
            store.execute_schema(&mismatch.change.statements)?;
            tracing::info!(database = %path.display(), "new database");
        }
        Some(mismatch) => return Err(differs(&path, &mismatch)),
    }
    let renewed = data::recompute(&store, &loaded, false)?;
    if renewed > 0 {
        tracing::warn!(rows = renewed, "formulas have changed: computed values were computed anew");
    }
    let engine = Arc::new(Engine::new(store, loaded, Verifier::new(keys)));
    sources.follow(Arc::clone(&engine))?;
    let runtime = server::runtime(arguments.workers.map(usize::from))?;
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind(arguments.listen))
        .map_err(|source| Failure::Listen { address: arguments.listen, source })?;
    let address = listener.local_addr().map_err(Failure::Runtime)?;
    screen::note(&format!(
        "{name} listens on http://{address} ({} ms)",
        began.elapsed().as_millis()
    ));
    if deferred > 0 {
        screen::note(&format!(
            "{} of the model not carried out yet; `mimar check` names them",
            screen::count(deferred, "part is", "parts are")
        ));
    }
    let origins = server::Mode::Production { origins: arguments.origins.clone() };
    runtime.block_on(server::serve(listener, engine, origins))
}

/// Whether anything is granted to callers with a token only.
fn needs_tokens(model: &Model) -> bool {
    let entities = model.entities.iter().flat_map(|entity| &entity.policies);
    let queries = model.queries.iter().flat_map(|query| &query.policies);
    let commands = model.commands.iter().flat_map(|command| &command.policies);
    entities
        .chain(queries)
        .chain(commands)
        .flat_map(|policy| &policy.grantees)
        .any(|grantee| matches!(grantee, Grantee::Role(role) if *role != model::RoleId::SYSTEM))
}

/// A database of another model.
pub(crate) fn differs(path: &Path, mismatch: &Mismatch) -> Failure {
    let mut lines: Vec<String> =
        mismatch.change.summary.iter().map(|line| format!("  {line}")).collect();
    if lines.len() > 12 {
        let more = lines.len() - 11;
        lines.truncate(11);
        lines.push(format!("  and {more} more"));
    }
    Failure::Differs { path: path.to_owned(), summary: lines.join("\n") }
}
