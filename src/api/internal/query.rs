//! The root of the Internal API's queries.

use std::sync::Arc;

use juniper::{ID, graphql_object};

use super::{Account, AccountConnection};
use crate::api::{ApiError, Context};
use crate::scope;
use crate::user::UserId;

/// The longest page.
const PAGE_MAX: i32 = 100;

/// Where queries begin.
#[derive(Debug, Clone, Copy)]
pub struct Query;

#[graphql_object]
#[graphql(context = Context)]
impl Query {
    /// The current user; null for a machine.
    fn me(context: &Context) -> Result<Option<Account>, ApiError> {
        context.caller().user().map(|user| context.row(user).map(Account)).transpose()
    }

    /// One user: by our id, by Auth0's (also a linked one), or by email (verified, or pre-provisioned and not claimed
    /// yet). Give exactly one. Null when there is none. Needs `users:read`.
    pub fn user(
        context: &Context,
        id: Option<ID>,
        auth0_id: Option<String>,
        email: Option<String>,
    ) -> Result<Option<Account>, ApiError> {
        context.require(scope::USERS_READ)?;
        let store = context.store();
        // What is no id or no email is nobody's.
        let found = match (id, auth0_id, email) {
            (Some(id), None, None) => id.parse().ok().map(|id| store.user(id)),
            (None, Some(id), None) => id.parse().ok().map(|id| store.user_by_auth0_id(&id)),
            (None, None, Some(email)) => email.parse().ok().map(|email| store.user_by_email(&email)),
            _ => return Err(ApiError::BadInput("Give exactly one of id, auth0Id and email.")),
        };
        Ok(found.transpose()?.flatten().map(|user| Account(Arc::new(user))))
    }

    /// Users, oldest first: `first` of them (1 to 100), after the cursor `after`. Needs `users:read`.
    async fn users(
        context: &Context,
        #[graphql(default = 50)] first: i32,
        after: Option<String>,
    ) -> Result<AccountConnection, ApiError> {
        context.require(scope::USERS_READ)?;
        if !(1..=PAGE_MAX).contains(&first) {
            return Err(ApiError::BadInput("The argument first goes from 1 to 100."));
        }
        let after: Option<UserId> = match after.as_deref().map(str::parse) {
            None => None,
            Some(Ok(id)) => Some(id),
            Some(Err(_)) => return Err(ApiError::BadInput("The argument after is no cursor of this list.")),
        };
        let store = context.store().clone();
        let page = context.pool().run(move || store.users(first.unsigned_abs() as usize, after)).await??;
        Ok(AccountConnection::from(page))
    }
}
