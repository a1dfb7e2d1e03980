//! Inputs that must be refused, and their good neighbours, by number. Each is judged by the functions the doors run,
//! without HTTP; `journeys` sends them over the wire.
//!
//! ```text
//!   V01–V03  no token, or a bad one where none is needed    V16  the other door's audience
//!   V04–V05  algorithms                                     V17  ID tokens
//!   V06–V08  what a header may not say                      V18  types
//!   V09      members that stand twice                       V19  what is no JWS in compact form
//!   V10–V12  times                                          V20  base64url
//!   V13–V14  audiences                                      V22  how a token is sent
//!   V15      issuers                                        V23–V25  machines, scopes, keys
//!   V21  vectors_tests.rs      V26  unknown_keys.rs      V33  listeners: journeys/clients.rs
//! ```

mod requests;
mod tokens;

use serde_json::Value;

use super::Refusal;
use super::forge::{Desk, OTHER_TENANT, Signer, TENANT, good_claims};
use super::settings::TokenProfile;

/// A number, what is tried, the token, and the code it is refused with; none if it is believed.
type Row = (&'static str, String, String, Option<&'static str>);

/// Two tenants, each with a key, and a door that trusts both.
struct Table {
    key: Signer,
    other: Signer,
    desk: Desk,
}

impl Table {
    fn lay(profile: TokenProfile) -> Self {
        let (key, other) = (Signer::new("RS256", "one"), Signer::new("RS256", "two"));
        let desk = Desk::open(&[(TENANT, &key), (OTHER_TENANT, &other)], profile);
        Self { key, other, desk }
    }

    fn good(&self) -> Value {
        good_claims(TENANT, self.desk.seconds())
    }

    /// A token of the first tenant with one claim set to something.
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

    /// A token of the first tenant with one member of its header set to something.
    fn headed(&self, member: &str, value: Value) -> String {
        let mut header = self.key.header();
        header[member] = value;
        self.key.token_of(&header.to_string(), &self.good().to_string())
    }

    /// Judges every row twice: what was decided once is decided again, whatever is remembered.
    async fn holds(&self, rows: &[Row]) {
        for (id, what, token, code) in rows.iter().chain(rows) {
            let refusal = self.desk.judge(token).await.err();
            assert_eq!(refusal.as_ref().map(Refusal::code), *code, "{id}: {what}");
            let Some(refusal) = refusal else { continue };
            assert_eq!(refusal.status(), 401, "{id}: {what}");
            let said = refusal.challenge("public").unwrap();
            assert!(said.starts_with("Bearer realm=\"public\", error=\"invalid_token\""), "{id}: {what}");
            let leaks = token.split('.').any(|part| part.len() > 8 && said.contains(part));
            assert!(!leaks, "{id}: {what}: nothing of the token comes back");
        }
    }
}

fn row(id: &'static str, what: impl ToString, token: String, code: impl Into<Option<&'static str>>) -> Row {
    (id, what.to_string(), token, code.into())
}
