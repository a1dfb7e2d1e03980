//! `explain` never contradicts a door: random tokens, rows and settings have the same verdict and code at both.
//!
//! One difference remains, which no other process can know: a token with an `iat` ahead of time counts as issued when the
//! door first saw it, so a later sign-out revokes it there.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule::auth::DoorRules;
use vestibule::clock::Clock;
use vestibule::store::{Actor, NewUser, UserUpdate};
use vestibule::user::{Person, Status};

mod random_tokens;

use self::random_tokens::ROLES;
use crate::auth0_stub::{Auth0Stub, ProfileReply};
use crate::test_server::{TestServer, manual_clock};

const SERVERS: u64 = 20;
const TOKENS: usize = 260;

/// SplitMix64: the same cases in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 1).unwrap() % end
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
}

struct World {
    server: TestServer,
    other: Auth0Stub,
    rules: [DoorRules; 2],
    random: Random,
    clock: Clock,
    /// Tokens that both have seen.
    seen: Vec<String>,
}

impl World {
    fn open(seed: u64) -> Self {
        let mut random = Random(seed);
        let other = Auth0Stub::start();
        let same_users = random.one_in(2);
        let mut set = vec![format!("auth0.also=[{{issuer=\"{}\",same_users={same_users}}}]", other.issuer)];
        for (key, values) in [
            ("claims.profile", &["auth0", "auth0", "rfc9068"][..]),
            ("claims.agents", &["refuse", "as_user"]),
            ("claims.roles_from", &["database", "token"]),
            ("claims.algorithms", &["[\"RS256\"]", "[\"PS256\",\"RS256\"]"]),
            ("claims.leeway", &["0s", "5s", "60s"]),
            ("link.email", &["verified", "never"]),
            ("link.privileged", &["false", "true"]),
            ("link.connections", &["[]", "[]", "[\"google-oauth2\"]"]),
            ("internal.need", &["[\"users:read\"]", "[\"users:read\",\"audit:read\"]", "[]"]),
            ("public.anonymous", &["false", "true"]),
            ("auth0.profile_max_age", &["0s", "1day"]),
        ] {
            set.push(format!("{key}={}", random.pick(values)));
        }
        let set: Vec<&str> = set.iter().map(String::as_str).collect();
        let clock = manual_clock();
        let server = TestServer::open_with_clock(clock.clone(), &set);
        let config = &server.config;
        let rules = [config.public.rules(&config.claims), config.internal.rules(&config.claims)];
        let world = Self { server, other, rules, random, clock, seen: Vec::new() };
        world.fill();
        world
    }

    fn fill(&self) {
        let (server, store) = (&self.server, self.server.store());
        let [ada, bob, eve, sue, kept, gone] =
            ["ada", "bob", "eve", "sue", "kept", "gone"].map(|name| server.insert_person(name).id);
        server.seed(json!({"auth0Id": "auth0|staff", "email": "staff@example.com", "emailVerified": true, "roles": ["admin"]}));
        for sub in ["google-oauth2|ada", "github|ada"] {
            store.link_identity(ada, &sub.parse().unwrap(), &Actor::Cli).unwrap();
        }
        store.unlink_identity(ada, &"github|ada".parse().unwrap(), &Actor::Cli).unwrap();
        store.set_status(bob, Status::Blocked, &Actor::Cli).unwrap();
        store.set_status(eve, Status::Erased, &Actor::Cli).unwrap();
        store.sign_out_everywhere(sue, &Actor::Cli).unwrap();
        store.merge(kept, gone, &Actor::Cli).unwrap();
        for (email, roles) in [("waits@example.com", &[][..]), ("takes@example.com", &["admin".to_owned()])] {
            let new = NewUser {
                auth0_id: None,
                email: Some(email.parse().unwrap()),
                email_verified: false,
                person: Person::default(),
                roles: roles.to_vec(),
            };
            store.create(&new, &Actor::Cli).unwrap();
        }
        for name in ["new", "waits", "takes"] {
            server.auth0.add_user(&format!("auth0|{name}"), &format!("{name}@example.com"), true);
        }
        server.auth0.add_user("auth0|unverified", "ada@example.com", false);
        server.auth0.add_user("github|ada", "ada@example.com", true);
        let blocked = json!({"user_id": "auth0|blocked-there", "blocked": true});
        server.auth0.set_profile("auth0|blocked-there", ProfileReply::Json(blocked));
        server.auth0.set_profile("auth0|html", ProfileReply::Html);
    }

    fn now(&self) -> i64 {
        self.clock.now().as_second()
    }

