//! What the tests of this module share.

use super::{ForgeKind, ForgeSettings};
use crate::telemetry::Secret;

/// A GitLab project with a webhook token.
pub(super) fn settings() -> ForgeSettings {
    ForgeSettings {
        kind: ForgeKind::Gitlab,
        url: "https://gitlab.example".to_owned(),
        project: Some("team/tenant".to_owned()),
        folder: None,
        clone_user: None,
        clone_token: None,
        api_token: None,
        signing_token: None,
        webhook_token: Some(Secret::new("glwt-0123456789")),
        ca_file: None,
        status_url: None,
        ci_issuer: None,
        ci_audience: None,
    }
}
