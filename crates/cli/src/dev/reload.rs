//! Follows the files: every save becomes the model that is served, if it holds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant, SystemTime};

use engine::{Engine, Loaded, Standing, migrate};
use store::Store;
use syntax::Severity;
use tokio::runtime::Handle;

use super::Timing;
use super::banner::{self, time};
use super::database::{can_follow, change, may_change};
use crate::command::diff::output;
use crate::failure::Failure;
use crate::place::Place;
use crate::project::{self, Project};
use crate::screen::{self, DIM, GREEN, RED, styled};

/// How often the files are looked at. Looking costs a few system calls and works on every file system, also on those
/// of containers and networks, which send no events.
const INTERVAL: Duration = Duration::from_millis(25);
/// How long a file must stay as it is before it is read: editors write in pieces.
const SETTLED: Duration = Duration::from_millis(5);

/// So many changes that break callers are told after a save; `mimar diff` shows all.
const MOST_CHANGES: usize = 5;

/// What is watched, and what follows it.
pub(super) struct Watched {
    pub(super) path: PathBuf,
    pub(super) texts: Vec<(String, String)>,
    pub(super) store: Store,
    pub(super) place: Place,
    pub(super) engine: Arc<Engine>,
    pub(super) handle: Handle,
    pub(super) accept_loss: bool,
    /// Whether events go to a broker.
    pub(super) sending: bool,
}

type Snapshot = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// The project as it can be served, and its texts. Where it has errors they are drawn, and every save is looked at until there are none.
pub(super) fn begin(
    path: &Path,
    timing: &mut Timing,
) -> Result<(Vec<(String, String)>, Project), Failure> {
    let mut texts = project::texts(path)?;
    loop {
        timing.part("read");
        let project = Project::of(project::root_of(path), texts.clone()).alone(path)?;
        if project.model.is_some() {
            timing.part("check");
            return Ok((texts, project));
        }
        project.draw(|diagnostic| diagnostic.severity != Severity::Note);
        screen::note(&format!(
            "{}: {}; it begins with the save that mends it\n",
            styled(RED, "not served"),
            project.counts().sentence()
        ));
        let mut seen = snapshot(path);
        texts = loop {
            await_save(path, &mut seen);
            // What people take to mend it is no part of the start.
            *timing = Timing::new();
            match project::texts(path) {
                Ok(now) if now != texts => break now,
                // Saved as it was, or a file on its way from one place to another.
                Ok(_) | Err(_) => {}
            }
        };
    }
}

/// Waits until the files are others than those that were seen, and stay so for a moment.
fn await_save(path: &Path, seen: &mut Snapshot) {
    loop {
        let looked = Instant::now();
        let mut now = snapshot(path);
        let cost = looked.elapsed();
        if now != *seen {
            // Until two looks agree, but not for ever: somebody may be writing all the time.
            for _ in 0..20 {
                std::thread::sleep(SETTLED);
                let again = snapshot(path);
                if again == now {
                    break;
                }
                now = again;
            }
            *seen = now;
            return;
        }
        // A tree so large that looking takes long is looked at less often.
        std::thread::sleep(INTERVAL.max(cost * 20));
    }
}

/// Looks at the files for as long as the process lives.
pub(super) fn watch(mut watched: Watched) {
    let mut seen = snapshot(&watched.path);
    loop {
        // Before the first wait as well: what was saved while the start was under way is in what was seen.
        follow(&mut watched);
        await_save(&watched.path, &mut seen);
    }
}

fn snapshot(path: &Path) -> Snapshot {
    let files = project::files(path).unwrap_or_default();
    files
        .into_iter()
        .filter_map(|file| {
            let facts = std::fs::metadata(&file).ok()?;
            Some((file, facts.len(), facts.modified().ok()))
        })
        .collect()
}

