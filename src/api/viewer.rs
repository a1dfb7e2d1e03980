//! Who is calling, in the words of both schemas.

use juniper::GraphQLEnum;

use crate::auth::Who;

/// What kind of caller it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, GraphQLEnum)]
pub enum ViewerKind {
    /// A person.
    User,
    /// A machine, with a token of its own.
    Machine,
    /// Somebody without a token.
    Anonymous,
}

impl From<&Who> for ViewerKind {
    fn from(who: &Who) -> Self {
        match who {
            Who::User(_) => Self::User,
            Who::Machine(_) => Self::Machine,
            Who::Anonymous => Self::Anonymous,
        }
    }
}
