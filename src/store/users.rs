//! Finding users: by our id, by Auth0's, by email, page by page.

use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::{Connection, Params, Row, params};
use serde::de::DeserializeOwned;

use super::{Store, StoreError};
use crate::sqlite::DatabaseError;
use crate::user::{Auth0Id, Email, Person, Status, User, UserId};

/// The most rows one page or list holds, whatever was asked for. The doors ask for far less.
pub const PAGE_MAX: usize = 1000;

/// Some users, ordered by id and so by time of creation.
#[derive(Debug, Clone, PartialEq)]
pub struct UserPage {
    /// At most as many as were asked for.
    pub users: Vec<User>,
    /// Whether more follow.
    pub has_next: bool,
}

/// `SELECT` with the columns of a [`User`] from the table aliased `u`, in the order [`read_user`] reads them.
macro_rules! select {
    () => {
        "SELECT u.id, u.auth0_id, u.email, u.email_verified, u.name, u.given_name, u.family_name, u.nickname, \
         u.picture, u.phone, u.status, u.roles, u.profile, u.tokens_valid_from, u.created_at, u.updated_at, \
         u.profile_fetched_at"
    };
}

/// See `select`; for statements that are put together.
pub(super) const SELECT: &str = select!();

impl Store {
    /// The user with our id, erased ones too.
    ///
    /// # Errors
    /// As every read: [`StoreError::Database`].
    pub fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.look_up(|connection| by_id(connection, id))
    }

    /// The user an Auth0 id leads to: the row's own or a linked identity. Blocked and erased users are found, the erased
    /// by what stands for their ids; the caller judges their status.
    ///
    /// # Errors
    /// As [`Store::user`].
    pub fn user_by_auth0_id(&self, auth0_id: &Auth0Id) -> Result<Option<User>, StoreError> {
        self.look_up(|connection| by_auth0_id(connection, auth0_id))
    }

    /// The user an email leads to: a row that has it verified, else a pre-provisioned row without identity.
    /// An unverified email of somebody who has an identity proves nothing and finds nobody.
    ///
    /// # Errors
    /// As [`Store::user`].
    pub fn user_by_email(&self, email: &Email) -> Result<Option<User>, StoreError> {
        self.look_up(|connection| by_email(connection, email))
    }

    /// The first users after `after`, erased ones too. `first` is capped at [`PAGE_MAX`].
    ///
    /// # Errors
    /// As [`Store::user`].
    pub fn users(&self, first: usize, after: Option<UserId>) -> Result<UserPage, StoreError> {
        let first = first.min(PAGE_MAX);
        // One more than asked tells whether more follow, without counting.
        let limit = i64::try_from(first).unwrap_or(i64::MAX).saturating_add(1);
        // Every id is longer than the empty blob and so sorts after it.
        let after: &[u8] = after.as_ref().map_or(&[], |id| id.as_bytes());
        self.read(|connection| {
            let mut statement = connection
                .prepare_cached(concat!(select!(), " FROM users u WHERE u.id > ?1 ORDER BY u.id LIMIT ?2"))?;
            let mut rows = statement.query(params![after, limit])?;
            let mut users = Vec::new();
            while let Some(row) = rows.next()? {
                if users.len() == first {
                    return Ok(UserPage { users, has_next: true });
                }
                users.push(read_user(row)?);
            }
            Ok(UserPage { users, has_next: false })
        })
    }
}

pub(super) fn by_id(connection: &Connection, id: UserId) -> Result<Option<User>, StoreError> {
    one(connection, concat!(select!(), " FROM users u WHERE u.id = ?1"), [id.as_bytes()])
}

pub(super) fn by_auth0_id(connection: &Connection, auth0_id: &Auth0Id) -> Result<Option<User>, StoreError> {
    // An arm runs only where those before it find nobody. Most people have one identity, and it is their row's own: one
    // index less to read than by way of the identities. The last does nothing while there is no key.
    one(connection, BY_AUTH0_ID, [auth0_id.as_str()])
}

pub(super) const BY_AUTH0_ID: &str = concat!(
    select!(),
    " FROM users u WHERE u.auth0_id = ?1 UNION ALL ",
    select!(),
    " FROM identities i JOIN users u ON u.id = i.user_id WHERE i.auth0_id = ?1 UNION ALL ",
    select!(),
    " FROM pseudonym_keys k CROSS JOIN identities i ON i.auth0_id = pseudonym(k.key, ?1) \
     JOIN users u ON u.id = i.user_id LIMIT 1"
);

pub(super) fn by_email(connection: &Connection, email: &Email) -> Result<Option<User>, StoreError> {
    // One statement, so one snapshot: between two, a row could turn from unclaimed to verified and be missed by
    // both. Two arms, because only then does each use its partial index.
    one(connection, BY_EMAIL, [email.as_str()])
}

pub(super) const BY_EMAIL: &str = concat!(
    select!(),
    ", 0 AS rank FROM users u WHERE u.email = ?1 AND u.email_verified = 1 UNION ALL ",
    select!(),
    ", 1 AS rank FROM users u WHERE u.email = ?1 AND u.auth0_id IS NULL ORDER BY rank LIMIT 1"
);

fn one(connection: &Connection, sql: &str, key: impl Params) -> Result<Option<User>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(key)?;
    rows.next()?.map(read_user).transpose()
}

pub(super) fn read_user(row: &Row<'_>) -> Result<User, StoreError> {
    Ok(User {
        id: user_id(row.get(0)?),
        auth0_id: parsed("users.auth0_id", row.get(1)?)?,
        email: parsed("users.email", row.get(2)?)?,
        email_verified: row.get(3)?,
        person: Person {
            name: row.get(4)?,
            given_name: row.get(5)?,
            family_name: row.get(6)?,
            nickname: row.get(7)?,
            picture: row.get(8)?,
            phone: row.get(9)?,
        },
        status: status(&row.get::<_, String>(10)?)?,
        roles: json("users.roles", &row.get::<_, String>(11)?)?,
        profile: row.get::<_, Option<String>>(12)?.map(|text| json("users.profile", &text)).transpose()?,
        tokens_valid_from: moment("users.tokens_valid_from", row.get(13)?)?,
        created_at: from_millis("users.created_at", row.get(14)?)?,
        updated_at: from_millis("users.updated_at", row.get(15)?)?,
        profile_fetched_at: moment("users.profile_fetched_at", row.get(16)?)?,
    })
}

fn parsed<T>(column: &'static str, text: Option<String>) -> Result<Option<T>, StoreError>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    text.map(|text| text.parse()).transpose().map_err(|error| StoreError::damaged(column, error))
}

fn json<T: DeserializeOwned>(column: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::damaged(column, error))
}

pub(super) fn user_id(bytes: [u8; 16]) -> UserId {
    UserId::from_bytes(bytes)
}

pub(super) fn status(word: &str) -> Result<Status, StoreError> {
    Status::parse(word).ok_or(DatabaseError::Damaged { at: "users.status", source: None }.into())
}

pub(super) fn moment(column: &'static str, millis: Option<i64>) -> Result<Option<Timestamp>, StoreError> {
    millis.map(|millis| from_millis(column, millis)).transpose()
}

pub(super) fn from_millis(column: &'static str, millis: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(millis).map_err(|error| StoreError::damaged(column, error))
}
