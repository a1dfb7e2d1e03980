//! The dev tenant's addresses and issuer.

use url::{Host, Url};

use super::is_origin;
use crate::config::{Config, layers::Layers};

pub(super) fn validate(config: &Config, layers: &mut Layers) {
    let tenant = &config.tenant;
    if tenant.data == config.store.path {
        let what = format!("equals {}: two databases in one file", layers.name("store.path"));
        layers.add("tenant.data", what, "give the dev tenant a file of its own");
    }
    for (key, address) in [("tenant.http", Some(tenant.http)), ("tenant.https", tenant.https)] {
        layers.add_if(
            address.is_some_and(|address| !address.ip().to_canonical().is_loopback()),
            key,
            "is not a loopback address: anyone can log in at the dev tenant",
            "use 127.0.0.1 or [::1]",
        );
    }
    let https = tenant.https_address().port();
    let issuer = tenant.issuer.as_ref();
    if let Some(issuer) = issuer.filter(|issuer| !is_issuer(issuer, tenant.http.port(), https)) {
        let what = format!("is not the URL of a listener: `{issuer}`");
        let fix = "use http://localhost:PORT/ with the port of tenant.http, or https:// and the port of tenant.https";
        layers.add("tenant.issuer", what, fix);
    }
    if let Some(origin) = tenant.allow_fetch.iter().find(|origin| !is_origin(origin)) {
        let what = format!("contains `{origin}`, which is not an origin");
        layers.add("tenant.allow_fetch", what, "write origins like \"https://example.com\"");
    }
}

/// Whether an issuer has a loopback name and the port of its scheme's listener. Port 0 of either means the one that is
/// bound.
fn is_issuer(issuer: &str, http: u16, https: u16) -> bool {
    let Ok(url) = Url::parse(issuer) else { return false };
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let port = if url.scheme() == "https" { https } else { http };
    // As a URL parser writes it, byte for byte: tokens carry it.
    let is_plain = is_origin(issuer) && issuer.ends_with('/') && url.as_str() == issuer;
    is_loopback && is_plain && (port == 0 || [Some(0), Some(port)].contains(&url.port_or_known_default()))
}
