//! Rows that tokens keep: whatever changes, by this process or another, a token seen before is answered as a new one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::forge::Signer;
use super::mutants::Random;
use super::{AUDIENCE, NAMESPACE, TENANT, TestDoor, claims_settings, door_rules};
use crate::auth::{Caller, DoorRules, Presented, Refusal, TokenProfile, parse};
use crate::clock::Clock;
use crate::store::{Actor, LinkEmail, NewIdentity, Store, UserUpdate};
use crate::user::{Auth0Id, CurrentUser, Person, Status, User, UserId};

/// The time after which a change by another process must apply.
const KNOWN_FOR: Duration = Duration::from_millis(20);
const SUBJECTS: [&str; 4] = ["auth0|ada", "google|ada", "auth0|bob", "github|x"];

struct World {
    door: TestDoor,
    clock: Clock,
    signer: Signer,
    /// This process, and another one.
    stores: [Store; 2],
    ada: UserId,
    bob: UserId,
}

impl World {
    fn new() -> Self {
        let signer = Signer::new("ES256", "k");
        let clock = Clock::manual(Timestamp::from_second(1_790_000_000).unwrap());
        let sets = [(TENANT, vec![signer.jwk()])];
        let door = TestDoor::with_clock(&sets, TokenProfile::Auth0, clock.clone());
        let store = door.gate.users.store.clone();
        let insert = |name: &str| {
            let identity = NewIdentity {
                auth0_id: id(&format!("auth0|{name}")),
                email: Some(format!("{name}@example.com").parse().unwrap()),
                email_verified: true,
                person: Person { name: Some(name.to_owned()), ..Person::default() },
                profile: Some(json!({"user_id": name})),
                blocked: false,
            };
            store.provision(&identity, LinkEmail::Never, &Actor::Gate).unwrap().into_user().id
        };
        let (ada, bob) = (insert("ada"), insert("bob"));
        store.link_identity(ada, &id("google|ada"), &Actor::Cli).unwrap();
        let other = Store::open(&door.settings, clock.clone()).unwrap();
        Self { door, clock, signer, stores: [store, other], ada, bob }
    }

    /// A token of each subject, without payload and with several, issued now.
    fn tokens(&self) -> Vec<String> {
        self.clock.advance(Duration::from_secs(1));
        let now = self.clock.now().as_second();
        let token = |sub: &str, user: Value| {
            let claims = json!({"iss": TENANT, "sub": sub, "aud": AUDIENCE, "azp": "spa", "iat": now, "exp": now + 3600,
                format!("{NAMESPACE}user"): user});
            self.signer.token(&claims)
        };
        let of = |sub: &str| {
            let row = self.stores[0].user_by_auth0_id(&id(sub)).unwrap();
            let payload = row.map_or(json!({"id": self.ada, "auth0Id": sub}), |row| {
                json!({"id": row.id, "auth0Id": sub, "name": row.person.name, "email": row.email, "roles": row.roles})
            });
            let mut without_roles = payload.clone();
            without_roles.as_object_mut().unwrap().remove("roles");
            let mut wrong = payload.clone();
            wrong["name"] = json!("someone else");
            [Value::Null, payload, without_roles, wrong].map(|user| token(sub, user))
        };
        SUBJECTS.iter().flat_map(|sub| of(sub)).collect()
    }

    /// A bare connection, like the sqlite3 shell.
    fn shell(&self) -> Connection {
        let shell = Connection::open(&self.door.settings.path).unwrap();
        shell.pragma_update(None, "synchronous", "off").unwrap();
        shell
    }

    async fn ask(&self, door: &DoorRules, token: &str) -> Result<Caller, Refusal> {
        self.door.gate.authenticate(door, parse(token).map(Presented::Token)).await
    }

    /// One of the changes. It may fail, as when the user is erased. Returns whether it was another process's.
    fn change(&self, random: &mut Random, step: usize) -> bool {
        let at = random.below(2);
        let (store, user) = (&self.stores[at], random.pick(&[self.ada, self.bob]));
        let by_hand = |sql: &str| {
            drop(self.shell().execute(sql, [user.as_bytes().as_slice()]));
            true
        };
        let status = |status| drop(store.set_status(user, status, &Actor::Cli));
        match random.below(14) {
            0 | 1 => {
                let update = UserUpdate { name: Some(Some(format!("n{step}"))), ..UserUpdate::default() };
                drop(store.update(user, &update, &Actor::Cli));
            }
            2 => status(Status::Blocked),
            3 | 4 => status(Status::Active),
            5 => {
                let roles = random.pick(&[vec![], vec!["admin".to_owned()], vec!["support".to_owned()]]);
                drop(store.set_roles(user, &roles, &Actor::Cli));
            }
            6 => drop(store.sign_out_everywhere(user, &Actor::Cli)),
            7 => drop(store.link_identity(user, &id("github|x"), &Actor::Cli)),
            8 => drop(store.unlink_identity(user, &id("github|x"), &Actor::Cli)),
            9 => {
                return by_hand(
                    "UPDATE users SET phone = coalesce(phone, '') || '1', updated_at = 7 WHERE id = ?1",
                );
            }
            10 => return by_hand("UPDATE users SET status = 'blocked' WHERE id = ?1"),
            11 => {
                return by_hand(
                    "UPDATE identities SET user_id = ?1 WHERE auth0_id IN ('google|ada', 'github|x')",
                );
            }
            12 if random.below(6) == 0 => drop(store.merge(self.ada, self.bob, &Actor::Cli)),
            13 if random.below(6) == 0 => status(Status::Erased),
            _ => return by_hand("UPDATE users SET roles = '[\"admin\"]' WHERE id = ?1"),
        }
        at == 1
    }
}

