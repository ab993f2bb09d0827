//! `plan_migration`

use std::sync::Arc;

use engine::Loaded;
use engine::migrate::{self, Formulas, Record};
use model::{Model, Valid};
use operation::Dialect;
use schema::{Facts, Migration, Names, ddl, migration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::definitions;

use super::diff::model;
use super::{Answer, Refusal};
use crate::command::migrate as command;
use crate::failure::Failure;
use crate::mcp::root::Root;
use crate::place::Place;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Arguments {
    /// The model that the tables are to follow: a folder or one file below the root; the root where it is left out.
    path: Option<String>,
    /// The model that the tables are of now: a folder or a file below the root, or git:REVISION. No database is asked then.
    against: Option<String>,
    /// With `against`: which kind of database has the tables; `postgres` where it is left out.
    on: Option<Engine>,
    /// The database that has the tables now: an SQLite file below the root, or a postgres:// address.
    database: Option<String>,
    /// Instead of `database`: the environment of the model that says where the rows are. Where all are left out: `production`.
    environment: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Engine {
    Postgres,
    Sqlite,
}

/// A plan. Nothing of it was carried out.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Plan {
    /// Where the tables are told from: a model, or a database.
    #[serde(default)]
    from: String,
    /// How far a change is that is under way: then this is its plan.
    state: Option<String>,
    /// What changes, one short sentence each; empty where the tables fit.
    summary: Vec<String>,
    /// What would be destroyed, which `mimar migrate apply --allow-drop` has to allow.
    drops: Vec<Drop>,
    /// What stands in the way.
    obstacles: Vec<String>,
    /// What stands in the way or is lost where the tables have such rows.
    #[serde(default)]
    where_rows: Vec<String>,
    /// The steps, in order.
    steps: Vec<Step>,
}

/// Something that is destroyed.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Drop {
    /// `table` or `table.column`.
    name: String,
    /// Why, and what to do if it should not be.
    reason: String,
}

/// One step.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Step {
    /// `expand`: old and new servers run side by side; `contract`: when no server of the old version runs.
    phase: String,
    /// What it does.
    title: String,
    /// Its statements.
    sql: Vec<String>,
    /// What undoes it.
    undo: Vec<String>,
    /// The heaviest lock that it takes.
    lock: String,
    /// What that lock blocks.
    blocks: String,
    /// For how long, as a word.
    cost: String,
    /// The same in seconds, estimated.
    seconds: f64,
    /// Requests per second that the model expects on the table.
    requests_per_second: f64,
    /// What is dangerous about it, and how that is met.
    hazards: Vec<Hazard>,
    /// Whether it is done already.
    done: bool,
}

/// A danger.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Hazard {
    /// Its name.
    name: String,
    /// Why it is dangerous.
    reason: String,
    /// How that is met.
    way: String,
}

pub(super) fn call(root: &Root, arguments: &Arguments) -> Result<Answer, Refusal> {
    let path = arguments.path.as_deref().unwrap_or(".");
    let Arguments { against, on, database, environment, .. } = arguments;
    let from_database = database.is_some() || environment.is_some();
    match against {
        Some(_) if from_database => Err(Refusal::new(
            "give `against` (an older model) or a database (`database`, `environment`), not both",
        )),
        Some(against) => {
            let new = model(root, path, ".")?;
            let old = model(root, against, path)?;
            answer(against.clone(), &between(&old, &new, on.unwrap_or(Engine::Postgres)), None)
        }
        None if on.is_some() => Err(Refusal::new(
            "`on` goes with `against`; a database says itself of which kind it is",
        )),
        None if database.is_some() && environment.is_some() => {
            Err(Refusal::new("give `database` or `environment`, not both"))
        }
        None => of_database(root, path, arguments),
    }
}

/// The plan between two models, whatever the tables hold.
fn between(old: &Valid<Model>, new: &Valid<Model>, on: Engine) -> Migration {
    let dialect = match on {
        Engine::Sqlite => Dialect::Sqlite,
        Engine::Postgres => Dialect::Postgres,
    };
    let before = ddl::definitions(&schema::derive(old, dialect));
    let after = compiled(new, dialect);
    let mut plan = match on {
        Engine::Sqlite => migration::sqlite(&before, &after.schema),
        Engine::Postgres => {
            let facts = Facts { load: command::load(&after), ..Facts::default() };
            migration::postgres(&before, &Names::default(), &after.schema, &facts)
        }
    };
    // Where nothing differs but what no change leads to, nothing is computed either.
    if plan.obstacles.is_empty() {
        migrate::plan_formulas(&mut plan, Some(&Formulas::of(old)), &after, dialect, &|_| 0);
    }
    plan
}

