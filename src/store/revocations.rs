//! Whose tokens are revoked, in memory: asked on every request, so it costs a hash lookup and no query.
//!
//! Holds only the identities of users who are not plainly active, and pseudonyms of those whose ids are not kept: a
//! pseudonym is computed for a request only when there are any. The table `revocation_changes`, kept by triggers, tells what
//! changed since; `PRAGMA data_version` tells cheaply whether anything did.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;

use super::pseudonym::{self, Key};
use super::users::{from_millis, moment, status};
use super::{Store, StoreError};
use crate::clock::Clock;
use crate::user::{Auth0Id, Status};

/// How stale the revocations may be. With the next request after it they are fresh again, so that another process's
/// change is noticed within a second.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Why somebody's tokens may not be taken at their word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// Whether they may come in.
    pub status: Status,
    /// Tokens issued before this moment are revoked. In milliseconds, where a token's `iat` is in seconds.
    pub tokens_valid_from: Option<Timestamp>,
}

/// The revocations of this process.
pub(super) struct Revocations {
    held: RwLock<Held>,
    /// `None` once closed. Whoever holds the lock is the only one to apply changes, so an older state of a row
    /// never lands on a newer one.
    watch: Mutex<Option<Watch>>,
    /// [`Clock::elapsed`] in milliseconds; before it nobody looks.
    look_at: AtomicU64,
    clock: Clock,
}

#[derive(Default)]
struct Held {
    /// Of users who are not plainly active, by each of their identities; of the erased by pseudonyms.
    users: HashMap<String, Revocation>,
    /// Of identities that were taken from a user, by pseudonyms: since when their tokens are valid again.
    unlinked: HashMap<String, Timestamp>,
    /// What pseudonyms are made with. None while there are none.
    keys: Vec<Key>,
}

struct Watch {
    /// Its own: `data_version` tells of changes made by every connection but the one that asks, and a borrowed
    /// one would differ from time to time.
    connection: Connection,
    data_version: Option<i64>,
    seq: i64,
    /// As `seq`, of the unlinked identities.
    unlinked_seq: i64,
}

impl Store {
    /// The revocation of the user an Auth0 id leads to; `None` for the many who are plainly active or unknown.
    ///
    /// Changes by this process are in it when their call returns; those by another process within a second. If the
    /// database fails, the last known revocations go on to hold, and the log says so.
    pub fn revocation(&self, auth0_id: &Auth0Id) -> Option<Revocation> {
        self.shared.revocations.of(auth0_id)
    }
}

impl Revocations {
    pub(super) fn load(connection: Connection, clock: Clock) -> Result<Self, StoreError> {
        let revocations =
            Self { held: RwLock::default(), watch: Mutex::default(), look_at: AtomicU64::new(0), clock };
        let mut watch = Watch { connection, data_version: None, seq: 0, unlinked_seq: 0 };
        revocations.apply(&mut watch)?;
        *revocations.lock() = Some(watch);
        revocations.looked();
        Ok(revocations)
    }

    /// Applies what was committed before the call, by whomever.
    pub(super) fn catch_up(&self) {
        self.look(self.lock());
    }

    pub(super) fn close(&self) {
        drop(self.lock().take());
    }

    fn of(&self, auth0_id: &Auth0Id) -> Option<Revocation> {
        if millis(self.clock.elapsed()) >= self.look_at.load(Ordering::Relaxed) {
            // When somebody else is looking, what is known is fresh enough.
            if let Ok(watch) = self.watch.try_lock() {
                self.look(watch);
            }
        }
        self.held.read().unwrap_or_else(PoisonError::into_inner).of(auth0_id)
    }

