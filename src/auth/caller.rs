//! Stage 4: [`Permit`] → [`Caller`]. Finds the current user: in the token's payload, else in our database, else at
//! Auth0, whose profile is then stored.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;

use super::identity::{new_identity, would_be};
use super::permit::Subject;
use super::profiles::Profiles;
use super::{Claims, Keys, Permit, Refusal};
use crate::clock::Clock;
use crate::pool::Pool;
use crate::scope::Permissions;
use crate::store::{Actor, LinkEmail, Revocation, Store};
use crate::user::{Auth0Id, CurrentUser, Email, PayloadUser, Status, User};

/// A permit with its current user resolved. Only the gate makes one.
#[derive(Debug, Clone)]
pub struct Caller {
    principal: Principal,
    permissions: Permissions,
    /// The token's claims; `None` for an anonymous caller.
    claims: Option<Claims>,
}

/// Who is calling.
#[derive(Debug, Clone)]
pub enum Principal {
    /// A person.
    User(CurrentUser),
    /// A machine, by its client id. It has no current user.
    Machine(Arc<str>),
    /// A caller without a token, at a door that accepts those.
    Anonymous,
}

/// Where users are found. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Users {
    pub(super) store: Store,
    pub(super) pool: Pool,
    pub(super) link: LinkEmail,
    pub(super) profiles: Profiles,
    pub(super) clock: Clock,
    /// Finds the same users but links, inserts and refreshes none.
    pub(super) dry_run: bool,
}

/// Resolves who is calling.
///
/// # Errors
/// The refusals of the caller stage.
pub async fn caller(permit: Permit, users: &Users) -> Result<Caller, Refusal> {
    let (subject, permissions) = permit.into_parts();
    let (principal, claims) = match subject {
        Subject::Machine(client, claims) => (Principal::Machine(client), Some(claims)),
        Subject::Anonymous => (Principal::Anonymous, None),
        Subject::User(id, claims) => {
            let user = current_user(&id, &claims, users).await?;
            users.refresh(&id, &user);
            (Principal::User(user), Some(claims))
        }
    };
    Ok(Caller { principal, permissions, claims })
}

/// The steps in order. The first one that finds the user ends the search.
async fn current_user(id: &Auth0Id, claims: &Claims, users: &Users) -> Result<CurrentUser, Refusal> {
    // 0. Revoked? Read from memory, so that a user from a payload can be revoked at once.
    if let Some(revocation) = users.store.revocation(id) {
        ensure_active(&revocation, claims)?;
    }
    // 1. The payload: no query.
    if let Some(user) = claims.user() {
        return Ok(CurrentUser::Payload(Arc::new(payload_user(id, user)?)));
    }
    // 2. Our database: by id, a point read that is cheaper here than on the pool; else by a verified email.
    let mut user = users.store.user_by_auth0_id(id)?.map(Arc::new);
    if user.is_none()
        && let Some(email) = claims.verified_email().and_then(|email| email.parse().ok())
    {
        user = users.by_verified_email(id, email).await?.map(Arc::new);
    }
    // 3. Auth0: one fetch for all requests that wait for it.
    let user = match user {
        Some(user) => user,
        None => users.by_profile(id).await?,
    };
    // Again: the row may have been unknown under this id a moment ago, and be blocked or signed out.
    let revocation = Revocation { status: user.status, tokens_valid_from: user.tokens_valid_from };
    ensure_active(&revocation, claims)?;
    Ok(CurrentUser::Row(user))
}

/// Refuses blocked and erased users, and tokens that were revoked.
fn ensure_active(revocation: &Revocation, claims: &Claims) -> Result<(), Refusal> {
    match revocation.status {
        Status::Blocked => Err(Refusal::Blocked),
        Status::Erased => Err(Refusal::Erased),
        Status::Active if !revocation.accepts_token_issued_at(claims.issued_at()) => {
            Err(Refusal::TokenRevoked)
        }
        Status::Active => Ok(()),
    }
}

