//! Who a new identity belongs to: a user who is here already, or a new row. The only way in for an identity.
//!
//! The rules of an email: only a verified one leads to anybody. It leads to the row that has it verified, else to a
//! pre-provisioned row without identity. Each decision is made inside a write transaction, where nobody can be
//! faster.

use serde_json::Value;

use super::audit::{Action, Actor, Changes};
use super::rows::{Details, UserColumns};
use super::users::{by_auth0_id, by_email};
use super::{LinkEmail, Store, StoreError, Write};
use crate::user::{Auth0Id, Email, Person, Status, User};

/// The largest profile that is kept whole, in bytes of JSON.
///
/// Of a larger one only the members stay that tell who somebody is, each whole: it is by them that a later fetch knows
/// what changed at Auth0. Metadata is left out, since cutting it would hand its readers half a truth, and refusing would
/// lock a person out over its size.
pub const PROFILE_MAX_BYTES: usize = 64 * 1024;

/// The members that tell who somebody is.
const WHO: [&str; 9] = [
    "user_id",
    "email",
    "email_verified",
    "name",
    "given_name",
    "family_name",
    "nickname",
    "picture",
    "phone_number",
];

/// No value of those is longer, in bytes, or it is none that is stored.
const WHO_MAX_BYTES: usize = 4 * 1024;

/// Somebody Auth0 vouches for, at first sight.
#[derive(Debug, Clone, PartialEq)]
pub struct NewIdentity {
    /// Who they are to Auth0.
    pub auth0_id: Auth0Id,
    /// By their profile.
    pub email: Option<Email>,
    /// By their profile. Without it the email finds nobody and conflicts with nobody.
    pub email_verified: bool,
    /// What they are called.
    pub person: Person,
    /// The whole profile, as Auth0 gave it. See [`PROFILE_MAX_BYTES`].
    pub profile: Option<Value>,
}

/// How an [`NewIdentity`] came in. Any of the users but an inserted one may be blocked or erased: the caller judges.
#[derive(Debug, Clone, PartialEq)]
pub enum Provisioned {
    /// The identity was here already, if only since a moment ago. An erased user stays erased.
    Known(User),
    /// The identity was linked to a user who was here.
    Linked(User),
    /// A row was made.
    Inserted(User),
}

impl Store {
    /// The user an identity leads to, by its id or else by its verified email; in the second case it is linked.
    ///
    /// A row that has another identity is linked only by [`LinkEmail::Verified`]. Reads only, unless there is
    /// something to link.
    ///
    /// # Errors
    /// [`StoreError::EmailConflict`] under [`LinkEmail::Never`], and for an identity that staff took from somebody; else as
    /// every write.
    pub fn find_or_link(
        &self,
        auth0_id: &Auth0Id,
        verified_email: Option<&Email>,
        link: LinkEmail,
        actor: &Actor,
    ) -> Result<Option<User>, StoreError> {
        if let Some(user) = self.user_by_auth0_id(auth0_id)? {
            return Ok(Some(user));
        }
        let Some(email) = verified_email else { return Ok(None) };
        // Strangers must not queue for the write lock. Nothing is decided by this look: who is sent on comes back
        // through `provision`, which looks again.
        if self.user_by_email(email)?.is_none() {
            return Ok(None);
        }
        self.write(|write| {
            if let Some(user) = by_auth0_id(&write.tx, auth0_id)? {
                return Ok(Some(user));
            }
            let Some(user) = by_email(&write.tx, email)? else { return Ok(None) };
            write.link(&user, auth0_id, None, link, actor).map(Some)
        })
    }

    /// Lets an arrival in: by their Auth0 id, else by their verified email, else as a new row.
    /// However many calls race, one row comes of one identity.
    ///
    /// # Errors
    /// [`StoreError::EmailConflict`] when another user has the verified email and `link` is [`LinkEmail::Never`], or staff
    /// took the identity from somebody; else as every write.
    pub fn provision(
        &self,
        arrival: &NewIdentity,
        link: LinkEmail,
        actor: &Actor,
    ) -> Result<Provisioned, StoreError> {
        // Serialized before the write lock is taken.
        let profile = arrival.profile.as_ref().and_then(|profile| kept(profile, &arrival.auth0_id));
        let profile = profile.map(|profile| profile.to_string());
        self.write(|write| {
            if let Some(user) = by_auth0_id(&write.tx, &arrival.auth0_id)? {
                return Ok(Provisioned::Known(user));
            }
            if let Some(email) = arrival.verified_email()
                && let Some(user) = by_email(&write.tx, email)?
            {
                let details = Details { person: &arrival.person, profile: profile.as_deref() };
                let user = write.link(&user, &arrival.auth0_id, Some(details), link, actor)?;
                return Ok(Provisioned::Linked(user));
            }
            let row = UserColumns {
                auth0_id: Some(&arrival.auth0_id),
                email: arrival.email.as_ref(),
                email_verified: arrival.verified_email().is_some(),
                person: &arrival.person,
                status: Status::Active,
                roles: &[],
                profile: profile.as_deref(),
                fetched: true,
            };
            write.insert(&row, actor, Action::Inserted).map(Provisioned::Inserted)
        })
    }
}

impl NewIdentity {
    pub(super) fn verified_email(&self) -> Option<&Email> {
        self.email.as_ref().filter(|_| self.email_verified)
    }
}

impl Provisioned {
    /// The user, however they came in.
    pub fn into_user(self) -> User {
        match self {
            Self::Known(user) | Self::Linked(user) | Self::Inserted(user) => user,
        }
    }
}

impl Write<'_> {
    /// Leads `auth0_id` to a user who was found by its verified email.
    pub(super) fn link(
        &self,
        user: &User,
        auth0_id: &Auth0Id,
        details: Option<Details<'_>>,
        link: LinkEmail,
        actor: &Actor,
    ) -> Result<User, StoreError> {
        let changes = Changes::default().identity(auth0_id);
        if user.auth0_id.is_none() {
            // Staff made this row for whoever has its email, and this is whoever has its email: no setting forbids it.
            self.add_identity(auth0_id, user.id)?;
            let changes = self.claim(user, auth0_id, details, changes)?;
            self.audit(actor, Action::Claimed, user.id, changes)?;
        } else {
            // What staff took apart is put together by staff alone.
            if link == LinkEmail::Never || self.was_unlinked(auth0_id)? {
                return Err(StoreError::EmailConflict);
            }
            self.add_identity(auth0_id, user.id)?;
            self.audit(actor, Action::Linked, user.id, changes)?;
        }
        self.wish_block_of_new(auth0_id, user)?;
        self.existing(user.id)
    }
}

/// What is kept of a profile. See [`PROFILE_MAX_BYTES`].
pub(super) fn kept(profile: &Value, auth0_id: &Auth0Id) -> Option<Value> {
    let bytes = profile.to_string().len();
    if bytes <= PROFILE_MAX_BYTES {
        return Some(profile.clone());
    }
    // The provider only: an Auth0 id can contain an email.
    let provider = auth0_id.as_str().split_once('|').map_or("", |(provider, _)| provider);
    tracing::warn!(bytes, provider, "a profile is too large to keep whole; its metadata is left out");
    let mut members = profile.as_object()?.clone();
    members.retain(|name, value| WHO.contains(&name.as_str()) && value.to_string().len() <= WHO_MAX_BYTES);
    Some(Value::Object(members))
}
