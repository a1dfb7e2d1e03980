//! Blocks, unblocks and erases a user (`erase.rs`), and revokes tokens: after the commit this process refuses them at once,
//! every other one within 20 ms (`user_changes.rs`).

use jiff::Timestamp;
use rusqlite::params;

use super::erase::erased_fields;
use crate::store::audit::{Action, Actor, Changes};
use crate::store::query::value;
use crate::store::write::Write;
use crate::store::{Result, Store};
use crate::user::{Status, User, UserId};

impl Store {
    /// Blocks, unblocks or erases a user. Blocking and erasing revoke their tokens; unblocking does not restore them. A
    /// status that is the same changes nothing.
    ///
    /// Erasing removes all data about the user, from the file and its write-ahead log, but not from backups, and cannot be
    /// undone. A tombstone stays, which pseudonyms of their Auth0 ids lead to, so that a valid token does not create them
    /// again. An entry of the outbox keeps the id until it is delivered.
    pub fn set_status(&self, id: UserId, status: Status, actor: &Actor) -> Result<User> {
        self.change_status(id, status, self.shared.block_at_auth0, actor)
    }

    /// [`Store::set_status`], also at Auth0, whatever `store.block_at_auth0` is: sent again when the status is the same.
    pub fn set_status_also_at_auth0(&self, id: UserId, status: Status, actor: &Actor) -> Result<User> {
        self.change_status(id, status, true, actor)
    }

    /// Signs a user out everywhere: revokes all tokens issued so far.
    pub fn sign_out_everywhere(&self, id: UserId, actor: &Actor) -> Result<User> {
        self.write(|write| {
            let user = write.not_erased(id)?;
            if user.tokens_valid_from == Some(write.revocation_time(&user)) {
                return Ok(user);
            }
            write.put_status(id, user.status, Some(write.revocation_time(&user)))?;
            write.audit(actor, Action::SignedOut, id, write.revocation_change(&user))?;
            write.existing(id)
        })
    }

    fn change_status(&self, id: UserId, status: Status, at_auth0: bool, actor: &Actor) -> Result<User> {
        let user = self.write(|write| {
            let user = write.existing(id)?;
            // An erased user's ids are not known any more. Their entries were enqueued when they were erased.
            if at_auth0 && user.status != Status::Erased {
                write.enqueue_blocks(id, status != Status::Active)?;
            }
            if user.status == status {
                if status == Status::Blocked && user.blocked_by_auth0 {
                    write.set_blocked_by_auth0(id, false)?;
                    let changes = Changes::default().field("blockedByAuth0", true, false);
                    write.audit(actor, Action::StatusSet, id, changes)?;
                }
                return write.existing(id);
            }
            let user = write.not_erased(id)?;
            let mut changes = Changes::default().field("status", user.status.as_str(), status.as_str());
            let mut valid_from = user.tokens_valid_from;
            if status != Status::Active {
                valid_from = Some(write.revocation_time(&user));
                changes = changes.and(write.revocation_change(&user));
            }
            if status == Status::Erased {
                changes = changes.and(erased_fields(&user));
                write.erase(id, valid_from)?;
            } else {
                write.put_status(id, status, valid_from)?;
            }
            write.audit(actor, Action::StatusSet, id, changes)?;
            write.existing(id)
        })?;
        if status == Status::Erased {
            self.clear_log()?;
        }
        Ok(user)
    }
}

impl Write<'_> {
    /// Blocks the user as Auth0 does, or lifts a block that came from there; a block that was set here stays. Returns the
    /// changes, for the audit line.
    pub(crate) fn follow_block(&self, user: &User, blocked: bool) -> Result<Changes> {
        let status = match (user.status, blocked) {
            // What was decided here and Auth0 has yet to receive counts more.
            (Status::Active, true) if !self.awaits_delivery(user)? => Status::Blocked,
            (Status::Blocked, false) if user.blocked_by_auth0 => Status::Active,
            _ => return Ok(Changes::default()),
        };
        let changes = Changes::default().field("status", user.status.as_str(), status.as_str()).field(
            "blockedByAuth0",
            !blocked,
            blocked,
        );
        if blocked {
            self.put_status(user.id, status, Some(self.revocation_time(user)))?;
            self.set_blocked_by_auth0(user.id, true)?;
            return Ok(changes.and(self.revocation_change(user)));
        }
        self.put_status(user.id, status, user.tokens_valid_from)?;
        Ok(changes)
    }

    /// Records whose block it is.
    pub(crate) fn set_blocked_by_auth0(&self, id: UserId, by_auth0: bool) -> Result<()> {
        let sql = "UPDATE users SET blocked_by_auth0 = ?2, updated_at = ?3 WHERE id = ?1";
        self.run(sql, params![id, by_auth0, self.now_millis()]).map(drop)
    }

    /// Whether Auth0 has yet to receive that the user is unblocked.
    fn awaits_delivery(&self, user: &User) -> Result<bool> {
        let sql = "SELECT 1 FROM block_outbox WHERE auth0_id = ?1 AND blocked = 0";
        value::<i64>(self.tx, sql, [&user.auth0_id]).map(|entry| entry.is_some())
    }

    /// Sets the status, except erased, and since when tokens are valid. A block is one that was set here.
    pub(crate) fn put_status(&self, id: UserId, status: Status, valid_from: Option<Timestamp>) -> Result<()> {
        let sql = "UPDATE users SET status = ?2, tokens_valid_from = ?3, updated_at = ?4,
                       blocked_by_auth0 = blocked_by_auth0 AND ?2 = 'blocked' WHERE id = ?1";
        let valid_from = valid_from.map(Timestamp::as_millisecond);
        self.run(sql, params![id, status, valid_from, self.now_millis()]).map(drop)
    }

    /// Since when the user's tokens are valid. Never earlier than before, in case the machine's clock was set back.
    pub(crate) fn revocation_time(&self, user: &User) -> Timestamp {
        user.tokens_valid_from.map_or(self.now, |before| before.max(self.now))
    }

    pub(crate) fn revocation_change(&self, user: &User) -> Changes {
        let before = user.tokens_valid_from.map(|moment| moment.to_string());
        Changes::default().field("tokensValidFrom", before, self.revocation_time(user).to_string())
    }
}
