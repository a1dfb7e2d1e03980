//! The tenant's objects but its users: the bundle's with what the Management API changed.

use rusqlite::OptionalExtension;
use rusqlite::types::ValueRef;
use serde_json::{Map, Value, json};

use super::accounts::{document, overlay};
use super::apis::is_management;
use super::db::TenantDb;
use super::error::Result;
use super::response::object;
use super::{Inner, TenantError};
use crate::bundle::{Bundle, Kind, Object, Objects, ResourceServer};

/// The most objects that were created or changed here.
const CAPACITY: i64 = 10_000;
/// The kind of the settings in the table; the one object has this id too.
pub(super) const SETTINGS: &str = "tenant";
/// The kind of a trigger's bindings in the table.
pub(super) const TRIGGERS: &str = "triggers";

/// A changed object: its kind, its id, and its changes, `None` when it was deleted.
type Change = (String, String, Option<Object>);

impl TenantDb {
    /// All changes, in the order of their creation.
    fn object_changes(&self) -> Result<Vec<Change>> {
        let connection = self.lock();
        let mut statement =
            connection.prepare_cached("SELECT kind, id, changes FROM object ORDER BY rowid")?;
        let rows = statement.query_map([], |row| {
            let is_deleted = row.get_ref(2)? == ValueRef::Null;
            Ok((row.get(0)?, row.get(1)?, if is_deleted { None } else { Some(document(row, 2)?) }))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Adds `changes` to those of an object.
    pub(super) fn change_object(&self, kind: &str, id: &str, changes: Object) -> Result<()> {
        let mut merged = self.object(kind, id)?.unwrap_or_default();
        merged.extend(changes);
        self.replace_object(kind, id, Some(merged))
    }

    /// Replaces what is kept of an object; with `None` an object of the bundle is deleted.
    pub(super) fn replace_object(&self, kind: &str, id: &str, changes: Option<Object>) -> Result<()> {
        let connection = self.lock();
        let others = "SELECT count(*) FROM object WHERE kind <> ?1 OR id <> ?2";
        let others: i64 = connection.query_row(others, [kind, id], |row| row.get(0))?;
        if others >= CAPACITY && changes.is_some() {
            return Err(TenantError::Full("objects"));
        }
        let changes = changes.map(|changes| json!(changes).to_string());
        let write = "INSERT INTO object (kind, id, changes) VALUES (?1, ?2, ?3)
                     ON CONFLICT (kind, id) DO UPDATE SET changes = ?3";
        connection.execute(write, (kind, id, changes))?;
        Ok(())
    }

    /// Removes what is kept of an object.
    pub(super) fn remove_object(&self, kind: &str, id: &str) -> Result<()> {
        self.lock().execute("DELETE FROM object WHERE kind = ?1 AND id = ?2", [kind, id])?;
        Ok(())
    }

    /// What is kept of an object that the bundle does not have.
    pub(super) fn object(&self, kind: &str, id: &str) -> Result<Option<Object>> {
        let sql = "SELECT changes FROM object WHERE kind = ?1 AND id = ?2 AND changes IS NOT NULL";
        Ok(self.lock().query_row(sql, [kind, id], |row| document(row, 0)).optional()?)
    }

    /// What is kept of a kind that the bundle does not have, the oldest first.
    pub(super) fn objects(&self, kind: &str) -> Result<Vec<Object>> {
        let sql = "SELECT changes FROM object WHERE kind = ?1 AND changes IS NOT NULL ORDER BY rowid";
        self.documents(sql, [kind])
    }

    /// Forgets every change: the bundle counts again. Keys and the feed stay.
    pub(super) fn reset(&self) -> Result<()> {
        let sql = "BEGIN IMMEDIATE; DELETE FROM object; DELETE FROM account WHERE base IS NULL;
            UPDATE account SET changes = '{}', doc = base, password = NULL, deleted = 0;
            DELETE FROM ticket; DELETE FROM log; DELETE FROM refresh_family; COMMIT";
        Ok(self.lock().execute_batch(sql)?)
    }
}

/// Adds the Management API to the tenant's APIs, as Auth0 lists it.
pub(super) fn add_management_api(bundle: &mut Bundle, issuer: &str, scopes: &[String]) {
    let scopes: Vec<Value> = scopes.iter().map(|scope| json!({"value": scope})).collect();
    let api = json!({
        "id": "5f0000000000000000000000", "name": "Auth0 Management API", "identifier": format!("{issuer}api/v2/"),
        "is_system": true, "scopes": scopes, "token_lifetime": 86_400, "signing_alg": "RS256",
    });
    let list = bundle.objects.lists.entry(Kind::ResourceServer).or_default();
    list.retain(|api| !api.get("identifier").and_then(Value::as_str).is_some_and(is_management));
    list.insert(0, object(api.clone()));
    bundle.resource_servers.retain(|api| !is_management(&api.identifier));
    bundle.resource_servers.extend(serde_json::from_value::<ResourceServer>(api));
}

/// Takes all objects of another bundle. Returns how many.
pub(super) fn import(db: &TenantDb, objects: &Objects) -> Result<usize> {
    let mut count = 0_usize;
    if !objects.tenant.is_empty() {
        db.change_object(SETTINGS, SETTINGS, objects.tenant.clone())?;
    }
    for (trigger, bindings) in &objects.triggers {
        db.change_object(TRIGGERS, trigger, object(json!({"bindings": bindings})))?;
    }
    for (kind, list) in &objects.lists {
        for members in list {
            let id = members.get(kind.id_member()).and_then(Value::as_str).unwrap_or_default();
            db.change_object(kind.folder(), id, members.clone())?;
            count = count.saturating_add(1);
        }
    }
    Ok(count)
}

/// The bundle with what changed here.
pub(super) fn current(base: &Bundle, db: &TenantDb) -> Result<Bundle> {
    let changes = db.object_changes()?;
    if changes.is_empty() {
        return Ok(base.clone());
    }
    let mut objects = base.objects.clone();
    for (kind, id, changes) in changes {
        apply(&mut objects, &kind, &id, changes);
    }
    Ok(Bundle { users: base.users.clone(), ..Bundle::from_objects(objects, Vec::new()) })
}

fn apply(objects: &mut Objects, kind: &str, id: &str, changes: Option<Object>) {
    match kind {
        SETTINGS => {
            objects.tenant = overlay(std::mem::take(&mut objects.tenant), &changes.unwrap_or_default())
        }
        TRIGGERS => {
            let bindings = changes.and_then(|mut changes| changes.remove("bindings"));
            objects.triggers.insert(id.to_owned(), bindings.unwrap_or_else(|| json!([])));
        }
        _ => {
            let Some(kind) = Kind::ALL.into_iter().find(|known| known.folder() == kind) else { return };
            let list = objects.lists.entry(kind).or_default();
            let position = list.iter().position(|object| has_id(kind, object, id));
            match (position, changes) {
                (Some(position), None) => drop(list.remove(position)),
                (Some(position), Some(changes)) => {
                    if let Some(object) = list.get_mut(position) {
                        *object = overlay(std::mem::take(object), &changes);
                    }
                }
                (None, Some(created)) => list.push(overlay(Map::new(), &created)),
                (None, None) => {}
            }
        }
    }
}

/// Whether an object has this id.
pub(super) fn has_id(kind: Kind, object: &Object, id: &str) -> bool {
    object.get(kind.id_member()).and_then(Value::as_str) == Some(id)
}

impl Inner {
    /// Changes an object and makes the change count for the requests after this one. Blocking.
    pub(super) fn change_object(&self, kind: &str, id: &str, changes: Object) -> Result<()> {
        self.db.change_object(kind, id, changes)?;
        self.reload()
    }

    /// Deletes an object; see [`Inner::change_object`]. Of one that the bundle has a row stays, so that it does not come back.
    pub(super) fn delete_object(&self, kind: Kind, id: &str) -> Result<()> {
        if self.base.objects.list(kind).iter().any(|object| has_id(kind, object, id)) {
            self.db.replace_object(kind.folder(), id, None)?;
        } else {
            self.db.remove_object(kind.folder(), id)?;
        }
        self.reload()
    }
}
