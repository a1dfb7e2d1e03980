//! Whether a database file is sound, by everything that can be seen in the file alone.

use std::collections::BTreeMap;
use std::fs;

use rusqlite::Connection;

use super::connect::Connector;
use super::lock::Lock;
use super::paths::{beside, resolve_existing};
use super::{DatabaseError, DatabaseSchema, DatabaseSettings, migrate};

/// Faults of the file. SQLite stops at a hundred; more than anyone reads.
const INTEGRITY: &str = "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'";
const FOREIGN_KEYS: &str = "SELECT format('%s%s → %s', \"table\", coalesce(' row ' || rowid, ''), parent)
                            FROM pragma_foreign_key_check LIMIT 100";

/// Bytes of a write-ahead log before its first frame, and of a frame before its page (sqlite.org/fileformat.html §4.1).
const WAL_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;

/// What SQLite finds in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    /// The schema's version; 0 when the file holds none.
    pub schema: i32,
    /// The newest version this binary knows. Of a newer one, only what SQLite itself can check is checked.
    pub known: i32,
    /// Faults of pages, indexes, types and constraints (`PRAGMA integrity_check`), at most a hundred.
    pub integrity: Vec<String>,
    /// Rows that reference a missing row, as `table rowid → table`, at most a hundred.
    pub foreign_keys: Vec<String>,
    /// Tables, indexes and triggers that are missing or not as the schema has them, and triggers that it does not have.
    /// Compared only with a schema that this binary knows.
    pub differences: Vec<String>,
}

impl FileReport {
    /// Whether there is no fault.
    pub fn is_sound(&self) -> bool {
        self.first_fault().is_none()
    }

    /// Whether the values of the tables can be read as what they are.
    pub fn is_readable(&self) -> bool {
        self.integrity.is_empty() && (1..=self.known).contains(&self.schema)
    }

    /// The first fault, for people.
    pub fn first_fault(&self) -> Option<String> {
        if self.schema == 0 {
            return Some("it holds no schema of ours".to_owned());
        }
        let newer = || format!("its schema {} is newer than {}", self.schema, self.known);
        self.integrity
            .first()
            .cloned()
            .or_else(|| self.foreign_keys.first().map(|key| format!("{key} does not exist")))
            .or_else(|| self.differences.first().cloned())
            .or_else(|| (self.schema > self.known).then(newer))
    }
}

/// Reads the whole file, in one snapshot, while others may write. `inspect` reads the same snapshot and adds what the owner
/// of the tables can check. Changes and migrates nothing.
///
/// # Errors
/// [`DatabaseError::Damaged`] when the file is too damaged to be read to its end.
pub fn check<T, E: From<DatabaseError>>(
    settings: &DatabaseSettings,
    schema: &'static DatabaseSchema,
    inspect: impl FnOnce(&Connection, &FileReport) -> Result<T, E>,
) -> Result<(FileReport, T), E> {
    let path = resolve_existing(&settings.path)?;
    let _lock = Lock::shared(&path)?;
    let connector = Connector::new(path, settings, schema);
    let connection = connector.reader()?;
    refuse_truncated(&connection, &connector)?;
    let snapshot = connection.unchecked_transaction().map_err(DatabaseError::from)?;
    let report = report(&snapshot, schema)?;
    let more = inspect(&snapshot, &report)?;
    Ok((report, more))
}

/// Refuses a file that is shorter than its header says. What is beyond its end must be in the write-ahead log: a page per
/// frame. A log of many frames can hide that some are missing; [`check`] finds them.
pub(super) fn refuse_truncated(connection: &Connection, connector: &Connector) -> Result<(), DatabaseError> {
    // While it is read, no other connection moves pages between the two or frees any.
    let snapshot = connection.unchecked_transaction()?;
    let value = |name| -> Result<u64, DatabaseError> {
        let value: i64 = snapshot.pragma_query_value(None, name, |row| row.get(0))?;
        Ok(value.unsigned_abs())
    };
    // The first read begins the snapshot.
    snapshot.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let (page, pages) = (value("page_size")?, value("page_count")?);
    let path = &connector.path;
    let length = |path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let frames = length(beside(path, "-wal")).saturating_sub(WAL_HEADER) / (page + FRAME_HEADER);
    let missing = (pages * page).saturating_sub(length(path.clone()));
    if missing > frames * page {
        return Err(DatabaseError::Truncated { path: path.clone(), missing });
    }
    Ok(())
}

pub(super) fn report(snapshot: &Connection, schema: &DatabaseSchema) -> Result<FileReport, DatabaseError> {
    let (version, known) = (migrate::version(snapshot)?, schema.version()?);
    Ok(FileReport {
        schema: version,
        known,
        integrity: texts(snapshot, INTEGRITY)?,
        foreign_keys: texts(snapshot, FOREIGN_KEYS)?,
        differences: if version == known { differences(snapshot, schema)? } else { Vec::new() },
    })
}

/// How the tables, indexes and triggers differ from those that the migrations make.
fn differences(snapshot: &Connection, schema: &DatabaseSchema) -> Result<Vec<String>, DatabaseError> {
    let fresh = Connection::open_in_memory()?;
    (schema.functions)(&fresh)?;
    for (_, sql) in schema.migrations {
        fresh.execute_batch(sql)?;
    }
    let (found, expected) = (definitions(snapshot)?, definitions(&fresh)?);
    let differing = expected.iter().filter_map(|(name, sql)| match found.get(name) {
        None => Some(format!("{name} is missing")),
        Some(other) => (other != sql).then(|| format!("{name} is not as the schema has it")),
    });
    let extra = found.keys().filter(|name| name.starts_with("trigger") && !expected.contains_key(*name));
    Ok(differing.chain(extra.map(|name| format!("{name} is not in the schema"))).collect())
}

/// The statements of tables, indexes, triggers and views, by kind and name. Indexes without one are part of their table.
fn definitions(connection: &Connection) -> Result<BTreeMap<String, String>, DatabaseError> {
    let sql = "SELECT type || ' ' || name, sql FROM sqlite_schema WHERE sql IS NOT NULL";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn texts(connection: &Connection, sql: &str) -> Result<Vec<String>, DatabaseError> {
    let mut statement = connection.prepare(sql)?;
    let texts = statement.query_map([], |row| row.get(0))?;
    Ok(texts.collect::<Result<_, _>>()?)
}
