//! Opening connections, and what their errors mean.

use std::path::Path;

use operation::{EvaluationFault, Fault};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, Error, ErrorCode, OpenFlags};

use super::functions;
use crate::lower::redraw;
use crate::write::evaluation;
use crate::{Options, StoreFault};

/// The oldest SQLite that checkpoints safely, as its version number and as people write it.
const NEEDED: (i32, &str) = (3_051_003, "3.51.3");

/// Asserts that the library is safe to use.
pub(crate) fn assert_version() -> Result<(), StoreFault> {
    version_is_safe(rusqlite::version_number(), rusqlite::version())
}

fn version_is_safe(number: i32, found: &'static str) -> Result<(), StoreFault> {
    if number < NEEDED.0 {
        return Err(StoreFault::LibraryTooOld { found, needed: NEEDED.1 });
    }
    Ok(())
}

/// Opens a connection that writes.
pub(crate) fn open_writing(path: &Path, options: &Options) -> Result<Connection, StoreFault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = open(path, options, flags).map_err(|error| cannot_open(path, &error))?;
    let mode: Result<String, _> =
        connection.pragma_query_value(None, "journal_mode", |row| row.get(0));
    if mode.as_deref() != Ok("wal") {
        return Err(StoreFault::CannotOpen {
            path: path.to_owned(),
            reason: "it cannot keep a write-ahead log here; the folder must be writable and on a local disk"
                .to_owned(),
        });
    }
    unmapped(&connection, options).map_err(|error| cannot_open(path, &error))?;
    connection.execute_batch(redraw::KEPT).map_err(|error| cannot_open(path, &error))?;
    Ok(connection)
}

/// Nothing is mapped for who writes: where it is, SQLite looks each page that a transaction only reads up in the log before it
/// looks into its cache, each time anew. Its pages stay in the cache from commit to commit instead, of which there is more.
fn unmapped(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(()))?;
    let pages = i64::from(options.page_cache_kib) * WRITING;
    connection.pragma_update(None, "cache_size", -pages)
}

/// How many times as many pages a connection keeps that writes: there is one of them.
const WRITING: i64 = 4;

/// Opens a connection that only reads.
pub(crate) fn open_reading(path: &Path, options: &Options) -> Result<Connection, Fault> {
    // Opened for writing all the same: a reader must be able to set up the shared memory of the log.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = open(path, options, flags).map_err(|error| fault_of(&error))?;
    connection.pragma_update(None, "query_only", true).map_err(|error| fault_of(&error))?;
    Ok(connection)
}

fn open(path: &Path, options: &Options, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(options.lock_wait)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        // Nothing may be written in another mode: readers would wait for the writer.
        connection.pragma_update(None, "query_only", true)?;
        return Ok(connection);
    }
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "cache_size", -i64::from(options.page_cache_kib))?;
    let mapped = i64::try_from(options.mapped).unwrap_or(i64::MAX);
    connection.pragma_update_and_check(None, "mmap_size", mapped, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // Triggers of others may have texts in double quotes.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, options.adopt)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    // A plan that may depend on the values bound is made anew whenever they change, at many times the cost of a read.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(options.statements);
    functions::register(&connection)?;
    Ok(connection)
}

fn cannot_open(path: &Path, error: &Error) -> StoreFault {
    let reason = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            "the file is not an SQLite database; name another file, or move this one away"
                .to_owned()
        }
        Some(ErrorCode::CannotOpen) => {
            "its folder does not exist or may not be written; create it or name another".to_owned()
        }
        Some(ErrorCode::DatabaseBusy) => {
            "another process holds it; stop that process, or wait until it is done".to_owned()
        }
        _ => error.to_string(),
    };
    StoreFault::CannotOpen { path: path.to_owned(), reason }
}

/// What an error means for the request that met it.
#[cold]
pub(crate) fn fault_of(error: &Error) -> Fault {
    let text = error.to_string();
    if text.contains(functions::OVERFLOW) {
        return evaluation(EvaluationFault::Overflow, "");
    }
    if text.contains(functions::DIVISION_BY_ZERO) {
        return evaluation(EvaluationFault::DivisionByZero, "");
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => {
            Fault::Unavailable { reason: "the database took too long".to_owned(), retry_after: 1 }
        }
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::OutOfMemory,
        ) => Fault::Unavailable { reason: text, retry_after: 1 },
        _ => Fault::Internal(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsafe_library_is_refused_with_the_reason() {
        let fault = version_is_safe(3_051_002, "3.51.2").unwrap_err();
        assert!(fault.to_string().contains("3.51.3 or newer"), "{fault}");
        assert!(version_is_safe(3_051_003, "3.51.3").is_ok());
        assert!(assert_version().is_ok());
    }

    /// A process that is killed tells nothing of it: what it wrote is in the memory of the system, flushed or not.
    #[test]
    fn what_is_acknowledged_is_flushed() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::default();
        let connection = open_writing(&folder.path().join("a.db"), &options).unwrap();
        for (pragma, wanted) in [("synchronous", 2), ("foreign_keys", 1), ("wal_autocheckpoint", 0)]
        {
            let found = connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
            assert_eq!(found, Ok(wanted), "{pragma}");
        }
    }
}
