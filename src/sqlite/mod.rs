//! A SQLite file: opened, migrated, locked, backed up, restored and checked.
//!
//! Owns the file and everything beside it: connections and their settings, the lock between processes, schema versions,
//! backups and their checksums. [`Database`] is the handle; what differs between two schemas is a [`DatabaseSchema`].
//! Imports layer 0. Never knows what the tables hold.
//!
//! All calls block. A read by key takes microseconds and may run inline; everything else belongs on the pool.

mod error;
mod schema;
mod paths;
mod checksum;
mod lock;
mod connect;
mod migrate;
mod check;
mod backup;
mod open;
mod pool;
mod writer;
mod interrupt;
mod database;
mod set_aside;
mod restore;

#[cfg(test)]
mod tests;

pub use backup::{Backup, backup};
pub use check::{FileReport, check};
pub(crate) use connect::with_settings;
pub use database::Database;
pub use error::DatabaseError;
pub use interrupt::Interrupt;
pub use migrate::Migrated;
pub use open::{migrate, remove};
pub use restore::{Previous, restore};
pub use schema::{DatabaseSchema, DatabaseSettings};

/// The SQLite that a [`Database`] is read and written with.
pub use rusqlite;
