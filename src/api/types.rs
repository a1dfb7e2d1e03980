//! GraphQL types of both schemas.

use jiff::Timestamp;
use juniper::{GraphQLEnum, GraphQLObject, GraphQLScalar};

use crate::{store, user};

/// A time in UTC, in the format of RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, GraphQLScalar)]
#[graphql(parse_token(String), specified_by_url = "https://graphql-scalars.dev/docs/scalars/date-time")]
pub struct DateTime(pub Timestamp);

impl DateTime {
    fn to_output(time: &Self) -> String {
        time.0.to_string()
    }

    fn from_input(text: &str) -> Result<Self, Box<str>> {
        text.parse::<Timestamp>().map(Self).map_err(|_| "not a time in the format of RFC 3339".into())
    }
}

/// An email address of at most 254 characters. Output has the local part in ASCII lower case and the domain in IDNA form.
#[derive(Debug, Clone, PartialEq, Eq, GraphQLScalar)]
#[graphql(parse_token(String), specified_by_url = "https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2")]
pub struct Email(pub user::Email);

impl Email {
    fn to_output(email: &Self) -> &str {
        email.0.as_str()
    }

    fn from_input(text: &str) -> Result<Self, Box<str>> {
        text.parse().map(Self).map_err(|error: user::EmailError| error.to_string().into())
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
                match context.caller().principal() {
                    $crate::auth::Principal::User(_) => $crate::api::ViewerKind::User,
                    $crate::auth::Principal::Machine(_) => $crate::api::ViewerKind::Machine,
                    $crate::auth::Principal::Anonymous => $crate::api::ViewerKind::Anonymous,
                }
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
