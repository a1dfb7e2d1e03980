//! The tenant's log: operations of the Management API, and logins.

use rusqlite::OptionalExtension;
use serde_json::{Value, json};

use super::super::accounts::document;
use super::super::db::{TenantDb, timestamp};
use super::super::error::Result;
use super::super::response::{HttpResponse, object};
use super::call::{Answer, ApiError, Call};
use super::search::Query;
use crate::bundle::Object;

/// The most entries kept; the oldest go.
const CAPACITY: i64 = 5_000;

impl TenantDb {
    /// Adds an entry. `kind` is Auth0's code: `s` a login, `sapi` an operation of this API, ….
    pub(in crate::tenant) fn log(&self, kind: &str, user_id: Option<&str>, members: Value) -> Result<()> {
        let mut entry = object(json!({"date": timestamp(self.now()), "type": kind, "user_id": user_id}));
        entry.extend(object(members));
        entry.retain(|_, value| !value.is_null());
        let connection = self.lock();
        let sql = "INSERT INTO log (user_id, body) VALUES (?1, ?2)";
        connection.prepare_cached(sql)?.execute((user_id, json!(entry).to_string()))?;
        let sql = "DELETE FROM log WHERE seq <= (SELECT max(seq) FROM log) - ?1";
        connection.prepare_cached(sql)?.execute([CAPACITY])?;
        Ok(())
    }

    /// The entries, the newest first; of one user if given.
    fn logs(&self, user_id: Option<&str>) -> Result<Vec<(i64, Object)>> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached("SELECT seq, body FROM log WHERE ?1 IS NULL OR user_id = ?1 ORDER BY seq DESC")?;
        let rows = statement.query_map([user_id], |row| Ok((row.get(0)?, document(row, 1)?)))?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    }
}

/// `GET /logs` and `GET /users/{id}/logs`.
pub(super) fn list(call: &Call<'_>) -> Answer {
    let user_id = call.args.first().map(String::as_str);
    let mut entries: Vec<Object> =
        call.tenant.db.logs(user_id)?.into_iter().map(|(seq, entry)| shown(seq, entry)).collect();
    let query = call.query.get("search").or_else(|| call.query.get("q")).unwrap_or_default();
    let query = Query::parse(query).map_err(|problem| ApiError::new(400, problem, "invalid_query_string"))?;
    entries.retain(|entry| query.matches(entry));
    if call.query.get("from").is_some() || call.query.get("take").is_some() {
        // A checkpoint here is the id of an entry: the ones after it, the oldest first.
        let from = call.query.get("from").unwrap_or_default();
        let take = call.query.get("take").and_then(|take| take.parse().ok()).unwrap_or(50).min(100);
        let after = entries.into_iter().rev().filter(|entry| super::call::text(entry, "log_id") > from);
        let entries: Vec<Value> = after.take(take).map(|entry| call.select_fields(entry.into())).collect();
        return Ok(HttpResponse::json(200, &entries.into()));
    }
    if call.query.get("sort").is_some_and(|sort| sort.ends_with(":1")) {
        entries.reverse();
    }
    let mut response = call.list("logs", entries.into_iter().map(Value::from).collect())?;
    if call.flag("include_totals")? == Some(true)
        && let Ok(Value::Object(mut body)) = serde_json::from_str(&response.body)
    {
        let length = body.get("logs").and_then(Value::as_array).map_or(0, Vec::len);
        body.insert("length".to_owned(), length.into());
        response.body = Value::Object(body).to_string();
    }
    Ok(response)
}

/// `GET /logs/{id}`.
pub(super) fn get(call: &Call<'_>) -> Answer {
    let seq = call.arg(0).strip_prefix("900").and_then(|id| id.parse::<i64>().ok());
    let sql = "SELECT body FROM log WHERE seq = ?1";
    let connection = call.tenant.db.lock();
    let found = connection.query_row(sql, [seq], |row| document(row, 0)).optional();
    let found = found.map_err(super::super::TenantError::from)?;
    let entry = found.ok_or_else(|| ApiError::new(404, "Log not found", "log_not_found"))?;
    Ok(HttpResponse::json(200, &shown(seq.unwrap_or_default(), entry).into()))
}

fn shown(seq: i64, mut entry: Object) -> Object {
    let id = format!("900{seq:020}");
    entry.insert("_id".to_owned(), id.clone().into());
    entry.insert("log_id".to_owned(), id.into());
    entry
}
