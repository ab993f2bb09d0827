//! `mimar events`

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract::{CloudEvent, Contract};
use engine::{Follow, Loaded};
use operation::{BROKER, Chore, Fault, Published, Scalar, Value, Write};
use serde_json::json;
use store::{Event, EventFilter, Parked, ParkedFilter, Store};
use tokio::runtime::Runtime;

use crate::arguments::{
    DataPlace, Dead, DeadCommand, EventsCommand, EventsList, EventsReplay, EventsTail, Hearer,
    Wanted,
};
use crate::data::command::open;
use crate::failure::Failure;
use crate::screen::{self, BOLD, CYAN, DIM, RED};
use crate::server;

/// How often new events are looked for.
const LOOK: Duration = Duration::from_millis(200);

/// How long a database that does not answer is left alone.
const REST: Duration = Duration::from_secs(1);

/// How many events are read, or asked to be heard again, at once.
const BATCH: u32 = 200;

/// The most parked tasks that are shown.
const SHOWN: u32 = 1_000;

pub(crate) fn run(command: &EventsCommand) -> Result<(), Failure> {
    match command {
        EventsCommand::List(arguments) => list(arguments),
        EventsCommand::Tail(arguments) => tail(arguments),
        EventsCommand::Replay(arguments) => replay(arguments),
        EventsCommand::Dead(arguments) => dead(arguments),
    }
}

/// A model, its database, and what drives the questions to it.
struct Desk {
    loaded: Loaded,
    contract: Contract,
    store: Store,
    runtime: Runtime,
}

impl Desk {
    fn open(place: &DataPlace) -> Result<Self, Failure> {
        let (loaded, store, _) = open(place, false)?;
        let contract = contract::derive(&loaded.model);
        Ok(Self { contract, loaded, store, runtime: server::small_runtime()? })
    }

    fn filter(&self, wanted: &Wanted) -> Result<EventFilter, Failure> {
        let names = match &wanted.name {
            None => Vec::new(),
            Some(name) => {
                let events = self.contract.events.iter();
                let meant = events.filter(|event| {
                    let bare = event.stored.rsplit('.').next();
                    event.stored == *name || event.kind == *name || bare == Some(name)
                });
                let names: Vec<String> = meant.map(|event| event.stored.clone()).collect();
                if names.is_empty() {
                    let events = self.contract.events.iter();
                    let known: Vec<&str> = events.map(|event| event.stored.as_str()).collect();
                    let known = known.join(", ");
                    return Err(Failure::UnknownEvent { name: name.clone(), known });
                }
                names
            }
        };
        let (key, since) = (wanted.key.clone(), wanted.since);
        Ok(EventFilter { names, key, since, limit: BATCH, ..EventFilter::default() })
    }

    fn events(&self, filter: &EventFilter) -> Result<Vec<Event>, Failure> {
        Ok(self.runtime.block_on(self.store.events(filter))?)
    }

    /// The number of the last event that was published; 0 if none is kept.
    fn last(&self) -> Result<i64, Failure> {
        let newest = EventFilter { newest: true, limit: 1, ..EventFilter::default() };
        Ok(self.events(&newest)?.first().map_or(0, |event| event.number))
    }

    fn is_foreign(&self, event: &Published) -> bool {
        let mut foreign = self.contract.events.iter().filter(|known| known.from.is_some());
        foreign.any(|known| *known.stored == *event.name)
    }

    /// Work on the queue of tasks; how many it was done to.
    fn chore(&self, chore: Chore) -> Result<u64, Failure> {
        let written = self.store.write_blocking(Write::Chore(chore))?;
        let json = written.json.unwrap_or_default();
        Ok(serde_json::from_slice(&json).unwrap_or(0))
    }

    /// An event as a line.
    fn line(&self, event: &Published, json: bool) -> String {
        let envelope = CloudEvent::of(&self.contract, None, event);
        if json {
            return format!("{}\n", envelope.structured());
        }
        let key = if let Value::Text(key) = &event.key { key } else { "-" };
        format!(
            "{}  {}  {}  {}  {}\n",
            screen::styled(DIM, &envelope.time),
            screen::styled(BOLD, &event.name),
            screen::styled(CYAN, key.escape_debug()),
            screen::styled(DIM, &envelope.id),
            event.data
        )
    }
}

