//! The users: the bundle's test users and those who signed up here, each with their state in the database.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{pbkdf2, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::TenantError;
use super::db::{TenantDb, timestamp};
use super::error::Result;
use super::response::object;
use super::user_records::UserRecord;
use crate::bundle::TestUser;
use crate::script::{MetadataKind, MetadataUpdate};
use crate::telemetry::Secret;

/// The only connection: Auth0's own database, under its default name.
pub(super) const CONNECTION: &str = "Username-Password-Authentication";

/// PBKDF2-HMAC-SHA512 with the iterations that OWASP's password storage cheat sheet recommends.
const ITERATIONS: std::num::NonZeroU32 = std::num::NonZeroU32::MIN.saturating_add(210_000 - 1);
static PBKDF2: pbkdf2::Algorithm = pbkdf2::PBKDF2_HMAC_SHA512;

/// A user of the tenant.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TenantUser {
    /// The user as the Management API returns it.
    pub(super) user: Map<String, Value>,
    /// Names of roles.
    pub(super) roles: Vec<String>,
}

/// Finds and authenticates users.
pub(super) struct UserDirectory {
    bundled: Vec<TestUser>,
    /// When the tenant was created; the default `created_at` of the bundle's users.
    created_at: Timestamp,
    db: TenantDb,
}

impl UserDirectory {
    pub(super) fn new(bundled: Vec<TestUser>, created_at: Timestamp, db: TenantDb) -> Self {
        Self { bundled, created_at, db }
    }

    /// All users, each with a note for the login page: the bundle's, then at most 100 who signed up here.
    pub(super) fn all(&self) -> Result<Vec<(TenantUser, String)>> {
        let mut all = Vec::new();
        for user in &self.bundled {
            let record = self.db.user_record(&user.user_id)?;
            all.push((self.bundled_user(user, record), user.note.clone().unwrap_or_default()));
        }
        let signed_up = self.db.all_signed_up()?.into_iter().filter_map(from_sign_up);
        all.extend(signed_up.map(|user| (user, "signed up here".to_owned())));
        Ok(all)
    }

    /// By `user_id`. A read by key.
    pub(super) fn find(&self, user_id: &str) -> Result<Option<TenantUser>> {
        let record = self.db.user_record(user_id)?;
        Ok(match self.bundled.iter().find(|user| user.user_id == user_id) {
            Some(user) => Some(self.bundled_user(user, record)),
            None => record.and_then(from_sign_up),
        })
    }

    /// By email, ignoring case: one user of each provider.
    pub(super) fn find_by_email(&self, email: &str) -> Result<Vec<TenantUser>> {
        let email = email.to_lowercase();
        let bundled = self.bundled.iter().filter(|user| user.email == email);
        let mut found =
            bundled.filter_map(|user| self.find(&user.user_id).transpose()).collect::<Result<Vec<_>>>()?;
        if found.is_empty() {
            found.extend(self.db.signed_up(&email)?.and_then(from_sign_up));
        }
        Ok(found)
    }

    /// By email and password; `None` when either is wrong. Blocking: hashing takes a good part of a second.
    pub(super) fn authenticate(&self, email: &str, password: &str) -> Result<Option<TenantUser>> {
        let email = email.to_lowercase();
        let mut bundled = self.bundled.iter().filter(|user| user.email == email).peekable();
        if bundled.peek().is_none() {
            let signed_up = self.db.signed_up(&email)?;
            let stored = signed_up.as_ref().and_then(|record| record.password.as_ref());
            let is_right = stored.is_some_and(|stored| verify_password(stored, password));
            return Ok(signed_up.filter(|_| is_right).and_then(from_sign_up));
        }
        // The bundle holds its passwords in the clear, so there is no hash to compare.
        let is_right = |secret: &Secret| {
            verify_slices_are_equal(secret.expose().as_bytes(), password.as_bytes()).is_ok()
        };
        match bundled.find(|user| user.password.as_ref().is_some_and(is_right)) {
            Some(user) => self.find(&user.user_id),
            None => Ok(None),
        }
    }

    /// Whether users of this connection exist; Auth0's own database always does.
    pub(super) fn has_connection(&self, name: &str) -> bool {
        let has = |user: &TestUser| self.bundled_user(user, None).connection() == name;
        name == CONNECTION || self.bundled.iter().any(has)
    }

    /// Whether a user is a member of the organization with this name.
    pub(super) fn is_member(&self, user_id: &str, organization: &str) -> bool {
        let user = self.bundled.iter().find(|user| user.user_id == user_id);
        user.is_some_and(|user| user.organizations.iter().any(|name| name == organization))
    }

