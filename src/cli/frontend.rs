//! A frontend and a machine, as a tenant sees them: they log in and get tokens.

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::http_client::{HttpClient, HttpResponse};
use crate::bundle::{self, Bundle};

/// The grant that logs people in by password (Auth0: "Resource Owner Password Flow", with a realm).
const PASSWORD_REALM: &str = "http://auth0.com/oauth/grant-type/password-realm";

/// What a login at a tenant needs to say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client<'a> {
    /// The tenant's issuer, with its final slash.
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    /// The API the token is for.
    pub(super) audience: &'a str,
}

impl Client<'_> {
    /// An access token of a person, by their password (the `password-realm` grant).
    pub(super) fn token_by_password(
        &self,
        wire: &HttpClient,
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
        self.token(wire, &login)
    }

    /// An access token of the client itself, by its secret.
    pub(super) fn token_by_secret(&self, wire: &HttpClient, secret: &str) -> anyhow::Result<String> {
        let login = json!({
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": secret,
            "audience": self.audience,
        });
        self.token(wire, &login)
    }

    fn token(&self, wire: &HttpClient, login: &Value) -> anyhow::Result<String> {
        access_token(&wire.post_json(&format!("{}oauth/token", self.issuer), &[], login)?)
    }
}

/// The access token in an answer of `/oauth/token`.
pub(super) fn access_token(answer: &HttpResponse) -> anyhow::Result<String> {
    let body = answer.json();
    if answer.status != 200 {
        let said = |member: &str| body.get(member).and_then(Value::as_str).unwrap_or("no reason").to_owned();
        bail!(
            "the tenant gave no token: {} ({}, status {})",
            said("error_description"),
            said("error"),
            answer.status
        );
    }
    Ok(body
        .get("access_token")
        .and_then(Value::as_str)
        .context("the tenant's answer holds no token")?
        .to_owned())
}

/// The first client of a bundle that logs people in by password and needs no secret for it.
pub(super) fn frontend(bundle: &Bundle) -> Option<&bundle::Client> {
    bundle.clients.iter().find(|client| client.is_public() && client.may_use(PASSWORD_REALM))
}

/// The first machine of a bundle that may use the API `audience` and whose secret stands in the bundle.
pub(super) fn machine_for<'a>(bundle: &'a Bundle, audience: &str) -> Option<&'a bundle::Client> {
    let granted = bundle.client_grants.iter().filter(|grant| grant.audience == audience);
    granted
        .filter_map(|grant| bundle.clients.iter().find(|client| client.client_id == grant.client_id))
        .find(|client| client.client_secret.is_some())
}
