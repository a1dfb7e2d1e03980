//! The users: the bundle's test users and those who signed up here, each with their state in the database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::accounts::Feed;
use super::db::{TenantDb, timestamp};
use super::error::Result;
use super::password_hash::{hash_password, verify_password};
use super::response::object;
pub(super) use crate::bundle::DEFAULT_CONNECTION as CONNECTION;
use crate::bundle::{Bundle, Kind, TestUser};
use crate::script::{MetadataKind, MetadataUpdate};

/// The most users that the login page offers besides the bundle's: the newest.
const SHOWN: i64 = 100;

/// A user of the tenant.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct TenantUser {
    /// The user as the Management API returns it.
    pub(super) user: Map<String, Value>,
    /// Names of roles.
    pub(super) roles: Vec<String>,
    /// Ids of organizations.
    pub(super) organizations: Vec<String>,
    /// Permissions assigned to the user, not by a role: API and permission.
    pub(super) permissions: Vec<(String, String)>,
}

/// Finds and authenticates users.
#[derive(Clone)]
pub(super) struct UserDirectory {
    bundled: Arc<Vec<TestUser>>,
    /// Names by id.
    roles: BTreeMap<String, String>,
    /// Names.
    connections: BTreeSet<String>,
    db: TenantDb,
}

impl UserDirectory {
    /// Makes the bundle's users the base of those in the database. `created_at`: the default of their creation.
    pub(super) fn open(bundle: &Bundle, created_at: Timestamp, db: TenantDb) -> Result<Self> {
        let documents =
            bundle.users.iter().map(|user| (user.user_id.clone(), base(user, bundle, created_at)));
        db.sync_accounts(&documents.collect::<Vec<_>>())?;
        Ok(Self {
            bundled: Arc::new(bundle.users.clone()),
            roles: BTreeMap::new(),
            connections: BTreeSet::new(),
            db,
        }
        .with_objects(bundle))
    }

    /// The same users with the roles and connections of another bundle.
    pub(super) fn with_objects(self, bundle: &Bundle) -> Self {
        let text = |found: &Map<String, Value>, member| found.get(member)?.as_str().map(str::to_owned);
        let roles = bundle.objects.list(Kind::Role).iter();
        let roles = roles.filter_map(|role| Some((text(role, "id")?, text(role, "name")?))).collect();
        let connections = bundle.objects.list(Kind::Connection).iter();
        let of_users = self.bundled.iter().map(|user| user.connection().to_owned());
        let connections = connections.filter_map(|found| text(found, "name")).chain(of_users).collect();
        Self { roles, connections, ..self }
    }

    /// All users, each with a note for the login page: the bundle's, then at most 100 who were added here.
    pub(super) fn all(&self) -> Result<Vec<(TenantUser, String)>> {
        let mut all = Vec::new();
        for user in self.bundled.iter() {
            let found = self.find(&user.user_id)?;
            all.extend(found.map(|found| (found, user.note.clone().unwrap_or_default())));
        }
        let is_bundled = |user: &TenantUser| self.bundled.iter().any(|known| known.user_id == user.user_id());
        let newest = self.db.count_accounts()?.saturating_sub(SHOWN).max(0);
        let added = self.db.accounts(newest, SHOWN)?.into_iter().rev().map(|doc| self.user(doc));
        all.extend(added.filter(|user| !is_bundled(user)).map(|user| (user, "signed up here".to_owned())));
        Ok(all)
    }

    /// By `user_id`. A read by key.
    pub(super) fn find(&self, user_id: &str) -> Result<Option<TenantUser>> {
        Ok(self.db.account(user_id)?.map(|doc| self.user(doc)))
    }

    /// By email, ignoring case: one user of each connection.
    pub(super) fn find_by_email(&self, email: &str) -> Result<Vec<TenantUser>> {
        Ok(self.db.accounts_by_email(email)?.into_iter().map(|doc| self.user(doc)).collect())
    }

