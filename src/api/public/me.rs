//! The current user, with the fields that they may see.

use std::sync::Arc;

use juniper::{ID, graphql_interface, graphql_object};

use crate::api::{AcceptedTerms, ApiError, Context, DateTime, Email, NodeId};
use crate::user::{CurrentUser, PayloadUser, User};

/// An object that can be fetched again by its id (Relay object identification).
#[graphql_interface]
#[graphql(name = "Node", for = [Me], enum = NodeValue, context = Context)]
pub trait Node {
    /// The global id: opaque and permanent.
    fn id(&self) -> ID;
}

/// The current user. Fields in the token run no query; all others share one.
#[derive(Debug, Clone)]
pub struct Me(pub CurrentUser);

impl Me {
    /// A field from the token, or else from the row.
    fn field<T>(
        &self,
        context: &Context,
        payload: impl FnOnce(&PayloadUser) -> Option<T>,
        row: impl FnOnce(&User) -> T,
    ) -> Result<T, ApiError> {
        if let CurrentUser::Payload(user) = &self.0
            && let Some(value) = payload(user)
        {
            return Ok(value);
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

    /// The user's id at Auth0: the `sub` of their tokens.
    fn auth0_id(context: &Context) -> Option<&str> {
        context.caller().subject()
    }

    /// Email address.
    fn email(&self, context: &Context) -> Result<Option<Email>, ApiError> {
        let email = self.field(context, |user| user.email.clone().map(Some), |row| row.email.clone())?;
        Ok(email.map(Email))
    }

    /// Whether the email address is verified.
    fn email_verified(&self, context: &Context) -> Result<bool, ApiError> {
        self.field(context, |user| user.email_verified, |row| row.email_verified)
    }

    /// Full name.
    fn name(&self, context: &Context) -> Result<Option<String>, ApiError> {
        self.field(context, |user| user.name.clone().map(Some), |row| row.person.name.clone())
    }

    /// First name.
    fn given_name(&self, context: &Context) -> Result<Option<String>, ApiError> {
        Ok(self.row(context)?.person.given_name.clone())
    }

    /// Last name.
    fn family_name(&self, context: &Context) -> Result<Option<String>, ApiError> {
        Ok(self.row(context)?.person.family_name.clone())
    }

    /// Nickname.
    fn nickname(&self, context: &Context) -> Result<Option<String>, ApiError> {
        Ok(self.row(context)?.person.nickname.clone())
    }

    /// URL of a picture.
    fn picture(&self, context: &Context) -> Result<Option<String>, ApiError> {
        self.field(context, |user| user.picture.clone().map(Some), |row| row.person.picture.clone())
    }

    /// Phone number.
    fn phone(&self, context: &Context) -> Result<Option<String>, ApiError> {
        Ok(self.row(context)?.person.phone.clone())
    }

    /// Names of the user's roles.
    fn roles(&self, context: &Context) -> Result<Vec<String>, ApiError> {
        self.field(context, |user| user.roles.clone(), |row| row.roles.clone())
    }

    /// The accepted versions of the terms, in order of acceptance.
    fn accepted_terms(&self, context: &Context) -> Result<Vec<AcceptedTerms>, ApiError> {
        Ok(context.terms(&self.0)?.into_iter().map(AcceptedTerms::from).collect())
    }

    /// When the user was created.
    fn created_at(&self, context: &Context) -> Result<DateTime, ApiError> {
        Ok(DateTime(self.row(context)?.created_at))
    }

    /// When the user last changed.
    fn updated_at(&self, context: &Context) -> Result<DateTime, ApiError> {
        Ok(DateTime(self.row(context)?.updated_at))
    }
}

impl From<User> for Me {
    fn from(user: User) -> Self {
        Self(CurrentUser::Row(Arc::new(user)))
    }
}