fn new_door() -> DoorRules {
    door_rules(&claims_settings(TokenProfile::Auth0))
}

fn id(text: &str) -> Auth0Id {
    text.parse().unwrap()
}

/// The answer, and its kind.
fn shown(answer: Result<Caller, Refusal>) -> (&'static str, String) {
    let caller = match answer {
        Ok(caller) => caller,
        // Auth0 is asked for their profile, and does not answer.
        Err(Refusal::Busy | Refusal::ProfileUnavailable { .. }) => return ("no row", String::new()),
        Err(refusal) => return (refusal.code(), String::new()),
    };
    let user = caller.user().unwrap();
    let User { id, auth0_id, email, person, roles, updated_at, .. } = &**user.row();
    let kind = if matches!(user, CurrentUser::Payload(_)) { "payload" } else { "row" };
    (kind, json!([id, auth0_id, email, person, roles, updated_at]).to_string())
}

#[tokio::test]
async fn a_token_seen_before_is_answered_as_a_new_one_whatever_changes() {
    let mut kinds = BTreeMap::<&str, u32>::new();
    for seed in 0..8 {
        let (world, mut random) = (World::new(), Random(seed));
        let mut tokens = world.tokens();
        for step in 0..40 {
            if step % 8 == 7 {
                tokens = world.tokens();
            }
            for token in &tokens {
                drop(world.ask(&world.door.rules, token).await);
            }
            if world.change(&mut random, step) {
                world.clock.advance(KNOWN_FOR);
            }
            let new = new_door();
            for token in &tokens {
                let seen = shown(world.ask(&world.door.rules, token).await);
                assert_eq!(seen, shown(world.ask(&new, token).await), "seed {seed}, step {step}");
                *kinds.entry(seen.0).or_default() += 1;
            }
        }
    }
    for kind in ["row", "payload", "BLOCKED", "ERASED", "TOKEN_REVOKED", "BAD_CLAIMS"] {
        assert!(kinds.get(kind).is_some_and(|count| *count > 20), "{kind}: {kinds:?}");
    }
}

#[tokio::test]
async fn requests_that_bring_a_new_token_at_once_share_what_is_found() {
    let world = World::new();
    let (token, store) = (world.tokens().swap_remove(0), &world.stores[0]);
    let before = store.queries();
    let ask = || world.ask(&world.door.rules, &token);
    let (first, second) = tokio::join!(ask(), ask());
    assert_eq!((shown(first).0, shown(second).0, store.queries() - before), ("row", "row", 1));
}

#[tokio::test]
async fn rows_are_kept_without_a_query_until_they_change() {
    let world = World::new();
    let (token, store) = (world.tokens().swap_remove(0), &world.stores[0]);
    let queries = async || {
        let before = store.queries();
        let answer = shown(world.ask(&world.door.rules, &token).await);
        (answer.0, store.queries() - before)
    };
    assert_eq!((queries().await, queries().await), (("row", 1), ("row", 0)));
    let row = world.ask(&world.door.rules, &token).await.unwrap();
    let Some(CurrentUser::Row(row)) = row.user() else { panic!("{row:?}") };
    assert_eq!(row.profile, None, "its size is not bounded by that of the token");
    let other = &world.stores[1];
    other.set_status(world.ada, Status::Blocked, &Actor::Cli).unwrap();
    world.clock.advance(KNOWN_FOR - Duration::from_millis(1));
    assert_eq!(queries().await, ("row", 0), "another process's change is not known yet");
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(queries().await.0, "BLOCKED");
    // What this process changes is known at once.
    store.set_status(world.ada, Status::Active, &Actor::Cli).unwrap();
    let token = world.tokens().swap_remove(0);
    assert_eq!(shown(world.ask(&world.door.rules, &token).await).0, "row");
    store.set_status(world.ada, Status::Blocked, &Actor::Cli).unwrap();
    assert_eq!(shown(world.ask(&world.door.rules, &token).await).0, "BLOCKED");
}

#[tokio::test]
async fn a_row_that_changes_while_it_is_read_is_read_again() {
    let world = World::new();
    let (token, shell) = (world.tokens().swap_remove(0), world.shell());
    // Reading them takes longer than a change.
    let roles = json!((0..3000).map(|i| i.to_string()).collect::<Vec<_>>()).to_string();
    let write = |name: &str| {
        shell.execute("UPDATE users SET name = ?1", [name]).unwrap();
        world.stores[0].poll_changes();
    };
    shell.execute("UPDATE users SET roles = ?1", [roles]).unwrap();
    assert!(world.ask(&world.door.rules, &token).await.is_ok());
    for i in 0..40 {
        let is_done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let going = (0..20_000).take_while(|_| !is_done.load(Ordering::SeqCst));
                    // The token was seen before, so nothing is waited for.
                    going.for_each(|_| drop(world.ask(&world.door.rules, &token).now_or_never()));
                });
            }
            (0..8).for_each(|part| write(&format!("n{i}.{part}")));
            is_done.store(true, Ordering::SeqCst);
        });
        let seen = shown(world.ask(&world.door.rules, &token).await);
        assert!(seen.1.contains(&format!("\"n{i}.7\"")), "{i}: {}", seen.0);
    }
}
