//! GraphQL types of both schemas.

use jiff::Timestamp;
use juniper::{GraphQLEnum, GraphQLObject, GraphQLScalar};

use crate::auth::Principal;
use crate::{store, user};

/// A time in UTC, in the format of RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, GraphQLScalar)]
#[graphql(
    with = date_time,
    parse_token(String),
    specified_by_url = "https://graphql-scalars.dev/docs/scalars/date-time"
)]
pub struct DateTime(pub Timestamp);

mod date_time {
    use super::{DateTime, Timestamp};

    pub(super) fn to_output(value: &DateTime) -> String {
        value.0.to_string()
    }

    pub(super) fn from_input(text: &str) -> Result<DateTime, Box<str>> {
        text.parse::<Timestamp>().map(DateTime).map_err(|_| "not a time in the format of RFC 3339".into())
    }
}

/// An email address of at most 254 characters. Output has the local part in ASCII lower case and the domain in IDNA form.
#[derive(Debug, Clone, PartialEq, Eq, GraphQLScalar)]
#[graphql(
    with = email,
    parse_token(String),
    specified_by_url = "https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2"
)]
pub struct Email(pub user::Email);

mod email {
    use super::Email;

    pub(super) fn to_output(value: &Email) -> &str {
        value.0.as_str()
    }

    pub(super) fn from_input(text: &str) -> Result<Email, Box<str>> {
        text.parse().map(Email).map_err(|error: crate::user::EmailError| error.to_string().into())
    }
}

/// The kind of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, GraphQLEnum)]
pub enum ViewerKind {
    /// A person.
    User,
    /// A machine with a client-credentials token.
    Machine,
    /// A caller without a token.
    Anonymous,
}

impl From<&Principal> for ViewerKind {
    fn from(principal: &Principal) -> Self {
        match principal {
            Principal::User(_) => Self::User,
            Principal::Machine(_) => Self::Machine,
            Principal::Anonymous => Self::Anonymous,
        }
    }
}

/// A version of the terms that a user accepted.
#[derive(Debug, Clone, GraphQLObject)]
pub struct AcceptedTerms {
    /// The version.
    pub version: String,
    /// When the user first accepted it.
    pub accepted_at: DateTime,
}

impl From<store::AcceptedTerms> for AcceptedTerms {
    fn from(terms: store::AcceptedTerms) -> Self {
        Self { version: terms.version, accepted_at: DateTime(terms.accepted_at) }
    }
}

/// Defines `Viewer`, whose field `user` has the type of its schema.
macro_rules! viewer {
    ($($user:tt)*) => {
        /// The caller and their permissions.
        #[derive(Debug, Clone, Copy)]
        pub struct Viewer;

        #[juniper::graphql_object]
        #[graphql(context = Context)]
        impl Viewer {
            /// The kind of caller.
            fn kind(context: &Context) -> $crate::api::ViewerKind {
                context.caller().principal().into()
            }

            $($user)*

            /// A machine's client id; null for other callers.
            fn client_id(context: &Context) -> Option<&str> {
                context.caller().client_id()
            }

            /// The caller's permissions: a machine's scopes, or those of a user's roles.
            fn permissions(context: &Context) -> Vec<&str> {
                context.caller().permissions().iter().collect()
            }
        }
    };
}
pub(super) use viewer;
