//! `mimar serve`

use std::sync::Arc;
use std::time::Instant;

use engine::identity::Verifier;
use engine::{Engine, Loaded, Mismatch};
use model::{Grantee, Model};

use crate::arguments::Serve;
use crate::failure::Failure;
use crate::keys::Keys;
use crate::place::Place;
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
    let environment = arguments.environment.as_deref();
    let place = Place::of_production(arguments.database.as_ref(), environment, &project, &model)?;
    let deferred = Project::deferred(&model).len() as u64;
    let name = model.app.as_ref().map_or_else(String::new, |app| app.name.clone());
    let tables = Arc::new(schema::derive(&model));
    let loaded = Loaded::new(Arc::new(model), tables);
    let store = place.open()?;
    match engine::verify_schema(&store, &loaded.schema)? {
        None => {}
        Some(mismatch) if mismatch.empty => {
            store.execute_schema(&mismatch.change.statements)?;
            tracing::info!(database = %place, "new database");
        }
        Some(mismatch) => return Err(differs(&place, &mismatch)),
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
pub(crate) fn differs(place: &Place, mismatch: &Mismatch) -> Failure {
    Failure::Differs { place: place.to_string(), summary: summary(mismatch) }
}

/// What differs, a line each.
pub(crate) fn summary(mismatch: &Mismatch) -> String {
    let mut lines: Vec<String> =
        mismatch.change.summary.iter().map(|line| format!("  {line}")).collect();
    if lines.len() > 12 {
        let more = lines.len() - 11;
        lines.truncate(11);
        lines.push(format!("  and {more} more"));
    }
    lines.join("\n")
}
