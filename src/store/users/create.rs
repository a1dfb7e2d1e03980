//! Users that staff create, often before their first login.

use rusqlite::params;

use super::find::by_auth0_id;
use super::insert::UserColumns;
use super::roles::sorted;
use crate::store::audit::{Action, Actor};
use crate::store::query::value;
use crate::store::write::Write;
use crate::store::{Result, Store, StoreError};
use crate::user::{Auth0Id, Email, Person, Status, User};

/// How long an idempotency key is remembered, in milliseconds.
const KEY_KEPT_FOR: i64 = 24 * 60 * 60 * 1000;

/// The longest idempotency key, in bytes.
const KEY_MAX: usize = 255;

/// A user to create. Without an Auth0 id the row is pre-provisioned: the first login with its email, verified, claims it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewUser {
    /// The identity, if it is known.
    pub auth0_id: Option<Auth0Id>,
    /// Required without `auth0_id`.
    pub email: Option<Email>,
    /// Whether staff verified that the email is theirs.
    pub email_verified: bool,
    /// The personal fields.
    pub person: Person,
    /// Names of roles.
    pub roles: Vec<String>,
}

impl Store {
    /// Creates a user.
    ///
    /// # Errors
    /// [`StoreError::EmailConflict`] when the email leads to another user, and would lead to this one too;
    /// [`StoreError::IdentityTaken`]; [`StoreError::Invalid`] when no login could find this user.
    pub fn create(&self, new: &NewUser, actor: &Actor) -> Result<User> {
        self.write(|write| write.create(new, Status::Active, actor, Action::Created))
    }

    /// [`Store::create`] with an idempotency key: when `actor` used it within a day, returns the user created then, as they
    /// are now.
    ///
    /// # Errors
    /// As [`Store::create`]; [`StoreError::IdempotencyKeyReused`]; [`StoreError::Invalid`] for a key over 255 bytes.
    pub fn create_idempotent(&self, new: &NewUser, key: &str, actor: &Actor) -> Result<User> {
        if key.is_empty() || key.len() > KEY_MAX {
            return Err(StoreError::Invalid("a client mutation id has 1 to 255 bytes"));
        }
        self.write(|write| {
            let (kind, id) = actor.parts();
            let (actor_key, now) = (format!("{kind}:{}", id.unwrap_or_default()), write.now_millis());
            let expired = now.saturating_sub(KEY_KEPT_FOR);
            let sql =
                "SELECT user_id FROM idempotency_keys WHERE actor = ?1 AND key = ?2 AND created_at > ?3";
            if let Some(id) = value(write.tx, sql, params![actor_key, key, expired])? {
                let user = write.existing(id)?;
                let same = user.email == new.email
                    && new.auth0_id.as_ref().is_none_or(|id| user.auth0_id.as_ref() == Some(id));
                return if same { Ok(user) } else { Err(StoreError::IdempotencyKeyReused) };
            }
            let user = write.create(new, Status::Active, actor, Action::Created)?;
            write.run("DELETE FROM idempotency_keys WHERE created_at <= ?1", [expired])?;
            let sql =
                "INSERT INTO idempotency_keys (actor, key, user_id, created_at) VALUES (?1, ?2, ?3, ?4)";
            write.run(sql, params![actor_key, key, user.id, now])?;
            Ok(user)
        })
    }
}

impl Write<'_> {
    /// Creates a user with a status other than erased.
    pub(super) fn create(
        &self,
        new: &NewUser,
        status: Status,
        actor: &Actor,
        action: Action,
    ) -> Result<User> {
        let NewUser { auth0_id, email, email_verified, person, roles } = new;
        if auth0_id.is_none() && email.is_none() {
            return Err(StoreError::Invalid("a user needs an Auth0 id or an email to be found by"));
        }
        if *email_verified && email.is_none() {
            return Err(StoreError::Invalid("an email cannot be verified where there is none"));
        }
        if let Some(auth0_id) = auth0_id
            && let Some(user) = by_auth0_id(self.tx, auth0_id)?
        {
            return Err(StoreError::IdentityTaken(user.id));
        }
        if *email_verified || auth0_id.is_none() {
            self.ensure_email_free(email.as_ref(), None)?;
        }
        let columns = UserColumns {
            auth0_id: auth0_id.as_ref(),
            email: email.as_ref(),
            email_verified: *email_verified,
            status,
            roles: &sorted(roles),
            ..UserColumns::new(person)
        };
        self.insert(&columns, actor, action)
    }
}
