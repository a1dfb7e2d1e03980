//! Proof key for code exchange (RFC 7636), method `S256` only.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Whether a text can be an `S256` challenge: 32 bytes in base64url without padding.
pub(super) fn is_challenge(challenge: &str) -> bool {
    URL_SAFE_NO_PAD.decode(challenge).is_ok_and(|bytes| bytes.len() == 32)
}

/// Whether `verifier` is well formed (§4.1) and matches `challenge`.
pub(super) fn verify(verifier: &str, challenge: &str) -> bool {
    let well_formed = (43..=128).contains(&verifier.len())
        && verifier.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c));
    let expected = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
    well_formed && verify_slices_are_equal(expected.as_bytes(), challenge.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rfcs_verifier_matches_its_challenge_only() {
        // RFC 7636, appendix B.
        let (verifier, challenge) =
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(is_challenge(challenge) && verify(verifier, challenge));
        assert!(!verify(challenge, challenge));
        assert!(!verify(&verifier.to_lowercase(), challenge));
        for bad in ["", "short", &"a".repeat(129), &format!("{}+", "a".repeat(43))] {
            assert!(
                !verify(bad, &URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, bad.as_bytes()))),
                "{bad}"
            );
        }
        for bad in ["", "plain", &format!("{challenge}="), &challenge[..42]] {
            assert!(!is_challenge(bad), "{bad}");
        }
    }
}