    /// By email, or a user name, and password, in an allowed connection; `None` when either is wrong. Blocking: hashing takes
    /// a good part of a second.
    pub(super) fn authenticate(
        &self,
        login: &str,
        password: &str,
        is_allowed: impl Fn(&str) -> bool,
    ) -> Result<Option<TenantUser>> {
        let mut found = self.find_by_email(login)?;
        if !login.contains('@') {
            found.extend(self.db.accounts_by_username(login)?.into_iter().map(|doc| self.user(doc)));
        }
        for user in found.into_iter().filter(|user| is_allowed(user.connection())) {
            let is_right = match self.db.password(user.user_id())? {
                Some(stored) => verify_password(&stored, password),
                // The bundle holds its passwords in the clear, so there is no hash to compare.
                None => self.bundled.iter().filter(|known| known.user_id == user.user_id()).any(|known| {
                    known.password.as_ref().is_some_and(|secret| {
                        verify_slices_are_equal(secret.expose().as_bytes(), password.as_bytes()).is_ok()
                    })
                }),
            };
            if is_right {
                return Ok(Some(user));
            }
        }
        Ok(None)
    }

    /// Whether there is a connection of this name; Auth0's own database always exists.
    pub(super) fn has_connection(&self, name: &str) -> bool {
        name == CONNECTION || self.connections.contains(name)
    }

    /// Merges a metadata update at the first level; `null` deletes a key. Blocking: a write.
    pub(super) fn update_metadata(&self, update: MetadataUpdate) -> Result<()> {
        let member = match update.kind {
            MetadataKind::App => "app_metadata",
            MetadataKind::User => "user_metadata",
        };
        self.db.change_account(&update.user_id, Feed::Event("user.updated"), |doc| {
            let merged = merge_metadata(doc.get(member), &update.metadata);
            [(member.to_owned(), merged)].into_iter().collect()
        })?;
        Ok(())
    }

    /// Takes the users of another bundle, with their passwords.
    pub(super) fn import(&self, bundle: &Bundle, created_at: Timestamp) -> Result<()> {
        for user in &bundle.users {
            let document = base(user, bundle, created_at);
            let hash = user.password.as_ref().map(|password| hash_password(password.expose())).transpose()?;
            if !self.db.add_account(&user.user_id, &document, hash.as_deref())? {
                self.db.change_account(&user.user_id, Feed::Event("user.updated"), |_| document)?;
            }
        }
        Ok(())
    }

    /// All users, as a bundle has them. Passwords of the bundle stay; those that were set here are hashes, and go.
    pub(super) fn exported(&self, bundle: &Bundle) -> Result<Vec<TestUser>> {
        let mut users = Vec::new();
        for document in self.db.accounts(0, i64::MAX)? {
            let user = self.user(document);
            let known = self.bundled.iter().find(|known| known.user_id == user.user_id());
            let mut profile = user.user.clone();
            for member in ["user_id", "email", "logins_count", "last_login", "last_ip"] {
                profile.remove(member);
            }
            let is_member = |found: &&crate::bundle::Organization| user.organizations.contains(&found.id);
            let organizations = bundle.organizations.iter().filter(is_member);
            users.push(TestUser {
                user_id: user.user_id().to_owned(),
                email: user.email().to_owned(),
                password: known.and_then(|known| known.password.clone()),
                roles: user.roles.clone(),
                organizations: organizations.map(|found| found.name.clone()).collect(),
                connection: None,
                note: known.and_then(|known| known.note.clone()),
                profile,
            });
        }
        Ok(users)
    }

    /// A user of a document.
    pub(super) fn user(&self, mut doc: Map<String, Value>) -> TenantUser {
        let list =
            |value: Option<Value>| if let Some(Value::Array(list)) = value { list } else { Vec::new() };
        let roles = list(doc.remove("_roles"));
        let roles = roles.iter().filter_map(|id| self.roles.get(id.as_str()?).cloned()).collect();
        let organizations = object(doc.remove("_organizations").unwrap_or_default());
        let permissions = list(doc.remove("_permissions"));
        let text = |value: &Value, member: &str| value.get(member)?.as_str().map(str::to_owned);
        let pair = |value: &Value| {
            Some((text(value, "resource_server_identifier")?, text(value, "permission_name")?))
        };
        doc.retain(|member, _| !member.starts_with('_'));
        TenantUser {
            user: doc,
            roles,
            organizations: organizations.into_iter().map(|(id, _)| id).collect(),
            permissions: permissions.iter().filter_map(pair).collect(),
        }
    }
}

