//! What can be asked on the command line; `--help` is written here.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Effects};
use clap::builder::{PossibleValue, Styles, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

mod agents;
mod check;
mod diff;
mod webhook;

use crate::place::Place;
pub(crate) use agents::{Describe, Docs, Mcp, Policy, PolicyFormat};
pub(crate) use check::{Check, Format, LevelArguments, Rules, RulesFormat};
pub(crate) use diff::{Diff, DiffFormat, FailOn};
pub(crate) use webhook::{
    Webhook, WebhookAdd, WebhookDeliveries, WebhookForm, WebhookOne, WebhookReplay, WebhookRotate,
};

mod events;

pub(crate) use events::{
    Dead, DeadCommand, EventsCommand, EventsList, EventsReplay, EventsTail, Hearer, Wanted,
};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
    .placeholder(AnsiColor::Cyan.on_default());

const AFTER_HELP: &str = "\
A first look:
  mimar new notes           a small project to start from
  mimar dev notes           check it, serve it, reload it on every save
  mimar explain E0105       what a fault means, and how to mend it

Exit codes:
  0  it worked
  1  the model has errors, the review denies something, a check found something to change, or
     `diff` found what --fail-on names
  2  the command line is wrong
  3  the world failed: a file, the database, the network, a row of data

Environment:
  MIMAR_JWT_SECRET          secret of HS256 tokens, 32 bytes or more
  MIMAR_JWT_PUBLIC_KEY      public key or keys (PEM) of RS256, ES256, ES384 or EdDSA tokens
  MIMAR_…                   options of `serve`; its --help names them
  NO_COLOR                  no colours, whatever the terminal can do";

/// Turns one architecture, written down, into a backend that runs.
///
/// Mimar reads the `*.mimar` files of a folder as one model, checks it as a compiler checks code, and serves it:
/// a REST API over an embedded database, with the policies of the model in every statement.
#[derive(Debug, Parser)]
#[command(name = "mimar", version, styles = STYLES, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Arguments {
    /// When to use colours: auto (on a terminal, unless NO_COLOR is set), always, never.
    #[arg(long, value_enum, default_value_t = Color::Auto, global = true, value_name = "WHEN")]
    #[arg(hide_possible_values = true, hide_default_value = true, help_heading = "Screen")]
    pub(crate) color: Color,
    /// Say more on stderr; twice for everything.
    #[arg(short, long, action = clap::ArgAction::Count, global = true, help_heading = "Screen")]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal that can, unless NO_COLOR is set.
    Auto,
    /// Also into files and pipes.
    Always,
    /// Not at all.
    Never,
}

impl Color {
    pub(crate) fn apply(self) {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    New(New),
    Check(Check),
    Diff(Diff),
    Fmt(Fmt),
    Explain(Explain),
    Policy(Policy),
    Describe(Describe),
    ExplainPlan(ExplainPlan),
    Dev(Dev),
    Serve(Serve),
    Openapi(Openapi),
    Asyncapi(Asyncapi),
    #[command(subcommand)]
    #[command(
        after_help = "Examples:\n  mimar data load exports --project shop\n  mimar data dump backup --format jsonl"
    )]
    Data(DataCommand),
    #[command(subcommand)]
    #[command(
        after_help = "Examples:\n  mimar events list --since 2h\n  mimar events tail --json\n  mimar events dead"
    )]
    Events(EventsCommand),
    Copy(Copy),
    Import(Import),
    Lsp(Lsp),
    Mcp(Mcp),
    #[command(subcommand)]
    #[command(
        after_help = "Examples:\n  mimar migrate plan shop\n  mimar migrate apply shop\n  mimar migrate status shop"
    )]
    Migrate(Migrate),
    #[command(subcommand)]
    #[command(
        after_help = "Examples:\n  mimar webhook add order_events https://partner.example/hooks\n  mimar webhook list"
    )]
    Webhook(Webhook),
    Token(Token),
    Completions(Completions),
    Docs(Docs),
    Rules(Rules),
    /// Print the language reference, in Markdown.
    #[command(after_help = "Example:\n  mimar reference > language.md")]
    Reference,
}

/// Start a project from a small template.
///
/// Makes the folder with an architecture of some sixty lines, a README and a .gitignore; `mimar dev` serves it at
/// once.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mimar new notes && mimar dev notes")]
pub(crate) struct New {
    /// The folder to make, or `.` for the one you are in; its last part names the app.
    #[arg(value_name = "NAME")]
    pub(crate) name: PathBuf,
}

