//! Organizations: members, their roles, and connections.

use serde_json::{Value, json};

use super::super::accounts::Feed;
use super::super::response::{HttpResponse, object};
use super::call::{Answer, ApiError, Call, text};
use super::relations::{
    MAX_READ, changed, is_deletion, known, list, of, organizations, shown_object, summary,
};
use super::users::{change, find, member};
use crate::bundle::Kind;

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

/// `GET /organizations/{id}/enabled_connections`, and `…/connections`.
pub(super) fn enabled_connections(call: &Call<'_>) -> Answer {
    let connections = list(of(call, Kind::Organization, call.arg(0))?.get("connections"));
    let key = call.request.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    call.list(key, connections.into_iter().map(|enabled| enabled_connection(call, enabled)).collect())
}

/// `GET /organizations/{id}/enabled_connections/{connection_id}`.
pub(super) fn get_enabled_connection(call: &Call<'_>) -> Answer {
    let mut all = list(of(call, Kind::Organization, call.arg(0))?.get("connections")).into_iter();
    let found = all.find(|enabled| enabled.get("connection_id").and_then(Value::as_str) == Some(call.arg(1)));
    let missing =
        || ApiError::new(404, "The connection is not enabled for the organization.", "inexistent_connection");
    Ok(HttpResponse::json(200, &enabled_connection(call, found.ok_or_else(missing)?)))
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
    call.tenant.change_object(Kind::Organization.folder(), text(organization, "id"), changes)?;
    let status = if call.request.method == "POST" { 201 } else { 200 };
    if is_deletion(call) {
        return Ok(HttpResponse::new(204));
    }
    Ok(HttpResponse::json(status, &enabled_connection(call, enabled.into())))
}

/// `GET /organizations/{id}/client-grants`.
pub(super) fn client_grants(call: &Call<'_>) -> Answer {
    let ids = list(of(call, Kind::Organization, call.arg(0))?.get("_client_grants"));
    let grants = call.tenant.bundle.objects.list(Kind::ClientGrant).iter();
    let grants = grants.filter(|grant| grant.get("id").is_some_and(|id| ids.contains(id)));
    call.list(
        "client_grants",
        grants.filter_map(|grant| shown_object(call, Kind::ClientGrant, grant)).collect(),
    )
}

/// `POST /organizations/{id}/client-grants` with a `grant_id`, and `DELETE …/{grant_id}`.
pub(super) fn change_client_grants(call: &Call<'_>) -> Answer {
    let organization = of(call, Kind::Organization, call.arg(0))?;
    let body = call.body()?;
    let id = if is_deletion(call) { call.arg(1) } else { text(&body, "grant_id") };
    let grant = of(call, Kind::ClientGrant, id)?;
    let ids = changed(list(organization.get("_client_grants")), &[id.into()], is_deletion(call));
    let changes = member("_client_grants", ids.into());
    call.tenant.change_object(Kind::Organization.folder(), text(organization, "id"), changes)?;
    if is_deletion(call) {
        return Ok(HttpResponse::new(204));
    }
    Ok(HttpResponse::json(201, &shown_object(call, Kind::ClientGrant, grant).unwrap_or_default()))
}

/// `GET /client-grants/{id}/organizations`.
pub(super) fn of_client_grant(call: &Call<'_>) -> Answer {
    let id = of(call, Kind::ClientGrant, call.arg(0))?.get("id").cloned().unwrap_or_default();
    let all = call.tenant.bundle.objects.list(Kind::Organization).iter();
    let all = all.filter(|organization| list(organization.get("_client_grants")).contains(&id));
    call.list(
        "organizations",
        all.filter_map(|found| shown_object(call, Kind::Organization, found)).collect(),
    )
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
