//! Who can log in: the bundle's people and those who signed up here, each with what happened since.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{pbkdf2, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::TenantError;
use super::state::{Record, State, stamp};
use crate::bundle::TestUser;
use crate::script::MetadataUpdate;

/// The one connection: Auth0's own database, under its usual name.
pub(super) const CONNECTION: &str = "Username-Password-Authentication";

/// PBKDF2-HMAC-SHA512 at the iterations that OWASP's password storage sheet asks for.
const ITERATIONS: std::num::NonZeroU32 = std::num::NonZeroU32::MIN.saturating_add(210_000 - 1);
static PBKDF2: pbkdf2::Algorithm = pbkdf2::PBKDF2_HMAC_SHA512;

/// A person as the tenant knows them now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Account {
    /// The user as the Management API gives one.
    pub(super) user: Map<String, Value>,
    /// Names of roles.
    pub(super) roles: Vec<String>,
}

/// Finds people.
pub(super) struct People {
    bundled: Vec<TestUser>,
    /// When the tenant was made: when its people were, unless the bundle says otherwise.
    born: Timestamp,
    state: State,
}

impl People {
    pub(super) fn new(bundled: Vec<TestUser>, born: Timestamp, state: State) -> Self {
        Self { bundled, born, state }
    }

    /// The bundle's people, as written.
    pub(super) fn bundled(&self) -> &[TestUser] {
        &self.bundled
    }

    /// By `user_id`. A point read.
    pub(super) fn find(&self, user_id: &str) -> Result<Option<Account>, TenantError> {
        let record = self.state.record(user_id)?;
        if let Some(person) = self.bundled.iter().find(|person| person.user_id == user_id) {
            return Ok(Some(self.of_bundle(person, record)));
        }
        Ok(record.and_then(signed_up))
    }

    /// By email, whatever its case.
    pub(super) fn find_by_email(&self, email: &str) -> Result<Option<Account>, TenantError> {
        let email = email.to_lowercase();
        if let Some(person) = self.bundled.iter().find(|person| person.email == email) {
            return self.find(&person.user_id);
        }
        Ok(self.state.signed_up(&email)?.and_then(signed_up))
    }

    /// By email and password; `None` when either is wrong. Blocking: hashing takes a good part of a second.
    pub(super) fn authenticate(&self, email: &str, password: &str) -> Result<Option<Account>, TenantError> {
        let email = email.to_lowercase();
        let right = if let Some(person) = self.bundled.iter().find(|person| person.email == email) {
            // The bundle's passwords stand in the bundle, for all to read: hashing them here would hide nothing.
            person.password.as_ref().is_some_and(|secret| {
                verify_slices_are_equal(secret.expose().as_bytes(), password.as_bytes()).is_ok()
            })
        } else {
            let kept = self.state.signed_up(&email)?.and_then(|record| record.password);
            kept.is_some_and(|kept| is_password(&kept, password))
        };
        if right { self.find_by_email(&email) } else { Ok(None) }
    }

    /// Applies what a rule asked for. Blocking: a write.
    pub(super) fn update_metadata(&self, update: MetadataUpdate, now: Timestamp) -> Result<(), TenantError> {
        let MetadataUpdate { user_id, kind, metadata } = update;
        let member = match kind {
            crate::script::MetadataKind::App => "app_metadata",
            crate::script::MetadataKind::User => "user_metadata",
        };
        let bundled = self.bundled.iter().find(|person| person.user_id == user_id);
        let base = bundled.and_then(|person| person.profile.get(member)?.as_object().cloned());
        self.state.merge_metadata(&user_id, kind, base.unwrap_or_default(), metadata, now)
    }

    fn of_bundle(&self, person: &TestUser, record: Option<Record>) -> Account {
        let mut user = person.profile.clone();
        user.insert("user_id".to_owned(), Value::from(person.user_id.as_str()));
        user.insert("email".to_owned(), Value::from(person.email.as_str()));
        complete(&mut user, &stamp(self.born));
        let roles = person.roles.clone();
        add_record(&mut user, record);
        Account { user, roles }
    }
}

