//! Lists of users: filtered, ordered, page by page. Each order and filter has its index, and a test reads SQLite's plans.

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};

use super::find::{UserColumns, read_columns};
use crate::store::query::{Query, all, blob, count, text};
use crate::store::{Page, PageArgs, Result, Store};
use crate::user::{Email, Status, User, UserId};

/// A search looks at this many matches of each field, the first by alphabet.
pub const SEARCH_MAX: usize = 1000;

/// Which users to list: those that meet every condition. The default is all users, also erased ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// With this email, verified or not. One lookup.
    pub email: Option<Email>,
    /// With this full name, ignoring the case of ASCII letters. One lookup, and a sort of those who share it.
    pub name: Option<String>,
    /// With an email, full name or family name that begins so, ignoring the case of ASCII letters. Costs a lookup in each,
    /// and a sort of at most three times [`SEARCH_MAX`] rows; further matches are not found.
    pub search: Option<String>,
    /// With this role. Costs a sort of all users who have it.
    pub role: Option<String>,
    /// With this status. Pages of blocked and erased users cost their length; almost all users are active, so a list of
    /// those skips few rows.
    pub status: Option<Status>,
    /// Created then. Costs nothing in the order of creation.
    pub created: Period,
    /// Last changed then. Costs nothing in the order of changes, else a sort of those users.
    pub updated: Period,
}

/// A span of time, without its end. An absent bound is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Period {
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

/// The order of a list of users. Ties are broken by id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each name says which column")]
pub enum UserOrder {
    #[default]
    Created,
    Updated,
    /// Email; users without one come first.
    Email,
    /// Full name, ignoring the case of ASCII letters; users without one come first.
    Name,
}

/// The position of a user in a list of some order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCursor {
    /// What the list is ordered by.
    pub by: SortKey,
    /// Breaks ties.
    pub id: UserId,
}

/// The value that a list is ordered by: unix milliseconds, or an email or a name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each name says which")]
pub enum SortKey {
    Moment(i64),
    /// An email or a name; empty when absent.
    Text(String),
}

impl Store {
    /// A page of the users that `filter` selects, in `order` or its reverse, without their profiles.
    pub fn list_users(
        &self,
        filter: &UserFilter,
        order: UserOrder,
        descending: bool,
        args: &PageArgs<UserCursor>,
    ) -> Result<Page<User>> {
        self.list_user_columns(UserColumns::ALL, filter, order, descending, args)
    }

    /// As [`Store::list_users`], with some columns only. The one that `order` sorts by must be among them.
    pub fn list_user_columns(
        &self,
        columns: UserColumns,
        filter: &UserFilter,
        order: UserOrder,
        descending: bool,
        args: &PageArgs<UserCursor>,
    ) -> Result<Page<User>> {
        let Query { sql, values } = list_query(columns, filter, order, descending, args);
        let read = |row: &Row<'_>| read_columns(row, columns);
        let users = self.read(|connection| all(connection, &sql, params_from_iter(values), read))?;
        Ok(Page::new(users, args))
    }

    /// How many users `filter` selects. Reads all of them.
    pub fn count_users(&self, filter: &UserFilter) -> Result<u64> {
        let Query { sql, values } = filter.query("SELECT count(*)");
        self.read(|connection| count(connection, &sql, params_from_iter(values)))
    }
}

pub(crate) fn list_query(
    columns: UserColumns,
    filter: &UserFilter,
    order: UserOrder,
    descending: bool,
    args: &PageArgs<UserCursor>,
) -> Query {
    let mut query = filter.query(&columns.select());
    // SQLite would rather read in order and skip all users who were not changed then. The plus makes it look those up
    // and sort them.
    let by_change = filter.updated != Period::default() && order != UserOrder::Updated;
    let key = format!("{}{}", if by_change { "+" } else { "" }, order.column());
    let (later, earlier) = if descending { ("<", ">") } else { (">", "<") };
    for (cursor, comparison) in [(&args.after, later), (&args.before, earlier)] {
        if let Some(UserCursor { by, id }) = cursor {
            query.and(&format!("({key}, u.id) {comparison} (?, ?)"), [by.value(), blob(*id)]);
        }
    }
    let direction = if descending == args.from_end { "ASC" } else { "DESC" };
    query.sql.push_str(&format!(" ORDER BY {key} {direction}, u.id {direction} LIMIT ?"));
    query.values.push(args.sql_limit());
    query
}

