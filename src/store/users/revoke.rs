//! Revoking all tokens that a user has.

use jiff::Timestamp;
use rusqlite::params;

use crate::store::audit::{Action, Actor, Changes};
use crate::store::write::Write;
use crate::store::{Result, Store};
use crate::user::{User, UserId};

impl Store {
    /// Signs a user out everywhere: revokes all tokens issued so far.
    ///
    /// # Errors
    /// `StoreError::NotFound`, `StoreError::Erased`, else as every write.
    pub fn sign_out_everywhere(&self, id: UserId, actor: &Actor) -> Result<User> {
        self.write(|write| {
            let user = write.not_erased(id)?;
            let sql = "UPDATE users SET tokens_valid_from = ?2, updated_at = ?3 WHERE id = ?1";
            let valid_from = write.revocation_time(&user).as_millisecond();
            write.run(sql, params![id, valid_from, write.now_millis()])?;
            write.audit(actor, Action::SignedOut, id, write.revocation_change(&user))?;
            write.existing(id)
        })
    }
}

impl Write<'_> {
    /// Since when the user's tokens are valid after a revocation. Never earlier than before, in case the machine's clock was
    /// set back.
    pub(crate) fn revocation_time(&self, user: &User) -> Timestamp {
        user.tokens_valid_from.map_or(self.now, |before| before.max(self.now))
    }

    /// What a revocation changes.
    pub(crate) fn revocation_change(&self, user: &User) -> Changes {
        let before = user.tokens_valid_from.map(|moment| moment.to_string());
        Changes::default().field("tokensValidFrom", before, self.revocation_time(user).to_string())
    }
}
