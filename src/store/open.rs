//! One connection as every connection of ours is: on a file of mode 0600, with settings read back.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::{Migrated, Settings, StoreError, checksum, migrate, ownership, pseudonym, truncate_wal};

/// `PRAGMA application_id` of our files: "VEST". `migrations/V1` sets it.
const APPLICATION_ID: i32 = 0x5645_5354;

/// Room for every statement of the room; SQLite would prepare the evicted ones anew.
const CACHED_STATEMENTS: usize = 64;

/// The WAL is cut back to this many bytes when a checkpoint has emptied it, so that one burst of writes does not
/// keep its size for ever.
const WAL_KEEPS_BYTES: i64 = 64 * 1024 * 1024;

/// `PRAGMA temp_store` of who sorts a whole table: ten million rows would not fit into everybody's memory.
pub(super) const TEMP_FILE: i64 = 1;

/// How often a connection tries to switch a file to WAL. One rival costs one try.
const WAL_TRIES: usize = 20;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Write,
    Read,
}

/// Where the database is: absolute, so that SQLite's special names (":memory:", "file:…") mean files too, and with
/// links followed, because its companions stand beside the file itself.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, StoreError> {
    let failed = |source| StoreError::File { path: path.to_owned(), source };
    // Before anything is put beside it.
    if path.is_dir() {
        return Err(StoreError::Folder { path: path.to_owned() });
    }
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => std::path::absolute(path).map_err(failed),
        outcome => outcome.map_err(failed),
    }
}

/// Where the database is that must be there.
pub(super) fn existing_file(settings: &Settings) -> Result<PathBuf, StoreError> {
    let path = resolve(&settings.path)?;
    match fs::metadata(&path) {
        // SQLite would make it a database.
        Ok(metadata) if metadata.len() == 0 => Err(StoreError::Empty { path }),
        Ok(_) => Ok(path),
        Err(source) => Err(StoreError::unreadable(&path, source)),
    }
}

/// A companion of the database.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes the database if it is absent, and tells what was made.
///
/// It appears whole, with its schema, so that a file without content is never one that a crash left half made: then
/// rows were lost. Its mode is 0600 from the first moment; SQLite gives its `-wal` and `-shm` the same. Wider modes of
/// files that are already there (a backup put there by hand) are narrowed.
pub(super) fn prepare_file(path: &Path, busy_timeout: Duration) -> Result<Option<Migrated>, StoreError> {
    // Never opened here when it is there: closing any descriptor of a file drops all POSIX locks this process has on
    // it, those of SQLite included (sqlite.org/howtocorrupt.html §2.2).
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() == 0 => return Err(StoreError::Empty { path: path.to_owned() }),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return make(path, busy_timeout),
        Err(source) => return Err(StoreError::File { path: path.to_owned(), source }),
    }
    narrow_all(path)?;
    Ok(None)
}

/// Makes a team's file, empty, if it is absent. Its mode is as that of ours.
pub(super) fn prepare_team_s(path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::File { path: path.to_owned(), source };
    if path.exists() {
        return narrow_all(path);
    }
    refuse_stray_log(path)?;
    let fresh = tempfile::NamedTempFile::new_in(checksum::directory_of(path)).map_err(failed)?;
    match fresh.persist_noclobber(path) {
        // Another process was faster.
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(failed(error.error)),
        _ => Ok(()),
    }
}

pub(super) fn narrow_all(path: &Path) -> Result<(), StoreError> {
    for file in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")] {
        narrow(&file).map_err(|source| StoreError::File { path: file, source })?;
    }
    Ok(())
}

/// A write-ahead log without its database is the last that is left of it, and would be played into a new one.
fn refuse_stray_log(path: &Path) -> Result<(), StoreError> {
    // In this order: another process that makes the database makes the file before its log.
    let (log, there) = (has_log(path)?, path.try_exists());
    if log && !there.map_err(|source| StoreError::File { path: path.to_owned(), source })? {
        return Err(StoreError::StrayLog { path: path.to_owned(), log: beside(path, "-wal") });
    }
    Ok(())
}

