//! The executable: start, requests, signals.

use std::process::Command;

use serde_json::{Value, json};
use vestibule::cli::http_client::HttpClient;

use crate::auth0_stub::Auth0Stub;
use crate::executable::{Process, output, vestibule, wait_until_ready};
use crate::test_server::PUBLIC;
use crate::tokens;
use crate::waiting::wait_until;

#[test]
fn serve_answers_and_exits_with_0_on_sigterm_and_sigint() {
    let auth0 = Auth0Stub::start();
    for signal in ["-TERM", "-INT"] {
        let mut process = Process::start("serve", &[format!("auth0.issuer={}", auth0.issuer)]);
        let public = process.line("Public");
        let http = HttpClient::new();
        assert_eq!(http.get(&public.replace("/graphql", "/healthz"), &[]).unwrap().status, 200);
        let mut claims = auth0.claims("m1@clients", PUBLIC);
        claims["gty"] = json!("client-credentials");
        let token = tokens::sign(&claims);
        wait_until_ready(&public);
        let me = http.graphql(&public, Some(&token), "{ me { id } }", Value::Null).unwrap();
        assert_eq!(me.json(), json!({"data": {"me": null}}));
        let fetched = auth0.calls("/.well-known/jwks.json");
        process.signal("-HUP");
        wait_until("SIGHUP fetches the keys", || auth0.calls("/.well-known/jwks.json") > fetched);
        assert_eq!(process.stop(signal), Some(0), "{signal}");
        assert!(http.get(&public, &[]).is_err(), "the port is closed");
    }
}

#[test]
fn the_error_for_a_taken_port_names_the_setting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let set = ["auth0.issuer=http://127.0.0.1:1/".to_owned(), format!("public.listen={address}")];
    let mut process = Process::start("serve", &set);
    assert_eq!(process.wait(), Some(75), "the port may be free later");
    let log = process.log();
    assert!(log.contains(&address.to_string()) && log.contains("public.listen"), "{log}");
}

#[test]
fn the_commands_that_dev_prints_work() {
    let mut process = Process::start("dev", &[]);
    // On three lines, each of them but the last with a backslash at its end.
    let curl = format!("curl {}\n{}\n{}", process.line("curl"), process.line(""), process.line(""));
    let machine = process.line("The Internal API takes the token of a machine:");
    let mut url = |place| {
        let url = process.line(place);
        assert!(
            url.starts_with("http://127.0.0.1:") || url.starts_with("http://localhost:"),
            "{place} {url}"
        );
        url.split(' ').next().unwrap().to_owned()
    };
    let (public, internal) = (url("Public API"), url("Internal API"));
    url("Dev tenant");
    let internal = curl.replace(&public, &internal).replace("token --as ada@example.com", &machine);
    let internal = internal
        .replace("{ me { id name email roles } }", "{ users(first: 9) { edges { node { email } } } }");
    for (command, expected) in
        [(curl, "\"name\":\"Ada Lovelace\""), (internal, "\"email\":\"katherine@example.com\"")]
    {
        let output = Command::new("sh").args(["-c", &command]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(expected), "{command}: {said}");
    }
    assert_eq!(process.stop("-INT"), Some(0));
}

#[test]
fn the_demo_succeeds() {
    let output = output(vestibule(&["demo"], &[]), "");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("All checks passed.") && !said.contains('✗'), "{said}");
    let readme = include_str!("../../README.md").replace('\n', " ");
    let acts: Vec<_> =
        readme.split("**").filter(|text| text.starts_with(|c: char| c.is_ascii_digit())).collect();
    assert!(acts.len() == 8 && acts.iter().all(|act| said.contains(&format!("\n{act}"))), "{acts:?}\n{said}");
    assert!(
        said.contains("her token has the new claim") && said.contains("her next token has no such claim"),
        "{said}"
    );
}
