//! The published keys of one issuer (RFC 7517), reduced to those that may verify a token.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value, json};

use super::json::object;

/// The most keys a set may have. Auth0 publishes two or three.
const MAX_KEYS: usize = 16;
/// Members that only private and symmetric keys have (RFC 7518 §6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A public key and its one algorithm.
#[derive(Debug)]
pub struct Key {
    /// The only algorithm this key verifies, whatever a token's header says (RFC 8725 §3.1).
    pub algorithm: Algorithm,
    /// The key material.
    pub decoding: DecodingKey,
    /// A SHA-256 of its `kid` and key material.
    fingerprint: [u8; 32],
}

/// The usable keys of one issuer.
#[derive(Debug, Default)]
pub struct KeySet {
    by_kid: HashMap<String, Arc<Key>>,
    /// Keys without a `kid`.
    nameless: Vec<Arc<Key>>,
}

/// Why a whole key set is refused. The set before it stays in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what happened")]
pub enum KeySetError {
    #[error("the answer is not a JSON key set")]
    NotAKeySet,
    #[error("the key set has more than 16 keys")]
    TooMany,
    /// The tenant published a secret, so no signature of this set can be trusted.
    #[error("the key set contains private key material: rotate the keys of the tenant")]
    Private,
    #[error("the key set has no key for an algorithm in `claims.algorithms`")]
    NoneUsable,
}

impl KeySet {
    /// Reads a set and keeps the keys for `allowed` algorithms.
    ///
    /// Skips keys for encryption, of the wrong size or curve, or for other algorithms, and all keys with the same `kid`.
    ///
    /// # Errors
    /// See [`KeySetError`].
    pub fn parse(text: &str, allowed: &[(&'static str, Algorithm)]) -> Result<Self, KeySetError> {
        let document = object(text.as_bytes()).map_err(|_| KeySetError::NotAKeySet)?;
        let Some(Value::Array(members)) = document.get("keys") else { return Err(KeySetError::NotAKeySet) };
        if members.len() > MAX_KEYS {
            return Err(KeySetError::TooMany);
        }
        let members: Vec<_> = members.iter().filter_map(Value::as_object).collect();
        if members.iter().any(|jwk| PRIVATE.iter().any(|name| jwk.contains_key(*name))) {
            return Err(KeySetError::Private);
        }
        let mut set = Self::default();
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for kid in members.iter().filter_map(|jwk| jwk.get("kid")?.as_str()) {
            *seen.entry(kid).or_default() += 1;
        }
        for jwk in members {
            let Some(key) = usable_key(jwk, allowed).map(Arc::new) else { continue };
            match jwk.get("kid") {
                None => set.nameless.push(key),
                Some(Value::String(kid)) if seen.get(kid.as_str()) == Some(&1) => {
                    set.by_kid.insert(kid.clone(), key);
                }
                Some(_) => {}
            }
        }
        if set.count() == 0 { Err(KeySetError::NoneUsable) } else { Ok(set) }
    }

    /// The key named `kid`. Without a `kid`, the key of a set that has only one.
    pub fn find(&self, kid: Option<&str>) -> Option<&Arc<Key>> {
        match kid {
            Some(kid) => self.by_kid.get(kid),
            None if self.count() == 1 => self.nameless.first().or_else(|| self.by_kid.values().next()),
            None => None,
        }
    }

    /// Whether the set contains `key` itself, not another key with its `kid`.
    pub fn contains(&self, key: &Key) -> bool {
        let mut keys = self.by_kid.values().chain(&self.nameless);
        keys.any(|own| own.fingerprint == key.fingerprint && own.algorithm == key.algorithm)
    }

    /// The number of usable keys, at least 1.
    pub fn count(&self) -> usize {
        self.by_kid.len() + self.nameless.len()
    }
}

/// Reads one JWK; `None` if it may not verify signatures.
fn usable_key(jwk: &Map<String, Value>, allowed: &[(&'static str, Algorithm)]) -> Option<Key> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    if jwk.contains_key("use") && text("use") != Some("sig") {
        return None;
    }
    if let Some(operations) = jwk.get("key_ops") {
        operations.as_array()?.iter().find(|operation| operation.as_str() == Some("verify"))?;
    }
    let candidates: &[Algorithm] = match (text("kty")?, text("crv")) {
        ("RSA", _) => {
            use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
            &[RS256, RS384, RS512, PS256, PS384, PS512]
        }
        ("EC", Some("P-256")) => &[Algorithm::ES256],
        ("EC", Some("P-384")) => &[Algorithm::ES384],
        ("OKP", Some("Ed25519")) => &[Algorithm::EdDSA],
        _ => return None,
    };
    let algorithm = match jwk.get("alg") {
        Some(named) => allowed.iter().find(|(name, _)| Some(*name) == named.as_str())?.1,
        // A key without `alg` is for the first allowed algorithm of its type.
        None => allowed.iter().find(|(_, candidate)| candidates.contains(candidate))?.1,
    };
    if !candidates.contains(&algorithm) {
        return None;
    }
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
    let decoding = match text("kty")? {
        "RSA" => {
            let (n, e) = (bytes("n")?, bytes("e")?);
            if !is_valid_modulus(&n) || !is_valid_exponent(&e) {
                return None;
            }
            DecodingKey::from_rsa_raw_components(&n, &e)
        }
        "EC" => {
            let size = if algorithm == Algorithm::ES256 { 32 } else { 48 };
            // RFC 7518 §6.2.1.2: coordinates have the full length of the field.
            if bytes("x")?.len() != size || bytes("y")?.len() != size {
                return None;
            }
            DecodingKey::from_ec_components(text("x")?, text("y")?).ok()?
        }
        _ => {
            if bytes("x")?.len() != 32 {
                return None;
            }
            DecodingKey::from_ed_components(text("x")?).ok()?
        }
    };
    let parts = ["kid", "kty", "crv", "n", "e", "x", "y"].map(|name| jwk.get(name).unwrap_or(&Value::Null));
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest(&SHA256, json!(parts).to_string().as_bytes()).as_ref());
    Some(Key { algorithm, decoding, fingerprint })
}

/// 2048 to 8192 bits: shorter is breakable, longer costs a verifier milliseconds.
fn is_valid_modulus(n: &[u8]) -> bool {
    let bits = match n.iter().position(|byte| *byte != 0) {
        Some(0) => n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize),
        // RFC 7518 §6.3.1.1: no leading zero octets.
        _ => return false,
    };
    (2048..=8192).contains(&bits)
}

/// Odd, above 3 and at most 32 bits. An exponent of 1 would make every message its own signature.
fn is_valid_exponent(e: &[u8]) -> bool {
    let value = e.iter().try_fold(0_u32, |value, byte| value.checked_mul(256).map(|v| v | u32::from(*byte)));
    e.first() != Some(&0) && value.is_some_and(|value| value > 3 && value % 2 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RS256: &[(&str, Algorithm)] = &[("RS256", Algorithm::RS256)];

    fn rsa(bytes: usize) -> Value {
        let mut n = vec![0xff; bytes];
        n[0] = 0x80;
        json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "a", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode(n)})
    }

