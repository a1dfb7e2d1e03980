//! A dev tenant in a process of its own.

use std::path::Path;

use serde_json::{Value, json};
use vestibule::cli::http_client::{HttpClient, HttpResponse};

use crate::executable::Process;
use crate::waiting::wait_until;

/// `grants/vestibule-management.json`, with which the client `vestibule` may do everything.
pub(crate) const GRANT: &str =
    r###"{"client_id": "vestibule", "audience": "##ISSUER##api/v2/", "allow_all_scopes": true}"###;

pub(crate) struct RunningTenant {
    pub(crate) process: Process,
    /// Its address, which is its issuer.
    pub(crate) base: String,
    pub(crate) http: HttpClient,
}

impl RunningTenant {
    /// Runs the bundle with its state in `folder`.
    pub(crate) fn start(folder: &Path, bundle: &Path) -> Self {
        let file = folder.join("ready.json");
        let process =
            Process::start(&format!("tenant run --ready-file {}", file.display()), &settings(folder, bundle));
        wait_until("the file is written", || std::fs::read(&file).is_ok_and(|text| text.starts_with(b"{")));
        let ready: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        std::fs::remove_file(&file).unwrap();
        Self { process, base: ready["http"].as_str().unwrap().to_owned(), http: HttpClient::new() }
    }

    fn bearer(&self) -> String {
        let machine = json!({"grant_type": "client_credentials", "client_id": "vestibule",
            "client_secret": "dev-only-secret-of-vestibule", "audience": format!("{}api/v2/", self.base)});
        let token = self.http.post_json(&format!("{}oauth/token", self.base), &[], &machine).unwrap().json();
        format!("Bearer {}", token["access_token"].as_str().unwrap_or_else(|| panic!("{token}")))
    }

    /// A GET of the Management API.
    pub(crate) fn get(&self, path: &str) -> HttpResponse {
        self.http.get(&format!("{}api/v2/{path}", self.base), &[("authorization", &self.bearer())]).unwrap()
    }

    /// A POST of the Management API.
    pub(crate) fn post(&self, path: &str, body: &Value) -> HttpResponse {
        let url = format!("{}api/v2/{path}", self.base);
        self.http.post_json(&url, &[("authorization", &self.bearer())], body).unwrap()
    }
}

/// The settings of such a tenant.
pub(crate) fn settings(folder: &Path, bundle: &Path) -> [String; 2] {
    [
        format!("tenant.bundle={}", bundle.display()),
        format!("tenant.data={}", folder.join("state.db").display()),
    ]
}
