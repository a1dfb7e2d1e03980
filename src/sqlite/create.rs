//! Creating a database file.

use std::io;

use super::connect::{Connector, checkpoint};
use super::migrate::{self, Migrated};
use super::paths::{
    has_content, refuse_orphaned_log, restrict_to_owner, sync_directory_of, temporary_beside,
};
use super::{DatabaseError, ownership};

/// Creates the database if it is absent; `None` when it exists.
///
/// It appears complete, with its schema, so that an empty file is never the trace of an interrupted creation, but of lost
/// data. Its mode is 0600 from the first moment.
pub(super) fn if_absent(connector: &Connector) -> Result<Option<Migrated>, DatabaseError> {
    let path = &connector.path;
    match has_content(path) {
        Ok(true) => restrict_to_owner(path).map(|()| None),
        Ok(false) => Err(DatabaseError::Empty(path.clone())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(connector),
        Err(source) => Err(DatabaseError::Create(path.clone(), source)),
    }
}

/// `None` when another process was faster.
fn create(connector: &Connector) -> Result<Option<Migrated>, DatabaseError> {
    let (path, schema) = (&connector.path, connector.schema);
    refuse_orphaned_log(path)?;
    let failed = DatabaseError::create(path);
    let fresh = temporary_beside(path).map_err(failed)?.into_temp_path();
    let mut connection = connector.to(&fresh).writer()?;
    let migrated = migrate::run(&mut connection, schema, &fresh)?;
    connection.pragma_update(None, "application_id", schema.application_id)?;
    checkpoint(&connection)?;
    drop(connection);
    ownership::give(&fresh, path);
    match fresh.persist_noclobber(path) {
        Ok(()) => sync_directory_of(path).map(|()| Some(migrated)).map_err(failed),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(failed(error.error)),
    }
}
