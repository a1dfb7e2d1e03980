//! `vestibule tenant run` and `tenant fault`, as the CI of a team uses them.

use std::path::Path;

use serde_json::{Value, json};
use vestibule::cli::http_client::HttpClient;

use crate::executable::{Process, output, vestibule};
use crate::test_server::TestServer;
use crate::waiting::wait_until;

/// Runs a command against the tenant that the ready file describes.
fn fault(ready: &Value, args: &[&str]) -> (Option<i32>, String) {
    let args = [&["tenant", "fault", "--tenant", ready["http"].as_str().unwrap()], args].concat();
    let output = output(vestibule(&args, &[]), "");
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code(), text)
}

fn read(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

#[test]
fn the_ready_file_is_all_that_a_test_needs_and_faults_reach_the_running_tenant() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ready.json");
    std::fs::write(&file, "stale").unwrap();
    let mut process = Process::start(&format!("tenant run --ready-file {}", file.display()), &[]);
    wait_until("the file is written", || std::fs::read(&file).is_ok_and(|text| text.starts_with(b"{")));
    let ready = read(&file);
    let client =
        ready["clients"].as_array().unwrap().iter().find(|client| client["clientId"] == "vestibule").unwrap();
    let machine = json!({"grant_type": "client_credentials", "client_id": "vestibule",
        "client_secret": client["clientSecret"], "audience": ready["managementAudience"]});
    let ca_file = ready["caFile"].as_str().unwrap().to_owned();
    let (plain, trusting) = (HttpClient::new(), HttpClient::trusting(Some(Path::new(&ca_file))).unwrap());
    for (http, base) in [(&plain, &ready["http"]), (&trusting, &ready["https"])] {
        let token = http.post_json(&format!("{}oauth/token", base.as_str().unwrap()), &[], &machine).unwrap();
        assert_eq!(token.status, 200, "{}", token.body);
    }
    let discovery = format!("{}.well-known/openid-configuration", ready["issuer"].as_str().unwrap());
    let status = || plain.get(&discovery, &[]).unwrap().status;
    assert_eq!(plain.get(&discovery, &[]).unwrap().json()["issuer"], ready["issuer"]);

    let path = "/.well-known/*";
    let (code, text) = fault(&ready, &[path, "--answer", "503", "--times", "1"]);
    assert!(code == Some(0) && text.contains("\"answer\":503"), "{text}");
    assert_eq!((status(), status()), (503, 200));
    fault(&ready, &[path, "--answer", "html"]);
    assert_eq!(status(), 502);
    assert_eq!(fault(&ready, &["--clear"]).0, Some(0));
    assert_eq!(status(), 200);
    let kids = || plain.get(&discovery.replace("openid-configuration", "jwks.json"), &[]).unwrap().json();
    let before = kids();
    assert_eq!(fault(&ready, &["--rotate-keys"]).0, Some(0));
    assert_ne!(kids(), before);
    assert!(fault(&ready, &["--clock", "-2h"]).1.contains("-7200 s ahead"));
    let (code, text) = fault(&ready, &[path, "--answer", "200"]);
    assert!(code == Some(1) && text.contains("a status is from 400 to 599"), "{text}");

    assert_eq!(process.stop("-TERM"), Some(0));
    assert!(!file.exists(), "the ready file outlives the tenant");
    let (code, text) = fault(&ready, &[]);
    assert!(code == Some(1) && text.contains("is the dev tenant running"), "{text}");
}

#[test]
fn an_https_issuer_works_at_the_first_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ready.json");
    let issuer = ["tenant.issuer=https://localhost:0/".to_owned()];
    let mut process = Process::start(&format!("tenant run --ready-file {}", file.display()), &issuer);
    assert!(process.line("Dev tenant").starts_with("https://localhost:"));
    wait_until("the file is written", || file.exists());
    let ready = read(&file);
    assert_eq!(ready["issuer"], ready["https"]);
    assert_eq!(process.stop("-TERM"), Some(0));
}

#[test]
fn serve_has_no_faults_no_log_and_no_login_page() {
    let server = TestServer::open(&[]);
    for path in [
        "/dev/faults",
        "/dev/clock",
        "/dev/logins",
        "/u/login",
        "/authorize",
        "/oauth/token",
        "/api/v2/users",
    ] {
        for door in [server.doors().public(), server.doors().internal()] {
            let url = format!("http://{door}{path}");
            assert_eq!(server.http.get(&url, &[]).unwrap().status, 404, "{url}");
        }
    }
}
