//! What is particular to each kind of object: defaults, checks, filters, and what answers show.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::super::accounts::overlay;
use super::super::response::object;
use super::call::{ApiError, Call, random, text};
use super::{action_modules, actions};
use crate::bundle::{Kind, Object};

/// A new object: the body with an id and Auth0's defaults.
pub(super) fn created(kind: Kind, call: &Call<'_>, body: Object) -> Result<Object, ApiError> {
    let defaults = match kind {
        Kind::Client => client_defaults(&body)?,
        Kind::ResourceServer => resource_server_defaults(),
        Kind::ClientGrant => {
            check_grant(call, &body)?;
            object(json!({"scope": [], "subject_type": "client", "allow_any_organization": false}))
        }
        Kind::Rule => {
            let rules = call.tenant.bundle.objects.list(Kind::Rule).iter();
            let orders = rules.filter_map(|rule| rule.get("order")?.as_i64());
            let next = orders.max().unwrap_or(0).saturating_add(1);
            object(json!({"enabled": true, "stage": "login_success", "order": next}))
        }
        Kind::Role => object(json!({"permissions": []})),
        Kind::Connection => object(
            json!({"options": {}, "enabled_clients": [], "is_domain_connection": false, "realms": [text(&body, "name")]}),
        ),
        Kind::Organization => object(
            json!({"display_name": text(&body, "name"), "connections": body.get("enabled_connections").cloned().unwrap_or_else(|| json!([]))}),
        ),
        Kind::ActionModule => action_modules::defaults(call),
        Kind::Action => actions::defaults(call)?,
        Kind::TokenExchangeProfile => object(json!({"created_at": call.now(), "updated_at": call.now()})),
        Kind::RuleConfig => Map::new(),
    };
    let mut created = defaults;
    created.extend(body);
    created.remove("enabled_connections");
    if text(&created, kind.id_member()).is_empty() {
        created.insert(kind.id_member().to_owned(), kind.format_id(&random::<16>()?).into());
    }
    ensure_unique(kind, call, &created)?;
    match kind {
        Kind::ActionModule => action_modules::created(call, created),
        Kind::Action => actions::created(call, created),
        _ => Ok(created),
    }
}

/// The changes of an update.
pub(super) fn updated(
    kind: Kind,
    call: &Call<'_>,
    stored: &Object,
    body: Object,
) -> Result<Object, ApiError> {
    let mut next = overlay(stored.clone(), &body);
    next.retain(|_, value| !value.is_null());
    ensure_unique(kind, call, &next)?;
    let mut body = body;
    match kind {
        Kind::ActionModule => action_modules::updated(call, stored, &mut body),
        Kind::Action => actions::updated(call, stored, &mut body),
        _ => {}
    }
    if let Some(Value::Object(changes)) = body.get("client_metadata") {
        // Merged at the first level, like a user's.
        let merged = super::super::users::merge_metadata(stored.get("client_metadata"), changes);
        body.insert("client_metadata".to_owned(), merged);
    }
    Ok(body)
}

/// Refuses to delete what others need.
pub(super) fn may_delete(kind: Kind, call: &Call<'_>, stored: &Object) -> Result<(), ApiError> {
    match kind {
        Kind::ActionModule => action_modules::may_delete(call, stored),
        Kind::Action => actions::may_delete(call, stored),
        Kind::ResourceServer if stored.get("is_system") == Some(&Value::Bool(true)) => {
            Err(ApiError::new(400, "System API cannot be deleted", "operation_not_supported"))
        }
        _ => Ok(()),
    }
}

