//! `mimar serve`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use engine::identity::Verifier;
use engine::migrate::{self, Formulas, MigrateFault, Pace, State};
use engine::{Cause, Engine, Handlers, Loaded, Mismatch, Standing};
use model::{Grantee, Model, Valid};
use operation::Dialect;
use schema::Names;
use store::{Store, StoreFault};

use crate::arguments::{Serve, ServeOptions};
use crate::dev::banner;
use crate::failure::{Failure, bounded};
use crate::keys::Keys;
use crate::place::Place;
use crate::project::Project;
use crate::replicas::Replicas;
use crate::{exchange, screen, server};

/// How often the database hears of a server that has nothing to ask.
const PRESENCE: Duration = Duration::from_secs(5);

/// How often a server looks whether one of other formulas has left values behind.
const WATCH: Duration = Duration::from_secs(30);

pub(crate) fn run(arguments: &Serve) -> Result<(), Failure> {
    let (project, model) = Project::read(&arguments.path)?.valid()?;
    serve(&project, model, &arguments.options, Handlers::default())
}

/// Serves a model, with what does its commands by code.
pub(crate) fn serve(
    project: &Project,
    model: Valid<Model>,
    arguments: &ServeOptions,
    handlers: Handlers,
) -> Result<(), Failure> {
    let began = Instant::now();
    Project::all_coded(&model, &handlers)?;
    let sources = Keys::of(arguments)?;
    let keys = sources.read()?;
    if keys.is_empty() && needs_tokens(&model) {
        return Err(Failure::NoKey);
    }
    if let Some(name) = engine::identity::missing_variables(&model).first() {
        return Err(Failure::NoClaim { name: (*name).to_owned() });
    }
    let environment = arguments.environment.as_deref();
    let place = Place::of_production(arguments.database.as_ref(), environment, project, &model)?;
    let served = match (&arguments.database, environment) {
        // Rows that are elsewhere are no environment's.
        (Some(_), None) => None,
        _ => Some(environment.unwrap_or("production")),
    };
    let broker = exchange::address(arguments.broker.as_ref(), served, &model)?;
    let replicas = Replicas::of(arguments.replicas.as_deref(), served, &model)?;
    // What is done by code is done here.
    let titles = Project::deferred_titles(&model, true);
    let reviewed = crate::review::sentence(project, &model);
    let name = model.app.as_ref().map_or_else(String::new, |app| app.name.clone());
    let schema = schema::derive(&model, place.dialect());
    let fingerprint = schema::fingerprint(&schema);
    let store = place.open_to_serve(&schema, &replicas.addresses)?;
    let runtime = server::runtime(arguments.workers.map(usize::from), &store)?;
    // Held until the process ends.
    let mark = place.serve()?;
    // Who changes the tables sees by our connections that we are here, before we look at what the tables are.
    let called = migrate::server_name(&fingerprint, &Formulas::of(&model).fingerprint());
    store.call(&called);
    runtime.block_on(store.be_present())?;
    let present = store.clone();
    // Also when nobody asks us anything, and after the database has been restarted.
    runtime.spawn(async move {
        loop {
            tokio::time::sleep(PRESENCE).await;
            // A database that does not answer is told by requests and by /readyz.
            let _ = present.be_present().await;
        }
    });
    let names = match engine::stand(&store, &schema)? {
        Standing::Fits(names) => names,
        Standing::Empty(statements) => {
            store.execute_schema(&statements)?;
            tracing::info!(database = %place, "new database");
            Names::default()
        }
        Standing::Differs(mismatch) => return Err(differs(&place, &mismatch)),
    };
    migrate::settle(&store, &schema)?;
    let loaded = Loaded::new(Arc::new(model), Arc::new(schema.stored_under(&names)));
    let loaded = if broker.is_some() { loaded.sending() } else { loaded };
    // What others have computed is theirs; and a change of the tables computes itself.
    let mut follows = names.are_adopted();
    if !follows {
        let follow = || {
            migrate::arrive(&store, &loaded.model)?;
            match migrate::status(&store)? {
                Some(_) => Ok(false),
                None => follow_formulas(&store, &loaded, &called, Pace::Brisk, &|| true),
            }
        };
        let followed = match &mark {
            // Who else serves a file is not seen in it.
            Some(mark) if migrate::has_new_formulas(&store, &loaded.model)? => {
                place.serve_alone(mark, follow)
            }
            _ => follow(),
        };
        follows = match followed {
            // A row that has no value keeps nobody from being served, who may mend it.
            Err(failure) if is_of_formula(&failure) => {
                tracing::warn!(reason = %failure, "computed values are not computed anew yet");
                false
            }
            outcome => outcome?,
        };
    }
    let threads = match store.dialect() {
        // Reads run where their connection is, and nothing is waited for.
        Dialect::Sqlite => server::Threads::none(),
        Dialect::Postgres => server::Threads::start(arguments.workers.map(usize::from))?,
    };
    let (store_dialect, read_from) = (store.dialect(), store.clone());
    let engine = Arc::new(Engine::new(store, loaded, Verifier::new(keys)).with_code(handlers));
    sources.follow(Arc::clone(&engine))?;
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind(arguments.listen))
        .map_err(|source| Failure::Listen { address: arguments.listen, source })?;
    let computing = Arc::clone(&engine);
    let address = listener.local_addr().map_err(Failure::Runtime)?;
    screen::note(&format!(
        "{name} listens on http://{address} ({} ms)",
        began.elapsed().as_millis()
    ));
    let mut deferred = String::new();
    banner::deferred(&mut deferred, "In this version", &titles);
    if !deferred.is_empty() {
        screen::note(deferred.trim_end());
    }
    replicas.tell(&read_from);
    if broker.is_none() {
        if served.is_none() {
            exchange::elsewhere(&engine.loaded().model);
        }
        exchange::without(&engine.loaded().model);
    }
    if let Some(reviewed) = reviewed {
        screen::note(&reviewed);
    }
    let is_ending = Arc::new(AtomicBool::new(false));
    if store_dialect == Dialect::Postgres && !names.are_adopted() {
        runtime.spawn(keep_following(computing, read_from, called, follows, is_ending.clone()));
    }
    let (origins, to_private) = (arguments.origins.clone(), arguments.webhooks_to_private);
    let keep_events = arguments.keep_events;
    let mode = server::Mode::Production { origins, to_private, keep_events };
    let exchanging = broker.map(exchange::settings);
    let served = runtime.block_on(server::serve(listener, engine, mode, exchanging, &threads));
    is_ending.store(true, Ordering::Release);
    served
}

