//! What happened to people since the bundle was written: sign-ups, logins, metadata.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, named_params};
use serde_json::{Map, Value};

use super::super::TenantError;
use super::{State, stamp};
use crate::script::MetadataKind;

/// What is known of one person beyond the bundle.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::tenant) struct Record {
    /// Whose it is.
    pub(in crate::tenant) user_id: String,
    /// Of someone who signed up here; absent for the bundle's people.
    pub(in crate::tenant) profile: Option<Map<String, Value>>,
    /// Hash of the password of someone who signed up here.
    pub(in crate::tenant) password: Option<String>,
    /// Absent until first set.
    pub(in crate::tenant) app_metadata: Option<Map<String, Value>>,
    /// Absent until first set.
    pub(in crate::tenant) user_metadata: Option<Map<String, Value>>,
    /// Whether the Management API blocked them; absent while it never said.
    pub(in crate::tenant) blocked: Option<bool>,
    /// How often they logged in.
    pub(in crate::tenant) logins_count: i64,
    /// When they last did.
    pub(in crate::tenant) last_login: Option<String>,
    /// From where.
    pub(in crate::tenant) last_ip: Option<String>,
    /// When the row was made.
    pub(in crate::tenant) created_at: String,
    /// When it last changed.
    pub(in crate::tenant) updated_at: String,
}

/// Someone new.
pub(in crate::tenant) struct SignUp {
    /// A fresh id.
    pub(in crate::tenant) user_id: String,
    /// In lower case.
    pub(in crate::tenant) email: String,
    /// The user as the Management API gives one.
    pub(in crate::tenant) profile: Map<String, Value>,
    /// Of the password.
    pub(in crate::tenant) hash: String,
    /// What they said at sign-up.
    pub(in crate::tenant) user_metadata: Option<Map<String, Value>>,
}

impl State {
    /// The record of a person, if anything happened to them yet.
    pub(in crate::tenant) fn record(&self, user_id: &str) -> Result<Option<Record>, TenantError> {
        self.one("SELECT * FROM person WHERE user_id = ?1", user_id)
    }

    /// The record of someone who signed up here. `email` in lower case.
    pub(in crate::tenant) fn signed_up(&self, email: &str) -> Result<Option<Record>, TenantError> {
        self.one("SELECT * FROM person WHERE email = ?1", email)
    }

