//! A user, with everything we know of them.

use std::sync::Arc;

use juniper::{GraphQLEnum, GraphQLObject, ID, graphql_object};

use super::account_batch::AccountBatch;
use super::audit::{AuditEventConnection, Counted};
use super::node::NodeValue;
use crate::api::connection::Paging;
use crate::api::{ApiError, Context, DateTime, Email, Json, NodeId};
use crate::scope;
use crate::store;
use crate::user::{self, User};

/// A user as staff and machines see them.
#[derive(Debug, Clone)]
pub struct Account {
    pub(super) user: Arc<User>,
    /// Whom they are shown together with.
    page: Arc<AccountBatch>,
}

/// Whether a user may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, GraphQLEnum)]
pub enum Status {
    /// May come in.
    Active,
    /// Turned away until unblocked.
    Blocked,
    /// The person asked to be forgotten; what is left is a tombstone.
    Erased,
}

/// One Auth0 id that leads to a user.
#[derive(Debug, Clone, GraphQLObject)]
#[graphql(context = Context)]
pub struct Identity {
    /// The `sub` of its tokens; of somebody erased a pseudonym that stands in its place, `erased|…`.
    pub auth0_id: String,
    /// The connection at Auth0: what stands before the first `|`.
    pub provider: Option<String>,
    /// Since when it leads to the user.
    pub linked_at: DateTime,
}

/// That a user agreed to a version of the terms.
#[derive(Debug, Clone, GraphQLObject)]
#[graphql(context = Context)]
pub struct AcceptedTerms {
    /// Which version.
    pub version: String,
    /// When they first agreed to it.
    pub accepted_at: DateTime,
}

impl Account {
    pub(super) fn new(user: Arc<User>, page: Arc<AccountBatch>) -> Self {
        Self { user, page }
    }

    /// A user shown by themselves.
    pub(super) fn alone(user: User) -> Option<Self> {
        AccountBatch::of(vec![user]).pop()
    }
}

#[graphql_object]
#[graphql(name = "User", context = Context, impl = NodeValue)]
impl Account {
    /// The global id. A user's is our UUID of them, as the token's payload has it.
    pub(super) fn id(&self) -> ID {
        NodeId::User(self.user.id).into()
    }

    /// Auth0's id: the one the row was made with or claimed by; null while it is pre-provisioned and not claimed. Of
    /// somebody erased a pseudonym that stands in its place, `erased|…`.
    fn auth0_id(&self) -> Option<&str> {
        self.user.auth0_id.as_ref().map(user::Auth0Id::as_str)
    }

    /// Their email.
    fn email(&self) -> Option<Email> {
        self.user.email.clone().map(Email)
    }

    /// Whether they have shown that the email is theirs.
    fn email_verified(&self) -> bool {
        self.user.email_verified
    }

    /// Full name.
    fn name(&self) -> Option<&str> {
        self.user.person.name.as_deref()
    }

    /// First name.
    fn given_name(&self) -> Option<&str> {
        self.user.person.given_name.as_deref()
    }

    /// Last name.
    fn family_name(&self) -> Option<&str> {
        self.user.person.family_name.as_deref()
    }

    /// What friends say.
    fn nickname(&self) -> Option<&str> {
        self.user.person.nickname.as_deref()
    }

    /// URL of a picture.
    fn picture(&self) -> Option<&str> {
        self.user.person.picture.as_deref()
    }

    /// Phone number.
    fn phone(&self) -> Option<&str> {
        self.user.person.phone.as_deref()
    }

    /// Whether they may come in.
    fn status(&self) -> Status {
        self.user.status.into()
    }

    /// Names of their roles.
    fn roles(&self) -> &[String] {
        &self.user.roles
    }

    /// Tokens issued before this moment are revoked.
    fn tokens_valid_from(&self) -> Option<DateTime> {
        self.user.tokens_valid_from.map(DateTime)
    }

    /// When the row was made.
    fn created_at(&self) -> DateTime {
        DateTime(self.user.created_at)
    }

    /// When the row last changed.
    fn updated_at(&self) -> DateTime {
        DateTime(self.user.updated_at)
    }

    /// Every Auth0 id that leads to them, in the order they were linked.
    async fn identities(&self, context: &Context) -> Result<Vec<Identity>, ApiError> {
        let identities = self.page.identities(context, self.user.id).await?;
        Ok(identities.into_iter().map(Identity::from).collect())
    }

    /// The terms they agreed to, the latest last.
    async fn accepted_terms(&self, context: &Context) -> Result<Vec<AcceptedTerms>, ApiError> {
        let terms = self.page.terms(context, self.user.id).await?;
        Ok(terms.into_iter().map(AcceptedTerms::from).collect())
    }

    /// The profile that is stored: as Auth0 gave it when it was last fetched, without its metadata if it was over 64 KiB.
    fn profile(&self) -> Option<Json> {
        self.user.profile.clone().map(Json)
    }

    /// The profile as Auth0 has it now, fetched for this request; null while nobody has claimed the row, and of somebody
    /// erased. One user at a time: not in a list of several. Needs `users:read`.
    async fn auth0_profile(&self, context: &Context) -> Result<Option<Json>, ApiError> {
        context.require(scope::USERS_READ)?;
        if self.page.len() > 1 {
            return Err(ApiError::BadInput(
                "Ask for auth0Profile of one user at a time: it is fetched from Auth0.",
            ));
        }
        let erased = self.user.status == user::Status::Erased;
        let Some(id) = self.user.auth0_id.as_ref().filter(|_| !erased) else { return Ok(None) };
        Ok(Some(Json(context.gate().profiles().fetch(id).await?.whole.clone())))
    }

    /// What was changed of them and by whom, the newest first: `first` from the beginning or `last` from the end, 1 to
    /// 100 of them (50 when neither is given), after and before cursors. Needs `audit:read`.
    async fn audit_trail(
        &self,
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Option<AuditEventConnection>, ApiError> {
        context.require(scope::AUDIT_READ)?;
        let paging = Paging { first, after, last, before };
        let page = self.page.trail(context, self.user.id, &paging).await?;
        Ok(Some(AuditEventConnection::new(page, Counted::Trail(self.clone()))))
    }
}

impl Account {
    pub(super) async fn trail_length(&self, context: &Context) -> Result<u64, ApiError> {
        self.page.trail_length(context, self.user.id).await
    }
}

impl From<user::Status> for Status {
    fn from(status: user::Status) -> Self {
        match status {
            user::Status::Active => Self::Active,
            user::Status::Blocked => Self::Blocked,
            user::Status::Erased => Self::Erased,
        }
    }
}

impl From<Status> for user::Status {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => Self::Active,
            Status::Blocked => Self::Blocked,
            Status::Erased => Self::Erased,
        }
    }
}

impl From<store::Identity> for Identity {
    fn from(identity: store::Identity) -> Self {
        let auth0_id = identity.auth0_id.to_string();
        let provider = auth0_id.split_once('|').map(|(provider, _)| provider.to_owned());
        Self { auth0_id, provider, linked_at: DateTime(identity.linked_at) }
    }
}

impl From<store::AcceptedTerms> for AcceptedTerms {
    fn from(terms: store::AcceptedTerms) -> Self {
        Self { version: terms.version, accepted_at: DateTime(terms.accepted_at) }
    }
}
