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
    /// There is no file, and none can be made.
    #[error(
        "the dev tenant's file {} can not be made or written: {source}; name another with `tenant.data`",
        file.display()
    )]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is a file, and it is not one of the dev tenant that could be used.
    #[error(
        "the dev tenant's file {} can not be used: {source}; remove it to start afresh, or name another with `tenant.data`",
        file.display()
    )]
    Unusable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: Box<TenantError>,
    },
    /// SQLite refuses.
    #[error("the database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A migration fails.
    #[error("the database can not be migrated: {0}")]
    Migration(#[from] refinery::Error),
    /// What stands in the database is not what we put there.
    #[error("the database is damaged: {0}")]
    Damaged(&'static str),
    /// The cryptographic library refuses.
    #[error("the dev tenant's keys: {0}")]
    Crypto(&'static str),
    /// The pool refuses.
    #[error("the dev tenant is busy: {0}")]
    Pool(#[from] crate::pool::PoolError),
}
