//! Jobs: imports and exports of users, done at once and kept as jobs that are completed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::accounts::Feed;
use super::super::response::{HttpResponse, object};
use super::super::users::merge_metadata;
use super::call::{Answer, ApiError, Call};
use super::call::{random, text};
use super::identities::connection_of_id;
use super::users::{member, new_user, shown};
use crate::bundle::{Kind, Object};

const KIND: &str = "jobs";
/// The most users that an export holds.
const MAX_EXPORT: i64 = 100_000;
/// The most errors that a job keeps.
const MAX_ERRORS: usize = 1_000;

/// `POST /jobs/users-imports`: a form with the file `users` and `connection_id`.
pub(super) fn import(call: &Call<'_>) -> Answer {
    let form = multipart(call)?;
    let field = |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let users = field("users").ok_or_else(|| ApiError::body("'Missing required property: users'"))?;
    let connection_id =
        field("connection_id").ok_or_else(|| ApiError::body("'Missing required property: connection_id'"))?;
    let connection = connection_of_id(call, connection_id)?;
    let users: Vec<Value> = serde_json::from_str(users).map_err(|error| {
        ApiError::new(400, format!("Failed to parse users file JSON: {error}"), "invalid_body")
    })?;
    let is_upsert = field("upsert") == Some("true");
    let (mut inserted, mut updated, mut errors) = (0_u64, 0_u64, Vec::new());
    let total = users.len();
    for user in users {
        match import_user(call, &connection, object(user.clone()), is_upsert) {
            Ok(true) => inserted = inserted.saturating_add(1),
            Ok(false) => updated = updated.saturating_add(1),
            Err(error) => {
                errors.push(json!({"user": user, "errors": [{"code": error.code, "message": error.message}]}))
            }
        }
    }
    let failed = errors.len();
    errors.truncate(MAX_ERRORS);
    let mut job = new_job(call, "users_import")?;
    job.extend(object(json!({
        "connection": connection, "connection_id": connection_id, "upsert": is_upsert, "external_id": field("external_id"),
        "summary": {"failed": failed, "updated": updated, "inserted": inserted, "total": total},
        "percentage_done": 100, "_errors": errors,
    })));
    started(call, job, &["summary", "percentage_done"])
}

/// `POST /jobs/users-exports`.
pub(super) fn export(call: &Call<'_>) -> Answer {
    let body = call.body()?;
    let mut job = new_job(call, "users_export")?;
    let format = Some(text(&body, "format")).filter(|format| !format.is_empty()).unwrap_or("json").to_owned();
    if !["json", "csv"].contains(&format.as_str()) {
        return Err(ApiError::body(format!("'No enum match for: {format:?}' on property format")));
    }
    let key = URL_SAFE_NO_PAD.encode(random::<24>()?);
    let location = format!("{}api/v2/jobs/{}/download?key={key}", call.tenant.issuer, text(&job, "id"));
    job.extend(object(json!({
        "format": format, "connection_id": body.get("connection_id"), "connection": body.get("connection"),
        "location": location, "percentage_done": 100, "_key": key,
        "_fields": body.get("fields"), "_limit": body.get("limit"),
    })));
    started(call, job, &["location", "percentage_done"])
}

/// `POST /jobs/verification-email`.
pub(super) fn verification_email(call: &Call<'_>) -> Answer {
    super::users::find(call, text(&call.body()?, "user_id"))?;
    let job = new_job(call, "verification_email")?;
    started(call, job, &[])
}

/// `GET /jobs/{id}`.
pub(super) fn get(call: &Call<'_>) -> Answer {
    Ok(HttpResponse::json(200, &shown(find(call)?)))
}

/// `GET /jobs/{id}/errors`; 204 when there are none.
pub(super) fn errors(call: &Call<'_>) -> Answer {
    match find(call)?.get("_errors").and_then(Value::as_array).filter(|errors| !errors.is_empty()) {
        Some(errors) => Ok(HttpResponse::json(200, &json!(errors))),
        None => Ok(HttpResponse::new(204)),
    }
}

