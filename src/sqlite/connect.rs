//! One connection with the settings of every connection of ours, read back.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use rusqlite::config::DbConfig;
use rusqlite::types::FromSql;
use rusqlite::{Connection, OpenFlags, ToSql};

use super::paths::{beside, sync_directory_of};
use super::{DatabaseError, DatabaseSchema, DatabaseSettings};

/// Enough for all statements of a schema's owner.
const CACHED_STATEMENTS: usize = 64;

/// A checkpoint cuts an emptied write-ahead log to this, so that it does not keep the size of one burst of writes.
const WAL_KEEPS_BYTES: i64 = 64 * 1024 * 1024;

/// A write-ahead log of so many pages is moved into the file after a change.
const WAL_PAGES: i64 = 1000;

/// `PRAGMA synchronous = FULL` and `temp_store = MEMORY`, as SQLite reports them.
const FULL: i32 = 2;
const IN_MEMORY: i32 = 2;

/// How often a connection tries to switch a file to WAL. One rival costs one try.
const WAL_TRIES: usize = 20;

/// Opens connections to one file.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    pub(super) path: PathBuf,
    pub(super) schema: &'static DatabaseSchema,
    pub(super) busy_timeout: Duration,
}

impl Connector {
    pub(super) fn new(path: PathBuf, settings: &DatabaseSettings, schema: &'static DatabaseSchema) -> Self {
        Self { path, schema, busy_timeout: settings.busy_timeout }
    }

    /// The same for another file of this schema.
    pub(super) fn to(&self, path: &Path) -> Self {
        Self { path: path.to_owned(), ..self.clone() }
    }

    /// Opens a connection that writes.
    pub(super) fn writer(&self) -> Result<Connection, DatabaseError> {
        self.connect(true)
    }

    /// Opens a connection that only reads.
    pub(super) fn reader(&self) -> Result<Connection, DatabaseError> {
        self.connect(false)
    }

