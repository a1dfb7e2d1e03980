//! Users: create, get, search, update, delete.

use serde_json::{Map, Value, json};

use super::super::accounts::Feed;
use super::super::connections;
use super::super::db::timestamp;
use super::super::password_hash::hash_password;
use super::super::response::HttpResponse;
use super::super::users::{add_defaults, merge_metadata};
use super::call::{Answer, ApiError, Call};
use super::call::{random, text};
use super::schemas::{self, Use};
use super::search::Query;
use crate::bundle::{DEFAULT_CONNECTION, Kind, Object};

/// The most users that paging and searching return.
const MAX_RESULTS: usize = 1_000;
/// The most users that a search reads.
const MAX_READ: i64 = 100_000;

/// `GET /users`.
pub(super) fn list(call: &Call<'_>) -> Answer {
    let page = call.page()?;
    if page.start.saturating_add(page.limit) > MAX_RESULTS {
        let message = "You can only page through the first 1000 records. See https://auth0.com/docs/users/search/v3/view-search-results-by-page#limitation";
        return Err(ApiError::new(400, message, "invalid_paging"));
    }
    let (query, sort) = (call.query.get("q").unwrap_or_default().trim(), call.query.get("sort"));
    let connection = call.query.get("connection");
    let skip = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
    let (total, users) = if query.is_empty() && sort.is_none() && connection.is_none() {
        let total = usize::try_from(call.tenant.db.count_accounts()?).unwrap_or(0);
        (total, call.tenant.db.accounts(skip(page.start), skip(page.limit))?)
    } else {
        let query =
            Query::parse(query).map_err(|problem| ApiError::new(400, problem, "invalid_query_string"))?;
        let is_of = |user: &Object| connection.is_none_or(|name| connection_of(user) == name);
        let mut found = call.tenant.db.accounts(0, MAX_READ)?;
        found.retain(|user| is_of(user) && query.matches(user));
        if let Some((member, direction)) = sort.and_then(|sort| sort.rsplit_once(':')) {
            let key = |user: &Object| {
                user.get(member)
                    .map(|value| value.as_str().map_or_else(|| format!("{value:>20}"), str::to_lowercase))
            };
            found.sort_by_cached_key(key);
            if direction == "-1" {
                found.reverse();
            }
        }
        (found.len(), found.into_iter().skip(page.start).take(page.limit).collect())
    };
    let shown: Vec<Value> = users.into_iter().map(shown).collect();
    let length = shown.len();
    let mut response = call.listed("users", page, total.min(MAX_RESULTS), shown)?;
    // Users alone are listed with the page's length too.
    if call.flag("include_totals")? == Some(true)
        && let Ok(Value::Object(mut body)) = serde_json::from_str(&response.body)
    {
        body.insert("length".to_owned(), length.into());
        response.body = Value::Object(body).to_string();
    }
    Ok(response)
}

/// `GET /users-by-email`.
pub(super) fn list_by_email(call: &Call<'_>) -> Answer {
    let email =
        call.query.get("email").ok_or_else(|| ApiError::query("'Missing required property: email'"))?;
    // Auth0 compares the exact text; its database connections store lower case.
    let found =
        call.tenant.db.accounts_by_email(email)?.into_iter().filter(|user| text(user, "email") == email);
    let users: Vec<Value> = found.map(|user| call.select_fields(shown(user))).collect();
    Ok(HttpResponse::json(200, &users.into()))
}

/// `GET /users/{id}`.
pub(super) fn get(call: &Call<'_>) -> Answer {
    Ok(HttpResponse::json(200, &call.select_fields(shown(find(call, call.arg(0))?))))
}

/// `POST /users`.
pub(super) fn create(call: &Call<'_>) -> Answer {
    let body = call.body()?;
    schemas::check("users", &body, Use::Create)?;
    let user = new_user(call, body)?;
    Ok(HttpResponse::json(201, &shown(user)))
}

/// Adds a user, as `POST /users` does.
pub(super) fn new_user(call: &Call<'_>, mut body: Object) -> Result<Object, ApiError> {
    let connection = text(&body, "connection").to_owned();
    let (strategy, _) = connection_strategy(call, &connection)
        .ok_or_else(|| ApiError::new(400, "The connection does not exist.", "inexistent_connection"))?;
    if let Some(email) = body.get("email").and_then(Value::as_str) {
        let email = email.to_lowercase();
        if !is_email(&email) {
            return Err(ApiError::body(format!(
                "'Object didn't pass validation for format email: {email}' on property email (The user's email)"
            )));
        }
        body.insert("email".to_owned(), email.into());
    }
    let password = match body.remove("password") {
        Some(Value::String(password)) => Some(password),
        _ => None,
    };
    match (strategy.as_str(), &password) {
        ("auth0", None) => return Err(ApiError::body("'Missing required property: password'")),
        ("auth0" | "email", _) if !body.contains_key("email") => {
            return Err(ApiError::body("'Missing required property: email'"));
        }
        ("sms", _) if !body.contains_key("phone_number") => {
            return Err(ApiError::body("'Missing required property: phone_number'"));
        }
        _ => {}
    }
    if let ("auth0", Some(password)) = (strategy.as_str(), &password) {
        check_password(call, &connection, password)?;
    }
    for member in ["connection", "verify_email"] {
        body.remove(member);
    }
    let id = match body.remove("user_id") {
        Some(Value::String(id)) => id,
        _ => Kind::ResourceServer.format_id(&random::<16>()?),
    };
    let user_id = format!("{strategy}|{id}");
    body.insert("user_id".to_owned(), user_id.clone().into());
    for member in ["app_metadata", "user_metadata"] {
        if let Some(Value::Object(metadata)) = body.get_mut(member) {
            metadata.retain(|_, value| !value.is_null());
        }
    }
    add_defaults(&mut body, &connection, &timestamp(call.tenant.clock.now()));
    let hash = password.map(|password| hash_password(&password)).transpose()?;
    if call.tenant.db.add_account(&user_id, &body, hash.as_deref())? {
        Ok(body)
    } else {
        Err(ApiError::new(409, "The user already exists.", "auth0_idp_error"))
    }
}