/// Serve an editor: the language server, over standard input and output.
///
/// Editors start it themselves. It speaks LSP 3.17: diagnostics with their fixes, hover, completion, definition, references, rename, outline,
/// colours, hints and formatting, over all files of the editor's folder, unsaved ones included.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  mimar lsp      what an editor is told to start; `editors/` has settings for several"
)]
pub(crate) struct Lsp {
    /// Over standard input and output; there is no other way, and editors like to say so.
    #[arg(long)]
    pub(crate) stdio: bool,
}

/// Lay files out in the one way there is.
///
/// Comments stay where they are; a file that cannot be parsed is left as it is and its faults are shown.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mimar fmt\n  mimar fmt --check shop.mimar    exit code 1 if it would change"
)]
pub(crate) struct Fmt {
    /// Files and folders; `-` formats standard input to standard output.
    #[arg(default_value = ".")]
    pub(crate) paths: Vec<PathBuf>,
    /// Change nothing; name the files that would change and exit with 1 if there are any.
    #[arg(long)]
    pub(crate) check: bool,
}

/// Explain a code that `check` prints, or a word of the language.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mimar explain E0105\n  mimar explain missing-index\n  mimar explain flow\n  mimar explain        all codes with their titles"
)]
pub(crate) struct Explain {
    /// The code, in any letter case, the name of a rule of the review, or a word of the language.
    #[arg(value_name = "CODE", value_parser = AnyCode, hide_possible_values = true)]
    pub(crate) code: Option<String>,
}

/// Takes any text, since an unknown code gets an answer that names the nearest; completions have the codes from here.
#[derive(Debug, Clone)]
struct AnyCode;

impl TypedValueParser for AnyCode {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        clap::builder::StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let codes = crate::command::explain::codes();
        Some(Box::new(codes.map(|code| PossibleValue::new(code.id).help(code.title))))
    }
}

/// Show what a command of the model sends to its database.
///
/// The statements in the order in which they are sent, the rows that each reads and how they are locked, and how often an answer is
/// awaited. Nothing is run, and no database is asked: what depends on values is shown as the most that may be.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mimar explain-plan place_order\n  mimar explain-plan place_order --on postgres --project \
                  examples/shop\n  mimar explain-plan cancel --role system --format json"
)]
pub(crate) struct ExplainPlan {
    /// A command of the model.
    #[arg(value_name = "COMMAND")]
    pub(crate) command: String,
    /// Who runs it: a role of the model, `system` or `anyone` [default: the first who may].
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: Option<String>,
    /// On which kind of database [default: what `environment production` says, or sqlite].
    #[arg(long, value_enum, value_name = "DATABASE")]
    pub(crate) on: Option<Engine>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub(crate) format: Output,
    /// The project's folder, or one file.
    #[arg(long, value_name = "PATH", default_value = ".")]
    pub(crate) project: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// Embedded SQLite.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Drawn for people.
    Text,
    /// One JSON object for programs.
    Json,
}

/// Serve a model while you write it.
///
/// Checks the model, keeps a database for it, loads the rows of its `data` folder into a new database, and serves
/// it. Every save reloads it: tables follow as long as nothing is lost, and a broken edit keeps the last good model
/// serving. A model that has errors from the start is served with the save that mends them.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mimar dev\n  mimar dev examples/chinook --listen 127.0.0.1:8080\n  mimar dev \
                  --fresh              begin with a new database, and the rows of `data` in it\n\nFiles it keeps in the project: \
                  .mimar/dev.db (or the sqlite file that `environment dev` names)\nand .mimar/secret, which signs \
                  the tokens it prints."
)]
pub(crate) struct Dev {
    /// The project's folder, or one file.
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// Where to listen [default: 127.0.0.1:7777, or the next free port].
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// The broker that events are sent to and received from, such as nats://127.0.0.1:4222 [default: what `environment dev` says].
    #[arg(long, value_name = "URL", env = "MIMAR_BROKER", hide_env_values = true)]
    pub(crate) broker: Option<broker::Address>,
    /// Delete the development database and begin anew.
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Change tables even where stored values are lost.
    #[arg(long)]
    pub(crate) accept_loss: bool,
}

