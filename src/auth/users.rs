//! Where users are found: the row that a subject leads to, the row of a verified email, the profile at Auth0.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

use super::identity::{new_identity, would_be};
use super::payload::{ensure_payload_of, payload_user};
use super::profiles::Profiles;
use super::{Claims, Grants, Refusal, RolesFrom};
use crate::clock::Clock;
use crate::pool::Pool;
use crate::store::{Actor, LinkSettings, Store, StoreError};
use crate::user::{Auth0Id, CurrentUser, Email, Status, User, is_issued_after};

/// Where users are found, and what they are granted. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Users {
    pub(super) store: Store,
    /// Finds the same users but links, inserts and refreshes none.
    pub(super) dry_run: bool,
    pub(super) shared: Arc<SharedByRequests>,
}

/// What does not differ between requests.
#[derive(Debug)]
pub struct SharedByRequests {
    pub(super) pool: Pool,
    pub(super) grants: Grants,
    pub(super) link: Arc<LinkSettings>,
    pub(super) profiles: Profiles,
    pub(super) clock: Clock,
}

impl Deref for Users {
    type Target = SharedByRequests;

    fn deref(&self) -> &SharedByRequests {
        &self.shared
    }
}

impl Users {
    /// [`Users::known`]. Asks Auth0 first whether a user whom it blocked is unblocked, if the token is newer than its answer.
    pub(super) async fn known_now(
        &self,
        id: &Auth0Id,
        claims: &Claims,
    ) -> Result<Option<CurrentUser>, Refusal> {
        let known = self.known(id, claims);
        if !known.as_ref().is_err_and(|refusal| *refusal == Refusal::Blocked) {
            return known;
        }
        // In boxes, as they are rare: a large future costs each request.
        if self.dry_run {
            return Ok(Some(Box::pin(self.if_unblocked(id, claims)).await.ok_or(Refusal::Blocked)??));
        }
        let unblocked = Box::pin(self.profiles.recheck_block(id, claims.issued_at())).await;
        if unblocked { self.known(id, claims) } else { known }
    }

    /// The user whom Auth0 had blocked as the check of the block would leave them, in a dry run.
    async fn if_unblocked(&self, id: &Auth0Id, claims: &Claims) -> Option<Result<CurrentUser, Refusal>> {
        let row = self.profiles.due_recheck(id, claims.issued_at())?;
        let profile = self.profiles.fetch(row.auth0_id.as_ref()?).await.ok()?;
        if profile.blocked {
            return None;
        }
        let row = User { status: Status::Active, ..row };
        let check = || {
            ensure_active(&row, claims)?;
            let payload = claims.user().map(payload_user).transpose()?;
            payload.map_or(Ok(()), |payload| ensure_payload_of(&row, id, &payload, &self.store))
        };
        Some(check().map(|()| CurrentUser::Row(Arc::new(row))))
    }

    /// The user that the subject leads to by key: from the payload if it equals the row, else from the row, which is read only
    /// at the token's first sight and after its changes. `None` when no row has the subject as an identity.
    ///
    /// # Errors
    /// [`Refusal::Blocked`], [`Refusal::Erased`], [`Refusal::TokenRevoked`]; [`Refusal::BadPayload`] when the payload is not
    /// of this user.
    pub(super) fn known(&self, id: &Auth0Id, claims: &Claims) -> Result<Option<CurrentUser>, Refusal> {
        let (check, store) = (claims.row_check(), &self.store);
        if let Some(user) = check.user(store) {
            return Ok(Some(user));
        }
        // Before the row is read, so that no later change is taken for one that the row includes.
        let change = store.latest_change();
        let Some(row) = store.user_by_auth0_id(id)? else {
            let unlinked_at = store.unlinked_at(id)?;
            return match claims.user() {
                _ if unlinked_at.is_some_and(|at| !is_issued_after(claims.issued_at(), at)) => {
                    Err(Refusal::TokenRevoked)
                }
                Some(_) => Err(Refusal::BadPayload(
                    "The subject of the token leads to no user here, but its payload names one: log in again.",
                )),
                None => Ok(None),
            };
        };
        ensure_active(&row, claims)?;
        let payload = claims.user().map(payload_user).transpose()?;
        payload.iter().try_for_each(|payload| ensure_payload_of(&row, id, payload, store))?;
        Ok(Some(check.keep(payload, row, change)))
    }

    /// The row that the verified email of the token would link to a subject without a row. Writes nothing.
    pub(super) fn linkable(&self, id: &Auth0Id, claims: &Claims) -> Result<Option<CurrentUser>, Refusal> {
        let Some(email) = self.verified_email(claims) else { return Ok(None) };
        let row = self.store.find_linkable(id, &email, &*self.link);
        let row = row.map_err(|error| self.conflict(id, claims, error))?;
        Ok(row.map(|row| CurrentUser::Row(Arc::new(row))))
    }

