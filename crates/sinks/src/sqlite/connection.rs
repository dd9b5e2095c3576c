//! How is the database opened, so that a commit it reports is durable?
//!
//! | pragma | why |
//! |---|---|
//! | `journal_mode = WAL` | readers never block the sink and it never blocks them; one fsync a commit |
//! | `synchronous = FULL` | in WAL mode the default of many builds syncs only at checkpoints; a commit that is reported must survive power loss, since the journal then drops its copy |
//! | `fullfsync`, `checkpoint_fullfsync` | on macOS a plain fsync leaves the data in the drive's cache; elsewhere without effect |
//! | `page_size = 8192` (new files) | events of a few hundred bytes to 2 kB stay off overflow pages, and a transaction changes half as many pages |
//! | `wal_autocheckpoint` | in pages of `checkpoint_bytes`; the default of 1,000 pages is passed by every second batch of 5,000 events |
//! | `journal_size_limit` | twice that: a log that grew behind a long reader is cut back |
//! | `cache_size` | `cache_bytes`, so that a transaction does not spill before its commit |
//! | `mmap_size = 0` | an I/O error on a mapped page is a signal that kills the process, on a read it is an error code; a writer that appends reads little anyway |
//! | `max_page_count` | `size_max` |
//!
//! The first two are read back: a file system without shared memory refuses WAL in silence.
//!
//! A process that was killed between writing a commit and syncing it leaves a commit that the next
//! process sees, but that is not durable yet. Answering "already committed" from it would let the
//! journal drop the only durable copy. So the write-ahead log is synced at each opening, before
//! anything is answered from the record. Known imperfection: on Linux, a sync that failed once may
//! be reported as done the second time.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::busy::LockWaits;
use super::schema::{self, Refusal};
use super::settings::Settings;
use super::trouble::{Site, Trouble, advice, backend};
use crate::contract::OpenError;

const PAGE_SIZE: u64 = 8192;
const STATEMENTS: usize = 32;
const FULL: i64 = 2;

/// An open database file.
pub(super) struct Db {
    /// The connection; only the writer thread uses it.
    pub(super) connection: Connection,
    identity: Option<Identity>,
}

impl Db {
    /// Fails if the path no longer names the file that is open. One look at the directory a batch:
    /// rows written into a deleted file would be acknowledged and lost.
    pub(super) fn check_place(&self, path: &Path) -> Result<(), Trouble> {
        match identity(path) {
            Ok(now) if now == self.identity => Ok(()),
            Ok(_) => Err(Trouble::Moved("the file was replaced while in use".to_owned())),
            Err(error) => {
                Err(Trouble::Moved(format!("the file was moved or deleted while in use ({error})")))
            }
        }
    }

    /// Lets go of a file that is no longer at its path, without touching what is there now: SQLite
    /// would delete the write-ahead log by its name.
    pub(super) fn abandon(self) {
        // Without this switch the close is the usual one: there is no more to do about a failure.
        let _ = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }
}

/// Opens the file as the settings say; creates it, and the directories above it, if need be.
pub(super) fn open(settings: &Settings, waits: &LockWaits) -> Result<Db, OpenError> {
    let path = settings.path.as_path();
    let created = create_directory(path)?;
    let connection = connect(settings, waits).map_err(|refusal| explain(settings, refusal))?;
    make_durable(path, &created)
        .map_err(|error| backend(path, format!("it cannot be synced to disk: {error}")))?;
    let identity = identity(path)
        .map_err(|error| backend(path, format!("it vanished while it was opened: {error}")))?;
    Ok(Db { connection, identity })
}

fn connect(settings: &Settings, waits: &LockWaits) -> Result<Connection, Refusal> {
    // Not the default flags: without URI a path is only a path, whatever it begins with.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(&settings.path, flags)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    waits.attach(&mut db, settings.busy_timeout)?;
    // Before anything is changed: a foreign database stays as it is.
    schema::check_owner(&db)?;
    if db.is_readonly("main")? {
        return Err(Refusal::Foreign(
            "it is read-only. Give this user the right to write the file and its directory".into(),
        ));
    }
    if schema::is_blank(&db)? {
        db.pragma_update(None, "page_size", PAGE_SIZE.cast_signed())?;
    }
    set_durability(&db)?;
    set_sizes(&db, settings)?;
    schema::install(&mut db)?;
    Ok(db)
}

