//! `[forge]` in the configuration.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::names::{is_branch, is_name};
use crate::telemetry::Secret;

/// The shortest signing key, in bytes: GitLab's are 32.
const SIGNING_KEY_MIN: usize = 24;

/// The repository that targets are deployed from, and the secrets it is used with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForgeSettings {
    /// Whose webhooks and API it has.
    pub kind: ForgeKind,
    /// The forge's address: scheme, host, perhaps a port and a path.
    pub url: String,
    /// The project's path: `group/tenant`. Without one there is no forge.
    pub project: Option<String>,
    /// The bundle's folder in the repository. Not set: its root.
    pub folder: Option<String>,
    /// The user that goes with `clone_token`.
    pub clone_user: Option<String>,
    /// Reads the repository: a deploy token.
    pub clone_token: Option<Secret>,
    /// Sets commit statuses. Not set: none are reported.
    pub api_token: Option<Secret>,
    /// The key of signed webhooks. GitLab's begins with `whsec_`.
    pub signing_token: Option<Secret>,
    /// The webhook's secret: what `X-Gitlab-Token` must equal, or the HMAC key of GitHub, Gitea and Forgejo.
    pub webhook_token: Option<Secret>,
    /// A PEM file with the certificate authorities to trust instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// The address that a commit's status links to.
    pub status_url: Option<String>,
    /// The issuer of CI ID tokens that may ask for deployments. Not set: none may.
    pub ci_issuer: Option<String>,
    /// The audience of those tokens.
    pub ci_audience: Option<String>,
}

/// A kind of forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "names of products")]
pub enum ForgeKind {
    Gitlab,
    Github,
    /// Gitea and Forgejo.
    Gitea,
}

impl ForgeKind {
    /// The last part of the webhook's path.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gitlab => "gitlab",
            Self::Github => "github",
            Self::Gitea => "gitea",
        }
    }
}

impl ForgeSettings {
    /// Whether the signing token, if there is one, is of the forge's form: any text, or with GitLab a key.
    pub fn has_valid_signing_token(&self) -> bool {
        self.kind != ForgeKind::Gitlab
            || self
                .signing_token
                .as_ref()
                .is_none_or(|token| Self::signing_key(token).is_some_and(|key| key.len() >= SIGNING_KEY_MIN))
    }

    /// The HMAC key in a signing token: what is after `whsec_`, decoded, or `None` if it is no base64.
    pub(super) fn signing_key(token: &Secret) -> Option<Vec<u8>> {
        use base64::Engine;
        let base64 = token.expose().strip_prefix("whsec_")?;
        base64::engine::general_purpose::STANDARD.decode(base64).ok()
    }

    /// Whether the project's path could be part of an address: names of letters, digits, `-`, `_` and `.`, none of which
    /// leads upwards.
    pub fn is_project(project: &str) -> bool {
        let is_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_name =
            |name: &str| !name.is_empty() && !name.starts_with(['-', '.']) && name.chars().all(is_char);
        project.len() <= 255 && project.contains('/') && project.split('/').all(is_name)
    }

    /// Whether a folder is inside the repository: no empty part, `.`, `..` or `.git`.
    pub fn is_folder(folder: &str) -> bool {
        folder.len() <= 255 && folder.split('/').all(is_name)
    }

    /// Whether a branch can be deployed from; see `git check-ref-format`.
    pub fn is_branch(branch: &str) -> bool {
        is_branch(branch)
    }
}
