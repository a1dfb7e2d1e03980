//! One published key (RFC 7517): whether it may verify a token, or why not.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::telemetry::plain;

/// A signature algorithm, named as in RFC 7518 §3.1 and RFC 8037 §3.1. All are asymmetric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the standards")]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

/// A public key and its one algorithm.
#[derive(Debug)]
pub struct Key {
    /// The only algorithm this key verifies, whatever a token's header says (RFC 8725 §3.1).
    pub algorithm: Algorithm,
    /// The key material, parsed once: what RSA precomputes from it is used for each signature.
    material: ParsedPublicKey,
    /// A SHA-256 of its `kid` and key material.
    fingerprint: [u8; 32],
}

impl Key {
    /// Whether both are the same key, with the same `kid` and algorithm.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint && self.algorithm == other.algorithm
    }

    /// Whether `signature` is this key's signature of `message`.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.material.verify_sig(message, signature).is_ok()
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
    let coordinate = |name: &str, size| match bytes(name)? {
        coordinate if coordinate.len() == size => Ok(coordinate),
        other => Err(format!("its coordinate `{name}` has {} bytes, not {size}", other.len())),
    };
    // Uncompressed (SEC 1 §2.3.3).
    let point = |size| Ok::<_, String>([vec![4], coordinate("x", size)?, coordinate("y", size)?].concat());
    let rsa = |parameters: &'static RsaParameters| {
        let (n, e) = (bytes("n")?, bytes("e")?);
        check_modulus(&n)?;
        check_exponent(&e)?;
        Ok::<_, String>(RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters))
    };
    let material = match algorithm {
        Algorithm::RS256 => rsa(&RSA_PKCS1_2048_8192_SHA256)?,
        Algorithm::RS384 => rsa(&RSA_PKCS1_2048_8192_SHA384)?,
        Algorithm::RS512 => rsa(&RSA_PKCS1_2048_8192_SHA512)?,
        Algorithm::PS256 => rsa(&RSA_PSS_2048_8192_SHA256)?,
        Algorithm::PS384 => rsa(&RSA_PSS_2048_8192_SHA384)?,
        Algorithm::PS512 => rsa(&RSA_PSS_2048_8192_SHA512)?,
        Algorithm::ES256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point(32)?),
        Algorithm::ES384 => ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point(48)?),
        Algorithm::EdDSA => ParsedPublicKey::new(&ED25519, coordinate("x", 32)?),
    };
    let material = material.map_err(|_| "its key material is malformed".to_owned())?;
    let parts = ["kid", "kty", "crv", "n", "e", "x", "y"].map(|name| jwk.get(name).unwrap_or(&Value::Null));
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest(&SHA256, json!(parts).to_string().as_bytes()).as_ref());
    Ok(Key { algorithm, material, fingerprint })
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
