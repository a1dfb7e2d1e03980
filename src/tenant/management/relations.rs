//! Relations of users, roles and organizations: members of the users' documents whose names begin with `_`.

use serde_json::{Value, json};

use super::super::accounts::Feed;
use super::super::response::{HttpResponse, object};
use super::call::text;
use super::call::{Answer, ApiError, Call};
use super::collections::Collection;
use super::users::{change, connection_strategy, find, member, ok, shown};
use crate::bundle::{Kind, Object};

/// The most users that are read to find an organization's or a role's.
const MAX_READ: i64 = 100_000;

/// `GET /users/{id}/roles`.
pub(super) fn user_roles(call: &Call<'_>) -> Answer {
    let user = find(call, call.arg(0))?;
    let ids = list(user.get("_roles"));
    let roles = call
        .tenant
        .bundle
        .objects
        .list(Kind::Role)
        .iter()
        .filter(|role| role.get("id").is_some_and(|id| ids.contains(id)));
    call.list("roles", roles.filter_map(|role| shown_object(call, Kind::Role, role)).collect())
}

/// `POST` and `DELETE /users/{id}/roles`.
pub(super) fn change_user_roles(call: &Call<'_>) -> Answer {
    let roles = known(call, Kind::Role, call.texts("roles")?)?;
    assign(call, call.arg(0), "_roles", &roles)?;
    Ok(HttpResponse::new(204))
}

/// `GET /roles/{id}/users`.
pub(super) fn role_users(call: &Call<'_>) -> Answer {
    let role = role(call)?.get("id").cloned().unwrap_or_default();
    let users = call.tenant.db.accounts(0, MAX_READ)?.into_iter();
    let users = users.filter(|user| list(user.get("_roles")).contains(&role));
    call.list("users", users.map(|user| summary(&user)).collect())
}

/// `POST /roles/{id}/users`.
pub(super) fn assign_role(call: &Call<'_>) -> Answer {
    let role = vec![role(call)?.get("id").cloned().unwrap_or_default()];
    let users = call.texts("users")?;
    for user in &users {
        find(call, user)?;
    }
    for user in users {
        assign(call, &user, "_roles", &role)?;
    }
    Ok(ok(200))
}

/// `GET /users/{id}/permissions`: the user's own and those of roles, with their sources.
pub(super) fn user_permissions(call: &Call<'_>) -> Answer {
    let user = find(call, call.arg(0))?;
    let source = |id: &Value, name: &Value, kind: &str| json!({"source_id": id, "source_name": name, "source_type": kind});
    let mut all: Vec<(Value, Vec<Value>)> = Vec::new();
    let mut add = |permission: &Value, source: Value| match all
        .iter_mut()
        .find(|(known, _)| is_same(known, permission))
    {
        Some((_, sources)) => sources.push(source),
        None => all.push((permission.clone(), vec![source])),
    };
    for permission in list(user.get("_permissions")) {
        add(&permission, source(&json!(""), &json!(""), "DIRECT"));
    }
    let ids = list(user.get("_roles"));
    for role in call.tenant.bundle.objects.list(Kind::Role) {
        let (id, name) =
            (role.get("id").cloned().unwrap_or_default(), role.get("name").cloned().unwrap_or_default());
        if ids.contains(&id) {
            list(role.get("permissions"))
                .iter()
                .for_each(|permission| add(permission, source(&id, &name, "ROLE")));
        }
    }
    let shown = all.into_iter().map(|(permission, sources)| {
        let mut shown = shown_permission(call, &permission);
        shown.insert("sources".to_owned(), sources.into());
        shown.into()
    });
    call.list("permissions", shown.collect())
}

/// `POST` and `DELETE /users/{id}/permissions`.
pub(super) fn change_user_permissions(call: &Call<'_>) -> Answer {
    let permissions = permissions(call)?;
    assign(call, call.arg(0), "_permissions", &permissions)?;
    Ok(if is_deletion(call) { HttpResponse::new(204) } else { ok(201) })
}

/// `GET /roles/{id}/permissions`.
pub(super) fn role_permissions(call: &Call<'_>) -> Answer {
    let permissions = list(role(call)?.get("permissions"));
    call.list(
        "permissions",
        permissions.iter().map(|permission| shown_permission(call, permission).into()).collect(),
    )
}

