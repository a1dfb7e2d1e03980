//! Just-in-time provisioning: the user that a new identity belongs to, or a new row. Only a verified email leads to a user:
//! to the row that has it verified, else to a pre-provisioned row. Each decision is made inside a write transaction.

use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde_json::Value;

use super::find::{by_auth0_id, by_email};
use super::identities::unlinked_at;
use super::insert::UserColumns;
use super::profile::limited;
use crate::store::audit::{Action, Actor, Changes};
use crate::store::query::value;
use crate::store::write::Write;
use crate::store::{LinkEmail, LinkRules, Result, Store, StoreError};
use crate::user::{Auth0Id, Email, Person, User, UserId};

/// How long a refused link to the same user is not recorded again, in milliseconds.
const NOTED_EVERY: i64 = 24 * 60 * 60 * 1000;

/// An identity at its first request, with its data at Auth0.
#[derive(Debug, Clone, PartialEq)]
pub struct NewIdentity {
    /// Its Auth0 id.
    pub auth0_id: Auth0Id,
    /// The email of the profile.
    pub email: Option<Email>,
    /// Whether Auth0 verified it. An unverified email finds no user and conflicts with none.
    pub email_verified: bool,
    /// The personal fields.
    pub person: Person,
    /// The whole profile, as Auth0 returned it. See [`PROFILE_MAX_BYTES`](crate::store::PROFILE_MAX_BYTES).
    pub profile: Option<Value>,
    /// Whether Auth0 refuses its logins. Only a refresh reads this: the gate provisions no such identity.
    pub blocked: bool,
}

/// How a [`NewIdentity`] was provisioned. A user who is not new may be blocked or erased: check their status.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "most names say it")]
pub enum Provisioned {
    /// The identity was known, if only for a moment. An erased user stays erased.
    Known(User),
    Linked(User),
    Inserted(User),
}

/// Data at Auth0 for the gaps of a pre-provisioned row.
#[derive(Clone, Copy, Default)]
pub(crate) struct Auth0Data<'a> {
    pub(crate) person: Option<&'a Person>,
    pub(crate) profile: Option<&'a str>,
}

impl Store {
    /// The user that an identity leads to, by its id or else by its verified email; in the second case it is linked.
    ///
    /// A row that has another identity is linked only with [`LinkEmail::Verified`]. Writes only if there is one to link.
    ///
    /// # Errors
    /// [`StoreError::EmailConflict`] with [`LinkEmail::Never`], and for an identity that staff unlinked;
    /// [`StoreError::LinkByHand`] for a user with roles, unless [`LinkRules::privileged`] is on.
    pub fn find_or_link(
        &self,
        auth0_id: &Auth0Id,
        verified_email: Option<&Email>,
        link: impl Into<LinkRules>,
        actor: &Actor,
    ) -> Result<Option<User>> {
        let link = link.into();
        if let Some(user) = self.user_by_auth0_id(auth0_id)? {
            return Ok(Some(user));
        }
        let Some(email) = verified_email else { return Ok(None) };
        // Unknown identities must not queue for the write lock. This read decides nothing: `provision` reads again.
        if self.user_by_email(email)?.is_none() {
            return Ok(None);
        }
        self.write(|write| {
            if let Some(user) = by_auth0_id(write.tx, auth0_id)? {
                return Ok(Some(user));
            }
            let Some(user) = by_email(write.tx, email)? else { return Ok(None) };
            write.link(&user, auth0_id, Auth0Data::default(), link, actor).map(Some)
        })
    }

    /// The user that [`Store::find_or_link`] would link to `auth0_id`, without a write.
    ///
    /// # Errors
    /// Those of [`Store::find_or_link`].
    pub fn find_linkable(
        &self,
        auth0_id: &Auth0Id,
        verified_email: &Email,
        link: impl Into<LinkRules>,
    ) -> Result<Option<User>> {
        let link = link.into();
        self.read_by_key(|connection| {
            let user = by_email(connection, verified_email)?;
            if let Some(user) = &user {
                ensure_linkable(connection, auth0_id, user, link)?;
            }
            Ok(user)
        })
    }

    /// Records that `auth0_id` was not linked to a user with roles, at most once a day for each user.
    pub fn note_unlinked_email(&self, id: UserId, auth0_id: &Auth0Id, actor: &Actor) -> Result<()> {
        let action = Action::LinkRefused;
        let is_noted = |connection: &Connection, now: Timestamp| {
            let sql = "SELECT 1 FROM audit WHERE target = ?1 AND action = ?2 AND at > ?3 LIMIT 1";
            let since = now.as_millisecond().saturating_sub(NOTED_EVERY);
            value::<i64>(connection, sql, params![id, action.as_str(), since]).map(|line| line.is_some())
        };
        let now = self.shared.clock.now();
        if self.read_by_key(|connection| is_noted(connection, now))? {
            return Ok(());
        }
        self.write(|write| match is_noted(write.tx, write.now)? {
            true => Ok(()),
            false => write.audit(actor, action, id, Changes::default().identity_added(auth0_id)),
        })
    }

