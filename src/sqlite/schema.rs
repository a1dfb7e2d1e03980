//! What differs between two database files: path and settings, tables and how they are recognised.

use std::path::PathBuf;
use std::time::Duration;

use refinery::Migration;
use rusqlite::Connection;

use super::DatabaseError;

/// Where a database file is and how it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// The file; created with mode 0600 when absent.
    pub path: PathBuf,
    /// Connections that scan at once. Reads by key have as many of their own; writes go through one.
    pub readers: usize,
    /// How long a call waits for a connection, and SQLite for a lock of another process.
    pub busy_timeout: Duration,
}

/// The tables of a database file and how it is recognised: `DatabaseSchema { application_id: 7, ..DatabaseSchema::new(…) }`.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseSchema {
    /// Names such as `V1__notes`, and their SQL. Pending ones run in one transaction. A file remembers their checksums: never
    /// edit one that has run, add the next version.
    pub migrations: &'static [(&'static str, &'static str)],
    /// `PRAGMA application_id` of the files, so that each program refuses the other's files.
    pub application_id: i32,
    /// Adds SQL functions to each connection.
    pub functions: fn(&Connection) -> rusqlite::Result<()>,
}

impl DatabaseSchema {
    /// A schema without id and functions.
    pub const fn new(migrations: &'static [(&'static str, &'static str)]) -> Self {
        Self { migrations, application_id: 0, functions: |_| Ok(()) }
    }

    pub(super) fn migrations(&self) -> Result<Vec<Migration>, DatabaseError> {
        let migrations = self.migrations.iter().map(|(name, sql)| Migration::unapplied(name, sql));
        migrations.collect::<Result<_, _>>().map_err(|error| DatabaseError::Migration(Box::new(error)))
    }

    /// The newest version; 0 without migrations.
    pub(super) fn version(&self) -> Result<i32, DatabaseError> {
        Ok(self.migrations()?.iter().map(Migration::version).max().unwrap_or(0))
    }
}
