//! The server as a value: opens handles, binds listeners, drains.
//!
//! Owns the wiring of modules and the lifecycle of a server. Uses all lower modules. Never parses arguments, never prints.

mod listen;
mod vestibule;
mod reload;
mod doors;
mod block_outbox;
mod bundle_gaps;
mod commit_statuses;
mod deployment_worker;
mod deployments;
mod dev_tenant;
mod development;
mod post_sink;
mod git_server;
mod script_tests;

pub use self::vestibule::Vestibule;
/// Why trusted documents cannot be read.
pub use crate::api::ManifestError;
pub use bundle_gaps::Gap;
pub use dev_tenant::{DevTenant, TenantListeners};
pub use development::Development;
pub use doors::{Doors, explain, trusted};
pub use git_server::{GitServer, http_backend};
pub use listen::Listener;
pub use post_sink::PostSink;
pub use reload::DoorsReload;
pub use script_tests::ScriptTests;
