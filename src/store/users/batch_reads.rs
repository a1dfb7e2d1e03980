//! Data of many users at once, each kind in one query.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Row;

use super::find::{SELECT, read_user};
use super::identities::{Identity, read_identity};
use super::terms::{AcceptedTerms, read_terms};
use crate::store::query::{all, json_list};
use crate::store::{Result, Store};
use crate::user::{User, UserId};

impl Store {
    /// The users with these ids, in any order, without unknown ids and without their profiles.
    pub fn users_by_id(&self, ids: &[UserId]) -> Result<Vec<User>> {
        let sql = format!("{SELECT} FROM json_each(?1) j JOIN users u ON u.id = unhex(j.value)");
        self.read(|connection| all(connection, &sql, [json_list(ids)], read_user))
    }

    /// The profile of each user who has one, as the text of its JSON, and the bytes of all. Stops reading above `max` bytes.
    pub fn profiles_by_user(
        &self,
        users: &[UserId],
        max: usize,
    ) -> Result<(HashMap<UserId, Arc<str>>, usize)> {
        let sql = "SELECT u.id, u.profile FROM json_each(?1) j JOIN users u ON u.id = unhex(j.value)
                   WHERE u.profile IS NOT NULL";
        let (mut profiles, mut bytes) = (HashMap::new(), 0);
        self.read(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([json_list(users)])?;
            while let Some(row) = rows.next()?
                && bytes <= max
            {
                let text = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
                bytes += text.len();
                profiles.insert(row.get(0)?, text.into());
            }
            Ok(())
        })?;
        Ok((profiles, bytes))
    }

    /// The identities of each user who has any, in the order they were linked.
    pub fn identities_by_user(&self, users: &[UserId]) -> Result<HashMap<UserId, Vec<Identity>>> {
        let sql = "SELECT i.auth0_id, i.linked_at, i.user_id
                   FROM json_each(?1) j JOIN identities i ON i.user_id = unhex(j.value)
                   ORDER BY i.linked_at, i.auth0_id";
        self.read_grouped(sql, users, read_identity)
    }

    /// The terms of each user who accepted any, the latest last.
    pub fn terms_by_user(&self, users: &[UserId]) -> Result<HashMap<UserId, Vec<AcceptedTerms>>> {
        let sql = "SELECT t.version, t.accepted_at, t.user_id
                   FROM json_each(?1) j JOIN accepted_terms t ON t.user_id = unhex(j.value)
                   ORDER BY t.accepted_at, t.version";
        self.read_grouped(sql, users, read_terms)
    }

    /// The third column is the user.
    fn read_grouped<T>(
        &self,
        sql: &str,
        users: &[UserId],
        read: impl Fn(&Row<'_>) -> Result<T>,
    ) -> Result<HashMap<UserId, Vec<T>>> {
        let mut groups: HashMap<UserId, Vec<T>> = HashMap::new();
        let rows = self.read(|connection| {
            all(connection, sql, [json_list(users)], |row| Ok((row.get(2)?, read(row)?)))
        })?;
        for (user, item) in rows {
            groups.entry(user).or_default().push(item);
        }
        Ok(groups)
    }
}
