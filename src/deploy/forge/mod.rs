//! The forge (GitLab, GitHub, Gitea, Forgejo) that a tenant's bundle is deployed from.
//!
//! ```text
//!   headers + body → Delivery → Event → (queue) → Checkout → deployment → commit status
//! ```
//!
//! Forges differ in three things: how a webhook is [verified](Verifier), how the bundle is [read](checkout) at the pushed
//! commit, and how a commit's status is [reported](Reporter). Owns these and the settings `[forge]`. Never serves HTTP, keeps
//! a queue, or uses an address, a path or a ref that a webhook names. Reading is async, so that git can be stopped.

mod settings;
mod names;
mod error;
mod verify;
mod push;
mod ci;
mod git;
mod history;
mod tree;
mod read;
mod report;
mod project;

#[cfg(test)]
mod tests;

pub use ci::{CiDeployment, CiError, ci_deployment};
pub use error::ForgeError;
pub use git::GIT_ENVIRONMENT;
pub use history::History;
pub use names::{CommitId, ParseCommitIdError};
pub use project::Project;
pub use push::{Event, EventError, Push, event};
pub use read::{Checkout, checkout, history, local};
pub use report::{CommitState, CommitStatus, Reporter};
pub use settings::{ForgeKind, ForgeSettings};
pub use verify::{Delivery, UnverifiedDelivery, Verifier, VerifyError};
