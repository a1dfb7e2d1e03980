//! Random tokens: usually good for a door, often with one thing wrong.

use serde_json::{Map, Value, json};
use vestibule::user::UserId;

use super::World;
use crate::test_server::{INTERNAL, NAMESPACE, PUBLIC};
use crate::tokens;

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

pub(super) const ROLES: [&[&str]; 5] = [&[], &["support"], &["admin"], &["support", "tester"], &["tester"]];

impl World {
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
    pub(super) fn token(&mut self, door: usize) -> String {
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
}
