//! Secrets in files, and that no output shows one.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// A file with a secret, and its path.
fn secret(text: &str, mode: u32) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

#[test]
fn only_systemd_credentials_may_be_readable_by_their_group() {
    let credentials = |mode, folder: Option<&Path>| {
        let (dir, path) = secret("hush", mode);
        let id = ("VESTIBULE_AUTH0__CLIENT_ID", "abc");
        let mut sources = with_env(&[id, ("VESTIBULE_AUTH0__CLIENT_SECRET_FILE", &path)]);
        sources.credentials = Some(folder.unwrap_or(dir.path()).to_owned());
        load(sources)
    };
    assert_eq!(credentials(0o440, None).unwrap().auth0.client_secret.unwrap().expose(), "hush");
    assert!(credentials(0o444, None).is_err());
    let other = tempfile::tempdir().unwrap();
    assert!(credentials(0o440, Some(other.path())).is_err());
}

#[test]
fn a_secret_is_read_from_its_file_without_the_final_newline() {
    let (_dir, path) = secret("hush \n", 0o600);
    let id = ("VESTIBULE_AUTH0__CLIENT_ID", "abc");
    let sources = with_env(&[id, ("VESTIBULE_AUTH0__CLIENT_SECRET_FILE", &path)]);
    assert_eq!(load(sources.clone()).unwrap().auth0.client_secret.unwrap().expose(), "hush ");
    let entry = entry(sources, "auth0.client_secret");
    assert_eq!(entry.file.as_deref(), Some(Path::new(&path)));
    assert_eq!(entry.value, "••••");

    let (_dir, mut sources) =
        with_file(&format!("[auth0]\nclient_id = \"abc\"\nclient_secret_file = \"{path}\""));
    assert_eq!(load(sources.clone()).unwrap().auth0.client_secret.unwrap().expose(), "hush ");
    sources.env = vec![owned(("VESTIBULE_AUTH0__CLIENT_SECRET", "from the environment"))];
    assert_eq!(load(sources).unwrap().auth0.client_secret.unwrap().expose(), "from the environment");
}

#[test]
fn a_secret_file_that_others_can_read_is_refused() {
    for mode in [0o640, 0o604, 0o644] {
        let (_dir, path) = secret("hush", mode);
        let env =
            [("VESTIBULE_AUTH0__CLIENT_ID", "abc"), ("VESTIBULE_AUTH0__CLIENT_SECRET_FILE", path.as_str())];
        let problem = problem(with_env(&env));
        assert_eq!(problem.key, "auth0.client_secret_file");
        assert!(problem.what.contains(&format!("mode {mode:04o}")), "{}", problem.what);
    }
}

#[test]
fn a_secret_given_directly_and_by_file_is_refused() {
    let (_dir, path) = secret("hush", 0o600);
    let problem = problem(with_env(&[
        ("VESTIBULE_AUTH0__CLIENT_ID", "abc"),
        ("VESTIBULE_AUTH0__CLIENT_SECRET", "hush"),
        ("VESTIBULE_AUTH0__CLIENT_SECRET_FILE", &path),
    ]));
    assert_eq!(
        (problem.key.as_str(), problem.source.as_str()),
        ("auth0.client_secret", "env VESTIBULE_AUTH0__CLIENT_SECRET")
    );
}

#[test]
fn an_empty_or_missing_secret_file_is_refused() {
    let (_dir, empty) = secret("\n", 0o600);
    for path in [empty.as_str(), "/nowhere/at/all"] {
        let env = [("VESTIBULE_AUTH0__CLIENT_ID", "abc"), ("VESTIBULE_AUTH0__CLIENT_SECRET_FILE", path)];
        assert_eq!(problem(with_env(&env)).key, "auth0.client_secret_file");
    }
}

#[test]
fn a_keyword_that_looks_like_a_secret_is_hidden_whatever_its_name() {
    for (value, is_hidden) in [
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", true),
        ("eyJhbGciOiJSUzI1NiJ9.e30.c2ln", true),
        ("-----BEGIN PRIVATE KEY-----", true),
        ("https://id:pass@host.example/", true),
        ("https://host.example/?code=1", true),
        ("https://hooks.example/services/T0/B0/X1XXXXXXXXXXXXXXXXXX", true),
        ("https://api.example/v2/users", false),
        ("http://127.0.0.1:4001/graphql", false),
        ("team.eu.auth0.com", false),
        ("a sentence with 16 or more letters", false),
        ("eu-central-1", false),
        ("true", false),
    ] {
        let shown = entry(with(&[("tenant.keywords.NAME", value)]), "tenant.keywords.NAME").value;
        assert_eq!(shown == "••••", is_hidden, "{value}: {shown}");
    }
    let (_dir, list) = with_file("[tenant.keywords]\nLIST = [\"a\", \"ghp_16C7e42F292c6912E7710c\"]");
    assert!(!format!("{:?}", read(list).entries).contains("ghp_"));
}

#[test]
fn the_variable_of_a_key_keeps_the_case_of_keywords() {
    assert_eq!(variable("auth0.client_secret"), "VESTIBULE_AUTH0__CLIENT_SECRET");
    assert_eq!(variable("tenant.keywords.Api_Key"), "VESTIBULE_TENANT__KEYWORDS__Api_Key");
}

#[test]
fn entries_and_problems_never_show_a_secret() {
    let (_dir, sources) = with_file(
        "[auth0]\nclient_secret = [\"hunter2\"]\n[tenant.keywords]\nRULES_CLIENT_SECRET = \"hunter2\"\nAPI_KEY = \"hunter2\"",
    );
    let reading = read(sources);
    assert!(!format!("{:?}", reading.entries).contains("hunter2"));
    assert!(!reading.outcome.unwrap_err().to_string().contains("hunter2"));
}
