//! The Auth0 ids that lead to a user: listed, linked and taken away by hand.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::audit::{Action, Actor, Changes};
use super::changes::not_erased;
use super::users::{by_auth0_id, from_millis};
use super::{Store, StoreError, Write, pseudonym};
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
    /// The identities of a user, in the order they were linked. Those of a tombstone are pseudonyms: `erased|…`.
    ///
    /// # Errors
    /// As every read: [`StoreError::Database`].
    pub fn identities(&self, id: UserId) -> Result<Vec<Identity>, StoreError> {
        self.read(|connection| of(connection, id))
    }

    /// Leads one more identity to a user. Whoever asks vouches that both are one person; no email is compared. A row
    /// that waited for its person is theirs with it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Erased`]; [`StoreError::IdentityTaken`] when it leads to somebody else:
    /// [merge](Store::merge) the two instead; else as every write.
    pub fn link_identity(&self, id: UserId, auth0_id: &Auth0Id, actor: &Actor) -> Result<User, StoreError> {
        self.write(|write| {
            let user = not_erased(write.existing(id)?)?;
            match by_auth0_id(&write.tx, auth0_id)? {
                Some(theirs) if theirs.id == id => return Ok(user),
                Some(other) => return Err(StoreError::IdentityTaken(other.id)),
                None => {}
            }
            write.add_identity(auth0_id, id)?;
            write.own(id, user.auth0_id.as_ref().unwrap_or(auth0_id))?;
            write.wish_block_of_new(auth0_id, &user)?;
            write.audit(actor, Action::Linked, id, Changes::default().identity(auth0_id))?;
            write.existing(id)
        })
    }

    /// Takes an identity from a user; its tokens issued so far are revoked. Whoever comes with it next is decided
    /// anew, as at first sight, but no email links it to anybody again: only [`Store::link_identity`] does. When it was
    /// the row's own, the one linked longest takes its place.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Erased`], [`StoreError::NotLinked`]; [`StoreError::Invalid`] for the
    /// only identity, because the row would be anybody's who has its email; else as every write.
    pub fn unlink_identity(&self, id: UserId, auth0_id: &Auth0Id, actor: &Actor) -> Result<User, StoreError> {
        self.write(|write| {
            let user = not_erased(write.existing(id)?)?;
            let identities = of(&write.tx, id)?;
            if !identities.iter().any(|identity| identity.auth0_id == *auth0_id) {
                return Err(StoreError::NotLinked(id));
            }
            let Some(heir) = identities.iter().find(|identity| identity.auth0_id != *auth0_id) else {
                return Err(StoreError::Invalid(
                    "this is the user's only identity; link another first, or block or erase the user",
                ));
            };
            let own = user.auth0_id.as_ref().filter(|own| *own != auth0_id).unwrap_or(&heir.auth0_id);
            write.own(id, own)?;
            write.remove_identity(auth0_id)?;
            write.audit(actor, Action::Unlinked, id, Changes::default().no_identity(auth0_id))?;
            write.existing(id)
        })
    }
}

pub(super) fn of(connection: &Connection, id: UserId) -> Result<Vec<Identity>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT auth0_id, linked_at FROM identities WHERE user_id = ?1 ORDER BY linked_at, auth0_id",
    )?;
    let mut rows = statement.query([id.as_bytes()])?;
    let mut identities = Vec::new();
    while let Some(row) = rows.next()? {
        let auth0_id: String = row.get(0)?;
        identities.push(Identity {
            auth0_id: auth0_id.parse().map_err(|error| StoreError::damaged("identities.auth0_id", error))?,
            linked_at: from_millis("identities.linked_at", row.get(1)?)?,
        });
    }
    Ok(identities)
}

impl Write<'_> {
    /// Whether staff took this identity from somebody, whoever it was linked to since.
    pub(super) fn was_unlinked(&self, auth0_id: &Auth0Id) -> Result<bool, StoreError> {
        let mut statement = self
            .tx
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM unlinked_identities WHERE auth0_id = ?1)")?;
        for key in pseudonym::keys(&self.tx)? {
            if statement.query_one([key.pseudonym(auth0_id.as_str())], |row| row.get(0))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Sets the row's own identity.
    fn own(&self, id: UserId, auth0_id: &Auth0Id) -> Result<(), StoreError> {
        let mut statement =
            self.tx.prepare_cached("UPDATE users SET auth0_id = ?2, updated_at = ?3 WHERE id = ?1")?;
        statement.execute(params![id.as_bytes(), auth0_id.as_str(), self.now.as_millisecond()])?;
        Ok(())
    }

    /// Removes an identity that is nobody's own any more, and revokes its tokens. Of the id itself nothing is kept: who
    /// asks to be forgotten later can not name all they ever had.
    fn remove_identity(&self, auth0_id: &Auth0Id) -> Result<(), StoreError> {
        self.tx.prepare_cached("DELETE FROM identities WHERE auth0_id = ?1")?.execute([auth0_id.as_str()])?;
        let pseudonym = self.pseudonym_key()?.pseudonym(auth0_id.as_str());
        // Never earlier than it was, should the machine's clock be set back.
        let before: Option<i64> = self
            .tx
            .prepare_cached("SELECT tokens_valid_from FROM unlinked_identities WHERE auth0_id = ?1")?
            .query_one([&pseudonym], |row| row.get(0))
            .optional()?;
        let now = self.now.as_millisecond();
        let mut statement = self.tx.prepare_cached(
            "INSERT OR REPLACE INTO unlinked_identities (auth0_id, tokens_valid_from, seq)
             VALUES (?1, ?2, (SELECT coalesce(max(seq), 0) + 1 FROM unlinked_identities))",
        )?;
        statement.execute(params![pseudonym, before.map_or(now, |before| before.max(now))])?;
        Ok(())
    }
}
