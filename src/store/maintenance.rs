//! The operator's commands on the database file: migrate, back up, check, restore.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use serde_json::Value;

use super::audit::{self, Action, Actor, AuditVerification, Changes};
use super::schema::SCHEMA;
use super::users::Tombstones;
use super::write::Write;
use super::{Result, Settings, Store, StoreError};
use crate::clock::Clock;
use crate::sqlite::{self, Backup, DatabaseError, FileReport, Migrated, Previous};
use crate::user::UserId;

/// The `PRAGMA user_version` of a database that has served production. Backups keep it.
const PRODUCTION: i32 = 1;
const USER_VERSION: &str = "user_version";

/// What a check of the database found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// What SQLite finds in the file.
    pub file: FileReport,
    /// The hash chain of the audit log; `None` when it could not be read: the file is damaged, or its schema unknown.
    pub audit: Option<AuditVerification>,
}

impl CheckReport {
    /// Whether there is no fault.
    pub fn is_sound(&self) -> bool {
        self.file.is_sound() && self.audit.as_ref().is_none_or(AuditVerification::is_intact)
    }
}

fn is_marked(connection: &Connection) -> rusqlite::Result<bool> {
    connection.pragma_query_value(None, USER_VERSION, |row| Ok(row.get::<_, i32>(0)? == PRODUCTION))
}

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The previous database, or a write-ahead log whose database was gone; `None` when there was neither.
    pub kept: Option<PathBuf>,
    /// How many users were erased again; `None` when the previous database could not be read, or was gone.
    pub erased_again: Option<usize>,
}

impl Store {
    /// Creates the database if it is absent, and migrates it to the schema of this binary.
    pub fn migrate(settings: &Settings) -> Result<Migrated> {
        Ok(sqlite::migrate(&settings.database(), &SCHEMA)?)
    }

    /// Marks the database as one that has served production.
    pub fn mark_production(&self) -> Result<()> {
        if self.read_by_key(|connection| Ok(is_marked(connection)?))? {
            return Ok(());
        }
        self.write(|write| Ok(write.tx.pragma_update(None, USER_VERSION, PRODUCTION)?))
    }

    /// Whether the database has served production, without migrating it. `false` for one that cannot be read:
    /// [`Store::open`] says why.
    pub fn has_served_production(settings: &Settings) -> bool {
        let opened = Connection::open_with_flags(&settings.path, OpenFlags::SQLITE_OPEN_READ_ONLY);
        opened.and_then(|connection| is_marked(&connection)).unwrap_or(false)
    }

    /// Copies the database into a new file, with its checksum beside it, while servers run: see [`sqlite::backup`].
    pub fn backup(settings: &Settings, to: &Path) -> Result<Backup> {
        Ok(sqlite::backup(&settings.database(), &SCHEMA, to)?)
    }

    /// Reads the whole file, in one snapshot, while servers run. Changes and migrates nothing.
    pub fn check(settings: &Settings) -> Result<CheckReport> {
        let (file, audit) = sqlite::check(&settings.database(), &SCHEMA, |snapshot, report| {
            report.is_readable().then(|| audit::verify(snapshot, None)).transpose()
        })?;
        Ok(CheckReport { file, audit })
    }

    /// Verifies a backup and makes it the database, migrated to the schema of this binary; the database is unchanged when
    /// that fails. The previous one stays as `<database>.replaced-<moment>`. Users that it erased are erased again. An
    /// `unchecked` backup needs no checksum; the file itself does not show a flipped bit in a name.
    pub fn restore(settings: &Settings, backup: &Path, unchecked: bool, clock: &Clock) -> Result<Restored> {
        let prepare = |connection: &mut Connection, tombstones, sha256: &str| {
            if let Some(line) = audit::verify(connection, None)?.first_broken {
                let fault = format!("the audit log is broken at line {line}");
                return Err(DatabaseError::UnsoundBackup { path: backup.to_owned(), fault }.into());
            }
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let write = Write::new(&tx, clock, None, settings.block_at_auth0);
            let changes = Changes::default().field("backup", Value::Null, sha256);
            write.audit(&Actor::Cli, Action::Restored, None::<UserId>, changes)?;
            let count = match tombstones {
                Previous::Absent => Some(0),
                Previous::Unreadable => None,
                Previous::Readable(tombstones) => Some(Tombstones::apply(&tombstones, &write)?),
            };
            tx.commit()?;
            Ok::<_, StoreError>(count)
        };
        let (database, backup) = (settings.database(), (backup, unchecked));
        let (kept, erased_again) =
            sqlite::restore(&database, &SCHEMA, backup, clock, Tombstones::read, prepare)?;
        Ok(Restored { kept, erased_again })
    }
}