/// `POST` and `DELETE /roles/{id}/permissions`.
pub(super) fn change_role_permissions(call: &Call<'_>) -> Answer {
    let (role, permissions) = (role(call)?, permissions(call)?);
    let changed = changed(list(role.get("permissions")), &permissions, is_deletion(call));
    call.tenant.change_object(
        Kind::Role.folder(),
        text(role, "id"),
        Some(member("permissions", changed.into())),
    )?;
    Ok(ok(if is_deletion(call) { 200 } else { 201 }))
}

/// `GET /users/{id}/organizations`.
pub(super) fn user_organizations(call: &Call<'_>) -> Answer {
    let ids = organizations(&find(call, call.arg(0))?);
    let all = call.tenant.bundle.objects.list(Kind::Organization).iter();
    let of_user = all.filter(|organization| ids.contains_key(text(organization, "id")));
    call.list(
        "organizations",
        of_user.filter_map(|found| shown_object(call, Kind::Organization, found)).collect(),
    )
}

/// `GET /organizations/name/{name}`.
pub(super) fn organization_by_name(call: &Call<'_>) -> Answer {
    let found = call.tenant.bundle.objects.find(Kind::Organization, "name", call.arg(0));
    let id = found.map(|found| text(found, "id")).unwrap_or_default();
    Ok(HttpResponse::json(
        200,
        &shown_object(call, Kind::Organization, of(call, Kind::Organization, id)?).unwrap_or_default(),
    ))
}

/// `GET /organizations/{id}/members`.
pub(super) fn members(call: &Call<'_>) -> Answer {
    let id = text(of(call, Kind::Organization, call.arg(0))?, "id");
    let users = call.tenant.db.accounts(0, MAX_READ)?.into_iter();
    let users = users.filter(|user| organizations(user).contains_key(id));
    call.list("members", users.map(|user| summary(&user)).collect())
}

/// `POST` and `DELETE /organizations/{id}/members`.
pub(super) fn change_members(call: &Call<'_>) -> Answer {
    let id = text(of(call, Kind::Organization, call.arg(0))?, "id").to_owned();
    let users = call.texts("members")?;
    for user in &users {
        find(call, user)?;
    }
    for user in users {
        change(call, &user, Feed::Silent, |user| {
            let mut all = organizations(user);
            if is_deletion(call) {
                all.remove(&id);
            } else {
                all.entry(id.clone()).or_insert_with(|| json!([]));
            }
            member("_organizations", all.into())
        })?;
    }
    Ok(HttpResponse::new(204))
}

/// `GET /organizations/{id}/members/{user_id}/roles`.
pub(super) fn member_roles(call: &Call<'_>) -> Answer {
    let ids = list(organizations(&find(call, call.arg(1))?).get(call.arg(0)));
    let roles = call.tenant.bundle.objects.list(Kind::Role).iter();
    let roles = roles.filter(|role| role.get("id").is_some_and(|id| ids.contains(id)));
    call.list("roles", roles.filter_map(|role| shown_object(call, Kind::Role, role)).collect())
}

/// `POST` and `DELETE /organizations/{id}/members/{user_id}/roles`.
pub(super) fn change_member_roles(call: &Call<'_>) -> Answer {
    let id = text(of(call, Kind::Organization, call.arg(0))?, "id").to_owned();
    let roles = known(call, Kind::Role, call.texts("roles")?)?;
    if !organizations(&find(call, call.arg(1))?).contains_key(&id) {
        return Err(ApiError::new(400, "The user is not a member of the organization.", "not_a_member"));
    }
    change(call, call.arg(1), Feed::Silent, |user| {
        let mut all = organizations(user);
        let next = changed(list(all.get(&id)), &roles, is_deletion(call));
        all.insert(id, next.into());
        member("_organizations", all.into())
    })?;
    Ok(HttpResponse::new(204))
}

/// `GET /organizations/{id}/enabled_connections`.
pub(super) fn enabled_connections(call: &Call<'_>) -> Answer {
    let connections = list(of(call, Kind::Organization, call.arg(0))?.get("connections"));
    call.list(
        "enabled_connections",
        connections.into_iter().map(|enabled| enabled_connection(call, enabled)).collect(),
    )
}

