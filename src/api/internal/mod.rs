//! The Internal API's schema: everything of users, for machines and staff.

mod query;
mod user;

use juniper::{EmptyMutation, EmptySubscription, RootNode};

pub use query::Query;
pub use user::{Account, AccountConnection, AccountEdge, PageInfo, Status};

use super::Context;

/// The schema of the internal door.
pub type Schema = RootNode<Query, EmptyMutation<Context>, EmptySubscription<Context>>;

/// The schema of the internal door.
pub fn schema() -> Schema {
    Schema::new(Query, EmptyMutation::new(), EmptySubscription::new())
}
