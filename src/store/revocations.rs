//! Revoked users and identities, in memory: every request asks, so it costs a hash lookup and no query.
//!
//! Only identities of users who are blocked, erased or signed out are in memory, and pseudonyms where the id is not kept. A
//! pseudonym is computed for a request only when there are any. Triggers record in the table `revocation_changes` which
//! users changed; `PRAGMA data_version` shows cheaply whether any process wrote.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;

use super::columns::{optional_time, time};
use super::pseudonyms::{self, PseudonymKey};
use super::query::{all, value};
use super::{Result, Store};
use crate::clock::Clock;
use crate::user::{Auth0Id, Status};

/// How old the revocations in memory may be before a request reads the changes of other processes.
const MAX_AGE: Duration = Duration::from_millis(500);

/// The state of a user that can revoke their tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// Blocked and erased users are refused.
    pub status: Status,
    /// Tokens issued before this moment are revoked. In milliseconds, where a token's `iat` is in seconds.
    pub tokens_valid_from: Option<Timestamp>,
}

pub(crate) struct Revocations {
    in_memory: RwLock<InMemory>,
    /// `None` once closed. The thread that locks it applies changes, so an older state never replaces a newer one.
    reader: Mutex<Option<Reader>>,
    /// [`Clock::elapsed`] in milliseconds, before which no request reads changes.
    read_again_at: AtomicU64,
    clock: Clock,
}

#[derive(Default)]
struct InMemory {
    /// Of users who are not active or were signed out, by each of their identities; of erased users by pseudonym.
    users: HashMap<String, Revocation>,
    /// Of identities that were unlinked, by pseudonym: since when their tokens are valid again.
    unlinked: HashMap<String, Timestamp>,
    keys: Vec<PseudonymKey>,
}

struct Reader {
    /// A connection of its own: `data_version` changes when any connection but the one that asks has written.
    connection: Connection,
    data_version: Option<i64>,
    seq: i64,
    unlinked_seq: i64,
}

impl Store {
    /// The revocation of the user that an Auth0 id leads to; `None` for most users, and for unknown ids.
    ///
    /// Contains changes by this process when their call returns, those by others within a second. When the database fails,
    /// the last known revocations hold, and the log says so.
    pub fn revocation(&self, auth0_id: &Auth0Id) -> Option<Revocation> {
        self.shared.revocations.get(auth0_id)
    }
}

impl Revocation {
    /// Whether a token issued at that moment is still valid. `iat` has whole seconds, so a token of the second of a
    /// revocation is revoked too; so is one without `iat`, which cannot show that it is newer.
    pub fn accepts_token_issued_at(&self, issued_at: Option<Timestamp>) -> bool {
        self.tokens_valid_from.is_none_or(|from| issued_at.is_some_and(|issued| issued >= from))
    }

    fn revokes_nothing(self) -> bool {
        self.status == Status::Active && self.tokens_valid_from.is_none()
    }
}

impl Revocations {
    pub(crate) fn load(connection: Connection, clock: Clock) -> Result<Self> {
        let (in_memory, reader, read_again_at) = Default::default();
        let revocations = Self { in_memory, reader, read_again_at, clock };
        let mut reader = Reader { connection, data_version: None, seq: 0, unlinked_seq: 0 };
        revocations.apply_changes(&mut reader)?;
        *revocations.lock() = Some(reader);
        revocations.postpone();
        Ok(revocations)
    }

    /// Applies what any process committed before this call.
    pub(crate) fn catch_up(&self) {
        self.read_changes(self.lock());
    }

    pub(crate) fn close(&self) {
        drop(self.lock().take());
    }

    fn get(&self, auth0_id: &Auth0Id) -> Option<Revocation> {
        if millis(self.clock.elapsed()) >= self.read_again_at.load(Ordering::Relaxed) {
            // While another thread reads the changes, what is in memory is fresh enough.
            if let Ok(reader) = self.reader.try_lock() {
                self.read_changes(reader);
            }
        }
        self.in_memory.read().unwrap_or_else(PoisonError::into_inner).get(auth0_id)
    }

