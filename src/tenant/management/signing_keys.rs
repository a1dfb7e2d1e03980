//! `/keys/signing`: list, rotate, revoke.

use std::fmt::Write as _;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::Inner;
use super::super::db::{TenantDb, timestamp};
use super::super::error::Result;
use super::super::keys::SigningKey;
use super::super::response::{HttpResponse, object};
use super::call::{Answer, ApiError, Call, Pattern};

pub(super) const ROUTES: [Pattern; 4] = [
    ("GET", "keys/signing", "read:signing_keys", list),
    ("POST", "keys/signing/rotate", "create:signing_keys update:signing_keys", rotate),
    ("GET", "keys/signing/{}", "read:signing_keys", get),
    ("PUT", "keys/signing/{}/revoke", "update:signing_keys", revoke),
];

/// A row of `signing_key`.
struct Row {
    seq: i64,
    key: SigningKey,
    since: Option<String>,
    until: Option<String>,
    revoked_at: Option<String>,
}

/// `GET /keys/signing`: the next one, the current one, those before it.
fn list(call: &Call<'_>) -> Answer {
    call.tenant.db.ensure_next_key()?;
    let keys = call.tenant.db.keys()?;
    Ok(HttpResponse::json(200, &keys.iter().map(shown).collect()))
}

fn get(call: &Call<'_>) -> Answer {
    Ok(HttpResponse::json(200, &shown(&find(call)?)))
}

/// `POST /keys/signing/rotate`: the next key becomes the current one.
fn rotate(call: &Call<'_>) -> Answer {
    rotate_now(call.tenant)?;
    let keys = call.tenant.db.keys()?;
    let current = keys.iter().find(|row| row.since.is_some()).ok_or_else(missing)?;
    Ok(HttpResponse::json(201, &json!({"cert": pem(&current.key), "kid": current.key.kid})))
}

/// Makes the next key the current one, and one more. Blocking: takes a few hundred milliseconds.
pub(in crate::tenant) fn rotate_now(tenant: &Inner) -> Result<()> {
    tenant.db.ensure_next_key()?;
    tenant.db.rotate_keys()?;
    tenant.reload()?;
    tenant.db.ensure_next_key()
}

/// `PUT /keys/signing/{kid}/revoke`: a key that is not the current one verifies no more.
fn revoke(call: &Call<'_>) -> Answer {
    let row = find(call)?;
    if row.since.is_none() || row.until.is_none() {
        let message = "Only a previous key can be revoked; rotate first.";
        return Err(ApiError::new(403, message, "operation_not_supported"));
    }
    call.tenant.db.revoke_key(row.seq)?;
    call.tenant.reload()?;
    Ok(HttpResponse::json(200, &json!({"cert": pem(&row.key), "kid": row.key.kid})))
}

fn find(call: &Call<'_>) -> Result<Row, ApiError> {
    call.tenant.db.keys()?.into_iter().find(|row| row.key.kid == call.arg(0)).ok_or_else(missing)
}

fn missing() -> ApiError {
    ApiError::new(404, "Key not found.", "inexistent_key")
}

fn shown(row: &Row) -> Value {
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &row.key.certificate);
    let hex = |separator: &str| {
        let pairs = hash.as_ref().iter().map(|byte| format!("{byte:02X}"));
        pairs.collect::<Vec<_>>().join(separator)
    };
    let mut shown = object(json!({
        "kid": row.key.kid, "cert": pem(&row.key), "fingerprint": hex(":"), "thumbprint": hex(""),
        "current": row.since.is_some() && row.until.is_none(), "next": row.since.is_none(),
        "previous": row.until.is_some(), "current_since": row.since, "current_until": row.until,
        "revoked": row.revoked_at.is_some(), "revoked_at": row.revoked_at,
    }));
    shown.retain(|_, value| !value.is_null());
    shown.into()
}

fn pem(key: &SigningKey) -> String {
    let text = STANDARD.encode(&key.certificate);
    let mut pem = "-----BEGIN CERTIFICATE-----\r\n".to_owned();
    for line in text.as_bytes().chunks(64) {
        let _ = write!(pem, "{}\r\n", String::from_utf8_lossy(line));
    }
    pem + "-----END CERTIFICATE-----\r\n"
}

impl TenantDb {
    /// All keys: the next one first, then by how lately they became the current one.
    fn keys(&self) -> Result<Vec<Row>> {
        type Columns = (i64, Vec<u8>, Option<String>, Option<String>, Option<String>);
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT seq, pkcs8, current_at, until, revoked_at FROM signing_key
             ORDER BY current_at IS NOT NULL, current_at DESC, seq DESC LIMIT 100",
        )?;
        let rows = statement.query_map([], |row| {
            Ok::<Columns, _>((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })?;
        let row = |columns: std::result::Result<Columns, rusqlite::Error>| {
            let (seq, pkcs8, since, until, revoked_at) = columns?;
            Ok(Row { seq, key: SigningKey::from_pkcs8(&pkcs8)?, since, until, revoked_at })
        };
        rows.map(row).collect()
    }

    fn ensure_next_key(&self) -> Result<()> {
        let sql = "SELECT EXISTS (SELECT 1 FROM signing_key WHERE current_at IS NULL)";
        let exists: bool = self.lock().query_row(sql, [], |row| row.get(0))?;
        if !exists {
            let sql = "INSERT INTO signing_key (pkcs8, made_at) VALUES (?1, ?2)";
            let key = SigningKey::generate()?;
            self.lock().execute(sql, (key, timestamp(self.now())))?;
        }
        Ok(())
    }

    /// Makes the next key the current one.
    fn rotate_keys(&self) -> Result<()> {
        let now = timestamp(self.now());
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let sql = "UPDATE signing_key SET until = ?1 WHERE current_at IS NOT NULL AND until IS NULL";
        transaction.execute(sql, [&now])?;
        transaction.execute("UPDATE signing_key SET current_at = ?1 WHERE current_at IS NULL", [&now])?;
        transaction.commit()?;
        Ok(())
    }

    fn revoke_key(&self, seq: i64) -> Result<()> {
        let sql = "UPDATE signing_key SET revoked_at = ?2 WHERE seq = ?1";
        self.lock().execute(sql, (seq, timestamp(self.now())))?;
        Ok(())
    }
}
