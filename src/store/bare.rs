//! A database laid bare for an import of many: without the indexes and identities that are found by value.
//!
//! What arrives in random order costs each row of a large database pages read and pages written; built at the end, a
//! sort. So meanwhile there is only what grows at its end: the rows of users and their ids, and the trail. Only while
//! nobody else has the database open, because nobody is found in it; the file says so (`user_version`). Should this
//! process die, whoever may migrate the database completes it first, and everybody else refuses it.

use std::path::Path;

use rusqlite::Connection;

use super::open::{TEMP_FILE, with_settings};
use super::{StoreError, migrate, truncate_wal};

/// What is laid aside: every index but the one of users' ids, into which new ones go at the end, and the one of the few
/// who are not active; and a trigger that looks every new identity's user up, to tell of those who are blocked. Nobody
/// who is blocked is added meanwhile.
const ASIDE: [(&str, &str); 12] = [
    ("INDEX", "users_by_auth0_id"),
    ("INDEX", "users_by_verified_email"),
    ("INDEX", "users_by_unclaimed_email"),
    ("INDEX", "users_by_created_at"),
    ("INDEX", "users_by_updated_at"),
    ("INDEX", "users_by_email"),
    ("INDEX", "users_by_name"),
    ("INDEX", "users_by_family_name"),
    ("INDEX", "identities_by_user"),
    ("INDEX", "audit_by_target"),
    ("INDEX", "audit_by_action"),
    ("TRIGGER", "standing_gains_an_identity"),
];

/// `user_version` of a file that lacks nothing. Any other is that of a bare one: the first rowid of users whose
/// identities are not there.
const WHOLE: i32 = 0;

/// No user has so high a rowid: the identities are there, and indexes may not be.
const IDENTITIES_DONE: i32 = i32::MAX;

/// The schema since when identities are laid aside; before, indexes alone were.
const IDENTITIES_ASIDE: i32 = 6;

/// Page caches, in KiB: of one that writes to random places, and of one that adds at the end or sorts. What is sorted at
/// once is as large, and smaller is faster: with ten million rows by half.
const LARGE_CACHE_KIB: i64 = 512 * 1024;
const SMALL_CACHE_KIB: i64 = 32 * 1024;

/// Threads that sort, besides the one that reads.
const SORTERS: i64 = 1;

/// Pages of write-ahead log between checkpoints meanwhile. A page that many batches write to is then moved into the
/// file once.
pub(super) const CHECKPOINT_PAGES: i64 = 64 * 1024;

/// Gives a connection the memory to write to random places of a large database.
pub(super) fn give_memory(connection: &Connection) -> Result<(), StoreError> {
    connection.pragma_update(None, "cache_size", -LARGE_CACHE_KIB)?;
    Ok(connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?)
}

/// Lays aside what can be. From then on rows of users are added without their identities, by whoever knows that they
/// are nobody's, and nothing else is done until [`complete`]. `false`, and nothing done, when the mark would not fit.
pub(super) fn lay(connection: &mut Connection) -> Result<bool, StoreError> {
    let first = users(connection)?.saturating_add(1);
    let Ok(first) = i32::try_from(first) else { return Ok(false) };
    let tx = connection.transaction()?;
    for (kind, name) in ASIDE {
        tx.execute_batch(&format!("DROP {kind} IF EXISTS {name}"))?;
    }
    tx.pragma_update(None, "user_version", first)?;
    tx.commit()?;
    // A user names an identity that is not there yet.
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "cache_size", -SMALL_CACHE_KIB)?;
    Ok(true)
}

/// How many users there are: no row is ever deleted.
pub(super) fn users(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("SELECT ifnull(max(rowid), 0) FROM users", [], |row| row.get(0))?)
}

/// Whether nothing is laid aside.
pub(super) fn is_whole(connection: &Connection) -> Result<bool, StoreError> {
    Ok(mark(connection)? == WHOLE)
}

/// For whoever does not complete a database.
///
/// # Errors
/// [`StoreError::Unfinished`] when it is bare.
pub(super) fn refuse(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    if is_whole(connection)? {
        Ok(())
    } else {
        Err(StoreError::Unfinished { path: path.to_owned(), source: None })
    }
}

/// Makes what was laid aside and moves it into the file. Tells whether anything was. Each part in a transaction of its own: what is
/// made stays made. For whoever has the file alone. A file of a schema that we do not know is left as it is.
pub(super) fn complete(connection: &mut Connection) -> Result<bool, StoreError> {
    if is_whole(connection)? || migrate::version(connection)? > migrate::known() {
        return Ok(false);
    }
    let settings = [
        ("foreign_keys", 0),
        ("temp_store", TEMP_FILE),
        ("threads", SORTERS),
        ("cache_size", -SMALL_CACHE_KIB),
        ("wal_autocheckpoint", CHECKPOINT_PAGES),
    ];
    with_settings(connection, &settings, build)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Else whoever writes next would move it, with a request that waits.
    truncate_wal(connection)?;
    Ok(true)
}

fn build(connection: &mut Connection) -> Result<(), StoreError> {
    let version = migrate::version(connection)?;
    let tx = connection.transaction()?;
    let first = if version < IDENTITIES_ASIDE { IDENTITIES_DONE } else { mark(&tx)? };
    tx.execute(
        "INSERT INTO identities (auth0_id, user_id, linked_at)
         SELECT auth0_id, id, created_at FROM users WHERE rowid >= ?1 AND auth0_id IS NOT NULL ORDER BY auth0_id",
        [first],
    )?;
    tx.pragma_update(None, "user_version", IDENTITIES_DONE)?;
    tx.commit()?;
    let there = schema(connection)?;
    for (name, sql) in wanted(version)? {
        if !there.iter().any(|(other, _)| *other == name) {
            connection.execute_batch(&sql)?;
        }
    }
    Ok(connection.pragma_update(None, "user_version", WHOLE)?)
}

fn mark(connection: &Connection) -> Result<i32, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// All indexes and triggers that the migrations up to `version` make, with their statements.
fn wanted(version: i32) -> Result<Vec<(String, String)>, StoreError> {
    let mut empty = Connection::open_in_memory()?;
    migrate::up_to(&mut empty, version)?;
    schema(&empty)
}

/// Indexes and triggers, with their statements.
pub(super) fn schema(connection: &Connection) -> Result<Vec<(String, String)>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT name, sql FROM sqlite_schema WHERE type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY name",
    )?;
    let all = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(all.collect::<Result<_, _>>()?)
}