/// Whether a list that the call filters has the object.
pub(super) fn is_listed(kind: Kind, call: &Call<'_>, stored: &Object) -> Result<bool, ApiError> {
    let is =
        |query: &str, member: &str| call.query.get(query).is_none_or(|wanted| text(stored, member) == wanted);
    let in_list = |query: &str, member: &str| {
        call.query
            .get(query)
            .is_none_or(|wanted| wanted.split(',').any(|wanted| wanted == text(stored, member)))
    };
    let flag = |name: &str, default: bool| {
        let value = stored.get(name).and_then(Value::as_bool).unwrap_or(default);
        call.flag(name).map(|wanted| wanted.is_none_or(|wanted| wanted == value))
    };
    Ok(match kind {
        Kind::Client => {
            let is_global = call.flag("is_global")?.is_none_or(|wanted| !wanted);
            is_global && flag("is_first_party", true)? && in_list("app_type", "app_type")
        }
        Kind::ClientGrant => {
            let subject = stored.get("subject_type").and_then(Value::as_str).unwrap_or("client");
            is("audience", "audience")
                && is("client_id", "client_id")
                && call.query.get("subject_type").is_none_or(|wanted| wanted == subject)
                && flag("allow_any_organization", false)?
        }
        Kind::Role => {
            let filter = call.query.get("name_filter").unwrap_or_default().to_lowercase();
            text(stored, "name").to_lowercase().contains(&filter)
        }
        Kind::Rule => flag("enabled", true)?,
        Kind::Connection => is("name", "name") && in_list("strategy", "strategy"),
        Kind::ResourceServer => in_list("identifiers", "identifier"),
        Kind::Action => {
            let trigger = call.query.get("triggerId");
            let supports = |wanted: &str| {
                let triggers = stored.get("supported_triggers").and_then(Value::as_array);
                triggers.is_some_and(|list| {
                    list.iter().any(|trigger| trigger.get("id").and_then(Value::as_str) == Some(wanted))
                })
            };
            let is_deployed = stored.contains_key("_deployed");
            is("actionName", "name")
                && trigger.is_none_or(supports)
                && call.flag("deployed")?.is_none_or(|wanted| wanted == is_deployed)
        }
        Kind::Organization | Kind::RuleConfig | Kind::ActionModule | Kind::TokenExchangeProfile => true,
    })
}

/// An object with the members that answers have: defaults that bundles leave out, and nothing that the token may not see.
pub(super) fn shown(kind: Kind, call: &Call<'_>, stored: &Object) -> Object {
    let defaults = match kind {
        Kind::Client => {
            let mut client = shown_defaults(stored);
            client.insert("tenant".to_owned(), "dev".into());
            client
        }
        Kind::ResourceServer => resource_server_defaults(),
        Kind::ClientGrant => {
            object(json!({"scope": [], "subject_type": "client", "allow_any_organization": false}))
        }
        Kind::Connection => object(
            json!({"options": {}, "enabled_clients": [], "is_domain_connection": false, "realms": [text(stored, "name")]}),
        ),
        Kind::ActionModule => return action_modules::shown(call, stored),
        Kind::Action => return actions::shown(stored, call.request.method != "GET"),
        _ => Map::new(),
    };
    let mut shown = defaults;
    shown.extend(stored.clone());
    if kind == Kind::Client && !call.has_scope("read:client_keys") && call.request.method != "POST" {
        shown.remove("client_secret");
    }
    shown
}

