//! The dev tenant with its rules and both doors, as `vestibule dev` opens them.

use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use vestibule::app::{Development, Vestibule};
use vestibule::cli::http_client::{HttpClient, HttpResponse};
use vestibule::clock::Clock;
use vestibule::config::Config;
use vestibule::script::WorkerCommand;
use vestibule::store::UserFilter;
use vestibule::tenant::Direction;

use crate::test_server::{PUBLIC, config_in};

pub(crate) struct DevServer {
    pub(crate) runtime: Runtime,
    pub(crate) http: HttpClient,
    pub(crate) config: Config,
    pub(crate) development: Option<Development>,
    pub(crate) issuer: String,
    _dir: TempDir,
}

pub(crate) fn worker() -> WorkerCommand {
    WorkerCommand { program: env!("CARGO_BIN_EXE_vestibule").into(), args: vec!["script-worker".to_owned()] }
}

/// A copy of the fixtures' bundle.
pub(crate) fn bundle() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/tenant/.");
    assert!(Command::new("cp").args(["-r", fixtures]).arg(dir.path()).status().unwrap().success());
    dir
}

/// The same, with one file replaced.
pub(crate) fn bundle_with(file: &str, text: &str) -> TempDir {
    let dir = bundle();
    let file = dir.path().join(file);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
    dir
}

impl DevServer {
    pub(crate) fn open(set: &[&str]) -> Self {
        Self::open_with(Vestibule::default(), Clock::system(), set)
    }

    /// Opens everything on `clock`, with `vestibule` behind the doors.
    pub(crate) fn open_with(vestibule: Vestibule, clock: Clock, set: &[&str]) -> Self {
        let (runtime, dir) = (Runtime::new().unwrap(), tempfile::tempdir().unwrap());
        let config = config_in(dir.path(), "http://127.0.0.1:1/", set);
        let opening = Development::open(vestibule, &config, worker(), clock);
        let development = runtime.block_on(opening).unwrap();
        let issuer = development.tenant.issuer().to_owned();
        Self { runtime, http: HttpClient::new(), config, development: Some(development), issuer, _dir: dir }
    }

    pub(crate) fn development(&self) -> &Development {
        self.development.as_ref().unwrap()
    }

    pub(crate) fn token(&self, name: &str, audience: &str) -> HttpResponse {
        let login = json!({
            "grant_type": "http://auth0.com/oauth/grant-type/password-realm",
            "realm": "Username-Password-Authentication",
            "client_id": "spa",
            "username": format!("{name}@example.com"),
            "password": format!("dev-only-{name}"),
            "audience": audience,
            "scope": "openid profile email",
        });
        self.http.post_json(&format!("{}oauth/token", self.issuer), &[], &login).unwrap()
    }

    pub(crate) fn log_in(&self, name: &str) -> String {
        let answer = self.token(name, PUBLIC);
        answer.json()["access_token"].as_str().unwrap_or_else(|| panic!("{}", answer.body)).to_owned()
    }

    pub(crate) fn me(&self, token: &str) -> HttpResponse {
        let public = format!("http://{}/graphql", self.development().doors.public());
        self.http.graphql(&public, Some(token), "{ me { id email name } }", Value::Null).unwrap()
    }

    pub(crate) fn user_count(&self) -> usize {
        let store = &self.development().doors.services().store;
        usize::try_from(store.count_users(&UserFilter::default()).unwrap()).unwrap()
    }

    /// The number of the tenant's exchanges, in or out, with `part` in their path.
    pub(crate) fn exchange_count(&self, direction: Direction, part: &str) -> usize {
        let all = self.development().tenant.tenant().exchanges();
        all.iter().filter(|exchange| exchange.direction == direction && exchange.path.contains(part)).count()
    }
}

impl Drop for DevServer {
    fn drop(&mut self) {
        if let Some(development) = self.development.take() {
            self.runtime.block_on(development.stop());
        }
    }
}