/// `PATCH /users/{id}`: metadata merges at the first level; null deletes a member.
pub(super) fn update(call: &Call<'_>) -> Answer {
    let mut body = call.body()?;
    schemas::check("users", &body, Use::Update)?;
    let stored = find(call, call.arg(0))?;
    for member in ["connection", "client_id", "verify_email", "verify_phone_number"] {
        body.remove(member);
    }
    if let Some(Value::String(email)) = body.get_mut("email") {
        *email = email.to_lowercase();
        if !is_email(email) {
            return Err(ApiError::body(format!(
                "'Object didn't pass validation for format email: {email}' on property email (The user's email)"
            )));
        }
    }
    let password = match body.remove("password") {
        Some(Value::String(password)) => {
            check_password(call, connection_of(&stored), &password)?;
            Some(hash_password(&password)?)
        }
        _ => None,
    };
    let reset = password.is_some().then(|| timestamp(call.tenant.clock.now()));
    let changed = call.tenant.db.change_account(call.arg(0), Feed::Event("user.updated"), |user| {
        let mut changes = body;
        for member in ["app_metadata", "user_metadata"] {
            let merged = match changes.get(member) {
                Some(Value::Object(metadata)) => merge_metadata(user.get(member), metadata),
                _ => continue,
            };
            changes.insert(member.to_owned(), merged);
        }
        changes.extend(reset.map(|now| ("last_password_reset".to_owned(), now.into())));
        changes
    })?;
    if let Some(hash) = password {
        call.tenant.db.set_password(call.arg(0), &hash)?;
    }
    Ok(HttpResponse::json(200, &shown(changed.ok_or_else(ApiError::no_user)?)))
}

/// `DELETE /users/{id}`; no user counts as deleted.
pub(super) fn delete(call: &Call<'_>) -> Answer {
    if !call.arg(0).contains('|') {
        return Err(ApiError::path("'String does not match pattern: ^.+\\|.+$' on property id"));
    }
    call.tenant.db.delete_account(call.arg(0))?;
    Ok(HttpResponse::new(204))
}

/// A user's document.
pub(super) fn find(call: &Call<'_>, user_id: &str) -> Result<Object, ApiError> {
    call.tenant.db.account(user_id)?.ok_or_else(ApiError::no_user)
}

/// A document without relations, as answers have it.
pub(super) fn shown(mut user: Object) -> Value {
    user.retain(|member, value| !member.starts_with('_') && !value.is_null());
    user.into()
}

/// Members of a user, changed in one transaction. The user exists.
pub(super) fn change(
    call: &Call<'_>,
    user_id: &str,
    feed: Feed,
    change: impl FnOnce(&Object) -> Map<String, Value>,
) -> Result<Object, ApiError> {
    call.tenant.db.change_account(user_id, feed, change)?.ok_or_else(ApiError::no_user)
}

/// The strategy and id of a connection. The default database needs no object.
pub(super) fn connection_strategy(call: &Call<'_>, name: &str) -> Option<(String, String)> {
    let found = call.tenant.bundle.objects.find(Kind::Connection, "name", name);
    match found {
        Some(found) => Some((text(found, "strategy").to_owned(), text(found, "id").to_owned())),
        None => (name == DEFAULT_CONNECTION).then(|| ("auth0".to_owned(), String::new())),
    }
}

fn connection_of(user: &Object) -> &str {
    let identity = user.get("identities").and_then(|identities| identities.get(0));
    identity.and_then(|identity| identity.get("connection")).and_then(Value::as_str).unwrap_or_default()
}

fn is_email(email: &str) -> bool {
    let is_plain = !email.chars().any(|c| c.is_whitespace() || c.is_control()) && email.len() <= 254;
    email
        .split_once('@')
        .is_some_and(|(local, host)| is_plain && !local.is_empty() && !host.is_empty() && !host.contains('@'))
}

fn check_password(call: &Call<'_>, connection: &str, password: &str) -> Result<(), ApiError> {
    match connections::weakness(&call.tenant.bundle, connection, password) {
        Some(_) => Err(ApiError::new(400, "PasswordStrengthError: Password is too weak", "invalid_body")),
        None => Ok(()),
    }
}

/// A one-member change.
pub(super) fn member(name: &str, value: Value) -> Object {
    [(name.to_owned(), value)].into_iter().collect()
}

/// An empty object.
pub(super) fn ok(status: u16) -> HttpResponse {
    HttpResponse::json(status, &json!({}))
}
