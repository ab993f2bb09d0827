//! `mimar migrate`: the tables of a database that is in use follow the model.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use engine::migrate::{self, Entry, MigrateFault, Outcome, Progress, Record, State, Terms};
use engine::{Loaded, Standing};
use indicatif::{ProgressBar, ProgressStyle};
use model::{LoadEntry, RoleId};
use plan::Roles;
use schema::{Hazard, Migration, Phase, Step};
use serde_json::json;
use store::Store;

use crate::arguments::{
    Migrate, MigrateApply, MigratePlace, MigratePlan, MigrateRollback, MigrateShow, PlanFormat,
    RecordFormat,
};
use crate::command::serve::{differs, drifted};
use crate::failure::Failure;
use crate::place::Place;
use crate::project::Project;
use crate::screen::{self, BOLD, CYAN, DIM, GREEN, YELLOW, styled};

pub(crate) fn run(command: &Migrate) -> Result<(), Failure> {
    match command {
        Migrate::Plan(arguments) => plan(arguments),
        Migrate::Apply(arguments) => apply(arguments),
        Migrate::Status(arguments) => status(arguments),
        Migrate::Rollback(arguments) => rollback(arguments),
        Migrate::Accept(arguments) => accept(arguments),
        Migrate::History(arguments) => history(arguments),
    }
}

/// A model, its tables, and the database that is to have them.
struct Opened {
    loaded: Loaded,
    place: Place,
    store: Store,
}

fn open(at: &MigratePlace) -> Result<Opened, Failure> {
    let (project, model) = Project::read(&at.path)?.valid()?;
    let environment = at.environment.as_deref();
    let place = Place::of_production(at.database.as_ref(), environment, &project, &model)?;
    if let Some(path) = place.file().filter(|path| !path.exists()) {
        return Err(Failure::NoDatabase { path: path.to_owned() });
    }
    let schema = schema::derive(&model, place.dialect());
    let store = place.open()?;
    // Not a server, that somebody would wait for.
    store.call("mimar migrate");
    let loaded = Loaded::new(Arc::new(model), Arc::new(schema));
    store.know(&loaded.schema.tables, loaded.plan.redraws());
    Ok(Opened { loaded, place, store })
}

/// Requests per second that the `load` blocks expect on each table, at their peak. A command counts on each table of what it
/// writes, and of the rows that its caller names.
pub(crate) fn load(loaded: &Loaded) -> BTreeMap<String, f64> {
    let (model, schema) = (&loaded.model, &loaded.schema);
    let mut load: BTreeMap<String, f64> = BTreeMap::new();
    let mut commands = Vec::new();
    for entry in model.loads.iter().flat_map(|load| &load.entries) {
        let (entity, rate) = match entry {
            LoadEntry::EntityRate(entity, _, rate, peak) => (*entity, peak.unwrap_or(*rate)),
            LoadEntry::QueryRate(query, rate, peak) => {
                (model[*query].entity, peak.unwrap_or(*rate))
            }
            LoadEntry::CommandRate(command, rate, peak) => {
                commands.push((*command, peak.unwrap_or(*rate)));
                continue;
            }
            LoadEntry::Rows(..) | LoadEntry::Growth(..) => continue,
        };
        *load.entry(schema.table(entity).name.to_string()).or_default() += rate;
    }
    for (command, rate) in commands {
        // What stands in code touches what it likes, and what cannot be compiled is told where it is served.
        let program = loaded.plan.program(command, Roles::NONE.with(RoleId::SYSTEM));
        let Some(program) = program.ok().filter(|program| !program.coded) else { continue };
        let written = program.targets.iter().flat_map(|target| {
            let parts = target.target.parts.iter().map(|part| &part.table);
            iter::once(&target.target.table).chain(parts)
        });
        let named = program.visible.iter().map(|visible| &visible.table);
        let tables: BTreeSet<String> =
            written.chain(named).map(|table| table.name.to_string()).collect();
        for table in tables {
            *load.entry(table).or_default() += rate;
        }
    }
    load
}

