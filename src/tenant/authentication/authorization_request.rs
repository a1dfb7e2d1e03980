//! An authorization request, and the code it ends in.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::oauth_error::OAuthError;
use super::super::params::Params;
use super::super::users::TenantUser;
use super::super::{Inner, clients, connections};
use super::callback::{Callback, ResponseMode};
use super::login_result::LoginResult;
use super::organizations;
use super::pkce;
use crate::bundle::Client;

/// A checked authorization request, kept while the user logs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AuthorizationRequest {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) response_type: ResponseType,
    pub(super) mode: ResponseMode,
    pub(super) state: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) challenge: Option<String>,
    pub(super) prompt: Option<String>,
    pub(super) login_hint: Option<String>,
    pub(super) max_age: Option<i64>,
    /// The connection that the user must log in with.
    pub(super) connection: Option<String>,
    /// The organization's id.
    pub(super) organization: Option<String>,
    /// Whether the application asks for the sign-up form first.
    pub(super) is_sign_up: bool,
    /// All parameters, as rules see them.
    pub(super) query: Value,
}

/// What the callback gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ResponseType {
    Code,
    IdToken,
    CodeAndIdToken,
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
        let response_type = ResponseType::parse(params.require("response_type")?)?;
        if let Some(grant) = response_type.grants().iter().find(|grant| !client.may_use(grant)) {
            let problem = format!("Grant type '{grant}' not allowed for the client.");
            return Err(OAuthError::unauthorized_client(problem));
        }
        // Each would change what the tokens allow.
        for (name, error) in [
            ("request", "request_not_supported"),
            ("request_uri", "request_uri_not_supported"),
            ("dpop_jkt", "invalid_request"),
            ("authorization_details", "invalid_request"),
        ] {
            if params.get(name).is_some() {
                let problem = format!("The dev tenant does not support the parameter {name}");
                return Err(OAuthError::new(400, error, problem));
            }
        }
        if response_type != ResponseType::Code && params.get("nonce").is_none() {
            return Err(OAuthError::invalid_request("Missing required parameter: nonce"));
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
            (None, _) => (client.is_public() && response_type != ResponseType::IdToken)
                .then_some("Parameter 'code_challenge' is required: the client is public"),
        };
        if let Some(problem) = invalid_challenge {
            return Err(OAuthError::invalid_request(problem));
        }
        let audience = tenant.audience(params);
        tenant.api(audience)?;
        let max_age =
            params.get("max_age").map(|seconds| {
                seconds.parse().ok().filter(|seconds: &i64| *seconds >= 0).ok_or_else(|| {
                    OAuthError::invalid_request("Parameter max_age must be a number of seconds")
                })
            });
        let connection = params.get("connection");
        if let Some(unknown) = connection.filter(|name| !tenant.users.has_connection(name)) {
            return Err(OAuthError::invalid_request(format!("the connection {unknown} was not found")));
        }
        if connection.is_some_and(|name| !connections::is_enabled(&tenant.bundle, client, name)) {
            return Err(OAuthError::invalid_request("the connection was disabled"));
        }
        if !connections::has_any(&tenant.bundle, client) {
            return Err(OAuthError::invalid_request("no connections enabled for the client"));
        }
        let prompt = params.get("prompt");
        let owned = |name: &str| params.get(name).map(str::to_owned);
        Ok(Self {
            client_id: client.client_id.clone(),
            redirect_uri: redirect_uri.to_owned(),
            response_type,
            mode,
            state: owned("state"),
            nonce: owned("nonce"),
            scope: owned("scope"),
            audience: audience.map(str::to_owned),
            challenge: owned("code_challenge"),
            prompt: owned("prompt"),
            login_hint: owned("login_hint"),
            max_age: max_age.transpose()?,
            connection: owned("connection"),
            organization: organizations::requested(tenant, client, params.get("organization"))?,
            is_sign_up: params.get("screen_hint") == Some("signup") || prompt == Some("create"),
            query: params.for_scripts(),
        })
    }

    /// Whether a user may log in by this request: its connection, and the organization's members.
    pub(super) fn admits(&self, tenant: &Inner, user: &TenantUser) -> bool {
        self.allows(tenant, user.connection())
            && organizations::admits(tenant, self.organization.as_deref(), user)
    }

    /// Whether users of a connection may log in by this request.
    pub(super) fn allows(&self, tenant: &Inner, connection: &str) -> bool {
        let client = clients::find(&tenant.bundle, &self.client_id);
        self.connection.as_ref().is_none_or(|name| name == connection)
            && client.is_some_and(|client| connections::is_enabled(&tenant.bundle, client, connection))
    }

    /// The database in which a new user signs up, if one may.
    pub(super) fn sign_up_database<'a>(&'a self, tenant: &'a Inner) -> Option<&'a str> {
        let client = clients::find(&tenant.bundle, &self.client_id)?;
        let database = connections::database(&tenant.bundle, client, self.connection.as_deref())?;
        connections::allows_sign_up(&tenant.bundle, database).then_some(database)
    }

    pub(super) fn callback(&self) -> Callback<'_> {
        Callback { redirect_uri: &self.redirect_uri, state: self.state.as_deref(), mode: self.mode }
    }
}

impl ResponseType {
    fn parse(text: &str) -> Result<Self, OAuthError> {
        let mut words: Vec<_> = text.split(' ').collect();
        words.sort_unstable();
        match words.as_slice() {
            ["code"] => Ok(Self::Code),
            ["id_token"] => Ok(Self::IdToken),
            ["code", "id_token"] => Ok(Self::CodeAndIdToken),
            _ => {
                let problem = format!(
                    "Unsupported response type: {text}; the dev tenant supports \"code\", \"id_token\" and \"code id_token\""
                );
                Err(OAuthError::new(400, "unsupported_response_type", problem))
            }
        }
    }

    /// The grants that the client must have.
    fn grants(self) -> &'static [&'static str] {
        match self {
            Self::Code => &["authorization_code"],
            Self::IdToken => &["implicit"],
            Self::CodeAndIdToken => &["authorization_code", "implicit"],
        }
    }

    /// The protocol's name, as rules see it.
    pub(super) fn protocol(self) -> &'static str {
        match self {
            Self::Code => "oidc-basic-profile",
            Self::IdToken => "oidc-implicit-profile",
            Self::CodeAndIdToken => "oidc-hybrid-profile",
        }
    }
}
