//! The user in a token's payload, and up to which change of their row the payload is known to be true.
//!
//! The payload is a cache of the row. It is compared with the row at the token's first sight and after each change of the
//! row; in between it is used without a query.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::Refusal;
use crate::store::{ChangeNumber, Store};
use crate::user::{Auth0Id, PayloadUser, User, UserId};

/// How long the row of a user from a payload is not read again to see whether their profile is stale.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(600);

/// What was found out about the row that a token leads to. Shared by all copies of the token's claims.
#[derive(Default)]
pub(super) struct RowCheck {
    /// Up to which change the row is known to be active, and the token not to be revoked. 0: not checked yet.
    active: AtomicI64,
    /// Up to which change the payload is known to equal the row. 0: not compared yet, or it differs.
    equal: AtomicI64,
    payload: OnceLock<Arc<PayloadUser>>,
    /// When the profile in the row was fetched, in unix milliseconds; later, to look again later.
    profile_at: AtomicI64,
    /// Whether this token caused a write that each token may cause once.
    written: AtomicBool,
}

impl RowCheck {
    /// The payload's user, while their row is known to be equal.
    pub(super) fn payload(&self, store: &Store) -> Option<Arc<PayloadUser>> {
        let user = self.payload.get()?;
        store.is_unchanged(user.id, change(&self.equal)).then(|| Arc::clone(user))
    }

    /// Whether the row of `user` is known to be active, and the token not to be revoked.
    pub(super) fn is_active(&self, user: UserId, store: &Store) -> bool {
        store.is_unchanged(user, change(&self.active))
    }

    /// Records that the row was active, and the token not revoked, after `change`.
    pub(super) fn set_active(&self, change: ChangeNumber) {
        self.active.fetch_max(change.0, Ordering::AcqRel);
    }

    /// Whether the profile in the row may be older than `max_age`. True at most once per [`LOOK_AGAIN_AFTER`].
    pub(super) fn is_profile_due(&self, now: Timestamp, max_age: Duration) -> bool {
        let age = |age: Duration| i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let (at, latest) =
            (self.profile_at.load(Ordering::Acquire), now.as_millisecond().saturating_sub(age(max_age)));
        let again = latest.saturating_add(age(LOOK_AGAIN_AFTER));
        at <= latest
            && self.profile_at.compare_exchange(at, again, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Whether this is the first call. Bounds what a token can make the gate write.
    pub(super) fn may_write(&self) -> bool {
        !self.written.swap(true, Ordering::AcqRel)
    }

    /// The payload's user, if the `row` that was read after `change` has the same values.
    pub(super) fn compare(
        &self,
        payload: PayloadUser,
        row: &User,
        change: ChangeNumber,
    ) -> Option<Arc<PayloadUser>> {
        if !is_equal(&payload, row) {
            return None;
        }
        let user = self.payload.get_or_init(|| {
            // The permissions depend on the roles, so they are known from now on even if the payload has none.
            Arc::new(PayloadUser { roles: Some(row.roles.clone()), ..payload })
        });
        if !is_equal(user, row) {
            return None;
        }
        self.equal.fetch_max(change.0, Ordering::AcqRel);
        let fetched_at = row.profile_fetched_at.map_or(i64::MAX, Timestamp::as_millisecond);
        self.profile_at.store(fetched_at, Ordering::Release);
        Some(Arc::clone(user))
    }
}

fn change(number: &AtomicI64) -> ChangeNumber {
    ChangeNumber(number.load(Ordering::Acquire))
}

/// Whether the values of the payload are those of the row. A missing value is always taken from the row.
fn is_equal(payload: &PayloadUser, row: &User) -> bool {
    payload.id == row.id
        && payload.email.as_ref().is_none_or(|email| row.email.as_ref() == Some(email))
        && payload.email_verified.is_none_or(|verified| row.email_verified == verified)
        && payload.name.as_ref().is_none_or(|name| row.person.name.as_ref() == Some(name))
        && payload.picture.as_ref().is_none_or(|picture| row.person.picture.as_ref() == Some(picture))
        && payload.roles.as_ref().is_none_or(|roles| row.roles == *roles)
}

/// Reads the `user` claim of a token.
pub(super) fn payload_user(user: &Value) -> Result<PayloadUser, Refusal> {
    PayloadUser::deserialize(user)
        .map_err(|_| Refusal::BadPayload("The user in the payload of the token is malformed."))
}

/// Refuses a payload that is not of the user whom the subject `id` leads to. Its `auth0Id` is the subject, or the primary id
/// of the row, which earlier versions of the scripts copied.
pub(super) fn ensure_payload_of(
    row: &User,
    id: &Auth0Id,
    payload: &PayloadUser,
    store: &Store,
) -> Result<(), Refusal> {
    if payload.auth0_id != *id && row.auth0_id.as_ref() != Some(&payload.auth0_id) {
        return Err(Refusal::BadPayload(
            "The auth0Id in the payload of the token is not its subject: let the script put the id that logs in there.",
        ));
    }
    if payload.id != row.id && !store.was_merged_into(payload.id, row.id)? {
        return Err(Refusal::BadPayload(
            "The subject of the token leads to another user than its payload names: log in again.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_a_profile_is_looked_at_when_it_may_be_too_old_and_then_once_in_ten_minutes() {
        let check = RowCheck::default();
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        let day = Duration::from_secs(86_400);
        check.profile_at.store(at(0).as_millisecond(), Ordering::Release);
        let is_due = |seconds| check.is_profile_due(at(seconds), day);
        assert!(!is_due(86_399) && is_due(86_400) && !is_due(86_400) && !is_due(86_999));
        assert!(is_due(87_000) && !is_due(87_001));
        check.profile_at.store(i64::MAX, Ordering::Release);
        assert!(!is_due(1_000_000), "a row without a profile");
    }
}
