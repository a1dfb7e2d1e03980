//! What can not be meant: values that are each well written and together wrong.

mod hosts;
mod sizes;

use std::net::IpAddr;
use std::time::Duration;

use url::{Host, Url};

use super::problem::Diagnostic;
use super::written::Written;
use super::{ClaimsSettings, Config};

/// Auth0 silently drops claims under its own domains.
const RESERVED_NAMESPACES: [&str; 3] = ["auth0.com", "webtask.io", "webtask.run"];

/// Two clocks further apart than this are a fault to repair, not to tolerate.
const MAX_LEEWAY: Duration = Duration::from_secs(60);

/// Younger than they are ever fetched, keys would be too old again and again.
const MIN_KEYS_AGE: Duration = Duration::from_secs(600);

/// How deep the query for the schema is nested that GraphiQL and other tools send (graphql-js's `getIntrospectionQuery`).
const INTROSPECTION_DEPTH: usize = 18;

/// What the configuration is for.
pub(super) struct Setting {
    /// Whether http and localhost issuers may be trusted.
    pub(super) lenient: bool,
    /// Whether the embedded tenant may run, and so hold its port.
    pub(super) with_tenant: bool,
}

/// Adds every contradiction to `problems`. A key that already has a problem is not judged further.
pub(super) fn judge(config: &Config, setting: &Setting, written: &Written, problems: &mut Vec<Diagnostic>) {
    let mut findings = Findings { written, problems };
    issuers(config, setting, &mut findings);
    management_client(config, &mut findings);
    audiences(config, &mut findings);
    doors(config, setting, &mut findings);
    hosts::judge(config, &mut findings);
    graphiql(config, &mut findings);
    claims(config, &mut findings);
    sizes::judge(config, &mut findings);
    local_files(config, &mut findings);
    tenant(config, &mut findings);
    if let Err(error) = tracing_subscriber::EnvFilter::try_new(&config.log.filter) {
        findings.add(
            "log.filter",
            format!("can not be read: {error}"),
            "write it like `info` or `warn,vestibule=debug`",
        );
    }
}

struct Findings<'a> {
    written: &'a Written,
    problems: &'a mut Vec<Diagnostic>,
}

impl Findings<'_> {
    fn add(&mut self, key: &str, what: impl Into<String>, fix: impl Into<String>) {
        if !self.problems.iter().any(|problem| problem.key == key) {
            self.problems.push(Diagnostic::at(self.written, key, what, fix));
        }
    }

    /// A key with where it comes from, for naming it beside another.
    fn name(&self, key: &str) -> String {
        format!("`{key}` ({})", self.written.origin(key))
    }
}

fn issuers(config: &Config, setting: &Setting, findings: &mut Findings<'_>) {
    let main = ("auth0", &config.auth0.issuer, &config.auth0.jwks_uri);
    let also: Vec<String> = (0..config.auth0.also.len()).map(|i| format!("auth0.also.{i}")).collect();
    let also =
        also.iter().zip(&config.auth0.also).map(|(key, more)| (key.as_str(), &more.issuer, &more.jwks_uri));
    let mut seen: Vec<&str> = Vec::new();
    for (section, issuer, jwks_uri) in std::iter::once(main).chain(also) {
        let key = format!("{section}.issuer");
        url(&key, issuer, setting.lenient, findings);
        if !issuer.ends_with('/') {
            findings.add(
                &key,
                "has no final slash",
                "end it with `/`: Auth0's issuers have one, and tokens carry it",
            );
        }
        if seen.contains(&issuer.as_str()) {
            findings.add(&key, "is trusted already", "name each issuer once");
        }
        seen.push(issuer);
        if let Some(jwks_uri) = jwks_uri {
            url(&format!("{section}.jwks_uri"), jwks_uri, setting.lenient, findings);
        }
    }
}

