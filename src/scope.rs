//! Permissions, scopes and roles.
//!
//! Owns their parsing and comparison. Imports no other module of ours. Never decides who has which permission: the gate does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

/// Read users on the Internal API.
pub const USERS_READ: &str = "users:read";
/// Change users.
pub const USERS_WRITE: &str = "users:write";
/// Erase users.
pub const USERS_ERASE: &str = "users:erase";
/// Read the audit log.
pub const AUDIT_READ: &str = "audit:read";
/// Read deployments.
pub const DEPLOY_READ: &str = "deploy:read";
/// Deploy.
pub const DEPLOY_WRITE: &str = "deploy:write";

/// A set of permissions. Membership is exact and case-sensitive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Permissions(BTreeSet<String>);

impl Permissions {
    /// Reads an OAuth `scope` value: tokens separated by single spaces (RFC 6749 §3.3).
    pub fn from_scope(scope: &str) -> Self {
        scope.split(' ').filter(|token| !token.is_empty()).map(str::to_owned).collect()
    }

    /// Whether `permission` is in the set.
    pub fn has(&self, permission: &str) -> bool {
        self.0.contains(permission)
    }

    /// The permissions of `wanted` that are not in the set, in order.
    pub fn missing<'a>(&'a self, wanted: &'a Self) -> impl Iterator<Item = &'a str> {
        wanted.0.difference(&self.0).map(String::as_str)
    }

    /// The permissions in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: &Self) {
        self.add(other.iter());
    }

    /// Adds some by name.
    pub fn add<'a>(&mut self, permissions: impl IntoIterator<Item = &'a str>) {
        self.0.extend(permissions.into_iter().map(str::to_owned));
    }
}

impl FromIterator<String> for Permissions {
    fn from_iter<I: IntoIterator<Item = String>>(permissions: I) -> Self {
        Self(permissions.into_iter().collect())
    }
}

/// As an OAuth `scope` value.
impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, permission) in self.iter().enumerate() {
            write!(f, "{}{permission}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// The permissions of each role: `[roles]` in the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Roles(BTreeMap<String, Permissions>);

impl Roles {
    /// The permissions of all `roles` together. An unknown role has none.
    pub fn permissions<'a>(&self, roles: impl IntoIterator<Item = &'a str>) -> Permissions {
        let mut permissions = Permissions::default();
        for role in roles {
            if let Some(of_role) = self.0.get(role) {
                permissions.extend(of_role);
            }
        }
        permissions
    }

    /// The names of the roles that have all of `permissions`, in order.
    pub fn with_all<'a>(&'a self, permissions: &'a Permissions) -> impl Iterator<Item = &'a str> {
        let has_all = |(_, of_role): &(&String, &Permissions)| of_role.missing(permissions).next().is_none();
        self.0.iter().filter(has_all).map(|(name, _)| name.as_str())
    }
}

impl FromIterator<(String, Permissions)> for Roles {
    fn from_iter<I: IntoIterator<Item = (String, Permissions)>>(roles: I) -> Self {
        Self(roles.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_contains_whole_words_only() {
        let held = Permissions::from_scope("users:read2 xusers:read  audit:read");
        assert!(!held.has(USERS_READ) && held.has(AUDIT_READ));
        let wanted = Permissions::from_scope("users:read audit:read");
        assert_eq!(held.missing(&wanted).collect::<Vec<_>>(), [USERS_READ]);
        assert_eq!(wanted.to_string(), "audit:read users:read");
    }

    #[test]
    fn permissions_of_roles_add_up_and_unknown_roles_have_none() {
        let roles: Roles = [
            ("support".to_owned(), Permissions::from_scope("users:read")),
            ("auditor".to_owned(), Permissions::from_scope("audit:read")),
        ]
        .into_iter()
        .collect();
        assert_eq!(roles.permissions(["support", "auditor"]).to_string(), "audit:read users:read");
        assert!(roles.permissions(["Support", "root"]).is_empty());
    }
}
