//! The published keys of one issuer (RFC 7517), reduced to those that may verify a token.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use jsonwebtoken::Algorithm;
use serde_json::Value;

use super::json::object;
use super::jwk::{Key, read, shown};

/// The most keys a set may have. Auth0 publishes two or three.
const MAX_KEYS: usize = 16;
/// Members that only private and symmetric keys have (RFC 7518 §6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The keys of one issuer.
#[derive(Debug, Default)]
pub struct KeySet {
    by_kid: HashMap<String, Arc<Key>>,
    /// Keys without a `kid`.
    nameless: Vec<Arc<Key>>,
    unusable: Vec<UnusableKey>,
}

/// A published key that verifies no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusableKey {
    /// Its `kid` as JSON.
    kid: Value,
    /// Why, in words that follow its name.
    why: String,
}

impl fmt::Display for UnusableKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kid = Some(&self.kid).filter(|kid| !kid.is_null());
        write!(f, "key {}: {}", shown(kid), self.why)
    }
}

/// Why a whole key set is refused. The set before it stays in use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what happened")]
pub enum KeySetError {
    #[error("the answer is not a JSON key set")]
    NotAKeySet,
    #[error("the key set has more than 16 keys")]
    TooMany,
    /// The tenant published a secret, so no signature of this set can be trusted.
    #[error("the key set contains private key material: rotate the keys of the tenant")]
    Private,
    /// With the reason of each key.
    #[error("the key set has no usable key: {0}")]
    NoneUsable(String),
}

