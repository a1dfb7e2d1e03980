//! Pages of lists, found by keyset: by where the last page ended, never by counting rows off.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::Result;
use super::query::{Query, all};

/// The most rows one page holds, whatever the caller asks for. The doors ask for far less.
pub const PAGE_MAX: usize = 1000;

/// Which part of a list to return: `limit` items at its beginning or its end, of those between two cursors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageArgs<C> {
    /// Only items after this one.
    pub after: Option<C>,
    /// Only items before this one.
    pub before: Option<C>,
    /// At most this many, and never more than [`PAGE_MAX`].
    pub limit: usize,
    /// Take items from the end instead of the beginning. They are returned in the list's order all the same.
    pub from_end: bool,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// In the list's order.
    pub items: Vec<T>,
    /// Whether there are more items past the last one, or before the first one of a page from the end.
    pub more: bool,
}

impl<C> PageArgs<C> {
    /// The first `limit` items.
    pub fn first(limit: usize) -> Self {
        Self { after: None, before: None, limit, from_end: false }
    }

    /// The value of `LIMIT`: one more than asked for, to learn whether there are more.
    pub(crate) fn sql_limit(&self) -> Value {
        Value::Integer(i64::try_from(self.limit.min(PAGE_MAX)).unwrap_or(i64::MAX).saturating_add(1))
    }
}

impl PageArgs<i64> {
    /// Restricts `query` to the ids of this page. Returns the order in which to read a list of falling ids.
    pub(crate) fn restrict(&self, query: &mut Query) -> &'static str {
        for (id, condition) in [(self.after, "id < ?"), (self.before, "id > ?")] {
            if let Some(id) = id {
                query.and(condition, [Value::Integer(id)]);
            }
        }
        if self.from_end { "ASC" } else { "DESC" }
    }
}

impl<T> Page<T> {
    /// From what a statement with [`PageArgs::sql_limit`] returned: in reverse when taken from the end.
    pub(crate) fn new<C>(mut items: Vec<T>, args: &PageArgs<C>) -> Self {
        let limit = args.limit.min(PAGE_MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        if args.from_end {
            items.reverse();
        }
        Self { items, more }
    }

    /// Reads a page of a list whose ids fall.
    pub(crate) fn read(
        connection: &Connection,
        mut query: Query,
        args: &PageArgs<i64>,
        read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Self> {
        let order = args.restrict(&mut query);
        query.sql.push_str(&format!(" ORDER BY id {order} LIMIT ?"));
        query.values.push(args.sql_limit());
        Ok(Self::new(all(connection, &query.sql, params_from_iter(query.values), read)?, args))
    }
}
