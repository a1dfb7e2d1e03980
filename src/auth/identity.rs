//! What is stored of an Auth0 profile: the identity of a new user, and changes to a known one.

use jiff::Timestamp;

use crate::auth0::Profile;
use crate::store::{Actor, LinkSettings, NewIdentity, Store, StoreError};
use crate::user::{Auth0Id, Status, StoredProfile, User, UserId};

/// Stores the profile that Auth0 has of a user now; `None` if Auth0 has no such user any more. Returns the user after
/// that. Values that were changed here since the last fetch stay.
///
/// # Errors
/// As [`Store::refresh`].
pub fn store_profile(
    store: &Store,
    user: &User,
    fetched: Option<&Profile>,
    link: &LinkSettings,
    actor: &Actor,
) -> Result<User, StoreError> {
    // An unclaimed row has no profile.
    let Some(own) = &user.auth0_id else { return Ok(user.clone()) };
    let identity = |profile: &Profile| new_identity(own.clone(), profile, link);
    let before = user.profile.as_ref().and_then(|profile| Profile::read(profile.value()));
    let (before, fetched) = (before.as_ref().map(identity), fetched.map(identity));
    store.refresh(user.id, own, before.as_ref(), fetched.as_ref(), actor)
}

/// What is stored of the profile of `auth0_id`. An email counts as verified only from a connection that `link` trusts.
pub(super) fn new_identity(auth0_id: Auth0Id, profile: &Profile, link: &LinkSettings) -> NewIdentity {
    let trusted = &link.connections;
    let is_trusted = |name: &str| trusted.iter().any(|trusted| trusted == name);
    let counts = trusted.is_empty() || profile.connection().is_some_and(is_trusted);
    // A malformed email does not keep its owner out: it is not stored and finds no user.
    let email = profile.email.as_deref().and_then(|email| email.parse().ok());
    NewIdentity {
        auth0_id,
        email_verified: email.is_some() && profile.email_verified && counts,
        email,
        person: profile.person.clone().cleaned(),
        profile: Some(profile.whole.clone()),
        blocked: profile.blocked,
    }
}

/// The user that an identity would be inserted as, for dry runs.
pub(super) fn would_be(identity: NewIdentity, now: Timestamp) -> User {
    User {
        id: UserId::new(now),
        auth0_id: Some(identity.auth0_id),
        email: identity.email,
        email_verified: identity.email_verified,
        person: identity.person,
        status: Status::Active,
        blocked_by_auth0: false,
        roles: Vec::new(),
        profile: identity.profile.as_ref().map(StoredProfile::from),
        profile_fetched_at: Some(now),
        tokens_valid_from: None,
        created_at: now,
        updated_at: now,
    }
}