/// Whether something stands in the write-ahead log of a database.
pub(super) fn has_log(path: &Path) -> Result<bool, StoreError> {
    let log = beside(path, "-wal");
    match fs::metadata(&log) {
        Ok(metadata) => Ok(metadata.len() > 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(StoreError::File { path: log, source }),
    }
}

/// `None` when another process was faster.
fn make(path: &Path, busy_timeout: Duration) -> Result<Option<Migrated>, StoreError> {
    refuse_stray_log(path)?;
    let failed = |source| StoreError::File { path: path.to_owned(), source };
    let fresh = tempfile::Builder::new()
        .prefix(".vestibule-")
        .tempfile_in(checksum::directory_of(path))
        .map_err(failed)?
        .into_temp_path();
    let mut connection = connect(&fresh, Purpose::Write, busy_timeout)?;
    let migrated = migrate::run(&mut connection, &fresh)?;
    truncate_wal(&connection)?;
    drop(connection);
    ownership::give(&fresh, path);
    match fresh.persist_noclobber(path) {
        Ok(()) => checksum::sync_directory_of(path).map(|()| Some(migrated)).map_err(failed),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(failed(error.error)),
    }
}

/// Opens a connection and holds SQLite to every setting.
///
/// # Errors
/// [`StoreError::Open`]; [`StoreError::NotOurs`]; [`StoreError::Setting`] when SQLite did not keep one.
pub(super) fn connect(
    path: &Path,
    purpose: Purpose,
    busy_timeout: Duration,
) -> Result<Connection, StoreError> {
    let connection = connect_if(refuse_foreign, path, purpose, busy_timeout)?;
    pseudonym::lend(&connection)?;
    Ok(connection)
}

/// The same for a file that a team owns.
pub(super) fn connect_to_team_s(
    path: &Path,
    purpose: Purpose,
    busy_timeout: Duration,
) -> Result<Connection, StoreError> {
    connect_if(refuse_ours, path, purpose, busy_timeout)
}

fn connect_if(
    fitting: fn(&Connection, &Path) -> Result<(), StoreError>,
    path: &Path,
    purpose: Purpose,
    busy_timeout: Duration,
) -> Result<Connection, StoreError> {
    // Without CREATE: a file that vanished is an error, not a fresh database of the default mode.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)
        .map_err(|source| StoreError::Open { path: path.to_owned(), source })?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // First, so that the settings below wait for others too.
    let millis = i64::try_from(busy_timeout.as_millis().min(i32::MAX.unsigned_abs().into())).unwrap_or(0);
    set(&connection, "busy_timeout", millis, millis)?;
    fitting(&connection, path)?;
    // SQLite falls back to reading when it may not write, and would tell at the first change.
    if purpose == Purpose::Write && connection.is_readonly("main")? {
        return Err(StoreError::ReadOnly { path: path.to_owned() });
    }

    // Survives power cuts: in WAL mode, NORMAL loses commits that were answered as done.
    use_wal(&connection)?;
    set(&connection, "synchronous", "FULL", 2)?;
    set(&connection, "journal_size_limit", WAL_KEEPS_BYTES, WAL_KEEPS_BYTES)?;
    set(&connection, "foreign_keys", true, 1)?;
    // A file that was tampered with must not run functions of its choice through its schema.
    set(&connection, "trusted_schema", false, 0)?;
    flag(&connection, "DEFENSIVE", DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    flag(&connection, "TRUSTED_SCHEMA", DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // "text" in double quotes is a name or an error, never silently a string.
    flag(&connection, "DQS_DML", DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    flag(&connection, "DQS_DDL", DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    // One plan a statement. Else SQLite looks at the values that are bound, to see whether a partial index serves,
    // and prepares the statement anew for each: ten times the cost of a lookup by email.
    flag(&connection, "ENABLE_QPSG", DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Erased means overwritten, not unlinked.
    set(&connection, "secure_delete", true, 1)?;
    // What is sorted, or kept to undo a statement, is personal too: it stays off the disk, but for what is sorted once in
    // an import or a migration of very many.
    set(&connection, "temp_store", "MEMORY", 2)?;
    set(&connection, "cell_size_check", true, 1)?;
    set(&connection, "query_only", purpose == Purpose::Read, i64::from(purpose == Purpose::Read))?;
    Ok(connection)
}

/// Refuses the file of our users, which no one else's migrations may touch.
fn refuse_ours(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application == APPLICATION_ID { Err(StoreError::NotOurs { path: path.to_owned() }) } else { Ok(()) }
}

/// Refuses a file that holds tables and is not marked as ours.
fn refuse_foreign(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    // One snapshot: another process may be making the tables right now.
    let snapshot = connection.unchecked_transaction()?;
    let application: i32 = snapshot.pragma_query_value(None, "application_id", |row| row.get(0))?;
    // A file whose first migration was cut short holds refinery's own table only.
    let tables: i64 = snapshot.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE tbl_name <> 'refinery_schema_history'",
        [],
        |row| row.get(0),
    )?;
    if application == APPLICATION_ID || (application == 0 && tables == 0) {
        return Ok(());
    }
    Err(StoreError::NotOurs { path: path.to_owned() })
}

/// Two connections that switch a fresh file at once would wait for each other, so SQLite tells one of them BUSY
/// without waiting. Its turn comes: a write transaction waits, and then the file is switched or free to be.
fn use_wal(connection: &Connection) -> Result<(), StoreError> {
    for _ in 0..WAL_TRIES {
        match set(connection, "journal_mode", "wal", "wal".to_owned()) {
            Err(StoreError::Busy) => connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?,
            outcome => return outcome,
        }
    }
    Err(StoreError::Busy)
}

/// Does `work` under other settings, and puts those back that were there, also when it fails. Not within a transaction,
/// where some settings can not be changed.
pub(super) fn with_settings<T>(
    connection: &mut Connection,
    settings: &[(&str, i64)],
    work: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut before = Vec::new();
    for (name, value) in settings {
        before.push((*name, connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0))?));
        connection.pragma_update(None, name, value)?;
    }
    let outcome = work(connection);
    let restored =
        before.into_iter().try_for_each(|(name, value)| connection.pragma_update(None, name, value));
    outcome.and_then(|value| Ok(restored.map(|()| value)?))
}

fn set<T>(
    connection: &Connection,
    name: &'static str,
    value: impl rusqlite::ToSql,
    wanted: T,
) -> Result<(), StoreError>
where
    T: rusqlite::types::FromSql + PartialEq + ToString,
{
    connection.pragma_update(None, name, value)?;
    let found: T = connection.pragma_query_value(None, name, |row| row.get(0))?;
    if found == wanted {
        return Ok(());
    }
    Err(StoreError::Setting { setting: name, wanted: wanted.to_string(), found: found.to_string() })
}

fn flag(
    connection: &Connection,
    name: &'static str,
    config: DbConfig,
    wanted: bool,
) -> Result<(), StoreError> {
    connection.set_db_config(config, wanted)?;
    let found = connection.db_config(config)?;
    if found == wanted {
        return Ok(());
    }
    Err(StoreError::Setting { setting: name, wanted: wanted.to_string(), found: found.to_string() })
}

#[cfg(unix)]
fn narrow(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = match fs::metadata(path) {
        Ok(metadata) => metadata.permissions().mode(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if mode & 0o077 == 0 {
        return Ok(());
    }
    tracing::warn!(path = %path.display(), "others could read the database; only its owner can now");
    fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o700))
}

/// Elsewhere the directory's access list decides.
#[cfg(not(unix))]
fn narrow(_: &Path) -> io::Result<()> {
    Ok(())
}