/// Serve a model in production.
///
/// The database must hold exactly the tables of the model; a new one is created. SIGTERM and SIGINT stop accepting,
/// finish what is under way within ten seconds and end. Tokens are verified with MIMAR_JWT_SECRET,
/// MIMAR_JWT_PUBLIC_KEY or the files named below.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  MIMAR_JWT_PUBLIC_KEY=\"$(cat issuer.pem)\" mimar serve shop --listen \
                        0.0.0.0:8080 --database /var/lib/shop.db\n  DATABASE_URL=postgres://shop@db.example/shop \
                        mimar serve shop --environment production\n\nReplicas:\n  An environment whose store is `env DATABASE_URL` \
                        finds the addresses of its replicas in DATABASE_URL_REPLICAS,\n  with white space or commas between \
                        them. A read is made on one that has replayed all that was\n  acknowledged before it, and otherwise on the primary."
)]
pub(crate) struct Serve {
    /// The project's folder, or one file.
    pub(crate) path: PathBuf,
    #[command(flatten)]
    pub(crate) options: ServeOptions,
}

/// The command line of a program that does commands by code.
#[derive(Debug, Parser)]
#[command(version, styles = STYLES, max_term_width = 100, about = "Serves its model.", long_about = None)]
pub(crate) struct ServeOwn {
    #[command(flatten)]
    pub(crate) options: ServeOptions,
    /// Say more on stderr; twice for everything.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// How a model is served.
#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7777", env = "MIMAR_LISTEN")]
    pub(crate) listen: SocketAddr,
    /// The database: an SQLite file, or the address of a PostgreSQL database (postgres://…) [default: what
    /// `environment production` says, or <project>/.mimar/data.db].
    #[arg(long, value_name = "FILE|URL", env = "MIMAR_DATABASE", hide_env_values = true)]
    pub(crate) database: Option<Place>,
    /// Streaming replicas of --database that reads may be made on: their addresses, with white space or commas between them.
    #[arg(
        long,
        value_name = "URLS",
        env = "MIMAR_REPLICAS",
        hide_env_values = true,
        requires = "database"
    )]
    pub(crate) replicas: Option<String>,
    /// The environment of the model that says where the rows are [default: production].
    #[arg(long, value_name = "NAME", env = "MIMAR_ENVIRONMENT", conflicts_with = "database")]
    pub(crate) environment: Option<String>,
    /// The broker that events are sent to and received from: nats://, amqp://, redis:// or kafka://, encrypted tls://, amqps://,
    /// rediss:// or kafkas:// [default: what the environment says; none with --database].
    #[arg(long, value_name = "URL", env = "MIMAR_BROKER", hide_env_values = true)]
    pub(crate) broker: Option<broker::Address>,
    /// Threads that answer requests [default: one for each processor].
    #[arg(long, value_name = "N", env = "MIMAR_WORKERS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    /// A web origin whose pages may call, such as https://shop.example; may be repeated.
    #[arg(long = "origin", value_name = "URL", env = "MIMAR_ORIGINS", value_delimiter = ',')]
    pub(crate) origins: Vec<String>,
    /// Let webhooks send to private networks, to this machine and over http://; otherwise only https:// to public addresses.
    #[arg(long, env = "MIMAR_WEBHOOKS_TO_PRIVATE")]
    pub(crate) webhooks_to_private: bool,
    /// For how long events are kept, to be looked at and replayed, such as 36h or 30d: an hour to ten years.
    #[arg(long, value_name = "TIME", default_value = "7d", env = "MIMAR_KEEP_EVENTS", value_parser = keeping)]
    pub(crate) keep_events: std::time::Duration,
    /// A file with the secret of HS256 tokens; a change is followed within a second.
    #[arg(long, value_name = "FILE", env = "MIMAR_JWT_SECRET_FILE")]
    pub(crate) jwt_secret_file: Option<PathBuf>,
    /// A file with public keys of tokens (PEM); a change is followed within a second.
    #[arg(long, value_name = "FILE", env = "MIMAR_JWT_PUBLIC_KEY_FILE")]
    pub(crate) jwt_public_key_file: Option<PathBuf>,
    // On a command line every user of the machine could read it: the environment only.
    #[arg(long, env = "MIMAR_JWT_SECRET", hide_env_values = true, hide = true)]
    pub(crate) jwt_secret: Option<String>,
    #[arg(long, env = "MIMAR_JWT_PUBLIC_KEY", hide_env_values = true, hide = true)]
    pub(crate) jwt_public_key: Option<String>,
}