fn payload_user(id: &Auth0Id, user: &serde_json::Value) -> Result<PayloadUser, Refusal> {
    let user = PayloadUser::deserialize(user)
        .map_err(|_| Refusal::BadPayload("The user in the payload of the token is malformed."))?;
    if user.auth0_id != *id {
        return Err(Refusal::BadPayload("The user in the payload of the token is not its subject."));
    }
    Ok(user)
}

impl Users {
    /// The user with a verified email. Linking the identity is a write, so it runs on the pool.
    async fn by_verified_email(&self, id: &Auth0Id, email: Email) -> Result<Option<User>, Refusal> {
        if self.dry_run {
            return Ok(self.store.find_linkable(id, &email, self.link)?);
        }
        let (store, id, link) = (self.store.clone(), id.clone(), self.link);
        Ok(self.pool.run(move || store.find_or_link(&id, Some(&email), link, &Actor::Gate)).await??)
    }

    /// The user of a profile at Auth0: linked by its verified email, or inserted.
    async fn by_profile(&self, id: &Auth0Id) -> Result<Arc<User>, Refusal> {
        if !self.dry_run {
            return self.profiles.provision(id).await;
        }
        let identity = new_identity(id.clone(), &*self.profiles.fetch(id).await?);
        if let Some(email) = identity.verified_email()
            && let Some(user) = self.store.find_linkable(id, email, self.link)?
        {
            return Ok(Arc::new(user));
        }
        Ok(Arc::new(would_be(identity, self.clock.now())))
    }

    /// Fetches a stale profile again, in the background.
    fn refresh(&self, id: &Auth0Id, user: &CurrentUser) {
        match user {
            _ if self.dry_run => {}
            CurrentUser::Payload(_) => self.profiles.refresh_payload_user(id),
            CurrentUser::Row(user) => self.profiles.refresh_if_stale(user),
        }
    }
}

impl Caller {
    /// Who is calling.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The current user. A machine and an anonymous caller have none.
    pub fn user(&self) -> Option<&CurrentUser> {
        if let Principal::User(user) = &self.principal { Some(user) } else { None }
    }

    /// The client id of a machine.
    pub fn client_id(&self) -> Option<&str> {
        if let Principal::Machine(client) = &self.principal { Some(client) } else { None }
    }

    /// The agent that acts for the user, if one does.
    pub fn agent(&self) -> Option<&str> {
        self.claims.as_ref().filter(|_| self.user().is_some())?.agent()
    }

    /// When the token was issued, if it says so. A revocation after that time covers it.
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.claims.as_ref().and_then(Claims::issued_at)
    }

    /// What the caller may do.
    pub fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    /// Requires one more permission than the door does.
    ///
    /// # Errors
    /// [`Refusal::NotPermitted`] with that permission.
    pub fn require(&self, permission: &str) -> Result<(), Refusal> {
        if self.permissions.has(permission) {
            return Ok(());
        }
        Err(Refusal::NotPermitted { missing: Permissions::from_scope(permission) })
    }

    /// See [`super::Gate::revalidate`].
    pub(super) fn revalidate(&self, since: Timestamp, users: &Users, keys: &Keys) -> Result<(), Refusal> {
        let Some(claims) = &self.claims else { return Ok(()) };
        let now = users.clock.now();
        // Clock differences are no reason to extend a session, but the door accepts a token within its leeway.
        let within_leeway = since > claims.expires_at() && claims.accepted_until() >= now;
        if claims.expires_at() < now && !within_leeway {
            let ago = now.duration_since(claims.expires_at()).unsigned_abs();
            return Err(Refusal::Expired { ago });
        }
        if claims.key().is_some_and(|key| !keys.contains(claims.issuer(), key)) {
            return Err(Refusal::UnknownKey);
        }
        let id = claims.subject().parse().ok().filter(|_| self.user().is_some());
        let revocation = id.and_then(|id| users.store.revocation(&id));
        revocation.map_or(Ok(()), |revocation| ensure_active(&revocation, claims))
    }
}
