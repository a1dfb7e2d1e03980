//! Opening a file: it exists, is complete, has the schema we know, and is locked against being replaced.

use std::io;
use std::path::Path;

use rusqlite::Connection;

use super::check::refuse_truncated;
use super::connect::{Connector, checkpoint};
use super::lock::Lock;
use super::migrate::{self, Migrated, known_version};
use super::paths::{
    beside, give_to_owner_of, has_content, refuse_orphaned_log, resolve, resolve_existing, restrict_to_owner,
    sync_directory_of, temporary_beside,
};
use super::{DatabaseError, DatabaseSchema, DatabaseSettings};

/// A file that no other process can replace.
pub(super) struct OpenFile {
    pub(super) connector: Connector,
    pub(super) lock: Lock,
    pub(super) writer: Connection,
    pub(super) migrated: Migrated,
}

/// Creates the file if it is absent, and runs pending migrations.
pub fn migrate(
    settings: &DatabaseSettings,
    schema: &'static DatabaseSchema,
) -> Result<Migrated, DatabaseError> {
    OpenFile::migrated(settings, schema).map(|open| open.migrated)
}

/// Removes a database that no process has open. Does nothing when it does not exist.
pub fn remove(path: &Path) -> Result<(), DatabaseError> {
    let path = resolve(path)?;
    if !path.exists() && !beside(&path, "-wal").exists() {
        return Ok(());
    }
    let _alone = Lock::exclusive(&path)?;
    // The log first: alone it would be refused as the rest of a lost database.
    for file in ["-wal", "-shm", ""].map(|suffix| beside(&path, suffix)) {
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(DatabaseError::Write(file, error));
            }
            _ => {}
        }
    }
    Ok(())
}

impl OpenFile {
    /// Created and migrated as needed.
    pub(super) fn migrated(
        settings: &DatabaseSettings,
        schema: &'static DatabaseSchema,
    ) -> Result<Self, DatabaseError> {
        let connector = Connector::new(resolve(&settings.path)?, settings, schema);
        let created = create_if_absent(&connector)?;
        match Self::current(connector.clone()) {
            Err(DatabaseError::SchemaTooOld { .. }) => {
                let migrated = upgrade(&connector)?;
                Ok(Self { migrated, ..Self::current(connector)? })
            }
            opened => opened.map(|open| Self { migrated: created.unwrap_or(open.migrated), ..open }),
        }
    }

    /// The file must exist with the newest schema.
    pub(super) fn existing(
        settings: &DatabaseSettings,
        schema: &'static DatabaseSchema,
    ) -> Result<Self, DatabaseError> {
        Self::current(Connector::new(resolve_existing(&settings.path)?, settings, schema))
    }

    fn current(connector: Connector) -> Result<Self, DatabaseError> {
        let (path, schema) = (&connector.path, connector.schema);
        let lock = Lock::shared(path)?;
        restrict_to_owner(path)?;
        let writer = connector.writer()?;
        refuse_truncated(&writer, &connector)?;
        let (found, known) = (known_version(&writer, schema, path)?, schema.version()?);
        if found < known {
            return Err(DatabaseError::SchemaTooOld { path: path.clone(), found, known });
        }
        Ok(Self { connector, lock, writer, migrated: Migrated { from: found, to: known } })
    }
}

/// Migrates a file that no process has open: a server of an older binary would go on writing in the form it knows.
fn upgrade(connector: &Connector) -> Result<Migrated, DatabaseError> {
    let path = &connector.path;
    let _alone = Lock::exclusive(path)?;
    let mut writer = connector.writer()?;
    let migrated = migrate::run(&mut writer, connector.schema, path)?;
    // Data that a migration removed must not stay in the log.
    checkpoint(&writer)?;
    Ok(migrated)
}

/// Creates the database if it is absent; `None` when it exists, or another process was faster.
///
/// It appears complete, with its schema, so that an empty file is never the trace of an interrupted creation, but of lost
/// data. Its mode is 0600 from the first moment.
fn create_if_absent(connector: &Connector) -> Result<Option<Migrated>, DatabaseError> {
    let Connector { path, schema, .. } = connector;
    let _lock = Lock::shared(path)?;
    let failed = DatabaseError::write(path);
    match has_content(path) {
        Ok(true) => return Ok(None),
        Ok(false) => return Err(DatabaseError::Empty(path.clone())),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Err(_) => refuse_orphaned_log(path)?,
    }
    let fresh = temporary_beside(path).map_err(failed)?.into_temp_path();
    let mut connection = connector.to(&fresh).writer()?;
    let migrated = migrate::run(&mut connection, schema, &fresh)?;
    connection.pragma_update(None, "application_id", schema.application_id)?;
    checkpoint(&connection)?;
    drop(connection);
    give_to_owner_of(&fresh, path);
    match fresh.persist_noclobber(path) {
        Ok(()) => sync_directory_of(path).map(|()| Some(migrated)).map_err(failed),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(failed(error.error)),
    }
}
