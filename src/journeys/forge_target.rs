//! Dev tenants that pushes are deployed to, the doors that deploy, and the webhooks of their forge.

use serde_json::{Value, json};
use tempfile::TempDir;
use vestibule::cli::http_client::HttpClient;

use crate::dev_server::bundle_with;
use crate::executable::{output, vestibule};
use crate::forge_stub::{API_TOKEN, CLONE_TOKEN, ForgeStub, PROJECT};
use crate::running_tenant::{GRANT, RunningTenant};
use crate::test_server::{PUBLIC, TestServer};
use crate::tokens;
use crate::waiting::wait_until;
use crate::webhooks::push;

/// The secret of the webhook.
pub(crate) const TOKEN: &str = "glwt-0123456789";
const ACTION: &str = r#"{"name": "claim", "code": "./actions/claim/code.js", "runtime": "node22", "deployed": true,
    "status": "built", "dependencies": [], "secrets": [], "supported_triggers": [{"id": "post-login", "version": "v3"}]}"#;

/// A tenant to deploy to, in a process of its own.
pub(crate) struct Target {
    tenant: RunningTenant,
    /// Its address, which is its issuer.
    pub(crate) base: String,
    _folder: TempDir,
    _bundle: TempDir,
}

impl Target {
    pub(crate) fn start() -> Self {
        let (folder, bundle) =
            (tempfile::tempdir().unwrap(), bundle_with("grants/vestibule-management.json", GRANT));
        // Its rules ask our Internal API, and its actions are not those that are deployed.
        for folder in ["rules", "actions", "triggers"] {
            std::fs::remove_dir_all(bundle.path().join(folder)).unwrap();
        }
        let tenant = RunningTenant::start(folder.path(), bundle.path());
        Self { base: tenant.base.clone(), tenant, _folder: folder, _bundle: bundle }
    }

    /// A GET of the Management API, below `actions/`.
    pub(crate) fn get(&self, path: &str) -> Value {
        self.tenant.get(&format!("actions/{path}")).json()
    }

    pub(crate) fn actions(&self) -> Vec<Value> {
        self.get("actions")["actions"].as_array().unwrap().clone()
    }

    /// The word that the deployed action puts into the access token of someone who logs in.
    pub(crate) fn says(&self) -> Option<String> {
        let login = json!({"grant_type": "http://auth0.com/oauth/grant-type/password-realm", "client_id": "spa",
            "realm": "Username-Password-Authentication", "username": "ada@example.com", "password": "dev-only-ada",
            "audience": PUBLIC, "scope": "openid"});
        let answer = self.tenant.http.post_json(&format!("{}oauth/token", self.base), &[], &login).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        let claims = tokens::payload(answer.json()["access_token"].as_str().unwrap());
        assert_eq!(claims["sub"], "auth0|ada");
        claims["https://vestibule.example/said"].as_str().map(str::to_owned)
    }

    /// Lets the next calls of the Management API fail.
    pub(crate) fn fail(&self, path: &str, answer: &str, times: &str) {
        let args = ["tenant", "fault", "--tenant", &self.base, path, "--answer", answer, "--times", times];
        assert!(output(vestibule(&args, &[]), "").status.success());
    }
}

/// The files of a bundle whose action says something at each login.
pub(crate) fn saying(word: &str) -> Vec<(&'static str, String)> {
    let code = format!(
        "exports.onExecutePostLogin = async (event, api) => {{\n  api.accessToken.setCustomClaim('https://vestibule.example/said', '{word}');\n}};\n"
    );
    vec![
        ("actions/claim.json", ACTION.to_owned()),
        ("actions/claim/code.js", code),
        (
            "triggers/triggers.json",
            r#"{"post-login": [{"action_name": "claim", "display_name": "claim"}]}"#.to_owned(),
        ),
    ]
}

/// Commits files, and returns the commit's id.
pub(crate) fn commit(forge: &ForgeStub, files: &[(&str, String)]) -> String {
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    forge.commit(&files)
}

/// The settings of targets and of their forge.
pub(crate) fn settings(forge: &ForgeStub, targets: &[(&str, &Target)]) -> Vec<String> {
    let target = |(name, target): &(&str, &Target)| {
        [
            format!("targets.{name}.domain={}", target.base),
            format!("targets.{name}.client_id=vestibule"),
            format!("targets.{name}.client_secret=dev-only-secret-of-vestibule"),
            format!("targets.{name}.branch={name}"),
        ]
    };
    let forge = [
        format!("forge.url={}", forge.url),
        format!("forge.project={PROJECT}"),
        "forge.clone_user=deployer".to_owned(),
        format!("forge.clone_token={CLONE_TOKEN}"),
        format!("forge.api_token={API_TOKEN}"),
        format!("forge.webhook_token={TOKEN}"),
        "forge.status_url=https://ops.example/".to_owned(),
    ];
    targets.iter().flat_map(target).chain(forge).collect()
}

/// Opens the doors with them.
pub(crate) fn open(forge: &ForgeStub, targets: &[(&str, &Target)], more: &[String]) -> TestServer {
    let settings = [settings(forge, targets), more.to_vec()].concat();
    TestServer::open(&settings.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Sends the webhook of a push, and returns the answer's message.
pub(crate) fn hook(internal: &str, delivery: &str, branch: &str, commit: &str) -> String {
    let headers = [("x-gitlab-event", "Push Hook"), ("x-gitlab-token", TOKEN), ("idempotency-key", delivery)];
    let url = format!("{internal}/webhooks/gitlab");
    let answer = HttpClient::new().post_json(&url, &headers, &push(branch, commit)).unwrap();
    assert_eq!(answer.status, 202, "{}", answer.body);
    answer.json()["message"].as_str().unwrap().to_owned()
}

/// The address of the internal door.
pub(crate) fn internal(server: &TestServer) -> String {
    format!("http://{}", server.doors().internal())
}

/// Waits for the last status of a commit.
pub(crate) fn wait_for(forge: &ForgeStub, commit: &str, state: &str) -> Value {
    let last = || forge.status(commit).unwrap_or_default();
    wait_until(&format!("{commit} is {state}"), || {
        let now = last();
        let is_over = ["success", "failed", "failure", "canceled", "error"]
            .contains(&now["state"].as_str().unwrap_or_default());
        assert!(!is_over || now["state"] == state, "{now}");
        is_over
    });
    last()
}
