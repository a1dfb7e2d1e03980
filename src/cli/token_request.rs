//! Requests for access tokens, as a frontend or a machine sends them to a tenant.

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::http_client::{HttpClient, HttpResponse};
use crate::bundle::{self, Bundle};

/// The grant for a user's password (Auth0: "Resource Owner Password Flow", with a realm).
const PASSWORD_REALM: &str = "http://auth0.com/oauth/grant-type/password-realm";

/// A token request, without credentials.
#[derive(Debug, Clone, Copy)]
pub(super) struct TokenRequest<'a> {
    /// The tenant's issuer, with its final slash.
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    /// The API the token is for.
    pub(super) audience: &'a str,
}

impl TokenRequest<'_> {
    /// Gets a user's access token with their password (the `password-realm` grant).
    pub(super) fn with_password(
        &self,
        http: &HttpClient,
        email: &str,
        password: &str,
    ) -> anyhow::Result<String> {
        let login = json!({
            "grant_type": PASSWORD_REALM,
            "realm": "Username-Password-Authentication",
            "client_id": self.client_id,
            "audience": self.audience,
            "username": email,
            "password": password,
            "scope": "openid profile email",
        });
        self.token(http, &login)
    }

    /// Gets the client's own access token with its secret.
    pub(super) fn with_secret(&self, http: &HttpClient, secret: &str) -> anyhow::Result<String> {
        let login = json!({
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": secret,
            "audience": self.audience,
        });
        self.token(http, &login)
    }

    fn token(&self, http: &HttpClient, login: &Value) -> anyhow::Result<String> {
        access_token(&http.post_json(&format!("{}oauth/token", self.issuer), &[], login)?)
    }
}

/// The access token in a response of `/oauth/token`.
pub(super) fn access_token(response: &HttpResponse) -> anyhow::Result<String> {
    if response.status != 200 {
        let [error, description] = ["/error", "/error_description"]
            .map(|member| response.at(member).as_str().unwrap_or("no reason").to_owned());
        let script = response.at("/script");
        let script = script.as_str().map(|script| format!("by the rule \"{script}\", ")).unwrap_or_default();
        bail!(
            "the tenant refused the token request: {description} ({script}{error}, status {})",
            response.status
        );
    }
    let token = response.at("/access_token");
    Ok(token.as_str().context("the tenant's response has no access_token")?.to_owned())
}

/// The bundle's first public client with the password grant.
pub(super) fn password_client(bundle: &Bundle) -> Option<&bundle::Client> {
    bundle.clients.iter().find(|client| client.is_public() && client.may_use(PASSWORD_REALM))
}

/// The bundle's first machine client with a grant for `audience` and a secret.
pub(super) fn machine_client<'a>(bundle: &'a Bundle, audience: &str) -> Option<&'a bundle::Client> {
    let granted = bundle.client_grants.iter().filter(|grant| grant.audience == audience);
    granted
        .filter_map(|grant| bundle.clients.iter().find(|client| client.client_id == grant.client_id))
        .find(|client| client.client_secret.is_some())
}
