//! The users' table: documents, each the bundle's user with what changed since. Every change is an event, in one
//! transaction.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Params, Row, TransactionBehavior, named_params};
use serde_json::{Map, Value, json};

use super::TenantError;
use super::db::{TenantDb, timestamp};
use super::error::Result;

/// The most users. An import beyond it fails.
const CAPACITY: i64 = 100_000;
/// The most events kept; the oldest are deleted.
const EVENTS: i64 = 10_000;

type Document = Map<String, Value>;

/// A change of a user that the feed reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feed {
    /// `user.created`, `user.updated` or `user.deleted`.
    Event(&'static str),
    /// A login is no change of the profile.
    Silent,
}

impl TenantDb {
    /// Makes the bundle's users the base. Those that the bundle no longer has, and that were not created here, go.
    pub(super) fn sync_accounts(&self, bundled: &[(String, Document)]) -> Result<()> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("UPDATE account SET base = NULL", [])?;
        for (user_id, base) in bundled {
            transaction.prepare_cached("INSERT INTO account (user_id, base) VALUES (?1, ?2) ON CONFLICT (user_id) DO UPDATE SET base = ?2")?
                .execute((user_id, json!(base).to_string()))?;
            let changes = transaction.query_row(
                "SELECT changes FROM account WHERE user_id = ?1",
                [user_id],
                |row| document(row, 0),
            )?;
            let doc = overlay(base.clone(), &changes);
            transaction
                .prepare_cached("UPDATE account SET doc = ?2 WHERE user_id = ?1")?
                .execute((user_id, json!(doc).to_string()))?;
        }
        transaction
            .execute("DELETE FROM account WHERE base IS NULL AND changes ->> '$.identities' IS NULL", [])?;
        transaction.commit()?;
        Ok(())
    }

    /// By `user_id`. A read by key.
    pub(super) fn account(&self, user_id: &str) -> Result<Option<Document>> {
        let connection = self.lock();
        Ok(read(&connection, user_id)?.map(|(_, doc)| doc))
    }

    /// By email, ignoring ASCII case.
    pub(super) fn accounts_by_email(&self, email: &str) -> Result<Vec<Document>> {
        let sql = "SELECT doc FROM account WHERE lower(doc ->> '$.email') = lower(?1) AND deleted = 0 ORDER BY seq LIMIT 100";
        self.documents(sql, [email])
    }

    /// By user name, ignoring ASCII case.
    pub(super) fn accounts_by_username(&self, name: &str) -> Result<Vec<Document>> {
        let sql = "SELECT doc FROM account WHERE lower(doc ->> '$.username') = lower(?1) AND deleted = 0 ORDER BY seq LIMIT 100";
        self.documents(sql, [name])
    }

    /// All users in the order of their creation; `skip` of them left out, at most `limit`.
    pub(super) fn accounts(&self, skip: i64, limit: i64) -> Result<Vec<Document>> {
        let sql = "SELECT doc FROM account WHERE deleted = 0 ORDER BY seq LIMIT ?1 OFFSET ?2";
        self.documents(sql, [limit, skip])
    }

    /// The documents in the first column of a query's rows.
    pub(super) fn documents(&self, sql: &str, params: impl Params) -> Result<Vec<Document>> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map(params, |row| document(row, 0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The number of users.
    pub(super) fn count_accounts(&self) -> Result<i64> {
        let sql = "SELECT count(*) FROM account WHERE deleted = 0";
        Ok(self.lock().query_row(sql, [], |row| row.get(0))?)
    }

    /// The hash of a password that was set here.
    pub(super) fn password(&self, user_id: &str) -> Result<Option<String>> {
        let sql = "SELECT password FROM account WHERE user_id = ?1 AND deleted = 0";
        Ok(self.lock().query_row(sql, [user_id], |row| row.get(0)).optional()?.flatten())
    }

    pub(super) fn set_password(&self, user_id: &str, hash: &str) -> Result<()> {
        self.lock().execute("UPDATE account SET password = ?2 WHERE user_id = ?1", (user_id, hash))?;
        Ok(())
    }

    /// Adds a user. Returns false when the `user_id` is taken, or another user of the same connection has the email or
    /// the username.
    pub(super) fn add_account(&self, user_id: &str, doc: &Document, password: Option<&str>) -> Result<bool> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let count: i64 = transaction.query_row("SELECT count(*) FROM account", [], |row| row.get(0))?;
        if count >= CAPACITY {
            return Err(TenantError::Full("users"));
        }
        let doc_text = json!(doc).to_string();
        let taken: bool = transaction.query_row(
            "SELECT EXISTS (SELECT 1 FROM account WHERE user_id = :user_id AND deleted = 0)
                 OR EXISTS (SELECT 1 FROM account WHERE deleted = 0
                     AND doc ->> '$.identities[0].connection' = :doc ->> '$.identities[0].connection'
                     AND (lower(doc ->> '$.email') = lower(:doc ->> '$.email')
                         OR lower(doc ->> '$.username') = lower(:doc ->> '$.username')))",
            named_params! { ":user_id": user_id, ":doc": doc_text },
            |row| row.get(0),
        )?;
        if taken {
            return Ok(false);
        }
        transaction.execute(
            "INSERT INTO account (user_id, changes, doc, password) VALUES (?1, ?2, ?2, ?3)
             ON CONFLICT (user_id) DO UPDATE SET changes = ?2, doc = ?2, password = ?3, deleted = 0",
            (user_id, &doc_text, password),
        )?;
        self.emit(&transaction, "user.created", doc)?;
        transaction.commit()?;
        Ok(true)
    }

    /// Changes a user by the members that `change` returns (null removes one). Returns the user after it; `None` when there
    /// is no such user.
    pub(super) fn change_account(
        &self,
        user_id: &str,
        feed: Feed,
        change: impl FnOnce(&Document) -> Document,
    ) -> Result<Option<Document>> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Some((mut changes, doc)) = read(&transaction, user_id)? else { return Ok(None) };
        let mut changed = change(&doc);
        changed.entry("updated_at").or_insert_with(|| timestamp(self.now()).into());
        let doc = overlay(doc, &changed);
        changes.extend(changed);
        transaction.execute(
            "UPDATE account SET changes = ?2, doc = ?3 WHERE user_id = ?1",
            (user_id, json!(changes).to_string(), json!(doc).to_string()),
        )?;
        if let Feed::Event(kind) = feed {
            self.emit(&transaction, kind, &doc)?;
        }
        transaction.commit()?;
        Ok(Some(doc))
    }

    /// Deletes a user. Returns whether there was one.
    pub(super) fn delete_account(&self, user_id: &str) -> Result<bool> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Some((_, doc)) = read(&transaction, user_id)? else { return Ok(false) };
        // A user of the bundle stays as a row, so that a restart does not bring the user back.
        transaction.execute(
            "UPDATE account SET deleted = 1, changes = '{}', doc = '{}', password = NULL WHERE user_id = ?1",
            [user_id],
        )?;
        transaction.execute("DELETE FROM account WHERE user_id = ?1 AND base IS NULL", [user_id])?;
        transaction.execute("DELETE FROM refresh_family WHERE user_id = ?1", [user_id])?;
        transaction
            .execute("DELETE FROM ticket WHERE kind = 'session' AND body ->> '$.user_id' = ?1", [user_id])?;
        self.emit(&transaction, "user.deleted", &doc)?;
        transaction.commit()?;
        Ok(true)
    }

    /// Counts a login and returns the count.
    pub(super) fn count_login(&self, user_id: &str, ip: &str) -> Result<i64> {
        let now = timestamp(self.now());
        let count = |doc: &Document| doc.get("logins_count").and_then(Value::as_i64).unwrap_or(0);
        let changed = self.change_account(user_id, Feed::Silent, |doc| {
            let logins = count(doc).saturating_add(1);
            super::response::object(
                json!({"logins_count": logins, "last_login": now, "last_ip": ip, "updated_at": now}),
            )
        })?;
        let text = |member| changed.as_ref()?.get(member)?.as_str();
        let members = json!({"description": "Successful login", "ip": ip, "user_name": text("name"), "connection": null});
        self.log("s", Some(user_id), members)?;
        Ok(changed.as_ref().map_or(0, count))
    }

    /// The sequence number of the latest event, 0 when there is none.
    pub(super) fn last_event(&self) -> Result<i64> {
        let sql = "SELECT coalesce(max(seq), 0) FROM event";
        Ok(self.lock().query_row(sql, [], |row| row.get(0))?)
    }

    fn emit(&self, connection: &Connection, kind: &str, doc: &Document) -> Result<()> {
        let mut object = doc.clone();
        object.retain(|member, _| !member.starts_with('_'));
        let (now, id) = (self.now(), super::tickets::random()?);
        let body = json!({
            "specversion": "1.0", "type": kind, "source": "urn:auth0:dev.users", "id": format!("evt_{}", &id.get(..16).unwrap_or(&id)),
            "time": timestamp(now), "data": {"object": object, "context": {"tenant": {"tenant_id": "dev"}}},
            "a0tenant": "dev",
        });
        let sql = "INSERT INTO event (at, type, body) VALUES (?1, ?2, ?3)";
        connection.prepare_cached(sql)?.execute((now.as_millisecond(), kind, body.to_string()))?;
        let sql = "DELETE FROM event WHERE seq <= (SELECT max(seq) FROM event) - ?1";
        connection.prepare_cached(sql)?.execute([EVENTS])?;
        self.events.send_modify(|seq| *seq = seq.wrapping_add(1));
        Ok(())
    }
}

