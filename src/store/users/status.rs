//! Blocks, unblocks and erases a user (`erase.rs`), and revokes tokens: after the commit this process refuses them at once,
//! every other one within a second (`revocations.rs`).

use jiff::Timestamp;
use rusqlite::params;

use super::erase::erased_fields;
use crate::store::audit::{Action, Actor, Changes};
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
                return Ok(user);
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
            self.clear_log();
        }
        Ok(user)
    }
}

impl Write<'_> {
    /// Sets the status, except erased, and since when tokens are valid.
    pub(crate) fn put_status(&self, id: UserId, status: Status, valid_from: Option<Timestamp>) -> Result<()> {
        let sql = "UPDATE users SET status = ?2, tokens_valid_from = ?3, updated_at = ?4 WHERE id = ?1";
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
