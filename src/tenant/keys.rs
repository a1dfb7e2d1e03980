//! The signing keys: RS256, 2048 bits. The current one signs; those before it verify until they are revoked.

use aws_lc_rs::digest;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use super::TenantError;
use super::certificates;
use super::error::Result;

/// The keys that are not revoked; the first one is the current one.
pub(super) struct SigningKeys {
    keys: Vec<SigningKey>,
    /// The key set (RFC 7517) at `/.well-known/jwks.json`.
    pub(super) jwks: Value,
}

impl SigningKeys {
    /// From the bytes of [`SigningKey::generate`], the current key first.
    pub(super) fn new(pkcs8: &[Vec<u8>]) -> Result<Self> {
        let keys: Vec<SigningKey> =
            pkcs8.iter().map(|key| SigningKey::from_pkcs8(key)).collect::<Result<_>>()?;
        let jwks = json!({"keys": keys.iter().map(|key| &key.jwk).collect::<Vec<_>>()});
        Ok(Self { keys, jwks })
    }

    /// Signs with the current key; see [`SigningKey::sign`].
    pub(super) fn sign(&self, typ: &str, payload: &Map<String, Value>) -> Result<String> {
        let current = self.keys.first().ok_or(TenantError::Crypto("there is no signing key"))?;
        current.sign(typ, payload)
    }

    /// Verifies with the key that the token names; see [`SigningKey::verify`].
    pub(super) fn verify(&self, token: &str, issuer: &str, now: i64) -> Option<Map<String, Value>> {
        self.keys.iter().find_map(|key| key.verify(token, issuer, now))
    }
}

/// One key.
pub(super) struct SigningKey {
    pair: KeyPair,
    pub(super) kid: String,
    /// Self-signed, in DER.
    pub(super) certificate: Vec<u8>,
    jwk: Value,
}

