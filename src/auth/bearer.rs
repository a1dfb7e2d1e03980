//! Stage 1: headers → [`Bearer`]. Finds the one token of a request; trusts nothing in it.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use warp::http::HeaderMap;
use warp::http::header::AUTHORIZATION;

use super::Refusal;
use crate::user::all_bytes;

/// The longest accepted token, in bytes.
pub const MAX_TOKEN: usize = 16 * 1024;

/// The raw token of a request: bounded, of three base64url parts, not yet trusted. Only this file makes one.
pub struct Bearer {
    token: Vec<u8>,
    /// Where the payload begins.
    payload: usize,
    /// Where the signature begins.
    signature: usize,
}

/// A SHA-256.
pub(super) type TokenDigest = [u8; 32];

/// What a request presented. A malformed token is an error, never taken for an absent one.
#[derive(Debug)]
pub enum Presented {
    /// A token.
    Token(Bearer),
    /// No credential. A door may accept anonymous callers.
    Nothing(NoToken),
}

/// Proof that a request had no credential at all. Only this file makes one.
#[derive(Debug)]
pub struct NoToken(());

/// Reads the token of a request from all its headers and its query string.
///
/// # Errors
/// [`Refusal::MalformedRequest`] for two tokens, an empty or non-ASCII one, one without its scheme, or one in the query string
/// (RFC 6750 §2.3 allows that, but query strings end up in logs); [`Refusal::NoToken`] for a credential of another scheme,
/// because only a request without a credential is anonymous; [`Refusal::MalformedToken`] as [`parse`].
pub fn bearer(headers: &HeaderMap, query: &str) -> Result<Presented, Refusal> {
    if url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "access_token") {
        return Err(Refusal::MalformedRequest(
            "Send the token in the Authorization header, not in the query string.",
        ));
    }
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return credential(None) };
    if values.next().is_some() {
        return Err(Refusal::MalformedRequest("Two Authorization headers were sent; send one."));
    }
    let presented = credential(Some(value.as_bytes()));
    let is_text = |byte: u8| (b' '..=b'~').contains(&byte) | (byte == b'\t');
    // The characters of an accepted token are known to be ASCII, so only those of another value are looked at again.
    if presented.is_ok() || all_bytes(value.as_bytes(), is_text) {
        return presented;
    }
    Err(Refusal::MalformedRequest("The Authorization header contains characters that are not ASCII."))
}

/// Reads the value of an `Authorization` header. The `connection_init` of a WebSocket can carry one too.
///
/// # Errors
/// As [`bearer`].
pub fn credential(value: Option<&[u8]>) -> Result<Presented, Refusal> {
    let Some(value) = value else { return Ok(Presented::Nothing(NoToken(()))) };
    // A scheme consists of token characters (RFC 9110 §11.1), so `Bearer,x` is a malformed Bearer, not another scheme.
    let end = value.iter().position(|byte| !is_token_char(*byte)).unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    if scheme.is_empty() {
        return Err(Refusal::MalformedRequest("The Authorization header names no scheme; send Bearer."));
    }
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        // All characters of a JWT may be in a scheme.
        return Err(match parse(scheme) {
            Ok(_) => Refusal::MalformedRequest("The token has no scheme; send Bearer and a space before it."),
            Err(_) => Refusal::NoToken,
        });
    }
    // RFC 6750 §2.1 and RFC 9110 §11.4: one or more spaces.
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    let token = rest.get(spaces..).unwrap_or_default();
    if token.is_empty() || spaces == 0 {
        return Err(Refusal::MalformedRequest(
            "The Authorization header has no token after Bearer and a space.",
        ));
    }
    parse(token).map(Presented::Token)
}

