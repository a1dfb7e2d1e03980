//! Stage 1: headers → [`Bearer`]. Finds the one token of a request; trusts nothing in it.

use std::fmt;

use warp::http::HeaderMap;
use warp::http::header::AUTHORIZATION;

use super::Refusal;

/// The longest token that is looked at.
pub const MAX_TOKEN: usize = 16 * 1024;

/// The raw token of a request: bounded, of three base64url parts, not yet trusted. Only this file makes one.
pub struct Bearer {
    token: String,
    /// Where the payload and the signature begin.
    payload: usize,
    signature: usize,
}

/// What a request presented. Absent and bad are different: a bad token never gets here.
#[derive(Debug)]
pub enum Presented {
    /// A token.
    Token(Bearer),
    /// Nothing. Doors may let such callers in.
    Nothing(Nothing),
}

/// The proof that a request carried no token at all. Only this file makes one.
#[derive(Debug)]
pub struct Nothing(());

/// Reads what a request presents, from all its headers and its query string.
///
/// # Errors
/// [`Refusal::MalformedRequest`] for two tokens, an empty or non-ASCII one, or one in the query string (RFC 6750 §2.3
/// allows that, and it ends in logs); [`Refusal::MalformedToken`] for what is too long or no JWT in compact form.
pub fn bearer(headers: &HeaderMap, query: &str) -> Result<Presented, Refusal> {
    let names = url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    if names.into_iter().any(|name| name == "access_token") {
        return Err(Refusal::MalformedRequest(
            "Send the token in the Authorization header, not in the query string.",
        ));
    }
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return credential(None) };
    if values.next().is_some() {
        return Err(Refusal::MalformedRequest("Two Authorization headers were sent; send one."));
    }
    let value = value.to_str().map_err(|_| {
        Refusal::MalformedRequest("The Authorization header holds characters that are not ASCII.")
    })?;
    credential(Some(value))
}

/// Reads what stands in an `Authorization` header, or in its place: a WebSocket's `connection_init` has one of its own.
///
/// # Errors
/// As [`bearer`] has them.
pub fn credential(value: Option<&str>) -> Result<Presented, Refusal> {
    let Some(value) = value else { return Ok(Presented::Nothing(Nothing(()))) };
    // A scheme ends where its characters do (RFC 9110 §11.1), so that `Bearer,x` is a broken Bearer and no other scheme.
    let end = value.bytes().position(|byte| !is_token(byte)).unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    if scheme.is_empty() {
        return Err(Refusal::MalformedRequest("The Authorization header names no scheme; send Bearer."));
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Presented::Nothing(Nothing(())));
    }
    // RFC 6750 §2.1 and RFC 9110 §11.4: one or more spaces.
    let token = rest.trim_start_matches(' ');
    if token.is_empty() || token.len() == rest.len() {
        return Err(Refusal::MalformedRequest(
            "The Authorization header holds no token after Bearer and a space.",
        ));
    }
    parse(token).map(Presented::Token)
}

/// A character of a scheme's name: `tchar` in RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Takes a token that did not come in a header: a WebSocket's, or one that a person asks about.
///
/// # Errors
/// [`Refusal::MalformedToken`] as [`bearer`] has it.
pub fn parse(token: &str) -> Result<Bearer, Refusal> {
    if token.len() > MAX_TOKEN {
        return Err(Refusal::MalformedToken("The token is longer than 16 KiB."));
    }
    // Counted on the raw text, before anything is allocated: a token may be all dots.
    let mut dots = token.bytes().enumerate().filter(|(_, byte)| *byte == b'.').map(|(at, _)| at);
    let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
        return Err(Refusal::MalformedToken("The token is no JWT: it does not have three parts."));
    };
    if first == 0 || second == first + 1 || second + 1 == token.len() {
        return Err(Refusal::MalformedToken("The token is no JWT: one of its parts is empty."));
    }
    if !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')) {
        return Err(Refusal::MalformedToken("The token is no JWT: its parts are not base64url."));
    }
    Ok(Bearer { token: token.to_owned(), payload: first + 1, signature: second + 1 })
}

impl Bearer {
    /// The header part, in base64url.
    pub fn header(&self) -> &str {
        self.token.get(..self.payload - 1).unwrap_or_default()
    }

    /// The payload part, in base64url.
    pub fn payload(&self) -> &str {
        self.token.get(self.payload..self.signature - 1).unwrap_or_default()
    }

    /// The signature part, in base64url.
    pub fn signature(&self) -> &str {
        self.token.get(self.signature..).unwrap_or_default()
    }

    /// The whole token.
    pub fn whole(&self) -> &[u8] {
        self.token.as_bytes()
    }

    /// What is signed: header and payload with the dot between them (RFC 7515 §5.2).
    pub fn signed(&self) -> &[u8] {
        self.token.as_bytes().get(..self.signature - 1).unwrap_or_default()
    }
}

/// Shows its length only.
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
    fn a_token_is_found_whatever_the_scheme_s_case() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c"] {
            let Ok(Presented::Token(bearer)) = present(&[value], "query=%7Bme%7D") else { panic!("{value}") };
            assert_eq!((bearer.header(), bearer.payload(), bearer.signature()), ("a", "b", "c"));
            assert_eq!(bearer.signed(), b"a.b");
        }
    }

    #[test]
    fn nothing_is_not_the_same_as_something_broken() {
        for absent in [&[][..], &["Basic dTpw"], &["Digest x"]] {
            assert!(matches!(present(absent, ""), Ok(Presented::Nothing(_))), "{absent:?}");
        }
        for (values, query) in [
            (&["Bearer a.b.c", "Bearer a.b.c"][..], ""),
            (&["Basic x", "Bearer a.b.c"], ""),
            (&["Bearer a.b.c"], "access_token=a.b.c"),
            (&[], "a=1&access%5Ftoken=a.b.c"),
            (&["Bearer"], ""),
            (&["Bearer   "], ""),
            (&["Bearer a.b.\u{e9}"], ""),
        ] {
            assert!(
                matches!(present(values, query), Err(Refusal::MalformedRequest(_))),
                "{values:?} {query}"
            );
        }
    }

    #[test]
    fn what_is_no_compact_jwt_is_refused_before_it_is_decoded() {
        let long = format!("a.b.{}", "c".repeat(MAX_TOKEN));
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
