//! Access tokens signed with two keys of our own: the one [`Auth0Stub`](crate::auth0_stub::Auth0Stub) publishes, and another.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The published key. Generating one is slow, so all tests share it.
static KEY: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
static OTHER_KEY: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());

/// The time in seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "tokens are issued by the tenant's clock, not by ours")]
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// A token with `claims`, signed with the published key.
pub(crate) fn sign(claims: &Value) -> String {
    sign_with_header(&json!({"alg": "RS256", "typ": "JWT", "kid": "stub"}), claims, true)
}

/// A token with any header, signed with the published key or with the other one.
pub(crate) fn sign_with_header(header: &Value, claims: &Value, published: bool) -> String {
    sign_text(&header.to_string(), &claims.to_string(), published)
}

/// A token with exactly these texts as header and payload.
pub(crate) fn sign_text(header: &str, payload: &str, published: bool) -> String {
    let message = signing_input(header, payload);
    let key = if published { &*KEY } else { &*OTHER_KEY };
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The part of a token that is signed (JWS signing input).
pub(crate) fn signing_input(header: &str, payload: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
}

/// A key set (JWKS) with the published key.
pub(crate) fn key_set() -> Value {
    json!({"keys": [jwk("stub", true)]})
}

/// One of the two keys as a JWK: the published one, or the other.
pub(crate) fn jwk(kid: &str, published: bool) -> Value {
    let key = if published { &*KEY } else { &*OTHER_KEY };
    let n = URL_SAFE_NO_PAD.encode(key.public_key().modulus().big_endian_without_leading_zero());
    json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": n, "e": "AQAB"})
}

/// The payload of a token, unverified.
pub(crate) fn payload(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
