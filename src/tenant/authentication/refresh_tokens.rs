//! Refresh tokens: families of rotating texts, one per login. Only hashes are stored.
//!
//! Source: Auth0, "Refresh token rotation". A rotated token that is presented after its leeway ends its whole family.

use rusqlite::{OptionalExtension, TransactionBehavior, named_params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::TenantError;
use super::super::db::{TenantDb, time};
use super::super::error::Result;
use super::super::response::without_null;
use super::super::tickets::{self, hash, random};
use crate::bundle::Client;

/// The most families kept. Beyond it, those that were not used for longest are deleted.
const CAPACITY: i64 = 10_000;
/// The most tokens of a family in their leeway at one time.
const MAX_TOKENS: usize = 16;

/// The login that a refresh token continues.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct OfflineLogin {
    pub(super) user_id: String,
    pub(super) client_id: String,
    pub(super) audience: Option<String>,
    /// As granted at the login.
    pub(super) scopes: Vec<String>,
    pub(super) sid: Option<String>,
    pub(super) auth_time: Option<i64>,
    pub(super) organization: Option<String>,
    /// When its first token was issued, unix seconds.
    #[serde(default)]
    pub(super) issued_at: i64,
    /// Set by actions.
    #[serde(default)]
    pub(super) metadata: Map<String, Value>,
}

/// A token's hash, and when it was rotated.
type Token = (Vec<u8>, Option<i64>);

/// The refresh tokens in the tenant's database.
#[derive(Clone)]
pub(in crate::tenant) struct RefreshTokens(pub(in crate::tenant) TenantDb);

impl RefreshTokens {
    /// Starts a family and returns its first token. Blocking: a write.
    pub(super) fn issue(&self, login: &OfflineLogin, client: &Client) -> Result<String> {
        let (family, now) = (random()?, self.0.now().as_second());
        let text = new_text(&family)?;
        let tokens: [Token; 1] = [(hash(&text), None)];
        let connection = self.0.lock();
        connection.execute(
            "DELETE FROM refresh_family WHERE ends_at <= ?1 OR family IN
                 (SELECT family FROM refresh_family ORDER BY used_at DESC LIMIT -1 OFFSET ?2)",
            (now, CAPACITY - 1),
        )?;
        connection.execute(
            "INSERT INTO refresh_family (family, user_id, client_id, login, tokens, ends_at, used_at)
             VALUES (:family, :user_id, :client_id, :login, :tokens, :ends_at, :now)",
            named_params! {
                ":family": hash(&family), ":user_id": login.user_id, ":client_id": login.client_id,
                ":login": json(login)?, ":tokens": json(&tokens)?,
                ":ends_at": client.refresh_token.expires_at(now), ":now": now,
            },
        )?;
        Ok(text)
    }

