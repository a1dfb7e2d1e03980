//! Who made a change: in the audit trail, and of deployments.

use std::collections::HashMap;
use std::sync::Arc;

use juniper::{GraphQLEnum, graphql_object};

use super::Account;
use super::account_batch::AccountBatch;
use crate::api::batch::Batch;
use crate::api::{ApiError, Context};
use crate::store;
use crate::user::UserId;

/// Everybody whom the things shown together name: fetched for all at once, when one of them is asked.
#[derive(Debug, Clone)]
pub(super) struct People(Arc<Batch<UserId, Account>>);

/// Who made a change.
#[derive(Debug, Clone)]
pub struct AuditActor {
    kind: String,
    id: Option<String>,
    people: People,
}

/// What kind of actor made a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, GraphQLEnum)]
pub enum AuditActorKind {
    /// A person, on their own behalf or as staff.
    User,
    /// A machine, by its client id.
    Machine,
    /// The gate, at somebody's first sight.
    Gate,
    /// Whoever runs the executable.
    Cli,
    /// The seeds at start.
    Seed,
    /// A signed call from outside.
    Webhook,
    /// One that this version does not know.
    Other,
}

impl People {
    pub(super) fn new(named: impl IntoIterator<Item = UserId>) -> Self {
        let mut named: Vec<UserId> = named.into_iter().collect();
        named.sort_unstable();
        named.dedup();
        Self(Arc::new(Batch::new(named.into())))
    }

    pub(super) async fn get(
        &self,
        context: &Context,
        id: Option<UserId>,
    ) -> Result<Option<Account>, ApiError> {
        let Some(id) = id else { return Ok(None) };
        let fetch = |store: &store::Store, ids: &[UserId]| {
            let accounts = AccountBatch::of(store.users_by_id(ids)?).into_iter();
            Ok(accounts.map(|account| (account.user.id, account)).collect::<HashMap<_, _>>())
        };
        self.0.get(context, &id, fetch).await
    }
}

impl AuditActor {
    /// As the store keeps them.
    pub(super) fn new(kind: &str, id: Option<&str>, people: &People) -> Self {
        Self { kind: kind.to_owned(), id: id.map(str::to_owned), people: people.clone() }
    }
}

/// The user that an actor is, if they are one.
pub(super) fn user(kind: &str, id: Option<&str>) -> Option<UserId> {
    id.filter(|_| kind == "user")?.parse().ok()
}

#[graphql_object]
#[graphql(context = Context)]
impl AuditActor {
    /// What kind of actor.
    fn kind(&self) -> AuditActorKind {
        match self.kind.as_str() {
            "user" => AuditActorKind::User,
            "machine" => AuditActorKind::Machine,
            "gate" => AuditActorKind::Gate,
            "cli" => AuditActorKind::Cli,
            "seed" => AuditActorKind::Seed,
            "webhook" => AuditActorKind::Webhook,
            _ => AuditActorKind::Other,
        }
    }

    /// The user, for those who are one.
    async fn user(&self, context: &Context) -> Result<Option<Account>, ApiError> {
        self.people.get(context, user(&self.kind, self.id.as_deref())).await
    }

    /// The client id, for a machine.
    fn client_id(&self) -> Option<&str> {
        self.id.as_deref().filter(|_| self.kind == "machine")
    }
}