    fn look(&self, mut watch: MutexGuard<'_, Option<Watch>>) {
        // Also after a failure: a broken disk is not asked at every request.
        self.looked();
        if let Some(watch) = watch.as_mut()
            && let Err(error) = self.apply(watch)
        {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "can not read who is blocked; what was known last holds"
            );
        }
    }

    fn looked(&self) {
        self.look_at.store(millis(self.clock.elapsed().saturating_add(LOOK_EVERY)), Ordering::Relaxed);
    }

    fn apply(&self, watch: &mut Watch) -> Result<(), StoreError> {
        let data_version =
            watch.connection.prepare_cached("PRAGMA data_version")?.query_one([], |row| row.get(0))?;
        if watch.data_version == Some(data_version) {
            return Ok(());
        }
        // One snapshot: between two, a blocked user could lose an identity and it would stay blocked.
        let snapshot = watch.connection.unchecked_transaction()?;
        let (seq, changes) = changes_after(&snapshot, watch.seq)?;
        let (unlinked_seq, unlinked) = unlinked_after(&snapshot, watch.unlinked_seq)?;
        let keys = pseudonym::keys(&snapshot)?;
        drop(snapshot);
        if !changes.is_empty() || !unlinked.is_empty() {
            let gone = self.known_as(&keys, &changes, &unlinked);
            let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
            for auth0_id in gone {
                held.users.remove(&auth0_id);
            }
            held.keys = keys;
            for (auth0_id, revocation) in changes {
                if revocation.is_plainly_active() {
                    held.users.remove(&auth0_id);
                } else {
                    held.users.insert(auth0_id, revocation);
                }
            }
            held.unlinked.extend(unlinked);
        }
        // Last, so that a failure on the way is made up for at the next look.
        watch.seq = seq;
        watch.unlinked_seq = unlinked_seq;
        watch.data_version = Some(data_version);
        Ok(())
    }

    /// The ids that are still held of those who by now have pseudonyms: blocked first and erased then, say.
    fn known_as(
        &self,
        keys: &[Key],
        changes: &[(String, Revocation)],
        unlinked: &[(String, Timestamp)],
    ) -> Vec<String> {
        let erased = changes.iter().filter(|(_, revocation)| revocation.status == Status::Erased);
        let pseudonyms: HashSet<&str> =
            erased.map(|(id, _)| id.as_str()).chain(unlinked.iter().map(|(id, _)| id.as_str())).collect();
        if pseudonyms.is_empty() {
            return Vec::new();
        }
        let is_gone = |id: &&String| keys.iter().any(|key| pseudonyms.contains(key.pseudonym(id).as_str()));
        // Whoever looks up a revocation meanwhile is not kept waiting.
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.users.keys().filter(is_gone).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Watch>> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn of(&self, auth0_id: &Auth0Id) -> Option<Revocation> {
        let mut user = self.users.get(auth0_id.as_str()).copied();
        let mut unlinked = None;
        for key in &self.keys {
            let pseudonym = key.pseudonym(auth0_id.as_str());
            user = user.or_else(|| self.users.get(&pseudonym).copied());
            unlinked = unlinked.max(self.unlinked.get(&pseudonym).copied());
        }
        let Some(valid_from) = unlinked else { return user };
        let user = user.unwrap_or(Revocation { status: Status::Active, tokens_valid_from: None });
        Some(Revocation { tokens_valid_from: user.tokens_valid_from.max(Some(valid_from)), ..user })
    }
}

impl Revocation {
    fn is_plainly_active(self) -> bool {
        self.status == Status::Active && self.tokens_valid_from.is_none()
    }
}

/// The present revocation of everybody whose revocation changed after `seq`, and the `seq` that covers them.
fn changes_after(connection: &Connection, seq: i64) -> Result<(i64, Vec<(String, Revocation)>), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT c.seq, i.auth0_id, u.status, u.tokens_valid_from
         FROM revocation_changes c JOIN users u ON u.id = c.user_id LEFT JOIN identities i ON i.user_id = u.id
         WHERE c.seq > ?1 ORDER BY c.seq",
    )?;
    let mut rows = statement.query([seq])?;
    let mut last = seq;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        // A blocked row that nobody has claimed yet has no identity to look out for.
        let Some(auth0_id) = row.get::<_, Option<String>>(1)? else { continue };
        let revocation = Revocation {
            status: status(&row.get::<_, String>(2)?)?,
            tokens_valid_from: moment("users.tokens_valid_from", row.get(3)?)?,
        };
        changes.push((auth0_id, revocation));
    }
    Ok((last, changes))
}

/// The identities that were taken from somebody after `seq`, and the `seq` that covers them.
fn unlinked_after(connection: &Connection, seq: i64) -> Result<(i64, Vec<(String, Timestamp)>), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, auth0_id, tokens_valid_from FROM unlinked_identities WHERE seq > ?1 ORDER BY seq",
    )?;
    let mut rows = statement.query([seq])?;
    let mut last = seq;
    let mut unlinked = Vec::new();
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        let valid_from = from_millis("unlinked_identities.tokens_valid_from", row.get(2)?)?;
        unlinked.push((row.get(1)?, valid_from));
    }
    Ok((last, unlinked))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
