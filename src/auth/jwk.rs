//! One published key (RFC 7517): whether it may verify a token, or why not.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value, json};

use crate::telemetry::plain;

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

impl Key {
    /// Whether both are the same key, with the same `kid` and algorithm.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint && self.algorithm == other.algorithm
    }
}

/// Reads one JWK. The error says why it may not verify signatures.
pub(super) fn read(jwk: &Map<String, Value>, allowed: &[(&'static str, Algorithm)]) -> Result<Key, String> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    if jwk.contains_key("use") && text("use") != Some("sig") {
        return Err(format!("its `use` is {}, not `sig`", shown(jwk.get("use"))));
    }
    let verifies = |operations: &Value| {
        operations.as_array().is_some_and(|all| all.iter().any(|operation| operation == "verify"))
    };
    if !jwk.get("key_ops").is_none_or(verifies) {
        return Err("its `key_ops` have no `verify`".to_owned());
    }
    let candidates: &[Algorithm] = match (text("kty"), text("crv")) {
        (Some("RSA"), _) => {
            use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
            &[RS256, RS384, RS512, PS256, PS384, PS512]
        }
        (Some("EC"), Some("P-256")) => &[Algorithm::ES256],
        (Some("EC"), Some("P-384")) => &[Algorithm::ES384],
        (Some("OKP"), Some("Ed25519")) => &[Algorithm::EdDSA],
        (Some("EC" | "OKP"), _) => {
            return Err(format!("its curve {} is not supported", shown(jwk.get("crv"))));
        }
        _ => return Err(format!("its type {} is not supported (`kty`)", shown(jwk.get("kty")))),
    };
    let algorithm = match jwk.get("alg") {
        Some(named) => allowed.iter().find(|(name, _)| named == name),
        // A key without `alg` is for the first allowed algorithm of its type.
        None => allowed.iter().find(|(_, candidate)| candidates.contains(candidate)),
    };
    let Some((_, algorithm)) = algorithm.copied() else {
        let named = jwk.get("alg").map(|alg| shown(Some(alg)));
        let named = named.unwrap_or_else(|| "that its type can have".to_owned());
        return Err(format!("the algorithm {named} is not in `claims.algorithms`"));
    };
    if !candidates.contains(&algorithm) {
        return Err(format!("its algorithm {} is not for keys of its type or curve", shown(jwk.get("alg"))));
    }
    let bytes = |name: &str| {
        let bytes = text(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        bytes.ok_or_else(|| format!("its member `{name}` is missing or not base64url"))
    };
    // RFC 7518 §6.2.1.2: coordinates have the full length of the field.
    let coordinate = |name: &str, size| match bytes(name)?.len() {
        length if length == size => Ok(text(name).unwrap_or_default()),
        length => Err(format!("its coordinate `{name}` has {length} bytes, not {size}")),
    };
    let malformed = |_| "its coordinates are malformed".to_owned();
    let decoding = match algorithm {
        Algorithm::ES256 | Algorithm::ES384 => {
            let size = if algorithm == Algorithm::ES256 { 32 } else { 48 };
            DecodingKey::from_ec_components(coordinate("x", size)?, coordinate("y", size)?)
                .map_err(malformed)?
        }
        Algorithm::EdDSA => DecodingKey::from_ed_components(coordinate("x", 32)?).map_err(malformed)?,
        _ => {
            let (n, e) = (bytes("n")?, bytes("e")?);
            check_modulus(&n)?;
            check_exponent(&e)?;
            DecodingKey::from_rsa_raw_components(&n, &e)
        }
    };
    let parts = ["kid", "kty", "crv", "n", "e", "x", "y"].map(|name| jwk.get(name).unwrap_or(&Value::Null));
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest(&SHA256, json!(parts).to_string().as_bytes()).as_ref());
    Ok(Key { algorithm, decoding, fingerprint })
}

/// A member as JSON, for a message: at most 64 characters.
pub(super) fn shown(member: Option<&Value>) -> String {
    let text =
        member.map_or_else(|| "(absent)".to_owned(), |value| plain(&value.to_string()).replace('"', "`"));
    if text.chars().count() > 64 { text.chars().take(63).chain(['…']).collect() } else { text }
}

/// 2048 to 8192 bits: shorter is breakable, longer costs a verifier milliseconds.
fn check_modulus(n: &[u8]) -> Result<(), String> {
    let first = n.first().copied().unwrap_or(0);
    if first == 0 {
        return Err("its modulus begins with a zero octet, which RFC 7518 §6.3.1.1 forbids".to_owned());
    }
    match n.len() * 8 - first.leading_zeros() as usize {
        2048..=8192 => Ok(()),
        bits => Err(format!("it has {bits} bits, not 2048 to 8192")),
    }
}

/// Odd, above 3 and at most 32 bits. An exponent of 1 would make every message its own signature.
fn check_exponent(e: &[u8]) -> Result<(), String> {
    let value = e.iter().try_fold(0_u32, |value, byte| value.checked_mul(256).map(|v| v | u32::from(*byte)));
    let is_valid = e.first() != Some(&0) && value.is_some_and(|value| value > 3 && value % 2 == 1);
    if is_valid { Ok(()) } else { Err("its exponent is not an odd number from 5 to 32 bits".to_owned()) }
}
