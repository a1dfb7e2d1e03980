//! The identities of a user: the Auth0 ids that lead to them. Listed, and linked or unlinked by staff.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::find::by_auth0_id;
use crate::store::audit::{Action, Actor, Changes};
use crate::store::columns::{optional_time, time};
use crate::store::query::{all, first};
use crate::store::write::Write;
use crate::store::{Result, Store, StoreError};
use crate::user::{Auth0Id, User, UserId};

/// One Auth0 id of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The `sub` of its tokens.
    pub auth0_id: Auth0Id,
    /// Since when it leads to the user.
    pub linked_at: Timestamp,
}

impl Store {
    /// The identities of a user, in the order they were linked. Those of an erased user are pseudonyms: `erased|…`.
    pub fn identities(&self, id: UserId) -> Result<Vec<Identity>> {
        self.read(|connection| of(connection, id))
    }

    /// When this identity was last unlinked from a user. Tokens from before are revoked.
    pub fn unlinked_at(&self, auth0_id: &Auth0Id) -> Result<Option<Timestamp>> {
        self.read_by_key(|connection| unlinked_at(connection, auth0_id))
    }

    /// Links an identity to a user, or claims a pre-provisioned row. The caller vouches that both are one person.
    ///
    /// # Errors
    /// [`StoreError::IdentityTaken`] when it leads to another user: [merge](Store::merge) the two instead.
    pub fn link_identity(&self, id: UserId, auth0_id: &Auth0Id, actor: &Actor) -> Result<User> {
        self.write(|write| {
            let user = write.not_erased(id)?;
            if let Some(other) = by_auth0_id(write.tx, auth0_id)? {
                return if other.id == id { Ok(user) } else { Err(StoreError::IdentityTaken(other.id)) };
            }
            write.add_identity(auth0_id, id)?;
            write.set_own_identity(id, user.auth0_id.as_ref().unwrap_or(auth0_id))?;
            write.enqueue_block_of_new(auth0_id, &user)?;
            write.audit(actor, Action::Linked, id, Changes::default().identity_added(auth0_id))?;
            write.existing(id)
        })
    }

    /// Unlinks an identity from a user, and revokes its tokens. Its next login is provisioned as if it were new, but no email
    /// links it to a user again: only [`Store::link_identity`] does. When it was the row's own, the one that was linked
    /// first replaces it. Unlinking an identity that leads to no user changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotLinked`] when it leads to another user; [`StoreError::Invalid`] for the only identity, because the
    /// next login with the user's email would claim the row.
    pub fn unlink_identity(&self, id: UserId, auth0_id: &Auth0Id, actor: &Actor) -> Result<User> {
        self.write(|write| {
            let user = write.not_erased(id)?;
            let identities = of(write.tx, id)?;
            if !identities.iter().any(|identity| identity.auth0_id == *auth0_id) {
                let other = by_auth0_id(write.tx, auth0_id)?;
                return if other.is_none() { Ok(user) } else { Err(StoreError::NotLinked(id)) };
            }
            let Some(first) = identities.iter().find(|identity| identity.auth0_id != *auth0_id) else {
                return Err(StoreError::Invalid(
                    "this is the user's only identity; link another first, or block or erase the user",
                ));
            };
            let own = user.auth0_id.as_ref().filter(|own| *own != auth0_id).unwrap_or(&first.auth0_id);
            write.set_own_identity(id, own)?;
            write.remove_identity(auth0_id)?;
            write.audit(actor, Action::Unlinked, id, Changes::default().identity_removed(auth0_id))?;
            write.existing(id)
        })
    }
}

/// The identities of a user, in the order they were linked.
pub(crate) fn of(connection: &Connection, id: UserId) -> Result<Vec<Identity>> {
    let sql = "SELECT auth0_id, linked_at FROM identities WHERE user_id = ?1 ORDER BY linked_at, auth0_id";
    all(connection, sql, [id], read_identity)
}

pub(crate) fn read_identity(row: &Row<'_>) -> Result<Identity> {
    Ok(Identity { auth0_id: row.get(0)?, linked_at: time(row, 1)? })
}

/// When staff unlinked this identity last, even if it was linked to another user since.
pub(crate) fn unlinked_at(connection: &Connection, auth0_id: &Auth0Id) -> Result<Option<Timestamp>> {
    // Computes no pseudonym while there is no key.
    let sql = "SELECT max(u.tokens_valid_from) FROM pseudonym_keys k
               CROSS JOIN unlinked_identities u ON u.auth0_id = pseudonym(k.key, ?1)";
    first(connection, sql, [auth0_id], |row| optional_time(row, 0)).map(Option::flatten)
}

impl Write<'_> {
    /// Adds an identity. If it was unlinked before, tokens from before are revoked: they lead to the user again.
    pub(crate) fn add_identity(&self, auth0_id: &Auth0Id, user: UserId) -> Result<()> {
        let sql = "INSERT INTO identities (auth0_id, user_id, linked_at) VALUES (?1, ?2, ?3)";
        self.run(sql, params![auth0_id, user, self.now_millis()])?;
        let Some(at) = unlinked_at(self.tx, auth0_id)? else { return Ok(()) };
        let sql =
            "UPDATE users SET tokens_valid_from = max(coalesce(tokens_valid_from, ?2), ?2) WHERE id = ?1";
        self.run(sql, params![user, at.as_millisecond()]).map(drop)
    }

    fn set_own_identity(&self, id: UserId, auth0_id: &Auth0Id) -> Result<()> {
        let sql = "UPDATE users SET auth0_id = ?2, updated_at = ?3 WHERE id = ?1";
        self.run(sql, params![id, auth0_id, self.now_millis()]).map(drop)
    }

    /// Removes an identity, and revokes its tokens. Only a pseudonym of its id stays: a user who asks to be erased later
    /// cannot name every id they ever had.
    fn remove_identity(&self, auth0_id: &Auth0Id) -> Result<()> {
        self.run("DELETE FROM identities WHERE auth0_id = ?1", [auth0_id])?;
        let pseudonym = self.pseudonym_key()?.pseudonym(auth0_id.as_str());
        // Never earlier than before, in case the machine's clock was set back.
        let sql = "INSERT INTO unlinked_identities (auth0_id, tokens_valid_from) VALUES (?1, ?2)
                   ON CONFLICT (auth0_id) DO UPDATE SET
                       tokens_valid_from = max(unlinked_identities.tokens_valid_from, excluded.tokens_valid_from)";
        self.run(sql, params![pseudonym, self.now_millis()]).map(drop)
    }
}