fn is_of_formula(failure: &Failure) -> bool {
    matches!(failure, Failure::Migrate(MigrateFault::Store(StoreFault::Formula { .. })))
}

/// Sees to it that stored values follow our formulas: those that servers of others write, or leave behind.
async fn keep_following(
    engine: Arc<Engine>,
    store: Store,
    called: String,
    follows: bool,
    is_ending: Arc<AtomicBool>,
) {
    let mut pause = if follows { WATCH } else { PRESENCE };
    loop {
        tokio::time::sleep(pause).await;
        let (store, engine) = (store.clone(), Arc::clone(&engine));
        let (called, is_ending) = (called.clone(), is_ending.clone());
        let looking = tokio::task::spawn_blocking(move || {
            if migrate::status(&store)?.is_some() || store.others(&called)? > 0 {
                return Ok(false);
            }
            let go_on = || !is_ending.load(Ordering::Acquire);
            follow_formulas(&store, &engine.loaded(), &called, Pace::Gentle, &go_on)
        });
        pause = match looking.await {
            Ok(Ok(false)) => PRESENCE,
            Ok(Ok(true)) => WATCH,
            Ok(Err(failure)) => {
                tracing::warn!(reason = %failure, "computed values are not computed anew yet");
                WATCH
            }
            Err(_) => WATCH,
        };
    }
}

/// Lets all stored values follow our formulas; whether they do for good: while servers of others run, they write what theirs say.
fn follow_formulas(
    store: &Store,
    loaded: &Loaded,
    called: &str,
    pace: Pace,
    go_on: &dyn Fn() -> bool,
) -> Result<bool, Failure> {
    let (rows, follows) = migrate::follow_formulas(store, loaded, called, pace, go_on)?;
    if rows > 0 {
        tracing::warn!(rows, "formulas have changed: computed values were computed anew");
    }
    Ok(follows)
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
    let (place, summary) = (place.to_string(), summary(mismatch));
    match &mismatch.cause {
        Cause::Foreign(reasons) => Failure::foreign(place, reasons),
        Cause::Behind => Failure::Differs { place, summary },
        Cause::Ahead => Failure::Ahead { place, summary },
        Cause::Drift(lines) if lines.is_empty() => Failure::Differs { place, summary },
        Cause::Drift(lines) if mismatch.change.is_empty() => added(&place, lines),
        Cause::Drift(lines) => drifted(&place, lines),
        Cause::UnderWay(record) => {
            let way = match record.state {
                State::Expanding => {
                    "The model that it comes from can be served meanwhile; `mimar migrate apply` goes on, and the new one \
                     can be served when it has ended; `mimar migrate rollback` takes it back"
                }
                State::Expanded => {
                    "The model that it comes from and the one that it goes to can be served; for a third, complete it with \
                     `mimar migrate apply --contract` or take it back with `mimar migrate rollback`"
                }
                State::Contracting => {
                    "Only the new model can be served; `mimar migrate apply` completes the change"
                }
                State::Undoing => {
                    "Only the old model can be served; `mimar migrate rollback` completes taking it back"
                }
            };
            Failure::UnderWay { place, began: record.began.clone(), summary, way }
        }
    }
}

/// A database that was changed by hand.
pub(crate) fn drifted(place: &impl std::fmt::Display, lines: &[String]) -> Failure {
    Failure::Drifted { place: place.to_string(), drift: bounded(lines) }
}

/// A database beside whose tables something was put by hand.
fn added(place: &impl std::fmt::Display, lines: &[String]) -> Failure {
    Failure::Added { place: place.to_string(), drift: bounded(lines) }
}

/// What differs, a line each.
pub(crate) fn summary(mismatch: &Mismatch) -> String {
    bounded(&mismatch.change.summary)
}
