//! The objects of a bundle, in the words of Auth0's Management API. Members not named here are kept in `other`.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::telemetry::Secret;

/// `tenant.json`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct TenantSettings {
    /// What people see.
    #[serde(default)]
    pub friendly_name: Option<String>,
    /// The connection of logins that name none.
    #[serde(default)]
    pub default_directory: Option<String>,
    /// The audience of token requests that name none. Empty means none.
    #[serde(default)]
    pub default_audience: Option<String>,
    /// How long a login session lives, in hours.
    #[serde(default)]
    pub session_lifetime: Option<f64>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A rule: one JavaScript function that runs at login.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Its source: one function expression.
    pub script: String,
    /// Its place among the rules; lower runs first.
    pub order: i64,
    /// Whether it runs at all.
    pub enabled: bool,
    /// When it runs; Auth0 knows `login_success` alone.
    pub stage: String,
}

/// An action in its place at a trigger, one of those that run there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ActionBinding {
    /// The action's name.
    pub action_name: String,
}

/// An application.
#[derive(Debug, Clone, Deserialize)]
pub struct Client {
    /// Its id. An export carries none: then it is made from the name, in lower case, with `-` for what is no letter
    /// or digit.
    #[serde(default)]
    pub client_id: String,
    /// What people see; grants may name the client by it.
    pub name: String,
    /// Absent for public clients and in exports.
    #[serde(default)]
    pub client_secret: Option<Secret>,
    /// `spa`, `native`, `regular_web` or `non_interactive`.
    #[serde(default)]
    pub app_type: Option<String>,
    /// Which grants it may use. Absent: what Auth0 gives its `app_type`, see [`Client::may_use`].
    #[serde(default)]
    pub grant_types: Option<Vec<String>>,
    /// Where codes may be sent.
    #[serde(default)]
    pub callbacks: Vec<String>,
    /// Where a logout may lead.
    #[serde(default)]
    pub allowed_logout_urls: Vec<String>,
    /// Origins that may ask from a browser.
    #[serde(default)]
    pub web_origins: Vec<String>,
    /// More of them.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// `none` for a public client, else `client_secret_post` or `client_secret_basic`.
    #[serde(default)]
    pub token_endpoint_auth_method: Option<String>,
    /// What rules see as `context.clientMetadata`.
    #[serde(default)]
    pub client_metadata: Map<String, Value>,
    /// About its ID tokens.
    #[serde(default)]
    pub jwt_configuration: JwtConfiguration,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// `jwt_configuration` of a client.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct JwtConfiguration {
    /// How long its ID tokens live, in seconds.
    #[serde(default)]
    pub lifetime_in_seconds: Option<u32>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// An API.
#[derive(Debug, Clone, Deserialize)]
pub struct ResourceServer {
    /// Its audience.
    pub identifier: String,
    /// What people see.
    #[serde(default)]
    pub name: String,
    /// What may be asked of it.
    #[serde(default)]
    pub scopes: Vec<ApiScope>,
    /// How long its access tokens live, in seconds.
    #[serde(default = "day")]
    pub token_lifetime: u32,
    /// `access_token` (Auth0's own), `rfc9068_profile`, or either with `_authz`: with a `permissions` claim.
    #[serde(default = "own_dialect")]
    pub token_dialect: String,
    /// RBAC: a user gets only the scopes that their roles grant.
    #[serde(default)]
    pub enforce_policies: bool,
    /// How its access tokens are signed.
    #[serde(default = "rs256")]
    pub signing_alg: String,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A scope of an API.
#[derive(Debug, Clone, Deserialize)]
pub struct ApiScope {
    /// The scope itself.
    pub value: String,
    /// What people see.
    #[serde(default)]
    pub description: Option<String>,
}

/// Lets a client have scopes of an API by client credentials.
#[derive(Debug, Clone, Deserialize)]
pub struct ClientGrant {
    /// The client's id. Files may name the client instead.
    pub client_id: String,
    /// The API's identifier.
    pub audience: String,
    /// Which scopes.
    #[serde(default)]
    pub scope: Vec<String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A role.
#[derive(Debug, Clone, Deserialize)]
pub struct Role {
    /// Its name, which rules see in `context.authorization.roles`.
    pub name: String,
    /// What people see.
    #[serde(default)]
    pub description: Option<String>,
    /// What it permits.
    #[serde(default)]
    pub permissions: Vec<RolePermission>,
}

/// One permission of a role.
#[derive(Debug, Clone, Deserialize)]
pub struct RolePermission {
    /// A scope of the API.
    pub permission_name: String,
    /// The API.
    pub resource_server_identifier: String,
}

/// Someone who can log in: a user as the Management API gives one, and what a dev tenant needs besides.
#[derive(Debug, Clone, Deserialize)]
pub struct TestUser {
    /// `auth0|…`. Absent: made from the email.
    #[serde(default)]
    pub user_id: String,
    /// As they type it.
    pub email: String,
    /// For the login page; development only.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Names of roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// What this person is there to show; printed beside the name.
    #[serde(default)]
    pub note: Option<String>,
    /// The rest of the user: `email_verified`, names, `app_metadata`, `blocked`, ….
    #[serde(flatten)]
    pub profile: Map<String, Value>,
}

impl Client {
    /// Whether it has no secret to keep: a browser or a native app.
    pub fn is_public(&self) -> bool {
        match self.token_endpoint_auth_method.as_deref() {
            Some(method) => method == "none",
            None => matches!(self.app_type.as_deref(), Some("spa" | "native")),
        }
    }

    /// Whether the client may use a grant type. Without a list, an `app_type` may what Auth0's own default lets it.
    pub fn may_use(&self, grant_type: &str) -> bool {
        match (&self.grant_types, self.app_type.as_deref()) {
            (Some(list), _) => list.iter().any(|listed| listed == grant_type),
            (None, Some("non_interactive")) => grant_type == "client_credentials",
            (None, Some("spa" | "native")) => grant_type == "authorization_code",
            (None, _) => matches!(grant_type, "authorization_code" | "client_credentials"),
        }
    }
}

fn day() -> u32 {
    86_400
}

fn own_dialect() -> String {
    "access_token".to_owned()
}

fn rs256() -> String {
    "RS256".to_owned()
}