fn plan(arguments: &MigratePlan) -> Result<(), Failure> {
    let Opened { loaded, place, store } = open(&arguments.place)?;
    if let Some(record) = migrate::status(&store)? {
        let MigrateFault::UnderWay { .. } = under_way(&record) else { return Ok(()) };
        match arguments.format {
            PlanFormat::Human => {
                screen::out(&drawn(&record.plan, record.step));
                screen::note(&told(&record));
            }
            PlanFormat::Json => {
                screen::out(&format!("{:#}\n", machine(&record.plan, Some(&record))));
            }
            PlanFormat::Sql => screen::out(&record.plan.script()),
        }
        return Ok(());
    }
    let plan = migrate::plan(&store, &loaded, &load(&loaded))?;
    match arguments.format {
        PlanFormat::Json => screen::out(&format!("{:#}\n", machine(&plan, None))),
        PlanFormat::Sql => screen::out(&plan.script()),
        PlanFormat::Human if plan.is_empty() => {
            // What stands beside the tables is no part of a plan, and keeps the model from being served.
            if let Standing::Differs(mismatch) = engine::stand(&store, &loaded.schema)?
                && mismatch.change.is_empty()
            {
                return Err(differs(&place, &mismatch));
            }
            screen::note(&format!(
                "{}: {place} holds the tables of this model",
                styled(GREEN, "nothing to do")
            ));
        }
        PlanFormat::Human => {
            screen::out(&drawn(&plan, 0));
            let allowed: Vec<String> = plan.drops.iter().map(|drop| drop.name.clone()).collect();
            match migrate::may(&store, &plan, &allowed) {
                Ok(()) => screen::note(&next(&plan, &arguments.place)),
                // The plan is shown all the same.
                Err(fault) => return Err(fault.into()),
            }
        }
    }
    Ok(())
}

fn under_way(record: &Record) -> MigrateFault {
    let Record { to, state, began, .. } = record.clone();
    MigrateFault::UnderWay { to, state, began }
}

/// What to do with a plan.
fn next(plan: &Migration, at: &MigratePlace) -> String {
    let mut command = "mimar migrate apply".to_owned();
    if at.path.as_os_str() != "." {
        command.push_str(&format!(" {}", at.path.display()));
    }
    if let Some(environment) = &at.environment {
        command.push_str(&format!(" --environment {environment}"));
    }
    // An address may hold a password: it stays where it is.
    match &at.database {
        Some(Place::File(path)) => command.push_str(&format!(" --database {}", path.display())),
        Some(_) => command.push_str(" --database …"),
        None => {}
    }
    for drop in &plan.drops {
        command.push_str(&format!(" --allow-drop {}", drop.name));
    }
    format!("{} carries it out", styled(CYAN, command))
}

/// A plan for people; steps before `done` are done.
pub(crate) fn drawn(plan: &Migration, done: usize) -> String {
    let mut text = String::new();
    for line in &plan.summary {
        text.push_str(&format!("{line}\n"));
    }
    let mut hazards: Vec<Hazard> = Vec::new();
    let first = if plan.steps.iter().any(|step| step.lock == schema::Lock::Database) {
        "at once: nobody may serve the file meanwhile"
    } else {
        "expand: the old version is served on; both can be served at its end"
    };
    for (phase, heading) in [
        (Phase::Expand, first),
        (Phase::Contract, "contract: when no server of the old version runs"),
    ] {
        let steps = plan.steps.iter().enumerate().filter(|(_, step)| step.phase == phase);
        for (count, (at, step)) in steps.enumerate() {
            if count == 0 {
                text.push_str(&format!("\n{}\n", styled(BOLD, heading)));
            }
            text.push_str(&drawn_step(at, step, at < done));
            for hazard in &step.hazards {
                if !hazards.contains(hazard) {
                    hazards.push(*hazard);
                }
            }
        }
    }
    if !hazards.is_empty() {
        text.push_str(&format!(
            "\n{}\n",
            styled(BOLD, "what is dangerous about it, and how that is met")
        ));
        for hazard in hazards {
            text.push_str(&format!(
                "  {}: {}\n      {}\n",
                styled(YELLOW, hazard.name()),
                hazard.reason(),
                styled(DIM, hazard.way())
            ));
        }
    }
    text
}