/// Print the API as an OpenAPI 3.1 document.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mimar openapi shop --output openapi.json")]
pub(crate) struct Openapi {
    #[command(flatten)]
    pub(crate) document: Document,
}

/// Print the events as an AsyncAPI 3.0 document.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mimar asyncapi shop --output asyncapi.json")]
pub(crate) struct Asyncapi {
    #[command(flatten)]
    pub(crate) document: Document,
}

/// Of which model, and where to.
#[derive(Debug, Args)]
pub(crate) struct Document {
    /// The project's folder, or one file.
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// Write it to a file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Bring rows in and out.
#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    Load(DataLoad),
    Dump(DataDump),
}

/// Load the files of a folder, or the tables of an SQLite file that others made, all or nothing.
///
/// Each file holds the rows of one entity and is called after it: `Track.csv` or `Track.jsonl`. The first line of a
/// CSV file names its fields, a line of a JSON Lines file is one object. References are keys; rows of parts name
/// their root in a column called after it (`invoice`) and come in one load with it. An empty cell of CSV is an absent
/// value where the field is optional or has a default, an empty text elsewhere. Computed fields are computed; a file
/// may hold them, and then they must agree.
///
/// The tables of an SQLite file that others made are found by their stored names (`stored as`), as `mimar import` writes them. Texts become
/// moments (in UTC where they say no offset), numbers seconds since 1970, reals decimals. The file is only read.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mimar data load exports --project shop --database shop.db\n  mimar data load old.db --project shop --database shop.db"
)]
pub(crate) struct DataLoad {
    /// The folder with the files, or the SQLite file.
    #[arg(value_name = "FOLDER|FILE")]
    pub(crate) from: PathBuf,
    #[command(flatten)]
    pub(crate) place: DataPlace,
}

/// Write every row to files, one for each entity.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mimar data dump backup --project shop --format jsonl")]
pub(crate) struct DataDump {
    /// The folder to write to; it is made, and must not hold files of these names.
    pub(crate) folder: PathBuf,
    /// What the files are.
    #[arg(long, value_enum, default_value_t = FileKind::Csv, value_name = "FORMAT")]
    pub(crate) format: FileKind,
    #[command(flatten)]
    pub(crate) place: DataPlace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileKind {
    /// Comma-separated values (RFC 4180) with a header line.
    Csv,
    /// JSON Lines: one object on each line.
    Jsonl,
}

/// Which model, which database.
#[derive(Debug, Args)]
pub(crate) struct DataPlace {
    /// The project's folder, or one file.
    #[arg(long, value_name = "PATH", default_value = ".")]
    pub(crate) project: PathBuf,
    /// The database: an SQLite file, or the address of a PostgreSQL database (postgres://…) [default: the one that
    /// `mimar dev` keeps].
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) database: Option<Place>,
    /// The environment of the model that says where the rows are.
    #[arg(long, value_name = "NAME", conflicts_with = "database")]
    pub(crate) environment: Option<String>,
}

/// Copy the rows of a project from one database into another.
///
/// SQLite on the laptop today, PostgreSQL tomorrow: the target is empty, or holds what an interrupted copy left, which then
/// goes on (an SQLite target begins anew). At the end both are read and compared, table by table, by count and checksum. Stop
/// the server before: what it writes meanwhile would be missing.
///
/// Rows go over, and the numbers that were given out. Published events, receipts and the endpoints of webhooks stay where they are;
/// so would tasks, deliveries and events for a broker that still wait, and therefore nothing is copied as long as there are any.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mimar copy --project shop --from shop.db --to postgres://shop@db.example/shop\n  mimar \
                  copy --from postgres://localhost/shop --to sqlite:shop.db"
)]
pub(crate) struct Copy {
    /// Where the rows are: an SQLite file or the address of a PostgreSQL database.
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) from: Place,
    /// Where they are to be.
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) to: Place,
    /// Copy although tasks, deliveries or events for a broker wait: they stay behind.
    #[arg(long)]
    pub(crate) leave_work: bool,
    /// The project's folder, or one file.
    #[arg(long, value_name = "PATH", default_value = ".")]
    pub(crate) project: PathBuf,
}