    fn read_changes(&self, mut reader: MutexGuard<'_, Option<Reader>>) {
        // Also after a failure: a broken disk is not read at every request.
        self.postpone();
        if let Some(reader) = reader.as_mut()
            && let Err(error) = self.apply_changes(reader)
        {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "cannot read which users are blocked; the last known state holds"
            );
        }
    }

    fn postpone(&self) {
        self.read_again_at.store(millis(self.clock.elapsed().saturating_add(MAX_AGE)), Ordering::Relaxed);
    }

    fn apply_changes(&self, reader: &mut Reader) -> Result<()> {
        let data_version = value(&reader.connection, "PRAGMA data_version", [])?;
        if reader.data_version == data_version {
            return Ok(());
        }
        // One snapshot: between two, a blocked user could lose an identity, which would stay blocked.
        let snapshot = reader.connection.unchecked_transaction()?;
        let changes = changes_after(&snapshot, reader.seq)?;
        let unlinked = unlinked_after(&snapshot, reader.unlinked_seq)?;
        let keys = pseudonyms::keys(&snapshot)?;
        drop(snapshot);
        let seq = changes.last().map_or(reader.seq, |(seq, ..)| *seq);
        let unlinked_seq = unlinked.last().map_or(reader.unlinked_seq, |(seq, ..)| *seq);
        if !changes.is_empty() || !unlinked.is_empty() {
            let stale = self.ids_that_became_pseudonyms(&keys, &changes, &unlinked);
            let mut in_memory = self.in_memory.write().unwrap_or_else(PoisonError::into_inner);
            for auth0_id in stale {
                in_memory.users.remove(&auth0_id);
            }
            in_memory.keys = keys;
            for (_, auth0_id, revocation) in changes {
                // A pre-provisioned user has no identity yet.
                let Some(auth0_id) = auth0_id else { continue };
                if revocation.revokes_nothing() {
                    in_memory.users.remove(&auth0_id);
                } else {
                    in_memory.users.insert(auth0_id, revocation);
                }
            }
            in_memory
                .unlinked
                .extend(unlinked.into_iter().map(|(_, pseudonym, valid_from)| (pseudonym, valid_from)));
        }
        // Last, so that the next call repeats what failed.
        (reader.seq, reader.unlinked_seq, reader.data_version) = (seq, unlinked_seq, data_version);
        Ok(())
    }

    /// The ids in memory of users or identities that have only a pseudonym now, such as of a blocked user who was erased.
    fn ids_that_became_pseudonyms(
        &self,
        keys: &[PseudonymKey],
        changes: &[RevocationChange],
        unlinked: &[UnlinkedIdentity],
    ) -> Vec<String> {
        let erased = changes.iter().filter(|(.., revocation)| revocation.status == Status::Erased);
        let pseudonyms: HashSet<&str> = erased
            .filter_map(|(_, auth0_id, _)| auth0_id.as_deref())
            .chain(unlinked.iter().map(|(_, pseudonym, _)| pseudonym.as_str()))
            .collect();
        if pseudonyms.is_empty() {
            return Vec::new();
        }
        let is_stale = |id: &&String| keys.iter().any(|key| pseudonyms.contains(key.pseudonym(id).as_str()));
        // A read lock, so that requests are not held up meanwhile.
        let in_memory = self.in_memory.read().unwrap_or_else(PoisonError::into_inner);
        in_memory.users.keys().filter(is_stale).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Reader>> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InMemory {
    fn get(&self, auth0_id: &Auth0Id) -> Option<Revocation> {
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

/// Sequence number, identity, and the user's revocation.
type RevocationChange = (i64, Option<String>, Revocation);

/// Sequence number, pseudonym of the identity, and since when its tokens are valid.
type UnlinkedIdentity = (i64, String, Timestamp);

/// The current revocation of each user whose revocation changed after `seq`, by each of their identities.
fn changes_after(connection: &Connection, seq: i64) -> Result<Vec<RevocationChange>> {
    let sql = "SELECT c.seq, i.auth0_id, u.status, u.tokens_valid_from
               FROM revocation_changes c JOIN users u ON u.id = c.user_id LEFT JOIN identities i ON i.user_id = u.id
               WHERE c.seq > ?1 ORDER BY c.seq";
    all(connection, sql, [seq], |row| {
        let revocation = Revocation { status: row.get(2)?, tokens_valid_from: optional_time(row, 3)? };
        Ok((row.get(0)?, row.get(1)?, revocation))
    })
}

/// The identities that were unlinked after `seq`.
fn unlinked_after(connection: &Connection, seq: i64) -> Result<Vec<UnlinkedIdentity>> {
    let sql = "SELECT seq, auth0_id, tokens_valid_from FROM unlinked_identities WHERE seq > ?1 ORDER BY seq";
    all(connection, sql, [seq], |row| Ok((row.get(0)?, row.get(1)?, time(row, 2)?)))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
