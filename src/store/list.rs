//! Lists of users: filtered, ordered, page by page.
//!
//! Pages are found by keyset: by where the last one ended, never by counting off. Each order and each filter has its
//! index (`migrations/V3__….sql`), and a test reads SQLite's plans. What a filter costs stands at its field.

use jiff::Timestamp;
use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::users::{SELECT, read_user};
use super::{PAGE_MAX, Store, StoreError};
use crate::user::{Email, Status, User, UserId};

/// A search looks at this many matches of each field it looks into, the first by alphabet.
pub const SEARCH_MAX: usize = 1000;

/// Which users are wanted: those that meet all of it. The default is everybody, erased ones too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Have this email, verified or not. One lookup.
    pub email: Option<Email>,
    /// Have this full name, ASCII letters in either case. One lookup, and a sort of those who share it.
    pub name: Option<String>,
    /// Have an email, full name or family name that begins so, ASCII letters in either case. Costs a lookup in each,
    /// and a sort of at most three times [`SEARCH_MAX`] rows; what is beyond is not found.
    pub search: Option<String>,
    /// Have this role. Costs a sort of all who have it.
    pub role: Option<String>,
    /// Have this status. Pages of blocked and erased users cost their length; nearly everybody is active, so that
    /// asking for those skips few rows.
    pub status: Option<Status>,
    /// Were made then. Costs nothing in the order of creation.
    pub created: Period,
    /// Changed last then. Costs nothing in the order of changes, else a sort of those who did.
    pub updated: Period,
}

/// A span of time: from the first moment on, up to but without the second. Absent ends are open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Period {
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

/// What a list of users is ordered by. Ties are broken by id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UserOrder {
    /// Time of creation.
    #[default]
    Created,
    /// Time of the last change.
    Updated,
    /// Email; those without come first.
    Email,
    /// Full name, ASCII letters in either case; those without come first.
    Name,
}

/// Where a user stands in a list of some order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCursor {
    /// What they are ordered by.
    pub by: SortKey,
    /// Breaks ties.
    pub id: UserId,
}

/// What a user is ordered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortKey {
    /// Unix milliseconds.
    Moment(i64),
    /// An email or a name; empty when absent.
    Text(String),
}

/// Which part of a list is wanted: `limit` items at its beginning or its end, of those between two places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageArgs<P> {
    /// Only what comes after this place.
    pub after: Option<P>,
    /// Only what comes before this place.
    pub before: Option<P>,
    /// At most so many, and never more than [`PAGE_MAX`].
    pub limit: usize,
    /// Those at the end instead of those at the beginning. They come in the list's order all the same.
    pub from_end: bool,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// In the list's order.
    pub items: Vec<T>,
    /// Whether more lie beyond the end that was walked towards.
    pub more: bool,
}

impl Store {
    /// A part of the users whom `filter` lets through, in `order`, or in its reverse.
    ///
    /// # Errors
    /// As every read: [`StoreError::Database`].
    pub fn list_users(
        &self,
        filter: &UserFilter,
        order: UserOrder,
        descending: bool,
        slice: &PageArgs<UserCursor>,
    ) -> Result<Page<User>, StoreError> {
        let limit = slice.limit.min(PAGE_MAX);
        let query = Query::list(filter, order, descending, slice, limit);
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&query.sql)?;
            let mut rows = statement.query(params_from_iter(&query.values))?;
            let mut items = Vec::new();
            while let Some(row) = rows.next()? {
                items.push(read_user(row)?);
            }
            Ok(Page::of(items, limit, slice.from_end))
        })
    }

    /// How many users `filter` lets through. Costs a walk over all of them.
    ///
    /// # Errors
    /// As [`Store::list_users`].
    pub fn count_users(&self, filter: &UserFilter) -> Result<u64, StoreError> {
        let query = Query::of("SELECT count(*)", filter);
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&query.sql)?;
            let count: i64 = statement.query_one(params_from_iter(&query.values), |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
    }
}

impl<T> Page<T> {
    /// From one item more than asked for, which tells whether there are more; the last first when taken from the end.
    pub(super) fn of(mut items: Vec<T>, limit: usize, from_end: bool) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        if from_end {
            items.reverse();
        }
        Self { items, more }
    }
}

impl UserOrder {
    /// Where `user` stands in this order.
    pub fn cursor(self, user: &User) -> UserCursor {
        let moment = |moment: Timestamp| SortKey::Moment(moment.as_millisecond());
        let text = |text: Option<&str>| SortKey::Text(text.unwrap_or_default().to_owned());
        let by = match self {
            Self::Created => moment(user.created_at),
            Self::Updated => moment(user.updated_at),
            Self::Email => text(user.email.as_ref().map(Email::as_str)),
            Self::Name => text(user.person.name.as_deref()),
        };
        UserCursor { by, id: user.id }
    }

    /// The column that comes before the id in this order's index.
    fn key(self) -> &'static str {
        match self {
            Self::Created => "u.created_at",
            Self::Updated => "u.updated_at",
            Self::Email => "u.email_key",
            Self::Name => "u.name_key",
        }
    }
}

