//! Which profile is read, and what only `development` allows.

use super::*;

#[test]
fn a_named_profile_without_a_file_is_the_first_problem() {
    for sources in [
        Sources { profile: Some("nope".into()), ..with(&[("pool.threads", "0")]) },
        Sources { env: vec![owned(("VESTIBULE_PROFILE", "nope"))], ..with(&[("pool.threads", "0")]) },
    ] {
        let found = problems(sources);
        assert_eq!((found[0].key.as_str(), found[1].key.as_str()), ("profile", "pool.threads"));
        assert!(found[0].what.contains("nope.toml"), "{}", found[0].what);
    }
    // The command's default profile needs no file, and neither do `development` and `production`.
    let (_dir, mut sources) = with_file("");
    sources.dir = Some(tempfile::tempdir().unwrap().keep());
    assert!(load(sources.clone()).is_ok());
    sources.profile = Some(PRODUCTION.into());
    assert!(load(sources.clone()).is_ok());
    std::fs::remove_dir(sources.dir.unwrap()).unwrap();
}

#[test]
fn what_may_be_in_an_unread_file_is_not_reported_as_unset() {
    let bare = |sources: Sources| Sources { flags: Vec::new(), ..sources };
    let (_dir, broken) = with_file("[auth0]\nissuer = ");
    let missing = Sources { dir: Some("no/such/folder".into()), ..sources() };
    let unknown = Sources { profile: Some("nope".into()), ..sources() };
    for (sources, key) in [(broken, "production.toml"), (missing, "--config"), (unknown, "profile")] {
        let found = problem(bare(sources));
        assert!(found.key.ends_with(key), "{found}");
    }
}

#[test]
fn a_profile_or_its_file_that_is_misspelt_is_refused() {
    let problem_in = |file: &str, profile: Option<&str>| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(file), "").unwrap();
        let outcome = load(Sources {
            dir: Some(dir.path().to_owned()),
            profile: profile.map(str::to_owned),
            ..with(&[])
        });
        outcome.err().map(|error| (error.problems[0].key.clone(), error.problems[0].fix.clone()))
    };
    for (file, profile) in [
        ("production.toml", Some("prodution")),
        ("production.toml", Some("Production")),
        ("staging.toml", Some("stagin")),
        ("prodution.toml", Some("production")),
        ("prodution.toml", None),
        ("developement.toml", Some("development")),
    ] {
        let (key, fix) = problem_in(file, profile).unwrap();
        assert!(key == "profile" && fix.contains(file), "{file} {profile:?}: {fix}");
    }
    for (file, profile) in [
        ("staging.toml", Some("production")),
        ("production2.toml", None),
        ("notes.txt", None),
        ("staging.toml", None),
    ] {
        assert_eq!(problem_in(file, profile), None, "{file} {profile:?}");
    }
}

#[test]
fn an_unset_issuer_suggests_the_development_profile() {
    let unset = Sources { flags: Vec::new(), ..sources() };
    let fix = |sources| problems(sources).into_iter().find(|found| found.key == "auth0.issuer").unwrap().fix;
    assert!(fix(unset.clone()).contains("`--profile development`"), "{}", fix(unset.clone()));
    let chosen = Sources { profile: Some(PRODUCTION.into()), ..unset };
    assert!(!fix(chosen.clone()).contains("development"), "{}", fix(chosen));
}

#[test]
fn in_development_the_dev_tenant_is_the_issuer_unless_another_is_set() {
    let development = |flags: &[(&str, &str)]| {
        let flags = flags.iter().copied().map(owned).collect();
        load(Sources { flags, default_profile: DEVELOPMENT.into(), ..sources() }).unwrap().auth0.issuer
    };
    let moved = ("tenant.http", "127.0.0.1:4999");
    assert_eq!(development(&[moved]), "http://localhost:4999/");
    let named = "https://team.eu.auth0.com/";
    assert_eq!(development(&[moved, ("auth0.issuer", named)]), named);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("development.toml"), format!("auth0.issuer = \"{named}\"")).unwrap();
    let sources =
        Sources { dir: Some(dir.path().to_owned()), default_profile: DEVELOPMENT.into(), ..with(&[moved]) };
    let without = sources.flags.iter().filter(|(key, _)| key != "auth0.issuer").cloned().collect();
    assert_eq!(load(Sources { flags: without, ..sources }).unwrap().auth0.issuer, named);
}

#[test]
fn commands_with_the_dev_tenant_use_it_as_the_issuer() {
    let mut sources =
        with(&[("tenant.http", "127.0.0.1:4999"), ("auth0.issuer", "https://team.eu.auth0.com/")]);
    sources.default_profile = DEVELOPMENT.to_owned();
    sources.tenant = true;
    assert_eq!(load(sources.clone()).unwrap().auth0.issuer, "http://localhost:4999/");
    sources.flags.push(owned(("public.listen", "127.0.0.1:4999")));
    assert_eq!(problem(sources).key, "tenant.http");
}

#[test]
fn the_profile_comes_from_flag_then_environment_then_command() {
    let mut sources = with_env(&[("VESTIBULE_PROFILE", "staging")]);
    assert_eq!(read(sources.clone()).profile, "staging");
    sources.profile = Some("qa".into());
    assert_eq!(read(sources.clone()).profile, "qa");
    sources.profile = Some("../production".into());
    assert_eq!(problem(sources).key, "profile");
}

#[test]
fn only_the_development_profile_trusts_http_and_this_machine() {
    for issuer in [
        "http://team.eu.auth0.com/",
        "https://localhost/",
        "https://tenant.localhost:4003/",
        "https://127.8.0.1:4003/",
        "https://[::1]:4003/",
        "https://[::ffff:127.0.0.1]/",
        "https://0.0.0.0/",
    ] {
        for profile in ["production", "staging", "developmnet"] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join(format!("{profile}.toml")), "").unwrap();
            let mut sources = with(&[("auth0.issuer", issuer)]);
            (sources.profile, sources.dir) = (Some(profile.into()), Some(dir.path().to_owned()));
            assert_eq!(problem(sources).key, "auth0.issuer", "{issuer} in {profile}");
        }
        let sources = Sources { profile: Some(DEVELOPMENT.into()), ..with(&[("auth0.issuer", issuer)]) };
        assert!(load(sources).is_ok(), "{issuer}");
    }
    assert_eq!(problem(with(&[("auth0.jwks_uri", "http://team.example/keys")])).key, "auth0.jwks_uri");
}
