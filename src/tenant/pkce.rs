//! Proof key for code exchange (RFC 7636), `S256` alone.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Whether a text can be an `S256` challenge: 32 bytes in base64url without padding.
pub(super) fn is_challenge(challenge: &str) -> bool {
    URL_SAFE_NO_PAD.decode(challenge).is_ok_and(|bytes| bytes.len() == 32)
}

/// Whether `verifier` is well formed (§4.1) and the one that `challenge` was made from.
pub(super) fn proves(verifier: &str, challenge: &str) -> bool {
    let well_formed = (43..=128).contains(&verifier.len())
        && verifier.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c));
    let made = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
    well_formed && verify_slices_are_equal(made.as_bytes(), challenge.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifier_of_the_rfc_proves_its_challenge_and_nothing_else_does() {
        // RFC 7636, appendix B.
        let (verifier, challenge) =
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(is_challenge(challenge) && proves(verifier, challenge));
        assert!(!proves(challenge, challenge));
        assert!(!proves(&verifier.to_lowercase(), challenge));
        for bad in ["", "short", &"a".repeat(129), &format!("{}+", "a".repeat(43))] {
            assert!(
                !proves(bad, &URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, bad.as_bytes()))),
                "{bad}"
            );
        }
        for bad in ["", "plain", &format!("{challenge}="), &challenge[..42]] {
            assert!(!is_challenge(bad), "{bad}");
        }
    }
}
