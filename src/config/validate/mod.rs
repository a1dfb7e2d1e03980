//! Contradictions: values that are each valid and together wrong, or unsafe for the profile.

mod issuers;
mod doors;
mod limits;
mod tenant;
mod targets;
mod forge;

use std::time::Duration;

use url::Url;

use super::layers::{Layers, Origin};
use super::{ClaimsSettings, Config};

/// Auth0 silently drops claims under its own domains.
const RESERVED_NAMESPACES: [&str; 3] = ["auth0.com", "webtask.io", "webtask.run"];

/// A larger difference between clocks should be fixed, not tolerated.
const MAX_LEEWAY: Duration = Duration::from_secs(60);

/// Keys are fetched every 8 minutes; with a lower maximum they would be too old between two fetches.
const MIN_KEYS_AGE: Duration = Duration::from_secs(600);

/// What the profile and the command allow.
pub(super) struct Rules {
    /// Whether http and localhost issuers may be trusted.
    pub(super) lenient: bool,
    /// Whether the dev tenant may run, and so use its port.
    pub(super) with_tenant: bool,
}

/// Reports every contradiction. A key that already has a diagnostic gets no second one.
pub(super) fn validate(config: &Config, rules: &Rules, layers: &mut Layers) {
    issuers::validate(config, rules, layers);
    doors::validate(config, rules, layers);
    claims(config, layers);
    limits::validate(config, layers);
    tenant::validate(config, layers);
    targets::validate(config, rules, layers);
    forge::validate(config, rules, layers);
    if let Err(error) = tracing_subscriber::EnvFilter::try_new(&config.log.filter) {
        let what = format!("cannot be read: {error}");
        layers.add("log.filter", what, "write it like `info` or `warn,vestibule=debug`");
    }
}

/// Reports values that were copied from an example and never replaced. Never shows the value: it may be half a secret.
pub(super) fn placeholders(layers: &mut Layers) {
    let is_placeholder = |text: &str| {
        text.contains('…') || text.contains("://TENANT.") || text.contains("YOUR-") || text.contains("YOUR_")
    };
    let set = layers.settings.iter().filter(|(_, setting)| setting.origin != Origin::Default);
    let found = set.filter(|(_, setting)| setting.value.as_str().is_some_and(is_placeholder));
    for key in found.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
        layers.diagnostics.retain(|diagnostic| diagnostic.key != key);
        layers.add(&key, "is the placeholder of an example", "replace it with your own value");
    }
}

fn claims(config: &Config, layers: &mut Layers) {
    let claims = &config.claims;
    match Url::parse(&claims.namespace) {
        Ok(url) if url.scheme() == "https" && claims.namespace.ends_with('/') => {
            let host = url.host_str().unwrap_or_default();
            let reserved = |domain: &&&str| host == **domain || host.ends_with(&format!(".{domain}"));
            if let Some(domain) = RESERVED_NAMESPACES.iter().find(reserved) {
                let what = format!("is under {domain}: Auth0 drops such claims");
                layers.add("claims.namespace", what, "use a domain of your own");
            }
        }
        _ => layers.add(
            "claims.namespace",
            "is not an https URL with a final slash",
            "write it like \"https://example.com/\"; nothing has to be served there",
        ),
    }
    let fix = "list at least one, such as RS256";
    layers.add_if(claims.algorithms.is_empty(), "claims.algorithms", "is empty: no token is valid", fix);
    // Asymmetric signatures only: the keys that verify them cannot forge tokens.
    let known = ClaimsSettings::ALGORITHMS.map(|(name, _)| name);
    let named = claims.algorithms.iter().map(String::as_str);
    let unknown: Vec<&str> = named.filter(|name| !known.contains(name)).collect();
    if !unknown.is_empty() {
        let what = format!("names {}, which is not supported", unknown.join(", "));
        layers.add("claims.algorithms", what, format!("choose from {}", known.join(", ")));
    }
    layers.add_if(
        claims.keys_max_age < MIN_KEYS_AGE,
        "claims.keys_max_age",
        "is under 10 minutes, and keys are fetched every 8",
        "remove it to use the default, or set 10min or more",
    );
    let fix = "synchronise the machines' clocks, and keep it at a few seconds";
    layers.add_if(claims.leeway > MAX_LEEWAY, "claims.leeway", "is over 60 s", fix);
}

/// Scheme, host, perhaps a port, and nothing more. The parser accepts `*` as a host name; this does not.
fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        !text.contains('*')
            && matches!(url.scheme(), "http" | "https")
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    })
}