fn set_durability(db: &Connection) -> Result<(), Refusal> {
    let mode: String = db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(Refusal::Foreign(format!(
            "SQLite kept journal_mode {mode} instead of WAL: this file system has no shared \
             memory between processes. Put the file on a local disk"
        )));
    }
    for pragma in ["fullfsync", "checkpoint_fullfsync"] {
        db.pragma_update(None, pragma, true)?;
    }
    db.pragma_update(None, "synchronous", FULL)?;
    let level: i64 = db.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    if level != FULL {
        return Err(Refusal::Foreign(format!(
            "SQLite kept synchronous at {level} instead of FULL (2), so a commit would not be \
             durable. Report this: no known build does so"
        )));
    }
    Ok(())
}

fn set_sizes(db: &Connection, settings: &Settings) -> Result<(), Refusal> {
    // The bounds of the settings keep all of these far below 2^63.
    let page: i64 = db.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let checkpoint = settings.checkpoint_bytes.cast_signed();
    db.pragma_update(None, "cache_size", -(settings.cache_bytes / 1024).cast_signed())?;
    db.pragma_update(None, "wal_autocheckpoint", checkpoint / page)?;
    db.pragma_update(None, "journal_size_limit", checkpoint * 2)?;
    db.pragma_update(None, "mmap_size", 0)?;
    if let Some(size) = settings.size_max {
        db.pragma_update(None, "max_page_count", size.cast_signed() / page)?;
    }
    Ok(())
}

fn explain(settings: &Settings, refusal: Refusal) -> OpenError {
    let path = settings.path.as_path();
    match refusal {
        Refusal::Foreign(why) => backend(path, why),
        Refusal::Sqlite(error) => {
            let site = Site { path, busy_timeout: settings.busy_timeout };
            backend(path, format!("{error}. {}", advice(&error, site)))
        }
    }
}

/// Creates the directory of `path`; answers those that were missing, innermost first.
fn create_directory(path: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
        return Ok(Vec::new());
    };
    let missing: Vec<PathBuf> = directory
        .ancestors()
        .take_while(|above| !above.as_os_str().is_empty() && !above.exists())
        .map(Path::to_owned)
        .collect();
    fs::create_dir_all(directory).map_err(|error| {
        let why = format!(
            "its directory {} cannot be created: {error}. Create it, or give the sink another path",
            directory.display()
        );
        backend(path, why)
    })?;
    Ok(missing)
}

/// Syncs what the opening found or made: the write-ahead log, and the names of file and
/// directories. The database file itself is left alone: closing any handle of it would drop the
/// locks that SQLite holds on it.
fn make_durable(path: &Path, created: &[PathBuf]) -> io::Result<()> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    match File::open(PathBuf::from(log)) {
        Ok(log) => log.sync_all()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if cfg!(unix) {
        for below in created.iter().map(PathBuf::as_path).chain([path]) {
            let directory = below.parent().filter(|parent| !parent.as_os_str().is_empty());
            File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
        }
    }
    Ok(())
}

/// What tells a file from another one of the same name; `None` where the system does not say.
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(path: &Path) -> io::Result<Option<Identity>> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).map(|file| Some((file.dev(), file.ino())))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> io::Result<Option<Identity>> {
    // Elsewhere an open file cannot be deleted or replaced.
    fs::metadata(path).map(|_| None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(db: &Connection, pragma: &str) -> i64 {
        db.pragma_query_value(None, pragma, |row| row.get(0)).unwrap()
    }

    #[test]
    fn the_connection_is_set_as_the_table_above_says() {
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings {
            size_max: Some(1 << 30),
            ..Settings::new(directory.path().join("events.db"), "sqlite")
        };
        for _ in 0..2 {
            let db = open(&settings, &LockWaits::default()).unwrap().connection;
            for (pragma, expected) in [
                ("synchronous", FULL),
                ("fullfsync", 1),
                ("checkpoint_fullfsync", 1),
                ("page_size", 8192),
                ("wal_autocheckpoint", (16 << 20) / 8192),
                ("journal_size_limit", 32 << 20),
                ("cache_size", -16 * 1024),
                ("mmap_size", 0),
                ("max_page_count", (1 << 30) / 8192),
            ] {
                assert_eq!(value(&db, pragma), expected, "{pragma}");
            }
            let mode: String =
                db.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
            assert_eq!(mode, "wal");
        }
    }

    #[test]
    fn a_file_that_changed_places_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.db");
        let db = open(&Settings::new(&path, "sqlite"), &LockWaits::default()).unwrap();
        assert!(db.check_place(&path).is_ok());
        fs::rename(&path, directory.path().join("elsewhere.db")).unwrap();
        assert!(matches!(db.check_place(&path), Err(Trouble::Moved(_))));
        fs::write(&path, "").unwrap();
        assert!(matches!(db.check_place(&path), Err(Trouble::Moved(_))));
    }
}
