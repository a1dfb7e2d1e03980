//! The objects of a bundle, with the names of Auth0's Management API. Other members are ignored.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::telemetry::Secret;

/// `tenant.json`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct TenantSettings {
    /// The name shown to users.
    pub friendly_name: Option<String>,
    /// The audience of token requests without one. Empty means none.
    pub default_audience: Option<String>,
    /// The database connection of the grant `password`. Empty means none.
    pub default_directory: Option<String>,
    /// The lifetime of a login session, in hours.
    pub session_lifetime: Option<f64>,
    /// How long a session lives without use, in hours.
    pub idle_session_lifetime: Option<f64>,
    /// Whether an organization may be given by name, and tokens have `org_name`.
    #[serde(default)]
    pub allow_organization_name_in_authentication_api: bool,
    /// The URLs that a logout without a client may redirect to.
    #[serde(default)]
    pub allowed_logout_urls: Vec<String>,
}

/// A rule: one JavaScript function that runs at login.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Its source: one function expression.
    pub script: String,
    /// Its position; lower runs first.
    pub order: i64,
    /// Whether it runs.
    pub enabled: bool,
    /// When it runs; Auth0 has only `login_success`.
    pub stage: String,
}

/// The connection of users without another: Auth0's own database, under its default name.
pub const DEFAULT_CONNECTION: &str = "Username-Password-Authentication";

/// An action bound to a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ActionBinding {
    /// The action's name.
    #[serde(default)]
    pub action_name: String,
    /// The action's id, which counts before the name. Files have none.
    pub action_id: Option<String>,
}

/// An application.
#[derive(Debug, Clone, Deserialize)]
pub struct Client {
    /// Its id. Exports have none: then it is derived from the name, in lower case, with `-` for other characters.
    #[serde(default)]
    pub client_id: String,
    /// The name shown to users; grants may refer to it.
    pub name: String,
    /// Absent for public clients and in exports.
    pub client_secret: Option<Secret>,
    /// `spa`, `native`, `regular_web` or `non_interactive`.
    pub app_type: Option<String>,
    /// `false`: an application of another organization, which gets the connections of the whole domain only.
    pub is_first_party: Option<bool>,
    /// The grant types it may use. Absent: Auth0's default for its `app_type`, see [`Client::may_use`].
    pub grant_types: Option<Vec<String>>,
    /// The URLs that may get a code.
    #[serde(default)]
    pub callbacks: Vec<String>,
    /// The URLs a logout may redirect to.
    #[serde(default)]
    pub allowed_logout_urls: Vec<String>,
    /// Origins that may send requests from a browser.
    #[serde(default)]
    pub web_origins: Vec<String>,
    /// More such origins.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// Whether its users log in to an organization: `deny` (the default), `allow` or `require`.
    pub organization_usage: Option<String>,
    /// `none` for a public client, else `client_secret_post` or `client_secret_basic`.
    pub token_endpoint_auth_method: Option<String>,
    /// The rules' `context.clientMetadata`.
    #[serde(default)]
    pub client_metadata: Map<String, Value>,
    /// Settings of its ID tokens.
    #[serde(default)]
    pub jwt_configuration: JwtConfiguration,
    /// Settings of its refresh tokens.
    #[serde(default)]
    pub refresh_token: RefreshTokenSettings,
}

/// `refresh_token` of a client. The defaults are Auth0's.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct RefreshTokenSettings {
    /// `rotating` or `non-rotating`.
    pub rotation_type: String,
    /// `expiring` or `non-expiring`: whether `token_lifetime` counts.
    pub expiration_type: String,
    /// How long a rotated token may be presented again, in seconds.
    pub leeway: i64,
    /// From the login on, in seconds.
    pub token_lifetime: i64,
    /// From the last use on, in seconds.
    pub idle_token_lifetime: i64,
    /// Whether `token_lifetime` is unlimited.
    pub infinite_token_lifetime: bool,
    /// Whether `idle_token_lifetime` is unlimited.
    pub infinite_idle_token_lifetime: bool,
}

