//! Opening a file: it exists, is complete, has the schema we know, and is locked against being replaced.

use rusqlite::Connection;

use super::check::refuse_truncated;
use super::connect::{Connector, checkpoint};
use super::lock::Lock;
use super::migrate::{self, Migrated, known_version};
use super::paths::{resolve, resolve_existing, restrict_to_owner};
use super::{DatabaseError, DatabaseSchema, DatabaseSettings, create};

/// A file that no other process can replace.
pub(super) struct OpenFile {
    pub(super) connector: Connector,
    pub(super) lock: Lock,
    pub(super) writer: Connection,
    pub(super) migrated: Migrated,
}

/// Creates the file if it is absent, and runs pending migrations.
///
/// # Errors
/// As [`Database::open`](super::Database::open).
pub fn migrate(
    settings: &DatabaseSettings,
    schema: &'static DatabaseSchema,
) -> Result<Migrated, DatabaseError> {
    OpenFile::migrated(settings, schema).map(|open| open.migrated)
}

impl OpenFile {
    /// Created and migrated as needed.
    pub(super) fn migrated(
        settings: &DatabaseSettings,
        schema: &'static DatabaseSchema,
    ) -> Result<Self, DatabaseError> {
        let path = resolve(&settings.path)?;
        let connector = Connector { path, schema, busy_timeout: settings.busy_timeout };
        let lock = Lock::shared(&connector.path)?;
        let created = create::if_absent(&connector)?;
        let writer = complete_writer(&connector)?;
        let (from, to) = (known_version(&writer, schema, &connector.path)?, schema.version()?);
        if from == to {
            let migrated = created.unwrap_or(Migrated { from, to });
            return Ok(Self { connector, lock, writer, migrated });
        }
        drop((writer, lock));
        let migrated = upgrade(&connector)?;
        Self::current(connector, migrated)
    }

    /// The file must exist with the newest schema.
    pub(super) fn existing(
        settings: &DatabaseSettings,
        schema: &'static DatabaseSchema,
    ) -> Result<Self, DatabaseError> {
        let path = resolve_existing(&settings.path)?;
        let connector = Connector { path, schema, busy_timeout: settings.busy_timeout };
        let version = schema.version()?;
        Self::current(connector, Migrated { from: version, to: version })
    }

    fn current(connector: Connector, migrated: Migrated) -> Result<Self, DatabaseError> {
        let path = &connector.path;
        let lock = Lock::shared(path)?;
        restrict_to_owner(path)?;
        let writer = complete_writer(&connector)?;
        let (found, known) = (known_version(&writer, connector.schema, path)?, migrated.to);
        if found < known {
            return Err(DatabaseError::SchemaTooOld { path: path.clone(), found, known });
        }
        Ok(Self { connector, lock, writer, migrated })
    }
}

/// A connection to a file that nothing was cut off from.
fn complete_writer(connector: &Connector) -> Result<Connection, DatabaseError> {
    let writer = connector.writer()?;
    refuse_truncated(&writer, connector)?;
    Ok(writer)
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
