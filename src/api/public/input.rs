//! Inputs and payloads of the Public API's mutations.

use juniper::ID;

use super::me::Me;
use crate::api::mutation_types::{inputs, payloads, person_input};
use crate::api::{Context, DateTime, Json};

person_input! {
    /// Input of `updateMe`. A missing field keeps its value; null clears it.
    UpdateMeInput {
        ..person,
        /// Returned unchanged in the payload.
        client_mutation_id: Option<String>,
    }
}

inputs! {
    "Input of `refreshMe`." RefreshMeInput {}
    "Input of `acceptTerms`." AcceptTermsInput {
        "The version that you accept: 1 to 32 letters, digits, dots, hyphens and underscores." version: String
    }
    "Input of `signOutEverywhere`." SignOutEverywhereInput {}
    "Input of `exportMe`." ExportMeInput {
        "Continues an earlier export: its `next`." after: Option<String>
    }
    "Input of `eraseMe`." EraseMeInput {
        "Your own id, as confirmation. Any other id is an error." confirm_id: ID
    }
}

payloads! {
    "Payload of `updateMe`." UpdateMePayload { "The updated user." me: Me }
    "Payload of `refreshMe`." RefreshMePayload { "The updated user." me: Me }
    "Payload of `acceptTerms`." AcceptTermsPayload { "The updated user." me: Me }
    "Payload of `signOutEverywhere`." SignOutEverywherePayload {
        "Tokens issued before this time are revoked, including the token of this request."
        tokens_valid_from: Option<DateTime>
    }
    "Payload of `exportMe`." ExportMePayload {
        "All data about you: your row, identities, accepted terms, and the audit log of changes to your data." data: Json,
        "Where the audit log goes on, if it is longer: pass it as `after`." next: Option<String>
    }
    "Payload of `eraseMe`." EraseMePayload { "The id of the erased user." erased_id: ID }
}
