//! Endpoints of webhooks, and deliveries to them: rows that are kept beside those of tasks.

use operation::{Dialect, Scalar};

use super::expression::Lowering;
use super::said::said;
use super::{Statement, advisory};

/// The tables, and their indexes, for a database that has none.
///
/// Of the deliveries of one lane that wait only the first has a `due`: those behind it are not looked at, however many they
/// are, until it is over.
pub(crate) const SQLITE: &str = "\
CREATE TABLE IF NOT EXISTS mimar_endpoint (id INTEGER PRIMARY KEY AUTOINCREMENT, webhook TEXT NOT NULL, url TEXT NOT NULL, \
  made INTEGER NOT NULL, enabled INTEGER NOT NULL DEFAULT 1, reason TEXT, failing INTEGER NOT NULL DEFAULT 0, \
  resumes INTEGER NOT NULL DEFAULT 0, succeeded INTEGER, failed INTEGER) STRICT; \
CREATE TABLE IF NOT EXISTS mimar_endpoint_secret (number INTEGER PRIMARY KEY AUTOINCREMENT, endpoint INTEGER NOT NULL, \
  secret TEXT NOT NULL, until INTEGER) STRICT; \
CREATE INDEX IF NOT EXISTS mimar_endpoint_secret_of ON mimar_endpoint_secret (endpoint); \
CREATE TABLE IF NOT EXISTS mimar_delivery (number INTEGER PRIMARY KEY AUTOINCREMENT, endpoint INTEGER NOT NULL, event BLOB NOT NULL, \
  lane TEXT, state TEXT NOT NULL DEFAULT 'waiting', made INTEGER NOT NULL, due INTEGER, taken_until INTEGER, \
  attempts INTEGER NOT NULL DEFAULT 0, tried INTEGER, status INTEGER, reason TEXT) STRICT; \
CREATE INDEX IF NOT EXISTS mimar_delivery_due ON mimar_delivery (endpoint, due, number) WHERE state = 'waiting'; \
CREATE INDEX IF NOT EXISTS mimar_delivery_lane ON mimar_delivery (endpoint, lane, number) WHERE state = 'waiting'; \
CREATE INDEX IF NOT EXISTS mimar_delivery_taken ON mimar_delivery (endpoint, taken_until) WHERE taken_until IS NOT NULL; \
CREATE INDEX IF NOT EXISTS mimar_delivery_event ON mimar_delivery (event); \
CREATE INDEX IF NOT EXISTS mimar_delivery_made ON mimar_delivery (made)";

/// `INSERT` of an endpoint; binds: webhook, URL, when it was made. Answers its number.
pub(crate) fn add(dialect: Dialect) -> Statement {
    let text = "INSERT INTO {endpoint} (webhook, url, made) VALUES ({0}, {1}, {2}) RETURNING id";
    said(dialect, text, &[Scalar::Text, Scalar::Text, Scalar::Int], vec![Scalar::Int])
}

/// `INSERT` of a secret; binds: endpoint, secret.
pub(crate) fn add_secret(dialect: Dialect) -> Statement {
    let text = "INSERT INTO {secret} (endpoint, secret) VALUES ({0}, {1})";
    said(dialect, text, &[Scalar::Int, Scalar::Text], Vec::new())
}

/// Secrets that hold without end hold until then, unless they end before; binds: endpoint, until when.
pub(crate) fn limit_secrets(dialect: Dialect) -> Statement {
    let text =
        "UPDATE {secret} SET until = {1} WHERE endpoint = {0} AND (until IS NULL OR until > {1})";
    said(dialect, text, &[Scalar::Int; 2], Vec::new())
}

/// `DELETE` of secrets of an endpoint that hold no more; binds: endpoint, now (null: all).
pub(crate) fn drop_secrets(dialect: Dialect) -> Statement {
    let text = "DELETE FROM {secret} WHERE endpoint = {0} AND ({1} IS NULL OR until <= {1})";
    said(dialect, text, &[Scalar::Int; 2], Vec::new())
}

/// The secrets of an endpoint that hold, the newest first; binds: endpoint, now.
pub(crate) fn secrets(dialect: Dialect) -> Statement {
    let text = "SELECT secret FROM {secret} WHERE endpoint = {0} AND (until IS NULL OR until > {1}) \
                ORDER BY number DESC";
    said(dialect, text, &[Scalar::Int; 2], vec![Scalar::Text])
}

