//! The last act: a push deploys an action to the tenant of its branch, a login shows it, and a rollback takes it back.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio::runtime::Runtime;

use super::browser::random;
use super::narrator::{Narrator, payload};
use crate::app::{DevTenant, GitServer, ScriptTests, TenantListeners};
use crate::cli::dev::script_worker;
use crate::cli::out;
use crate::cli::tenant::plan_text::{self, Colours};
use crate::clock::Clock;
use crate::config::Config;
use crate::deploy::forge::GIT_ENVIRONMENT;
use crate::deploy::{Deployer, Options, Origin, Plan, Progress, TargetSettings};
use crate::store::{Actor, Store};
use crate::telemetry::Secret;

const PROJECT: &str = "team/tenant";
/// The target, its branch and its tenant.
const STAGING: &str = "staging";
const CLIENT: [&str; 2] = ["deployer", "dev-only-deployer"];
/// How long the deployment may take.
const WAIT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// What the team pushes.
const PUSHED: [(&str, &str); 4] = [
    (
        "actions/greet.json",
        r###"{"name": "greet", "code": "./actions/greet/code.js", "runtime": "node22", "dependencies": [], "deployed": true,
  "secrets": [{"name": "GREETING", "value": "##GREETING##"}], "supported_triggers": [{"id": "post-login", "version": "v3"}]}
"###,
    ),
    (
        "actions/greet/code.js",
        "exports.onExecutePostLogin = async (event, api) => {
  api.accessToken.setCustomClaim('https://example.com/greeting', event.secrets.GREETING);
};
",
    ),
    (
        "actions/greet/tests/greet.json",
        r#"{"name": "a login is greeted",
  "expect": {"access_token": {"https://example.com/greeting": "Hello from staging"}}}
"#,
    ),
    ("triggers/triggers.json", r#"{"post-login": [{"action_name": "greet", "display_name": "greet"}]}"#),
];
const CLAIM: &str = "https://example.com/greeting";

/// A repository with its server in place of a forge, and the tenant that its branch is deployed to.
pub(super) struct Staging {
    /// Where commits are made.
    clone: PathBuf,
    repository: PathBuf,
    forge: GitServer,
    tenant: DevTenant,
    /// Signs webhooks.
    key: hmac::Key,
}

impl Staging {
    /// Opens both, and adds them to the configuration. `None` without the program git.
    pub(super) fn open(
        runtime: &Runtime,
        config: &mut Config,
        folder: &Path,
    ) -> anyhow::Result<Option<Self>> {
        let backend = git(folder, &["--exec-path"]).map(|path| Path::new(&path).join("git-http-backend"));
        if !backend.is_ok_and(|backend| backend.is_file()) {
            return Ok(None);
        }
        let (root, clone, bundle) = (folder.join("forge"), folder.join("clone"), folder.join(STAGING));
        let repository = root.join(format!("{PROJECT}.git"));
        for folder in [&repository, &clone] {
            std::fs::create_dir_all(folder).context("cannot create the repository's folder")?;
        }
        git(&repository, &["init", "--quiet", "--bare", "--initial-branch", STAGING])?;
        // As forges have them.
        git(&repository, &["config", "uploadpack.allowFilter", "true"])?;
        git(&repository, &["config", "uploadpack.allowReachableSHA1InWant", "true"])?;
        git(&clone, &["init", "--quiet", "--initial-branch", STAGING])?;
        let [id, secret] = CLIENT;
        let client = json!({"client_id": id, "client_secret": secret, "name": id, "app_type": "non_interactive",
            "grant_types": ["client_credentials"]});
        let grant = json!({"client_id": id, "audience": "##ISSUER##api/v2/", "allow_all_scopes": true});
        let person = json!([{"user_id": "auth0|ada", "email": "ada@example.com", "email_verified": true, "password": "dev-only-ada"}]);
        let files =
            [("clients/deployer.json", client), ("grants/deployer.json", grant), ("people.json", person)];
        write(&bundle, files.map(|(path, content)| (path, content.to_string())))?;
        let mut staging = config.clone();
        staging.tenant.bundle = bundle;
        staging.tenant.data = folder.join("staging.db");
        // Its frontend, and the APIs.
        staging.tenant.supply = true;
        let (forge, tenant) = runtime.block_on(async {
            let listeners = TenantListeners::bind(&staging.tenant).await?;
            // Its actions call no Internal API.
            let nowhere = ([127, 0, 0, 1], 1).into();
            let tenant = DevTenant::start(&staging, listeners, nowhere, script_worker()?, Clock::system())?;
            anyhow::Ok((GitServer::open(root, &config.http).await?, tenant))
        })?;
        let key = random()?;
        config.forge =
            serde_json::from_value(json!({"kind": "gitlab", "url": forge.url(), "project": PROJECT,
            "signing_token": format!("whsec_{}", STANDARD.encode(&key))}))?;
        let target = TargetSettings {
            domain: tenant.issuer().to_owned(),
            client_id: Some(id.to_owned()),
            client_secret: Some(Secret::new(secret)),
            branch: Some(STAGING.to_owned()),
            keywords: [("GREETING".to_owned(), "Hello from staging".into())].into(),
            ..TargetSettings::default()
        };
        config.targets = [(STAGING.to_owned(), target)].into();
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
        Ok(Some(Self { clone, repository, forge, tenant, key }))
    }

    /// Commits what the team pushes, and pushes it. Returns the commit's id.
    fn push(&self) -> anyhow::Result<String> {
        write(&self.clone, PUSHED)?;
        git(&self.clone, &["add", "--all"])?;
        git(&self.clone, &["commit", "--quiet", "--message", "Greet at a login"])?;
        git(&self.clone, &["push", "--quiet", &self.repository.display().to_string(), STAGING])?;
        git(&self.clone, &["rev-parse", "HEAD"])
    }

