//! An authorization request, and the code it ends in.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::oauth_error::OAuthError;
use super::super::params::Params;
use super::super::{Inner, clients};
use super::callback::{Callback, ResponseMode};
use super::login::LoginResult;
use super::pkce;
use crate::bundle::Client;

/// A checked authorization request, kept while the user logs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AuthorizationRequest {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) mode: ResponseMode,
    pub(super) state: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) challenge: Option<String>,
    pub(super) prompt: Option<String>,
    pub(super) login_hint: Option<String>,
    pub(super) max_age: Option<i64>,
    /// All parameters, as rules see them.
    pub(super) query: Value,
}

/// The content of an authorization code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct AuthorizationCode {
    pub(super) request: AuthorizationRequest,
    /// The id of the browser session.
    pub(super) sid: String,
    /// When the user authenticated, if the request had `max_age`.
    pub(super) auth_time: Option<i64>,
    pub(super) login: LoginResult,
}

/// The client and its callback. Without both no redirect is safe.
pub(super) fn client_and_callback<'a>(
    tenant: &'a Inner,
    params: &'a Params,
) -> Result<(&'a Client, &'a str), OAuthError> {
    let client_id = params.require("client_id")?;
    let client = clients::find(&tenant.bundle, client_id)
        .ok_or_else(|| OAuthError::unauthorized_client(format!("Unknown client: {client_id}")))?;
    let redirect_uri = params.require("redirect_uri")?;
    if !clients::is_registered(&client.callbacks, redirect_uri) || url::Url::parse(redirect_uri).is_err() {
        return Err(OAuthError::access_denied(format!(
            "Callback URL mismatch. {redirect_uri} is not in the list of allowed callback URLs of the client \
             \"{client_id}\": add it to its callbacks in the bundle."
        )));
    }
    Ok((client, redirect_uri))
}

impl AuthorizationRequest {
    /// Checks the other parameters.
    pub(super) fn parse(
        tenant: &Inner,
        params: &Params,
        client: &Client,
        redirect_uri: &str,
    ) -> Result<Self, OAuthError> {
        let response_type = params.require("response_type")?;
        if response_type != "code" {
            let problem =
                format!("Unsupported response type: {response_type}; this tenant supports \"code\"");
            return Err(OAuthError::new(400, "unsupported_response_type", problem));
        }
        if !client.may_use("authorization_code") {
            let problem = "Grant type 'authorization_code' not allowed for the client.";
            return Err(OAuthError::unauthorized_client(problem));
        }
        let mode = ResponseMode::from_params(params).ok_or_else(|| {
            let mode = params.get("response_mode").unwrap_or_default();
            OAuthError::invalid_request(format!("Unsupported response mode: {mode}"))
        })?;
        let challenge = params.get("code_challenge");
        let invalid_challenge = match (challenge, params.get("code_challenge_method")) {
            (Some(challenge), Some("S256")) if pkce::is_challenge(challenge) => None,
            (Some(_), Some("S256")) => Some("Parameter code_challenge is not an S256 hash"),
            (Some(_), _) => Some("Parameter code_challenge_method must be S256"),
            (None, _) => {
                client.is_public().then_some("Parameter 'code_challenge' is required: the client is public")
            }
        };
        if let Some(problem) = invalid_challenge {
            return Err(OAuthError::invalid_request(problem));
        }
        let audience = tenant.audience(params);
        tenant.api(audience)?;
        let owned = |name: &str| params.get(name).map(str::to_owned);
        Ok(Self {
            client_id: client.client_id.clone(),
            redirect_uri: redirect_uri.to_owned(),
            mode,
            state: owned("state"),
            nonce: owned("nonce"),
            scope: owned("scope"),
            audience: audience.map(str::to_owned),
            challenge: owned("code_challenge"),
            prompt: owned("prompt"),
            login_hint: owned("login_hint"),
            max_age: params.get("max_age").and_then(|seconds| seconds.parse().ok()),
            query: params.for_rules(),
        })
    }

    pub(super) fn callback(&self) -> Callback<'_> {
        Callback { redirect_uri: &self.redirect_uri, state: self.state.as_deref(), mode: self.mode }
    }
}
