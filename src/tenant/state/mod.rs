//! The tenant's own SQLite file: its key, what happened to people, and what it handed out.
//!
//! One connection behind a lock that is held for one statement or one short transaction, never across an `await` and
//! never while rules run. Point reads are made inline; who writes goes through the pool.

mod people;
mod tickets;

pub(super) use people::{Record, SignUp};
pub(super) use tickets::{Kind, random};

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::TenantError;

mod migrations {
    refinery::embed_migrations!("src/tenant/migrations");
}

/// A handle to the file. Cheap to clone.
#[derive(Clone)]
pub(super) struct State(Arc<Mutex<Connection>>);

impl State {
    /// Opens the file, makes it (mode 0600) when it is absent, and migrates it.
    pub(super) fn open(file: &Path) -> Result<Self, TenantError> {
        make_private(file).map_err(|source| TenantError::File { file: file.to_owned(), source })?;
        Self::of(file).map_err(|source| unusable(file, source))
    }

    fn of(file: &Path) -> Result<Self, TenantError> {
        let mut connection = Connection::open(file)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        // Losing the last moments of a dev tenant in a power cut is fine; waiting for the disk at every login is not.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "trusted_schema", "OFF")?;
        connection.pragma_update(None, "secure_delete", "ON")?;
        migrations::migrations::runner().run(&mut connection)?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// The signing key and when it was made; the first time, `make` makes it.
    pub(super) fn signing_key(
        &self,
        now: Timestamp,
        make: impl FnOnce() -> Result<Vec<u8>, TenantError>,
    ) -> Result<(Vec<u8>, Timestamp), TenantError> {
        let connection = self.lock();
        let read = || {
            connection
                .query_row("SELECT pkcs8, made_at FROM signing_key", [], |row| {
                    Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?))
                })
                .optional()
        };
        let kept = match read()? {
            Some(kept) => kept,
            None => {
                let pkcs8 = make()?;
                // Another process may have been faster; then its key is the key.
                connection.execute(
                    "INSERT INTO signing_key (one, pkcs8, made_at) VALUES (1, ?1, ?2) ON CONFLICT DO NOTHING",
                    (&pkcs8, stamp(now)),
                )?;
                read()?.ok_or(TenantError::Damaged("the signing key did not stay"))?
            }
        };
        let made_at = kept.1.parse().map_err(|_| TenantError::Damaged("the key has no date"))?;
        Ok((kept.0, made_at))
    }

    /// SQLite rolls back what a panic left open, so a poisoned lock still guards a whole database.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error that says which file it is of.
pub(super) fn unusable(file: &Path, source: TenantError) -> TenantError {
    TenantError::Unusable { file: file.to_owned(), source: Box::new(source) }
}

/// As Auth0 writes times: milliseconds, UTC.
pub(super) fn stamp(time: Timestamp) -> String {
    format!("{time:.3}")
}

fn make_private(file: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_can_not_be_used_is_named_and_its_removal_advised_only_where_it_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("text.db");
        std::fs::write(&text, "no database, and longer than SQLite's header is: ".repeat(9)).unwrap();
        let said = |file: &Path| State::open(file).err().unwrap().to_string();
        assert!(said(&text).contains("text.db") && said(&text).contains("remove it"), "{}", said(&text));
        for nowhere in [folder.path().to_owned(), folder.path().join("absent/tenant.db")] {
            let said = said(&nowhere);
            assert!(said.contains(&nowhere.display().to_string()) && !said.contains("remove"), "{said}");
            assert!(said.contains("tenant.data"), "{said}");
        }
    }

    #[test]
    fn the_key_is_made_once_and_the_file_is_ours_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tenant.db");
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let state = State::open(&file).unwrap();
        assert_eq!(state.signing_key(now, || Ok(vec![1])).unwrap(), (vec![1], now));
        drop(state);
        let again = State::open(&file).unwrap();
        assert_eq!(again.signing_key(now, || panic!("made twice")).unwrap(), (vec![1], now));
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