/// An address of a tenant: https, and not this machine, but in development.
fn url(key: &str, text: &str, lenient: bool, findings: &mut Findings<'_>) {
    let url = match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        _ => {
            return findings.add(
                key,
                "is not an http or https URL",
                "write it like \"https://TENANT.eu.auth0.com/\"",
            );
        }
    };
    if url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        findings.add(key, "has a user, a query or a fragment", "leave only scheme, host, port and path");
    } else if lenient {
    } else if url.scheme() == "http" {
        findings.add(
            key,
            "is http: anyone on the way could forge keys",
            "use https, or `--profile development`",
        );
    } else if is_this_machine(&url) {
        findings.add(key, "is this machine", "name the real tenant, or use `--profile development`");
    }
}

fn is_this_machine(url: &Url) -> bool {
    let local = |ip: IpAddr| {
        let ip = ip.to_canonical();
        ip.is_loopback() || ip.is_unspecified()
    };
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(ip)) => local(ip.into()),
        Some(Host::Ipv6(ip)) => local(ip.into()),
        None => true,
    }
}

fn management_client(config: &Config, findings: &mut Findings<'_>) {
    // A secret whose file can not be read is told already, and is why it is missing here.
    if findings.problems.iter().any(|problem| problem.key.starts_with("auth0.client_")) {
        return;
    }
    match (&config.auth0.client_id, &config.auth0.client_secret) {
        (Some(_), None) => findings.add(
            "auth0.client_id",
            "has no secret",
            "set auth0.client_secret_file (or VESTIBULE_AUTH0__CLIENT_SECRET_FILE), or remove the id",
        ),
        (None, Some(_)) => {
            findings.add(
                "auth0.client_secret",
                "has no client id",
                "set auth0.client_id, or remove the secret",
            );
        }
        _ => {}
    }
}

fn audiences(config: &Config, findings: &mut Findings<'_>) {
    let (public, internal) = (&config.public.audience, &config.internal.audience);
    if public == internal {
        let what =
            format!("equals {}: tokens for one door would open the other", findings.name("public.audience"));
        findings.add("internal.audience", what, "give each door an API of its own at Auth0");
    }
    for (key, audience) in [("public.audience", public), ("internal.audience", internal)] {
        if config.auth0.client_id.as_ref() == Some(audience) {
            let what = format!("equals {}: ID tokens would open the door", findings.name("auth0.client_id"));
            findings.add(key, what, "use the identifier of an API, not of an application");
        }
        let issuers = config.auth0.also.iter().map(|also| &also.issuer).chain([&config.auth0.issuer]);
        for issuer in issuers {
            if *audience == format!("{issuer}api/v2/") || *audience == format!("{issuer}userinfo") {
                findings.add(key, "is an API of Auth0's own", "make an API at Auth0 and use its identifier");
            }
        }
    }
}

fn doors(config: &Config, setting: &Setting, findings: &mut Findings<'_>) {
    let mut listeners =
        vec![("public.listen", config.public.listen), ("internal.listen", config.internal.listen)];
    if setting.with_tenant {
        listeners.push(("tenant.http", config.tenant.http));
    }
    for (i, (key, listen)) in listeners.iter().enumerate() {
        let taken =
            listeners.iter().take(i).find(|(_, other)| other.port() == listen.port() && listen.port() != 0);
        if let Some((other, _)) = taken {
            let what = format!("has port {}, as {} has", listen.port(), findings.name(other));
            findings.add(key, what, "give each listener a port of its own");
        }
    }
    if !config.internal.origins.is_empty() {
        findings.add(
            "internal.origins",
            "lets web pages in to the Internal API",
            "remove it: the internal door answers pages of its own origin alone",
        );
    }
    if let Some(origin) = config.public.origins.iter().find(|origin| !is_origin(origin)) {
        findings.add(
            "public.origins",
            format!("holds `{origin}`, which is not an origin"),
            "write each like \"https://app.example.com\": no path, no `*`",
        );
    }
    if !setting.lenient && config.internal.need.is_empty() {
        findings.add(
            "internal.need",
            "is empty: any token for the Internal API would see every user",
            "ask for a permission, such as `need = [\"users:read\"]`",
        );
    }
    if !setting.lenient && config.internal.anonymous {
        findings.add("internal.anonymous", "lets anyone in to every user's data", "set it to false");
    }
    if config.internal.anonymous && !config.internal.need.is_empty() {
        let what = format!("can not be met by anyone: {} is not empty", findings.name("internal.need"));
        findings.add("internal.anonymous", what, "set it to false, or ask for nothing");
    }
    if config.public.anonymous && !config.public.need.is_empty() {
        let what = format!("can not be met by anyone: {} is not empty", findings.name("public.need"));
        findings.add("public.anonymous", what, "set it to false, or ask for nothing");
    }
}