impl UserCursor {
    /// Where a user with this id would be in [`UserOrder::Created`]: an id begins with the moment it was made.
    pub fn by_creation(id: UserId) -> Self {
        let [a, b, c, d, e, f, ..] = *id.as_bytes();
        Self { by: SortKey::Moment(i64::from_be_bytes([0, 0, a, b, c, d, e, f])), id }
    }
}

impl UserOrder {
    /// The position of `user` in this order.
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

    /// The column before the id in this order's index.
    fn column(self) -> &'static str {
        match self {
            Self::Created => "u.created_at",
            Self::Updated => "u.updated_at",
            Self::Email => "u.email_key",
            Self::Name => "u.name_key",
        }
    }
}

impl UserFilter {
    fn query(&self, select: &str) -> Query {
        // SQLite would rather read in order and skip the many active users.
        let by_text = [&self.name, &self.role, &self.search].iter().any(|text| text.is_some());
        let by_status = self.status.is_some_and(|status| status != Status::Active);
        let by_status = by_status && self.email.is_none() && !by_text;
        let index = if by_status { " INDEXED BY users_by_status" } else { "" };
        let mut query = Query::new(&format!("{select} FROM users u{index}"));
        if let Some(email) = &self.email {
            query.and("u.email_key = ?", [text(email.as_str())]);
        }
        if let Some(name) = &self.name {
            query.and("u.name_key = ?", [text(name)]);
        }
        if let Some(role) = &self.role {
            query.and("u.id IN (SELECT user_id FROM user_roles WHERE role = ?)", [text(role)]);
        }
        if let Some(status) = self.status {
            // Literal, with the condition of the partial index: SQLite uses the index only when it sees that.
            let not_active = if status == Status::Active { "" } else { " AND u.status <> 'active'" };
            query.and(&format!("u.status = '{}'{not_active}", status.as_str()), []);
        }
        if let Some(search) = &self.search {
            search_for(search, &mut query);
        }
        for (column, period) in [("u.created_at", self.created), ("u.updated_at", self.updated)] {
            for (moment, comparison) in [(period.from, ">="), (period.until, "<")] {
                if let Some(moment) = moment {
                    query.and(&format!("{column} {comparison} ?"), [Value::Integer(millis(moment))]);
                }
            }
        }
        query
    }
}

fn search_for(prefix: &str, query: &mut Query) {
    let prefix = prefix.to_ascii_lowercase();
    // No character sorts after this one.
    let range = [text(&prefix), text(&format!("{prefix}\u{10ffff}"))];
    let matches = |column: &str| {
        format!(
            "SELECT id FROM (SELECT id FROM users WHERE {column} >= ? AND {column} < ?
                             ORDER BY {column} LIMIT {SEARCH_MAX})"
        )
    };
    let ids = ["email_key", "name_key", "family_name COLLATE NOCASE"].map(matches).join(" UNION ");
    query.and(&format!("u.id IN ({ids})"), [range.clone(), range.clone(), range].into_iter().flatten());
}

impl SortKey {
    fn value(&self) -> Value {
        match self {
            Self::Moment(millis) => Value::Integer(*millis),
            Self::Text(words) => text(words),
        }
    }
}

/// The first whole millisecond that is not before `moment`: rows store whole ones.
fn millis(moment: Timestamp) -> i64 {
    let millis = moment.as_millisecond();
    if moment.subsec_nanosecond() % 1_000_000 > 0 { millis.saturating_add(1) } else { millis }
}