/// `GET /jobs/{id}/download`: the file of an export, not compressed. Its key is the authorization.
pub(super) fn download(call: &Call<'_>) -> Answer {
    let job = find(call)?;
    if text(&job, "_key").is_empty() || call.query.get("key") != Some(text(&job, "_key")) {
        return Err(ApiError::new(403, "The key of the download is wrong.", ""));
    }
    let named = |field: &Value| {
        let name = field.get("name")?.as_str()?.to_owned();
        let shown = field.get("export_as").and_then(Value::as_str).unwrap_or(&name).to_owned();
        Some((name, shown))
    };
    let fields = job.get("_fields").and_then(Value::as_array).into_iter().flatten().filter_map(named);
    let mut fields: Vec<(String, String)> = fields.collect();
    if fields.is_empty() {
        let default = ["user_id", "email", "name", "connection", "created_at"];
        fields = default.map(|name| (name.to_owned(), name.to_owned())).to_vec();
    }
    let limit = job.get("_limit").and_then(Value::as_i64).unwrap_or(MAX_EXPORT).clamp(0, MAX_EXPORT);
    let connection = call.tenant.bundle.objects.find(Kind::Connection, "id", text(&job, "connection_id"));
    let connection = connection.map(|connection| text(connection, "name"));
    let value = |user: &Object, name: &str| match name {
        "connection" => user.get("identities").and_then(|list| list.get(0)?.get("connection").cloned()),
        name => Value::Object(user.clone()).pointer(&format!("/{}", name.replace('.', "/"))).cloned(),
    };
    let is_csv = text(&job, "format") == "csv";
    let row = |cells: Vec<String>| {
        cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect::<Vec<_>>().join(",")
    };
    let mut lines = Vec::new();
    if is_csv {
        lines.push(row(fields.iter().map(|(_, shown)| shown.clone()).collect()));
    }
    for user in call.tenant.db.accounts(0, limit)? {
        let of = value(&user, "connection");
        if connection.is_some_and(|name| of.as_ref().and_then(Value::as_str) != Some(name)) {
            continue;
        }
        let values = fields.iter().map(|(name, shown)| (shown.clone(), value(&user, name)));
        lines.push(if is_csv {
            let cell = |value: Option<Value>| match value {
                Some(Value::String(text)) => text,
                Some(value) => value.to_string(),
                None => String::new(),
            };
            row(values.map(|(_, value)| cell(value)).collect())
        } else {
            values.filter_map(|(name, value)| Some((name, value?))).collect::<Value>().to_string()
        });
    }
    lines.push(String::new());
    let media = if is_csv { "text/csv; charset=utf-8" } else { "application/x-ndjson; charset=utf-8" };
    Ok(HttpResponse::new(200).header("content-type", media).body(lines.join("\n")))
}

/// Returns whether the user is new.
fn import_user(
    call: &Call<'_>,
    connection: &str,
    mut user: Object,
    is_upsert: bool,
) -> Result<bool, ApiError> {
    let email = text(&user, "email").to_lowercase();
    let known = call.tenant.db.accounts_by_email(&email)?.into_iter().find(|known| {
        known.get("identities").and_then(|list| list.get(0)?.get("connection")?.as_str()) == Some(connection)
    });
    if let Some(known) = known {
        if !is_upsert {
            return Err(ApiError::new(409, "The user already exists.", "DUPLICATED_USER"));
        }
        // As at Auth0, an import never changes a password.
        user.retain(|member, _| {
            !["user_id", "email", "password_hash", "custom_password_hash", "password"]
                .contains(&member.as_str())
        });
        call.tenant.db.change_account(text(&known, "user_id"), Feed::Event("user.updated"), |stored| {
            for name in ["app_metadata", "user_metadata"] {
                if let Some(Value::Object(metadata)) = user.get(name) {
                    let merged = merge_metadata(stored.get(name), metadata);
                    user.extend(member(name, merged));
                }
            }
            user
        })?;
        return Ok(false);
    }
    // Hashes of other methods are not verified here; such a user resets the password or logs in with the page's button.
    user.retain(|member, _| {
        !["password_hash", "custom_password_hash", "mfa_factors"].contains(&member.as_str())
    });
    if !user.contains_key("password") {
        user.insert("password".to_owned(), URL_SAFE_NO_PAD.encode(random::<24>()?).into());
    }
    user.insert("connection".to_owned(), connection.into());
    new_user(call, user)?;
    Ok(true)
}

fn new_job(call: &Call<'_>, kind: &str) -> Result<Object, ApiError> {
    let id = Kind::Role.format_id(&random::<16>()?).replace("rol_", "job_");
    Ok(object(json!({"id": id, "type": kind, "status": "completed", "created_at": call.now()})))
}

/// Stores a job and answers as it was when it began: pending, without what it found.
fn started(call: &Call<'_>, mut job: Object, results: &[&str]) -> Answer {
    job.retain(|_, value| !value.is_null());
    call.tenant.db.change_object(KIND, text(&job, "id"), job.clone())?;
    job.retain(|member, _| !results.contains(&member.as_str()));
    job.insert("status".to_owned(), "pending".into());
    Ok(HttpResponse::json(201, &shown(job)))
}

fn find(call: &Call<'_>) -> Result<Object, ApiError> {
    let found = call.tenant.db.object(KIND, call.arg(0))?;
    found.ok_or_else(|| ApiError::new(404, "The job does not exist", "inexistent_job"))
}

/// The fields of a `multipart/form-data` body (RFC 7578).
fn multipart(call: &Call<'_>) -> Result<Vec<(String, String)>, ApiError> {
    let malformed = || ApiError::body("'Expected multipart/form-data'");
    let content_type = call.request.header("content-type").unwrap_or_default();
    let boundary =
        content_type.strip_prefix("multipart/form-data").and_then(|rest| rest.split_once("boundary="));
    let boundary =
        boundary.map(|(_, boundary)| boundary.split(';').next().unwrap_or_default().trim_matches('"'));
    let boundary = boundary.filter(|boundary| !boundary.is_empty()).ok_or_else(malformed)?;
    let body = std::str::from_utf8(&call.request.body).map_err(|_| malformed())?;
    let mut fields = Vec::new();
    for part in body.split(&format!("--{boundary}")).skip(1) {
        let Some((head, value)) = part.strip_prefix("\r\n").and_then(|part| part.split_once("\r\n\r\n"))
        else {
            continue;
        };
        let name = head.split(';').find_map(|item| item.trim().strip_prefix("name=\"")?.split('"').next());
        let value = value.strip_suffix("\r\n").unwrap_or(value);
        fields.extend(name.map(|name| (name.to_owned(), value.to_owned())));
    }
    Ok(fields)
}