/// A statement and its values, as they are put together.
struct Query {
    sql: String,
    values: Vec<Value>,
}

impl Query {
    fn list(
        filter: &UserFilter,
        order: UserOrder,
        descending: bool,
        slice: &PageArgs<UserCursor>,
        limit: usize,
    ) -> Self {
        let mut query = Self::of(SELECT, filter);
        // Those who were changed in a span of time are looked up and sorted. SQLite would rather have the order for nothing
        // and skip everybody else; the plus keeps it from that.
        let by_change = filter.updated != Period::default() && order != UserOrder::Updated;
        let key = format!("{}{}", if by_change { "+" } else { "" }, order.key());
        let (later, earlier) = if descending { ("<", ">") } else { (">", "<") };
        for (bound, than) in [(&slice.after, later), (&slice.before, earlier)] {
            if let Some(place) = bound {
                query.and(&format!("({key}, u.id) {than} (?, ?)"), [place.by.value(), blob(place.id)]);
            }
        }
        let direction = if descending == slice.from_end { "ASC" } else { "DESC" };
        query.sql.push_str(&format!(" ORDER BY {key} {direction}, u.id {direction} LIMIT ?"));
        query.values.push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)));
        query
    }

    /// Of whom `filter` lets through.
    fn of(select: &str, filter: &UserFilter) -> Self {
        // Those who are not active are few. SQLite would rather have the order for nothing and skip everybody else.
        let by_status = filter.status.is_some_and(|status| status != Status::Active)
            && filter.email.is_none()
            && filter.name.is_none()
            && filter.role.is_none()
            && filter.search.is_none();
        let index = if by_status { "INDEXED BY users_by_status " } else { "" };
        // Without any condition SQLite counts in one step, which nothing can end.
        let mut query = Self { sql: format!("{select} FROM users u {index}WHERE 1"), values: Vec::new() };
        if let Some(email) = &filter.email {
            query.and("u.email_key = ?", [text(email.as_str())]);
        }
        if let Some(name) = &filter.name {
            query.and("u.name_key = ?", [text(name)]);
        }
        if let Some(role) = &filter.role {
            query.and("u.id IN (SELECT user_id FROM user_roles WHERE role = ?)", [text(role)]);
        }
        if let Some(status) = filter.status {
            // Written out, with the index's own condition: SQLite takes it only when it sees that.
            let not_active = if status == Status::Active { "" } else { " AND u.status <> 'active'" };
            query.and(&format!("u.status = '{}'{not_active}", status.as_str()), []);
        }
        if let Some(search) = &filter.search {
            query.search(search);
        }
        for (column, period) in [("u.created_at", filter.created), ("u.updated_at", filter.updated)] {
            for (moment, than) in [(period.from, ">="), (period.until, "<")] {
                if let Some(moment) = moment {
                    query.and(&format!("{column} {than} ?"), [Value::Integer(millis(moment))]);
                }
            }
        }
        query
    }

    fn search(&mut self, begins: &str) {
        // No character sorts after this one.
        let begins = begins.to_ascii_lowercase();
        let range = [text(&begins), text(&format!("{begins}\u{10ffff}"))];
        let among = |column: &str| {
            format!(
                "SELECT id FROM (SELECT id FROM users WHERE {column} >= ? AND {column} < ?
                                 ORDER BY {column} LIMIT {SEARCH_MAX})"
            )
        };
        let found = ["email_key", "name_key", "family_name COLLATE NOCASE"].map(among).join(" UNION ");
        self.and(&format!("u.id IN ({found})"), [range.clone(), range.clone(), range].into_iter().flatten());
    }

    fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.values.extend(values);
    }
}

impl SortKey {
    fn value(&self) -> Value {
        match self {
            Self::Moment(millis) => Value::Integer(*millis),
            Self::Text(words) => text(words),
        }
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn blob(id: UserId) -> Value {
    Value::Blob(id.as_bytes().to_vec())
}

/// The first whole millisecond that is not before `moment`: rows keep whole ones.
fn millis(moment: Timestamp) -> i64 {
    let millis = moment.as_millisecond();
    if moment.subsec_nanosecond() % 1_000_000 > 0 { millis.saturating_add(1) } else { millis }
}

/// Ids as a JSON list of hexadecimal texts: one parameter, and so one statement, for any number of them.
pub(super) fn as_json(ids: &[UserId]) -> String {
    let hex = |id: &UserId| format!("\"{}\"", id.to_string().replace('-', ""));
    format!("[{}]", ids.iter().map(hex).collect::<Vec<_>>().join(","))
}

/// What [`Store::list_users`] runs, for the test that reads its plan.
#[cfg(test)]
pub(super) fn statement(
    filter: &UserFilter,
    order: UserOrder,
    descending: bool,
    slice: &PageArgs<UserCursor>,
) -> (String, Vec<Value>) {
    let query = Query::list(filter, order, descending, slice, slice.limit);
    (query.sql, query.values)
}