    /// Changes a row, as staff or the user do between two requests.
    fn change_a_row(&mut self) {
        let sub = self.random.pick(&["auth0|ada", "auth0|staff", "auth0|bob", "auth0|sue", "auth0|kept"]);
        let store = self.server.store();
        let user = self.server.user(sub);
        // Most later tokens are issued after the change.
        self.clock.advance(Duration::from_secs(2));
        let outcome = match self.random.below(9) {
            0 => store.set_status(user.id, Status::Blocked, &Actor::Cli),
            1..4 => store.set_status(user.id, Status::Active, &Actor::Cli),
            4 => {
                let roles: Vec<_> = self.random.pick(&ROLES).iter().map(|role| (*role).to_owned()).collect();
                store.set_roles(user.id, &roles, &Actor::Cli)
            }
            5 => store.sign_out_everywhere(user.id, &Actor::Cli),
            _ => {
                let name = Some(Some(format!("name {}", self.random.below(9))));
                store.update(user.id, &UserUpdate { name, ..UserUpdate::default() }, &Actor::Cli)
            }
        };
        outcome.unwrap();
        self.clock.advance(Duration::from_secs(2));
    }

    /// What the door answers: `None` when it accepts the token.
    fn at_the_door(&self, door: usize, token: &str) -> Option<String> {
        let url = [self.server.public(), self.server.internal()][door].clone();
        let answer = self.server.http.graphql(&url, Some(token), "{ __typename }", Value::Null).unwrap();
        (answer.status != 200).then(|| answer.code().unwrap_or(answer.body))
    }

    /// Shows one token to both.
    fn compare(&mut self) -> Option<String> {
        if self.random.one_in(6) {
            self.change_a_row();
        }
        let door = self.random.below(2);
        let token = self.token(door);
        let gate = &self.server.doors().services().gate;
        let explaining =
            gate.explain(["public", "internal"][door], &self.rules[door], &self.rules[1 - door], &token);
        let explanation = self.server.runtime.block_on(explaining);
        let answer = self.at_the_door(door, &token);
        let first = explanation.steps.iter().find_map(|step| step.code);
        let context =
            || format!("door {door}, {token}\n{}", serde_json::to_string_pretty(&explanation).unwrap());
        assert_eq!(explanation.code, answer.as_deref(), "{}", context());
        assert_eq!((explanation.admitted, first), (answer.is_none(), explanation.code), "{}", context());
        let refused_without_advice =
            explanation.steps.iter().find(|step| step.passed == Some(false) && step.fix.is_none());
        assert!(refused_without_advice.is_none(), "no advice: {}", context());
        if self.seen.len() < 60 {
            self.seen.push(token);
        }
        answer
    }
}

#[test]
fn explain_and_the_doors_agree_about_random_tokens_rows_and_settings() {
    let compare = |half: u64| {
        let seeds = (0..SERVERS).filter(move |seed| seed % 2 == half);
        let of_seed = |seed| {
            let mut world = World::open(seed);
            (0..TOKENS).map(|_| world.compare()).collect::<Vec<_>>()
        };
        seeds.flat_map(of_seed).collect::<Vec<_>>()
    };
    let codes: Vec<_> = std::thread::scope(|scope| {
        let halves = [0, 1].map(|half| scope.spawn(move || compare(half)));
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    assert!(codes.len() >= 5_000, "{}", codes.len());
    let count = |code: Option<&str>| codes.iter().filter(|found| found.as_deref() == code).count();
    // The cases reach every stage.
    let all: BTreeMap<_, usize> = codes.iter().fold(BTreeMap::new(), |mut all, code| {
        *all.entry(code.clone()).or_default() += 1;
        all
    });
    assert!(count(None) > codes.len() / 8, "{all:?}");
    for code in [
        "MALFORMED_TOKEN",
        "BAD_ALGORITHM",
        "WRONG_ISSUER",
        "UNKNOWN_KEY",
        "BAD_SIGNATURE",
        "WRONG_AUDIENCE",
        "EXPIRED",
        "NOT_YET_VALID",
        "BOUND_TOKEN",
        "BAD_CLAIMS",
        "NOT_PERMITTED",
        "AGENT_REFUSED",
        "TOKEN_REVOKED",
        "BLOCKED",
        "ERASED",
        "NO_SUCH_USER",
        "EMAIL_CONFLICT",
        "PROFILE_UNAVAILABLE",
    ] {
        assert!(count(Some(code)) >= 3, "{code}: {all:?}");
    }
}
