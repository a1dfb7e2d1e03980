//! Stage 4: [`Permit`] → [`Caller`]. Finds the current user: in the token's payload, else in our database, else at
//! Auth0, whose profile is then stored.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;

use super::permit::Subject;
use super::profiles::Profiles;
use super::{Claims, Keys, Permit, Refusal};
use crate::pool::{Pool, PoolError};
use crate::scope::Permissions;
use crate::store::{Actor, LinkEmail, Revocation, Store, StoreError};
use crate::user::{Auth0Id, CurrentUser, Email, PayloadUser, Status, User};

/// A permit with its current user resolved. Only this file makes one.
#[derive(Debug, Clone)]
pub struct Caller {
    who: Principal,
    permissions: Permissions,
    /// What it rests on; nothing for somebody without a token.
    claims: Option<Claims>,
}

/// Who is calling.
#[derive(Debug, Clone)]
pub enum Principal {
    /// A person, with who they are.
    User(CurrentUser),
    /// A machine, by its client id. It has no current user.
    Machine(Arc<str>),
    /// Nobody we know, at a door that allows that.
    Anonymous,
}

/// Where users are found. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Users {
    pub(super) store: Store,
    pub(super) pool: Pool,
    pub(super) link: LinkEmail,
    pub(super) profiles: Profiles,
}

/// Resolves who is calling.
///
/// # Errors
/// The refusals of the caller stage.
pub async fn caller(permit: Permit, users: &Users) -> Result<Caller, Refusal> {
    let (subject, permissions) = permit.into_parts();
    let claims = subject.claims().cloned();
    let who = match subject {
        Subject::Machine(client, _) => Principal::Machine(client),
        Subject::Anonymous => Principal::Anonymous,
        Subject::User(id, claims) => Principal::User(current_user(id, &claims, users).await?),
    };
    Ok(Caller { who, permissions, claims })
}

/// Whether a caller who was let in a while ago may stay. Asks nobody: their token must not have ended, nor been revoked,
/// and its key must still be its issuer's.
pub(super) fn revalidate(caller: &Caller, users: &Users, keys: &Keys, now: Timestamp) -> Result<(), Refusal> {
    let Some(claims) = &caller.claims else { return Ok(()) };
    // Without the leeway of the door: what two clocks may differ by is no reason to stay longer.
    if claims.expires_at() <= now {
        let ago = now.duration_since(claims.expires_at()).unsigned_abs();
        return Err(Refusal::Expired { ago });
    }
    if claims.key().is_some_and(|key| !keys.hold(claims.issuer(), key)) {
        return Err(Refusal::UnknownKey);
    }
    let Principal::User(_) = &caller.who else { return Ok(()) };
    let Ok(id) = claims.subject().parse() else { return Ok(()) };
    users.store.revocation(&id).map_or(Ok(()), |revocation| stands(&revocation, claims))
}

/// The four steps, in their order. The first that finds the user ends it.
async fn current_user(id: Auth0Id, claims: &Claims, users: &Users) -> Result<CurrentUser, Refusal> {
    // 0. Revoked? From memory, so that a payload can be trusted and still be revoked at once.
    if let Some(revocation) = users.store.revocation(&id) {
        stands(&revocation, claims)?;
    }
    // 1. The payload: no query.
    if let Some(user) = claims.user() {
        let user = from_payload(&id, user)?;
        users.profiles.refresh_payload_user(&id);
        return Ok(CurrentUser::Payload(Arc::new(user)));
    }
    // 2. Our database: by id, a point read that is cheaper here than on the pool; else by a verified email.
    if let Some(user) = users.by_id(&id, claims)? {
        users.profiles.refresh_if_stale(&user);
        return Ok(CurrentUser::Row(Arc::new(user)));
    }
    if let Some(email) = claims.verified_email().and_then(|email| email.parse().ok())
        && let Some(user) = users.by_email(&id, email).await?
    {
        admissible(&user, claims)?;
        return Ok(CurrentUser::Row(Arc::new(user)));
    }
    // 3. Auth0: one fetch for all who wait for it.
    let user = users.profiles.provision(&id).await?;
    admissible(&user, claims)?;
    Ok(CurrentUser::Row(user))
}

