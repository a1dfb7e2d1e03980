//! Tokens by client credentials (RFC 6749 §4.4), and the one we hold for the Management API.

use std::fmt;
use std::sync::PoisonError;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::{Auth0, Auth0Error, Call};

/// How long before its end a held token is no longer used.
const MARGIN: Duration = Duration::from_secs(60);
/// The longest a token is held, whatever its `expires_in` says: Auth0's own last a day.
const HELD_MAX: Duration = Duration::from_secs(86_400);

/// A token a machine got for itself.
#[derive(Clone, Deserialize)]
pub struct ClientToken {
    /// The token.
    pub access_token: String,
    /// Seconds it is good for.
    pub expires_in: u64,
}

impl fmt::Debug for ClientToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientToken").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// A token in hand, and until when on the monotonic clock.
pub(super) struct HeldToken {
    token: String,
    until: Duration,
}

impl fmt::Debug for HeldToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldToken").field("until", &self.until).finish_non_exhaustive()
    }
}

impl Auth0 {
    /// A token for `audience` by our own client's credentials.
    ///
    /// # Errors
    /// See [`Auth0Error`]; [`Auth0Error::Status`] 401 or 403 when the client or its grant is not there.
    pub fn client_token(&self, audience: &str) -> Result<ClientToken, Auth0Error> {
        let (Some(id), Some(secret)) = (&self.settings.client_id, &self.settings.client_secret) else {
            return Err(Auth0Error::NoClient);
        };
        let body = json!({
            "grant_type": "client_credentials",
            "client_id": id,
            "client_secret": secret.expose(),
            "audience": audience,
        });
        self.json(
            Call::Token,
            self.agent.post(format!("{}oauth/token", self.settings.issuer)).send_json(body),
        )
    }

    /// The Management API token: the held one while it is good, else a new one.
    pub(super) fn management_token(&self) -> Result<String, Auth0Error> {
        if let Some(held) = &*self.held.lock().unwrap_or_else(PoisonError::into_inner)
            && self.clock.elapsed() < held.until
        {
            return Ok(held.token.clone());
        }
        let asked = self.clock.elapsed();
        let fresh = self.client_token(&format!("{}api/v2/", self.settings.issuer))?;
        let until = asked + Duration::from_secs(fresh.expires_in).min(HELD_MAX).saturating_sub(MARGIN);
        let held = HeldToken { token: fresh.access_token.clone(), until };
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(fresh.access_token)
    }

    /// Lets go of the held token, after the tenant refused it.
    pub(super) fn forget_token(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
