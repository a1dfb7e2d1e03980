//! Users' state beyond the bundle: sign-ups, logins, blocks and metadata.

use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, named_params};
use serde_json::{Map, Value};

use super::db::{TenantDb, timestamp};
use super::error::Result;
use crate::script::MetadataKind;

/// A row of `person`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct UserRecord {
    /// Of a user who signed up here; `None` for the bundle's users.
    pub(super) profile: Option<Map<String, Value>>,
    /// The password's hash, of a user who signed up here.
    pub(super) password: Option<String>,
    /// `None` until first set, like the next two.
    pub(super) app_metadata: Option<Map<String, Value>>,
    pub(super) user_metadata: Option<Map<String, Value>>,
    pub(super) blocked: Option<bool>,
    pub(super) logins_count: i64,
    pub(super) last_login: Option<String>,
    pub(super) last_ip: Option<String>,
    pub(super) updated_at: String,
}

/// A user who signs up.
pub(super) struct NewUser {
    pub(super) user_id: String,
    /// In lower case.
    pub(super) email: String,
    /// The user as the Management API returns it.
    pub(super) profile: Map<String, Value>,
    /// Of the password.
    pub(super) hash: String,
    pub(super) user_metadata: Option<Map<String, Value>>,
}

impl TenantDb {
    /// A user's record; `None` before the first login or change.
    pub(super) fn user_record(&self, user_id: &str) -> Result<Option<UserRecord>> {
        self.find_record("SELECT * FROM person WHERE user_id = ?1", user_id)
    }

    /// The record of a user who signed up here. `email` in lower case.
    pub(super) fn signed_up(&self, email: &str) -> Result<Option<UserRecord>> {
        self.find_record("SELECT * FROM person WHERE email = ?1", email)
    }

    /// The users who signed up here, the newest first, at most 100.
    pub(super) fn all_signed_up(&self) -> Result<Vec<UserRecord>> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT * FROM person WHERE profile IS NOT NULL ORDER BY created_at DESC, user_id LIMIT 100",
        )?;
        let rows = statement.query_map([], read_record)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Counts a login and returns the count.
    pub(super) fn count_login(&self, user_id: &str, ip: &str) -> Result<i64> {
        let count = self.lock().query_row(
            "INSERT INTO person (user_id, logins_count, last_login, last_ip, created_at, updated_at)
             VALUES (:user_id, 1, :now, :ip, :now, :now)
             ON CONFLICT (user_id) DO UPDATE SET
                 logins_count = logins_count + 1, last_login = :now, last_ip = :ip, updated_at = :now
             RETURNING logins_count",
            named_params! { ":user_id": user_id, ":now": timestamp(self.now()), ":ip": ip },
            |row| row.get(0),
        )?;
        Ok(count)
    }

    /// Merges `changes` into a user's metadata at the first level; `null` deletes a key. `base` is the metadata of a user
    /// whose metadata was never set.
    pub(super) fn merge_metadata(
        &self,
        user_id: &str,
        kind: MetadataKind,
        base: Map<String, Value>,
        changes: Map<String, Value>,
    ) -> Result<()> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let column = match kind {
            MetadataKind::App => "app_metadata",
            MetadataKind::User => "user_metadata",
        };
        let select = format!("SELECT {column} FROM person WHERE user_id = ?1");
        let stored = transaction.query_row(&select, [user_id], |row| read_object(row, column)).optional()?;
        let mut metadata = stored.flatten().unwrap_or(base);
        metadata.extend(changes);
        metadata.retain(|_, value| !value.is_null());
        transaction.execute(
            &format!(
                "INSERT INTO person (user_id, {column}, created_at, updated_at)
                 VALUES (:user_id, :metadata, :now, :now)
                 ON CONFLICT (user_id) DO UPDATE SET {column} = :metadata, updated_at = :now"
            ),
            named_params! { ":user_id": user_id, ":metadata": Value::Object(metadata).to_string(), ":now": timestamp(self.now()) },
        )?;
        transaction.commit()?;
        Ok(())
    }

    /// Blocks or unblocks a user.
    pub(super) fn set_blocked(&self, user_id: &str, blocked: bool) -> Result<()> {
        self.lock().execute(
            "INSERT INTO person (user_id, blocked, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)
             ON CONFLICT (user_id) DO UPDATE SET blocked = ?2, updated_at = ?3",
            (user_id, blocked, timestamp(self.now())),
        )?;
        Ok(())
    }

    /// Adds a user. Returns false when the email is taken.
    pub(super) fn sign_up(&self, user: &NewUser) -> Result<bool> {
        let added = self.lock().execute(
            "INSERT INTO person (user_id, profile, email, password, user_metadata, created_at, updated_at)
             VALUES (:user_id, :profile, :email, :password, :user_metadata, :now, :now)
             ON CONFLICT (email) DO NOTHING",
            named_params! {
                ":user_id": user.user_id,
                ":profile": Value::Object(user.profile.clone()).to_string(),
                ":email": user.email,
                ":password": user.hash,
                ":user_metadata": user.user_metadata.clone().map(|metadata| Value::Object(metadata).to_string()),
                ":now": timestamp(self.now()),
            },
        )?;
        Ok(added == 1)
    }

    fn find_record(&self, sql: &str, key: &str) -> Result<Option<UserRecord>> {
        Ok(self.lock().prepare_cached(sql)?.query_row([key], read_record).optional()?)
    }
}