    /// Provisions an identity: finds its user by Auth0 id, else by verified email, else adds a row. However many calls race,
    /// an identity gets one row.
    ///
    /// # Errors
    /// As [`Store::find_or_link`].
    pub fn provision(
        &self,
        identity: &NewIdentity,
        link: impl Into<LinkRules>,
        actor: &Actor,
    ) -> Result<Provisioned> {
        let (NewIdentity { auth0_id, person, .. }, link) = (identity, link.into());
        // Serialized before the write lock is taken.
        let profile = identity.profile.as_ref().and_then(|profile| limited(profile, auth0_id));
        let profile = profile.map(|profile| profile.to_string());
        self.write(|write| {
            if let Some(user) = by_auth0_id(write.tx, auth0_id)? {
                return Ok(Provisioned::Known(user));
            }
            if let Some(email) = identity.verified_email()
                && let Some(user) = by_email(write.tx, email)?
            {
                let data = Auth0Data { person: Some(person), profile: profile.as_deref() };
                return write.link(&user, auth0_id, data, link, actor).map(Provisioned::Linked);
            }
            let columns = UserColumns {
                auth0_id: Some(auth0_id),
                email: identity.email.as_ref(),
                email_verified: identity.verified_email().is_some(),
                profile: profile.as_deref(),
                fetched: true,
                ..UserColumns::new(person)
            };
            write.insert(&columns, actor, Action::Inserted).map(Provisioned::Inserted)
        })
    }
}

impl NewIdentity {
    /// The email, if Auth0 verified it.
    pub fn verified_email(&self) -> Option<&Email> {
        self.email.as_ref().filter(|_| self.email_verified)
    }
}

impl Provisioned {
    /// The user.
    pub fn into_user(self) -> User {
        match self {
            Self::Known(user) | Self::Linked(user) | Self::Inserted(user) => user,
        }
    }
}

/// Refuses to link an identity by email to a user with roles, unless that is allowed, and to one with another identity if
/// linking is off. Only staff can link what staff unlinked.
fn ensure_linkable(connection: &Connection, auth0_id: &Auth0Id, user: &User, link: LinkRules) -> Result<()> {
    if user.auth0_id.is_some()
        && (link.email == LinkEmail::Never || unlinked_at(connection, auth0_id)?.is_some())
    {
        return Err(StoreError::EmailConflict);
    }
    if user.roles.is_empty() || link.privileged { Ok(()) } else { Err(StoreError::LinkByHand(user.id)) }
}

impl Write<'_> {
    /// Links `auth0_id` to a user who was found by its verified email. A pre-provisioned row is claimed.
    pub(crate) fn link(
        &self,
        user: &User,
        auth0_id: &Auth0Id,
        data: Auth0Data<'_>,
        link: LinkRules,
        actor: &Actor,
    ) -> Result<User> {
        ensure_linkable(self.tx, auth0_id, user, link)?;
        let changes = Changes::default().identity_added(auth0_id);
        if user.auth0_id.is_none() {
            // Staff created this row for the owner of its email, so `link.email` does not matter.
            self.add_identity(auth0_id, user.id)?;
            let changes = changes.and(self.claim(user, auth0_id, data)?);
            self.audit(actor, Action::Claimed, user.id, changes)?;
        } else {
            self.add_identity(auth0_id, user.id)?;
            self.audit(actor, Action::Linked, user.id, changes)?;
        }
        self.enqueue_block_of_new(auth0_id, user)?;
        self.existing(user.id)
    }

    /// Makes `auth0_id` the row's own identity. Fields that staff filled in stay; `data` fills the others.
    fn claim(&self, user: &User, auth0_id: &Auth0Id, data: Auth0Data<'_>) -> Result<Changes> {
        let Auth0Data { person, profile } = data;
        let now = self.now_millis();
        let sql = "UPDATE users SET auth0_id = ?2, updated_at = ?3, profile = coalesce(profile, ?4),
                       profile_fetched_at = coalesce(profile_fetched_at, ?5)
                   WHERE id = ?1";
        self.run(sql, params![user.id, auth0_id, now, profile, person.map(|_| now)])?;
        let person = person.map_or_else(|| user.person.clone(), |person| user.person.or(person));
        let changes = self.describe(user, &person, user.email.as_ref(), true)?;
        Ok(changes.redacted_if([("profile", profile.is_some() && user.profile.is_none())]))
    }
}
