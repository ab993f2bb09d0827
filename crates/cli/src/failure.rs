//! Why a command failed, and the exit code that says so.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use engine::identity::KeyFault;
use store::StoreFault;

/// Why a command failed. The text is for people; empty where everything was shown already.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The model has errors, which were drawn.
    #[error("")]
    Model,
    /// Files are not laid out as `fmt` would; they were named.
    #[error("")]
    Unformatted,
    /// The editor went away without `shutdown`.
    #[error("")]
    NoShutdown,
    /// A folder with more in it than a model has.
    #[error(
        "{} holds more than {most} files and folders: only models near its top are checked\n\nOpen the folder of the model itself", path.display()
    )]
    LargeFolder { path: PathBuf, most: usize },
    /// The editor does not speak LSP.
    #[error(
        "{0}\n\n`mimar lsp` is started by an editor, and speaks the Language Server Protocol with it"
    )]
    Protocol(String),
    /// The agent's host does not speak MCP.
    #[error(
        "{0}\n\n`mimar mcp` is started by the host of an agent, and speaks the Model Context Protocol with it"
    )]
    Agent(String),
    /// A value that cannot be written as JSON.
    #[error("cannot write JSON: {0}")]
    Json(serde_json::Error),
    /// More files than a project has.
    #[error(
        "there are more than {most} files and folders in {}\n\nName the folder of one project, or one *.mimar file", path.display()
    )]
    TooManyFiles { path: PathBuf, most: usize },
    /// A difference that --fail-on names; it was shown.
    #[error("")]
    Breaks,
    /// Something that git cannot give.
    #[error(
        "cannot read {place} from git: {why}\n\nA revision is given as git:REVISION (the same folder as NEW) or REVISION:PATH (a path from \
         the top of the repository): git:main, v1.2:services/shop"
    )]
    Git { place: String, why: String },
    /// A file that `diff` cannot compare.
    #[error(
        "{place} is neither a model nor a document of OpenAPI: {why}\n\n`mimar diff` compares folders, *.mimar files, revisions of git \
         and the openapi.json that was published (JSON, OpenAPI 3.0 or 3.1)"
    )]
    NoDocument { place: String, why: String },
    /// A code that does not exist.
    #[error("there is no code `{code}`{}", suggestion(*.nearest))]
    UnknownCode { code: String, nearest: Option<&'static str> },
    /// A file that is no baseline.
    #[error("{} is no baseline of `mimar check`: {why}\n\n`mimar check --write-baseline FILE` writes one", path.display())]
    NoBaseline { path: PathBuf, why: String },
    /// A command that does not exist.
    #[error("the model has no command `{command}`; its commands are: {known}")]
    UnknownCommand { command: String, known: String },
    /// A role that may not run a command.
    #[error("`{role}` may not run `{command}`; who may: {known}")]
    NotAllowed { role: String, command: String, known: String },
    /// An event that does not exist.
    #[error("the model has no event `{name}`; its events are: {known}")]
    UnknownEvent { name: String, known: String },
    /// A task that is not parked.
    #[error("no task {number} is parked; `mimar events dead` shows those that are")]
    NotParked { number: i64 },
    /// A message that cannot be read again.
    #[error(
        "what came under number {number} was no event, or too large to be kept: it cannot be read again; \
         `mimar events dead drop {number}` drops it"
    )]
    NeverReadable { number: i64 },
    /// A role that does not exist.
    #[error("the model has no role `{role}`; its roles are: {known}")]
    UnknownRole { role: String, known: String },
    /// A thing that nobody can be granted anything of.
    #[error("the model has no entity, query, command or event `{name}`{}", or_nearest(nearest.as_deref()))]
    UnknownThing { name: String, nearest: Option<String> },
    /// A subject that no row can have.
    #[error(
        "`{subject}` cannot be the key of a {entity}, and callers of the role `{role}` are rows of it"
    )]
    Subject { subject: String, entity: String, role: String },
    /// Nothing to read.
    #[error("there is no *.mimar file in {}\n\nmimar new NAME makes a project to start from", path.display())]
    NoFiles { path: PathBuf },
    /// A folder with the projects of others below it.
    #[error(
        "there are several projects in {}: {places}\n\nAll *.mimar files below a folder are one model, with one `app`. Name the {kind} of one project, \
         by `--project {}` where the command has that",
        path.display(),
        kind.to_uppercase()
    )]
    SeveralProjects { path: PathBuf, kind: &'static str, places: String },
    /// A path that exists already.
    #[error("{} exists already; choose another name, or remove it first", path.display())]
    Exists { path: PathBuf },
    /// A name that no project can have.
    #[error(
        "`{name}` cannot name an app: it must begin with a letter and have letters, digits, `-` and `_` only"
    )]
    Name { name: String },
    /// A file or folder failed.
    #[error("cannot {doing} {}: {source}", path.display())]
    File { doing: &'static str, path: PathBuf, source: io::Error },
    /// A file that is no text.
    #[error("{} is not UTF-8 text (the first odd byte is at {at})", path.display())]
    NotText { path: PathBuf, at: usize },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The runtime cannot be started.
    #[error("cannot start the runtime: {0}")]
    Runtime(io::Error),
    /// The address is not to be had.
    #[error("cannot listen on {address}: {source}{}", listen_help(.source))]
    Listen { address: SocketAddr, source: io::Error },
    /// The server failed.
    #[error("the server failed: {0}")]
    Server(String),
    /// Tables would lose values.
    #[error(
        "the tables cannot follow the model without losing what they hold:\n{losses}\n\nUndo the edit, do as said \
         above, or run `mimar dev` once with --accept-loss to drop it or --fresh to begin with a new database that holds \
         the rows of `data`"
    )]
    Lossy { losses: String },
    /// Tables cannot follow, even if told to lose values.
    #[error(
        "the tables cannot follow the model:\n{losses}\n\nUndo the edit, mend what is named, or run `mimar dev` once \
         with --fresh to begin with a new database that holds the rows of `data`"
    )]
    Blocked { losses: String },
    /// The database is behind the model.
    #[error(
        "the database {place} does not hold the tables of this model:\n{summary}\n\n`mimar migrate plan` shows the way \
         there, `mimar migrate apply` goes it (both with the same --database or --environment as here). Otherwise take the model \
         it was made for, or name another database with --database"
    )]
    Differs { place: String, summary: String },
    /// The database is ahead of the model.
    #[error(
        "the database {place} has moved on from this model. To go back to it would be:\n{summary}\n\nServe the newer model, whose change was carried \
         out there (`mimar migrate history`). If this one is meant, `mimar migrate plan` shows the way back to it"
    )]
    Ahead { place: String, summary: String },
    /// Tables of others that cannot be served.
    #[error(
        "the tables in {place} were made by others, and cannot be served as they are:\n{reasons}\n\nChange the model so that it says \
         what is there (`mimar import` writes what the tables declare; a column that holds something else needs a type that takes all of it, such as `String`), or give an empty database and move the rows into it"
    )]
    Foreign { place: String, reasons: String },
    /// An SQLite file of others.
    #[error(
        "{fault}\n\nTables of others are served as they are by `mimar serve`, and changed by nobody here. Give a database of Mimar's own \
         (`--database new.db`), and move the rows into it: `mimar import {path} \
         --output app.mimar` writes the model, `mimar data load {path} --database new.db` brings the rows"
    )]
    Others { fault: String, path: String },
    /// The database was changed by hand.
    #[error(
        "the database {place} was changed by hand:\n{drift}\n\nUndo that in the database, or write it into the model: \
         `mimar migrate plan` shows what would make the tables those of the model"
    )]
    Drifted { place: String, drift: String },
    /// Something was put beside the tables by hand.
    #[error(
        "beside the tables of the database {place}, which are those of the model, something was changed by hand:\n{drift}\n\n\
         Undo that in the database, or say that it belongs there: `mimar migrate accept`"
    )]
    Added { place: String, drift: String },
    /// A change of the database is under way.
    #[error(
        "a change of {place} is under way since {began}, and this model cannot be served now:\n{summary}\n\n{way}"
    )]
    UnderWay { place: String, began: String, summary: String, way: &'static str },
    /// A change of the tables failed.
    #[error(transparent)]
    Migrate(#[from] engine::migrate::MigrateFault),
    /// Where the rows are is not set.
    #[error(
        "the environment `{environment}` keeps its rows in PostgreSQL, at the address in {variable}, which is not \
         set\n\nSet {variable} (postgres://user:password@host:5432/database), or name another place with --database"
    )]
    NoAddress { environment: String, variable: String },
    /// Addresses of replicas that are none.
    #[error(
        "address {number} in {place} is none of a PostgreSQL database\n\nWrite each as postgres://user:password@host:5432/database, with white \
         space or a comma between them"
    )]
    NoReplicas { place: String, number: usize },
    /// Replicas of a file.
    #[error("{} is a file of SQLite, which has no replicas\n\nLeave out --replicas, or name a PostgreSQL database", path.display())]
    ReplicasOfFile { path: PathBuf },
    /// An environment's variable that is not set.
    #[error(
        "the environment `{environment}` sends its events to {kind}, at the address in {variable}, which is not set\n\nSet {variable}, or \
         name another place with --broker"
    )]
    NoBrokerAddress { environment: String, kind: String, variable: String },
    /// An address of another broker.
    #[error(
        "the environment `{environment}` sends its events to {kind}, and {address} is the address of another broker\n\nName the one that \
         is meant, in the model or in the address"
    )]
    OtherBroker { environment: String, kind: String, address: String },
    /// A broker's address that is none.
    #[error(transparent)]
    Broker(#[from] broker::BrokerFault),
    /// A file that should be a database.
    #[error(
        "there is no database at {}\n\n`mimar serve` makes one when it first starts, `mimar dev` keeps its own in .mimar/dev.db; --database \
         names another, --environment that of an environment", path.display()
    )]
    NoDatabase { path: PathBuf },
    /// A database whose promised work would be left behind.
    #[error(
        "{told} still to be done in {place}, and only rows are copied\n\nLet `mimar serve` do what is left, look with `mimar events dead` for what was put aside, \
         then stop the server and copy; or leave it behind with --leave-work. Nothing was copied"
    )]
    WorkWaits { place: String, told: String },
    /// A file whose tables are being changed.
    #[error("the tables of {} are being changed by `mimar migrate apply`; try again when it has ended", path.display())]
    BeingChanged { path: PathBuf },
    /// A file that is being served.
    #[error(
        "{} is being served, and its tables cannot change under a server that knows the old ones\n\nStop `mimar serve` or `mimar dev` \
         first; on PostgreSQL the old and the new version are served side by side", path.display()
    )]
    BeingServed { path: PathBuf },
    /// A file that is being served, and in which values are to be computed anew.
    #[error(
        "{} is being served by another `mimar dev` or `mimar serve`, which may follow other formulas than this one: values of computed \
         fields cannot be computed anew beside it\n\nStop that server first; then run this again", path.display()
    )]
    ServedByOthers { path: PathBuf },
    /// A file that is being served, and that is to be emptied or to lose values.
    #[error(
        "{} is being served by another `mimar dev` or `mimar serve`, which would go on with rows that are gone, and lose what it is \
         told\n\nStop that server first; then run this again", path.display()
    )]
    ServedMeanwhile { path: PathBuf },
    /// Another `dev` serves the project.
    #[error(
        "another `mimar dev` serves the project in {}: both would follow every save, and change the same tables\n\nStop that server first, \
         or go on with it", path.display()
    )]
    DevelopedMeanwhile { path: PathBuf },
    /// Tables of others, which `dev` would change.
    #[error(
        "the tables in {place} were made by others, and `mimar dev` would change them with every edit\n\n`mimar serve` serves them as \
         they are"
    )]
    NotOurs { place: String },
    /// Things have other names than the model says.
    #[error(
        "in {place} some things are stored under other names, since servers ran when it was changed\n\nStop them; `mimar \
         migrate apply` gives everything its final name then"
    )]
    Renaming { place: String },
    /// A source without tables that a model could have.
    #[error(
        "{place} defines no table that could be an entity\n\nmimar import takes postgres://…, sqlite:FILE, or a script with CREATE \
         TABLE statements; --dialect says how a script is written"
    )]
    NothingToImport { place: String },
    /// Nothing is where a copy should come from.
    #[error("{place} holds no tables: there is nothing to copy")]
    Empty { place: String },
    /// Something is where a copy should go.
    #[error(
        "{place} holds tables already\n\nA copy begins in an empty database, or goes on where one of the same model \
         was interrupted: name another place with --to, or empty that one"
    )]
    Occupied { place: String },
    /// A copy differs from what was copied.
    #[error(
        "the rows of {table} are not the same: {} in {from} and {} in {to}\n\nSomebody has written to one of them meanwhile. \
         Stop the server, empty {to} and copy again",
        rows.0, rows.1
    )]
    Unequal { table: String, from: String, to: String, rows: (u64, u64) },
    /// An environment that the model does not have.
    #[error("the model has no environment `{environment}`; it has: {known}")]
    UnknownEnvironment { environment: String, known: String },
    /// A server's database is not for us to empty.
    #[error(
        "--fresh deletes the file that `mimar dev` keeps, and the rows are in {place}\n\nEmpty it yourself: \
         dropdb and createdb, or DROP SCHEMA public CASCADE and CREATE SCHEMA public"
    )]
    NotFresh { place: String },
    /// Commands that nothing here carries out.
    #[error(
        "the model leaves to code what these commands do, and this program has no code for them: {commands}\n\nWrite what they do in \
         braces instead of `by code`, or register them in a program of its own: mimar::Server::load(…)?.command(…)"
    )]
    ByCode { commands: String },
    /// Code for what the model does itself, or not at all.
    #[error(
        "there is code for {commands}, and the model leaves no such command to code\n\nWrite `command … by code` in the model, or take \
         the code away"
    )]
    IdleCode { commands: String },
    /// A webhook that the model does not have.
    #[error("the model has no webhook `{name}`; it has: {known}")]
    UnknownWebhook { name: String, known: String },
    /// An address that nothing can be sent to.
    #[error("this cannot be the address of an endpoint: {reason}")]
    Endpoint { reason: String },
    /// An endpoint that is not there.
    #[error("there is no endpoint {id}; `mimar webhook list` names them")]
    NoEndpoint { id: i64 },
    /// No secret could be made.
    #[error("the system has no random numbers to make a secret of")]
    NoRandom,
    /// Tokens could not be verified.
    #[error(
        "the model grants things to roles, and there is no key to verify tokens with\n\nSet MIMAR_JWT_SECRET \
         (HS256, 32 bytes or more; `openssl rand -base64 32` makes one) or\nMIMAR_JWT_PUBLIC_KEY (PEM of an RSA, \
         P-256, P-384 or Ed25519 key)"
    )]
    NoKey,
    /// What tokens must say is not set.
    #[error(
        "the model takes a claim of its tokens from {name}, which is not set: every token would be refused\n\nSet {name}"
    )]
    NoClaim { name: String },
    /// A key that is none.
    #[error("{variable}: {source}")]
    Key { variable: &'static str, source: KeyFault },
    /// A request to ourselves failed.
    #[error("{0}")]
    Fault(#[from] operation::Fault),
    /// A row of a file is wrong; everything about it is said.
    #[error("{0}\n\nNothing was loaded")]
    Data(#[from] crate::data::DataFault),
}

impl Failure {
    /// That tables of others cannot be served as they are, a sentence for each reason.
    pub(crate) fn foreign(place: String, reasons: &[String]) -> Self {
        Self::Foreign { place, reasons: bounded(reasons) }
    }

    /// 1 where a check found something, 3 where the world failed; 2 is what the command line answers itself.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Model
            | Self::Unformatted
            | Self::NoShutdown
            | Self::Breaks
            | Self::ByCode { .. }
            | Self::IdleCode { .. } => 1,
            Self::UnknownCode { .. }
            | Self::SeveralProjects { .. }
            | Self::UnknownRole { .. }
            | Self::NoDocument { .. }
            | Self::UnknownThing { .. }
            | Self::UnknownCommand { .. }
            | Self::NotAllowed { .. }
            | Self::UnknownEvent { .. }
            | Self::UnknownEnvironment { .. }
            | Self::OtherBroker { .. }
            | Self::Broker(_)
            | Self::Subject { .. }
            | Self::UnknownWebhook { .. }
            | Self::Endpoint { .. }
            | Self::NoEndpoint { .. }
            | Self::Name { .. } => 2,
            _ => 3,
        }
    }

    /// A failed file operation, for `map_err`.
    pub(crate) fn file(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }
}

fn suggestion(code: Option<&str>) -> String {
    code.map_or_else(
        || "; `mimar explain` lists them all".to_owned(),
        |code| format!("; the nearest is `{code}`, and `mimar explain` lists them all"),
    )
}

fn or_nearest(name: Option<&str>) -> String {
    name.map_or_else(
        || "; `mimar describe` lists them all".to_owned(),
        |name| format!("; the nearest is `{name}`, and `mimar describe` lists them all"),
    )
}

fn listen_help(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "\n\nAnother program has the port; --listen takes another",
        io::ErrorKind::PermissionDenied => {
            "\n\nPorts below 1024 need a privilege; --listen takes another"
        }
        _ => "",
    }
}

/// Lines, indented, and not too many of them.
pub(crate) fn bounded(lines: &[String]) -> String {
    let mut lines: Vec<String> = lines.iter().map(|line| format!("  {line}")).collect();
    if lines.len() > 12 {
        let more = lines.len() - 11;
        lines.truncate(11);
        lines.push(format!("  and {more} more"));
    }
    lines.join("\n")
}
