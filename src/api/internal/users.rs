//! Lists of users: what they are filtered and ordered by, and their pages.

use juniper::{GraphQLEnum, GraphQLInputObject, GraphQLObject, graphql_object};

use super::account_batch::AccountBatch;
use super::{Account, Status};
use crate::api::connection::{self, PageInfo, Paging, UserListCursor};
use crate::api::{ApiError, Context, DateTime, Email};
use crate::store::{self, Page, PageArgs, Period};
use crate::user::User;

/// The longest text that is searched for, in characters.
const SEARCH_MAX_CHARS: usize = 254;

/// Which users are wanted: those that meet all of it.
#[derive(Debug, Clone, Default, GraphQLInputObject)]
pub struct UserFilter {
    /// Who have this email, verified or not.
    pub email: Option<Email>,
    /// Who have this full name, ASCII letters in either case.
    pub name: Option<String>,
    /// Whose email, full name or family name begins so, ASCII letters in either case. Looks at the first 1,000 matches
    /// of each, by alphabet: what is beyond is not found, so search for more letters.
    pub search: Option<String>,
    /// Who have this role. Costs a sort of all who have it.
    pub role: Option<String>,
    /// Who have this status.
    pub status: Option<Status>,
    /// Whose row was made then.
    pub created_at: Option<PeriodInput>,
    /// Whose row last changed then.
    pub updated_at: Option<PeriodInput>,
}

/// A span of time. Without an end it is open there.
#[derive(Debug, Clone, Copy, Default, GraphQLInputObject)]
#[graphql(name = "Period")]
pub struct PeriodInput {
    /// From this moment on.
    pub from: Option<DateTime>,
    /// Up to, but without, this moment.
    pub until: Option<DateTime>,
}

/// What users are ordered by.
#[derive(Debug, Clone, Default, GraphQLInputObject)]
pub struct UserOrder {
    /// The field.
    pub field: UserOrderField,
    /// The direction: ascending when not given.
    pub direction: Option<OrderDirection>,
}

/// A field that users can be ordered by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, GraphQLEnum)]
pub enum UserOrderField {
    /// When the row was made.
    #[default]
    CreatedAt,
    /// When the row last changed.
    UpdatedAt,
    /// The email; those without come first.
    Email,
    /// The full name, ASCII letters in either case; those without come first.
    Name,
}

/// A direction to order in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, GraphQLEnum)]
pub enum OrderDirection {
    /// The smallest, or oldest, first.
    Asc,
    /// The greatest, or newest, first.
    Desc,
}

/// A page of users.
#[derive(Debug, Clone)]
pub struct UserConnection {
    page: connection::Edges<Account>,
    filter: store::UserFilter,
}

/// A user in a page.
#[derive(Debug, Clone, GraphQLObject)]
#[graphql(context = Context)]
pub struct UserEdge {
    /// Where the user stands in the list.
    pub cursor: String,
    /// The user.
    pub node: Account,
}

impl UserConnection {
    /// Asks the store for a page.
    ///
    /// # Errors
    /// [`ApiError::BadInput`] as [`Paging::slice`] has it, and for a cursor of another order.
    pub(super) async fn read(
        context: &Context,
        filter: Option<UserFilter>,
        order: Option<UserOrder>,
        paging: Paging,
    ) -> Result<Self, ApiError> {
        let filter = filter.unwrap_or_default().read()?;
        let UserOrder { field, direction } = order.unwrap_or_default();
        let (order, descending) = (field.read(), direction == Some(OrderDirection::Desc));
        let slice = paging.slice::<UserListCursor>()?;
        let place = |place: Option<UserListCursor>| match place {
            Some(UserListCursor(of, _)) if of != order => {
                Err(ApiError::BadInput("The cursor is of another order; begin again without it."))
            }
            place => Ok(place.map(|UserListCursor(_, place)| place)),
        };
        let slice = PageArgs {
            after: place(slice.after)?,
            before: place(slice.before)?,
            limit: slice.limit,
            from_end: slice.from_end,
        };
        let wanted = filter.clone();
        let part = context.read(move |store| store.list_users(&wanted, order, descending, &slice)).await?;
        let Page { items, more } = part;
        let accounts = Page { items: AccountBatch::of(items), more };
        let page = connection::Edges::new(accounts, &paging, |account: &Account| {
            let user: &User = &account.user;
            UserListCursor(order, order.cursor(user))
        });
        Ok(Self { page, filter })
    }
}

#[graphql_object]
#[graphql(context = Context)]
impl UserConnection {
    /// The users with their cursors.
    fn edges(&self) -> Vec<UserEdge> {
        self.page.edges.iter().cloned().map(|(cursor, node)| UserEdge { cursor, node }).collect()
    }

    /// The users without their cursors.
    fn nodes(&self) -> Vec<Account> {
        self.page.edges.iter().map(|(_, node)| node.clone()).collect()
    }

    /// Where the page stands in the list.
    fn page_info(&self) -> &PageInfo {
        &self.page.info
    }

    /// How many users there are in all. Costs a walk over them, so ask for it only when it is shown;
    /// null, with an error, when that takes longer than the operation may.
    async fn total_count(&self, context: &Context) -> Result<Option<i32>, ApiError> {
        let filter = self.filter.clone();
        let count = context.read(move |store| store.count_users(&filter)).await?;
        Ok(Some(i32::try_from(count).unwrap_or(i32::MAX)))
    }
}

impl UserFilter {
    fn read(self) -> Result<store::UserFilter, ApiError> {
        let period = |period: Option<PeriodInput>| {
            let PeriodInput { from, until } = period.unwrap_or_default();
            Period { from: from.map(|moment| moment.0), until: until.map(|moment| moment.0) }
        };
        if self.search.as_ref().is_some_and(|text| text.chars().count() > SEARCH_MAX_CHARS) {
            return Err(ApiError::BadInput("The text to search for has at most 254 characters."));
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

impl UserOrderField {
    fn read(self) -> store::UserOrder {
        match self {
            Self::CreatedAt => store::UserOrder::Created,
            Self::UpdatedAt => store::UserOrder::Updated,
            Self::Email => store::UserOrder::Email,
            Self::Name => store::UserOrder::Name,
        }
    }
}
