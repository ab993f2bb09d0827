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
    use std::process::Command;

    use super::*;

    const ALONE: &str = "MIMAR_TEST_IN_A_PROCESS_OF_ITS_OWN";

    /// How many locks of files this process holds, as the system knows them.
    #[cfg(target_os = "linux")]
    fn locks() -> usize {
        let own = format!(" {} ", std::process::id());
        let locks = std::fs::read_to_string("/proc/locks").expect("the system's locks");
        locks.lines().filter(|line| line.contains(&own)).count()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_file_is_flushed_and_its_locks_are_kept() {
        if std::env::var_os(ALONE).is_none() {
            // Other tests of this process hold locks as well.
            let test = "sqlite::flush::tests::a_file_is_flushed_and_its_locks_are_kept";
            let own = std::env::current_exe().expect("this program");
            let run = Command::new(own).args(["--exact", test]).env(ALONE, "1").output();
            let run = run.expect("another process");
            let said = String::from_utf8_lossy(&run.stdout);
            assert!(run.status.success() && said.contains("1 passed"), "{said}");
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("flushed.db");
        let connection = Connection::open(&path).expect("a database");
        connection.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE a (b)").expect("a table");
        let before = locks();
        assert!(flush(&connection));
        assert_eq!(locks(), before);
        // The way that is not taken, so that this test is one.
        drop(std::fs::File::open(&path).expect("the file"));
        assert!(locks() < before);
    }

    #[test]
    fn what_is_only_in_memory_has_no_file_to_flush() {
        assert!(!flush(&Connection::open_in_memory().expect("a database in memory")));
    }
}
