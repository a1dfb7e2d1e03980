//! Dev tenants to deploy to, and bundles for them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use vestibule::app::{DevTenant, ScriptTests, TenantListeners};
use vestibule::cli::http_client::HttpClient;
use vestibule::clock::Clock;
use vestibule::deploy::{DeployError, Deployer, Options, Origin, Plan, Progress, TargetSettings};
use vestibule::store::{Actor, Deployment, Settings, Store};
use vestibule::telemetry::Secret;

use crate::dev_server::worker;
use crate::test_server::config_in;

/// The scopes that a deployment needs.
const SCOPES: &str = "read:resource_servers create:resource_servers update:resource_servers delete:resource_servers \
    read:clients create:clients update:clients delete:clients \
    read:client_grants create:client_grants update:client_grants delete:client_grants \
    read:roles create:roles update:roles delete:roles \
    read:actions create:actions update:actions delete:actions";

/// A dev tenant with one client, which may deploy, and a store that records deployments to it.
pub(crate) struct Target {
    pub(crate) tenant: DevTenant,
    pub(crate) store: Store,
    pub(crate) deployer: Deployer,
    _runtime: Runtime,
    pub(crate) dir: TempDir,
    http: HttpClient,
}

/// Writes a file of a bundle.
pub(crate) fn write(bundle: &Path, file: &str, content: &str) {
    let path = bundle.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// Adds an action for `post-login` to a bundle.
pub(crate) fn write_action(bundle: &Path, name: &str, code: &str, secrets: Value) {
    let action = json!({"name": name, "code": format!("./actions/{name}/code.js"), "runtime": "node22", "secrets": secrets,
        "dependencies": [], "supported_triggers": [{"id": "post-login", "version": "v3"}], "deployed": true});
    write(bundle, &format!("actions/{name}.json"), &action.to_string());
    write(bundle, &format!("actions/{name}/code.js"), code);
}

/// Sets the actions of `post-login` in a bundle.
pub(crate) fn write_bindings(bundle: &Path, names: &[&str]) {
    let bindings: Vec<_> =
        names.iter().map(|name| json!({"action_name": name, "display_name": name})).collect();
    write(bundle, "triggers/triggers.json", &json!({"post-login": bindings}).to_string());
}

/// An action that does nothing but hold `word`.
pub(crate) fn code(word: &str) -> String {
    format!(
        "exports.onExecutePostLogin = async (event, api) => {{\n  // {word}\n  api.idToken.setCustomClaim('https://x.example/w', '{word}');\n}};\n"
    )
}

/// A bundle of every kind: an API, a client, a grant, a role, two actions and their order.
pub(crate) fn bundle() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let api =
        json!({"name": "Shop", "identifier": "https://shop.example/", "scopes": [{"value": "read:orders"}]});
    write(path, "resource-servers/shop.json", &api.to_string());
    let client =
        json!({"name": "Shop app", "app_type": "non_interactive", "grant_types": ["client_credentials"]});
    write(path, "clients/shop.json", &client.to_string());
    let grant =
        json!({"client_id": "Shop app", "audience": "https://shop.example/", "scope": ["read:orders"]});
    write(path, "grants/shop.json", &grant.to_string());
    let permission =
        json!({"permission_name": "read:orders", "resource_server_identifier": "https://shop.example/"});
    write(
        path,
        "roles/clerk.json",
        &json!({"name": "clerk", "description": "Clerks", "permissions": [permission]}).to_string(),
    );
    write_action(path, "first", &code("one"), json!([{"name": "KEY", "value": "##SHOP_KEY##"}]));
    write_action(path, "second", &code("two"), json!([]));
    write_bindings(path, &["first", "second"]);
    dir
}

impl Target {
    /// Opens it without objects but its client.
    pub(crate) fn open() -> Self {
        Self::with_scopes(SCOPES)
    }

    pub(crate) fn with_scopes(scopes: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("own");
        let client = json!({"client_id": "deployer", "client_secret": "deployer-secret", "name": "Deployer",
            "app_type": "non_interactive", "grant_types": ["client_credentials"]});
        write(&own, "clients/deployer.json", &client.to_string());
        let scopes: Vec<&str> = scopes.split_whitespace().collect();
        let grant = json!({"client_id": "deployer", "audience": "##ISSUER##api/v2/", "scope": scopes});
        write(&own, "grants/deployer.json", &grant.to_string());
        let config = config_in(dir.path(), "", &[&format!("tenant.bundle={}", own.display())]);
        let runtime = Runtime::new().unwrap();
        let tenant = runtime.block_on(async {
            let listeners = TenantListeners::bind(&config.tenant).await.unwrap();
            DevTenant::start(&config, listeners, "127.0.0.1:1".parse().unwrap(), worker(), Clock::system())
                .unwrap()
        });
        let settings = Settings { seed: None, ..config.store.clone() };
        let store = Store::open(&settings, Clock::system()).unwrap();
        let target = TargetSettings {
            domain: tenant.issuer().to_owned(),
            client_id: Some("deployer".to_owned()),
            client_secret: Some(Secret::new("deployer-secret")),
            keywords: [("SHOP_KEY".to_owned(), json!("hush-hush-1"))].into(),
            ..TargetSettings::default()
        };
        let targets = [("staging".to_owned(), target)].into();
        let database = dir.path().join("vestibule.db");
        let tests = ScriptTests::for_deployments(&config, worker(), runtime.handle().clone());
        let deployer = Deployer::new(store.clone(), &database, targets, tests, Clock::system());
        Self { tenant, store, deployer, _runtime: runtime, dir, http: HttpClient::new() }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.dir.path().join("vestibule.db")
    }

