//! Roles, permissions and members: relations of users, in members of their documents whose names begin with `_`.

use serde_json::{Value, json};

use super::super::accounts::Feed;
use super::super::response::{HttpResponse, object};
use super::call::text;
use super::call::{Answer, ApiError, Call};
use super::collections::Collection;
use super::users::{change, find, member, ok};
use crate::bundle::{Kind, Object};

/// The most users that are read to find an organization's or a role's.
pub(super) const MAX_READ: i64 = 100_000;

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
    let changes = member("permissions", changed.into());
    call.tenant.change_object(Kind::Role.folder(), text(role, "id"), changes)?;
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

fn role<'a>(call: &'a Call<'_>) -> Result<&'a Object, ApiError> {
    of(call, Kind::Role, call.arg(0))
}

pub(super) fn of<'a>(call: &'a Call<'_>, kind: Kind, id: &str) -> Result<&'a Object, ApiError> {
    Collection::of(kind).ok_or_else(|| ApiError::new(404, "Not Found", ""))?.find(call, id)
}

pub(super) fn shown_object(call: &Call<'_>, kind: Kind, found: &Object) -> Option<Value> {
    Some(Collection::of(kind)?.shown(call, found).into())
}

pub(super) fn is_deletion(call: &Call<'_>) -> bool {
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

pub(super) fn changed(mut all: Vec<Value>, items: &[Value], is_deletion: bool) -> Vec<Value> {
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

pub(super) fn known(call: &Call<'_>, kind: Kind, ids: Vec<String>) -> Result<Vec<Value>, ApiError> {
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

pub(super) fn organizations(user: &Object) -> Object {
    user.get("_organizations").cloned().map(object).unwrap_or_default()
}

pub(super) fn summary(user: &Object) -> Value {
    let members = ["user_id", "email", "name", "picture"].into_iter();
    members.filter_map(|member| Some((member.to_owned(), user.get(member)?.clone()))).collect()
}

pub(super) fn list(value: Option<&Value>) -> Vec<Value> {
    value.and_then(Value::as_array).cloned().unwrap_or_default()
}
