//! `[targets.NAME]`: what is required, what production refuses, and that keywords of each layer win in order.

use serde_json::json;

use super::*;

const STAGING: [(&str, &str); 3] = [
    ("targets.staging.domain", "staging.eu.auth0.com"),
    ("targets.staging.client_id", "abc"),
    ("targets.staging.client_secret", "hush"),
];

fn staging(change: &[(&str, &str)]) -> Sources {
    with(&[&STAGING, change].concat())
}

#[test]
fn a_target_is_its_domain_and_a_client() {
    let target = load(staging(&[("targets.staging.branch", "staging")])).unwrap().targets["staging"].clone();
    assert_eq!(target.url(), "https://staging.eu.auth0.com/");
    assert_eq!((target.client_id.as_deref(), target.branch.as_deref()), (Some("abc"), Some("staging")));
    assert_eq!(entry(staging(&[]), "targets.staging.client_secret").value, "••••");
    let keys = |sources| problems(sources).into_iter().map(|problem| problem.key).collect::<Vec<_>>();
    let members = ["client_id", "client_secret", "domain"].map(|member| format!("targets.staging.{member}"));
    let mut missing = keys(with(&[("targets.staging.branch", "x")]));
    missing.sort();
    assert_eq!(missing, members);
}

#[test]
fn a_secret_of_a_target_comes_from_a_file_too() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, "from a file\n").unwrap();
    let with_file = || {
        let file = [("VESTIBULE_TARGETS__STAGING__CLIENT_SECRET_FILE", path.to_str().unwrap())];
        Sources {
            flags: sources().flags.into_iter().chain(STAGING[..2].iter().copied().map(owned)).collect(),
            ..with_env(&file)
        }
    };
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(problem(with_file()).key, "targets.staging.client_secret_file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let target = load(with_file()).unwrap().targets["staging"].clone();
    assert_eq!(target.client_secret.unwrap().expose(), "from a file");
}

#[test]
fn a_keyword_comes_from_a_file_too() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keyword");
    std::fs::write(&path, "from a file\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let path = path.to_str().unwrap();
    let mut sources = staging(&[("targets.staging.keywords.url_file", path)]);
    sources.env = [owned(("VESTIBULE_TARGETS__STAGING__KEYWORDS__API_KEY_FILE", path))].into();
    let keywords = load(sources).unwrap().targets["staging"].keywords.clone();
    assert_eq!(
        serde_json::to_value(keywords).unwrap(),
        json!({"API_KEY": "from a file", "url": "from a file"})
    );
}

#[test]
fn only_development_deploys_over_http_or_to_this_machine() {
    for domain in
        ["http://staging.eu.auth0.com/", "http://127.0.0.1:4002/", "localhost:4003", "https://[::1]/"]
    {
        let sources = staging(&[("targets.staging.domain", domain)]);
        assert_eq!(problem(sources.clone()).key, "targets.staging.domain", "{domain}");
        let lenient = Sources { default_profile: DEVELOPMENT.to_owned(), ..sources };
        assert!(load(lenient).is_ok(), "{domain}");
    }
    for domain in ["https://a:b@staging.eu.auth0.com/", "staging.eu.auth0.com/api", "no domain"] {
        assert_eq!(
            problem(staging(&[("targets.staging.domain", domain)])).key,
            "targets.staging.domain",
            "{domain}"
        );
    }
    let twice = staging(&[
        ("targets.other.domain", "https://staging.eu.auth0.com"),
        ("targets.other.client_id", "abc"),
        ("targets.other.client_secret", "hush"),
    ]);
    assert!(problem(twice).what.contains("another target"));
    let name = staging(&[]).flags.into_iter().map(|(key, value)| (key.replace("staging", "Staging"), value));
    assert!(problem(Sources { flags: name.collect(), ..sources() }).what.contains("invalid name"));
}

#[test]
fn keywords_of_a_target_keep_their_case_and_the_later_layer_wins() {
    let mut sources = staging(&[("targets.staging.keywords.Name", "flag")]);
    sources.env = [
        ("VESTIBULE_TARGETS__STAGING__KEYWORDS__Name", "environment"),
        ("VESTIBULE_TARGETS__STAGING__KEYWORDS__LIST", "[\"a\", 1]"),
        ("VESTIBULE_TARGETS__STAGING__KEYWORDS__API_KEY", "hush"),
    ]
    .map(owned)
    .to_vec();
    let keywords = load(sources.clone()).unwrap().targets["staging"].keywords.clone();
    assert_eq!(
        serde_json::to_value(keywords).unwrap(),
        json!({"API_KEY": "hush", "LIST": ["a", 1], "Name": "flag"})
    );
    assert_eq!(entry(sources, "targets.staging.keywords.API_KEY").value, "••••");
    assert_eq!(variable("targets.staging.keywords.Api_Key"), "VESTIBULE_TARGETS__STAGING__KEYWORDS__Api_Key");
}
