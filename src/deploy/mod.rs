//! Deployments: a bundle becomes the state of a tenant.
//!
//! ```text
//!   bundle + target → desired state ┐
//!                                   ├→ plan → (approval) → apply → checked, recorded
//!   tenant          → current state ┘
//! ```
//!
//! Owns the targets, plans, their application, rollbacks and drift. Imports layer 0, `store` for the records, `auth0` for the
//! Management API, `bundle`, and `script` to convert rules and check scripts. Never serves HTTP. All calls block, but those of
//! `forge` that run git.

mod settings;
mod error;
mod state;
mod rules;
mod modules;
mod desired;
mod secrets;
mod plan;
mod compare;
mod planner;
mod connection;
mod read;
mod apply;
mod apply_scripts;
mod check;
mod deployer;
pub mod forge;

pub use check::BundleTests;
pub use deployer::{Deployer, Options, Origin, Progress};
pub use error::DeployError;
pub use forge::ForgeSettings;
pub use plan::{Change, ChangeKind, MemberChange, Named, Plan, SecretChange, Verb};
pub use settings::TargetSettings;
pub use state::ObjectKind;
