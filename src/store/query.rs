//! Short forms for running a cached statement, and for putting one together.

use rusqlite::types::{FromSql, Value};
use rusqlite::{Connection, OptionalExtension, Params, Row};

use super::Result;
use crate::user::UserId;

/// Runs a statement, and returns how many rows it changed.
pub(crate) fn run(connection: &Connection, sql: &str, params: impl Params) -> Result<usize> {
    Ok(connection.prepare_cached(sql)?.execute(params)?)
}

pub(crate) fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

pub(crate) fn first<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// The first column of the only row of a query; `None` when there is none.
pub(crate) fn value<T: FromSql>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<Option<T>> {
    Ok(connection.prepare_cached(sql)?.query_one(params, |row| row.get(0)).optional()?)
}

pub(crate) fn count(connection: &Connection, sql: &str, params: impl Params) -> Result<u64> {
    Ok(value::<i64>(connection, sql, params)?.unwrap_or(0).unsigned_abs())
}

/// A statement with conditions, and the values of its parameters.
#[derive(Debug, Default)]
pub(crate) struct Query {
    pub(crate) sql: String,
    pub(crate) values: Vec<Value>,
}

impl Query {
    /// `select` as it is, with a condition that is always true. Without any condition SQLite counts rows in one step, which
    /// no [`Interrupt`](crate::sqlite::Interrupt) can end.
    pub(crate) fn new(select: &str) -> Self {
        Self { sql: format!("{select} WHERE 1"), values: Vec::new() }
    }

    pub(crate) fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.values.extend(values);
    }
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(crate) fn blob(id: UserId) -> Value {
    Value::Blob(id.as_bytes().to_vec())
}

/// Ids as a JSON list of hexadecimal texts: one parameter, and so one statement, for any number of them.
pub(crate) fn json_list(ids: &[UserId]) -> String {
    let hex = |id: &UserId| format!("\"{}\"", id.to_string().replace('-', ""));
    format!("[{}]", ids.iter().map(hex).collect::<Vec<_>>().join(","))
}