/// `tchar` in RFC 9110 §5.6.2.
fn is_token_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Reads a bare token, without a scheme.
///
/// # Errors
/// [`Refusal::MalformedToken`] if it is longer than [`MAX_TOKEN`] or not a JWT in compact form.
pub fn parse(token: impl AsRef<[u8]>) -> Result<Bearer, Refusal> {
    let token = token.as_ref();
    if token.len() > MAX_TOKEN {
        return Err(Refusal::MalformedToken("The token is longer than 16 KiB."));
    }
    // Split on the raw text, before anything is allocated: a token may be all dots.
    let mut dots = memchr::memchr_iter(b'.', token);
    let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
        return Err(Refusal::MalformedToken("The token is not a JWT: it does not have three parts."));
    };
    let (payload, signature) = (first + 1, second + 1);
    if first == 0 || payload == second || signature == token.len() {
        return Err(Refusal::MalformedToken("The token is not a JWT: one of its parts is empty."));
    }
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() | (byte == b'-') | (byte == b'_') | (byte == b'.');
    if !all_bytes(token, is_valid) {
        return Err(Refusal::MalformedToken("The token is not a JWT: its parts are not base64url."));
    }
    Ok(Bearer { token: token.to_owned(), payload, signature })
}

impl Bearer {
    /// The header part, in base64url.
    pub fn header(&self) -> &[u8] {
        self.token.get(..self.payload - 1).unwrap_or_default()
    }

    /// The payload part, in base64url.
    pub fn payload(&self) -> &[u8] {
        self.token.get(self.payload..self.signature - 1).unwrap_or_default()
    }

    /// The signature part, in base64url.
    pub fn signature(&self) -> &[u8] {
        self.token.get(self.signature..).unwrap_or_default()
    }

    /// The whole token.
    pub fn as_bytes(&self) -> &[u8] {
        &self.token
    }

    /// The SHA-256 of the whole token. With less as a key, two tokens could share an entry.
    pub(super) fn digest(&self) -> TokenDigest {
        let mut hash = TokenDigest::default();
        // A SHA-256 has exactly these 32 bytes.
        hash.copy_from_slice(digest(&SHA256, self.as_bytes()).as_ref());
        hash
    }

    /// The signed bytes: header and payload with the dot between them (RFC 7515 §5.2).
    pub fn signed(&self) -> &[u8] {
        self.token.get(..self.signature - 1).unwrap_or_default()
    }
}

/// Shows only the length.
impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bearer").field("length", &self.token.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use warp::http::HeaderValue;

    fn present(values: &[&str], query: &str) -> Result<Presented, Refusal> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        bearer(&headers, query)
    }

    #[test]
    fn the_scheme_is_case_insensitive() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c"] {
            let Ok(Presented::Token(bearer)) = present(&[value], "query=%7Bme%7D") else { panic!("{value}") };
            assert_eq!([bearer.header(), bearer.payload(), bearer.signature()], [b"a", b"b", b"c"]);
            assert_eq!(bearer.signed(), b"a.b");
        }
    }

    #[test]
    fn an_absent_token_differs_from_a_malformed_one() {
        assert!(matches!(present(&[], ""), Ok(Presented::Nothing(_))));
        for other in ["Basic dTpw", "Digest x", "Token a.b.c", "opaque"] {
            assert!(matches!(present(&[other], ""), Err(Refusal::NoToken)), "{other}");
        }
        for (values, query) in [
            (&["Bearer a.b.c", "Bearer a.b.c"][..], ""),
            (&["Basic x", "Bearer a.b.c"], ""),
            (&["Bearer a.b.c"], "access_token=a.b.c"),
            (&[], "a=1&access%5Ftoken=a.b.c"),
            (&["Bearer"], ""),
            (&["Bearer   "], ""),
            (&["Bearer a.b.\u{e9}"], ""),
            (&["a.b.c"], ""),
            (&["a.b.c "], ""),
        ] {
            assert!(
                matches!(present(values, query), Err(Refusal::MalformedRequest(_))),
                "{values:?} {query}"
            );
        }
    }

    #[test]
    fn a_token_not_in_compact_form_is_refused_before_decoding() {
        let long = format!("a.b.{}", "c".repeat(MAX_TOKEN - 3));
        assert!(parse(&long[..MAX_TOKEN]).is_ok(), "the longest");
        let dots = ".".repeat(MAX_TOKEN);
        for token in [
            "abc",
            "a.b",
            "a.b.c.d",
            "a.b.c.d.e",
            ".b.c",
            "a..c",
            "a.b.",
            "a.b.c=",
            "a.b+/.c",
            "a.b .c",
            &long,
            &dots,
        ] {
            assert!(matches!(parse(token), Err(Refusal::MalformedToken(_))), "{token:.20}");
        }
    }
}
