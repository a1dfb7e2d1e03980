//! A tenant's configuration as files, in the layouts of Auth0's deploy CLI: folders of JSON files, or `tenant.yaml`.
//!
//! Owns reading a bundle: its files, keyword replacement, ids, and the checks that its objects fit together. It also reads
//! the older layout of the deploy extensions (a rule's name is its file's name) and our own `people.json`. Unknown files
//! are listed and unknown members kept, so an exported tenant reads unchanged. Imports layer 0. Never uses the network,
//! changes a file, or runs a script.

mod error;
mod kinds;
mod objects;

mod typed;
mod write;

mod read;

mod files;
mod keywords;
mod layout;

#[cfg(test)]
mod tests;

pub use error::BundleError;
pub use keywords::deserialize_keywords;
pub use kinds::{Kind, Object};
pub use objects::{
    AccessPolicy, ActionBinding, ApiScope, Client, ClientGrant, DEFAULT_CONNECTION, EnabledConnection,
    JwtConfiguration, Organization, RefreshTokenSettings, ResourceServer, Role, RolePermission, Rule,
    SubjectTypeAuthorization, TenantSettings, TestUser,
};

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use files::Files;

/// A checked bundle: names are resolved and unique, and scripts are inlined.
#[derive(Debug, Clone, Default)]
pub struct Bundle {
    /// Its objects as they are written, also those and those members that have no type here.
    pub objects: Objects,
    /// What was left out, and what is not used here; one line each.
    pub notices: Vec<String>,
    /// The tenant's settings.
    pub tenant: TenantSettings,
    /// The rules, in the order they run.
    pub rules: Vec<Rule>,
    /// The rules' `configuration`.
    pub rules_configs: BTreeMap<String, String>,
    /// The actions of each trigger (`post-login`, …), in order.
    pub triggers: BTreeMap<String, Vec<ActionBinding>>,
    /// The applications.
    pub clients: Vec<Client>,
    /// The APIs.
    pub resource_servers: Vec<ResourceServer>,
    /// The scopes that clients get at APIs. Client names are resolved to ids.
    pub client_grants: Vec<ClientGrant>,
    /// The roles.
    pub roles: Vec<Role>,
    /// The organizations.
    pub organizations: Vec<Organization>,
    /// `people.json`: the users. Not part of Auth0's layout; its tools ignore the file.
    pub users: Vec<TestUser>,
}

/// The objects of a tenant but its users, as the Management API writes them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Objects {
    /// The tenant's settings.
    pub tenant: Object,
    /// The bindings of each trigger.
    pub triggers: Object,
    /// The objects of each kind, each with its id, in order.
    pub lists: BTreeMap<Kind, Vec<Object>>,
}

impl Objects {
    /// The objects of a kind.
    pub fn list(&self, kind: Kind) -> &[Object] {
        self.lists.get(&kind).map(Vec::as_slice).unwrap_or_default()
    }

    /// The first object of a kind whose `member` is this text.
    pub fn find(&self, kind: Kind, member: &str, text: &str) -> Option<&Object> {
        self.list(kind).iter().find(|object| object.get(member).and_then(Value::as_str) == Some(text))
    }
}

impl Bundle {
    /// Reads the bundle at `path`: its folder, or a file of the YAML layout. `keywords` are the values of `@@KEY@@` (as
    /// JSON) and `##KEY##` (as plain text).
    ///
    /// Absent folders and files count as empty.
    ///
    /// # Errors
    /// [`BundleError`] names the file, the problem and the fix.
    pub fn read(path: &Path, keywords: &BTreeMap<String, Value>) -> Result<Self, BundleError> {
        read::bundle(path, keywords)
    }

    /// The objects of the bundle at `path` and its notices, without its users, and also what the dev tenant cannot serve.
    ///
    /// # Errors
    /// As [`Bundle::read`].
    pub fn read_objects(
        path: &Path,
        keywords: &BTreeMap<String, Value>,
    ) -> Result<(Objects, Vec<String>), BundleError> {
        read::read_objects(&mut Files::open(path, keywords)?).map(|(objects, notices, _)| (objects, notices))
    }

    /// The keywords that the bundle at `path` gives values itself: `AUTH0_KEYWORD_REPLACE_MAPPINGS` in the `config.json` of
    /// Auth0's deploy CLI.
    ///
    /// # Errors
    /// As [`Bundle::read`].
    pub fn own_keywords(path: &Path) -> Result<BTreeMap<String, Value>, BundleError> {
        files::own_keywords(path)
    }

    /// A bundle of these objects, without users. An object that this tenant cannot serve as Auth0 would is left out of the
    /// typed lists, with a notice.
    pub fn from_objects(objects: Objects, notices: Vec<String>) -> Self {
        typed::bundle(objects, notices)
    }

    /// Writes the bundle in the directory layout. Ids are kept, so that reading it gives the same objects.
    ///
    /// # Errors
    /// A file or folder cannot be written.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        write::bundle(self, folder)
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