/// Metadata after a change at the first level; `null` deletes a key.
pub(super) fn merge_metadata(metadata: Option<&Value>, changes: &Map<String, Value>) -> Value {
    let metadata = metadata.and_then(Value::as_object).cloned().unwrap_or_default();
    let mut merged = super::accounts::overlay(metadata, changes);
    merged.retain(|_, value| !value.is_null());
    merged.into()
}

/// A user of the bundle as a document.
fn base(bundled: &TestUser, bundle: &Bundle, created_at: Timestamp) -> Map<String, Value> {
    let mut user = bundled.profile.clone();
    user.insert("user_id".to_owned(), json!(bundled.user_id));
    if !bundled.email.is_empty() {
        user.insert("email".to_owned(), json!(bundled.email));
    }
    let role_id = |name: &String| bundle.objects.find(Kind::Role, "name", name)?.get("id").cloned();
    let roles: Vec<Value> = bundled.roles.iter().filter_map(role_id).collect();
    let of_user = bundle.organizations.iter().filter(|found| bundled.organizations.contains(&found.name));
    let organizations: Map<String, Value> = of_user.map(|found| (found.id.clone(), json!([]))).collect();
    for (member, value) in [("_roles", json!(roles)), ("_organizations", json!(organizations))] {
        if value != json!([]) && value != json!({}) {
            user.insert(member.to_owned(), value);
        }
    }
    add_defaults(&mut user, bundled.connection(), &timestamp(created_at));
    user
}

impl TenantUser {
    pub(super) fn user_id(&self) -> &str {
        text(&self.user, "user_id")
    }

    pub(super) fn email(&self) -> &str {
        text(&self.user, "email")
    }

    /// The permissions at an API, sorted and unique: by roles, and the user's own.
    pub(super) fn permissions(&self, bundle: &Bundle, audience: &str) -> Vec<String> {
        let mut permissions = bundle.permissions(&self.roles, audience);
        let own = self.permissions.iter().filter(|(api, _)| api == audience);
        permissions.extend(own.map(|(_, permission)| permission.clone()));
        permissions.sort();
        permissions.dedup();
        permissions
    }

    pub(super) fn name(&self) -> &str {
        text(&self.user, "name")
    }

    /// The name of the connection of its first identity.
    pub(super) fn connection(&self) -> &str {
        self.identity("connection")
    }

    /// The provider of its first identity: `auth0`, `google-oauth2`, ….
    pub(super) fn provider(&self) -> &str {
        self.identity("provider")
    }

    fn identity(&self, member: &str) -> &str {
        let first = self.user.get("identities").and_then(|identities| identities.get(0));
        first.and_then(|identity| identity.get(member)).and_then(Value::as_str).unwrap_or_default()
    }

    /// Blocked at the tenant, which is independent of a block in our database.
    pub(super) fn is_blocked(&self) -> bool {
        self.user.get("blocked") == Some(&Value::Bool(true))
    }

    /// The rules' `user`: without the members that only the Management API returns.
    pub(super) fn for_rules(&self) -> Map<String, Value> {
        let mut user = self.user.clone();
        for member in ["logins_count", "last_login", "last_ip", "blocked"] {
            user.remove(member);
        }
        user
    }
}

/// A new user's profile, as Auth0 derives it from an email.
pub(super) fn new_profile(
    user_id: &str,
    email: &str,
    connection: &str,
    now: Timestamp,
) -> Map<String, Value> {
    let mut user = object(json!({"user_id": user_id, "email": email}));
    add_defaults(&mut user, connection, &timestamp(now));
    user
}

fn text<'a>(user: &'a Map<String, Value>, member: &str) -> &'a str {
    user.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// Adds the members that Auth0 gives every user.