fn list(arguments: &EventsList) -> Result<(), Failure> {
    let desk = Desk::open(&arguments.place)?;
    let filter = desk.filter(&arguments.wanted)?;
    let filter = EventFilter { newest: true, limit: arguments.limit, ..filter };
    let events = desk.events(&filter)?;
    for event in &events {
        screen::out(&desk.line(&event.event, arguments.json));
    }
    if events.is_empty() {
        screen::note(if arguments.wanted.since.is_some() {
            "no such event was published since then"
        } else {
            "no such event is kept: they are for a week, or as long as `mimar serve --keep-events` says"
        });
    }
    desk.store.close();
    Ok(())
}

fn tail(arguments: &EventsTail) -> Result<(), Failure> {
    let desk = Desk::open(&arguments.place)?;
    let wanted = desk.filter(&arguments.wanted)?;
    let begin = if wanted.since.is_some() { 0 } else { desk.last()? };
    let mut follow = Follow::after(begin);
    screen::note("following what is published; Ctrl-C ends it");
    loop {
        let now = SystemTime::now();
        let (after, numbers) = follow.ask(now);
        // All of them, so that what is missing between them is known; what is not wanted is left out afterwards.
        let filter = EventFilter {
            after: Some(after),
            numbers,
            since: wanted.since,
            limit: BATCH,
            ..EventFilter::default()
        };
        let events = match desk.runtime.block_on(desk.store.events(&filter)) {
            Ok(events) => events,
            Err(Fault::Unavailable { reason, .. }) => {
                tracing::warn!(reason, "the database does not answer");
                std::thread::sleep(REST);
                continue;
            }
            Err(fault) => return Err(fault.into()),
        };
        follow.saw(events.iter().map(|event| event.number), now);
        let shown = events.iter().filter(|event| is_wanted(&wanted, &event.event));
        for Event { event, .. } in shown {
            if !screen::line(&desk.line(event, arguments.json)) {
                // Whoever read this has gone.
                return Ok(());
            }
        }
        if events.len() < BATCH as usize {
            std::thread::sleep(LOOK);
        }
    }
}

fn is_wanted(filter: &EventFilter, event: &Published) -> bool {
    let named = filter.names.is_empty() || filter.names.iter().any(|name| **name == *event.name);
    named && filter.key.as_ref().is_none_or(|key| event.key == Value::text(key.as_str()))
}

fn replay(arguments: &EventsReplay) -> Result<(), Failure> {
    let desk = Desk::open(&arguments.place)?;
    let ids = arguments.ids.iter().map(|id| id.into_bytes()).collect();
    let filter = EventFilter { ids, ..desk.filter(&arguments.wanted)? };
    // What is published from now on is heard anyway.
    let last = desk.last()?;
    let (mut events, mut tasks) = (0, 0);
    let to = arguments.to;
    each(&desk, &filter, arguments.limit, (to, last), |batch| {
        events += batch.len() as u64;
        tasks += batch.iter().map(|(_, by)| by.len() as u64).sum::<u64>();
        Ok(())
    })?;
    let told = format!(
        "{}, {}",
        screen::count(events, "event", "events"),
        match to {
            Hearer::Model => screen::count(tasks, "task", "tasks"),
            Hearer::Broker => "to the broker".to_owned(),
        }
    );
    if tasks > 0 && !arguments.yes && !agreed(&format!("{told}: hear them once more?"))? {
        return Ok(());
    }
    let now = now();
    each(&desk, &filter, arguments.limit, (to, last), |events| {
        desk.chore(Chore::Replay { events, now, said: "".into() }).map(drop)
    })?;
    desk.store.close();
    screen::note(&match to {
        Hearer::Model => format!("{told} to be carried out"),
        Hearer::Broker => {
            format!("{told}, sent by the server that speaks with one as soon as one does")
        }
    });
    Ok(())
}

/// An event, and the targets of those who hear it.
type Heard = (Published, Vec<Box<str>>);

