//! Users by key: our id, an Auth0 id, an email.

use rusqlite::types::FromSql;
use rusqlite::{Connection, Row};

use crate::store::columns::{from_millis, texts, time};
use crate::store::query::first;
use crate::store::write::Write;
use crate::store::{Result, Store, StoreError};
use crate::user::{Auth0Id, Email, Person, Status, StoredProfile, User, UserId};

/// `SELECT` with the columns of a [`User`] from the table aliased `u`, in the order of [`read_user`].
macro_rules! select {
    () => {
        select!("u.profile")
    };
    ($profile:literal) => {
        concat!(
            "SELECT u.id, u.auth0_id, u.email, u.email_verified, u.name, u.given_name, u.family_name, u.nickname, \
             u.picture, u.phone, u.status, u.roles, ",
            $profile,
            ", u.tokens_valid_from, u.created_at, u.updated_at, u.profile_fetched_at, u.blocked_by_auth0"
        )
    };
}

/// The columns that [`read_user`] reads, for lists: without profiles, which would be most of their size.
pub(crate) const SELECT: &str = select!("NULL");

/// Which columns of a list of users are read: one bit each, in the order in which the store selects them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserColumns(u32);

impl UserColumns {
    /// All but the profile.
    pub const ALL: Self = Self(u32::MAX);

    /// The columns that `is_wanted`, by name, besides those that are never absent. Others are read as absent, roles as none.
    pub fn only(is_wanted: impl Fn(&str) -> bool) -> Self {
        let bit = |(at, column): (usize, &str)| {
            let name = column.trim_start().trim_start_matches("u.");
            let is_needed =
                matches!(name, "SELECT u.id" | "email_verified" | "status" | "created_at" | "updated_at");
            u32::from(is_needed || is_wanted(name)) << at
        };
        Self(SELECT.split(',').enumerate().map(bit).sum())
    }

    /// The `SELECT` for [`read_columns`].
    pub(crate) fn select(self) -> String {
        let columns = SELECT.split(',').enumerate();
        columns.map(|(at, column)| if self.has(at) { column } else { "NULL" }).collect::<Vec<_>>().join(",")
    }

    fn has(self, at: usize) -> bool {
        self.0 >> at & 1 == 1
    }

    fn get<T: FromSql>(self, row: &Row<'_>, at: usize) -> Result<Option<T>> {
        if self.has(at) { Ok(row.get(at)?) } else { Ok(None) }
    }
}

// Each part runs only when those before it find no row. Most users have one identity, that of their row: it saves reading an
// index. The last part costs nothing while there is no pseudonym.
pub(crate) const BY_AUTH0_ID: &str = concat!(
    select!(),
    " FROM users u WHERE u.auth0_id = ?1 UNION ALL ",
    select!(),
    " FROM identities i JOIN users u ON u.id = i.user_id WHERE i.auth0_id = ?1 UNION ALL ",
    select!(),
    " FROM pseudonym_keys k CROSS JOIN identities i ON i.auth0_id = pseudonym(k.key, ?1) \
     JOIN users u ON u.id = i.user_id LIMIT 1"
);

// One statement, so one snapshot: between two, a pre-provisioned row could become a verified one, and both would miss it.
// Two parts, because only then does each use its partial index.
pub(crate) const BY_EMAIL: &str = concat!(
    select!(),
    ", 0 AS rank FROM users u WHERE u.email = ?1 AND u.email_verified = 1 UNION ALL ",
    select!(),
    ", 1 AS rank FROM users u WHERE u.email = ?1 AND u.auth0_id IS NULL ORDER BY rank LIMIT 1"
);

impl Store {
    /// The user with our id, also an erased one.
    pub fn user(&self, id: UserId) -> Result<Option<User>> {
        self.read_by_key(|connection| by_id(connection, id))
    }

    /// The user that an Auth0 id leads to: the row's own or a linked identity. Also blocked users and erased ones, whose ids
    /// are compared by pseudonym; check their status.
    pub fn user_by_auth0_id(&self, auth0_id: &Auth0Id) -> Result<Option<User>> {
        self.read_by_key(|connection| by_auth0_id(connection, auth0_id))
    }

    /// The user that an email leads to: the row that has it verified, else a pre-provisioned row without identity. An
    /// unverified email of a user with an identity proves nothing, and finds no row.
    pub fn user_by_email(&self, email: &Email) -> Result<Option<User>> {
        self.read_by_key(|connection| by_email(connection, email))
    }
}

impl Write<'_> {
    pub(crate) fn existing(&self, id: UserId) -> Result<User> {
        by_id(self.tx, id)?.ok_or(StoreError::NotFound(id))
    }

    /// The row of a user who was not erased.
    pub(crate) fn not_erased(&self, id: UserId) -> Result<User> {
        let user = self.existing(id)?;
        if user.status == Status::Erased { Err(StoreError::Erased(id)) } else { Ok(user) }
    }
}

pub(crate) fn by_id(connection: &Connection, id: UserId) -> Result<Option<User>> {
    first(connection, concat!(select!(), " FROM users u WHERE u.id = ?1"), [id], read_user)
}

pub(crate) fn by_auth0_id(connection: &Connection, auth0_id: &Auth0Id) -> Result<Option<User>> {
    first(connection, BY_AUTH0_ID, [auth0_id], read_user)
}

pub(crate) fn by_email(connection: &Connection, email: &Email) -> Result<Option<User>> {
    first(connection, BY_EMAIL, [email], read_user)
}

pub(crate) fn read_user(row: &Row<'_>) -> Result<User> {
    read_columns(row, UserColumns::ALL)
}

/// Reads a row of [`UserColumns::select`]: to read a column takes longer than to test whether it is wanted.
pub(crate) fn read_columns(row: &Row<'_>, columns: UserColumns) -> Result<User> {
    let moment = |at| columns.get(row, at)?.map(from_millis).transpose();
    Ok(User {
        id: row.get(0)?,
        auth0_id: columns.get(row, 1)?,
        email: columns.get(row, 2)?,
        email_verified: row.get(3)?,
        person: Person {
            name: columns.get(row, 4)?,
            given_name: columns.get(row, 5)?,
            family_name: columns.get(row, 6)?,
            nickname: columns.get(row, 7)?,
            picture: columns.get(row, 8)?,
            phone: columns.get(row, 9)?,
        },
        status: row.get(10)?,
        roles: if columns.has(11) { texts(row, 11, "users.roles")? } else { Vec::new() },
        profile: columns.get::<Box<str>>(row, 12)?.map(StoredProfile::from_json),
        tokens_valid_from: moment(13)?,
        created_at: time(row, 14)?,
        updated_at: time(row, 15)?,
        profile_fetched_at: moment(16)?,
        blocked_by_auth0: columns.get(row, 17)?.unwrap_or_default(),
    })
}
