//! Profiles, from the Management API.

use serde::Deserialize;
use serde_json::Value;

use super::{Auth0, Auth0Error};
use crate::user::Auth0Id;

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
        let uri = self.user_uri(id);
        let found = self.about_user(|bearer| {
            self.json::<Value>(call, self.agent.get(&uri).header("authorization", bearer).call())
        })?;
        let Some(whole) = found else { return Ok(None) };
        let profile = Profile::read(whole)
            .map_err(|_| Auth0Error::Nonsense { call, what: "something that is no profile" })?;
        if profile.user_id != id.as_str() {
            return Err(Auth0Error::Nonsense { call, what: "the profile of somebody else" });
        }
        Ok(Some(profile))
    }
}

impl Profile {
    /// Reads one as the Management API gives it, or as it was kept.
    ///
    /// # Errors
    /// When it is no profile.
    pub fn read(whole: Value) -> serde_json::Result<Self> {
        let profile = Self::deserialize(&whole)?;
        Ok(Self { whole, ..profile })
    }
}