/// Refuses a second object with the name, the identifier, or the client and API of another.
fn ensure_unique(kind: Kind, call: &Call<'_>, next: &Object) -> Result<(), ApiError> {
    let members: &[&str] = match kind {
        Kind::ResourceServer => &["identifier"],
        Kind::ClientGrant => &["client_id", "audience", "subject_type"],
        Kind::Client => &["client_id"],
        Kind::TokenExchangeProfile => &["subject_token_type"],
        _ => &["name"],
    };
    let is_same = |other: &&Object| {
        let default = |object: &Object, member: &str| match text(object, member) {
            "" if member == "subject_type" => "client".to_owned(),
            text => text.to_lowercase(),
        };
        text(other, kind.id_member()) != text(next, kind.id_member())
            && members.iter().all(|member| default(other, member) == default(next, member))
    };
    let list = call.tenant.bundle.objects.list(kind);
    let is_taken = kind != Kind::Client && list.iter().any(|other| is_same(&other));
    if kind == Kind::Rule {
        let order = next.get("order");
        let same = |other: &Object| other.get("order") == order && text(other, "id") != text(next, "id");
        if list.iter().any(same) {
            let order = order.cloned().unwrap_or_default();
            return Err(ApiError::new(
                409,
                format!("A rule with the same order '{order}' already exists"),
                "rule_conflict",
            ));
        }
    }
    if !is_taken {
        return Ok(());
    }
    Err(match kind {
        Kind::ResourceServer => ApiError::new(
            409,
            "A resource server with the same identifier already exists.",
            "resource_server_conflict",
        ),
        Kind::ClientGrant => {
            ApiError::new(409, "A resource with the same identifier already exists.", "client_grant_conflict")
        }
        Kind::Role => ApiError::new(409, "The role name already exists", "role_conflict"),
        Kind::Rule => ApiError::new(409, "A rule with the same name already exists", "rule_conflict"),
        Kind::Organization => {
            ApiError::new(409, "An organization with this name already exists.", "organization_conflict")
        }
        Kind::Action => ApiError::new(400, "An action with the same name already exists.", "action_conflict"),
        Kind::ActionModule => {
            ApiError::new(409, "An action module with the same name already exists.", "module_conflict")
        }
        Kind::TokenExchangeProfile => ApiError::new(
            409,
            "A token exchange profile with the same name or subject_token_type already exists.",
            "profile_conflict",
        ),
        _ => ApiError::new(409, "A connection with the same name already exists", "connection_conflict"),
    })
}

fn check_grant(call: &Call<'_>, body: &Object) -> Result<(), ApiError> {
    let (objects, client) = (&call.tenant.bundle.objects, text(body, "client_id"));
    if !body.contains_key("default_for") && objects.find(Kind::Client, "client_id", client).is_none() {
        return Err(ApiError::new(404, "The client does not exist", "inexistent_client"));
    }
    let audience = text(body, "audience");
    let is_known = objects.find(Kind::ResourceServer, "identifier", audience).is_some()
        || call.tenant.apis.find(audience).is_ok();
    if is_known {
        Ok(())
    } else {
        Err(ApiError::new(404, "The resource server does not exist", "inexistent_resource_server"))
    }
}

fn client_defaults(body: &Object) -> Result<Object, ApiError> {
    let mut client = shown_defaults(body);
    if text(body, "token_endpoint_auth_method") != "none" {
        client.insert("client_secret".to_owned(), URL_SAFE_NO_PAD.encode(random::<48>()?).into());
    }
    Ok(client)
}

fn shown_defaults(stored: &Object) -> Object {
    let grants = match text(stored, "app_type") {
        "non_interactive" => json!(["client_credentials"]),
        "spa" | "native" => json!(["authorization_code", "implicit", "refresh_token"]),
        _ => json!(["authorization_code", "implicit", "refresh_token", "client_credentials"]),
    };
    object(json!({
        "global": false, "is_first_party": true, "oidc_conformant": true, "sso_disabled": false,
        "cross_origin_authentication": false, "is_token_endpoint_ip_header_trusted": false, "custom_login_page_on": true,
        "grant_types": grants, "jwt_configuration": {"alg": "RS256", "lifetime_in_seconds": 36_000, "secret_encoded": false},
        "refresh_token": {
            "expiration_type": "non-expiring", "leeway": 0, "infinite_token_lifetime": true,
            "infinite_idle_token_lifetime": true, "token_lifetime": 31_557_600, "idle_token_lifetime": 2_592_000,
            "rotation_type": "non-rotating",
        },
    }))
}

fn resource_server_defaults() -> Object {
    object(json!({
        "allow_offline_access": false, "skip_consent_for_verifiable_first_party_clients": false, "token_lifetime": 86_400,
        "token_lifetime_for_web": 7_200, "signing_alg": "RS256", "scopes": [], "is_system": false,
    }))
}
