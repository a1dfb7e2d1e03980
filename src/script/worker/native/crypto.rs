//! Hashes, HMACs, random bytes, derived keys and AES, on AWS-LC.

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    self, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::{digest, hkdf, hmac, pbkdf2, rand};
use md5::{Digest as _, Md5};
use rquickjs::function::Func;
use rquickjs::{Ctx, Exception, Object, Result};

use super::bytes::Bytes;

/// The most random or derived bytes of one call.
const OUTPUT_LIMIT: usize = 16 * 1024 * 1024;
/// The bytes of a block of MD5, for its HMAC.
const MD5_BLOCK: usize = 64;

pub(super) fn define(native: &Object<'_>) -> Result<()> {
    native.set("hash", Func::from(hash))?;
    native.set("hmac", Func::from(hmac))?;
    native.set("random", Func::from(random))?;
    native.set("pbkdf2", Func::from(derive_pbkdf2))?;
    native.set("hkdf", Func::from(derive_hkdf))?;
    native.set("cipher", Func::from(run_cipher))
}

fn unsupported(ctx: &Ctx<'_>, what: &str, name: &str) -> rquickjs::Error {
    Exception::throw_message(ctx, &format!("{what} \"{name}\" is not supported"))
}

fn algorithm(name: &str) -> Option<&'static digest::Algorithm> {
    Some(match name {
        "sha1" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        "sha224" => &digest::SHA224,
        "sha256" => &digest::SHA256,
        "sha384" => &digest::SHA384,
        "sha512" => &digest::SHA512,
        "sha512-256" => &digest::SHA512_256,
        "sha3-256" => &digest::SHA3_256,
        "sha3-384" => &digest::SHA3_384,
        "sha3-512" => &digest::SHA3_512,
        _ => return None,
    })
}

fn hmac_algorithm(name: &str) -> Option<hmac::Algorithm> {
    Some(match name {
        "sha1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        "sha224" => hmac::HMAC_SHA224,
        "sha256" => hmac::HMAC_SHA256,
        "sha384" => hmac::HMAC_SHA384,
        "sha512" => hmac::HMAC_SHA512,
        _ => return None,
    })
}

/// The digest of `data`; `None` when there is no such algorithm.
fn hash(name: String, Bytes(data): Bytes) -> Option<Bytes> {
    if name == "md5" {
        return Some(Bytes(Md5::digest(data).to_vec()));
    }
    algorithm(&name).map(|algorithm| Bytes(digest::digest(algorithm, &data).as_ref().to_vec()))
}

/// The HMAC of `data`; `None` when there is no such algorithm.
fn hmac(name: String, Bytes(key): Bytes, Bytes(data): Bytes) -> Option<Bytes> {
    if name == "md5" {
        return Some(Bytes(hmac_md5(key, &data)));
    }
    let key = hmac::Key::new(hmac_algorithm(&name)?, &key);
    Some(Bytes(hmac::sign(&key, &data).as_ref().to_vec()))
}