    /// Merges a metadata update. Blocking: a write.
    pub(super) fn update_metadata(&self, update: MetadataUpdate) -> Result<()> {
        let MetadataUpdate { user_id, kind, metadata } = update;
        let member = match kind {
            MetadataKind::App => "app_metadata",
            MetadataKind::User => "user_metadata",
        };
        let bundled = self.bundled.iter().find(|user| user.user_id == user_id);
        let base = bundled.and_then(|user| user.profile.get(member)?.as_object().cloned());
        self.db.merge_metadata(&user_id, kind, base.unwrap_or_default(), metadata)
    }

    fn bundled_user(&self, bundled: &TestUser, record: Option<UserRecord>) -> TenantUser {
        let mut user = bundled.profile.clone();
        user.insert("user_id".to_owned(), json!(bundled.user_id));
        user.insert("email".to_owned(), json!(bundled.email));
        add_defaults(&mut user, &timestamp(self.created_at));
        add_record(&mut user, record.unwrap_or_default());
        TenantUser { user, roles: bundled.roles.clone() }
    }
}

impl TenantUser {
    pub(super) fn user_id(&self) -> &str {
        text(&self.user, "user_id")
    }

    pub(super) fn email(&self) -> &str {
        text(&self.user, "email")
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
pub(super) fn new_profile(user_id: &str, email: &str, now: Timestamp) -> Map<String, Value> {
    let mut user = object(json!({"user_id": user_id, "email": email}));
    add_defaults(&mut user, &timestamp(now));
    user
}

/// A password's hash, with its method, iterations and salt. Blocking.
pub(super) fn hash_password(password: &str) -> Result<String> {
    let mut salt = [0_u8; 16];
    rand::fill(&mut salt).map_err(|_| TenantError::Crypto("no random numbers"))?;
    let mut hash = [0_u8; 32];
    pbkdf2::derive(PBKDF2, ITERATIONS, &salt, password.as_bytes(), &mut hash);
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    Ok(format!("pbkdf2-sha512${ITERATIONS}${salt}${hash}"))
}

fn verify_password(stored: &str, password: &str) -> bool {
    let verify = || {
        let mut parts = stored.split('$');
        let (method, iterations) = (parts.next()?, parts.next()?.parse().ok()?);
        let salt = STANDARD_NO_PAD.decode(parts.next()?).ok()?;
        let hash = STANDARD_NO_PAD.decode(parts.next()?).ok()?;
        let is_known = method == "pbkdf2-sha512" && parts.next().is_none();
        is_known.then(|| pbkdf2::verify(PBKDF2, iterations, &salt, password.as_bytes(), &hash).is_ok())
    };
    verify().unwrap_or(false)
}

fn from_sign_up(record: UserRecord) -> Option<TenantUser> {
    let mut user = record.profile.clone()?;
    add_record(&mut user, record);
    Some(TenantUser { user, roles: Vec::new() })
}

fn text<'a>(user: &'a Map<String, Value>, member: &str) -> &'a str {
    user.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// Adds the members that Auth0 gives every user of its database.
fn add_defaults(user: &mut Map<String, Value>, created_at: &str) {
    let (email, user_id) = (text(user, "email").to_owned(), text(user, "user_id").to_owned());
    let (provider, id) = user_id.split_once('|').unwrap_or(("auth0", &user_id));
    let connection = if provider == "auth0" { CONNECTION } else { provider };
    let nickname = email.split_once('@').map_or(email.as_str(), |(local, _)| local);
    let is_social = provider != "auth0";
    for (member, default) in [
        ("name", json!(email)),
        ("nickname", json!(nickname)),
        ("picture", json!("https://cdn.auth0.com/avatars/default.png")),
        ("email_verified", json!(false)),
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

/// Adds a user's state in the database. Metadata that was never set stays absent.
fn add_record(user: &mut Map<String, Value>, record: UserRecord) {
    let mut members = object(json!({
        "updated_at": Some(record.updated_at).filter(|updated_at| !updated_at.is_empty()),
        "blocked": record.blocked,
        "logins_count": Some(record.logins_count).filter(|count| *count > 0),
        "last_login": record.last_login,
        "last_ip": record.last_ip,
        "app_metadata": record.app_metadata,
        "user_metadata": record.user_metadata,
    }));
    members.retain(|_, value| !value.is_null());
    user.append(&mut members);
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
        (folder, UserDirectory::new(bundled.unwrap(), Timestamp::from_second(1_700_000_000).unwrap(), db))
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
        assert!(users.authenticate("ADA@x", "p").unwrap().is_some());
        for (email, password) in [("ada@x", "P"), ("ada@x", ""), ("g@x", ""), ("unknown@x", "p")] {
            assert_eq!(users.authenticate(email, password).unwrap(), None, "{email}");
        }
        let hash = hash_password("secret").unwrap();
        assert!(verify_password(&hash, "secret") && !verify_password(&hash, "Secret"));
        for broken in ["", "secret", "pbkdf2-sha512$0$AA$AA", "pbkdf2-sha512$1$AA$AA$", "md5$1$AA$AA"] {
            assert!(!verify_password(broken, "secret"), "{broken}");
        }
    }
}
