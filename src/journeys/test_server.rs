//! Both doors over a temporary database, with an [`Auth0Stub`] as their tenant.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use vestibule::app::{Doors, Listener, Vestibule};
use vestibule::cli::http_client::{HttpClient, HttpResponse};
use vestibule::clock::Clock;
use vestibule::config::{Config, Sources};
use vestibule::pool::PoolError;
use vestibule::store::{
    Actor, AuditFilter, AuditLine, LinkEmail, NewIdentity, PageArgs, SeedUser, Store, UserFilter,
};
use vestibule::user::{Person, User, UserId};

use crate::auth0_stub::Auth0Stub;
use crate::dev_server::worker;
use crate::tokens;
use crate::waiting::DEADLINE;

pub(crate) const PUBLIC: &str = "https://public.vestibule.example/";
pub(crate) const INTERNAL: &str = "https://internal.vestibule.example/";
pub(crate) const NAMESPACE: &str = "https://vestibule.example/";

pub(crate) struct TestServer {
    pub(crate) auth0: Auth0Stub,
    pub(crate) runtime: Runtime,
    pub(crate) http: HttpClient,
    pub(crate) config: Config,
    clock: Clock,
    doors: Option<Doors>,
    _dir: TempDir,
}

/// The development configuration with everything on port 0 and in `dir`.
pub(crate) fn config_in(dir: &Path, issuer: &str, set: &[&str]) -> Config {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = |name: &str| root.join(name).display().to_string();
    let temporary = |name: &str| dir.join(name).display().to_string();
    let mut flags: Vec<(String, String)> = [
        ("public.listen", "127.0.0.1:0".to_owned()),
        ("internal.listen", "127.0.0.1:0".to_owned()),
        ("tenant.http", "127.0.0.1:0".to_owned()),
        ("tenant.issuer", "http://127.0.0.1:0/".to_owned()),
        ("tenant.bundle", own("fixtures/tenant")),
        ("tenant.data", temporary("tenant.db")),
        ("store.path", temporary("vestibule.db")),
        ("store.seed", own("fixtures/users.json")),
        ("auth0.issuer", issuer.to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    flags.extend(
        set.iter().filter_map(|set| set.split_once('=')).map(|(key, value)| (key.into(), value.into())),
    );
    let sources = Sources { dir: Some(root.join("config")), flags, ..Sources::new("development") };
    vestibule::config::load(sources).unwrap()
}

/// A clock that only the test advances. It starts a minute ahead, so that no token issued meanwhile is from its future.
pub(crate) fn manual_clock() -> Clock {
    Clock::manual(Clock::system().now() + Duration::from_secs(60))
}

/// A new identity; its email, if it has one, is verified.
pub(crate) fn identity(sub: &str, email: Option<&str>) -> NewIdentity {
    NewIdentity {
        auth0_id: sub.parse().unwrap(),
        email: email.map(|email| email.parse().unwrap()),
        email_verified: email.is_some(),
        person: Person::default(),
        profile: None,
        blocked: false,
    }
}

/// The new identity `auth0|NAME` with the verified email `NAME@example.com`.
pub(crate) fn person(name: &str) -> NewIdentity {
    let person = Person { name: Some(name.to_owned()), ..Person::default() };
    NewIdentity { person, ..identity(&format!("auth0|{name}"), Some(&format!("{name}@example.com"))) }
}

/// The code of a GraphQL response's first error.
pub(crate) fn error_code(response: &Value) -> Option<&str> {
    response.pointer("/errors/0/extensions/code")?.as_str()
}

impl TestServer {
    /// Opens the doors and waits until they know the stub's keys.
    pub(crate) fn open(set: &[&str]) -> Self {
        Self::open_with_clock(Clock::system(), set)
    }

    /// As [`open`](Self::open), on a clock that the test sets.
    pub(crate) fn open_with_clock(clock: Clock, set: &[&str]) -> Self {
        let server = Self::with_clock(clock, set, |_| {});
        server.wait_until_ready();
        server
    }

    /// As [`open_with_clock`](Self::open_with_clock), with `vestibule` behind the doors.
    pub(crate) fn open_with(vestibule: Vestibule, clock: Clock, set: &[&str]) -> Self {
        let mut server = Self::open_with_clock(clock, set);
        server.close();
        server.serve(vestibule);
        server.wait_until_ready();
        server
    }

    /// Waits until the doors have keys.
    pub(crate) fn wait_until_ready(&self) {
        let keys = self.doors().services().gate.keys();
        for issuer in keys.issuers() {
            assert!(self.runtime.block_on(keys.wait_for(issuer, DEADLINE)), "no keys of {issuer}");
        }
    }

    /// Opens the doors without waiting for keys; `prepare` sets up the stub first.
    pub(crate) fn open_without_waiting(set: &[&str], prepare: impl FnOnce(&Auth0Stub)) -> Self {
        Self::with_clock(Clock::system(), set, prepare)
    }

    fn with_clock(clock: Clock, set: &[&str], prepare: impl FnOnce(&Auth0Stub)) -> Self {
        let runtime = Runtime::new().unwrap();
        let auth0 = Auth0Stub::start();
        prepare(&auth0);
        let dir = tempfile::tempdir().unwrap();
        let config = config_in(dir.path(), &auth0.issuer, set);
        let mut server =
            Self { auth0, runtime, http: HttpClient::new(), config, clock, doors: None, _dir: dir };
        server.reopen();
        server
    }

    /// Closes the doors and opens them again over the same database.
    pub(crate) fn reopen(&mut self) {
        self.close();
        self.serve(Vestibule::default());
    }

    /// Opens the doors over the same database, with `vestibule` behind them.
    pub(crate) fn serve(&mut self, vestibule: Vestibule) {
        let doors = self.runtime.block_on(async {
            let public = Listener::bind(self.config.public.listen, "public.listen").await?;
            let internal = Listener::bind(self.config.internal.listen, "internal.listen").await?;
            Doors::open(vestibule, &self.config, public, internal, (worker(), self.clock.clone()))
        });
        self.doors = Some(doors.unwrap());
    }

    pub(crate) fn close(&mut self) {
        if let Some(doors) = self.doors.take() {
            self.runtime.block_on(doors.stop());
        }
    }

    /// Takes the doors, for a test that closes them itself.
    pub(crate) fn take_doors(&mut self) -> Doors {
        self.doors.take().unwrap()
    }

    pub(crate) fn doors(&self) -> &Doors {
        self.doors.as_ref().unwrap()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.doors().services().store
    }

    /// Inserts a user with nothing but an Auth0 id, as on their first request.
    pub(crate) fn insert_user(&self, sub: &str) -> User {
        self.insert(&identity(sub, None))
    }

    /// Inserts `auth0|NAME` with the verified email `NAME@example.com`.
    pub(crate) fn insert_person(&self, name: &str) -> User {
        self.insert(&person(name))
    }

    fn insert(&self, identity: &NewIdentity) -> User {
        self.store().provision(identity, LinkEmail::Verified, &Actor::Gate).unwrap().into_user()
    }

    /// Seeds one user, as the seed file writes them.
    pub(crate) fn seed(&self, user: Value) {
        let user: SeedUser = serde_json::from_value(user).unwrap();
        assert_eq!(self.store().seed(&[user], &Actor::Seed).unwrap(), 1);
    }

    /// The user with this Auth0 id.
    pub(crate) fn user(&self, sub: &str) -> User {
        self.store().user_by_auth0_id(&sub.parse().unwrap()).unwrap().unwrap()
    }

    /// Makes all stored profiles a week old.
    pub(crate) fn age_profiles(&self) {
        let database = rusqlite::Connection::open(&self.config.store.path).unwrap();
        database
            .execute("UPDATE users SET profile_fetched_at = profile_fetched_at - 7 * 86400000", [])
            .unwrap();
        self.store().poll_changes();
    }

    /// Occupies one of the pool's threads until the sender sends or is dropped.
    pub(crate) fn occupy_thread(&self) -> (JoinHandle<Result<(), PoolError>>, mpsc::Sender<()>) {
        let pool = self.doors().services().pool.clone();
        let (release, released) = mpsc::channel::<()>();
        let (start, started) = mpsc::channel::<()>();
        let job = self.runtime.spawn(async move {
            pool.run(move || {
                start.send(()).unwrap();
                released.recv().unwrap_or(());
            })
            .await
        });
        started.recv_timeout(DEADLINE).unwrap();
        (job, release)
    }

    /// The number of users in the database.
    pub(crate) fn user_count(&self) -> usize {
        usize::try_from(self.store().count_users(&UserFilter::default()).unwrap()).unwrap()
    }

    /// The newest audit lines about a user, newest first.
    pub(crate) fn newest_audit_lines(&self, user: UserId, count: usize) -> Vec<AuditLine> {
        self.store().list_audit(&AuditFilter::of(user), &PageArgs::first(count)).unwrap().items
    }

    pub(crate) fn public(&self) -> String {
        format!("http://{}/graphql", self.doors().public())
    }

    pub(crate) fn internal(&self) -> String {
        format!("http://{}/graphql", self.doors().internal())
    }

    /// Sends a query to the public door.
    pub(crate) fn ask_public<'a>(&self, token: impl Into<Option<&'a str>>, query: &str) -> HttpResponse {
        self.http.graphql(&self.public(), token.into(), query, Value::Null).unwrap()
    }

    /// Sends a query to the internal door.
    pub(crate) fn ask_internal(&self, token: &str, query: &str, variables: Value) -> HttpResponse {
        self.http.graphql(&self.internal(), Some(token), query, variables).unwrap()
    }

    /// Queries `me` at the public door.
    pub(crate) fn me(&self, token: &str) -> HttpResponse {
        self.ask_public(token, "{ me { id auth0Id email roles } }")
    }

    /// A user's token for the public door; `claims` override the usual ones.
    pub(crate) fn token(&self, sub: &str, claims: Value) -> String {
        self.token_for(PUBLIC, sub, claims)
    }

    pub(crate) fn token_for(&self, audience: &str, sub: &str, claims: Value) -> String {
        let mut all = self.auth0.claims(sub, audience);
        for (claim, value) in claims.as_object().unwrap() {
            all[claim] = value.clone();
        }
        tokens::sign(&all)
    }

    /// A machine's token for the public door; a machine has no current user.
    pub(crate) fn public_machine_token(&self) -> String {
        self.token_for(PUBLIC, "m1@clients", json!({"gty": "client-credentials", "azp": "m1"}))
    }

    /// A machine's token for the internal door.
    pub(crate) fn machine_token(&self, scope: &str) -> String {
        let claims = json!({"gty": "client-credentials", "azp": "m1", "scope": scope});
        self.token_for(INTERNAL, "m1@clients", claims)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.close();
    }
}
