//! Why a deployment is refused or fails.

use std::path::PathBuf;

use crate::auth0::Auth0Error;
use crate::bundle::BundleError;
use crate::store::StoreError;

/// Why a deployment is refused or fails. The texts hold no secret.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what happened")]
pub enum DeployError {
    #[error("there is no target {name:?}; configured are: {known}")]
    NoTarget { name: String, known: String },
    #[error("these keywords have no value; set them in [targets.{target}.keywords]: {missing}")]
    Keywords { target: String, missing: String },
    #[error("{} is not a bundle: name a folder in a layout of Auth0's deploy CLI, or its tenant.yaml", .0.display())]
    NotABundle(PathBuf),
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The bundle asks for something that cannot be deployed; one line each.
    #[error("the bundle cannot be deployed:\n  {}", .0.join("\n  "))]
    Undeployable(Vec<String>),
    /// The bundle's scripts or tests fail; one line each.
    #[error("the bundle's tests fail, so nothing was changed:\n  {}", .0.join("\n  "))]
    TestsFailed(Vec<String>),
    #[error("{0} is being deployed to already; try again when that has ended")]
    Busy(String),
    #[error("the tenant or the bundle changed since the plan was approved; look at the new plan")]
    PlanChanged,
    #[error(
        "{source}; grant the client {client_id} of [targets.{target}] one of the scopes {scopes} of the Management API"
    )]
    Scope { target: String, client_id: String, scopes: String, source: Box<Auth0Error> },
    #[error("{what}: {source}")]
    Tenant { what: String, source: Box<Auth0Error> },
    #[error("{what} is not as it was deployed: {problem}")]
    NotAsDeployed { what: String, problem: String },
    #[error("the action {name:?} was not built: its status is {status}")]
    NotBuilt { name: String, status: String },
    #[error("{0}")]
    NoDeployment(String),
    #[error("the lock file {} cannot be used: {source}", path.display())]
    Lock { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the record of deployment {0} cannot be read; it was written by another version")]
    Record(i64),
}

impl DeployError {
    /// Whether the same deployment may succeed later, without a change to the bundle or the configuration.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Busy(_) | Self::PlanChanged | Self::Store(_) | Self::Lock { .. } => true,
            Self::Tenant { source, .. } => source.is_temporary(),
            _ => false,
        }
    }
}
