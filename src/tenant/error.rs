//! Why a dev tenant fails to open, or to handle a request.

use std::path::PathBuf;

/// An error of the dev tenant.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what happened")]
pub enum TenantError {
    /// The issuer is not a loopback address. The tenant logs in anyone who clicks, so it is never served elsewhere.
    #[error(
        "the dev tenant serves loopback only, so its issuer cannot be {issuer:?}; use http://127.0.0.1:PORT/"
    )]
    NotLoopback { issuer: String },
    #[error("the dev tenant keeps no more {0}")]
    Full(&'static str),
    #[error(
        "the dev tenant's file {} cannot be created or written: {source}; name another with `tenant.data`",
        file.display()
    )]
    File { file: PathBuf, source: std::io::Error },
    /// The file exists but is not a usable database of the dev tenant.
    #[error(
        "the dev tenant's file {} cannot be used: {source}; remove it to start afresh, or name another with `tenant.data`",
        file.display()
    )]
    Unusable { file: PathBuf, source: Box<TenantError> },
    #[error("the database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the database cannot be migrated: {0}")]
    Migration(#[from] refinery::Error),
    /// The database holds data this version did not write.
    #[error("the database is damaged: {0}")]
    Damaged(&'static str),
    #[error("the dev tenant's keys: {0}")]
    Crypto(&'static str),
    /// The pool is full or stopped, or the job panicked.
    #[error("the dev tenant is busy: {0}")]
    Pool(#[from] crate::pool::PoolError),
}

/// A result whose error is a [`TenantError`], unless it names another.
pub(super) type Result<T, E = TenantError> = std::result::Result<T, E>;