/// Secrets of all endpoints of a webhook that are enabled; binds: its name, now.
pub(crate) fn secrets_of(dialect: Dialect) -> Statement {
    let text = "SELECT s.secret FROM {secret} AS s JOIN {endpoint} AS e ON e.id = s.endpoint \
                WHERE e.webhook = {0} AND e.enabled AND (s.until IS NULL OR s.until > {1}) ORDER BY s.number DESC";
    said(dialect, text, &[Scalar::Text, Scalar::Int], vec![Scalar::Text])
}

/// What is told of an endpoint.
pub(crate) const ENDPOINT: [(&str, Scalar); 9] = [
    ("id", Scalar::Int),
    ("webhook", Scalar::Text),
    ("url", Scalar::Text),
    ("enabled", Scalar::Bool),
    ("reason", Scalar::Text),
    ("made", Scalar::Timestamp),
    ("last_success", Scalar::Timestamp),
    ("last_failure", Scalar::Timestamp),
    ("waiting", Scalar::Int),
];

/// All endpoints, as [`ENDPOINT`] says.
pub(crate) fn list(dialect: Dialect) -> Statement {
    let text = "SELECT p.id, p.webhook, p.url, p.enabled, p.reason, p.made, p.succeeded, p.failed, \
                (SELECT count(*) FROM {delivery} AS d WHERE d.endpoint = p.id AND d.state = 'waiting') \
                FROM {endpoint} AS p ORDER BY p.id";
    said(dialect, text, &[], stored(&ENDPOINT))
}

/// `DELETE` of the deliveries to an endpoint.
pub(crate) fn drop_deliveries(dialect: Dialect) -> Statement {
    said(dialect, "DELETE FROM {delivery} WHERE endpoint = {0}", &[Scalar::Int], Vec::new())
}

/// `DELETE` of an endpoint. Answers its number, if it was there.
pub(crate) fn remove(dialect: Dialect) -> Statement {
    let text = "DELETE FROM {endpoint} WHERE id = {0} RETURNING id";
    said(dialect, text, &[Scalar::Int], vec![Scalar::Int])
}

/// Whether an endpoint is there.
pub(crate) fn exists(dialect: Dialect) -> Statement {
    said(dialect, "SELECT id FROM {endpoint} WHERE id = {0}", &[Scalar::Int], vec![Scalar::Int])
}

/// Sends to an endpoint again. Answers its number, if it is there.
pub(crate) fn enable(dialect: Dialect) -> Statement {
    let text = "UPDATE {endpoint} SET enabled = TRUE, reason = NULL, failing = 0, resumes = 0 \
                WHERE id = {0} RETURNING id";
    said(dialect, text, &[Scalar::Int], vec![Scalar::Int])
}

/// What waits for an endpoint is due, the first of each lane; binds: endpoint, now.
pub(crate) fn hasten(dialect: Dialect) -> Statement {
    let text = "UPDATE {delivery} AS d SET due = {1} WHERE d.endpoint = {0} AND d.state = 'waiting' \
                AND (d.taken_until IS NULL OR d.taken_until < {1}) AND NOT EXISTS (SELECT 1 FROM {delivery} AS b \
                WHERE b.endpoint = d.endpoint AND b.lane = d.lane AND b.state = 'waiting' AND b.number < d.number)";
    said(dialect, text, &[Scalar::Int; 2], Vec::new())
}

/// Sends nothing to an endpoint any more; binds: endpoint, why. Answers its number, if it is there.
pub(crate) fn disable(dialect: Dialect) -> Statement {
    let text = "UPDATE {endpoint} SET enabled = FALSE, reason = {1} WHERE id = {0} RETURNING id";
    said(dialect, text, &[Scalar::Int, Scalar::Text], vec![Scalar::Int])
}

/// What is told of a delivery.
pub(crate) const DELIVERY: [(&str, Scalar); 12] = [
    ("number", Scalar::Int),
    ("endpoint", Scalar::Int),
    ("event", Scalar::Uuid),
    ("name", Scalar::Text),
    ("key", Scalar::Text),
    ("state", Scalar::Text),
    ("attempts", Scalar::Int),
    ("status", Scalar::Int),
    ("reason", Scalar::Text),
    ("made", Scalar::Timestamp),
    ("tried", Scalar::Timestamp),
    ("due", Scalar::Timestamp),
];

