//! The fields of a user.

use std::sync::Arc;

use juniper::{GraphQLEnum, GraphQLObject, ID, graphql_object};

use super::audit::{AuditEventConnection, AuditScope};
use super::node::{Account, NodeValue};
use crate::api::error::NullOnError;
use crate::api::list::{ListItem, TextField};
use crate::api::paging::ConnectionArgs;
use crate::api::{AcceptedTerms, ApiError, Context, DateTime, Email, Json, NodeId};
use crate::auth0::Profile;
use crate::user::{self, Status};
use crate::{scope, store};

/// Whether a user may use the APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, GraphQLEnum)]
#[graphql(name = "Status")]
pub enum UserStatus {
    /// May use the APIs.
    Active,
    /// Refused until unblocked.
    Blocked,
    /// Erased on request. Only a row without personal data is left.
    Erased,
}

same_variants!(UserStatus, Status, Active | Blocked | Erased);

/// One of a user's Auth0 ids.
#[derive(Debug, Clone, GraphQLObject)]
pub struct Identity {
    /// The `sub` of its tokens. An erased user has a pseudonym instead, `erased|…`.
    pub auth0_id: String,
    /// The connection at Auth0: the part before the first `|`.
    pub provider: Option<String>,
    /// When the identity was linked to the user.
    pub linked_at: DateTime,
}

impl From<store::Identity> for Identity {
    fn from(identity: store::Identity) -> Self {
        let auth0_id = identity.auth0_id.to_string();
        let provider = auth0_id.split_once('|').map(|(provider, _)| provider.to_owned());
        Self { auth0_id, provider, linked_at: DateTime(identity.linked_at) }
    }
}

impl ListItem for Account {
    const WAITING: &'static [&'static str] =
        &["identities", "acceptedTerms", "profile", "auth0Profile", "auditTrail"];

    fn text(field: &str) -> Option<TextField<Self>> {
        let text: TextField<Self> = match field {
            "id" => |account| Some(NodeId::User(account.user.id).to_string().into()),
            "auth0Id" => |account| account.auth0_id().map(Into::into),
            "email" => |account| account.user.email.as_ref().map(|email| email.as_str().into()),
            "name" => |account| account.name().map(Into::into),
            "givenName" => |account| account.given_name().map(Into::into),
            "familyName" => |account| account.family_name().map(Into::into),
            "nickname" => |account| account.nickname().map(Into::into),
            "picture" => |account| account.picture().map(Into::into),
            "phone" => |account| account.phone().map(Into::into),
            _ => return None,
        };
        Some(text)
    }
}

#[graphql_object]
#[graphql(name = "User", context = Context, impl = NodeValue)]
impl Account {
    /// The global id: the UUID that Vestibule gave the user, as in the token's payload.
    pub(super) fn id(&self) -> ID {
        NodeId::User(self.user.id).into()
    }

    /// The user's primary Auth0 id; null for a pre-provisioned user who has not logged in. An erased user has a pseudonym
    /// instead, `erased|…`.
    fn auth0_id(&self) -> Option<&str> {
        self.user.auth0_id.as_ref().map(user::Auth0Id::as_str)
    }

    /// Email address.
    fn email(&self) -> Option<Email> {
        self.user.email.clone().map(Email)
    }

    /// Whether the email address is verified.
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

    /// Nickname.
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

    /// Whether the user may use the APIs.
    fn status(&self) -> UserStatus {
        self.user.status.into()
    }

    /// Names of the user's roles.
    fn roles(&self) -> &[String] {
        &self.user.roles
    }

    /// Tokens issued before this time are revoked.
    fn tokens_valid_from(&self) -> Option<DateTime> {
        self.user.tokens_valid_from.map(DateTime)
    }

    /// When the user was created.
    fn created_at(&self) -> DateTime {
        DateTime(self.user.created_at)
    }

    /// When the user last changed.
    fn updated_at(&self) -> DateTime {
        DateTime(self.user.updated_at)
    }

    /// All Auth0 ids of the user, in the order they were linked.
    async fn identities(&self, context: &Context) -> Result<Vec<Identity>, ApiError> {
        let identities =
            self.page.identities.get(context, &self.user.id, |store, ids| store.identities_by_user(ids));
        Ok(identities.await?.unwrap_or_default().into_iter().map(Identity::from).collect())
    }

    /// The accepted versions of the terms, in order of acceptance.
    async fn accepted_terms(&self, context: &Context) -> Result<Vec<AcceptedTerms>, ApiError> {
        let terms = self.page.terms.get(context, &self.user.id, |store, ids| store.terms_by_user(ids));
        Ok(terms.await?.unwrap_or_default().into_iter().map(AcceptedTerms::from).collect())
    }

    /// The stored profile, as it was last fetched from Auth0. Has no metadata if it was over 64 KiB.
    async fn profile(&self, context: &Context) -> NullOnError<Json<Arc<str>>> {
        Ok(self.page.profile(context, self.user.id).await?.map(Json))
    }

    /// The current profile, fetched from Auth0 for this request; null for an erased user and for one who has not logged
    /// in. Can be selected for one user at a time only. Needs `users:read`.
    async fn auth0_profile(&self, context: &Context) -> NullOnError<Json<Arc<Profile>>> {
        context.require(scope::USERS_READ)?;
        if self.page.users.len() > 1 {
            return Err(ApiError::BadInput(
                "Select auth0Profile for one user at a time, because it is fetched from Auth0.",
            ));
        }
        let erased = self.user.status == Status::Erased;
        let Some(id) = self.user.auth0_id.as_ref().filter(|_| !erased) else { return Ok(None) };
        Ok(Some(Json(context.gate().profiles().fetch(id).await?)))
    }

    /// The audit log of changes to the user, newest first. Give `first` or `last`, 1 to 100 (default: `first: 50`), and
    /// cursors as `after` and `before`. Needs `audit:read`.
    async fn audit_trail(
        &self,
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> NullOnError<AuditEventConnection> {
        context.require(scope::AUDIT_READ)?;
        let args = ConnectionArgs { first, after, last, before };
        let page = self.page.audit_page(context, self.user.id, &args).await?;
        Ok(Some(AuditEventConnection { page, filter: AuditScope::User(self.clone()) }))
    }
}
