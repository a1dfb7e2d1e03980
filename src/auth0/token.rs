//! Tokens by client credentials (RFC 6749 §4.4), and the cached one for the Management API.

use std::sync::PoisonError;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::client::ManagementToken;
use super::{Auth0, Auth0Error, Call};
use crate::telemetry::Secret;

/// How long before its expiry a cached token is replaced.
const MARGIN: Duration = Duration::from_secs(60);
/// The longest a token is cached, whatever its `expires_in`: Auth0's own last a day.
const LIFETIME_MAX: Duration = Duration::from_secs(86_400);

/// A machine's token.
#[derive(Debug, Clone, Deserialize)]
pub struct ClientToken {
    /// The token.
    pub access_token: Secret,
    /// Its lifetime in seconds.
    pub expires_in: u64,
}

impl Auth0 {
    /// A token for `audience` by our own client's credentials.
    ///
    /// # Errors
    /// See [`Auth0Error`]; [`Auth0Error::Status`] 401 or 403 when the client or its grant does not exist.
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
        let uri = format!("{}oauth/token", self.settings.issuer);
        self.json(Call::Token, self.agent.post(uri).send_json(body))
    }

    /// The Management API token: the cached one while it is good, else a new one.
    pub(super) fn management_token(&self) -> Result<Secret, Auth0Error> {
        let now = self.clock.elapsed();
        if let Some(cached) = &*self.token.lock().unwrap_or_else(PoisonError::into_inner)
            && now < cached.good_until
        {
            return Ok(cached.token.clone());
        }
        let fresh = self.client_token(&format!("{}api/v2/", self.settings.issuer))?;
        let lifetime = Duration::from_secs(fresh.expires_in).min(LIFETIME_MAX).saturating_sub(MARGIN);
        let token = ManagementToken { token: fresh.access_token.clone(), good_until: now + lifetime };
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
        Ok(fresh.access_token)
    }

    /// Drops the cached token after the tenant refused it.
    pub(super) fn forget_token(&self) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
