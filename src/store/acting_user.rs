//! Changes made for a user's request: each transaction checks again that the user's token is not revoked, because requests
//! queue between the gate and a write. Roles need no check of their own: changing them revokes the tokens with the old ones.

use jiff::Timestamp;

use super::users::by_id;
use super::write::Write;
use super::{Result, Store, StoreError};
use crate::user::{Status, UserId};

/// The user who makes a change, and the age of their token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActingUser {
    /// The caller's row.
    pub user: UserId,
    /// The token's `iat`, if it has one.
    pub issued_at: Option<Timestamp>,
}

impl Store {
    /// The same database; a change through this handle is [`StoreError::Revoked`] once `acting_user`'s token is revoked.
    #[must_use]
    pub fn as_user(&self, acting_user: ActingUser) -> Self {
        Self { acting_user: Some(acting_user), ..self.clone() }
    }
}

impl Write<'_> {
    /// Refuses the change unless the user is active and their token not revoked.
    pub(crate) fn ensure_active(&self, acting_user: ActingUser) -> Result<()> {
        let accepted = by_id(self.tx, acting_user.user)?.is_some_and(|user| {
            user.status == Status::Active && user.accepts_token_issued_at(acting_user.issued_at)
        });
        if accepted { Ok(()) } else { Err(StoreError::Revoked) }
    }
}
