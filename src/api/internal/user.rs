//! A user, with everything we know of them, and pages of such.

use std::sync::Arc;

use juniper::{GraphQLEnum, GraphQLObject, ID, graphql_object};

use crate::api::{Context, DateTime};
use crate::store::Page;
use crate::user::{self, User};

/// A user as staff and machines see them.
#[derive(Debug, Clone)]
pub struct Account(pub Arc<User>);

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

#[graphql_object]
#[graphql(name = "User", context = Context)]
impl Account {
    /// Our id: opaque, and it stays.
    fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// Auth0's id; null while the row is pre-provisioned and not claimed.
    fn auth0_id(&self) -> Option<&str> {
        self.0.auth0_id.as_ref().map(user::Auth0Id::as_str)
    }

    /// Their email.
    fn email(&self) -> Option<&str> {
        self.0.email.as_ref().map(user::Email::as_str)
    }

    /// Whether they have shown that the email is theirs.
    fn email_verified(&self) -> bool {
        self.0.email_verified
    }

    /// Full name.
    fn name(&self) -> Option<&str> {
        self.0.person.name.as_deref()
    }

    /// First name.
    fn given_name(&self) -> Option<&str> {
        self.0.person.given_name.as_deref()
    }

    /// Last name.
    fn family_name(&self) -> Option<&str> {
        self.0.person.family_name.as_deref()
    }

    /// What friends say.
    fn nickname(&self) -> Option<&str> {
        self.0.person.nickname.as_deref()
    }

    /// URL of a picture.
    fn picture(&self) -> Option<&str> {
        self.0.person.picture.as_deref()
    }

    /// Phone number.
    fn phone(&self) -> Option<&str> {
        self.0.person.phone.as_deref()
    }

    /// Whether they may come in.
    fn status(&self) -> Status {
        match self.0.status {
            user::Status::Active => Status::Active,
            user::Status::Blocked => Status::Blocked,
            user::Status::Erased => Status::Erased,
        }
    }

    /// Names of their roles.
    fn roles(&self) -> &[String] {
        &self.0.roles
    }

    /// Tokens issued before this moment are withdrawn.
    fn tokens_valid_from(&self) -> Option<DateTime> {
        self.0.tokens_valid_from.map(DateTime)
    }

    /// When the row was made.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When the row last changed.
    fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

/// A page of users.
#[derive(Debug, Clone, GraphQLObject)]
#[graphql(name = "UserConnection", context = Context)]
pub struct AccountConnection {
    /// The users with their cursors.
    pub edges: Vec<AccountEdge>,
    /// Where the page stands in the list.
    pub page_info: PageInfo,
}

/// A user in a page.
#[derive(Debug, Clone, GraphQLObject)]
#[graphql(name = "UserEdge", context = Context)]
pub struct AccountEdge {
    /// Goes on after this user.
    pub cursor: String,
    /// The user.
    pub node: Account,
}

/// Where a page stands in its list.
#[derive(Debug, Clone, GraphQLObject)]
pub struct PageInfo {
    /// Whether more follow.
    pub has_next_page: bool,
    /// The cursor of the last edge.
    pub end_cursor: Option<String>,
}

impl From<Page> for AccountConnection {
    fn from(page: Page) -> Self {
        let edges: Vec<_> = page
            .users
            .into_iter()
            .map(|user| AccountEdge { cursor: user.id.to_string(), node: Account(Arc::new(user)) })
            .collect();
        let end_cursor = edges.last().map(|edge| edge.cursor.clone());
        Self { edges, page_info: PageInfo { has_next_page: page.has_next, end_cursor } }
    }
}