impl Account {
    pub(super) fn user_id(&self) -> &str {
        self.text("user_id")
    }

    pub(super) fn email(&self) -> &str {
        self.text("email")
    }

    pub(super) fn name(&self) -> &str {
        self.text("name")
    }

    /// Blocked at the tenant itself, which is not the same as blocked in our database.
    pub(super) fn is_blocked(&self) -> bool {
        self.user.get("blocked").is_some_and(|blocked| blocked == &Value::Bool(true))
    }

    /// As rules see it: without what only the Management API tells.
    pub(super) fn for_rules(&self) -> Map<String, Value> {
        let mut user = self.user.clone();
        for member in ["logins_count", "last_login", "last_ip", "blocked"] {
            user.remove(member);
        }
        user
    }

    fn text(&self, member: &str) -> &str {
        self.user.get(member).and_then(Value::as_str).unwrap_or_default()
    }
}

/// A new user's profile, as Auth0 makes it from an email.
pub(super) fn fresh_profile(user_id: &str, email: &str, now: Timestamp) -> Map<String, Value> {
    let mut user = Map::from_iter([
        ("user_id".to_owned(), Value::from(user_id)),
        ("email".to_owned(), Value::from(email)),
    ]);
    complete(&mut user, &stamp(now));
    user
}

/// A hash that says how it was made. Blocking.
pub(super) fn hash_password(password: &str) -> Result<String, TenantError> {
    let mut salt = [0_u8; 16];
    rand::fill(&mut salt).map_err(|_| TenantError::Crypto("no random numbers"))?;
    let mut hash = [0_u8; 32];
    pbkdf2::derive(PBKDF2, ITERATIONS, &salt, password.as_bytes(), &mut hash);
    Ok(format!(
        "pbkdf2-sha512${ITERATIONS}${}${}",
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(hash)
    ))
}

fn is_password(kept: &str, password: &str) -> bool {
    let checked = || {
        let mut parts = kept.split('$');
        let (method, iterations) = (parts.next()?, parts.next()?.parse().ok()?);
        let salt = STANDARD_NO_PAD.decode(parts.next()?).ok()?;
        let hash = STANDARD_NO_PAD.decode(parts.next()?).ok()?;
        let is_ours = method == "pbkdf2-sha512" && parts.next().is_none();
        is_ours.then(|| pbkdf2::verify(PBKDF2, iterations, &salt, password.as_bytes(), &hash).is_ok())
    };
    checked().unwrap_or(false)
}

fn signed_up(record: Record) -> Option<Account> {
    let mut user = record.profile.clone()?;
    add_record(&mut user, Some(record));
    Some(Account { user, roles: Vec::new() })
}

