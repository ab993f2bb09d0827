//! Why a change is not carried out.

use schema::migration;
use store::StoreFault;

use super::State;

/// Why a change is not carried out.
#[derive(Debug, thiserror::Error)]
pub enum MigrateFault {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// What is recorded cannot be read.
    #[error(
        "what the database has recorded about its changes cannot be read ({0}); it was written by another version of mimar"
    )]
    Record(serde_json::Error),
    /// What is recorded contradicts itself.
    #[error(
        "what the database has recorded about its change points to a step that its plan does not have"
    )]
    Position,
    /// A change is under way, since then, and what it needs stands beside the tables, too.
    #[error(
        "a change is under way since {0}, and what it needs stands beside the tables, too: complete it or take it back, then say \
         what belongs there"
    )]
    Unsettled(String),
    /// Another change is under way.
    #[error(
        "a change to another model ({to}) is under way, {state:?} since {began}: finish it with that model, or take it back \
         with `mimar migrate rollback`"
    )]
    UnderWay {
        /// The other model.
        to: String,
        /// How far it is.
        state: State,
        /// Since when.
        began: String,
    },
    /// The plan cannot be carried out.
    #[error("the tables cannot follow the model:\n{}", lines(.0))]
    Obstacles(Vec<String>),
    /// Something would be destroyed that nobody has allowed to.
    #[error("the change destroys what nobody has allowed it to:\n{}\n\nNothing was changed. Allow each by its name, or do as said there{}",
        allowing(.0), in_vain(.1))]
    NotAllowed(Vec<migration::Drop>, Vec<String>),
    /// What was allowed is nothing that the change destroys: a slip, perhaps.
    #[error(
        "the change destroys nothing of the name {}: leave that out, or look what it was meant to be (`mimar migrate plan`)\n\nNothing was \
         changed", .0.join(", ")
    )]
    AllowedInVain(Vec<String>),
    /// Servers run that would fail.
    #[error(
        "servers that do not run the {version} version are connected ({connections} of their connections are open), and they would \
         fail: stop them first"
    )]
    Served {
        /// How many.
        connections: u64,
        /// `old` or `new`: the version that may run.
        version: &'static str,
    },
    /// Servers of other formulas run.
    #[error(
        "servers of other formulas are connected ({connections} of their connections are open), and they go on writing what those \
         say: stop them first. Or start servers of this model: they compute what they read, and the rest when the others have ended"
    )]
    OtherFormulas {
        /// How many.
        connections: u64,
    },
    /// A lock was not to be had.
    #[error(
        "\"{step}\" did not get its lock in {tries} tries{}\n\nNothing is half done: the same command goes on where it stopped",
        .holder.as_ref().map(|holder| format!("; {holder}")).unwrap_or_default()
    )]
    Locked {
        /// The step.
        step: String,
        /// How often it was tried.
        tries: u32,
        /// Who may hold it.
        holder: Option<String>,
    },
    /// The schema of a service is that of the connection.
    #[error(
        "the tables of the service `{0}` are to stand in the schema `{0}`, and that is where tables of no service stand on this \
         connection: connect with another `search_path`, or give the service another name"
    )]
    Together(String),
    /// Nothing to take back.
    #[error("{0}")]
    NothingToUndo(&'static str),
}

fn lines(sentences: &[String]) -> String {
    sentences.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// Names that were allowed beside, and that nothing has.
fn in_vain(names: &[String]) -> String {
    match names {
        [] => String::new(),
        names => format!(". Nothing that it destroys is called {}", names.join(" or ")),
    }
}

fn allowing(drops: &[migration::Drop]) -> String {
    let lines: Vec<String> = drops
        .iter()
        .map(|drop| format!("  --allow-drop {}   {}", drop.name, drop.reason))
        .collect();
    lines.join("\n")
}
