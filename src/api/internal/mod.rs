//! The Internal API's schema: everything of users, and what was deployed, for machines and staff.
//!
//! Fields that need more than the door asked for say so, and refuse with `NOT_PERMITTED`.

pub mod node;
mod account_batch;
mod user;
pub mod users;
pub mod actor;
pub mod audit;
pub mod deployments;
pub mod viewer;
mod query;
pub mod input;
pub mod payload;
pub mod mutation;
mod subscription;

use juniper::{ID, RootNode};

pub use audit::AuditEvent;
pub use deployments::Deployment;
pub use mutation::Mutation;
pub use query::Query;
pub use subscription::Subscription;
pub use user::{AcceptedTerms, Account, Identity, Status};

use super::{ApiError, NodeId};
use crate::user::UserId;

/// The schema of the internal door.
pub type Schema = RootNode<Query, Mutation, Subscription>;

/// The schema of the internal door.
pub fn schema() -> Schema {
    Schema::new(Query, Mutation, Subscription)
}

/// The user that a global id leads to.
fn user_id(id: &ID) -> Result<UserId, ApiError> {
    match id.parse() {
        Ok(NodeId::User(id)) => Ok(id),
        _ => Err(ApiError::NotFound("There is no such user.")),
    }
}
