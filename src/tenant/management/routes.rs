//! The paths: each with its methods, scopes and handler.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;

use super::call::{Answer, ApiError, Call, Pattern};
use super::collections::{COLLECTIONS, Collection};
use super::rest::{REST, Rest};
use super::{
    action_modules, actions, collections, identities, jobs, logs, organizations, relations, rule_configs,
    sessions, settings, signing_keys, users,
};

/// What answers a route.
pub(super) enum Handler {
    Function(fn(&Call<'_>) -> Answer),
    Collection(&'static Collection),
    /// The entry of a path, the path, and the id after it.
    Rest(&'static Rest, String, Option<String>),
    /// The feed of events.
    Events,
    /// A file whose address is the authorization.
    Download,
}

/// A path that exists, and who may call it.
pub(super) struct Route {
    pub(super) handler: Handler,
    /// Any of them is enough.
    pub(super) scopes: Vec<String>,
    /// The path's parameters, decoded.
    pub(super) args: Vec<String>,
}

impl Route {
    /// Whether it changes users only, who have transactions of their own.
    pub(super) fn is_of_users(&self) -> bool {
        let is_of_users = |scope: &String| scope.ends_with(":users");
        matches!(self.handler, Handler::Function(_)) && self.scopes.iter().any(is_of_users)
    }
}

const ROUTES: [Pattern; 93] = [
    ("GET", "users", "read:users", users::list),
    ("POST", "users", "create:users", users::create),
    ("GET", "users-by-email", "read:users", users::list_by_email),
    ("GET", "users/{}", "read:users read:current_user", users::get),
    (
        "PATCH",
        "users/{}",
        "update:users update:users_app_metadata update:current_user_metadata",
        users::update,
    ),
    ("DELETE", "users/{}", "delete:users", users::delete),
    ("GET", "users/{}/roles", "read:users read:roles read:role_members", relations::user_roles),
    ("POST", "users/{}/roles", "update:users create:role_members", relations::change_user_roles),
    ("DELETE", "users/{}/roles", "update:users delete:role_members", relations::change_user_roles),
    ("GET", "users/{}/permissions", "read:users", relations::user_permissions),
    ("POST", "users/{}/permissions", "update:users", relations::change_user_permissions),
    ("DELETE", "users/{}/permissions", "update:users", relations::change_user_permissions),
    ("GET", "users/{}/organizations", "read:organizations", relations::user_organizations),
    ("POST", "users/{}/identities", "update:users update:current_user_identities", identities::link),
    (
        "DELETE",
        "users/{}/identities/{}/{}",
        "update:users update:current_user_identities",
        identities::unlink,
    ),
    ("GET", "users/{}/logs", "read:logs read:logs_users", logs::list),
    ("GET", "users/{}/connected-accounts", "read:users", sessions::no_accounts),
    ("GET", "users/{}/federated-connections-tokensets", "read:federated_connections_tokens", sessions::none),
    ("DELETE", "users/{}/authenticators", "delete:guardian_enrollments update:users", sessions::deleted),
    ("DELETE", "users/{}/multifactor/{}", "update:users", sessions::deleted),
    ("POST", "users/{}/multifactor/actions/invalidate-remember-browser", "update:users", sessions::deleted),
    ("POST", "users/{}/risk-assessments/clear", "update:users", sessions::deleted),
    ("POST", "users/{}/revoke-access", "delete:sessions delete:refresh_tokens", sessions::revoke_access),
    ("DELETE", "users/{}/authentication-methods", "delete:authentication_methods", sessions::deleted),
    ("GET", "users/{}/enrollments", "read:users", sessions::none),
    ("GET", "users/{}/authentication-methods", "read:authentication_methods", sessions::no_methods),
    ("GET", "users/{}/groups", "read:users", sessions::no_groups),
    ("GET", "users/{}/sessions", "read:sessions", sessions::list),
    ("DELETE", "users/{}/sessions", "delete:sessions", sessions::end),
    ("GET", "users/{}/refresh-tokens", "read:refresh_tokens", sessions::refresh_tokens),
    ("DELETE", "users/{}/refresh-tokens", "delete:refresh_tokens", sessions::end_refresh_tokens),
    ("GET", "user-blocks", "read:users", sessions::no_blocks),
    ("DELETE", "user-blocks", "update:users", sessions::deleted),
    ("GET", "user-blocks/{}", "read:users", sessions::no_blocks),
    ("DELETE", "user-blocks/{}", "update:users", sessions::deleted),
    ("GET", "roles/{}/permissions", "read:roles", relations::role_permissions),
    ("POST", "roles/{}/permissions", "update:roles", relations::change_role_permissions),
    ("DELETE", "roles/{}/permissions", "update:roles", relations::change_role_permissions),
    ("GET", "roles/{}/users", "read:users read:roles read:role_members", relations::role_users),
    ("POST", "roles/{}/users", "update:roles create:role_members", relations::assign_role),
    ("POST", "clients/{}/rotate-secret", "update:client_keys", collections::rotate_secret),
    (
        "GET",
        "clients/{}/connections",
        "read:connections read:clients read:client_summary",
        identities::client_connections,
    ),
    ("GET", "clients/{}/credentials", "read:client_credentials", sessions::none),
    (
        "GET",
        "client-grants/{}/organizations",
        "read:organization_client_grants",
        organizations::of_client_grant,
    ),
    ("GET", "connections/{}/status", "read:connections", identities::connection_status),
    ("GET", "connections/{}/keys", "read:connections_keys", sessions::none),
    ("DELETE", "connections/{}/users", "delete:users", identities::delete_connection_user),
    ("GET", "connections/{}/clients", "read:connections", identities::connection_clients),
    ("PATCH", "connections/{}/clients", "update:connections", identities::change_connection_clients),
    ("GET", "rules-configs", "read:rules_configs", rule_configs::list),
    ("PUT", "rules-configs/{}", "update:rules_configs", rule_configs::set),
    ("DELETE", "rules-configs/{}", "delete:rules_configs", rule_configs::delete),
    ("POST", "actions/actions/{}/deploy", "create:actions", actions::deploy_draft),
    ("GET", "actions/actions/{}/versions", "read:actions", actions::list_versions),
    ("GET", "actions/actions/{}/versions/{}", "read:actions", actions::get_version),
    ("POST", "actions/actions/{}/versions/{}/deploy", "create:actions", actions::deploy_version),
    ("GET", "actions/modules/{}/actions", "read:actions", action_modules::list_actions),
    ("GET", "actions/modules/{}/versions", "read:actions", action_modules::list_versions),
    ("POST", "actions/modules/{}/versions", "create:actions", action_modules::publish),
    ("GET", "actions/modules/{}/versions/{}", "read:actions", action_modules::get_version),
    ("POST", "actions/modules/{}/rollback", "create:actions", action_modules::rollback),
    ("GET", "actions/triggers", "read:actions", actions::list_triggers),
    ("GET", "actions/triggers/{}/bindings", "read:actions", actions::list_bindings),
    ("PATCH", "actions/triggers/{}/bindings", "update:actions", actions::update_bindings),
    ("GET", "organizations/name/{}", "read:organizations", organizations::organization_by_name),
    ("GET", "organizations/{}/members", "read:organization_members", organizations::members),
    ("POST", "organizations/{}/members", "create:organization_members", organizations::change_members),
    ("DELETE", "organizations/{}/members", "delete:organization_members", organizations::change_members),
    (
        "GET",
        "organizations/{}/members/{}/roles",
        "read:organization_member_roles",
        organizations::member_roles,
    ),
    (
        "POST",
        "organizations/{}/members/{}/roles",
        "create:organization_member_roles",
        organizations::change_member_roles,
    ),
    (
        "DELETE",
        "organizations/{}/members/{}/roles",
        "delete:organization_member_roles",
        organizations::change_member_roles,
    ),
    (
        "GET",
        "organizations/{}/enabled_connections",
        "read:organization_connections",
        organizations::enabled_connections,
    ),
    (
        "POST",
        "organizations/{}/enabled_connections",
        "create:organization_connections",
        organizations::change_enabled_connections,
    ),
    (
        "GET",
        "organizations/{}/enabled_connections/{}",
        "read:organization_connections",
        organizations::get_enabled_connection,
    ),
    (
        "PATCH",
        "organizations/{}/enabled_connections/{}",
        "update:organization_connections",
        organizations::change_enabled_connections,
    ),
    (
        "DELETE",
        "organizations/{}/enabled_connections/{}",
        "delete:organization_connections",
        organizations::change_enabled_connections,
    ),
    (
        "GET",
        "organizations/{}/client-grants",
        "read:organization_client_grants",
        organizations::client_grants,
    ),
    (
        "POST",
        "organizations/{}/client-grants",
        "create:organization_client_grants",
        organizations::change_client_grants,
    ),
    (
        "DELETE",
        "organizations/{}/client-grants/{}",
        "delete:organization_client_grants",
        organizations::change_client_grants,
    ),
    // The newer name of the same: also connections that are not enabled.
    (
        "GET",
        "organizations/{}/connections",
        "read:organization_connections",
        organizations::enabled_connections,
    ),
    (
        "POST",
        "organizations/{}/connections",
        "create:organization_connections",
        organizations::change_enabled_connections,
    ),
    (
        "GET",
        "organizations/{}/connections/{}",
        "read:organization_connections",
        organizations::get_enabled_connection,
    ),
    (
        "PATCH",
        "organizations/{}/connections/{}",
        "update:organization_connections",
        organizations::change_enabled_connections,
    ),
    (
        "DELETE",
        "organizations/{}/connections/{}",
        "delete:organization_connections",
        organizations::change_enabled_connections,
    ),
    ("GET", "tenants/settings", "read:tenant_settings", settings::get),
    ("PATCH", "tenants/settings", "update:tenant_settings", settings::update),
    ("GET", "logs", "read:logs read:logs_users", logs::list),
    ("GET", "logs/{}", "read:logs read:logs_users", logs::get),
    ("POST", "jobs/users-imports", "create:users", jobs::import),
    ("POST", "jobs/users-exports", "read:users", jobs::export),
    ("POST", "jobs/verification-email", "update:users", jobs::verification_email),
    ("GET", "jobs/{}", "create:users read:users", jobs::get),
    ("GET", "jobs/{}/errors", "create:users read:users", jobs::errors),
];

/// The route of a request; within it, `Err` names the methods of a path that has others.
pub(super) fn find(method: &str, path: &str) -> Result<Result<Route, String>, ApiError> {
    let mut segments = Vec::new();
    for segment in path.trim_end_matches('/').split('/') {
        let decoded = percent_decode_str(segment).decode_utf8();
        segments.push(decoded.map_err(|_| ApiError::path("'id' is not UTF-8"))?.into_owned());
    }
    let scopes = |scopes: &str| scopes.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let mut allowed = BTreeSet::new();
    let found = |handler, scopes, args| Ok(Ok(Route { handler, scopes, args }));
    if let (["events"], "GET") = (texts(&segments).as_slice(), method) {
        return found(Handler::Events, scopes("read:events"), Vec::new());
    }
    if let (["jobs", id, "download"], "GET") = (texts(&segments).as_slice(), method) {
        return found(Handler::Download, Vec::new(), vec![(*id).to_owned()]);
    }
    for (known, pattern, wanted, function) in ROUTES.iter().chain(signing_keys::ROUTES.iter()) {
        let Some(args) = matched(pattern, &segments) else { continue };
        if *known == method {
            return found(Handler::Function(*function), scopes(wanted), args);
        }
        allowed.insert(*known);
    }
    for collection in &COLLECTIONS {
        let id = matched(&format!("{}/{{}}", collection.path), &segments);
        if id.is_none() && path.trim_end_matches('/') != collection.path {
            continue;
        }
        if let Some(wanted) = collection.scopes(method, id.is_some()) {
            return found(Handler::Collection(collection), wanted, id.unwrap_or_default());
        }
        let methods = ["GET", "POST", "PATCH", "DELETE"];
        allowed.extend(methods.into_iter().filter(|known| collection.scopes(known, id.is_some()).is_some()));
    }
    let path = path.trim_end_matches('/');
    if let Some((rest, scope, id)) = Rest::find(path) {
        let verb = match method {
            "GET" => "read",
            "POST" => "create",
            "DELETE" => "delete",
            _ => "update",
        };
        if rest.methods(id.is_some()).contains(&method) {
            let path = id.and(path.rsplit_once('/')).map_or(path, |(list, _)| list);
            let handler = Handler::Rest(rest, path.to_owned(), id.map(str::to_owned));
            return found(handler, vec![format!("{verb}:{scope}")], Vec::new());
        }
        allowed.extend(rest.methods(id.is_some()));
    }
    if allowed.is_empty() {
        return Err(ApiError::new(404, "Not Found", ""));
    }
    Ok(Err(allowed.into_iter().collect::<Vec<_>>().join(", ")))
}

/// All scopes of the API, sorted.
pub(in crate::tenant) fn scopes() -> Vec<String> {
    let mut all: BTreeSet<String> =
        ["read:events", "read:client_keys", "update:client_keys"].map(str::to_owned).into();
    let functions = ROUTES.iter().chain(signing_keys::ROUTES.iter());
    all.extend(functions.flat_map(|(_, _, scopes, _)| scopes.split(' ')).map(str::to_owned));
    for (method, has_id) in [("GET", false), ("POST", false), ("PATCH", true), ("DELETE", true)] {
        all.extend(COLLECTIONS.iter().filter_map(|collection| collection.scopes(method, has_id)).flatten());
    }
    let verbs = ["read", "create", "update", "delete"];
    all.extend(REST.iter().flat_map(|(_, scope, _)| verbs.map(|verb| format!("{verb}:{scope}"))));
    all.into_iter().collect()
}

fn texts(segments: &[String]) -> Vec<&str> {
    segments.iter().map(String::as_str).collect()
}

/// The parameters of a path that fits the pattern.
fn matched(pattern: &str, segments: &[String]) -> Option<Vec<String>> {
    let pattern: Vec<&str> = pattern.split('/').collect();
    if pattern.len() != segments.len() {
        return None;
    }
    let mut args = Vec::new();
    for (pattern, segment) in pattern.into_iter().zip(segments) {
        match pattern {
            "{}" if !segment.is_empty() => args.push(segment.clone()),
            _ if pattern == segment => {}
            _ => return None,
        }
    }
    Some(args)
}
