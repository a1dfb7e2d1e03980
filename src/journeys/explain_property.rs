//! `explain` never contradicts a door: random tokens, rows and settings have the same verdict and code at both.
//!
//! One difference remains, which no other process can know: a token with an `iat` ahead of time counts as issued when the
//! door first saw it, so a later sign-out revokes it there.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};
use vestibule::auth::DoorRules;
use vestibule::clock::Clock;
use vestibule::store::{Actor, NewUser, UserUpdate};
use vestibule::user::{Person, Status, UserId};

use crate::auth0_stub::{Auth0Stub, ProfileReply};
use crate::test_server::{INTERNAL, NAMESPACE, PUBLIC, TestServer, manual_clock};
use crate::tokens;

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

/// Every kind of subject: users of every state, and what is no user.
/// The first six are the common ones.
const SUBJECTS: [&str; 26] = [
    "auth0|ada",
    "auth0|ada",
    "google-oauth2|ada",
    "auth0|staff",
    "auth0|kept",
    "m1@clients",
    "github|ada",
    "auth0|bob",
    "auth0|eve",
    "auth0|sue",
    "auth0|staff",
    "auth0|gone",
    "auth0|new",
    "auth0|waits",
    "auth0|takes",
    "auth0|unverified",
    "auth0|blocked-there",
    "auth0|html",
    "auth0|missing",
    "m1",
    "m1",
    "m2@clients",
    "agt_1",
    "anon@1",
    "nobody",
    "",
];