/// Write a model from a database that is there already.
///
/// Reads the definitions of a running PostgreSQL database, of an SQLite file, or of a script (`pg_dump --schema-only`, a dump of
/// any size) and writes an idiomatic model: keys, references, bounds, enums, checks, defaults, indexes and comments; a table
/// that goes with another becomes a part of it. Names become those of the language and keep their stored ones. What a model
/// cannot say is listed, each with its reason.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mimar import postgres://localhost/shop --output shop.mimar\n  mimar import sqlite:shop.db\n  \
                  pg_dump --schema-only shop > shop.sql && mimar import shop.sql"
)]
pub(crate) struct Import {
    /// The address of a PostgreSQL database (postgres://…), an SQLite file (sqlite:FILE), or a script (FILE.sql, `-` for
    /// standard input).
    #[arg(value_name = "SOURCE")]
    pub(crate) source: String,
    /// Write the model to a file instead of standard output; it must not be there yet.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// What the app is called [default: after the source].
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// How a script is written [default: by the look of it].
    #[arg(long, value_enum, value_name = "DIALECT")]
    pub(crate) dialect: Option<ScriptDialect>,
    /// How to print what the model does not say: for people, or as one JSON object with the model in it.
    #[arg(long, value_enum, default_value_t = RecordFormat::Human, value_name = "FORMAT")]
    pub(crate) format: RecordFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScriptDialect {
    /// As PostgreSQL's.
    Postgres,
    /// As SQLite's.
    Sqlite,
}

/// Change the tables of a database that is in use.
///
/// The change comes in two halves. `apply` carries out the first: what the new version of the model needs comes into being,
/// and both versions can be served, old and new servers side by side. When no server of the old version runs, `apply
/// --contract` carries out the second: what only the old version needed goes. Each step is recorded in the database, so that
/// a process that died is gone on from; until the second half `rollback` takes everything back. On SQLite the whole change is
/// one transaction, after a backup.
#[derive(Debug, Subcommand)]
pub(crate) enum Migrate {
    Plan(MigratePlan),
    Apply(MigrateApply),
    /// Say how far the change is that is under way, or whether the database fits the model.
    #[command(after_help = "Example:\n  mimar migrate status shop")]
    Status(MigrateShow),
    Rollback(MigrateRollback),
    /// Say that what was put beside the model's tables by hand belongs there.
    ///
    /// Triggers, checks, indexes over some rows only, policies of PostgreSQL and the like are in no model, and change what the
    /// tables do: `serve` does not start beside one that it does not know. What is accepted stays through changes of the model.
    #[command(after_help = "Example:\n  mimar migrate accept shop")]
    Accept(MigrateShow),
    /// Tell the changes that were carried out, oldest first.
    #[command(after_help = "Example:\n  mimar migrate history shop --format json")]
    History(MigrateShow),
}

/// Show every step between what runs and what is written: its SQL, its lock, its cost, its dangers.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mimar migrate plan shop\n  mimar migrate plan shop --format sql > change.sql\n  mimar migrate \
                  plan shop --database postgres://localhost/shop --format json"
)]
pub(crate) struct MigratePlan {
    #[command(flatten)]
    pub(crate) place: MigratePlace,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = PlanFormat::Human, value_name = "FORMAT")]
    pub(crate) format: PlanFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// Drawn for people.
    Human,
    /// One JSON object for programs: {"state", "summary", "drops", "obstacles", "steps": [...]}.
    Json,
    /// The statements, for psql or a linter.
    Sql,
}

/// Carry the change out, or go on with it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mimar migrate apply shop\n  mimar migrate apply shop --allow-drop product.colour\n  mimar \
                  migrate apply shop --contract      when no server of the old version runs"
)]
pub(crate) struct MigrateApply {
    #[command(flatten)]
    pub(crate) place: MigratePlace,
    /// A table or column (`product.colour`) whose values may be lost; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_drop: Vec<String>,
    /// Carry out the second half, too: no server of the old version runs any more.
    #[arg(long)]
    pub(crate) contract: bool,
    /// SQLite: make no copy of the database before.
    #[arg(long)]
    pub(crate) no_backup: bool,
    /// How to print what came of it; how it goes is told beside that.
    #[arg(long, value_enum, default_value_t = RecordFormat::Human, value_name = "FORMAT")]
    pub(crate) format: RecordFormat,
}