/// What [`caller`] would do, in words. Inserts, links and remembers nothing.
pub(super) async fn foresee(permit: Permit, users: &Users) -> Result<String, Refusal> {
    let (id, claims) = match permit.into_parts().0 {
        Subject::User(id, claims) => (id, claims),
        Subject::Machine(..) => return Ok("a machine has no current user".to_owned()),
        Subject::Anonymous => return Ok("nobody".to_owned()),
    };
    if let Some(revocation) = users.store.revocation(&id) {
        stands(&revocation, &claims)?;
    }
    if let Some(user) = claims.user() {
        return from_payload(&id, user).map(|user| format!("in the payload: {}, without a query", user.id));
    }
    if let Some(user) = users.by_id(&id, &claims)? {
        return Ok(format!("in the database, by Auth0 id: {}", user.id));
    }
    let by_email = |email: Option<&str>| match email.and_then(|email| email.parse().ok()) {
        Some(email) => {
            let user = users.store.user_by_email(&email).map_err(refuse)?;
            user.map(|user| admissible(&user, &claims).map(|()| user)).transpose()
        }
        None => Ok(None),
    };
    if let Some(user) = by_email(claims.verified_email())? {
        return Ok(format!("in the database, by the token's verified email: {} would be linked", user.id));
    }
    let profile = users.profiles.fetch(&id).await?;
    let verified = profile.email.as_deref().filter(|_| profile.email_verified);
    Ok(match by_email(verified)? {
        Some(user) => format!("at Auth0; by the profile's verified email {} would be linked", user.id),
        None => "at Auth0: the profile would be stored in a new row".to_owned(),
    })
}

/// Whether a user whose row has something against them may come in with this token.
fn stands(revocation: &Revocation, claims: &Claims) -> Result<(), Refusal> {
    match revocation.status {
        Status::Blocked => return Err(Refusal::Blocked),
        Status::Erased => return Err(Refusal::Erased),
        Status::Active => {}
    }
    if revocation.accepts_token_issued_at(claims.issued_at()) { Ok(()) } else { Err(Refusal::TokenRevoked) }
}

/// Like [`stands`] for a row that was just read: the identity it was linked to a moment ago is one that nothing was known
/// against, and it may be the row of somebody who is blocked, or who signed out everywhere since the token was issued.
fn admissible(user: &User, claims: &Claims) -> Result<(), Refusal> {
    stands(&Revocation { status: user.status, tokens_valid_from: user.tokens_valid_from }, claims)
}

fn from_payload(id: &Auth0Id, user: &serde_json::Value) -> Result<PayloadUser, Refusal> {
    let user = PayloadUser::deserialize(user).map_err(|_| {
        Refusal::BadPayload("The user in the payload of the token is not of the form it should have.")
    })?;
    if user.auth0_id != *id {
        return Err(Refusal::BadPayload(
            "The user in the payload of the token is not the one the token is for.",
        ));
    }
    Ok(user)
}

impl Users {
    fn by_id(&self, id: &Auth0Id, claims: &Claims) -> Result<Option<User>, Refusal> {
        let user = self.store.user_by_auth0_id(id).map_err(refuse)?;
        if let Some(user) = &user {
            admissible(user, claims)?;
        }
        Ok(user)
    }

    /// By verified email; the identity is then linked, which is a write and so goes through the pool.
    async fn by_email(&self, id: &Auth0Id, email: Email) -> Result<Option<User>, Refusal> {
        let (store, id, link) = (self.store.clone(), id.clone(), self.link);
        self.pool
            .run(move || store.find_or_link(&id, Some(&email), link, &Actor::Gate))
            .await
            .map_err(busy)?
            .map_err(refuse)
    }
}

impl Caller {
    /// Who is calling.
    pub fn principal(&self) -> &Principal {
        &self.who
    }

    /// The current user. A machine and an anonymous caller have none.
    pub fn user(&self) -> Option<&CurrentUser> {
        match &self.who {
            Principal::User(user) => Some(user),
            Principal::Machine(_) | Principal::Anonymous => None,
        }
    }

    /// The machine's client id; nothing for anybody else.
    pub fn client_id(&self) -> Option<&str> {
        match &self.who {
            Principal::Machine(client) => Some(client),
            Principal::User(_) | Principal::Anonymous => None,
        }
    }

    /// When their token ends; never for somebody without one.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.claims.as_ref().map(Claims::expires_at)
    }

    /// When their token was issued, if it says: what a later revocation is held against.
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.claims.as_ref().and_then(Claims::issued_at)
    }

    /// What the caller may do.
    pub fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    /// Asks for one more permission than the door did.
    ///
    /// # Errors
    /// [`Refusal::NotPermitted`], naming it.
    pub fn require(&self, permission: &str) -> Result<(), Refusal> {
        if self.permissions.has(permission) {
            return Ok(());
        }
        Err(Refusal::NotPermitted { missing: Permissions::from_scope(permission) })
    }
}

/// What a failing store means to a caller.
pub(super) fn refuse(error: StoreError) -> Refusal {
    match error {
        StoreError::EmailConflict => Refusal::EmailConflict,
        error => {
            tracing::error!(%error, "the store failed while a caller was resolved");
            Refusal::Busy
        }
    }
}

/// What a pool that did not do its job means to a caller.
pub(super) fn busy(error: PoolError) -> Refusal {
    if error == PoolError::Panicked {
        tracing::error!("a job of the caller stage panicked");
    }
    Refusal::Busy
}