/// Fills in what Auth0 gives every user of its database.
fn complete(user: &mut Map<String, Value>, created_at: &str) {
    let text = |user: &Map<String, Value>, member: &str| {
        user.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let (email, user_id) = (text(user, "email"), text(user, "user_id"));
    let (provider, id) = user_id.split_once('|').unwrap_or(("auth0", &user_id));
    let connection = if provider == "auth0" { CONNECTION } else { provider };
    let local = email.split_once('@').map_or(email.as_str(), |(local, _)| local);
    for (member, default) in [
        ("name", Value::from(email.as_str())),
        ("nickname", Value::from(local)),
        ("picture", Value::from("https://cdn.auth0.com/avatars/default.png")),
        ("email_verified", Value::from(false)),
        ("created_at", Value::from(created_at)),
        ("updated_at", Value::from(created_at)),
        (
            "identities",
            json!([{"connection": connection, "provider": provider, "user_id": id, "isSocial": provider != "auth0"}]),
        ),
    ] {
        user.entry(member).or_insert(default);
    }
}

/// What happened since. Metadata that was never set stays absent.
fn add_record(user: &mut Map<String, Value>, record: Option<Record>) {
    let record = record.unwrap_or_default();
    if !record.updated_at.is_empty() {
        user.insert("updated_at".to_owned(), Value::from(record.updated_at));
    }
    if let Some(blocked) = record.blocked {
        user.insert("blocked".to_owned(), Value::from(blocked));
    }
    if record.logins_count > 0 {
        user.insert("logins_count".to_owned(), Value::from(record.logins_count));
    }
    for (member, text) in [("last_login", record.last_login), ("last_ip", record.last_ip)] {
        if let Some(text) = text {
            user.insert(member.to_owned(), Value::from(text));
        }
    }
    for (member, metadata) in [("app_metadata", record.app_metadata), ("user_metadata", record.user_metadata)]
    {
        if let Some(metadata) = metadata {
            user.insert(member.to_owned(), Value::Object(metadata));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::MetadataKind;

    fn people() -> (tempfile::TempDir, People) {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(&folder.path().join("t.db")).unwrap();
        let bundled = serde_json::from_value(json!([
            {"user_id": "auth0|a", "email": "ada@x", "password": "p", "roles": ["r"], "note": "n"},
            {"user_id": "google-oauth2|1", "email": "g@x", "app_metadata": {"kept": 1}, "blocked": true},
        ]));
        (folder, People::new(bundled.unwrap(), Timestamp::from_second(1_700_000_000).unwrap(), state))
    }

    #[test]
    fn a_user_looks_as_the_management_api_has_it() {
        let (_folder, people) = people();
        let ada = people.find("auth0|a").unwrap().unwrap();
        assert_eq!(
            Value::Object(ada.user.clone()),
            json!({"user_id": "auth0|a", "email": "ada@x", "email_verified": false, "name": "ada@x", "nickname": "ada",
                "picture": "https://cdn.auth0.com/avatars/default.png",
                "created_at": "2023-11-14T22:13:20.000Z", "updated_at": "2023-11-14T22:13:20.000Z",
                "identities": [{"connection": CONNECTION, "provider": "auth0", "user_id": "a", "isSocial": false}]})
        );
        let later = Timestamp::from_second(1_700_000_060).unwrap();
        people.state.count_login("auth0|a", "127.0.0.1", later).unwrap();
        let ada = people.find_by_email("ADA@x").unwrap().unwrap();
        assert_eq!(ada.user["logins_count"], 1);
        assert_eq!(ada.user["last_login"], "2023-11-14T22:14:20.000Z");
        assert!(!ada.for_rules().contains_key("logins_count") && !ada.user.contains_key("app_metadata"));
        assert_eq!(people.find("auth0|b").unwrap(), None);
    }

    #[test]
    fn metadata_of_a_bundled_person_grows_from_what_the_bundle_has() {
        let (_folder, people) = people();
        let google = people.find("google-oauth2|1").unwrap().unwrap();
        assert!(google.is_blocked());
        assert_eq!(google.user["identities"][0]["isSocial"], true);
        let update = MetadataUpdate {
            user_id: "google-oauth2|1".to_owned(),
            kind: MetadataKind::App,
            metadata: json!({"new": 2}).as_object().unwrap().clone(),
        };
        people.update_metadata(update, Timestamp::from_second(1_700_000_000).unwrap()).unwrap();
        let google = people.find("google-oauth2|1").unwrap().unwrap();
        assert_eq!(google.user["app_metadata"], json!({"kept": 1, "new": 2}));
    }

    #[test]
    fn only_the_right_password_lets_in() {
        let (_folder, people) = people();
        assert!(people.authenticate("ADA@x", "p").unwrap().is_some());
        for (email, password) in [("ada@x", "P"), ("ada@x", ""), ("g@x", ""), ("nobody@x", "p")] {
            assert_eq!(people.authenticate(email, password).unwrap(), None, "{email}");
        }
        let hash = hash_password("secret").unwrap();
        assert!(is_password(&hash, "secret") && !is_password(&hash, "Secret"));
        for broken in ["", "secret", "pbkdf2-sha512$0$AA$AA", "pbkdf2-sha512$1$AA$AA$", "md5$1$AA$AA"] {
            assert!(!is_password(broken, "secret"), "{broken}");
        }
    }
}
