//! Users that are shown together, and what belongs to them: fetched for all at once, when one of them is asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Account;
use super::audit::AuditEvent;
use crate::api::batch::Batch;
use crate::api::connection::{self, Paging};
use crate::api::{ApiError, Context};
use crate::store::{AcceptedTerms, Identity, Page};
use crate::user::{User, UserId};

/// The same part of each user's trail.
type Trails = Batch<UserId, Page<AuditEvent>>;

/// The users of one page, by what each of them may be asked for.
#[derive(Debug)]
pub(super) struct AccountBatch {
    users: Arc<[UserId]>,
    identities: Batch<UserId, Vec<Identity>>,
    terms: Batch<UserId, Vec<AcceptedTerms>>,
    trail_lengths: Batch<UserId, u64>,
    /// By what part of a trail is asked for: a document may ask for several.
    trails: Mutex<HashMap<Paging, Arc<Trails>>>,
}

impl AccountBatch {
    /// Shows `users` together.
    pub(super) fn of(users: Vec<User>) -> Vec<Account> {
        let ids: Arc<[UserId]> = users.iter().map(|user| user.id).collect();
        let page = Arc::new(Self {
            identities: Batch::new(Arc::clone(&ids)),
            terms: Batch::new(Arc::clone(&ids)),
            trail_lengths: Batch::new(Arc::clone(&ids)),
            trails: Mutex::default(),
            users: ids,
        });
        users.into_iter().map(|user| Account::new(Arc::new(user), Arc::clone(&page))).collect()
    }

    /// How many users are shown together.
    pub(super) fn len(&self) -> usize {
        self.users.len()
    }

    pub(super) async fn identities(
        &self,
        context: &Context,
        user: UserId,
    ) -> Result<Vec<Identity>, ApiError> {
        let found = self.identities.get(context, &user, |store, users| store.identities_by_user(users));
        Ok(found.await?.unwrap_or_default())
    }

    pub(super) async fn terms(
        &self,
        context: &Context,
        user: UserId,
    ) -> Result<Vec<AcceptedTerms>, ApiError> {
        let found = self.terms.get(context, &user, |store, users| store.terms_by_user(users));
        Ok(found.await?.unwrap_or_default())
    }

    pub(super) async fn trail_length(&self, context: &Context, user: UserId) -> Result<u64, ApiError> {
        let found = self.trail_lengths.get(context, &user, |store, users| store.audit_counts_by_user(users));
        Ok(found.await?.unwrap_or_default())
    }

    pub(super) async fn trail(
        &self,
        context: &Context,
        user: UserId,
        paging: &Paging,
    ) -> Result<connection::Edges<AuditEvent>, ApiError> {
        let slice = paging.slice()?;
        let trails = {
            let mut trails = self.trails.lock().unwrap_or_else(PoisonError::into_inner);
            let trails = trails.entry(paging.clone());
            Arc::clone(trails.or_insert_with(|| Arc::new(Batch::new(Arc::clone(&self.users)))))
        };
        let found = trails.get(context, &user, move |store, users| {
            Ok(AuditEvent::trails(store.audit_by_user(users, &slice)?))
        });
        let part = found.await?.unwrap_or(Page { items: Vec::new(), more: false });
        Ok(connection::Edges::new(part, paging, AuditEvent::place))
    }
}
