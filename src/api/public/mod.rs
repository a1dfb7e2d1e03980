//! The schema of the Public API: what users may see and change of themselves.

mod me;
mod query;
pub mod input;
mod mutation;
mod subscription;

use juniper::RootNode;

pub use me::{Me, Node};
pub use mutation::Mutation;
pub use query::{Query, Viewer};
pub use subscription::Subscription;

/// The schema of the public door.
pub type Schema = RootNode<Query, Mutation, Subscription>;

/// The schema of the public door.
pub fn schema() -> Schema {
    Schema::new(Query, Mutation, Subscription)
}
