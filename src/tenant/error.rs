//! Why a dev tenant does not open, or can not answer.

use std::path::PathBuf;

/// What keeps the dev tenant from working.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    /// Not a loopback address: the tenant hands out tokens to whoever clicks.
    #[error(
        "the dev tenant serves loopback only, so its issuer can not be {issuer:?}; use http://127.0.0.1:PORT/"
    )]
    NotLoopback {
        /// What was given.
        issuer: String,
    },
    /// Something in the bundle that the dev tenant can not serve.
    #[error("the dev tenant can not serve this bundle: {0}")]
    Bundle(String),
    /// The file can not be opened, made or written.
    #[error("the dev tenant's file {}: {source}; remove it to start afresh", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite refuses.
    #[error("the dev tenant's database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A migration fails.
    #[error("the dev tenant's database can not be migrated: {0}; remove the file to start afresh")]
    Migration(#[from] refinery::Error),
    /// What stands in the database is not what we put there.
    #[error("the dev tenant's database is damaged: {0}; remove the file to start afresh")]
    Damaged(&'static str),
    /// The cryptographic library refuses.
    #[error("the dev tenant's keys: {0}")]
    Crypto(&'static str),
    /// The pool refuses.
    #[error("the dev tenant is busy: {0}")]
    Pool(#[from] crate::pool::PoolError),
}
