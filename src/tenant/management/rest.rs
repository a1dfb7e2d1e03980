//! What a whole export asks for besides the kinds of objects that this tenant uses: empty as at a new tenant, then as it was
//! set here. Nothing of it changes a login.

use serde_json::{Value, json};

use super::super::accounts::overlay;
use super::super::response::{HttpResponse, object};
use super::call::{Answer, ApiError, Call, random, text};
use super::relations::of;
use crate::bundle::{Kind, Object};

/// What a path answers.
pub(super) enum Rest {
    /// Objects: their name in an answer with totals, and the member that holds an object's id.
    List(&'static str, &'static str),
    /// Settings, as JSON, which `PATCH` and `PUT` change.
    Settings(&'static str),
    /// A bare list of texts, which `PUT` replaces.
    Texts,
    /// One object: 404 until it is set.
    Unset,
}

/// Paths (`*` is any one segment), the name in the scopes, and the answer.
pub(super) const REST: [(&str, &str, Rest); 45] = [
    (
        "attack-protection/bot-detection",
        "attack_protection",
        Rest::Settings(
            r#"{"bot_detection_level":"medium","challenge_password_policy":"never","challenge_passwordless_policy":"never","challenge_password_reset_policy":"never","allowlist":[],"monitoring_mode_enabled":false}"#,
        ),
    ),
    (
        "attack-protection/breached-password-detection",
        "attack_protection",
        Rest::Settings(
            r#"{"enabled":false,"shields":[],"admin_notification_frequency":[],"method":"standard"}"#,
        ),
    ),
    (
        "attack-protection/brute-force-protection",
        "attack_protection",
        Rest::Settings(
            r#"{"enabled":false,"shields":[],"mode":"count_per_identifier_and_ip","allowlist":[],"max_attempts":10}"#,
        ),
    ),
    ("attack-protection/captcha", "attack_protection", Rest::Settings("{}")),
    (
        "attack-protection/suspicious-ip-throttling",
        "attack_protection",
        Rest::Settings(r#"{"enabled":false,"shields":[],"allowlist":[]}"#),
    ),
    ("branding", "branding", Rest::Settings("{}")),
    ("branding/phone/providers", "phone_providers", Rest::List("providers", "id")),
    ("branding/phone/templates", "phone_templates", Rest::List("templates", "id")),
    ("branding/templates/universal-login", "branding", Rest::Unset),
    ("branding/themes", "branding", Rest::List("themes", "themeId")),
    ("connection-profiles", "connection_profiles", Rest::List("connection_profiles", "id")),
    (
        "connections-directory-provisionings",
        "directory_provisionings",
        Rest::List("directory_provisionings", "id"),
    ),
    ("custom-domains", "custom_domains", Rest::List("custom_domains", "custom_domain_id")),
    ("connections/*/directory-provisioning", "directory_provisionings", Rest::Unset),
    ("connections/*/scim-configuration", "scim_config", Rest::Unset),
    ("email-templates", "email_templates", Rest::List("templates", "template")),
    ("emails/provider", "email_provider", Rest::Unset),
    ("event-streams", "event_streams", Rest::List("eventStreams", "id")),
    ("flows", "flows", Rest::List("flows", "id")),
    ("flows/vault/connections", "flows_vault_connections", Rest::List("connections", "id")),
    ("forms", "forms", Rest::List("forms", "id")),
    ("guardian/factors", "guardian_factors", Rest::List("factors", "name")),
    ("guardian/factors/phone/message-types", "guardian_factors", Rest::Settings(r#"{"message_types":[]}"#)),
    (
        "guardian/factors/phone/selected-provider",
        "guardian_factors",
        Rest::Settings(r#"{"provider":"auth0"}"#),
    ),
    ("guardian/factors/push-notification/providers/sns", "guardian_factors", Rest::Settings("{}")),
    ("guardian/factors/sms/providers/twilio", "guardian_factors", Rest::Settings("{}")),
    ("guardian/factors/sms/templates", "guardian_factors", Rest::Settings("{}")),
    ("guardian/policies", "mfa_policies", Rest::Texts),
    ("hooks", "hooks", Rest::List("hooks", "id")),
    ("log-streams", "log_streams", Rest::List("log_streams", "id")),
    ("network-acls", "network_acls", Rest::List("network_acls", "id")),
    (
        "prompts",
        "prompts",
        Rest::Settings(r#"{"universal_login_experience":"new","identifier_first":false}"#),
    ),
    ("prompts/*/custom-text/*", "prompts", Rest::Settings("{}")),
    ("prompts/*/partials", "prompts", Rest::Settings("{}")),
    ("organizations/*/clients", "organization_clients", Rest::List("clients", "client_id")),
    ("organizations/*/invitations", "organization_invitations", Rest::List("invitations", "id")),
    ("organizations/*/discovery-domains", "organization_discovery_domains", Rest::List("domains", "id")),
    ("prompts/rendering", "prompts", Rest::List("configs", "id")),
    ("rate-limit-policies", "rate_limit_policies", Rest::List("rate_limit_policies", "id")),
    ("risk-assessments/settings", "attack_protection", Rest::Settings(r#"{"enabled":false}"#)),
    ("risk-assessments/settings/new-device", "attack_protection", Rest::Settings(r#"{"remember_for":30}"#)),
    ("self-service-profiles", "self_service_profiles", Rest::List("self_service_profiles", "id")),
    ("supplemental-signals", "attack_protection", Rest::Settings(r#"{"akamai_enabled":false}"#)),
    ("user-attribute-profiles", "user_attribute_profiles", Rest::List("user_attribute_profiles", "id")),
    ("verifiable-credentials/verification/templates", "vdcs_templates", Rest::List("templates", "id")),
];

/// The kind in the table of what is kept, and the id of what is there once; an object of a list has the list's path in its kind.
const KIND: &str = "rest";

impl Rest {
    /// The entry of a path, the name in its scopes, and the id of an object of a list.
    pub(super) fn find(path: &str) -> Option<(&'static Self, &'static str, Option<&str>)> {
        let whole = REST.iter().find(|(pattern, ..)| fits(pattern, path)).map(|found| (found, None));
        let ((_, scope, rest), id) = whole.or_else(|| {
            let (list, id) = path.rsplit_once('/')?;
            let is_it = |(pattern, _, rest): &&(&str, &str, Self)| {
                matches!(rest, Self::List(..)) && fits(pattern, list)
            };
            REST.iter().find(is_it).map(|found| (found, Some(id)))
        })?;
        Some((rest, scope, id))
    }

    /// The methods of an entry, or of one object of a list.
    pub(super) fn methods(&self, is_object: bool) -> &'static [&'static str] {
        match self {
            Self::List(..) if is_object => &["GET", "PATCH", "PUT", "DELETE"],
            Self::List(..) => &["GET", "POST"],
            Self::Settings(_) => &["GET", "PATCH", "PUT"],
            Self::Texts => &["GET", "PUT"],
            Self::Unset => &["GET", "POST", "PATCH", "PUT", "DELETE"],
        }
    }

    /// Answers a call whose scopes were checked. `path` is the one of the table, `id` what follows it.
    pub(super) fn answer(&self, call: &Call<'_>, path: &str, id: Option<&str>) -> Answer {
        match path.split('/').collect::<Vec<_>>().as_slice() {
            ["organizations", id, _] => drop(of(call, Kind::Organization, id)?),
            ["connections", id, _] => drop(of(call, Kind::Connection, id)?),
            _ => {}
        }
        match self {
            Self::List(key, member) => list(call, path, (key, member), id),
            Self::Settings(base) => set(call, path, serde_json::from_str(base).unwrap_or_default()),
            Self::Unset => set(call, path, Value::Null),
            Self::Texts => texts(call, path),
        }
    }
}

fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
    pattern.len() == path.len()
        && pattern.iter().zip(path).all(|(known, segment)| *known == "*" || *known == segment)
}

/// The objects of a list, or the one with an `id`; `default` is the first one.
fn list(call: &Call<'_>, path: &str, (key, member): (&str, &str), id: Option<&str>) -> Answer {
    let (db, kind) = (&call.tenant.db, format!("{KIND} {path}"));
    let shown = |object: Object| Value::from(overlay(Object::new(), &object));
    let Some(id) = id else {
        if call.request.method == "GET" {
            return call.list(key, db.objects(&kind)?.into_iter().map(shown).collect());
        }
        let mut created = call.body()?;
        if text(&created, member).is_empty() {
            created.insert(member.to_owned(), Kind::Action.format_id(&random::<16>()?).into());
        }
        let id = text(&created, member).to_owned();
        if db.object(&kind, &id)?.is_some() {
            return Err(ApiError::new(409, format!("{path}/{id} already exists."), "conflict"));
        }
        db.change_object(&kind, &id, created.clone())?;
        return Ok(HttpResponse::json(201, &shown(created)));
    };
    let missing = || ApiError::new(404, format!("There is no {path}/{id}."), "inexistent_resource");
    let stored = match id {
        "default" => db.objects(&kind)?.into_iter().next(),
        id => db.object(&kind, id)?,
    };
    let own = stored.as_ref().map_or(id, |stored| text(stored, member)).to_owned();
    match call.request.method.as_str() {
        "GET" => Ok(HttpResponse::json(200, &shown(stored.ok_or_else(missing)?))),
        "DELETE" => {
            db.remove_object(&kind, &own)?;
            Ok(HttpResponse::new(204))
        }
        method => {
            let mut next = call.body()?;
            if method == "PATCH" {
                next = overlay(stored.ok_or_else(missing)?, &next);
            }
            next.insert(member.to_owned(), own.as_str().into());
            db.replace_object(&kind, &own, Some(next.clone()))?;
            Ok(HttpResponse::json(200, &shown(next)))
        }
    }
}

/// What is there once: `base` with what was set.
fn set(call: &Call<'_>, path: &str, base: Value) -> Answer {
    let (db, method) = (&call.tenant.db, call.request.method.as_str());
    let stored = db.object(KIND, path)?;
    if base.is_null() && stored.is_none() && matches!(method, "GET" | "PATCH") {
        return Err(ApiError::new(404, format!("There is no {path}."), "inexistent_resource"));
    }
    if method == "DELETE" {
        db.remove_object(KIND, path)?;
        return Ok(HttpResponse::new(204));
    }
    let mut current = overlay(object(base), &stored.unwrap_or_default());
    if method != "GET" {
        let changes = call.body()?;
        current = overlay(current, &changes);
        db.change_object(KIND, path, changes)?;
    }
    Ok(HttpResponse::json(if method == "POST" { 201 } else { 200 }, &current.into()))
}

fn texts(call: &Call<'_>, path: &str) -> Answer {
    let values = if call.request.method == "GET" {
        let stored = call.tenant.db.object(KIND, path)?.unwrap_or_default();
        stored.get("values").cloned().unwrap_or_else(|| json!([]))
    } else {
        let values: Vec<String> = serde_json::from_slice(&call.request.body)
            .map_err(|_| ApiError::body("'Expected type array'"))?;
        call.tenant.db.change_object(KIND, path, object(json!({"values": values})))?;
        json!(values)
    };
    Ok(HttpResponse::json(200, &values))
}