/// RFC 2104; AWS-LC has no HMAC with MD5.
fn hmac_md5(mut key: Vec<u8>, data: &[u8]) -> Vec<u8> {
    if key.len() > MD5_BLOCK {
        key = Md5::digest(&key).to_vec();
    }
    key.resize(MD5_BLOCK, 0);
    let pad = |with: u8| key.iter().map(|byte| byte ^ with).collect::<Vec<_>>();
    let inner = Md5::new().chain_update(pad(0x36)).chain_update(data).finalize();
    Md5::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

fn output(ctx: &Ctx<'_>, length: usize) -> Result<Vec<u8>> {
    if length > OUTPUT_LIMIT {
        return Err(Exception::throw_range(ctx, &format!("more than {OUTPUT_LIMIT} bytes at once")));
    }
    Ok(vec![0; length])
}

fn random(ctx: Ctx<'_>, length: usize) -> Result<Bytes> {
    let mut bytes = output(&ctx, length)?;
    rand::fill(&mut bytes).map_err(|_| Exception::throw_message(&ctx, "no randomness"))?;
    Ok(Bytes(bytes))
}

fn derive_pbkdf2(
    ctx: Ctx<'_>,
    name: String,
    password: Bytes,
    salt: Bytes,
    iterations: u32,
    length: usize,
) -> Result<Bytes> {
    let algorithm = match name.as_str() {
        "sha1" => pbkdf2::PBKDF2_HMAC_SHA1,
        "sha256" => pbkdf2::PBKDF2_HMAC_SHA256,
        "sha384" => pbkdf2::PBKDF2_HMAC_SHA384,
        "sha512" => pbkdf2::PBKDF2_HMAC_SHA512,
        _ => return Err(unsupported(&ctx, "pbkdf2: the digest", &name)),
    };
    let iterations =
        iterations.try_into().map_err(|_| Exception::throw_range(&ctx, "pbkdf2: no iterations"))?;
    let mut bytes = output(&ctx, length)?;
    pbkdf2::derive(algorithm, iterations, &salt.0, &password.0, &mut bytes);
    Ok(Bytes(bytes))
}

/// The length of a key to derive.
struct KeyLength(usize);

impl hkdf::KeyType for KeyLength {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive_hkdf(
    ctx: Ctx<'_>,
    name: String,
    key: Bytes,
    salt: Bytes,
    info: Bytes,
    length: usize,
) -> Result<Bytes> {
    let algorithm = match name.as_str() {
        "sha1" => hkdf::HKDF_SHA1_FOR_LEGACY_USE_ONLY,
        "sha256" => hkdf::HKDF_SHA256,
        "sha384" => hkdf::HKDF_SHA384,
        "sha512" => hkdf::HKDF_SHA512,
        _ => return Err(unsupported(&ctx, "hkdf: the digest", &name)),
    };
    let mut bytes = output(&ctx, length)?;
    let key = hkdf::Salt::new(algorithm, &salt.0).extract(&key.0);
    let derived = key.expand(&[&info.0], KeyLength(length)).and_then(|okm| okm.fill(&mut bytes));
    derived.map_err(|_| Exception::throw_range(&ctx, "hkdf: the key is too long"))?;
    Ok(Bytes(bytes))
}

/// Encrypts or decrypts `data` whole. GCM's tag is at the end of the encrypted data. `name` is `aes-BITS-MODE`, where the
/// mode is `cbc`, `cbc-unpadded`, `ctr` or `gcm`.
fn run_cipher(
    ctx: Ctx<'_>,
    encrypt: bool,
    name: String,
    key: Bytes,
    iv: Bytes,
    data: Bytes,
    aad: Bytes,
) -> Result<Bytes> {
    let (bits, mode) = name.strip_prefix("aes-").and_then(|name| name.split_once('-')).unwrap_or_default();
    let (block, sealed) = match bits {
        "128" => (&cipher::AES_128, &aead::AES_128_GCM),
        "192" => (&cipher::AES_192, &aead::AES_192_GCM),
        "256" => (&cipher::AES_256, &aead::AES_256_GCM),
        _ => return Err(unsupported(&ctx, "the cipher", &name)),
    };
    let (key, mut data) = (key.0, data.0);
    let iv_error = || Exception::throw_type(&ctx, "Invalid initialization vector");
    if mode == "gcm" {
        let key =
            UnboundKey::new(sealed, &key).map_err(|_| Exception::throw_range(&ctx, "Invalid key length"))?;
        let (key, nonce) =
            (LessSafeKey::new(key), Nonce::try_assume_unique_for_key(&iv.0).map_err(|_| iv_error())?);
        if encrypt {
            let sealed = key.seal_in_place_append_tag(nonce, Aad::from(aad.0), &mut data);
            sealed.map_err(|_| Exception::throw_message(&ctx, "the data cannot be encrypted"))?;
        } else {
            let failed = "Unsupported state or unable to authenticate data";
            let opened = key.open_in_place(nonce, Aad::from(aad.0), &mut data).map(|plain| plain.len());
            data.truncate(opened.map_err(|_| Exception::throw_message(&ctx, failed))?);
        }
        return Ok(Bytes(data));
    }
    let iv = FixedLength::<16>::try_from(iv.0.as_slice()).map_err(|_| iv_error())?;
    let key =
        UnboundCipherKey::new(block, &key).map_err(|_| Exception::throw_range(&ctx, "Invalid key length"))?;
    let (sealing, opening) = (EncryptionContext::Iv128(iv), DecryptionContext::Iv128);
    let done = match (mode, encrypt) {
        ("cbc", true) => PaddedBlockEncryptingKey::cbc_pkcs7(key)
            .and_then(|key| key.less_safe_encrypt(&mut data, sealing).map(drop)),
        ("cbc-unpadded", true) => {
            EncryptingKey::cbc(key).and_then(|key| key.less_safe_encrypt(&mut data, sealing).map(drop))
        }
        ("ctr", true) => {
            EncryptingKey::ctr(key).and_then(|key| key.less_safe_encrypt(&mut data, sealing).map(drop))
        }
        ("cbc" | "cbc-unpadded" | "ctr", false) => {
            let EncryptionContext::Iv128(iv) = sealing else { return Err(iv_error()) };
            let plain = match mode {
                "cbc" => PaddedBlockDecryptingKey::cbc_pkcs7(key)
                    .and_then(|key| key.decrypt(&mut data, opening(iv)).map(|plain| plain.len())),
                "ctr" => DecryptingKey::ctr(key)
                    .and_then(|key| key.decrypt(&mut data, opening(iv)).map(|plain| plain.len())),
                _ => DecryptingKey::cbc(key)
                    .and_then(|key| key.decrypt(&mut data, opening(iv)).map(|plain| plain.len())),
            };
            plain.map(|length| data.truncate(length))
        }
        _ => return Err(unsupported(&ctx, "the cipher", &name)),
    };
    // OpenSSL's words, which scripts compare.
    done.map_err(|_| {
        Exception::throw_message(&ctx, if encrypt { "wrong final block length" } else { "bad decrypt" })
    })?;
    Ok(Bytes(data))
}
