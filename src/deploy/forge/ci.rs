//! The claims of a CI job's ID token → the one deployment that the job may ask for.
//!
//! Such a token is signed by the forge (GitLab: `id_tokens`, GitHub: `id-token: write`) and says which project, branch,
//! commit and environment its job runs for. The gate's code has verified it before.

use super::names::CommitId;
use super::settings::{ForgeKind, ForgeSettings};

/// A deployment that a CI job may ask for.
#[derive(Debug, PartialEq, Eq)]
pub struct CiDeployment {
    /// The target: the job's environment.
    pub target: String,
    /// The job's branch.
    pub branch: String,
    /// The job's commit.
    pub commit: CommitId,
    /// Who started the job, as the forge says.
    pub sender: Option<String>,
}

/// Why a job may ask for no deployment. The message goes to the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what happened")]
pub enum CiError {
    #[error("The job's project is not the configured one.")]
    Project,
    #[error("The job does not run for a branch.")]
    Branch,
    #[error("The job's branch is not protected.")]
    Unprotected,
    #[error("The job has no environment, or it is not the name of a target with the job's branch.")]
    Environment,
    #[error("The job's token names no commit.")]
    Commit,
}

/// Reads the claims of a verified token; `branch_of` returns the branch of a target.
///
/// # Errors
/// See [`CiError`].
pub fn ci_deployment<'a, 'b>(
    claim: impl Fn(&str) -> Option<&'a str>,
    settings: &ForgeSettings,
    branch_of: impl Fn(&str) -> Option<&'b str>,
) -> Result<CiDeployment, CiError> {
    let (project, sender) = match settings.kind {
        ForgeKind::Gitlab => ("project_path", "user_login"),
        ForgeKind::Github | ForgeKind::Gitea => ("repository", "actor"),
    };
    let ours = settings.project.as_deref();
    if ours.is_none() || claim(project) != ours {
        return Err(CiError::Project);
    }
    let git_ref = claim("ref").filter(|_| claim("ref_type") == Some("branch")).ok_or(CiError::Branch)?;
    let branch = match settings.kind {
        ForgeKind::Gitlab => git_ref,
        ForgeKind::Github | ForgeKind::Gitea => git_ref.strip_prefix("refs/heads/").ok_or(CiError::Branch)?,
    };
    if claim("ref_protected") != Some("true") {
        return Err(CiError::Unprotected);
    }
    let target = claim("environment")
        .filter(|target| branch_of(target) == Some(branch))
        .ok_or(CiError::Environment)?;
    let commit = claim("sha").and_then(|sha| sha.parse().ok()).ok_or(CiError::Commit)?;
    let sender = claim(sender).filter(|name| name.len() <= 100).map(str::to_owned);
    Ok(CiDeployment { target: target.to_owned(), branch: branch.to_owned(), commit, sender })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::forge::tests::settings;
    use serde_json::{Value, json};

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn read(kind: ForgeKind, change: (&str, Value)) -> Result<CiDeployment, CiError> {
        let mut claims = json!({"project_path": "team/tenant", "repository": "team/tenant", "ref_type": "branch",
            "ref_protected": "true", "environment": "staging", "sha": COMMIT, "user_login": "ada", "actor": "ada",
            "ref": if kind == ForgeKind::Gitlab { "develop" } else { "refs/heads/develop" }});
        claims[change.0] = change.1;
        let branches = [("staging", "develop"), ("production", "main")];
        let branch_of =
            |name: &str| branches.iter().find(|(target, _)| *target == name).map(|(_, branch)| *branch);
        ci_deployment(|name| claims.get(name)?.as_str(), &ForgeSettings { kind, ..settings() }, branch_of)
    }

    #[test]
    fn a_job_of_a_protected_branch_may_deploy_its_commit_to_its_environment() {
        for kind in [ForgeKind::Gitlab, ForgeKind::Github] {
            let expected = CiDeployment {
                target: "staging".to_owned(),
                branch: "develop".to_owned(),
                commit: COMMIT.parse().unwrap(),
                sender: Some("ada".to_owned()),
            };
            assert_eq!(read(kind, ("jti", json!("1"))), Ok(expected));
        }
    }

    #[test]
    fn any_other_job_may_not() {
        for (claim, value, error) in [
            ("project_path", json!("team/tenant2"), CiError::Project),
            ("project_path", json!("TEAM/tenant"), CiError::Project),
            ("project_path", Value::Null, CiError::Project),
            ("ref_type", json!("tag"), CiError::Branch),
            ("ref_protected", json!("false"), CiError::Unprotected),
            ("ref_protected", json!(true), CiError::Unprotected),
            ("environment", json!("production"), CiError::Environment),
            ("environment", json!("other"), CiError::Environment),
            ("environment", Value::Null, CiError::Environment),
            ("ref", json!("feature"), CiError::Environment),
            ("sha", json!("HEAD"), CiError::Commit),
        ] {
            assert_eq!(read(ForgeKind::Gitlab, (claim, value.clone())), Err(error), "{claim} {value}");
        }
        assert_eq!(read(ForgeKind::Github, ("ref", json!("develop"))), Err(CiError::Branch));
        assert_eq!(read(ForgeKind::Github, ("repository", json!("other/tenant"))), Err(CiError::Project));
    }
}
