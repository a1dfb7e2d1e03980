//! The user that a token leads to, kept until their row changes.
//!
//! The row is read, and compared with the token's payload, at the token's first sight and after each change of it. In between
//! no query is made.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;

use super::payload::is_equal;
use crate::store::{ChangeNumber, Store};
use crate::user::{CurrentUser, PayloadUser, User};

/// What was found out about the row that a token leads to. Shared by all copies of the token's claims.
#[derive(Default)]
pub(super) struct RowCheck {
    kept: ArcSwapOption<Kept>,
    /// Whether this token caused a write that each token may cause once.
    written: AtomicBool,
}

/// A user whose row was active, and the token not revoked, after `change`.
struct Kept {
    user: CurrentUser,
    change: ChangeNumber,
}

impl RowCheck {
    /// The user, while their row is unchanged.
    pub(super) fn user(&self, store: &Store) -> Option<CurrentUser> {
        let kept = self.kept.load();
        let Kept { user, change } = kept.as_deref()?;
        store.is_unchanged(user.id(), *change).then(|| user.clone())
    }

    /// Keeps the user of an active `row` that was read after `change`. The profile in the row may be large, so it is not kept.
    pub(super) fn keep(&self, payload: Option<PayloadUser>, row: User, change: ChangeNumber) -> CurrentUser {
        let row = Arc::new(User { profile: None, ..row });
        let user = match payload {
            Some(payload) if is_equal(&payload, &row) => CurrentUser::Payload(row),
            _ => CurrentUser::Row(row),
        };
        self.kept.store(Some(Arc::new(Kept { user: user.clone(), change })));
        user
    }

    /// Whether this is the first call. Bounds what a token can make the gate write.
    pub(super) fn may_write(&self) -> bool {
        !self.written.swap(true, Ordering::AcqRel)
    }
}
