//! RSA, ECDSA and Ed25519 keys in DER, and their signatures, on AWS-LC.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaEncoding, RsaKeyPair,
    UnparsedPublicKey, VerificationAlgorithm,
};
use rquickjs::convert::List;
use rquickjs::function::Func;
use rquickjs::{Ctx, Exception, Object, Result};

use super::bytes::Bytes;

/// The curves, by OpenSSL's names.
const CURVES: [(&str, &EcdsaSigningAlgorithm); 4] = [
    ("prime256v1", &signature::ECDSA_P256_SHA256_FIXED_SIGNING),
    ("secp384r1", &signature::ECDSA_P384_SHA384_FIXED_SIGNING),
    ("secp521r1", &signature::ECDSA_P521_SHA512_FIXED_SIGNING),
    ("secp256k1", &signature::ECDSA_P256K1_SHA256_FIXED_SIGNING),
];

pub(super) fn define(native: &Object<'_>) -> Result<()> {
    native.set("privateKey", Func::from(read_private_key))?;
    native.set("publicKey", Func::from(read_public_key))?;
    native.set("generateKey", Func::from(generate_key))?;
    native.set("sign", Func::from(sign))?;
    native.set("verify", Func::from(verify))
}

/// A private key in PKCS#8, PKCS#1 or SEC 1.
enum PrivateKey {
    Rsa(RsaKeyPair),
    Ec(&'static str, Vec<u8>),
    Ed25519(Ed25519KeyPair),
}

impl PrivateKey {
    fn from_der(der: &[u8]) -> Option<Self> {
        if let Ok(key) = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der)) {
            return Some(Self::Rsa(key));
        }
        if let Ok(key) = Ed25519KeyPair::from_pkcs8(der) {
            return Some(Self::Ed25519(key));
        }
        let mut curves = CURVES.iter();
        let curve = curves.find(|(_, algorithm)| EcdsaKeyPair::from_private_key_der(algorithm, der).is_ok());
        curve.map(|(curve, _)| Self::Ec(curve, der.to_vec()))
    }
}

/// Describes a private key: its type or curve, its PKCS#8 or, for a curve, its DER as given, and its public key as SPKI.
/// `None` when it cannot be read.
fn read_private_key(Bytes(der): Bytes) -> Option<List<(String, Bytes, Bytes)>> {
    let (kind, private, public) = match PrivateKey::from_der(&der)? {
        PrivateKey::Rsa(key) => {
            ("rsa", key.as_der().ok()?.as_ref().to_vec(), key.public_key().as_der().ok()?.as_ref().to_vec())
        }
        PrivateKey::Ed25519(key) => ("ed25519", der, key.public_key().as_der().ok()?.as_ref().to_vec()),
        PrivateKey::Ec(curve, der) => {
            let (_, algorithm) = CURVES.iter().find(|(name, _)| *name == curve)?;
            let key = EcdsaKeyPair::from_private_key_der(algorithm, &der).ok()?;
            let pkcs8 = key.to_pkcs8v1().ok()?.as_ref().to_vec();
            (curve, pkcs8, key.public_key().as_der().ok()?.as_ref().to_vec())
        }
    };
    Some(List((kind.to_owned(), Bytes(private), Bytes(public))))
}

/// An RSA public key in PKCS#1 or SPKI, as SPKI; `None` when it is not one.
fn read_public_key(Bytes(der): Bytes) -> Option<Bytes> {
    let key = aws_lc_rs::rsa::PublicKey::from_der(&der).ok()?;
    Some(Bytes(key.as_der().ok()?.as_ref().to_vec()))
}

/// A new private key in PKCS#8; `kind` is `rsa-BITS`, `ed25519` or a curve.
fn generate_key(ctx: Ctx<'_>, kind: String) -> Result<Bytes> {
    let size = match kind.as_str() {
        "rsa-2048" => Some(KeySize::Rsa2048),
        "rsa-3072" => Some(KeySize::Rsa3072),
        "rsa-4096" => Some(KeySize::Rsa4096),
        _ => None,
    };
    let random = SystemRandom::new();
    let curve = CURVES.iter().find(|(name, _)| *name == kind);
    let pkcs8 = match (size, curve) {
        (Some(size), _) => {
            RsaKeyPair::generate(size).and_then(|key| key.as_der().map(|der| der.as_ref().to_vec()))
        }
        (_, Some((_, algorithm))) => {
            EcdsaKeyPair::generate_pkcs8(algorithm, &random).map(|der| der.as_ref().to_vec())
        }
        _ if kind == "ed25519" => Ed25519KeyPair::generate_pkcs8(&random).map(|der| der.as_ref().to_vec()),
        _ => {
            return Err(Exception::throw_message(
                &ctx,
                &format!("keys of the kind {kind} are not supported"),
            ));
        }
    };
    pkcs8.map(Bytes).map_err(|_| Exception::throw_message(&ctx, "the key cannot be made"))
}

