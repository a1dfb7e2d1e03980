//! For the tests of this room: keys of every algorithm, tokens signed with them, and a door that trusts them.
//!
//! Nothing here is a sample from elsewhere: keys are made when a test asks, and the tenants are not there to be called.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
    RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;
use tempfile::TempDir;

use super::settings::{ClaimsSettings, TokenProfile};
use super::{Bearer, Claims, Keys, Policy, Refusal, claims, parse};
use crate::auth0::{self, Auth0, Issuer};
use crate::clock::Clock;
use crate::pool::{self, Pool};
use crate::store::{self, Store};

/// Two trusted tenants. Nobody listens there: a fetch of their keys is refused at once.
pub(super) const TENANT: &str = "http://127.0.0.1:1/";
pub(super) const OTHER_TENANT: &str = "http://127.0.0.1:1/other/";
/// What the door's tokens are for.
pub(super) const AUDIENCE: &str = "https://public.example/";
/// What our own claims begin with.
pub(super) const NAMESPACE: &str = "https://ns.example/";

/// A key pair, the one algorithm it signs with, and its name.
pub(super) struct Signer {
    pub(super) algorithm: &'static str,
    pub(super) kid: String,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    /// A fresh key for `algorithm`, one of [`ClaimsSettings::ALGORITHMS`].
    pub(super) fn new(algorithm: &'static str, kid: &str) -> Self {
        let rsa = |encoding| Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap(), encoding);
        let pair = match algorithm {
            "RS256" => rsa(&RSA_PKCS1_SHA256),
            "RS384" => rsa(&RSA_PKCS1_SHA384),
            "RS512" => rsa(&RSA_PKCS1_SHA512),
            "PS256" => rsa(&RSA_PSS_SHA256),
            "PS384" => rsa(&RSA_PSS_SHA384),
            "PS512" => rsa(&RSA_PSS_SHA512),
            "ES256" => Pair::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()),
            "ES384" => Pair::Ec(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap()),
            "EdDSA" => Pair::Ed(Ed25519KeyPair::generate().unwrap()),
            other => panic!("no key for {other}"),
        };
        Self { algorithm, kid: kid.to_owned(), pair }
    }

    /// The public half, as a tenant publishes it.
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair, _) => {
                let key = pair.public_key();
                json!({
                    "kty": "RSA",
                    "n": encode(key.modulus().big_endian_without_leading_zero()),
                    "e": encode(key.exponent().big_endian_without_leading_zero()),
                })
            }
            Pair::Ec(pair) => {
                // An uncompressed point: a byte that says so, x, y.
                let point = pair.public_key().as_ref();
                let (x, y) = point[1..].split_at(point.len() / 2);
                let curve = if self.algorithm == "ES256" { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)})
            }
            Pair::Ed(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key())}),
        };
        for (name, value) in [("alg", self.algorithm), ("use", "sig"), ("kid", &self.kid)] {
            jwk[name] = json!(value);
        }
        jwk
    }

    /// Public forms of an RSA key that somebody might take for a shared secret: DER, PEM, the JWK, the bare modulus.
    pub(super) fn as_if_secret(&self) -> Vec<Vec<u8>> {
        let Pair::Rsa(pair, _) = &self.pair else { return Vec::new() };
        let key = pair.public_key();
        let spki: PublicKeyX509Der<'_> = key.as_der().unwrap();
        let body = base64::engine::general_purpose::STANDARD.encode(spki.as_ref());
        let lines: Vec<_> =
            body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"));
        let modulus = key.modulus().big_endian_without_leading_zero().to_vec();
        vec![spki.as_ref().to_vec(), pem.into_bytes(), self.jwk().to_string().into_bytes(), modulus]
    }

    /// Signs exactly these bytes.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).unwrap();
                signature
            }
            Pair::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// The header that belongs on a token of this key.
    pub(super) fn header(&self) -> Value {
        json!({"alg": self.algorithm, "typ": "JWT", "kid": self.kid})
    }

    /// A token with `claims`.
    pub(super) fn token(&self, claims: &Value) -> String {
        self.token_of(&self.header().to_string(), &claims.to_string())
    }

    /// A token with these exact texts for its header and its payload.
    pub(super) fn token_of(&self, header: &str, payload: &str) -> String {
        self.token_of_parts(&encode(header), &encode(payload))
    }

    /// A token with these parts as they are, base64url or not.
    pub(super) fn token_of_parts(&self, header: &str, payload: &str) -> String {
        let message = format!("{header}.{payload}");
        let signature = encode(self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

/// Base64url as a token has it.
pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token whose HMAC was made with `secret`, whatever its header says.
pub(super) fn hmac_token(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    format!("{message}.{}", encode(hmac::sign(&key, message.as_bytes())))
}

/// Claims of a user's token that the door believes, good for an hour.
pub(super) fn good_claims(issuer: &str, now: i64) -> Value {
    json!({"iss": issuer, "sub": "auth0|1", "aud": AUDIENCE, "azp": "spa", "iat": now - 10, "exp": now + 3600})
}

/// A door that trusts tenants it can not reach, by the keys of their last run.
pub(super) struct Desk {
    pub(super) keys: Keys,
    pub(super) policy: Policy,
    pub(super) now: Timestamp,
    _dir: TempDir,
}

impl Desk {
    /// Trusts `signers`, each for its issuer. Call it inside a runtime: the keys are kept fresh by a task.
    pub(super) fn open(signers: &[(&str, &Signer)], profile: TokenProfile) -> Self {
        let mut sets: Vec<(&str, Vec<Value>)> = Vec::new();
        for (issuer, signer) in signers {
            match sets.iter_mut().find(|(known, _)| known == issuer) {
                Some((_, keys)) => keys.push(signer.jwk()),
                None => sets.push((issuer, vec![signer.jwk()])),
            }
        }
        Self::with_sets(&sets, profile)
    }

    /// Trusts issuers whose keys were never seen.
    pub(super) fn open_without_keys(issuers: &[&str], profile: TokenProfile) -> Self {
        let sets: Vec<_> = issuers.iter().map(|issuer| (*issuer, Vec::new())).collect();
        Self::with_sets(&sets, profile)
    }

    fn with_sets(sets: &[(&str, Vec<Value>)], profile: TokenProfile) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let path = dir.path().join("desk.db");
        let busy_timeout = Duration::from_secs(5);
        let settings = store::Settings { path, readers: 1, busy_timeout, block_at_auth0: false, seed: None };
        let store = Store::open(&settings, clock.clone()).unwrap();
        for (issuer, keys) in sets.iter().filter(|(_, keys)| !keys.is_empty()) {
            store.save_keys(issuer, &json!({ "keys": keys }).to_string(), clock.now()).unwrap();
        }
        let issuers = sets
            .iter()
            .map(|(issuer, _)| Issuer { issuer: (*issuer).to_owned(), jwks_uri: None, same_users: true })
            .collect();
        let claims = ClaimsSettings {
            namespace: NAMESPACE.into(),
            algorithms: ClaimsSettings::ALGORITHMS.iter().map(|(name, _)| (*name).to_owned()).collect(),
            leeway: Duration::from_secs(5),
            max_lifetime: Duration::from_secs(30 * 86_400),
            keys_max_age: Duration::from_secs(86_400),
            profile,
        };
        let settings = auth0::Settings {
            issuer: TENANT.to_owned(),
            jwks_uri: None,
            also: Vec::new(),
            client_id: None,
            client_secret: None,
            ca_file: None,
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            calls: 1,
            profile_max_age: Duration::ZERO,
        };
        let auth0 = Auth0::new(&settings, clock.clone()).unwrap();
        let pool = Pool::start(&pool::Settings { threads: 1, queue: 8 }).unwrap();
        let now = clock.now();
        let keys = Keys::start(issuers, claims.allowed(), claims.keys_max_age, (auth0, store, pool, clock));
        Self { keys, policy: Policy::new(&claims, AUDIENCE), now, _dir: dir }
    }

    /// Takes a token through the first two stages.
    pub(super) async fn judge(&self, token: &str) -> Result<Claims, Refusal> {
        let bearer: Bearer = parse(token)?;
        claims(&bearer, &self.policy, &self.keys, self.now).await
    }

    /// Seconds since 1970, as the door has them.
    pub(super) fn seconds(&self) -> i64 {
        self.now.as_second()
    }
}
