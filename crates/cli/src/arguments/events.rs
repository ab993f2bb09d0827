//! What `mimar events` takes.

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::DataPlace;

/// Look at events and at what has come of them.
///
/// Events that commands publish are kept for a week, or as long as `mimar serve --keep-events` says. Works on the database itself, also while servers run over it.
#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    List(EventsList),
    Tail(EventsTail),
    Replay(EventsReplay),
    Dead(Dead),
}

/// Show events that were published, the newest first.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mimar events list --type OrderPlaced --since 2h\n  mimar events list --key 7 --json --database shop.db"
)]
pub(crate) struct EventsList {
    #[command(flatten)]
    pub(crate) wanted: Wanted,
    /// The most.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
    /// Print each as a line of JSON in the form of CloudEvents 1.0.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: DataPlace,
}

/// Show events as they are published, until you interrupt it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mimar events tail\n  mimar events tail --since 10m --json | jq .data"
)]
pub(crate) struct EventsTail {
    #[command(flatten)]
    pub(crate) wanted: Wanted,
    /// Print each as a line of JSON in the form of CloudEvents 1.0.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: DataPlace,
}

/// Let those who hear events hear them once more.
///
/// Each of the model's subscriptions to such an event gets a task, in the order in which the events were published; an event
/// keeps its identifier. With `--to broker` they are sent to the broker instead, in the same order, by the server that speaks with it.
/// On a terminal you are asked before.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("which").required(true).multiple(true).args(["ids", "name", "key", "since", "limit"]),
    after_help = "Examples:\n  mimar events replay --type OrderPaid --since 2026-11-21T08:00:00Z\n  mimar events replay \
                  018f4e5a-7b3c-7def-8123-456789abcdef --yes\n  mimar events replay --since 7d --to broker"
)]
pub(crate) struct EventsReplay {
    /// Identifiers of events.
    #[arg(value_name = "ID", num_args = 0..=1_000)]
    pub(crate) ids: Vec<uuid::Uuid>,
    #[command(flatten)]
    pub(crate) wanted: Wanted,
    /// The most; those that were published last.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: Option<u32>,
    /// Who hears them once more: subscriptions and webhooks of the model, or the broker, which gets what it has lost.
    #[arg(long, value_enum, default_value_t = Hearer::Model, value_name = "WHO")]
    pub(crate) to: Hearer,
    /// Do not ask.
    #[arg(short, long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) place: DataPlace,
}

/// Who hears events once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Hearer {
    /// Who hears them in the model.
    Model,
    /// The broker that the servers of this database speak with.
    Broker,
}

/// Which events.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// Of this type: `OrderPlaced`, `sales.OrderPlaced`, or as CloudEvents say it.
    #[arg(long = "type", id = "name", value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Of this key, by which the model keeps the order of such events.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Published (or put aside) since then: a moment (2026-11-21T08:00:00Z), or so long ago (30m, 12h, 7d).
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<i64>,
}

/// Show tasks that have failed too often and are tried no more, or do something about them.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  mimar events dead\n  mimar events dead --type OrderPaid --since 2h\n  mimar events dead retry --all --database shop.db\n  mimar events dead drop 17"
)]
pub(crate) struct Dead {
    #[command(flatten)]
    pub(crate) wanted: Wanted,
    /// Print each as a line of JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: DataPlace,
    #[command(subcommand)]
    pub(crate) command: Option<DeadCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadCommand {
    #[command(after_help = "Example:\n  mimar events dead retry 17 --database shop.db")]
    Retry(DeadRetry),
    #[command(after_help = "Example:\n  mimar events dead drop 17 --database shop.db")]
    Drop(DeadDrop),
}

/// Let a task be tried again, or all.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["number", "all"]))]
pub(crate) struct DeadRetry {
    /// Its number.
    #[arg(value_name = "N")]
    pub(crate) number: Option<i64>,
    /// All of them.
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) place: DataPlace,
}

/// Drop a task: it is never done.
#[derive(Debug, Args)]
pub(crate) struct DeadDrop {
    /// Its number.
    #[arg(value_name = "N")]
    pub(crate) number: i64,
    #[command(flatten)]
    pub(crate) place: DataPlace,
}

/// Microseconds since 1970-01-01T00:00:00Z.
fn moment(text: &str) -> Result<i64, String> {
    if let Ok(operation::Value::Int(moment)) = operation::Scalar::Timestamp.parse(text) {
        return Ok(moment);
    }
    let wrong =
        || "must be a moment such as 2026-11-21T08:00:00Z, or s, m, h or d, such as 12h".to_owned();
    let ago = super::lifetime(text).map_err(|_| wrong())?;
    let moment = std::time::SystemTime::now().checked_sub(ago).ok_or_else(wrong)?;
    let since = moment.duration_since(std::time::UNIX_EPOCH).map_err(|_| wrong())?;
    i64::try_from(since.as_micros()).map_err(|_| wrong())
}
