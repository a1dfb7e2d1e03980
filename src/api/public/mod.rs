//! The Public API's schema: what a person may see and change of themselves.

pub mod node;
mod me;
pub mod viewer;
mod query;
pub mod input;
mod mutation;
mod subscription;

use juniper::RootNode;

pub use me::{AcceptedTerms, Me};
pub use mutation::Mutation;
pub use query::Query;
pub use subscription::Subscription;

/// The schema of the public door.
pub type Schema = RootNode<Query, Mutation, Subscription>;

/// The schema of the public door.
pub fn schema() -> Schema {
    Schema::new(Query, Mutation, Subscription)
}
