//! Changes on behalf of somebody: each transaction asks again whether they may still make it.
//!
//! Between the gate and a write lies a queue. Whoever is blocked, erased, signed out or given other roles meanwhile
//! has lost the token they came with, and what they asked for is not done. Roles need no look of their own: changing
//! them revokes the tokens that carry the old ones, in the same transaction.

use jiff::Timestamp;
use rusqlite::OptionalExtension;

use super::users::{moment, status};
use super::{Revocation, Store, StoreError, Write};
use crate::user::{Status, UserId};

/// Whose changes they are, and how old the token is that vouches for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActingUser {
    /// The caller's row.
    pub user: UserId,
    /// When their token was issued, if it says.
    pub issued_at: Option<Timestamp>,
}

impl Store {
    /// The same database; what is changed through this handle is changed only as long as `acting_user` stands, else it is
    /// [`StoreError::Revoked`].
    #[must_use]
    pub fn as_user(&self, acting_user: ActingUser) -> Self {
        Self { acting_user: Some(acting_user), ..self.clone() }
    }
}

impl Revocation {
    /// Whether a token of that age is still good. `iat` has whole seconds, so a token of the very second of a
    /// revocation may be older than it: it is revoked, and the next login brings a good one. A token without `iat`
    /// can not show that it is newer.
    pub fn accepts_token_issued_at(&self, issued_at: Option<Timestamp>) -> bool {
        self.tokens_valid_from.is_none_or(|from| issued_at.is_some_and(|issued| issued >= from))
    }
}

impl Write<'_> {
    /// Asks whether `acting_user` still stands. What it reads stays true until the transaction ends.
    pub(super) fn ensure_active(&self, acting_user: ActingUser) -> Result<(), StoreError> {
        let mut statement =
            self.tx.prepare_cached("SELECT status, tokens_valid_from FROM users WHERE id = ?1")?;
        let row = statement.query_one([acting_user.user.as_bytes()], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Option<i64>>(1)?))
        });
        let Some((word, valid_from)) = row.optional()? else { return Err(StoreError::Revoked) };
        let revocation = Revocation {
            status: status(&word)?,
            tokens_valid_from: moment("users.tokens_valid_from", valid_from)?,
        };
        if revocation.status == Status::Active && revocation.accepts_token_issued_at(acting_user.issued_at) {
            return Ok(());
        }
        Err(StoreError::Revoked)
    }
}