    /// Stops both.
    pub(super) async fn stop(self) {
        self.tenant.stop().await;
        self.forge.stop().await;
    }
}

/// Runs the act.
pub(super) fn run(
    demo: &mut Narrator<'_>,
    staging: Option<&Staging>,
    runtime: &Runtime,
) -> anyhow::Result<()> {
    demo.title(
        "8. A push to the branch `staging` deploys an action to a second tenant; a rollback takes it back.",
    )?;
    let Some(staging) = staging else {
        return demo.say("This act is left out: git is not installed, or has no http-backend.");
    };
    let commit = staging.push()?;
    out::line(format!("  $ git push origin {STAGING}    {commit}  Greet at a login"))?;
    webhook(demo, staging, &commit)?;
    let store = demo.development.doors.services().store.clone();
    let (outcome, message) = runtime.block_on(ended(&store, &commit))?;
    demo.check(outcome == "deployed", &format!("the commit's status is: {outcome}; {message}"))?;
    let tests = ScriptTests::for_deployments(demo.config, script_worker()?, runtime.handle().clone());
    let (path, targets) = (&demo.config.store.path, demo.config.targets.clone());
    let deployer = Deployer::new(store.clone(), path, targets, tests, Clock::system());
    let deployment = deployer.last_to_undo(STAGING)?;
    let plan: Plan =
        serde_json::from_str(&store.deployment_plan(deployment)?.context("the deployment has no plan")?)?;
    let plan = plan_text::text(&plan, "Its plan", Colours(console::colors_enabled()));
    plan.lines().try_for_each(|line| out::line(format!("  {line}").trim_end()))?;
    demo.say("Its log:")?;
    for entry in store.deployment_log(deployment)? {
        out::line(format!("      · {}", out::plain(&entry.line)))?;
    }

    demo.say("Ada logs in at the staging tenant.")?;
    let audience = demo.config.public.audience.clone();
    let token = demo.log_in_at(&staging.tenant, "ada@example.com", &audience)?;
    let greeting = payload(&token).get(CLAIM).cloned().unwrap_or_default();
    demo.check(greeting == "Hello from staging", &format!("her token has the new claim: {greeting}"))?;

    demo.say("The rollback, as `vestibule tenant rollback --to staging` makes it:")?;
    let origin = Origin { actor: Actor::Cli, git_ref: None, commit: None };
    let progress = |progress: Progress<'_>| {
        if let Progress::Line(line) = progress {
            drop(out::line(format!("      · {}", out::plain(line))));
        }
    };
    deployer.rollback(STAGING, deployment, &origin, Options::default(), None, &progress)?;
    let token = demo.log_in_at(&staging.tenant, "ada@example.com", &audience)?;
    demo.check(payload(&token).get(CLAIM).is_none(), "her next token has no such claim")
}

/// Sends the webhook of the push, as GitLab does: signed (Standard Webhooks).
fn webhook(demo: &mut Narrator<'_>, staging: &Staging, commit: &str) -> anyhow::Result<()> {
    let url = format!("http://{}/webhooks/gitlab", demo.development.doors.internal());
    let body = json!({"object_kind": "push", "ref": format!("refs/heads/{STAGING}"), "before": "0".repeat(40),
        "after": commit, "user_username": "ada", "project": {"path_with_namespace": PROJECT}, "commits": []});
    let (body, id, seconds) = (body.to_string(), "msg_1", Clock::system().now().as_second().to_string());
    let tag = hmac::sign(&staging.key, format!("{id}.{seconds}.{body}").as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(tag));
    let headers = [
        ("content-type", "application/json"),
        ("x-gitlab-event", "Push Hook"),
        ("webhook-id", id),
        ("webhook-timestamp", &seconds),
        ("webhook-signature", &signature),
    ];
    let response = demo.http.send("POST", &url, &headers, body)?;
    out::line(format!("  → POST {url}    signed"))?;
    out::line(format!("  ← {}  {}", response.status, response.body))?;
    demo.check(response.status == 202, "the door accepted the webhook of the push")
}

/// The outcome of the push, and why, when it has one.
async fn ended(store: &Store, commit: &str) -> anyhow::Result<(String, String)> {
    let look = async {
        loop {
            if let Some(Some(ended)) = store.deployment_request_state(STAGING, commit)? {
                return anyhow::Ok(ended);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    tokio::time::timeout(WAIT, look).await.context("the deployment does not end")?
}

/// Runs git as Ada, without a configuration but the repository's, and returns what it prints.
fn git(folder: &Path, args: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git")
        .args(args)
        .current_dir(folder)
        .env_clear()
        .envs(GIT_ENVIRONMENT)
        // A push may go to another folder.
        .env("GIT_PROTOCOL_FROM_USER", "1")
        .envs(["AUTHOR", "COMMITTER"].map(|role| (format!("GIT_{role}_NAME"), "Ada Lovelace")))
        .envs(["AUTHOR", "COMMITTER"].map(|role| (format!("GIT_{role}_EMAIL"), "ada@example.com")))
        .output()
        .context("cannot start git")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "git {} failed: {}", args.join(" "), errors.trim());
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn write<const N: usize>(folder: &Path, files: [(&str, impl AsRef<[u8]>); N]) -> anyhow::Result<()> {
    for (path, content) in files {
        let path = folder.join(path);
        let written = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        written
            .and_then(|()| std::fs::write(&path, content))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
