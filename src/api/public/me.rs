//! The current user, as they may see themselves.

use std::sync::Arc;

use juniper::{GraphQLObject, ID, graphql_object};

use super::node::NodeValue;
use crate::api::{ApiError, Context, DateTime, Email, NodeId};
use crate::store;
use crate::user::{CurrentUser, PayloadUser, User};

/// The current user. What their token tells costs no query; anything more costs one, together.
#[derive(Debug, Clone)]
pub struct Me(pub CurrentUser);

/// That you agreed to a version of the terms.
#[derive(Debug, Clone, GraphQLObject)]
#[graphql(context = Context)]
pub struct AcceptedTerms {
    /// Which version.
    pub version: String,
    /// When you first agreed to it.
    pub accepted_at: DateTime,
}

impl Me {
    /// A field that the token may tell: from there, else from the row.
    fn tell<T>(
        &self,
        context: &Context,
        payload: impl FnOnce(&PayloadUser) -> Option<T>,
        row: impl FnOnce(&User) -> T,
    ) -> Result<T, ApiError> {
        if let CurrentUser::Payload(user) = &self.0
            && let Some(told) = payload(user)
        {
            return Ok(told);
        }
        Ok(row(&*self.row(context)?))
    }

    fn row(&self, context: &Context) -> Result<Arc<User>, ApiError> {
        context.row(&self.0)
    }
}

#[graphql_object]
#[graphql(name = "User", context = Context, impl = NodeValue)]
impl Me {
    /// The global id: the `id` of the user in the token's payload.
    pub(super) fn id(&self) -> ID {
        NodeId::User(self.0.id()).into()
    }

    /// Auth0's id: the `sub` of their tokens.
    fn auth0_id(&self, context: &Context) -> Result<Option<String>, ApiError> {
        let id = |id: &crate::user::Auth0Id| Some(id.to_string());
        self.tell(context, |user| Some(id(&user.auth0_id)), |row| row.auth0_id.as_ref().and_then(id))
    }

    /// Their email.
    fn email(&self, context: &Context) -> Result<Option<Email>, ApiError> {
        let email = self.tell(context, |user| user.email.clone().map(Some), |row| row.email.clone())?;
        Ok(email.map(Email))
    }

    /// Whether they have shown that the email is theirs.
    fn email_verified(&self, context: &Context) -> Result<bool, ApiError> {
        self.tell(context, |user| user.email_verified, |row| row.email_verified)
    }

    /// Full name.
    fn name(&self, context: &Context) -> Result<Option<String>, ApiError> {
        self.tell(context, |user| user.name.clone().map(Some), |row| row.person.name.clone())
    }

    /// First name.
    fn given_name(&self, context: &Context) -> Result<Option<String>, ApiError> {
        Ok(self.row(context)?.person.given_name.clone())
    }

    /// Last name.
    fn family_name(&self, context: &Context) -> Result<Option<String>, ApiError> {
        Ok(self.row(context)?.person.family_name.clone())
    }

    /// What friends say.
    fn nickname(&self, context: &Context) -> Result<Option<String>, ApiError> {
        Ok(self.row(context)?.person.nickname.clone())
    }

    /// URL of a picture.
    fn picture(&self, context: &Context) -> Result<Option<String>, ApiError> {
        self.tell(context, |user| user.picture.clone().map(Some), |row| row.person.picture.clone())
    }

    /// Phone number.
    fn phone(&self, context: &Context) -> Result<Option<String>, ApiError> {
        Ok(self.row(context)?.person.phone.clone())
    }

    /// Names of their roles.
    fn roles(&self, context: &Context) -> Result<Vec<String>, ApiError> {
        self.tell(context, |user| user.roles.clone(), |row| row.roles.clone())
    }

    /// The terms they agreed to, the latest last.
    fn accepted_terms(&self, context: &Context) -> Result<Vec<AcceptedTerms>, ApiError> {
        Ok(context.terms(&self.0)?.into_iter().map(AcceptedTerms::from).collect())
    }

    /// When they first came.
    fn created_at(&self, context: &Context) -> Result<DateTime, ApiError> {
        Ok(DateTime(self.row(context)?.created_at))
    }

    /// When what we know of them last changed.
    fn updated_at(&self, context: &Context) -> Result<DateTime, ApiError> {
        Ok(DateTime(self.row(context)?.updated_at))
    }
}

impl From<User> for Me {
    fn from(user: User) -> Self {
        Self(CurrentUser::Row(Arc::new(user)))
    }
}

impl From<store::AcceptedTerms> for AcceptedTerms {
    fn from(terms: store::AcceptedTerms) -> Self {
        Self { version: terms.version, accepted_at: DateTime(terms.accepted_at) }
    }
}
