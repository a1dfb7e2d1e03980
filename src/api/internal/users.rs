//! Lists of users: filter, order and pages.

use juniper::{GraphQLEnum, GraphQLInputObject};

use super::node::Account;
use super::user::UserStatus;
use crate::api::connection::connection;
use crate::api::paging::{ConnectionArgs, Nodes};
use crate::api::{ApiError, Context, DateTime, Email};
use crate::store::{self, Page, Period, SortKey, UserColumns, UserCursor};

/// The longest text to search for, in characters.
const SEARCH_MAX_CHARS: usize = 254;

/// Filters users by all given conditions.
#[derive(Debug, Clone, Default, GraphQLInputObject)]
pub struct UserFilter {
    /// This email, verified or not.
    pub email: Option<Email>,
    /// This full name; ignores the case of ASCII letters.
    pub name: Option<String>,
    /// Email, full name or last name starts with this text; ignores the case of ASCII letters. Considers only the first
    /// 1,000 matches of each in alphabetical order; search for more letters to find others.
    pub search: Option<String>,
    /// This role. Sorts all users who have it.
    pub role: Option<String>,
    /// This status.
    pub status: Option<UserStatus>,
    /// Created in this period.
    pub created_at: Option<PeriodInput>,
    /// Last changed in this period.
    pub updated_at: Option<PeriodInput>,
}

/// A period, open at a missing end.
#[derive(Debug, Clone, Copy, Default, GraphQLInputObject)]
#[graphql(name = "Period")]
pub struct PeriodInput {
    /// Start, inclusive.
    pub from: Option<DateTime>,
    /// End, exclusive.
    pub until: Option<DateTime>,
}

/// The order of users.
#[derive(Debug, Clone, Default, GraphQLInputObject)]
pub struct UserOrder {
    /// The field.
    pub field: UserOrderField,
    /// The direction; ascending by default.
    pub direction: Option<OrderDirection>,
}

/// A field to order users by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, GraphQLEnum)]
pub enum UserOrderField {
    /// When the user was created.
    #[default]
    #[graphql(name = "CREATED_AT")]
    Created,
    /// When the user last changed.
    #[graphql(name = "UPDATED_AT")]
    Updated,
    /// Email; users without one come first.
    Email,
    /// Full name, ignoring the case of ASCII letters; users without one come first.
    Name,
}

same_variants!(UserOrderField, store::UserOrder, Created | Updated | Email | Name);

/// A direction to order in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, GraphQLEnum)]
pub enum OrderDirection {
    /// Smallest or oldest first.
    Asc,
    /// Greatest or newest first.
    Desc,
}

connection! {
    /// A page of users.
    UserConnection, UserEdge, Account, (store::UserFilter, store::UserOrder)
}

impl UserConnection {
    pub(super) async fn read(
        context: &Context,
        filter: Option<UserFilter>,
        order: Option<UserOrder>,
        args: ConnectionArgs,
    ) -> Result<Self, ApiError> {
        let filter = filter.unwrap_or_default().into_store()?;
        let UserOrder { field, direction } = order.unwrap_or_default();
        let (order, descending) = (store::UserOrder::from(field), direction == Some(OrderDirection::Desc));
        let page_args = args.page_args(|key| read_cursor(order, key))?;
        let columns = UserColumns::only(|column| match column {
            "auth0_id" if context.selects("auth0_profile") => true,
            // The cursors contain what the list is sorted by.
            "email" if order == store::UserOrder::Email => true,
            "name" if order == store::UserOrder::Name => true,
            _ => context.selects(column),
        });
        let (is_filtered, store_filter) = (filter != store::UserFilter::default(), filter.clone());
        let read = context.read_page(is_filtered, move |store| {
            store.list_user_columns(columns, &store_filter, order, descending, &page_args)
        });
        let Page { items, more } = read.await?;
        let page = Page { items: Account::page(items), more };
        let page = Nodes::new(page, &args, |account| sort_key(order, account));
        Ok(Self { page, filter: (filter, order) })
    }

    fn sort_key(&self, account: &Account) -> String {
        sort_key(self.filter.1, account)
    }

    async fn count(&self, context: &Context) -> Result<u64, ApiError> {
        let filter = self.filter.0.clone();
        context.read_store(move |store| store.count_users(&filter)).await
    }
}

impl UserFilter {
    fn into_store(self) -> Result<store::UserFilter, ApiError> {
        let period = |period: Option<PeriodInput>| {
            let PeriodInput { from, until } = period.unwrap_or_default();
            Period { from: from.map(|time| time.0), until: until.map(|time| time.0) }
        };
        if self.search.as_ref().is_some_and(|text| text.chars().count() > SEARCH_MAX_CHARS) {
            return Err(ApiError::BadInput("The text to search for must have at most 254 characters."));
        }
        Ok(store::UserFilter {
            email: self.email.map(|email| email.0),
            name: self.name,
            search: self.search.filter(|text| !text.is_empty()),
            role: self.role,
            status: self.status.map(Into::into),
            created: period(self.created_at),
            updated: period(self.updated_at),
        })
    }
}

fn sort_key(order: store::UserOrder, account: &Account) -> String {
    write_cursor(order, &order.cursor(&account.user))
}

/// Writes a cursor. It contains its order, because each order has other cursors.
fn write_cursor(order: store::UserOrder, UserCursor { by, id }: &UserCursor) -> String {
    match by {
        SortKey::Moment(millis) => format!("{}:{id}:{millis}", name(order)),
        SortKey::Text(text) => format!("{}:{id}:{text}", name(order)),
    }
}

/// Reads a cursor; `None` for one of another order.
fn read_cursor(order: store::UserOrder, text: &str) -> Option<UserCursor> {
    let (id, by) = text.strip_prefix(name(order))?.strip_prefix(':')?.split_once(':')?;
    let by = match order {
        store::UserOrder::Created | store::UserOrder::Updated => SortKey::Moment(by.parse().ok()?),
        store::UserOrder::Email | store::UserOrder::Name => SortKey::Text(by.to_owned()),
    };
    Some(UserCursor { by, id: id.parse().ok()? })
}

fn name(order: store::UserOrder) -> &'static str {
    match order {
        store::UserOrder::Created => "created",
        store::UserOrder::Updated => "updated",
        store::UserOrder::Email => "email",
        store::UserOrder::Name => "name",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::UserOrder;

    #[test]
    fn a_cursor_reads_back_in_its_own_order_only() {
        let id = "0198c0de-0000-7000-8000-000000000001".parse().unwrap();
        for (order, by) in [
            (UserOrder::Created, SortKey::Moment(-5)),
            (UserOrder::Name, SortKey::Text("Ada: the \u{1f451}".into())),
            (UserOrder::Email, SortKey::Text(String::new())),
        ] {
            let cursor = UserCursor { by, id };
            let text = write_cursor(order, &cursor);
            assert_eq!(read_cursor(order, &text), Some(cursor));
            assert_eq!(read_cursor(UserOrder::Updated, &text), None);
        }
        for bad in ["line:4", "created:x:1", "created:0198c0de-0000-7000-8000-000000000001:now", "created"] {
            assert_eq!(read_cursor(UserOrder::Created, bad), None, "{bad}");
        }
    }
}
