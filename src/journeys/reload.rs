//! The line of a request in the log, and SIGHUP: what it applies, what needs a restart, and an invalid file.

use std::fs;

use serde_json::{Value, json};
use vestibule::cli::http_client::HttpClient;
use vestibule::config::Config;

use crate::auth0_stub::Auth0Stub;
use crate::executable::{Process, wait_until_ready};
use crate::socket::Socket;
use crate::test_server::{INTERNAL, PUBLIC, TestServer};
use crate::tokens;
use crate::waiting::wait_until;

const DEVELOPMENT: &str = include_str!("../../config/development.toml");

#[test]
fn sighup_applies_what_can_change_and_names_what_needs_a_restart() {
    let (auth0, folder) = (Auth0Stub::start(), tempfile::tempdir().unwrap());
    let write = |requests: bool, limit: &str, more: &str| {
        let text = DEVELOPMENT.replace("[log]", &format!("[log]\nrequests = {requests}"));
        let text = text.replace("[public.limits]", &format!("[public.limits]\n{limit}"));
        fs::write(folder.path().join("development.toml"), format!("{text}\n{more}")).unwrap();
    };
    write(true, "", "");
    let command = format!("serve --config {}", folder.path().display());
    let mut process = Process::start(&command, &[format!("auth0.issuer={}", auth0.issuer)]);
    let public = process.line("Public");
    wait_until_ready(&public);
    let mut claims = auth0.claims("m1@clients", PUBLIC);
    claims["gty"] = json!("client-credentials");
    let (token, http) = (tokens::sign(&claims), HttpClient::new());
    let ask = |query: &str| http.graphql(&public, Some(&token), query, Value::Null).unwrap();

    assert_eq!(ask("query Named { me { id } }").status, 200);
    wait_until("the request has a line", || process.log().contains("operation=\"Named\" outcome=\"ok\" ms="));
    let log = process.log();
    let line = log.lines().find(|line| line.contains("Named")).unwrap();
    assert!(
        line.contains(" INFO ") && line.contains("door=\"public\"") && line.contains(" request="),
        "{line}"
    );
    assert!(
        line.contains("caller=machine-") && !log.contains("m1@clients") && !log.contains(&token),
        "{line}"
    );
    let start = log.lines().find(|line| line.contains("both doors are open")).unwrap();
    for part in ["version=", "profile=\"development\"", "database=", &auth0.issuer, "public=", "internal="] {
        assert!(start.contains(part), "{part}: {start}");
    }

    write(false, "alias = 0", "");
    process.signal("-HUP");
    wait_until("an invalid file is reported", || process.log().contains("SIGHUP: nothing is reloaded"));
    assert!(
        process.log().contains("did you mean `public.limits.aliases`?")
            && process.log().contains("development.toml"),
        "{}",
        process.log()
    );
    assert_eq!(ask("{ a: me { id } }").status, 200, "nothing has changed");

    let fetched = auth0.calls("/.well-known/jwks.json");
    write(false, "aliases = 0", "[pool]\nthreads = 3\n");
    process.signal("-HUP");
    wait_until("the file is applied", || process.log().contains("need a restart"));
    let log = process.log();
    assert!(log.contains("changed=\"log.requests, public.limits.aliases\""), "{log}");
    assert!(log.contains("keys=\"pool.threads\""), "{log}");
    wait_until("SIGHUP fetches the keys", || auth0.calls("/.well-known/jwks.json") > fetched);
    let over = ask("{ a: me { id } }").json().to_string();
    assert!(over.contains("aliases"), "{over}");
    assert_eq!(ask("query Unlogged { me { id } }").status, 200);
    assert_eq!(process.stop("-TERM"), Some(0));
    assert!(!process.log().contains("Unlogged"));
}

#[test]
fn other_roles_apply_at_once_and_to_open_sockets() {
    let server = TestServer::open(&[]);
    let ada = server.insert_person("ada");
    server.store().set_roles(ada.id, &["support".to_owned()], &vestibule::store::Actor::Cli).unwrap();
    let token = server.token_for(INTERNAL, "auth0|ada", json!({"iat": tokens::now() + 2}));
    let ask = || server.ask_internal(&token, "{ __typename }", Value::Null);
    assert_eq!(ask().code(), None);
    let mut socket = Socket::connect_with_token(&server.runtime, server.doors().internal(), &token);
    let mut config: Config = server.config.clone();
    config.roles = [("support".to_owned(), vestibule::scope::Permissions::default())].into_iter().collect();
    server.doors().reload().reload(&config);
    assert_eq!(ask().code().as_deref(), Some("NOT_PERMITTED"));
    assert_eq!(socket.until_closed().0, 1001, "the client connects again and is refused");
}