    fn with(mut jwk: Value, name: &str, value: Value) -> Value {
        jwk[name] = value;
        jwk
    }

    fn parse(keys: &[Value]) -> Result<KeySet, KeySetError> {
        KeySet::parse(&json!({ "keys": keys }).to_string(), RS256)
    }

    #[test]
    fn a_key_is_found_by_kid_and_without_one_in_a_set_of_one() {
        let set = parse(&[rsa(256)]).unwrap();
        assert!(set.find(Some("a")).is_some() && set.find(None).is_some() && set.find(Some("b")).is_none());
        let two = parse(&[rsa(256), with(rsa(256), "kid", json!("b"))]).unwrap();
        assert!(two.find(None).is_none());
    }

    #[test]
    fn a_later_set_contains_the_same_key_but_not_another_with_its_kid() {
        let key = |set: &KeySet, kid| Arc::clone(set.find(Some(kid)).unwrap());
        let a = key(&parse(&[rsa(256)]).unwrap(), "a");
        let later = parse(&[with(rsa(256), "kid", json!("b")), with(rsa(256), "x5t", json!("new"))]).unwrap();
        assert!(later.contains(&a) && later.contains(&key(&later, "b")));
        for without in [with(rsa(256), "kid", json!("b")), rsa(384), with(rsa(256), "e", json!("BQ"))] {
            assert!(!parse(std::slice::from_ref(&without)).unwrap().contains(&a), "{without}");
        }
    }

    #[test]
    fn unusable_keys_are_skipped() {
        for unusable in [
            rsa(255),
            rsa(128),
            rsa(1025),
            with(rsa(256), "use", json!("enc")),
            with(rsa(256), "use", json!(1)),
            with(rsa(256), "key_ops", json!(["sign"])),
            with(rsa(256), "key_ops", json!("verify")),
            with(rsa(256), "alg", json!("RS384")),
            with(rsa(256), "alg", json!("HS256")),
            with(rsa(256), "alg", json!("ES256")),
            with(rsa(256), "e", json!("AQ")),
            with(rsa(256), "e", json!("AQAA")),
            with(rsa(256), "kty", json!("oct")),
            with(rsa(256), "kid", json!(7)),
        ] {
            assert_eq!(
                parse(std::slice::from_ref(&unusable)).unwrap_err(),
                KeySetError::NoneUsable,
                "{unusable}"
            );
        }
    }

    #[test]
    fn two_keys_with_one_kid_are_both_skipped() {
        let set = parse(&[rsa(256), rsa(384), with(rsa(256), "kid", json!("b"))]).unwrap();
        assert!(set.find(Some("a")).is_none() && set.find(Some("b")).is_some() && set.count() == 1);
    }

    #[test]
    fn a_set_with_private_keys_or_malformed_is_refused() {
        let leaking = with(with(rsa(256), "kid", json!("b")), "d", json!("AQAB"));
        assert_eq!(parse(&[rsa(256), leaking]).unwrap_err(), KeySetError::Private);
        assert_eq!(parse(&vec![rsa(256); 17]).unwrap_err(), KeySetError::TooMany);
        for text in ["", "<html>", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
            assert_eq!(KeySet::parse(text, RS256).unwrap_err(), KeySetError::NotAKeySet, "{text}");
        }
        assert_eq!(parse(&[]).unwrap_err(), KeySetError::NoneUsable);
    }

    #[test]
    fn a_key_without_alg_is_for_one_algorithm() {
        let mut jwk = rsa(256);
        jwk.as_object_mut().unwrap().remove("alg");
        let text = json!({"keys": [jwk]}).to_string();
        let allowed = [("ES256", Algorithm::ES256), ("PS256", Algorithm::PS256), ("RS256", Algorithm::RS256)];
        let set = KeySet::parse(&text, &allowed).unwrap();
        assert_eq!(set.find(Some("a")).unwrap().algorithm, Algorithm::PS256);
    }
}