    fn connect(&self, writes: bool) -> Result<Connection, DatabaseError> {
        // Without CREATE: a file that vanished is an error, not a fresh database of the default mode.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)
            .map_err(|source| DatabaseError::Open(self.path.clone(), source))?;
        connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
        // First, so that the settings below wait for other processes too.
        let millis = i32::try_from(self.busy_timeout.as_millis()).unwrap_or(i32::MAX);
        set(&connection, "busy_timeout", millis)?;
        self.refuse_other_programs(&connection)?;
        // Without write permission SQLite falls back to reading, and would fail at the first change.
        if writes && connection.is_readonly("main")? {
            return Err(DatabaseError::ReadOnly(self.path.clone()));
        }

        // Survives power cuts: in WAL mode, NORMAL loses commits that were answered as done.
        use_wal(&connection)?;
        set(&connection, "synchronous", FULL)?;
        set(&connection, "journal_size_limit", WAL_KEEPS_BYTES)?;
        // SQLite would keep a failed sync of its own checkpoints to itself.
        set(&connection, "wal_autocheckpoint", 0)?;
        set(&connection, "foreign_keys", true)?;
        // A file that was tampered with must not run functions of its choice through its schema.
        set(&connection, "trusted_schema", false)?;
        flag(&connection, "DEFENSIVE", DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        flag(&connection, "TRUSTED_SCHEMA", DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        // "text" in double quotes is a name or an error, never silently a string.
        flag(&connection, "DQS_DML", DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        flag(&connection, "DQS_DDL", DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
        // One plan per statement. Otherwise SQLite looks at the bound values, to see whether a partial index serves, and
        // prepares the statement anew for each: ten times the cost of a lookup by email.
        flag(&connection, "ENABLE_QPSG", DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        // Erased means overwritten, not unlinked.
        set(&connection, "secure_delete", true)?;
        // Rows that SQLite sorts, or keeps to undo a statement, stay off the disk, except in a migration or an import of
        // very many.
        set(&connection, "temp_store", IN_MEMORY)?;
        set(&connection, "cell_size_check", true)?;
        set(&connection, "query_only", !writes)?;
        (self.schema.functions)(&connection)?;
        Ok(connection)
    }

    /// Refuses a file of another program: one with another mark, or with tables that are not ours and no mark.
    fn refuse_other_programs(&self, connection: &Connection) -> Result<(), DatabaseError> {
        // One snapshot: another process may be creating the tables right now.
        let snapshot = connection.unchecked_transaction()?;
        let found: i32 = snapshot.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let (tables, history): (i64, i64) = snapshot.query_row(
            "SELECT count(*), count(*) FILTER (WHERE name = 'refinery_schema_history') FROM sqlite_schema",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let ours = match found {
            0 => tables == 0 || (self.schema.application_id == 0 && history > 0),
            id => id == self.schema.application_id,
        };
        if ours { Ok(()) } else { Err(DatabaseError::OtherProgram(self.path.clone())) }
    }
}

/// Moves the write-ahead log into the file and empties it, so that overwritten data is gone from both, also after a power
/// cut. Returns whether it did: while another reader prevents it, it is left to the next checkpoint.
pub(super) fn checkpoint(connection: &Connection) -> Result<bool, DatabaseError> {
    let blocked: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if blocked {
        tracing::warn!("another reader uses the write-ahead log; the next checkpoint empties it");
    } else if let Some(path) = connection.path().map(Path::new) {
        // SQLite truncates the log without a sync. It holds no lock on the log that closing a descriptor could drop.
        let synced = match fs::File::open(beside(path, "-wal")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            log => log.and_then(|log| log.sync_all()),
        };
        let synced = synced.and_then(|()| sync_directory_of(path));
        synced.map_err(|source| DatabaseError::SyncFailed(Box::new(source)))?;
    }
    Ok(!blocked)
}

/// Moves the write-ahead log into the file when it has many pages, as far as readers let it.
pub(super) fn checkpoint_if_long(connection: &Connection) -> Result<(), DatabaseError> {
    let pages =
        |mode| -> rusqlite::Result<i64> { connection.prepare_cached(mode)?.query_row([], |row| row.get(1)) };
    if pages("PRAGMA wal_checkpoint(NOOP)")? >= WAL_PAGES {
        pages("PRAGMA wal_checkpoint(PASSIVE)")?;
    }
    Ok(())
}

/// Runs `work` under other settings, and restores the previous ones, also when it fails. Not within a transaction, where
/// some settings cannot be changed.
pub(crate) fn with_settings<T, E: From<DatabaseError>>(
    connection: &mut Connection,
    settings: &[(&str, i64)],
    work: impl FnOnce(&mut Connection) -> Result<T, E>,
) -> Result<T, E> {
    let previous = replace_settings(connection, settings)?;
    let outcome = work(connection);
    let restored = replace_settings(connection, &previous);
    outcome.and_then(|value| Ok(restored.map(|_| value)?))
}

/// Returns the settings before.
fn replace_settings<'a>(
    connection: &Connection,
    settings: &[(&'a str, i64)],
) -> Result<Vec<(&'a str, i64)>, DatabaseError> {
    let mut previous = Vec::new();
    for (name, value) in settings {
        previous.push((*name, connection.pragma_query_value(None, name, |row| row.get(0))?));
        connection.pragma_update(None, name, value)?;
    }
    Ok(previous)
}

/// Two connections that switch a fresh file at once would wait for each other, so SQLite answers BUSY to one of them
/// without waiting. A write transaction waits; afterwards the file is switched or free to be.
fn use_wal(connection: &Connection) -> Result<(), DatabaseError> {
    for _ in 0..WAL_TRIES {
        match set(connection, "journal_mode", "wal".to_owned()) {
            Err(DatabaseError::Busy) => connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?,
            outcome => return outcome,
        }
    }
    Err(DatabaseError::Busy)
}

fn set<T: ToSql + FromSql + PartialEq + ToString>(
    connection: &Connection,
    name: &'static str,
    wanted: T,
) -> Result<(), DatabaseError> {
    connection.pragma_update(None, name, &wanted)?;
    kept(name, wanted, connection.pragma_query_value(None, name, |row| row.get(0))?)
}

fn flag(
    connection: &Connection,
    name: &'static str,
    config: DbConfig,
    wanted: bool,
) -> Result<(), DatabaseError> {
    connection.set_db_config(config, wanted)?;
    kept(name, wanted, connection.db_config(config)?)
}

fn kept<T: PartialEq + ToString>(setting: &'static str, wanted: T, found: T) -> Result<(), DatabaseError> {
    if found == wanted {
        return Ok(());
    }
    Err(DatabaseError::Setting { setting, wanted: wanted.to_string(), found: found.to_string() })
}
