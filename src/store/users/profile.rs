//! The Auth0 profile that a row keeps.

use serde_json::Value;

use crate::store::audit::provider;
use crate::user::Auth0Id;

/// The largest profile that is kept whole, in bytes of JSON.
///
/// Of a larger one only the members about the person stay, each whole: a later fetch compares with them what changed at
/// Auth0. Metadata is left out: part of it would mislead its readers, and refusing would lock a user out over its size.
pub const PROFILE_MAX_BYTES: usize = 64 * 1024;

/// The members about the person.
const PERSONAL: [&str; 9] = [
    "user_id",
    "email",
    "email_verified",
    "name",
    "given_name",
    "family_name",
    "nickname",
    "picture",
    "phone_number",
];

/// A longer value of those, in bytes, is none that is stored.
const PERSONAL_MAX_BYTES: usize = 4 * 1024;

/// Members that change with every login, which is no change of the profile.
const PER_LOGIN: [&str; 4] = ["last_login", "last_ip", "logins_count", "updated_at"];

/// What to keep of a profile. See [`PROFILE_MAX_BYTES`].
pub(crate) fn limited(profile: &Value, auth0_id: &Auth0Id) -> Option<Value> {
    let bytes = profile.to_string().len();
    if bytes <= PROFILE_MAX_BYTES {
        return Some(profile.clone());
    }
    let provider = provider(auth0_id).unwrap_or_default();
    tracing::warn!(bytes, provider, "a profile is too large to keep whole; its metadata is left out");
    let mut members = profile.as_object()?.clone();
    members.retain(|name, value| {
        PERSONAL.contains(&name.as_str()) && value.to_string().len() <= PERSONAL_MAX_BYTES
    });
    Some(Value::Object(members))
}

/// A profile without the members that change with every login.
pub(crate) fn lasting(profile: Option<Value>) -> Option<Value> {
    let mut profile = profile?;
    if let Some(members) = profile.as_object_mut() {
        members.retain(|name, _| !PER_LOGIN.contains(&name.as_str()));
    }
    Some(profile)
}
