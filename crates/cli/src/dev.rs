//! `mimar dev`: serves a model while it is written.

pub(crate) mod banner;
mod database;
mod reload;
mod subject;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::identity::{Key, Verifier};
use engine::{Engine, Loaded};
use syntax::Severity;
use tokio::net::TcpListener;

use crate::arguments::Dev;
use crate::failure::Failure;
use crate::place::Place;
use crate::project::Project;
use crate::{exchange, random, replicas, screen, server};

/// Where `dev` listens unless told; the ports behind it are tried in turn.
const PORT: u16 = 7777;
/// How many ports are tried.
const PORTS: u16 = 20;
/// How long the tokens hold that `dev` prints.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// How long each part of the start took.
struct Timing {
    began: Instant,
    last: Instant,
    parts: Vec<(&'static str, Duration)>,
}

impl Timing {
    fn new() -> Self {
        let now = Instant::now();
        Self { began: now, last: now, parts: Vec::new() }
    }

    fn part(&mut self, name: &'static str) {
        let now = Instant::now();
        self.parts.push((name, now - self.last));
        self.last = now;
    }
}

pub(crate) fn run(arguments: Dev) -> Result<(), Failure> {
    let mut timing = Timing::new();
    let (texts, project) = reload::begin(&arguments.path, &mut timing)?;
    let (project, model) = project.valid()?;
    Project::without_code(&model)?;
    project.draw(|diagnostic| diagnostic.severity == Severity::Warning);
    let reviewed = crate::review::sentence(&project, &model);
    timing.part("review");
    let place = Place::of_development(&project, &model)?;
    let tables = Arc::new(schema::derive(&model, place.dialect()));
    let broker = exchange::address(arguments.broker.as_ref(), Some("dev"), &model)?;
    let loaded = Loaded::new(Arc::new(model), tables);
    let loaded = if broker.is_some() { loaded.sending() } else { loaded };
    timing.part("compile");
    // Held until the process ends, like the mark below.
    let _alone = database::alone(&project.own_folder())?;
    let store = database::open(&place, arguments.fresh, arguments.accept_loss)?;
    let _served = place.serve()?;
    let fresh = database::follow(&store, &loaded, &place, arguments.accept_loss)?;
    timing.part("database");
    let rows = if fresh {
        database::fill(&project, &store, &loaded)?
    } else {
        database::compare_rows(&project, &store)?;
        None
    };
    if rows.is_some() {
        timing.part("data");
    }
    let secret_path = project.own_folder().join("secret");
    let secret =
        random::secret(&secret_path).map_err(Failure::file("keep a secret in", &secret_path))?;
    let key = Key::secret(secret.as_bytes())
        .map_err(|source| Failure::Key { variable: "the secret of `dev`", source })?;
    let tokens = subject::tokens(&loaded, &store, secret.as_bytes(), LIFETIME)?;
    let engine = Arc::new(Engine::new(store.clone(), loaded, Verifier::new(vec![key])));
    engine.expect_reloads();
    let runtime = server::runtime(None, &store)?;
    let listener = runtime.block_on(listen(arguments.listen))?;
    let address = listener.local_addr().map_err(Failure::Runtime)?;
    timing.part("listen");
    banner::print(&banner::Facts {
        loaded: &engine.loaded(),
        address,
        database: &place,
        rows,
        tokens: &tokens,
        reviewed: reviewed.as_deref(),
        timing: &timing.parts,
        total: timing.began.elapsed(),
    });
    replicas::left_alone(&engine.loaded().model);
    if broker.is_none() {
        exchange::without(&engine.loaded().model);
    }
    let watched = reload::Watched {
        path: arguments.path,
        texts,
        store,
        place,
        engine: Arc::clone(&engine),
        handle: runtime.handle().clone(),
        accept_loss: arguments.accept_loss,
        sending: broker.is_some(),
    };
    // The thread ends with the process: it holds nothing that must be put down in order.
    std::thread::Builder::new()
        .name("watch".into())
        .spawn(move || reload::watch(watched))
        .map_err(Failure::Runtime)?;
    runtime.block_on(server::serve(
        listener,
        engine,
        server::Mode::Development,
        broker.map(exchange::settings),
        &server::Threads::none(),
    ))
}

/// Listens where it was said, or at the first free port.
async fn listen(wanted: Option<SocketAddr>) -> Result<TcpListener, Failure> {
    if let Some(address) = wanted {
        return TcpListener::bind(address)
            .await
            .map_err(|source| Failure::Listen { address, source });
    }
    let mut last = None;
    for port in PORT..PORT + PORTS {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        match TcpListener::bind(address).await {
            Ok(listener) => {
                if port != PORT {
                    screen::note(&format!("port {PORT} is taken; listening on {port}"));
                }
                return Ok(listener);
            }
            Err(source) => last = Some(Failure::Listen { address, source }),
        }
    }
    Err(last.unwrap_or(Failure::Model))
}
