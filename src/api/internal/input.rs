//! What mutations of users take: one input each.
//!
//! `clientMutationId` is echoed. Repeating a mutation changes nothing more: what is so already stays so, without
//! another line in the trail. `createUser` is the exception that needs the id to know a repetition by.

use juniper::{GraphQLInputObject, ID, Nullable};

use crate::api::Email;
use crate::api::person::have_a_person;

/// A user that is expected. Needs an email or an Auth0 id to be found by.
#[derive(Debug, Clone, GraphQLInputObject)]
pub struct CreateUserInput {
    /// Auth0's id of them, if it is known. Without it the row waits for whoever first comes with the email, verified.
    pub auth0_id: Option<String>,
    /// Their email.
    pub email: Option<Email>,
    /// Whether somebody saw to it that the email is theirs; not so when not given.
    pub email_verified: Option<bool>,
    /// Full name.
    pub name: Nullable<String>,
    /// First name.
    pub given_name: Nullable<String>,
    /// Last name.
    pub family_name: Nullable<String>,
    /// What friends say.
    pub nickname: Nullable<String>,
    /// URL of a picture, http or https.
    pub picture: Nullable<String>,
    /// Phone number.
    pub phone: Nullable<String>,
    /// Names of their roles.
    pub roles: Option<Vec<String>>,
    /// Echoed. Repeated by the same caller within a day it gives the same user, so make it unique: a UUID, say.
    pub client_mutation_id: Option<String>,
}

/// What to change of a user. What is not given stays as it is; null empties it.
#[derive(Debug, Clone, GraphQLInputObject)]
pub struct UpdateUserInput {
    /// The user.
    pub id: ID,
    /// Full name.
    pub name: Nullable<String>,
    /// First name.
    pub given_name: Nullable<String>,
    /// Last name.
    pub family_name: Nullable<String>,
    /// What friends say.
    pub nickname: Nullable<String>,
    /// URL of a picture, http or https.
    pub picture: Nullable<String>,
    /// Phone number.
    pub phone: Nullable<String>,
    /// Their email. Another one is unverified, unless `emailVerified` says otherwise.
    pub email: Nullable<Email>,
    /// Whether somebody saw to it that the email is theirs.
    pub email_verified: Option<bool>,
    /// Echoed.
    pub client_mutation_id: Option<String>,
}

/// The roles of a user.
#[derive(Debug, Clone, GraphQLInputObject)]
pub struct SetRolesInput {
    /// The user.
    pub id: ID,
    /// Names of all their roles.
    pub roles: Vec<String>,
    /// Echoed.
    pub client_mutation_id: Option<String>,
}

/// A user and one of their Auth0 ids.
#[derive(Debug, Clone, GraphQLInputObject)]
pub struct LinkIdentityInput {
    /// The user.
    pub id: ID,
    /// Auth0's id.
    pub auth0_id: String,
    /// Echoed.
    pub client_mutation_id: Option<String>,
}

/// A user and one of their Auth0 ids.
#[derive(Debug, Clone, GraphQLInputObject)]
pub struct UnlinkIdentityInput {
    /// The user.
    pub id: ID,
    /// Auth0's id.
    pub auth0_id: String,
    /// Echoed.
    pub client_mutation_id: Option<String>,
}

/// Two users who are one person.
#[derive(Debug, Clone, GraphQLInputObject)]
pub struct MergeUsersInput {
    /// Who stays.
    pub kept_id: ID,
    /// Whose identities move to the other, and of whom a tombstone is left.
    pub gone_id: ID,
    /// Echoed.
    pub client_mutation_id: Option<String>,
}

/// Inputs that say who, and no more.
macro_rules! of_a_user {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, GraphQLInputObject)]
        pub struct $name {
            /// The user.
            pub id: ID,
            /// Echoed.
            pub client_mutation_id: Option<String>,
        }
    )*};
}

of_a_user! {
    /// Whose profile to fetch anew.
    RefreshUserInput;
    /// Whom to block.
    BlockUserInput;
    /// Whom to unblock.
    UnblockUserInput;
    /// Whom to sign out.
    SignOutUserInput;
    /// Whom to erase.
    EraseUserInput;
    /// Whose data to give out.
    ExportUserInput;
}

/// Nothing but the echo.
#[derive(Debug, Clone, GraphQLInputObject)]
pub struct RefreshKeysInput {
    /// Echoed.
    pub client_mutation_id: Option<String>,
}

have_a_person!(CreateUserInput, UpdateUserInput);