fn drawn_step(at: usize, step: &Step, is_done: bool) -> String {
    let mark = if is_done { styled(GREEN, "✓") } else { " ".to_owned() };
    let mut text = format!("{mark}{:>3}  {}\n", at + 1, styled(BOLD, &step.title));
    let mut facts = vec![match step.lock {
        schema::Lock::None => "no lock".to_owned(),
        lock => format!("lock {}, which blocks {}", lock.name(), lock.blocks()),
    }];
    facts.push(step.cost.sentence().to_owned());
    facts.push(duration(step.seconds));
    if step.load > 0.0 {
        facts.push(format!("{} requests per second expected there", step.load));
    }
    text.push_str(&format!("      {}\n", styled(DIM, facts.join(" · "))));
    let script = step.script();
    let is_statement =
        |line: &&str| *line != "BEGIN;" && *line != "COMMIT;" && !line.starts_with("-- ");
    for line in script.lines().filter(is_statement) {
        text.push_str(&format!("      {line}\n"));
    }
    let names: Vec<&str> = step.hazards.iter().map(|hazard| hazard.name()).collect();
    if !names.is_empty() {
        text.push_str(&format!("      {}\n", styled(YELLOW, names.join(", "))));
    }
    text
}

fn duration(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 0.1 => "milliseconds".to_owned(),
        seconds if seconds < 90.0 => format!("about {seconds:.1} s"),
        seconds if seconds < 5_400.0 => format!("about {:.0} min", seconds / 60.0),
        seconds => format!("about {:.1} h", seconds / 3_600.0),
    }
}

/// A plan for programs.
pub(crate) fn machine(plan: &Migration, record: Option<&Record>) -> serde_json::Value {
    let steps: Vec<serde_json::Value> = plan
        .steps
        .iter()
        .enumerate()
        .map(|(at, step)| {
            let hazards: Vec<_> = step
                .hazards
                .iter()
                .map(|hazard| json!({ "name": hazard.name(), "reason": hazard.reason(), "way": hazard.way() }))
                .collect();
            json!({
                "phase": step.phase,
                "title": step.title,
                "sql": step.statements(),
                "undo": step.undo,
                "lock": step.lock.name(),
                "blocks": step.lock.blocks(),
                "cost": step.cost,
                "seconds": step.seconds,
                "requests_per_second": step.load,
                "hazards": hazards,
                "done": record.is_some_and(|record| at < record.step),
            })
        })
        .collect();
    json!({
        "state": record.map(|record| record.state),
        "summary": plan.summary,
        "drops": plan.drops,
        "obstacles": plan.obstacles,
        "steps": steps,
    })
}

fn apply(arguments: &MigrateApply) -> Result<(), Failure> {
    let Opened { loaded, place, store } = open(&arguments.place)?;
    // Held until the end.
    let _alone = place.alone()?;
    let backup = place.file().filter(|_| !arguments.no_backup).map(backup_of);
    let terms = Terms {
        allowed: arguments.allow_drop.clone(),
        contract: arguments.contract,
        alone: false,
        leave_values: false,
        backup,
    };
    let mut shown = Shown::default();
    let outcome = migrate::apply(&store, &loaded, &load(&loaded), &terms, &mut |progress| {
        shown.show(progress);
    });
    shown.end();
    let outcome = outcome?;
    if arguments.format == RecordFormat::Json {
        screen::out(&format!("{:#}\n", outcome_json(&outcome)));
        store.close();
        return Ok(());
    }
    match outcome {
        Outcome::Nothing => {
            screen::note(&format!(
                "{}: {place} holds the tables of this model",
                styled(GREEN, "nothing to do")
            ));
        }
        Outcome::Expanded(record) => screen::note(&told(&record)),
        Outcome::Done(entry) => {
            for line in &entry.summary {
                screen::note(&format!("  {line}"));
            }
            let kept = match &entry.backup {
                Some(path) => format!("; the database before is {path}"),
                None => String::new(),
            };
            screen::note(&format!(
                "{}: {place} holds the tables of this model{kept}",
                styled(GREEN, "done")
            ));
        }
    }
    store.close();
    Ok(())
}

