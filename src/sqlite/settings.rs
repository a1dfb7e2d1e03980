//! Where a database file is and how it is opened.

use std::path::PathBuf;
use std::time::Duration;

/// Where a database file is and how it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// The file; created with mode 0600 when absent.
    pub path: PathBuf,
    /// Connections that scan at once. Reads by key have as many of their own; writes go through one.
    pub readers: usize,
    /// How long a call waits for a connection, and SQLite for a lock of another process.
    pub busy_timeout: Duration,
}
