//! The tenant's SQLite file. `accounts.rs`, `state.rs` and `tickets.rs` hold the queries of their tables.
//!
//! One connection behind a lock, held for one statement or one short transaction, never across an `await` and never
//! while rules run. Reads by key run inline; writes go through the pool.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;
use tokio::sync::watch;

use super::TenantError;
use super::error::Result;
use crate::clock::Clock;

mod migrations {
    refinery::embed_migrations!("src/tenant/migrations");
}

/// A handle to the file. Cheap to clone.
#[derive(Clone)]
pub(super) struct TenantDb {
    connection: Arc<Mutex<Connection>>,
    clock: Clock,
    /// Changes when an event is added.
    pub(super) events: Arc<watch::Sender<u64>>,
}

impl TenantDb {
    /// Opens the file, creates it (mode 0600) when it is absent, and migrates it.
    pub(super) fn open(file: &Path, clock: Clock) -> Result<Self> {
        create_private(file).map_err(|source| TenantError::File { file: file.to_owned(), source })?;
        Self::connect(file, clock).map_err(|source| unusable(file, source))
    }

    fn connect(file: &Path, clock: Clock) -> Result<Self> {
        let mut connection = Connection::open(file)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        // A power cut may lose the last logins; a wait for the disk at every login would cost more.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "trusted_schema", "OFF")?;
        connection.pragma_update(None, "secure_delete", "ON")?;
        migrations::migrations::runner().run(&mut connection)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            clock,
            events: Arc::new(watch::Sender::new(0)),
        })
    }

    /// The signing keys that are not revoked, the current one first, and when the first one of all was made. The first time,
    /// `generate` makes it.
    pub(super) fn signing_keys(
        &self,
        generate: impl FnOnce() -> Result<Vec<u8>>,
    ) -> Result<(Vec<Vec<u8>>, Timestamp)> {
        let mut connection = self.lock();
        // Another process may make its key at the same time.
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let is_empty =
            transaction.query_row("SELECT NOT EXISTS (SELECT 1 FROM signing_key)", [], |row| row.get(0))?;
        if is_empty {
            let sql = "INSERT INTO signing_key (pkcs8, made_at, current_at) VALUES (?1, ?2, ?2)";
            transaction.execute(sql, (generate()?, timestamp(self.now())))?;
        }
        let keys = transaction
            .prepare("SELECT pkcs8 FROM signing_key WHERE current_at IS NOT NULL AND revoked_at IS NULL ORDER BY current_at DESC, seq DESC")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<Vec<_>, _>>()?;
        let made_at: String =
            transaction.query_row("SELECT min(made_at) FROM signing_key", [], |row| row.get(0))?;
        transaction.commit()?;
        Ok((keys, made_at.parse().map_err(|_| TenantError::Damaged("a signing key has no date"))?))
    }

    /// The https listener's authority: its key and certificate. The first time, `generate` creates it.
    pub(super) fn tls_authority(
        &self,
        generate: impl FnOnce() -> Result<(String, String)>,
    ) -> Result<(String, String)> {
        let connection = self.lock();
        let read = || {
            let sql = "SELECT key, certificate FROM tls_authority";
            connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        };
        if let Some(stored) = read()? {
            return Ok(stored);
        }
        let sql =
            "INSERT INTO tls_authority (one, key, certificate) VALUES (1, ?1, ?2) ON CONFLICT DO NOTHING";
        connection.execute(sql, generate()?)?;
        read()?.ok_or(TenantError::Damaged("the certificate authority was not stored"))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// SQLite rolls back a transaction that a panic left open, so a poisoned lock is safe to take.
    pub(super) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds the file's name to an error.
pub(super) fn unusable(file: &Path, source: TenantError) -> TenantError {
    TenantError::Unusable { file: file.to_owned(), source: Box::new(source) }
}

/// A time in Auth0's format: milliseconds, UTC.
pub(super) fn timestamp(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// The same of unix seconds, as JSON.
pub(super) fn time(seconds: i64) -> Value {
    Timestamp::from_second(seconds).map(|time| timestamp(time).into()).unwrap_or_default()
}

fn create_private(file: &Path) -> std::io::Result<()> {
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
    fn an_unusable_file_is_named_and_its_removal_advised_only_if_it_exists() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("text.db");
        std::fs::write(&text, "no database, and longer than SQLite's header is: ".repeat(9)).unwrap();
        let error = |file: &Path| TenantDb::open(file, Clock::system()).err().unwrap().to_string();
        assert!(error(&text).contains("text.db") && error(&text).contains("remove it"), "{}", error(&text));
        for nowhere in [folder.path().to_owned(), folder.path().join("absent/tenant.db")] {
            let error = error(&nowhere);
            assert!(error.contains(&nowhere.display().to_string()) && !error.contains("remove"), "{error}");
            assert!(error.contains("tenant.data"), "{error}");
        }
    }

    #[test]
    fn the_key_is_generated_once_and_the_file_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tenant.db");
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let clock = Clock::manual(now);
        let db = TenantDb::open(&file, clock.clone()).unwrap();
        assert_eq!(db.signing_keys(|| Ok(vec![1])).unwrap(), (vec![vec![1]], now));
        drop(db);
        let again = TenantDb::open(&file, clock).unwrap();
        assert_eq!(again.signing_keys(|| panic!("generated twice")).unwrap(), (vec![vec![1]], now));
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
