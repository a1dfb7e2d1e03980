//! What belongs to many users, each kind of it in one query.

use std::collections::HashMap;

use super::list::as_json;
use super::terms::AcceptedTerms;
use super::users::{SELECT, from_millis, read_user, user_id};
use super::{Identity, Store, StoreError};
use crate::user::{User, UserId};

impl Store {
    /// A user with the terms they agreed to, in one query.
    ///
    /// # Errors
    /// As [`Store::users_by_id`].
    pub fn user_with_terms(&self, id: UserId) -> Result<Option<(User, Vec<AcceptedTerms>)>, StoreError> {
        let sql = format!(
            "{SELECT}, (SELECT json_group_array(json_array(version, accepted_at) ORDER BY accepted_at, version)
                        FROM accepted_terms WHERE user_id = u.id) AS terms
             FROM users u WHERE u.id = ?1"
        );
        self.look_up(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([id.as_bytes()])?;
            let Some(row) = rows.next()? else { return Ok(None) };
            let terms: String = row.get("terms")?;
            let terms: Vec<(String, i64)> =
                serde_json::from_str(&terms).map_err(|error| StoreError::damaged("accepted_terms", error))?;
            let terms = terms.into_iter().map(|(version, at)| {
                let accepted_at = from_millis("accepted_terms.accepted_at", at)?;
                Ok(AcceptedTerms { version, accepted_at })
            });
            Ok(Some((read_user(row)?, terms.collect::<Result<_, StoreError>>()?)))
        })
    }

    /// The users with these ids, in no order; unknown ids are passed over.
    ///
    /// # Errors
    /// As every read: [`StoreError::Database`].
    pub fn users_by_id(&self, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
        let sql = format!("{SELECT} FROM json_each(?1) j JOIN users u ON u.id = unhex(j.value)");
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([as_json(ids)])?;
            let mut users = Vec::new();
            while let Some(row) = rows.next()? {
                users.push(read_user(row)?);
            }
            Ok(users)
        })
    }

    /// The identities of each user, in the order they were linked. Who has none is not in it.
    ///
    /// # Errors
    /// As [`Store::users_by_id`].
    pub fn identities_by_user(&self, users: &[UserId]) -> Result<HashMap<UserId, Vec<Identity>>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT i.user_id, i.auth0_id, i.linked_at
                 FROM json_each(?1) j JOIN identities i ON i.user_id = unhex(j.value)
                 ORDER BY i.linked_at, i.auth0_id",
            )?;
            let mut rows = statement.query([as_json(users)])?;
            let mut identities: HashMap<UserId, Vec<Identity>> = HashMap::new();
            while let Some(row) = rows.next()? {
                let auth0_id: String = row.get(1)?;
                identities.entry(user_id(row.get(0)?)).or_default().push(Identity {
                    auth0_id: auth0_id
                        .parse()
                        .map_err(|error| StoreError::damaged("identities.auth0_id", error))?,
                    linked_at: from_millis("identities.linked_at", row.get(2)?)?,
                });
            }
            Ok(identities)
        })
    }

    /// The terms each user agreed to, the latest last. Who agreed to none is not in it.
    ///
    /// # Errors
    /// As [`Store::users_by_id`].
    pub fn terms_by_user(&self, users: &[UserId]) -> Result<HashMap<UserId, Vec<AcceptedTerms>>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT t.user_id, t.version, t.accepted_at
                 FROM json_each(?1) j JOIN accepted_terms t ON t.user_id = unhex(j.value)
                 ORDER BY t.accepted_at, t.version",
            )?;
            let mut rows = statement.query([as_json(users)])?;
            let mut terms: HashMap<UserId, Vec<AcceptedTerms>> = HashMap::new();
            while let Some(row) = rows.next()? {
                let accepted_at = from_millis("accepted_terms.accepted_at", row.get(2)?)?;
                let accepted = AcceptedTerms { version: row.get(1)?, accepted_at };
                terms.entry(user_id(row.get(0)?)).or_default().push(accepted);
            }
            Ok(terms)
        })
    }
}
