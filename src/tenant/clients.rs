//! Clients: authentication, registered URLs and origins.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use super::oauth_error::OAuthError;
use super::params::Params;
use crate::bundle::{Bundle, Client};

/// Authenticates the client of a token request: by its secret in the body or in a `Basic` header (RFC 6749 §2.3.1), or,
/// if it is public, by its id alone.
pub(super) fn authenticate<'a>(
    bundle: &'a Bundle,
    params: &Params,
    authorization: Option<&str>,
) -> Result<&'a Client, OAuthError> {
    let (id, secret) = match authorization {
        Some(header) => {
            let (id, secret) = basic(header).ok_or_else(OAuthError::unknown_client)?;
            if params.get("client_secret").is_some()
                || params.get("client_id").is_some_and(|other| other != id)
            {
                return Err(OAuthError::invalid_request("The client authenticates in two ways; use one"));
            }
            (id, Some(secret))
        }
        None => (params.require("client_id")?.to_owned(), params.get("client_secret").map(str::to_owned)),
    };
    let client = find(bundle, &id).ok_or_else(OAuthError::unknown_client)?;
    let is_right = client.client_secret.as_ref().zip(secret).is_some_and(|(expected, given)| {
        verify_slices_are_equal(expected.expose().as_bytes(), given.as_bytes()).is_ok()
    });
    if client.is_public() || is_right { Ok(client) } else { Err(OAuthError::unknown_client()) }
}

/// Finds a client by its id.
pub(super) fn find<'a>(bundle: &'a Bundle, client_id: &str) -> Option<&'a Client> {
    bundle.clients.iter().find(|client| client.client_id == client_id)
}

/// Whether `url` is one of `registered`, byte for byte. A registered loopback URL without a port matches any port (RFC
/// 8252 §7.3), because development servers choose theirs freely. As at Auth0, `*` in the first label of a registered host
/// stands for one label or a part of it.
pub(super) fn is_registered(registered: &[String], url: &str) -> bool {
    let portless = without_port(url);
    let is =
        |known: &String| known == url || matches_wildcard(known, url) || portless.as_ref() == Some(known);
    registered.iter().any(is)
}

fn matches_wildcard(known: &str, url: &str) -> bool {
    let Some((start, end)) = known.split_once('*') else { return false };
    let label = start.strip_prefix("https://").or_else(|| start.strip_prefix("http://"));
    let is_label = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let (rest, domain) = end.split_once('.').unwrap_or_default();
    let is_in_first_label =
        label.is_some_and(is_label) && is_label(rest) && !domain.is_empty() && !domain.contains('*');
    let middle = url.strip_prefix(start).and_then(|url| url.strip_suffix(end));
    is_in_first_label && middle.is_some_and(|middle| !middle.is_empty() && is_label(middle))
}

/// Whether a browser at `origin` may read responses: the client lists it, or a callback has it.
pub(super) fn is_origin(client: &Client, origin: &str) -> bool {
    let plain = |url: &String| url::Url::parse(url).ok().map(|url| url.origin().ascii_serialization());
    let lists = [&client.web_origins, &client.allowed_origins, &client.callbacks];
    let known: Vec<String> =
        lists.into_iter().flatten().filter_map(plain).filter(|known| known != "null").collect();
    is_registered(&known, origin)
}

/// A loopback URL without its port; `None` when it has no port or is not loopback.
fn without_port(url: &str) -> Option<String> {
    let rest = url.strip_prefix("http://")?;
    let (authority, path) = rest.split_at_checked(rest.find(['/', '?', '#']).unwrap_or(rest.len()))?;
    let (host, port) = authority.rsplit_once(':')?;
    let is_port = port.parse::<u16>().is_ok_and(|number| number > 0) && !port.starts_with('+');
    let is_loopback = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    (is_port && is_loopback).then(|| format!("http://{host}{path}"))
}

fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let plain = |text: &str| percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned);
    scheme.eq_ignore_ascii_case("basic").then_some((plain(id)?, plain(secret)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle() -> Bundle {
        let clients = serde_json::json!([
            {"client_id": "m", "name": "M", "client_secret": "s:e%cret", "app_type": "non_interactive"},
            {"client_id": "spa", "name": "S", "app_type": "spa", "callbacks": ["http://localhost/cb", "com.app://cb"],
                "web_origins": ["https://app.example"]},
            {"client_id": "exported", "name": "E", "app_type": "regular_web"},
        ]);
        Bundle { clients: serde_json::from_value(clients).unwrap(), ..Bundle::default() }
    }

    #[test]
    fn a_client_authenticates_by_its_secret_in_one_place() {
        let bundle = bundle();
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let authenticate_with = |form: &str, header: Option<&str>| {
            let params = Params::from_form(form.as_bytes()).unwrap();
            authenticate(&bundle, &params, header).map(|c| c.client_id.as_str()).map_err(|r| r.status)
        };
        assert_eq!(authenticate_with("client_id=m&client_secret=s:e%25cret", None), Ok("m"));
        assert_eq!(authenticate_with("", Some(&basic("m:s%3Ae%25cret"))), Ok("m"));
        assert_eq!(authenticate_with("client_id=m", Some(&basic("m:s%3Ae%25cret"))), Ok("m"));
        assert_eq!(authenticate_with("client_id=spa", None), Ok("spa"));
        for (form, header, status) in [
            ("client_id=m", None, 401),
            ("client_id=m&client_secret=wrong", None, 401),
            ("client_id=unknown&client_secret=x", None, 401),
            ("client_id=exported", None, 401),
            ("", Some(basic("m:wrong")), 401),
            ("", Some("Basic !".to_owned()), 401),
            ("", Some("Bearer x".to_owned()), 401),
            ("", None, 400),
            ("client_secret=x", Some(basic("m:x")), 400),
            ("client_id=spa", Some(basic("m:x")), 400),
        ] {
            assert_eq!(authenticate_with(form, header.as_deref()), Err(status), "{form} {header:?}");
        }
    }

    #[test]
    fn callbacks_match_exactly_except_for_the_port_of_a_portless_loopback_url() {
        let registered =
            ["http://localhost/cb", "http://127.0.0.1", "http://127.0.0.1:3000/x", "https://app/cb"]
                .map(str::to_owned);
        for good in
            ["http://localhost/cb", "http://localhost:5173/cb", "http://127.0.0.1:1", "https://app/cb"]
        {
            assert!(is_registered(&registered, good), "{good}");
        }
        for bad in [
            "http://localhost:5173/cb/",
            "http://localhost:5173/CB",
            "http://localhost:5173",
            "https://localhost:1/cb",
            "http://127.0.0.1:3001/x",
            "http://127.0.0.1:0",
            "http://127.0.0.1:99999",
            "http://127.0.0.1:",
            "http://evil@localhost:1/cb",
            "http://localhost:1@evil/cb",
            "http://localhost.evil:1/cb",
            "https://app:1/cb",
            "http://localhost:5173/cb?x",
            "http://localhost:+1/cb",
        ] {
            assert!(!is_registered(&registered, bad), "{bad}");
        }
    }

    #[test]
    fn a_wildcard_stands_for_one_label_of_the_host() {
        let registered = [
            "https://*.preview.example/cb",
            "http://*.localhost:3000",
            "https://pr-*.x.io/*",
            "https://a.*.io",
            "https://*",
        ]
        .map(str::to_owned);
        for good in ["https://pr-12.preview.example/cb", "http://a.localhost:3000"] {
            assert!(is_registered(&registered, good), "{good}");
        }
        for bad in [
            "https://.preview.example/cb",
            "https://a.b.preview.example/cb",
            "https://evil/.preview.example/cb",
            "https://evil?.preview.example/cb",
            "https://u@a.preview.example/cb",
            "http://a.preview.example/cb",
            "https://pr-1.x.io/x",
            "https://a.b.io",
            "https://evil",
        ] {
            assert!(!is_registered(&registered, bad), "{bad}");
        }
        let client = serde_json::json!({"name": "S", "web_origins": ["https://*.preview.example"]});
        let client: Client = serde_json::from_value(client).unwrap();
        assert!(
            is_origin(&client, "https://a.preview.example") && !is_origin(&client, "https://preview.example")
        );
    }

    #[test]
    fn only_listed_origins_and_those_of_callbacks_may_read_responses() {
        let bundle = bundle();
        let spa = find(&bundle, "spa").unwrap();
        for (origin, expected) in [
            ("http://localhost:5173", true),
            ("https://app.example", true),
            ("http://localhost", true),
            ("https://app.example.evil", false),
            ("http://app.example", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(is_origin(spa, origin), expected, "{origin}");
        }
    }
}
