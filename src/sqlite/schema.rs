//! What differs between two database files: path and settings, tables and how they are recognised.

use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::time::Duration;

use refinery::Migration;
use rusqlite::Connection;
use siphasher::sip::SipHasher13;

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

    /// Version, name and checksum of each migration, as refinery has them. It reads a name with a regular expression, which
    /// takes a megabyte of memory and a millisecond at each start: names like ours are read without.
    pub(super) fn known(&self) -> Result<Vec<MigrationRecord>, DatabaseError> {
        let known = self.migrations.iter().map(|(text, sql)| {
            let Some((version, name)) = parse(text) else {
                let migration = Migration::unapplied(text, sql)?;
                let checksum = migration.checksum().to_string();
                return Ok((migration.version(), migration.name().to_owned(), checksum));
            };
            let mut hasher = SipHasher13::new();
            (name, version, sql).hash(&mut hasher);
            Ok((version, name.to_owned(), hasher.finish().to_string()))
        });
        known
            .collect::<Result<_, _>>()
            .map_err(|error: refinery::Error| DatabaseError::Migration(Box::new(error)))
    }

    /// The newest version; 0 without migrations.
    pub(super) fn version(&self) -> Result<i32, DatabaseError> {
        Ok(self.known()?.iter().map(|(version, ..)| *version).max().unwrap_or(0))
    }
}

/// Version, name and checksum of a migration.
pub(super) type MigrationRecord = (i32, String, String);

/// Version and name in `V1__notes`.
fn parse(text: &str) -> Option<(i32, &str)> {
    let (version, name) = text.strip_prefix('V')?.split_once("__")?;
    let is_name = !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    let is_number = version.bytes().all(|c| c.is_ascii_digit());
    Some((version.parse().ok().filter(|_| is_name && is_number)?, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_known_as_refinery_knows_them() {
        const OURS: DatabaseSchema =
            DatabaseSchema::new(&[("V1__notes", "CREATE TABLE notes (text)"), ("V12__a_b__c9", "")]);
        const OTHERS: DatabaseSchema =
            DatabaseSchema::new(&[("V1.5__x", "SELECT 1"), ("U2__x-y", ""), ("V3__é", "")]);
        for schema in [OURS, OTHERS] {
            let theirs = schema.migrations().map(|all| {
                all.iter()
                    .map(|one| (one.version(), one.name().to_owned(), one.checksum().to_string()))
                    .collect()
            });
            let known: Result<Vec<_>, _> = schema.known();
            assert_eq!(known.map_err(|error| error.to_string()), theirs.map_err(|error| error.to_string()));
        }
        assert!(OURS.migrations.iter().all(|(text, _)| parse(text).is_some()));
        assert!(OTHERS.migrations.iter().all(|(text, _)| parse(text).is_none()));
        assert!(DatabaseSchema::new(&[("notes", "")]).known().is_err());
    }
}
