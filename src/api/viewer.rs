//! Who is calling, in the words of both schemas.

use juniper::GraphQLEnum;

use crate::auth::Principal;

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

impl From<&Principal> for ViewerKind {
    fn from(who: &Principal) -> Self {
        match who {
            Principal::User(_) => Self::User,
            Principal::Machine(_) => Self::Machine,
            Principal::Anonymous => Self::Anonymous,
        }
    }
}