/// `POST`, and `PATCH` or `DELETE /organizations/{id}/enabled_connections/{connection_id}`.
pub(super) fn change_enabled_connections(call: &Call<'_>) -> Answer {
    let organization = of(call, Kind::Organization, call.arg(0))?;
    let mut body = call.body()?;
    let id =
        if call.request.method == "POST" { text(&body, "connection_id") } else { call.arg(1) }.to_owned();
    of(call, Kind::Connection, &id)?;
    let mut all = list(organization.get("connections"));
    let is_it = |enabled: &Value| enabled.get("connection_id").and_then(Value::as_str) == Some(&id);
    let mut enabled = all.iter().find(|enabled| is_it(enabled)).cloned().map(object).unwrap_or_default();
    all.retain(|enabled| !is_it(enabled));
    enabled.append(&mut body);
    enabled.insert("connection_id".to_owned(), id.into());
    if !is_deletion(call) {
        all.push(enabled.clone().into());
    }
    let changes = member("connections", all.into());
    call.tenant.change_object(Kind::Organization.folder(), text(organization, "id"), Some(changes))?;
    let status = if call.request.method == "POST" { 201 } else { 200 };
    if is_deletion(call) {
        return Ok(HttpResponse::new(204));
    }
    Ok(HttpResponse::json(status, &enabled_connection(call, enabled.into())))
}

/// `POST /users/{id}/identities`: moves another account's identity into this user. The other account goes.
pub(super) fn link(call: &Call<'_>) -> Answer {
    let body = call.body()?;
    let primary = find(call, call.arg(0))?;
    let secondary = match (body.get("link_with").and_then(Value::as_str), body.get("user_id")) {
        (Some(token), _) => {
            let subject =
                call.tenant.verify(token).and_then(|claims| claims.get("sub")?.as_str().map(str::to_owned));
            subject.ok_or_else(|| ApiError::new(401, "Invalid token", "invalid_token"))?
        }
        (None, Some(id)) => {
            let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
            let provider = text(&body, "provider");
            let is_whole = id.starts_with(&format!("{provider}|"));
            if is_whole { id } else { format!("{provider}|{id}") }
        }
        (None, None) => return Err(ApiError::body("'Missing required property: user_id'")),
    };
    if secondary == call.arg(0) {
        return Err(ApiError::new(400, "Main account and the linked account are the same.", "invalid_body"));
    }
    let secondary = find(call, &secondary)?;
    let mut identities = list(primary.get("identities"));
    for (position, mut identity) in list(secondary.get("identities")).into_iter().enumerate() {
        if let Some(members) = identity.as_object_mut().filter(|_| position == 0) {
            let mut profile = object(shown(secondary.clone()));
            profile.retain(|member, _| {
                ![
                    "user_id",
                    "identities",
                    "app_metadata",
                    "user_metadata",
                    "created_at",
                    "updated_at",
                    "blocked",
                ]
                .contains(&member.as_str())
            });
            members.insert("profileData".to_owned(), profile.into());
        }
        identities.push(identity);
    }
    call.tenant.db.delete_account(text(&secondary, "user_id"))?;
    let next = Value::from(identities);
    change(call, call.arg(0), Feed::Event("user.updated"), |_| member("identities", next.clone()))?;
    Ok(HttpResponse::json(201, &next))
}

/// `DELETE /users/{id}/identities/{provider}/{user_id}`: the identity becomes an account of its own again.
pub(super) fn unlink(call: &Call<'_>) -> Answer {
    let user = find(call, call.arg(0))?;
    let (provider, id) = (call.arg(1), call.arg(2));
    let is_it = |identity: &Value| {
        identity.get("provider") == Some(&provider.into())
            && identity
                .get("user_id")
                .is_some_and(|found| found.as_str().map_or_else(|| found.to_string(), str::to_owned) == id)
    };
    let mut identities = list(user.get("identities"));
    let Some(position) = identities.iter().position(is_it) else {
        return Err(ApiError::new(404, "The identity does not exist.", "inexistent_identity"));
    };
    if position == 0 {
        return Err(ApiError::new(400, "Main identity cannot be unlinked.", "invalid_uri"));
    }
    let mut identity = object(identities.remove(position));
    let mut account = object(identity.remove("profileData").unwrap_or_default());
    let user_id = format!("{provider}|{id}");
    account.insert("user_id".to_owned(), user_id.clone().into());
    account.insert("identities".to_owned(), json!([identity]));
    super::super::users::add_defaults(
        &mut account,
        text(&identity, "connection"),
        &super::super::db::timestamp(call.tenant.clock.now()),
    );
    let next = Value::from(identities);
    change(call, call.arg(0), Feed::Event("user.updated"), |_| member("identities", next.clone()))?;
    call.tenant.db.add_account(&user_id, &account, None)?;
    Ok(HttpResponse::json(200, &next))
}

