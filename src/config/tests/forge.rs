//! `[forge]`.

use super::*;

const SIGNING: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

#[test]
fn each_mistake_about_the_forge_is_refused() {
    for (key, value) in [
        ("forge.url", "ssh://gitlab.com"),
        ("forge.url", "http://gitlab.example.com"),
        ("forge.url", "https://127.0.0.1"),
        ("forge.url", "https://user:secret@gitlab.example.com"),
        ("forge.project", "tenant"),
        ("forge.project", "../tenant"),
        ("forge.project", "team/--upload-pack=x"),
        ("forge.project", "team/tenant?x"),
        ("forge.project", "https://gitlab.com/team/tenant"),
        ("forge.folder", "/tenant"),
        ("forge.folder", "a/../../b"),
        ("forge.folder", "a/.git"),
        ("forge.signing_token", "whsec_short"),
        ("forge.signing_token", &SIGNING[6..]),
        ("forge.webhook_token", "guess-me"),
        ("forge.status_url", "javascript:alert(1)"),
        ("forge.ca_file", "/nowhere/ca.pem"),
        ("forge.ci_issuer", "http://gitlab.com"),
        ("targets.staging.branch", "refs/../heads"),
    ] {
        let target = [
            ("targets.staging.domain", "staging.eu.auth0.com"),
            ("targets.staging.client_id", "deployer"),
            ("targets.staging.client_secret", "hush"),
            ("forge.ci_audience", "deployments"),
        ];
        assert_eq!(problem(with(&[&target[..], &[(key, value)]].concat())).key, key, "{value}");
    }
    assert_eq!(problem(with(&[("forge.ci_issuer", "https://gitlab.com")])).key, "forge.ci_audience");
}

#[test]
fn the_secrets_of_the_forge_are_read_and_hidden() {
    let set = [
        ("forge.project", "team/tenant.auth0"),
        ("forge.folder", "auth0/tenant"),
        ("forge.clone_token", "gldt-hush"),
        ("forge.api_token", "glpat-hush"),
        ("forge.signing_token", SIGNING),
        ("forge.webhook_token", "0123456789abcdef-hush"),
    ];
    let config = load(with(&set)).unwrap();
    assert_eq!(config.forge.signing_token.unwrap().expose(), SIGNING);
    for (key, value) in set {
        let shown = entry(with(&set), key).value;
        assert_eq!(shown == value, !key.ends_with("_token"), "{key} shows {shown}");
    }
}
