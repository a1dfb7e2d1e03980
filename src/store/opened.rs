//! Opening: a file that is there, of the schema we know, whole, and locked against being replaced.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::lock::Lock;
use super::open::{self, Purpose};
use super::{Migrated, Settings, StoreError, backup, check, migrate, truncate_wal};

/// A database that is there, of the schema we know, and of which nobody makes another one meanwhile.
pub(super) struct Opened {
    pub(super) path: PathBuf,
    pub(super) lock: Lock,
    pub(super) writer: Connection,
    pub(super) migrated: Migrated,
}

impl Opened {
    /// Made and migrated as needed.
    pub(super) fn made(settings: &Settings) -> Result<Self, StoreError> {
        let path = open::resolve(&settings.path)?;
        let lock = Lock::shared(&path)?;
        let made = open::prepare_file(&path, settings.busy_timeout)?;
        let writer = Self::whole(&path, settings)?;
        let from = migrate::version(&writer)?;
        if from >= migrate::known() {
            let migrated = made.unwrap_or(Migrated { from, to: from });
            return Self::of(path, lock, writer, migrated);
        }
        drop((writer, lock));
        let migrated = Self::bring_up(&path, settings)?;
        let lock = Lock::shared(&path)?;
        let writer = Self::whole(&path, settings)?;
        Self::of(path, lock, writer, migrated)
    }

    /// As it must be there.
    pub(super) fn existing(settings: &Settings) -> Result<Self, StoreError> {
        let path = open::existing_file(settings)?;
        let lock = Lock::shared(&path)?;
        open::narrow_all(&path)?;
        let known = migrate::known();
        let writer = Self::whole(&path, settings)?;
        Self::of(path, lock, writer, Migrated { from: known, to: known })
    }

    /// A connection to a file that nothing was cut off from.
    fn whole(path: &Path, settings: &Settings) -> Result<Connection, StoreError> {
        let writer = open::connect(path, Purpose::Write, settings.busy_timeout)?;
        check::length(&writer, path)?;
        Ok(writer)
    }

    fn of(path: PathBuf, lock: Lock, mut writer: Connection, migrated: Migrated) -> Result<Self, StoreError> {
        migrate::verify(&mut writer, &path)?;
        Ok(Self { path, lock, writer, migrated })
    }

    /// Brings the schema of a file up that nobody has open: a server of an older binary would go on writing as it
    /// knows it.
    fn bring_up(path: &Path, settings: &Settings) -> Result<Migrated, StoreError> {
        let _alone = Lock::exclusive(path)?;
        let mut writer = open::connect(path, Purpose::Write, settings.busy_timeout)?;
        let from = migrate::version(&writer)?;
        if from > 0 && from < migrate::known() {
            backup::keep_before_migrating(path, from, settings.busy_timeout)?;
        }
        let migrated = migrate::run(&mut writer, path)?;
        // What a migration took out of the file is not to stay in the log.
        truncate_wal(&writer)?;
        Ok(migrated)
    }
}
