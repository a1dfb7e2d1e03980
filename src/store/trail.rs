//! Reading the audit trail: the newest lines first, page by page.

use rusqlite::{Row, ToSql};

use super::audit::AuditLine;
use super::users::{from_millis, user_id};
use super::{PAGE_MAX, Store, StoreError};
use crate::user::UserId;

/// Which lines are wanted. Without either, all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// About this user.
    pub user: Option<UserId>,
    /// Of this action: the word of an [`Action`](super::Action). An unknown word finds nothing.
    pub action: Option<String>,
}

/// Some lines, the newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditPage {
    /// At most as many as were asked for.
    pub lines: Vec<AuditLine>,
    /// Whether there are older ones.
    pub has_next: bool,
}

/// The columns in the order [`read_line`] reads them; for statements that are put together.
pub(super) const LINE: &str = "id, at, actor_kind, actor_id, action, target, changes, request_id";

/// `SELECT` with the columns in the order [`read_line`] reads them.
macro_rules! lines {
    ($where:literal) => {
        concat!(
            "SELECT id, at, actor_kind, actor_id, action, target, changes, request_id FROM audit WHERE ",
            $where
        )
    };
}

impl Store {
    /// The newest `first` lines (at most [`PAGE_MAX`]) that are older than the line `older_than`. A page costs its
    /// length, wherever it is; with both a user and an action, the length of the user's trail.
    ///
    /// # Errors
    /// As every read: [`StoreError::Database`].
    pub fn audit(
        &self,
        filter: &AuditFilter,
        first: usize,
        older_than: Option<i64>,
    ) -> Result<AuditPage, StoreError> {
        let first = first.min(PAGE_MAX);
        let limit = i64::try_from(first).unwrap_or(i64::MAX).saturating_add(1);
        let before = older_than.unwrap_or(i64::MAX);
        let user = filter.user.as_ref().map(UserId::as_bytes);
        let mut values: Vec<&dyn ToSql> = vec![&before, &limit];
        // Each has its statement, and so its index.
        let sql = match (&user, &filter.action) {
            (None, None) => lines!("id < ?1 ORDER BY id DESC LIMIT ?2"),
            (Some(user), None) => {
                values.push(user);
                lines!("id < ?1 AND target = ?3 ORDER BY id DESC LIMIT ?2")
            }
            (None, Some(action)) => {
                values.push(action);
                lines!("id < ?1 AND action = ?3 ORDER BY id DESC LIMIT ?2")
            }
            (Some(user), Some(action)) => {
                values.extend([user as &dyn ToSql, action]);
                // The plus keeps SQLite to the index of the target: an action can have millions of lines.
                lines!("id < ?1 AND target = ?3 AND +action = ?4 ORDER BY id DESC LIMIT ?2")
            }
        };
        self.read(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query(values.as_slice())?;
            let mut lines = Vec::new();
            while let Some(row) = rows.next()? {
                if lines.len() == first {
                    return Ok(AuditPage { lines, has_next: true });
                }
                lines.push(read_line(row)?);
            }
            Ok(AuditPage { lines, has_next: false })
        })
    }

    /// The latest `first` (at most [`PAGE_MAX`]) lines about `user`, newest first.
    ///
    /// # Errors
    /// As [`Store::audit`].
    pub fn audit_of(&self, user: UserId, first: usize) -> Result<Vec<AuditLine>, StoreError> {
        let filter = AuditFilter { user: Some(user), action: None };
        self.audit(&filter, first, None).map(|page| page.lines)
    }

    /// The line with this id.
    ///
    /// # Errors
    /// As [`Store::audit`].
    pub fn audit_line(&self, id: i64) -> Result<Option<AuditLine>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(lines!("id = ?1"))?;
            let mut rows = statement.query([id])?;
            rows.next()?.map(read_line).transpose()
        })
    }
}

pub(super) fn read_line(row: &Row<'_>) -> Result<AuditLine, StoreError> {
    let changes: String = row.get(6)?;
    Ok(AuditLine {
        id: row.get(0)?,
        at: from_millis("audit.at", row.get(1)?)?,
        actor_kind: row.get(2)?,
        actor_id: row.get(3)?,
        action: row.get(4)?,
        target: row.get::<_, Option<[u8; 16]>>(5)?.map(user_id),
        changes: serde_json::from_str(&changes)
            .map_err(|error| StoreError::damaged("audit.changes", error))?,
        request_id: row.get(7)?,
    })
}
