//! Inputs and payloads of the Internal API's mutations.
//!
//! Repeating a mutation changes nothing more and adds no line to the audit log. `createUser` needs `clientMutationId` as an
//! idempotency key for that.

use juniper::ID;

use super::node::Account;
use crate::api::mutation_types::{inputs, payloads, person_input};
use crate::api::{Context, Email, Json};

person_input! {
    /// Input of `createUser`. Give an email or an Auth0 id.
    CreateUserInput {
        /// The user's Auth0 id, if you know it. Without it, the first login with this verified email takes over the user.
        auth0_id: Option<String>,
        /// Email address.
        email: Option<Email>,
        /// Whether the email address is verified; false by default.
        email_verified: Option<bool>,
        ..person,
        /// Names of the user's roles.
        roles: Option<Vec<String>>,
        /// Idempotency key, returned unchanged in the payload: for a day, the same caller gets the same user for it. Use a
        /// unique one, such as a UUID.
        client_mutation_id: Option<String>,
    }
}

person_input! {
    /// Input of `updateUser`. A missing field keeps its value; null clears it.
    UpdateUserInput {
        /// The user.
        id: ID,
        ..person,
        /// Email address. A new one is unverified, unless `emailVerified` says otherwise.
        email: juniper::Nullable<Email>,
        /// Whether the email address is verified.
        email_verified: Option<bool>,
        /// Returned unchanged in the payload.
        client_mutation_id: Option<String>,
    }
}

inputs! {
    "Input of `setRoles`." SetRolesInput { "The user." id: ID, "Names of all their roles." roles: Vec<String> }
    "Input of `linkIdentity`." LinkIdentityInput { "The user." id: ID, "The Auth0 id to link." auth0_id: String }
    "Input of `unlinkIdentity`." UnlinkIdentityInput { "The user." id: ID, "The Auth0 id to unlink." auth0_id: String }
    "Input of `mergeUsers`: two users who are the same person." MergeUsersInput {
        "The user to keep." kept_id: ID,
        "The user whose identities move to the other, and who is then erased." gone_id: ID
    }
    "Input of `refreshUser`." RefreshUserInput { "The user." id: ID }
    "Input of `blockUser`." BlockUserInput { "The user." id: ID }
    "Input of `unblockUser`." UnblockUserInput { "The user." id: ID }
    "Input of `signOutUser`." SignOutUserInput { "The user." id: ID }
    "Input of `eraseUser`." EraseUserInput { "The user." id: ID }
    "Input of `exportUser`." ExportUserInput {
        "The user." id: ID,
        "Continues an earlier export: its `next`." after: Option<String>
    }
    "Input of `refreshKeys`." RefreshKeysInput {}
}

// One type per mutation, so that each can get fields of its own.
payloads! {
    "Payload of `createUser`." CreateUserPayload { "The user after the mutation." user: Account }
    "Payload of `updateUser`." UpdateUserPayload { "The user after the mutation." user: Account }
    "Payload of `refreshUser`." RefreshUserPayload { "The user after the mutation." user: Account }
    "Payload of `setRoles`." SetRolesPayload { "The user after the mutation." user: Account }
    "Payload of `blockUser`." BlockUserPayload { "The user after the mutation." user: Account }
    "Payload of `unblockUser`." UnblockUserPayload { "The user after the mutation." user: Account }
    "Payload of `signOutUser`." SignOutUserPayload { "The user after the mutation." user: Account }
    "Payload of `linkIdentity`." LinkIdentityPayload { "The user after the mutation." user: Account }
    "Payload of `unlinkIdentity`." UnlinkIdentityPayload { "The user after the mutation." user: Account }
    "Payload of `mergeUsers`." MergeUsersPayload { "The user who is kept." user: Account }
    "Payload of `eraseUser`." EraseUserPayload { "The erased user." user: Account }
    "Payload of `exportUser`." ExportUserPayload {
        "The user's row, identities, accepted terms and audit log." data: Json,
        "Where the audit log goes on, if it is longer: pass it as `after`." next: Option<String>
    }
    "Payload of `refreshKeys`." RefreshKeysPayload {
        "The issuers whose keys are being fetched in the background." issuers: Vec<String>
    }
}
