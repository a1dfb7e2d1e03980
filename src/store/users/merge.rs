//! Merging two users who are one person.

use rusqlite::{Connection, params};
use serde_json::Value;

use super::erase::erased_fields;
use crate::store::audit::{Action, Actor, Changes};
use crate::store::query::value;
use crate::store::write::Write;
use crate::store::{Result, Store, StoreError};
use crate::user::{Status, StoredProfile, User, UserId};

impl Store {
    /// Merges two users: `kept` stays, `gone` becomes a tombstone, and every identity of `gone` leads to `kept`. A user who
    /// was merged into `kept` before changes nothing.
    ///
    /// Data of `kept` wins. It takes from `gone` what it lacks: personal fields, the profile, accepted terms, and the email,
    /// which also replaces an unverified one by a verified one. Roles are never taken over, so a merge grants nothing. If
    /// either was blocked, `kept` is, also at Auth0 with `store.block_at_auth0`. All tokens of both are revoked.
    pub fn merge(&self, kept: UserId, gone: UserId, actor: &Actor) -> Result<User> {
        if kept == gone {
            return Err(StoreError::Invalid("a user cannot be merged with themselves"));
        }
        let user = self.write(|write| {
            let kept = write.not_erased(kept)?;
            if write.existing(gone)?.status == Status::Erased && merged_into(write.tx, gone)? == Some(kept.id)
            {
                return Ok(kept);
            }
            let gone = write.not_erased(gone)?;
            write.bury(&kept, &gone, actor)?;
            write.take_over(&kept, &gone, actor)?;
            write.existing(kept.id)
        })?;
        self.clear_log()?;
        Ok(user)
    }

    /// Whether `gone` was merged into `kept`, perhaps by way of others.
    pub fn was_merged_into(&self, gone: UserId, kept: UserId) -> Result<bool> {
        self.read_by_key(|connection| {
            let mut id = gone;
            for _ in 0..MERGES_MAX {
                match merged_into(connection, id)? {
                    Some(into) if into == kept => return Ok(true),
                    Some(into) => id = into,
                    None => break,
                }
            }
            Ok(false)
        })
    }
}

/// The longest chain of merges that is followed.
const MERGES_MAX: usize = 16;

/// The user that a tombstone was merged into, by the audit line of the merge.
pub(crate) fn merged_into(connection: &Connection, gone: UserId) -> Result<Option<UserId>> {
    let sql = "SELECT changes ->> '$.mergedInto.new' FROM audit
               WHERE target = ?1 AND changes ->> '$.status.new' = 'erased' ORDER BY id DESC LIMIT 1";
    let into: Option<Option<String>> = value(connection, sql, [gone])?;
    let parsed = into.flatten().map(|text| text.parse()).transpose();
    parsed.map_err(|error| StoreError::damaged("audit.changes", error))
}

impl Write<'_> {
    /// Moves the identities and the terms, and leaves a tombstone, so that the email is free for `kept`.
    fn bury(&self, kept: &User, gone: &User, actor: &Actor) -> Result<()> {
        // Both at once: without identity, `gone` would be found by an email that `kept` may be found by too.
        self.run(
            "UPDATE users SET auth0_id = NULL, email = NULL, email_verified = 0 WHERE id = ?1",
            [gone.id],
        )?;
        self.run("UPDATE identities SET user_id = ?1 WHERE user_id = ?2", [kept.id, gone.id])?;
        self.run(
            "INSERT INTO accepted_terms (user_id, version, accepted_at)
             SELECT ?1, version, accepted_at FROM accepted_terms WHERE user_id = ?2 ON CONFLICT DO NOTHING",
            [kept.id, gone.id],
        )?;
        let changes = Changes::default()
            .field("status", gone.status.as_str(), Status::Erased.as_str())
            .field("mergedInto", Value::Null, kept.id.to_string())
            .and(self.revocation_change(gone))
            .and(erased_fields(gone));
        self.erase(gone.id, Some(self.revocation_time(gone)))?;
        self.audit(actor, Action::Merged, gone.id, changes)
    }

    fn take_over(&self, kept: &User, gone: &User, actor: &Actor) -> Result<()> {
        let mut changes = Changes::default().field("merged", Value::Null, gone.id.to_string());
        let replaces = kept.email.is_none() || (gone.email_verified && !kept.email_verified);
        let from = if gone.email.is_some() && replaces { gone } else { kept };
        let status = if gone.status == Status::Blocked { Status::Blocked } else { kept.status };
        if status != kept.status {
            changes = changes.field("status", kept.status.as_str(), status.as_str());
        }
        let profile = gone.profile.as_ref().filter(|_| kept.profile.is_none()).map(StoredProfile::as_str);
        changes = changes.redacted_if([("profile", profile.is_some())]);
        // Before the email: a row with an identity may have an unverified email that leads to a pre-provisioned row.
        let sql = "UPDATE users SET auth0_id = coalesce(auth0_id, ?2), status = ?3, profile = coalesce(profile, ?4),
                       tokens_valid_from = ?5, updated_at = ?6
                   WHERE id = ?1";
        let valid_from = self.revocation_time(kept).as_millisecond();
        self.run(sql, params![kept.id, gone.auth0_id, status, profile, valid_from, self.now_millis()])?;
        let person = kept.person.or(&gone.person);
        let described = self.describe(kept, &person, from.email.as_ref(), from.email_verified)?;
        // Auth0 has yet to block the identities of the other one.
        if status == Status::Blocked && self.block_at_auth0 {
            self.enqueue_blocks(kept.id, true)?;
        }
        self.audit(actor, Action::Merged, kept.id, changes.and(described).and(self.revocation_change(kept)))
    }
}
