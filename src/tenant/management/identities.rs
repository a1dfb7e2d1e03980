//! Identities of users, and which clients have which connections.

use serde_json::{Value, json};

use super::super::accounts::Feed;
use super::super::db::timestamp;
use super::super::response::{HttpResponse, object};
use super::super::users::add_defaults;
use super::call::{Answer, ApiError, Call, text};
use super::relations::{list, of, shown_object};
use super::users::{change, connection_strategy, find, member, shown};
use crate::bundle::Kind;

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
    add_defaults(&mut account, text(&identity, "connection"), &timestamp(call.tenant.clock.now()));
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
    call.tenant.change_object(Kind::Connection.folder(), text(connection, "id"), changes)?;
    Ok(HttpResponse::new(204))
}

/// `GET /connections/{id}/status`: a connection that exists is online.
pub(super) fn connection_status(call: &Call<'_>) -> Answer {
    of(call, Kind::Connection, call.arg(0))?;
    Ok(HttpResponse::new(200))
}

/// `DELETE /connections/{id}/users?email=…`: a user of the connection.
pub(super) fn delete_connection_user(call: &Call<'_>) -> Answer {
    let connection = text(of(call, Kind::Connection, call.arg(0))?, "name");
    let email = call.query.get("email").unwrap_or_default();
    if email.is_empty() {
        return Err(ApiError::query("'Missing required property: email'"));
    }
    for user in call.tenant.users.find_by_email(email)? {
        if user.connection() == connection {
            call.tenant.db.delete_account(user.user_id())?;
        }
    }
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