impl KeySet {
    /// Reads a set and keeps the keys for `allowed` algorithms.
    ///
    /// Skips keys for encryption, of the wrong size or curve, or for other algorithms, and all keys with the same `kid`:
    /// [`KeySet::unusable`] has them.
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
            let kid = jwk.get("kid");
            let why = match (read(jwk, allowed).map(Arc::new), kid) {
                (Err(why), _) => why,
                (Ok(key), None) => {
                    set.nameless.push(key);
                    continue;
                }
                (Ok(key), Some(Value::String(kid))) if seen.get(kid.as_str()) == Some(&1) => {
                    set.by_kid.insert(kid.clone(), key);
                    continue;
                }
                (Ok(_), Some(Value::String(_))) => "another key has the same `kid`".to_owned(),
                (Ok(_), Some(_)) => "its `kid` is not a string".to_owned(),
            };
            set.unusable.push(UnusableKey { kid: kid.cloned().unwrap_or_default(), why });
        }
        match set.unusable.as_slice() {
            _ if set.count() > 0 => Ok(set),
            [] => Err(KeySetError::NoneUsable("it is empty".to_owned())),
            unusable => {
                let reasons: Vec<_> = unusable.iter().map(ToString::to_string).collect();
                Err(KeySetError::NoneUsable(reasons.join("; ")))
            }
        }
    }

    /// The published keys that verify no token.
    pub fn unusable(&self) -> &[UnusableKey] {
        &self.unusable
    }

    /// Why the key that is published as `kid` verifies no token, if it is one of those.
    pub(super) fn why_unusable(&self, kid: &str) -> Option<&str> {
        self.unusable.iter().find(|key| key.kid == kid).map(|key| key.why.as_str())
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
        keys.any(|own| own.is_same(key))
    }

    /// The number of usable keys, at least 1.
    pub fn count(&self) -> usize {
        self.by_kid.len() + self.nameless.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

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
    fn an_unusable_key_is_skipped_with_the_reason() {
        let zero = with(rsa(256), "n", json!(URL_SAFE_NO_PAD.encode([&[0][..], &[0x80; 256]].concat())));
        let ec = json!({"kty": "EC", "kid": "a", "crv": "P-256", "x": "AQAB", "y": "AQAB"});
        for (unusable, why) in [
            (rsa(255), "2040 bits"),
            (rsa(128), "1024 bits"),
            (rsa(1025), "8200 bits"),
            (zero, "zero octet"),
            (with(rsa(256), "n", json!("")), "zero octet"),
            (with(rsa(256), "n", json!("A=")), "`n` is missing or not base64url"),
            (with(rsa(256), "use", json!("enc")), "`use` is `enc`"),
            (with(rsa(256), "use", json!(1)), "`use` is 1"),
            (with(rsa(256), "key_ops", json!(["sign"])), "`key_ops`"),
            (with(rsa(256), "key_ops", json!("verify")), "`key_ops`"),
            (with(rsa(256), "alg", json!("RS384")), "algorithm `RS384` is not in `claims.algorithms`"),
            (with(rsa(256), "alg", json!("HS256")), "algorithm `HS256`"),
            (with(rsa(256), "e", json!("AQ")), "exponent"),
            (with(rsa(256), "e", json!("AQAA")), "exponent"),
            (with(rsa(256), "e", json!("Aw")), "exponent"),
            (with(rsa(256), "e", json!("AAEAAQ")), "exponent"),
            (with(rsa(256), "kty", json!("oct")), "type `oct`"),
            (with(rsa(256), "kid", json!(7)), "`kid` is not a string"),
            (with(ec.clone(), "crv", json!("P-521")), "curve `P-521`"),
            (ec.clone(), "coordinate `x` has 3 bytes, not 32"),
            (with(ec, "alg", json!("RS256")), "algorithm `RS256` is not for keys of its type or curve"),
        ] {
            let allowed = [RS256, &[("ES256", Algorithm::ES256)][..]].concat();
            let text = json!({"keys": [unusable]}).to_string();
            let error = KeySet::parse(&text, &allowed).unwrap_err();
            let kid = if unusable["kid"] == 7 { "key 7: " } else { "key `a`: " };
            assert!(
                matches!(&error, KeySetError::NoneUsable(all) if all.starts_with(kid) && all.contains(why)),
                "{error}"
            );
            let name = with(unusable, "kid", json!("b"));
            if let Ok(set) = KeySet::parse(&json!({"keys": [rsa(256), name]}).to_string(), &allowed) {
                let reason = set.why_unusable("b").unwrap_or("`kid` is not a string");
                assert!(set.find(Some("a")).is_some() && reason.contains(why), "{reason}");
            }
        }
        let es256 = [("ES256", Algorithm::ES256)];
        let mut without = rsa(256);
        without.as_object_mut().unwrap().remove("alg");
        let error = KeySet::parse(&json!({"keys": [without]}).to_string(), &es256).unwrap_err();
        assert!(
            error.to_string().ends_with("that its type can have is not in `claims.algorithms`"),
            "{error}"
        );
    }

    #[test]
    fn two_keys_with_one_kid_are_both_skipped() {
        let set = parse(&[rsa(256), rsa(384), with(rsa(256), "kid", json!("b"))]).unwrap();
        assert!(set.find(Some("a")).is_none() && set.find(Some("b")).is_some() && set.count() == 1);
        assert_eq!(set.why_unusable("a"), Some("another key has the same `kid`"));
        assert_eq!((set.unusable().len(), set.why_unusable("b")), (2, None));
    }

    #[test]
    fn a_long_kid_is_shown_in_part() {
        let long =
            with(with(rsa(256), "use", json!("enc")), "kid", json!(format!("\u{1b}{}", "k".repeat(300))));
        let KeySetError::NoneUsable(reasons) = parse(&[long]).unwrap_err() else { panic!() };
        assert!(reasons.chars().count() < 120 && !reasons.contains('\u{1b}'), "{reasons}");
    }

    #[test]
    fn a_set_with_private_keys_or_malformed_is_refused() {
        let leaking = with(with(rsa(256), "kid", json!("b")), "d", json!("AQAB"));
        assert_eq!(parse(&[rsa(256), leaking]).unwrap_err(), KeySetError::Private);
        assert_eq!(parse(&vec![rsa(256); 17]).unwrap_err(), KeySetError::TooMany);
        for text in ["", "<html>", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
            assert_eq!(KeySet::parse(text, RS256).unwrap_err(), KeySetError::NotAKeySet, "{text}");
        }
        assert_eq!(parse(&[]).unwrap_err(), KeySetError::NoneUsable("it is empty".to_owned()));
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