/// `base` with the members of `changes`; null removes one.
pub(super) fn overlay(mut base: Document, changes: &Document) -> Document {
    for (member, value) in changes {
        if value.is_null() {
            base.remove(member);
        } else {
            base.insert(member.clone(), value.clone());
        }
    }
    base
}

fn read(connection: &Connection, user_id: &str) -> Result<Option<(Document, Document)>> {
    let mut statement =
        connection.prepare_cached("SELECT changes, doc FROM account WHERE user_id = ?1 AND deleted = 0")?;
    Ok(statement.query_row([user_id], |row| Ok((document(row, 0)?, document(row, 1)?))).optional()?)
}

pub(super) fn document(row: &Row<'_>, column: usize) -> rusqlite::Result<Document> {
    let text: String = row.get(column)?;
    let parsed = serde_json::from_str(&text);
    parsed.map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn doc(value: Value) -> Document {
        value.as_object().unwrap().clone()
    }

    fn user(id: &str, email: &str) -> Document {
        doc(json!({"user_id": id, "email": email, "identities": [{"connection": "C"}]}))
    }

    #[test]
    fn the_bundle_is_the_base_and_changes_survive_its_next_reading() {
        let folder = tempfile::tempdir().unwrap();
        let db = TenantDb::open(&folder.path().join("t.db"), Clock::system()).unwrap();
        let bundled = |name: &str| {
            vec![("auth0|a".to_owned(), doc(json!({"user_id": "auth0|a", "name": name, "gone": 1})))]
        };
        db.sync_accounts(&bundled("A")).unwrap();
        let change = |_: &Document| doc(json!({"gone": null, "nickname": "n"}));
        db.change_account("auth0|a", Feed::Event("user.updated"), change).unwrap().unwrap();
        assert!(db.add_account("auth0|b", &user("auth0|b", "B@x"), None).unwrap());
        db.sync_accounts(&bundled("A2")).unwrap();
        let read = db.account("auth0|a").unwrap().unwrap();
        assert_eq!((&read["name"], &read["nickname"], read.get("gone")), (&json!("A2"), &json!("n"), None));
        assert!(db.account("auth0|b").unwrap().is_some(), "created here, so it stays");
        assert!(db.delete_account("auth0|a").unwrap() && !db.delete_account("auth0|a").unwrap());
        db.sync_accounts(&bundled("A3")).unwrap();
        assert_eq!(db.account("auth0|a").unwrap(), None, "deleted users of the bundle stay deleted");
        db.sync_accounts(&[]).unwrap();
        assert_eq!(db.count_accounts().unwrap(), 1);
    }

    #[test]
    fn an_email_is_unique_within_a_connection_only() {
        let folder = tempfile::tempdir().unwrap();
        let db = TenantDb::open(&folder.path().join("t.db"), Clock::system()).unwrap();
        assert!(db.add_account("auth0|1", &user("auth0|1", "n@x"), Some("h")).unwrap());
        assert!(!db.add_account("auth0|1", &user("auth0|1", "other@x"), None).unwrap());
        assert!(!db.add_account("auth0|2", &user("auth0|2", "N@x"), None).unwrap());
        let other = doc(json!({"email": "n@x", "identities": [{"connection": "D"}]}));
        assert!(db.add_account("auth0|3", &other, None).unwrap());
        assert!(db.add_account("sms|1", &doc(json!({"identities": [{"connection": "C"}]})), None).unwrap());
        assert_eq!(db.accounts_by_email("n@X").unwrap().len(), 2);
        assert_eq!(db.password("auth0|1").unwrap().as_deref(), Some("h"));
        assert_eq!(db.count_login("auth0|1", "::1").unwrap(), 1);
        assert_eq!(db.count_login("auth0|1", "::1").unwrap(), 2);
        assert_eq!(db.count_login("auth0|9", "::1").unwrap(), 0);
    }
}
