//! Commits, read over git's smart HTTP from a real repository.

use tokio::runtime::Runtime;
use vestibule::deploy::forge::{
    self, Checkout, CommitState, CommitStatus, ForgeError, ForgeKind, ForgeSettings, Reporter,
};
use vestibule::telemetry::Secret;

use crate::forge_stub::{API_TOKEN, CLONE_TOKEN, ForgeStub, PROJECT, git};

fn settings(forge: &ForgeStub, folder: Option<&str>) -> ForgeSettings {
    ForgeSettings {
        kind: ForgeKind::Gitlab,
        url: forge.url.clone(),
        project: Some(PROJECT.to_owned()),
        folder: folder.map(str::to_owned),
        clone_user: Some("deployer".to_owned()),
        clone_token: Some(Secret::new(CLONE_TOKEN)),
        api_token: None,
        signing_token: None,
        webhook_token: None,
        ca_file: None,
        status_url: None,
        ci_issuer: None,
        ci_audience: None,
    }
}

fn read(settings: &ForgeSettings, commit: &str) -> Result<Checkout, ForgeError> {
    let commit = commit.parse().unwrap();
    Runtime::new().unwrap().block_on(forge::checkout(settings, commit))
}

fn files(checkout: &Checkout) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![checkout.bundle()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => {
                    found.push(entry.path().strip_prefix(checkout.bundle()).unwrap().display().to_string())
                }
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_bundle_is_read_at_its_commit_and_not_at_the_tip_of_the_branch() {
    let forge = ForgeStub::start();
    let first =
        forge.commit(&[("README.md", "no bundle"), ("auth0/tenant.json", "{}"), ("auth0/rules/a.js", "1")]);
    let second = forge.commit(&[("auth0/rules/a.js", "2"), ("auth0/rules/b.js", "2")]);
    forge.push("staging");
    let old = read(&settings(&forge, Some("auth0")), &first).unwrap();
    assert_eq!(files(&old), ["rules/a.js", "tenant.json"]);
    assert_eq!(std::fs::read_to_string(old.bundle().join("rules/a.js")).unwrap(), "1");
    let new = read(&settings(&forge, Some("auth0")), &second).unwrap();
    assert_eq!(std::fs::read_to_string(new.bundle().join("rules/a.js")).unwrap(), "2");
    let whole = read(&settings(&forge, None), &second).unwrap();
    assert_eq!(files(&whole), ["README.md", "auth0/rules/a.js", "auth0/rules/b.js", "auth0/tenant.json"]);
    let folder = old.bundle();
    drop(old);
    assert!(!folder.exists(), "the folder is removed");

    let history =
        Runtime::new().unwrap().block_on(forge::history(&settings(&forge, None), "staging")).unwrap();
    assert!(history.is_older(&first, &second) && !history.is_older(&second, &first));
    let branch = |name: &str| Runtime::new().unwrap().block_on(forge::history(&settings(&forge, None), name));
    assert!(matches!(branch("production"), Err(ForgeError::Git { .. })));
}

#[test]
fn links_submodules_and_what_is_too_large_are_refused() {
    let forge = ForgeStub::start();
    let clone = forge.clone_folder();
    let refusal = |commit: &str| read(&settings(&forge, Some("auth0")), commit).unwrap_err().to_string();
    forge.commit(&[("auth0/a.json", "{}")]);
    std::os::unix::fs::symlink("/etc/passwd", clone.join("auth0/passwd.js")).unwrap();
    let link = forge.commit(&[]);
    std::fs::remove_file(clone.join("auth0/passwd.js")).unwrap();
    let id = git(&clone, &["rev-parse", "HEAD"]);
    git(&clone, &["rm", "--quiet", "--cached", "auth0/passwd.js"]);
    git(&clone, &["update-index", "--add", "--cacheinfo", &format!("160000,{id},auth0/module")]);
    git(&clone, &["commit", "--quiet", "--message=A submodule"]);
    let module = git(&clone, &["rev-parse", "HEAD"]);
    git(&clone, &["rm", "--quiet", "--cached", "auth0/module"]);
    let large = forge.commit(&[("auth0/large.js", &"x".repeat(1024 * 1024 + 1))]);
    std::fs::remove_file(clone.join("auth0/large.js")).unwrap();
    let many: Vec<(String, String)> = (0..2001).map(|n| (format!("auth0/{n}"), n.to_string())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let many = forge.commit(&many);
    forge.push("staging");
    for (commit, what) in
        [(link, "symbolic link"), (module, "submodule"), (large, "over 1 MiB"), (many, "2,000 files")]
    {
        let refusal = refusal(&commit);
        assert!(refusal.contains(what), "{refusal}");
    }
    let outside = read(&settings(&forge, Some("auth1")), &git(&clone, &["rev-parse", "HEAD"]));
    assert!(matches!(outside, Err(ForgeError::NoFolder(_))));
}

#[test]
fn a_wrong_token_a_redirect_and_an_unknown_commit_read_nothing() {
    let forge = ForgeStub::start();
    let commit = forge.commit(&[("tenant.json", "{}")]);
    forge.push("staging");
    let wrong = ForgeSettings { clone_token: Some(Secret::new("glpat-wrong")), ..settings(&forge, None) };
    let error = read(&wrong, &commit).unwrap_err();
    assert!(matches!(error, ForgeError::Git { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("glpat-wrong"), "{error:?}");
    assert!(matches!(read(&settings(&forge, None), &"a".repeat(40)), Err(ForgeError::Git { .. })));
    let elsewhere = ForgeStub::start();
    forge.redirect_to(&elsewhere.url);
    assert!(matches!(read(&settings(&forge, None), &commit), Err(ForgeError::Git { .. })));
    assert_eq!(elsewhere.reads(), [""; 0], "the redirect is not followed");
}

#[test]
fn hooks_filters_and_aliases_of_a_repository_start_nothing() {
    let forge = ForgeStub::start();
    let marker = forge.clone_folder().join("started");
    let attributes = "*.js filter=evil diff=evil\n";
    let commit = forge.commit(&[("rules/a.js", "1"), (".gitattributes", attributes)]);
    forge.push("staging");
    let checkout = read(&settings(&forge, None), &commit).unwrap();
    assert_eq!(files(&checkout), [".gitattributes", "rules/a.js"]);
    // The same from a checkout whose own configuration runs programs.
    let clone = forge.clone_folder();
    let touch = format!("touch {}", marker.display());
    for key in [
        "core.fsmonitor",
        "filter.evil.smudge",
        "core.pager",
        "alias.status",
        "core.sshCommand",
        "credential.helper",
    ] {
        git(&clone, &["config", key, &format!("!{touch}")]);
    }
    std::fs::create_dir_all(clone.join(".git/hooks")).unwrap();
    let local = Runtime::new().unwrap().block_on(forge::local(&clone, None)).unwrap();
    assert_eq!((files(&local), local.commit.as_str()), (files(&checkout), commit.as_str()));
    assert!(!marker.exists());
    std::fs::write(clone.join("rules/a.js"), "2").unwrap();
    let changed = Runtime::new().unwrap().block_on(forge::local(&clone, Some("rules")));
    assert!(matches!(changed, Err(ForgeError::Uncommitted(_))), "{changed:?}");
}

#[test]
fn statuses_reach_the_commit() {
    let forge = ForgeStub::start();
    let api_token = Some(Secret::new(API_TOKEN));
    let settings = ForgeSettings { api_token, ..settings(&forge, None) };
    let reporter = Reporter::new(&settings).unwrap().unwrap();
    let commit = "a".repeat(40);
    let status = |state| CommitStatus {
        commit: commit.parse().unwrap(),
        target: "staging".to_owned(),
        state,
        description: "3 changes".to_owned(),
    };
    reporter.send(&status(CommitState::Running)).unwrap();
    forge.fail_statuses(1);
    let error = reporter.send(&status(CommitState::Success)).unwrap_err();
    assert!(matches!(error, ForgeError::Status { status: 503 }) && error.is_passing(), "{error}");
    reporter.send(&status(CommitState::Success)).unwrap();
    assert_eq!(forge.states(&commit), ["running", "success"]);
    assert_eq!(forge.status(&commit).unwrap()["context"], "vestibule/staging");
    let wrong = ForgeSettings { api_token: Some(Secret::new("glpat-wrong")), ..settings };
    let error = Reporter::new(&wrong).unwrap().unwrap().send(&status(CommitState::Failed)).unwrap_err();
    assert!(matches!(error, ForgeError::Status { status: 401 }) && !error.is_passing(), "{error}");
    assert_eq!(forge.states(&commit).len(), 2);
}
