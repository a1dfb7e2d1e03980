//! [`Delivery`] → [`Event`]: what a genuine webhook reports. Nothing in it is used as an address or a path; the branch, the
//! commit and the project are compared with the configuration.

use serde::Deserialize;

use super::names::{CommitId, is_branch, is_zero};
use super::settings::{ForgeKind, ForgeSettings};
use super::verify::Delivery;

/// The longest name that is kept of the person who pushed.
const SENDER_MAX: usize = 100;

/// What a delivery reports.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// Commits on a branch of the project.
    Push(Push),
    /// Nothing that is deployed; why not.
    Ignored(String),
}

/// A push that changed the bundle, or may have.
#[derive(Debug, PartialEq, Eq)]
pub struct Push {
    /// The forge's id of the delivery, if it has one.
    pub delivery: Option<String>,
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// The commit that it points to.
    pub commit: CommitId,
    /// Who pushed, as the forge says.
    pub sender: Option<String>,
}

/// The body is not what the forge sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what happened")]
pub enum EventError {
    #[error("The body is not the JSON of a push; set the webhook's content type to application/json.")]
    NotAPush,
    #[error("The ref of the push is not a valid name.")]
    Ref,
    #[error("The commit id of the push is not 40 or 64 hexadecimal digits.")]
    Commit,
}

/// The members of a push that are used, of all forges.
#[derive(Deserialize)]
struct PushJson {
    #[serde(rename = "ref")]
    git_ref: String,
    #[serde(default)]
    before: String,
    after: String,
    /// GitLab.
    project: Option<Project>,
    /// The others; GitLab has another object of this name.
    repository: Option<Repository>,
    #[serde(default)]
    commits: Vec<Commit>,
    /// GitLab lists at most 20 commits and counts all …
    total_commits_count: Option<usize>,
    /// … Gitea counts them here, and GitHub does not. It lists up to 2,048.
    total_commits: Option<usize>,
    user_username: Option<String>,
    sender: Option<Sender>,
}

#[derive(Deserialize)]
struct Project {
    path_with_namespace: String,
}

#[derive(Deserialize)]
struct Repository {
    full_name: Option<String>,
}

#[derive(Deserialize)]
struct Commit {
    #[serde(default)]
    added: Vec<String>,
    #[serde(default)]
    modified: Vec<String>,
    #[serde(default)]
    removed: Vec<String>,
}

#[derive(Deserialize)]
struct Sender {
    login: Option<String>,
}

/// GitHub's limit for the commits in a delivery.
const GITHUB_COMMITS_MAX: usize = 2048;

/// Reads a delivery.
///
/// # Errors
/// See [`EventError`].
pub fn event(delivery: Delivery, settings: &ForgeSettings) -> Result<Event, EventError> {
    let ignored = |why: String| Ok(Event::Ignored(format!("Request ignored: {why}.")));
    let is_push = match delivery.kind {
        ForgeKind::Gitlab => delivery.event == "Push Hook",
        ForgeKind::Github | ForgeKind::Gitea => delivery.event == "push",
    };
    if !is_push {
        return ignored("it is not a push to a branch".to_owned());
    }
    let push: PushJson = serde_json::from_slice(&delivery.body).map_err(|_| EventError::NotAPush)?;
    let project = match delivery.kind {
        ForgeKind::Gitlab => push.project.as_ref().map(|project| project.path_with_namespace.as_str()),
        _ => push.repository.as_ref().and_then(|repository| repository.full_name.as_deref()),
    };
    let is_ours =
        |project: &str| settings.project.as_ref().is_some_and(|ours| ours.eq_ignore_ascii_case(project));
    if !is_ours(project.ok_or(EventError::NotAPush)?) {
        return ignored("it is about another project".to_owned());
    }
    let Some(branch) = push.git_ref.strip_prefix("refs/heads/") else {
        return match push.git_ref.starts_with("refs/tags/") {
            true => ignored("it is about a tag".to_owned()),
            false => Err(EventError::Ref),
        };
    };
    if !is_branch(branch) {
        return Err(EventError::Ref);
    }
    if is_zero(&push.after) {
        return ignored(format!("the branch '{branch}' was deleted"));
    }
    let commit = push.after.parse().map_err(|_| EventError::Commit)?;
    if push.leaves_alone(settings.folder.as_deref()) {
        return ignored("none of its commits changes the bundle".to_owned());
    }
    let sender = push.user_username.or(push.sender.and_then(|sender| sender.login));
    let is_name =
        |name: &String| name.len() <= SENDER_MAX && name.bytes().all(|byte| byte.is_ascii_graphic());
    let sender = sender.filter(is_name);
    Ok(Event::Push(Push { delivery: delivery.id, branch: branch.to_owned(), commit, sender }))
}

impl PushJson {
    /// Whether the push certainly changes nothing in the folder: all its commits are listed, and none has a path in it.
    fn leaves_alone(&self, folder: Option<&str>) -> bool {
        let Some(folder) = folder else { return false };
        let all = self.total_commits_count.or(self.total_commits);
        let is_complete =
            all.map_or(self.commits.len() < GITHUB_COMMITS_MAX, |all| all == self.commits.len());
        // Without commits it is a new branch, or an old one that was set to another commit.
        let is_known =
            is_complete && !self.commits.is_empty() && !self.before.is_empty() && !is_zero(&self.before);
        let is_inside = |path: &String| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        let paths = |commit: &Commit| {
            [&commit.added, &commit.modified, &commit.removed].into_iter().flatten().any(is_inside)
        };
        is_known && !self.commits.iter().any(paths)
    }
}

#[cfg(test)]
#[path = "tests/push.rs"]
mod tests;
