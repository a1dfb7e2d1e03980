//! Generates changed tokens ("mutants") without end, the same ones for the same seed.
//!
//! Most mutants keep the signature of the original token, as an attacker without a key must. Some are signed again with a
//! published key: those test the policy, and some of them are harmless.

mod edits;
mod outcomes;

use std::collections::HashMap;

use serde_json::{Value, json};

use super::forge::{Signer, encode};
use super::{AUDIENCE, NAMESPACE, OTHER_TENANT, TENANT, good_claims};
pub(super) use edits::Random;

/// How a mutant must be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    Refused,
    Accepted,
    /// Either: the policy decides.
    Either,
}

pub(super) struct Mutant {
    pub(super) kind: &'static str,
    pub(super) token: String,
    pub(super) expected: Expected,
}

/// A token that a published key signed.
pub(super) struct Minted {
    pub(super) issuer: &'static str,
    pub(super) algorithm: &'static str,
    pub(super) kid: String,
    pub(super) header: String,
    pub(super) payload: String,
}

pub(super) struct Mutants {
    random: Random,
    now: i64,
    /// Published keys, each with its issuer. Two issuers have a key of the same name.
    pub(super) signers: Vec<(&'static str, Signer)>,
    /// Unpublished keys with published `kid`s.
    strangers: Vec<Signer>,
    /// Valid tokens to change.
    seeds: Vec<String>,
    /// Everything that a published key signed, by token.
    pub(super) minted: HashMap<String, Minted>,
}

type Kind = (&'static str, fn(&mut Mutants) -> (String, Expected));

/// Kinds of mutants. Fewer kinds need a signature, because signing is slow.
const KINDS: [Kind; 16] = [
    ("a bit flipped", Mutants::bit_flipped),
    ("a character replaced", Mutants::character_replaced),
    ("a character inserted or removed", Mutants::length_changed),
    ("truncated or extended", Mutants::truncated_or_extended),
    ("parts of several tokens", Mutants::parts_mixed),
    ("parts missing, repeated or reordered", Mutants::parts_shuffled),
    ("invalid base64url", Mutants::base64_invalid),
    ("a header edited, not signed", Mutants::header_edited),
    ("claims edited, not signed", Mutants::claims_edited),
    ("a payload respelled, not signed", Mutants::respelled_unsigned),
    ("a header edited and signed", Mutants::header_signed),
    ("claims edited and signed", Mutants::claims_signed),
    ("a payload respelled and signed", Mutants::respelled),
    ("a payload made ambiguous and signed", Mutants::ambiguous),
    ("a harmless change, signed", Mutants::harmless),
    ("signed by a key of the wrong issuer or an unpublished one", Mutants::signed_by_another),
];

impl Mutants {
    pub(super) fn new(seed: u64, now: i64) -> Self {
        let signers = vec![
            (TENANT, Signer::new("ES256", "a")),
            (TENANT, Signer::new("EdDSA", "b")),
            (TENANT, Signer::new("RS256", "c")),
            (OTHER_TENANT, Signer::new("ES256", "a")),
            (OTHER_TENANT, Signer::new("ES384", "d")),
            (OTHER_TENANT, Signer::new("PS256", "e")),
        ];
        let strangers = vec![Signer::new("ES256", "a"), Signer::new("EdDSA", "b")];
        let (random, minted) = (Random(seed), HashMap::new());
        let mut mutants = Self { random, now, signers, strangers, seeds: Vec::new(), minted };
        for i in 0..48 {
            let signer = i % mutants.signers.len();
            let claims = mutants.claims_for(signer);
            let header = mutants.signers[signer].1.header().to_string();
            let token = mutants.mint(signer, &header, &claims.to_string());
            mutants.seeds.push(token);
        }
        mutants
    }

    pub(super) fn next(&mut self) -> Mutant {
        let (kind, make) = KINDS[self.random.below(KINDS.len())];
        let (token, expected) = make(self);
        // A change may result in another valid token.
        let expected = if expected == Expected::Refused && self.minted.contains_key(&token) {
            Expected::Either
        } else {
            expected
        };
        Mutant { kind, token, expected }
    }

    /// A published key; slow algorithms are chosen less often.
    fn signer(&mut self) -> usize {
        let fast = [0, 0, 0, 1, 1, 1, 3, 3];
        if self.random.below(12) == 0 {
            self.random.below(self.signers.len())
        } else {
            self.random.pick(&fast)
        }
    }

    /// Claims of a user or a machine, in one of the two token profiles.
    fn claims_for(&mut self, signer: usize) -> Value {
        let mut claims = good_claims(self.signers[signer].0, self.now);
        let more = [
            json!({"scope": "openid profile", "permissions": ["users:read"]}),
            json!({"sub": "m1@clients", "azp": "m1", "gty": "client-credentials", "scope": "users:read"}),
            json!({"client_id": "spa", "jti": "0123456789", "aud": [AUDIENCE, format!("{TENANT}userinfo")]}),
            json!({
                (format!("{NAMESPACE}roles")): ["support"],
                (format!("{NAMESPACE}user")): {"id": "7", "auth0Id": "auth0|1"},
                (format!("{NAMESPACE}email")): "ada@example.com",
            }),
        ];
        for (claim, value) in self.random.pick(&more).as_object().unwrap() {
            claims[claim] = value.clone();
        }
        claims["jti"] = json!(self.random.next().to_string());
        claims
    }

    /// Signs with a published key, and records the token.
    fn mint(&mut self, signer: usize, header: &str, payload: &str) -> String {
        let (issuer, by) = &self.signers[signer];
        let token = by.token_of(header, payload);
        let (algorithm, kid) = (by.algorithm, by.kid.clone());
        let minted =
            Minted { issuer, algorithm, kid, header: header.to_owned(), payload: payload.to_owned() };
        self.minted.insert(token.clone(), minted);
        token
    }

    fn seed(&mut self) -> String {
        let at = self.random.below(self.seeds.len());
        self.seeds[at].clone()
    }

    fn bit_flipped(&mut self) -> (String, Expected) {
        let token = self.seed();
        let at = self.random.below(token.len());
        let bit = 1 << self.random.below(8);
        let flip = |(i, byte): (usize, u8)| char::from(if i == at { byte ^ bit } else { byte });
        (token.bytes().enumerate().map(flip).collect(), Expected::Refused)
    }

    fn character_replaced(&mut self) -> (String, Expected) {
        let mut token: Vec<char> = self.seed().chars().collect();
        let at = self.random.below(token.len());
        token[at] = self.random.character();
        (token.into_iter().collect(), Expected::Refused)
    }

    fn length_changed(&mut self) -> (String, Expected) {
        let mut token = self.seed();
        let at = self.random.below(token.len());
        if self.random.below(2) == 0 {
            token.remove(at);
        } else {
            token.insert(at, self.random.character());
        }
        (token, Expected::Refused)
    }

    fn truncated_or_extended(&mut self) -> (String, Expected) {
        let mut token = self.seed();
        match self.random.below(4) {
            0 => token.truncate(self.random.below(token.len())),
            1 => token = token.split_off(1 + self.random.below(token.len() - 1)),
            2 => token.extend(std::iter::repeat_n('A', 1 + self.random.below(20_000))),
            _ => token.push_str(&self.seed()),
        }
        (token, Expected::Refused)
    }

    fn parts_mixed(&mut self) -> (String, Expected) {
        let tokens = [self.seed(), self.seed(), self.seed()];
        let part = |i: usize| tokens[i].split('.').nth(i).unwrap();
        (format!("{}.{}.{}", part(0), part(1), part(2)), Expected::Refused)
    }

    fn parts_shuffled(&mut self) -> (String, Expected) {
        let token = self.seed();
        let parts: Vec<&str> = token.split('.').collect();
        let count = 1 + self.random.below(6);
        let parts: Vec<&str> = (0..count).map(|_| self.random.pick(&parts)).collect();
        (parts.join("."), Expected::Refused)
    }

    fn base64_invalid(&mut self) -> (String, Expected) {
        let token = self.seed();
        let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
        let part = &mut parts[self.random.below(3)];
        match self.random.below(5) {
            0 => part.push('='),
            1 => part.push_str("=="),
            2 => *part = part.replace('-', "+").replace('_', "/") + "+",
            3 => part.insert(self.random.below(part.len()), self.random.pick(&[' ', '\n', '\t', '\u{0}'])),
            // Stray bits in the last character.
            _ => {
                let last = part.pop().unwrap();
                part.push(if last == 'A' { 'B' } else { 'A' });
            }
        }
        (parts.join("."), Expected::Refused)
    }

    fn header_edited(&mut self) -> (String, Expected) {
        let token = self.seed();
        let mut header = self.minted[&token].header.parse().unwrap();
        self.edit_header(&mut header);
        let (_, rest) = token.split_once('.').unwrap();
        (format!("{}.{rest}", encode(header.to_string())), Expected::Refused)
    }

    fn claims_edited(&mut self) -> (String, Expected) {
        let token = self.seed();
        let mut claims = self.minted[&token].payload.parse().unwrap();
        self.edit_claims(&mut claims);
        (with_payload(&token, &claims.to_string()), Expected::Refused)
    }

    fn respelled_unsigned(&mut self) -> (String, Expected) {
        let token = self.seed();
        let payload = self.minted[&token].payload.clone();
        let respelled = self.respell(&payload);
        (with_payload(&token, &respelled), Expected::Refused)
    }

    fn header_signed(&mut self) -> (String, Expected) {
        let signer = self.signer();
        let mut header = self.signers[signer].1.header();
        self.edit_header(&mut header);
        let claims = self.claims_for(signer).to_string();
        (self.mint(signer, &header.to_string(), &claims), Expected::Either)
    }

    fn claims_signed(&mut self) -> (String, Expected) {
        let signer = self.signer();
        let mut claims = self.claims_for(signer);
        for _ in 0..=self.random.below(2) {
            self.edit_claims(&mut claims);
        }
        let header = self.signers[signer].1.header().to_string();
        (self.mint(signer, &header, &claims.to_string()), Expected::Either)
    }

    fn respelled(&mut self) -> (String, Expected) {
        let signer = self.signer();
        let claims = self.claims_for(signer).to_string();
        let payload = self.respell(&claims);
        let header = self.signers[signer].1.header().to_string();
        (self.mint(signer, &header, &payload), Expected::Either)
    }

    /// JSON that two parsers could read differently. Must be refused whatever key signed it.
    fn ambiguous(&mut self) -> (String, Expected) {
        let signer = self.signer();
        let claims = self.claims_for(signer).to_string();
        let inner = &claims[1..claims.len() - 1];
        let twice = self.random.pick(&["sub", "exp", "aud", "iss", "s\\u0075b", "\\u0065xp", "jti"]);
        let value = self.value().to_string();
        let payload = match self.random.below(8) {
            0 => format!("{{\"{twice}\":{value},{inner}}}"),
            1 => format!("{{{inner},\"{twice}\":{value}}}"),
            2 => format!("{{{inner},\"x\":{{\"a\":[{{\"b\":1,\"b\":1}}]}}}}"),
            3 => format!("\u{feff}{claims}"),
            4 => format!("{claims}{claims}"),
            5 => format!("{claims}\u{0}"),
            6 => format!("{{{inner},\"x\":{}1{}}}", "[".repeat(40), "]".repeat(40)),
            _ => format!("{{{inner},}}"),
        };
        let header = self.signers[signer].1.header().to_string();
        (self.mint(signer, &header, &payload), Expected::Refused)
    }

    fn harmless(&mut self) -> (String, Expected) {
        let signer = self.signer();
        let mut claims = self.claims_for(signer);
        let mut header = self.signers[signer].1.header();
        match self.random.below(6) {
            0 => claims["https://elsewhere.example/x"] = self.value(),
            1 => claims["exp"] = json!(self.now as f64 + 1800.5),
            2 => claims["aud"] = json!(["https://elsewhere.example/", AUDIENCE]),
            3 => claims["nbf"] = json!(self.now - 1000),
            4 => header["typ"] = self.random.pick(&[json!("at+jwt"), json!("AT+JWT"), json!("jwt")]),
            _ => drop(header.as_object_mut().unwrap().remove("typ")),
        }
        (self.mint(signer, &header.to_string(), &claims.to_string()), Expected::Accepted)
    }

    fn signed_by_another(&mut self) -> (String, Expected) {
        if self.random.below(2) == 0 {
            let at = self.random.below(self.strangers.len());
            let claims = self.claims_for(0).to_string();
            return (
                self.strangers[at].token_of(&self.strangers[at].header().to_string(), &claims),
                Expected::Refused,
            );
        }
        // A published key of one tenant, for a token with the other as its issuer.
        let signer = self.signer();
        let mut claims = self.claims_for(signer);
        claims["iss"] = json!(if self.signers[signer].0 == TENANT { OTHER_TENANT } else { TENANT });
        let header = self.signers[signer].1.header().to_string();
        (self.mint(signer, &header, &claims.to_string()), Expected::Refused)
    }
}

fn with_payload(token: &str, payload: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    format!("{}.{}.{}", parts[0], encode(payload), parts[2])
}