/// Take a change back that has not begun its second half.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mimar migrate rollback shop")]
pub(crate) struct MigrateRollback {
    #[command(flatten)]
    pub(crate) place: MigratePlace,
    /// How to print what came of it.
    #[arg(long, value_enum, default_value_t = RecordFormat::Human, value_name = "FORMAT")]
    pub(crate) format: RecordFormat,
}

/// What `status` and `history` take.
#[derive(Debug, Args)]
pub(crate) struct MigrateShow {
    #[command(flatten)]
    pub(crate) place: MigratePlace,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = RecordFormat::Human, value_name = "FORMAT")]
    pub(crate) format: RecordFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RecordFormat {
    /// For people.
    Human,
    /// One JSON value for programs.
    Json,
}

/// Which model, which database: as `serve` takes them.
#[derive(Debug, Args)]
pub(crate) struct MigratePlace {
    /// The project's folder, or one file.
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// The database: an SQLite file, or the address of a PostgreSQL database (postgres://…) [default: what
    /// `environment production` says, or <project>/.mimar/data.db].
    #[arg(long, value_name = "FILE|URL", env = "MIMAR_DATABASE", hide_env_values = true)]
    pub(crate) database: Option<Place>,
    /// The environment of the model that says where the rows are [default: production].
    #[arg(long, value_name = "NAME", env = "MIMAR_ENVIRONMENT", conflicts_with = "database")]
    pub(crate) environment: Option<String>,
}

/// Make a token for development.
///
/// It is signed with MIMAR_JWT_SECRET, or else with the secret that `mimar dev` keeps in the project.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  curl -H \"Authorization: Bearer $(mimar token --role clerk --subject 7)\" \
                        localhost:7777/v1/orders"
)]
pub(crate) struct Token {
    /// A role of the model.
    #[arg(long)]
    pub(crate) role: String,
    /// Whom the token speaks of: for a role whose callers are rows, the row's key.
    #[arg(long)]
    pub(crate) subject: Option<String>,
    /// How long it holds, such as 30m, 12h or 7d.
    #[arg(long, default_value = "24h", value_parser = lifetime, value_name = "TIME")]
    pub(crate) lifetime: std::time::Duration,
    /// The project's folder, or one file.
    #[arg(long, value_name = "PATH", default_value = ".")]
    pub(crate) project: PathBuf,
    /// The secret to sign with.
    #[arg(long, env = "MIMAR_JWT_SECRET", hide_env_values = true, hide = true)]
    pub(crate) secret: Option<String>,
}

/// Print completions for a shell.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  mimar completions bash > ~/.local/share/bash-completion/completions/mimar"
)]
pub(crate) struct Completions {
    /// Which shell.
    pub(crate) shell: Shell,
}

fn keeping(text: &str) -> Result<std::time::Duration, String> {
    let kept = lifetime(text)?;
    let (hour, years) = (3_600, 3_650 * 86_400);
    if (hour..=years).contains(&kept.as_secs()) {
        return Ok(kept);
    }
    Err("must be 1h to 3650d".to_owned())
}

fn lifetime(text: &str) -> Result<std::time::Duration, String> {
    let wrong = || "must be a whole number and s, m, h or d, such as 12h".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    Ok(std::time::Duration::from_secs(u64::from(number) * factor))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_consistent() {
        super::Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn look(command: &mut clap::Command, without: &mut Vec<String>) {
            let name = command.get_name().to_owned();
            if name != "help" && !command.render_long_help().to_string().contains("Example") {
                without.push(name);
            }
            command.get_subcommands_mut().for_each(|inner| look(inner, without));
        }
        let mut without = Vec::new();
        // The first page has a walk instead.
        let mut first = super::Arguments::command();
        first.get_subcommands_mut().for_each(|command| look(command, &mut without));
        assert_eq!(without, Vec::<String>::new());
    }

    #[test]
    fn a_lifetime_has_a_unit() {
        assert_eq!(super::lifetime("12h").unwrap().as_secs(), 43_200);
        for wrong in ["", "h", "12", "-1h", "1.5h", "12é"] {
            assert!(super::lifetime(wrong).is_err(), "{wrong}");
        }
    }
}