    /// The arguments with which the executable finds this target and its database.
    pub(crate) fn settings(&self) -> Vec<String> {
        vec![
            format!("store.path={}", self.database().display()),
            format!("targets.staging.domain={}", self.tenant.issuer()),
            "targets.staging.client_id=deployer".to_owned(),
            "targets.staging.client_secret=deployer-secret".to_owned(),
            "targets.staging.keywords.SHOP_KEY=hush-hush-1".to_owned(),
            "log.filter=warn".to_owned(),
        ]
    }

    pub(crate) fn plan(&self, bundle: &Path) -> Result<Plan, DeployError> {
        self.deployer.plan("staging", bundle, Options::default())
    }

    pub(crate) fn apply(&self, bundle: &Path) -> Result<Deployment, DeployError> {
        self.apply_with(bundle, Options::default())
    }

    pub(crate) fn apply_with(&self, bundle: &Path, options: Options) -> Result<Deployment, DeployError> {
        let progress = |_: Progress<'_>| {};
        self.deployer.apply("staging", bundle, &origin(), options, None, &progress)
    }

    pub(crate) fn rollback(&self, deployment: i64, options: Options) -> Result<Deployment, DeployError> {
        let progress = |_: Progress<'_>| {};
        self.deployer.rollback("staging", deployment, &origin(), options, None, &progress)
    }

    fn token(&self) -> String {
        let issuer = self.tenant.issuer();
        let body = json!({"grant_type": "client_credentials", "client_id": "deployer",
            "client_secret": "deployer-secret", "audience": format!("{issuer}api/v2/")});
        let token = self.http.post_json(&format!("{issuer}oauth/token"), &[], &body).unwrap();
        assert_eq!(token.status, 200, "{}", token.body);
        token.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Calls the Management API as another tool would.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let url = format!("{}api/v2/{path}", self.tenant.issuer());
        let token = format!("Bearer {}", self.token());
        let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
        let text = body.map(Value::to_string).unwrap_or_default();
        let answer = self.http.send(method, &url, &headers, text).unwrap();
        assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.body);
        serde_json::from_str(&answer.body).unwrap_or_default()
    }

    /// The action, with its versions' numbers under `numbers`.
    pub(crate) fn action(&self, name: &str) -> Option<Value> {
        let all = self.call("GET", "actions/actions?per_page=100", None);
        let mut action =
            all["actions"].as_array().unwrap().iter().find(|action| action["name"] == name)?.clone();
        let path = format!("actions/actions/{}/versions", action["id"].as_str().unwrap());
        let versions = self.call("GET", &path, None);
        let numbers =
            versions["versions"].as_array().unwrap().iter().map(|version| version["number"].clone());
        action["numbers"] = numbers.collect();
        Some(action)
    }

    /// The names of the actions of `post-login`, in order.
    pub(crate) fn bound(&self) -> Vec<String> {
        let bindings = self.call("GET", "actions/triggers/post-login/bindings", None);
        let names =
            bindings["bindings"].as_array().unwrap().iter().map(|binding| binding["action"]["name"].as_str());
        names.map(|name| name.unwrap().to_owned()).collect()
    }

    /// Makes the tenant fail.
    pub(crate) fn fault(&self, fault: Value) {
        let url = format!("{}dev/faults", self.tenant.issuer());
        let added = self.http.post_json(&url, &[], &fault).unwrap();
        assert_eq!(added.status, 201, "{}", added.body);
    }

    pub(crate) fn clear_faults(&self) {
        let url = format!("{}dev/faults", self.tenant.issuer());
        assert_eq!(self.http.send("DELETE", &url, &[], String::new()).unwrap().status, 204);
    }
}

/// The origin of a deployment by these tests.
pub(crate) fn origin() -> Origin {
    Origin { actor: Actor::Cli, git_ref: Some("staging".to_owned()), commit: Some("c0ffee".to_owned()) }
}

/// What a plan would do, in order.
pub(crate) fn titles(plan: &Plan) -> Vec<String> {
    plan.changes.iter().map(vestibule::deploy::Change::title).collect()
}
