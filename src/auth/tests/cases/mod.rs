//! Numbered inputs that must be refused, and similar ones that must be accepted. These tests run the functions of the
//! stages without HTTP; `journeys` sends the same inputs over the wire.
//!
//! ```text
//!   V01–V03  no token, or a bad one at an anonymous door    V16  the other door's audience
//!   V04–V05  algorithms                                     V17  ID tokens
//!   V06–V08  forbidden header members                        V18  types
//!   V09      duplicate members                              V19  other forms than compact JWS
//!   V10–V12  times                                          V20  base64url
//!   V13–V14  audiences                                      V22  how a token is sent
//!   V15      issuers                                        V23–V25  machines, scopes, keys
//!   V21  vectors.rs            V26  refetch_limiter.rs   V33  listeners: journeys/clients.rs
//! ```

mod requests;
mod tokens;

use serde_json::Value;

use super::forge::Signer;
use super::{OTHER_TENANT, TENANT, TestDoor, good_claims};
use crate::auth::{Refusal, TokenProfile};

/// A number, a description, a token, and the code that refuses it; `None` if it is accepted.
type Case = (&'static str, String, String, Option<&'static str>);

/// Two tenants, each with a key, and a door that trusts both.
struct Fixture {
    key: Signer,
    other: Signer,
    door: TestDoor,
}

impl Fixture {
    fn new(profile: TokenProfile) -> Self {
        let (key, other) = (Signer::new("RS256", "one"), Signer::new("RS256", "two"));
        let door = TestDoor::open(&[(TENANT, &key), (OTHER_TENANT, &other)], profile);
        Self { key, other, door }
    }

    fn good(&self) -> Value {
        good_claims(TENANT, self.door.seconds())
    }

    /// A token of the first tenant with one claim set to `value`.
    fn with(&self, claim: &str, value: Value) -> String {
        let mut claims = self.good();
        claims[claim] = value;
        self.key.token(&claims)
    }

    fn without(&self, claim: &str) -> String {
        let mut claims = self.good();
        claims.as_object_mut().unwrap().remove(claim);
        self.key.token(&claims)
    }

    /// A token of the first tenant with one member of its header set to `value`.
    fn headed(&self, member: &str, value: Value) -> String {
        let mut header = self.key.header();
        header[member] = value;
        self.key.token_of(&header.to_string(), &self.good().to_string())
    }

    /// Verifies every token twice, because the second time may be answered from the cache.
    async fn check(&self, cases: &[Case]) {
        for (id, what, token, code) in cases.iter().chain(cases) {
            let refusal = self.door.verify(token).await.err();
            assert_eq!(refusal.as_ref().map(Refusal::code), *code, "{id}: {what}");
            let Some(refusal) = refusal else { continue };
            assert_eq!(refusal.status(), 401, "{id}: {what}");
            let challenge = refusal.challenge("public").unwrap();
            assert!(
                challenge.starts_with("Bearer realm=\"public\", error=\"invalid_token\""),
                "{id}: {what}"
            );
            let leaks = token.split('.').any(|part| part.len() > 8 && challenge.contains(part));
            assert!(!leaks, "{id}: {what}: no part of the token is sent back");
        }
    }
}

fn case(id: &'static str, what: impl ToString, token: String, code: impl Into<Option<&'static str>>) -> Case {
    (id, what.to_string(), token, code.into())
}
