//! How ids, emails, statuses and moments are stored in columns.

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::de::DeserializeOwned;

use super::{Result, StoreError};
use crate::user::{Auth0Id, Email, Status, UserId};

impl FromSql for UserId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        FromSql::column_result(value).map(Self::from_bytes)
    }
}

impl ToSql for UserId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_bytes().as_slice().into())
    }
}

macro_rules! parsed_text {
    ($($type:ty => $parse:expr),*) => {$(
        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                $parse(value.as_str()?).map_err(|error| FromSqlError::Other(error.into()))
            }
        }

        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }
    )*};
}

parsed_text! {
    Auth0Id => str::parse::<Auth0Id>,
    Email => Email::from_stored,
    Status => |text| Status::parse(text).ok_or("not a status")
}

/// A column of unix milliseconds.
pub(crate) fn time(row: &Row<'_>, column: usize) -> Result<Timestamp> {
    from_millis(row.get(column)?)
}

/// A column of unix milliseconds, or NULL.
pub(crate) fn optional_time(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)?.map(from_millis).transpose()
}

pub(crate) fn from_millis(millis: i64) -> Result<Timestamp> {
    Timestamp::from_millisecond(millis).map_err(|error| StoreError::damaged("a moment", error))
}

/// A list of texts in JSON. Most lists are empty.
pub(crate) fn texts(row: &Row<'_>, index: usize, column: &'static str) -> Result<Vec<String>> {
    match row.get_ref(index)?.as_str().map_err(rusqlite::Error::from)? {
        "[]" => Ok(Vec::new()),
        text => json(column, text),
    }
}

/// A value from JSON. `column` goes into the error.
pub(crate) fn json<T: DeserializeOwned>(column: &'static str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| StoreError::damaged(column, error))
}