impl RefreshTokenSettings {
    /// When the tokens of a login end that were first issued at this time, both in unix seconds; `None` if they do not expire.
    pub fn expires_at(&self, issued_at: i64) -> Option<i64> {
        let expires = self.expiration_type == "expiring" && !self.infinite_token_lifetime;
        expires.then(|| issued_at.saturating_add(self.token_lifetime))
    }
}

impl Default for RefreshTokenSettings {
    fn default() -> Self {
        Self {
            rotation_type: "non-rotating".to_owned(),
            expiration_type: "non-expiring".to_owned(),
            leeway: 0,
            token_lifetime: 2_592_000,
            idle_token_lifetime: 1_296_000,
            infinite_token_lifetime: false,
            infinite_idle_token_lifetime: false,
        }
    }
}

/// `jwt_configuration` of a client.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct JwtConfiguration {
    /// The lifetime of its ID tokens, in seconds.
    pub lifetime_in_seconds: Option<u32>,
}

/// An API.
#[derive(Debug, Clone, Deserialize)]
pub struct ResourceServer {
    /// Its audience.
    pub identifier: String,
    /// Its scopes.
    #[serde(default)]
    pub scopes: Vec<ApiScope>,
    /// Who needs a client grant for it.
    #[serde(default)]
    pub subject_type_authorization: SubjectTypeAuthorization,
    /// The lifetime of its access tokens, in seconds.
    #[serde(default = "day")]
    pub token_lifetime: u32,
    /// `access_token` (Auth0's own), `rfc9068_profile`, or either with `_authz`: with a `permissions` claim.
    #[serde(default = "own_dialect")]
    pub token_dialect: String,
    /// RBAC: users get only the scopes that their roles grant.
    #[serde(default)]
    pub enforce_policies: bool,
    /// Whether its clients may get refresh tokens.
    #[serde(default)]
    pub allow_offline_access: bool,
    /// The signing algorithm of its access tokens.
    #[serde(default = "rs256")]
    pub signing_alg: String,
}

/// A scope of an API.
#[derive(Debug, Clone, Deserialize)]
pub struct ApiScope {
    /// The scope itself.
    pub value: String,
}

/// `subject_type_authorization` of an API.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SubjectTypeAuthorization {
    /// For users' tokens: `allow_all` (the default), `require_client_grant` or `deny_all`.
    pub user: AccessPolicy,
    /// For machines' tokens: `require_client_grant` (the default) or `deny_all`.
    pub client: AccessPolicy,
}

/// A policy of [`SubjectTypeAuthorization`].
#[derive(Debug, Clone, Default, Deserialize)]
pub struct AccessPolicy {
    /// Absent: the default.
    pub policy: Option<String>,
}

/// An organization.
#[derive(Debug, Clone, Deserialize)]
pub struct Organization {
    /// `org_…`.
    pub id: String,
    /// Its name, in lower case.
    pub name: String,
    /// The name shown to users.
    pub display_name: Option<String>,
    /// Its metadata.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// The connections that its members log in with. None: any.
    #[serde(default)]
    pub connections: Vec<EnabledConnection>,
}

/// A connection of an organization.
#[derive(Debug, Clone, Deserialize)]
pub struct EnabledConnection {
    /// The connection's id.
    pub connection_id: String,
    /// Whether members may log in with it. Absent: yes.
    pub is_enabled: Option<bool>,
    /// Whether a user who logs in with it becomes a member.
    #[serde(default)]
    pub assign_membership_on_login: bool,
}

