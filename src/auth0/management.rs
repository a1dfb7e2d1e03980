//! Calls to the Management API about one user. A token that is refused is renewed once.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{Auth0, Auth0Error, Call, Profile};
use crate::user::Auth0Id;

/// Escapes an id to one path segment: only unreserved characters (RFC 3986 §2.3) stay as they are.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Auth0 {
    /// The profile of `id`, by `GET /api/v2/users/{id}`; `None` if the tenant has no such user.
    ///
    /// # Errors
    /// See [`Auth0Error`]; [`Auth0Error::UnexpectedAnswer`] for the profile of another user.
    pub fn profile(&self, id: &Auth0Id) -> Result<Option<Profile>, Auth0Error> {
        let call = Call::Profile;
        let uri = self.user_uri(id);
        let answer = self.with_token(|bearer| {
            self.json::<Value>(call, self.agent.get(&uri).header("authorization", bearer).call())
        })?;
        let Some(whole) = answer else { return Ok(None) };
        let unexpected = |what| Auth0Error::UnexpectedAnswer { call, what };
        let profile = Profile::read(whole).ok_or(unexpected("JSON that is not a profile"))?;
        if profile.user_id != id.as_str() {
            return Err(unexpected("the profile of another user"));
        }
        Ok(Some(profile))
    }

    /// Blocks or unblocks a user at the tenant, by `PATCH /api/v2/users/{id}`, which needs the scope `update:users`. Returns
    /// whether the tenant has the user.
    ///
    /// # Errors
    /// See [`Auth0Error`]; [`Auth0Error::Status`] 403 when the client's grant lacks the scope.
    pub fn set_blocked(&self, id: &Auth0Id, blocked: bool) -> Result<bool, Auth0Error> {
        let uri = self.user_uri(id);
        let answer = self.with_token(|bearer| {
            let request = self.agent.patch(&uri).header("authorization", bearer);
            self.json::<Value>(Call::Block, request.send_json(json!({ "blocked": blocked })))
        })?;
        Ok(answer.is_some())
    }

    fn user_uri(&self, id: &Auth0Id) -> String {
        format!("{}api/v2/users/{}", self.settings.issuer, utf8_percent_encode(id.as_str(), SEGMENT))
    }

    /// Makes a call with an `Authorization` value; `None` if the tenant has no such user.
    fn with_token<T>(&self, call: impl Fn(String) -> Result<T, Auth0Error>) -> Result<Option<T>, Auth0Error> {
        match self.authorized(call) {
            // A 404 without Auth0's own code is a proxy's, or a wrong address.
            Err(Auth0Error::Status { status: 404, code: Some(code), .. }) if code == "inexistent_user" => {
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    /// Makes a call with an `Authorization` value, and once more with a new token if that one is refused: it was revoked, or
    /// the tenant's keys were rotated.
    pub(super) fn authorized<T>(
        &self,
        call: impl Fn(String) -> Result<T, Auth0Error>,
    ) -> Result<T, Auth0Error> {
        let authorized = || call(format!("Bearer {}", self.management_token()?.expose()));
        let answer = authorized();
        if let Err(Auth0Error::Status { status: 401, .. } | Auth0Error::Refused { status: 401, .. }) = answer
        {
            self.forget_token();
            return authorized();
        }
        answer
    }
}
