//! Profiles, from the Management API.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;

use super::{Auth0, Auth0Error};
use crate::user::Auth0Id;

/// A `sub` is one path segment, whatever is in it: only unreserved characters (RFC 3986 §2.3) stay as they are.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A user as `GET /api/v2/users/{id}` gives them. `null` and absent are alike.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Profile {
    /// Equal to the id that was asked for: the call checks it.
    pub user_id: String,
    /// As Auth0 has it, not in canonical form.
    #[serde(default)]
    pub email: Option<String>,
    /// Only a JSON `true` is true.
    #[serde(default)]
    pub email_verified: Option<bool>,
    /// Full name.
    #[serde(default)]
    pub name: Option<String>,
    /// First name.
    #[serde(default)]
    pub given_name: Option<String>,
    /// Last name.
    #[serde(default)]
    pub family_name: Option<String>,
    /// By default the local part of the email.
    #[serde(default)]
    pub nickname: Option<String>,
    /// URL of a picture.
    #[serde(default)]
    pub picture: Option<String>,
    /// For connections that have one.
    #[serde(default)]
    pub phone_number: Option<String>,
    /// The whole answer.
    #[serde(skip)]
    pub whole: Value,
}

impl Auth0 {
    /// The profile of `id`; `None` when the tenant says there is no such user.
    ///
    /// # Errors
    /// See [`Auth0Error`]; among them an answer about somebody else.
    pub fn profile(&self, id: &Auth0Id) -> Result<Option<Profile>, Auth0Error> {
        let call = "the request for a profile";
        let uri =
            format!("{}api/v2/users/{}", self.settings.issuer, utf8_percent_encode(id.as_str(), SEGMENT));
        let ask = || -> Result<Value, Auth0Error> {
            let bearer = format!("Bearer {}", self.management_token()?);
            self.json(call, self.agent.get(&uri).header("authorization", bearer).call())
        };
        let mut answer = ask();
        if let Err(Auth0Error::Status { status: 401, .. }) = answer {
            // The held token was withdrawn or its keys were rotated: one try with a new one.
            self.forget_token();
            answer = ask();
        }
        let whole = match answer {
            // A 404 without Auth0's own code is a proxy's or a wrong address, and says nothing of the user.
            Err(Auth0Error::Status { status: 404, code: Some(code), .. }) if code == "inexistent_user" => {
                return Ok(None);
            }
            other => other?,
        };
        let mut profile = Profile::deserialize(&whole)
            .map_err(|_| Auth0Error::Nonsense { call, what: "something that is no profile" })?;
        if profile.user_id != id.as_str() {
            return Err(Auth0Error::Nonsense { call, what: "the profile of somebody else" });
        }
        profile.whole = whole;
        Ok(Some(profile))
    }
}