fn compiled(model: &Valid<Model>, dialect: Dialect) -> Loaded {
    let schema = schema::derive(model, dialect);
    Loaded::new(Arc::new(model.clone()), Arc::new(schema))
}

fn of_database(root: &Root, path: &str, arguments: &Arguments) -> Result<Answer, Refusal> {
    let mut project = root.project(path)?;
    let Some(model) = project.model.take() else {
        return Err(Refusal::faulty("the model", &project));
    };
    let said = match &arguments.database {
        Some(database) => {
            let Ok(place) = database.parse::<Place>();
            Some(place)
        }
        None => None,
    };
    let environment = arguments.environment.as_deref();
    let place = Place::of_production(said.as_ref(), environment, &project, &model)?;
    let loaded = compiled(&model, place.dialect());
    let from = place.to_string();
    match &place {
        Place::File(file) => {
            let Some(name) = file.to_str() else {
                return Err(Refusal::new("the path of the database is no text"));
            };
            // Where nothing is served yet there is nothing to follow; a file outside is refused before that is looked at.
            let file = root.resolve(name).map_err(|refusal| no_database(refusal, name))?;
            // Only read: an open store would make its own tables in it.
            let tables = definitions::sqlite_tables(&file).map_err(Failure::Store)?;
            let mut plan = migration::sqlite(&tables, &loaded.schema);
            // Which formulas the values follow is noted where only an open store reads it: a change of formulas alone is not seen.
            let same = Formulas::of(&loaded.model);
            migrate::plan_formulas(&mut plan, Some(&same), &loaded, Dialect::Sqlite, &|_| 0);
            answer(from, &plan, None)
        }
        Place::Server(_) => of_server(from, &place, &loaded),
    }
}

fn no_database(refusal: Refusal, name: &str) -> Refusal {
    let hint = "A plan can also be made without a database: `against` takes the older model, such as git:HEAD";
    Refusal::new(format!(
        "there is no database to plan from at `{name}`: {}\n\n{hint}",
        refusal.text()
    ))
}

fn of_server(from: String, place: &Place, loaded: &Loaded) -> Result<Answer, Refusal> {
    let store = place.open()?;
    store.call("mimar mcp");
    store.know(&loaded.schema.tables, loaded.plan.redraws());
    let planned = match migrate::status(&store) {
        Ok(Some(record)) => Ok((record.plan.clone(), Some(record))),
        Ok(None) => migrate::plan(&store, loaded, &command::load(loaded)).map(|plan| (plan, None)),
        Err(fault) => Err(fault),
    };
    store.close();
    let (plan, record) = planned.map_err(Failure::from)?;
    answer(from, &plan, record.as_ref())
}

fn answer(from: String, plan: &Migration, record: Option<&Record>) -> Result<Answer, Refusal> {
    let mut data = command::machine(plan, record);
    data["from"] = json!(from);
    data["where_rows"] = plan.losses.iter().map(|loss| loss.sentence.clone()).collect();
    let data: Plan = serde_json::from_value(data).map_err(Failure::Json)?;
    let mut text = match (plan.is_empty(), record) {
        (true, _) => format!("nothing to do: the tables of {from} are those of the model"),
        (false, Some(_)) => {
            format!(
                "a change is under way there:\n\n{}",
                command::drawn(plan, data.steps.iter().filter(|step| step.done).count())
            )
        }
        (false, None) => command::drawn(plan, 0),
    };
    text = anstream::adapter::strip_str(&text).to_string();
    for (heading, lines) in [
        (
            "what is destroyed, and must be allowed by name",
            data.drops.iter().map(|it| format!("{}: {}", it.name, it.reason)).collect(),
        ),
        ("what stands in the way", data.obstacles.clone()),
        ("what is lost or stands in the way where there are such rows", data.where_rows.clone()),
    ] {
        if !lines.is_empty() {
            text.push_str(&format!("\n{heading}\n"));
            lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
        }
    }
    Answer::of(text, &data)
}