/// The newest deliveries, as [`DELIVERY`] says; binds: endpoint (null: all), the most.
pub(crate) fn deliveries(dialect: Dialect) -> Statement {
    let text = "SELECT d.number, d.endpoint, d.event, e.name, d.lane, d.state, d.attempts, d.status, d.reason, d.made, d.tried, \
                CASE WHEN d.state = 'waiting' THEN d.due END FROM {delivery} AS d LEFT JOIN {event} AS e ON e.id = d.event \
                WHERE d.endpoint = coalesce({0}, d.endpoint) ORDER BY d.number DESC LIMIT {1}";
    said(dialect, text, &[Scalar::Int; 2], stored(&DELIVERY))
}

/// The event of a task that is somebody's; binds: number, until when it was taken. Answers its identifier and its key.
pub(crate) fn event_of_task(dialect: Dialect) -> Statement {
    let text = "SELECT e.id, e.key FROM {task} AS t JOIN {event} AS e ON e.id = t.event \
                WHERE t.number = {0} AND t.taken_until = {1}";
    said(dialect, text, &[Scalar::Int; 2], vec![Scalar::Uuid, Scalar::Text])
}

/// `INSERT` of a delivery for each endpoint that is enabled; binds: webhook, event, lane, now. Behind one of its lane that
/// waits, it is due when that is over.
pub(crate) fn spread(dialect: Dialect) -> Statement {
    let text = "INSERT INTO {delivery} (endpoint, event, lane, made, due) SELECT p.id, {1}, {2}, {3}, \
                CASE WHEN EXISTS (SELECT 1 FROM {delivery} AS b WHERE b.endpoint = p.id AND b.lane = {2} AND b.state = 'waiting') \
                THEN NULL ELSE {3} END FROM {endpoint} AS p WHERE p.webhook = {0} AND p.enabled ORDER BY p.id";
    let binds = [Scalar::Text, Scalar::Uuid, Scalar::Text, Scalar::Int];
    said(dialect, text, &binds, Vec::new())
}

/// The events that are sent again, as a condition; binds: endpoint, names, since when, behind which number, the most or the
/// last. What waits already is not sent twice.
macro_rules! replayed {
    ($names:literal) => {
        concat!(
            " FROM {event} AS e WHERE e.made >= {2} AND e.number > {3} AND e.name IN (",
            $names,
            ") AND NOT EXISTS (SELECT 1 FROM {delivery} AS w WHERE w.event = e.id AND w.endpoint = {0} AND w.state = 'waiting')"
        )
    };
}

/// How many events are sent again next, and the number of the last of them; binds as [`replayed`].
pub(crate) fn replayed(dialect: Dialect) -> Statement {
    let text = match dialect {
        Dialect::Sqlite => concat!(
            "SELECT count(*), max(number) FROM (SELECT e.number",
            replayed!("SELECT value FROM json_each({1})"),
            " ORDER BY e.number LIMIT {4}) AS s"
        ),
        Dialect::Postgres => concat!(
            "SELECT count(*), max(number) FROM (SELECT e.number",
            replayed!("SELECT json_array_elements_text({1})"),
            " ORDER BY e.number LIMIT {4}) AS s"
        ),
    };
    said(dialect, text, &REPLAYED[..5], vec![Scalar::Int; 2])
}

/// `INSERT` of their deliveries; binds as [`replayed`], the number of the last instead of the most, and now.
pub(crate) fn replay(dialect: Dialect) -> Statement {
    macro_rules! replay {
        ($names:literal) => {
            concat!(
                "INSERT INTO {delivery} (endpoint, event, lane, made, due) SELECT {0}, s.id, s.key, {5}, \
                 CASE WHEN s.key IS NOT NULL AND (s.place > 1 OR EXISTS (SELECT 1 FROM {delivery} AS b \
                 WHERE b.endpoint = {0} AND b.lane = s.key AND b.state = 'waiting')) THEN NULL ELSE {5} END \
                 FROM (SELECT e.id, e.key, e.number, row_number() OVER (PARTITION BY e.key ORDER BY e.number) AS place",
                replayed!($names),
                " AND e.number <= {4}) AS s ORDER BY s.number"
            )
        };
    }
    let text = match dialect {
        Dialect::Sqlite => replay!("SELECT value FROM json_each({1})"),
        Dialect::Postgres => replay!("SELECT json_array_elements_text({1})"),
    };
    said(dialect, text, &REPLAYED, Vec::new())
}

