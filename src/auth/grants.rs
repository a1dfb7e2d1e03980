//! What the configuration grants to issuers, users and agents.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::{Agents, Claims, RolesFrom};
use crate::scope::{Permissions, Roles};
use crate::user::CurrentUser;

/// What the configuration grants to issuers, users and agents.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// The trusted issuers whose `sub` names a user of ours: those of one tenant. Another tenant assigns its ids
    /// independently, so one of them may equal an id of ours.
    pub user_issuers: Vec<String>,
    /// The permissions of each role; replaced by a reload.
    pub roles: Arc<ArcSwap<Roles>>,
    /// Where the roles of a user come from.
    pub roles_from: RolesFrom,
    /// What agents may do that act for a user.
    pub agents: Agents,
}

impl Grants {
    /// Whether the users of `issuer` are ours.
    pub(super) fn accept_users_of(&self, issuer: &str) -> bool {
        self.user_issuers.iter().any(|trusted| trusted == issuer)
    }

    /// The permissions of a user that the token shows: Auth0's `permissions`, and those of the roles in the token if they
    /// count.
    pub(super) fn of_token(&self, claims: &Claims) -> Permissions {
        let mut permissions = match self.roles_from {
            RolesFrom::Database => Permissions::default(),
            RolesFrom::Token => self.roles.load().permissions(claims.roles()),
        };
        permissions.add(claims.permissions());
        permissions
    }

    /// The permissions of a user's own roles; none if the token decides.
    pub(super) fn of_row(&self, user: &CurrentUser) -> Permissions {
        match self.roles_from {
            RolesFrom::Database => self.roles.load().permissions(user.roles().iter().map(String::as_str)),
            RolesFrom::Token => Permissions::default(),
        }
    }
}