/// Signs with a private key in DER. `scheme` is `rsa`, `pss`, `ec` (DER), `ec-raw` (r and s) or `ed25519`.
fn sign(ctx: Ctx<'_>, scheme: String, hash: String, Bytes(der): Bytes, Bytes(data): Bytes) -> Result<Bytes> {
    let failed = |problem: &str| Exception::throw_message(&ctx, &format!("sign: {problem}"));
    let key = PrivateKey::from_der(&der)
        .ok_or_else(|| failed("the key is not a private key of RSA, EC or Ed25519"))?;
    let unsupported = || failed(&format!("{scheme} with {hash} is not supported for this key"));
    let signature = match key {
        PrivateKey::Rsa(key) => {
            let encoding = rsa_encoding(&scheme, &hash).ok_or_else(unsupported)?;
            let mut signature = vec![0; key.public_modulus_len()];
            key.sign(encoding, &SystemRandom::new(), &data, &mut signature).map(|()| signature)
        }
        PrivateKey::Ed25519(key) => Ok(key.sign(&data).as_ref().to_vec()),
        PrivateKey::Ec(curve, der) => {
            let algorithm = ec_signing(curve, &hash, scheme == "ec-raw").ok_or_else(unsupported)?;
            let key = EcdsaKeyPair::from_private_key_der(algorithm, &der);
            key.map_err(|_| unsupported())?
                .sign(&SystemRandom::new(), &data)
                .map(|signature| signature.as_ref().to_vec())
        }
    };
    signature.map(Bytes).map_err(|_| failed("the engine refused the key"))
}

/// Whether the signature is right. `kind` is `rsa`, `ed25519` or a curve; the key is an SPKI.
fn verify(
    ctx: Ctx<'_>,
    scheme: String,
    kind: String,
    hash: String,
    key: Bytes,
    data: Bytes,
    signature: Bytes,
) -> Result<bool> {
    let algorithm = verification(&scheme, &kind, &hash).ok_or_else(|| {
        Exception::throw_message(
            &ctx,
            &format!("verify: {scheme} with {hash} is not supported for a key of {kind}"),
        )
    })?;
    Ok(UnparsedPublicKey::new(algorithm, &key.0).verify(&data.0, &signature.0).is_ok())
}

fn rsa_encoding(scheme: &str, hash: &str) -> Option<&'static dyn RsaEncoding> {
    Some(match (scheme, hash) {
        ("rsa", "sha256") => &signature::RSA_PKCS1_SHA256,
        ("rsa", "sha384") => &signature::RSA_PKCS1_SHA384,
        ("rsa", "sha512") => &signature::RSA_PKCS1_SHA512,
        ("pss", "sha256") => &signature::RSA_PSS_SHA256,
        ("pss", "sha384") => &signature::RSA_PSS_SHA384,
        ("pss", "sha512") => &signature::RSA_PSS_SHA512,
        _ => return None,
    })
}

fn ec_signing(curve: &str, hash: &str, raw: bool) -> Option<&'static EcdsaSigningAlgorithm> {
    Some(match (curve, hash, raw) {
        ("prime256v1", "sha256", true) => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
        ("prime256v1", "sha256", false) => &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
        ("secp384r1", "sha384", true) => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
        ("secp384r1", "sha384", false) => &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
        ("secp521r1", "sha512", true) => &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
        ("secp521r1", "sha512", false) => &signature::ECDSA_P521_SHA512_ASN1_SIGNING,
        ("secp256k1", "sha256", true) => &signature::ECDSA_P256K1_SHA256_FIXED_SIGNING,
        ("secp256k1", "sha256", false) => &signature::ECDSA_P256K1_SHA256_ASN1_SIGNING,
        _ => return None,
    })
}

fn verification(scheme: &str, kind: &str, hash: &str) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (scheme, kind, hash) {
        ("rsa", "rsa", "sha1") => &signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        ("rsa", "rsa", "sha256") => &signature::RSA_PKCS1_2048_8192_SHA256,
        ("rsa", "rsa", "sha384") => &signature::RSA_PKCS1_2048_8192_SHA384,
        ("rsa", "rsa", "sha512") => &signature::RSA_PKCS1_2048_8192_SHA512,
        ("pss", "rsa", "sha256") => &signature::RSA_PSS_2048_8192_SHA256,
        ("pss", "rsa", "sha384") => &signature::RSA_PSS_2048_8192_SHA384,
        ("pss", "rsa", "sha512") => &signature::RSA_PSS_2048_8192_SHA512,
        ("ec-raw", "prime256v1", "sha256") => &signature::ECDSA_P256_SHA256_FIXED,
        ("ec", "prime256v1", "sha256") => &signature::ECDSA_P256_SHA256_ASN1,
        ("ec-raw", "secp384r1", "sha384") => &signature::ECDSA_P384_SHA384_FIXED,
        ("ec", "secp384r1", "sha384") => &signature::ECDSA_P384_SHA384_ASN1,
        ("ec-raw", "secp521r1", "sha512") => &signature::ECDSA_P521_SHA512_FIXED,
        ("ec", "secp521r1", "sha512") => &signature::ECDSA_P521_SHA512_ASN1,
        ("ec-raw", "secp256k1", "sha256") => &signature::ECDSA_P256K1_SHA256_FIXED,
        ("ec", "secp256k1", "sha256") => &signature::ECDSA_P256K1_SHA256_ASN1,
        (_, "ed25519", _) => &signature::ED25519,
        _ => return None,
    })
}
