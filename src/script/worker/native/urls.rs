//! URLs and forms as the WHATWG's URL Standard has them.

use rquickjs::Object;
use rquickjs::function::Func;
use url::{Url, form_urlencoded, quirks};

pub(super) fn define(native: &Object<'_>) -> rquickjs::Result<()> {
    native.set("url", Func::from(parse))?;
    native.set("setUrl", Func::from(set))?;
    native.set("domain", Func::from(domain))?;
    native.set("parseForm", Func::from(parse_form))?;
    native.set("form", Func::from(form))
}

/// The parts of a URL, as JSON; `None` when it is not one.
fn parse(text: String, base: Option<String>) -> Option<String> {
    let url = match base {
        Some(base) => Url::parse(&base).ok()?.join(&text).ok()?,
        None => Url::parse(&text).ok()?,
    };
    Some(parts(&url))
}

/// The parts of the URL `href` after `part` is set to `value`. What the standard refuses changes nothing, but an invalid
/// `href` is `None`.
fn set(href: String, part: String, value: String) -> Option<String> {
    let mut url = Url::parse(&href).ok()?;
    let url = &mut url;
    // An invalid value is ignored, as the standard asks.
    let _ignored = match part.as_str() {
        "href" => return Url::parse(&value).ok().map(|url| parts(&url)),
        "protocol" => quirks::set_protocol(url, &value),
        "username" => quirks::set_username(url, &value),
        "password" => quirks::set_password(url, &value),
        "host" => quirks::set_host(url, &value),
        "hostname" => quirks::set_hostname(url, &value),
        "port" => quirks::set_port(url, &value),
        "pathname" => {
            quirks::set_pathname(url, &value);
            Ok(())
        }
        "search" => {
            quirks::set_search(url, &value);
            Ok(())
        }
        _ => {
            quirks::set_hash(url, &value);
            Ok(())
        }
    };
    Some(parts(url))
}

fn parts(url: &Url) -> String {
    serde_json::json!({
        "href": quirks::href(url), "origin": quirks::origin(url), "protocol": quirks::protocol(url),
        "username": quirks::username(url), "password": quirks::password(url), "host": quirks::host(url),
        "hostname": quirks::hostname(url), "port": quirks::port(url), "pathname": quirks::pathname(url),
        "search": quirks::search(url), "hash": quirks::hash(url),
    })
    .to_string()
}

/// A domain in ASCII or, if `unicode`, as people read it; empty when it is not valid.
fn domain(name: String, unicode: bool) -> String {
    if unicode { quirks::domain_to_unicode(&name) } else { quirks::domain_to_ascii(&name) }
}

/// The pairs of `application/x-www-form-urlencoded`, as JSON.
fn parse_form(text: String) -> String {
    let pairs: Vec<_> = form_urlencoded::parse(text.as_bytes()).collect();
    serde_json::json!(pairs).to_string()
}

/// Pairs, given as JSON, as `application/x-www-form-urlencoded`.
fn form(pairs: String) -> String {
    let pairs: Vec<(String, String)> = serde_json::from_str(&pairs).unwrap_or_default();
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}
