//! Issuers, and the client of the Management API.

use std::net::IpAddr;
use std::path::Path;

use url::{Host, Url};

use super::{Layers, Rules};
use crate::config::Config;

pub(super) fn validate(config: &Config, rules: &Rules, layers: &mut Layers) {
    let auth0 = &config.auth0;
    let also = auth0.also.iter().enumerate();
    let also = also.map(|(i, more)| (format!("auth0.also.{i}"), &more.issuer, &more.jwks_uri));
    let main = ("auth0".to_owned(), &auth0.issuer, &auth0.jwks_uri);
    let mut seen: Vec<&str> = Vec::new();
    for (section, issuer, jwks_uri) in std::iter::once(main).chain(also) {
        let key = format!("{section}.issuer");
        url(&key, issuer, rules.lenient, layers);
        let fix = "end it with `/`: Auth0's issuers do, and so do the `iss` of its tokens";
        layers.add_if(!issuer.ends_with('/'), &key, "has no final slash", fix);
        layers.add_if(seen.contains(&issuer.as_str()), &key, "is a duplicate", "list each issuer once");
        seen.push(issuer);
        if let Some(jwks_uri) = jwks_uri {
            url(&format!("{section}.jwks_uri"), jwks_uri, rules.lenient, layers);
        }
    }
    ca_file("auth0.ca_file", auth0.ca_file.as_deref(), layers);
    management_client(config, layers);
}

/// A file of certificate authorities must be readable.
pub(super) fn ca_file(key: &str, path: Option<&Path>, layers: &mut Layers) {
    if let Some(path) = path
        && let Err(error) = std::fs::File::open(path)
    {
        let what = format!("is {}, which cannot be opened: {error}", path.display());
        layers.add(key, what, "give the path of a PEM file that this user can read");
    }
}

/// A tenant's or forge's URL: outside development it must be https, and not this machine.
pub(super) fn url(key: &str, text: &str, lenient: bool, layers: &mut Layers) {
    let url = match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        _ => {
            let fix = "write it like \"https://TENANT.eu.auth0.com/\"";
            return layers.add(key, "is not an http or https URL", fix);
        }
    };
    let has_user = !url.username().is_empty() || url.password().is_some();
    if has_user || url.query().is_some() || url.fragment().is_some() {
        let fix = "keep only the scheme, host, port and path";
        layers.add(key, "has a user, a query or a fragment", fix);
    } else if lenient {
    } else if url.scheme() == "http" {
        let fix = "use https, or `--profile development`";
        layers.add(key, "is http: anyone on the network could forge keys", fix);
    } else if is_this_machine(&url) {
        let fix = "set the real tenant, or use `--profile development`";
        layers.add(key, "is this machine", fix);
    }
}

fn is_this_machine(url: &Url) -> bool {
    let is_local = |ip: IpAddr| {
        let ip = ip.to_canonical();
        ip.is_loopback() || ip.is_unspecified()
    };
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(ip)) => is_local(ip.into()),
        Some(Host::Ipv6(ip)) => is_local(ip.into()),
        None => true,
    }
}

fn management_client(config: &Config, layers: &mut Layers) {
    // A secret file that cannot be read already has a diagnostic, and is why the secret is missing here.
    if layers.diagnostics.iter().any(|diagnostic| diagnostic.key.starts_with("auth0.client_")) {
        return;
    }
    let (id, secret) = (config.auth0.client_id.is_some(), config.auth0.client_secret.is_some());
    let fix = "set auth0.client_secret_file (or VESTIBULE_AUTH0__CLIENT_SECRET_FILE), or remove the id";
    layers.add_if(id && !secret, "auth0.client_id", "has no secret", fix);
    let fix = "set auth0.client_id, or remove the secret";
    layers.add_if(secret && !id, "auth0.client_secret", "has no client id", fix);
}
