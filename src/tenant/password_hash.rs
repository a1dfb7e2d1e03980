//! Hashes of passwords.

use aws_lc_rs::{pbkdf2, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::TenantError;
use super::error::Result;

/// PBKDF2-HMAC-SHA512 with the iterations that OWASP's password storage cheat sheet recommends.
const ITERATIONS: std::num::NonZeroU32 = std::num::NonZeroU32::MIN.saturating_add(210_000 - 1);
static PBKDF2: pbkdf2::Algorithm = pbkdf2::PBKDF2_HMAC_SHA512;

/// A password's hash, with its method, iterations and salt. Blocking.
pub(super) fn hash_password(password: &str) -> Result<String> {
    let mut salt = [0_u8; 16];
    rand::fill(&mut salt).map_err(|_| TenantError::Crypto("no random numbers"))?;
    let mut hash = [0_u8; 32];
    pbkdf2::derive(PBKDF2, ITERATIONS, &salt, password.as_bytes(), &mut hash);
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    Ok(format!("pbkdf2-sha512${ITERATIONS}${salt}${hash}"))
}

/// Whether a password is the one of a hash.
pub(super) fn verify_password(stored: &str, password: &str) -> bool {
    let verify = || {
        let mut parts = stored.split('$');
        let (method, iterations) = (parts.next()?, parts.next()?.parse().ok()?);
        let salt = STANDARD_NO_PAD.decode(parts.next()?).ok()?;
        let hash = STANDARD_NO_PAD.decode(parts.next()?).ok()?;
        let is_known = method == "pbkdf2-sha512" && parts.next().is_none();
        is_known.then(|| pbkdf2::verify(PBKDF2, iterations, &salt, password.as_bytes(), &hash).is_ok())
    };
    verify().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_verifies_its_password_only() {
        let hash = hash_password("secret").unwrap();
        assert!(verify_password(&hash, "secret") && !verify_password(&hash, "Secret"));
        for broken in ["", "secret", "pbkdf2-sha512$0$AA$AA", "pbkdf2-sha512$1$AA$AA$", "md5$1$AA$AA"] {
            assert!(!verify_password(broken, "secret"), "{broken}");
        }
    }
}