/// The scopes of an API that a client gets: by client credentials, or for its users.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ClientGrant {
    /// The client's id. Files may have its name instead.
    pub client_id: String,
    /// The API's identifier.
    pub audience: String,
    /// The scopes.
    #[serde(default)]
    pub scope: Vec<String>,
    /// `user`: it limits the tokens of the client's users, and grants the client itself nothing. Else `client`.
    pub subject_type: Option<String>,
    /// Whether it grants all scopes of the API, whatever `scope` is.
    #[serde(default)]
    pub allow_all_scopes: bool,
    /// `require`: only within an organization. `deny` (the default) or `allow`.
    pub organization_usage: Option<String>,
}

/// A role.
#[derive(Debug, Clone, Deserialize)]
pub struct Role {
    /// Its name, as in the rules' `context.authorization.roles`.
    pub name: String,
    /// Its permissions.
    #[serde(default)]
    pub permissions: Vec<RolePermission>,
}

/// One permission of a role.
#[derive(Debug, Clone, Deserialize)]
pub struct RolePermission {
    /// A scope of the API.
    pub permission_name: String,
    /// The API's identifier.
    pub resource_server_identifier: String,
}

/// A user who can log in: the Management API's user, and the dev tenant's additions.
#[derive(Debug, Clone, Deserialize)]
pub struct TestUser {
    /// `auth0|…`. Absent: derived from the email.
    #[serde(default)]
    pub user_id: String,
    /// In lower case once read. Empty: none.
    #[serde(default)]
    pub email: String,
    /// For the login page; development only.
    pub password: Option<Secret>,
    /// Names of roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Names of organizations.
    #[serde(default)]
    pub organizations: Vec<String>,
    /// The connection; absent: of the first identity, else the one that the provider in `user_id` has.
    pub connection: Option<String>,
    /// What this user demonstrates; shown beside the name.
    pub note: Option<String>,
    /// The other members of the user: `email_verified`, names, `app_metadata`, `blocked`, ….
    #[serde(flatten)]
    pub profile: Map<String, Value>,
}

impl ClientGrant {
    /// Whether it is for the client's users, not for the client itself.
    pub fn is_for_users(&self) -> bool {
        self.subject_type.as_deref() == Some("user")
    }
}

impl TestUser {
    /// The name of the user's connection.
    pub fn connection(&self) -> &str {
        let of_identity = || self.profile.get("identities")?.get(0)?.get("connection")?.as_str();
        let provider = self.user_id.split_once('|').map_or("auth0", |(provider, _)| provider);
        let default = if provider == "auth0" { DEFAULT_CONNECTION } else { provider };
        self.connection.as_deref().or_else(of_identity).unwrap_or(default)
    }
}

impl Client {
    /// Its first callback without a wildcard.
    pub fn callback(&self) -> Option<&str> {
        self.callbacks.iter().map(String::as_str).find(|callback| !callback.contains('*'))
    }

    /// Whether it gets a code at a callback that is a URL, and authenticates.
    pub fn logs_people_in(&self) -> bool {
        self.may_use("authorization_code")
            && self.callback().is_some()
            && (self.is_public() || self.client_secret.is_some())
    }

    /// Whether it cannot keep a secret: a browser or a native app.
    pub fn is_public(&self) -> bool {
        match self.token_endpoint_auth_method.as_deref() {
            Some(method) => method == "none",
            None => matches!(self.app_type.as_deref(), Some("spa" | "native")),
        }
    }

    /// Whether the client may use a grant type. Without a list, Auth0's defaults for its `app_type` apply.
    pub fn may_use(&self, grant_type: &str) -> bool {
        match (&self.grant_types, self.app_type.as_deref()) {
            (Some(list), _) => list.iter().any(|listed| listed == grant_type),
            (None, Some("non_interactive")) => grant_type == "client_credentials",
            (None, Some("spa" | "native")) => {
                matches!(grant_type, "implicit" | "authorization_code" | "refresh_token")
            }
            (None, _) => {
                matches!(
                    grant_type,
                    "implicit" | "authorization_code" | "refresh_token" | "client_credentials"
                )
            }
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