fn outcome_json(outcome: &Outcome) -> serde_json::Value {
    match outcome {
        Outcome::Nothing => json!({ "outcome": "nothing" }),
        Outcome::Expanded(record) => json!({
            "outcome": "expanded",
            "began": record.began,
            "step": record.step,
            "steps": record.plan.steps.len(),
            "summary": record.plan.summary,
            "next": "mimar migrate apply --contract",
        }),
        Outcome::Done(entry) => json!({
            "outcome": "done",
            "began": entry.began,
            "ended": entry.ended,
            "summary": entry.summary,
            "backup": entry.backup,
        }),
    }
}

/// Beside the file, with the moment in its name.
fn backup_of(file: &std::path::Path) -> PathBuf {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let named = |at: u64| {
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".{at}.backup"));
        PathBuf::from(name)
    };
    // A second may hold two changes; each keeps its own.
    (since.as_secs()..).map(named).find(|path| !path.exists()).unwrap_or_else(|| named(0))
}

fn accept(arguments: &MigrateShow) -> Result<(), Failure> {
    let Opened { place, store, .. } = open(&arguments.place)?;
    let accepted = migrate::accept(&store)?;
    if arguments.format == RecordFormat::Json {
        screen::out(&format!("{:#}\n", json!({ "accepted": accepted })));
    } else if accepted.is_empty() {
        screen::note("nothing was put beside the tables that was not known");
    } else {
        screen::out(&format!("{}\n", accepted.join("\n")));
        screen::note(&format!("this belongs to {place} from now on"));
    }
    // Tables themselves are what the model says, or nothing.
    let drift = migrate::drift(&store)?;
    if drift.is_empty() { Ok(()) } else { Err(drifted(&place, &drift)) }
}

fn status(arguments: &MigrateShow) -> Result<(), Failure> {
    let Opened { loaded, place, store } = open(&arguments.place)?;
    let schema = &loaded.schema;
    let record = migrate::status(&store)?;
    let names = migrate::names(&store)?;
    let drift = if record.is_none() { migrate::drift(&store)? } else { Vec::new() };
    let of_others = migrate::belongs_to_others(&store, schema)?;
    let fits = record.is_none()
        && if of_others {
            matches!(engine::stand(&store, schema)?, Standing::Fits(_))
        } else {
            schema::diff(&migrate::tables(&store, &names, Some(schema))?, schema).is_empty()
        };
    if arguments.format == RecordFormat::Json {
        let value = json!({
            "state": record.as_ref().map(|record| record.state),
            "step": record.as_ref().map(|record| record.step),
            "steps": record.as_ref().map(|record| record.plan.steps.len()),
            "began": record.as_ref().map(|record| &record.began),
            "fits": fits,
            "of_others": of_others,
            "drift": drift,
            "names": names,
        });
        screen::out(&format!("{value:#}\n"));
        return Ok(());
    }
    match &record {
        Some(record) => {
            screen::out(&drawn(&record.plan, record.step));
            screen::note(&told(record));
        }
        None if !drift.is_empty() => {
            screen::out(&format!("{place} was changed by hand:\n{}\n", drift.join("\n")));
        }
        None if of_others && fits => screen::out(&format!(
            "{place} holds tables that others made, and this model serves them as they are, as far as their definitions tell\n"
        )),
        None if of_others => screen::out(&format!(
            "{place} holds tables that others made, and this model does not serve them; `mimar serve` says what stands in the way\n"
        )),
        None if fits => screen::out(&format!("{place} holds the tables of this model\n")),
        None => screen::out(&format!(
            "{place} does not hold the tables of this model; `mimar migrate plan` shows the way\n"
        )),
    }
    if !names.is_empty() {
        screen::out(
            "some things are stored under other names until no server runs; `mimar migrate apply` gives them theirs then\n",
        );
    }
    Ok(())
}