/// Hands events over in the order in which they were published, up to a number, some at a time, with who shall hear them.
fn each(
    desk: &Desk,
    filter: &EventFilter,
    limit: Option<u32>,
    (to, last): (Hearer, i64),
    mut act: impl FnMut(Vec<Heard>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut act = |events: &[Event]| {
        let goes = |event: &&Event| {
            // What came from the broker does not go back.
            event.number <= last && (to == Hearer::Model || !desk.is_foreign(&event.event))
        };
        let heard = events.iter().filter(goes).map(|Event { event, .. }| {
            let by = match to {
                Hearer::Model => desk.loaded.plan.heard(&event.name),
                Hearer::Broker => vec![BROKER.into()],
            };
            (event.clone(), by)
        });
        act(heard.collect())
    };
    if let Some(limit) = limit {
        let mut events = desk.events(&EventFilter { newest: true, limit, ..filter.clone() })?;
        events.reverse();
        return events.chunks(BATCH as usize).try_for_each(act);
    }
    let mut after = 0;
    loop {
        let events = desk.events(&EventFilter { after: Some(after), ..filter.clone() })?;
        let Some(end) = events.last() else { return Ok(()) };
        act(&events)?;
        after = end.number;
        if after >= last {
            return Ok(());
        }
    }
}

/// Whether somebody at the terminal says yes; where there is none, whoever calls has decided.
fn agreed(question: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(true);
    }
    let read = Failure::file("read", "standard input");
    let mut stream = anstream::stderr().lock();
    let _ = write!(stream, "{question} [y/N] ");
    let _ = stream.flush();
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(read)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn dead(arguments: &Dead) -> Result<(), Failure> {
    match &arguments.command {
        None => show_dead(arguments),
        Some(DeadCommand::Retry(retry)) => {
            let desk = Desk::open(&retry.place)?;
            let count = desk.chore(Chore::Revive { number: retry.number, now: now() })?;
            // What is left of those was not to be tried again.
            let left =
                ParkedFilter { number: retry.number, limit: SHOWN, ..ParkedFilter::default() };
            let left = desk.runtime.block_on(desk.store.parked(&left))?;
            desk.store.close();
            let left: Vec<_> = left.iter().filter(|parked| parked.is_unreadable()).collect();
            if let (0, Some(number)) = (count, retry.number) {
                let never = !left.is_empty();
                return Err(if never {
                    Failure::NeverReadable { number }
                } else {
                    Failure::NotParked { number }
                });
            }
            for Parked { number, .. } in left {
                screen::note(&Failure::NeverReadable { number: *number }.to_string());
            }
            screen::note(&format!("{} to be tried again", screen::count(count, "task", "tasks")));
            Ok(())
        }
        Some(DeadCommand::Drop(drop)) => {
            let desk = Desk::open(&drop.place)?;
            let count = desk.chore(Chore::Discard { number: drop.number })?;
            desk.store.close();
            if count == 0 {
                return Err(Failure::NotParked { number: drop.number });
            }
            screen::note("1 task dropped");
            Ok(())
        }
    }
}

fn show_dead(arguments: &Dead) -> Result<(), Failure> {
    let desk = Desk::open(&arguments.place)?;
    let EventFilter { names, key, since, .. } = desk.filter(&arguments.wanted)?;
    let filter = ParkedFilter { names, key, since, limit: SHOWN, ..ParkedFilter::default() };
    let parked = desk.runtime.block_on(desk.store.parked(&filter))?;
    let queue = desk.runtime.block_on(desk.store.queue(now()))?;
    desk.store.close();
    // What has failed and is tried again is not dead yet.
    let failing = (queue.failing > 0).then(|| {
        format!("{} failed and to be tried again", screen::count(queue.failing, "task", "tasks"))
    });
    match (parked.is_empty(), failing) {
        (true, None) => screen::note("nothing is put aside"),
        (true, Some(failing)) => screen::note(&format!("nothing is put aside; {failing}")),
        (false, Some(failing)) if !arguments.json => screen::note(&failing),
        (false, _) => {}
    }
    for Parked { number, target, arguments: given, event, failures, since, error, .. } in &parked {
        let since = printed(Scalar::Timestamp, &Value::Int(*since));
        let event = event.map(|id| printed(Scalar::Uuid, &Value::Uuid(id)));
        let error = error.as_deref().unwrap_or("");
        if arguments.json {
            let given: serde_json::Value = serde_json::from_str(given).unwrap_or_default();
            let line = json!({
                "number": number, "target": target, "arguments": given, "event": event, "failures": failures,
                "since": since, "error": error
            });
            screen::out(&format!("{line}\n"));
            continue;
        }
        screen::out(&format!(
            "{}  {}  {}  {}\n    {given}\n    {}\n",
            screen::styled(CYAN, number),
            screen::styled(BOLD, target),
            screen::styled(DIM, since),
            screen::count(failures.unsigned_abs(), "failure", "failures"),
            screen::styled(RED, error),
        ));
    }
    Ok(())
}

fn printed(scalar: Scalar, value: &Value) -> String {
    let mut text = Vec::new();
    scalar.print(value, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