impl SigningKey {
    /// Generates a key, as PKCS#8. Takes a few hundred milliseconds.
    pub(super) fn generate() -> Result<Vec<u8>> {
        let pair =
            KeyPair::generate(KeySize::Rsa2048).map_err(|_| TenantError::Crypto("cannot be generated"))?;
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| TenantError::Crypto("cannot be encoded"))?;
        Ok(pkcs8.as_ref().to_vec())
    }

    /// Reads the bytes of [`SigningKey::generate`]. The `kid` is the key's thumbprint (RFC 7638), so it is stable.
    pub(super) fn from_pkcs8(pkcs8: &[u8]) -> Result<Self> {
        let pair =
            KeyPair::from_pkcs8(pkcs8).map_err(|_| TenantError::Damaged("the key is not an RSA key"))?;
        let public = pair.public_key();
        let modulus = URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero());
        let exponent = URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero());
        let members = format!(r#"{{"e":"{exponent}","kty":"RSA","n":"{modulus}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, members.as_bytes()));
        let certificate = certificates::of_signing_key(pkcs8)?;
        // RFC 7517, section 4.8: SHA-1, as a name only.
        let thumbprint = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &certificate);
        let jwk = json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": modulus, "e": exponent,
            "x5c": [STANDARD.encode(&certificate)], "x5t": URL_SAFE_NO_PAD.encode(thumbprint),
        });
        Ok(Self { pair, kid, certificate, jwk })
    }

    /// Signs `payload` as a JWT whose header has this `typ`. Takes about a millisecond.
    pub(super) fn sign(&self, typ: &str, payload: &Map<String, Value>) -> Result<String> {
        let header = json!({"alg": "RS256", "typ": typ, "kid": self.kid});
        let encode = |json: String| URL_SAFE_NO_PAD.encode(json);
        let signed = format!("{}.{}", encode(header.to_string()), encode(json!(payload).to_string()));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|Unspecified| TenantError::Crypto("cannot sign"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The payload of a token that this key signed, with this issuer, that has not expired at `now` (unix seconds).
    pub(super) fn verify(&self, token: &str, issuer: &str, now: i64) -> Option<Map<String, Value>> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let object = |part: &str| -> Option<Map<String, Value>> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
        };
        let header = object(header)?;
        if header.get("alg")? != "RS256" || header.get("kid")? != self.kid.as_str() {
            return None;
        }
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.pair.public_key().as_ref())
            .verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?)
            .ok()?;
        let payload = object(payload)?;
        let is_current = payload.get("exp")?.as_i64()? > now;
        (is_current && payload.get("iss")? == issuer).then_some(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, jwk::JwkSet};

    fn payload() -> Map<String, Value> {
        json!({"iss": "http://127.0.0.1/", "exp": 4_000_000_000_i64, "sub": "auth0|a"})
            .as_object()
            .unwrap()
            .clone()
    }

    #[test]
    fn another_library_verifies_its_tokens_with_the_key_set() {
        let pkcs8 = SigningKey::generate().unwrap();
        let key = SigningKey::from_pkcs8(&pkcs8).unwrap();
        assert_eq!(key.jwk, SigningKey::from_pkcs8(&pkcs8).unwrap().jwk);
        let certificate = STANDARD.decode(key.jwk["x5c"][0].as_str().unwrap()).unwrap();
        let modulus = key.pair.public_key().modulus().big_endian_without_leading_zero();
        assert!(certificate.windows(modulus.len()).any(|part| part == modulus));
        let token = key.sign("at+jwt", &payload()).unwrap();

        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let set: JwkSet = serde_json::from_value(json!({"keys": [key.jwk]})).unwrap();
        let jwk = set.find(&key.kid).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&["http://127.0.0.1/"]);
        validation.validate_aud = false;
        let data = decode::<Value>(&token, &DecodingKey::from_jwk(jwk).unwrap(), &validation).unwrap();
        assert_eq!(data.header.typ.as_deref(), Some("at+jwt"));
        assert_eq!(data.claims["sub"], "auth0|a");
    }

    #[test]
    fn the_first_key_signs_and_all_verify() {
        let [old, new] = [(); 2].map(|()| SigningKey::generate().unwrap());
        let (before, after) = (
            SigningKeys::new(std::slice::from_ref(&old)).unwrap(),
            SigningKeys::new(&[new.clone(), old]).unwrap(),
        );
        let token = before.sign("JWT", &payload()).unwrap();
        assert!(after.verify(&token, "http://127.0.0.1/", 1).is_some());
        assert!(SigningKeys::new(&[new]).unwrap().verify(&token, "http://127.0.0.1/", 1).is_none());
        assert!(before.verify(&after.sign("JWT", &payload()).unwrap(), "http://127.0.0.1/", 1).is_none());
        let jwk = &after.jwks["keys"][0];
        let certificate = STANDARD.decode(jwk["x5c"][0].as_str().unwrap()).unwrap();
        let x5t = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &certificate);
        assert_eq!(jwk["x5t"], URL_SAFE_NO_PAD.encode(x5t));
        // The certificate holds the key.
        let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
        assert!(certificate.windows(modulus.len()).any(|part| part == modulus));
    }

    #[test]
    fn only_its_own_current_tokens_verify() {
        let key = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        let other = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        let token = key.sign("JWT", &payload()).unwrap();
        let issuer = "http://127.0.0.1/";
        assert!(key.verify(&token, issuer, 1).is_some());
        assert!(key.verify(&token, issuer, 4_000_000_000).is_none());
        assert!(key.verify(&token, "http://127.0.0.1", 1).is_none());
        assert!(key.verify(&other.sign("JWT", &payload()).unwrap(), issuer, 1).is_none());
        let none = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"none","kid":"{}"}}"#, key.kid));
        let rest = token.split_once('.').unwrap().1;
        for bad in [
            "",
            ".",
            "..",
            "a.b.c",
            &format!("{none}.{rest}"),
            &format!("{token}A"),
            &token[..token.len() - 4],
        ] {
            assert!(key.verify(bad, issuer, 1).is_none(), "{bad}");
        }
    }
}
