//! Flushing a database's file while others write to its log.
//!
//! A checkpoint moves pages of the log into the file. SQLite flushes the file only if the log has no page left when it is done,
//! which is never beside a busy writer: all that was moved would be flushed at once by the checkpoint that lets the log begin
//! anew, while everybody who writes waits for it.

use std::ptr;

use rusqlite::{Connection, ffi};

/// Flushes what was written to the file of `connection`'s database; whether that was done.
///
/// By SQLite's own handle: a file that this process opened and closed beside it would take away the locks that SQLite holds on
/// it, as POSIX has it (see <https://sqlite.org/howtocorrupt.html>, 2.2).
#[expect(
    unsafe_code,
    reason = "SQLite has no statement for it, only a method of the file behind a connection"
)]
pub(super) fn flush(connection: &Connection) -> bool {
    let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
    // SAFETY: the connection is open as long as it is borrowed, and is no other thread's meanwhile, because it is not `Sync`.
    // `SQLITE_FCNTL_FILE_POINTER` writes the address of its main file, which lives as long as the connection.
    // `xSync` is what SQLite calls itself to flush it, and may be called between statements.
    unsafe {
        let found = ffi::sqlite3_file_control(
            connection.handle(),
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_FILE_POINTER,
            (&raw mut file).cast(),
        );
        if found != ffi::SQLITE_OK {
            return false;
        }
        let sync =
            file.as_ref().and_then(|file| file.pMethods.as_ref()).and_then(|methods| methods.xSync);
        sync.is_some_and(|sync| sync(file, ffi::SQLITE_SYNC_NORMAL) == ffi::SQLITE_OK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_can_be_flushed_and_what_is_only_in_memory_has_nothing_to_flush() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("flushed.db");
        let connection = Connection::open(&path).expect("a database");
        connection.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE a (b)").expect("a table");
        assert!(flush(&connection));
        // Its locks are still held: whoever asks for the file alone does not get it.
        let other = Connection::open(&path).expect("a second connection");
        assert!(other.query_row("PRAGMA journal_mode = delete", [], |_| Ok(())).is_err());
        flush(&Connection::open_in_memory().expect("a database in memory"));
    }
}
