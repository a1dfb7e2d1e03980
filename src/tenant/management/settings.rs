//! The tenant's settings, and what a whole export asks for besides: empty as at a new tenant, or as it was set here.

use serde_json::{Value, json};

use super::super::accounts::overlay;
use super::super::response::{HttpResponse, object};
use super::super::state::SETTINGS;
use super::call::{Answer, ApiError, Call};
use super::schemas::{self, Use};
use crate::bundle::Object;

/// What a path answers.
pub(super) enum Rest {
    /// An empty list under this key.
    List(&'static str),
    /// Settings, as JSON, which `PATCH` and `PUT` change.
    Settings(&'static str),
    /// 404 until it is set.
    Unset,
}

/// Paths (`*` is any one segment), the name in the scopes, and the answer.
pub(super) const REST: [(&str, &str, Rest); 42] = [
    ("actions/modules", "actions", Rest::List("modules")),
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
    ("branding/phone/providers", "phone_providers", Rest::List("providers")),
    ("branding/phone/templates", "phone_templates", Rest::List("templates")),
    ("branding/templates/universal-login", "branding", Rest::Unset),
    ("branding/themes/default", "branding", Rest::Unset),
    ("connection-profiles", "connection_profiles", Rest::List("connection_profiles")),
    ("connections-directory-provisionings", "directory_provisionings", Rest::List("directory_provisionings")),
    ("custom-domains", "custom_domains", Rest::List("custom_domains")),
    ("email-templates/*", "email_templates", Rest::Unset),
    ("emails/provider", "email_provider", Rest::Unset),
    ("event-streams", "event_streams", Rest::List("eventStreams")),
    ("flows", "flows", Rest::List("flows")),
    ("flows/vault/connections", "flows_vault_connections", Rest::List("connections")),
    ("forms", "forms", Rest::List("forms")),
    ("guardian/factors", "guardian_factors", Rest::List("factors")),
    ("guardian/factors/phone/message-types", "guardian_factors", Rest::Settings(r#"{"message_types":[]}"#)),
    (
        "guardian/factors/phone/selected-provider",
        "guardian_factors",
        Rest::Settings(r#"{"provider":"auth0"}"#),
    ),
    ("guardian/factors/push-notification/providers/sns", "guardian_factors", Rest::Settings("{}")),
    ("guardian/factors/sms/providers/twilio", "guardian_factors", Rest::Settings("{}")),
    ("guardian/factors/sms/templates", "guardian_factors", Rest::Settings("{}")),
    ("guardian/policies", "mfa_policies", Rest::List("policies")),
    ("hooks", "hooks", Rest::List("hooks")),
    ("log-streams", "log_streams", Rest::List("log_streams")),
    ("network-acls", "network_acls", Rest::List("network_acls")),
    (
        "prompts",
        "prompts",
        Rest::Settings(r#"{"universal_login_experience":"new","identifier_first":false}"#),
    ),
    ("prompts/*/custom-text/*", "prompts", Rest::Settings("{}")),
    ("prompts/*/partials", "prompts", Rest::Settings("{}")),
    ("prompts/rendering", "prompts", Rest::List("configs")),
    ("rate-limit-policies", "rate_limit_policies", Rest::List("rate_limit_policies")),
    ("risk-assessments/settings", "attack_protection", Rest::Settings(r#"{"enabled":false}"#)),
    ("risk-assessments/settings/new-device", "attack_protection", Rest::Settings(r#"{"remember_for":30}"#)),
    ("self-service-profiles", "self_service_profiles", Rest::List("self_service_profiles")),
    ("supplemental-signals", "attack_protection", Rest::Settings(r#"{"akamai_enabled":false}"#)),
    ("token-exchange-profiles", "token_exchange_profiles", Rest::List("token_exchange_profiles")),
    ("user-attribute-profiles", "user_attribute_profiles", Rest::List("user_attribute_profiles")),
    ("verifiable-credentials/verification/templates", "vdcs_templates", Rest::List("templates")),
];

/// The durations that the deploy CLI sends in minutes, and their names in hours.
const MINUTES: [(&str, &str); 4] = [
    ("session_lifetime_in_minutes", "session_lifetime"),
    ("idle_session_lifetime_in_minutes", "idle_session_lifetime"),
    ("ephemeral_session_lifetime_in_minutes", "ephemeral_session_lifetime"),
    ("idle_ephemeral_session_lifetime_in_minutes", "idle_ephemeral_session_lifetime"),
];

/// `GET /tenants/settings`.
pub(super) fn get(call: &Call<'_>) -> Answer {
    Ok(HttpResponse::json(200, &call.select_fields(shown(&call.tenant.bundle.objects.tenant).into())))
}

/// `PATCH /tenants/settings`.
pub(super) fn update(call: &Call<'_>) -> Answer {
    let mut body = call.body()?;
    let mut hours = Object::new();
    for (minutes, name) in MINUTES {
        if let Some(value) = body.remove(minutes).and_then(|value| value.as_f64()) {
            hours.insert(name.to_owned(), json!(value / 60.0));
        }
    }
    schemas::check("tenant", &body, Use::Update)?;
    body.append(&mut hours);
    let next = overlay(call.tenant.bundle.objects.tenant.clone(), &body);
    call.tenant.change_object(SETTINGS, SETTINGS, Some(body))?;
    Ok(HttpResponse::json(200, &shown(&next).into()))
}

/// The entry of a path in [`REST`].
pub(super) fn rest(path: &str) -> Option<&'static (&'static str, &'static str, Rest)> {
    REST.iter().find(|(pattern, ..)| {
        let segments = pattern.split('/').zip(path.split('/'));
        pattern.split('/').count() == path.split('/').count()
            && segments.into_iter().all(|(pattern, segment)| pattern == "*" || pattern == segment)
    })
}

/// Answers a path of [`REST`], whose scopes were checked.
pub(super) fn answer_rest(call: &Call<'_>, path: &str, rest: &Rest) -> Answer {
    const KIND: &str = "rest";
    let stored = call.tenant.db.object(KIND, path)?;
    let base = match (rest, &stored) {
        (Rest::List(key), _) => return call.list(key, Vec::new()),
        (Rest::Unset, None) if call.request.method == "GET" => {
            return Err(ApiError::new(404, format!("There is no {path}."), "inexistent_resource"));
        }
        (Rest::Settings(text), _) => serde_json::from_str(text).unwrap_or_default(),
        (Rest::Unset, _) => Value::Null,
    };
    let mut current = overlay(object(base), &stored.unwrap_or_default());
    if call.request.method != "GET" {
        let changes = call.body()?;
        current = overlay(current, &changes);
        call.tenant.db.change_object(KIND, path, Some(changes))?;
    }
    Ok(HttpResponse::json(200, &current.into()))
}

fn shown(tenant: &Object) -> Object {
    let mut shown = object(json!({
        "flags": {}, "enabled_locales": ["en"], "sandbox_version": "22", "session_lifetime": 168,
        "idle_session_lifetime": 72, "default_directory": "", "default_audience": "",
    }));
    shown.extend(tenant.clone());
    shown.retain(|_, value| !value.is_null());
    schemas::project("tenant", &mut shown);
    shown
}
