//! The current user, with the fields that they may see.

use std::sync::Arc;

use juniper::{ID, graphql_interface, graphql_object};

use crate::api::{AcceptedTerms, ApiError, Context, DateTime, Email, NodeId};
use crate::user::{CurrentUser, User};

/// An object that can be fetched again by its id (Relay object identification).
#[graphql_interface]
#[graphql(name = "Node", for = [Me], enum = NodeValue, context = Context)]
pub trait Node {
    /// The global id: opaque and permanent.
    fn id(&self) -> ID;
}

/// The current user. Only their accepted terms run a query.
#[derive(Debug, Clone)]
pub struct Me(pub CurrentUser);

impl Me {
    fn row(&self) -> &User {
        self.0.row()
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
    fn email(&self) -> Option<Email> {
        self.row().email.clone().map(Email)
    }

    /// Whether the email address is verified.
    fn email_verified(&self) -> bool {
        self.row().email_verified
    }

    /// Full name.
    fn name(&self) -> Option<&str> {
        self.row().person.name.as_deref()
    }

    /// First name.
    fn given_name(&self) -> Option<&str> {
        self.row().person.given_name.as_deref()
    }

    /// Last name.
    fn family_name(&self) -> Option<&str> {
        self.row().person.family_name.as_deref()
    }

    /// Nickname.
    fn nickname(&self) -> Option<&str> {
        self.row().person.nickname.as_deref()
    }

    /// URL of a picture.
    fn picture(&self) -> Option<&str> {
        self.row().person.picture.as_deref()
    }

    /// Phone number.
    fn phone(&self) -> Option<&str> {
        self.row().person.phone.as_deref()
    }

    /// Names of the user's roles.
    fn roles(&self) -> &[String] {
        &self.row().roles
    }

    /// The accepted versions of the terms, in order of acceptance.
    fn accepted_terms(&self, context: &Context) -> Result<Vec<AcceptedTerms>, ApiError> {
        Ok(context.terms(&self.0)?.into_iter().map(AcceptedTerms::from).collect())
    }

    /// When the user was created.
    fn created_at(&self) -> DateTime {
        DateTime(self.row().created_at)
    }

    /// When the user last changed.
    fn updated_at(&self) -> DateTime {
        DateTime(self.row().updated_at)
    }
}

impl From<User> for Me {
    fn from(user: User) -> Self {
        Self(CurrentUser::Row(Arc::new(user)))
    }
}