fn graphiql(config: &Config, findings: &mut Findings<'_>) {
    for (name, door) in [("public", &config.public), ("internal", &config.internal)] {
        if door.graphiql && door.introspection && door.limits.depth < INTROSPECTION_DEPTH {
            let what = format!(
                "is too low to ask for the schema, as {} does",
                findings.name(&format!("{name}.graphiql"))
            );
            let fix = format!("set {INTROSPECTION_DEPTH} or more, or {name}.introspection to false");
            findings.add(&format!("{name}.limits.depth"), what, fix);
        }
        let given = door.graphiql_client_id.is_some();
        if given && door.graphiql_client_id == config.auth0.client_id {
            let what =
                format!("equals {}: a machine can not log people in", findings.name("auth0.client_id"));
            let fix = "make a single-page application at Auth0 and use its client id";
            findings.add(&format!("{name}.graphiql_client_id"), what, fix);
        }
    }
}

fn claims(config: &Config, findings: &mut Findings<'_>) {
    let namespace = &config.claims.namespace;
    match Url::parse(namespace) {
        Ok(url) if url.scheme() == "https" && namespace.ends_with('/') => {
            let host = url.host_str().unwrap_or_default();
            let reserved = |domain: &&&str| host == **domain || host.ends_with(&format!(".{domain}"));
            if let Some(domain) = RESERVED_NAMESPACES.iter().find(reserved) {
                findings.add(
                    "claims.namespace",
                    format!("is under {domain}: Auth0 drops such claims"),
                    "use a domain of yours",
                );
            }
        }
        _ => findings.add(
            "claims.namespace",
            "is not an https URL with a final slash",
            "write it like \"https://example.com/\"; it need not answer",
        ),
    }
    if config.claims.algorithms.is_empty() {
        findings.add(
            "claims.algorithms",
            "is empty: no token could be taken",
            "name at least one, such as RS256",
        );
    }
    // What only asymmetric signatures give: a verifier that can not forge. HS and `none` can not be configured.
    let known = ClaimsSettings::ALGORITHMS.map(|(name, _)| name);
    let named = config.claims.algorithms.iter().map(String::as_str);
    let unknown: Vec<&str> = named.filter(|name| !known.contains(name)).collect();
    if !unknown.is_empty() {
        let what = format!("names {}, which can not be taken", unknown.join(", "));
        findings.add("claims.algorithms", what, format!("choose from {}", known.join(", ")));
    }
    if config.claims.keys_max_age < MIN_KEYS_AGE {
        findings.add(
            "claims.keys_max_age",
            "is under 10 minutes, and keys are asked for every 8",
            "leave it out to take the default, or set 10min or more",
        );
    }
    if config.claims.leeway > MAX_LEEWAY {
        findings.add(
            "claims.leeway",
            "is over 60 s",
            "set the machines' clocks, and keep it at a few seconds",
        );
    }
}

fn local_files(config: &Config, findings: &mut Findings<'_>) {
    if config.tenant.data == config.store.path {
        let what = format!("equals {}: two databases in one file", findings.name("store.path"));
        findings.add("tenant.data", what, "give the dev tenant a file of its own");
    }
}

fn tenant(config: &Config, findings: &mut Findings<'_>) {
    if !config.tenant.http.ip().to_canonical().is_loopback() {
        findings.add(
            "tenant.http",
            "is not on loopback: the dev tenant logs anyone in",
            "use 127.0.0.1 or [::1]",
        );
    }
    for origin in &config.tenant.allow_fetch {
        if !is_origin(origin) {
            findings.add(
                "tenant.allow_fetch",
                format!("holds `{origin}`, which is not an origin"),
                "write them like \"https://example.com\"",
            );
        }
    }
}

/// Scheme, host, perhaps a port, and nothing more. A `*` would be a host like any other to the parser.
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