    /// The login of a token of `client`, and the token that replaces it, if `rotate` and the client's tokens rotate. `None`
    /// when the token is unknown, expired or reused; reuse ends its family. Blocking: a write.
    pub(super) fn present(
        &self,
        text: &str,
        client: &Client,
        rotate: bool,
    ) -> Result<Option<(OfflineLogin, Option<String>)>> {
        let (Some(family), policy) = (family(text), &client.refresh_token) else { return Ok(None) };
        let (key, now) = (hash(family), self.0.now().as_second());
        let mut connection = self.0.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let row = transaction
            .prepare_cached(
                "SELECT login, tokens, used_at FROM refresh_family
                 WHERE family = ?1 AND client_id = ?2 AND (ends_at IS NULL OR ends_at > ?3)",
            )?
            .query_row((&key, &client.client_id, now), |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
            })
            .optional()?;
        let Some((login, tokens, used_at)) = row else { return Ok(None) };
        let idles = policy.expiration_type == "expiring" && !policy.infinite_idle_token_lifetime;
        let damaged = |_| TenantError::Damaged("a refresh token's JSON");
        let mut tokens: Vec<Token> = serde_json::from_str(&tokens).map_err(damaged)?;
        tokens.retain(|(_, rotated)| rotated.is_none_or(|at| now.saturating_sub(at) < policy.leeway));
        let presented = hash(text);
        let is_current = tokens.iter().any(|(token, _)| *token == presented);
        let is_idle = idles && now.saturating_sub(used_at) > policy.idle_token_lifetime;
        if is_idle || !is_current {
            if !is_idle {
                tracing::warn!(client = client.client_id, "a refresh token was reused: its family ends");
            }
            transaction.execute("DELETE FROM refresh_family WHERE family = ?1", [&key])?;
            transaction.commit()?;
            return Ok(None);
        }
        let mut next = None;
        if rotate && policy.rotation_type == "rotating" {
            for (token, rotated) in &mut tokens {
                if *token == presented {
                    rotated.get_or_insert(now);
                }
            }
            let text = new_text(family)?;
            tokens.push((hash(&text), None));
            tokens.drain(..tokens.len().saturating_sub(MAX_TOKENS));
            next = Some(text);
        }
        transaction.execute(
            "UPDATE refresh_family SET tokens = ?2, used_at = ?3 WHERE family = ?1",
            (&key, json(&tokens)?, now),
        )?;
        transaction.commit()?;
        Ok(Some((serde_json::from_str(&login).map_err(damaged)?, next)))
    }

    /// Ends the family of a token of `client`, whether it is current or not. Blocking: a write.
    pub(super) fn revoke(&self, text: &str, client: &Client) -> Result<()> {
        if let Some(family) = family(text) {
            let sql = "DELETE FROM refresh_family WHERE family = ?1 AND client_id = ?2";
            self.0.lock().execute(sql, (hash(family), &client.client_id))?;
        }
        Ok(())
    }

    /// Changes the metadata of a token's family, and lets it end earlier, in unix seconds. Blocking: a write.
    pub(super) fn change(&self, text: &str, login: &OfflineLogin, ends_at: Option<i64>) -> Result<()> {
        let Some(family) = family(text) else { return Ok(()) };
        let sql = "UPDATE refresh_family SET login = ?2, ends_at = min(coalesce(ends_at, ?3), coalesce(?3, ends_at))
                   WHERE family = ?1";
        self.0.lock().execute(sql, (hash(family), json(login)?, ends_at))?;
        Ok(())
    }

    /// Ends a family by its id, see [`id`]. Blocking: a write.
    pub(super) fn revoke_family(&self, id: &str) -> Result<()> {
        self.0.lock().execute("DELETE FROM refresh_family WHERE hex(family) = ?1", [id])?;
        Ok(())
    }

    /// Ends all families of a browser session. Blocking: a write.
    pub(super) fn revoke_session(&self, sid: &str) -> Result<()> {
        self.0.lock().execute("DELETE FROM refresh_family WHERE login ->> '$.sid' = ?1", [sid])?;
        Ok(())
    }

    /// Ends all families of a user. Blocking: a write.
    pub(super) fn revoke_all(&self, user_id: &str) -> Result<()> {
        self.0.lock().execute("DELETE FROM refresh_family WHERE user_id = ?1", [user_id])?;
        Ok(())
    }
}

/// The id of a token's family, as the Management API has it.
pub(super) fn id(text: &str) -> String {
    hash(family(text).unwrap_or_default()).iter().map(|byte| format!("{byte:02X}")).collect()
}

/// `event.refresh_token` of a token.
pub(super) fn event(text: &str, login: &OfflineLogin, client: &Client) -> Value {
    let policy = &client.refresh_token;
    let scopes = login.scopes.join(" ");
    without_null(json!({
        "id": id(text), "client_id": login.client_id, "user_id": login.user_id, "session_id": login.sid,
        "created_at": time(login.issued_at), "expires_at": policy.expires_at(login.issued_at).map(time),
        "rotating": policy.rotation_type == "rotating", "metadata": login.metadata,
        "resource_servers": [{"audience": login.audience, "scopes": scopes}],
    }))
    .into()
}

fn new_text(family: &str) -> Result<String> {
    Ok(format!("v1.{family}{}", random()?))
}

/// The name of a token's family: the first of its two random texts.
fn family(text: &str) -> Option<&str> {
    text.strip_prefix("v1.")?.get(..tickets::LENGTH)
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|_| TenantError::Damaged("a refresh token is not JSON"))
}