const ROLES: [&[&str]; 5] = [&[], &["support"], &["admin"], &["support", "tester"], &["tester"]];

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

    fn payload(&mut self, sub: &str) -> Value {
        let row = sub.parse().ok().and_then(|id| self.server.store().user_by_auth0_id(&id).unwrap());
        let id = row.as_ref().map_or_else(|| UserId::new(jiff::Timestamp::UNIX_EPOCH), |row| row.id);
        let mut payload = json!({"id": id, "auth0Id": sub});
        if let Some(row) = row {
            payload["email"] = json!(row.email);
            payload["name"] = json!(row.person.name);
            payload["roles"] = json!(row.roles);
        }
        match self.random.below(12) {
            0 => payload["auth0Id"] = json!("auth0|ada"),
            1 => payload["id"] = json!(self.server.user("auth0|staff").id),
            2 => payload["roles"] = json!(self.random.pick(&ROLES)),
            3 => payload["roles"] = json!("admin"),
            4 => payload["email"] = json!("old@example.com"),
            5 => return self.random.pick(&[json!(null), json!("auth0|ada"), json!({}), json!([])]),
            _ => {}
        }
        payload
    }

    /// A token, usually for `door`.
    fn token(&mut self, door: usize) -> String {
        if self.random.one_in(6) && !self.seen.is_empty() {
            let at = self.random.below(self.seen.len());
            return self.seen[at].clone();
        }
        let common = if self.random.one_in(2) { 6 } else { SUBJECTS.len() };
        let sub = SUBJECTS[self.random.below(common)];
        let issuer = if self.random.one_in(8) { &self.other } else { &self.server.auth0 };
        let aud = [PUBLIC, INTERNAL][if self.random.one_in(10) { 1 - door } else { door }];
        let mut claims = issuer.claims(sub, aud);
        claims["iat"] = json!(self.now() - self.random.pick(&[0, 1, 500]));
        claims["exp"] = json!(self.now() + self.random.pick(&[20, 3600, 7200]));
        match sub {
            "m1@clients" | "m2@clients" => claims["azp"] = json!("m1"),
            "m1" => {
                claims["azp"] = json!("m1");
                claims["sub_profile"] = json!(self.random.pick(&["service", "service", "user"]));
            }
            _ => {}
        }
        if self.server.config.claims.profile == vestibule::auth::TokenProfile::Rfc9068 {
            claims["client_id"] = claims["azp"].clone();
            claims["jti"] = json!("1");
        }
        if self.random.one_in(3) {
            let payload = self.payload(sub);
            claims[format!("{NAMESPACE}user")] = payload;
        }
        if self.random.one_in(3) {
            let roles = self.random.pick(&ROLES);
            claims[format!("{NAMESPACE}roles")] = json!(roles);
        }
        if self.random.one_in(4) {
            let name = self.random.pick(&["ada", "waits", "takes", "else"]);
            claims[format!("{NAMESPACE}email")] = json!(format!("{name}@example.com"));
            let verified = self.random.pick(&[json!(true), json!(true), json!(false), json!("true")]);
            claims[format!("{NAMESPACE}email_verified")] = verified;
        }
        if self.random.one_in(2) {
            let scope = self.random.pick(&["users:read", "users:read audit:read", "openid", ""]);
            claims["scope"] = json!(scope);
        }
        if self.random.one_in(6) {
            let permissions = self.random.pick(&[&["users:read", "audit:read"][..], &["users:read"], &[]]);
            claims["permissions"] = json!(permissions);
        }
        if self.random.one_in(10) {
            let (claim, value) = self.random.pick(&[
                ("act", json!({"sub": "agt_1"})),
                ("client_profile", json!("ai_agent")),
                ("client_profile", json!("browser")),
                ("gty", json!("client-credentials")),
                ("gty", json!("password")),
            ]);
            claims[claim] = value;
        }
        if self.random.one_in(3) {
            self.break_a_claim(claims.as_object_mut().unwrap());
        }
        self.sign(&claims)
    }

    fn break_a_claim(&mut self, claims: &mut Map<String, Value>) {
        let aud = |count: usize| json!([vec!["https://t.example/"; count], vec![PUBLIC, INTERNAL]].concat());
        let (issuer, now) = (&self.server.auth0.issuer, self.now());
        let (claim, value) = self.random.pick(&[
            ("iss", json!(issuer.trim_end_matches('/'))),
            ("iss", json!([issuer])),
            ("iss", json!("https://evil.example/")),
            ("aud", aud(0)),
            ("aud", aud(98)),
            ("aud", aud(99)),
            ("aud", json!("spa")),
            ("aud", json!([PUBLIC, 5])),
            ("exp", json!(now - 61)),
            ("exp", json!(now - 5)),
            ("exp", json!(now - 6)),
            ("exp", json!(now * 1000)),
            ("exp", json!("tomorrow")),
            ("exp", json!(now as f64 + 900.5)),
            ("iat", json!(now + 86_400)),
            ("iat", json!(null)),
            ("nbf", json!(now + 86_400)),
            ("nbf", json!(now - 10)),
            ("sub", json!(null)),
            ("sub", json!("auth0|a\u{202e}")),
            ("azp", json!(["m1"])),
            ("client_id", json!("another")),
            ("scope", json!(["users:read"])),
            ("permissions", json!("users:read")),
            ("act", json!("agt_1")),
            ("sub_profile", json!("ai_agent")),
            ("jti", json!(1)),
            ("cnf", json!({"jkt": "x"})),
            ("nonce", json!("n")),
            ("https://vestibule.example/roles", json!("admin")),
        ]);
        if self.random.one_in(4) {
            claims.remove(claim);
        } else {
            claims.insert(claim.to_owned(), value);
        }
    }

    fn sign(&mut self, claims: &Value) -> String {
        let typ = if self.server.config.claims.profile == vestibule::auth::TokenProfile::Rfc9068 {
            "at+jwt"
        } else {
            "JWT"
        };
        let mut header = json!({"alg": "RS256", "typ": typ, "kid": "stub"});
        if self.random.one_in(12) {
            let (name, value) = self.random.pick(&[
                ("alg", json!("none")),
                ("alg", json!("HS256")),
                ("alg", json!("PS256")),
                ("typ", json!("logout+jwt")),
                ("typ", json!("at+jwt")),
                ("typ", json!("JWT")),
                ("kid", json!("unknown")),
                ("kid", json!(7)),
                ("kid", json!("")),
                ("crit", json!(["exp"])),
                ("zip", json!("DEF")),
            ]);
            header[name] = value;
        }
        if self.random.one_in(12) {
            header.as_object_mut().unwrap().remove("kid");
        }
        let published = !self.random.one_in(20);
        let mut token = tokens::sign_with_header(&header, claims, published);
        if self.random.one_in(12) {
            let at = self.random.below(token.len());
            match self.random.below(6) {
                0 => drop(token.remove(at)),
                1 => token.truncate(at),
                2 => token.insert(at, self.random.pick(&['.', '=', 'A', ' ', '+', '{'])),
                3 => token = format!("{token}{token}"),
                4 => token.push_str(&"A".repeat(16 * 1024)),
                _ => {
                    token = self
                        .random
                        .pick(&["undefined", "a.b.c", "..", "Bearer", "[object Object]"])
                        .to_owned()
                }
            }
        }
        token
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
