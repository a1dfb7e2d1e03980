//! Schema versions: migrations, run forward only.

use std::error::Error as _;
use std::path::Path;

use refinery::Runner;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::connect::with_settings;
use super::schema::MigrationRecord;
use super::{DatabaseError, DatabaseSchema};

/// Foreign keys are off during migrations, because remaking a table drops the old one, which rows of others reference.
/// Large sorts go to a temporary file.
const SETTINGS: [(&str, i64); 2] = [("foreign_keys", 0), ("temp_store", 1)];

/// What migrating did: schema versions, 0 for an empty file. Equal when there was nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// The version before.
    pub from: i32,
    /// The version after: the newest this binary knows.
    pub to: i32,
}

/// The version of the file: its newest migration, known to us or not. Reads only.
pub(super) fn version(connection: &Connection) -> Result<i32, DatabaseError> {
    Ok(history(connection)?.last().map_or(0, |(version, ..)| *version))
}

/// The version of a file whose migrations are ours. Reads only.
pub(super) fn known_version(
    connection: &Connection,
    schema: &DatabaseSchema,
    path: &Path,
) -> Result<i32, DatabaseError> {
    let (migrations, known) = (schema.known()?, schema.version()?);
    let history = history(connection)?;
    let differs = |record: &&MigrationRecord| record.0 <= known && !migrations.contains(record);
    if let Some((version, name, _)) = history.iter().find(differs) {
        let (path, name) = (path.to_owned(), name.clone());
        return Err(DatabaseError::UnknownSchema { path, version: *version, name });
    }
    let found = history.last().map_or(0, |(version, ..)| *version);
    if found > known {
        return Err(DatabaseError::SchemaTooNew { path: path.to_owned(), found, known });
    }
    Ok(found)
}

/// Runs all pending migrations in one transaction. For a caller that has the file for itself.
pub(super) fn run(
    connection: &mut Connection,
    schema: &DatabaseSchema,
    path: &Path,
) -> Result<Migrated, DatabaseError> {
    let (from, to) = (known_version(connection, schema, path)?, schema.version()?);
    if from < to {
        connection.set_transaction_behavior(TransactionBehavior::Immediate);
        let runner = Runner::new(&schema.migrations()?).set_grouped(true);
        with_settings(connection, &SETTINGS, |connection| runner.run(connection).map(drop).map_err(failed))?;
    }
    Ok(Migrated { from, to })
}

fn failed(error: refinery::Error) -> DatabaseError {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    let busy = causes.filter_map(|cause| cause.downcast_ref::<rusqlite::Error>()).any(|cause| {
        matches!(cause.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    });
    if busy { DatabaseError::Busy } else { DatabaseError::Migration(Box::new(error)) }
}

/// The migrations that the file has run, oldest first. We read them ourselves: refinery creates its table before it
/// reads, and panics on odd rows.
fn history(connection: &Connection) -> Result<Vec<MigrationRecord>, DatabaseError> {
    let there = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'refinery_schema_history'";
    if !connection.prepare(there)?.exists([])? {
        return Ok(Vec::new());
    }
    let sql = "SELECT version, name, checksum FROM refinery_schema_history ORDER BY version";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
