//! The dev tenant's state: it survives a kill, `reset` forgets it, `export` and `import` carry it.

use std::path::Path;

use serde_json::{Value, json};
use vestibule::cli::http_client::{HttpClient, HttpResponse};

use crate::dev_server::bundle_with;
use crate::executable::{Process, output, vestibule};
use crate::waiting::wait_until;

const GRANT: &str =
    r###"{"client_id": "vestibule", "audience": "##ISSUER##api/v2/", "allow_all_scopes": true}"###;

/// A running tenant and a token of its Management API.
struct Running {
    process: Process,
    base: String,
    bearer: String,
    http: HttpClient,
}

impl Running {
    fn start(folder: &Path, bundle: &Path) -> Self {
        let file = folder.join("ready.json");
        let set = [
            format!("tenant.bundle={}", bundle.display()),
            format!("tenant.data={}", folder.join("state.db").display()),
        ];
        let process = Process::start(&format!("tenant run --ready-file {}", file.display()), &set);
        wait_until("the file is written", || std::fs::read(&file).is_ok_and(|text| text.starts_with(b"{")));
        let ready: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        std::fs::remove_file(&file).unwrap();
        let (http, base) = (HttpClient::new(), ready["http"].as_str().unwrap().to_owned());
        let machine = json!({"grant_type": "client_credentials", "client_id": "vestibule",
            "client_secret": "dev-only-secret-of-vestibule", "audience": format!("{base}api/v2/")});
        let token = http.post_json(&format!("{base}oauth/token"), &[], &machine).unwrap().json();
        let bearer =
            format!("Bearer {}", token["access_token"].as_str().unwrap_or_else(|| panic!("{token}")));
        Self { process, base, bearer, http }
    }

    fn get(&self, path: &str) -> HttpResponse {
        self.http.get(&format!("{}api/v2/{path}", self.base), &[("authorization", &self.bearer)]).unwrap()
    }

    fn post(&self, path: &str, body: &Value) -> HttpResponse {
        let headers = [("authorization", self.bearer.as_str())];
        self.http.post_json(&format!("{}api/v2/{path}", self.base), &headers, body).unwrap()
    }
}

fn command(folder: &Path, bundle: &Path, args: &[&str]) -> String {
    let set = [
        format!("tenant.bundle={}", bundle.display()),
        format!("tenant.data={}", folder.join("state.db").display()),
    ];
    let output = output(vestibule(&[&["tenant"], args].concat(), &set), "");
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn what_changed_survives_a_kill_and_reset_export_and_import_do_as_they_say() {
    let (folder, bundle) =
        (tempfile::tempdir().unwrap(), bundle_with("grants/vestibule-management.json", GRANT));
    let (folder, bundle) = (folder.path(), bundle.path());
    let user = json!({"connection": "Username-Password-Authentication", "email": "new@example.com", "password": "long enough"});
    let mut tenant = Running::start(folder, bundle);
    assert_eq!(tenant.post("users", &user).status, 201);
    let client = tenant.post("clients", &json!({"name": "Made here", "app_type": "spa"}));
    assert_eq!(client.status, 201, "{}", client.body);
    let id = client.json()["client_id"].as_str().unwrap().to_owned();
    tenant.process.stop("-KILL");

    let known = |tenant: &Running| {
        let users = tenant.get("users-by-email?email=new@example.com").json().as_array().unwrap().len();
        (users, tenant.get(&format!("clients/{id}")).status)
    };
    let mut tenant = Running::start(folder, bundle);
    assert_eq!(known(&tenant), (1, 200));
    assert_eq!(tenant.process.stop("-TERM"), Some(0));

    let exported = folder.join("exported");
    let text = command(folder, bundle, &["export", exported.to_str().unwrap()]);
    assert!(text.contains("is written"), "{text}");
    let people = std::fs::read_to_string(exported.join("people.json")).unwrap();
    assert!(people.contains("new@example.com") && exported.join("clients/Made here.json").is_file());
    command(folder, bundle, &["reset"]);
    let mut tenant = Running::start(folder, bundle);
    assert_eq!(known(&tenant), (0, 404), "the bundle counts again");
    tenant.process.stop("-TERM");

    let text = command(folder, bundle, &["import", exported.to_str().unwrap()]);
    assert!(text.contains("imported") && text.contains("7 users"), "{text}");
    let mut tenant = Running::start(folder, bundle);
    assert_eq!(known(&tenant), (1, 200));
    tenant.process.stop("-TERM");

    // An export is a bundle.
    command(folder, bundle, &["reset"]);
    let mut tenant = Running::start(folder, &exported);
    assert_eq!(known(&tenant), (1, 200));
    tenant.process.stop("-TERM");
}
