//! Where users are found: the row that a subject leads to, the row of a verified email, the profile at Auth0.

use std::sync::Arc;

use super::identity::{new_identity, would_be};
use super::payload::{ensure_payload_of, payload_user};
use super::profiles::Profiles;
use super::{Claims, Grants, Refusal};
use crate::clock::Clock;
use crate::pool::Pool;
use crate::store::{Actor, LinkEmail, Store};
use crate::user::{Auth0Id, CurrentUser, Email, PayloadUser, Status, User};

/// Where users are found, and what they are granted. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Users {
    pub(super) store: Store,
    pub(super) pool: Pool,
    pub(super) grants: Arc<Grants>,
    pub(super) link: LinkEmail,
    pub(super) profiles: Profiles,
    pub(super) clock: Clock,
    /// Finds the same users but links, inserts and refreshes none.
    pub(super) dry_run: bool,
}

impl Users {
    /// The user that the subject leads to by key: from the payload while it is known to equal the row, else from the row.
    /// `None` when no row has the subject as an identity.
    ///
    /// # Errors
    /// [`Refusal::Blocked`], [`Refusal::Erased`], [`Refusal::TokenRevoked`]; [`Refusal::BadPayload`] when the payload is not
    /// of this user.
    pub(super) fn known(&self, id: &Auth0Id, claims: &Claims) -> Result<Option<CurrentUser>, Refusal> {
        let (check, store) = (claims.row_check(), &self.store);
        if let Some(user) = check.payload(store) {
            return Ok(Some(CurrentUser::Payload(user)));
        }
        // Before the row is read, so that no later change is taken for one that the row includes.
        let change = store.latest_change();
        let Some(row) = store.user_by_auth0_id(id)? else {
            let unlinked_at = store.unlinked_at(id)?;
            return match claims.user() {
                _ if unlinked_at.is_some_and(|at| claims.issued_at().is_none_or(|issued| issued < at)) => {
                    Err(Refusal::TokenRevoked)
                }
                Some(_) => Err(Refusal::BadPayload(
                    "The subject of the token leads to no user here, but its payload names one: log in again.",
                )),
                None => Ok(None),
            };
        };
        ensure_active(&row, claims)?;
        check.set_active(change);
        if let Some(payload) = claims.user().map(payload_user).transpose()? {
            ensure_payload_of(&row, id, &payload, store)?;
            let payload = PayloadUser { auth0_id: id.clone(), ..payload };
            if let Some(user) = check.compare(payload, &row, change) {
                return Ok(Some(CurrentUser::Payload(user)));
            }
        }
        Ok(Some(CurrentUser::Row(Arc::new(row))))
    }

    /// The row that the verified email of the token would link to a subject without a row. Writes nothing.
    pub(super) fn linkable(&self, id: &Auth0Id, claims: &Claims) -> Result<Option<CurrentUser>, Refusal> {
        let Some(email) = verified_email(claims) else { return Ok(None) };
        let row = self.store.find_linkable(id, &email, self.link)?;
        Ok(row.map(|row| CurrentUser::Row(Arc::new(row))))
    }

    /// The user of a subject without a row: linked by the verified email of the token, else by that of the profile, else
    /// inserted.
    pub(super) async fn provision(&self, id: &Auth0Id, claims: &Claims) -> Result<Arc<User>, Refusal> {
        let by_email = match verified_email(claims) {
            Some(email) => self.by_verified_email(id, email).await?,
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
    pub(super) fn refresh(&self, id: &Auth0Id, user: &CurrentUser) {
        match user {
            _ if self.dry_run => {}
            CurrentUser::Payload(_) => self.profiles.refresh_payload_user(id),
            CurrentUser::Row(user) => self.profiles.refresh_if_stale(user),
        }
    }
}

fn verified_email(claims: &Claims) -> Option<Email> {
    claims.verified_email().and_then(|email| email.parse().ok())
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
