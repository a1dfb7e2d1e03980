//! The tenants to deploy to.

use super::{Layers, Rules, issuers};
use crate::config::Config;

pub(super) fn validate(config: &Config, rules: &Rules, layers: &mut Layers) {
    let is_char = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let mut seen: Vec<String> = Vec::new();
    for (name, target) in &config.targets {
        let key = |member: &str| format!("targets.{name}.{member}");
        let fix = "name it with lower-case letters, digits, - and _, such as [targets.staging]";
        layers.add_if(!name.chars().all(is_char), &key("domain"), "is of a target with an invalid name", fix);
        let url = target.url();
        if target.domain.is_empty() {
            layers.add(
                &key("domain"),
                "is not set",
                "set it to the tenant's domain, such as \"staging.eu.auth0.com\"",
            );
        } else {
            issuers::url(&key("domain"), &url, rules.lenient, layers);
            let has_path = url::Url::parse(&url).is_ok_and(|url| url.path() != "/");
            layers.add_if(has_path, &key("domain"), "has a path", "keep only the host");
        }
        let fix = "deploy to each tenant as one target";
        layers.add_if(seen.contains(&url), &key("domain"), "is the domain of another target", fix);
        seen.push(url);
        let is_reported =
            |key: &str| layers.diagnostics.iter().any(|diagnostic| diagnostic.key.starts_with(key));
        let no_secret = target.client_secret.is_none() && !is_reported(&key("client_secret"));
        let fix =
            "set client_id and client_secret_file of a machine client that is granted the Management API";
        layers.add_if(target.client_id.is_none(), &key("client_id"), "is not set", fix);
        layers.add_if(no_secret, &key("client_secret"), "is not set", fix);
        issuers::ca_file(&key("ca_file"), target.ca_file.as_deref(), layers);
    }
}
