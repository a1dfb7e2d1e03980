//! A tenant's configuration as files, in the directory layout of Auth0's deploy CLI.
//!
//! Owns reading a bundle: its files, keyword replacement, and the checks that its objects fit together. It also reads the
//! older layout of the GitLab deploy extension (a rule's name is its file's name) and our own `people.json`. Unknown files
//! and members are ignored, so an exported tenant reads unchanged. Imports layer 0. Never uses the network, changes a
//! file, or runs a script.

mod error;
mod objects;

mod read;

mod files;
mod keywords;

#[cfg(test)]
mod tests;

pub use error::BundleError;
pub use objects::{
    ActionBinding, ApiScope, Client, ClientGrant, JwtConfiguration, RefreshTokenSettings, ResourceServer,
    Role, RolePermission, Rule, TenantSettings, TestUser,
};

use std::collections::BTreeMap;
use std::path::Path;

/// A checked bundle: names are resolved and unique, and scripts are inlined.
#[derive(Debug, Clone, Default)]
pub struct Bundle {
    /// `tenant.json`.
    pub tenant: TenantSettings,
    /// `rules/`, in the order they run.
    pub rules: Vec<Rule>,
    /// `rules-configs/`: the rules' `configuration`.
    pub rules_configs: BTreeMap<String, String>,
    /// `triggers/triggers.json`: the actions of each trigger (`post-login`, …), in order.
    pub triggers: BTreeMap<String, Vec<ActionBinding>>,
    /// `clients/`.
    pub clients: Vec<Client>,
    /// `resource-servers/`: the APIs.
    pub resource_servers: Vec<ResourceServer>,
    /// `grants/`: the scopes that clients get at APIs. Client names are resolved to ids.
    pub client_grants: Vec<ClientGrant>,
    /// `roles/`.
    pub roles: Vec<Role>,
    /// `people.json`: the users. Not part of Auth0's layout; its tools ignore the file.
    pub users: Vec<TestUser>,
}

impl Bundle {
    /// Reads the bundle in `folder`. `keywords` are the values of `@@KEY@@` (as JSON) and `##KEY##` (as plain text).
    ///
    /// Absent folders and files count as empty.
    ///
    /// # Errors
    /// [`BundleError`] names the file, the problem and the fix.
    pub fn read(folder: &Path, keywords: &BTreeMap<String, String>) -> Result<Self, BundleError> {
        read::bundle(folder, keywords)
    }

    /// The permissions of `roles` at the API `audience`, sorted and unique. Unknown roles have none.
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
