//! Calls to the Management API: where a user is, and a token that is renewed once when it is refused.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Auth0, Auth0Error};
use crate::user::Auth0Id;

/// A `sub` is one path segment, whatever is in it: only unreserved characters (RFC 3986 §2.3) stay as they are.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Auth0 {
    /// Where the Management API has a user.
    pub(super) fn user_uri(&self, id: &Auth0Id) -> String {
        format!("{}api/v2/users/{}", self.settings.issuer, utf8_percent_encode(id.as_str(), SEGMENT))
    }

    /// Makes a call with the value of its `Authorization` header; `None` when the tenant says there is no such user.
    pub(super) fn about_user<T>(
        &self,
        call: impl Fn(String) -> Result<T, Auth0Error>,
    ) -> Result<Option<T>, Auth0Error> {
        let ask = || call(format!("Bearer {}", self.management_token()?));
        let mut answer = ask();
        if let Err(Auth0Error::Status { status: 401, .. }) = answer {
            // The held token was revoked or its keys were rotated: one try with a new one.
            self.forget_token();
            answer = ask();
        }
        match answer {
            // A 404 without Auth0's own code is a proxy's or a wrong address, and says nothing of the user.
            Err(Auth0Error::Status { status: 404, code: Some(code), .. }) if code == "inexistent_user" => {
                Ok(None)
            }
            other => other.map(Some),
        }
    }
}
