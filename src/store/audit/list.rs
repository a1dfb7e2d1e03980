//! Lists of audit lines, the newest first.

use std::collections::HashMap;

use rusqlite::{Connection, params, params_from_iter};

use super::line::{AuditLine, SELECT, read_line};
use crate::store::query::{Query, all, blob, count, first, json_list, text};
use crate::store::{Page, PageArgs, Result, Store};
use crate::user::UserId;

/// Which lines to list: those that meet every condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// About this user.
    pub user: Option<UserId>,
    /// Of this action: the word of an [`Action`](super::Action). An unknown word selects no line.
    pub action: Option<String>,
}

impl AuditFilter {
    /// Every line about `user`.
    pub fn of(user: UserId) -> Self {
        Self { user: Some(user), action: None }
    }

    fn query(&self, select: &str) -> Query {
        let mut query = Query::new(select);
        if let Some(user) = self.user {
            query.and("target = ?", [blob(user)]);
        }
        if let Some(action) = &self.action {
            // The plus keeps SQLite on the index of the target: an action can have millions of lines.
            let condition = if self.user.is_some() { "+action = ?" } else { "action = ?" };
            query.and(condition, [text(action)]);
        }
        query
    }
}

impl Store {
    /// A page of the lines that `filter` selects, the newest first. Costs its length; with both a user and an action, the
    /// number of lines about the user.
    pub fn list_audit(&self, filter: &AuditFilter, args: &PageArgs<i64>) -> Result<Page<AuditLine>> {
        self.read(|connection| Page::read(connection, filter.query(SELECT), args, read_line))
    }

    /// How many lines `filter` selects. Reads all of them.
    pub fn count_audit(&self, filter: &AuditFilter) -> Result<u64> {
        let query = filter.query("SELECT count(*) FROM audit");
        self.read(|connection| count(connection, &query.sql, params_from_iter(query.values)))
    }

    /// The line with this id.
    pub fn audit_line(&self, id: i64) -> Result<Option<AuditLine>> {
        self.read_by_key(|connection| first(connection, &format!("{SELECT} WHERE id = ?1"), [id], read_line))
    }

    /// The same page of the lines about each user, in one query.
    pub fn audit_by_user(
        &self,
        users: &[UserId],
        args: &PageArgs<i64>,
    ) -> Result<HashMap<UserId, Page<AuditLine>>> {
        let mut of_one =
            Query { sql: "target = unhex(j.value)".to_owned(), values: vec![text(&json_list(users))] };
        let order = args.restrict(&mut of_one);
        let Query { sql: condition, mut values } = of_one;
        values.push(args.sql_limit());
        let sql = format!(
            "{SELECT} WHERE id IN (
                 SELECT a.id FROM json_each(?) j JOIN audit a ON a.id IN (
                     SELECT id FROM audit WHERE {condition} ORDER BY id {order} LIMIT ?))
             ORDER BY id {order}"
        );
        let mut lines: HashMap<UserId, Vec<AuditLine>> = HashMap::new();
        for line in self.read(|connection| all(connection, &sql, params_from_iter(values), read_line))? {
            if let Some(user) = line.target {
                lines.entry(user).or_default().push(line);
            }
        }
        Ok(lines.into_iter().map(|(user, lines)| (user, Page::new(lines, args))).collect())
    }

    /// How many lines there are about each user, in one query.
    pub fn audit_counts_by_user(&self, users: &[UserId]) -> Result<HashMap<UserId, u64>> {
        let sql = "SELECT a.target, count(*) FROM json_each(?1) j JOIN audit a ON a.target = unhex(j.value)
                   GROUP BY a.target";
        let counts = self.read(|connection| {
            all(connection, sql, [json_list(users)], |row| {
                Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
            })
        })?;
        Ok(counts.into_iter().collect())
    }
}

/// The lines about a user after the line `after`, the oldest first, and at most `max`.
pub(crate) fn lines_about(
    connection: &Connection,
    user: UserId,
    after: i64,
    max: usize,
) -> Result<Vec<AuditLine>> {
    let sql = format!("{SELECT} WHERE target = ?1 AND id > ?2 ORDER BY id LIMIT {max}");
    all(connection, &sql, params![user, after], read_line)
}
