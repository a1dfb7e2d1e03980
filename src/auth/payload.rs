//! The user in a token's payload: a cache of their row, which it is compared with.

use serde::Deserialize;
use serde_json::Value;

use super::Refusal;
use crate::store::Store;
use crate::user::{Auth0Id, PayloadUser, User};

/// Whether the values of the payload are those of the row. A missing value is always taken from the row.
pub(super) fn is_equal(payload: &PayloadUser, row: &User) -> bool {
    payload.id == row.id
        && payload.email.as_ref().is_none_or(|email| row.email.as_ref() == Some(email))
        && payload.email_verified.is_none_or(|verified| row.email_verified == verified)
        && payload.name.as_ref().is_none_or(|name| row.person.name.as_ref() == Some(name))
        && payload.picture.as_ref().is_none_or(|picture| row.person.picture.as_ref() == Some(picture))
        && payload.roles.as_ref().is_none_or(|roles| row.roles == *roles)
}

/// Reads the `user` claim of a token.
pub(super) fn payload_user(user: &Value) -> Result<PayloadUser, Refusal> {
    PayloadUser::deserialize(user)
        .map_err(|_| Refusal::BadPayload("The user in the payload of the token is malformed."))
}

/// Refuses a payload that is not of the user whom the subject `id` leads to. Its `auth0Id` is the subject, or the primary id
/// of the row, which earlier versions of the scripts copied.
pub(super) fn ensure_payload_of(
    row: &User,
    id: &Auth0Id,
    payload: &PayloadUser,
    store: &Store,
) -> Result<(), Refusal> {
    if payload.auth0_id != *id && row.auth0_id.as_ref() != Some(&payload.auth0_id) {
        return Err(Refusal::BadPayload(
            "The auth0Id in the payload of the token is not its subject: let the script put the id that logs in there.",
        ));
    }
    if payload.id != row.id && !store.was_merged_into(payload.id, row.id)? {
        return Err(Refusal::BadPayload(
            "The subject of the token leads to another user than its payload names: log in again.",
        ));
    }
    Ok(())
}
