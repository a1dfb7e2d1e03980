//! The Public API's schema: what a person may see of themselves.

mod me;
mod query;

use juniper::{EmptyMutation, EmptySubscription, RootNode};

pub use me::Me;
pub use query::Query;

use super::Context;

/// The schema of the public door.
pub type Schema = RootNode<Query, EmptyMutation<Context>, EmptySubscription<Context>>;

/// The schema of the public door.
pub fn schema() -> Schema {
    Schema::new(Query, EmptyMutation::new(), EmptySubscription::new())
}
