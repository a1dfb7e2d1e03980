//! What the Public API's mutations take and answer with.
//!
//! `clientMutationId` is echoed. Each mutation says what should be so, and repeating it changes nothing more.

use juniper::{GraphQLInputObject, GraphQLObject, ID, Nullable};

use super::Me;
use crate::api::person::have_a_person;
use crate::api::{Context, Json};

/// What to change of yourself. What is not given stays as it is; null empties it.
#[derive(Debug, Clone, GraphQLInputObject)]
pub struct UpdateMeInput {
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
    /// Echoed.
    pub client_mutation_id: Option<String>,
}

/// The terms you agree to.
#[derive(Debug, Clone, GraphQLInputObject)]
pub struct AcceptTermsInput {
    /// The version, as the frontend names it: 1 to 32 letters, digits, dots, hyphens and underscores.
    pub version: String,
    /// Echoed.
    pub client_mutation_id: Option<String>,
}

/// Nothing but the echo.
#[derive(Debug, Clone, GraphQLInputObject)]
pub struct RefreshMeInput {
    /// Echoed.
    pub client_mutation_id: Option<String>,
}

/// Nothing but the echo.
#[derive(Debug, Clone, GraphQLInputObject)]
pub struct SignOutEverywhereInput {
    /// Echoed.
    pub client_mutation_id: Option<String>,
}

/// Nothing but the echo.
#[derive(Debug, Clone, GraphQLInputObject)]
pub struct ExportMeInput {
    /// Echoed.
    pub client_mutation_id: Option<String>,
}

/// The confirmation that you mean it.
#[derive(Debug, Clone, GraphQLInputObject)]
pub struct EraseMeInput {
    /// Your own id. Anything else erases nobody.
    pub confirm_id: ID,
    /// Echoed.
    pub client_mutation_id: Option<String>,
}

/// Payloads that give the current user as they now are.
macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, GraphQLObject)]
        #[graphql(context = Context)]
        pub struct $name {
            /// As it was given.
            pub client_mutation_id: Option<String>,
            /// You, as you now are.
            pub me: Me,
        }
    )*};
}

payloads! {
    /// Of `updateMe`.
    UpdateMePayload;
    /// Of `refreshMe`.
    RefreshMePayload;
    /// Of `acceptTerms`.
    AcceptTermsPayload;
}

/// Of `signOutEverywhere`.
#[derive(Debug, Clone, GraphQLObject)]
#[graphql(context = Context)]
pub struct SignOutEverywherePayload {
    /// As it was given.
    pub client_mutation_id: Option<String>,
    /// Tokens issued before this moment are revoked: the one of this request too.
    pub tokens_valid_from: Option<crate::api::DateTime>,
}

/// Of `exportMe`.
#[derive(Debug, Clone, GraphQLObject)]
#[graphql(context = Context)]
pub struct ExportMePayload {
    /// As it was given.
    pub client_mutation_id: Option<String>,
    /// Everything we hold about you: your row, identities, accepted terms and what was changed of you by whom.
    pub data: Json,
}

/// Of `eraseMe`.
#[derive(Debug, Clone, GraphQLObject)]
#[graphql(context = Context)]
pub struct EraseMePayload {
    /// As it was given.
    pub client_mutation_id: Option<String>,
    /// The id that nobody has any more.
    pub erased_id: ID,
}

have_a_person!(UpdateMeInput);
