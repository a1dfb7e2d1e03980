//! What a user has besides the profile: sessions and refresh tokens, and what this tenant has none of.

use serde_json::{Value, json};

use super::super::db::{TenantDb, time};
use super::super::error::Result;
use super::super::response::HttpResponse;
use super::call::{Answer, Call};

/// A bare list of nothing.
pub(super) fn none(_: &Call<'_>) -> Answer {
    Ok(HttpResponse::json(200, &json!([])))
}

pub(super) fn no_methods(call: &Call<'_>) -> Answer {
    call.list("authenticators", Vec::new())
}

pub(super) fn no_groups(call: &Call<'_>) -> Answer {
    call.list("groups", Vec::new())
}

pub(super) fn no_accounts(_: &Call<'_>) -> Answer {
    Ok(HttpResponse::json(200, &json!({"connected_accounts": []})))
}

/// The blocks of brute-force protection, which this tenant does not have.
pub(super) fn no_blocks(_: &Call<'_>) -> Answer {
    Ok(HttpResponse::json(200, &json!({"blocked_for": []})))
}

pub(super) fn deleted(_: &Call<'_>) -> Answer {
    Ok(HttpResponse::new(204))
}

/// `GET /users/{user_id}/sessions`.
pub(super) fn list(call: &Call<'_>) -> Answer {
    let sessions = call
        .tenant
        .db
        .sessions_of(call.arg(0))?
        .into_iter()
        .map(|(sid, since)| json!({"id": sid, "user_id": call.arg(0), "authenticated_at": time(since)}));
    Ok(HttpResponse::json(200, &json!({"sessions": sessions.collect::<Vec<_>>()})))
}

/// `DELETE /users/{user_id}/sessions`.
pub(super) fn end(call: &Call<'_>) -> Answer {
    call.tenant.db.end_sessions(call.arg(0))?;
    Ok(HttpResponse::json(202, &json!({})))
}

/// `GET /users/{user_id}/refresh-tokens`: one for each login.
pub(super) fn refresh_tokens(call: &Call<'_>) -> Answer {
    let tokens = call.tenant.db.refresh_families(call.arg(0))?.into_iter().map(|(id, client, used_at)| {
        json!({"id": id, "user_id": call.arg(0), "client_id": client, "last_exchanged_at": time(used_at), "rotating": true})
    });
    Ok(HttpResponse::json(200, &json!({"tokens": tokens.collect::<Vec<_>>()})))
}

/// `DELETE /users/{user_id}/refresh-tokens`.
pub(super) fn end_refresh_tokens(call: &Call<'_>) -> Answer {
    call.tenant.db.end_refresh_families(call.arg(0))?;
    Ok(HttpResponse::json(202, &json!({})))
}

/// `POST /users/{id}/revoke-access`: all sessions, and refresh tokens unless they are to be kept.
pub(super) fn revoke_access(call: &Call<'_>) -> Answer {
    call.tenant.db.end_sessions(call.arg(0))?;
    if call.body()?.get("preserve_refresh_tokens") != Some(&Value::Bool(true)) {
        call.tenant.db.end_refresh_families(call.arg(0))?;
    }
    Ok(HttpResponse::new(202))
}

impl TenantDb {
    /// The browser sessions of a user: their ids, and since when, in unix seconds.
    fn sessions_of(&self, user_id: &str) -> Result<Vec<(Option<String>, i64)>> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT body ->> '$.sid', coalesce(body ->> '$.since', 0) FROM ticket
             WHERE kind = 'session' AND body ->> '$.user_id' = ?1 LIMIT 100",
        )?;
        let rows = statement.query_map([user_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    }

    /// Ends a user's browser sessions.
    pub(in crate::tenant) fn end_sessions(&self, user_id: &str) -> Result<()> {
        let sql = "DELETE FROM ticket WHERE kind = 'session' AND body ->> '$.user_id' = ?1";
        self.lock().execute(sql, [user_id])?;
        Ok(())
    }

    /// A user's logins that have refresh tokens: an id, the client, and the last use in unix seconds.
    fn refresh_families(&self, user_id: &str) -> Result<Vec<(String, String, i64)>> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT hex(family), client_id, used_at FROM refresh_family WHERE user_id = ?1 LIMIT 100",
        )?;
        let rows = statement.query_map([user_id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    }

    /// Revokes a user's refresh tokens.
    pub(in crate::tenant) fn end_refresh_families(&self, user_id: &str) -> Result<()> {
        self.lock().execute("DELETE FROM refresh_family WHERE user_id = ?1", [user_id])?;
        Ok(())
    }
}