const REPLAYED: [Scalar; 6] =
    [Scalar::Int, Scalar::Json, Scalar::Int, Scalar::Int, Scalar::Int, Scalar::Int];

/// Endpoints that something is due for, those that have least on its way first; bind: now. Answers: number, URL, webhook, how
/// often it has failed since it last succeeded, how many are on their way.
pub(crate) fn busy(dialect: Dialect) -> Statement {
    let text = "SELECT p.id, p.url, p.webhook, p.failing, \
                (SELECT count(*) FROM {delivery} AS b WHERE b.endpoint = p.id AND b.taken_until >= {0}) AS under_way \
                FROM {endpoint} AS p WHERE p.enabled AND p.resumes <= {0} AND EXISTS (SELECT 1 FROM {delivery} AS d \
                WHERE d.endpoint = p.id AND d.state = 'waiting' AND d.due <= {0}) ORDER BY under_way, p.id";
    let answer = vec![Scalar::Int, Scalar::Text, Scalar::Text, Scalar::Int, Scalar::Int];
    said(dialect, text, &[Scalar::Int], answer)
}

/// Takes deliveries to an endpoint; binds: endpoint, now, until when, the most. Answers their numbers.
///
/// What is taken is not due before its time has run out. The conditions stand twice, since PostgreSQL looks at the outer ones
/// again where it had to wait for somebody who changed the row. There the numbers are an array: of an `IN` with a limit that it
/// does not know it expects so many rows that it reads the whole table.
pub(crate) fn take(dialect: Dialect) -> Statement {
    macro_rules! take {
        ($open:literal, $close:literal) => {
            concat!(
                "UPDATE {delivery} SET taken_until = {2}, due = {2} WHERE state = 'waiting' AND due <= {1} AND number ",
                $open,
                "SELECT d.number FROM {delivery} AS d WHERE d.endpoint = {0} AND d.state = 'waiting' AND d.due <= {1} \
                 ORDER BY d.due, d.number LIMIT {3}",
                $close,
                " RETURNING number"
            )
        };
    }
    let text = match dialect {
        Dialect::Sqlite => take!("IN (", ")"),
        Dialect::Postgres => take!("= ANY (ARRAY(", "))"),
    };
    said(dialect, text, &[Scalar::Int; 4], vec![Scalar::Int])
}

/// What is told of a delivery that was taken.
pub(crate) const TAKEN: [(&str, Scalar); 7] = [
    ("number", Scalar::Int),
    ("attempts", Scalar::Int),
    ("made", Scalar::Int),
    ("id", Scalar::Uuid),
    ("name", Scalar::Text),
    ("key", Scalar::Text),
    ("happened", Scalar::Int),
];

/// Deliveries that were taken, as [`TAKEN`] says, and what their events carry; binds: endpoint, until when they were taken.
pub(crate) fn taken(dialect: Dialect) -> Statement {
    let text = "SELECT d.number, d.attempts, d.made, d.event, e.name, e.key, e.made, e.data FROM {delivery} AS d \
                LEFT JOIN {event} AS e ON e.id = d.event WHERE d.endpoint = {0} AND d.taken_until = {1} ORDER BY d.number";
    let answer = TAKEN.iter().map(|(_, scalar)| *scalar).chain([Scalar::Json]);
    said(dialect, text, &[Scalar::Int; 2], answer.collect())
}

/// Notes that a delivery has arrived; binds: number, until when it was taken, now, status. Answers endpoint and lane, if it was
/// still so.
pub(crate) fn arrived(dialect: Dialect) -> Statement {
    let text = "UPDATE {delivery} SET state = 'delivered', attempts = attempts + 1, taken_until = NULL, due = NULL, tried = {2}, \
                status = {3}, reason = NULL WHERE number = {0} AND taken_until = {1} RETURNING endpoint, lane";
    said(dialect, text, &[Scalar::Int; 4], vec![Scalar::Int, Scalar::Text])
}

/// Notes that an attempt has failed; binds: number, until when it was taken, now, status, why, when it is due (null: never).
/// Answers endpoint and lane, if it was still so.
pub(crate) fn failed(dialect: Dialect) -> Statement {
    let text = "UPDATE {delivery} SET state = CASE WHEN {5} IS NULL THEN 'parked' ELSE 'waiting' END, attempts = attempts + 1, \
                taken_until = NULL, due = {5}, tried = {2}, status = {3}, reason = {4} \
                WHERE number = {0} AND taken_until = {1} RETURNING endpoint, lane";
    let binds = [Scalar::Int, Scalar::Int, Scalar::Int, Scalar::Int, Scalar::Text, Scalar::Int];
    said(dialect, text, &binds, vec![Scalar::Int, Scalar::Text])
}