fn follow(watched: &mut Watched) {
    let began = Instant::now();
    let texts = match project::texts(&watched.path) {
        Ok(texts) => texts,
        // A file on its way from one place to another: the next look finds it.
        Err(failure) => return kept(&failure),
    };
    if texts == watched.texts {
        return;
    }
    watched.texts.clone_from(&texts);
    let project = Project::of(project::root_of(&watched.path), texts);
    if project.model.is_none() {
        project.draw(|diagnostic| diagnostic.severity != Severity::Note);
        screen::note(&format!(
            "{}: {}; the last good model is served on\n",
            styled(RED, "not reloaded"),
            project.counts().sentence()
        ));
        return;
    }
    let Ok((project, model)) = project.valid() else { return };
    if let Err(failure) = Project::without_code(&model) {
        return kept(&failure);
    }
    project.draw(|diagnostic| diagnostic.severity == Severity::Warning);
    let tables = Arc::new(schema::derive(&model, watched.place.dialect()));
    let loaded = Loaded::new(Arc::new(model), tables);
    let loaded = if watched.sending { loaded.sending() } else { loaded };
    let (before, after) = (watched.engine.loaded().model.clone(), loaded.model.clone());
    let known = Project::deferred_titles(&before, false);
    let mut new = Project::deferred_titles(&after, false);
    new.retain(|title| !known.contains(title));
    match swap(watched, loaded) {
        Ok(summary) => {
            let what = if summary.is_empty() {
                String::new()
            } else {
                format!(": {}", summary.join(", "))
            };
            screen::note(&format!(
                "{} in {}{}",
                styled(GREEN, "reloaded"),
                time(began.elapsed()),
                styled(DIM, what)
            ));
            // Those who call it were not asked. What this costs is spent when the model is served already.
            let changes = contract::diff(&before, &after, crate::review::today());
            let mut text = output::breaking(&changes, MOST_CHANGES);
            banner::deferred(&mut text, "New in it, and in this version", &new);
            if !text.is_empty() {
                screen::note(text.trim_end());
            }
        }
        Err(failure) => kept(&failure),
    }
}

fn kept(failure: &Failure) {
    screen::complain(failure);
    screen::note(&format!("{}: the last good model is served on\n", styled(RED, "not reloaded")));
}

/// Brings the tables along and swaps the model; what changed in the tables.
fn swap(watched: &Watched, loaded: Loaded) -> Result<Vec<String>, Failure> {
    let mismatch = match engine::stand(&watched.store, &loaded.schema)? {
        Standing::Fits(_) => None,
        // Somebody has emptied the database under us.
        Standing::Empty(_) => return Err(Failure::Empty { place: watched.place.to_string() }),
        Standing::Differs(mismatch) => {
            can_follow(&watched.store, &watched.place, &mismatch)?;
            Some(mismatch)
        }
    };
    let before = watched.engine.loaded();
    let losses = mismatch.as_ref().map_or(&[][..], |mismatch| &mismatch.change.losses);
    may_change(&watched.store, losses, Some(&before.schema), watched.accept_loss)?;
    let new_formulas = migrate::has_new_formulas(&watched.store, &loaded.model)?;
    if mismatch.is_none() && !new_formulas {
        watched.engine.swap(loaded);
        return Ok(Vec::new());
    }
    let store = watched.store.clone();
    let (summary, recompute) = match &mismatch {
        Some(mismatch) => (mismatch.change.summary.clone(), mismatch.change.recompute.clone()),
        None => (Vec::new(), Vec::new()),
    };
    // Once the tables are new there is no way back to the old model: values that cannot be computed are told, and the
    // next start tries again.
    let (told, faults) = channel();
    let follow = move |loaded: &Loaded| {
        if let Some(mismatch) = &mismatch {
            change(&store, loaded, mismatch)?;
            migrate::settle(&store, &loaded.schema)?;
        }
        if let Err(fault) = migrate::settle_formulas(&store, loaded, &recompute) {
            let _ = told.send(fault);
        }
        Ok::<(), Failure>(())
    };
    watched.handle.block_on(watched.engine.swap_after(loaded, follow))?;
    faults.try_recv().map_or(Ok(summary), |fault| Err(fault.into()))
}
