//! The schema of the Internal API, for machines and staff: all data about users, and deployments.
//!
//! A field that needs more permissions than the door requires says so, and fails with `NOT_PERMITTED` without them.

/// Converts between two enums with the same variants.
macro_rules! same_variants {
    ($graphql:path, $ours:path, $($variant:ident)|+) => {
        impl From<$ours> for $graphql {
            fn from(value: $ours) -> Self {
                use $ours as Ours;
                match value { $(Ours::$variant => Self::$variant,)+ }
            }
        }

        impl From<$graphql> for $ours {
            fn from(value: $graphql) -> Self {
                use $graphql as Graphql;
                match value { $(Graphql::$variant => Self::$variant,)+ }
            }
        }
    };
}

mod node;
pub mod actor;
pub mod audit;
mod user;
pub mod users;
pub mod deployments;
mod query;
pub mod input;
mod mutation;
mod subscription;

use juniper::RootNode;

pub use mutation::Mutation;
pub use node::{Account, AuditEvent, Deployment, Node};
pub use query::{Query, Viewer};
pub use subscription::Subscription;
pub use user::{Identity, UserStatus};

/// The schema of the internal door.
pub type Schema = RootNode<Query, Mutation, Subscription>;

/// The schema of the internal door.
pub fn schema() -> Schema {
    Schema::new(Query, Mutation, Subscription)
}
