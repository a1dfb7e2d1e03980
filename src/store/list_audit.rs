//! Parts of the audit trail, from either end. Lists begin with the newest line.

use std::collections::HashMap;

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::list::as_json;
use super::trail::{AuditFilter, LINE, read_line};
use super::users::user_id;
use super::{AuditLine, PAGE_MAX, Page, PageArgs, Store, StoreError};
use crate::user::UserId;

impl Store {
    /// A part of the lines that `filter` lets through, the newest first. Costs its length; with both a user and an
    /// action, the length of the user's trail.
    ///
    /// # Errors
    /// As every read: [`StoreError::Database`].
    pub fn list_audit(
        &self,
        filter: &AuditFilter,
        slice: &PageArgs<i64>,
    ) -> Result<Page<AuditLine>, StoreError> {
        let limit = slice.limit.min(PAGE_MAX);
        let (filtered, mut values) = conditions(filter);
        let (within, order) = bounds(slice, &mut values);
        values.push(Value::Integer(one_more(limit)));
        let sql = format!("SELECT {LINE} FROM audit WHERE 1{filtered}{within} ORDER BY id {order} LIMIT ?");
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params_from_iter(values))?;
            let mut lines = Vec::new();
            while let Some(row) = rows.next()? {
                lines.push(read_line(row)?);
            }
            Ok(Page::of(lines, limit, slice.from_end))
        })
    }

    /// How many lines `filter` lets through. Costs a walk over all of them.
    ///
    /// # Errors
    /// As [`Store::list_audit`].
    pub fn count_audit(&self, filter: &AuditFilter) -> Result<u64, StoreError> {
        let (filtered, values) = conditions(filter);
        // Without any condition SQLite counts in one step, which nothing can end.
        let sql = format!("SELECT count(*) FROM audit WHERE 1{filtered}");
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let count: i64 = statement.query_one(params_from_iter(values), |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
    }

    /// The same part of each user's trail: one query, however many users.
    ///
    /// # Errors
    /// As [`Store::list_audit`].
    pub fn audit_by_user(
        &self,
        users: &[UserId],
        slice: &PageArgs<i64>,
    ) -> Result<HashMap<UserId, Page<AuditLine>>, StoreError> {
        let limit = slice.limit.min(PAGE_MAX);
        let mut values = vec![Value::Text(as_json(users))];
        let (within, order) = bounds(slice, &mut values);
        values.push(Value::Integer(one_more(limit)));
        let sql = format!(
            "SELECT {LINE} FROM audit WHERE id IN (
                 SELECT a.id FROM json_each(?) j JOIN audit a ON a.id IN (
                     SELECT id FROM audit WHERE target = unhex(j.value){within} ORDER BY id {order} LIMIT ?))
             ORDER BY id {order}"
        );
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params_from_iter(values))?;
            let mut lines: HashMap<UserId, Vec<AuditLine>> = HashMap::new();
            while let Some(row) = rows.next()? {
                let line = read_line(row)?;
                if let Some(user) = line.target {
                    lines.entry(user).or_default().push(line);
                }
            }
            let part = |lines| Page::of(lines, limit, slice.from_end);
            Ok(lines.into_iter().map(|(user, lines)| (user, part(lines))).collect())
        })
    }

    /// How long each user's trail is: one query, however many users.
    ///
    /// # Errors
    /// As [`Store::list_audit`].
    pub fn audit_counts_by_user(&self, users: &[UserId]) -> Result<HashMap<UserId, u64>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT a.target, count(*) FROM json_each(?1) j JOIN audit a ON a.target = unhex(j.value)
                 GROUP BY a.target",
            )?;
            let mut rows = statement.query([as_json(users)])?;
            let mut lengths = HashMap::new();
            while let Some(row) = rows.next()? {
                lengths.insert(user_id(row.get(0)?), row.get::<_, i64>(1)?.unsigned_abs());
            }
            Ok(lengths)
        })
    }
}

fn conditions(filter: &AuditFilter) -> (String, Vec<Value>) {
    let (mut sql, mut values) = (String::new(), Vec::new());
    if let Some(user) = &filter.user {
        sql.push_str(" AND target = ?");
        values.push(Value::Blob(user.as_bytes().to_vec()));
    }
    if let Some(action) = &filter.action {
        // The plus keeps SQLite to the index of the target: an action can have millions of lines.
        sql.push_str(if filter.user.is_some() { " AND +action = ?" } else { " AND action = ?" });
        values.push(Value::Text(action.clone()));
    }
    (sql, values)
}

/// What keeps a part between its places, and the direction it is walked in: ids fall along the list.
pub(super) fn bounds(slice: &PageArgs<i64>, values: &mut Vec<Value>) -> (String, &'static str) {
    let mut sql = String::new();
    for (place, than) in [(slice.after, "<"), (slice.before, ">")] {
        if let Some(id) = place {
            sql.push_str(&format!(" AND id {than} ?"));
            values.push(Value::Integer(id));
        }
    }
    (sql, if slice.from_end { "ASC" } else { "DESC" })
}

pub(super) fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}
