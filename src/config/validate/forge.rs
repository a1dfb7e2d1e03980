//! The forge: its addresses, its secrets, and the issuer of CI ID tokens.

use super::{Layers, Rules, issuers};
use crate::config::{Config, ForgeSettings};

/// The shortest webhook token outside development.
const WEBHOOK_TOKEN_MIN: usize = 16;

pub(super) fn validate(config: &Config, rules: &Rules, layers: &mut Layers) {
    let forge = &config.forge;
    issuers::url("forge.url", &forge.url, rules.lenient, layers);
    let wrong = forge.project.as_ref().is_some_and(|project| !ForgeSettings::is_project(project));
    let fix = "write it like \"team/tenant\", as in the address of its page";
    layers.add_if(wrong, "forge.project", "is not the path of a project", fix);
    let wrong = forge.folder.as_ref().is_some_and(|folder| !ForgeSettings::is_folder(folder));
    let fix = "write it like \"auth0/tenant\", without slashes at its ends";
    layers.add_if(wrong, "forge.folder", "is not a folder in a repository", fix);
    let wrong = !forge.has_valid_signing_token();
    let fix = "copy the signing token whole from the webhook's page; it begins with whsec_";
    layers.add_if(wrong, "forge.signing_token", "is not a signing token of GitLab", fix);
    let is_short = |token: &crate::telemetry::Secret| token.expose().len() < WEBHOOK_TOKEN_MIN;
    layers.add_if(
        !rules.lenient && forge.webhook_token.as_ref().is_some_and(is_short),
        "forge.webhook_token",
        "is under 16 characters: it could be guessed",
        "generate one: openssl rand -hex 32",
    );
    if let Some(url) = &forge.status_url {
        let wrong = !url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        layers.add_if(
            wrong,
            "forge.status_url",
            "is not an http or https URL",
            "write it like \"https://ops.example.com/\"",
        );
    }
    issuers::ca_file("forge.ca_file", forge.ca_file.as_deref(), layers);
    for (name, target) in &config.targets {
        let wrong = target.branch.as_ref().is_some_and(|branch| !ForgeSettings::is_branch(branch));
        let key = format!("targets.{name}.branch");
        layers.add_if(wrong, &key, "is not the name of a branch", "write it like \"staging\"");
    }
    ci(config, rules, layers);
}

fn ci(config: &Config, rules: &Rules, layers: &mut Layers) {
    let Some(issuer) = &config.forge.ci_issuer else { return };
    issuers::url("forge.ci_issuer", issuer, rules.lenient, layers);
    let fix = "use the forge's own: its jobs are not the tenant's clients";
    let is_tenant = config
        .auth0
        .also
        .iter()
        .map(|also| &also.issuer)
        .chain([&config.auth0.issuer])
        .any(|own| own == issuer);
    layers.add_if(is_tenant, "forge.ci_issuer", "is an issuer of the doors", fix);
    match &config.forge.ci_audience {
        None => layers.add(
            "forge.ci_audience",
            "is not set",
            "choose one, such as \"https://vestibule.example.com/deployments\"",
        ),
        Some(audience) => {
            let wrong = [&config.public.audience, &config.internal.audience].contains(&audience);
            layers.add_if(wrong, "forge.ci_audience", "is a door's audience", "choose one of its own");
        }
    }
}
