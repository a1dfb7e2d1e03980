//! What mutations of users answer with: one type for each, so that each can grow by itself.

use juniper::GraphQLObject;

use super::Account;
use crate::api::Context;
use crate::user::User;

/// A payload that gives the user as they now are.
macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, GraphQLObject)]
        #[graphql(context = Context)]
        pub struct $name {
            /// As it was given.
            pub client_mutation_id: Option<String>,
            /// The user, as they now are.
            pub user: Account,
        }

        impl $name {
            pub(super) fn new(user: User, client_mutation_id: Option<String>) -> Option<Self> {
                Account::alone(user).map(|user| Self { client_mutation_id, user })
            }
        }
    )*};
}

payloads! {
    /// Of `createUser`.
    CreateUserPayload;
    /// Of `updateUser`.
    UpdateUserPayload;
    /// Of `refreshUser`.
    RefreshUserPayload;
    /// Of `setRoles`.
    SetRolesPayload;
    /// Of `blockUser`.
    BlockUserPayload;
    /// Of `unblockUser`.
    UnblockUserPayload;
    /// Of `signOutUser`.
    SignOutUserPayload;
    /// Of `linkIdentity`.
    LinkIdentityPayload;
    /// Of `unlinkIdentity`.
    UnlinkIdentityPayload;
    /// Of `mergeUsers`: the user who is kept.
    MergeUsersPayload;
    /// Of `eraseUser`: the tombstone.
    EraseUserPayload;
}
