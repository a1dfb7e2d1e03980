//! The actor of a change or a deployment.

use juniper::{GraphQLEnum, graphql_object};

use super::node::{Account, People, user_of_actor};
use crate::api::{ApiError, Context};

/// The actor of a change.
#[derive(Debug, Clone)]
pub struct AuditActor {
    kind: String,
    id: Option<String>,
    people: People,
}

/// The kind of an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, GraphQLEnum)]
pub enum AuditActorKind {
    /// A user: themselves or staff.
    User,
    /// A machine, with its client id.
    Machine,
    /// The gate, when a user first logs in.
    Gate,
    /// The command line.
    Cli,
    /// The seed data at start.
    Seed,
    /// A signed webhook.
    Webhook,
    /// A kind that this version doesn't know.
    Other,
}

impl AuditActor {
    pub(super) fn new(kind: &str, id: Option<&str>, people: &People) -> Self {
        Self { kind: kind.to_owned(), id: id.map(str::to_owned), people: people.clone() }
    }
}

#[graphql_object]
#[graphql(context = Context)]
impl AuditActor {
    /// The kind of actor.
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

    /// The user, if the actor is one.
    async fn user(&self, context: &Context) -> Result<Option<Account>, ApiError> {
        self.people.get(context, user_of_actor(&self.kind, self.id.as_deref())).await
    }

    /// The client id, if the actor is a machine.
    fn client_id(&self) -> Option<&str> {
        self.id.as_deref().filter(|_| self.kind == "machine")
    }
}
