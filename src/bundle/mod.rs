//! A tenant's configuration as files, in the directory layout of Auth0's deploy CLI.
//!
//! Owns the reading of a bundle: which files there are, keyword replacement, and what makes the objects in them fit
//! together. The older layout of the GitLab deploy extension (a rule's file name is its name) reads too, and
//! `people.json` is ours. What it does not know in Auth0's own objects it keeps, so that an exported tenant reads
//! unchanged. Leans on floor 0. Never touches the network, never changes a file, never runs what it reads.

mod error;
mod objects;

mod read;

mod files;
mod keywords;

#[cfg(test)]
mod tests;

pub use error::BundleError;
pub use objects::{
    ActionBinding, ApiScope, Client, ClientGrant, JwtConfiguration, ResourceServer, Role, RolePermission,
    Rule, TenantSettings, TestUser,
};

use std::collections::BTreeMap;
use std::path::Path;

/// A whole bundle, read and checked: names are resolved and unique, and scripts are inlined.
#[derive(Debug, Clone, Default)]
pub struct Bundle {
    /// `tenant.json`.
    pub tenant: TenantSettings,
    /// `rules/`, in the order they run.
    pub rules: Vec<Rule>,
    /// `rules-configs/`: what rules see as `configuration`.
    pub rules_configs: BTreeMap<String, String>,
    /// `triggers/triggers.json`: the actions that run at each trigger (`post-login`, …), in their order.
    pub triggers: BTreeMap<String, Vec<ActionBinding>>,
    /// `clients/`.
    pub clients: Vec<Client>,
    /// `resource-servers/`: the APIs.
    pub resource_servers: Vec<ResourceServer>,
    /// `grants/`: which client may have which scopes of which API. Client names are resolved to ids.
    pub client_grants: Vec<ClientGrant>,
    /// `roles/`.
    pub roles: Vec<Role>,
    /// `people.json`: who can log in. Not part of Auth0's layout; its tools ignore the file.
    pub users: Vec<TestUser>,
}

impl Bundle {
    /// Reads the bundle in `folder`. `keywords` are what `@@KEY@@` (as JSON) and `##KEY##` (as it is) stand for.
    ///
    /// Folders and files that are absent are empty; those it does not know are left alone.
    ///
    /// # Errors
    /// [`BundleError`] names the file, what is wrong with it and what to do.
    pub fn read(folder: &Path, keywords: &BTreeMap<String, String>) -> Result<Self, BundleError> {
        read::bundle(folder, keywords)
    }

    /// The permissions that `roles` give at the API `audience`, sorted, each once. Unknown roles give none.
    pub fn permissions(&self, roles: &[String], audience: &str) -> Vec<String> {
        let mut permissions: Vec<String> = self
            .roles
            .iter()
            .filter(|role| roles.contains(&role.name))
            .flat_map(|role| &role.permissions)
            .filter(|permission| permission.resource_server_identifier == audience)
            .map(|permission| permission.permission_name.clone())
            .collect();
        permissions.sort();
        permissions.dedup();
        permissions
    }
}