    /// Everyone who signed up here, the newest first, at most 100.
    pub(in crate::tenant) fn all_signed_up(&self) -> Result<Vec<Record>, TenantError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT * FROM person WHERE profile IS NOT NULL ORDER BY created_at DESC, user_id LIMIT 100",
        )?;
        let rows = statement.query_map([], record)?;
        rows.map(|row| row.map_err(TenantError::from)).collect()
    }

    /// Counts a login and says how many there are now.
    pub(in crate::tenant) fn count_login(
        &self,
        user_id: &str,
        ip: &str,
        now: Timestamp,
    ) -> Result<i64, TenantError> {
        let count = self.lock().query_row(
            "INSERT INTO person (user_id, logins_count, last_login, last_ip, created_at, updated_at)
             VALUES (:user_id, 1, :now, :ip, :now, :now)
             ON CONFLICT (user_id) DO UPDATE SET
                 logins_count = logins_count + 1, last_login = :now, last_ip = :ip, updated_at = :now
             RETURNING logins_count",
            named_params! { ":user_id": user_id, ":ip": ip, ":now": stamp(now) },
            |row| row.get(0),
        )?;
        Ok(count)
    }

    /// Merges `changes` into a person's metadata at the first level; `null` deletes a key. `base` is what stands when
    /// nothing was set before.
    pub(in crate::tenant) fn merge_metadata(
        &self,
        user_id: &str,
        kind: MetadataKind,
        base: Map<String, Value>,
        changes: Map<String, Value>,
        now: Timestamp,
    ) -> Result<(), TenantError> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let column = match kind {
            MetadataKind::App => "app_metadata",
            MetadataKind::User => "user_metadata",
        };
        let kept: Option<Option<String>> = transaction
            .query_row(&format!("SELECT {column} FROM person WHERE user_id = ?1"), [user_id], |row| {
                row.get(0)
            })
            .optional()?;
        let mut metadata = match kept.flatten() {
            Some(text) => object(&text)?,
            None => base,
        };
        for (key, value) in changes {
            if value.is_null() {
                metadata.remove(&key);
            } else {
                metadata.insert(key, value);
            }
        }
        transaction.execute(
            &format!(
                "INSERT INTO person (user_id, {column}, created_at, updated_at)
                 VALUES (:user_id, :metadata, :now, :now)
                 ON CONFLICT (user_id) DO UPDATE SET {column} = :metadata, updated_at = :now"
            ),
            named_params! { ":user_id": user_id, ":metadata": Value::Object(metadata).to_string(), ":now": stamp(now) },
        )?;
        transaction.commit()?;
        Ok(())
    }

    /// Blocks somebody, or no longer.
    pub(in crate::tenant) fn set_blocked(
        &self,
        user_id: &str,
        blocked: bool,
        now: Timestamp,
    ) -> Result<(), TenantError> {
        self.lock().execute(
            "INSERT INTO person (user_id, blocked, created_at, updated_at) VALUES (:user_id, :blocked, :now, :now)
             ON CONFLICT (user_id) DO UPDATE SET blocked = :blocked, updated_at = :now",
            named_params! { ":user_id": user_id, ":blocked": blocked, ":now": stamp(now) },
        )?;
        Ok(())
    }

    /// Adds someone new. False when the email is taken.
    pub(in crate::tenant) fn sign_up(&self, new: &SignUp, now: Timestamp) -> Result<bool, TenantError> {
        let user_metadata = new.user_metadata.clone().map(|metadata| Value::Object(metadata).to_string());
        let added = self.lock().execute(
            "INSERT INTO person (user_id, profile, email, password, user_metadata, created_at, updated_at)
             VALUES (:user_id, :profile, :email, :password, :user_metadata, :now, :now)
             ON CONFLICT (email) DO NOTHING",
            named_params! {
                ":user_id": new.user_id,
                ":profile": Value::Object(new.profile.clone()).to_string(),
                ":email": new.email,
                ":password": new.hash,
                ":user_metadata": user_metadata,
                ":now": stamp(now),
            },
        )?;
        Ok(added == 1)
    }

    fn one(&self, sql: &str, key: &str) -> Result<Option<Record>, TenantError> {
        Ok(self.lock().prepare_cached(sql)?.query_row([key], record).optional()?)
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let map = |column: &str| -> rusqlite::Result<Option<Map<String, Value>>> {
        let text: Option<String> = row.get(column)?;
        text.map(|text| {
            object(&text).map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
            })
        })
        .transpose()
    };
    Ok(Record {
        user_id: row.get("user_id")?,
        profile: map("profile")?,
        password: row.get("password")?,
        app_metadata: map("app_metadata")?,
        user_metadata: map("user_metadata")?,
        blocked: row.get("blocked")?,
        logins_count: row.get("logins_count")?,
        last_login: row.get("last_login")?,
        last_ip: row.get("last_ip")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

fn object(text: &str) -> Result<Map<String, Value>, TenantError> {
    serde_json::from_str(text).map_err(|_| TenantError::Damaged("a person's JSON is no object"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn metadata_is_absent_until_set_and_merges_at_the_first_level() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(&folder.path().join("t.db")).unwrap();
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        assert_eq!(state.count_login("auth0|a", "::1", now).unwrap(), 1);
        assert_eq!(state.count_login("auth0|a", "::1", now).unwrap(), 2);
        assert_eq!(state.record("auth0|a").unwrap().unwrap().app_metadata, None);

        let base = map(json!({"kept": 1, "gone": 1}));
        let merge = |base: &Map<_, _>, changes| {
            state.merge_metadata("auth0|a", MetadataKind::App, base.clone(), map(changes), now).unwrap();
            state.record("auth0|a").unwrap().unwrap().app_metadata.map(Value::Object)
        };
        let merged = merge(&base, json!({"gone": null, "deep": {"a": 1}}));
        assert_eq!(merged, Some(json!({"kept": 1, "deep": {"a": 1}})));
        // The base counts once only: what was deleted stays deleted.
        assert_eq!(merge(&base, json!({"deep": {"b": 2}})), Some(json!({"kept": 1, "deep": {"b": 2}})));
        assert_eq!(state.record("auth0|a").unwrap().unwrap().user_metadata, None);
    }

    #[test]
    fn an_email_signs_up_once() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(&folder.path().join("t.db")).unwrap();
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let new = |user_id: &str| SignUp {
            user_id: user_id.to_owned(),
            email: "n@example.com".to_owned(),
            profile: map(json!({"email": "n@example.com"})),
            hash: "h".to_owned(),
            user_metadata: None,
        };
        assert!(state.sign_up(&new("auth0|1"), now).unwrap());
        assert!(!state.sign_up(&new("auth0|2"), now).unwrap());
        assert_eq!(state.signed_up("n@example.com").unwrap().unwrap().user_id, "auth0|1");
        assert_eq!(state.all_signed_up().unwrap().len(), 1);
    }
}
