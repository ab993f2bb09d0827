//! Servers behind a pooler say in the database that they are there: it hides whose connections are whose, and keeps them open when
//! their server has gone.

use std::time::Duration;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error};

/// How long a server is taken to run after it was last seen: as long as it may take one that could not be asked four times.
const LEASE: Duration = Duration::from_secs(20);

/// Says that a server runs, and forgets those that have long gone.
pub(super) async fn tell(client: &Client, id: uuid::Uuid, name: &str) -> Result<(), Error> {
    let text = "WITH gone AS (DELETE FROM mimar.server WHERE seen < now() - interval '1 hour' AND id <> $1::uuid) \
                INSERT INTO mimar.server (id, name, seen) VALUES ($1::uuid, $2, now()) \
                ON CONFLICT (id) DO UPDATE SET name = excluded.name, seen = excluded.seen";
    let binds: [(&(dyn ToSql + Sync), Type); 2] =
        [(&id.to_string(), Type::TEXT), (&name, Type::TEXT)];
    client.execute_typed(text, &binds).await.map(drop)
}

/// Says that it has ended.
pub(super) async fn end(client: &Client, id: uuid::Uuid) -> Result<(), Error> {
    let text = "DELETE FROM mimar.server WHERE id = $1::uuid";
    client.execute_typed(text, &[(&id.to_string(), Type::TEXT)]).await.map(drop)
}

/// How many servers run but those whose name begins with `kept`.
pub(super) async fn others(client: &Client, kept: Option<&str>) -> Result<i64, Error> {
    // Where no server of this version has been, none can have said anything.
    let there =
        client.query_typed_one("SELECT to_regclass('mimar.server') IS NOT NULL", &[]).await?;
    if !there.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    let text = "SELECT count(*) FROM mimar.server WHERE seen > now() - make_interval(secs => $2) \
                AND ($1 IS NULL OR NOT starts_with(name || ' ', $1 || ' '))";
    let binds: [(&(dyn ToSql + Sync), Type); 2] =
        [(&kept, Type::TEXT), (&LEASE.as_secs_f64(), Type::FLOAT8)];
    client.query_typed_one(text, &binds).await?.try_get(0)
}