fn read_record(row: &Row<'_>) -> rusqlite::Result<UserRecord> {
    Ok(UserRecord {
        profile: read_object(row, "profile")?,
        password: row.get("password")?,
        app_metadata: read_object(row, "app_metadata")?,
        user_metadata: read_object(row, "user_metadata")?,
        blocked: row.get("blocked")?,
        logins_count: row.get("logins_count")?,
        last_login: row.get("last_login")?,
        last_ip: row.get("last_ip")?,
        updated_at: row.get("updated_at")?,
    })
}

fn read_object(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Map<String, Value>>> {
    let Some(text) = row.get::<_, Option<String>>(column)? else { return Ok(None) };
    let parsed = serde_json::from_str(&text);
    parsed.map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn metadata_is_absent_until_set_and_merges_at_the_first_level() {
        let folder = tempfile::tempdir().unwrap();
        let db = TenantDb::open(&folder.path().join("t.db"), Clock::system()).unwrap();
        assert_eq!(db.count_login("auth0|a", "::1").unwrap(), 1);
        assert_eq!(db.count_login("auth0|a", "::1").unwrap(), 2);
        assert_eq!(db.user_record("auth0|a").unwrap().unwrap().app_metadata, None);

        let base = map(json!({"kept": 1, "gone": 1}));
        let merge = |base: &Map<_, _>, changes| {
            db.merge_metadata("auth0|a", MetadataKind::App, base.clone(), map(changes)).unwrap();
            db.user_record("auth0|a").unwrap().unwrap().app_metadata.map(Value::Object)
        };
        let merged = merge(&base, json!({"gone": null, "deep": {"a": 1}}));
        assert_eq!(merged, Some(json!({"kept": 1, "deep": {"a": 1}})));
        // The base counts once only: what was deleted stays deleted.
        assert_eq!(merge(&base, json!({"deep": {"b": 2}})), Some(json!({"kept": 1, "deep": {"b": 2}})));
        assert_eq!(db.user_record("auth0|a").unwrap().unwrap().user_metadata, None);
    }

    #[test]
    fn an_email_signs_up_once() {
        let folder = tempfile::tempdir().unwrap();
        let db = TenantDb::open(&folder.path().join("t.db"), Clock::system()).unwrap();
        let new = |user_id: &str| NewUser {
            user_id: user_id.to_owned(),
            email: "n@example.com".to_owned(),
            profile: map(json!({"email": "n@example.com"})),
            hash: "h".to_owned(),
            user_metadata: None,
        };
        assert!(db.sign_up(&new("auth0|1")).unwrap());
        assert!(!db.sign_up(&new("auth0|2")).unwrap());
        assert!(db.user_record("auth0|1").unwrap().is_some());
        assert_eq!(db.user_record("auth0|2").unwrap(), None);
        assert_eq!(db.all_signed_up().unwrap().len(), 1);
    }
}