/// `GET /clients/{id}/connections` and `GET /connections/{id}/clients`.
pub(super) fn client_connections(call: &Call<'_>) -> Answer {
    let client = of(call, Kind::Client, call.arg(0))?.get("client_id").cloned().unwrap_or_default();
    let all = call.tenant.bundle.objects.list(Kind::Connection).iter();
    let enabled = all.filter(|connection| list(connection.get("enabled_clients")).contains(&client));
    let shown = enabled.filter_map(|connection| {
        let mut shown = shown_object(call, Kind::Connection, connection)?;
        shown.as_object_mut()?.remove("enabled_clients");
        Some(shown)
    });
    let shown: Vec<Value> = shown.collect();
    Ok(HttpResponse::json(200, &json!({"connections": shown})))
}

pub(super) fn connection_clients(call: &Call<'_>) -> Answer {
    let enabled = list(of(call, Kind::Connection, call.arg(0))?.get("enabled_clients"));
    let clients: Vec<Value> = enabled.iter().map(|client| json!({"client_id": client})).collect();
    Ok(HttpResponse::json(200, &json!({"clients": clients})))
}

/// `PATCH /connections/{id}/clients` with `[{client_id, status}]`.
pub(super) fn change_connection_clients(call: &Call<'_>) -> Answer {
    let connection = of(call, Kind::Connection, call.arg(0))?;
    let changes: Vec<Value> =
        serde_json::from_slice(&call.request.body).map_err(|_| ApiError::body("'Expected type array'"))?;
    let mut enabled = list(connection.get("enabled_clients"));
    for change in changes {
        let client = change.get("client_id").cloned().unwrap_or_default();
        of(call, Kind::Client, client.as_str().unwrap_or_default())?;
        enabled.retain(|known| known != &client);
        if change.get("status") == Some(&Value::Bool(true)) {
            enabled.push(client);
        }
    }
    let changes = member("enabled_clients", enabled.into());
    call.tenant.change_object(Kind::Connection.folder(), text(connection, "id"), Some(changes))?;
    Ok(HttpResponse::new(204))
}

/// Whether a new user of a connection exists: its strategy is known.
pub(super) fn connection_of_id(call: &Call<'_>, id: &str) -> Result<String, ApiError> {
    let named = call
        .tenant
        .bundle
        .objects
        .find(Kind::Connection, "id", id)
        .map(|found| text(found, "name").to_owned());
    let name = named.unwrap_or_else(|| crate::bundle::DEFAULT_CONNECTION.to_owned());
    let strategy = connection_strategy(call, &name).map(|(strategy, _)| strategy);
    let is_database = strategy.as_deref() == Some("auth0");
    if is_database {
        Ok(name)
    } else {
        Err(ApiError::new(400, "The connection must be a database", "invalid_body"))
    }
}

fn role<'a>(call: &'a Call<'_>) -> Result<&'a Object, ApiError> {
    of(call, Kind::Role, call.arg(0))
}

fn of<'a>(call: &'a Call<'_>, kind: Kind, id: &str) -> Result<&'a Object, ApiError> {
    Collection::of(kind).ok_or_else(|| ApiError::new(404, "Not Found", ""))?.find(call, id)
}

fn shown_object(call: &Call<'_>, kind: Kind, found: &Object) -> Option<Value> {
    Some(Collection::of(kind)?.shown(call, found).into())
}

fn is_deletion(call: &Call<'_>) -> bool {
    call.request.method == "DELETE"
}