    /// The user of a subject without a row: linked by the verified email of the token, else by that of the profile, else
    /// inserted.
    pub(super) async fn provision(&self, id: &Auth0Id, claims: &Claims) -> Result<Arc<User>, Refusal> {
        let by_email = match self.verified_email(claims) {
            Some(email) => {
                let linked = self.by_verified_email(id, email).await?;
                linked.map_err(|error| self.conflict(id, claims, error))?
            }
            None => None,
        };
        let user = match by_email {
            Some(user) => Arc::new(user),
            // One fetch for all requests that wait for it.
            None => self.by_profile(id).await?,
        };
        // The row may be blocked or signed out.
        ensure_active(&user, claims)?;
        Ok(user)
    }

    /// The user with a verified email. Linking the identity is a write, so it runs on the pool.
    async fn by_verified_email(
        &self,
        id: &Auth0Id,
        email: Email,
    ) -> Result<Result<Option<User>, StoreError>, Refusal> {
        if self.dry_run {
            return Ok(self.store.find_linkable(id, &email, &*self.link));
        }
        // A point read, so that newcomers whose email finds no user need no thread.
        match self.store.user_by_email(&email) {
            Ok(Some(_)) => {}
            none => return Ok(none),
        }
        let (store, id, link) = (self.store.clone(), id.clone(), Arc::clone(&self.link));
        Ok(self.pool.run(move || store.find_or_link(&id, Some(&email), &*link, &Actor::Gate)).await?)
    }

    /// The email of the token, if it says that it is verified. The token does not name the connection, so where only some
    /// connections are trusted the profile decides.
    fn verified_email(&self, claims: &Claims) -> Option<Email> {
        let email = claims.verified_email().filter(|_| self.link.connections.is_empty());
        email.and_then(|email| email.parse().ok())
    }

    /// Records, once for each token, that a login must be linked by hand. In the background: the request is refused.
    fn conflict(&self, id: &Auth0Id, claims: &Claims, error: StoreError) -> Refusal {
        if let StoreError::LinkByHand(user) = error
            && !self.dry_run
            && claims.row_check().may_write()
        {
            let (store, pool, id) = (self.store.clone(), self.pool.clone(), id.clone());
            tokio::spawn(async move {
                let noted = pool.run(move || store.note_unlinked_email(user, &id, &Actor::Gate)).await;
                if !matches!(noted, Ok(Ok(()))) {
                    tracing::warn!(?noted, "a refused login is not in the audit log");
                }
            });
        }
        error.into()
    }

    /// The user of a profile at Auth0: linked by its verified email, or inserted.
    async fn by_profile(&self, id: &Auth0Id) -> Result<Arc<User>, Refusal> {
        if !self.dry_run {
            return self.profiles.provision(id, self.store.request()).await;
        }
        let profile = self.profiles.fetch(id).await?;
        if profile.blocked {
            return Err(Refusal::Blocked);
        }
        let identity = new_identity(id.clone(), &profile, &self.link);
        if let Some(email) = identity.verified_email()
            && let Some(user) = self.store.find_linkable(id, email, &*self.link)?
        {
            return Ok(Arc::new(user));
        }
        Ok(Arc::new(would_be(identity, self.clock.now())))
    }

    /// The user, with the roles of the token in their row if the token decides about roles. A token writes at most once.
    pub(super) async fn mirror_roles(
        &self,
        user: CurrentUser,
        claims: &Claims,
    ) -> Result<CurrentUser, Refusal> {
        if self.grants.roles_from == RolesFrom::Database || self.dry_run || !claims.has_roles() {
            return Ok(user);
        }
        let roles: BTreeSet<String> = claims.roles().map(str::to_owned).collect();
        if roles.iter().eq(user.roles()) || !claims.row_check().may_write() {
            return Ok(user);
        }
        let (store, id, roles) = (self.store.clone(), user.id(), Vec::from_iter(roles));
        let write = self.pool.run(move || store.mirror_roles(id, &roles, &Actor::Gate));
        Ok(CurrentUser::Row(Arc::new(Box::pin(write).await??)))
    }

    /// Fetches a stale profile again, in the background.
    pub(super) fn refresh(&self, user: &CurrentUser) {
        if !self.dry_run {
            self.profiles.refresh_if_stale(user.row());
        }
    }
}

/// Refuses blocked and erased users, and tokens that were revoked.
fn ensure_active(user: &User, claims: &Claims) -> Result<(), Refusal> {
    match user.status {
        Status::Blocked => Err(Refusal::Blocked),
        Status::Erased => Err(Refusal::Erased),
        Status::Active if !user.accepts_token_issued_at(claims.issued_at()) => Err(Refusal::TokenRevoked),
        Status::Active => Ok(()),
    }
}
