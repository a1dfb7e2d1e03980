//! The rules' `context`, and their `auth0`.

use serde_json::{Value, json};

use super::super::Inner;
use super::super::oauth_error::OAuthError;
use super::super::response::without_null;
use super::super::users::TenantUser;
use super::organizations;
use super::script_request::{ScriptConnection, ScriptRequest, TENANT, hostname, organization};
use super::transaction::{Step, Transaction};
use crate::bundle::Client;
use crate::script::Auth0Global;

/// How long `auth0.accessToken` is good, in seconds: longer than any rule runs.
const TOKEN_LIFETIME: i64 = 300;

/// The `context` of a login. Members that Auth0 leaves undefined are left out.
pub(super) fn rule_context(
    tenant: &Inner,
    transaction: &Transaction,
    user: &TenantUser,
    client: &Client,
    request: &ScriptRequest<'_>,
) -> Value {
    let connection = ScriptConnection::find(&tenant.bundle, user.connection(), user.provider());
    let is_callback = transaction.step == Step::Rules { is_redirect_callback: true };
    let session = transaction.session.as_ref();
    let clients = session.map(|session| session.clients.clone()).unwrap_or_default();
    let found = organizations::find(tenant, transaction.organization.as_deref());
    let is_database = connection.strategy == "auth0";
    without_null(json!({
        "tenant": TENANT,
        "clientID": client.client_id,
        "clientName": client.name,
        "clientMetadata": client.client_metadata,
        "connection": connection.name,
        "connectionID": connection.id,
        "connectionStrategy": connection.strategy,
        "connectionOptions": connection.options,
        "connectionMetadata": connection.metadata,
        "samlConfiguration": {},
        "jwtConfiguration": {},
        "protocol": if is_callback { "redirect-callback" } else { &transaction.protocol },
        "stats": {"loginsCount": user.logins_count()},
        "sso": {
            "with_auth0": !transaction.is_fresh, "with_dbconn": transaction.is_fresh && is_database,
            "current_clients": clients,
        },
        "accessToken": {},
        "idToken": {},
        "sessionID": session.map(|session| &session.sid),
        "request": request.context(tenant),
        "authentication": {"methods": transaction.methods},
        "authorization": {"roles": user.roles},
        "organization": found.map(organization),
    }))
    .into()
}

/// The rules' `auth0`, with a token for the Management API if a rule names it.
pub(in crate::tenant) fn rule_globals(tenant: &Inner) -> Result<Auth0Global, OAuthError> {
    let mut access_token = None;
    if tenant.scripts.uses_access_token {
        let now = tenant.clock.now().as_second();
        let claims = without_null(json!({
            "iss": tenant.issuer, "sub": "rules@clients", "azp": "rules", "gty": "client-credentials",
            "aud": tenant.apis.management(), "scope": "read:users update:users", "iat": now,
            "exp": now.saturating_add(TOKEN_LIFETIME),
        }));
        access_token = Some(tenant.key.sign("JWT", &claims)?);
    }
    let base_url = format!("{}api/v2", tenant.issuer);
    Ok(Auth0Global { domain: hostname(tenant).to_owned(), base_url, access_token })
}
