//! Two rows that turn out to be one person.

use rusqlite::params;
use serde_json::Value;

use super::audit::{Action, Actor, Changes};
use super::changes::not_erased;
use super::{Store, StoreError, Write};
use crate::user::{Status, User, UserId};

impl Store {
    /// Makes one user of two: `kept` stays, `gone` becomes a tombstone. Every identity of `gone` leads to `kept`.
    ///
    /// What `kept` has stands. What it lacks it takes from `gone`: personal fields, the profile, accepted terms, and
    /// the email, which also replaces one that is not verified by one that is. Roles are never taken over, so a merge
    /// grants nothing; somebody blocked stays blocked, at Auth0 too if `store.block_at_auth0` says so. All tokens of both
    /// are revoked.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Erased`] for either; [`StoreError::Invalid`] when both are one row;
    /// else as every write.
    pub fn merge(&self, kept: UserId, gone: UserId, actor: &Actor) -> Result<User, StoreError> {
        if kept == gone {
            return Err(StoreError::Invalid("a user can not be merged with themselves"));
        }
        let user = self.write(|write| {
            let kept = not_erased(write.existing(kept)?)?;
            let gone = not_erased(write.existing(gone)?)?;
            write.bury(&kept, &gone, actor)?;
            write.take_over(&kept, &gone, actor)?;
            write.existing(kept.id)
        })?;
        self.scrub();
        Ok(user)
    }
}

impl Write<'_> {
    /// Moves the identities and leaves a tombstone, so that the email is free for the row that is kept.
    fn bury(&self, kept: &User, gone: &User, actor: &Actor) -> Result<(), StoreError> {
        let (kept_id, gone_id) = (kept.id.as_bytes(), gone.id.as_bytes());
        // Both at once: without identity it would wait for its person with an email that the other waits with too.
        self.tx
            .prepare_cached(
                "UPDATE users SET auth0_id = NULL, email = NULL, email_verified = 0 WHERE id = ?1",
            )?
            .execute([gone_id])?;
        self.tx
            .prepare_cached("UPDATE identities SET user_id = ?1 WHERE user_id = ?2")?
            .execute([kept_id, gone_id])?;
        self.tx
            .prepare_cached(
                "INSERT OR IGNORE INTO accepted_terms SELECT ?1, version, accepted_at FROM accepted_terms
                 WHERE user_id = ?2",
            )?
            .execute([kept_id, gone_id])?;
        let changes = Changes::default()
            .field("status", gone.status.as_str(), Status::Erased.as_str())
            .field("mergedInto", Value::Null, kept.id.to_string());
        let changes = super::changes::erased(gone, self.revoked(gone, changes));
        self.erase(gone.id, Some(self.revocation(gone)))?;
        self.audit(actor, Action::Merged, gone.id, changes)
    }

    fn take_over(&self, kept: &User, gone: &User, actor: &Actor) -> Result<(), StoreError> {
        let mut changes = Changes::default().field("merged", Value::Null, gone.id.to_string());
        let by_email = |user: &User| (user.email.clone(), user.email_verified);
        let (email, verified) = match (&kept.email, kept.email_verified, &gone.email, gone.email_verified) {
            (None, _, Some(_), _) | (Some(_), false, Some(_), true) => by_email(gone),
            _ => by_email(kept),
        };
        let status = if gone.status == Status::Blocked { Status::Blocked } else { kept.status };
        if status != kept.status {
            changes = changes.field("status", kept.status.as_str(), status.as_str());
        }
        let profile = gone.profile.as_ref().filter(|_| kept.profile.is_none()).map(Value::to_string);
        if profile.is_some() {
            changes = changes.personal("profile");
        }
        // The identity first: a row that waits for nobody any more may have an email that another one waits with.
        let mut statement = self.tx.prepare_cached(
            "UPDATE users SET auth0_id = coalesce(auth0_id, ?2), status = ?3, profile = coalesce(profile, ?4),
                 tokens_valid_from = ?5, updated_at = ?6
             WHERE id = ?1",
        )?;
        statement.execute(params![
            kept.id.as_bytes(),
            gone.auth0_id.as_ref().map(crate::user::Auth0Id::as_str),
            status.as_str(),
            profile,
            self.revocation(kept).as_millisecond(),
            self.now.as_millisecond(),
        ])?;
        let person = kept.person.or(&gone.person);
        let changes = changes.and(self.describe(kept, &person, email.as_ref(), verified)?);
        // The identities of the one are new ways to the other.
        if status == Status::Blocked && self.block_at_auth0 {
            self.wish_blocks(kept.id, true)?;
        }
        self.audit(actor, Action::Merged, kept.id, self.revoked(kept, changes))
    }
}