/// Adds to, or removes from, a list in a user's document.
fn assign(call: &Call<'_>, user_id: &str, list_member: &str, items: &[Value]) -> Result<(), ApiError> {
    let is_deletion = is_deletion(call);
    change(call, user_id, Feed::Silent, |user| {
        member(list_member, changed(list(user.get(list_member)), items, is_deletion).into())
    })?;
    Ok(())
}

fn changed(mut all: Vec<Value>, items: &[Value], is_deletion: bool) -> Vec<Value> {
    all.retain(|known| !items.iter().any(|item| is_same(known, item)));
    if !is_deletion {
        all.extend_from_slice(items);
    }
    all
}

/// Permissions are the same when API and name are, whatever else they have.
fn is_same(one: &Value, other: &Value) -> bool {
    let key = |value: &Value| {
        (value.get("resource_server_identifier").cloned(), value.get("permission_name").cloned())
    };
    if one.is_object() { key(one) == key(other) } else { one == other }
}

/// The permissions in the body, each one a scope of an API.
fn permissions(call: &Call<'_>) -> Result<Vec<Value>, ApiError> {
    let body = call.body()?;
    let list = body.get("permissions").and_then(Value::as_array).filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| ApiError::body("'Missing required property: permissions'"))?;
    let mut permissions = Vec::new();
    for permission in list {
        let text = |member: &str| permission.get(member).and_then(Value::as_str).unwrap_or_default();
        let (api, name) = (text("resource_server_identifier"), text("permission_name"));
        let apis = &call.tenant.bundle.resource_servers;
        let is_known = apis
            .iter()
            .any(|known| known.identifier == api && known.scopes.iter().any(|scope| scope.value == name));
        if !is_known && !is_deletion(call) {
            let message = format!("The permission {name:?} does not exist in the API {api:?}.");
            return Err(ApiError::new(400, message, "inexistent_permission"));
        }
        permissions.push(json!({"resource_server_identifier": api, "permission_name": name}));
    }
    Ok(permissions)
}

fn known(call: &Call<'_>, kind: Kind, ids: Vec<String>) -> Result<Vec<Value>, ApiError> {
    for id in &ids {
        // Of the body, not of the path.
        of(call, kind, id).map_err(|error| ApiError { status: 400, ..error })?;
    }
    Ok(ids.into_iter().map(Value::from).collect())
}

fn shown_permission(call: &Call<'_>, permission: &Value) -> Object {
    let text = |member: &str| permission.get(member).and_then(Value::as_str).unwrap_or_default();
    let (identifier, name) = (text("resource_server_identifier"), text("permission_name"));
    let api = call.tenant.bundle.objects.find(Kind::ResourceServer, "identifier", identifier);
    let scopes = list(api.and_then(|api| api.get("scopes")));
    let scope = scopes.iter().find(|scope| scope.get("value").and_then(Value::as_str) == Some(name));
    object(json!({
        "permission_name": name, "resource_server_identifier": identifier,
        "description": scope.and_then(|scope| scope.get("description")?.as_str()).unwrap_or_default(),
        "resource_server_name": api.map(|api| super::call::text(api, "name")).unwrap_or_default(),
    }))
}

fn enabled_connection(call: &Call<'_>, enabled: Value) -> Value {
    let mut shown = object(enabled);
    let connection = call.tenant.bundle.objects.find(Kind::Connection, "id", text(&shown, "connection_id"));
    let connection =
        connection.map(|found| json!({"name": found.get("name"), "strategy": found.get("strategy")}));
    for member in ["assign_membership_on_login", "is_signup_enabled"] {
        shown.entry(member).or_insert(Value::Bool(false));
    }
    shown.entry("show_as_button").or_insert(Value::Bool(true));
    shown.extend(connection.map(|connection| ("connection".to_owned(), connection)));
    shown.into()
}

fn organizations(user: &Object) -> Object {
    user.get("_organizations").cloned().map(object).unwrap_or_default()
}

fn summary(user: &Object) -> Value {
    let members = ["user_id", "email", "name", "picture"].into_iter();
    members.filter_map(|member| Some((member.to_owned(), user.get(member)?.clone()))).collect()
}

fn list(value: Option<&Value>) -> Vec<Value> {
    value.and_then(Value::as_array).cloned().unwrap_or_default()
}
