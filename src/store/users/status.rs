//! The status of a user: what happens when they are blocked, unblocked or erased.
//!
//! 1. The row gets the status, and for a block or an erasure their tokens are revoked (`revoke.rs`).
//! 2. An erasure removes their data (`erase.rs`).
//! 3. Each of their identities goes to the outbox for Auth0, if it is to block there too (`outbox.rs`).
//! 4. After the commit, this process refuses their tokens at once, every other one within a second (`revocations.rs`).

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
    /// Erasing removes all data about the user, from the file and its write-ahead log, but not from backups. A tombstone stays, which pseudonyms of their Auth0 ids lead to, so that a token that is still valid
    /// does not create them again. An entry of the outbox keeps the id until it is delivered.
    ///
    /// # Errors
    /// `StoreError::NotFound`; `StoreError::Erased`, because an erasure cannot be undone; else as every write.
    pub fn set_status(&self, id: UserId, status: Status, actor: &Actor) -> Result<User> {
        self.change_status(id, status, self.shared.block_at_auth0, actor)
    }

    /// [`Store::set_status`], also at Auth0, whatever `store.block_at_auth0` is: sent again when the status is the same.
    ///
    /// # Errors
    /// As [`Store::set_status`].
    pub fn set_status_also_at_auth0(&self, id: UserId, status: Status, actor: &Actor) -> Result<User> {
        self.change_status(id, status, true, actor)
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
            if status != Status::Active {
                changes = changes.and(write.revocation_change(&user));
            }
            match status {
                Status::Active => write.put_status(id, status, user.tokens_valid_from)?,
                Status::Blocked => write.put_status(id, status, Some(write.revocation_time(&user)))?,
                Status::Erased => {
                    changes = changes.and(erased_fields(&user));
                    write.erase(id, Some(write.revocation_time(&user)))?;
                }
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
}
