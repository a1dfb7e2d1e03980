//! What the tests of the store share. Each opens a database of its own in a temporary directory.

mod audit;
mod batch_reads;
mod create;
mod deployments;
mod deployment_requests;
mod erase;
mod export;
mod feed;
mod find;
mod identities;
mod import;
mod interrupt;
mod keys;
mod list;
mod maintenance;
mod merge;
mod outbox;
mod provision;
mod refresh;
mod roles;
mod seed;
mod status;
mod terms;
mod update;
mod user_changes;

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;

use super::{
    AuditFilter, AuditLine, ImportOutcome, ImportRow, ImportRules, LinkEmail, NewIdentity, NewUser, PageArgs,
    Provisioned, SeedUser, Settings, Store, UserFilter,
};
use crate::clock::Clock;
use crate::user::{Auth0Id, Email, Person, Status, User, UserId};

pub(super) use super::{Actor, StoreError};

const ADA: &str = "ada@example.com";

/// A store on a file of its own, with a manual clock.
struct TestStore {
    store: Store,
    clock: Clock,
    settings: Settings,
    dir: tempfile::TempDir,
}

/// The settings of a database in a folder.
pub(super) fn settings_in(folder: &Path) -> Settings {
    let path = folder.join("vestibule.db");
    Settings { path, readers: 3, busy_timeout: Duration::from_secs(10), block_at_auth0: false, seed: None }
}

impl TestStore {
    fn new() -> Self {
        Self::with_readers(3)
    }

    fn with_readers(readers: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings { readers, ..settings_in(dir.path()) };
        let clock = Clock::manual(Timestamp::from_millisecond(1_800_000_000_123).unwrap());
        let store = Store::open(&settings, clock.clone()).unwrap();
        Self { store, clock, settings, dir }
    }

    /// The same file opened again, with connections and a memory of its own, as by another process.
    fn another_process(&self) -> Store {
        Store::open(&self.settings, self.clock.clone()).unwrap()
    }

    /// A bare connection, like the sqlite3 shell.
    fn shell(&self) -> Connection {
        Connection::open(&self.settings.path).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Adds a user with an identity and a verified email.
    fn add_user(&self, auth0_id: &str, email: &str) -> User {
        match self.store.provision(&identity(auth0_id, Some(email), true), LinkEmail::Verified, &Actor::Gate)
        {
            Ok(Provisioned::Inserted(user)) => user,
            other => panic!("{other:?}"),
        }
    }

    /// Adds a row without identity.
    fn add_pre_provisioned(&self, email: &str, verified: bool) -> User {
        let seed = SeedUser {
            email: Some(self::email(email)),
            email_verified: verified,
            name: Some("Grace".into()),
            ..seed()
        };
        assert_eq!(self.store.seed(&[seed], &Actor::Seed).unwrap(), 1);
        self.store.user_by_email(&self::email(email)).unwrap().unwrap()
    }

    fn actions(&self, user: UserId) -> Vec<String> {
        lines_about(&self.store, user, 100).into_iter().map(|line| line.action).collect()
    }

    fn user_count(&self) -> usize {
        usize::try_from(self.store.count_users(&UserFilter::default()).unwrap()).unwrap()
    }
}

/// What revokes the tokens of an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Revocation {
    status: Status,
    tokens_valid_from: Option<Timestamp>,
}

/// What revokes the tokens of an identity, by the row it leads to; `None` if nothing does.
fn revocation(store: &Store, auth0_id: &str) -> Option<Revocation> {
    let (status, tokens_valid_from) = match store.user_by_auth0_id(&id(auth0_id)).unwrap() {
        Some(user) => (user.status, user.tokens_valid_from),
        None => (Status::Active, store.unlinked_at(&id(auth0_id)).unwrap()),
    };
    let revocation = Revocation { status, tokens_valid_from };
    Some(revocation).filter(|_| status != Status::Active || tokens_valid_from.is_some())
}

fn id(text: &str) -> Auth0Id {
    text.parse().unwrap()
}

fn email(text: &str) -> Email {
    text.parse().unwrap()
}

fn seed() -> SeedUser {
    serde_json::from_str("{}").unwrap()
}

fn person() -> Person {
    Person { name: Some("Ada Lovelace".into()), phone: Some("+441234".into()), ..Person::default() }
}

fn identity(auth0_id: &str, email: Option<&str>, email_verified: bool) -> NewIdentity {
    NewIdentity {
        auth0_id: id(auth0_id),
        email: email.map(self::email),
        email_verified,
        person: person(),
        profile: Some(serde_json::json!({ "user_id": auth0_id, "nickname": "countess" })),
        blocked: false,
    }
}

/// Imports `rows`, and returns their outcomes in order.
fn import(store: &Store, rows: &[ImportRow], rules: ImportRules) -> Result<Vec<ImportOutcome>, StoreError> {
    let mut outcomes = Vec::new();
    let report = |index: usize, outcome| {
        assert_eq!(index, outcomes.len());
        outcomes.push(outcome);
    };
    store.import(rules, &Actor::Cli, rows.iter().cloned().enumerate().map(Ok::<_, StoreError>), report)?;
    Ok(outcomes)
}

/// Indexes and triggers, with their statements.
fn schema(connection: &Connection) -> Vec<(String, String)> {
    let sql = "SELECT name, sql FROM sqlite_schema WHERE type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY name";
    let mut statement = connection.prepare(sql).unwrap();
    let all = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    all.collect::<Result<_, _>>().unwrap()
}

/// The newest lines about a user, newest first.
fn lines_about(store: &Store, user: UserId, count: usize) -> Vec<AuditLine> {
    store.list_audit(&AuditFilter::of(user), &PageArgs::first(count)).unwrap().items
}

/// A user to create, with a role.
fn new_user(address: &str) -> NewUser {
    NewUser { email: Some(email(address)), roles: vec!["support".into()], ..NewUser::default() }
}

/// The Auth0 ids of a user, in the order they were linked.
fn identities(test: &TestStore, user: UserId) -> Vec<String> {
    let identities = test.store.identities(user).unwrap();
    identities.into_iter().map(|identity| identity.auth0_id.to_string()).collect()
}
