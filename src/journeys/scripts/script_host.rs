//! A script runner with its own workers, and helpers to run rules on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;
use vestibule::bundle::Rule;
use vestibule::pool::{self, Pool};
use vestibule::script::{
    Action, ActionsInput, ActionsOutput, ApiFacts, Auth0Global, Denied, Effects, LoginInput, LoginOutput,
    MetadataUpdate, MetadataWriter, ScriptRunner, Settings, Trigger, WorkerCommand, parse_origin,
};

use crate::waiting::DEADLINE;

pub(crate) struct ScriptHost {
    pub(crate) scripts: ScriptRunner,
    pub(crate) updates: Arc<Mutex<Vec<MetadataUpdate>>>,
    updated: Arc<Notify>,
    pub(crate) configuration: BTreeMap<String, String>,
    program: PathBuf,
    _dir: tempfile::TempDir,
}

pub(crate) fn settings() -> Settings {
    Settings {
        workers: 2,
        time: Duration::from_secs(10),
        memory_mib: 32,
        fetch_timeout: Duration::from_secs(5),
    }
}

impl ScriptHost {
    /// Starts the binary through a link of its own, so that the test can find its workers among all processes.
    pub(crate) fn open(settings: &Settings, allow_fetch: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("vestibule");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_vestibule"), &program).unwrap();
        let command = WorkerCommand { program: program.clone(), args: vec!["script-worker".to_owned()] };
        let allowed = allow_fetch.iter().map(|text| parse_origin(text).unwrap()).collect();
        let pool = Pool::start(&pool::Settings { threads: 8, queue: 64 }).unwrap();
        Self {
            scripts: ScriptRunner::new(settings, command, allowed, pool),
            updates: Arc::default(),
            updated: Arc::default(),
            configuration: BTreeMap::new(),
            program,
            _dir: dir,
        }
    }

    /// With the npm packages in the folder of a bundle.
    pub(crate) fn with_packages(mut self, bundle: &Path) -> Self {
        self.scripts = self.scripts.with_packages(bundle);
        self
    }

    pub(crate) fn configured(mut self, configuration: &[(&str, &str)]) -> Self {
        self.configuration =
            configuration.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self
    }

    pub(crate) async fn run(&self, rules: &[Rule]) -> Result<LoginOutput, Denied> {
        self.log_in(rules, user(), context()).await
    }

    pub(crate) async fn one(&self, script: &str) -> Result<LoginOutput, Denied> {
        self.run(&[rule("only-rule", 1, script)]).await
    }

    /// Waits until a rule has updated metadata: the sign that it runs.
    pub(crate) async fn wait_for_update(&self) {
        tokio::time::timeout(DEADLINE, self.updated.notified()).await.expect("no rule updated metadata");
    }

    pub(crate) async fn log_in(
        &self,
        rules: &[Rule],
        user: Value,
        context: Value,
    ) -> Result<LoginOutput, Denied> {
        self.log_in_with(&self.scripts, rules, user, context).await
    }

    /// With `runner`, which may be another than the host's own.
    pub(crate) async fn log_in_with(
        &self,
        runner: &ScriptRunner,
        rules: &[Rule],
        user: Value,
        context: Value,
    ) -> Result<LoginOutput, Denied> {
        let (updates, updated) = (Arc::clone(&self.updates), Arc::clone(&self.updated));
        let effects: MetadataWriter = Arc::new(move |update: MetadataUpdate| {
            if update.user_id == "auth0|unknown" {
                return Err("The user does not exist.".to_owned());
            }
            updates.lock().unwrap().push(update);
            updated.notify_one();
            Ok(())
        });
        let login = LoginInput { user, context, auth0: auth0(), configuration: self.configuration.clone() };
        runner.run_rules(rules, login, effects).await
    }

    /// Runs post-login actions that may redirect.
    pub(crate) async fn act(&self, actions: &[Action], event: Value) -> Result<ActionsOutput, Denied> {
        self.scripts.run_actions(post_login(actions, event)).await
    }

    /// The process ids of the living workers.
    #[cfg(target_os = "linux")]
    pub(crate) fn pids(&self) -> Vec<u32> {
        let program = self.program.to_str().unwrap();
        let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
            command.starts_with(program).then_some(pid)
        });
        processes.collect()
    }
}

pub(crate) fn rule(name: &str, order: i64, script: &str) -> Rule {
    let (name, script, stage) = (name.to_owned(), script.to_owned(), "login_success".to_owned());
    Rule { name, script, order, enabled: true, stage }
}

pub(crate) fn action(name: &str, code: &str) -> Action {
    let (name, code) = (name.to_owned(), code.to_owned());
    Action { name, code, secrets: BTreeMap::new(), dependencies: Vec::new(), modules: Vec::new() }
}

pub(crate) fn post_login(actions: &[Action], event: Value) -> ActionsInput {
    ActionsInput {
        trigger: Trigger::PostLogin,
        actions: actions.into(),
        resume: None,
        event,
        facts: ApiFacts { can_redirect: true, ..ApiFacts::default() },
        effects: Effects::default(),
    }
}

/// The `event` of a post-login action.
pub(crate) fn event() -> Value {
    json!({
        "user": {
            "user_id": "auth0|ada", "email": "ada@example.com", "email_verified": true,
            "app_metadata": { "plan": "free" }, "user_metadata": {},
        },
        "client": { "client_id": "spa", "name": "Frontend", "metadata": {} },
        "request": { "ip": "127.0.0.1", "hostname": "tenant.example", "method": "GET", "query": {}, "body": {} },
        "transaction": { "protocol": "oidc-basic-profile", "requested_scopes": ["openid"], "metadata": {} },
    })
}

pub(crate) fn user() -> Value {
    json!({
        "user_id": "auth0|ada", "email": "ada.lovelace@example.com", "email_verified": true,
        "name": "ada.lovelace@example.com", "created_at": "2026-11-01T10:00:00.000Z",
    })
}

pub(crate) fn auth0() -> Auth0Global {
    let (domain, base_url) = ("tenant.example".to_owned(), "https://tenant.example/api/v2".to_owned());
    Auth0Global { domain, base_url, access_token: None }
}

pub(crate) fn context() -> Value {
    json!({
        "tenant": "dev", "clientID": "spa", "clientName": "Frontend", "connection": "people",
        "stats": { "loginsCount": 1 }, "request": { "hostname": "tenant.example" },
        "accessToken": {}, "idToken": {}, "authorization": { "roles": ["support"] },
    })
}
