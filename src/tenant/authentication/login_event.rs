//! The `event` of post-login actions.

use serde_json::{Map, Value, json};

use super::super::Inner;
use super::super::db::{time, timestamp};
use super::super::response::without_null;
use super::super::users::TenantUser;
use super::authorization_request::{AuthorizationRequest, ResponseType};
use super::callback::ResponseMode;
use super::organizations;
use super::script_request::{self, ScriptConnection, ScriptRequest, TENANT};
use super::sessions::{self, BrowserSession};
use super::transaction::Transaction;
use crate::bundle::{Bundle, Client, Kind};

/// The `event` of a login. Members that Auth0 leaves undefined are left out.
pub(super) fn login_event(
    tenant: &Inner,
    transaction: &Transaction,
    user: &TenantUser,
    client: &Client,
    request: &ScriptRequest<'_>,
) -> Value {
    let connection = ScriptConnection::find(&tenant.bundle, user.connection(), user.provider());
    let organization = organizations::find(tenant, transaction.organization.as_deref());
    let server = transaction.audience.as_ref().map(|audience| json!({"identifier": audience}));
    without_null(json!({
        "authentication": {"methods": transaction.methods},
        "authorization": {"roles": user.roles},
        "client": script_request::client(client),
        "connection": connection.event(),
        "organization": organization.map(script_request::organization),
        "prompt": transaction.prompt,
        "refresh_token": transaction.refresh_token,
        "request": request.event(tenant),
        "resource_server": server,
        "session": transaction.session.as_ref().map(|session| session_value(tenant, session, request)),
        "stats": {"logins_count": user.logins_count()},
        "tenant": {"id": TENANT},
        "transaction": transaction_value(transaction),
        "user": event_user(user),
    }))
    .into()
}

/// `event.user` of someone who has an account: both metadata are always objects.
pub(super) fn event_user(user: &TenantUser) -> Value {
    let mut members = user.for_rules();
    for name in ["app_metadata", "user_metadata"] {
        members.entry(name).or_insert_with(|| json!({}));
    }
    for name in ["multifactor", "enrolledFactors"] {
        members.entry(name).or_insert_with(|| json!([]));
    }
    for identity in members.get_mut("identities").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(identity) = identity.as_object_mut()
            && let Some(id) = identity.get("user_id").cloned()
        {
            identity.insert("userId".to_owned(), id);
        }
    }
    members.into()
}

impl TenantUser {
    /// How often the user logged in.
    pub(super) fn logins_count(&self) -> Value {
        self.user.get("logins_count").cloned().unwrap_or(Value::from(0))
    }

    /// Whether an account's identity is one of the user's: `provider|id`.
    pub(super) fn has_identity(&self, user_id: &str) -> bool {
        let identities = self.user.get("identities").and_then(Value::as_array);
        let id = |identity: &Value| {
            let id = identity.get("user_id")?;
            let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
            Some(format!("{}|{id}", identity.get("provider")?.as_str()?))
        };
        identities.into_iter().flatten().any(|identity| id(identity).as_deref() == Some(user_id))
    }

    /// The user's roles with `id` and `name`, for `api.roles`.
    pub(in crate::tenant) fn role_objects(&self, bundle: &Bundle) -> Vec<Value> {
        let has = |name: &Value| self.roles.iter().any(|role| Some(role.as_str()) == name.as_str());
        let roles = bundle.objects.list(Kind::Role).iter();
        let of_user = roles.filter(|role| role.get("name").is_some_and(has));
        of_user.map(|role| json!({"id": role.get("id"), "name": role.get("name")})).collect()
    }
}

fn transaction_value(transaction: &Transaction) -> Value {
    let mut members = match &transaction.authorization {
        Some(request) => authorization_value(request),
        None => Map::new(),
    };
    members.extend(without_null(json!({
        "id": transaction.id,
        "protocol": transaction.protocol,
        "requested_scopes": words(transaction.scope.as_deref()),
        "locale": "en",
        "metadata": without_null(transaction.effects.transaction_metadata.clone().into()),
    })));
    for name in ["acr_values", "ui_locales"] {
        members.entry(name).or_insert_with(|| json!([]));
    }
    members.extend(transaction.exchange.clone());
    members.into()
}

/// The members of `event.transaction` that come from `/authorize`.
pub(super) fn authorization_value(request: &AuthorizationRequest) -> Map<String, Value> {
    let text = |name: &str| request.query.get(name).and_then(Value::as_str);
    let mode = match request.mode {
        ResponseMode::Query => "query",
        ResponseMode::Fragment => "fragment",
        ResponseMode::FormPost => "form_post",
        ResponseMode::WebMessage => "web_message",
    };
    let response_type = match request.response_type {
        ResponseType::Code => json!(["code"]),
        ResponseType::IdToken => json!(["id_token"]),
        ResponseType::CodeAndIdToken => json!(["code", "id_token"]),
    };
    without_null(json!({
        "acr_values": words(text("acr_values")),
        "correlation_id": text("correlation_id"),
        "locale": "en",
        "login_hint": request.login_hint,
        "prompt": request.prompt.as_deref().map(|prompt| words(Some(prompt))),
        "protocol": request.response_type.protocol(),
        "redirect_uri": request.redirect_uri,
        "requested_scopes": words(request.scope.as_deref()),
        "response_mode": mode,
        "response_type": response_type,
        "state": request.state,
        "ui_locales": words(text("ui_locales")),
    }))
}

fn session_value(tenant: &Inner, session: &BrowserSession, request: &ScriptRequest<'_>) -> Value {
    let now = tenant.clock.now();
    let idle = now.as_second().saturating_add(sessions::lifetimes(tenant).1);
    let clients: Vec<Value> = session.clients.iter().map(|id| json!({"client_id": id})).collect();
    json!({
        "id": session.sid,
        "user_id": session.user_id,
        "created_at": time(session.since),
        "authenticated_at": time(session.since),
        "updated_at": timestamp(now),
        "last_interacted_at": timestamp(now),
        "expires_at": time(session.ends_at(tenant)),
        "idle_expires_at": time(idle.min(session.ends_at(tenant))),
        "clients": clients,
        "cookie": {"mode": "persistent"},
        "device": {
            "initial_ip": session.ip, "initial_user_agent": session.user_agent, "last_ip": request.http.ip(),
            "last_user_agent": request.user_agent(),
        },
        "metadata": session.metadata,
    })
}

/// The words of a parameter, such as scopes.
pub(super) fn words(text: Option<&str>) -> Value {
    text.unwrap_or_default().split(' ').filter(|word| !word.is_empty()).collect()
}
