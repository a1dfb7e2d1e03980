//! Reports a deployment as the status of its commit. The third of the three things that forges differ in.

use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use ureq::Agent;

use super::error::ForgeError;
use super::names::CommitId;
use super::settings::{ForgeKind, ForgeSettings};
use crate::auth0::client_tls;
use crate::telemetry::Secret;

/// How long one call may take.
const TIME_MAX: Duration = Duration::from_secs(10);
/// The longest description that all forges accept.
const DESCRIPTION_MAX: usize = 140;

/// What a commit's status shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitStatus {
    /// The commit.
    pub commit: CommitId,
    /// The target, which makes the name of the status: `vestibule/staging`.
    pub target: String,
    /// How far the deployment is.
    pub state: CommitState,
    /// One line, cut at 140 characters.
    pub description: String,
}

/// How far a deployment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of GitLab")]
pub enum CommitState {
    Pending,
    Running,
    Success,
    Failed,
    /// A newer commit is deployed instead.
    Canceled,
}

/// A client for the commit statuses of one project. Cheap to clone. Blocks.
#[derive(Debug, Clone)]
pub struct Reporter {
    agent: Agent,
    kind: ForgeKind,
    /// The address of statuses, up to the commit.
    statuses: String,
    token: Secret,
    status_url: Option<Arc<str>>,
}

impl Reporter {
    /// The client; `None` without an API token or a project.
    ///
    /// # Errors
    /// [`ForgeError::Certificates`] when `forge.ca_file` cannot be read or contains no certificate.
    pub fn new(settings: &ForgeSettings) -> Result<Option<Self>, ForgeError> {
        let (Some(token), Some(project)) = (settings.api_token.clone(), &settings.project) else {
            return Ok(None);
        };
        let url = settings.url.trim_end_matches('/');
        let statuses = match settings.kind {
            ForgeKind::Gitlab => {
                format!("{url}/api/v4/projects/{}/statuses/", utf8_percent_encode(project, NON_ALPHANUMERIC))
            }
            ForgeKind::Github if url == "https://github.com" => {
                format!("https://api.github.com/repos/{project}/statuses/")
            }
            ForgeKind::Github => format!("{url}/api/v3/repos/{project}/statuses/"),
            ForgeKind::Gitea => format!("{url}/api/v1/repos/{project}/statuses/"),
        };
        let status_url = settings.status_url.as_deref().map(Arc::from);
        Ok(Some(Self { agent: agent(settings)?, kind: settings.kind, statuses, token, status_url }))
    }

    /// Sets the status.
    ///
    /// # Errors
    /// [`ForgeError::Unreachable`], [`ForgeError::Status`].
    pub fn send(&self, status: &CommitStatus) -> Result<(), ForgeError> {
        let (name, value) = match self.kind {
            ForgeKind::Gitlab => ("private-token", self.token.expose().to_owned()),
            ForgeKind::Github => ("authorization", format!("Bearer {}", self.token.expose())),
            ForgeKind::Gitea => ("authorization", format!("token {}", self.token.expose())),
        };
        let request = self.agent.post(format!("{}{}", self.statuses, status.commit)).header(name, value);
        let answer = request.send_json(self.body(status));
        let code = answer.map_err(|error| ForgeError::Unreachable(Box::new(error)))?.status();
        let is_sent = code.is_success() || self.has_state(code.as_u16(), status.state);
        if is_sent { Ok(()) } else { Err(ForgeError::Status { status: code.as_u16() }) }
    }

    /// Whether the answer means that the status has this state already: GitLab refuses it then.
    fn has_state(&self, code: u16, state: CommitState) -> bool {
        self.kind == ForgeKind::Gitlab && code == 400 && state != CommitState::Success
    }

    fn body(&self, status: &CommitStatus) -> Value {
        use CommitState::{Canceled, Failed, Pending, Running, Success};
        let is_gitlab = self.kind == ForgeKind::Gitlab;
        let state = match status.state {
            Running if is_gitlab => "running",
            Canceled if is_gitlab => "canceled",
            Failed if is_gitlab => "failed",
            Pending | Running => "pending",
            Success => "success",
            Failed => "failure",
            Canceled => "error",
        };
        let description: String = status.description.chars().take(DESCRIPTION_MAX).collect();
        let context = format!("vestibule/{}", status.target);
        let target_url = self.status_url.as_deref();
        json!({"state": state, "context": context, "description": description, "target_url": target_url})
    }
}

#[expect(clippy::disallowed_methods, reason = "the forge is no tenant")]
fn agent(settings: &ForgeSettings) -> Result<Agent, ForgeError> {
    let tls = client_tls(settings.ca_file.as_deref()).map_err(ForgeError::Certificates)?;
    let config = Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .timeout_global(Some(TIME_MAX))
        .user_agent(concat!("vestibule/", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(Agent::new_with_config(config))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::forge::tests::settings;

    fn reporter(kind: ForgeKind, url: &str) -> Reporter {
        let api_token = Some(Secret::new("glpat-secret"));
        let status_url = Some("https://ops.example/".to_owned());
        Reporter::new(&ForgeSettings { kind, url: url.to_owned(), api_token, status_url, ..settings() })
            .unwrap()
            .unwrap()
    }

    #[test]
    fn without_an_api_token_nothing_is_reported() {
        assert!(Reporter::new(&settings()).unwrap().is_none());
    }

    #[test]
    fn only_gitlab_refuses_a_state_that_the_status_has() {
        use CommitState::{Running, Success};
        for (kind, code, state, expected) in [
            (ForgeKind::Gitlab, 400, Running, true),
            (ForgeKind::Gitlab, 400, Success, false),
            (ForgeKind::Gitlab, 401, Running, false),
            (ForgeKind::Github, 400, Running, false),
            (ForgeKind::Gitea, 400, Running, false),
        ] {
            assert_eq!(
                reporter(kind, "https://g.example").has_state(code, state),
                expected,
                "{kind:?} {code}"
            );
        }
    }

    #[test]
    fn each_forge_has_its_own_address_and_words() {
        for (kind, url, address, failed, running) in [
            (
                ForgeKind::Gitlab,
                "https://g.example/",
                "https://g.example/api/v4/projects/team%2Ftenant/statuses/",
                "failed",
                "running",
            ),
            (
                ForgeKind::Github,
                "https://github.com",
                "https://api.github.com/repos/team/tenant/statuses/",
                "failure",
                "pending",
            ),
            (
                ForgeKind::Github,
                "https://g.example",
                "https://g.example/api/v3/repos/team/tenant/statuses/",
                "failure",
                "pending",
            ),
            (
                ForgeKind::Gitea,
                "https://g.example",
                "https://g.example/api/v1/repos/team/tenant/statuses/",
                "failure",
                "pending",
            ),
        ] {
            let reporter = reporter(kind, url);
            assert_eq!(reporter.statuses, address);
            assert!(!format!("{reporter:?}").contains("glpat-secret"));
            let commit = "a".repeat(40).parse().unwrap();
            let status = CommitStatus {
                commit,
                target: "staging".to_owned(),
                state: CommitState::Failed,
                description: "é".repeat(200),
            };
            let body = reporter.body(&status);
            assert_eq!(
                (&body["state"], &body["context"], &body["target_url"]),
                (&json!(failed), &json!("vestibule/staging"), &json!("https://ops.example/"))
            );
            assert_eq!(body["description"].as_str().unwrap().chars().count(), 140);
            assert_eq!(
                reporter.body(&CommitStatus { state: CommitState::Running, ..status })["state"],
                running
            );
        }
    }
}
