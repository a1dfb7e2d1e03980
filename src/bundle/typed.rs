//! Objects as values of their types. An object that cannot be obeyed as Auth0 would is left out.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Bundle, Kind, Object, Objects};

/// Members that change who gets what and that the dev tenant does not have: an object in which one is set is left out.
const UNSUPPORTED: [(Kind, &str); 5] = [
    (Kind::ResourceServer, "/proof_of_possession/required"),
    (Kind::ResourceServer, "/token_encryption"),
    (Kind::Client, "/require_proof_of_possession"),
    (Kind::Client, "/require_pushed_authorization_requests"),
    (Kind::Client, "/signed_request_object/required"),
];

/// Members that change who gets what, or how, and that have no effect here: named when they are set.
const WITHOUT_EFFECT: [(Kind, &[&str]); 3] = [
    (
        Kind::Client,
        &[
            "/addons",
            "/client_authentication_methods",
            "/compliance_level",
            "/cross_origin_authentication",
            "/default_organization",
            "/initiate_login_uri",
            "/native_social_login",
            "/oidc_backchannel_logout",
            "/organization_require_behavior",
            "/session_transfer",
            "/sso_disabled",
            "/token_quota",
        ],
    ),
    (Kind::ResourceServer, &["/authorization_details", "/authorization_policy", "/consent_policy"]),
    (
        Kind::Connection,
        &[
            "/options/attributes",
            "/options/authentication_methods",
            "/options/disable_self_service_change_password",
            "/options/import_mode",
            "/options/password_dictionary/enable",
            "/options/password_history/enable",
            "/options/password_no_personal_info/enable",
            "/options/requires_username",
        ],
    ),
];

/// The same, of the tenant's settings.
const TENANT_WITHOUT_EFFECT: [&str; 12] = [
    "/acr_values_supported",
    "/authorization_response_iss_parameter_supported",
    "/change_password/enabled",
    "/default_redirection_uri",
    "/default_token_quota",
    "/error_page",
    "/flags/enable_dynamic_client_registration",
    "/flags/require_pushed_authorization_requests",
    "/guardian_mfa_page/enabled",
    "/mtls",
    "/sandbox_version",
    "/session_cookie",
];

/// The dialects of access tokens.
const DIALECTS: [&str; 4] =
    ["access_token", "access_token_authz", "rfc9068_profile", "rfc9068_profile_authz"];

/// See [`Bundle::from_objects`].
pub(super) fn bundle(objects: Objects, mut notices: Vec<String>) -> Bundle {
    let tenant = value_of(objects.tenant.clone(), "tenant", &mut notices).unwrap_or_default();
    let triggers = value_of(objects.triggers.clone(), "triggers", &mut notices).unwrap_or_default();
    let mut rules: Vec<super::Rule> = list(&objects, Kind::Rule, &mut notices);
    rules.sort_by_key(|rule| rule.order);
    let config = |config: &Object| {
        let text = |member| config.get(member).and_then(Value::as_str).map(str::to_owned);
        Some((text("key")?, text("value")?))
    };
    notices.extend(without_effect("tenant", &TENANT_WITHOUT_EFFECT, &[("", &objects.tenant)]));
    for (kind, members) in WITHOUT_EFFECT {
        let named: Vec<_> = objects.list(kind).iter().map(|object| (name(kind, object), object)).collect();
        notices.extend(without_effect(kind.folder(), members, &named));
    }
    Bundle {
        tenant,
        triggers,
        rules,
        rules_configs: objects.list(Kind::RuleConfig).iter().filter_map(config).collect(),
        clients: list(&objects, Kind::Client, &mut notices),
        resource_servers: list(&objects, Kind::ResourceServer, &mut notices),
        client_grants: list(&objects, Kind::ClientGrant, &mut notices),
        roles: list(&objects, Kind::Role, &mut notices),
        organizations: list(&objects, Kind::Organization, &mut notices),
        users: Vec::new(),
        objects,
        notices,
    }
}

fn list<T: DeserializeOwned>(objects: &Objects, kind: Kind, notices: &mut Vec<String>) -> Vec<T> {
    let mut typed = Vec::new();
    for object in objects.list(kind) {
        let what = format!("{} {}", kind.folder(), name(kind, object));
        match unsupported(kind, object) {
            Some(problem) => notices.push(format!("{what}: left out: {problem}")),
            None => typed.extend(value_of(object.clone(), &what, notices)),
        }
    }
    typed
}

fn name(kind: Kind, object: &Object) -> &str {
    let name = ["name", "identifier", kind.id_member()].into_iter().find_map(|name| object.get(name));
    name.and_then(Value::as_str).unwrap_or_default()
}

/// The members that are set and have no effect, in one line.
fn without_effect(what: &str, members: &[&str], objects: &[(&str, &Object)]) -> Option<String> {
    let found = members.iter().filter_map(|path| {
        let of = objects.iter().filter(|(_, object)| pointer(object, path).is_some_and(is_set));
        let of: Vec<&str> = of.map(|(name, _)| *name).collect();
        let name = path.trim_start_matches('/').replace('/', ".");
        match of.as_slice() {
            [] => None,
            [""] => Some(name),
            of => Some(format!("{name} ({})", of.join(", "))),
        }
    });
    let found: Vec<String> = found.collect();
    (!found.is_empty()).then(|| format!("{what}: without effect here: {}", found.join(", ")))
}

/// The value at a JSON pointer (RFC 6901) without escapes.
fn pointer<'a>(object: &'a Object, path: &str) -> Option<&'a Value> {
    let mut names = path.trim_start_matches('/').split('/');
    let first = object.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name))
}

/// Whether a value is more than Auth0's default.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !matches!(text.as_str(), "" | "no_prompt" | "none"),
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => members.values().any(is_set),
        _ => true,
    }
}

/// Why an object cannot be obeyed.
fn unsupported(kind: Kind, object: &Object) -> Option<String> {
    let is_set = |path: &&str| pointer(object, path).is_some_and(is_set);
    let mut of_kind = UNSUPPORTED.iter().filter(|(of, _)| *of == kind).map(|(_, path)| *path);
    if let Some(path) = of_kind.find(is_set) {
        return Some(format!("the dev tenant has no {}", path.trim_start_matches('/').replace('/', ".")));
    }
    let text = |member: &str| object.get(member).and_then(Value::as_str);
    if kind != Kind::ResourceServer {
        return None;
    }
    let dialect = text("token_dialect").filter(|dialect| !DIALECTS.contains(dialect));
    let algorithm = text("signing_alg").filter(|algorithm| *algorithm != "RS256");
    let dialect =
        dialect.map(|dialect| format!("{dialect:?} is not a token_dialect; use one of {DIALECTS:?}"));
    dialect.or(algorithm.map(|algorithm| {
        format!("its tokens are signed with {algorithm}, and the dev tenant has RS256 only; tokens for it are refused")
    }))
}

/// A value of its type. Members that are null count as absent.
fn value_of<T: DeserializeOwned>(mut object: Object, what: &str, notices: &mut Vec<String>) -> Option<T> {
    object.retain(|_, value| !value.is_null());
    let parsed = serde_json::from_value(Value::Object(object));
    parsed.map_err(|error| notices.push(format!("{what}: left out: {error}"))).ok()
}
