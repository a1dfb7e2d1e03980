//! The schema's versions: embedded migrations, run forward only.

use std::error::Error as _;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior};

use super::open::{TEMP_FILE, with_settings};
use super::{StoreError, chain};

// Cargo sees a changed migration, but not an added one: touch this file with it.
mod embedded {
    refinery::embed_migrations!("migrations");
}

/// What a migration run did: schema versions, 0 for an empty file. Equal when there was nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// Before.
    pub from: i32,
    /// After: what this binary knows.
    pub to: i32,
}

/// The newest version this binary knows.
pub(super) fn known() -> i32 {
    let runner = embedded::migrations::runner();
    runner.get_migrations().iter().map(refinery::Migration::version).max().unwrap_or(0)
}

/// Sees to it that the schema is [`known`]. Reads only.
///
/// # Errors
/// [`StoreError::SchemaTooOld`]; [`StoreError::SchemaTooNew`]; [`StoreError::Migration`] when an applied migration was
/// edited since.
pub(super) fn verify(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let (found, known) = (version(connection)?, known());
    if found < known {
        return Err(StoreError::SchemaTooOld { path: path.to_owned(), found, known });
    }
    run(connection, path).map(drop)
}

/// Brings the schema to [`known`], all pending migrations in one transaction. Reads only, when there are none.
///
/// # Errors
/// [`StoreError::SchemaTooNew`], before anything is written; [`StoreError::Migration`] when a migration fails or an
/// applied one was edited since; [`StoreError::Busy`].
pub(super) fn run(connection: &mut Connection, path: &Path) -> Result<Migrated, StoreError> {
    let to = known();
    let from = version(connection)?;
    if from > to {
        return Err(StoreError::SchemaTooNew { path: path.to_owned(), found: from, known: to });
    }
    // refinery begins its transactions as the connection does. IMMEDIATE waits for another process that migrates; with
    // nothing to do, nobody who writes is waited for.
    let pending = from < to;
    connection.set_transaction_behavior(match pending {
        true => TransactionBehavior::Immediate,
        false => TransactionBehavior::Deferred,
    });
    let runner = embedded::migrations::runner().set_grouped(true);
    let outcome = if pending { apply(connection, &runner)? } else { runner.run(connection) };
    match outcome {
        Ok(_) => Ok(Migrated { from, to }),
        // refinery looks and then leaps: another process may have leapt in between. Then the work is done.
        Err(error) => match (pending, version(connection)?) {
            (true, now) if now == to => Ok(Migrated { from, to }),
            _ if is_busy(&error) => Err(StoreError::Busy),
            _ => Err(StoreError::Migration(Box::new(error))),
        },
    }
}

/// Runs what is pending, with what migrations need: a function of ours; foreign keys off, because making a table anew
/// drops the old one, which rows of others name; and room for what is sorted.
fn apply(
    connection: &mut Connection,
    runner: &refinery::Runner,
) -> Result<Result<refinery::Report, refinery::Error>, StoreError> {
    with_settings(connection, &[("foreign_keys", 0), ("temp_store", TEMP_FILE)], |connection| {
        chain::lend_function(connection)?;
        let outcome = runner.run(connection);
        chain::take_function(connection)?;
        Ok(outcome)
    })
}

/// Whether somebody else held the file too long, which says nothing about the migration.
fn is_busy(error: &refinery::Error) -> bool {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.filter_map(|cause| cause.downcast_ref::<rusqlite::Error>()).any(|cause| {
        matches!(cause.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    })
}

/// Brings an empty database to a version, as the binary of its time made it.
///
/// # Errors
/// [`StoreError::Migration`].
#[cfg(test)]
pub(super) fn up_to(connection: &mut Connection, version: i32) -> Result<(), StoreError> {
    super::pseudonym::lend(connection)?;
    let runner = embedded::migrations::runner().set_target(refinery::Target::Version(version));
    let outcome = apply(connection, &runner.set_grouped(true))?;
    outcome.map(drop).map_err(|error| StoreError::Migration(Box::new(error)))
}

/// The version of the file, read by ourselves: refinery makes its table before it reads, and panics on odd rows.
pub(super) fn version(connection: &Connection) -> Result<i32, StoreError> {
    let table: Option<i64> = connection
        .query_row(
            "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'refinery_schema_history'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    if table.is_none() {
        return Ok(0);
    }
    Ok(connection
        .query_row("SELECT coalesce(max(version), 0) FROM refinery_schema_history", [], |row| row.get(0))?)
}
