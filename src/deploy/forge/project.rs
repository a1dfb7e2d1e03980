//! The configured project: its webhook, the branch that each target follows, and where its commit statuses go.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use super::ci::{CiDeployment, CiError, ci_deployment};
use super::names::CommitId;
use super::report::{CommitState, CommitStatus};
use super::settings::ForgeSettings;
use super::verify::Verifier;

/// The most statuses that wait to be sent. Over it, new ones are dropped.
const STATUSES_MAX: usize = 100;

/// The configured project.
pub struct Project {
    settings: ForgeSettings,
    verifier: Option<Verifier>,
    /// By the target's name.
    branches: BTreeMap<String, String>,
    statuses: mpsc::Sender<CommitStatus>,
}

impl Project {
    /// The project, and the commit statuses to send for it. `None` unless `forge.project` is set. `branches` are those of the
    /// targets that have one, by the target's name.
    pub fn new(
        settings: &ForgeSettings,
        branches: BTreeMap<String, String>,
    ) -> Option<(Self, mpsc::Receiver<CommitStatus>)> {
        settings.project.as_ref()?;
        let (statuses, receiver) = mpsc::channel(STATUSES_MAX);
        let verifier = Verifier::new(settings);
        Some((Self { settings: settings.clone(), verifier, branches, statuses }, receiver))
    }

    /// `[forge]`.
    pub fn settings(&self) -> &ForgeSettings {
        &self.settings
    }

    /// Checks webhooks; `None` without a secret.
    pub fn verifier(&self) -> Option<&Verifier> {
        self.verifier.as_ref()
    }

    /// The targets that follow a branch.
    pub fn targets_of(&self, branch: &str) -> impl Iterator<Item = &str> {
        self.branches
            .iter()
            .filter(move |(_, followed)| *followed == branch)
            .map(|(target, _)| target.as_str())
    }

    /// The branch that a target follows.
    pub fn branch_of(&self, target: &str) -> Option<&str> {
        self.branches.get(target).map(String::as_str)
    }

    /// The targets that follow a branch, by name.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        self.branches.keys().map(String::as_str)
    }

    /// The deployment that a CI job may ask for; see [`ci_deployment`].
    ///
    /// # Errors
    /// See [`CiError`].
    pub fn ci_deployment<'a>(
        &self,
        claim: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<CiDeployment, CiError> {
        ci_deployment(claim, &self.settings, |target| self.branch_of(target))
    }

    /// Sends a commit status, in the background and after those before.
    pub fn report(
        &self,
        target: &str,
        commit: &CommitId,
        state: CommitState,
        description: impl Into<String>,
    ) {
        let (commit, target) = (commit.clone(), target.to_owned());
        let status = CommitStatus { commit, target, state, description: description.into() };
        if self.statuses.try_send(status).is_err() {
            tracing::warn!("a commit status is dropped: too many wait");
        }
    }
}

impl std::fmt::Debug for Project {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Project").field("branches", &self.branches).finish_non_exhaustive()
    }
}