pub(super) fn add_defaults(user: &mut Map<String, Value>, connection: &str, created_at: &str) {
    let (email, user_id) = (text(user, "email").to_owned(), text(user, "user_id").to_owned());
    let (provider, id) = user_id.split_once('|').unwrap_or(("auth0", &user_id));
    let is_social = !matches!(provider, "auth0" | "email" | "sms");
    let name = [email.as_str(), text(user, "username"), text(user, "phone_number"), &user_id];
    let name = name.into_iter().find(|name| !name.is_empty()).unwrap_or_default().to_owned();
    let nickname = name.split_once('@').map_or(name.as_str(), |(local, _)| local).to_owned();
    if !email.is_empty() {
        user.entry("email_verified").or_insert(json!(false));
    }
    for (member, default) in [
        ("name", json!(name)),
        ("nickname", json!(nickname)),
        ("picture", json!("https://cdn.auth0.com/avatars/default.png")),
        ("created_at", json!(created_at)),
        ("updated_at", json!(created_at)),
        (
            "identities",
            json!([{"connection": connection, "provider": provider, "user_id": id, "isSocial": is_social}]),
        ),
    ] {
        user.entry(member).or_insert(default);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn users() -> (tempfile::TempDir, UserDirectory) {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp::from_second(1_700_000_060).unwrap());
        let db = TenantDb::open(&folder.path().join("t.db"), clock).unwrap();
        let bundled = serde_json::from_value(json!([
            {"user_id": "auth0|a", "email": "ada@x", "password": "p", "roles": ["r"], "note": "n"},
            {"user_id": "google-oauth2|1", "email": "g@x", "app_metadata": {"kept": 1}, "blocked": true},
        ]));
        let role = object(json!({"id": "rol_1", "name": "r", "permissions": [
            {"permission_name": "x", "resource_server_identifier": "api"}]}));
        let lists = [(Kind::Role, vec![role])].into();
        let objects = crate::bundle::Objects { lists, ..Default::default() };
        let bundle = Bundle { users: bundled.unwrap(), ..Bundle::from_objects(objects, Vec::new()) };
        let users = UserDirectory::open(&bundle, Timestamp::from_second(1_700_000_000).unwrap(), db).unwrap();
        let ada = users.find("auth0|a").unwrap().unwrap();
        assert_eq!(
            (ada.roles.clone(), ada.permissions(&bundle, "api")),
            (vec!["r".to_owned()], vec!["x".to_owned()])
        );
        (folder, users)
    }

    #[test]
    fn a_user_has_the_shape_of_the_management_api() {
        let (_folder, users) = users();
        let ada = users.find("auth0|a").unwrap().unwrap();
        assert_eq!(
            Value::Object(ada.user.clone()),
            json!({"user_id": "auth0|a", "email": "ada@x", "email_verified": false, "name": "ada@x", "nickname": "ada",
                "picture": "https://cdn.auth0.com/avatars/default.png",
                "created_at": "2023-11-14T22:13:20.000Z", "updated_at": "2023-11-14T22:13:20.000Z",
                "identities": [{"connection": CONNECTION, "provider": "auth0", "user_id": "a", "isSocial": false}]})
        );
        users.db.count_login("auth0|a", "127.0.0.1").unwrap();
        let ada = users.find_by_email("ADA@x").unwrap().remove(0);
        assert_eq!(ada.user["logins_count"], 1);
        assert_eq!(ada.user["last_login"], "2023-11-14T22:14:20.000Z");
        assert!(!ada.for_rules().contains_key("logins_count") && !ada.user.contains_key("app_metadata"));
        assert_eq!(users.find("auth0|b").unwrap(), None);
    }

    #[test]
    fn metadata_updates_of_a_bundled_user_start_from_the_bundle() {
        let (_folder, users) = users();
        let google = users.find("google-oauth2|1").unwrap().unwrap();
        assert!(google.is_blocked());
        assert_eq!(google.user["identities"][0]["isSocial"], true);
        let update = MetadataUpdate {
            user_id: "google-oauth2|1".to_owned(),
            kind: MetadataKind::App,
            metadata: json!({"new": 2}).as_object().unwrap().clone(),
        };
        users.update_metadata(update).unwrap();
        let google = users.find("google-oauth2|1").unwrap().unwrap();
        assert_eq!(google.user["app_metadata"], json!({"kept": 1, "new": 2}));
    }

    #[test]
    fn only_the_right_password_authenticates() {
        let (_folder, users) = users();
        assert!(users.authenticate("ADA@x", "p", |_| true).unwrap().is_some());
        assert_eq!(users.authenticate("ADA@x", "p", |name| name != CONNECTION).unwrap(), None);
        for (email, password) in [("ada@x", "P"), ("ada@x", ""), ("g@x", ""), ("unknown@x", "p")] {
            assert_eq!(users.authenticate(email, password, |_| true).unwrap(), None, "{email}");
        }
    }
}