/// The next of a lane is due; binds: endpoint, lane, now.
pub(crate) fn next(dialect: Dialect) -> Statement {
    let text = "UPDATE {delivery} SET due = {2} WHERE due IS NULL AND number = (SELECT min(d.number) FROM {delivery} AS d \
                WHERE d.endpoint = {0} AND d.lane = {1} AND d.state = 'waiting')";
    said(dialect, text, &[Scalar::Int, Scalar::Text, Scalar::Int], Vec::new())
}

/// Notes that an endpoint has answered well; binds: endpoint, now, a second ago. Once a second, unless it had failed: a busy one
/// is not written for every delivery.
pub(crate) fn succeeds(dialect: Dialect) -> Statement {
    let text = "UPDATE {endpoint} SET failing = 0, succeeded = {1} WHERE id = {0} \
                AND (failing > 0 OR succeeded IS NULL OR succeeded < {2})";
    said(dialect, text, &[Scalar::Int; 3], Vec::new())
}

/// Notes that an endpoint has failed; binds: endpoint, now, before when nothing is sent to it, why it is disabled (null: it is
/// not).
pub(crate) fn fails(dialect: Dialect) -> Statement {
    let text = "UPDATE {endpoint} SET failing = failing + 1, failed = {1}, \
                resumes = CASE WHEN resumes > {2} THEN resumes ELSE {2} END, enabled = enabled AND {3} IS NULL, \
                reason = coalesce({3}, reason) WHERE id = {0}";
    let binds = [Scalar::Int, Scalar::Int, Scalar::Int, Scalar::Text];
    said(dialect, text, &binds, Vec::new())
}

/// Gives all deliveries back; bind: now.
pub(crate) fn release(dialect: Dialect) -> Statement {
    let text = "UPDATE {delivery} SET taken_until = NULL, due = {0} WHERE taken_until IS NOT NULL";
    said(dialect, text, &[Scalar::Int], Vec::new())
}

/// What waits for endpoints that are disabled, or not there any more, is over; bind: what was made before when.
pub(crate) fn give_up(dialect: Dialect) -> Statement {
    let text = "UPDATE {delivery} AS d SET state = 'parked', due = NULL, reason = 'the endpoint is disabled' \
                WHERE d.state = 'waiting' AND d.made < {0} AND d.taken_until IS NULL \
                AND NOT EXISTS (SELECT 1 FROM {endpoint} AS p WHERE p.id = d.endpoint AND p.enabled)";
    said(dialect, text, &[Scalar::Int], Vec::new())
}

/// `DELETE` of a thousand deliveries that are over; bind: made before when. Answers their numbers.
pub(crate) fn forget(dialect: Dialect) -> Statement {
    let text = "DELETE FROM {delivery} WHERE number IN (SELECT d.number FROM {delivery} AS d WHERE d.made < {0} \
                AND d.state <> 'waiting' ORDER BY d.made LIMIT 1000) RETURNING number";
    said(dialect, text, &[Scalar::Int], vec![Scalar::Int])
}

/// Waits, on PostgreSQL, until nobody else takes deliveries: who takes must see what others have taken.
pub(crate) fn takers() -> Statement {
    let mut lowering = Lowering::new(Dialect::Postgres, 0, &[]);
    lowering.sql.push("SELECT pg_advisory_xact_lock(").integer(advisory::DELIVERIES).push(")");
    lowering.finish(Vec::new())
}

/// Waits, on PostgreSQL, until nobody else changes deliveries.
pub(crate) fn alone() -> Statement {
    said(Dialect::Postgres, "LOCK TABLE {delivery} IN SHARE ROW EXCLUSIVE MODE", &[], Vec::new())
}

/// As what columns are read: moments are integers there.
fn stored(columns: &[(&str, Scalar)]) -> Vec<Scalar> {
    let as_stored = |scalar| if scalar == Scalar::Timestamp { Scalar::Int } else { scalar };
    columns.iter().map(|(_, scalar)| as_stored(*scalar)).collect()
}