/// What a change under way waits for.
fn told(record: &Record) -> String {
    let apply = styled(CYAN, "mimar migrate apply");
    let rollback = styled(CYAN, "mimar migrate rollback");
    match record.state {
        State::Expanding => {
            format!("{}: {apply} goes on, {rollback} takes it back", styled(YELLOW, "expanding"))
        }
        State::Expanded => format!(
            "{}: both versions can be served now. Bring the new one out everywhere; when no server of the old one runs, {} \
             completes the change. Until then {rollback} takes it back",
            styled(GREEN, "expanded"),
            styled(CYAN, "mimar migrate apply --contract")
        ),
        State::Contracting => {
            format!("{}: {apply} completes the change", styled(YELLOW, "contracting"))
        }
        State::Undoing => {
            format!("{}: {rollback} completes that", styled(YELLOW, "being taken back"))
        }
    }
}

fn rollback(arguments: &MigrateRollback) -> Result<(), Failure> {
    let Opened { loaded, store, place } = open(&arguments.place)?;
    let mut shown = Shown::default();
    let entry = migrate::rollback(&store, false, &mut |progress| shown.show(progress));
    shown.end();
    let entry = entry?;
    if arguments.format == RecordFormat::Json {
        let value = json!({
            "outcome": "undone",
            "began": entry.began,
            "ended": entry.ended,
            "summary": entry.summary,
        });
        screen::out(&format!("{value:#}\n"));
        return Ok(());
    }
    screen::note(&format!("{}: {place} is as it was before", styled(GREEN, "taken back")));
    if migrate::has_new_formulas(&store, &loaded.model)? {
        screen::note(
            "values of computed fields that the new version wrote follow again when a server of this model runs",
        );
    }
    Ok(())
}

fn history(arguments: &MigrateShow) -> Result<(), Failure> {
    let Opened { store, .. } = open(&arguments.place)?;
    let entries = migrate::history(&store)?;
    if arguments.format == RecordFormat::Json {
        let value = serde_json::to_value(&entries).unwrap_or_default();
        screen::out(&format!("{value:#}\n"));
        return Ok(());
    }
    if entries.is_empty() {
        screen::note("no change was carried out here yet");
    }
    for Entry { began, ended, undone, summary, backup, .. } in entries {
        let undone = if undone { ", taken back" } else { "" };
        screen::out(&format!("{}\n", styled(BOLD, format!("{began} to {ended}{undone}"))));
        for line in summary {
            screen::out(&format!("  {line}\n"));
        }
        if let Some(backup) = backup {
            screen::out(&format!("  the database before: {backup}\n"));
        }
    }
    Ok(())
}

/// Shows how a change goes: a line for each step, a bar while rows are written.
#[derive(Default)]
struct Shown {
    bar: Option<ProgressBar>,
}

impl Shown {
    fn show(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Step(at, of, step) => {
                self.end();
                screen::note(&format!("{:>3}/{of}  {}", at + 1, step.title));
            }
            Progress::Filled(done, all) => {
                let bar = self.bar.get_or_insert_with(|| {
                    if !screen::is_interactive() {
                        return ProgressBar::hidden();
                    }
                    let style =
                        ProgressStyle::with_template("       {bar:40} {percent}%  {eta} left")
                            .unwrap_or_else(|_| ProgressStyle::default_bar());
                    ProgressBar::new(all).with_style(style)
                });
                bar.set_position(done);
            }
            Progress::Waiting(tries) if tries % 5 == 0 => {
                screen::note("       somebody holds the lock that is needed; trying on");
            }
            Progress::Waiting(_) => {}
            Progress::Computed(rows) => {
                self.end();
                let rows = screen::count(rows, "row has", "rows have");
                screen::note(&format!("       {rows} other values of computed fields"));
            }
            Progress::NamesStay => screen::note(
                "       servers run that know the names as they are: the final ones come with `mimar migrate apply` when \
                 none does",
            ),
        }
    }

    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
