//! The roles of a user.

use std::collections::BTreeSet;

use rusqlite::params;
use serde_json::Value;

use crate::store::audit::{Action, Actor, Changes};
use crate::store::{Result, Store};
use crate::user::{User, UserId};

impl Store {
    /// Replaces a user's roles, sorted and without duplicates, and revokes their tokens, which carry the old roles. Roles that
    /// are the same change nothing.
    pub fn set_roles(&self, id: UserId, roles: &[String], actor: &Actor) -> Result<User> {
        self.change_roles(id, |_| roles.to_vec(), actor)
    }

    /// Replaces a user's roles by those of their token, where tokens decide about roles: none is revoked.
    pub fn mirror_roles(&self, id: UserId, roles: &[String], actor: &Actor) -> Result<User> {
        self.write(|write| {
            let user = write.not_erased(id)?;
            let roles = sorted(roles);
            if user.roles != roles {
                let changes = Changes::default().field("roles", user.roles.clone(), roles.clone());
                let sql = "UPDATE users SET roles = ?2, updated_at = ?3 WHERE id = ?1";
                write.run(sql, params![id, Value::from(roles).to_string(), write.now_millis()])?;
                write.audit(actor, Action::RolesSet, id, changes)?;
            }
            write.existing(id)
        })
    }

    /// [`Store::set_roles`] to what `change` makes of the current roles, in one transaction.
    pub fn change_roles(
        &self,
        id: UserId,
        change: impl FnOnce(&[String]) -> Vec<String>,
        actor: &Actor,
    ) -> Result<User> {
        self.write(|write| {
            let user = write.not_erased(id)?;
            let roles = sorted(&change(&user.roles));
            if sorted(&user.roles) == roles {
                return Ok(user);
            }
            let changes = write.revocation_change(&user).field("roles", user.roles.clone(), roles.clone());
            let sql = "UPDATE users SET roles = ?2, tokens_valid_from = ?3, updated_at = ?4 WHERE id = ?1";
            let valid_from = write.revocation_time(&user).as_millisecond();
            write.run(sql, params![id, Value::from(roles).to_string(), valid_from, write.now_millis()])?;
            write.audit(actor, Action::RolesSet, id, changes)?;
            write.existing(id)
        })
    }
}

pub(crate) fn sorted(roles: &[String]) -> Vec<String> {
    roles.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
}
