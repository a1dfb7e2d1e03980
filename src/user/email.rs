//! Email addresses in canonical form: spellings of one mailbox are equal, look-alikes differ.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{all_bytes, is_visible};

/// An email in canonical form: ASCII lower-case local part, IDNA (UTS 46) lower-case domain, nothing else folded.
///
/// Non-ASCII letters of the local part are kept as they are: folding them has handed accounts to look-alikes
/// (CVE-2019-19844).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// The longest address that RFC 5321 lets a path carry, in octets of the canonical form.
    pub const MAX_BYTES: usize = 254;

    /// The canonical form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An email from where its canonical form was stored. ASCII that looks canonical is not parsed again: parsing the domain
    /// as IDNA costs more than reading the rest of a row.
    ///
    /// # Errors
    /// Any other text is parsed, and fails as it does there.
    pub fn from_stored(text: &str) -> Result<Self, EmailError> {
        let is_canonical = |byte: u8| byte.is_ascii_graphic() & !byte.is_ascii_uppercase();
        let has_one_at = || text.bytes().filter(|&byte| byte == b'@').count() == 1;
        let is_address = || has_one_at() && !text.starts_with('@') && !text.ends_with('@');
        if text.len() <= Self::MAX_BYTES && all_bytes(text.as_bytes(), is_canonical) && is_address() {
            return Ok(Self(text.to_owned()));
        }
        text.parse()
    }
}

impl FromStr for Email {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<Self, EmailError> {
        if text.len() > Self::MAX_BYTES {
            return Err(EmailError::TooLong);
        }
        if text.chars().any(char::is_whitespace) || !is_visible(text) {
            return Err(EmailError::Whitespace);
        }
        let (local, domain) = text.split_once('@').ok_or(EmailError::NoAt)?;
        if domain.contains('@') {
            return Err(EmailError::SecondAt);
        }
        if local.is_empty() || domain.is_empty() {
            return Err(EmailError::NoAt);
        }
        let domain = idna::domain_to_ascii_strict(domain).map_err(|_| EmailError::Domain)?;
        let canonical = format!("{}@{domain}", local.to_ascii_lowercase());
        if canonical.len() > Self::MAX_BYTES {
            return Err(EmailError::TooLong);
        }
        Ok(Self(canonical))
    }
}

impl<'de> Deserialize<'de> for Email {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hides the address: it names a person and must not be logged.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

/// Why a text is not an email address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what happened")]
pub enum EmailError {
    #[error("the email is longer than 254 characters")]
    TooLong,
    /// Spaces, controls and invisible characters are refused, not trimmed.
    #[error("the email contains whitespace, a control or an invisible character")]
    Whitespace,
    #[error("the email is not of the form name@domain")]
    NoAt,
    /// Quoted local parts are legal in RFC 5321 and a trap everywhere else.
    #[error("the email contains a second @")]
    SecondAt,
    #[error("the domain of the email is not a host name")]
    Domain,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_mailbox_are_equal() {
        for (written, canonical) in [
            ("Ada@Example.com", "ada@example.com"),
            ("ada@EXAMPLE.COM", "ada@example.com"),
            ("ada@bücher.example", "ada@xn--bcher-kva.example"),
            ("ada+tag@example.com", "ada+tag@example.com"),
            ("É@example.com", "É@example.com"),
        ] {
            assert_eq!(written.parse::<Email>().unwrap().as_str(), canonical);
        }
    }

    #[test]
    fn a_stored_email_is_what_was_parsed_and_damage_is_refused() {
        for canonical in ["ada@example.com", "ada@xn--bcher-kva.example", "É@example.com", "o'brien+1@a.b"] {
            let parsed: Email = canonical.parse().unwrap();
            assert_eq!(Email::from_stored(parsed.as_str()), Ok(parsed));
        }
        for damaged in
            ["", "ada", "@example.com", "ada@", "a@b@example.com", "a da@example.com", "ada@a\0.com"]
        {
            assert!(Email::from_stored(damaged).is_err(), "{damaged:?}");
        }
        assert_eq!(Email::from_stored(&format!("{}@a.b", "a".repeat(251))), Err(EmailError::TooLong));
        assert_eq!(Email::from_stored("Ada@Example.com").unwrap().as_str(), "ada@example.com");
    }

    #[test]
    fn look_alikes_differ() {
        // U+0131 upper-cases to I, U+212A lower-cases to k.
        for (one, other) in
            [("mike@example.com", "m\u{131}ke@example.com"), ("k@example.com", "\u{212a}@example.com")]
        {
            assert_ne!(one.parse::<Email>().unwrap(), other.parse::<Email>().unwrap());
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (bad, why) in [
            ("", EmailError::NoAt),
            ("ada", EmailError::NoAt),
            ("@example.com", EmailError::NoAt),
            ("ada@", EmailError::NoAt),
            ("a@b@example.com", EmailError::SecondAt),
            (" ada@example.com", EmailError::Whitespace),
            ("ada@exa\u{a0}mple.com", EmailError::Whitespace),
            ("ada@example.com\0", EmailError::Whitespace),
            ("a\u{200b}da@example.com", EmailError::Whitespace),
            ("ada\u{202e}@example.com", EmailError::Whitespace),
            ("ada@exa\u{200d}mple.com", EmailError::Whitespace),
            ("ada@-.example", EmailError::Domain),
            (&format!("{}@example.com", "a".repeat(250)), EmailError::TooLong),
            // Short as written, long in its canonical form.
            (&format!("{}@{}example", "a".repeat(180), "bücher.".repeat(8)), EmailError::TooLong),
        ] {
            assert_eq!(bad.parse::<Email>().unwrap_err(), why, "{bad:?}");
        }
    }
}
